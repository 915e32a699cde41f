//! What is written of a simulated session: `kithara.abr-log/1`.

use serde::Serialize;

/// The name of the format.
pub const SCHEMA: &str = "kithara.abr-log/1";

/// A whole session.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    pub schema: &'static str,
    pub algorithm: String,
    pub ladder: String,
    pub live_segments: Option<usize>,
    pub cached: Vec<[usize; 3]>,
    pub player: Player,
    pub requests: Vec<Request>,
    pub playback: Heard,
    pub metrics: super::metrics::Metrics,
}

/// The player's settings, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Player {
    pub part_s: f64,
    pub startup_s: f64,
    pub resume_s: f64,
    pub max_buffer_s: f64,
    pub in_flight: usize,
}

/// What was heard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Heard {
    pub started: f64,
    pub stalls: Vec<(f64, f64)>,
}

/// One request, times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_s: Option<f64>,
    pub t_req: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_first: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_end: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_abort: Option<f64>,
}
