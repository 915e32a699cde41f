//! Requests as servers want them: rows T1 to T7 of the table of HLS features.
//! What the user types goes to the server of the URL, with everything that is
//! asked of it, and to nobody else.

mod wire;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::cache::offline;
use crate::origin::{Origin, Request};
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, dump, expected_of, stage};
use wire::{Wire, pem};

const STREAM: &str = "/hls/flac.m3u8";
const MASTER: &str = "/hls/master.m3u8";
/// What is typed, and the header or query that shows it.
const SECRETS: [(&str, &str); 4] = [
    ("-H", "X-Token: hush-header"),
    ("--cookie", "sid=hush-cookie"),
    ("--bearer", "hush-bearer"),
    ("--query-param", "key=hush query"),
];

fn address(origin: &Origin) -> SocketAddr {
    let url = origin.url("");
    let host = url.trim_start_matches("http://");
    host.parse().expect("a loopback address")
}

/// The flags of all [`SECRETS`].
fn typed() -> Vec<&'static str> {
    SECRETS
        .iter()
        .flat_map(|(flag, value)| [*flag, *value])
        .collect()
}

/// How many of the secrets a request carries.
fn carried(request: &Request) -> usize {
    let headers = ["x-token", "cookie", "authorization"];
    let headers = headers.map(|name| request.header(name).unwrap_or_default());
    let query = request.query.as_deref().unwrap_or_default();
    let shows = |text: &&str| text.contains("hush");
    headers.iter().filter(|text| shows(text)).count() + usize::from(query.contains("hush"))
}

fn check_flac(sandbox: &Sandbox, name: &str) {
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path(name)));
}

#[test]
fn t1_relative_uris_belong_to_where_redirects_have_led() {
    for status in [301, 302, 303, 307, 308] {
        let (front, sandbox) = stage();
        let cdn = Origin::start();
        front
            .on("/live/now")
            .status(status)
            .redirect(&cdn.url(STREAM));
        let sound = dump(&sandbox, &front.url("/live/now"), &[]);
        expected_of("hls/flac.m3u8").check(&sound);
        assert_eq!(front.log().len(), 1, "{status}: {:?}", front.log());
        assert_eq!(
            cdn.log().len(),
            8,
            "{status}: playlist, init section, 6 segments"
        );
    }
}

#[test]
fn t1_a_redirect_without_a_place_or_without_an_end_is_no_stream() {
    let (origin, sandbox) = stage();
    origin.on("/nowhere").status(302);
    origin.on("/loop").redirect("/loop?again");
    origin.on("/fragment").redirect(&format!("{STREAM}#t=10"));
    let run = |path: &str| sandbox.kithara(["dump", &origin.url(path), "-o", "x.wav"]);
    run("/nowhere")
        .fails(4, &["the server answered 302 Found"])
        .run();
    run("/loop")
        .fails(8, &["still redirected after 10 redirects"])
        .run();
    assert_eq!(origin.requests("/loop").len(), 11);
    run("/fragment").run();
    check_flac(&sandbox, "x.wav");
}

#[test]
fn t2_playlists_may_come_compressed_and_media_never_do() {
    let (origin, sandbox) = stage();
    for path in [MASTER, STREAM] {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer
            .write_all(&bytes(path.trim_start_matches('/')))
            .expect("memory takes it");
        let packed = packer.finish().expect("memory takes it");
        origin.serve(path, "application/vnd.apple.mpegurl", packed);
        origin.on(path).header("Content-Encoding: gzip");
    }
    let sound = dump(&sandbox, &origin.url(MASTER), &["-Q", "2"]);
    expected_of("hls/flac.m3u8").check(&sound);
    for request in origin.log() {
        let wants = request.header("accept-encoding");
        // Of the first URL it is not known yet what it is.
        let want = if request.path == STREAM {
            "gzip"
        } else {
            "identity"
        };
        assert_eq!(wants, Some(want), "{}", request.path);
    }
    // Both playlists are kept as they were meant.
    origin.shut_down();
    sandbox
        .kithara([
            "dump",
            &origin.url(MASTER),
            "-Q",
            "2",
            "-o",
            "again.wav",
            "--offline",
        ])
        .run();
    check_flac(&sandbox, "again.wav");
    let origin = Origin::start();
    origin
        .on("/files/s16.flac")
        .header("Content-Encoding: gzip");
    sandbox
        .kithara(["dump", &origin.url("/files/s16.flac"), "-o", "no.wav"])
        .fails(5, &["gzip"])
        .run();
}

