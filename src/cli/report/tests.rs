//! The figures of the report.

use super::*;
use crate::event::{Exchange, RequestKind};
use crate::media::{Codec, Format};
use crate::stats::{self, Cause, Waste};
use crate::units::{BitRate, ChannelCount, SampleRate, Spec};
use serde_json::{Value, json};
use std::time::Instant;

/// The report of a run in which every counter has a value of its own.
pub fn example() -> Summary {
    let mut samples = Samples::default();
    for (ahead, pcm) in [(1000, 100), (3000, 500)] {
        samples.ahead.add(ahead);
        samples.pcm.add(pcm);
    }
    for second in 0..4 {
        let at = Duration::from_secs(second);
        samples
            .ahead_over_time
            .add(at, [1000, 2000, 3000, 500][second as usize]);
    }
    for behind in [9_000, 10_000, 12_000] {
        samples.latency.add(behind);
    }
    samples.threads(10_000);
    let stats = counted();
    let underrun = stats.lists().underruns[0];
    let ended = Instant::now() + Duration::from_secs(60);
    let late = exchange(RequestKind::Segment, ended - Duration::from_secs(3), 2);
    samples.stalls.add(&underrun, 48_000, ended);
    samples.stalls.exchange(&Exchange { ended, ..late });
    summary(&stats, &facts(), &samples)
}

/// The first of a kind has a body with a rate, the others are short.
fn exchange(kind: RequestKind, began: Instant, number: u64) -> Exchange {
    let at = |ms| began + Duration::from_millis(ms);
    Exchange {
        kind,
        url: String::new(),
        sent: at(100),
        answered: Some(at(110 + 10 * number)),
        ended: at(210 + 10 * number),
        status: Some(200),
        offset: 0,
        bytes: if number == 0 { 100_000 } else { 10 },
        variant: Some(1),
        segment: Some(number),
        failure: (number == 4).then(|| "abandoned".to_owned()),
    }
}

fn counted() -> Stats {
    let began = Instant::now();
    let stats = Stats::new(began);
    let at = |ms| began + Duration::from_millis(ms);
    stats.stage(stats::Stage::Connect, at(2), at(5));
    stats.stage(stats::Stage::FirstCallback, at(30), at(41));
    for (kind, count) in [
        (RequestKind::Multivariant, 1),
        (RequestKind::Media, 2),
        (RequestKind::Init, 3),
        (RequestKind::Key, 4),
        (RequestKind::Segment, 5),
        (RequestKind::File, 6),
    ] {
        (0..count).for_each(|number| stats.exchange(&exchange(kind, began, number)));
    }
    for (counter, amount) in [
        (&stats.network_bytes, 1_000_001),
        (&stats.retries, 3),
        (&stats.cache_hit_bytes, 1005),
        (&stats.cache_miss_bytes, 1006),
        (&stats.cache_open_us, 107),
        (&stats.evicted_bytes, 1008),
        (&stats.wire_bytes, 1000),
        (&stats.copied_bytes, 1500),
        (&stats.frames_decoded, 441_000),
        (&stats.media_decoded_ns, 10_000_000_000),
        (&stats.decode_busy_ns, 100_000_000),
        (&stats.decode_errors, 9),
        (&stats.bits_played, 1_280_000),
        (&stats.frames_played, 480_000),
        (&stats.rebuffers, 1),
        (&stats.rebuffer_ns, 2_500_000_000),
    ] {
        counter.add(amount);
    }
    stats.waste(Waste::Repeated, 1002);
    stats.connection(Duration::from_micros(400));
    stats.connection(Duration::from_micros(600));
    stats
        .estimate
        .store(3_140_000, std::sync::atomic::Ordering::Relaxed);
    stats.lists().variants.push(VariantRow {
        bandwidth: 140_000,
        average_bandwidth: Some(128_000),
        codecs: Some("mp4a.40.2".to_owned()),
        decodable: true,
        with_pictures: false,
    });
    stats.switch(Decision {
        segment: 3,
        from: 0,
        to: 1,
        reason: "3.1 Mbit/s carries it".to_owned(),
        buffer: MediaTime::from_seconds(12.0),
        estimate: BitRate(3_140_000),
        position: MediaTime::from_seconds(4.0),
    });
    stats.underrun(Underrun {
        position: MediaTime::from_seconds(8.0),
        frames: 120_000,
        cause: Cause::Network,
    });
    stats
}

fn facts() -> Facts {
    let spec = Spec {
        rate: SampleRate::new(44_100).expect("allowed"),
        channels: ChannelCount::new(2).expect("allowed"),
    };
    Facts {
        kind: "hls-vod",
        url: "https://h/a.m3u8".to_owned(),
        device: "null".to_owned(),
        rate: 48_000,
        channels: 2,
        codec: Some(Format {
            spec,
            codec: Codec::Aac,
            bits: 16,
        }),
        variant: Some(0),
        picked: None,
    }
}

