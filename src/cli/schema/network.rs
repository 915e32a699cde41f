//! What the report says of the network.

use serde::Serialize;

/// What came over the network.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// Body bytes received.
    pub bytes: u64,
    /// Body bytes received and thrown away.
    pub wasted_bytes: u64,
    /// Estimated throughput at the end.
    pub estimate_kbps: u64,
    /// Requests by what they were for.
    pub requests: Requests,
    /// Requests sent again.
    pub retries: u64,
    /// Connections opened.
    pub connections: u64,
    /// How long they took: name, TCP and TLS together.
    pub connect_ms: Option<Spread>,
    /// What was thrown away, by cause.
    pub wasted: Vec<Wasted>,
    /// How requests went, by what they were for; without those there were none of.
    pub timing: Vec<Timing>,
}

/// Body bytes that were received and thrown away.
#[derive(Clone, Debug, Serialize)]
pub struct Wasted {
    /// `repeated`: they had come before a break; `unasked`: the server sent more
    /// than was asked for; `given_up`: their request was given up for another
    /// variant; `unheard`: another variant of the same stretch was heard;
    /// `overlap`: they were heard only under a change of variant.
    pub cause: &'static str,
    /// How many.
    pub bytes: u64,
}

/// The requests for one purpose.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// `playlist`, `init`, `key`, `segment` or `file`.
    pub kind: &'static str,
    /// Answered to their end; redirects and "not modified" are answers.
    pub count: u64,
    /// Failed or given up: they have no part in the times.
    pub failed: u64,
    /// Body bytes of all of them.
    pub bytes: u64,
    /// From the request to the head of its answer, a new connection included.
    pub first_byte_ms: Option<Spread>,
    /// From the first byte to the last, of bodies from 16 KiB on: shorter ones
    /// come with their head.
    pub kbps: Option<Spread>,
}

/// Percentiles by the nearest rank; least and greatest are exact, the others
/// within 1.6 %.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A tenth is not greater.
    pub p10: f64,
    /// Half is not greater.
    pub median: f64,
    /// Nine tenths are not greater.
    pub p90: f64,
    /// The greatest.
    pub max: f64,
}

/// The request that a stall waited for.
#[derive(Clone, Debug, Serialize)]
pub struct WaitedFor {
    /// As in [`Requests`].
    pub kind: &'static str,
    /// Its segment.
    pub segment: Option<u64>,
    /// Its variant.
    pub variant: Option<usize>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Until the head of the answer came.
    pub first_byte_ms: Option<f64>,
    /// Until it ended.
    pub total_ms: f64,
    /// Body bytes that came.
    pub bytes: u64,
    /// Why it failed, when it did.
    pub failure: Option<String>,
}

/// Requests by what they were for.
#[derive(Clone, Debug, Serialize)]
pub struct Requests {
    /// Multivariant playlists.
    pub multivariant: u64,
    /// Media playlists.
    pub media: u64,
    /// Initialisation sections.
    pub init: u64,
    /// Keys.
    pub key: u64,
    /// Media segments.
    pub segment: u64,
    /// Whole files, or parts of them.
    pub file: u64,
}