#[test]
fn t3_what_is_typed_goes_with_playlists_segments_and_init_sections_alike() {
    let (origin, sandbox) = stage();
    let sound = dump(
        &sandbox,
        &origin.url(MASTER),
        &[&typed()[..], &["-Q", "2", "-A", "me/1"]].concat(),
    );
    expected_of("hls/flac.m3u8").check(&sound);
    assert_eq!(
        origin.log().len(),
        9,
        "two playlists, init section, 6 segments"
    );
    for request in origin.log() {
        let header = |name| request.header(name);
        assert_eq!(header("x-token"), Some("hush-header"), "{}", request.path);
        assert_eq!(
            header("cookie"),
            Some("sid=hush-cookie"),
            "{}",
            request.path
        );
        assert_eq!(
            header("authorization"),
            Some("Bearer hush-bearer"),
            "{}",
            request.path
        );
        assert_eq!(header("user-agent"), Some("me/1"), "{}", request.path);
        assert_eq!(header("referer"), None, "{}", request.path);
        assert_eq!(
            request.query.as_deref(),
            Some("key=hush%20query"),
            "{}",
            request.path
        );
    }
}

/// A playlist on `origin` of encrypted segments whose key is at `key`.
fn encrypt(origin: &Origin, key: &str) -> String {
    let (secret, iv) = ([7; 16], [9; 16]);
    for number in 0..6 {
        let mut bytes = bytes(&format!("hls/flac-{number}.m4s"));
        let clear = bytes.len();
        bytes.resize(clear / 16 * 16 + 16, 0);
        cbc::Encryptor::<aes::Aes128>::new(&secret.into(), &iv.into())
            .encrypt_padded::<Pkcs7>(&mut bytes, clear)
            .expect("there is room for the padding");
        origin.serve(&format!("/locked/flac-{number}.m4s"), "audio/mp4", bytes);
    }
    origin.serve(
        "/locked/flac-init.mp4",
        "audio/mp4",
        bytes("hls/flac-init.mp4"),
    );
    origin.serve("/locked/key", "application/octet-stream", secret.to_vec());
    let tag = format!(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"{key}\",IV=0x{}\n",
        "09".repeat(16)
    );
    let text = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    let (head, segments) = text.split_once("#EXTINF").expect("a segment");
    let text = format!("{head}{tag}#EXTINF{segments}");
    origin.serve(
        "/locked/list.m3u8",
        "application/vnd.apple.mpegurl",
        text.into_bytes(),
    );
    origin.url("/locked/list.m3u8")
}

#[test]
fn t3_keys_get_it_like_everything_else_and_only_at_home() {
    let (home, sandbox) = stage();
    let sound = dump(&sandbox, &encrypt(&home, "key"), &typed());
    expected_of("hls/flac.m3u8").check(&sound);
    assert_eq!(home.requests("/locked/key").len(), 1);
    assert!(
        home.log().iter().all(|request| carried(request) == 4),
        "{:?}",
        home.log()
    );
    let away = Origin::start();
    encrypt(&away, "key");
    for leads in ["the playlist", "a redirect"] {
        away.clear_log();
        let target = away.url("/locked/key");
        let url = encrypt(
            &home,
            if leads == "a redirect" {
                "moved"
            } else {
                &target
            },
        );
        home.on("/locked/moved").redirect(&target);
        let sound = dump(&sandbox, &url, &[&typed()[..], &["--refresh"]].concat());
        expected_of("hls/flac.m3u8").check(&sound);
        let seen: Vec<_> = away.log().iter().map(carried).collect();
        assert_eq!(seen, [0], "{leads}");
    }
}

