//! `cache` of a live stream: it is recorded, and the recording is a stream that
//! plays from its beginning.

use crate::encryption::{KEY, serve_media};
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_break};
use crate::{dump, expected_of, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const LIVE: &str = "/hls/live.m3u8";
/// Frames of the segments of hls/flac.m3u8.
const FRAMES: [usize; 6] = [23_040, 23_040, 23_040, 23_040, 18_432, 21_708];

/// Segments `from` to `to` with numbers from `number` on, below `tags`.
fn page(number: usize, tags: &str, from: usize, to: usize, end: &str) -> Vec<u8> {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{number}\n#EXT-X-MAP:URI=\"flac-init.mp4\"\n{tags}"
    );
    for (segment, frames) in FRAMES.iter().enumerate().take(to).skip(from) {
        let seconds = *frames as f64 / 44_100.0;
        text += &format!("#EXTINF:{seconds:.6},\nflac-{segment}.m4s\n");
    }
    (text + end).into_bytes()
}

fn open(from: usize, to: usize) -> Vec<u8> {
    page(from, "", from, to, "")
}

fn ended(from: usize, to: usize) -> Vec<u8> {
    page(from, "", from, to, "#EXT-X-ENDLIST\n")
}

fn live(pages: Vec<Vec<u8>>) -> (Origin, Sandbox) {
    let (origin, sandbox) = stage();
    origin.serve_in_turn(LIVE, KIND, pages);
    (origin, sandbox)
}

/// What is recorded of it, without a network; its frames.
fn recorded(origin: &Origin, sandbox: &Sandbox) -> Sound {
    origin.shut_down();
    dump(sandbox, &origin.url(LIVE), &["--offline"])
}

#[test]
fn a_live_stream_is_recorded_to_its_end_and_plays_from_its_beginning() {
    let (origin, sandbox) = live(vec![open(0, 3), open(1, 4), open(2, 5), ended(3, 6)]);
    let url = origin.url(LIVE);
    sandbox.kithara(["cache", &url, "--live-start"]).run();
    expected_of("hls/flac.m3u8").check(&recorded(&origin, &sandbox));
    sandbox
        .kithara(["play", &url, "--offline", "--ao", "null", "--length", "0.1"])
        .run();
    let json = sandbox
        .kithara(["cache", "ls", "--json"])
        .prints()
        .run()
        .json();
    let row = &json["streams"][0];
    assert_eq!(
        (&row["recording"], &row["complete"]),
        (&true.into(), &true.into()),
        "{row}"
    );
    assert_eq!(
        (&row["duration_ms"], &row["segments"]),
        (&3000.into(), &6.into()),
        "{row}"
    );
    let table = sandbox.kithara(["cache", "ls"]).prints().run().text();
    assert!(table.contains("recorded"), "{table}");
    sandbox.kithara(["cache", "export", &url, "out"]).run();
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, "out/index.m3u8", &[]));
    sandbox.kithara(["cache", "verify"]).prints().run();
}

#[test]
fn a_recording_is_as_long_as_it_was_to_be() {
    let (origin, sandbox) = live(vec![open(0, 3), open(0, 4)]);
    let url = origin.url(LIVE);
    sandbox
        .kithara(["cache", &url, "--live-start", "--length", "1"])
        .run();
    assert_eq!(origin.requests("/hls/flac-2.m4s").len(), 0);
    let sound = recorded(&origin, &sandbox);
    assert_eq!(sound.frames(), 2 * FRAMES[0]);
    assert_eq!(first_break(&sound, 0), None);
}

#[test]
fn what_was_recorded_until_a_signal_plays() {
    for (signal, code) in [
        (rustix::process::Signal::INT, 130),
        (rustix::process::Signal::KILL, 137),
    ] {
        let (origin, sandbox) = live(vec![open(0, 2)]);
        let url = origin.url(LIVE);
        let run = sandbox
            .kithara(["cache", &url, "--live-start", "--json"])
            .prints()
            .code(code)
            .spawn();
        run.stdout_has("\"event\":\"progress\",");
        run.stdout_has("\"segments\":2");
        // The list is asked for again only after what it lists was recorded.
        while origin.requests(LIVE).len() < 2 {
            std::thread::yield_now();
        }
        run.signal(signal);
        run.finish();
        let sound = recorded(&origin, &sandbox);
        assert_eq!(sound.frames(), 2 * FRAMES[0], "{code}");
        assert_eq!(first_break(&sound, 0), None, "{code}");
    }
}

#[test]
fn what_was_lost_is_a_gap_of_its_length() {
    let (origin, sandbox) = live(vec![open(0, 2), ended(4, 6)]);
    sandbox
        .kithara(["cache", &origin.url(LIVE), "--live-start"])
        .warns(&["2 segments left the playlist before they were fetched"])
        .run();
    let sound = recorded(&origin, &sandbox);
    assert_eq!(sound.frames(), 132_300);
    let lost = sound.slice(2 * FRAMES[0], 2 * FRAMES[0]);
    assert!(
        lost.integers()
            .expect("integers")
            .iter()
            .all(|sample| *sample == 0)
    );
    assert_eq!(
        first_break(&sound.slice(4 * FRAMES[0], FRAMES[4]), 4 * FRAMES[0]),
        None
    );
}

