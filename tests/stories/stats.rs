//! `stats` and the summaries: each figure against what the origin saw. A
//! constant, or a figure made up, fails here.

mod requests;
mod runs;

use std::fs;

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::{bytes, dump, fixture_path, local_list, sandbox, stage};

const STAGES: [&str; 16] = [
    "process",
    "resolve",
    "connect",
    "tls",
    "multivariant",
    "media_playlist",
    "key",
    "init",
    "segment_first_byte",
    "cache_open",
    "probe",
    "first_packet",
    "resample",
    "first_pcm",
    "device_open",
    "first_callback",
];

/// Init section and segments of the AAC variant.
fn media_bytes() -> u64 {
    let segments = (0..6).map(|number| format!("hls/aac128-{number}.m4s"));
    segments
        .chain(["hls/aac128-init.mp4".to_owned()])
        .map(|name| bytes(&name).len() as u64)
        .sum()
}

/// `stats --json` over the whole AAC stream, three seconds in real time.
fn report(origin: &Origin, sandbox: &Sandbox) -> Value {
    let url = origin.url("/hls/aac.m3u8?token=hush");
    let run = sandbox
        .kithara(["stats", &url, "-Q", "1", "--json"])
        .prints()
        .run();
    assert!(!run.text().contains("hush"), "{}", run.text());
    run.json()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a whole number: {value}"))
}

#[test]
fn every_figure_of_a_cold_and_a_warm_run_is_what_the_origin_saw() {
    let (origin, sandbox) = stage();
    let cold = report(&origin, &sandbox);
    assert_eq!(
        (&cold["schema"], &cold["type"], &cold["kind"]),
        (&1.into(), &"summary".into(), &"hls-vod".into())
    );
    assert_eq!(cold["url"], origin.url("/hls/aac.m3u8"));
    let requests =
        serde_json::json!({"multivariant": 1, "media": 1, "init": 1, "key": 0, "segment": 6});
    for (kind, count) in requests.as_object().expect("an object") {
        assert_eq!(&cold["network"]["requests"][kind], count, "{kind}");
    }
    let network = &cold["network"];
    assert_eq!(origin.log().len(), 9);
    assert_eq!(
        number(&network["bytes"]),
        origin.log().iter().map(|request| request.sent).sum::<u64>()
    );
    assert_eq!(number(&network["connections"]), origin.connections() as u64);
    assert_eq!(
        (
            number(&network["retries"]),
            number(&network["wasted_bytes"])
        ),
        (0, 0)
    );
    assert!(number(&network["estimate_kbps"]) > 0);
    assert_eq!(number(&cold["cache"]["miss_bytes"]), media_bytes());
    assert_eq!(number(&cold["cache"]["hit_bytes"]), 0);
    assert_eq!(number(&cold["copies"]["wire_bytes"]), media_bytes());
    let copied = number(&cold["copies"]["user_space_bytes_copied"]) as f64 / media_bytes() as f64;
    let amplification = cold["copies"]["amplification"].as_f64().expect("a number");
    assert!(
        (amplification - copied).abs() < 0.01 && copied < 4.0,
        "{}",
        cold["copies"]
    );
    assert_eq!(number(&cold["decode"]["frames"]), 131 * 1024);
    assert_eq!(
        (&cold["decode"]["codec"], number(&cold["decode"]["errors"])),
        (&"aac".into(), 0)
    );
    assert!(
        cold["decode"]["speed_x"]
            .as_f64()
            .is_some_and(|speed| speed > 1.0)
    );
    assert!(
        (2_999..=3_001).contains(&number(&cold["playback"]["played_ms"])),
        "{}",
        cold["playback"]
    );
    assert_eq!(number(&cold["playback"]["rebuffer"]["count"]), 0);
    assert_eq!(cold["abr"]["switches"], serde_json::json!([]));
    let played = number(&cold["abr"]["average_kbps_played"]);
    assert!(
        [130, 142].contains(&played),
        "{played}: neither AVERAGE-BANDWIDTH nor BANDWIDTH of the variant"
    );

    origin.clear_log();
    let warm = report(&origin, &sandbox);
    // Asked whether it still holds, which costs no body.
    let log = origin.log();
    assert!(
        log.iter()
            .all(|request| request.status == 304 && request.sent == 0)
    );
    let asked: u64 = ["multivariant", "media", "init", "key", "segment"]
        .map(|kind| number(&warm["network"]["requests"][kind]))
        .iter()
        .sum();
    assert_eq!(asked, log.len() as u64);
    assert_eq!(
        number(&warm["network"]["bytes"]),
        origin.log().iter().map(|request| request.sent).sum::<u64>()
    );
    assert_eq!(
        number(&warm["network"]["connections"]),
        origin.connections() as u64
    );
    assert_eq!(number(&warm["cache"]["hit_bytes"]), media_bytes());
    assert_eq!(number(&warm["cache"]["miss_bytes"]), 0);
    assert_eq!(number(&warm["decode"]["frames"]), 131 * 1024);
}

