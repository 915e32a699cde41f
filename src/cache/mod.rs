//! The cache is the buffer: every byte from the network is written once into
//! an entry and read back by the decoder, while it is being written. It never
//! gives a wrong byte: what this process did not write is checked first.
//!
//! ```text
//! <root>/kithara-cache                       the marker; <root>/total, <root>/secret
//! <root>/<stream>/lease                      locked while the stream is used; its time is the last use
//! <root>/<stream>/outdated                   there when the server has changed it
//! <root>/<stream>/<entry>.<generation>       the bytes as they came
//! <root>/<stream>/<entry>.asked              locked while a server is asked for it
//! <root>/<stream>/<entry>.record             what they are, and which are known
//! ```

mod audit;
mod dir;
mod entry;
mod evict;
mod folder;
mod head;
mod key;
mod known;
mod lease;
mod log;
mod reader;
mod record;
mod room;
mod root;
mod space;
mod spans;
mod stream;
mod sums;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

pub use audit::{Damage, Report, Stored};
pub use entry::Entry;
pub use head::Head;
pub use key::Identity;
pub use reader::Reader;
pub use stream::{Announcement, Stream};
pub use writer::Writer;

use crate::bell::Bell;
use crate::error::{Kind, Problem};
use crate::stats::Stats;
use dir::Dir;
use evict::Removal;
use folder::Folder;
use space::Space;
use stream::Shelf;

/// The cache of one run. Clones are the same cache.
#[derive(Clone, Debug)]
pub struct Cache {
    house: Arc<House>,
}

/// What the streams of a cache share.
struct House {
    /// `None`: everything is in memory.
    space: Option<Space>,
    /// Removed, root and all, at the end; holds the lock that says we live.
    private: Option<File>,
    bell: Arc<Bell>,
    stats: Arc<Stats>,
    streams: Mutex<HashMap<String, Weak<Shelf>>>,
}

impl Cache {
    /// The cache in the folder `root`, which is made when the first stream is.
    /// `limit` in bytes; `None`: 2 GiB, or a tenth of the free space if less.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsafe`] when the folder is not ours to use, [`Kind::Cache`]
    /// when it cannot be opened.
    pub fn open(
        root: &Path,
        limit: Option<u64>,
        bell: Arc<Bell>,
        stats: Arc<Stats>,
    ) -> Result<Self, Problem> {
        let root: PathBuf = root.components().collect(); // a slash at the end would follow a link
        root::open(&root)?;
        let space = Space::new(&root, limit, Arc::clone(&stats));
        Ok(Self::new(Some(space), None, bell, stats))
    }

    /// A cache for this run alone, in a folder of its own in `parent` that is
    /// removed with the cache; those of dead processes are removed first.
    pub fn private(parent: &Path, bell: Arc<Bell>, stats: Arc<Stats>) -> Result<Self, Problem> {
        for (path, dir, _lock) in root::abandoned(parent) {
            // What cannot be removed stays until the next run.
            let _ = evict::clear(&dir).and_then(|()| fs::remove_dir(path));
        }
        let path = root::private(parent)?;
        let marker = root::make(&path).and_then(|dir| {
            let lock = || {
                let marker = root::users(&dir)?;
                marker.lock_shared()?;
                Ok(marker)
            };
            lock().map_err(|error| root::unusable(&path, error))
        })?;
        let space = Space::new(&path, None, Arc::clone(&stats));
        Ok(Self::new(Some(space), Some(marker), bell, stats))
    }

    /// A private cache of the same run, as [`Cache::private`].
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when its folder cannot be made.
    pub fn beside(&self, parent: &Path) -> Result<Self, Problem> {
        let (bell, stats) = (&self.house.bell, &self.house.stats);
        Self::private(parent, Arc::clone(bell), Arc::clone(stats))
    }

    /// Whether other processes may read what is here.
    pub fn is_shared(&self) -> bool {
        self.house.is_shared()
    }

