//! An entry and its record: whose it is to write, what others added to it, and
//! what we add. Everything here is nothing in memory.

use std::io;
use std::ops::Range;

use super::{Entry, State};
use crate::cache::record::{BLOCK, Line};
use crate::error::Problem;

impl Entry {
    /// The bytes of `range` are damaged or gone, and with them their blocks: the
    /// record knows only pieces of these, and must not know less than we do. It
    /// is told, if no other process is writing it just now.
    pub(in crate::cache) fn lose(&self, range: Range<u64>) {
        let start = range.start - range.start % BLOCK;
        let end = range.end.checked_next_multiple_of(BLOCK);
        self.drop_range(start..end.unwrap_or(u64::MAX));
    }

    /// The bytes of `range` count as missing from now on.
    pub(super) fn drop_range(&self, range: Range<u64>) {
        let mut state = self.state();
        state.known.lose(range.clone());
        // Should this fail, the next run finds the damage again.
        let _ = self.note(&mut state, &Line::Lost(range));
    }

    /// The length is `total`, learnt from the end of the body or a later answer.
    ///
    /// # Errors
    ///
    /// `Kind::Changed` when it cannot be, `Kind::Cache` when it cannot be noted.
    pub(in crate::cache) fn end_at(&self, total: u64) -> Result<(), Problem> {
        let mut state = self.state();
        let known = &mut state.known;
        if known.end() > total || known.total.is_some_and(|known| known != total) {
            return Err(self.changed("its length is another than before"));
        }
        if known.total.replace(total).is_some() {
            return Ok(());
        }
        let noted = self.note(&mut state, &Line::Total(total));
        drop(state);
        self.shelf.house.bell.ring();
        noted
    }

    /// One writer less; the last one gives the claim back.
    pub(in crate::cache) fn leave(&self) {
        let mut state = self.state();
        state.writers = state.writers.saturating_sub(1);
        self.release(&mut state);
    }

    /// Takes the claim; `false` while another process has it.
    pub(super) fn claim(&self, state: &mut State) -> Result<bool, Problem> {
        let Some(log) = self.log.as_ref().filter(|_| !state.is_claimed) else {
            return Ok(true);
        };
        if !log.is_writable {
            return Err(self.unwritable(&io::ErrorKind::ReadOnlyFilesystem.into()));
        }
        if !log.claim().map_err(|error| self.unwritable(&error))? {
            return Ok(false);
        }
        self.follow(state);
        state.is_claimed = true;
        log.cut(state.read_until)
            .map_err(|error| self.unwritable(&error))?;
        Ok(true)
    }

    /// Gives the claim back when the last writer is gone.
    pub(super) fn release(&self, state: &mut State) {
        let Some(log) = self.log.as_ref().filter(|_| state.writers == 0) else {
            return;
        };
        // Our own lines need no second look.
        state.read_until = log.length().unwrap_or(state.read_until);
        state.is_claimed = false;
        log.release();
    }

    /// Reads what was added to a record that is not ours to write.
    pub(super) fn follow(&self, state: &mut State) {
        let Some(log) = self.log.as_ref().filter(|_| !state.is_claimed) else {
            return;
        };
        let known = &mut state.known;
        // An unreadable record claims nothing.
        if let Ok(end) = log.read(state.read_until, |line| known.apply(&line)) {
            state.read_until = end;
        }
    }

    /// Appends a line to the record, unless another process is writing it.
    pub(super) fn note(&self, state: &mut State, line: &Line) -> Result<(), Problem> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        if !self.claim(state)? {
            return Ok(());
        }
        let mut lines = String::new();
        log.add(line, &mut lines);
        let noted = log.append(&lines);
        self.release(state);
        noted.map_err(|error| self.unwritable(&error))
    }
}
