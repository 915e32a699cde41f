//! What the demuxers give and the codecs take: a track and its access units.

use symphonia::core::codecs::audio::AudioCodecParameters;

use crate::media::Codec;
use crate::units::{Frames, MediaTime};

/// One access unit in a demuxer's reused buffer.
///
/// Decoders trim nothing by themselves. A decoded frame is heard when it is
/// neither in `trim_start` nor in `trim_end` and its media time lies in the
/// track's [`Edit`]; a unit's first decoded frame, trimmed or not, is due at
/// `start`. Where a container says the same twice (negative time and a count),
/// both agree, so that applying both cuts once.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The coded bytes; an ADTS frame keeps its header.
    pub data: &'a [u8],
    /// When its first decoded frame is due, on the container's own media
    /// timeline (tfdt, stts, granule), before any edit list.
    pub start: MediaTime,
    /// When its last frame is over (`trim_end` left out), as the container says.
    /// The codec may give more frames: the difference is padding if this is the
    /// last unit of a run. Where the container is silent (Vorbis in Matroska)
    /// it is a bound, never too early.
    pub end: MediaTime,
    /// Decoded frames to drop from the front (LAME, Vorbis and Opus pre-skip);
    /// may be more than there are.
    pub trim_start: Frames,
    /// Decoded frames to drop from the back.
    pub trim_end: Frames,
}

/// What a container says about its audio.
#[derive(Clone, Debug)]
pub struct Track {
    /// The codec.
    pub codec: Codec,
    /// What its decoder is built from. `extra_data` holds the AudioSpecificConfig
    /// (AAC), the STREAMINFO block (FLAC), the magic cookie (ALAC), the header
    /// with its pre-skip set to 0 (Opus); an ADTS stream has none, its frames
    /// say it all.
    pub parameters: AudioCodecParameters,
    /// The visible part.
    pub edit: Edit,
    /// Visible length, when the container knows it.
    pub duration: Option<MediaTime>,
}

impl Track {
    /// Whether a decoder built for `self` goes on with `other`.
    pub fn same_codec(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.parameters, &other.parameters);
        self.codec == other.codec
            && ours.extra_data == theirs.extra_data
            && ours.sample_rate == theirs.sample_rate
            && ours.channels == theirs.channels
    }
}

/// The part of a track's media timeline that is meant to be heard: an edit
/// list, or iTunSMPB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Media time of the first visible frame: what lies before is priming.
    pub start: MediaTime,
    /// Media time of the end of the last visible frame, when it is known.
    pub end: Option<MediaTime>,
}