#[test]
fn t3_every_command_sends_it() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/aac64.m3u8");
    let commands: [&[&str]; 5] = [
        &["info", &url],
        &["cache", &url, "--refresh"],
        &[
            "play",
            &url,
            "--ao",
            "null",
            "--length",
            "200ms",
            "--refresh",
        ],
        &["stats", &url, "--length", "200ms", "--refresh"],
        &["dump", &url, "-o", "x.wav", "--refresh"],
    ];
    for words in commands {
        origin.clear_log();
        sandbox
            .kithara([words, &typed()].concat())
            .chatty()
            .prints()
            .run();
        let counts: Vec<_> = origin.log().iter().map(carried).collect();
        assert!(
            !counts.is_empty() && counts.iter().all(|count| *count == 4),
            "{words:?}: {counts:?}"
        );
    }
}

/// A multivariant playlist on `home` whose media playlists, init sections or
/// segments lie on `away`.
fn scatter(home: &Origin, away: &Origin) -> Vec<(&'static str, String)> {
    let text = |name: &str| String::from_utf8(bytes(name)).expect("text");
    let serve = |path: &str, text: String| {
        home.serve(path, "application/vnd.apple.mpegurl", text.into_bytes());
        home.url(path)
    };
    let (master, media) = (text("hls/master.m3u8"), text("hls/flac.m3u8"));
    home.on("/hls/flac-3.m4s")
        .redirect(&away.url("/hls/flac-3.m4s"));
    vec![
        (
            "variants",
            serve(
                "/hls/a.m3u8",
                master.replace("flac.m3u8", &away.url("/hls/flac.m3u8")),
            ),
        ),
        (
            "init sections",
            serve(
                "/hls/b.m3u8",
                media.replace("flac-init", &away.url("/hls/flac-init")),
            ),
        ),
        (
            "segments",
            serve(
                "/hls/c.m3u8",
                media.replace("flac-2", &away.url("/hls/flac-2")),
            ),
        ),
        (
            "user-info",
            serve(
                "/hls/d.m3u8",
                media.replace("flac-2", &away.url("/hls/flac-2").replace("//", "//u:p@")),
            ),
        ),
        ("a redirect", home.url(STREAM)),
    ]
}

#[test]
fn t3_what_is_typed_goes_to_no_other_server() {
    let (home, sandbox) = stage();
    let away = Origin::start();
    for (what, url) in scatter(&home, &away) {
        away.clear_log();
        home.clear_log();
        let flags = [
            "dump",
            &url,
            "-Q",
            "<=400k",
            "-o",
            "x.wav",
            "-f",
            "--refresh",
        ];
        sandbox
            .kithara([&flags[..], &typed()].concat())
            .chatty()
            .run();
        check_flac(&sandbox, "x.wav");
        let sent = |origin: &Origin| origin.log().iter().map(carried).collect::<Vec<_>>();
        assert!(
            !away.log().is_empty() && sent(&away).iter().all(|count| *count == 0),
            "{what}: {:?}",
            away.log()
        );
        assert!(
            sent(&home).iter().all(|count| *count == 4),
            "{what}: {:?}",
            home.log()
        );
        assert!(
            away.log()
                .iter()
                .all(|request| request.header("authorization").is_none()),
            "{what}"
        );
    }
}

#[test]
fn t3_a_redirect_of_the_first_request_leaves_everything_behind() {
    for status in [301, 302, 303, 307, 308] {
        let (home, sandbox) = stage();
        let away = Origin::start();
        home.on("/go").status(status).redirect(&away.url(STREAM));
        let secret = home.url("/go").replace("//", "//me:hush@");
        let run = ["dump", &secret, "-o", "x.wav"];
        let flags: Vec<_> = typed()
            .into_iter()
            .filter(|word| !word.contains("bearer"))
            .collect();
        sandbox.kithara([&run[..], &flags].concat()).run();
        check_flac(&sandbox, "x.wav");
        assert_eq!(
            home.log()[0].header("authorization"),
            Some("Basic bWU6aHVzaA==")
        );
        assert!(
            away.log().iter().all(|request| carried(request) == 0),
            "{status}"
        );
    }
}

#[test]
fn t3_a_server_that_wants_the_login_it_did_not_get_is_told_apart() {
    let (home, sandbox) = stage();
    let away = Origin::start();
    home.on(STREAM).redirect(&away.url(STREAM));
    away.on(STREAM).status(401);
    sandbox
        .kithara(["info", &home.url(STREAM), "--bearer", "hush"])
        .fails(4, &["401", "headers and logins go to no other"])
        .run();
}

