//! How readers wait: what may be served, what must be checked first, and who
//! is told that bytes are wanted or have come.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Entry, NOWHERE};
use crate::cache::known::Look;
use crate::cache::record::Piece;
use crate::error::{Kind, Problem};

const CHECK_BYTES: usize = 16 << 10; // of stack
const FOLLOW: Duration = Duration::from_millis(50); // nobody rings for what another process writes

impl Entry {
    /// Waits until bytes at `offset` may be served; returns where they end, or
    /// `offset` when the resource ends there.
    pub(in crate::cache) fn wait(&self, offset: u64) -> Result<u64, Problem> {
        let found = |look| match look {
            Look::Trusted(until) => Some(until),
            Look::End => Some(offset),
            Look::Unchecked(_) | Look::Missing => None,
        };
        if let Some(until) = found(self.look(offset)) {
            return Ok(until);
        }
        let mut is_told = false;
        loop {
            let bell = &self.shelf.house.bell;
            let seen = bell.count();
            // Before the look: a writer that publishes after it sees the flag.
            self.wanted.store(offset, Ordering::Release);
            self.is_awaited.store(true, Ordering::Release);
            if let Some(until) = found(self.look(offset)) {
                self.wanted.store(NOWHERE, Ordering::Release);
                return Ok(until);
            }
            if let Some(problem) = self.refusal(offset) {
                self.wanted.store(NOWHERE, Ordering::Release);
                return Err(problem);
            }
            if !is_told {
                self.tell();
                is_told = true;
            }
            bell.wait(seen, self.patience());
        }
    }

    /// What is at `offset`, never [`Look::Unchecked`]: such bytes are checked here.
    pub(in crate::cache) fn look(&self, offset: u64) -> Look {
        loop {
            let mut state = self.state();
            let mut look = state.known.look(offset);
            if look == Look::Missing {
                self.follow(&mut state);
                look = state.known.look(offset);
            }
            drop(state);
            match look {
                Look::Unchecked(piece) => self.verify(&piece),
                Look::Trusted(_) | Look::End | Look::Missing => return look,
            };
        }
    }

    /// Copies what is known at `offset` into `buffer`, without waiting; the
    /// number of bytes that were.
    pub fn peek(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let losses = self.losses();
        let Look::Trusted(until) = self.look(offset) else {
            return 0;
        };
        let known = usize::try_from(until.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = known.min(buffer.len());
        match self.data.read_exact_at(&mut buffer[..length], offset) {
            Ok(()) if self.holds_since(losses) => length,
            Ok(()) | Err(_) => 0,
        }
    }

    /// Readers may have the bytes of `range` from now on.
    pub(in crate::cache) fn publish(&self, range: Range<u64>) {
        self.state().known.publish(range);
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            self.shelf.house.bell.ring();
        }
    }

    /// Checks a piece that a record claims; forgets it when it is damaged.
    pub(super) fn verify(&self, piece: &Piece) -> bool {
        let is_right = checksum(&self.data, piece.range()).is_ok_and(|crc| crc == piece.crc);
        if !is_right {
            self.lose(piece.range());
        } else {
            self.state().known.trust(piece);
        }
        is_right
    }

    /// Why nothing will come, if so.
    fn refusal(&self, offset: u64) -> Option<Problem> {
        if let Err(problem) = self.shelf.house.bell.check() {
            return Some(problem);
        }
        let state = self.state();
        match state.is_offline {
            true => {
                let why = format!("byte {offset} is not in the cache");
                Some(self.problem(Kind::Offline, "cannot read", &why, "run without --offline"))
            }
            false => state.failed.clone(),
        }
    }

    fn tell(&self) {
        let waker = self.waker().clone(); // called without the lock
        if let Some(waker) = waker {
            waker();
        }
    }

    fn patience(&self) -> Option<Duration> {
        (self.log.is_some() && !self.state().is_claimed).then_some(FOLLOW)
    }
}

/// CRC-32 of `range` of a file; an error when the file is shorter.
pub(in crate::cache) fn checksum(file: &File, range: Range<u64>) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = [0; CHECK_BYTES];
    let mut offset = range.start;
    while offset < range.end {
        let rest = usize::try_from(range.end - offset).unwrap_or(CHECK_BYTES);
        let part = buffer.get_mut(..rest.min(CHECK_BYTES)).unwrap_or_default();
        file.read_exact_at(part, offset)?;
        hasher.update(part);
        offset += part.len() as u64;
    }
    Ok(hasher.finalize())
}
