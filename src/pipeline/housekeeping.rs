//! Which cache a run uses, the verbs of `kithara cache`, and what is done to it
//! beside the run: counting and trimming on a thread that nobody waits for.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bell::Bell;
use crate::cache::{Cache, Identity};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events};
use crate::fetch::Client;
use crate::location::Location;
use crate::pipeline::{self, CacheChoice, CacheMode, Job};
use crate::stats::Stats;
use crate::store::{Disk, Places, Policy, Store};

/// How long the disk is left to what sound needs.
const QUIET: Duration = Duration::from_millis(100);

/// The cache of a run.
pub struct Shelf {
    cache: Cache,
    memory: Cache,
    mode: CacheMode,
    /// Where a place of this run's own is made.
    parent: PathBuf,
}

impl Shelf {
    /// Opens what `choice` says. A cache that cannot be used is a warning and
    /// one in memory takes over, unless the run `must_store`.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] for a folder that is not ours; [`Kind::Cache`] when the
    /// run must store.
    pub fn open(
        choice: &CacheChoice,
        must_store: bool,
        bell: &Arc<Bell>,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Result<Self, Problem> {
        if must_store && choice.mode == CacheMode::None {
            return Err(nothing_to_store());
        }
        let memory = Cache::memory(Arc::clone(bell), Arc::clone(stats));
        let opened = match choice.mode {
            CacheMode::None => Cache::private(&parent(choice), Arc::clone(bell), Arc::clone(stats)),
            CacheMode::Use | CacheMode::Offline | CacheMode::Refresh => {
                root(choice).and_then(|root| {
                    Cache::open(&root, choice.size, Arc::clone(bell), Arc::clone(stats))
                })
            }
        };
        let cache = match opened {
            Err(problem) if problem.kind.is_cache() && !must_store => {
                events.send(Event::Warning(without(problem)));
                memory.clone()
            }
            result => result?,
        };
        Ok(Self {
            cache,
            memory,
            mode: choice.mode,
            parent: parent(choice),
        })
    }

    /// The bytes of `location`, fetched by `client`; see [`Shelf::stream`].
    ///
    /// # Errors
    ///
    /// Those of [`Shelf::stream`].
    pub fn store(
        &self,
        client: Client,
        location: &Location,
        asker: Option<&str>,
        policy: Policy,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Result<Store, Problem> {
        let disk = self.stream(location, asker, policy.must_store, events)?;
        let (spare, parent) = (self.spare(location), self.parent.clone());
        let places = Places {
            disk,
            spare,
            parent,
        };
        Ok(Store::new(client, places, policy, stats, events))
    }

    /// The place of `location` in it, as `asker` sees it: the credentials that
    /// go with the request, for what one user may read another must not get
    /// from here. Nothing is made before something is kept.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the run must store and has no secret for `asker`.
    pub fn stream(
        &self,
        location: &Location,
        asker: Option<&str>,
        must_store: bool,
        events: &Events,
    ) -> Result<Disk, Problem> {
        let is_there = || self.cache.path().is_some_and(Path::is_dir);
        let is_local = matches!(location, Location::File(_));
        if is_local || self.mode == CacheMode::Offline && !is_there() {
            return Ok(self.spare(location));
        }
        match self.identity(location, asker) {
            Err(problem) if problem.kind.is_cache() && !must_store => {
                events.send(Event::Warning(without(problem)));
                Ok(self.spare(location))
            }
            identity => Ok(Disk::new(self.cache.clone(), identity?)),
        }
    }

    /// A place for the stream of `job` that is this run's own and goes with it;
    /// in memory when the disk refuses.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`].
    pub fn private(
        &self,
        job: &Job,
        bell: &Arc<Bell>,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Result<Disk, Problem> {
        let made = Cache::private(&self.parent, Arc::clone(bell), Arc::clone(stats));
        match made {
            Err(problem) if problem.kind.is_cache() => {
                events.send(Event::Warning(without(problem)));
                Ok(self.spare(&job.location))
            }
            cache => Ok(Disk::new(cache?, identity(&job.location))),
        }
    }

    fn identity(&self, location: &Location, asker: Option<&str>) -> Result<Identity, Problem> {
        let anonymous = identity(location);
        match asker {
            None => Ok(anonymous),
            Some(asker) => Ok(anonymous.with_credentials(&self.cache.secret()?, asker)),
        }
    }

    /// The place of `location` in memory.
    pub fn spare(&self, location: &Location) -> Disk {
        Disk::new(self.memory.clone(), identity(location))
    }

    /// Counts and trims the cache on a thread of its own, when sound has begun.
    pub fn trim_later(&self) {
        if self.cache.is_memory() || self.mode == CacheMode::Offline || self.mode == CacheMode::None
        {
            return;
        }
        // A run that is over by then takes its cache along.
        let trim = self.cache.trimming();
        let work = move || {
            thread::sleep(QUIET);
            if let Err(problem) = trim() {
                tracing::warn!("{problem}");
            }
        };
        // Without a thread for it the limit is kept by what is written.
        let _ = pipeline::spawn_short("cache", work);
    }
}

fn nothing_to_store() -> Problem {
    let why = "it is told not to keep anything";
    Problem::new(
        Kind::Arguments,
        "cannot cache the stream",
        why,
        "leave out --no-cache",
    )
}

fn without(problem: Problem) -> Problem {
    Problem {
        todo: "going on without the cache",
        ..problem
    }
}

fn identity(location: &Location) -> Identity {
    match location {
        Location::Http(url) => Identity::of_url(url.as_str()),
        Location::File(path) => Identity::of_url(&format!("file://{}", path.display())),
    }
}

/// A folder that the environment names. A relative path is ignored, as the
/// base-directory specification asks.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// The folder of what is remembered between runs and is no cache; `None` when
/// the environment names none.
pub(super) fn state_folder() -> Option<PathBuf> {
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    let base = absolute("XDG_STATE_HOME").or_else(home)?;
    Some(base.join("kithara"))
}

/// The folder of the cache.
///
/// # Errors
///
/// [`Kind::Cache`] when neither an option nor the environment names one.
fn root(choice: &CacheChoice) -> Result<PathBuf, Problem> {
    if let Some(dir) = &choice.dir {
        return Ok(dir.clone());
    }
    let base =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("kithara")).ok_or_else(|| {
        let why = "neither XDG_CACHE_HOME nor HOME names a folder";
        Problem::new(
            Kind::Cache,
            "cannot find the cache",
            why,
            "name one with --cache-dir",
        )
    })
}

/// Where a private cache lies: beside the shared one, else with temporary files.
fn parent(choice: &CacheChoice) -> PathBuf {
    let beside = root(choice)
        .ok()
        .and_then(|root| root.parent().map(PathBuf::from));
    beside
        .filter(|path| path.is_dir())
        .unwrap_or_else(env::temp_dir)
}

/// What a check of the cache found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Bytes read and compared.
    pub bytes: u64,
    /// What is damaged.
    pub damaged: Vec<String>,
}

/// Removes a stream, whoever asked for it; the bytes that went, `None` when it
/// was not there.
pub fn cache_remove(choice: &CacheChoice, location: &Location) -> Result<Option<u64>, Problem> {
    open(choice)?.remove(&identity(location))
}

/// Evicts streams until the cache is within its limit; the bytes that went.
pub fn cache_trim(choice: &CacheChoice) -> Result<u64, Problem> {
    open(choice)?.trim()
}

/// Reads and compares every stored byte.
pub fn cache_verify(choice: &CacheChoice, repair: bool) -> Result<Verified, Problem> {
    let report = open(choice)?.verify(repair)?;
    let line = |damage: crate::cache::Damage| {
        format!("{}: {}", crate::text::short_url(&damage.url), damage.what)
    };
    Ok(Verified {
        bytes: report.checked,
        damaged: report.damaged.into_iter().map(line).collect(),
    })
}

/// The folder of the cache.
pub fn cache_path(choice: &CacheChoice) -> Result<PathBuf, Problem> {
    root(choice)
}

/// The cache, for a verb.
pub(super) fn open(choice: &CacheChoice) -> Result<Cache, Problem> {
    Cache::open(&root(choice)?, choice.size, Arc::default(), Arc::default())
}