#[test]
fn t3_each_url_has_its_own_server() {
    let (one, sandbox) = stage();
    let two = Origin::start();
    let url = one.url("/files/s16.flac").replace("//", "//me:hush@");
    let run = [
        "cache",
        &url,
        &two.url("/files/s16.flac"),
        "-H",
        "X-Token: hush-header",
    ];
    sandbox.kithara(run).chatty().run();
    let header = |origin: &Origin, name: &str| origin.log()[0].header(name).map(str::to_owned);
    for origin in [&one, &two] {
        assert_eq!(header(origin, "x-token").as_deref(), Some("hush-header"));
    }
    assert_eq!(
        header(&one, "authorization").as_deref(),
        Some("Basic bWU6aHVzaA==")
    );
    assert_eq!(header(&two, "authorization"), None);
}

#[test]
fn t3_a_session_that_the_playlist_opens_goes_on_with_segments_and_init_section() {
    let (origin, sandbox) = stage();
    origin
        .on(STREAM)
        .header("Set-Cookie: session=1; Path=/hls; Max-Age=600\r\nSet-Cookie: old=; Max-Age=0");
    let sound = dump(&sandbox, &origin.url(STREAM), &["--cookie", "typed=2"]);
    expected_of("hls/flac.m3u8").check(&sound);
    for request in origin.log() {
        let want = match request.path == STREAM {
            true => "typed=2",
            false => "typed=2; session=1",
        };
        assert_eq!(request.header("cookie"), Some(want), "{}", request.path);
    }
}

#[test]
fn t3_secrets_are_read_from_the_environment_and_from_files() {
    let (origin, sandbox) = stage();
    fs::write(
        sandbox.path("headers"),
        "X-Token: hush-file\n\nX-Other: 2\r\n",
    )
    .expect("a file");
    fs::write(sandbox.path("token"), "hush-bearer\n").expect("a file");
    let url = origin.url("/files/s16.flac");
    sandbox
        .kithara(["info", &url, "-H", "@headers", "--bearer", "@token"])
        .prints()
        .run();
    sandbox
        .kithara(["info", &url])
        .env("KITHARA_HEADER", "X-Token: hush-env\nX-Other: 3\n")
        .env("KITHARA_QUERY_PARAM", "a=1\nb=2")
        .env("KITHARA_USER", "me:hush")
        .prints()
        .run();
    let log = origin.log();
    let headers = |index: usize, names: [&str; 3]| {
        names.map(|name| log[index].header(name).map(str::to_owned))
    };
    let words = |words: [&str; 3]| words.map(|word| Some(word.to_owned()));
    let names = ["x-token", "x-other", "authorization"];
    assert_eq!(
        headers(0, names),
        words(["hush-file", "2", "Bearer hush-bearer"])
    );
    let last = log.len() - 1;
    assert_eq!(
        headers(last, names),
        words(["hush-env", "3", "Basic bWU6aHVzaA=="])
    );
    assert_eq!(log[last].query.as_deref(), Some("a=1&b=2"));
}

#[test]
fn t3_what_one_user_has_stored_another_does_not_get() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    let mine = ["cache", &url, "--bearer", "hush-mine"];
    sandbox.kithara(mine).run();
    let requests = origin.log().len();
    sandbox
        .kithara(["cache", &url, "--bearer", "hush-yours"])
        .run();
    assert_eq!(
        origin.log().len(),
        2 * requests,
        "nothing of the other's copy is used"
    );
    origin.shut_down();
    let dump = ["dump", &url, "-o", "x.wav", "--offline"];
    sandbox.kithara(dump).fails(9, &[]).run();
    sandbox
        .kithara([&dump[..], &["--bearer", "hush-others"]].concat())
        .fails(9, &[])
        .run();
    sandbox
        .kithara([&dump[..], &["--bearer", "hush-mine"]].concat())
        .run();
    check_flac(&sandbox, "x.wav");
    // Removed by its URL, whoever asked for it.
    let list = || {
        sandbox
            .kithara(["cache", "ls", "--json"])
            .prints()
            .run()
            .json()
    };
    assert_eq!(list()["streams"].as_array().map(Vec::len), Some(2));
    sandbox.kithara(["cache", "rm", &url]).chatty().run();
    assert_eq!(list()["streams"].as_array().map(Vec::len), Some(0));
}

