//! Readers over what the store keeps: a local file, and a part of a longer source.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Kind, Problem};
use crate::media::Source;
use crate::stats::Stats;
use crate::text;

/// A file of the user's own.
pub struct LocalFile {
    file: File,
    /// For messages: safe.
    name: String,
    length: Option<u64>,
    stats: Arc<Stats>,
}

impl LocalFile {
    /// Opens `path`; its length is known when it is a regular file.
    pub fn open(path: &Path, stats: Arc<Stats>) -> io::Result<Self> {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        let length = facts.is_file().then_some(facts.len());
        let name = text::safe(&path.to_string_lossy());
        Ok(Self {
            file,
            name,
            length,
            stats,
        })
    }
}

impl Read for LocalFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A pipe or a network disk may take its time: that is no hanging codec.
        self.stats.blocked.store(true, Ordering::Relaxed);
        let result = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.stats.blocked.store(false, Ordering::Relaxed);
        result.map_err(|error| {
            let what = format!("cannot read \"{}\"", self.name);
            Problem::from_io(
                error,
                Kind::LocalFile,
                what,
                "check the name and its permissions",
            )
            .into()
        })
    }
}

impl Seek for LocalFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Source for LocalFile {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn is_seekable(&self) -> bool {
        self.length.is_some()
    }
}

/// The bytes `range` of a longer source, as a source of its own.
pub struct Part {
    whole: Box<dyn Source>,
    range: Range<u64>,
    position: u64,
}

impl Part {
    /// Begins at the first byte of `range`.
    pub fn new(mut whole: Box<dyn Source>, range: Range<u64>) -> io::Result<Self> {
        whole.seek(SeekFrom::Start(range.start))?;
        Ok(Self {
            whole,
            range,
            position: 0,
        })
    }

    fn len(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len().saturating_sub(self.position);
        let count = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.whole.read(&mut buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "seek outside of the part");
        let target = target.ok_or_else(outside)?;
        let absolute = self.range.start.checked_add(target).ok_or_else(outside)?;
        self.whole.seek(SeekFrom::Start(absolute))?;
        self.position = target;
        Ok(target)
    }
}

impl Source for Part {
    fn length(&self) -> Option<u64> {
        Some(self.len())
    }

    fn is_seekable(&self) -> bool {
        self.whole.is_seekable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Part {
        let whole = io::Cursor::new((0..=9).collect::<Vec<u8>>());
        Part::new(Box::new(whole), 3..7).expect("a cursor seeks")
    }

    #[test]
    fn a_part_begins_and_ends_where_its_range_does() {
        let mut bytes = Vec::new();
        part().read_to_end(&mut bytes).expect("a cursor reads");
        assert_eq!(bytes, [3, 4, 5, 6]);
        assert_eq!(part().length(), Some(4));
    }

    #[test]
    fn seeks_are_relative_to_the_part() {
        let mut part = part();
        let mut byte = [0];
        for (to, want) in [
            (SeekFrom::Start(1), 4),
            (SeekFrom::End(-1), 6),
            (SeekFrom::Current(-2), 5),
        ] {
            part.seek(to).expect("inside");
            part.read_exact(&mut byte).expect("a byte");
            assert_eq!(byte[0], want, "{to:?}");
        }
        assert!(part.seek(SeekFrom::Current(-9)).is_err());
    }
}
