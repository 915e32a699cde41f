//! The network's end of an entry: bytes go into the file once, then to the
//! readers of this process, then, block by block, into the record.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::entry::Entry;
use super::known::Look;
use super::record::{BLOCK, Line, Piece};
use crate::error::Problem;

const TAIL_STEP: u64 = 16 << 10; // what a kill may cost, and how late another process sees bytes
const RECORD_SHARE: u64 = 256; // of the bytes, for their lines
const RECORD_SPARE: u64 = 256;
const COMPARE_BYTES: usize = 16 << 10; // of stack

/// Writes a span of an entry.
#[derive(Debug)]
pub struct Writer {
    entry: Arc<Entry>,
    position: u64,
    /// Room that was taken and not used yet.
    reserve: u64,
    tail: Tail,
    /// Record lines of one write, kept for its memory.
    lines: String,
}

/// What this writer wrote into the block it is in.
#[derive(Debug)]
struct Tail {
    start: u64,
    crc: crc32fast::Hasher,
    /// The record claims the bytes up to here.
    recorded: u64,
}

impl Writer {
    pub(super) fn new(entry: Arc<Entry>, offset: u64) -> Self {
        Self {
            entry,
            position: offset,
            reserve: 0,
            tail: Tail::at(offset),
            lines: String::new(),
        }
    }

    /// What it writes.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes room for all bytes that are missing, so that no write lacks it.
    ///
    /// # Errors
    ///
    /// `Kind::Full` when they do not fit.
    pub fn reserve(&mut self) -> Result<(), Problem> {
        let missing = self.entry.missing_bytes();
        let room = missing + missing / RECORD_SHARE + RECORD_SPARE;
        self.entry.take(room)?;
        self.reserve += room;
        Ok(())
    }

    /// Writes the next bytes of the body. Bytes that are there already are
    /// compared, never overwritten: a reader may be reading them.
    ///
    /// # Errors
    ///
    /// `Kind::Cache` when the disk refuses, `Kind::Full` when they do not fit,
    /// `Kind::Changed` when they differ from what is there or lie past the end.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            let end = self.position.checked_add(bytes.len() as u64);
            let limit = self.entry.total().unwrap_or(u64::MAX);
            let Some(end) = end.filter(|end| *end <= limit) else {
                return Err(self.entry.changed("the server sent more than it announced"));
            };
            let (run, is_known) = self.entry.run(self.position, end);
            let run = usize::try_from(run).unwrap_or(bytes.len());
            let (now, _) = bytes.split_at(run);
            let done = match is_known {
                true => self.compare(now)?,
                false => self.append(now)?,
            };
            bytes = bytes.get(done..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the span: the record gets the part of a block that is left.
    pub fn close(mut self) -> Result<(), Problem> {
        self.seal()
    }

    /// Ends the span and the resource: its length is where the writer stands.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.seal()?;
        self.entry.end_at(self.position)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<usize, Problem> {
        self.take(bytes.len() as u64)?;
        let written = self.entry.data().write_all_at(bytes, self.position);
        self.entry.written(bytes.len() as u64);
        written.map_err(|error| self.entry.unwritable(&error))?;
        let end = self.position + bytes.len() as u64;
        self.entry.publish(self.position..end);
        match self.entry.log() {
            Some(_) => self.record(bytes)?,
            None => self.position = end,
        }
        Ok(bytes.len())
    }

    /// Notes blocks that are full, and the tail when enough was added to it.
    fn record(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - self.position % BLOCK).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.tail.crc.update(now);
            self.position += now.len() as u64;
            if self.position.is_multiple_of(BLOCK) {
                self.note();
                self.tail = Tail::at(self.position);
            }
            bytes = rest;
        }
        if self.position - self.tail.recorded >= TAIL_STEP {
            self.note();
        }
        self.flush()
    }

    /// Compares bytes that came again with those that are there.
    fn compare(&mut self, bytes: &[u8]) -> Result<usize, Problem> {
        self.seal()?;
        let Look::Trusted(until) = self.entry.look(self.position) else {
            return Ok(0); // they were damaged: written as new
        };
        let mut buffer = [0; COMPARE_BYTES];
        let known = usize::try_from(until - self.position).unwrap_or(usize::MAX);
        let length = known.min(bytes.len()).min(COMPARE_BYTES);
        let (part, new) = (buffer.get_mut(..length), bytes.get(..length));
        let (part, new) = part.zip(new).unwrap_or_default();
        if self
            .entry
            .data()
            .read_exact_at(part, self.position)
            .is_err()
        {
            self.entry.lose(self.position..until);
            return Ok(0);
        }
        if part != new {
            return Err(self
                .entry
                .changed("the server sent other bytes than before"));
        }
        self.position += length as u64;
        self.tail = Tail::at(self.position);
        Ok(length)
    }

    fn seal(&mut self) -> Result<(), Problem> {
        self.note();
        self.flush()
    }

    /// Adds the line of the tail as it now is.
    fn note(&mut self) {
        let tail = &mut self.tail;
        let crc = tail.crc.clone().finalize();
        let piece = Piece::new(tail.start..self.position, crc);
        if let (Some(log), Some(piece), true) =
            (self.entry.log(), piece, self.position > tail.recorded)
        {
            log.add(&Line::Block(piece), &mut self.lines);
        }
        tail.recorded = self.position;
    }

    fn flush(&mut self) -> Result<(), Problem> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        let entry = Arc::clone(&self.entry);
        let noted = self.take(lines.len() as u64).and_then(|()| {
            let appended = entry.log().map_or(Ok(()), |log| log.append(&lines));
            entry.written(lines.len() as u64);
            appended.map_err(|error| entry.unwritable(&error))
        });
        self.lines = lines;
        self.lines.clear();
        noted
    }

    /// Room for `bytes`, out of the reserve as far as it goes.
    fn take(&mut self, bytes: u64) -> Result<(), Problem> {
        let reserved = bytes.min(self.reserve);
        self.entry.take(bytes - reserved)?;
        self.reserve -= reserved;
        Ok(())
    }
}

impl Drop for Writer {
    /// A request that was given up leaves its tail in the record all the same:
    /// the next writer begins behind it.
    fn drop(&mut self) {
        let _ = self.seal();
        self.entry.put_back(self.reserve);
        self.entry.leave();
    }
}

impl Tail {
    fn at(offset: u64) -> Self {
        Self {
            start: offset,
            crc: crc32fast::Hasher::new(),
            recorded: offset,
        }
    }
}
