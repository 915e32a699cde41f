//! The last hour of a stream without end: a chain of small entries, of which
//! the oldest go. What was not read yet stays; then whoever writes waits.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use url::Url;

use crate::cache::{Entry, Head, Identity, Reader, Writer};
use crate::error::Problem;
use crate::limits;
use crate::media::Source;
use crate::store::{Disk, Store};

const PARTS: u64 = 64; // of what is kept: so coarsely it is given up
const SMALLEST_PART: u64 = 64 << 10;
const SMALLEST: u64 = 1 << 20; // a decoder finds out what it is in less
const IN_MEMORY: u64 = 8 << 20; // minutes of radio, where the disk refuses

/// What is kept of a stream without end.
pub struct Spool {
    state: Mutex<State>,
    /// How far it was read.
    read: AtomicU64,
    has_read: Notify,
}

#[derive(Default)]
struct State {
    parts: VecDeque<Part>,
    /// Where the bytes end.
    end: u64,
}

/// A stretch of the stream: up to where the next one begins.
struct Part {
    /// Which connection brought it.
    link: u64,
    start: u64,
    entry: Arc<Entry>,
    begun: Instant,
}

impl Spool {
    /// Where its bytes end so far.
    pub fn end(&self) -> u64 {
        self.state().end
    }

    /// How far it was read.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Acquire)
    }

    /// A reader of what connection `link` brought, from byte `begin` on.
    pub fn reader(self: &Arc<Self>, link: u64, begin: u64) -> SpoolReader {
        SpoolReader {
            spool: Arc::clone(self),
            link,
            begin,
            position: begin,
            part: None,
        }
    }

    fn note_read(&self, position: u64) {
        self.read.store(position, Ordering::Release);
        self.has_read.notify_one();
    }

    /// The part of `link` that holds, or will hold, byte `position`.
    fn part(&self, link: u64, position: u64) -> Option<(u64, Arc<Entry>)> {
        let state = self.state();
        let index = state.parts.partition_point(|part| part.start <= position);
        let part = state.parts.get(index.checked_sub(1)?)?;
        let found = (part.start, Arc::clone(&part.entry));
        (part.link == link).then_some(found)
    }

    // Nothing that is done under this lock panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one who fills a [`Spool`].
pub struct SpoolWriter {
    spool: Arc<Spool>,
    store: Store,
    url: Url,
    /// How many bytes are kept.
    most: u64,
    /// The disk refused: it goes on in memory.
    is_in_memory: bool,
    link: u64,
    writer: Option<Writer>,
    /// Where the part begins that is written.
    start: u64,
}

impl SpoolWriter {
    /// Writes bytes of `url` where `store` keeps them, and keeps no more than
    /// `most` of them.
    pub fn new(store: Store, url: Url, most: u64) -> Self {
        let spool = Spool {
            state: Mutex::default(),
            read: AtomicU64::new(0),
            has_read: Notify::new(),
        };
        Self {
            is_in_memory: store.is_memory(),
            spool: Arc::new(spool),
            store,
            url,
            most: most.clamp(SMALLEST, limits::RADIO_BYTES),
            link: 0,
            writer: None,
            start: 0,
        }
    }

    /// What it fills.
    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Another connection begins: its bytes are a stream of their own.
    pub fn begin_link(&mut self, link: u64) {
        self.end_link();
        self.link = link;
    }

    /// No more bytes of this connection: its readers come to an end.
    pub fn end_link(&mut self) {
        if let Some(writer) = self.writer.take() {
            close(writer);
        }
    }