#[test]
fn the_report_lists_the_variants_as_the_playlist_has_them() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8");
    let run = sandbox
        .kithara(["dump", &url, "-Q", "0", "-o", "x.wav", "--json"])
        .prints()
        .run();
    let summary = run.summary();
    let variants = summary["abr"]["variants"]
        .as_array()
        .expect("a list")
        .clone();
    let rows: Vec<_> = variants
        .iter()
        .map(|v| {
            (
                number(&v["id"]),
                number(&v["bandwidth"]),
                number(&v["average_bandwidth"]),
                v["codecs"].as_str().unwrap_or_default(),
                v["decodable"] == true,
            )
        })
        .collect();
    let want = [
        (0, 72_000, 66_000, "mp4a.40.2", true),
        (1, 142_000, 130_000, "mp4a.40.2", true),
        (2, 400_000, 370_000, "fLaC", true),
        (3, 420_000, 390_000, "alac", true),
    ];
    assert_eq!(rows, want);
}

#[test]
fn the_startup_timeline_has_every_stage_that_applies_and_true_times() {
    let (origin, sandbox) = stage();
    origin.on("/hls/aac.m3u8").latency(150);
    let url = origin.url("/hls/aac.m3u8");
    let report = sandbox
        .kithara(["stats", &url, "--length", "0.2", "--json"])
        .prints()
        .run()
        .json();
    let stages = report["startup"]["stages"]
        .as_array()
        .expect("a list")
        .clone();
    let names: Vec<_> = stages
        .iter()
        .filter_map(|stage| stage["name"].as_str())
        .collect();
    let order: Vec<_> = STAGES
        .into_iter()
        .filter(|stage| names.contains(stage))
        .collect();
    assert_eq!(names, order);
    let needed = [
        "process",
        "connect",
        "multivariant",
        "media_playlist",
        "init",
        "segment_first_byte",
        "cache_open",
        "first_packet",
        "first_pcm",
        "device_open",
        "first_callback",
    ];
    for name in needed {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    for absent in ["tls", "key"] {
        assert!(!names.contains(&absent), "{absent} does not apply");
    }
    let times = |name: &str| {
        let stage = stages
            .iter()
            .find(|stage| stage["name"] == name)
            .expect("listed");
        (
            stage["t0_ms"].as_f64().expect("a time"),
            stage["t1_ms"].as_f64().expect("a time"),
        )
    };
    let total = report["startup"]["total_ms"].as_f64().expect("a time");
    for name in &names {
        let (began, ended) = times(name);
        assert!(
            0.0 <= began && began <= ended && ended <= total + 0.001,
            "{name}: {began} {ended} of {total}"
        );
    }
    let (began, ended) = times("multivariant");
    assert!(
        ended - began >= 150.0,
        "the origin waited 150 ms, the report says {}",
        ended - began
    );
    assert!(
        times("first_callback").1 >= times("first_pcm").0,
        "sound before samples"
    );
}

#[test]
fn the_text_report_fits_a_screen() {
    let (origin, sandbox) = stage();
    let run = sandbox
        .kithara(["stats", &origin.url("/hls/aac.m3u8"), "--length", "0.3"])
        .prints()
        .run();
    let text = run.text();
    assert!((5..=25).contains(&text.lines().count()), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(!text.contains('{') && text.contains("ms"), "{text}");
}

#[test]
fn the_process_figures_are_of_this_process() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/aac.m3u8");
    let process = sandbox
        .kithara(["stats", &url, "--length", "0.2", "--json"])
        .prints()
        .run()
        .json()["process"]
        .clone();
    assert!(
        (1 << 20..100 << 20).contains(&number(&process["peak_rss_bytes"])),
        "{process}"
    );
    assert!((2..=8).contains(&number(&process["threads"])), "{process}");
    assert!(number(&process["cpu_ms"]) > 0, "{process}");
}

#[test]
fn retries_are_counted() {
    let (origin, sandbox) = stage();
    origin
        .on("/hls/aac128-1.m4s")
        .status(503)
        .retry_after("0")
        .times(2);
    let url = origin.url("/hls/aac128.m3u8");
    let run = sandbox
        .kithara(["dump", &url, "-o", "x.wav", "--json"])
        .prints()
        .chatty()
        .run();
    let summary = run.summary();
    assert_eq!(number(&summary["network"]["retries"]), 2);
    assert_eq!(
        run.json_lines()
            .iter()
            .filter(|line| line["event"] == "retry")
            .count(),
        2
    );
    assert_eq!(origin.requests("/hls/aac128-1.m4s").len(), 3);
    let kinds = summary["network"]["requests"]
        .as_object()
        .expect("an object");
    assert_eq!(
        kinds.values().map(number).sum::<u64>(),
        origin.log().len() as u64,
        "{kinds:?}"
    );
}

#[test]
fn bytes_fetched_twice_are_counted_as_wasted() {
    let (origin, sandbox) = stage();
    origin.on("/files/s16.flac").truncate_at(40_000).times(1);
    origin.on("/files/s16.flac").ignore_range();
    let url = origin.url("/files/s16.flac");
    let summary = sandbox
        .kithara(["dump", &url, "-o", "x.wav", "--json"])
        .prints()
        .chatty()
        .run()
        .summary();
    assert_eq!(number(&summary["network"]["wasted_bytes"]), 40_000);
    assert_eq!(
        number(&summary["network"]["bytes"]),
        bytes("files/s16.flac").len() as u64 + 40_000
    );
}

#[test]
fn a_file_has_a_report_too() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/s16.wav");
    let report = sandbox
        .kithara(["stats", &url, "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(report["kind"], "file");
    assert_eq!(number(&report["decode"]["frames"]), 22_050);
    assert_eq!(
        number(&report["network"]["bytes"]),
        bytes("files/s16.wav").len() as u64
    );
    assert_eq!(
        number(&report["network"]["connections"]),
        origin.connections() as u64
    );
    assert!(
        (1_999..=2_001).contains(&number(&report["playback"]["played_ms"])),
        "{}",
        report["playback"]
    );
}

#[test]
fn a_local_file_needs_no_network() {
    let (_, sandbox) = stage();
    let path = fixture_path("files/s24.wav");
    let report = sandbox
        .kithara([
            "stats",
            path.to_str().expect("UTF-8"),
            "--length",
            "0.2",
            "--json",
        ])
        .prints()
        .run()
        .json();
    assert_eq!(
        (
            number(&report["network"]["bytes"]),
            number(&report["network"]["connections"])
        ),
        (0, 0)
    );
    assert_eq!(report["abr"]["variants"], serde_json::json!([]));
}

#[test]
fn the_trace_has_a_line_for_every_request() {
    let (origin, sandbox) = stage();
    dump(
        &sandbox,
        &origin.url("/hls/aac.m3u8?token=hush"),
        &["-Q", "auto", "--trace-out", "trace.jsonl"],
    );
    let text = fs::read_to_string(sandbox.path("trace.jsonl")).expect("a trace");
    assert!(!text.contains("hush"), "{text}");
    let lines = sandbox::json_lines(&text);
    for request in origin.log() {
        let url = origin.url(&request.path);
        assert_eq!(
            lines
                .iter()
                .filter(|line| line["url"] == url.as_str())
                .count(),
            1,
            "{url} in {text}"
        );
    }
    let reasons = lines
        .iter()
        .filter(|line| line["reason"].is_string())
        .count();
    assert!(reasons > 0, "no ABR decision in {text}");
}

#[test]
fn a_switch_of_variant_is_reported_with_its_reason() {
    let (origin, sandbox) = stage();
    let list = local_list(&origin, &sandbox, "/hls/aac.m3u8");
    let gate = origin.on("/hls/aac128-1.m4s").stall_at(4_000);
    let arguments = ["dump", &list, "-Q", "auto", "-o", "x.wav", "--json"];
    let run = sandbox.kithara(arguments).prints().run();
    gate.open();
    let summary = run.summary();
    let switches = summary["abr"]["switches"].as_array().expect("a list");
    let rungs = |switch: &Value| (switch["from"].clone(), switch["to"].clone());
    let first = switches.first().map(rungs);
    assert_eq!(first, Some((json!(1), json!(0))), "{switches:?}");
    let reason = switches[0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("given up after"), "{reason}");
}
