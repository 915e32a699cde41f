//! One stream in the cache: its folder, leased as long as anyone uses it, and
//! the entries in it, each opened once and only when it is asked for.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::MemfdFlags;

use super::House;
use super::entry::Entry;
use super::folder::{Folder, Present};
use super::head::Head;
use super::key::Identity;
use super::log::Log;
use super::record::Record;
use super::room::Needs;
use crate::error::{Kind, Problem, reason};
use crate::text;

const RACES: u32 = 8; // each is lost only to a process that got further

/// A stream's place in the cache. It cannot be evicted while a clone of it, or
/// one of its entries, lives.
#[derive(Clone, Debug)]
pub struct Stream {
    shelf: Arc<Shelf>,
}

/// What all clones of a stream and its entries share.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The cache it belongs to.
    pub house: Arc<House>,
    pub(super) folder: Option<Folder>,
    entries: Mutex<HashMap<String, Weak<Entry>>>,
    pub(super) needs: Mutex<Needs>,
}

impl Stream {
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        Self { shelf }
    }

    pub(super) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// Whether its bytes are held in memory.
    pub fn is_memory(&self) -> bool {
        self.shelf.folder.is_none()
    }

    /// Whether an earlier run found that the server has another version of it.
    pub fn is_outdated(&self) -> bool {
        let folder = self.shelf.folder.as_ref();
        folder.is_some_and(Folder::is_outdated)
    }

    /// Notes for later runs whether the server has another version of it.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the cache cannot be written.
    pub fn set_outdated(&self, is_outdated: bool) -> Result<(), Problem> {
        let Some(folder) = &self.shelf.folder else {
            return Ok(());
        };
        folder.set_outdated(is_outdated).map_err(|error| {
            let what = "cannot note that the stream has changed";
            Problem::from_io(error, Kind::Cache, what, "check the cache folder")
        })
    }

    /// The entry of `identity`, whole or in part; `None` when there is none, or
    /// none that can be read.
    pub fn find(&self, identity: &Identity) -> Option<Arc<Entry>> {
        let name = identity.name();
        self.shelf.needs().ask(&name);
        let mut entries = self.shelf.entries();
        let live = entries.get(&name).and_then(Weak::upgrade);
        if let Some(live) = live.filter(|live| live.identity() == identity) {
            return Some(live);
        }
        let folder = self.shelf.folder.as_ref()?;
        let (log, data) = folder.open(&name).ok()?.version(identity)?;
        Some(self.enter(&mut entries, name, data, (log, false)))
    }

    /// Tells other processes that the server is asked for `identity`, until the
    /// answer is dropped; `None` while one of them says so.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn announce(&self, identity: &Identity) -> io::Result<Option<Announcement>> {
        let shared = self.shelf.folder.as_ref();
        let Some(folder) = shared.filter(|_| self.shelf.house.is_shared()) else {
            return Ok(Some(Announcement(None)));
        };
        let name = identity.name();
        let lock = folder.announce(&name)?;
        let held = |lock| Announcement(Some((Arc::clone(&self.shelf), name, lock)));
        Ok(lock.map(held))
    }

    /// The entry for the bytes of `head`: the one that is there if its strong
    /// validator and length are the same (or another process is writing it
    /// just now), else a new one. Readers of an old one keep its bytes.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the cache cannot be written, [`Kind::Full`] when
    /// there is no room even for a record.
    pub fn begin(&self, identity: &Identity, head: Head) -> Result<Arc<Entry>, Problem> {
        self.shelf.needs().ask(&identity.name());
        self.shelf
            .with_room(|| self.begin_now(identity, head.clone()))
    }

    fn begin_now(&self, identity: &Identity, head: Head) -> Result<Arc<Entry>, Problem> {
        let name = identity.name();
        let mut entries = self.shelf.entries();
        let live = entries.get(&name).and_then(Weak::upgrade);
        let serves = |live: &Arc<Entry>| live.identity() == identity && live.serves(&head);
        if let Some(live) = live.filter(serves) {
            return Ok(live);
        }
        let Some(folder) = &self.shelf.folder else {
            let data = memory().map_err(|error| unusable(identity, error))?;
            return Ok(self.hold(&mut entries, name, identity.clone(), head, (data, None)));
        };
        let (log, data, is_claimed) = self
            .version(folder, &name, identity, &head)
            .map_err(|error| unusable(identity, error))?;
        let entry = self.enter(&mut entries, name, data, (log, is_claimed));
        drop(entries);
        match head.total.map_or(Ok(()), |total| entry.end_at(total)) {
            // The same validator on a shorter body: what is there is not of it.
            Err(problem) if problem.kind == Kind::Changed => {
                self.remove(identity)?;
                self.begin_now(identity, head)
            }
            Err(problem) => Err(problem),
            Ok(()) => Ok(entry),
        }
    }

    /// Removes an entry, for good; its readers keep what they have.
    pub fn remove(&self, identity: &Identity) -> Result<(), Problem> {
        let name = identity.name();
        self.shelf.entries().remove(&name);
        let Some(folder) = &self.shelf.folder else {
            return Ok(());
        };
        let removed = folder.remove(&name);
        let bytes = removed.map_err(|error| unusable(identity, error))?;
        self.shelf.house.give(bytes);
        Ok(())
    }

    /// Returns when everything written so far would survive a power cut. For
    /// `kithara cache`, before it reports success; never while playing.
    pub fn sync(&self) -> Result<(), Problem> {
        let Some(folder) = &self.shelf.folder else {
            return Ok(());
        };
        folder.sync().map_err(|error| {
            Problem::new(
                Kind::Cache,
                "cannot write the cache to the disk",
                reason(&error),
                "check the disk",
            )
        })
    }

    /// Opens the version of `head` or makes it, whatever other processes do meanwhile.
    fn version(
        &self,
        folder: &Folder,
        name: &str,
        identity: &Identity,
        head: &Head,
    ) -> io::Result<(Log, File, bool)> {
        for _ in 0..RACES {
            let present = folder.open(name)?;
            if let Present::Version(log, data) = present {
                let fits = log.record.identity == *identity;
                if fits && log.record.head.is_same_version(head) {
                    return Ok((log, data, false));
                }
                // Another process is at it: the same bytes are on their way.
                if fits && log.record.head.is_alike(head) && !log.claim()? {
                    return Ok((log, data, false));
                }
                let old = Some(log.record.generation);
                return self.create(folder, name, identity, head, old, true);
            }
            let is_there = matches!(present, Present::Garbled);
            match self.create(folder, name, identity, head, None, is_there) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn create(
        &self,
        folder: &Folder,
        name: &str,
        identity: &Identity,
        head: &Head,
        old: Option<u64>,
        is_there: bool,
    ) -> io::Result<(Log, File, bool)> {
        let (generation, data) = folder.create(name, old)?;
        let record = Record {
            identity: identity.clone(),
            head: head.clone(),
            generation,
        };
        let length = record.first_line().len() as u64;
        let published = match self.shelf.house.take(length) {
            Ok(()) => {
                let published = folder.publish(name, record, is_there);
                self.shelf.house.written(length);
                published
            }
            Err(problem) => Err(problem.into()),
        };
        let log = published.inspect_err(|_| {
            // Nobody knows it yet.
            let _ = folder.remove_data(name, generation);
        })?;
        match old {
            Some(old) => self.shelf.house.give(folder.remove_data(name, old)?),
            None if is_there => folder.sweep(name),
            None => {}
        }
        Ok((log, data, true))
    }

    /// Makes the entry of a record and remembers it.
    fn enter(
        &self,
        entries: &mut HashMap<String, Weak<Entry>>,
        name: String,
        data: File,
        log: (Log, bool),
    ) -> Arc<Entry> {
        let Record { identity, head, .. } = log.0.record.clone();
        let entry = self.hold(entries, name, identity, head, (data, Some(log)));
        entry.refresh();
        entry
    }

    fn hold(
        &self,
        entries: &mut HashMap<String, Weak<Entry>>,
        name: String,
        identity: Identity,
        head: Head,
        (data, log): (File, Option<(Log, bool)>),
    ) -> Arc<Entry> {
        if entries.len().is_power_of_two() {
            entries.retain(|_, entry| entry.strong_count() > 0);
        }
        let entry = Arc::new(Entry::new(
            Arc::clone(&self.shelf),
            identity,
            head,
            data,
            log,
        ));
        entries.insert(name, Arc::downgrade(&entry));
        entry
    }
}

impl Shelf {
    pub(super) fn new(house: Arc<House>, folder: Option<Folder>) -> Self {
        Self {
            house,
            folder,
            entries: Mutex::default(),
            needs: Mutex::new(Needs::new()),
        }
    }

    // A map of weak pointers is whole after every step.
    pub(super) fn entries(&self) -> MutexGuard<'_, HashMap<String, Weak<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, other processes wait for the answer of a server instead of
/// asking too.
#[derive(Debug)]
pub struct Announcement(Option<(Arc<Shelf>, String, File)>);

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some((shelf, name, _lock)) = &self.0
            && let Some(folder) = &shelf.folder
        {
            folder.withdraw(name); // while it is locked: the name is ours
        }
    }
}

/// A file without a name, gone when it is closed.
fn memory() -> io::Result<File> {
    let file = rustix::fs::memfd_create("kithara", MemfdFlags::CLOEXEC)?;
    Ok(File::from(file))
}

fn unusable(identity: &Identity, error: io::Error) -> Problem {
    Problem::from_io(
        error,
        Kind::Cache,
        format!("cannot keep \"{}\"", text::short_url(identity.url())),
        "check the cache folder and the disk, or use --no-cache",
    )
}
