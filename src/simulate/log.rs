//! What is written of a simulated session: `kithara.abr-log/1`.

use serde::Serialize;

/// The name of the format.
pub const SCHEMA: &str = "kithara.abr-log/1";

/// A whole session.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    /// The name of the format.
    pub schema: &'static str,
    /// Who decided.
    pub algorithm: String,
    /// The name of the ladder.
    pub ladder: String,
    /// How many segments behind its edge a live stream began.
    pub live_segments: Option<usize>,
    /// What was in the cache: variant, first and last segment.
    pub cached: Vec<[usize; 3]>,
    /// The player.
    pub player: Player,
    /// In the order they were asked.
    pub requests: Vec<Request>,
    /// What was heard.
    pub playback: Heard,
    /// How good that was.
    pub metrics: super::metrics::Metrics,
}

/// The player's settings, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Player {
    /// How much of a segment can be played at once.
    pub part_s: f64,
    /// What must be there before the first sound.
    pub startup_s: f64,
    /// What must be there after a stall.
    pub resume_s: f64,
    /// The most media ahead.
    pub max_buffer_s: f64,
    /// Requests under way at once.
    pub in_flight: usize,
}

/// What was heard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Heard {
    /// When the first sound came.
    pub started: f64,
    /// When it stalled, and for how long.
    pub stalls: Vec<(f64, f64)>,
}

/// One request, times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    /// `master`, `playlist`, `init` or `segment`.
    pub kind: &'static str,
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<usize>,
    /// Of which variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<usize>,
    /// `cache` for what was not asked of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// Bytes of the whole body.
    pub bytes: u64,
    /// Media ahead when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_s: Option<f64>,
    /// When it was asked for.
    pub t_req: f64,
    /// When its first byte came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_first: Option<f64>,
    /// When its last byte came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_end: Option<f64>,
    /// When it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_abort: Option<f64>,
    /// Why this segment in this rung.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What the link was thought to carry then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub est_kbps: Option<f64>,
}
