//! What the user types goes with playlists, segments, init sections and keys of
//! its server alike (row T3), to nobody else, and is never shown.

use std::fs;

use super::{MASTER, STREAM, carried, check_flac, typed};
use crate::cache::offline;
use crate::encryption::{KEY, serve_media};
use crate::origin::Origin;
use crate::{bytes, dump, expected_of, stage};

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
    serve_media(origin, "/locked", |_| Some((KEY, 9)));
    origin.serve("/locked/key", "application/octet-stream", KEY.to_vec());
    let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{key}\",IV=0x9\n");
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
