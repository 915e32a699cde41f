//! The net thread: one current-thread tokio runtime that reads playlists, plans,
//! fetches and writes into cache entries. Commanded by the stop signal and by
//! what the decode thread demands; waits on sockets, timers and demand. Never
//! decodes and never blocks on the decode thread.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::bell::Bell;
use crate::decode::inbox::Doors;
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind, State};
use crate::fetch::{Client, Settings};
use crate::hls::feed::{Feed, Purpose, Wishes};
use crate::hls::presentation::Presentation;
use crate::media::Piece;
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::{CacheMode, Job, Network, Task};
use crate::progressive;
use crate::stats::{Stage, Stats};
use crate::store::{First, Policy, Store, Wanted};
use crate::units::MediaTime;

/// Look-ahead kept on disk unless `--buffer` says otherwise.
const AHEAD: MediaTime = MediaTime::from_nanos(300_000_000_000);

/// What the thread works with.
pub struct Net {
    /// What is to be done.
    pub job: Job,
    /// Towards the decode thread.
    pub doors: Doors,
    /// Rung by entries that are waited for.
    pub bell: Arc<Bell>,
    /// The end of the run.
    pub stop: Arc<Notify>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// Towards main.
    pub events: Events,
}

impl Net {
    /// Runs until the source has ended or failed, or the run is stopped. A
    /// failure is also told to the decode thread, behind what it can still play.
    pub fn run(self) -> Result<(), Problem> {
        let (doors, stop) = (self.doors.clone(), Arc::clone(&self.stop));
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = self.source() => result,
                () = stop.notified() => Err(Problem::stopped()),
            }
        });
        // A look-up of a name may hang: nobody waits for it.
        runtime.shutdown_background();
        if let Err(problem) = &result {
            doors.hand(Piece::Failed(problem.clone()));
        }
        result
    }

    async fn source(self) -> Result<(), Problem> {
        self.events.send(Event::State(State::Opening));
        let store = self.open_store()?;
        let location = self.job.location.clone();
        let wanted = Wanted::whole(location, RequestKind::File);
        let asked = Instant::now();
        match store.first(&wanted).await? {
            First::Playlist(text) => {
                self.stats.lists().kind = "hls-vod";
                let quality = self.job.quality;
                let read = Presentation::read(&store, text, asked, &self.job.taste, &self.stats)?;
                let presentation = read
                    .choose(&store, quality, &self.stats, &self.events)
                    .await?;
                let wishes = self.wishes();
                Feed::new(
                    store,
                    self.doors,
                    wishes,
                    presentation,
                    &self.stats,
                    &self.events,
                )
                .run()
                .await
            }
            First::Media(opened) => {
                self.stats.lists().kind = "file";
                self.stats
                    .stage(Stage::SegmentFirstByte, asked, Instant::now());
                let job = progressive::Job {
                    wanted,
                    ledger: self.keeps_ledger(),
                    only_store: matches!(self.job.task, Task::Cache { .. }),
                };
                progressive::run(&store, job, opened, self.doors, &self.stats, &self.events).await
            }
        }
    }

    fn open_store(&self) -> Result<Store, Problem> {
        let mode = self.job.cache.mode;
        self.stats.begin(Stage::CacheOpen);
        let must_store = matches!(self.job.task, Task::Cache { .. });
        let shelf = Shelf::open(
            &self.job.cache,
            must_store,
            &self.bell,
            &self.stats,
            &self.events,
        )?;
        let stream = shelf.stream(&self.job.location, must_store, &self.events)?;
        self.stats.end(Stage::CacheOpen);
        shelf.trim_later();
        let policy = policy(mode, must_store);
        let client = client(self.job.network, &self.stats, &self.events)?;
        let spare = shelf.spare(&self.job.location)?;
        Ok(Store::new(
            client,
            stream,
            spare,
            policy,
            &self.stats,
            &self.events,
        ))
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            quality: self.job.quality,
            start: self.job.start,
            length: self.job.length,
            ahead: self.job.buffer.unwrap_or(AHEAD),
            ledger: self.keeps_ledger(),
            is_exact: matches!(self.job.task, Task::Dump { .. }),
            purpose: match self.job.task {
                Task::Cache { jobs } => Purpose::Cache { jobs },
                Task::Play { .. } | Task::Dump { .. } => Purpose::Decode,
            },
        }
    }

    fn keeps_ledger(&self) -> bool {
        matches!(
            &self.job.task,
            Task::Dump {
                ledger: Some(_),
                ..
            }
        )
    }
}

/// One thread's runtime: sockets and timers, no workers.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(|error| {
        Problem::from_io(
            error,
            Kind::Bug,
            "cannot start the network thread",
            "close other programs",
        )
    })
}

/// The HTTP client with the user's settings.
pub fn client(network: Network, stats: &Arc<Stats>, events: &Events) -> Result<Client, Problem> {
    let settings = Settings {
        connect_timeout: network.connect_timeout,
        stall_timeout: network.stall_timeout,
        retries: network.retries,
        ..Settings::default()
    };
    Client::new(settings, Arc::clone(stats), events.clone())
}

/// What a cache mode means for the store.
pub fn policy(mode: CacheMode, must_store: bool) -> Policy {
    Policy {
        offline: mode == CacheMode::Offline,
        refresh: mode == CacheMode::Refresh,
        must_store,
    }
}
