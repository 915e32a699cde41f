//! What a run is asked to do: plain values, made by the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::fetch::Credentials;
pub use crate::fetch::{Authorities, Certificate, CmcdMode, Proxies, Secrets};
pub use crate::hls::abr::Algorithm;
pub use crate::hls::codecs::Wish;
pub use crate::hls::language::Tag;
pub use crate::hls::live::Edge;
pub use crate::hls::quality::Quality;
pub use crate::hls::taste::Taste;
pub use crate::lists::Entry;
use crate::location::Location;
pub use crate::media::Start;
pub use crate::output::wav::Sample;
use crate::units::{ChannelCount, MediaTime, SampleRate, Speed};

/// One stream and what to do with it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where it is.
    pub location: Location,
    /// What the user typed, where a list led from there to here: the credentials
    /// are for its server. None for what was typed itself.
    pub typed: Option<Location>,
    /// What to do.
    pub task: Task,
    /// Which variant.
    pub quality: Quality,
    /// Which rendition and codec.
    pub taste: Taste,
    /// Where to begin.
    pub start: Option<Start>,
    /// How much, in time of the source.
    pub length: Option<MediaTime>,
    /// How far to fetch ahead; the default of the net thread when `None`.
    pub buffer: Option<MediaTime>,
    /// Where to begin in a live stream.
    pub edge: Edge,
    /// How long a live stream may bring nothing before the run ends; for ever
    /// when `None`.
    pub patience: Option<Duration>,
    /// Who chooses variants.
    pub algorithm: Algorithm,
    /// Whether what the controller is told and asked is told as events.
    pub is_traced: bool,
    /// The cache.
    pub cache: CacheChoice,
    /// The network.
    pub network: Network,
}

/// What to do with a stream.
#[derive(Clone, Debug)]
pub enum Task {
    /// Play it.
    Play {
        /// Where to.
        output: OutputChoice,
        /// 0 to 100.
        volume: u8,
        /// The pace.
        speed: Speed,
    },
    /// Decode it into a file.
    Dump {
        /// Where to.
        target: Target,
        /// Overwrite an existing file.
        force: bool,
        /// Sample format; that of the source when `None`.
        sample: Option<Sample>,
        /// Frames per second; those of the source when `None`.
        rate: Option<SampleRate>,
        /// Channels; those of the source when `None`.
        channels: Option<ChannelCount>,
        /// Samples only, no header.
        raw: bool,
        /// Where a line a segment goes.
        ledger: Option<PathBuf>,
    },
    /// Store it.
    Cache {
        /// Requests in flight.
        jobs: usize,
    },
}

/// Where a dump goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// Where sound goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputChoice {
    /// A sound card.
    Default {
        /// Its name; the default one when `None`.
        device: Option<String>,
    },
    /// Nowhere, at the pace of the clock.
    Null,
}

/// Which cache, and how it is used.
#[derive(Clone, Debug)]
pub struct CacheChoice {
    /// Its folder; the default one when `None`.
    pub dir: Option<PathBuf>,
    /// Its limit in bytes; the default one when `None`.
    pub size: Option<u64>,
    /// How it is used.
    pub mode: CacheMode,
}

/// How the cache is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMode {
    /// Read and filled.
    Use,
    /// A private one, removed at exit.
    None,
    /// Read only; the network is never touched.
    Offline,
    /// The server is asked whether what is stored still holds.
    Refresh,
}

/// How the network is used.
#[derive(Clone, Debug)]
pub struct Network {
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest wait without a byte.
    pub stall_timeout: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// The `User-Agent` header; kithara's own when `None`.
    pub user_agent: Option<String>,
    /// What was typed for the server of each stream.
    pub secrets: Secrets,
    /// What is told to servers about playback (CMCD), if anything.
    pub cmcd: Option<CmcdMode>,
    /// The way through proxies.
    pub proxies: Proxies,
    /// Whom to trust instead of the authorities of the system.
    pub authorities: Option<Authorities>,
}

impl Network {
    /// What may be sent to the server of `location`, whose user-info becomes
    /// part of it; `None` for a local file, also where it leads to the web. A
    /// list that was `typed` and led here gets it, and the server here only if it
    /// is the same.
    pub fn credentials(
        &self,
        location: &mut Location,
        typed: Option<&Location>,
    ) -> Option<Credentials> {
        let mut typed = typed.cloned();
        match typed.as_mut().unwrap_or(location) {
            Location::Http(url) => Some(Credentials::bind(self.secrets.clone(), url)),
            Location::File(_) => None,
        }
    }
}
