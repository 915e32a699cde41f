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
mod tests;
