//! The file under a [`super::WavSink`]: one buffer, and an end that is right
//! whatever happened before.

use super::super::target::Target;
use super::header::Layout;
use crate::error::{Kind, Problem};

const BUFFER_BYTES: usize = 64 << 10; // a system call every 0.4 s of CD sound
const LARGEST: u32 = u32::MAX - 1; // the last value means "see ds64"

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Writing,
    /// A write failed: what is buffered is lost.
    Failed,
    Finished,
}

/// The file itself.
#[derive(Debug)]
pub(super) struct WavFile {
    pub target: Target,
    has_header: bool,
    /// Known from the first frame on.
    layout: Option<Layout>,
    buffer: Vec<u8>,
    used: usize,
    /// Bytes of samples that are in the file.
    pub written: u64,
    pub state: State,
}

impl WavFile {
    /// A file into `target`, with a header or raw.
    pub fn new(target: Target, has_header: bool) -> Self {
        Self {
            target,
            has_header,
            layout: None,
            buffer: vec![0; BUFFER_BYTES],
            used: 0,
            written: 0,
            state: State::Writing,
        }
    }

    /// Empties the file and writes the header it has while it grows.
    pub fn begin(&mut self, layout: Layout) -> Result<(), Problem> {
        self.refuse_when_over()?;
        self.layout = Some(layout);
        self.target.clear()?;
        if !self.has_header {
            return Ok(());
        }
        let header = layout.open_header(self.target.is_seekable());
        let begun = self.target.write(&header, &mut 0);
        self.note_failure(begun)
    }

    /// Appends `samples`, which are buffered first.
    pub fn write(&mut self, mut samples: &[f32]) -> Result<(), Problem> {
        self.refuse_when_over()?;
        let sample = self.layout.ok_or_else(not_open)?.sample;
        while !samples.is_empty() {
            let free = &mut self.buffer[self.used..];
            let (now, later) = samples.split_at(samples.len().min(free.len() / sample.bytes()));
            sample.encode(now, free);
            self.used += now.len() * sample.bytes();
            samples = later;
            if !samples.is_empty() {
                self.flush()?;
            }
        }
        // Whoever reads a pipe wants what there is, also when no more comes yet.
        if self.target.is_seekable() {
            Ok(())
        } else {
            self.flush()
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Problem> {
        let bytes = &self.buffer[..self.used];
        let flushed = self.target.write(bytes, &mut self.written);
        self.used = 0;
        self.note_failure(flushed)
    }

    /// Writes what is buffered, then the lengths. Once; does nothing after that.
    pub fn finish(&mut self) -> Result<(), Problem> {
        let outcome = match (self.state, self.layout) {
            (State::Finished, _) => Ok(()),
            (State::Writing | State::Failed, None) => {
                self.target.discard();
                Ok(())
            }
            (State::Failed, Some(layout)) => self.close(layout),
            (State::Writing, Some(layout)) => {
                let flushed = self.flush();
                let closed = self.close(layout);
                flushed.and(closed)
            }
        };
        self.state = State::Finished;
        outcome
    }

    /// Ends the file behind the last whole frame and writes the lengths.
    fn close(&mut self, layout: Layout) -> Result<(), Problem> {
        let data = self.written - self.written % layout.frame_bytes() as u64;
        if !self.target.is_seekable() {
            return Ok(());
        }
        if !self.has_header {
            return self.target.cut(data);
        }
        let header = layout.file_header(data, LARGEST);
        // Chunks have even lengths: one byte of padding, a zero.
        self.target.cut(header.len() as u64 + data)?;
        self.target.cut(header.len() as u64 + data + data % 2)?;
        self.target.patch(&header, 0)
    }

    fn refuse_when_over(&self) -> Result<(), Problem> {
        match self.state {
            State::Writing => Ok(()),
            State::Failed | State::Finished => Err(Problem::stopped()),
        }
    }

    fn note_failure(&mut self, outcome: Result<(), Problem>) -> Result<(), Problem> {
        if outcome.is_err() {
            self.state = State::Failed;
        }
        outcome
    }
}

fn not_open() -> Problem {
    Problem::new(
        Kind::Bug,
        "cannot write the output",
        "frames came before their format",
        "report this as a bug",
    )
}
