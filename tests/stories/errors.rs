//! What goes wrong is said in one line, with the exit code that scripts know,
//! and leaves nothing wrong behind.

use std::fs;
use std::net::TcpListener;

use crate::wav::{Sound, first_break, worst_shift};
use crate::{expected_of, stage};

const STREAM: &str = "/hls/flac.m3u8";

#[test]
fn wrong_arguments_are_exit_2() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8");
    let cases: [&[&str]; 11] = [
        &["dump"],
        &["paly", &url],
        &["dump", &url, "--no-such-flag"],
        &["dump", &url, "--start", "soon"],
        &["dump", &url, "--length", "-5"],
        &["dump", &url, "--sample", "s8"],
        &["dump", &url, "-Q", "loud"],
        &["dump", &url, "-Q", "9"],
        &["play", &url, "--ao", "speakers"],
        &["play", &url, "--ao", "null", "--volume", "101"],
        &["cache", &url, "--cache-size", "many"],
    ];
    for arguments in cases {
        sandbox.kithara(arguments).fails(2, &[]).run();
    }
    assert!(
        origin
            .log()
            .iter()
            .all(|request| !request.path.ends_with(".m4s")),
        "{:?}",
        origin.log()
    );
}

#[test]
fn a_refused_connection_is_exit_3() {
    let (_, sandbox) = stage();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/x.mp3?token=hush",
        listener.local_addr().expect("bound")
    );
    drop(listener);
    let run = sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .code(3)
        .chatty()
        .run();
    let lines: Vec<_> = run.stderr.lines().collect();
    assert!(
        lines.len() <= 4 && lines.iter().all(|line| line.starts_with("kithara: ")),
        "one line a try: {lines:?}"
    );
    assert!(
        lines
            .last()
            .is_some_and(|line| line.starts_with("kithara: cannot ") && line.contains("refused")),
        "{lines:?}"
    );
    assert!(!run.stderr.contains("hush"), "{lines:?}");
    assert!(
        !sandbox.path("x.wav").exists(),
        "an output without a sample"
    );
}

#[test]
fn a_server_that_refuses_is_exit_4() {
    for status in [401, 403, 404, 410] {
        for (input, quality, refused) in [
            ("/files/s16.flac", "best", "/files/s16.flac"),
            (STREAM, "best", STREAM),
            // Of its own accord it would go on in another variant.
            ("/hls/master.m3u8", "3", "/hls/alac.m3u8"),
            (STREAM, "best", "/hls/flac-0.m4s"),
            (STREAM, "best", "/hls/flac-init.mp4"),
        ] {
            let (origin, sandbox) = stage();
            origin.on(refused).status(status);
            let url = origin.url(&format!("{input}?token=hush"));
            let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "-Q", quality]);
            let run = run.fails(4, &[&status.to_string()]).run();
            assert!(!run.stderr.contains("hush"), "{}", run.stderr);
            assert!(
                origin.requests(refused).len() <= 2,
                "a storm: {:?}",
                origin.requests(refused)
            );
        }
    }
}

#[test]
fn a_missing_segment_ends_the_dump_after_what_came_before() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-2.m4s").status(404);
    sandbox
        .kithara(["dump", &origin.url(STREAM), "-o", "x.wav"])
        .fails(4, &["404"])
        .run();
    let part = Sound::open(&sandbox.path("x.wav"));
    assert_eq!((part.frames(), first_break(&part, 0)), (2 * 5 * 4608, None));
}

#[test]
fn a_busy_server_is_asked_again() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-1.m4s").status(503).times(2);
    origin.on(STREAM).status(500).times(1);
    sandbox
        .kithara(["dump", &origin.url(STREAM), "-o", "x.wav"])
        .chatty()
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("x.wav")));
    assert_eq!(origin.requests("/hls/flac-1.m4s").len(), 3);
    assert_eq!(origin.requests(STREAM).len(), 2);
}

#[test]
fn a_server_that_names_a_time_is_asked_again_after_it() {
    let (origin, sandbox) = stage();
    origin
        .on("/files/s16.flac")
        .status(503)
        .retry_after("2")
        .times(1);
    let run = sandbox
        .kithara(["dump", &origin.url("/files/s16.flac"), "-o", "x.wav"])
        .chatty()
        .run();
    expected_of("files/s16.flac").check(&Sound::open(&sandbox.path("x.wav")));
    assert!(run.elapsed.as_secs_f64() >= 2.0, "{:?}", run.elapsed);
    assert_eq!(origin.log().len(), 2);
}

