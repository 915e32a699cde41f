//! The cookies servers set, for one run and in memory only: CDNs sign a
//! session with the playlist's answer and want it back with each segment, init
//! section and key. Pure; the clock is an argument.
//!
//! A cookie goes back to the host that set it, or to the domain it names when
//! the host lies in it (RFC 6265). There is no list of public suffixes: what
//! lives for one run cannot follow anyone, and what a server gives away is its own.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use url::{Host, Url};

use crate::limits;

const LONG: u64 = 400 * 86_400; // seconds; what browsers cut a lifetime to

/// All cookies of a run.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    /// Lower case, as in a URL.
    host: String,
    /// Whether hosts below `host` get it too.
    is_wide: bool,
    path: String,
    is_secure: bool,
    expires: Option<SystemTime>,
}

impl Jar {
    /// Notes a `Set-Cookie` header of the answer of `from`. One that the host
    /// may not set, that is too long or cannot be read is left out.
    ///
    /// Source: RFC 6265 sections 5.2 and 5.3.
    pub(super) fn note(&mut self, from: &Url, text: &str, now: SystemTime) {
        let Some(cookie) = Cookie::read(from, text, now) else {
            return;
        };
        self.cookies
            .retain(|known| !known.is_same(&cookie) && known.lives(now));
        if cookie.lives(now) {
            if self.cookies.len() >= limits::COOKIES {
                self.cookies.remove(0);
            }
            self.cookies.push(cookie);
        }
    }

    /// The `Cookie` header for `to`, if there is something to say: `typed`,
    /// which are the user's own for this origin, and those of the jar. A server
    /// that sets a cookie of a typed name replaces it, as in a browser.
    pub(super) fn header(
        &self,
        to: &Url,
        typed: &[(String, String)],
        now: SystemTime,
    ) -> Option<String> {
        let mut own: Vec<_> = self.cookies.iter().filter(|c| c.goes_to(to, now)).collect();
        own.sort_by_key(|cookie| Reverse(cookie.path.len())); // section 5.4, step 2
        let is_replaced = |name: &str| own.iter().any(|cookie| cookie.name == name);
        let kept = typed.iter().filter(|(name, _)| !is_replaced(name));
        let pairs = kept.map(|(name, value)| (name, value));
        let mut header = String::new();
        for (name, value) in pairs.chain(own.iter().map(|c| (&c.name, &c.value))) {
            let pair = format!("{name}={value}");
            if header.len() + pair.len() + 2 <= limits::COOKIE_HEADER_BYTES {
                let glue = if header.is_empty() { "" } else { "; " };
                header.push_str(glue);
                header.push_str(&pair);
            }
        }
        (!header.is_empty()).then_some(header)
    }
}

impl Cookie {
    fn read(from: &Url, text: &str, now: SystemTime) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_long = name.len() + value.len() > limits::COOKIE_BYTES;
        if name.is_empty() || is_long || text.chars().any(char::is_control) {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            host: from.host_str()?.to_owned(),
            is_wide: false,
            path: default_path(from.path()).to_owned(),
            is_secure: false,
            expires: None,
        };
        let mut age = None;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => cookie.widen(from, value)?,
                "path" if value.starts_with('/') => cookie.path = value.to_owned(),
                "secure" => cookie.is_secure = true,
                "max-age" => age = expiry(value, now).or(age),
                "expires" => cookie.expires = date(value),
                _ => {}
            }
        }
        cookie.expires = age.or(cookie.expires);
        let may_set = !cookie.is_secure || from.scheme() == "https";
        may_set.then_some(cookie)
    }

    /// Takes the `Domain` attribute; `None` when the host does not lie in it,
    /// or it is a top-level domain.
    fn widen(&mut self, from: &Url, domain: &str) -> Option<()> {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        if domain.is_empty() || domain == self.host {
            self.is_wide = matches!(from.host(), Some(Host::Domain(_))) && !domain.is_empty();
            return Some(());
        }
        let is_above = matches!(from.host(), Some(Host::Domain(host)) if lies_in(host, &domain));
        (is_above && domain.contains('.')).then(|| {
            self.host = domain;
            self.is_wide = true;
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.host, &self.path) == (&other.name, &other.host, &other.path)
    }

    fn lives(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn goes_to(&self, url: &Url, now: SystemTime) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_host = host == self.host || self.is_wide && lies_in(host, &self.host);
        is_host
            && (!self.is_secure || url.scheme() == "https")
            && path_matches(url.path(), &self.path)
            && self.lives(now)
    }
}

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookie")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// When a cookie of this `Max-Age` dies; `None` when it is no number.
fn expiry(seconds: &str, now: SystemTime) -> Option<SystemTime> {
    let digits = seconds.strip_prefix('-').unwrap_or(seconds);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Negative is at once; what no clock can hold is later than the run ends.
    let age = match seconds.starts_with('-') {
        true => 0,
        false => digits.parse().unwrap_or(LONG).min(LONG),
    };
    now.checked_add(Duration::from_secs(age))
}

