//! What a run has to do with the memory of networks: it asks for it when a
//! variant is to be chosen by throughput, and adds to it what it measured.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::location::Location;
use crate::network::{Memory, Name};
use crate::pipeline::{CacheMode, Job, Quality, Task, housekeeping};
use crate::stats::Stats;
use crate::units::BitRate;

/// Bytes of media below which a run has measured little but the sockets' buffers.
const LEAST_BYTES: u64 = 256 << 10;

/// The share of what networks carried that the first variant may have. With it
/// the first half second takes hardly longer than that of the lowest variant:
/// over network traces the sound begins 1.02 times as late, 1.1 at worst; with
/// all of it 1.24 and 2.6 times.
const FIRST_SHARE: u64 = 5;

/// The memory of one run.
pub struct Recall {
    host: Option<String>,
    folder: PathBuf,
    /// Whether the run may leave a trace.
    is_learning: bool,
    /// Of the network in which the run began, once it was asked for.
    memory: OnceCell<Option<Memory>>,
}

impl Recall {
    /// That of `job`; `None` where throughput decides nothing: everything is
    /// local or stored, or the variant was named.
    pub fn of(job: &Job) -> Option<Self> {
        let Location::Http(url) = &job.location else {
            return None;
        };
        let is_played = matches!(job.task, Task::Play { .. });
        let is_open = job.quality == Quality::Auto && job.cache.mode != CacheMode::Offline;
        let folder = housekeeping::state_folder().filter(|_| is_played && is_open)?;
        Some(Self {
            host: url.host_str().map(str::to_owned),
            folder,
            is_learning: job.cache.mode != CacheMode::None,
            memory: OnceCell::new(),
        })
    }

    /// A rate to begin with, by what the network carried before, if that is
    /// known. Reads a few small files.
    pub fn prior(&self) -> Option<BitRate> {
        let memory = || self.name().map(|name| Memory::open(&self.folder, name));
        let carried = self.memory.get_or_init(memory).as_ref()?.prior()?;
        Some(BitRate(carried.0 / FIRST_SHARE))
    }

    /// Remembers what the run measured, unless it was little, or it ended in
    /// another network than it began in.
    pub fn learn(&self, stats: &Stats) {
        let (bytes, nanos) = (stats.carried_bytes.total(), stats.carried_ns.total());
        if !self.is_learning || bytes < LEAST_BYTES || nanos == 0 {
            return;
        }
        let known = self.memory.get().and_then(Option::as_ref);
        let Some(memory) = known.filter(|known| self.name().as_ref() == Some(known.name())) else {
            return;
        };
        let rate = u128::from(bytes) * 8_000_000_000 / u128::from(nanos);
        memory.learn(BitRate(u64::try_from(rate).unwrap_or(u64::MAX)));
    }

    fn name(&self) -> Option<Name> {
        Name::of_host(self.host.as_deref())
    }
}
