//! What the user typed for one origin goes to that origin, with every request,
//! and to no other, by no road.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use crate::event::{Event, RequestKind};
use crate::fetch::{Credentials, Proxies, Request, Secrets, Settings};

use super::script::{Act, Script, answer};
use super::{Bench, bench, file, lines, ok, redirect, with};

const HOME: &str = "http://home.example/a/start";
const KINDS: [RequestKind; 6] = [
    RequestKind::Multivariant,
    RequestKind::Media,
    RequestKind::Init,
    RequestKind::Key,
    RequestKind::Segment,
    RequestKind::File,
];
/// Status codes of redirects; 0 is a reference in a playlist.
const ROADS: [u16; 6] = [301, 302, 303, 307, 308, 0];
/// Where a road may lead, and whether that is still home.
const CHANGES: [(&str, &str, bool); 10] = [
    ("nothing", "http://home.example/b", true),
    ("case", "HTTP://HOME.example/b", true),
    ("the default port", "http://home.example:80/b", true),
    ("user-info", "http://you:pass@home.example/b", true),
    ("scheme", "https://home.example/b", false),
    ("host", "http://evil.example/b", false),
    ("port", "http://home.example:81/b", false),
    ("subdomain", "http://www.home.example/b", false),
    ("trailing dot", "http://home.example./b", false),
    ("an address", "http://192.0.2.1/b", false),
];

/// Each way to type a secret, and what of it is seen on the wire.
fn typings() -> [(&'static str, &'static str, String); 6] {
    let basic = |login| format!("authorization: basic {}", BASE64_STANDARD.encode(login));
    let info = "http://me:hush@home.example/a/start";
    [
        ("header", HOME, "x-token: hush".to_owned()),
        ("cookie", HOME, "cookie: sid=hush".to_owned()),
        ("user", HOME, basic("me:hush").to_lowercase()),
        ("bearer", HOME, "authorization: bearer hush".to_owned()),
        ("query", HOME, "?token=hush http".to_owned()),
        ("URL", info, basic("me:hush").to_lowercase()),
    ]
}

fn typed(way: &str) -> Secrets {
    let mut secrets = Secrets::default();
    let taken = match way {
        "header" => secrets.add_header("X-Token: hush"),
        "cookie" => secrets.add_cookies("sid=hush"),
        "user" => secrets.set_user("me", "hush"),
        "bearer" => secrets.set_bearer("hush"),
        "query" => secrets.add_query("token=hush"),
        _ => Ok(()),
    };
    taken.expect("it can be sent");
    secrets
}

fn bench_for(url: &mut Url, way: &str, proxy: &Script) -> Bench {
    let address = proxy.url("/").authority().to_owned();
    with(Settings {
        credentials: Some(Credentials::bind(typed(way), url)),
        proxies: Proxies::parse(&address).expect("a proxy"),
        retries: 0,
        ..Settings::default()
    })
}

/// What a server on the way sees of a secret, CONNECT of a proxy included.
fn shows(head: &str, needle: &str) -> bool {
    head.to_lowercase().contains(needle) || head.contains("hush") || head.contains("aHVza")
}

