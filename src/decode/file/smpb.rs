//! The iTunSMPB comment, in which Apple's encoders note priming, padding and
//! length of a track. Pure.

use std::num::NonZeroU32;

use crate::decode::file::atoms::{boxes, child, path};
use crate::decode::file::gapless::time;
use crate::decode::unit::Edit;
use crate::limits;

/// The three counts of an iTunSMPB comment, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    delay: u64,
    padding: u64,
    frames: u64,
}

impl Comment {
    /// Reads ` 00000000 00000840 000001CA 00000000003F31F6 …`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text
            .split_ascii_whitespace()
            .skip(1)
            .map(|word| u64::from_str_radix(word, 16).ok());
        let mut next = || words.next().flatten();
        Some(Self {
            delay: next()?,
            padding: next()?,
            frames: next()?,
        })
    }

    /// As an edit, when the counts add up to the length of the track within
    /// two access units. HE-AAC counts output frames, two for each tick.
    pub fn edit(self, timescale: NonZeroU32, ticks: u64) -> Option<Edit> {
        const SLACK: u64 = 4096;
        let end = self.delay.checked_add(self.frames)?;
        let total = end.checked_add(self.padding)?;
        let scales = [1, 2].map(|times| (times, ticks.saturating_mul(times)));
        let fits = scales
            .iter()
            .find(|(_, ticks)| total.abs_diff(*ticks) <= SLACK);
        let (times, _) = fits.filter(|_| self.frames > 0 && self.delay < total)?;
        let hertz = timescale.get().checked_mul(u32::try_from(*times).ok()?)?;
        let rate = NonZeroU32::new(hertz)?;
        Some(Edit {
            start: time(self.delay, rate),
            end: Some(time(end, rate)),
        })
    }
}

/// The iTunSMPB comment: `moov/udta/meta/ilst/----` with that name.
pub fn comment(moov: &[u8]) -> Option<Comment> {
    let meta = path(moov, &[b"udta", b"meta"])?;
    // A full box in MP4, a plain one in QuickTime.
    let list = child(meta.get(4..)?, b"ilst").or_else(|| child(meta, b"ilst"))?;
    let named =
        |item: &&[u8]| child(item, b"name").and_then(|name| name.get(4..)) == Some(b"iTunSMPB");
    let mut items = boxes(list)
        .filter(|(name, _)| name == b"----")
        .map(|(_, item)| item);
    let item = items.find(|item| named(item))?;
    let text = child(item, b"data")?.get(8..)?;
    Comment::parse(std::str::from_utf8(text.get(..text.len().min(limits::TAG_BYTES))?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SampleRate;

    #[test]
    fn a_comment_is_believed_only_when_it_adds_up_to_the_track() {
        let rate = SampleRate::new(44_100).expect("allowed");
        let timescale = NonZeroU32::new(44_100).expect("not zero");
        let ticks = 101 * 1024;
        let cases = [
            (
                " 00000000 00000840 00000138 0000000000018A88 00000000",
                Some((2112, 103_112)),
            ),
            // HE-AAC: 2 x 103,424 output frames are 2,112 + 204,112 + 624.
            (
                " 00000000 00000840 00000270 0000000000031D50",
                Some((1056, 103_112)),
            ),
            (" 00000000 00000840 00000138 00000000000F0000", None),
            (" 00000000 00000840 00000138 0000000000000000", None),
            (" 00000000 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF 01", None),
            (" 00000000 00000840", None),
            ("nonsense", None),
        ];
        for (text, want) in cases {
            let edit = Comment::parse(text).and_then(|comment| comment.edit(timescale, ticks));
            let frames =
                edit.and_then(|edit| Some((edit.start.frame(rate), edit.end?.frame(rate))));
            assert_eq!(frames, want, "{text}");
        }
    }
}
