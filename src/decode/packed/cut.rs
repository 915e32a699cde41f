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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::packed::Demuxer;
    use crate::decode::window::tests::Drip;

    const TAG: &[u8] = b"ID3\x04\0\0\0\0\0\x04\0\0\0\0";

    /// 100 bytes of ADTS that tell their number.
    fn adts(number: u8) -> Vec<u8> {
        let header = [0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC];
        [&header[..], &[number; 93]].concat()
    }

    /// 104 bytes of MP3.
    fn mp3(number: u8) -> Vec<u8> {
        [&[0xFF, 0xFB, 0x10, 0x44][..], &[number; 100]].concat()
    }

    fn open(source: Box<dyn Source>) -> Demuxer {
        let zero = MediaTime::ZERO;
        Demuxer::segment(source, Arc::default(), zero, Some(zero)).expect("packed audio")
    }

    fn source(bytes: &[u8], step: usize) -> Box<dyn Source> {
        let mut drip = Drip::new(bytes.to_vec(), step);
        drip.seekable = true;
        Box::new(drip)
    }

    fn drain(demuxer: &mut Demuxer) -> Vec<Vec<u8>> {
        let mut units = Vec::new();
        while let Some(unit) = demuxer.next_unit().expect("sound") {
            units.push(unit.data.to_vec());
        }
        units
    }

    #[test]
    fn a_frame_is_made_whole_wherever_it_was_cut() {
        for frame in [adts, mp3] {
            let frames: Vec<Vec<u8>> = (0..6).map(frame).collect();
            let bytes = frames.concat();
            let length = frames[0].len();
            for at in 2 * length + 1..4 * length {
                for (tag, step) in [(&[][..], 1), (&[], 4096), (TAG, 1), (TAG, 70)] {
                    let mut first = open(source(&bytes[..at], step));
                    let mut units = drain(&mut first);
                    let rest = [tag, &bytes[at..]].concat();
                    let mut rest_source = source(&rest, step);
                    let is_clean = at.is_multiple_of(length);
                    match first.into_cut() {
                        None => assert!(is_clean, "{at}"),
                        Some(cut) => {
                            assert!(!is_clean, "{at}");
                            let place = cut.place(&rest).expect("it goes on");
                            assert_eq!(place, tag.len(), "{at}");
                            rest_source = cut.join(rest_source, place);
                        }
                    }
                    units.extend(drain(&mut open(rest_source)));
                    assert_eq!(units, frames, "at {at} in steps of {step}");
                }
            }
        }
    }

    #[test]
    fn a_segment_that_begins_anew_does_not_go_on() {
        let whole = [adts(0), adts(1), adts(2)].concat();
        let cases = [
            ("frames of its own", [adts(5), adts(6)].concat()),
            ("and a tag", [TAG, &adts(5), &adts(6)].concat()),
            ("another piece", [&adts(5)[20..], &adts(6)].concat()),
            ("another codec", [mp3(5), mp3(6)].concat()),
            ("noise", vec![0x55; 4000]),
            ("nothing", Vec::new()),
            ("a tag that is longer", TAG[..12].to_vec()),
        ];
        let mut demuxer = open(source(&whole[..250], 64));
        assert_eq!(drain(&mut demuxer).len(), 2);
        let cut = demuxer.into_cut().expect("half a frame");
        assert_eq!(cut.unit().data.len(), 50);
        for (case, head) in cases {
            assert_eq!(cut.place(&head), None, "{case}");
        }
    }

    #[test]
    fn every_place_of_a_joined_segment_can_be_sought() {
        let (before, bytes) = (b"0123".to_vec(), b"abc".to_vec());
        let whole = b"0123abc4567";
        let rest = [&before[..], b"4567"].concat();
        let mut joined = Joined {
            media: source(&rest, 2),
            place: 4,
            bytes,
            position: 0,
        };
        assert_eq!(joined.length(), Some(11));
        for at in (0..=whole.len()).rev() {
            let mut got = Vec::new();
            joined.seek(SeekFrom::Start(at as u64)).expect("in range");
            joined.read_to_end(&mut got).expect("bytes");
            assert_eq!(got, whole[at..], "from {at}");
        }
    }
}
