//! The way to the first sound: when each stage of it first began and ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The stages between the command and the first sound, in the order of the
/// critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Exec to `main`.
    Process,
    /// Name to addresses.
    Resolve,
    /// TCP connection.
    Connect,
    /// TLS handshake.
    Tls,
    /// The multivariant playlist.
    Multivariant,
    /// The first media playlist.
    MediaPlaylist,
    /// The first key.
    Key,
    /// The first initialisation section.
    Init,
    /// Request to first byte of the first segment or file.
    SegmentFirstByte,
    /// Opening the cache and the stream in it.
    CacheOpen,
    /// Finding out container and codec.
    Probe,
    /// From the probe to the first access unit.
    FirstPacket,
    /// Converting the first block.
    Resample,
    /// From the first access unit to the first frames out.
    FirstPcm,
    /// Opening the audio device.
    DeviceOpen,
    /// From the open device to its first callback with sound.
    FirstCallback,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 16] = [
        Self::Process,
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Multivariant,
        Self::MediaPlaylist,
        Self::Key,
        Self::Init,
        Self::SegmentFirstByte,
        Self::CacheOpen,
        Self::Probe,
        Self::FirstPacket,
        Self::Resample,
        Self::FirstPcm,
        Self::DeviceOpen,
        Self::FirstCallback,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Multivariant => "multivariant",
            Self::MediaPlaylist => "media_playlist",
            Self::Key => "key",
            Self::Init => "init",
            Self::SegmentFirstByte => "segment_first_byte",
            Self::CacheOpen => "cache_open",
            Self::Probe => "probe",
            Self::FirstPacket => "first_packet",
            Self::Resample => "resample",
            Self::FirstPcm => "first_pcm",
            Self::DeviceOpen => "device_open",
            Self::FirstCallback => "first_callback",
        }
    }
}

/// When each stage first began and first ended.
#[derive(Debug)]
pub(super) struct Timeline {
    began: [AtomicU64; Stage::ALL.len()],
    ended: [AtomicU64; Stage::ALL.len()],
}

const NOT_YET: u64 = u64::MAX;

impl Default for Timeline {
    fn default() -> Self {
        let empty = || std::array::from_fn(|_| AtomicU64::new(NOT_YET));
        Self {
            began: empty(),
            ended: empty(),
        }
    }
}

impl Timeline {
    /// A stage began; only the first counts.
    pub fn begin(&self, stage: Stage, at: Duration) {
        mark(&self.began, stage, at);
    }

    /// A stage ended; only the first counts.
    pub fn end(&self, stage: Stage, at: Duration) {
        mark(&self.ended, stage, at);
    }

    /// A stage began and ended, unless one like it ended before.
    pub fn both(&self, stage: Stage, began: Duration, ended: Duration) {
        let free = self.ended[stage as usize].load(Ordering::Relaxed) == NOT_YET;
        if free {
            self.begin(stage, began);
            self.end(stage, ended);
        }
    }

    /// The stages that began and ended, in order.
    pub fn stages(&self) -> Vec<StageTimes> {
        let read = |marks: &[AtomicU64], stage: Stage| {
            let nanos = marks[stage as usize].load(Ordering::Relaxed);
            (nanos != NOT_YET).then(|| Duration::from_nanos(nanos))
        };
        let times = |stage| {
            let began = read(&self.began, stage)?;
            let ended = read(&self.ended, stage)?;
            Some(StageTimes {
                stage,
                began,
                ended,
            })
        };
        Stage::ALL.into_iter().filter_map(times).collect()
    }
}

fn mark(marks: &[AtomicU64], stage: Stage, at: Duration) {
    let nanos = u64::try_from(at.as_nanos()).unwrap_or(NOT_YET);
    // The loser of a race came later: the first mark stays.
    let _ = marks[stage as usize].compare_exchange(
        NOT_YET,
        nanos,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
}

/// One stage as the report prints it; nanoseconds from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageTimes {
    /// Which.
    pub stage: Stage,
    /// When it began.
    pub began: Duration,
    /// When it ended.
    pub ended: Duration,
}
