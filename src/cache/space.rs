//! The limit, kept at every write: bytes are taken in steps from a total that
//! all processes share, and old streams make room when it is used up.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::dir::Dir;
use super::evict::{self, Candidate, Removal};
use super::root;
use super::sums::Sums;
use crate::error::{Kind, Problem};
use crate::limits::FREE_SPACE_FLOOR;
use crate::stats::Stats;

const DEFAULT_LIMIT: u64 = 2 << 30;
const OWN_BYTES: u64 = 128; // the root's own files count too
const STEP_MAX: u64 = 8 << 20; // what a killed process may leave counted
const STEP_MIN: u64 = 64 << 10;
const STEPS_IN_LIMIT: u64 = 64; // a small limit is not eaten up by what is merely leased

/// The space of one root, as one process sees it.
#[derive(Debug)]
pub(super) struct Space {
    root: PathBuf,
    wish: Option<u64>,
    limit: OnceLock<u64>,
    purse: Mutex<Purse>,
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct Purse {
    /// Counted in the shared total and for whoever takes it.
    free: u64,
    /// Taken and not yet written: no walk over the disk finds it.
    held: u64,
    /// Streams by age, the oldest last; as of the last look.
    candidates: Vec<Candidate>,
    /// The marker, locked shared while we use the root.
    users: Option<File>,
}

impl Space {
    /// Nothing on disk is touched. `wish` is the limit in bytes, `None` for
    /// the default: 2 GiB, or a tenth of what is free if that is less.
    pub fn new(root: &Path, wish: Option<u64>, stats: Arc<Stats>) -> Self {
        Self {
            root: root.to_owned(),
            wish,
            limit: OnceLock::new(),
            purse: Mutex::default(),
            stats,
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Says that we use the root, so that nobody recounts its total while we
    /// write; the lock ends with the process.
    pub fn enter(&self, root: &Dir) -> io::Result<()> {
        let mut purse = self.purse();
        if purse.users.is_none() {
            let users = root::users(root)?;
            users.lock_shared()?; // held exclusively only for a moment
            purse.users = Some(users);
        }
        Ok(())
    }

    /// Takes room for `bytes` that are about to be written; evicts for it.
    ///
    /// # Errors
    ///
    /// [`Kind::Full`] when they do not fit, whatever is evicted.
    pub fn take(&self, bytes: u64) -> Result<(), Problem> {
        let mut purse = self.purse();
        if purse.free < bytes {
            let missing = bytes - purse.free;
            self.refill(&mut purse, missing)?;
        }
        purse.free -= bytes;
        purse.held += bytes;
        Ok(())
    }

    /// What was taken is on the disk now.
    pub fn written(&self, bytes: u64) {
        let mut purse = self.purse();
        purse.held = purse.held.saturating_sub(bytes);
    }

    /// Puts back room that was taken and not used.
    pub fn put_back(&self, bytes: u64) {
        let mut purse = self.purse();
        purse.held = purse.held.saturating_sub(bytes);
        purse.free += bytes;
    }

    /// Gives back the room of what was removed.
    pub fn give(&self, bytes: u64) {
        if let (true, Ok(root)) = (bytes > 0, Dir::open(&self.root)) {
            // A total that stays too high is put right by the next count.
            let _ = self.total(&root, |sums| Sums {
                total: sums.total.saturating_sub(bytes),
                given: sums.given.wrapping_add(bytes),
            });
        }
    }

    /// Whether `bytes` could be held at all.
    pub fn admits(&self, bytes: u64) -> Result<bool, Problem> {
        Ok(bytes <= self.limit(&self.open()?)?)
    }

    /// Recounts what is on disk, if no other process uses the root just now,
    /// after sweeping what dead ones left. Returns the shared total.
    pub fn measure(&self) -> Result<u64, Problem> {
        let root = self.open()?;
        let counted = self.is_alone(&root).and_then(|is_alone| {
            evict::sweep(&root)?;
            let (before, unwritten) = {
                let purse = self.purse();
                (self.total(&root, |sums| sums)?, purse.free + purse.held)
            };
            let candidates = evict::candidates(&root)?;
            let found = evict::sizes(&root, &candidates)?;
            self.purse().candidates = candidates;
            let now = self.total(&root, |now| match is_alone {
                true => now.corrected(before, found + unwritten),
                false => now,
            })?;
            Ok(now.total)
        });
        counted.map_err(|error| root::unusable(&self.root, error))
    }

    /// Evicts until the total is within the limit, and as much below it as the
    /// next run takes at first: it finds room without looking for any. Returns
    /// the bytes that went.
    pub fn trim(&self) -> Result<u64, Problem> {
        let root = self.open()?;
        let limit = self.limit(&root)?;
        let spare = Some(limit / STEPS_IN_LIMIT).filter(|step| *step >= STEP_MIN);
        let goal = limit - spare.unwrap_or(0).min(STEP_MAX);
        let mut evicted = 0;
        loop {
            // Whoever writes meanwhile waits for one stream at most.
            let mut purse = self.purse();
            let sums = self.total(&root, |sums| sums);
            if sums
                .map_err(|error| root::unusable(&self.root, error))?
                .total
                <= goal
            {
                return Ok(evicted);
            }
            match self.evict(&root, &mut purse)? {
                0 => return Ok(evicted),
                bytes => evicted += bytes,
            }
        }
    }

    fn refill(&self, purse: &mut Purse, missing: u64) -> Result<(), Problem> {
        let root = self.open()?;
        let limit = self.limit(&root)?;
        let step = (limit / STEPS_IN_LIMIT).clamp(STEP_MIN, STEP_MAX);
        for wanted in [step.max(missing), missing] {
            if self.lease(&root, purse, wanted, limit)? {
                purse.free += wanted;
                return Ok(());
            }
        }
        match root.free() {
            Ok(free) if free < missing.saturating_add(FREE_SPACE_FLOOR) => Err(nearly_full()),
            _ => Err(does_not_fit()),
        }
    }

    /// Adds `bytes` to the shared total, evicting until it fits.
    fn lease(
        &self,
        root: &Dir,
        purse: &mut Purse,
        bytes: u64,
        limit: u64,
    ) -> Result<bool, Problem> {
        let failed = |error: io::Error| root::unusable(&self.root, error);
        loop {
            let free = root.free().map_err(failed)?;
            let mut is_leased = false;
            self.total(root, |sums| match fits(sums.total, bytes, limit, free) {
                Some(total) => {
                    is_leased = true;
                    Sums { total, ..sums }
                }
                None => sums,
            })
            .map_err(failed)?;
            if is_leased || self.evict(root, purse)? == 0 {
                return Ok(is_leased);
            }
        }
    }

    /// Removes the stream not used for longest; its bytes, zero when none can go.
    fn evict(&self, root: &Dir, purse: &mut Purse) -> Result<u64, Problem> {
        let failed = |error: io::Error| root::unusable(&self.root, error);
        let mut is_fresh = false;
        loop {
            let Some(oldest) = purse.candidates.pop() else {
                if is_fresh {
                    return Ok(0);
                }
                purse.candidates = evict::candidates(root).map_err(failed)?;
                is_fresh = true;
                continue;
            };
            let removal = evict::remove(root, &oldest.name, Some(oldest.last_used));
            match removal.map_err(failed)? {
                Removal::Done(bytes) => {
                    self.give(bytes);
                    self.stats.evicted_bytes.add(bytes);
                    return Ok(bytes.max(1)); // an empty one is progress too
                }
                Removal::Busy | Removal::Missing => {}
            }
        }
    }

    /// Changes the shared sums under their lock; the new ones. Sums that are
    /// missing or garbled are counted anew first.
    fn total(&self, root: &Dir, change: impl FnOnce(Sums) -> Sums) -> io::Result<Sums> {
        let file = root.open_or_create(root::TOTAL)?.file;
        file.lock()?; // held by others for a few microseconds
        let known = Sums::read(&file)?;
        let sums = change(match known {
            Some(sums) => sums,
            None => Sums {
                total: evict::sizes(root, &evict::candidates(root)?)?,
                given: 0,
            },
        });
        if known != Some(sums) {
            file.write_all_at(sums.text().as_bytes(), 0)?;
        }
        Ok(sums)
    }

    fn is_alone(&self, root: &Dir) -> io::Result<bool> {
        let mut purse = self.purse();
        purse.users = None;
        let users = root::users(root)?;
        let is_alone = users.try_lock().is_ok();
        users.unlock()?;
        users.lock_shared()?;
        purse.users = Some(users);
        Ok(is_alone)
    }

    fn limit(&self, root: &Dir) -> Result<u64, Problem> {
        if let Some(limit) = self.wish.or(self.limit.get().copied()) {
            return Ok(limit.saturating_sub(OWN_BYTES));
        }
        let free = root
            .free()
            .map_err(|error| root::unusable(&self.root, error))?;
        let limit = self.limit.get_or_init(|| DEFAULT_LIMIT.min(free / 10));
        Ok(limit.saturating_sub(OWN_BYTES))
    }

    fn open(&self) -> Result<Dir, Problem> {
        Dir::open(&self.root).map_err(|error| root::unusable(&self.root, error))
    }

    // A thread that panicked left plain numbers behind.
    fn purse(&self) -> MutexGuard<'_, Purse> {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Space {
    /// Gives unused room back to the other processes.
    fn drop(&mut self) {
        let free = self.purse().free;
        self.give(free);
    }
}

/// The total after `bytes` more, if limit and free space allow them.
fn fits(total: u64, bytes: u64, limit: u64, free: u64) -> Option<u64> {
    let sum = total.checked_add(bytes)?;
    let rest = free.checked_sub(bytes)?;
    (sum <= limit && rest >= FREE_SPACE_FLOOR).then_some(sum)
}

fn does_not_fit() -> Problem {
    Problem::new(
        Kind::Full,
        "cannot keep the stream",
        "it does not fit in the cache",
        "allow more with --cache-size",
    )
}

fn nearly_full() -> Problem {
    Problem::new(
        Kind::Full,
        "cannot keep the stream",
        "the disk is nearly full",
        "free some space, or name another disk with --cache-dir",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_and_free_space_both_have_a_say() {
        let (limit, enough) = (100, FREE_SPACE_FLOOR + 1000);
        let cases = [
            ("room for all", 50, 50, enough, Some(100)),
            ("one byte too many", 51, 50, enough, None),
            (
                "the disk has just enough",
                0,
                50,
                FREE_SPACE_FLOOR + 50,
                Some(50),
            ),
            (
                "the disk is nearly full",
                0,
                50,
                FREE_SPACE_FLOOR + 49,
                None,
            ),
            ("the disk is full", 0, 1, 0, None),
            ("a garbled total", u64::MAX, 1, enough, None),
        ];
        for (name, total, bytes, free, want) in cases {
            assert_eq!(fits(total, bytes, limit, free), want, "{name}");
        }
    }
}
