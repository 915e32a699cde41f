//! Room: what is taken for bytes that will come, and what is given up of those
//! that were read.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use rustix::fs::FallocateFlags;

use super::Entry;
use crate::cache::record::{BLOCK, Line};
use crate::error::Problem;

impl Entry {
    /// The first byte that a reader may still ask for if it goes on from where
    /// it is; `None` without a reader.
    pub fn read_until(&self) -> Option<u64> {
        let mut seats = self.seats();
        seats.retain(|seat| seat.strong_count() > 0);
        let positions = seats.iter().filter_map(Weak::upgrade);
        positions.map(|seat| seat.load(Ordering::Acquire)).min()
    }

    /// Where a new reader says how far it is.
    pub(in crate::cache) fn seat(&self) -> Arc<AtomicU64> {
        let seat = Arc::default();
        self.seats().push(Arc::downgrade(&seat));
        seat
    }

    /// Gives up the bytes of `range`, whole blocks of it: they count as missing
    /// from now on. For what is played and will not be played again, by whoever
    /// writes the entry. Returns how many bytes went. The record says so before
    /// the bytes go, and readers look there after they have read: nobody takes
    /// the hole for what was there.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Cache`] where the file system knows no holes.
    pub fn forget(&self, range: Range<u64>) -> Result<u64, Problem> {
        let mut state = self.state();
        let end = range.end.min(state.known.end().next_multiple_of(BLOCK));
        let range = range.start.next_multiple_of(BLOCK)..end - end % BLOCK;
        let is_ours = self.log.is_none() || (state.is_claimed && state.writers > 0);
        if range.is_empty() || !is_ours {
            return Ok(0);
        }
        let before = state.known.bytes();
        state.known.lose(range.clone());
        let gone = before - state.known.bytes();
        if gone == 0 {
            return Ok(0);
        }
        self.note(&mut state, &Line::Lost(range.clone()))?;
        drop(state);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.data, flags, range.start, range.end - range.start)
            .map_err(|error| self.unwritable(&error.into()))?;
        self.shelf.house.give(gone);
        Ok(gone)
    }

    /// How often bytes that had been served became unknown.
    pub(in crate::cache) fn losses(&self) -> u64 {
        self.state().known.losses
    }

    /// Whether what was read since there were so many `losses` is what was
    /// there. A process that gives bytes up says so before they go.
    pub(in crate::cache) fn holds_since(&self, losses: u64) -> bool {
        let mut state = self.state();
        self.follow(&mut state);
        state.known.losses == losses
    }

    /// Takes room in the cache for `bytes`.
    pub(in crate::cache) fn take(&self, bytes: u64) -> Result<(), Problem> {
        match bytes {
            0 => Ok(()),
            _ => self.shelf.take(bytes),
        }
    }

    /// What room was taken for is on the disk now.
    pub(in crate::cache) fn written(&self, bytes: u64) {
        self.shelf.house.written(bytes);
    }

    /// Puts back room that was taken and not used.
    pub(in crate::cache) fn put_back(&self, bytes: u64) {
        self.shelf.house.put_back(bytes);
    }

    /// How many bytes are missing, as far as the length is known.
    pub(in crate::cache) fn missing_bytes(&self) -> u64 {
        let state = self.state();
        let total = state.known.total.unwrap_or_default();
        total.saturating_sub(state.known.bytes())
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
