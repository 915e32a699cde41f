//! Which cookie goes where, and how many.

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
