//! The header of an MPEG audio frame (MP1, MP2, MP3), and how a stream of such
//! frames is recognised. Pure functions; nothing is decoded here.

use crate::units::{ChannelCount, Frames, SampleRate};

/// Four bytes that begin a frame. Source: ISO 11172-3 section 2.4.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version, layer, bit rate and sample rate: equal in every frame of a
    /// stream of constant bit rate.
    kind: u32,
    /// Length of the whole frame in bytes.
    pub length: usize,
    /// Decoded frames (samples a channel) it holds.
    pub frames: u64,
    /// Bits per second.
    pub bit_rate: u64,
    /// Samples per second.
    pub rate: SampleRate,
    /// One or two.
    pub channels: ChannelCount,
    /// The layer: 1, 2 or 3.
    pub layer: u8,
}

/// Bytes of a header.
pub const HEADER_BYTES: usize = 4;
// Everything but protection, padding, private bit, stereo mode and flags.
const KIND_MASK: u32 = 0xFFFE_FC00;
// As above without the bit rate: what frames of one stream have in common.
const STREAM_MASK: u32 = 0xFFFE_0C00;

impl Header {
    /// Reads the header at the start of `bytes`. `None` for anything that is
    /// not one, and for free-format frames, whose length is not stated.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let word = u32::from_be_bytes(*bytes.first_chunk()?);
        let (version, layer) = ((word >> 19) & 3, (word >> 17) & 3);
        if word >> 21 != 0x7FF || version == 1 || layer == 0 {
            return None;
        }
        let rate = sample_rate(version, usize_of((word >> 10) & 3))?;
        let bit_rate = bit_rate(version, layer, usize_of((word >> 12) & 15))?;
        let frames = match (layer, version) {
            (3, _) => 384,
            (1, 0 | 2) => 576,
            _ => 1152,
        };
        let padding = u64::from((word >> 9) & 1);
        let slot = if layer == 3 { 4 } else { 1 };
        let slots = frames / 8 * bit_rate / u64::from(rate.hertz()) / slot + padding;
        let length = usize::try_from(slots * slot).ok()?;
        (length > HEADER_BYTES).then_some(Self {
            kind: word & KIND_MASK,
            length,
            frames,
            bit_rate,
            rate,
            channels: ChannelCount::new(if word >> 6 & 3 == 3 { 1 } else { 2 })?,
            layer: 4 - u8::try_from(layer).ok()?,
        })
    }

    /// Whether `other` has the same bit rate too.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.kind == other.kind
    }

    /// Whether `other` can follow in the same stream (the bit rate may change).
    pub fn continues(&self, other: &Self) -> bool {
        self.kind & STREAM_MASK == other.kind & STREAM_MASK
    }
}

/// What a frame says that holds information in place of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Information {
    /// Decoded frames at the start of the stream that the encoder and the
    /// decoder put there; zero when it is not said.
    pub delay: Frames,
    /// The frames differ in bit rate.
    pub is_variable: bool,
}

/// Reads the frame that `bytes` begin with as the information that encoders put
/// first (Xing, Info, VBRI); `None` when it is sound, or cut off.
///
/// Sources: the LAME project's "mp3 info tag rev 1", Fraunhofer's VBRI.
pub fn information(bytes: &[u8], header: &Header) -> Option<Information> {
    let frame = bytes.get(..header.length)?;
    let is_checked = frame.get(1)? & 1 == 0;
    let behind_side = match (header.frames, header.channels.count()) {
        _ if header.layer != 3 => return None,
        (576, 1) => 13,
        (1152, 2) => 36,
        _ => 21,
    };
    let at = behind_side + if is_checked { 2 } else { 0 };
    let (delay, is_variable) = match frame.get(at..)?.first_chunk::<4>()? {
        b"Xing" => (encoder_delay(&frame[at + 4..]), true),
        b"Info" => (encoder_delay(&frame[at + 4..]), false),
        _ if frame.get(36..40) == Some(b"VBRI") => (None, true),
        _ => return None,
    };
    Some(Information {
        delay: Frames(delay.unwrap_or(0)),
        is_variable,
    })
}

