//! Where a server may lead us, by a redirect. Pure: the client
//! follows by hand, one decision per hop, because a library that follows on
//! its own also leaks on its own.

use url::Url;

use crate::error::{Kind, Problem};
use crate::limits;

use super::origin::Origin;

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
/// `location` is not text; otherwise those of [`lead`].
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
    match std::str::from_utf8(location) {
        Ok(text) => lead(current, text, downgrade),
        Err(_) => Err(no_address()),
    }
}

/// The URL that `reference` means when it is found at `from`, if it may be
/// followed: one rule for redirects and for playlists.
///
/// User-info in `reference` is dropped; that of `from` goes along only within
/// its origin. A fragment is dropped too.
///
/// # Errors
///
/// [`Kind::Unsafe`] for a scheme other than http and https, and from https to
/// http unless `downgrade` is allowed; [`Kind::Limit`] for a URL longer than
/// [`limits::URL_BYTES`]; [`Kind::Malformed`] for none.
pub fn lead(from: &Url, reference: &str, downgrade: bool) -> Result<Url, Problem> {
    if reference.len() > limits::URL_BYTES {
        return Err(too_long());
    }
    let mut target = from.join(reference).map_err(|_| no_address())?;
    check(&target)?;
    if from.scheme() == "https" && target.scheme() == "http" && !downgrade {
        let why = "it leads from https to http";
        return Err(Problem::new(Kind::Unsafe, WHAT, why, LINK));
    }
    carry_user_info(from, &mut target);
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

fn carry_user_info(from: &Url, target: &mut Url) {
    let (name, password) = match Origin::of(from) == Origin::of(target) {
        true => (from.username(), from.password()),
        false => ("", None),
    };
    // Only a URL without a host refuses these, and http and https have one.
    let _ = target.set_username(name);
    let _ = target.set_password(password);
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
    fn user_info_stays_within_its_origin_and_is_never_taken_from_a_server() {
        let cases = [
            ("http://u:p@a/x", "y", "http://u:p@a/y"),
            ("http://u:p@a/x", "http://a/y", "http://u:p@a/y"),
            ("http://u:p@a/x", "http://v:q@a/y", "http://u:p@a/y"),
            ("http://u:p@a/x", "http://b/y", "http://b/y"),
            ("http://u:p@a/x", "//u:p@b/y", "http://b/y"),
            ("http://u:p@a/x", "http://a:81/y", "http://a:81/y"),
            ("http://u:p@a/x", "https://a/y", "https://a/y"),
            ("http://a/x", "http://v:q@a/y", "http://a/y"),
        ];
        for (from, location, want) in cases {
            let got = next(&url(from), location.as_bytes(), 0, false);
            assert_eq!(got, Ok(url(want)), "{from} -> {location}");
        }
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
        fn whatever_a_server_writes_leads_to_http_and_keeps_secrets_home(
            reference in "(https?:|//|/|\\?|\\.\\./|file:|[a-z]{1,5}:)?[ -~\\t\\n]{0,40}",
        ) {
            let home = url("http://u:p@home:81/a/b");
            if let Ok(target) = lead(&home, &reference, false) {
                prop_assert!(matches!(target.scheme(), "http" | "https"));
                let at_home = Origin::of(&target) == Origin::of(&home);
                prop_assert_eq!(target.username(), if at_home { "u" } else { "" });
                prop_assert_eq!(target.password(), at_home.then_some("p"));
            }
        }
    }
}
