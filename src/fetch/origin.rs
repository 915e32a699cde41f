//! Who a URL belongs to: scheme, host and port, compared exactly. A secret of
//! one origin is never sent to another.

use url::Url;

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
