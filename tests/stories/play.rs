//! `play`: in real time, to a device or to none, stopped in order.

use std::time::Duration;

use rustix::process::Signal;

use crate::{expected, fixture_path, stage};

const STREAM: &str = "/hls/aac128.m3u8";

#[test]
fn every_fixture_plays() {
    let (origin, sandbox) = stage();
    for row in expected() {
        let url = origin.url(&format!("/{}", row.file));
        let run = sandbox
            .kithara(["play", &url, "--ao", "null", "--length", "0.1", "--json"])
            .prints()
            .run();
        let summary = run.summary();
        assert_eq!(summary["decode"]["codec"], row.codec, "{}", row.file);
        assert_eq!(summary["output"]["device"], "null", "{}", row.file);
    }
}

#[test]
fn playing_is_silent_and_takes_as_long_as_the_sound() {
    let (origin, sandbox) = stage();
    let run = sandbox
        .kithara([
            "play",
            &origin.url(STREAM),
            "--ao",
            "null",
            "--length",
            "0.3",
        ])
        .run();
    assert!(
        run.elapsed >= Duration::from_millis(295),
        "{:?}",
        run.elapsed
    );
    let whole = fixture_path("files/f32.wav");
    let run = sandbox
        .kithara(["play", whole.to_str().expect("UTF-8"), "--ao", "null"])
        .run();
    assert!(
        run.elapsed >= Duration::from_millis(980),
        "one second of sound took {:?}",
        run.elapsed
    );
}

#[test]
fn the_summary_counts_what_was_heard_at_the_device_rate() {
    let (origin, sandbox) = stage();
    // 11,025 Hz has to be resampled whatever the null device's rate is.
    for file in [
        "/files/s16.wav",
        "/files/s24.flac",
        "/hls/flac.m3u8",
        "/files/six.wav",
    ] {
        let url = origin.url(file);
        let run = sandbox.kithara([
            "play", &url, "--ao", "null", "--length", "0.3", "--volume", "40", "--json",
        ]);
        let summary = run.prints().run().summary();
        let played = summary["playback"]["played_ms"].as_u64().expect("a number");
        assert!((299..=301).contains(&played), "{file}: {played} ms");
        assert_eq!(
            summary["playback"]["underruns"],
            serde_json::json!([]),
            "{file}"
        );
        assert!(
            summary["output"]["rate"]
                .as_u64()
                .is_some_and(|rate| rate >= 8_000),
            "{summary}"
        );
    }
}

#[test]
fn events_tell_the_states_in_order() {
    let (origin, sandbox) = stage();
    let run = sandbox.kithara([
        "play",
        &origin.url(STREAM),
        "--ao",
        "null",
        "--length",
        "0.2",
        "--json",
    ]);
    let lines = run.prints().run().json_lines();
    let states: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "state")
        .filter_map(|line| line["state"].as_str())
        .collect();
    assert_eq!(states.first(), Some(&"opening"), "{states:?}");
    assert_eq!(states.last(), Some(&"ended"), "{states:?}");
    let place = |state| states.iter().position(|known| *known == state);
    assert!(
        place("playing").is_some_and(|at| at < states.len() - 1),
        "{states:?}"
    );
    assert!(lines.iter().any(|line| line["event"] == "end"), "{lines:?}");
}

#[test]
fn playing_from_the_middle_fetches_nothing_before_it() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/flac.m3u8");
    let run = sandbox.kithara([
        "play", &url, "--ao", "null", "--start", "2", "--length", "0.1", "--json",
    ]);
    let summary = run.prints().run().summary();
    let played = summary["playback"]["played_ms"].as_u64().expect("a number");
    assert!((99..=101).contains(&played), "{played} ms");
    for number in 0..3 {
        assert!(
            origin
                .requests(&format!("/hls/flac-{number}.m4s"))
                .is_empty(),
            "segment {number} ends before 2 s"
        );
    }
}

#[test]
fn a_start_past_the_end_says_so() {
    let (origin, sandbox) = stage();
    sandbox
        .kithara([
            "play",
            &origin.url(STREAM),
            "--ao",
            "null",
            "--start",
            "1:00",
        ])
        .warns(&[])
        .run();
}

#[test]
fn a_signal_ends_the_run_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (origin, sandbox) = stage();
        let run = sandbox.kithara(["play", &origin.url(STREAM), "--ao", "null", "--json"]);
        let running = run.code(code).prints().spawn();
        running.stdout_has("\"playing\"");
        running.signal(signal);
        let summary = running.finish().summary();
        assert!(
            summary["playback"]["played_ms"].as_u64() < Some(3_000),
            "{summary}"
        );
    }
}

#[test]
fn a_signal_is_obeyed_while_the_network_hangs() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/hls/aac128-0.m4s").drip();
    let running = sandbox
        .kithara(["play", &origin.url(STREAM), "--ao", "null"])
        .code(130)
        .spawn();
    gate.wait_until_reached();
    running.signal(Signal::INT);
    running.finish();
}

#[test]
fn a_slow_start_is_waited_for() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/hls/aac128-0.m4s").drip();
    let url = origin.url(STREAM);
    let running = sandbox
        .kithara(["play", &url, "--ao", "null", "--length", "0.2", "--json"])
        .prints()
        .spawn();
    gate.wait_until_reached();
    gate.open();
    let summary = running.finish().summary();
    let played = summary["playback"]["played_ms"].as_u64().expect("a number");
    assert!((199..=201).contains(&played), "{summary}");
}