#[test]
fn t4_each_kind_of_failure_is_tried_again_as_often_as_it_can_help() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
    let cases = [
        (404, None, 1, "the server answered 404 Not Found"),
        (403, None, 1, "the server answered 403 Forbidden"),
        (
            500,
            None,
            2,
            "the server answered 500 Internal Server Error",
        ),
        (503, Some("0"), 2, "and asks to wait 0 s"),
        (
            429,
            Some(date.as_str()),
            2,
            "the server answered 429 Too Many Requests and asks to wait",
        ),
        (
            429,
            Some("soon"),
            2,
            "the server answered 429 Too Many Requests",
        ),
    ];
    for (status, after, requests, why) in cases {
        for path in [STREAM, "/hls/flac-init.mp4", "/hls/flac-2.m4s"] {
            let (origin, sandbox) = stage();
            let refusal = origin.on(path).status(status);
            if let Some(after) = after {
                refusal.retry_after(after);
            }
            let run = sandbox.kithara(["dump", &origin.url(STREAM), "-o", "x.wav", "--retry", "1"]);
            let run = run.code(4).chatty().run();
            assert!(run.stderr.contains(why), "{status} {path}: {}", run.stderr);
            // A segment that was lost ahead of its time is asked for again when it is needed.
            let is_segment = path.ends_with("-2.m4s");
            let count = origin.requests(path).len();
            assert!(
                count == requests || is_segment && count > requests,
                "{status} {path}: {count}"
            );
        }
    }
}

#[test]
fn t5_the_whole_in_place_of_a_part_is_not_taken_for_the_part() {
    let (origin, sandbox) = stage();
    let path = "/hls/flac-2.m4s";
    origin.on(path).truncate_at(9_000).times(1);
    origin.on(path).ignore_range();
    sandbox
        .kithara([
            "dump",
            &origin.url(STREAM),
            "-o",
            "x.wav",
            "-H",
            "X-Token: hush-header",
        ])
        .chatty()
        .run();
    check_flac(&sandbox, "x.wav");
    let seen: Vec<_> = origin
        .requests(path)
        .iter()
        .map(|r| (r.status, carried(r)))
        .collect();
    assert_eq!(seen, [(200, 1), (200, 1)]);
}

#[test]
fn t6_queries_are_sent_as_they_are_and_go_nowhere_by_themselves() {
    let (origin, sandbox) = stage();
    let text = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    let text = text.replace("flac-1.m4s", "flac-1.m4s?x=%2f+y&z&&=%20~");
    origin.serve(
        "/hls/q.m3u8",
        "application/vnd.apple.mpegurl",
        text.into_bytes(),
    );
    let url = origin.url("/hls/q.m3u8?token=a%2Fb");
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &url, &[]));
    let query = |path: &str| origin.requests(path)[0].query.clone();
    assert_eq!(query("/hls/q.m3u8").as_deref(), Some("token=a%2Fb"));
    assert_eq!(
        query("/hls/flac-1.m4s").as_deref(),
        Some("x=%2f+y&z&&=%20~")
    );
    assert_eq!(query("/hls/flac-2.m4s"), None);
    origin.clear_log();
    dump(
        &sandbox,
        &url,
        &["--query-param", "k=1/2", "--query-param", "n="],
    );
    assert_eq!(
        query("/hls/q.m3u8").as_deref(),
        Some("token=a%2Fb&k=1%2F2&n=")
    );
    assert_eq!(
        query("/hls/flac-1.m4s").as_deref(),
        Some("x=%2f+y&z&&=%20~&k=1%2F2&n=")
    );
    assert_eq!(query("/hls/flac-2.m4s").as_deref(), Some("k=1%2F2&n="));
}

