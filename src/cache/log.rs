//! A record as a file: read from the start or from where we stopped, appended
//! to by the one process that holds its lock (the claim).

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::dir::{Dir, Writing};
use super::record::{Line, Record};

const HEAD_BYTES: usize = 64 << 10; // two URLs of 8 KiB with every byte escaped, and room
const READ_BYTES: usize = 8 << 10; // of stack; some 200 lines

/// An open record.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    seed: u32,
    /// The head line.
    pub record: Record,
    /// Where the lines after the head begin.
    pub start: u64,
    /// Whether lines may be appended.
    pub is_writable: bool,
}

/// What lies at the place of a record.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing, or nothing we touch.
    Nothing,
    /// A file whose head cannot be read.
    Garbled,
    /// A record.
    Log(Log),
}

impl Log {
    /// Opens the record `name`.
    pub fn open(dir: &Dir, name: &str) -> io::Result<Found> {
        let Some(opened) = dir.open_file(name, Writing::Append)? else {
            return Ok(Found::Nothing);
        };
        let Some((record, start)) = read_head(&opened.file)? else {
            return Ok(Found::Garbled);
        };
        Ok(Found::Log(Self {
            seed: record.seed(),
            file: opened.file,
            record,
            start,
            is_writable: opened.is_writable,
        }))
    }

    /// Creates the record `name`, which must not exist, and claims it.
    pub fn create(dir: &Dir, name: &str, record: Record) -> io::Result<Self> {
        let mut file = dir.create(name, Writing::Append)?;
        file.try_lock()?; // nobody knows the name yet
        let head = record.first_line();
        file.write_all(head.as_bytes())?;
        Ok(Self {
            seed: record.seed(),
            file,
            record,
            start: head.len() as u64,
            is_writable: true,
        })
    }

    /// Gives every good line from `position` on to `apply`; garbled ones are
    /// skipped. Returns where the next call goes on: a last line without its
    /// end is read again.
    pub fn read(&self, position: u64, mut apply: impl FnMut(Line)) -> io::Result<u64> {
        self.lines(position, |_, line| {
            Line::parse(self.seed, line)
                .into_iter()
                .for_each(&mut apply);
        })
    }

    /// Where lines lie that cannot be read; one that was blanked is none.
    pub fn garbled(&self) -> io::Result<Vec<Range<u64>>> {
        let mut garbled = Vec::new();
        let end = self.lines(self.start, |at, line| {
            if !line.is_empty() && Line::parse(self.seed, line).is_none() {
                garbled.push(at..at + line.len() as u64);
            }
        })?;
        let length = self.length()?;
        garbled.extend((end < length).then_some(end..length));
        Ok(garbled)
    }

    /// Gives every line that has an end, with where it begins, to `apply`.
    fn lines(&self, mut position: u64, mut apply: impl FnMut(u64, &[u8])) -> io::Result<u64> {
        let mut buffer = [0; READ_BYTES];
        loop {
            let length = self.file.read_at(&mut buffer, position)?;
            let bytes = buffer.get(..length).unwrap_or_default();
            let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if length == READ_BYTES => length, // garbage: no line is as long
                None => return Ok(position),
            };
            let lines = bytes.get(..whole).unwrap_or_default();
            let mut at = position;
            for line in lines.split(|byte| *byte == b'\n') {
                apply(at, line);
                at += line.len() as u64 + 1;
            }
            position += whole as u64;
        }
    }

    /// Takes the claim; `false` while another process has it.
    pub fn claim(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Gives the claim back.
    pub fn release(&self) {
        // Closing the file does it at the latest.
        let _ = self.file.unlock();
    }

    /// Cuts what a dead writer left behind the last whole line, at `end`.
    pub fn cut(&self, end: u64) -> io::Result<()> {
        match self.length()? > end {
            true => self.file.set_len(end),
            false => Ok(()),
        }
    }

    /// Bytes of the file.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Adds a line to `lines`, for [`Log::append`].
    pub fn add(&self, line: &Line, lines: &mut String) {
        line.write(self.seed, lines);
    }

    /// Appends lines with one write; needs the claim.
    pub fn append(&self, lines: &str) -> io::Result<()> {
        (&self.file).write_all(lines.as_bytes())
    }

    /// Whether `name` in `dir` still is this record.
    pub fn is_at(&self, dir: &Dir, name: &str) -> io::Result<bool> {
        dir.holds(name, &self.file)
    }
}

fn read_head(file: &File) -> io::Result<Option<(Record, u64)>> {
    let mut bytes = Vec::new();
    let mut part = [0; 1 << 10];
    while bytes.len() < HEAD_BYTES {
        let length = file.read_at(&mut part, bytes.len() as u64)?;
        if length == 0 {
            break;
        }
        let before = bytes.len();
        bytes.extend_from_slice(part.get(..length).unwrap_or_default());
        let fresh = bytes.get(before..).unwrap_or_default();
        if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
            let line = bytes.get(..before + end).unwrap_or_default();
            let record = std::str::from_utf8(line).ok().and_then(Record::parse);
            return Ok(record.map(|record| (record, (before + end + 1) as u64)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::head::Head;
    use crate::cache::key::Identity;

    fn record() -> Record {
        Record {
            identity: Identity::of_url("http://h/a"),
            head: Head::default(),
            generation: 1,
        }
    }

    fn all(log: &Log, from: u64) -> (Vec<Line>, u64) {
        let mut lines = Vec::new();
        let end = log.read(from, |line| lines.push(line)).expect("read");
        (lines, end)
    }

    fn reopened(dir: &Dir) -> Log {
        match Log::open(dir, "r").expect("opens") {
            Found::Log(log) => log,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_followed_as_they_come_and_a_torn_one_waits_for_its_end() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = Dir::open(place.path()).expect("it opens");
        let writer = Log::create(&dir, "r", record()).expect("created");
        let reader = reopened(&dir);
        assert_eq!(reader.start, writer.start);
        let mut text = String::new();
        (0..1000).for_each(|total| writer.add(&Line::Total(total), &mut text));
        let (early, late) = text.split_at(text.len() - 5);
        writer.append(early).expect("appended");
        let (lines, end) = all(&reader, reader.start);
        assert_eq!(lines, (0..999).map(Line::Total).collect::<Vec<_>>());
        writer.append(late).expect("appended");
        assert_eq!(all(&reader, end).0, [Line::Total(999)]);
    }

    #[test]
    fn garbage_between_lines_costs_only_itself() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = Dir::open(place.path()).expect("it opens");
        let log = Log::create(&dir, "r", record()).expect("created");
        let mut text = String::new();
        log.add(&Line::Total(1), &mut text);
        text.push_str(&"x".repeat(3 * READ_BYTES));
        text.push('\n');
        log.add(&Line::Total(2), &mut text);
        text.push_str("torn");
        log.append(&text).expect("appended");
        let (lines, end) = all(&log, log.start);
        assert_eq!(lines, [Line::Total(1), Line::Total(2)]);
        log.cut(end).expect("cut");
        log.append("").expect("appended");
        assert_eq!(all(&log, log.start).1, end);
    }

    #[test]
    fn a_claim_is_of_one_and_dies_with_its_file() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = Dir::open(place.path()).expect("it opens");
        let first = Log::create(&dir, "r", record()).expect("created");
        let second = reopened(&dir);
        assert!(!second.claim().expect("tried"));
        drop(first);
        assert!(second.claim().expect("tried"));
        second.release();
        assert!(reopened(&dir).claim().expect("tried"));
    }
}