    /// A cache in memory, for a full or read-only disk. Its bytes live as long
    /// as their entries do.
    pub fn memory(bell: Arc<Bell>, stats: Arc<Stats>) -> Self {
        Self::new(None, None, bell, stats)
    }

    fn new(
        space: Option<Space>,
        private: Option<File>,
        bell: Arc<Bell>,
        stats: Arc<Stats>,
    ) -> Self {
        let house = House {
            space,
            private,
            bell,
            stats,
            streams: Mutex::default(),
        };
        Self {
            house: Arc::new(house),
        }
    }

    /// The folder; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.house.space.as_ref().map(Space::root)
    }

    /// Whether the bytes are held in memory: look-ahead must stay small.
    pub fn is_memory(&self) -> bool {
        self.house.space.is_none()
    }

    /// The key for [`Identity::with_credentials`]: one for each cache folder.
    pub fn secret(&self) -> Result<[u8; 32], Problem> {
        let Some(space) = &self.house.space else {
            return Ok([0; 32]); // nothing is written down
        };
        let root = root::make(space.root())?;
        root::secret(&root).map_err(|error| root::unusable(space.root(), error))
    }

    /// The stream of `identity`, made when it is not there.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the folder cannot be written; the caller may go on
    /// with [`Cache::memory`].
    pub fn stream(&self, identity: &Identity) -> Result<Stream, Problem> {
        let found = self.shelf(identity, true)?;
        found.ok_or_else(|| busy("cannot use the stream"))
    }

    /// The stream of `identity` if it is there; makes nothing.
    pub fn find(&self, identity: &Identity) -> Result<Option<Stream>, Problem> {
        self.shelf(identity, false)
    }

    /// Counts what is on disk and clears away what dead processes left. Takes
    /// a while: for a housekeeping thread, once in a run. Returns the bytes of
    /// the whole cache.
    pub fn measure(&self) -> Result<u64, Problem> {
        match self.present()? {
            Some((space, _)) => space.measure(),
            None => Ok(0),
        }
    }

    /// Evicts streams until the cache is within its limit; the bytes that went.
    pub fn trim(&self) -> Result<u64, Problem> {
        match self.present()? {
            Some((space, _)) => {
                space.measure()?;
                space.trim()
            }
            None => Ok(0),
        }
    }

    /// What [`Cache::trim`] does, to be done later if the cache is still used then.
    pub fn trimming(&self) -> impl FnOnce() -> Result<u64, Problem> + Send + 'static {
        let house = Arc::downgrade(&self.house);
        move || match house.upgrade() {
            Some(house) => Self { house }.trim(),
            None => Ok(0),
        }
    }

    /// Removes the stream of a URL, as each asker sees it: credentials do not
    /// count. Returns its bytes on disk, `None` when it was not there.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when it is in use.
    pub fn remove(&self, identity: &Identity) -> Result<Option<u64>, Problem> {
        let Some((space, root)) = self.present()? else {
            return Ok(None);
        };
        let unusable = |error| root::unusable(space.root(), error);
        let mut removed = None;
        for name in audit::names_of(&root, identity).map_err(unusable)? {
            match evict::remove(&root, &name, None).map_err(unusable)? {
                Removal::Done(bytes) => {
                    space.give(bytes);
                    removed = Some(removed.unwrap_or(0) + bytes);
                }
                Removal::Busy => return Err(busy("cannot remove the stream")),
                Removal::Missing => {}
            }
        }
        Ok(removed)
    }

    /// The streams in the cache, the one used last first.
    pub fn list(&self) -> Result<Vec<Stored>, Problem> {
        match self.present()? {
            Some((space, root)) => {
                audit::list(&root).map_err(|error| root::unusable(space.root(), error))
            }
            None => Ok(Vec::new()),
        }
    }

    /// The stream of a listing, to look into: that counts as no use of it.
    /// `None` when it was removed since.
    pub fn look(&self, stored: &Stored) -> Result<Option<Stream>, Problem> {
        let Some((space, root)) = self.present()? else {
            return Ok(None);
        };
        let folder = Folder::lease(&root, &stored.name, false)
            .map_err(|error| root::unusable(space.root(), error))?;
        let shelf = |folder| Arc::new(Shelf::new(Arc::clone(&self.house), Some(folder)));
        Ok(folder.map(|folder| Stream::new(shelf(folder))))
    }

    /// Checks every byte in the cache; with `repair` what is damaged counts as
    /// missing from then on.
    pub fn verify(&self, repair: bool) -> Result<Report, Problem> {
        match self.present()? {
            Some((space, root)) => {
                audit::verify(&root, repair).map_err(|error| root::unusable(space.root(), error))
            }
            None => Ok(Report::default()),
        }
    }

    /// The space and the root, if there is one on disk.
    fn present(&self) -> Result<Option<(&Space, Dir)>, Problem> {
        let Some(space) = &self.house.space else {
            return Ok(None);
        };
        let Some(root) = root::open(space.root())? else {
            return Ok(None);
        };
        // An empty folder that is not yet a cache has no marker to lock.
        Ok(space.enter(&root).is_ok().then_some((space, root)))
    }

    fn shelf(&self, identity: &Identity, is_made: bool) -> Result<Option<Stream>, Problem> {
        let began = Instant::now();
        let mut streams = self.house.streams();
        let name = identity.name();
        if let Some(shelf) = streams.get(&name).and_then(Weak::upgrade) {
            return Ok(Some(Stream::new(shelf)));
        }
        let folder = match &self.house.space {
            Some(space) => match lease::folder(space, identity, is_made)? {
                Some(folder) => Some(folder),
                None => return Ok(None),
            },
            None => None,
        };
        let stream = Stream::new(Arc::new(Shelf::new(Arc::clone(&self.house), folder)));
        streams.retain(|_, shelf| shelf.strong_count() > 0);
        streams.insert(name, Arc::downgrade(stream.shelf()));
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.house.stats.cache_open_us.add(micros);
        Ok(Some(stream))
    }
}

