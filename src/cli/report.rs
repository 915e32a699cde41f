//! Fills the report of a run: every figure is counted in `Stats`, sampled while
//! it ran, or measured here.

mod network;

use std::time::{Duration, SystemTime};

use super::process::{self, Size};
use super::samples::{self, Range, Samples};
use super::schema::{
    Abr, Buffer, Cache, Copies, Decode, Gap, Level, Live, Middle, Output, OverTime, Playback,
    Process, Rebuffer, Seek, Stage, Startup, Summary, Switch, Variant,
};
use crate::event::Decision;
use crate::pipeline::Facts;
use crate::stats::{self, Stats, Underrun, VariantRow};
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
        playback: playback(stats, facts, samples),
        abr: abr(stats),
        network: network::network(stats),
        buffer: buffer(samples),
        cache: Cache {
            hit_bytes: stats.cache_hit_bytes.total(),
            miss_bytes: stats.cache_miss_bytes.total(),
            open_us: stats.cache_open_us.total(),
            evicted_bytes: stats.evicted_bytes.total(),
        },
        copies: copies(stats),
        decode: decode(stats, facts),
        live: live(stats, samples, SystemTime::now()),
        output: Output {
            device: text::safe(&facts.device),
            rate: facts.rate,
            channels: facts.channels,
        },
        process: process(samples),
    }
}

/// How far behind the broadcast the sound is, at `now`, and was; what was lost.
fn live(stats: &Stats, samples: &Samples, now: SystemTime) -> Live {
    let over_time = samples.latency.spread().map(|spread| Middle {
        min: spread.least,
        median: spread.median,
        max: spread.greatest,
    });
    Live {
        latency_ms: samples::latency(stats, stats.position(), now),
        latency_over_time_ms: over_time,
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

fn playback(stats: &Stats, facts: &Facts, samples: &Samples) -> Playback {
    let played_ms = stats.frames_played.total().saturating_mul(1000) / u64::from(facts.rate.max(1));
    let waited = Duration::from_nanos(stats.rebuffer_ns.total());
    let total = waited.as_secs_f64() * 1000.0 + played_ms as f64;
    let gap = |underrun: &Underrun| Gap {
        pos_ms: underrun.position.millis(),
        frames: underrun.frames,
        cause: underrun.cause.name(),
    };
    let lists = stats.lists();
    Playback {
        played_ms,
        rebuffer: Rebuffer {
            count: stats.rebuffers.total(),
            total_ms: millis(waited),
            ratio: share(waited.as_secs_f64() * 1000.0, total),
            stalls: samples.stalls.list().iter().map(network::stall).collect(),
        },
        underruns: lists.underruns.iter().map(gap).collect(),
        seeks: lists.seeks.iter().filter_map(seek).collect(),
    }
}

/// A place that was sought, if it was heard before the next one was.
fn seek(seek: &stats::Seek) -> Option<Seek> {
    Some(Seek {
        to_ms: seek.to.millis(),
        latency_ms: millis(seek.latency?),
        cached: seek.is_cached,
    })
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

fn buffer(samples: &Samples) -> Buffer {
    let over_time = &samples.ahead_over_time;
    Buffer {
        ahead_ms: level(samples.ahead),
        pcm_ms: level(samples.pcm),
        over_time: OverTime {
            every_ms: u64::try_from(over_time.every().as_millis()).unwrap_or(u64::MAX),
            ahead_ms: over_time.points().to_vec(),
        },
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
pub(super) mod tests;
