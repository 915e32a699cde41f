//! A resource's entry and, should the disk refuse in the middle of it, the one
//! in memory that goes on from there. Readers pass from one to the other.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, OnceLock};

use crate::cache::{Entry, Reader};
use crate::error::{Kind, Problem};
use crate::media::Source;

/// An entry that a reader can rely on.
pub struct Kept {
    entry: Arc<Entry>,
    spare: OnceLock<Arc<Entry>>,
}

impl Kept {
    /// Around an entry.
    pub fn new(entry: Arc<Entry>) -> Arc<Self> {
        Arc::new(Self {
            entry,
            spare: OnceLock::new(),
        })
    }

    /// The entry it began with.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// From where the entry fails with [`Kind::Cache`], its readers go on in `spare`.
    pub(super) fn go_on_in(&self, spare: Arc<Entry>) {
        // Set once: memory does not refuse a second time.
        let _ = self.spare.set(spare);
    }

    /// A reader at the start.
    pub fn reader(self: &Arc<Self>) -> KeptReader {
        KeptReader {
            kept: Arc::clone(self),
            reader: self.entry.reader(),
            has_passed: false,
        }
    }
}

/// A blocking reader over a [`Kept`].
pub struct KeptReader {
    kept: Arc<Kept>,
    reader: Reader,
    has_passed: bool,
}

impl KeptReader {
    /// Passes to the spare entry at the same position, if there is one.
    fn pass(&mut self, error: &io::Error) -> bool {
        let is_disk = Problem::inside(error).is_some_and(|problem| problem.kind == Kind::Cache);
        let Some(spare) = self
            .kept
            .spare
            .get()
            .filter(|_| is_disk && !self.has_passed)
        else {
            return false;
        };
        let mut next = spare.reader();
        let position = self.reader.stream_position().unwrap_or(0);
        self.has_passed = next.seek(SeekFrom::Start(position)).is_ok();
        self.reader = next;
        self.has_passed
    }
}

impl Read for KeptReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer) {
            Err(error) if self.pass(&error) => self.reader.read(buffer),
            result => result,
        }
    }
}

impl Seek for KeptReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

impl Source for KeptReader {
    fn length(&self) -> Option<u64> {
        self.reader.length()
    }

    fn is_seekable(&self) -> bool {
        self.reader.is_seekable()
    }
}
