//! How a frame is coded, by its own header and the configuration that is in
//! force: what a decoder is chosen by, and how long the frame lasts.

use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
};

use crate::decode::latm::Multiplex;
use crate::decode::ts::clock::Lasts;
use crate::decode::ts::program::Format;
use crate::decode::unit::{Edit, Track};
use crate::decode::{adts, latm, mpeg};
use crate::media::Codec;
use crate::units::Frames;

/// What a frame says of the stream it belongs to.
#[derive(Clone, Debug)]
pub struct Coding {
    /// Its header.
    pub header: Header,
    /// How it is to be read, if it is of LATM and that is known.
    pub multiplex: Option<Arc<Multiplex>>,
}

impl Coding {
    /// Whether frames of both are for one decoder.
    pub fn agrees(&self, other: &Self) -> bool {
        self.header.agrees(&other.header) && self.specific() == other.specific()
    }

    /// The AudioSpecificConfig, where there is one.
    fn specific(&self) -> Option<&[u8]> {
        let multiplex = self.multiplex.as_ref();
        multiplex.map(|multiplex| multiplex.specific.as_slice())
    }

    /// How long the frame lasts; unknown for LATM without a configuration.
    pub fn lasts(&self) -> Option<Lasts> {
        let multiplex = self.multiplex.as_ref().map(|multiplex| Lasts {
            frames: multiplex.frames,
            rate: multiplex.rate,
        });
        self.header.lasts().or(multiplex)
    }

    /// As it is told to a decoder.
    pub fn track(&self) -> Track {
        let (codec, id) = match self.header {
            Header::Adts(_) | Header::Loas(_) => (Codec::Aac, CODEC_ID_AAC),
            Header::Mpeg(header) => match header.layer {
                1 => (Codec::Mp3, CODEC_ID_MP1),
                2 => (Codec::Mp3, CODEC_ID_MP2),
                _ => (Codec::Mp3, CODEC_ID_MP3),
            },
        };
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(id);
        if let Some(lasts) = self.lasts() {
            parameters.with_sample_rate(lasts.rate.hertz());
        }
        if let Some(specific) = self.specific() {
            parameters.with_extra_data(specific.into());
        }
        Track {
            codec,
            parameters,
            edit: Edit::default(),
            duration: None,
        }
    }
}

/// The header of a frame of any format.
#[derive(Clone, Copy, Debug)]
pub enum Header {
    /// Of ADTS.
    Adts(adts::Header),
    /// Of LOAS.
    Loas(latm::Header),
    /// Of MPEG layers I to III.
    Mpeg(mpeg::Header),
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` when there is none.
    pub fn read(format: Format, bytes: &[u8]) -> Option<Self> {
        match format {
            Format::Adts => adts::Header::read(bytes).map(Self::Adts),
            Format::Latm => latm::Header::read(bytes).map(Self::Loas),
            Format::Mpeg => mpeg::Header::parse(bytes).map(Self::Mpeg),
        }
    }

    /// What its frame is.
    pub fn format(&self) -> Format {
        match self {
            Self::Adts(_) => Format::Adts,
            Self::Loas(_) => Format::Latm,
            Self::Mpeg(_) => Format::Mpeg,
        }
    }

    /// Bytes of the frame.
    pub fn length(&self) -> usize {
        match self {
            Self::Adts(header) => header.length,
            Self::Loas(header) => header.length,
            Self::Mpeg(header) => header.length,
        }
    }

    /// How long the frame lasts; LOAS says it elsewhere.
    pub fn lasts(&self) -> Option<Lasts> {
        match self {
            Self::Adts(header) => Some(Lasts {
                frames: Frames(adts::BLOCK_FRAMES * header.blocks),
                rate: header.rate,
            }),
            Self::Loas(_) => None,
            Self::Mpeg(header) => Some(Lasts {
                frames: Frames(header.frames),
                rate: header.rate,
            }),
        }
    }

    /// Whether both can be headers of one stream.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Adts(header), Self::Adts(other)) => header.agrees(other),
            (Self::Loas(_), Self::Loas(_)) => true,
            (Self::Mpeg(header), Self::Mpeg(other)) => header.continues(other),
            _ => false,
        }
    }
}

impl Format {
    /// Bytes of a header that are looked at.
    pub fn header_bytes(self) -> usize {
        match self {
            Self::Adts => adts::HEADER_BYTES,
            Self::Latm => latm::HEADER_BYTES,
            Self::Mpeg => mpeg::HEADER_BYTES,
        }
    }
}
