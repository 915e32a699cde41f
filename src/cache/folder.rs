//! A stream's folder, leased: its entries by name, and how a new version of one
//! takes the place of the old in a single step.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, SystemTime};

use super::dir::{Dir, Opened, Writing};
use super::evict::{self, ASKED, FRESH, LEASE, OUTDATED, RECORD, data_name, entry_of, now};
use super::key::Identity;
use super::log::{Found, Log};
use super::record::Record;

const RACES: u32 = 8; // each is lost only to a process that got further
const EVICTION: (u32, Duration) = (200, Duration::from_millis(1)); // tries until a folder is out of the way

/// A stream's folder. It cannot be evicted while this lives.
#[derive(Debug)]
pub(super) struct Folder {
    dir: Dir,
    /// Locked shared, until it is closed.
    lease: Opened,
}

impl Folder {
    /// Leases the stream's folder `name` in `root`; `None` when it is not there
    /// and `is_made` does not say to make it.
    pub fn lease(root: &Dir, name: &str, is_made: bool) -> io::Result<Option<Self>> {
        let (tries, pause) = EVICTION;
        for _ in 0..tries {
            if is_made {
                root.make_child(name)?;
            }
            let Some(dir) = root.child(name)? else {
                if !is_made {
                    return Ok(None);
                }
                match root.remove(name) {
                    // A link or a file is out of the way, or an evicted folder is gone.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(_) | Err(_) => continue,
                }
            };
            let lease = match dir.open_or_create(LEASE) {
                Err(_) if !is_made => return Ok(None), // lost, on a disk we may only read
                // It was evicted between the two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
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
            let is_ours = root.holds(name, dir.file());
            match is_ours.and_then(|ours| Ok(ours && dir.holds(LEASE, &lease.file)?)) {
                Ok(true) => return Ok(Some(Self { dir, lease })),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(false) | Err(_) => {}
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

    /// Whether the stream is marked as one that the server has changed.
    pub fn is_outdated(&self) -> bool {
        matches!(self.dir.status(OUTDATED), Ok(Some(_)))
    }

    /// Sets the mark, or takes it away.
    pub fn set_outdated(&self, is_outdated: bool) -> io::Result<()> {
        match is_outdated {
            true => self.dir.open_or_create(OUTDATED).map(drop),
            false => self.dir.remove(OUTDATED).map(drop),
        }
    }

    /// Says that an entry is being asked for, as long as the file is open;
    /// `None` while another process says so.
    pub fn announce(&self, name: &str) -> io::Result<Option<File>> {
        let asked = format!("{name}{ASKED}");
        let file = self.dir.open_or_create(&asked)?.file;
        match file.try_lock() {
            // One that was withdrawn between the two looks says nothing.
            Ok(()) => Ok(self.dir.holds(&asked, &file)?.then_some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes back what [`Folder::announce`] said.
    pub fn withdraw(&self, name: &str) {
        // A name that stays is swept in a day.
        let _ = self.dir.remove(&format!("{name}{ASKED}"));
    }

    /// What is under an entry's name.
    pub fn open(&self, name: &str) -> io::Result<Present> {
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
    pub fn create(&self, name: &str, old: Option<u64>) -> io::Result<(u64, File)> {
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
                created => {
                    let file = created?;
                    file.try_lock()?; // until a record names it: no litter
                    return Ok((generation, file));
                }
            }
        }
    }

    /// Writes a record whole and then gives it its name: in place of another,
    /// or only if there is none.
    pub fn publish(&self, name: &str, record: Record, is_there: bool) -> io::Result<Log> {
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

    /// Removes a version's bytes; how many there were.
    pub fn remove_data(&self, name: &str, generation: u64) -> io::Result<u64> {
        self.dir.remove(&data_name(name, generation))
    }

    /// Removes what a record that could not be read may have named.
    pub fn sweep(&self, name: &str) {
        // What stays is swept in a later run.
        let _ = evict::sweep_entry(&self.dir, name);
    }

    /// Writes everything to the disk that is not there yet. One call for 15,000
    /// files: their order does not matter, a record that comes before its bytes
    /// claims checksums that do not fit.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self.dir.file())?)
    }

    /// Removes an entry unless another process writes it; the bytes that went.
    pub fn remove_unclaimed(&self, name: &str) -> io::Result<Option<u64>> {
        match self.open(name)? {
            Present::Version(log, _) if !log.claim()? => Ok(None),
            Present::Version(..) | Present::Garbled | Present::Nothing => {
                self.remove(name).map(Some)
            }
        }
    }

    /// The entries that nobody has written to since `moment`, the oldest last.
    pub fn older_than(&self, moment: SystemTime) -> io::Result<Vec<String>> {
        let mut entries = Vec::new();
        for file in self.dir.names()? {
            let entry = entry_of(&file).filter(|(_, rest)| *rest == RECORD);
            if let (Some((name, _)), Some(status)) = (entry, self.dir.status(&file)?)
                && status.modified < moment
            {
                entries.push((status.modified, name.to_owned()));
            }
        }
        entries.sort_by(|one, other| other.cmp(one));
        Ok(entries.into_iter().map(|(_, name)| name).collect())
    }

    /// Removes an entry, first its record; the bytes that went.
    pub fn remove(&self, name: &str) -> io::Result<u64> {
        let generation = match self.open(name)? {
            Present::Version(log, _) => Some(log.record.generation),
            Present::Garbled => None,
            Present::Nothing => return Ok(0),
        };
        let mut bytes = self.dir.remove(&format!("{name}{RECORD}"))?;
        if let Some(generation) = generation {
            bytes += self.remove_data(name, generation)?;
        }
        Ok(bytes)
    }
}

/// What a folder has under an entry's name.
pub(super) enum Present {
    /// Nothing we can read.
    Nothing,
    /// A record that cannot be read, or one without its bytes.
    Garbled,
    /// A record and its bytes.
    Version(Log, File),
}

impl Present {
    /// The version, if it is of `identity`.
    pub fn version(self, identity: &Identity) -> Option<(Log, File)> {
        match self {
            Self::Version(log, data) if log.record.identity == *identity => Some((log, data)),
            Self::Version(..) | Self::Nothing | Self::Garbled => None,
        }
    }
}
