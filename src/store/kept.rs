//! A resource's entry and, should the disk refuse in the middle of it, the one
//! in memory that goes on from there. Readers take each byte from the one that
//! has it, the disk first.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::cache::{Entry, Reader};
use crate::error::Problem;
use crate::media::Source;

/// An entry that a reader can rely on.
pub struct Kept {
    entry: Arc<Entry>,
    spare: OnceLock<Arc<Entry>>,
    /// What was read may go when there is no room for the rest.
    is_rolling: AtomicBool,
    has_given_up: AtomicBool,
    /// How far the present transfer is.
    reached: AtomicU64,
    /// Told whenever a reader has read.
    read: Notify,
    waker: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl Kept {
    /// Around an entry.
    pub fn new(entry: Arc<Entry>) -> Arc<Self> {
        Arc::new(Self {
            entry,
            spare: OnceLock::new(),
            is_rolling: AtomicBool::new(false),
            has_given_up: AtomicBool::new(false),
            reached: AtomicU64::new(0),
            read: Notify::new(),
            waker: Mutex::default(),
        })
    }

    /// The entry it began with.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// The entry that is written to now.
    pub fn target(&self) -> &Arc<Entry> {
        self.spare.get().unwrap_or(&self.entry)
    }

    /// The end of the known bytes that begin at `offset`, wherever they are.
    pub fn known_until(&self, offset: u64) -> u64 {
        let mut until = offset;
        loop {
            let spare = self
                .spare
                .get()
                .map_or(until, |spare| spare.known_until(until));
            let next = self.entry.known_until(until).max(spare);
            if next == until {
                return until;
            }
            until = next;
        }
    }

    /// The first missing range at or after `from`.
    pub fn first_gap(&self, from: u64) -> Option<Range<u64>> {
        let end = self.target().total().unwrap_or(u64::MAX);
        let start = self.known_until(from);
        (start < end).then_some(start..end)
    }

    /// The offset that a reader waits for.
    pub fn wanted(&self) -> Option<u64> {
        self.spare
            .get()
            .and_then(|spare| spare.wanted())
            .or_else(|| self.entry.wanted())
    }

    /// Whether a reader waits for bytes that are not here. One that was served
    /// just now may not have said so yet.
    pub(super) fn is_starved(&self) -> bool {
        self.wanted()
            .is_some_and(|offset| self.known_until(offset) == offset)
    }

    /// `waker` is called whenever a reader begins to wait.
    pub fn set_waker(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        let ours = Arc::clone(&waker);
        self.entry.set_waker(Box::new(move || ours()));
        *self.waker() = Some(waker);
    }

    /// What the entry lacks comes from `spare` from now on.
    pub(super) fn go_on_in(&self, spare: Arc<Entry>) {
        if let Some(waker) = self.waker().clone() {
            spare.set_waker(Box::new(move || waker()));
        }
        // Set once: memory does not refuse a second time.
        let _ = self.spare.set(spare);
    }

    /// What was read may go when there is no room for the rest: whoever fills
    /// the entry asks again for what is wanted once more.
    pub fn set_rolling(&self) {
        self.is_rolling.store(true, Ordering::Relaxed);
    }

    /// See [`Kept::set_rolling`].
    pub(super) fn is_rolling(&self) -> bool {
        self.is_rolling.load(Ordering::Relaxed)
    }

    /// Whether bytes went that were read, or could not be kept at all.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up.load(Ordering::Relaxed)
    }

    /// See [`Kept::has_given_up`].
    pub(super) fn set_given_up(&self) {
        self.has_given_up.store(true, Ordering::Relaxed);
    }

    /// How far the present transfer is.
    pub fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// See [`Kept::reached`].
    pub fn set_reached(&self, offset: u64) {
        self.reached.store(offset, Ordering::Relaxed);
    }

    /// Waits until a reader has read.
    pub(super) async fn read(&self) {
        self.read.notified().await;
    }

    /// A reader at the start.
    pub fn reader(self: &Arc<Self>) -> KeptReader {
        KeptReader {
            kept: Arc::clone(self),
            reader: self.entry.reader(),
            spare: None,
        }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Arc<dyn Fn() + Send + Sync>>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blocking reader over a [`Kept`].
pub struct KeptReader {
    kept: Arc<Kept>,
    reader: Reader,
    spare: Option<Reader>,
}

impl KeptReader {
    /// Reads from the spare entry what the entry on disk lacks.
    fn read_spare(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(entry) = self.kept.spare.get() else {
            return self.reader.read(buffer);
        };
        let spare = self.spare.get_or_insert_with(|| entry.reader());
        spare.seek(SeekFrom::Start(position))?;
        let count = spare.read(buffer)?;
        self.reader.seek(SeekFrom::Start(position + count as u64))?;
        Ok(count)
    }
}

impl Read for KeptReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.kept.read.notify_one(); // what was read before is no longer needed
        let position = self.reader.stream_position()?;
        let is_here = self.kept.entry.known_until(position) > position;
        if self.kept.spare.get().is_some() && !is_here {
            return self.read_spare(position, buffer);
        }
        match self.reader.read(buffer) {
            // The disk refused while we waited for it.
            Err(error)
                if Problem::inside(&error).is_some_and(|problem| problem.kind.is_cache()) =>
            {
                match self.kept.spare.get() {
                    Some(_) => self.read_spare(position, buffer),
                    None => Err(error),
                }
            }
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
        self.kept.target().total()
    }

    fn is_seekable(&self) -> bool {
        self.reader.is_seekable()
    }
}