#[test]
fn a_segment_that_is_refused_is_a_gap_too() {
    let (origin, sandbox) = live(vec![open(0, 3), ended(0, 6)]);
    origin.on("/hls/flac-1.m4s").status(404);
    sandbox
        .kithara(["cache", &origin.url(LIVE), "--live-start"])
        .warns(&["404"])
        .run();
    let sound = recorded(&origin, &sandbox);
    assert_eq!(sound.frames(), 132_300);
    assert_eq!(first_break(&sound.slice(0, FRAMES[0]), 0), None);
    assert_eq!(
        first_break(&sound.slice(2 * FRAMES[0], FRAMES[2]), 2 * FRAMES[0]),
        None
    );
}

#[test]
fn an_encrypted_live_stream_keeps_its_keys_and_vectors() {
    let (origin, sandbox) = stage();
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"key?token=hush\"\n";
    serve_media(&origin, "/enc", |number| Some((KEY, 70 + number as u128)));
    origin.serve("/enc/key", "application/octet-stream", KEY.to_vec());
    let pages = vec![
        page(70, key, 0, 3, ""),
        page(72, key, 2, 6, "#EXT-X-ENDLIST\n"),
    ];
    origin.serve_in_turn("/enc/live.m3u8", KIND, pages);
    let url = origin.url("/enc/live.m3u8");
    sandbox.kithara(["cache", &url, "--live-start"]).run();
    sandbox.kithara(["cache", "export", &url, "out"]).run();
    origin.shut_down();
    for input in [(url.as_str(), &["--offline"][..]), ("out/index.m3u8", &[])] {
        expected_of("hls/flac.m3u8").check(&dump(&sandbox, input.0, input.1));
    }
}

#[test]
fn another_recording_takes_the_place_of_the_first() {
    let (origin, sandbox) = live(vec![open(0, 2), ended(0, 2)]);
    let url = origin.url(LIVE);
    sandbox.kithara(["cache", &url, "--live-start"]).run();
    origin.serve_in_turn(LIVE, KIND, vec![open(2, 4), ended(2, 4)]);
    sandbox.kithara(["cache", &url, "--live-start"]).run();
    let json = sandbox
        .kithara(["cache", "ls", "--json"])
        .prints()
        .run()
        .json();
    // An init section, two segments and their list.
    assert_eq!(json["streams"][0]["entries"], 4, "{json}");
    let sound = recorded(&origin, &sandbox);
    assert_eq!(sound.frames(), 2 * FRAMES[0]);
    assert_eq!(first_break(&sound, 2 * FRAMES[0]), None);
}

#[test]
fn a_stream_that_begins_anew_under_the_same_names_is_not_mixed_in() {
    let (origin, sandbox) = live(vec![page(100, "", 0, 3, ""), page(5, "", 1, 4, "")]);
    sandbox
        .kithara(["cache", &origin.url(LIVE), "--live-start"])
        .fails(5, &["begins anew"])
        .run();
    let sound = recorded(&origin, &sandbox);
    assert_eq!(sound.frames(), 3 * FRAMES[0]);
    assert_eq!(first_break(&sound, 0), None);
}

#[test]
fn a_recording_is_not_what_plays_while_the_stream_is_on() {
    let (origin, sandbox) = live(vec![open(0, 2), ended(0, 2)]);
    let url = origin.url(LIVE);
    sandbox.kithara(["cache", &url, "--live-start"]).run();
    origin.serve_in_turn(LIVE, KIND, vec![open(2, 4), ended(2, 6)]);
    let sound = dump(&sandbox, &url, &["--live-start"]);
    assert_eq!(sound.frames(), 132_300 - 2 * FRAMES[0]);
    assert_eq!(first_break(&sound, 2 * FRAMES[0]), None);
}

#[test]
fn a_stream_that_is_stored_after_its_end_is_no_recording_any_more() {
    let (origin, sandbox) = live(vec![open(0, 2), ended(0, 6)]);
    let url = origin.url(LIVE);
    let record = ["cache", &url, "--live-start", "--length", "1"];
    sandbox.kithara(record).run();
    sandbox.kithara(["cache", &url]).run();
    let list = sandbox.kithara(["cache", "ls"]).prints().run().text();
    assert!(
        list.contains("complete") && !list.contains("recorded"),
        "{list}"
    );
    expected_of("hls/flac.m3u8").check(&recorded(&origin, &sandbox));
}

#[test]
fn a_second_recorder_of_the_same_stream_is_refused() {
    let (origin, sandbox) = live(vec![open(0, 2)]);
    let url = origin.url(LIVE);
    let first = sandbox
        .kithara(["cache", &url, "--live-start"])
        .code(130)
        .spawn();
    while origin.requests(LIVE).len() < 2 {
        std::thread::yield_now();
    }
    let second = ["cache", &url, "--live-start"];
    sandbox.kithara(second).fails(7, &["another run"]).run();
    first.signal(rustix::process::Signal::INT);
    first.finish();
    assert_eq!(recorded(&origin, &sandbox).frames(), 2 * FRAMES[0]);
}
