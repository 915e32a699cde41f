//! Warm starts: what is stored is played at once, whatever the network does,
//! and the server is asked behind the sound whether it still holds.

use crate::cache::offline;
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::{bytes, dump, expected_of, stage};

const MASTER: &str = "/hls/master.m3u8";
const FLAC: &str = "/hls/flac.m3u8";
const FILE: &str = "/files/s16.flac";

/// Plays once, so that everything of it is stored.
fn stored(path: &str) -> (Origin, Sandbox, String) {
    let (origin, sandbox) = stage();
    let url = origin.url(path);
    sandbox.kithara(["cache", &url]).run();
    origin.clear_log();
    (origin, sandbox, url)
}

#[test]
fn a_stored_stream_needs_no_answer_of_the_server() {
    for (path, file) in [(FLAC, "hls/flac.m3u8"), (FILE, "files/s16.flac")] {
        let (origin, sandbox, url) = stored(path);
        // No answer comes before the run is over.
        origin.on(path).latency(60_000);
        expected_of(file).check(&dump(&sandbox, &url, &[]));
        assert!(origin.log().iter().all(|request| request.path == path));
    }
}

#[test]
fn what_was_used_unasked_is_asked_about_by_its_validator() {
    let (origin, sandbox, url) = stored(FLAC);
    let play = ["play", &url, "--ao", "null"];
    sandbox.kithara(play).run();
    let log = origin.log();
    let asked: Vec<_> = log.iter().map(|request| request.path.as_str()).collect();
    let segments = (0..6).map(|number| format!("/hls/flac-{number}.m4s"));
    let mut all: Vec<String> = ["/hls/flac.m3u8", "/hls/flac-init.mp4"]
        .map(str::to_owned)
        .into_iter()
        .chain(segments)
        .collect();
    let mut asked: Vec<String> = asked.into_iter().map(str::to_owned).collect();
    all.sort();
    asked.sort();
    assert_eq!(asked, all, "each once");
    for request in log {
        assert!(
            request.header("if-none-match").is_some(),
            "{}",
            request.path
        );
        assert_eq!((request.status, request.sent), (304, 0), "{}", request.path);
    }
}

#[test]
fn even_the_shortest_run_asks_about_the_playlist() {
    let (origin, sandbox, url) = stored(FLAC);
    dump(&sandbox, &url, &["--length", "0.1"]);
    let lists = origin.requests(FLAC);
    assert_eq!(lists.len(), 1);
    assert_eq!(lists[0].status, 304);
}

#[test]
fn a_stream_that_changed_is_played_anew_from_the_next_run_on() {
    for changed in ["/hls/flac.m3u8", "/hls/flac-0.m4s"] {
        let (origin, sandbox, url) = stored(FLAC);
        match changed.ends_with("m3u8") {
            true => {
                // Without its last segment.
                let text = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
                let last = text.rfind("#EXTINF").expect("a segment");
                let text = format!("{}#EXT-X-ENDLIST\n", &text[..last]);
                origin.serve(changed, "application/vnd.apple.mpegurl", text.into_bytes());
            }
            // The sound of the second one comes twice.
            false => origin.serve(changed, "audio/mp4", bytes("hls/flac-1.m4s")),
        }
        let play = ["play", &url, "--ao", "null"];
        sandbox
            .kithara(play)
            .warns(&["the stream has changed on the server"])
            .run();
        // Found once, the old copy is not what a run with a network gets.
        let fresh = dump(&sandbox, &url, &["--no-cache"]);
        origin.clear_log();
        let next = dump(&sandbox, &url, &[]);
        assert_eq!(next.floats(), fresh.floats(), "{changed}");
        assert_eq!(origin.requests(changed)[0].status, 200, "{changed}");
        // What did not change was not sent again.
        let same = origin.requests("/hls/flac-2.m4s");
        assert!(
            same.iter().all(|request| request.status == 304),
            "{changed}"
        );
        // And it is trusted again.
        origin.on(FLAC).latency(60_000);
        assert_eq!(
            dump(&sandbox, &url, &[]).floats(),
            fresh.floats(),
            "{changed}"
        );
    }
}

#[test]
fn an_outdated_copy_still_plays_offline() {
    let (origin, sandbox, url) = stored(FILE);
    origin.serve(FILE, "audio/flac", bytes("files/lame.mp3"));
    sandbox
        .kithara(["dump", &url, "-o", "old.wav"])
        .warns(&["the stream has changed on the server"])
        .run();
    origin.shut_down();
    offline(&sandbox, &url, "files/s16.flac");
    sandbox
        .kithara(["dump", &url, "-o", "down.wav"])
        .chatty()
        .run();
}

#[test]
fn addresses_that_are_signed_anew_each_time_are_no_change() {
    let (origin, sandbox) = stage();
    let text = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    let signed = |day: &str| {
        let text = text.replace(".m4s", &format!(".m4s?signed={day}"));
        text.replace("init.mp4", &format!("init.mp4?signed={day}"))
    };
    let kind = "application/vnd.apple.mpegurl";
    origin.serve("/hls/signed.m3u8", kind, signed("monday").into_bytes());
    let url = origin.url("/hls/signed.m3u8");
    let first = dump(&sandbox, &url, &[]);
    origin.serve("/hls/signed.m3u8", kind, signed("tuesday").into_bytes());
    for _ in 0..2 {
        assert_eq!(dump(&sandbox, &url, &[]).floats(), first.floats());
    }
    origin.shut_down();
    offline(&sandbox, &url, "hls/flac.m3u8");
}

#[test]
fn a_stored_playlist_that_leads_astray_is_asked_for_again() {
    let (origin, sandbox) = stage();
    let kind = "application/vnd.apple.mpegurl";
    let list = |day: &str| {
        let row = |name: &str, rate| {
            format!("#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS=\"mp4a.40.2\"\n{name}.m3u8?{day}\n")
        };
        format!(
            "#EXTM3U\n{}{}",
            row("aac64", 80_000),
            row("aac128", 150_000)
        )
        .into_bytes()
    };
    origin.serve("/hls/days.m3u8", kind, list("monday"));
    let url = origin.url("/hls/days.m3u8");
    sandbox.kithara(["cache", &url, "-Q", "best"]).run();
    origin.serve("/hls/days.m3u8", kind, list("tuesday"));
    origin.on("/hls/aac64.m3u8").status(404).times(1);
    expected_of("hls/aac64.m3u8").check(&dump(&sandbox, &url, &["-Q", "worst"]));
    let asked = origin.requests("/hls/aac64.m3u8");
    let asked: Vec<_> = asked
        .iter()
        .map(|request| request.query.as_deref())
        .collect();
    assert_eq!(asked, [Some("monday"), Some("tuesday")]);
}

#[test]
fn the_best_variant_that_is_stored_begins_at_once() {
    let (origin, sandbox) = stage();
    let url = origin.url(MASTER);
    sandbox.kithara(["cache", &url, "-Q", "best"]).run();
    origin.on(MASTER).latency(60_000);
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &url, &["-Q", "auto"]));
}

#[test]
fn refresh_and_cache_ask_first() {
    for arguments in [["dump", "--refresh"], ["cache", "-q"]] {
        let (origin, sandbox, url) = stored(FLAC);
        let mut command = vec![arguments[0], &url, arguments[1]];
        if arguments[0] == "dump" {
            command.extend(["-o", "x.wav"]);
        }
        sandbox.kithara(command).run();
        assert_eq!(origin.log()[0].path, FLAC, "{arguments:?}");
        assert_eq!(origin.log()[0].status, 304, "{arguments:?}");
    }
}
