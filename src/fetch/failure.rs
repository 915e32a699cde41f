//! Why one attempt failed: the problem to show, in our words only, and the
//! cause, which the retry rules look at.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::{Kind, Problem, reason};
use crate::text;

use super::tls;

const LATER: &str = "try again later";
const NETWORK: &str = "check your network";
const PROXY: &str = "check the proxy settings";

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to tell the user if it is not tried again.
    pub problem: Problem,
    /// What the retry rules make of it.
    pub cause: Cause,
    /// New bytes that came before it failed: the measure of progress. A caller
    /// that throws them away sets it to zero.
    pub received: u64,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The same request will fail again: 404, a bad certificate, a cap.
    Final,
    /// Nobody listens at this address.
    Refused,
    /// The host name has no address.
    Unresolved,
    /// The server is in trouble: 5xx, 429.
    Busy {
        /// How long it asks to wait.
        asked: Option<Duration>,
    },
    /// The connection failed, broke off or fell silent.
    Broken,
    /// Not the part that was asked for: only the whole can be trusted now.
    Misplaced,
}

/// What is known about an attempt when it fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    /// The first part of the problem.
    pub what: &'a str,
    /// The host that was asked.
    pub host: &'a str,
    /// The proxy on the way, `host:port`.
    pub proxy: Option<&'a str>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// What became of the user's login.
    pub login: Login,
}

/// What became of the user's login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// There is none.
    None,
    /// It was sent.
    Sent,
    /// There is something for another server, which this one did not get.
    Withheld,
}

impl Failure {
    /// A failure that no retry mends.
    pub(super) fn last(problem: Problem) -> Self {
        Self::new(Cause::Final, problem)
    }

    /// No byte came for `limit`.
    pub(super) fn silent(what: &str, limit: Duration) -> Self {
        let why = format!("no data for {} s", limit.as_secs_f64());
        Self::new(
            Cause::Broken,
            Problem::new(Kind::NoData, what, why, NETWORK),
        )
    }

    /// A body that is waited for as a whole comes slower than it could be meant.
    pub(super) fn drip(what: &str, floor: u64) -> Self {
        let why = format!("it comes slower than {floor} bytes a second");
        Self::new(
            Cause::Broken,
            Problem::new(Kind::NoData, what, why, NETWORK),
        )
    }

    /// The body ended `missing` bytes early.
    pub(super) fn short(what: &str, missing: u64) -> Self {
        let why = format!("the body ended {missing} bytes early");
        Self::new(Cause::Broken, Problem::new(Kind::NoData, what, why, LATER))
    }

    /// The answer cannot be placed; `why` says what is wrong with it.
    pub(super) fn misplaced(what: &str, why: String) -> Self {
        let problem = Problem::new(Kind::NoData, what, why, LATER);
        Self::new(Cause::Misplaced, problem)
    }

    /// A status that is neither success nor redirect; `asked` is its Retry-After.
    pub(super) fn of_status(
        attempt: &Attempt<'_>,
        status: StatusCode,
        asked: Option<Duration>,
    ) -> Self {
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return tunnel(attempt, "proxy authorization required");
        }
        let mut why = format!("the server answered {}", status.as_u16());
        // The phrase of the code: that of the server is text from outside.
        if let Some(phrase) = status.canonical_reason() {
            why = format!("{why} {phrase}");
        }
        if let Some(asked) = asked {
            why = format!("{why} and asks to wait {} s", asked.as_secs());
        }
        let todo = match (status.as_u16(), attempt.login) {
            (401 | 403, Login::Withheld) => {
                "give the address of this server: headers and logins go to no other"
            }
            (401, Login::Sent) => "check the login",
            (401, Login::None) => "log in with --user, --bearer or --header",
            (403 | 410, _) => "ask for a fresh link",
            (429 | 500..=599, _) => LATER,
            _ => "check the link",
        };
        let cause = match status.as_u16() {
            // 501 says that the server will never do it.
            408 | 429 | 500 | 502..=599 => Cause::Busy { asked },
            _ => Cause::Final,
        };
        let kind = Kind::HttpStatus(status.as_u16());
        Self::new(cause, Problem::new(kind, attempt.what, why, todo))
    }

    /// What the HTTP library says; before the head of the answer or in its body.
    pub(super) fn of_library(attempt: &Attempt<'_>, error: &reqwest::Error) -> Self {
        let problem = |kind, why: &str, todo| Problem::new(kind, attempt.what, why, todo);
        if let Some(error) = cause_of::<rustls::Error>(error) {
            let (why, todo) = tls::words(error);
            return Self::last(problem(Kind::Tls, why, todo));
        }
        if error.is_dns() {
            let (role, name) = match attempt.proxy {
                Some(proxy) => ("proxy", proxy),
                None => ("host", attempt.host),
            };
            let why = format!("no address for the {role} \"{}\"", text::safe(name));
            let problem = problem(Kind::Resolve, &why, "check the name and your network");
            return Self::new(Cause::Unresolved, problem);
        }
        if error.is_connect() {
            return no_connection(attempt, error);
        }
        if is_no_http(error) {
            let why = "the answer is not HTTP";
            return Self::last(problem(Kind::NoData, why, "check the link"));
        }
        let why = match cause_of::<io::Error>(error) {
            Some(error) => reason(error),
            None => "the connection broke off".to_owned(),
        };
        Self::new(Cause::Broken, problem(Kind::NoData, &why, NETWORK))
    }

    fn new(cause: Cause, problem: Problem) -> Self {
        Self {
            problem,
            cause,
            received: 0,
        }
    }
}