#[test]
fn t7_an_http_proxy_carries_everything_and_keeps_its_own_login() {
    let (origin, sandbox) = stage();
    let login = "Basic cHJveHk6aHVzaA=="; // proxy:hush
    let proxy = Wire::http_proxy(address(&origin), Some(login));
    let at = format!("http://proxy:hush@{}", proxy.address);
    let url = format!("http://music.test{STREAM}");
    let run = [
        "dump",
        &url,
        "-o",
        "x.wav",
        "-x",
        &at,
        "-H",
        "X-Token: hush-header",
    ];
    sandbox.kithara(run).run();
    check_flac(&sandbox, "x.wav");
    assert_eq!(proxy.seen().len(), 8, "{:?}", proxy.seen());
    assert_eq!(proxy.seen()[0], format!("GET {url} {login}"));
    for request in origin.log() {
        assert_eq!(request.header("x-token"), Some("hush-header"));
        assert_eq!(request.header("proxy-authorization"), None);
    }
    let refused = format!("wrong:hush@{}", proxy.address);
    let run = sandbox.kithara(["info", &url, "--refresh", "-x", &refused]);
    let words = format!("the proxy {} refused", proxy.address);
    run.fails(3, &[&words]).run();
}

#[test]
fn t7_a_proxy_of_the_environment_is_used_shown_and_can_be_left_out() {
    let (origin, sandbox) = stage();
    let proxy = Wire::http_proxy(address(&origin), None);
    let at = format!("http://me:hush@{}", proxy.address);
    let url = origin.url(STREAM);
    let info = |words: &[&str]| {
        let words = [&["info", &url, "--json", "--refresh"], words].concat();
        sandbox.kithara(words).env("http_proxy", &at)
    };
    let shown = info(&[]).prints().run().json();
    assert_eq!(shown["proxy"], proxy.address.to_string());
    assert_eq!(proxy.seen().len(), 1);
    for none in ["none", ""] {
        let shown = info(&["--proxy", none]).prints().run().json();
        assert_eq!(shown["proxy"], serde_json::Value::Null);
    }
    info(&[]).env("no_proxy", "127.0.0.1").prints().run();
    assert_eq!(proxy.seen().len(), 1, "{:?}", proxy.seen());
    assert_eq!(origin.log().len(), 4);
}

#[test]
fn t7_socks_proxies_are_asked_for_a_name_or_an_address() {
    let (origin, sandbox) = stage();
    let cases = [
        ("socks5h", "music.test", "", "music.test -"),
        (
            "socks5h",
            "music.test",
            "me:hu%23sh@",
            "music.test me:hu#sh",
        ),
        ("socks5", "localhost", "", "127.0.0.1 -"),
    ];
    for (scheme, host, login, want) in cases {
        let proxy = Wire::socks(address(&origin), None);
        let at = format!("{scheme}://{login}{}", proxy.address);
        let url = format!("http://{host}:8000{STREAM}");
        sandbox
            .kithara(["dump", &url, "-o", "x.wav", "-f", "--no-cache", "-x", &at])
            .run();
        check_flac(&sandbox, "x.wav");
        let seen = proxy.seen();
        assert!(
            !seen.is_empty() && seen.iter().all(|line| line == want),
            "{seen:?}"
        );
    }
}

#[test]
fn t7_a_proxy_that_does_not_know_us_says_so() {
    let (origin, sandbox) = stage();
    let proxy = Wire::socks(address(&origin), Some("me:right"));
    for (login, why) in [("me:hush@", "credentials not accepted"), ("", "refused")] {
        let at = format!("socks5h://{login}{}", proxy.address);
        let run = sandbox.kithara(["info", &origin.url(STREAM), "-x", &at, "--retry", "0"]);
        let words = format!("the proxy {} refused", proxy.address);
        let run = run.fails(3, &[&words, why]).run();
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    assert!(origin.log().is_empty());
}

#[test]
fn t7_a_proxy_that_is_not_there_is_named_without_its_login() {
    let (origin, sandbox) = stage();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = listener.local_addr().expect("bound");
    drop(listener);
    for scheme in ["http", "socks5h"] {
        let at = format!("{scheme}://me:hush@{gone}");
        let run = sandbox.kithara(["info", &origin.url(STREAM), "-x", &at, "--retry", "0"]);
        let run = run.fails(3, &["proxy", &gone.to_string()]).run();
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    assert!(origin.log().is_empty());
}

#[test]
fn t7_a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let (origin, sandbox) = stage();
    let (good, bad) = ("server.pem", "impostor.pem");
    let authority = pem("authority.pem").display().to_string();
    for (name, flags, code) in [
        (good, &["--cacert", authority.as_str()][..], 0),
        (good, &[], 3),
        (bad, &["--cacert", authority.as_str()], 3),
    ] {
        let front = Wire::tls(address(&origin), name, false);
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{}{STREAM}", front.address.port());
            let run = [
                "dump",
                &url,
                "-o",
                "x.wav",
                "-f",
                "-H",
                "X-Token: hush-header",
            ];
            let run = sandbox.kithara([&run[..], flags].concat());
            match code {
                0 => {
                    run.run();
                    check_flac(&sandbox, "x.wav");
                }
                code => {
                    run.fails(code, &["not signed by an authority that is trusted"])
                        .run();
                    assert!(
                        front.seen().is_empty(),
                        "no request before the certificate is good"
                    );
                }
            }
        }
    }
    assert!(origin.log().iter().all(|request| carried(request) == 1));
}

