//! Keys: where they come from, what is done when they do not come or are wrong,
//! and that nobody sees them.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn k5_a_key_that_is_refused_is_exit_4_and_never_plays_as_clear() {
    for status in [401, 403, 404, 410] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| None); // clear under a KEY tag: a trap
        let url = serve_list(
            &origin,
            &one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin?token=hush\""),
        );
        origin.on("/enc/key.bin").status(status);
        let words = ["the key ", "/enc/key.bin", &status.to_string()];
        fails_before_sound(&sandbox, &url, 4, &words);
        sandbox
            .kithara(["play", &url, "--ao", "null"])
            .fails(4, &words)
            .run();
        sandbox.kithara(["cache", &url]).chatty().code(4).run();
        assert!(count(&origin, "/enc/key.bin") <= 6, "a storm");
    }
}

#[test]
fn k5_a_key_that_cannot_be_reached_is_exit_3() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"http://{address}/key.bin\",IV=0x2a");
    let url = serve_list(&origin, &one_key(&tag));
    let run = sandbox
        .kithara(["dump", &url, "-o", "none.wav"])
        .code(3)
        .chatty()
        .run();
    let last = run.stderr.lines().last().expect("an error");
    assert!(
        last.contains("cannot fetch the key") && last.contains("refused"),
        "{last}"
    );
    assert!(!sandbox.path("none.wav").exists());
}

#[test]
fn k5_what_is_no_key_is_exit_5_and_said_by_its_look() {
    let page = b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec();
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("an empty body", Vec::new(), &["nothing came"]),
        ("15 bytes", vec![7; 15], &["15 bytes came"]),
        ("17 bytes", vec![7; 17], &["17 bytes came"]),
        ("a web page", page, &["a web page (HTML)"]),
        (
            "digits",
            digits(&KEY).into_bytes(),
            &["32 bytes came", "hexadecimal"],
        ),
        (
            "base64",
            b"aHVzaC1odXNoLWh1c2gtNg==".to_vec(),
            &["24 bytes came", "base64"],
        ),
        ("a film", vec![7; 200_000], &["longer than", "a key has 16"]),
    ];
    for (case, body, words) in cases {
        let (origin, sandbox) = stage();
        let url = serve_plain(&origin);
        serve_key(&origin, "/enc/key.bin", &body);
        fails_before_sound(
            &sandbox,
            &url,
            5,
            &[&["the key", "/enc/key.bin"], words].concat(),
        );
        assert_eq!(count(&origin, "/enc/key.bin"), 1, "{case}");
        // What was no key is not kept in place of one.
        serve_key(&origin, "/enc/key.bin", &KEY);
        plays_as_clear(&sandbox, &url);
    }
}

#[test]
fn k5_a_wrong_key_is_exit_5_before_any_sound() {
    for (key, tag) in [
        (OTHER, "IV=0x2a"),
        (KEY, "IV=0x2a00000000000000000000000000002a"),
    ] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        serve_key(&origin, "/enc/key.bin", &key);
        let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",{tag}");
        let url = serve_list(&origin, &one_key(&tag));
        let words = ["segment 0", "/enc/key.bin", "the key is wrong"];
        fails_before_sound(&sandbox, &url, 5, &words);
        let run = sandbox.kithara(["dump", &url, "--raw", "-o", "-"]);
        run.fails(5, &words).run(); // and nothing on stdout
        let run = sandbox.kithara(["play", &url, "--ao", "null"]);
        run.fails(5, &words).run();
    }
}

#[test]
fn k5_a_wrong_key_in_mid_list_ends_the_dump_after_what_came_before() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |index| {
        Some((if index < 3 { KEY } else { OTHER }, 42))
    });
    let tag = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a";
    let url = serve_list(&origin, &one_key(tag));
    let run = sandbox.kithara(["dump", &url, "-o", "part.wav"]);
    run.fails(5, &["segment 3", "the key is wrong"]).run();
    let part = Sound::open(&sandbox.path("part.wav"));
    assert_eq!((part.frames(), first_break(&part, 0)), (3 * FRAMES, None));
}

#[test]
fn k6_a_key_in_the_playlist_is_used_without_a_request() {
    for uri in [
        "data:application/octet-stream;base64,aHVzaC1odXNoLWh1c2gtNg==",
        "data:text/plain;charset=UTF-8;base64,aHVzaC1odXNoLWh1c2gtNg",
        "data:,hush-hush%2Dhush-6",
    ] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\",IV=0x2a");
        plays_as_clear(&sandbox, &serve_list(&origin, &one_key(&tag)));
        assert_eq!(
            origin.log().len(),
            8,
            "a list, an init section, six segments"
        );
    }
}

#[test]
fn an_unquoted_key_address_is_read() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let tag = "#EXT-X-KEY:METHOD=AES-128,URI=key.bin,IV=0x2a";
    plays_as_clear(&sandbox, &serve_list(&origin, &one_key(tag)));
}

