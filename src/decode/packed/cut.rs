//! A frame that a segment ends inside of, and the segment that goes on with it.

use std::io::{self, Read, Seek, SeekFrom};

use super::header::Header;
use super::truncated;
use crate::decode::id3;
use crate::decode::unit::Unit;
use crate::error::Problem;
use crate::media::Source;
use crate::units::{Frames, MediaTime};

/// What came of a frame whose end is not in its segment.
#[derive(Clone, Debug)]
pub struct Cut {
    pub(super) bytes: Vec<u8>,
    /// The frame before it.
    pub(super) like: Header,
    /// When it is due.
    pub(super) start: MediaTime,
    /// When it would have been over.
    pub(super) end: MediaTime,
}

impl Cut {
    /// Bytes of the next segment that are enough for [`Cut::place`]: two of the
    /// longest frames.
    pub const HEAD_BYTES: usize = 16 << 10;

    /// Where the rest of the frame begins in a segment whose first bytes are
    /// `head`: behind its tags. `None` when it does not go on with the frame: it
    /// begins with one of its own, or no other follows where this one ends.
    pub fn place(&self, head: &[u8]) -> Option<usize> {
        let at = behind_tags(head)?;
        let rest = &head[at..];
        let agrees = |header: &Header| header.agrees(&self.like);
        let is_followed = |bytes: &[u8], header: &Header| match bytes.get(header.length()..) {
            Some(behind) => {
                let is_end = behind.is_empty() || behind.starts_with(b"ID3");
                is_end || Header::read(behind).is_some_and(|next| agrees(&next))
            }
            None => false,
        };
        let begins = |bytes: &[u8]| {
            let header = Header::read(bytes).filter(agrees);
            header.is_some_and(|header| is_followed(bytes, &header))
        };
        let whole = [&self.bytes, rest].concat();
        (!rest.is_empty() && !begins(rest) && begins(&whole)).then_some(at)
    }

    /// `media` with the frame made whole in it, at [`Cut::place`].
    pub fn join(self, media: Box<dyn Source>, place: usize) -> Box<dyn Source> {
        Box::new(Joined {
            media,
            place: place as u64,
            bytes: self.bytes,
            position: 0,
        })
    }

    /// The frame as far as it came, with its times.
    pub fn unit(&self) -> Unit<'_> {
        Unit {
            data: &self.bytes,
            start: self.start,
            end: self.end,
            trim_start: Frames(0),
            trim_end: Frames(0),
        }
    }

    /// Why a stream may not end with it.
    pub fn complaint(&self) -> Problem {
        truncated()
    }
}

/// Where the tags at the front of `head` end, if they do in it.
fn behind_tags(head: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    while let Some(length) = id3::length(head.get(at..)?) {
        at = at.checked_add(usize::try_from(length).ok()?)?;
    }
    Some(at)
}

/// A segment with the beginning of a frame put in front of the rest of it.
struct Joined {
    media: Box<dyn Source>,
    /// Where, in the segment.
    place: u64,
    bytes: Vec<u8>,
    position: u64,
}

impl Joined {
    fn inserted(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let inside = self.position.checked_sub(self.place);
        let inside = inside.and_then(|inside| usize::try_from(inside).ok());
        let count = match inside.map(|inside| self.bytes.get(inside..)) {
            Some(Some(mut bytes)) if !bytes.is_empty() => bytes.read(buffer)?,
            Some(_) => self.media.read(buffer)?,
            None => {
                let before = self.place - self.position;
                self.media.by_ref().take(before).read(buffer)?
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length().and_then(|end| end.checked_add_signed(by)),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        let behind = target.saturating_sub(self.inserted()).max(self.place);
        self.media.seek(SeekFrom::Start(target.min(behind)))?;
        self.position = target;
        Ok(target)
    }
}

impl Source for Joined {
    fn length(&self) -> Option<u64> {
        self.media.length()?.checked_add(self.inserted())
    }

    fn is_seekable(&self) -> bool {
        self.media.is_seekable()
    }
}