/// 6 secrets x 6 roads x 10 changes of origin x 6 kinds of requests. A proxy
/// plays every host, so that names need no address.
#[tokio::test]
async fn in_two_thousand_cases_nothing_leaks_and_home_always_gets_it() {
    let mut leaks = Vec::new();
    let mut cases = 0;
    for (name, home, needle) in typings() {
        for road in ROADS {
            for (change, target, is_home) in CHANGES {
                let moved = answer(
                    &format!("{road} Moved"),
                    &[&format!("Location: {target}")],
                    b"",
                );
                // CONNECT too is answered with a failure: no tunnel is needed to see what is asked.
                let end = Act::Send(answer("404 Gone", &[], b""));
                let first = if road == 0 {
                    ok(b"x")
                } else {
                    Act::Send(moved)
                };
                let mut acts = Vec::new();
                KINDS
                    .iter()
                    .for_each(|_| acts.extend([first.clone(), end.clone()]));
                let proxy = Script::play(acts);
                let mut url = Url::parse(home).expect("a URL");
                let bench = bench_for(&mut url, name, &proxy);
                for kind in KINDS {
                    let begun = bench.open(&Request::new(kind, url.clone())).await;
                    assert_eq!(begun.is_ok(), road == 0, "{name} {road} {change}");
                    if let Ok(response) = begun {
                        response.read_all(9).await.expect("a body");
                        let next = url.join(target).expect("a URL");
                        bench
                            .open(&Request::new(kind, next))
                            .await
                            .expect_err("gone");
                    }
                }
                let seen = proxy.seen();
                assert_eq!(seen.len(), 2 * KINDS.len(), "{name} {road} {change}");
                for (index, seen) in seen.iter().enumerate() {
                    cases += index % 2;
                    let may = index % 2 == 0 || is_home;
                    if shows(&seen.head, &needle) != may || seen.head.contains("pass") {
                        leaks.push(format!("{name} {road} {change}: {}", seen.head));
                    }
                    let has_referer = lines(&seen.head).iter().any(|l| l.starts_with("referer"));
                    assert!(!has_referer, "{}", seen.head);
                }
            }
        }
    }
    assert_eq!(cases, 2160);
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[tokio::test]
async fn a_login_of_a_server_is_ignored_and_said_once() {
    let stranger = Script::play(vec![ok(b"x")]);
    let target = stranger.url("/x").to_string().replace("://", "://v:q@");
    let home = Script::play(vec![redirect(&target)]);
    let bench = bench();
    for _ in 0..2 {
        let response = bench.open(&file(home.url("/a"))).await.expect("an answer");
        assert_eq!(response.head.final_url, stranger.url("/x"));
    }
    let warnings: Vec<_> = bench
        .events
        .try_iter()
        .filter_map(|event| match event {
            Event::Warning(problem) => Some(problem.to_string()),
            _ => None,
        })
        .collect();
    let want = format!(
        "cannot log in to {}: the login was not typed but comes from a server, going on without it",
        stranger.url("/x")
    );
    assert_eq!(warnings, [want]);
    let sent = |seen: &super::script::Seen| seen.head.to_lowercase().contains("authorization");
    assert!(!stranger.seen().iter().any(sent));
}

#[tokio::test]
async fn a_refusal_says_where_logins_went() {
    let refuse = |status: &str| Script::play(vec![super::fail(status)]);
    let cases = [
        ("401 No", true, "check the login"),
        (
            "401 No",
            false,
            "give the address of this server: headers and logins go to no other",
        ),
        (
            "403 No",
            false,
            "give the address of this server: headers and logins go to no other",
        ),
        ("403 No", true, "ask for a fresh link"),
    ];
    for (status, is_home, todo) in cases {
        let server = refuse(status);
        let mut owner = if is_home {
            server.url("/")
        } else {
            Url::parse(HOME).expect("a URL")
        };
        let mut secrets = Secrets::default();
        secrets.set_bearer("hush").expect("a token");
        let bench = with(Settings {
            credentials: Some(Credentials::bind(secrets, &mut owner)),
            ..Settings::default()
        });
        let problem = bench.open(&file(server.url("/a"))).await.expect_err(status);
        assert_eq!(problem.todo, todo, "{status} {is_home}");
    }
}

#[tokio::test]
async fn a_session_cookie_comes_back_with_every_kind_of_request() {
    let set = answer(
        "200 OK",
        &["Set-Cookie: sid=1; Path=/; Max-Age=60", "Set-Cookie: b=2"],
        b"x",
    );
    let origin = Script::play(vec![Act::Send(set), ok(b"x")]);
    let bench = bench();
    for kind in KINDS {
        let response = bench.open(&Request::new(kind, origin.url("/a/b"))).await;
        response
            .expect("an answer")
            .read_all(9)
            .await
            .expect("a body");
    }
    let cookies: Vec<_> = origin
        .seen()
        .iter()
        .map(|seen| {
            lines(&seen.head)
                .into_iter()
                .find(|l| l.starts_with("cookie"))
        })
        .collect();
    let mut want = vec![Some("cookie: b=2; sid=1".to_owned()); KINDS.len()];
    want[0] = None;
    assert_eq!(cookies, want);
}

#[tokio::test]
async fn a_redirect_sets_its_cookie_for_where_it_leads() {
    let moved = answer(
        "302 Found",
        &["Location: /b", "Set-Cookie: sid=1; Path=/"],
        b"",
    );
    let origin = Script::play(vec![Act::Send(moved), ok(b"x")]);
    bench()
        .get(&file(origin.url("/a")))
        .await
        .expect("an answer");
    assert!(lines(&origin.seen()[1].head).contains(&"cookie: sid=1".to_owned()));
}

#[tokio::test]
async fn an_empty_user_agent_is_not_sent() {
    let origin = Script::play(vec![ok(b"x")]);
    let bench = with(Settings {
        user_agent: String::new(),
        ..Settings::default()
    });
    bench.get(&file(origin.url("/a"))).await.expect("an answer");
    assert!(!origin.seen()[0].head.to_lowercase().contains("user-agent"));
}
