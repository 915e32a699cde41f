//! Who a URL belongs to: scheme, host and port, compared exactly. What the user
//! typed for one origin is never sent to another.

use url::Url;

use crate::location;

use super::secrets::Secrets;

/// Scheme, host and port of a URL. The host is lower case and the port is
/// filled in, both by the parser of `Url`; a trailing dot makes another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// The origin of `url`.
    pub(super) fn of(url: &Url) -> Self {
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default(),
        }
    }
}

/// What the user typed, for the origin of the URL the user typed and no other.
#[derive(Clone, Debug)]
pub struct Credentials {
    owner: Origin,
    secrets: Secrets,
}

impl Credentials {
    /// Binds `secrets` to the origin of `url`, whose user-info becomes one of
    /// them and is taken out of it.
    pub fn bind(mut secrets: Secrets, url: &mut Url) -> Self {
        if has_user_info(url) {
            let plain = |text: &str| location::percent_decoded(text).unwrap_or(text.to_owned());
            let password = plain(url.password().unwrap_or_default());
            secrets.replace_user(&plain(url.username()), &password);
            drop_user_info(url);
        }
        let owner = Origin::of(url);
        Self { owner, secrets }
    }

    /// What may be sent to `target`: nothing when it is someone else.
    pub(super) fn for_url(&self, target: &Url) -> Option<&Secrets> {
        (self.owner == Origin::of(target)).then_some(&self.secrets)
    }

    /// Whether there is something that `target` must not get.
    pub(super) fn are_withheld_from(&self, target: &Url) -> bool {
        self.owner != Origin::of(target) && !self.secrets.is_empty()
    }

    /// All of it, for what is set up before anything is sent.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What tells this user's copies from another's, as one text that is only
    /// to be hashed; `None` when nothing is sent.
    pub fn summary(&self) -> Option<String> {
        (!self.secrets.is_empty()).then(|| self.secrets.summary())
    }
}

/// Whether a name or a password stands in front of the host.
pub(super) fn has_user_info(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Takes name and password out of `url`.
pub(super) fn drop_user_info(url: &mut Url) {
    // Only a URL without a host refuses these, and http and https have one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_the_exact_scheme_host_and_port() {
        let origin = |text: &str| Origin::of(&Url::parse(text).expect("a URL"));
        let home = origin("https://host.example/a?b#c");
        let cases = [
            ("https://HOST.example:443/other", true),
            ("https://user:secret@host.example/", true),
            ("http://host.example/", false),
            ("https://host.example:8443/", false),
            ("https://www.host.example/", false),
            ("https://host.example./", false),
            ("https://hоst.example/", false), // a Cyrillic о
        ];
        for (text, want) in cases {
            assert_eq!(origin(text) == home, want, "{text}");
        }
    }
}
