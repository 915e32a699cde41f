//! The header of an ADTS frame (ISO/IEC 14496-3 section 1.A.2.2).

use crate::units::SampleRate;

/// Bytes of a header that are looked at.
pub const HEADER_BYTES: usize = 7;
/// Frames a raw data block decodes to, before SBR.
pub const BLOCK_FRAMES: u64 = 1024;

const RATES: [u32; 12] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
];

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole frame, the header with it.
    pub length: usize,
    /// Raw data blocks in the frame, nearly always one.
    pub blocks: u64,
    /// The rate of the core codec; SBR may double it.
    pub rate: SampleRate,
    /// What does not change within a stream: version, protection, profile, rate, channels.
    fixed: [u8; 3],
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` when there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[sync, second, third, fourth, fifth, sixth, seventh] =
            bytes.first_chunk::<HEADER_BYTES>()?;
        if sync != 0xFF || second & 0xF6 != 0xF0 {
            return None;
        }
        let rate = *RATES.get(usize::from(third >> 2 & 0xF))?;
        let length =
            usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
        let shortest = if second & 1 == 1 { 7 } else { 9 }; // with a checksum
        (length > shortest).then_some(Self {
            length,
            blocks: u64::from(seventh & 3) + 1,
            rate: SampleRate::new(rate)?,
            fixed: [second, third & 0xFD, fourth & 0xC0],
        })
    }

    /// Whether both can be frames of one stream.
    pub fn agrees(&self, other: &Self) -> bool {
        self.fixed == other.fixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_how_long_its_frame_is_and_lasts() {
        let bytes = [0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFD];
        let header = Header::read(&bytes).expect("a header");
        let facts = (header.length, header.blocks, header.rate.hertz());
        assert_eq!(facts, (100, 2, 44_100));
    }

    #[test]
    fn what_only_resembles_a_header_is_none() {
        let cases: [(&str, [u8; 7]); 5] = [
            ("no sync", [0xFF, 0xE1, 0x50, 0x80, 0x0C, 0x9F, 0xFC]),
            ("an MPEG layer", [0xFF, 0xFB, 0x50, 0x80, 0x0C, 0x9F, 0xFC]),
            (
                "a reserved rate",
                [0xFF, 0xF1, 0x7C, 0x80, 0x0C, 0x9F, 0xFC],
            ),
            ("an empty frame", [0xFF, 0xF1, 0x50, 0x80, 0x00, 0xFF, 0xFC]),
            (
                "an empty frame with checksum",
                [0xFF, 0xF0, 0x50, 0x80, 0x01, 0x3F, 0xFC],
            ),
        ];
        for (case, bytes) in cases {
            assert_eq!(Header::read(&bytes), None, "{case}");
        }
        assert_eq!(Header::read(&[0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F]), None);
    }
}
