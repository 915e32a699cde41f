//! The report of a run, schema 1: what `stats --json` prints and the other
//! commands' `--json` ends with. The shape is a contract: names are added,
//! never changed. `report.rs` fills it, `table.rs` shows it to people.

mod network;
mod runs;

use serde::Serialize;

pub use network::{Network, Requests, Spread, Timing, WaitedFor, Wasted};
pub use runs::{Figures, Run, Runs};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Always 1.
    pub schema: u32,
    /// Always `summary`.
    #[serde(rename = "type")]
    pub kind_of_line: &'static str,
    /// Kind of stream: `hls-vod`, `file`.
    pub kind: &'static str,
    /// Address without secrets.
    pub url: String,
    /// From the start of the process to the first sound.
    pub startup: Startup,
    /// What was heard.
    pub playback: Playback,
    /// Variants and how they were chosen.
    pub abr: Abr,
    /// What came over the network.
    pub network: Network,
    /// What was ready before it was needed.
    pub buffer: Buffer,
    /// What the cache had.
    pub cache: Cache,
    /// How often a byte was copied.
    pub copies: Copies,
    /// What the decoder did.
    pub decode: Decode,
    /// What only a live stream has.
    pub live: Live,
    /// Where the sound went.
    pub output: Output,
    /// What our process cost.
    pub process: Process,
}

/// From the start of the process to the first sound.
#[derive(Clone, Debug, Serialize)]
pub struct Startup {
    /// End of the last stage.
    pub total_ms: f64,
    /// The stages that applied; they overlap.
    pub stages: Vec<Stage>,
}

/// One stage of the startup, counted from the start of the process.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// As in [`crate::stats::Stage::name`].
    pub name: &'static str,
    /// When it began.
    pub t0_ms: f64,
    /// When it ended.
    pub t1_ms: f64,
}

/// What was heard.
#[derive(Clone, Debug, Serialize)]
pub struct Playback {
    /// Sound the device took, silence of underruns excluded.
    pub played_ms: u64,
    /// Waits for data after sound had begun.
    pub rebuffer: Rebuffer,
    /// Sound that was asked for and not there.
    pub underruns: Vec<Gap>,
    /// Places that were sought and heard.
    pub seeks: Vec<Seek>,
}

/// Waits for data after sound had begun.
#[derive(Clone, Debug, Serialize)]
pub struct Rebuffer {
    /// How many.
    pub count: u64,
    /// How long in all.
    pub total_ms: f64,
    /// Their share of waiting and playing together, 0 to 1.
    pub ratio: f64,
    /// Each of them.
    pub stalls: Vec<Stall>,
}

/// One wait for data.
#[derive(Clone, Debug, Serialize)]
pub struct Stall {
    /// Where in the stream.
    pub pos_ms: i64,
    /// How long.
    pub duration_ms: f64,
    /// As in [`Gap::cause`].
    pub cause: &'static str,
    /// The request that was under way for most of it; null when there was none.
    pub waited_for: Option<WaitedFor>,
}

/// One underrun of the device.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Where in the stream.
    pub pos_ms: i64,
    /// Frames of silence, at the device's rate.
    pub frames: u64,
    /// `network`, `disk`, `decode` or `scheduler`.
    pub cause: &'static str,
}

/// One jump.
#[derive(Clone, Debug, Serialize)]
pub struct Seek {
    /// Where to.
    pub to_ms: i64,
    /// Until sound was back.
    pub latency_ms: f64,
    /// Whether the target was on disk.
    pub cached: bool,
}

/// Variants and how they were chosen.
#[derive(Clone, Debug, Serialize)]
pub struct Abr {
    /// All variants of the stream.
    pub variants: Vec<Variant>,
    /// Every change of variant.
    pub switches: Vec<Switch>,
    /// Bit rate of what was decoded, weighted by time.
    pub average_kbps_played: u64,
}

