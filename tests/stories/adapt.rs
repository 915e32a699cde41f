//! Adaptive bitrate: a variant that does not come is left for one that does,
//! every decision can be asked again, and `play` and `simulate` have them from
//! one controller.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, json_lines};
use crate::wav::{self, Sound};
use crate::{expected_of, local_list, stage};

const AAC: &str = "/hls/aac.m3u8"; // 64 and 128 kbit/s
const START: &str = "aac128"; // what auto begins with when nothing is known

/// The variant of each whole segment in the order they were asked for.
fn asked(trace: &str) -> Vec<(u64, u64)> {
    let lines = json_lines(trace);
    let is_whole = |line: &&Value| line["kind"] == "segment" && line["status"] == 200;
    let segments = lines.iter().filter(is_whole);
    let number = |line: &Value, key: &str| line[key].as_u64().expect("a number");
    segments
        .map(|line| (number(line, "segment"), number(line, "variant")))
        .collect()
}

fn recorded(sandbox: &Sandbox, url: &str, more: &[&str]) -> String {
    let fixed = ["stats", url, "--no-cache", "--json", "--trace-out", "trace"];
    let run = sandbox.kithara(fixed.iter().chain(more));
    run.prints().run();
    std::fs::read_to_string(sandbox.path("trace")).expect("the trace")
}

#[test]
fn a_segment_that_stops_half_way_goes_on_in_another_variant() {
    for (place, bytes) in [(0, 0), (0, 3_000), (1, 4_000), (3, 2_000)] {
        let (origin, sandbox) = stage();
        let path = format!("/hls/{START}-{place}.m4s");
        let gate = origin.on(&path).stall_at(bytes);
        let list = local_list(&origin, &sandbox, AAC);
        let arguments = ["dump", &list, "-Q", "auto", "-o", "x.wav"];
        sandbox.kithara(arguments).run();
        gate.open();
        let asked = |path: &str| origin.log().iter().any(|request| request.path == path);
        assert!(asked(&path), "{place}, {bytes}: it was asked for");
        let other = format!("/hls/aac64-{place}.m4s");
        assert!(asked(&other), "{place}, {bytes}: and then the other one");
        let sound = Sound::open(&sandbox.path("x.wav"));
        let want = expected_of("hls/aac64.m3u8").frames;
        assert_eq!(sound.frames(), want, "{place}, {bytes}");
        let (shift, at) = wav::worst_shift(&sound, 0);
        assert!(shift < 0.5, "{place}, {bytes}: {shift} of a sample at {at}");
    }
}

#[test]
fn a_recorded_run_is_decided_again_in_the_same_way() {
    let (origin, sandbox) = stage();
    let trace = recorded(&sandbox, &origin.url("/hls/master.m3u8"), &[]);
    let lines = json_lines(&trace);
    let opened = lines.iter().filter(|line| line["say"] == "opened");
    // The first wait was for the connection too, and is no measure.
    let waits: Vec<_> = opened.map(|line| line["first_byte_ns"].is_u64()).collect();
    assert_eq!(waits, [false, true], "both playlists are told");
    let replay = |more: &[&str]| {
        let fixed = ["stats", "--replay", "trace", "--json"];
        let run = sandbox.kithara(fixed.iter().chain(more));
        run.prints().run().json()
    };
    let same = replay(&[]);
    assert_eq!(same["type"], "replay");
    assert_eq!(same["differences"], json!([]));
    assert_eq!(same["recorded_kbps"], same["replayed_kbps"]);
    assert!(same["questions"]["rung"].as_u64() >= Some(6), "{same}");
    let other = replay(&["--algorithm", "buffer"]);
    assert_eq!(other["questions"], same["questions"]);
    assert_eq!(other["recorded_kbps"], same["recorded_kbps"]);
    assert_ne!(
        other["differences"],
        json!([]),
        "three seconds are no buffer"
    );
    let text = sandbox
        .kithara(["stats", "--replay", "trace"])
        .prints()
        .run();
    assert!(text.text().contains(", 0 others"), "{}", text.text());
}

