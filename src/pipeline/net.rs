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
use crate::fetch::{Client, Credentials, Settings};
use crate::hls::feed::{Feed, Purpose, Wishes};
use crate::hls::presentation::Presentation;
use crate::location::Location;
use crate::media::Piece;
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::{CacheMode, Job, Network, Task};
use crate::progressive;
use crate::stats::{Stage, Stats};
use crate::store::{First, Policy, Store, Wanted};

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

    async fn source(mut self) -> Result<(), Problem> {
        self.events.send(Event::State(State::Opening));
        let credentials = self.job.network.credentials(&mut self.job.location);
        let (shelf, store) = self.open_store(credentials)?;
        let location = self.job.location.clone();
        let wanted = Wanted::whole(location, RequestKind::File);
        let asked = Instant::now();
        match store.first(&wanted).await? {
            First::Playlist(text) => {
                let quality = self.job.quality;
                let read = Presentation::read(&store, text, asked, &self.job.taste, &self.stats)?;
                let presentation = read
                    .choose(&store, quality, &self.stats, &self.events)
                    .await?;
                self.stats.lists().kind = presentation.kind();
                let store = match presentation.is_live() {
                    true => self.live_store(&shelf, store)?,
                    false => store,
                };
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

    /// A live stream leaves nothing behind, its bytes are this run's own; unless
    /// it is recorded.
    fn live_store(&self, shelf: &Shelf, store: Store) -> Result<Store, Problem> {
        if matches!(self.job.task, Task::Cache { .. }) {
            return match self.job.location {
                Location::Http(_) => Ok(store.doubting()),
                Location::File(_) => Err(local()),
            };
        }
        let private = shelf.private(&self.job, &self.bell, &self.stats, &self.events)?;
        Ok(store.in_stream(private))
    }

    fn open_store(&self, credentials: Option<Credentials>) -> Result<(Shelf, Store), Problem> {
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
        let asker = credentials.as_ref().and_then(Credentials::summary);
        let asker = asker.as_deref();
        let stream = shelf.stream(&self.job.location, asker, must_store, &self.events)?;
        self.stats.end(Stage::CacheOpen);
        shelf.trim_later();
        let policy = policy(mode, must_store);
        let client = client(&self.job.network, credentials, &self.stats, &self.events)?;
        let spare = shelf.spare(&self.job.location)?;
        let store = Store::new(client, stream, spare, policy, &self.stats, &self.events);
        Ok((shelf, store))
    }

    fn wishes(&self) -> Wishes {
        let is_dump = matches!(self.job.task, Task::Dump { .. });
        Wishes {
            quality: self.job.quality,
            start: self.job.start,
            length: self.job.length,
            edge: self.job.edge,
            ahead: self.job.buffer,
            ledger: self.keeps_ledger(),
            is_exact: is_dump,
            keeps_time: is_dump,
            is_publisher_heard: matches!(self.job.task, Task::Play { .. }),
            patience: self.job.patience,
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

fn local() -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot record the stream",
        "its playlist is a local file",
        "give the address it came from, or use \"kithara dump\"",
    )
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

/// The HTTP client with the user's settings, for the stream of `credentials`.
pub fn client(
    network: &Network,
    credentials: Option<Credentials>,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<Client, Problem> {
    let default = Settings::default();
    let settings = Settings {
        user_agent: network.user_agent.clone().unwrap_or(default.user_agent),
        credentials,
        proxies: network.proxies.clone(),
        authorities: network.authorities.clone(),
        connect_timeout: network.connect_timeout,
        stall_timeout: network.stall_timeout,
        retries: network.retries,
        ..default
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