#[test]
fn a_server_that_stays_broken_is_exit_4() {
    let (origin, sandbox) = stage();
    origin.on("/files/s16.flac").status(500).retry_after("0");
    let run = sandbox
        .kithara(["dump", &origin.url("/files/s16.flac"), "-o", "x.wav"])
        .code(4)
        .chatty()
        .run();
    assert!(
        run.stderr
            .lines()
            .last()
            .is_some_and(|line| line.contains("500")),
        "{}",
        run.stderr
    );
    assert!((2..=5).contains(&origin.log().len()), "{:?}", origin.log());
}

#[test]
fn a_connection_that_breaks_before_the_answer_is_tried_again() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-1.m4s").reset_at(0).times(1);
    sandbox
        .kithara(["dump", &origin.url(STREAM), "-o", "x.wav"])
        .chatty()
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("x.wav")));
}

#[test]
fn a_body_that_never_comes_whole_is_exit_3() {
    let (origin, sandbox) = stage();
    origin
        .on("/files/s16.flac")
        .ignore_range()
        .truncate_at(30_000);
    sandbox
        .kithara(["dump", &origin.url("/files/s16.flac"), "-o", "x.wav"])
        .code(3)
        .chatty()
        .run();
    assert!(origin.log().len() <= 6, "{:?}", origin.log());
}

#[test]
fn a_page_instead_of_a_playlist_is_exit_5() {
    for page in [
        "/hls/master.m3u8",
        "/hls/alac.m3u8",
        "/hls/alac-0.m4s",
        "/hls/alac-init.mp4",
    ] {
        let (origin, sandbox) = stage();
        origin.on(page).html();
        let url = origin.url("/hls/master.m3u8");
        let run = sandbox
            .kithara(["dump", &url, "-o", "x.wav", "-Q", "3"])
            .fails(5, &[])
            .run();
        assert!(
            run.stderr.to_lowercase().contains("html"),
            "{page}: {}",
            run.stderr
        );
        assert!(origin.requests(page).len() <= 2, "{page}");
        origin.heal();
        sandbox
            .kithara(["dump", &url, "-o", "y.wav", "-Q", "best"])
            .run();
        expected_of("hls/alac.m3u8").check(&Sound::open(&sandbox.path("y.wav")));
    }
}

#[test]
fn what_is_no_sound_at_all_is_exit_5() {
    let (origin, sandbox) = stage();
    for name in ["text.mp3", "empty.mp3", "page.m3u8"] {
        let url = origin.url(&format!("/hostile/{name}"));
        sandbox
            .kithara(["dump", &url, "-o", "x.wav"])
            .fails(5, &[name])
            .run();
        sandbox.copy(&format!("hostile/{name}"), name);
        sandbox
            .kithara(["play", name, "--ao", "null"])
            .fails(5, &[name])
            .run();
        sandbox.kithara(["info", name]).fails(5, &[name]).run();
    }
    assert!(
        !sandbox.path("x.wav").exists(),
        "an output without a sample"
    );
}

#[test]
fn an_unknown_codec_is_exit_5_and_named() {
    let (origin, sandbox) = stage();
    for path in ["/hostile/ac3.m3u8", "/hls/ac3.m3u8"] {
        for command in [&["play", "--ao", "null"][..], &["dump", "-o", "x.wav"]] {
            let url = origin.url(path);
            let arguments = command.iter().copied().chain([url.as_str()]);
            sandbox.kithara(arguments).fails(5, &["ac-3"]).run();
        }
    }
}

#[test]
fn truncated_media_is_exit_5_and_keeps_what_was_decoded() {
    let (origin, sandbox) = stage();
    for (name, least, most) in [
        ("cut.m4a", 40_000, 80_000),
        ("cut.flac", 40_000, 70_000),
        ("cut.m3u8", 60_000, 80_000),
    ] {
        let url = origin.url(&format!("/hostile/{name}"));
        sandbox
            .kithara(["dump", &url, "-o", "x.wav", "-f"])
            .fails(5, &[])
            .run();
        let part = Sound::open(&sandbox.path("x.wav"));
        assert!(
            (least..=most).contains(&part.frames()),
            "{name}: {} frames",
            part.frames()
        );
        if name == "cut.flac" {
            assert_eq!(first_break(&part, 0), None, "{name}");
        } else {
            let (shift, at) = worst_shift(&part.slice(0, part.frames() - 2048), 0);
            assert!(shift < 0.5, "{name}: {shift} samples off at {at}");
        }
    }
}

#[test]
fn a_local_file_that_cannot_be_read_is_exit_7() {
    let (_, sandbox) = stage();
    sandbox
        .kithara(["dump", "missing.flac", "-o", "x.wav"])
        .fails(7, &["missing.flac", "no such file"])
        .run();
    fs::create_dir(sandbox.path("folder")).expect("a folder");
    sandbox
        .kithara(["dump", "folder", "-o", "x.wav"])
        .fails(7, &["folder"])
        .run();
}

