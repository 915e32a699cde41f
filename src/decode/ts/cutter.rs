//! An elementary stream is cut into frames: where they begin, how long they
//! are, which time stamp belongs to which. Finds the next frame after damage.

use std::collections::VecDeque;

use crate::decode::ts::coding::Header;
use crate::decode::ts::pes::{Begin, Part};
use crate::decode::ts::program::Format;

const TIDY_BYTES: usize = 16 << 10; // rather keep what was given out than move the rest for every frame

/// One frame in the cutter's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Where it begins in the elementary stream.
    position: u64,
    /// What its header says.
    pub header: Header,
    /// The stamp of the PES packet it is the first of.
    pub stamp: Option<u64>,
    /// Whether something before it was lost.
    pub is_after_loss: bool,
}

/// The stream between its PES packets and its frames.
#[derive(Debug)]
pub struct Cutter {
    /// As the program map says, until the first frame shows it.
    format: Format,
    has_frames: bool,
    bytes: Vec<u8>,
    /// Position in the elementary stream of the buffer's first byte.
    base: u64,
    /// Frames were cut up to here.
    position: u64,
    /// Where PES packets begin that no frame was cut from yet, and their stamps.
    marks: VecDeque<(u64, Begin)>,
    /// The last frame, when the next one must follow it at once.
    last: Option<Header>,
    is_after_loss: bool,
    losses: u64,
}

