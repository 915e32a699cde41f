//! The part of the report that is about the network.

use super::millis;
use crate::cli::schema::{Network, Requests, Spread, Stall, Timing, WaitedFor, Wasted};
use crate::cli::stalls;
use crate::event::{Exchange, RequestKind};
use crate::stats::{self, Purpose, Stats, Waste};
use crate::text;

/// What came over the network, and how.
pub fn network(stats: &Stats) -> Network {
    let wasted = Waste::ALL.map(|cause| Wasted {
        cause: cause.name(),
        bytes: stats.wasted(cause),
    });
    Network {
        bytes: stats.network_bytes.total(),
        wasted_bytes: wasted.iter().map(|wasted| wasted.bytes).sum(),
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
        connect_ms: stats.connects().map(|spread| scaled(spread, 1000.0)),
        wasted: wasted.into_iter().filter(|one| one.bytes > 0).collect(),
        timing: Purpose::ALL
            .into_iter()
            .filter_map(|purpose| timing(stats, purpose))
            .collect(),
    }
}

fn timing(stats: &Stats, purpose: Purpose) -> Option<Timing> {
    let exchanges = stats.exchanges(purpose);
    (exchanges.done + exchanges.failed > 0).then(|| Timing {
        kind: purpose.name(),
        count: exchanges.done,
        failed: exchanges.failed,
        bytes: exchanges.bytes,
        first_byte_ms: exchanges.first_byte.spread().map(|it| scaled(it, 1000.0)),
        kbps: exchanges.rate.spread().map(|it| scaled(it, 1.0)),
    })
}

/// Values in a larger unit.
fn scaled(spread: stats::Spread, by: f64) -> Spread {
    let value = |value: u64| value as f64 / by;
    Spread {
        min: value(spread.least),
        p10: value(spread.p10),
        median: value(spread.median),
        p90: value(spread.p90),
        max: value(spread.greatest),
    }
}

/// One stall, with what it waited for.
pub fn stall(stall: &stalls::Stall) -> Stall {
    Stall {
        pos_ms: stall.position.millis(),
        duration_ms: millis(stall.silence),
        cause: stall.cause.name(),
        waited_for: stall.request.as_ref().map(waited_for),
    }
}

fn waited_for(exchange: &Exchange) -> WaitedFor {
    let since = |moment: std::time::Instant| millis(moment.duration_since(exchange.sent));
    WaitedFor {
        kind: exchange.kind.name(),
        segment: exchange.segment,
        variant: exchange.variant,
        status: exchange.status,
        first_byte_ms: exchange.answered.map(since),
        total_ms: since(exchange.ended),
        bytes: exchange.bytes,
        failure: exchange.failure.as_deref().map(text::safe),
    }
}
