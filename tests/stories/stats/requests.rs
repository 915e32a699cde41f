//! Requests one by one: how long they took, what they wasted, what the sound
//! waited for.

use serde_json::{Value, json};

use super::number;
use crate::stage;

/// The row of one kind of request.
fn timing<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let rows = report["network"]["timing"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["kind"] == kind);
    row.unwrap_or_else(|| panic!("no {kind} in {rows:?}"))
}

#[test]
fn each_kind_of_request_has_its_times_and_what_came_for_it() {
    let (origin, sandbox) = stage();
    origin.on("/hls/aac128-init.mp4").latency(150);
    origin.on("/hls/aac128-1.m4s").latency(250);
    let url = origin.url("/hls/aac.m3u8");
    let run = sandbox.kithara(["stats", &url, "-Q", "1", "--json"]);
    let report = run.prints().run().json();
    for (kind, end, count) in [
        ("playlist", ".m3u8", 2),
        ("init", ".mp4", 1),
        ("segment", ".m4s", 6),
    ] {
        let row = timing(&report, kind);
        let log = origin.log();
        let seen = log.iter().filter(|request| request.path.ends_with(end));
        let bytes: u64 = seen.map(|request| request.sent).sum();
        let counts = ["count", "failed", "bytes"].map(|name| number(&row[name]));
        assert_eq!(counts, [count, 0, bytes], "{kind}");
        let first = &row["first_byte_ms"];
        let values = ["min", "p10", "median", "p90", "max"];
        let values = values.map(|name| first[name].as_f64().expect("a time"));
        assert!(values.is_sorted(), "{kind}: {first}");
    }
    let least = |kind, name| timing(&report, kind)["first_byte_ms"][name].as_f64();
    assert!(least("init", "min") >= Some(150.0));
    assert!(least("segment", "max") >= Some(250.0));
    // Of six segments five came without that wait.
    assert!(least("segment", "median") < least("segment", "max"));
    // Segments of 8 kB come with their head: no rate.
    assert_eq!(timing(&report, "segment")["kbps"], Value::Null);
    let made = &report["network"]["connect_ms"];
    assert!(made["max"].as_f64() > Some(0.0), "{made}");
    assert_eq!(report["network"]["wasted"], json!([]));
}

#[test]
fn the_rate_of_a_body_is_that_behind_its_first_byte() {
    let (origin, sandbox) = stage();
    origin.on("/files/s16.wav").latency(300);
    let url = origin.url("/files/s16.wav");
    let run = sandbox.kithara(["stats", &url, "--length", "0.3", "--json"]);
    let report = run.prints().run().json();
    let row = timing(&report, "file");
    let whole = number(&row["bytes"]) as f64 * 8.0; // bits in a millisecond, if it took one
    assert!(row["first_byte_ms"]["min"].as_f64() >= Some(300.0));
    // With the wait in it the rate could not be above this.
    assert!(
        row["kbps"]["median"].as_f64() > Some(whole / 300.0),
        "{row}"
    );
}

#[test]
fn what_fails_and_what_comes_twice_are_counted_by_themselves() {
    let (origin, sandbox) = stage();
    origin.on("/files/s16.flac").truncate_at(40_000).times(1);
    origin
        .on("/files/s16.flac")
        .status(503)
        .retry_after("0")
        .times(2);
    origin.on("/files/s16.flac").ignore_range();
    let url = origin.url("/files/s16.flac");
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "--json"]);
    let summary = run.prints().chatty().run().summary();
    let row = timing(&summary, "file");
    assert_eq!((number(&row["count"]), number(&row["failed"])), (1, 3));
    let wasted = json!([{"cause": "repeated", "bytes": 40_000}]);
    assert_eq!(summary["network"]["wasted"], wasted);
    assert_eq!(number(&summary["network"]["wasted_bytes"]), 40_000);
}

#[test]
fn bytes_that_nobody_asked_for_are_named_so() {
    let (origin, sandbox) = stage();
    // Segments are parts of one file, and the server always sends all of it.
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"/hls/aac128-init.mp4\"\n\
        #EXTINF:0.5,\n#EXT-X-BYTERANGE:100@0\n/hls/aac128-0.m4s\n#EXT-X-ENDLIST\n";
    let kind = "application/vnd.apple.mpegurl";
    origin.serve("/part.m3u8", kind, list.as_bytes().to_vec());
    origin.on("/hls/aac128-0.m4s").ignore_range();
    let url = origin.url("/part.m3u8");
    let run = sandbox.kithara(["cache", &url, "--json"]).prints();
    let summary = run.chatty().run().summary();
    let wasted = summary["network"]["wasted"].as_array().expect("a list");
    let causes: Vec<_> = wasted.iter().map(|one| &one["cause"]).collect();
    assert_eq!(causes, ["unasked"], "{wasted:?}");
}

#[test]
fn a_stall_names_its_cause_and_the_request_it_waited_for() {
    let (origin, sandbox) = stage();
    // Half a second each: what comes 2.5 s after it was asked for is late.
    origin.on("/hls/aac128-3.m4s").latency(2_500);
    let url = origin.url("/hls/aac.m3u8");
    let run = sandbox.kithara(["stats", &url, "-Q", "1", "--json"]);
    let report = run.prints().run().json();
    let rebuffer = &report["playback"]["rebuffer"];
    assert_eq!(number(&rebuffer["count"]), 1, "{rebuffer}");
    let stall = &rebuffer["stalls"][0];
    assert_eq!(stall["cause"], "network");
    assert_eq!(stall["duration_ms"], rebuffer["total_ms"]);
    let waited = &stall["waited_for"];
    assert_eq!(
        (&waited["kind"], &waited["segment"]),
        (&json!("segment"), &json!(3))
    );
    assert_eq!(
        (&waited["variant"], &waited["status"]),
        (&json!(1), &json!(200))
    );
    assert!(
        waited["first_byte_ms"].as_f64() >= Some(2_500.0),
        "{waited}"
    );
    // Where the sound stopped: at the end of the third segment.
    let at = number(&stall["pos_ms"]);
    assert!((1_700..=1_850).contains(&at), "{stall}");
}

#[test]
fn the_buffer_is_told_second_by_second() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/aac.m3u8");
    let run = sandbox.kithara(["stats", &url, "-Q", "1", "--json"]);
    let report = run.prints().run().json();
    let over = &report["buffer"]["over_time"];
    assert_eq!(over["every_ms"], 1_000);
    let points = over["ahead_ms"].as_array().expect("a list");
    let points: Vec<_> = points.iter().map(number).collect();
    assert!((3..=5).contains(&points.len()), "{points:?}");
    assert!(points.iter().all(|ahead| *ahead <= 3_000), "{points:?}");
    // All of it comes at once and is heard from then on.
    assert!(points.iter().rev().is_sorted(), "{points:?}");
    assert!(points.last() < Some(&600), "{points:?}");
    let least = report["buffer"]["ahead_ms"]["min"].as_u64();
    assert_eq!(points.iter().min().copied(), least);
}