/// A date; old servers write `01-Jan-2030` in it.
fn date(text: &str) -> Option<SystemTime> {
    let plain = || httpdate::parse_http_date(&text.replace('-', " ")).ok();
    httpdate::parse_http_date(text).ok().or_else(plain)
}

fn lies_in(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.ends_with('.'))
}

/// The folder of `path`. Source: RFC 6265 section 5.1.4.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

fn path_matches(path: &str, scope: &str) -> bool {
    path.strip_prefix(scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || scope.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn noon() -> SystemTime {
        httpdate::parse_http_date("Tue, 01 Jan 2030 12:00:00 GMT").expect("a date")
    }

    /// What is sent to `to` after `from` has set `text`.
    fn sent(from: &str, text: &str, to: &str) -> Option<String> {
        let mut jar = Jar::default();
        jar.note(&url(from), text, noon());
        jar.header(&url(to), &[], noon())
    }

    #[test]
    fn a_cookie_goes_where_it_may_and_nowhere_else() {
        let home = "https://www.home.example/a/list.m3u8";
        let cases = [
            ("s=1", "https://www.home.example/a/x.ts", true, "its folder"),
            (
                "s=1",
                "https://www.home.example/b/x.ts",
                false,
                "another folder",
            ),
            ("s=1", "https://www.home.example/ab", false, "a longer name"),
            (
                "s=1; Path=/",
                "https://www.home.example/b/x",
                true,
                "a path of its own",
            ),
            (
                "s=1; Path=b",
                "https://www.home.example/b/x",
                false,
                "no path",
            ),
            (
                "s=1; Path=/",
                "https://home.example/",
                false,
                "the host above",
            ),
            (
                "s=1; Path=/",
                "https://x.www.home.example/",
                false,
                "a host below",
            ),
            (
                "s=1; Path=/",
                "https://www.home.example.evil/",
                false,
                "a longer host",
            ),
            (
                "s=1; Path=/; Domain=home.example",
                "https://cdn.home.example/x",
                true,
                "its domain",
            ),
            (
                "s=1; Path=/; Domain=.HOME.example",
                "https://home.example/",
                true,
                "old spelling",
            ),
            (
                "s=1; Path=/; Domain=home.example",
                "https://athome.example/",
                false,
                "no dot before",
            ),
            (
                "s=1; Path=/; Domain=www.home.example",
                "https://a.www.home.example/",
                true,
                "itself",
            ),
            (
                "s=1; Path=/; Domain=example",
                "https://www.home.example/",
                false,
                "one label",
            ),
            (
                "s=1; Path=/; Domain=evil.example",
                "https://evil.example/",
                false,
                "a stranger's",
            ),
            (
                "s=1; Path=/; Domain=x.www.home.example",
                "https://x.www.home.example/",
                false,
                "below",
            ),
            (
                "s=1; Path=/; Secure",
                "http://www.home.example/",
                false,
                "secure, not by http",
            ),
            (
                "s=1; Path=/",
                "http://www.home.example/",
                true,
                "not secure",
            ),
            (
                "s=1; Path=/; Max-Age=0",
                "https://www.home.example/",
                false,
                "dead",
            ),
            (
                "s=1; Path=/; Max-Age=-5",
                "https://www.home.example/",
                false,
                "long dead",
            ),
            (
                "s=1; Path=/; Max-Age=60",
                "https://www.home.example/",
                true,
                "a minute",
            ),
            (
                "s=1; Path=/; Max-Age=99999999999999999999",
                "https://www.home.example/",
                true,
                "ages",
            ),
            (
                "s=1; Path=/; Expires=Tue, 01 Jan 2030 11:59:59 GMT",
                "https://www.home.example/",
                false,
                "past",
            ),
            (
                "s=1; Path=/; Expires=Tue, 01-Jan-2030 11:59:59 GMT",
                "https://www.home.example/",
                false,
                "past, as of old",
            ),
            (
                "s=1; Path=/; Expires=soon",
                "https://www.home.example/",
                true,
                "no date: the session",
            ),
            (
                "s=1; Path=/; Expires=Tue, 01 Jan 2030 11:59:59 GMT; Max-Age=5",
                "https://www.home.example/",
                true,
                "age wins",
            ),
            ("=1; Path=/", "https://www.home.example/", false, "no name"),
            ("s; Path=/", "https://www.home.example/", false, "no value"),
            (
                "s=\x07; Path=/",
                "https://www.home.example/",
                false,
                "a bell",
            ),
        ];
        for (text, to, want, why) in cases {
            let got = sent(home, text, to);
            assert_eq!(got, want.then(|| "s=1".to_owned()), "{why}: {text} -> {to}");
        }
    }

    #[test]
    fn an_address_has_no_domain_and_plain_http_sets_nothing_secure() {
        let address = "http://127.0.0.1:81/a";
        assert_eq!(sent(address, "s=1; Domain=0.0.1", address), None);
        let same = sent(address, "s=1; Domain=127.0.0.1", "http://127.0.0.1/b");
        assert_eq!(
            same.as_deref(),
            Some("s=1"),
            "ports are no borders (section 8.5)"
        );
        assert_eq!(
            sent("http://h.example/", "s=1; Secure", "https://h.example/"),
            None
        );
    }

    #[test]
    fn what_is_typed_comes_first_unless_the_server_has_replaced_it() {
        let home = url("http://h.example/a/b");
        let typed = [("a", "1"), ("b", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut jar = Jar::default();
        assert_eq!(
            jar.header(&home, &typed, noon()).as_deref(),
            Some("a=1; b=2")
        );
        for text in ["c=3; Path=/", "b=4", "c=5"] {
            jar.note(&home, text, noon());
        }
        let got = jar.header(&home, &typed, noon());
        assert_eq!(
            got.as_deref(),
            Some("a=1; b=4; c=5; c=3"),
            "the closest path first"
        );
        jar.note(&home, "b=; Max-Age=0", noon());
        assert_eq!(
            jar.header(&home, &typed, noon()).as_deref(),
            Some("a=1; b=2; c=5; c=3")
        );
    }

    #[test]
    fn a_flood_of_cookies_is_bounded() {
        let home = url("http://h.example/");
        let mut jar = Jar::default();
        let long = "x".repeat(1000);
        for number in 0..1000 {
            jar.note(&home, &format!("c{number}={long}"), noon());
        }
        jar.note(
            &home,
            &format!("huge={}", "x".repeat(limits::COOKIE_BYTES)),
            noon(),
        );
        assert_eq!(jar.cookies.len(), limits::COOKIES);
        let header = jar.header(&home, &[], noon()).expect("cookies");
        assert!(header.starts_with("c820=") && header.len() <= limits::COOKIE_HEADER_BYTES);
    }

    proptest! {
        #[test]
        fn no_set_cookie_reaches_another_domain(text in "[ -~]{0,60}", domain in "[a-z.]{0,20}") {
            let mut jar = Jar::default();
            let text = format!("{text}; Domain={domain}; Path=/");
            jar.note(&url("https://a.home.example/x"), &text, noon());
            for to in ["https://home.test/", "https://athome.example/", "https://example/"] {
                prop_assert_eq!(jar.header(&url(to), &[], noon()), None, "{}", to);
            }
        }
    }
}
