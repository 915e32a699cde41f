//! One stream in the cache: its folder, leased as long as anyone uses it, and
//! the entries in it, each opened once and only when it is asked for.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::MemfdFlags;

use super::House;
use super::dir::{Dir, Opened, Writing};
use super::entry::Entry;
use super::evict::{FRESH, LEASE, RECORD, data_name, now};
use super::key::Identity;
use super::log::{Found, Log};
use super::record::{Head, Record};
use crate::error::{Kind, Problem, reason};
use crate::text;

const RACES: u32 = 8; // each is lost only to a process that got further
const EVICTION: (u32, Duration) = (200, Duration::from_millis(1)); // tries until a folder is out of the way

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
    folder: Option<Folder>,
    entries: Mutex<HashMap<String, Weak<Entry>>>,
}

/// A stream's folder; `None` in a [`Shelf`] is a stream in memory.
#[derive(Debug)]
pub(super) struct Folder {
    dir: Dir,
    /// Locked shared, until it is closed.
    lease: Opened,
}

impl Stream {
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        Self { shelf }
    }

    pub(super) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// The entry of `identity`, whole or in part; `None` when there is none, or
    /// none that can be read.
    pub fn find(&self, identity: &Identity) -> Option<Arc<Entry>> {
        let name = identity.name();
        let mut entries = self.shelf.entries();
        let live = entries.get(&name).and_then(Weak::upgrade);
        if let Some(live) = live.filter(|live| live.identity() == identity) {
            return Some(live);
        }
        let folder = self.shelf.folder.as_ref()?;
        let (log, data) = folder.open(&name).ok()?.version(identity)?;
        Some(self.enter(&mut entries, name, data, (log, false)))
    }

    /// The entry for the bytes of `head`: the one that is there if its strong
    /// validator and length are the same (or another process is writing it
    /// just now), else a new one. Readers of an old one keep its bytes.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the cache cannot be written, or the bytes will not fit.
    pub fn begin(&self, identity: &Identity, head: Head) -> Result<Arc<Entry>, Problem> {
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
        if let (Some(space), Some(total)) = (&self.shelf.house.space, head.total) {
            space.admits(total)?;
        }
        let (log, data, is_claimed) = self
            .version(folder, &name, identity, &head)
            .map_err(|error| unusable(identity, error))?;
        let entry = self.enter(&mut entries, name, data, (log, is_claimed));
        drop(entries);
        match head.total.map_or(Ok(()), |total| entry.end_at(total)) {
            // The same validator on a shorter body: what is there is not of it.
            Err(problem) if problem.kind == Kind::Changed => {
                self.remove(identity)?;
                self.begin(identity, head)
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
        // One call for 15,000 files. Their order does not matter: a record that
        // comes before its bytes claims checksums that do not fit.
        rustix::fs::syncfs(folder.dir.file()).map_err(|error| {
            Problem::new(
                Kind::Cache,
                "cannot write the cache to the disk",
                reason(&error.into()),
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
        let room = self.shelf.house.take(record.first_line().len() as u64);
        let published = match room {
            Ok(()) => folder.publish(name, record, is_there),
            Err(problem) => Err(problem.into()),
        };
        let log = published.inspect_err(|_| {
            // Nobody knows it yet.
            let _ = folder.dir.remove(&data_name(name, generation));
        })?;
        if let Some(old) = old {
            let bytes = folder.dir.remove(&data_name(name, old))?;
            self.shelf.house.give(bytes);
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
        }
    }

    // A map of weak pointers is whole after every step.
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Weak<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a folder has under an entry's name.
enum Present {
    Nothing,
    /// A record that cannot be read, or one without its bytes.
    Garbled,
    Version(Log, File),
}

impl Present {
    fn version(self, identity: &Identity) -> Option<(Log, File)> {
        match self {
            Self::Version(log, data) if log.record.identity == *identity => Some((log, data)),
            Self::Version(..) | Self::Nothing | Self::Garbled => None,
        }
    }
}

impl Folder {
    /// Leases the folder of `identity` in `root`; `None` when it is not there
    /// and `is_made` does not say to make it.
    pub fn lease(root: &Dir, identity: &Identity, is_made: bool) -> io::Result<Option<Self>> {
        let name = identity.name();
        let (tries, pause) = EVICTION;
        for _ in 0..tries {
            if is_made {
                root.make_child(&name)?;
            }
            let Some(dir) = root.child(&name)? else {
                if !is_made {
                    return Ok(None);
                }
                root.remove(&name)?; // a link or a file
                continue;
            };
            let lease = match dir.open_or_create(LEASE) {
                Err(_) if !is_made => return Ok(None), // lost, on a disk we may only read
                lease => lease?,
            };
            match lease.file.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(pause); // it is being evicted
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if root.holds(&name, dir.file())? && dir.holds(LEASE, &lease.file)? {
                return Ok(Some(Self { dir, lease }));
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Notes the use, and whose stream it is, for listings. Returns how many
    /// bytes that took.
    pub fn touch(&self, identity: &Identity) -> io::Result<u64> {
        let lease = &self.lease.file;
        if !self.lease.is_writable {
            return Ok(0);
        }
        let label = format!("{}\n", identity.url());
        let mut found = vec![0; label.len()];
        let length = lease.metadata()?.len();
        let is_labelled = length == label.len() as u64
            && lease.read_exact_at(&mut found, 0).is_ok()
            && found == label.as_bytes();
        if !is_labelled {
            lease.set_len(0)?;
            lease.write_all_at(label.as_bytes(), 0)?;
        }
        lease.set_modified(SystemTime::now())?;
        Ok(if is_labelled { 0 } else { label.len() as u64 })
    }

    /// What is under an entry's name.
    fn open(&self, name: &str) -> io::Result<Present> {
        let record = format!("{name}{RECORD}");
        for _ in 0..RACES {
            let mut log = match Log::open(&self.dir, &record)? {
                Found::Nothing => return Ok(Present::Nothing),
                Found::Garbled => return Ok(Present::Garbled),
                Found::Log(log) => log,
            };
            let data = data_name(name, log.record.generation);
            if let Some(data) = self.dir.open_file(&data, Writing::Anywhere)? {
                log.is_writable &= data.is_writable;
                return Ok(Present::Version(log, data.file));
            }
            if log.is_at(&self.dir, &record)? {
                return Ok(Present::Garbled);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// A new file for the bytes of an entry, and its generation.
    fn create(&self, name: &str, old: Option<u64>) -> io::Result<(u64, File)> {
        let after = old.map_or(0, |old| old.saturating_add(1));
        let mut generation = now().max(after);
        loop {
            match self
                .dir
                .create(&data_name(name, generation), Writing::Anywhere)
            {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    generation = generation.checked_add(1).ok_or(error)?;
                }
                created => return Ok((generation, created?)),
            }
        }
    }

    /// Writes a record whole and then gives it its name: in place of another,
    /// or only if there is none.
    fn publish(&self, name: &str, record: Record, is_there: bool) -> io::Result<Log> {
        let fresh = format!("{}{FRESH}", data_name(name, record.generation));
        let named = format!("{name}{RECORD}");
        let published = Log::create(&self.dir, &fresh, record).and_then(|log| {
            match is_there {
                true => self.dir.replace(&fresh, &named)?,
                false => self.dir.publish(&fresh, &named)?,
            }
            Ok(log)
        });
        published.inspect_err(|_| {
            let _ = self.dir.remove(&fresh);
        })
    }

    /// Removes an entry, first its record; the bytes that went.
    fn remove(&self, name: &str) -> io::Result<u64> {
        let generation = match self.open(name)? {
            Present::Version(log, _) => Some(log.record.generation),
            Present::Garbled => None,
            Present::Nothing => return Ok(0),
        };
        let mut bytes = self.dir.remove(&format!("{name}{RECORD}"))?;
        if let Some(generation) = generation {
            bytes += self.dir.remove(&data_name(name, generation))?;
        }
        Ok(bytes)
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