impl Cutter {
    /// An empty stream of such frames; of others, should they be others.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            has_frames: false,
            bytes: Vec::new(),
            base: 0,
            position: 0,
            marks: VecDeque::new(),
            last: None,
            is_after_loss: false,
            losses: 0,
        }
    }

    /// What the frames are.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, part: Part<'_>) {
        if let Some(begin) = part.begins {
            if self.is_inside_frame() && self.is_next(part.bytes) {
                self.lose(); // unnoticed, what the frame still needs is missing
            }
            let end = self.end();
            if self.marks.back().is_some_and(|&(at, _)| at == end) {
                self.marks.pop_back(); // an empty packet
            }
            self.marks.push_back((end, begin));
        }
        self.bytes.extend_from_slice(part.bytes);
    }

    /// A piece of the stream is missing here: the frame it belonged to is broken.
    pub fn lose(&mut self) {
        self.drop_rest();
        self.break_chain();
    }

    /// What follows is another piece of the stream. Nothing is lost between two
    /// frames.
    pub fn restart(&mut self) {
        match self.is_inside_frame() {
            true => self.lose(),
            false => {
                self.drop_rest();
                self.last = None;
            }
        }
    }

    fn drop_rest(&mut self) {
        let cut = self.offset(self.position);
        self.bytes.truncate(cut);
        self.marks.clear();
    }

    /// How often the chain of frames broke since this was last asked.
    pub fn take_losses(&mut self) -> u64 {
        std::mem::take(&mut self.losses)
    }

    /// Whether a frame has begun that is not whole yet.
    fn is_inside_frame(&self) -> bool {
        self.last.is_some() && self.position < self.end()
    }

    /// Whether `bytes` begin with the frame behind the one that has begun. LOAS
    /// has too little to tell by.
    fn is_next(&self, bytes: &[u8]) -> bool {
        let header = Header::read(self.format, bytes);
        let agrees = |header: Header| self.last.is_some_and(|last| header.agrees(&last));
        self.format != Format::Latm && header.is_some_and(agrees)
    }

    /// Bytes of frames that were cut and not yet forgotten.
    pub fn held_bytes(&self, first: &Frame) -> u64 {
        self.position - first.position
    }

    /// The bytes of a frame that was not forgotten.
    pub fn bytes(&self, frame: &Frame) -> &[u8] {
        let from = self.offset(frame.position);
        &self.bytes[from..from + frame.header.length()]
    }

    /// Everything before `frame`, or before what was not cut yet, is no longer needed.
    pub fn forget_before(&mut self, frame: Option<&Frame>) {
        let position = frame.map_or(self.position, |frame| frame.position);
        let done = self.offset(position);
        if done >= TIDY_BYTES {
            self.bytes.drain(..done);
            self.base = position;
        }
    }

    /// The next whole frame. With `is_over` nothing comes behind what is here.
    pub fn cut(&mut self, is_over: bool) -> Option<Frame> {
        if let Some(last) = self.last {
            match Header::read(self.format, self.rest()) {
                Some(header) if header.agrees(&last) => return self.take(header),
                Some(header) => match self.judge_change(header, is_over) {
                    Verdict::Frame(header) => return self.take(header),
                    Verdict::Wait => return None,
                    Verdict::Junk => self.fail_here(),
                },
                None if self.rest().len() < self.format.header_bytes() => return None,
                None => self.fail_here(),
            }
        }
        self.find(is_over)
    }

    /// The stream may go on in another way where a frame was due: when one more of
    /// the new kind follows.
    fn judge_change(&self, header: Header, is_over: bool) -> Verdict {
        match self.rest().get(header.length()..) {
            Some(behind) if behind.len() >= self.format.header_bytes() => {
                match Header::read(self.format, behind) {
                    Some(next) if next.agrees(&header) => Verdict::Frame(header),
                    _ => Verdict::Junk,
                }
            }
            Some(_) if is_over => Verdict::Frame(header),
            _ => Verdict::Wait, // also for the next segment
        }
    }

    /// The frame that should begin here does not, and its stamp is nobody's.
    fn fail_here(&mut self) {
        self.take_stamp();
        self.break_chain();
    }

    fn break_chain(&mut self) {
        if self.last.take().is_some() {
            self.losses += 1;
            self.is_after_loss = true;
        }
    }

    /// Looks for a frame that others follow, or that a PES packet begins with.
    fn find(&mut self, is_over: bool) -> Option<Frame> {
        while self.rest().len() >= self.format.header_bytes() {
            self.pass_marks();
            match self.judge(is_over) {
                Verdict::Frame(header) => return self.take(header),
                Verdict::Wait => return None,
                Verdict::Junk => self.position += 1,
            }
        }
        None
    }

    /// Of the marks at or before this place only the last one counts. The others
    /// of a stream of junk would be many, and looked at for each of its bytes.
    fn pass_marks(&mut self) {
        while self
            .marks
            .get(1)
            .is_some_and(|&(at, _)| at <= self.position)
        {
            self.marks.pop_front();
        }
    }

    /// Before the first frame the program map may be wrong: frames of another
    /// format are believed when they follow each other.
    fn judge(&self, is_over: bool) -> Verdict {
        let mark = self.marks.front();
        let is_aligned = mark.is_some_and(|&(at, _)| at == self.position);
        let verdict = self.judge_as(self.format, is_aligned, is_over);
        if self.has_frames || !matches!(verdict, Verdict::Junk) {
            return verdict;
        }
        let others = Format::ALL
            .into_iter()
            .filter(|&other| other != self.format);
        let mut verdicts = others.map(|other| self.judge_as(other, false, is_over));
        let found = verdicts.find(|verdict| !matches!(verdict, Verdict::Junk));
        found.unwrap_or(Verdict::Junk)
    }

    fn judge_as(&self, format: Format, is_aligned: bool, is_over: bool) -> Verdict {
        let rest = self.rest();
        let Some(header) = Header::read(format, rest) else {
            return Verdict::Junk;
        };
        match rest.get(header.length()..) {
            Some(_) if is_aligned => Verdict::Frame(header),
            Some([]) if is_over => Verdict::Frame(header),
            Some(behind) if behind.len() >= format.header_bytes() => {
                match Header::read(format, behind) {
                    Some(next) if next.agrees(&header) => Verdict::Frame(header),
                    _ => Verdict::Junk,
                }
            }
            _ if is_over => Verdict::Junk,
            _ => Verdict::Wait,
        }
    }

    fn take(&mut self, header: Header) -> Option<Frame> {
        self.rest().get(..header.length())?;
        let position = self.position;
        let stamp = self.take_stamp();
        self.position += header.length() as u64;
        self.format = header.format();
        self.has_frames = true;
        self.last = Some(header);
        Some(Frame {
            position,
            header,
            stamp,
            is_after_loss: std::mem::take(&mut self.is_after_loss),
        })
    }

    /// The stamp of the last PES packet that begins here or before.
    fn take_stamp(&mut self) -> Option<u64> {
        let mut stamp = None;
        while let Some(&(_, begin)) = self.marks.front().filter(|(at, _)| *at <= self.position) {
            stamp = begin.stamp;
            self.marks.pop_front();
        }
        stamp
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.offset(self.position)..]
    }

    fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    fn offset(&self, position: u64) -> usize {
        let offset = usize::try_from(position - self.base).ok();
        offset.expect("positions are those of bytes in the buffer")
    }
}

enum Verdict {
    Frame(Header),
    /// More bytes are needed to tell.
    Wait,
    Junk,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_junk_leave_no_marks_to_search() {
        let mut cutter = Cutter::new(Format::Adts);
        for stamp in 0..1000 {
            let begins = Some(Begin { stamp: Some(stamp) });
            let bytes = &[7; 150];
            cutter.push(Part { begins, bytes });
            assert!(cutter.cut(false).is_none());
            assert!(cutter.marks.len() <= 2, "{} marks", cutter.marks.len());
        }
        let header = [0xFF, 0xF1, 0x50, 0x80, 0x02, 0x1F, 0xFC];
        let begins = None;
        let bytes = &[&[7; 9][..], &header, &[1; 9]].concat();
        cutter.push(Part { begins, bytes });
        let frame = cutter.cut(true).expect("a frame and the end");
        assert_eq!(frame.stamp, Some(999));
        assert_eq!(cutter.bytes(&frame), [&header[..], &[1; 9]].concat());
    }
}
