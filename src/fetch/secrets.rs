//! What the user typed for requests: headers, a login, cookies, query
//! parameters, a client certificate. Words are judged here, once; whom they go
//! to is decided in `origin`. Nothing of it is ever shown, in errors neither.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::{Url, form_urlencoded};

use crate::error::{Kind, Problem};
use crate::text;

use super::pem::Certificate;

/// Headers that say what is asked for and how it travels: kithara's own.
const OURS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const HEADER_FORM: &str = "write it like \"Name: value\"";

/// What the user typed for requests. It is sent nowhere until it is bound to
/// the origin of a URL: see [`super::Credentials`].
#[derive(Clone, Default)]
pub struct Secrets {
    headers: HeaderMap,
    cookies: Vec<(String, String)>,
    /// Pairs as they are sent: `name=value`, percent-encoded.
    query: Vec<String>,
    certificate: Option<Certificate>,
}

impl Secrets {
    /// Adds a header, `Name: value`.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when it is none, holds a control character, or is
    /// one that kithara sets itself; a second `Authorization`.
    pub fn add_header(&mut self, line: &str) -> Result<(), Problem> {
        let anonymous = |why| refused("cannot send a header", why, HEADER_FORM);
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| anonymous("it has no colon"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| anonymous("what stands before its colon is no name"))?;
        let what = format!("cannot send the header \"{}\"", text::safe(name.as_str()));
        let value = match value.trim_matches(' ') {
            "" => return Err(refused(what, "it has no value", HEADER_FORM)),
            value => sendable(value).map_err(|why| refused(what.clone(), why, "check it"))?,
        };
        match name {
            header::AUTHORIZATION => self.log_in(value),
            header::COOKIE => self.add_cookies(line.split_once(':').map_or("", |(_, rest)| rest)),
            header::USER_AGENT => Err(refused(what, "every server gets it", "use --user-agent")),
            header::PROXY_AUTHORIZATION => Err(refused(
                what,
                "it is for the proxy alone",
                "write the login into the proxy's address",
            )),
            name if OURS.contains(&name.as_str()) => {
                Err(refused(what, "kithara sets it itself", "leave it out"))
            }
            name => {
                self.headers.append(name, value);
                Ok(())
            }
        }
    }

    /// Adds cookies, `name=value; other=value`.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when one is none or holds a control character.
    pub fn add_cookies(&mut self, line: &str) -> Result<(), Problem> {
        let refuse = |why| refused("cannot send a cookie", why, "write it like \"name=value\"");
        let before = self.cookies.len();
        for pair in line
            .split(';')
            .map(|pair| pair.trim_matches(' '))
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| refuse("it has no \"=\""))?;
            sendable(pair).map_err(refuse)?;
            if name.is_empty() || name.contains(' ') {
                return Err(refuse("what stands before its \"=\" is no name"));
            }
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        match self.cookies.len() > before {
            true => Ok(()),
            false => Err(refuse("it is empty")),
        }
    }

    /// Adds a parameter, `name=value`, to the query of each URL. Both parts are
    /// plain and become percent-encoded.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when it has no name.
    pub fn add_query(&mut self, pair: &str) -> Result<(), Problem> {
        let refuse = |why| {
            refused(
                "cannot add to the query",
                why,
                "write it like \"name=value\"",
            )
        };
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| refuse("it has no \"=\""))?;
        if name.is_empty() {
            return Err(refuse("nothing stands before its \"=\""));
        }
        self.query
            .push(format!("{}={}", encoded(name), encoded(value)));
        Ok(())
    }

    /// Logs in by name and password (RFC 7617).
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when there is another login.
    pub fn set_user(&mut self, name: &str, password: &str) -> Result<(), Problem> {
        self.log_in(basic(name, password))
    }

    /// Logs in with a token (RFC 6750).
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when it is none, or there is another login.
    pub fn set_bearer(&mut self, token: &str) -> Result<(), Problem> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "it is empty or holds more than visible ASCII";
            return Err(refused("cannot send the token", why, "check it"));
        }
        let value = sendable(&format!("Bearer {token}"));
        self.log_in(value.expect("visible ASCII can be sent"))
    }

    /// Shows this certificate to a server that asks for one.
    pub fn set_certificate(&mut self, certificate: Certificate) {
        self.certificate = Some(certificate);
    }

    fn log_in(&mut self, value: HeaderValue) -> Result<(), Problem> {
        if self.headers.contains_key(header::AUTHORIZATION) {
            let todo = "give one of --user, --bearer and an Authorization header";
            return Err(refused("cannot log in", "there are two logins", todo));
        }
        self.headers.insert(header::AUTHORIZATION, value);
        Ok(())
    }

    /// The user-info of an address is the login for it, whatever was typed for
    /// all of them.
    pub(super) fn replace_user(&mut self, name: &str, password: &str) {
        self.headers
            .insert(header::AUTHORIZATION, basic(name, password));
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty()
            && self.cookies.is_empty()
            && self.query.is_empty()
            && self.certificate.is_none()
    }

    /// Whether a login is among them.
    pub(super) fn has_login(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }

    /// The client certificate.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The cookies.
    pub(super) fn cookies(&self) -> &[(String, String)] {
        &self.cookies
    }

    /// Adds the headers, but for cookies, to those of a request.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
    }

    /// `url` with the parameters behind what its query says already; a server
    /// that repeats one in a redirect does not get it twice.
    pub(super) fn with_query(&self, url: &Url) -> Url {
        let mut sent = url.clone();
        for pair in &self.query {
            let query = sent.query().unwrap_or_default();
            if !query.split('&').any(|known| known == pair) {
                let glue = if query.is_empty() { "" } else { "&" };
                let longer = format!("{query}{glue}{pair}");
                sent.set_query(Some(&longer));
            }
        }
        sent
    }

    /// All of it as one text, the same for the same words in any order: what
    /// tells one user's copies from another's. Only to be hashed.
    pub(super) fn summary(&self) -> String {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", BASE64_STANDARD.encode(value.as_bytes()))
        };
        let mut lines: Vec<_> = self.headers.iter().map(header).collect();
        lines.extend(
            self.cookies
                .iter()
                .map(|(name, value)| format!("; {name}={value}")),
        );
        lines.extend(self.query.iter().map(|pair| format!("? {pair}")));
        lines.extend(self.certificate.iter().map(Certificate::summary));
        lines.sort();
        lines.join("\n")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// A header value that the library's own records hide and never index (HPACK).
fn sendable(text: &str) -> Result<HeaderValue, &'static str> {
    const WHY: &str = "it holds a control character";
    if text.chars().any(char::is_control) {
        return Err(WHY);
    }
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| WHY)?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic(name: &str, password: &str) -> HeaderValue {
    let login = BASE64_STANDARD.encode(format!("{name}:{password}"));
    sendable(&format!("Basic {login}")).expect("base64 is visible ASCII")
}

fn encoded(text: &str) -> String {
    // Form encoding writes a blank as "+", which only forms read as one.
    let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    form.replace('+', "%20")
}

fn refused(what: impl Into<String>, why: &str, todo: &'static str) -> Problem {
    Problem::new(Kind::Arguments, what, why, todo)
}

#[cfg(test)]
mod tests;