#[test]
fn t7_https_goes_through_proxies_too() {
    let (origin, sandbox) = stage();
    let front = Wire::tls(address(&origin), "server.pem", false);
    let authority = pem("authority.pem").display().to_string();
    let url = format!("https://music.test{STREAM}");
    let http = Wire::http_proxy(front.address, None);
    let socks = Wire::socks(front.address, None);
    for at in [
        format!("http://{}", http.address),
        format!("socks5h://{}", socks.address),
    ] {
        let run = [
            "dump",
            &url,
            "-o",
            "x.wav",
            "-f",
            "--no-cache",
            "-x",
            &at,
            "--cacert",
            &authority,
        ];
        sandbox
            .kithara([&run[..], &["-H", "X-Token: hush-header"]].concat())
            .run();
        check_flac(&sandbox, "x.wav");
    }
    assert!(
        http.seen()
            .iter()
            .all(|line| line == "CONNECT music.test:443 -"),
        "{:?}",
        http.seen()
    );
    assert!(
        socks.seen().iter().all(|line| line == "music.test -"),
        "{:?}",
        socks.seen()
    );
}

#[test]
fn t7_a_client_certificate_is_shown_to_the_server_of_the_url_and_to_no_other() {
    let (origin, sandbox) = stage();
    let authority = pem("authority.pem").display().to_string();
    let certificate = pem("client.pem").display().to_string();
    let home = Wire::tls(address(&origin), "server.pem", true);
    let url = format!("https://{}{STREAM}", home.address);
    let run = |url: &str, flags: &[&str]| {
        let run = [
            "dump",
            url,
            "-o",
            "x.wav",
            "-f",
            "--no-cache",
            "--cacert",
            &authority,
        ];
        sandbox.kithara([&run[..], flags].concat())
    };
    run(&url, &[])
        .fails(3, &["the server asks for a client certificate", "--cert"])
        .run();
    run(&url, &["-E", &certificate]).run();
    check_flac(&sandbox, "x.wav");
    assert!(
        home.seen().iter().all(|line| line.starts_with('1')),
        "{:?}",
        home.seen()
    );
    // Another server that asks for one gets none, whatever leads there.
    let away = Wire::tls(address(&origin), "server.pem", true);
    let target = format!("https://{}{STREAM}", away.address);
    origin.on("/away").redirect(&target);
    let url = format!("https://{}/away", home.address);
    run(&url, &["-E", &certificate])
        .fails(3, &["asks for a client certificate"])
        .run();
    assert!(away.seen().is_empty(), "{:?}", away.seen());
}

#[test]
fn t7_files_of_certificates_that_cannot_be_used_are_named() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    fs::write(sandbox.path("empty.pem"), "").expect("a file");
    let [authority, client, locked] =
        ["authority.pem", "client.pem", "locked.pem"].map(|name| pem(name).display().to_string());
    let mixed = fs::read_to_string(&authority).expect("a file")
        + fs::read_to_string(&client)
            .expect("a file")
            .split_once("-----END CERTIFICATE-----\n")
            .expect("a key")
            .1;
    fs::write(sandbox.path("mixed.pem"), mixed).expect("a file");
    let cases = [
        ("--cacert", "nowhere.pem", 7, "no such file or directory"),
        ("--cacert", "empty.pem", 2, "there is none"),
        ("--cert", "nowhere.pem", 7, "no such file or directory"),
        ("--cert", "empty.pem", 2, "there is none"),
        ("--cert", &authority, 2, "its key is missing"),
        ("--cert", "mixed.pem", 2, "the key does not belong to it"),
        ("--cert", &locked, 2, "its key is protected by a password"),
    ];
    for (flag, file, code, why) in cases {
        sandbox
            .kithara(["info", &url, flag, file])
            .fails(code, &[why])
            .run();
    }
    assert!(origin.log().is_empty());
}

