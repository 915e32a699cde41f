//! Where a server may lead us, by a redirect. Pure: the client
//! follows by hand, one decision per hop, because a library that follows on
//! its own also leaks on its own.

use url::Url;

use crate::error::{Kind, Problem};
use crate::limits;

const WHAT: &str = "cannot go there"; // the caller knows the object
const LINK: &str = "check the link";

/// Whether an answer of this status, with a `Location`, is followed. All of
/// them become a GET, which is all we send.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Refuses a URL that may not be fetched at all.
///
/// # Errors
///
/// [`Kind::Unsafe`] for a scheme other than http and https,
/// [`Kind::Limit`] when it is longer than [`limits::URL_BYTES`].
pub(super) fn check(url: &Url) -> Result<(), Problem> {
    if !matches!(url.scheme(), "http" | "https") {
        let why = format!("only http and https are fetched, not \"{}\"", url.scheme());
        return Err(Problem::new(Kind::Unsafe, WHAT, why, LINK));
    }
    match url.as_str().len() <= limits::URL_BYTES {
        true => Ok(()),
        false => Err(too_long()),
    }
}

/// The URL to ask next, after `followed` redirects brought us to `current`.
///
/// # Errors
///
/// [`Kind::Unsafe`] past [`limits::REDIRECTS`]; [`Kind::Malformed`] when
/// `location` is not text or no address; [`Kind::Unsafe`] for a scheme other than
/// http and https, and from https to http unless `downgrade` is allowed;
/// [`Kind::Limit`] for a URL longer than [`limits::URL_BYTES`].
///
/// User-info in it is left to the client, which sends none of a server's.
/// A fragment is dropped.
pub(super) fn next(
    current: &Url,
    location: &[u8],
    followed: usize,
    downgrade: bool,
) -> Result<Url, Problem> {
    if followed >= limits::REDIRECTS {
        let why = format!("still redirected after {} redirects", limits::REDIRECTS);
        return Err(Problem::new(Kind::Unsafe, WHAT, why, LINK));
    }
    if location.len() > limits::URL_BYTES {
        return Err(too_long());
    }
    let reference = std::str::from_utf8(location).map_err(|_| no_address())?;
    let mut target = current.join(reference).map_err(|_| no_address())?;
    check(&target)?;
    if current.scheme() == "https" && target.scheme() == "http" && !downgrade {
        let why = "it leads from https to http";
        return Err(Problem::new(Kind::Unsafe, WHAT, why, LINK));
    }
    target.set_fragment(None);
    Ok(target)
}

fn no_address() -> Problem {
    let why = "it leads to something that is no address";
    Problem::new(Kind::Malformed, WHAT, why, LINK)
}

fn too_long() -> Problem {
    let why = format!("its address is longer than {} bytes", limits::URL_BYTES);
    Problem::new(Kind::Limit, WHAT, why, LINK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn a_redirect_leads_only_where_it_may() {
        let cases = [
            ("http://a/x/y.m3u8", "z.m3u8", Ok("http://a/x/z.m3u8")),
            ("http://a/x/y", "/z?q=1#f", Ok("http://a/z?q=1")),
            ("http://a/x", "//b/z", Ok("http://b/z")),
            ("http://a/x", "http://b:81/", Ok("http://b:81/")),
            ("http://a/x", "https://a/x", Ok("https://a/x")),
            ("http://a/x", "grün", Ok("http://a/gr%C3%BCn")),
            ("https://a/x", "http://a/x", Err(Kind::Unsafe)),
            ("https://a/x", "http://b/x", Err(Kind::Unsafe)),
            ("http://a/x", "file:///etc/passwd", Err(Kind::Unsafe)),
            ("http://a/x", "data:,x", Err(Kind::Unsafe)),
            ("http://a/x", "ftp://a/x", Err(Kind::Unsafe)),
            ("http://a/x", "javascript:1", Err(Kind::Unsafe)),
            ("http://a/x", "http://", Err(Kind::Malformed)),
            ("http://a/x", "http://a:99999/", Err(Kind::Malformed)),
        ];
        for (from, location, want) in cases {
            let got = next(&url(from), location.as_bytes(), 0, false);
            let got = got.as_ref().map(Url::as_str).map_err(|p| p.kind);
            assert_eq!(got, want, "{from} -> {location}");
        }
    }

    #[test]
    fn a_downgrade_can_be_allowed() {
        let got = next(&url("https://a/x"), b"http://a/y", 0, true);
        assert_eq!(got, Ok(url("http://a/y")));
    }

    #[test]
    fn the_eleventh_redirect_and_an_endless_address_are_refused() {
        let home = url("http://a/x");
        assert!(next(&home, b"y", limits::REDIRECTS - 1, false).is_ok());
        let problem = next(&home, b"y", limits::REDIRECTS, false).expect_err("too many");
        assert_eq!(problem.kind, Kind::Unsafe);
        assert_eq!(problem.why, "still redirected after 10 redirects");
        let long = format!("/{}", "x".repeat(limits::URL_BYTES - 1));
        let problem = next(&home, long.as_bytes(), 0, false).expect_err("too long");
        assert_eq!(problem.kind, Kind::Limit);
        let absurd = "x".repeat(limits::URL_BYTES + 1);
        let problem = next(&home, absurd.as_bytes(), 0, false).expect_err("too long");
        assert_eq!(problem.kind, Kind::Limit);
        let problem = next(&home, b"\xff\xfe", 0, false).expect_err("not text");
        assert_eq!(problem.kind, Kind::Malformed);
    }

    proptest! {
        #[test]
        fn whatever_a_server_writes_leads_to_http_and_nowhere_else(
            reference in "(https?:|//|/|\\?|\\.\\./|file:|[a-z]{1,5}:)?[ -~\\t\\n]{0,40}",
        ) {
            let home = url("https://home:81/a/b");
            if let Ok(target) = next(&home, reference.as_bytes(), 0, false) {
                prop_assert_eq!(target.scheme(), "https");
                prop_assert_eq!(target.fragment(), None);
            }
        }
    }
}