#[test]
fn every_figure_of_schema_1_comes_from_its_counter() {
    let mut got = serde_json::to_value(example()).expect("plain structs");
    let process = got["process"].take();
    let timing = got["network"]["timing"].take();
    let want = json!({
        "schema": 1, "type": "summary", "kind": "hls-vod", "url": "https://h/a.m3u8",
        "startup": {"total_ms": 41.0, "stages": [
            {"name": "connect", "t0_ms": 2.0, "t1_ms": 5.0},
            {"name": "first_callback", "t0_ms": 30.0, "t1_ms": 41.0}]},
        "playback": {"played_ms": 10_000, "rebuffer": {"count": 1, "total_ms": 2500.0, "ratio": 0.2, "stalls": [
                {"pos_ms": 8000, "duration_ms": 2500.0, "cause": "network", "waited_for": {"kind": "segment", "segment": 2,
                    "variant": 1, "status": 200, "first_byte_ms": 30.0, "total_ms": 2900.0, "bytes": 10, "failure": null}}]},
            "underruns": [{"pos_ms": 8000, "frames": 120_000, "cause": "network"}], "seeks": []},
        "abr": {"variants": [{"id": 0, "bandwidth": 140_000, "average_bandwidth": 128_000, "codecs": "mp4a.40.2", "decodable": true}],
            "switches": [{"pos_ms": 4000, "from": 0, "to": 1, "reason": "3.1 Mbit/s carries it", "buffer_ms": 12_000, "estimate_kbps": 3140}],
            "average_kbps_played": 128},
        "network": {"bytes": 1_000_001, "wasted_bytes": 1002, "estimate_kbps": 3140,
            "requests": {"multivariant": 1, "media": 2, "init": 3, "key": 4, "segment": 5, "file": 6},
            "retries": 3, "connections": 2,
            "connect_ms": {"min": 0.4, "p10": 0.404, "median": 0.404, "p90": 0.6, "max": 0.6},
            "wasted": [{"cause": "repeated", "bytes": 1002}], "timing": Value::Null},
        "buffer": {"ahead_ms": {"min": 1000, "mean": 2000, "max": 3000}, "pcm_ms": {"min": 100, "mean": 300, "max": 500},
            "over_time": {"every_ms": 1000, "ahead_ms": [1000, 2000, 3000, 500]}},
        "cache": {"hit_bytes": 1005, "miss_bytes": 1006, "open_us": 107, "evicted_bytes": 1008},
        "copies": {"wire_bytes": 1000, "user_space_bytes_copied": 1500, "amplification": 1.5},
        "decode": {"codec": "aac", "frames": 441_000, "speed_x": 100.0, "errors": 9},
        "live": {"latency_ms": null, "latency_over_time_ms": {"min": 9000, "median": 10_112, "max": 12_000}, "reloads": 0, "lost_ms": 0},
        "output": {"device": "null", "rate": 48_000, "channels": 2},
        "process": Value::Null,
    });
    assert_eq!(got, want);
    let kinds: Vec<_> = timing
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let number = |name: &str| one[name].as_u64().expect("a number");
            (
                one["kind"].as_str().expect("a word"),
                number("count"),
                number("failed"),
                number("bytes"),
            )
        })
        .collect();
    let want = [
        ("playlist", 3, 0, 200_010),
        ("init", 3, 0, 100_020),
        ("key", 4, 0, 100_030),
        ("segment", 4, 1, 100_040),
        ("file", 5, 1, 100_050),
    ];
    assert_eq!(kinds, want);
    // 10, 20, 30 and 40 ms; 100 kB in a tenth of a second.
    let first = json!({"min": 10.0, "p10": 10.112, "median": 20.224, "p90": 40.0, "max": 40.0});
    let rate =
        json!({"min": 8000.0, "p10": 8000.0, "median": 8000.0, "p90": 8000.0, "max": 8000.0});
    assert_eq!(
        (&timing[3]["first_byte_ms"], &timing[3]["kbps"]),
        (&first, &rate)
    );
    assert_eq!(process["threads"], 10_000);
    assert!(process["peak_rss_bytes"].as_u64() > Some(0));
    assert!(process["cpu_ms"].is_u64());
}

#[test]
fn a_run_that_did_nothing_divides_by_nothing() {
    let facts = Facts {
        kind: "file",
        url: String::new(),
        device: String::new(),
        rate: 0,
        channels: 0,
        codec: None,
        variant: None,
        picked: None,
    };
    let summary = summary(&Stats::default(), &facts, &Samples::default());
    assert_eq!(summary.copies.amplification, 0.0);
    assert_eq!(summary.decode.speed_x, 0.0);
    assert_eq!(summary.playback.played_ms, 0);
    assert!(summary.buffer.ahead_ms.is_none());
}
