//! A source that gives its bytes in small pieces, or all at once.

use std::io::{Cursor, Read, Result, Seek, SeekFrom};

use kithara::media::Source;

const STEPS: [usize; 6] = [1, 3, 16, 61, 188, 1460];

/// Bytes of which no more than `step` are here for one read.
pub struct Drip {
    bytes: Cursor<Vec<u8>>,
    step: usize,
}

impl Drip {
    /// All bytes are here.
    pub fn whole(bytes: &[u8]) -> Box<Self> {
        Self::new(bytes, usize::MAX)
    }

    /// They come in pieces of `step`.
    pub fn new(bytes: &[u8], step: usize) -> Box<Self> {
        Box::new(Self {
            bytes: Cursor::new(bytes.to_vec()),
            step,
        })
    }
}

/// A small step, another one for other bytes and the same for the same.
pub fn step(bytes: &[u8]) -> usize {
    let sum: usize = bytes.iter().copied().map(usize::from).sum();
    STEPS[sum % STEPS.len()]
}

impl Read for Drip {
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        let count = to.len().min(self.step);
        self.bytes.read(&mut to[..count])
    }
}

impl Seek for Drip {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}

impl Source for Drip {
    fn length(&self) -> Option<u64> {
        self.is_seekable()
            .then(|| self.bytes.get_ref().len() as u64)
    }

    fn is_seekable(&self) -> bool {
        self.step == usize::MAX
    }
}
