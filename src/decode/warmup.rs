//! How long a decoder that begins in the middle of a stream gives something else
//! than the sound. Pure.

use crate::decode::codec::Block;
use crate::media::Codec;
use crate::units::{Frames, MediaTime};

/// No decoder needs more: what lies further before the place wanted is not decoded.
pub const MOST: MediaTime = MediaTime::from_nanos(400_000_000);

/// RFC 7845 section 4.6 says 80 ms; a pure tone is 20 dB nearer after half as much again.
const OPUS: MediaTime = MediaTime::from_nanos(120_000_000);
/// Main data of MPEG audio may begin this far before its frame (ISO 11172-3, main_data_begin).
const RESERVOIR_BYTES: usize = 511;
const MPEG_HEAD_BYTES: usize = 36; // header and side information of two channels
const LOW_DELAY_FRAMES: u64 = 512;
const SBR_FRAMES: u64 = 1920; // the shortest unit whose rate SBR has doubled

/// How long the first blocks of a fresh decoder of `codec` are wrong, when
/// `block` is what it made of its first unit, of so many bytes.
///
/// AAC overlaps each unit with the one before; SBR also smooths its envelopes
/// over them and delays what comes out of its filters. MPEG audio overlaps and
/// filters, and takes its bits from frames before.
pub fn time(codec: Codec, block: &Block<'_>, bytes: usize) -> MediaTime {
    let Frames(frames) = block.frames();
    let units = match codec {
        Codec::Aac if frames >= SBR_FRAMES => 3,
        Codec::Aac if frames <= LOW_DELAY_FRAMES => 4, // the window of AAC-ELD is four units long
        Codec::Aac => 1,
        Codec::Mp3 => {
            let own = bytes.saturating_sub(MPEG_HEAD_BYTES).max(1);
            2 + RESERVOIR_BYTES.div_ceil(own).min(8) as u64
        }
        Codec::Opus => return OPUS,
        Codec::Vorbis => 1,
        Codec::Alac | Codec::Flac | Codec::Pcm | Codec::Other => 0,
    };
    Frames(frames.saturating_mul(units))
        .time(block.spec.rate)
        .min(MOST)
}