/// The delay in the encoder's tag behind the Xing fields, and that of the decoder.
fn encoder_delay(fields: &[u8]) -> Option<u64> {
    const DECODER_DELAY: u64 = 529;
    let &[_, _, _, flags] = fields.first_chunk()?;
    let present = |bit: u8, bytes: usize| if flags & bit != 0 { bytes } else { 0 };
    let at = 4 + present(1, 4) + present(2, 4) + present(4, 100) + present(8, 4);
    let tag = fields.get(at..)?;
    let is_known = [b"LAME", b"Lavf", b"Lavc"]
        .iter()
        .any(|name| tag.starts_with(*name));
    let &[first, second] = tag.get(21..)?.first_chunk()?;
    let delay = u64::from(first) << 4 | u64::from(second >> 4);
    is_known.then_some(delay + DECODER_DELAY)
}

/// The first frame in `bytes` that a second one follows, and where it begins.
/// The second may lie behind the end when `bytes` begins with the first.
pub fn first_frame(bytes: &[u8]) -> Option<(usize, Header)> {
    let starts = 0..bytes.len().saturating_sub(HEADER_BYTES - 1);
    starts.into_iter().find_map(|at| {
        let header = Header::parse(&bytes[at..])?;
        let next = bytes.get(at + header.length..).unwrap_or_default();
        let is_followed = match Header::parse(next) {
            Some(second) => header.continues(&second),
            None => at == 0 && next.len() < HEADER_BYTES,
        };
        is_followed.then_some((at, header))
    })
}

fn sample_rate(version: u32, index: usize) -> Option<SampleRate> {
    let rate = *[44_100, 48_000, 32_000].get(index)?;
    SampleRate::new(match version {
        3 => rate,
        2 => rate / 2,
        _ => rate / 4,
    })
}

