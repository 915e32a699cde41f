//! What of a stream in use may go to make room for the rest of it: what was
//! played in this run, the oldest first, then what earlier runs left and this
//! one has not asked for. Never what is ahead, and never what is being read.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::SystemTime;

use super::folder::Folder;

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

/// The first 64 bits of a name: enough to tell the entries of one stream apart,
/// and a mistake only keeps one longer.
fn digest(name: &str) -> u64 {
    let digits = name.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}
