//! Which proxy a request goes through: that of the environment, the user's, or
//! none. The login in a proxy's address goes to the proxy alone.

use std::env;
use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use crate::error::{Kind, Problem};
use crate::text;

const SOCKS_PORT: u16 = 1080; // RFC 1928 section 3; the library would take 80

/// The proxies of a run.
#[derive(Clone, Default)]
pub enum Proxies {
    /// Those that the usual environment variables name.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// This one for all hosts but those in `no_proxy`.
    One(Url),
}

impl Proxies {
    /// What the user typed: `http`, `https`, `socks5` (names are resolved here)
    /// or `socks5h` (by the proxy), `host:port` for an HTTP proxy, `none` or
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for anything else.
    pub fn parse(words: &str) -> Result<Self, Problem> {
        if words.is_empty() || words.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        let full = match words.contains("://") {
            true => words.to_owned(),
            false => format!("http://{words}"),
        };
        let refuse = |why: &str| {
            let what = format!("cannot use the proxy \"{}\"", text::short_url(&full));
            let todo = "write it like http://host:3128 or socks5h://host:1080";
            Problem::new(Kind::Arguments, what, why, todo)
        };
        let mut url = Url::parse(&full).map_err(|_| refuse("it is no address"))?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(refuse("it is not among http, https, socks5 and socks5h"));
        }
        if url.scheme().starts_with("socks") && url.port().is_none() {
            // Refused only by an address without a host, which is refused below.
            let _ = url.set_port(Some(SOCKS_PORT));
        }
        match url.host_str() {
            None | Some("") => Err(refuse("it names no host")),
            Some(_) if Proxy::all(url.as_str()).is_err() => Err(refuse("it is no address")),
            Some(_) => Ok(Self::One(url)),
        }
    }

    /// Tells the HTTP library.
    pub(super) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        match self {
            Self::Environment => builder,
            Self::None => builder.no_proxy(),
            Self::One(url) => {
                let proxy = Proxy::all(url.as_str()).expect("`parse` has tried it");
                builder.proxy(proxy.no_proxy(NoProxy::from_env()))
            }
        }
    }

    /// The same choice, to name the proxy of a URL in a message.
    pub(super) fn matcher(&self) -> Matcher {
        match self {
            Self::Environment => Matcher::from_system(),
            Self::None => Matcher::builder().build(),
            Self::One(url) => {
                let except = ["NO_PROXY", "no_proxy"]
                    .iter()
                    .find_map(|name| env::var(name).ok());
                let builder = Matcher::builder().all(url.as_str().to_owned());
                builder.no(except.unwrap_or_default()).build()
            }
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::None => f.write_str("None"),
            Self::One(url) => write!(f, "One({})", text::short_url(url.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_or_none() {
        let cases = [
            ("", "None"),
            ("None", "None"),
            ("http://me:hush@h:3128", "One(http://h:3128/)"),
            ("me:hush@h:3128", "One(http://h:3128/)"),
            ("https://h", "One(https://h/)"),
            ("socks5://me:hush@h", "One(socks5://h:1080)"),
            ("socks5h://[::1]:9050", "One(socks5h://[::1]:9050)"),
        ];
        for (words, want) in cases {
            let got = Proxies::parse(words).map(|proxies| format!("{proxies:?}"));
            assert_eq!(got.as_deref(), Ok(want), "{words:?}");
        }
        for words in [
            "ftp://me:hush@h",
            "socks4://h",
            "http://",
            "http://h:99999",
            "a b",
            "socks5://",
        ] {
            let problem = Proxies::parse(words).expect_err(words);
            assert_eq!(problem.kind, Kind::Arguments, "{words}");
            assert!(!problem.to_string().contains("hush"), "{problem}");
        }
    }
}
