//! The blocking end of an entry: reads what is there, waits for what is not.
//! It holds no bytes of its own: one read is one `pread` into the caller's buffer.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Entry;
use crate::media::Source;

/// Reads an entry while it is being written.
#[derive(Debug)]
pub struct Reader {
    entry: Arc<Entry>,
    position: u64,
    /// Tells the entry how far we are.
    seat: Arc<AtomicU64>,
}

impl Reader {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        let seat = entry.seat();
        Self {
            entry,
            position: 0,
            seat,
        }
    }

    /// The entry it reads.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    fn go_to(&mut self, position: u64) {
        self.position = position;
        self.seat.store(position, Ordering::Release);
    }

    /// One read of bytes that may be served; `None` when they were lost meanwhile.
    fn attempt(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let losses = self.entry.losses();
        let until = self.entry.wait(self.position)?;
        let room = usize::try_from(until - self.position).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        if room == 0 {
            return Ok(Some(0));
        }
        let part = buffer.get_mut(..room).unwrap_or_default();
        match self.entry.data().read_at(part, self.position) {
            Ok(0) => {
                self.entry.lose(self.position..until); // cut short behind us
                Ok(None)
            }
            Ok(length) => Ok(self.entry.holds_since(losses).then_some(length)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            // Whoever fills the entry brings it anew, elsewhere if need be.
            Err(error) if self.entry.give_up_on(&error) => {
                self.entry.lose(self.position..until);
                Ok(None)
            }
            Err(error) => Err(self.entry.unreadable(&error).into()),
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(length) = self.attempt(buffer)? {
                self.go_to(self.position + length as u64);
                return Ok(length);
            }
        }
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(step) => self.position.checked_add_signed(step),
            SeekFrom::End(step) => {
                let unknown = || io::Error::new(io::ErrorKind::Unsupported, "unknown length");
                let total = self.entry.total().ok_or_else(unknown)?;
                total.checked_add_signed(step)
            }
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a seek before the start");
        self.go_to(position.ok_or_else(outside)?);
        Ok(self.position)
    }
}

impl Source for Reader {
    fn length(&self) -> Option<u64> {
        self.entry.total()
    }

    fn is_seekable(&self) -> bool {
        self.entry.is_seekable()
    }
}
