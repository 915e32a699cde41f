//! Timed ID3 in a stream of its own ("Timed Metadata for HTTP Live Streaming"):
//! what is heard from when on.

use crate::decode::id3;
use crate::decode::ts::clock::Clock;
use crate::decode::ts::packet::{Continuity, Order, Packet};
use crate::decode::ts::pes::Unpacker;
use crate::limits;
use crate::units::MediaTime;

const TITLES: usize = 256; // that wait to be taken

/// The stream of tags.
#[derive(Debug)]
pub struct Titles {
    continuity: Continuity,
    unpacker: Unpacker,
    /// The tag under way, and when it applies.
    tag: Vec<u8>,
    start: Option<MediaTime>,
    found: Vec<(MediaTime, String)>,
}

impl Titles {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self {
            continuity: Continuity::new(),
            unpacker: Unpacker::new(),
            tag: Vec::new(),
            start: None,
            found: Vec::new(),
        }
    }

    /// Takes the next packet of the stream. A tag applies at its stamp, or where
    /// `clock` is when it has none.
    pub fn push(&mut self, packet: &Packet<'_>, clock: &Clock) {
        match self.continuity.judge(packet) {
            Order::Next => {}
            Order::Again => return,
            Order::Gap => {
                self.unpacker.lose();
                self.start = None;
            }
        }
        let Some(part) = self.unpacker.push(packet) else {
            return;
        };
        if let Some(begin) = part.begins {
            let start = begin.stamp.map(|stamp| clock.unfold(stamp));
            self.start = Some(start.unwrap_or_else(|| clock.now()));
            self.tag.clear();
        }
        if let Some(start) = self.start {
            let room = limits::TAG_BYTES.saturating_sub(self.tag.len());
            let bytes = &part.bytes[..part.bytes.len().min(room)];
            self.tag.extend_from_slice(bytes);
            self.read_tags(start);
        }
    }

    /// The titles found since this was last asked.
    pub fn take(&mut self) -> Vec<(MediaTime, String)> {
        std::mem::take(&mut self.found)
    }

    fn read_tags(&mut self, start: MediaTime) {
        while let Some(length) = whole_tag(&self.tag) {
            if let Some(title) = id3::read(&self.tag[..length]).title
                && self.found.len() < TITLES
            {
                self.found.push((start, title));
            }
            self.tag.drain(..length);
        }
    }
}

/// Bytes of the tag that `bytes` begin with, once all of them are here; of a
/// long one as many as are kept.
fn whole_tag(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(id3::length(bytes)?).ok()?;
    let kept = length.min(limits::TAG_BYTES);
    (kept <= bytes.len()).then_some(kept)
}
