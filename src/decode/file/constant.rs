//! MPEG audio of constant bit rate: the place of a frame follows from its
//! number, by arithmetic. Pure functions.

use crate::decode::mpeg::{Header, first_frame, information};

/// A stream whose frames all have one bit rate, so that the place of a frame
/// follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Where the first frame with sound begins, from the start of the stream.
    first: u64,
    header: Header,
}

/// How much of a stream [`Constant::find`] must see around [`Constant::place`].
pub const WINDOW_BYTES: usize = 6 << 10;
const SLACK_BYTES: u64 = 8; // encoders place the padding byte one frame earlier or later

impl Constant {
    /// Reads the head of a stream. `None` when its frames differ, or the first
    /// carries a Xing or VBRI tag: those mark a variable bit rate.
    pub fn from_head(head: &[u8]) -> Option<Self> {
        let (at, header) = first_frame(head)?;
        let tag = match information(&head[at..], &header) {
            Some(information) if information.is_variable => return None,
            Some(_) => header.length,
            None => 0,
        };
        let mut rest = head.get(at + tag..)?;
        let header = Header::parse(rest)?;
        while let Some(next) = Header::parse(rest) {
            if !next.is_alike(&header) {
                return None;
            }
            rest = rest.get(next.length..).unwrap_or_default();
        }
        let first = u64::try_from(at + tag).ok()?;
        Some(Self { first, header })
    }

    /// Decoded frames of each MPEG frame.
    pub fn frames(&self) -> u64 {
        self.header.frames
    }

    /// Decoded frames of a stream that ends at byte `end`, to the MPEG frame.
    pub fn frames_until(&self, end: u64) -> u64 {
        let bits = u128::from(end.saturating_sub(self.first)) * 8;
        let frames = bits * u128::from(self.header.rate.hertz()) / u128::from(self.header.bit_rate);
        u64::try_from(frames).unwrap_or(u64::MAX) / self.header.frames * self.header.frames
    }

    /// Where to read a window of [`WINDOW_BYTES`] to find MPEG frame `number`.
    pub fn place(&self, number: u64) -> u64 {
        let bytes = u128::from(number) * u128::from(self.header.frames / 8 * self.header.bit_rate);
        let bytes = bytes / u128::from(self.header.rate.hertz());
        let offset = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.first
            .saturating_add(offset)
            .saturating_sub(SLACK_BYTES)
    }

    /// Where in `window` that frame begins, proved by three frames of the same
    /// kind in a row at the very place. `None` means the bit rate is not
    /// constant after all.
    pub fn find(&self, window: &[u8]) -> Option<usize> {
        let slack = usize::try_from(2 * SLACK_BYTES).expect("a handful of bytes");
        (0..=slack).find(|at| {
            let mut at = *at;
            (0..3).all(|_| {
                let header = window.get(at..).and_then(Header::parse);
                at += header.map_or(0, |header| header.length);
                header.is_some_and(|header| header.is_alike(&self.header))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::mpeg::tests::stream;

    #[test]
    fn every_frame_of_a_constant_stream_is_where_arithmetic_says() {
        let bytes = stream(2000);
        let constant = Constant::from_head(&bytes[..4096]).expect("constant");
        let mut at = 0;
        for number in 0..1990 {
            let place = usize::try_from(constant.place(number)).expect("short");
            let found = constant.find(&bytes[place..]).expect("three frames");
            assert_eq!(place + found, at, "frame {number}");
            at += Header::parse(&bytes[at..]).expect("a frame").length;
        }
    }

    #[test]
    fn a_tag_in_the_first_frame_tells_constant_from_variable() {
        let tagged = |mark: &[u8]| {
            let mut bytes = stream(4);
            bytes[36..40].copy_from_slice(mark);
            Constant::from_head(&bytes)
        };
        assert_eq!(tagged(b"Info").map(|constant| constant.first), Some(417));
        assert_eq!(tagged(b"Xing"), None);
        assert_eq!(tagged(b"VBRI"), None);
        assert_eq!(tagged(&[0; 4]).map(|constant| constant.first), Some(0));
    }

    #[test]
    fn a_change_of_bit_rate_is_not_taken_for_a_constant_stream() {
        let bytes = stream(10);
        let constant = Constant::from_head(&bytes).expect("constant");
        let mut changed = bytes[..2 * 417 + 1].to_vec();
        changed.extend([0xFF, 0xFB, 0xA0, 0x44]);
        changed.resize(4000, 0);
        assert_eq!(constant.find(&changed), None);
    }
}