/// One variant.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// The number `info` lists and `-Q` takes.
    pub id: usize,
    /// Peak bits per second.
    pub bandwidth: u64,
    /// Average bits per second, when stated.
    pub average_bandwidth: Option<u64>,
    /// The CODECS attribute.
    pub codecs: Option<String>,
    /// Whether we can play it.
    pub decodable: bool,
}

/// One change of variant with the numbers it was based on.
#[derive(Clone, Debug, Serialize)]
pub struct Switch {
    /// Where in the stream.
    pub pos_ms: i64,
    /// The variant before.
    pub from: usize,
    /// The variant after.
    pub to: usize,
    /// Why, in words.
    pub reason: String,
    /// Media ahead of the sound.
    pub buffer_ms: i64,
    /// Estimated throughput.
    pub estimate_kbps: u64,
}

/// What was ready before it was needed; null when nothing was played.
#[derive(Clone, Debug, Serialize)]
pub struct Buffer {
    /// On disk, ahead of the sound.
    pub ahead_ms: Option<Level>,
    /// Decoded, ahead of the sound.
    pub pcm_ms: Option<Level>,
    /// The first over the run.
    pub over_time: OverTime,
}

/// A level over the run: at most 600 points, a second apart or as many seconds
/// as it takes.
#[derive(Clone, Debug, Serialize)]
pub struct OverTime {
    /// How long each point stands for.
    pub every_ms: u64,
    /// The least in that time, from the first sound on.
    pub ahead_ms: Vec<i64>,
}

/// A level over the run, sampled five times a second.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// The lowest.
    pub min: i64,
    /// The mean.
    pub mean: i64,
    /// The highest.
    pub max: i64,
}

/// What the cache had.
#[derive(Clone, Debug, Serialize)]
pub struct Cache {
    /// Media bytes of an earlier run.
    pub hit_bytes: u64,
    /// Media bytes that had to be fetched.
    pub miss_bytes: u64,
    /// Opening the cache and the stream in it, in microseconds.
    pub open_us: u64,
    /// Bytes removed to keep the limit.
    pub evicted_bytes: u64,
}

/// How often a byte was copied between the HTTP library's chunk and the codec.
#[derive(Clone, Debug, Serialize)]
pub struct Copies {
    /// Media bytes that went to the decoder's side.
    pub wire_bytes: u64,
    /// Bytes copied on the way.
    pub user_space_bytes_copied: u64,
    /// The second through the first.
    pub amplification: f64,
}

/// What the decoder did.
#[derive(Clone, Debug, Serialize)]
pub struct Decode {
    /// The codec, once it is known.
    pub codec: Option<&'static str>,
    /// Frames decoded, before trimming, at the source's rate.
    pub frames: u64,
    /// Media time through the time the thread worked (waits excluded).
    pub speed_x: f64,
    /// Access units that could not be decoded.
    pub errors: u64,
}

/// What only a live stream has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Live {
    /// From the date of what is heard to now; `null` when the stream has no
    /// dates (EXT-X-PROGRAM-DATE-TIME).
    pub latency_ms: Option<i64>,
    /// The same over the run, sampled five times a second.
    pub latency_over_time_ms: Option<Middle>,
    /// Playlists loaded again.
    pub reloads: u64,
    /// Sound that could not be had: it left the window before it was fetched,
    /// or the server refused it.
    pub lost_ms: u64,
}

/// Least, median and greatest; the median within 1.6 %.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Middle {
    /// The least.
    pub min: u64,
    /// As many were below as above.
    pub median: u64,
    /// The greatest.
    pub max: u64,
}

/// Where the sound went.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Name of the device, or `null`.
    pub device: String,
    /// Its rate in hertz.
    pub rate: u32,
    /// Its channels.
    pub channels: u16,
}

/// What our process cost.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    /// Most resident memory.
    pub peak_rss_bytes: u64,
    /// Processor time, user and system, of all threads.
    pub cpu_ms: u64,
    /// Threads that last; helpers of the start are gone when it is looked at.
    pub threads: u64,
}
