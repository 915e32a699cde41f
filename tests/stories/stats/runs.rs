//! `stats -n`: the same again and again, from cold.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::number;
use crate::origin::Origin;
use crate::stage;

const LIST: &str = "/hls/aac128.m3u8";
const SHORT: [&str; 2] = ["--length", "0.3"];

/// How often the first segment was asked for, and with which answers.
fn asked(origin: &Origin) -> Vec<u16> {
    let requests = origin.requests("/hls/aac128-0.m4s");
    requests.iter().map(|request| request.status).collect()
}

fn medians_are_right(report: &Value) {
    let of = |pick: fn(&Value) -> f64| {
        let runs = report["runs"].as_array().expect("a list");
        let mut values: Vec<_> = runs.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let startup = of(|run| run["startup"]["total_ms"].as_f64().expect("a time"));
    let bytes = of(|run| number(&run["network"]["bytes"]) as f64);
    let median = &report["median"];
    assert_eq!(median["startup_ms"].as_f64(), Some(startup), "{median}");
    assert_eq!(median["bytes"].as_f64(), Some(bytes), "{median}");
    assert_eq!(median["played_ms"].as_f64(), Some(300.0), "{median}");
    assert_eq!(median["rebuffers"].as_f64(), Some(0.0), "{median}");
}

#[test]
fn every_run_is_cold_and_the_medians_are_of_all() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST);
    let words = ["stats", &url, "-n", "3", "--json"];
    let run = sandbox.kithara(words.iter().chain(&SHORT)).prints().run();
    let report = run.json();
    let head = ["schema", "type"].map(|name| &report[name]);
    assert_eq!(head, [&json!(1), &json!("runs")]);
    let runs = report["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 3);
    for run in runs {
        assert_eq!(
            (&run["end"], &run["type"]),
            (&json!("ended"), &json!("summary"))
        );
        assert_eq!(number(&run["cache"]["hit_bytes"]), 0);
        let connections = number(&run["network"]["connections"]);
        assert!(connections > 0, "connections of its own");
        let stages = run["startup"]["stages"].as_array().expect("a list");
        assert!(stages.iter().all(|stage| stage["name"] != "process"));
    }
    assert_eq!(asked(&origin), [200, 200, 200]);
    assert!(sandbox.cache_files().is_empty(), "nothing is left");
    medians_are_right(&report);
}

#[test]
fn warm_runs_find_what_the_first_one_brought() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST);
    let words = ["stats", &url, "-n", "2", "--warm", "--json"];
    let run = sandbox.kithara(words.iter().chain(&SHORT)).prints().run();
    let report = run.json();
    let hits = [0, 1].map(|run| number(&report["runs"][run]["cache"]["hit_bytes"]));
    assert!(hits[0] == 0 && hits[1] > 0, "{hits:?}");
    assert_eq!(asked(&origin)[0], 200);
    assert!(asked(&origin)[1..].iter().all(|status| *status == 304));
    sandbox
        .kithara(["stats", &url, "--warm"])
        .fails(2, &["--warm", "-n"])
        .run();
    origin.shut_down();
    // The user says how the cache is used: there is no network now.
    let words = ["stats", &url, "-n", "2", "--offline", "--json"];
    let run = sandbox.kithara(words.iter().chain(&SHORT)).prints().run();
    let bytes = run.json()["median"]["bytes"].as_f64();
    assert_eq!(bytes, Some(0.0));
}

#[test]
fn people_get_a_line_for_each_run_and_one_for_the_medians() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST);
    let words = ["stats", &url, "-n", "2"];
    let run = sandbox.kithara(words.iter().chain(&SHORT)).prints().run();
    let text = run.text();
    let first: Vec<_> = text
        .lines()
        .map(|line| line.get(..8).unwrap_or_default().trim())
        .collect();
    assert_eq!(first, ["", "", "run 1", "run 2", "median"], "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(
        text.lines().skip(2).all(|line| line.ends_with(" kB")),
        "{text}"
    );
}

#[test]
fn ctrl_c_in_a_later_run_prints_what_there_is() {
    for (format, code) in [("text", 130), ("json", 130)] {
        let (origin, sandbox) = stage();
        origin.on("/hls/aac128-0.m4s").times(1);
        let gate = origin.on("/hls/aac128-0.m4s").stall_at(4_000);
        let url = origin.url(LIST);
        let mut words = vec!["stats", &url, "-n", "3", "--length", "0.3"];
        if format == "json" {
            words.push("--json");
        }
        let running = sandbox.kithara(words).code(code).prints().spawn();
        gate.wait_until_reached();
        running.signal(Signal::INT);
        let outcome = running.finish();
        gate.open();
        if format == "text" {
            let text = outcome.text();
            assert!(
                text.contains("\nrun 2") && text.contains(" signal\n"),
                "{text}"
            );
            assert!(
                !text.contains("run 3") && text.contains("\nmedian"),
                "{text}"
            );
            continue;
        }
        let report = outcome.json();
        let ends: Vec<_> = report["runs"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|run| &run["end"])
            .collect();
        assert_eq!(ends, ["ended", "signal"]);
        // What was cut short has no part in the medians.
        let whole = &report["runs"][0]["startup"]["total_ms"];
        assert_eq!(&report["median"]["startup_ms"], whole);
    }
}

#[test]
fn a_stream_that_is_not_there_is_asked_for_once() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/none.m3u8");
    sandbox
        .kithara(["stats", &url, "-n", "5"])
        .fails(4, &["cannot finish run 1", "404"])
        .run();
    assert_eq!(origin.log().len(), 1);
}