fn busy(what: &str) -> Problem {
    Problem::new(
        Kind::Cache,
        what,
        "it is in use",
        "try again when nothing plays it",
    )
}

impl House {
    /// Whether other processes may read what is here.
    fn is_shared(&self) -> bool {
        self.space.is_some() && self.private.is_none()
    }

    /// Takes room for bytes that are about to be written.
    fn take(&self, bytes: u64) -> Result<(), Problem> {
        let space = self.space.as_ref();
        space.map_or(Ok(()), |space| space.take(bytes))
    }

    /// Whether an entry of `bytes` could be held at all.
    fn admits(&self, bytes: u64) -> Result<bool, Problem> {
        let space = self.space.as_ref();
        space.map_or(Ok(true), |space| space.admits(bytes))
    }

    /// What room was taken for is on the disk now.
    fn written(&self, bytes: u64) {
        if let Some(space) = &self.space {
            space.written(bytes);
        }
    }

    /// Puts back room that was taken and not used.
    fn put_back(&self, bytes: u64) {
        if let Some(space) = &self.space {
            space.put_back(bytes);
        }
    }

    /// Gives back the room of bytes that were removed.
    fn give(&self, bytes: u64) {
        if let Some(space) = &self.space {
            space.give(bytes);
        }
    }

    // A map of weak pointers is whole after every step.
    fn streams(&self) -> MutexGuard<'_, HashMap<String, Weak<Shelf>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for House {
    /// A private cache goes with the run; after a crash, with the next one.
    fn drop(&mut self) {
        if let (Some(_), Some(space)) = (&self.private, &self.space)
            && let Ok(root) = Dir::open(space.root())
        {
            let _ = evict::clear(&root).and_then(|()| fs::remove_dir(space.root()));
        }
    }
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.space.as_ref().map(Space::root);
        f.debug_struct("House")
            .field("root", &root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