#[test]
fn an_output_that_cannot_be_written_is_exit_7() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    fs::write(sandbox.path("file"), "").expect("a file");
    for target in ["nowhere/x.wav", "file/x.wav"] {
        sandbox
            .kithara(["dump", &url, "-o", target])
            .fails(7, &[target])
            .run();
    }
    sandbox
        .kithara(["dump", &url, "-o", "/dev/full", "-f"])
        .fails(7, &["/dev/full"])
        .run();
}

#[test]
fn without_a_writable_cache_playing_goes_on_and_caching_does_not() {
    let (origin, sandbox) = stage();
    fs::write(sandbox.path("file"), "").expect("a file");
    let nowhere = sandbox.path("file");
    let url = origin.url(STREAM);
    let dump = sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .env("XDG_CACHE_HOME", &nowhere);
    dump.warns(&["cache"]).run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("x.wav")));
    let play = sandbox
        .kithara(["play", &url, "--ao", "null", "--length", "0.2"])
        .env("XDG_CACHE_HOME", &nowhere);
    play.warns(&["cache"]).run();
    sandbox
        .kithara(["cache", &url])
        .env("XDG_CACHE_HOME", &nowhere)
        .fails(7, &["cache"])
        .run();
}

#[test]
fn no_audio_device_is_exit_6_with_two_ways_out() {
    let (origin, sandbox) = stage();
    let run = sandbox
        .kithara(["play", &origin.url(STREAM)])
        .fails(6, &[])
        .run();
    assert!(
        run.stderr.contains("kithara dump") && run.stderr.contains("kithara devices"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_not_safe_is_exit_8() {
    let (origin, sandbox) = stage();
    origin.on("/loop").redirect("/loop");
    sandbox
        .kithara(["dump", &origin.url("/loop"), "-o", "x.wav"])
        .fails(8, &["redirect"])
        .run();
    assert!(
        (10..=12).contains(&origin.requests("/loop").len()),
        "{}",
        origin.requests("/loop").len()
    );
    origin.on("/away").redirect("file:///etc/passwd");
    sandbox
        .kithara(["dump", &origin.url("/away"), "-o", "x.wav"])
        .fails(8, &[])
        .run();
    sandbox
        .kithara(["dump", "ftp://127.0.0.1/x.mp3", "-o", "x.wav"])
        .fails(8, &["ftp"])
        .run();
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    origin.serve(
        "/local.m3u8",
        "application/vnd.apple.mpegurl",
        list.as_bytes().to_vec(),
    );
    sandbox
        .kithara(["dump", &origin.url("/local.m3u8"), "-o", "x.wav"])
        .fails(8, &[])
        .run();
}

#[test]
fn no_secret_of_a_url_is_ever_shown() {
    let (origin, sandbox) = stage();
    let url = origin
        .url("/missing.mp3?token=hush")
        .replace("http://", "http://joe:hush@");
    for command in ["dump", "play", "info", "stats", "cache"] {
        let run = sandbox
            .kithara([command, &url])
            .fails(4, &["404", "missing.mp3"])
            .run();
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
}

#[test]
fn text_from_outside_cannot_speak_to_the_terminal() {
    let (origin, sandbox) = stage();
    let list = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"\x1b[2Jevil\"\nx.m3u8\n";
    origin.serve("/evil.m3u8", "text/plain", list.as_bytes().to_vec());
    let run = sandbox
        .kithara(["info", &origin.url("/evil.m3u8")])
        .any_code()
        .prints()
        .chatty()
        .run();
    assert!(!run.text().contains('\x1b'), "{:?}", run.text());
}

#[test]
fn a_json_error_carries_a_stable_word() {
    let (origin, sandbox) = stage();
    let cases = [
        ("/missing.mp3", 4, "http_status"),
        ("/hostile/text.mp3", 5, "not_a_stream"),
        ("/hls/ac3.m3u8", 5, "unsupported"),
    ];
    for (path, code, word) in cases {
        let run = sandbox
            .kithara(["dump", &origin.url(path), "-o", "x.wav", "--json"])
            .code(code)
            .prints()
            .chatty()
            .run();
        let lines = run.json_lines();
        let error = lines
            .iter()
            .find(|line| line["event"] == "error")
            .unwrap_or_else(|| panic!("{path}: {lines:?}"));
        assert_eq!(error["code"], word, "{path}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("cannot ")),
            "{error}"
        );
    }
}

#[test]
fn a_stalled_body_ends_in_time() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/files/s16.flac").stall_at(1_000);
    let url = origin.url("/files/s16.flac");
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "--stall-timeout", "300ms"]);
    run.code(3).chatty().run();
    gate.open();
}