#[test]
fn words_that_cannot_be_sent_are_exit_2_and_not_repeated() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    let cases: [&[&str]; 16] = [
        &["-H", "hush"],
        &["-H", "Range: bytes=0-hush"],
        &["-H", "Host: hush"],
        &["-H", "accept-encoding: hush"],
        &["-H", "X-A: hush\r\nX-B: 1"],
        &["-H", "X-A: hush\nX-B: 1"],
        &["-H", "User-Agent: hush"],
        &["-A", "hush\n"],
        &["--bearer", "hush hush"],
        &["--bearer", "hush", "--user", "me:hush"],
        &["--bearer", "hush", "-H", "Authorization: hush"],
        &["--cookie", "hush"],
        &["--cookie", "a=hush\nb=1"],
        &["--query-param", "hush"],
        &["-x", "ftp://me:hush@host"],
        &["-x", "http://me:hush@"],
    ];
    for words in cases {
        let run = sandbox
            .kithara([&["info", &url], words].concat())
            .fails(2, &[])
            .run();
        let line = run.stderr.replace("user agent \"hush", "");
        assert!(
            words[0] == "-A" || !line.contains("hush"),
            "{words:?}: {line}"
        );
    }
    sandbox
        .kithara(["info", &url, "-H", "@nowhere"])
        .fails(7, &["headers in \"nowhere\""])
        .run();
    sandbox
        .kithara(["info", &url, "--bearer", "@nowhere"])
        .fails(7, &["token"])
        .run();
    assert!(origin.log().is_empty());
}

#[test]
fn no_output_shows_what_was_typed() {
    let (origin, sandbox) = stage();
    let away = Origin::start();
    origin
        .on("/go")
        .redirect(&format!("{}?hush-moved", origin.url(MASTER)));
    origin
        .on("/hls/flac-2.m4s")
        .redirect(&away.url("/hls/flac-2.m4s?hush-moved"));
    origin
        .on("/hls/flac-1.m4s")
        .status(500)
        .header("X-Echo: hush-answer")
        .times(1);
    origin.on(STREAM).header("Set-Cookie: s=hush-set; Path=/");
    origin
        .on("/hls/flac-4.m4s")
        .status(404)
        .header("Location: /hush-moved");
    let url = origin
        .url("/go?q=hush-url")
        .replace("//", "//me:hush-info@");
    let typed: Vec<_> = typed()
        .into_iter()
        .filter(|word| !word.contains("bearer"))
        .collect();
    let files = [
        "--trace-out",
        "trace",
        "--ledger",
        "ledger",
        "--log-file",
        "log",
    ];
    let run = ["dump", &url, "-o", "x.wav", "-Q", "2", "--json", "-vv"];
    let run = sandbox.kithara([&run[..], &files, &typed].concat());
    let run = run.code(4).prints().chatty().run();
    let list = sandbox.kithara(["cache", "ls", "--json"]).prints().run();
    let mut places = vec![
        ("stdout", run.text()),
        ("stderr", run.stderr),
        ("cache ls", list.text()),
    ];
    for name in ["trace", "ledger", "log"] {
        let text = fs::read_to_string(sandbox.path(name)).expect("it was written");
        places.push((name, text));
    }
    for (place, text) in places {
        assert!(
            !text.contains("hush") && !text.contains("aHVza"),
            "{place}: {text}"
        );
    }
    // The cache keeps addresses, its owner's alone; what was typed is a hash in it.
    for (path, _) in sandbox.cache_files() {
        let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.expect("a file");
        for secret in [
            "hush-info",
            "hush-header",
            "hush-cookie",
            "hush%20",
            "hush-set",
        ] {
            assert!(!text.contains(secret), "{secret} in {path:?}");
        }
    }
}

#[test]
fn a_stream_behind_a_login_plays_offline_with_the_same_login() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/s16.flac").replace("//", "//me:hush@");
    sandbox.kithara(["cache", &url]).chatty().run();
    origin.shut_down();
    offline(&sandbox, &url, "files/s16.flac");
}
