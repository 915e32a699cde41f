//! What a stream or an entry is called: the URL as sent, and who asked. Names
//! on disk are hashes of it and never letters of a URL.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// What was asked for: two requests with equal identities may share bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    url: String,
    credentials: Option<String>,
}

impl Identity {
    /// The identity of `url`: scheme, host, port, path and query as they are
    /// sent. User-info and fragment are left out: the fragment is never sent,
    /// and user-info belongs into [`Identity::with_credentials`].
    pub fn of_url(url: &str) -> Self {
        Self {
            url: canonical(url),
            credentials: None,
        }
    }

    /// A part of `url` that is kept as an entry of its own. The URL in it is
    /// followed by a blank, which no URL holds, and the bytes.
    pub fn of_part(url: &str, part: &Range<u64>) -> Self {
        let url = format!("{} bytes={}-{}", canonical(url), part.start, part.end);
        Self {
            url,
            credentials: None,
        }
    }

    /// What was recorded of the live playlist at `url`: an entry of its own,
    /// which nobody meets who asks for the playlist itself.
    pub fn of_recording(url: &str) -> Self {
        Self {
            url: format!("{} recorded", canonical(url)),
            credentials: None,
        }
    }

    /// The same resource as `credentials` (a header's value, or user-info) see
    /// it. Only a hash keyed with `secret` (see `Cache::secret`) is kept.
    pub fn with_credentials(self, secret: &[u8; 32], credentials: &str) -> Self {
        let keyed = Sha256::new().chain_update(secret).chain_update(credentials);
        Self {
            credentials: Some(hex(&keyed.finalize())),
            ..self
        }
    }

    /// The URL as sent, without user-info and fragment; may hold secrets in its query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name on disk: 64 lower-case hexadecimal digits (SHA-256).
    pub fn name(&self) -> String {
        let mut hash = Sha256::new().chain_update(&self.url);
        if let Some(credentials) = &self.credentials {
            hash.update("\n"); // no URL holds one
            hash.update(credentials);
        }
        hex(&hash.finalize())
    }

    /// The keyed hash of the credentials, if any were sent.
    pub(super) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }

    /// An identity as a record tells it.
    pub(super) fn recorded(url: String, credentials: Option<String>) -> Self {
        Self { url, credentials }
    }
}

/// `bytes` as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Whether `name` is one that [`Identity::name`] makes.
pub(super) fn is_name(name: &str) -> bool {
    name.len() == 64 && is_hex(name)
}

/// Whether `text` is all lower-case hexadecimal digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn canonical(url: &str) -> String {
    let sent = url.split('#').next().unwrap_or_default();
    let Some((scheme, rest)) = sent.split_once("://") else {
        return sent.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_resource_have_names_of_their_own() {
        let url = "http://h/all.m4s";
        let names = [
            Identity::of_url(url).name(),
            Identity::of_part(url, &(0..765)).name(),
            Identity::of_part(url, &(765..9000)).name(),
        ];
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn only_what_is_sent_makes_the_identity() {
        let cases = [
            (
                "http://h/a?x=1&y=2#part",
                "http://h/a?x=1&y=2",
                "the fragment is not sent",
            ),
            (
                "HTTP://Host/A",
                "http://host/A",
                "scheme and host have no case",
            ),
            ("http://h:80/a", "http://h/a", "the default port"),
            ("https://h:443", "https://h/", "the default port, no path"),
            ("http://h:443/a", "http://h:443/a", "another port"),
            ("http://h?x", "http://h/?x", "a query without a path"),
            ("http://u:p@h/a", "http://h/a", "user-info is no name"),
            ("http://[::1]:80/a", "http://[::1]/a", "an IPv6 host"),
            (
                "http://h/a%2Fb/../c",
                "http://h/a%2Fb/../c",
                "the path is kept",
            ),
        ];
        for (url, want, why) in cases {
            assert_eq!(Identity::of_url(url).url(), want, "{why}");
        }
    }

    #[test]
    fn different_requests_have_different_names() {
        let secret = [7; 32];
        let plain = |url| Identity::of_url(url);
        let names = [
            plain("http://h/a").name(),
            plain("https://h/a").name(),
            plain("http://h:8080/a").name(),
            plain("http://h/A").name(),
            plain("http://h/a?x=1&y=2").name(),
            plain("http://h/a?y=2&x=1").name(),
            plain("http://h/a").with_credentials(&secret, "me").name(),
            plain("http://h/a").with_credentials(&secret, "you").name(),
            plain("http://h/a").with_credentials(&[8; 32], "me").name(),
        ];
        for (number, name) in names.iter().enumerate() {
            assert!(is_name(name), "{name}");
            assert!(!names[..number].contains(name), "row {number}");
        }
    }

    #[test]
    fn a_name_is_the_sha_256_of_the_url() {
        // printf 'http://h/' | sha256sum
        let want = "ad8295a7a69d6f00bcbec158f753e9310e81a0ffc377dbe0d6d40de0b76d7142";
        assert_eq!(Identity::of_url("http://h/").name(), want);
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
