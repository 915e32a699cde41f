//! A buffered pull over a [`Source`]: the one buffer between a demuxer and its
//! bytes. Units are handed out as slices of it; only a cut-off tail is moved.

use std::io::{self, SeekFrom};
use std::sync::Arc;

use crate::error::{Kind, Problem};
use crate::media::Source;
use crate::stats::Stats;

/// Bytes the buffer has, unless one unit needs more.
pub const BUFFER_BYTES: usize = 32 << 10; // 2 s of 128 kbit/s in one read, and it stays in the first-level cache
const READ_AT_LEAST: usize = 4 << 10; // rather move a tail than ask for crumbs
const SEEK_AT_LEAST: u64 = 256 << 10; // a ranged request costs more than reading this much

/// What lies between a source and a demuxer: bytes read and not yet given out.
///
/// The source must stand at its beginning.
pub struct Window {
    source: Box<dyn Source>,
    stats: Arc<Stats>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl Window {
    /// An empty window at the beginning of `source`.
    pub fn new(source: Box<dyn Source>, stats: Arc<Stats>) -> Self {
        Self {
            source,
            stats,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// Offset in the source of the next byte given out.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The bytes that are here and not given out.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The counters of the run.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Reads until `wanted` bytes are here, and returns whether they are: not
    /// when the source ends before. Memory grows with bytes that came, never
    /// with `wanted` alone.
    ///
    /// # Errors
    ///
    /// The problem the source failed with, unchanged.
    pub fn fill(&mut self, wanted: usize) -> Result<bool, Problem> {
        self.fill_within(wanted, usize::MAX)
    }

    /// Gives out the next `count` bytes; `None` when the source ends before.
    ///
    /// # Errors
    ///
    /// As [`Window::fill`].
    pub fn take(&mut self, count: usize) -> Result<Option<&[u8]>, Problem> {
        self.take_within(count, usize::MAX)
    }

    /// As [`Window::take`], but holds no more than `most` bytes: a read that ends
    /// where a unit ends leaves no tail to be moved.
    ///
    /// # Errors
    ///
    /// As [`Window::fill`].
    pub fn take_within(&mut self, count: usize, most: usize) -> Result<Option<&[u8]>, Problem> {
        if !self.fill_within(count, most.max(count))? {
            return Ok(None);
        }
        self.consume(count);
        Ok(Some(&self.buffer[self.start - count..self.start]))
    }

    fn fill_within(&mut self, wanted: usize, most: usize) -> Result<bool, Problem> {
        while self.end - self.start < wanted {
            self.make_room(wanted);
            let room = most - (self.end - self.start);
            let end = self.buffer.len().min(self.end.saturating_add(room));
            let count = self
                .source
                .read(&mut self.buffer[self.end..end])
                .map_err(failed)?;
            if count == 0 {
                return Ok(false);
            }
            self.end += count;
            self.stats.copied_bytes.add(count as u64);
        }
        Ok(true)
    }

    /// Passes over `count` bytes, and returns whether the source had them. A
    /// long way is sought where the source can seek, and read otherwise.
    ///
    /// # Errors
    ///
    /// As [`Window::fill`].
    pub fn skip(&mut self, count: u64) -> Result<bool, Problem> {
        let mut left = count;
        loop {
            let here = (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.consume(here);
            left -= here as u64;
            if left == 0 {
                return Ok(true);
            }
            if left >= SEEK_AT_LEAST && self.source.is_seekable() {
                return self.jump(left);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// Goes to `position` of the source, forward or back; what is here is dropped.
    ///
    /// # Errors
    ///
    /// The problem the source failed with, unchanged.
    pub fn seek(&mut self, position: u64) -> Result<(), Problem> {
        self.source
            .seek(SeekFrom::Start(position))
            .map_err(failed)?;
        (self.start, self.end) = (0, 0);
        self.position = position;
        Ok(())
    }

    fn jump(&mut self, left: u64) -> Result<bool, Problem> {
        let target = self.position.saturating_add(left);
        if self.source.length().is_some_and(|length| target > length) {
            return Ok(false);
        }
        self.seek(target)?;
        Ok(true)
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.position += count as u64;
    }

    fn make_room(&mut self, wanted: usize) {
        let here = self.end - self.start;
        let missing = wanted - here;
        if self.buffer.len() - self.end < missing.max(READ_AT_LEAST) && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, here);
            self.stats.copied_bytes.add(here as u64);
        }
        if self.end == self.buffer.len() {
            let larger = (self.buffer.len() * 2).min(wanted);
            self.buffer.resize(larger, 0);
            self.stats.copied_bytes.add(here as u64);
        }
    }
}

fn failed(error: io::Error) -> Problem {
    Problem::from_io(error, Kind::NoData, "cannot read the media", "try again")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{Read, Seek};

    /// A source that gives at most `step` bytes a read, and fails at its end
    /// with `failure` if there is one.
    pub struct Drip {
        pub bytes: Vec<u8>,
        pub position: usize,
        pub step: usize,
        pub seekable: bool,
        pub failure: Option<Problem>,
    }

    impl Drip {
        pub fn new(bytes: Vec<u8>, step: usize) -> Self {
            Self {
                bytes,
                position: 0,
                step,
                seekable: false,
                failure: None,
            }
        }
    }

    impl Read for Drip {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            if let (true, Some(problem)) = (rest.is_empty(), self.failure.clone()) {
                return Err(problem.into());
            }
            let count = rest.len().min(self.step).min(to.len());
            to[..count].copy_from_slice(&rest[..count]);
            self.position += count;
            Ok(count)
        }
    }

    impl Seek for Drip {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            assert!(self.seekable, "a source that cannot seek is asked to");
            let SeekFrom::Start(position) = to else {
                panic!("windows seek from the start");
            };
            self.position = usize::try_from(position).expect("a test file is small");
            Ok(position)
        }
    }

    impl Source for Drip {
        fn length(&self) -> Option<u64> {
            self.seekable.then_some(self.bytes.len() as u64)
        }

        fn is_seekable(&self) -> bool {
            self.seekable
        }
    }

    fn counting(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    #[test]
    fn slices_are_the_same_for_every_read_size() {
        let bytes = counting(100_000);
        for step in [1, 7, 1460, 65_536] {
            let drip = Drip::new(bytes.clone(), step);
            let mut window = Window::new(Box::new(drip), Arc::default());
            let mut at = 0;
            for size in [1, 700, 40_000, 3, 50_000, 9_296] {
                let slice = window.take(size).expect("no failure").expect("all there");
                assert_eq!(slice, &bytes[at..at + size], "{size} in steps of {step}");
                at += size;
                assert_eq!(window.position(), at as u64);
            }
            assert_eq!(window.take(1), Ok(None));
        }
    }

    #[test]
    fn hardly_a_byte_is_moved_twice() {
        let drip = Drip::new(counting(1_000_000), 65_536);
        let stats = Arc::new(Stats::default());
        let mut window = Window::new(Box::new(drip), Arc::clone(&stats));
        while window.take(700).expect("no failure").is_some() {}
        let copied = stats.copied_bytes.total();
        assert!(copied <= 1_020_000, "{copied} bytes for 1,000,000");
    }

    #[test]
    fn a_skip_past_the_end_is_told_apart_from_one_to_the_end() {
        for (seekable, count, want) in [
            (false, 500_000, true),
            (false, 500_001, false),
            (true, 500_000, true),
            (true, 500_001, false),
            (true, u64::MAX, false),
        ] {
            let mut drip = Drip::new(counting(500_000), 10_000);
            drip.seekable = seekable;
            let mut window = Window::new(Box::new(drip), Arc::default());
            assert_eq!(window.skip(count), Ok(want), "{count}, seekable {seekable}");
        }
    }

    #[test]
    fn a_long_gap_is_sought_and_a_short_one_is_read() {
        let bytes = counting(1_000_000);
        for (gap, reads_through) in [(1_000, true), (900_000, false)] {
            let mut drip = Drip::new(bytes.clone(), 4096);
            drip.seekable = true;
            let stats = Arc::new(Stats::default());
            let mut window = Window::new(Box::new(drip), Arc::clone(&stats));
            assert_eq!(window.skip(gap), Ok(true));
            let slice = window.take(4).expect("no failure").expect("all there");
            let at = usize::try_from(gap).expect("small");
            assert_eq!(slice, &bytes[at..at + 4]);
            assert_eq!(stats.copied_bytes.total() >= gap, reads_through, "{gap}");
        }
    }

    #[test]
    fn a_promise_of_gigabytes_takes_no_memory() {
        let drip = Drip::new(counting(1000), 100);
        let mut window = Window::new(Box::new(drip), Arc::default());
        assert_eq!(window.fill(4 << 30), Ok(false));
        assert_eq!(window.buffer.len(), BUFFER_BYTES);
    }

    #[test]
    fn the_problem_of_the_source_comes_through_unchanged() {
        let mut drip = Drip::new(counting(10), 10);
        drip.failure = Some(Problem::stopped());
        let mut window = Window::new(Box::new(drip), Arc::default());
        assert_eq!(window.fill(11), Err(Problem::stopped()));
    }
}
