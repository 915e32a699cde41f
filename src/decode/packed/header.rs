//! The header of a frame of packed audio: AAC (ADTS) or MPEG audio. The layer
//! bits tell them apart, so that no bytes are both.

use crate::decode::{adts, mpeg};
use crate::units::{Frames, SampleRate};

/// Bytes of the longer one.
pub const HEADER_BYTES: usize = adts::HEADER_BYTES;

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// AAC.
    Adts(adts::Header),
    /// MPEG audio, layer I, II or III.
    Mpeg(mpeg::Header),
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` when there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let adts = adts::Header::read(bytes).map(Self::Adts);
        adts.or_else(|| mpeg::Header::parse(bytes).map(Self::Mpeg))
    }

    /// Bytes of the whole frame.
    pub fn length(&self) -> usize {
        match self {
            Self::Adts(header) => header.length,
            Self::Mpeg(header) => header.length,
        }
    }

    /// Frames it decodes to, at [`Header::rate`].
    pub fn frames(&self) -> Frames {
        match self {
            Self::Adts(header) => Frames(adts::BLOCK_FRAMES * header.blocks),
            Self::Mpeg(header) => Frames(header.frames),
        }
    }

    /// Frames a second, before SBR.
    pub fn rate(&self) -> SampleRate {
        match self {
            Self::Adts(header) => header.rate,
            Self::Mpeg(header) => header.rate,
        }
    }

    /// Whether both can be frames of one stream.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Adts(one), Self::Adts(other)) => one.agrees(other),
            (Self::Mpeg(one), Self::Mpeg(other)) => one.continues(other),
            (Self::Adts(_), Self::Mpeg(_)) | (Self::Mpeg(_), Self::Adts(_)) => false,
        }
    }

    /// Whether both are of one family, so that one decoder can follow.
    pub fn is_akin(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
