//! `simulate`: what a session over a made-up link comes to, reckoned by hand and
//! by a replay of its log, and what is refused.

mod replay;
mod stream;

use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use replay::Link;

/// A session over what `home` made.
const SIMULATE: [&str; 5] = [
    "simulate",
    "--ladder",
    "ladder.json",
    "--trace",
    "trace.txt",
];

/// One variant of 64 kbit/s, ten segments of 4 s, with small neighbours.
fn one_variant() -> Value {
    ladder(&[64], 10)
}

/// Variants of these kilobits per second, each segment of exactly that size.
fn ladder(rates: &[u64], segments: usize) -> Value {
    let variant = |(id, kilobits): (usize, &u64)| {
        json!({
            "id": id,
            "average_bandwidth": kilobits * 1000,
            "bandwidth": kilobits * 1100,
            "playlist_bytes": 2000,
            "init_bytes": 500,
            "sizes": vec![kilobits * 500; segments],
        })
    };
    json!({
        "schema": "kithara.abr-ladder/1",
        "name": "made up",
        "master_bytes": 1000,
        "segment_s": vec![4.0; segments],
        "variants": rates.iter().enumerate().map(variant).collect::<Vec<_>>(),
    })
}

/// A home with a ladder and a trace in it.
fn home(ladder: &Value, trace: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    write(&sandbox, "ladder.json", &ladder.to_string());
    write(&sandbox, "trace.txt", trace);
    sandbox
}

fn write(sandbox: &Sandbox, name: &str, text: &str) {
    std::fs::write(sandbox.path(name), text).expect("the working folder can be written");
}

/// Standard output of a session with further arguments.
fn session(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let run = sandbox.kithara(SIMULATE.iter().chain(arguments));
    run.prints().run().text()
}

fn near(value: &Value, want: f64) {
    let got = value.as_f64().unwrap_or(f64::NAN);
    assert!((got - want).abs() < 1e-6, "{got} is not {want}");
}

#[test]
fn a_constant_link_gives_what_one_reckons_by_hand() {
    let sandbox = home(&one_variant(), "0 128 100\n1000 0\n");
    let metrics = session(&sandbox, &["--in-flight", "1", "--json"]);
    let metrics: Value = serde_json::from_str(&metrics).expect("one object");
    // 128 kbit/s are 16 bytes a millisecond. Three round trips and 1000 bytes, one and 2000,
    // one and 500, one and an eighth of 32000.
    let started = (0.3 + 0.0625) + (0.1 + 0.125) + (0.1 + 0.03125) + (0.1 + 0.25);
    near(&metrics["startup_s"], started);
    near(&metrics["mean_kbps"], 64.0);
    near(&metrics["utility"], 0.0);
    near(&metrics["stall_s"], 0.0);
    // With one variant silence costs four seconds of utility 1 each.
    near(&metrics["qoe"], -4.0 * started / 40.0);
    let late = (-(started - 1.0) / 60.0).exp();
    near(
        &metrics["mos"],
        1.0 + 4.0 * (1.0 - (-64.0_f64 / 48.0).exp()) * late,
    );
    assert_eq!(metrics["bytes"], 1000 + 2000 + 500 + 10 * 32_000);
    for nothing in ["stalls", "switches", "wasted_bytes", "aborts", "replaced"] {
        assert_eq!(metrics[nothing], 0, "{nothing} of {metrics}");
    }
}

#[test]
fn an_outage_is_heard_as_long_as_one_reckons_by_hand() {
    let sandbox = home(&one_variant(), "0 128 100\n3 0 100\n20 128 100\n1000 0\n");
    let log = session(&sandbox, &["--in-flight", "1", "--log", "-"]);
    let log: Value = serde_json::from_str(&log).expect("one object");
    // The first segment ends at 2.81875 s; of the second 0.08125 s come before the outage.
    let fell_silent = 1.06875 + 4.0;
    let came_back = 20.0 + (0.25 - 0.08125);
    assert_eq!(log["playback"]["stalls"].as_array().map(Vec::len), Some(1));
    near(&log["playback"]["stalls"][0][0], fell_silent);
    near(&log["playback"]["stalls"][0][1], came_back - fell_silent);
}

#[test]
fn every_log_is_what_the_link_carries_and_the_listener_hears() {
    let links = [
        ("constant", "0 700 80\n1000 0\n"),
        ("step", "0 2000 40\n60 90 40\n200 2000 40\n900 0\n"),
        ("outage", "0 1500 50\n100 0 50\n135 1500 50\n400 0\n"),
        ("far", "0 900 640\n45 250 580\n90 1200 640\n200 0\n"),
        ("slow", "0 45 300\n30 20 500\n50 60 300\n120 0\n"),
    ];
    let settings: [&[&str]; 5] = [
        &["--in-flight", "1"],
        &[],
        &["--in-flight", "4", "--max-buffer", "30"],
        &["--live", "3"],
        &[
            "--cached",
            "1:3-20,3:10-12",
            "--prior",
            "400",
            "--resume",
            "3",
        ],
    ];
    let ladder = ladder(&[32, 64, 128, 256, 1000], 90);
    for (name, trace) in links {
        let (sandbox, link) = (home(&ladder, trace), Link::parse(trace));
        for setting in settings {
            let text = session(&sandbox, &[setting, &["--log", "-"]].concat());
            let log: Value = serde_json::from_str(&text).expect("one object");
            if let Err(fault) = replay::check(&log, &link, &ladder) {
                panic!("{name} {setting:?}: {fault}");
            }
            let again = session(&sandbox, &[setting, &["--log", "-"]].concat());
            assert!(text == again, "{name} {setting:?}: two runs differ");
        }
    }
}