    /// Writes the next bytes; waits for the reader when all that is kept is unread.
    ///
    /// # Errors
    ///
    /// When not even memory takes them.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            self.make_room().await;
            let end = self.spool.end();
            let room = (self.start + self.part_bytes()).saturating_sub(end);
            if self.writer.is_none() || room == 0 {
                if let Err(problem) = self.begin_part(end) {
                    self.refused(problem)?;
                }
                continue;
            }
            let count = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, _) = bytes.split_at(count);
            let Some(writer) = &mut self.writer else {
                continue;
            };
            let written = writer.write(now);
            let done = (self.start + writer.position()).saturating_sub(end);
            self.spool.state().end = end + done;
            bytes = &bytes[least(done, bytes.len())..];
            if let Err(problem) = written {
                self.refused(problem)?;
            }
        }
        Ok(())
    }

    /// How many bytes are kept now.
    fn limit(&self) -> u64 {
        match self.is_in_memory {
            true => self.most.min(IN_MEMORY),
            false => self.most,
        }
    }

    fn part_bytes(&self) -> u64 {
        (self.limit() / PARTS).max(SMALLEST_PART)
    }

    /// Gives up what is too old or too much, and waits while that was not read.
    async fn make_room(&mut self) {
        let most = self.limit().saturating_sub(self.part_bytes());
        loop {
            let begin = self
                .spool
                .state()
                .parts
                .front()
                .map(|part| (part.start, part.begun));
            let Some((start, begun)) = begin else {
                return;
            };
            let is_full = self.spool.end().saturating_sub(start) > most;
            if !is_full && begun.elapsed() < limits::RADIO_KEPT {
                return;
            }
            if self.give_up_oldest() {
                continue;
            }
            if !is_full {
                return;
            }
            self.spool.has_read.notified().await;
        }
    }

    /// Gives up the oldest part, if it was read and is not being written.
    fn give_up_oldest(&self) -> bool {
        let mut state = self.spool.state();
        let is_read = |next: &Part| next.start <= self.spool.read();
        if !state.parts.get(1).is_some_and(is_read) {
            return false;
        }
        let oldest = state.parts.pop_front();
        drop(state);
        if let Some(part) = oldest {
            self.remove(&part.entry);
        }
        true
    }

    fn remove(&self, entry: &Entry) {
        let stream = self.place().found();
        let removed = stream.map(|stream| stream.remove(entry.identity()));
        if let Some(Err(problem)) = removed {
            tracing::warn!("{problem}");
        }
    }

    /// Begins the part at byte `start`. The one before ends only now, so that a
    /// reader at its end finds this one.
    fn begin_part(&mut self, start: u64) -> Result<(), Problem> {
        let part = start..start.saturating_add(self.part_bytes());
        let identity = Identity::of_part(self.url.as_str(), &part);
        let entry = self.place().made()?.begin(&identity, Head::default())?;
        let writer = entry.writer(0)?;
        let writer = writer.expect("nobody else writes in a place of our own");
        self.spool.state().parts.push_back(Part {
            link: self.link,
            start,
            entry,
            begun: Instant::now(),
        });
        self.start = start;
        if let Some(before) = self.writer.replace(writer) {
            close(before);
        }
        Ok(())
    }

    /// What to do when a part cannot be begun or written: with less, or in memory.
    fn refused(&mut self, problem: Problem) -> Result<(), Problem> {
        if self.give_up_oldest() {
            return Ok(());
        }
        if self.is_in_memory {
            return Err(problem); // nothing is left to turn to
        }
        self.store.go_without(problem);
        self.is_in_memory = true;
        // What was begun on the disk ends where the first part in memory begins.
        self.begin_part(self.spool.end())
    }

    fn place(&self) -> &Disk {
        match self.is_in_memory {
            true => &self.store.spare,
            false => self.store.disk(),
        }
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.end_link();
    }
}

/// Ends a part: its length is what was written.
fn close(writer: Writer) {
    let entry = Arc::clone(writer.entry());
    if let Err(problem) = writer.finish() {
        entry.fail(problem); // its readers look for the next part
    }
}

fn least(count: u64, most: usize) -> usize {
    usize::try_from(count).map_or(most, |count| count.min(most))
}

/// A blocking reader over what one connection brought.
pub struct SpoolReader {
    spool: Arc<Spool>,
    link: u64,
    /// Where the connection's bytes begin, or what is read of them.
    begin: u64,
    position: u64,
    /// Where the part begins that is read.
    part: Option<(u64, Reader)>,
}

impl SpoolReader {
    /// Opens the part in which the next byte lies; `false` when it is the one
    /// that is open, or there is none.
    fn turn(&mut self) -> bool {
        let open = self.part.as_ref().map(|(start, _)| *start);
        match self.spool.part(self.link, self.position) {
            Some((start, entry)) if open != Some(start) => {
                self.part = Some((start, entry.reader()));
                true
            }
            _ => false,
        }
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.spool.note_read(self.position);
        self.turn();
        loop {
            let Some((start, reader)) = &mut self.part else {
                return Ok(0);
            };
            reader.seek(SeekFrom::Start(self.position - *start))?;
            match reader.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    if !self.turn() {
                        return Ok(0);
                    }
                }
                Ok(count) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(error) => {
                    let problem = Problem::inside(&error);
                    let is_cache = problem.is_some_and(|problem| problem.kind.is_cache());
                    if !is_cache || !self.turn() {
                        return Err(error);
                    }
                }
            }
        }
    }
}

impl Seek for SpoolReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(offset) => self.begin.checked_add(offset),
            SeekFrom::Current(step) => self.position.checked_add_signed(step),
            SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let place = place.filter(|place| *place >= self.begin);
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a seek before the start");
        let place = place.ok_or_else(outside)?;
        if self.part.as_ref().is_some_and(|(start, _)| place < *start) {
            self.part = None;
        }
        self.position = place;
        Ok(place - self.begin)
    }
}

impl Source for SpoolReader {
    fn length(&self) -> Option<u64> {
        None
    }

    fn is_seekable(&self) -> bool {
        false
    }
}