#[test]
fn what_cannot_be_replayed_is_said_in_one_line() {
    let (origin, sandbox) = stage();
    std::fs::write(sandbox.path("none"), "{\"type\":\"request\"}\n").expect("written");
    std::fs::write(sandbox.path("broken"), "no trace\n").expect("written");
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["--replay", "none"],
            &["cannot replay \"none\"", "-Q auto"],
        ),
        (
            &["--replay", "broken"],
            &["cannot replay \"broken\"", "line 1"],
        ),
        (&["--replay", "nowhere"], &["cannot replay \"nowhere\""]),
        (&[], &["<URL>"]),
        (
            &["--replay", "none", &origin.url(AAC)],
            &["cannot be used with"],
        ),
    ];
    for (arguments, words) in cases {
        let run = sandbox.kithara(["stats"].iter().chain(arguments));
        run.fails(2, words).run();
    }
}

#[test]
fn play_and_simulate_have_their_decisions_from_one_controller() {
    let (origin, sandbox) = stage();
    let url = origin.url(AAC);
    std::fs::write(sandbox.path("link"), "0 5000 20\n100 0\n").expect("written");
    let heard = |algorithm: &str| {
        let trace = recorded(&sandbox, &url, &["--algorithm", algorithm]);
        let mut variants = asked(&trace);
        variants.retain(|(segment, _)| *segment > 0);
        variants
    };
    let simulated = |algorithm: &str| -> Vec<(u64, u64)> {
        let log = sandbox.kithara([
            "simulate",
            &url,
            "--trace",
            "link",
            "--log",
            "-",
            "--algorithm",
            algorithm,
        ]);
        let log = log.prints().run().json();
        let requests = log["requests"].as_array().expect("a list").clone();
        let is_whole = |one: &&Value| one["kind"] == "segment" && one["t_abort"].is_null();
        let segments = requests.iter().filter(is_whole);
        let pair = |one: &Value| Some((one["segment"].as_u64()?, one["variant"].as_u64()?));
        let mut pairs: Vec<_> = segments.filter_map(pair).collect();
        pairs.retain(|(segment, _)| *segment > 0);
        pairs
    };
    // A rule that looks at the buffer alone, which is never more than three seconds.
    assert!(heard("buffer").iter().all(|(_, variant)| *variant == 0));
    assert!(simulated("buffer").iter().all(|(_, variant)| *variant == 0));
    assert!(heard("throughput").iter().all(|(_, variant)| *variant == 1));
    assert!(
        simulated("throughput")
            .iter()
            .all(|(_, variant)| *variant == 1)
    );
}

#[test]
fn a_request_that_another_overtakes_is_sent_again_and_goes_on_where_it_was() {
    let cases = [
        // the list; -Q; the segment that stops, and after how many bytes
        ("aac64", "auto", 2, 1_000),
        ("aac", "auto", 2, 1_000),
        ("aac", "auto", 0, 2_000),
        ("aac", "worst", 3, 0),
    ];
    for (list, quality, place, bytes) in cases {
        let (origin, sandbox) = stage();
        let path = format!("/hls/aac64-{place}.m4s");
        let gate = origin.on(&path).times(1).stall_at(bytes);
        let url = origin.url(&format!("/hls/{list}.m3u8"));
        // Longer than the whole test may take: nothing else helps.
        let patient = ["--stall-timeout", "120", "-o", "x.wav"];
        let run = ["dump", &url, "-Q", quality];
        sandbox.kithara(run.iter().chain(&patient)).run();
        gate.open();
        let requests = origin.requests(&path);
        let ranges: Vec<_> = requests
            .iter()
            .map(|request| request.header("range"))
            .collect();
        let rest = (bytes > 0).then(|| format!("bytes={bytes}-"));
        assert_eq!(
            ranges,
            [None, rest.as_deref()],
            "{list}, {quality}, {place}"
        );
        let frames = Sound::open(&sandbox.path("x.wav")).frames();
        let want = expected_of("hls/aac64.m3u8").frames;
        assert_eq!(frames, want, "{list}, {quality}, {place}");
    }
}