/// Bits per second; `None` for free format (0) and the forbidden index (15).
fn bit_rate(version: u32, layer: u32, index: usize) -> Option<u64> {
    const V1_L1: [u64; 14] = [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ];
    const V1_L2: [u64; 14] = [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ];
    const V1_L3: [u64; 14] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const V2_L1: [u64; 14] = [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ];
    const V2_L23: [u64; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let table = match (version, layer) {
        (3, 3) => V1_L1,
        (3, 2) => V1_L2,
        (3, _) => V1_L3,
        (_, 3) => V2_L1,
        (_, _) => V2_L23,
    };
    Some(table.get(index.checked_sub(1)?)? * 1000)
}

fn usize_of(bits: u32) -> usize {
    usize::try_from(bits).expect("a field of a few bits")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// MPEG-1 layer III, 44.1 kHz, joint stereo, 128 kbit/s; 417 bytes, 418 padded.
    pub fn frame(padded: bool) -> Vec<u8> {
        let third = if padded { 0x92 } else { 0x90 };
        let mut bytes = vec![0xFF, 0xFB, third, 0x44];
        bytes.resize(if padded { 418 } else { 417 }, 0);
        bytes
    }

    /// `count` frames at 128 kbit/s, padded as an encoder does it.
    pub fn stream(count: u64) -> Vec<u8> {
        let due = |number: u64| number * 144 * 128_000 / 44_100;
        (0..count)
            .flat_map(|number| frame(due(number + 1) - due(number) == 418))
            .collect()
    }

    #[test]
    fn a_header_states_length_frames_rate_channels_and_layer() {
        let cases = [
            ([0xFF, 0xFB, 0x90, 0x44], Some((417, 1152, 44_100, 2, 3))),
            ([0xFF, 0xFB, 0x92, 0x44], Some((418, 1152, 44_100, 2, 3))),
            ([0xFF, 0xF3, 0x40, 0xC4], Some((104, 576, 22_050, 1, 3))),
            ([0xFF, 0xE3, 0x18, 0xC4], Some((72, 576, 8_000, 1, 3))),
            ([0xFF, 0xFD, 0x84, 0x04], Some((384, 1152, 48_000, 2, 2))),
            ([0xFF, 0xF1, 0x50, 0x80], None), // ADTS: layer 0
            ([0xFF, 0xFB, 0x00, 0x44], None), // free format
            ([0xFF, 0xFB, 0xF0, 0x44], None), // forbidden bit rate
            ([0xFF, 0xFB, 0x9C, 0x44], None), // forbidden sample rate
        ];
        for (bytes, want) in cases {
            let header = Header::parse(&bytes);
            let got = header.map(|header| {
                let (rate, channels) = (header.rate.hertz(), header.channels.count());
                (header.length, header.frames, rate, channels, header.layer)
            });
            assert_eq!(got, want, "{bytes:X?}");
        }
    }

    #[test]
    fn a_stream_is_found_behind_junk_but_a_lone_sync_is_not_one() {
        let mut junk = vec![0xFF, 0xFB, 0x90, 0x44, 1, 2, 3];
        let lone = junk.clone();
        junk.extend(stream(3));
        assert_eq!(first_frame(&junk).map(|(at, _)| at), Some(7));
        assert!(first_frame(&[0; 5000]).is_none());
        assert!(first_frame(&[&[0_u8][..], &lone].concat()).is_none());
        assert_eq!(first_frame(&stream(1)).map(|(at, _)| at), Some(0));
    }

    /// A frame of information of this kind, and what follows its mark.
    fn informing(header: [u8; 4], at: usize, mark: &[u8], fields: &[u8]) -> Vec<u8> {
        let mut bytes = header.to_vec();
        bytes.resize(at, 0);
        bytes.extend([mark, fields].concat());
        bytes.resize(800, 0);
        bytes
    }

    #[test]
    fn a_frame_of_information_says_how_much_the_encoder_put_first() {
        const STEREO: [u8; 4] = [0xFF, 0xFB, 0x90, 0x44];
        const CHECKED: [u8; 4] = [0xFF, 0xFA, 0x90, 0x44];
        const MONO: [u8; 4] = [0xFF, 0xFB, 0x90, 0xC4];
        const SLOW: [u8; 4] = [0xFF, 0xF3, 0x80, 0x44];
        const SLOW_MONO: [u8; 4] = [0xFF, 0xF3, 0x80, 0xC4];
        let version = |name: &[u8]| [name, &[b' '; 17], &[0x24, 0x05, 0x55]].concat();
        let bare = [&[0, 0, 0, 0][..], &version(b"LAME")].concat();
        let full = [&[0, 0, 0, 15][..], &[0; 112], &version(b"Lavc")].concat();
        let other = [&[0, 0, 0, 0][..], &version(b"GOGO")].concat();
        let known = |delay, is_variable| {
            Some(Information {
                delay: Frames(delay),
                is_variable,
            })
        };
        let cases = [
            (
                "bare",
                informing(STEREO, 36, b"Info", &bare),
                known(1105, false),
            ),
            (
                "with all fields",
                informing(STEREO, 36, b"Xing", &full),
                known(1105, true),
            ),
            (
                "with a checksum",
                informing(CHECKED, 38, b"Xing", &full),
                known(1105, true),
            ),
            (
                "mono",
                informing(MONO, 21, b"Info", &full),
                known(1105, false),
            ),
            (
                "MPEG-2",
                informing(SLOW, 21, b"Info", &full),
                known(1105, false),
            ),
            (
                "MPEG-2 mono",
                informing(SLOW_MONO, 13, b"Info", &full),
                known(1105, false),
            ),
            (
                "another encoder",
                informing(STEREO, 36, b"Info", &other),
                known(0, false),
            ),
            (
                "VBRI",
                informing(STEREO, 36, b"VBRI", &[0; 40]),
                known(0, true),
            ),
            (
                "the wrong place",
                informing(STEREO, 21, b"Info", &full),
                None,
            ),
            (
                "layer II",
                informing([0xFF, 0xFD, 0x84, 0x04], 36, b"Info", &full),
                None,
            ),
            (
                "cut off",
                informing(STEREO, 36, b"Info", &bare)[..400].to_vec(),
                None,
            ),
            ("sound", frame(false), None),
        ];
        for (case, bytes, want) in cases {
            let header = Header::parse(&bytes).expect(case);
            assert_eq!(information(&bytes, &header), want, "{case}");
        }
    }
}