/// Whether the answer is not what the library knows as HTTP.
pub(super) fn is_no_http(error: &reqwest::Error) -> bool {
    cause_of::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
}

fn no_connection(attempt: &Attempt<'_>, error: &reqwest::Error) -> Failure {
    let system = cause_of::<io::Error>(error);
    if let (Some(words), None) = (refusal(error), system) {
        return tunnel(attempt, &words);
    }
    let refused = system.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let why = match system {
        _ if error.is_timeout() => {
            let limit = attempt.connect_timeout.as_secs_f64();
            format!("no connection within {limit} s")
        }
        Some(error) => reason(error),
        None => "no connection".to_owned(),
    };
    let (why, todo) = match attempt.proxy {
        Some(proxy) => (format!("{why} (proxy {})", text::safe(proxy)), PROXY),
        None if refused => (why, "check that the server runs"),
        None => (why, NETWORK),
    };
    let cause = match refused {
        true => Cause::Refused,
        false => Cause::Broken,
    };
    Failure::new(cause, Problem::new(Kind::Connect, attempt.what, why, todo))
}

/// What a proxy that is there answered instead of letting us through. The types
/// of these errors are private; their words are constants of the library.
fn refusal(error: &reqwest::Error) -> Option<String> {
    const NO_ANSWER: [&str; 2] = [
        "failed to create underlying connection",
        "io error during SOCKS handshake",
    ];
    let answer = |words: String| {
        let is_of = |kind| words.strip_prefix(kind).map(str::to_owned);
        is_of("tunnel error: ").or_else(|| is_of("SOCKS error: "))
    };
    let words = causes(error).map(ToString::to_string).find_map(answer)?;
    (!NO_ANSWER.contains(&words.as_str())).then_some(words)
}

/// The proxy did not let us through; `words` are those of the HTTP library.
fn tunnel(attempt: &Attempt<'_>, words: &str) -> Failure {
    let proxy = text::safe(attempt.proxy.unwrap_or("unknown"));
    let why = format!("the proxy {proxy} refused: {words}");
    Failure::last(Problem::new(Kind::Connect, attempt.what, why, PROXY))
}

/// The first error of one type on the way down to the root.
fn cause_of<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error)
        .filter_map(|error| error.downcast_ref())
        .last()
}

/// Errors from the outside in. Unlike `source`, it sees what an `io::Error` wraps.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Attempt<'_> = Attempt {
        what: "cannot fetch x",
        host: "host",
        proxy: Some("proxy:3128"),
        connect_timeout: Duration::from_secs(5),
        login: Login::None,
    };

    #[test]
    fn a_status_is_told_in_our_words_and_tried_again_where_that_can_help() {
        let busy = Cause::Busy { asked: None };
        let cases = [
            (400, "the server answered 400 Bad Request", Cause::Final),
            (401, "the server answered 401 Unauthorized", Cause::Final),
            (408, "the server answered 408 Request Timeout", busy),
            (429, "the server answered 429 Too Many Requests", busy),
            (500, "the server answered 500 Internal Server Error", busy),
            (501, "the server answered 501 Not Implemented", Cause::Final),
            (599, "the server answered 599", busy),
            (600, "the server answered 600", Cause::Final),
        ];
        for (code, why, cause) in cases {
            let status = StatusCode::from_u16(code).expect("three digits");
            let failure = Failure::of_status(&ATTEMPT, status, None);
            assert_eq!((failure.problem.why.as_str(), failure.cause), (why, cause));
            assert_eq!(failure.problem.kind, Kind::HttpStatus(code));
        }
    }

    #[test]
    fn a_proxy_that_wants_a_login_is_named() {
        let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        let failure = Failure::of_status(&ATTEMPT, status, None);
        let want = "cannot fetch x: the proxy proxy:3128 refused: \
                    proxy authorization required, check the proxy settings";
        assert_eq!(failure.problem.to_string(), want);
        assert_eq!(failure.problem.kind, Kind::Connect);
        assert_eq!(failure.cause, Cause::Final);
    }

    #[test]
    fn the_cause_is_found_inside_of_io_errors() {
        let inner = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let outer = io::Error::other(inner);
        let found = cause_of::<rustls::Error>(&outer);
        assert_eq!(found, Some(&rustls::Error::DecryptError));
    }
}