#[test]
fn a_replay_finds_what_is_wrong_in_a_log() {
    let trace = "0 300 50\n40 0 50\n60 300 50\n900 0\n";
    let ladder = ladder(&[32, 64, 128, 256], 40);
    let (sandbox, link) = (home(&ladder, trace), Link::parse(trace));
    let log = session(&sandbox, &["--in-flight", "1", "--log", "-"]);
    let log: Value = serde_json::from_str(&log).expect("one object");
    assert_eq!(replay::check(&log, &link, &ladder), Ok(()));
    let last = log["requests"].as_array().map_or(0, Vec::len) - 1;
    let later = |value: &Value| json!(value.as_f64().expect("a number") + 0.01);
    for change in [
        "/requests/3/t_end",
        "/requests/5/t_req",
        "/playback/started",
    ] {
        let mut other = log.clone();
        let value = other.pointer_mut(change).expect("it is there");
        *value = later(value);
        assert!(replay::check(&other, &link, &ladder).is_err(), "{change}");
    }
    let mut other = log.clone();
    other["requests"][last]["bytes"] = json!(1);
    assert!(replay::check(&other, &link, &ladder).is_err(), "bytes");
}

#[test]
fn the_page_for_people_says_the_same() {
    let sandbox = home(&one_variant(), "0 128 100\n1000 0\n");
    let page = session(&sandbox, &["--in-flight", "1", "--log", "log.json"]);
    for words in ["64 kbit/s", "1.07 s", "323500, 0 of them", "13, 0 given up"] {
        assert!(page.contains(words), "{words:?} is missing in {page}");
    }
    let log = std::fs::read(sandbox.path("log.json")).expect("the log was written");
    let log: Value = serde_json::from_slice(&log).expect("one object");
    assert_eq!(log["schema"], "kithara.abr-log/1");
    assert_eq!(log["requests"].as_array().map(Vec::len), Some(13));
}

#[test]
fn a_ladder_that_was_written_is_the_one_that_was_read() {
    let sandbox = home(&ladder(&[32, 128], 7), "0 100 50\n9 300\n30 0\n");
    let first = session(&sandbox, &["--dump-ladder", "copy.json", "--log", "-"]);
    std::fs::rename(sandbox.path("copy.json"), sandbox.path("ladder.json")).expect("both are here");
    assert_eq!(session(&sandbox, &["--log", "-"]), first);
}

#[test]
fn files_that_are_none_are_refused_in_a_line() {
    let (good, trace) = (one_variant().to_string(), "0 100 50\n9 0\n");
    let huge = good.replace("32000", "99999999999");
    let endless = good.replace("4.0", "1e300");
    let cases = [
        (good.as_str(), "", "times do not ascend"),
        (&good, "0 100\n0 50\n9 0\n", "times do not ascend"),
        (&good, "0 fast\n9 0\n", "line 1"),
        (&good, "0 100 50\n9 -1\n", "line 2"),
        ("{}", trace, "missing field"),
        ("no", trace, "expected"),
        (
            &good.replace("ladder/1", "ladder/2"),
            trace,
            "kithara.abr-ladder/1",
        ),
        (
            &good.replacen("32000,", "", 1),
            trace,
            "one size for each segment",
        ),
        (&huge, trace, "more than 4294967296 bytes"),
        (&endless, trace, "too long"),
    ];
    for (ladder, trace, words) in cases {
        let sandbox = Sandbox::new();
        write(&sandbox, "ladder.json", ladder);
        write(&sandbox, "trace.txt", trace);
        sandbox.kithara(SIMULATE).fails(2, &[words]).run();
    }
    let missing = ["simulate", "--ladder", "none.json", "--trace", "none.txt"];
    Sandbox::new()
        .kithara(missing)
        .fails(2, &["none.txt", "no such file"])
        .run();
}

#[test]
fn a_trace_that_carries_nothing_is_no_network() {
    let sandbox = home(&one_variant(), "0 0 50\n10 0\n");
    sandbox
        .kithara(SIMULATE)
        .fails(3, &["carries nothing"])
        .run();
}

#[test]
fn settings_that_cannot_be_are_refused_in_a_line() {
    let sandbox = home(&one_variant(), "0 100 50\n9 0\n");
    let cases: [(&[&str], &str); 7] = [
        (&["http://127.0.0.1:9/x.m3u8"], "two streams"),
        (&["--log", "-", "--json"], "standard output"),
        (&["--cached", "1:0-3"], "1 variants of 10 segments"),
        (&["--cached", "0:5-10"], "1 variants of 10 segments"),
        (&["--part", "0.00001"], "more than 1000000"),
        (&["--startup", "30", "--max-buffer", "20"], "allows 16 s"),
        (&["--in-flight", "9"], "--in-flight"),
    ];
    for (arguments, words) in cases {
        let run = sandbox.kithara(SIMULATE.iter().chain(arguments));
        run.fails(2, &[words]).run();
    }
    let none = sandbox.kithara(["simulate", "--trace", "trace.txt"]);
    none.fails(2, &["there is no stream", "give a URL or --ladder"])
        .run();
    assert!(!Path::new(&sandbox.path("log.json")).exists());
}
