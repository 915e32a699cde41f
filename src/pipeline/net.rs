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
use crate::fetch::{Client, Cmcd, Credentials, Settings};
use crate::hls::dial::Turns;
use crate::hls::feed::Feed;
use crate::hls::presentation::Presentation;
use crate::hls::renewal::Root;
use crate::hls::wishes::{Purpose, Wishes};
use crate::location::Location;
use crate::media::Piece;
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::recall::Recall;
use crate::pipeline::{CacheMode, Entry, Job, Listed, Network, Task};
use crate::progressive;
use crate::stats::{Stage, Stats};
use crate::store::{Asking, First, Policy, Store, Text, Wanted};
use crate::units::BitRate;

/// What the thread works with.
pub struct Net {
    /// What is to be done.
    pub job: Job,
    /// Towards the decode thread.
    pub doors: Doors,
    /// What the listener does to the choice of variants.
    pub turns: Turns,
    /// Rung by entries that are waited for.
    pub bell: Arc<Bell>,
    /// The end of the run.
    pub stop: Arc<Notify>,
    /// Where the entries go, when it is a list of addresses.
    pub list: Listed,
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
        let (recall, stats) = (Recall::of(&self.job), Arc::clone(&self.stats));
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = self.source(recall.as_ref()) => result,
                () = stop.notified() => Err(Problem::stopped()),
            }
        });
        // A look-up of a name may hang: nobody waits for it.
        runtime.shutdown_background();
        if let Err(problem) = &result {
            doors.hand(Piece::Failed(problem.clone()));
        }
        if let Some(recall) = recall {
            recall.learn(&stats);
        }
        result
    }

    async fn source(mut self, recall: Option<&Recall>) -> Result<(), Problem> {
        self.events.send(Event::State(State::Opening));
        let job = &mut self.job;
        let credentials = job
            .network
            .credentials(&mut job.location, job.typed.as_ref());
        let (shelf, store) = self.open_store(credentials)?;
        let location = self.job.location.clone();
        let wanted = Wanted::whole(location, RequestKind::File);
        let asked = Instant::now();
        // What is remembered is read while the answer is on its way.
        let (first, prior) = tokio::join!(store.first(&wanted), async {
            recall.and_then(Recall::prior)
        });
        let wishes = self.wishes(prior);
        match first? {
            First::Playlist(text) => {
                let was_stored = text.is_stored;
                let presented = self.presented(&store, text, asked, &wishes).await;
                let (store, presentation) = match presented {
                    // What a stored playlist leads to may have moved since.
                    Err(problem) if was_stored && store.may_be_outdated(&problem) => {
                        let store = store.asking_first();
                        let text = store.text(&wanted).await?;
                        let again = self.presented(&store, text, asked, &wishes);
                        let presentation = again.await?;
                        (store, presentation)
                    }
                    presented => (store, presented?),
                };
                let behind = store.clone();
                self.stats.lists().kind = presentation.kind();
                let store = match presentation.is_live() {
                    true => self.live_store(&shelf, store)?,
                    false => store,
                };
                let (stats, events) = (&self.stats, &self.events);
                let doors = (self.doors, self.turns);
                let feed = Feed::new(store, doors, wishes, presentation, stats, events);
                beside(&behind, feed.run()).await
            }
            First::List(text) => {
                self.list.set(self.entries(&store, &wanted, text).await?);
                Err(Problem::stopped())
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
                let (stats, events) = (&self.stats, &self.events);
                let run = progressive::run(&store, job, opened, self.doors, stats, events);
                beside(&store, run).await
            }
        }
    }

    /// The entries of the list in `text`. The server is asked about a stored one
    /// at once: there is no sound behind which it could be asked.
    async fn entries(
        &self,
        store: &Store,
        wanted: &Wanted,
        text: Text,
    ) -> Result<Vec<Result<Entry, Problem>>, Problem> {
        let is_unasked = text.is_stored && store.trusts_lists() && !store.is_offline();
        let text = match is_unasked {
            true => store.clone().asking_first().text(wanted).await?,
            false => text,
        };
        if matches!(self.job.task, Task::Cache { .. }) {
            store.keep(&text)?;
        }
        store.entries(&text)
    }

    /// The stream of the playlist in `text`, with a variant chosen.
    async fn presented(
        &self,
        store: &Store,
        text: Text,
        asked: Instant,
        wishes: &Wishes,
    ) -> Result<Presentation, Problem> {
        let root = Root {
            location: self.job.location.clone(),
            taste: self.job.taste.clone(),
        };
        let mut read = Presentation::read(store, text, root, asked, &self.stats)?;
        read.preload_keys(store);
        read.choose(store, wishes, &self.stats, &self.events).await
    }

    /// A live stream leaves nothing behind, its bytes are this run's own; unless
    /// it is recorded.
    fn live_store(&self, shelf: &Shelf, store: Store) -> Result<Store, Problem> {
        if matches!(self.job.task, Task::Cache { .. }) {
            return match self.job.location {
                Location::Http(_) => Ok(store.asking_first()),
                Location::File(_) => Err(local()),
            };
        }
        let private = shelf.private(&self.job, &self.bell, &self.stats, &self.events)?;
        Ok(store.on(private))
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
        let (place, stats, events) = (&self.job.location, &self.stats, &self.events);
        let is_played = matches!(self.job.task, Task::Play { .. });
        let client = client(&self.job.network, credentials, is_played, stats, events)?;
        let policy = policy(mode, must_store, must_store);
        let store = shelf.store(client, place, asker.as_deref(), policy, stats, events)?;
        self.stats.end(Stage::CacheOpen);
        shelf.trim_later();
        Ok((shelf, store))
    }

    fn wishes(&self, prior: Option<BitRate>) -> Wishes {
        let is_dump = matches!(self.job.task, Task::Dump { .. });
        Wishes {
            quality: self.job.quality,
            prior,
            start: self.job.start,
            length: self.job.length,
            edge: self.job.edge,
            ahead: self.job.buffer,
            ledger: self.keeps_ledger(),
            is_exact: is_dump,
            keeps_time: is_dump,
            is_publisher_heard: matches!(self.job.task, Task::Play { .. }),
            patience: self.job.patience,
            algorithm: self.job.algorithm,
            is_traced: self.job.is_traced,
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

/// Runs `source`; what it takes from the cache is asked about beside it.
async fn beside(
    store: &Store,
    source: impl Future<Output = Result<(), Problem>>,
) -> Result<(), Problem> {
    let result = tokio::select! {
        result = source => result,
        () = store.recheck() => Ok(()),
    };
    if result.is_ok() {
        store.settle().await;
    }
    result
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

/// The HTTP client with the user's settings, for the stream of `credentials`,
/// which is played or only fetched.
pub fn client(
    network: &Network,
    credentials: Option<Credentials>,
    is_played: bool,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<Client, Problem> {
    let default = Settings::default();
    let settings = Settings {
        user_agent: network.user_agent.clone().unwrap_or(default.user_agent),
        credentials,
        cmcd: network
            .cmcd
            .map(|mode| Arc::new(Cmcd::new(mode, is_played))),
        proxies: network.proxies.clone(),
        authorities: network.authorities.clone(),
        connect_timeout: network.connect_timeout,
        stall_timeout: network.stall_timeout,
        retries: network.retries,
        ..default
    };
    Client::new(settings, Arc::clone(stats), events.clone())
}

/// What a cache mode means for the store of a run that uses the stored copy at
/// once, or `asks` the server first.
pub fn policy(mode: CacheMode, must_store: bool, asks: bool) -> Policy {
    Policy {
        asking: match (mode, asks) {
            (CacheMode::Offline, _) => Asking::Never,
            (CacheMode::Refresh, _) => Asking::First,
            (CacheMode::Use | CacheMode::None, true) => Asking::Lists,
            (CacheMode::Use | CacheMode::None, false) => Asking::Later,
        },
        must_store,
    }
}
