//! Fills the report of a run: every figure is counted in `Stats`, sampled while
//! it ran, or measured here.

use std::time::{Duration, SystemTime};

use super::process::{self, Size};
use super::samples::{Range, Samples};
use super::schema::{
    Abr, Buffer, Cache, Copies, Decode, Gap, Level, Live, Network, Output, Playback, Process,
    Rebuffer, Requests, Stage, Startup, Summary, Switch, Variant,
};
use crate::event::{Decision, RequestKind};
use crate::pipeline::Facts;
use crate::stats::{Stats, Underrun, VariantRow};
use crate::text;
use crate::units::MediaTime;

/// The report of a run as it stands.
pub fn summary(stats: &Stats, facts: &Facts, samples: &Samples) -> Summary {
    Summary {
        schema: 1,
        kind_of_line: "summary",
        kind: facts.kind,
        url: facts.url.clone(),
        startup: startup(stats),
        playback: playback(stats, facts),
        abr: abr(stats),
        network: network(stats),
        buffer: Buffer {
            ahead_ms: level(samples.ahead),
            pcm_ms: level(samples.pcm),
        },
        cache: Cache {
            hit_bytes: stats.cache_hit_bytes.total(),
            miss_bytes: stats.cache_miss_bytes.total(),
            open_us: stats.cache_open_us.total(),
            evicted_bytes: stats.evicted_bytes.total(),
        },
        copies: copies(stats),
        decode: decode(stats, facts),
        live: live(stats, SystemTime::now()),
        output: Output {
            device: text::safe(&facts.device),
            rate: facts.rate,
            channels: facts.channels,
        },
        process: process(samples),
    }
}

/// How far behind the broadcast the sound is, at `now`, and what was lost.
fn live(stats: &Stats, now: SystemTime) -> Live {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = since_1970.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    });
    let latency = |(moment, date_ms): (MediaTime, i64)| {
        let heard_ms = date_ms.saturating_add((stats.position() - moment).millis());
        now_ms.saturating_sub(heard_ms)
    };
    Live {
        latency_ms: stats.lists().date.map(latency),
        reloads: stats.reloads.total(),
        lost_ms: stats.lost_ns.total() / 1_000_000,
    }
}

fn startup(stats: &Stats) -> Startup {
    let times = stats.stages();
    let last = times.iter().map(|stage| stage.ended).max();
    let stages = times.into_iter().map(|times| Stage {
        name: times.stage.name(),
        t0_ms: millis(times.began),
        t1_ms: millis(times.ended),
    });
    Startup {
        total_ms: millis(last.unwrap_or_default()),
        stages: stages.collect(),
    }
}

fn playback(stats: &Stats, facts: &Facts) -> Playback {
    let played_ms = stats.frames_played.total().saturating_mul(1000) / u64::from(facts.rate.max(1));
    let waited = Duration::from_nanos(stats.rebuffer_ns.total());
    let total = waited.as_secs_f64() * 1000.0 + played_ms as f64;
    let gap = |underrun: &Underrun| Gap {
        pos_ms: underrun.position.millis(),
        frames: underrun.frames,
        cause: underrun.cause.name(),
    };
    Playback {
        played_ms,
        rebuffer: Rebuffer {
            count: stats.rebuffers.total(),
            total_ms: millis(waited),
            ratio: share(waited.as_secs_f64() * 1000.0, total),
        },
        underruns: stats.lists().underruns.iter().map(gap).collect(),
        seeks: Vec::new(),
    }
}

fn abr(stats: &Stats) -> Abr {
    let media = Duration::from_nanos(stats.media_decoded_ns.total()).as_secs_f64();
    let average = share(stats.bits_played.total() as f64 / 1000.0, media);
    let lists = stats.lists();
    Abr {
        variants: lists.variants.iter().enumerate().map(variant).collect(),
        switches: lists.switches.iter().map(switch).collect(),
        average_kbps_played: average.round() as u64,
    }
}

fn variant((id, row): (usize, &VariantRow)) -> Variant {
    Variant {
        id,
        bandwidth: row.bandwidth,
        average_bandwidth: row.average_bandwidth,
        codecs: row.codecs.as_deref().map(text::safe),
        decodable: row.decodable,
    }
}

fn switch(decision: &Decision) -> Switch {
    Switch {
        pos_ms: decision.position.millis(),
        from: decision.from,
        to: decision.to,
        reason: text::safe(&decision.reason),
        buffer_ms: decision.buffer.millis(),
        estimate_kbps: decision.estimate.kilobits(),
    }
}

fn network(stats: &Stats) -> Network {
    Network {
        bytes: stats.network_bytes.total(),
        wasted_bytes: stats.wasted_bytes.total(),
        estimate_kbps: stats.estimate().kilobits(),
        requests: Requests {
            multivariant: stats.requests(RequestKind::Multivariant),
            media: stats.requests(RequestKind::Media),
            init: stats.requests(RequestKind::Init),
            key: stats.requests(RequestKind::Key),
            segment: stats.requests(RequestKind::Segment),
            file: stats.requests(RequestKind::File),
        },
        retries: stats.retries.total(),
        connections: stats.connections.total(),
    }
}

