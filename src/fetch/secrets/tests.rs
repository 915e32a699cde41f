//! What may be typed, how it is sent, and that a refusal never repeats it.

use super::*;

/// Types `word` as the value of a flag.
fn typed(secrets: &mut Secrets, flag: &str, word: &str) -> Result<(), Problem> {
    match flag {
        "header" => secrets.add_header(word),
        "cookie" => secrets.add_cookies(word),
        "query-param" => secrets.add_query(word),
        "bearer" => secrets.set_bearer(word),
        other => panic!("no flag {other}"),
    }
}

fn refusal(result: Result<(), Problem>) -> String {
    let problem = result.expect_err("refused");
    assert_eq!(problem.kind, Kind::Arguments);
    problem.to_string()
}

#[test]
fn a_header_that_cannot_be_sent_is_refused_without_showing_its_value() {
    let own = "kithara sets it itself, leave it out";
    let control = "it holds a control character, check it";
    let cases = [
        ("hush", "cannot send a header: it has no colon".to_owned()),
        (
            ": hush",
            "cannot send a header: what stands before its colon is no name".to_owned(),
        ),
        (
            "a b: hush",
            "cannot send a header: what stands before its colon is no name".to_owned(),
        ),
        (
            "X-A:  ",
            "cannot send the header \"x-a\": it has no value".to_owned(),
        ),
        (
            "X-A: hush\r\nX-B: hush",
            format!("cannot send the header \"x-a\": {control}"),
        ),
        (
            "X-A: hush\n",
            format!("cannot send the header \"x-a\": {control}"),
        ),
        (
            "X-A: hu\tsh",
            format!("cannot send the header \"x-a\": {control}"),
        ),
        (
            "X-A: hu\u{9b}sh",
            format!("cannot send the header \"x-a\": {control}"),
        ),
        (
            "Cookie: hush",
            "cannot send a cookie: it has no \"=\"".to_owned(),
        ),
        (
            "User-Agent: hush",
            "cannot send the header \"user-agent\": every server gets it, use --user-agent"
                .to_owned(),
        ),
        (
            "proxy-authorization: hush",
            "cannot send the header \"proxy-authorization\": it is for the proxy alone".to_owned(),
        ),
        (
            "RANGE: bytes=0-hush",
            format!("cannot send the header \"range\": {own}"),
        ),
    ];
    for (line, want) in cases {
        let got = refusal(Secrets::default().add_header(line));
        assert!(
            got.starts_with(&want) && !got.contains("hush"),
            "{line:?}: {got}"
        );
    }
    for name in OURS {
        let got = refusal(Secrets::default().add_header(&format!("{name}: hush")));
        assert_eq!(got, format!("cannot send the header \"{name}\": {own}"));
    }
}

#[test]
fn other_words_that_cannot_be_sent_are_refused_without_being_shown() {
    let cases = [
        ("cookie", " ; "),
        ("cookie", "=hush"),
        ("cookie", "hu sh=1"),
        ("cookie", "a=hush\nb=1"),
        ("query-param", "hush"),
        ("query-param", "=hush"),
        ("bearer", ""),
        ("bearer", "hush hush"),
    ];
    for (flag, word) in cases {
        let got = refusal(typed(&mut Secrets::default(), flag, word));
        assert!(!got.contains("hush"), "{flag} {word:?}: {got}");
    }
    let mut secrets = Secrets::default();
    secrets.set_user("me", "hush").expect("the first login");
    let got = refusal(secrets.set_bearer("hush"));
    assert!(
        got.starts_with("cannot log in: there are two logins"),
        "{got}"
    );
}

#[test]
fn headers_are_sent_as_typed_and_hidden_from_the_library() {
    let mut secrets = Secrets::default();
    for line in [
        "X-A: 1",
        "x-a:2",
        "Referer: http://h/",
        "X-G: grün",
        "Accept: audio/*",
    ] {
        secrets.add_header(line).expect(line);
    }
    secrets.set_user("Aladdin", "open sesame").expect("a login");
    let mut headers = HeaderMap::new();
    secrets.add_to(&mut headers);
    let all: Vec<_> = headers.get_all("x-a").iter().collect();
    assert_eq!(all, ["1", "2"]);
    assert_eq!(headers["x-g"].as_bytes(), "grün".as_bytes());
    assert_eq!(headers[header::REFERER], "http://h/");
    // RFC 7617 section 2.
    assert_eq!(
        headers[header::AUTHORIZATION],
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert!(headers.values().all(HeaderValue::is_sensitive));
    assert_eq!(format!("{secrets:?}"), "Secrets { .. }");
}

#[test]
fn parameters_follow_what_the_query_says_already() {
    let mut secrets = Secrets::default();
    for pair in ["token=a b&c=d+e/%", "größe=1", "empty="] {
        secrets.add_query(pair).expect(pair);
    }
    let own = "token=a%20b%26c%3Dd%2Be%2F%25&gr%C3%B6%C3%9Fe=1&empty=";
    let cases = [
        ("http://h/a", format!("http://h/a?{own}")),
        ("http://h/a?", format!("http://h/a?{own}")),
        (
            "http://h/a?x=%2f+y&z",
            format!("http://h/a?x=%2f+y&z&{own}"),
        ),
        (
            "http://h/a?empty=",
            format!("http://h/a?empty=&{}", own.trim_end_matches("&empty=")),
        ),
    ];
    for (url, want) in cases {
        let url = Url::parse(url).expect("a URL");
        let once = secrets.with_query(&url);
        assert_eq!(once.as_str(), want);
        assert_eq!(secrets.with_query(&once), once, "not twice");
    }
}

#[test]
fn the_same_words_in_another_order_are_the_same_user() {
    let summary = |lines: &[&str]| {
        let mut secrets = Secrets::default();
        lines
            .iter()
            .for_each(|line| secrets.add_header(line).expect("a header"));
        secrets.summary()
    };
    assert_eq!(summary(&["A: 1", "B: 2"]), summary(&["b: 2", "a: 1"]));
    assert_ne!(summary(&["A: 1", "B: 2"]), summary(&["A: 1", "B: 3"]));
    assert_ne!(summary(&["A: 1\u{a0}b: 2"]), summary(&["A: 1", "B: 2"]));
}
