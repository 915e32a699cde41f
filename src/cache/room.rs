//! What of a stream in use may go to make room for the rest of it: what was
//! played in this run, the oldest first, then what earlier runs left and this
//! one has not asked for. Never what is ahead, and never what is being read.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use super::folder::Folder;
use super::key::Identity;
use super::stream::{Shelf, Stream};
use crate::error::{Kind, Problem};

/// What this run needs of its stream, and what it needs no more. Entries are
/// known by the names of their files.
#[derive(Debug)]
pub(super) struct Needs {
    /// When this run opened the stream.
    since: SystemTime,
    /// What was asked for and is still needed, by the first 16 digits.
    needed: HashSet<u64>,
    /// What was played, in that order.
    played: VecDeque<String>,
    /// What earlier runs left, the oldest last; looked for once.
    leftovers: Option<Vec<String>>,
}

impl Needs {
    /// Of a run that begins now.
    pub fn new() -> Self {
        Self {
            since: SystemTime::now(),
            needed: HashSet::new(),
            played: VecDeque::new(),
            leftovers: None,
        }
    }

    /// This run has asked for the entry.
    pub fn ask(&mut self, name: &str) {
        self.needed.insert(digest(name));
    }

    /// This run has played the entry and will not read it again.
    pub fn play(&mut self, name: String) {
        if self.needed.remove(&digest(&name)) {
            self.played.push_back(name);
        }
    }

    /// Removes from `folder` the entry that is missed least, unless it `is_read`
    /// just now. Its bytes; `None` when nothing may go.
    pub fn shed(
        &mut self,
        folder: &Folder,
        is_read: impl Fn(&str) -> bool,
    ) -> io::Result<Option<u64>> {
        for _ in 0..self.played.len() {
            let Some(name) = self.played.pop_front() else {
                break;
            };
            if self.needed.contains(&digest(&name)) {
                continue; // asked for again since
            }
            if !is_read(&name)
                && let Some(bytes) = folder.remove_unclaimed(&name)?
            {
                return Ok(Some(bytes));
            }
            self.played.push_back(name);
        }
        if self.leftovers.is_none() {
            self.leftovers = Some(folder.older_than(self.since)?);
        }
        while let Some(name) = self.leftovers.as_mut().and_then(Vec::pop) {
            if !self.needed.contains(&digest(&name))
                && !is_read(&name)
                && let Some(bytes) = folder.remove_unclaimed(&name)?
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl Stream {
    /// This run has played what is kept of `identity` and will not read it
    /// again: it goes first when the rest of the stream needs its room.
    pub fn played(&self, identity: &Identity) {
        self.shelf().needs().play(identity.name());
    }

    /// Whether a resource of `bytes` could be kept whole.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the limit cannot be told.
    pub fn admits(&self, bytes: u64) -> Result<bool, Problem> {
        self.shelf().house.admits(bytes)
    }

    /// Makes room for `bytes` that will come; `false` when there is none.
    pub fn makes_room(&self, bytes: u64) -> bool {
        let is_taken = self.shelf().take(bytes).is_ok();
        if is_taken {
            self.shelf().house.put_back(bytes);
        }
        is_taken
    }
}

impl Shelf {
    /// Takes room for `bytes`; what this run has played makes some.
    pub fn take(&self, bytes: u64) -> Result<(), Problem> {
        self.with_room(|| self.house.take(bytes))
    }

    /// Does `work`; as long as there is no room for it, something goes.
    pub(super) fn with_room<T>(&self, work: impl Fn() -> Result<T, Problem>) -> Result<T, Problem> {
        loop {
            match work() {
                Err(problem) if problem.kind == Kind::Full => {
                    if !self.shed() {
                        return Err(problem);
                    }
                }
                done => return done,
            }
        }
    }

    /// Removes what this run needs least; `false` when nothing may go.
    fn shed(&self) -> bool {
        let Some(folder) = &self.folder else {
            return false;
        };
        let mut needs = self.needs();
        let is_read = |name: &str| {
            let entries = self.entries();
            entries
                .get(name)
                .is_some_and(|live| live.strong_count() > 0)
        };
        match needs.shed(folder, is_read) {
            Ok(Some(bytes)) => {
                self.house.give(bytes);
                self.house.stats.evicted_bytes.add(bytes);
                true
            }
            // A disk that refuses shows it to what is written next.
            Ok(None) | Err(_) => false,
        }
    }

    // Names are added and removed one at a time: whole after every step.
    pub(super) fn needs(&self) -> MutexGuard<'_, Needs> {
        self.needs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first 64 bits of a name: enough to tell the entries of one stream apart,
/// and a mistake only keeps one longer.
fn digest(name: &str) -> u64 {
    let digits = name.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}