fn level(range: Range) -> Option<Level> {
    range
        .summary()
        .map(|(min, mean, max)| Level { min, mean, max })
}

fn copies(stats: &Stats) -> Copies {
    let (wire, copied) = (stats.wire_bytes.total(), stats.copied_bytes.total());
    Copies {
        wire_bytes: wire,
        user_space_bytes_copied: copied,
        amplification: share(copied as f64, wire as f64),
    }
}

fn decode(stats: &Stats, facts: &Facts) -> Decode {
    let media = stats.media_decoded_ns.total() as f64;
    Decode {
        codec: facts.codec.map(|format| format.codec.name()),
        frames: stats.frames_decoded.total(),
        speed_x: share(media, stats.decode_busy_ns.total() as f64),
        errors: stats.decode_errors.total(),
    }
}

fn process(samples: &Samples) -> Process {
    let size = Size::now();
    Process {
        peak_rss_bytes: size.peak_rss,
        cpu_ms: u64::try_from(process::cpu().as_millis()).unwrap_or(u64::MAX),
        threads: samples.threads.max(size.threads),
    }
}

/// Milliseconds with microseconds behind the point.
fn millis(time: Duration) -> f64 {
    MediaTime::from(time).nanos().div_euclid(1000) as f64 / 1000.0
}

/// `part` of `whole` to three decimals; zero of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole * 1000.0).round() / 1000.0
    } else {
        0.0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::media::{Codec, Format};
    use crate::stats::{self, Cause};
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
        samples.threads(10_000);
        summary(&counted(), &facts(), &samples)
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
            (0..count).for_each(|_| stats.request(kind));
        }
        for (counter, amount) in [
            (&stats.network_bytes, 1_000_001),
            (&stats.wasted_bytes, 1002),
            (&stats.retries, 3),
            (&stats.connections, 2),
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
        stats
            .estimate
            .store(3_140_000, std::sync::atomic::Ordering::Relaxed);
        stats.lists().variants.push(VariantRow {
            bandwidth: 140_000,
            average_bandwidth: Some(128_000),
            codecs: Some("mp4a.40.2".to_owned()),
            decodable: true,
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
            frames: 960,
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
        }
    }

    #[test]
    fn every_figure_of_schema_1_comes_from_its_counter() {
        let mut got = serde_json::to_value(example()).expect("plain structs");
        let process = got["process"].take();
        let want = json!({
            "schema": 1, "type": "summary", "kind": "hls-vod", "url": "https://h/a.m3u8",
            "startup": {"total_ms": 41.0, "stages": [
                {"name": "connect", "t0_ms": 2.0, "t1_ms": 5.0},
                {"name": "first_callback", "t0_ms": 30.0, "t1_ms": 41.0}]},
            "playback": {"played_ms": 10_000, "rebuffer": {"count": 1, "total_ms": 2500.0, "ratio": 0.2},
                "underruns": [{"pos_ms": 8000, "frames": 960, "cause": "network"}], "seeks": []},
            "abr": {"variants": [{"id": 0, "bandwidth": 140_000, "average_bandwidth": 128_000, "codecs": "mp4a.40.2", "decodable": true}],
                "switches": [{"pos_ms": 4000, "from": 0, "to": 1, "reason": "3.1 Mbit/s carries it", "buffer_ms": 12_000, "estimate_kbps": 3140}],
                "average_kbps_played": 128},
            "network": {"bytes": 1_000_001, "wasted_bytes": 1002, "estimate_kbps": 3140,
                "requests": {"multivariant": 1, "media": 2, "init": 3, "key": 4, "segment": 5, "file": 6},
                "retries": 3, "connections": 2},
            "buffer": {"ahead_ms": {"min": 1000, "mean": 2000, "max": 3000}, "pcm_ms": {"min": 100, "mean": 300, "max": 500}},
            "cache": {"hit_bytes": 1005, "miss_bytes": 1006, "open_us": 107, "evicted_bytes": 1008},
            "copies": {"wire_bytes": 1000, "user_space_bytes_copied": 1500, "amplification": 1.5},
            "decode": {"codec": "aac", "frames": 441_000, "speed_x": 100.0, "errors": 9},
            "live": {"latency_ms": null, "reloads": 0, "lost_ms": 0},
            "output": {"device": "null", "rate": 48_000, "channels": 2},
            "process": Value::Null,
        });
        assert_eq!(got, want);
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
        };
        let summary = summary(&Stats::default(), &facts, &Samples::default());
        assert_eq!(summary.copies.amplification, 0.0);
        assert_eq!(summary.decode.speed_x, 0.0);
        assert_eq!(summary.playback.played_ms, 0);
        assert!(summary.buffer.ahead_ms.is_none());
    }
}