#[test]
fn the_key_is_found_relative_to_where_the_list_was_found() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let text = one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"keys/../../k.bin\",IV=0x2a")
        .replace("flac-", "/enc/flac-");
    origin.serve(
        "/far/deep/list.m3u8",
        "application/x-mpegurl",
        text.into_bytes(),
    );
    serve_key(&origin, "/far/k.bin", &KEY);
    origin.on("/radio").redirect("/far/deep/list.m3u8");
    plays_as_clear(&sandbox, &origin.url("/radio"));
    assert_eq!(count(&origin, "/far/k.bin"), 1);
}

#[test]
fn a_key_may_be_redirected() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    serve_key(&origin, "/vault/1", &KEY);
    origin.on("/enc/key.bin").redirect("/vault/1");
    plays_as_clear(&sandbox, &url);
}

#[test]
fn the_key_the_init_section_and_the_first_segment_are_asked_for_together() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let gates = ["/enc/key.bin", "/enc/flac-init.mp4", "/enc/flac-0.m4s"]
        .map(|path| origin.on(path).drip());
    let run = sandbox
        .kithara(["stats", &url, "--length", "0.1", "--json"])
        .prints()
        .spawn();
    for gate in &gates {
        gate.wait_until_reached();
    }
    assert_eq!(origin.log().len(), 4, "{:?}", origin.log());
    for gate in &gates {
        gate.open();
    }
    let report = run.finish().json();
    assert_eq!(report["network"]["requests"]["key"], 1);
    let stages = report["startup"]["stages"].to_string();
    assert!(stages.contains("\"key\""), "{stages}");
}

#[test]
fn nothing_is_heard_before_the_key_is_here_and_all_of_it_afterwards() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let gate = origin.on("/enc/key.bin").drip();
    let last = origin.on("/enc/flac-1.m4s").drip();
    let run = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    last.wait_until_reached(); // the first segment is whole
    gate.wait_until_reached();
    assert!(run.stdout_bytes(0).is_empty());
    gate.open();
    last.open();
    let row = expected_of(CLEAR);
    row.check(&Sound::raw(
        run.finish().stdout,
        row.rate,
        row.channels,
        Sample::S16,
    ));
}

#[test]
fn a_cached_encrypted_stream_plays_offline_with_its_key() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    sandbox.kithara(["cache", &url]).chatty().run();
    origin.shut_down();
    let sound = dump(&sandbox, &url, &["--offline"]);
    expected_of(CLEAR).check(&sound);
    let holds_key = |path: &std::path::Path| {
        let held = fs::read(path).expect("a cache file");
        held.windows(16).any(|window| window == KEY)
    };
    let holders: Vec<_> = sandbox
        .cache_files()
        .into_iter()
        .filter(|(path, _)| holds_key(path))
        .collect();
    assert_eq!(holders.len(), 1, "the key is in one file: {holders:?}");
    let mode = holders[0]
        .0
        .metadata()
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_played_stream_needs_its_key_no_more_and_refresh_asks_for_it() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    plays_as_clear(&sandbox, &url);
    plays_as_clear(&sandbox, &url);
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
    expected_of(CLEAR).check(&dump(&sandbox, &url, &["--refresh"]));
    assert_eq!(count(&origin, "/enc/key.bin"), 2);
}

#[test]
fn a_key_is_never_shown() {
    let base64 = "aHVzaC1odXNoLWh1c2gtNg";
    let secrets = [
        String::from_utf8(KEY.to_vec()).expect("text"),
        digits(&KEY),
        digits(&KEY).to_uppercase(),
        base64.to_owned(),
        format!("{KEY:?}"),
        "token".to_owned(),
    ];
    let tags = [
        "URI=\"key.bin?token=1\",IV=0x2a".to_owned(),
        format!("URI=\"data:;base64,{base64}\",IV=0x2a"),
        format!("URI=\"data:;base64,{base64}\",IV=0x2b"), // wrong
        format!("URI=\"data:;base64,{base64}AA\",IV=0x2a"), // too long
        format!("URI=\"data:;base64,{base64}*\",IV=0x2a"), // unreadable
        format!("URI=data:;base64,{base64},IV=2a"),       // malformed
    ];
    for tag in tags {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let url = serve_list(
            &origin,
            &one_key(&format!("#EXT-X-KEY:METHOD=AES-128,{tag}")),
        );
        for command in [
            &["dump", "-o", "x.wav", "-f", "-vv"][..],
            &["play", "--ao", "null", "--length", "0.1", "--json", "-vv"],
            &["stats", "--json", "--trace-out", "trace.json", "-vv"],
            &["info", "--json", "-vv"],
            &["info", "-vv"],
        ] {
            let run = sandbox.kithara(command.iter().copied().chain([url.as_str()]));
            let run = run.any_code().chatty().prints().run();
            let trace = fs::read_to_string(sandbox.path("trace.json")).unwrap_or_default();
            for text in [run.text(), run.stderr, trace] {
                for secret in &secrets {
                    assert!(!text.contains(secret.as_str()), "{secret} in {text}");
                }
            }
        }
    }
}
