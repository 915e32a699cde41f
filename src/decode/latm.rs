//! AAC in LATM, framed by LOAS (ISO/IEC 14496-3 section 1.7): the multiplex that
//! broadcasters use, as far as they use it: one program of one layer. Pure
//! functions; access units come out as an MP4 would hold them.

use crate::decode::codec;
use crate::error::{Kind, Problem};
use crate::units::{Frames, SampleRate};

/// Bytes of a LOAS header.
pub const HEADER_BYTES: usize = 3;

const SYNC: u8 = 0x56;

const SPECIFIC_BYTES: usize = 512; // an AudioSpecificConfig with a long comment in it

/// The header of a LOAS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole frame, the header with it.
    pub length: usize,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` when there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let &[SYNC, second, third] = bytes.first_chunk::<HEADER_BYTES>()? else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([second & 0x1F, third]));
        (second >> 5 == 7 && length > 0).then_some(Self {
            length: HEADER_BYTES + length,
        })
    }
}

/// What a StreamMuxConfig says; it holds until the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiplex {
    /// Everything before and in the AudioSpecificConfig, from the first bit of
    /// the frame's payload on; the last byte is filled with zeros.
    head: Vec<u8>,
    head_bits: usize,
    version: u32,
    /// The AudioSpecificConfig.
    pub specific: Vec<u8>,
    /// Samples a channel in an access unit, before SBR.
    pub frames: Frames,
    /// Their rate.
    pub rate: SampleRate,
}

impl Multiplex {
    /// Reads the configuration in a LOAS frame; `None` when the frame says to go
    /// on with the last one.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] naming what has no decoder here, [`Kind::Malformed`].
    pub fn read(frame: &[u8]) -> Result<Option<Self>, Problem> {
        let payload = frame.get(HEADER_BYTES..).unwrap_or_default();
        let mut bits = Bits::new(payload);
        if bits.take(1).ok_or_else(broken)? == 1 {
            return Ok(None);
        }
        let version = read_layout(&mut bits).ok_or_else(broken)??;
        let stated = match version {
            0 => None,
            _ => Some(bits.value().ok_or_else(broken)?),
        };
        let mut specific = bits.copy(bits.left().min(8 * SPECIFIC_BYTES));
        let measured = codec::measure_specific(&specific)?;
        let length = stated.map_or(measured.bits, |bits| {
            usize::try_from(bits).unwrap_or(usize::MAX)
        });
        if length > 8 * specific.len() {
            return Err(broken());
        }
        clear_behind(&mut specific, length);
        let head_bits = bits.at + length;
        let multiplex = Self {
            head: Bits::new(payload).copy(head_bits),
            head_bits,
            version,
            specific,
            frames: Frames(measured.frames),
            rate: measured.rate,
        };
        match bits
            .skip(length)
            .and_then(|()| multiplex.read_tail(&mut bits))
        {
            None => Err(broken()),
            Some(0) => Ok(Some(multiplex)),
            Some(_) => Err(unsupported("frames of fixed length")),
        }
    }

    /// Whether the configuration in a LOAS frame, if there is one, is this one.
    pub fn holds_for(&self, frame: &[u8]) -> bool {
        let payload = frame.get(HEADER_BYTES..).unwrap_or_default();
        self.element(payload).is_some()
    }

    /// Copies the access unit out of a LOAS frame; `None` when it is broken.
    pub fn unpack(&self, frame: &[u8], unit: &mut Vec<u8>) -> Option<()> {
        let mut bits = self.element(frame.get(HEADER_BYTES..)?)?;
        let mut length = 0;
        loop {
            let byte = bits.take(8)?;
            length += 8 * usize::try_from(byte).ok()?;
            if byte != 0xFF {
                break;
            }
        }
        unit.clear();
        bits.append_to(unit, length)
    }

    /// The bits of a frame's payload behind the configuration.
    fn element<'a>(&self, payload: &'a [u8]) -> Option<Bits<'a>> {
        let mut bits = Bits::new(payload);
        if bits.take(1)? == 1 {
            return Some(bits);
        }
        let (last, whole) = self.head.split_last()?;
        let is_same =
            payload.starts_with(whole) && payload.get(whole.len())? & mask(self.head_bits) == *last;
        bits.at = self.head_bits;
        (is_same && self.read_tail(&mut bits)? == 0).then_some(bits)
    }

    /// What stands behind the AudioSpecificConfig; returns the frameLengthType.
    fn read_tail(&self, bits: &mut Bits<'_>) -> Option<u32> {
        let length_type = bits.take(3)?;
        bits.take(8)?; // how full a decoder's buffer is
        if bits.take(1)? == 1 {
            self.skip_other_data(bits)?;
        }
        if bits.take(1)? == 1 {
            bits.take(8)?; // a checksum of the configuration
        }
        Some(length_type)
    }

    fn skip_other_data(&self, bits: &mut Bits<'_>) -> Option<()> {
        if self.version == 1 {
            return bits.value().map(drop);
        }
        while bits.take(1)? == 1 {
            bits.take(8)?;
        }
        bits.take(8).map(drop)
    }
}

/// The fields before the AudioSpecificConfig; returns audioMuxVersion.
fn read_layout(bits: &mut Bits<'_>) -> Option<Result<u32, Problem>> {
    let version = bits.take(1)?;
    if version == 1 {
        if bits.take(1)? == 1 {
            return Some(Err(unsupported("a version of the future")));
        }
        bits.value()?; // how full a decoder's buffer is
    }
    let has_common_timing = bits.take(1)? == 1;
    let (subframes, programs, layers) = (bits.take(6)?, bits.take(4)?, bits.take(3)?);
    Some(match (has_common_timing, subframes, programs, layers) {
        (true, 0, 0, 0) => Ok(version),
        _ => Err(unsupported("several programs, layers or subframes")),
    })
}

fn unsupported(what: &str) -> Problem {
    let why = format!("its sound is LATM with {what}, which has no decoder here");
    refused(Kind::Unsupported, why)
}

fn broken() -> Problem {
    refused(
        Kind::Malformed,
        "its LATM configuration is broken".to_owned(),
    )
}

fn refused(kind: Kind, why: String) -> Problem {
    let todo = "choose another variant or source";
    Problem::new(kind, "cannot decode the audio", why, todo)
}

/// Reads fields that end where they like.
#[derive(Clone, Copy, Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn left(&self) -> usize {
        (8 * self.bytes.len()).saturating_sub(self.at)
    }

    /// The next `count` bits, at most 32.
    fn take(&mut self, count: usize) -> Option<u32> {
        (count <= self.left()).then(|| {
            let range = self.at..self.at + count;
            self.at = range.end;
            range.fold(0, |value, at| {
                value << 1 | u32::from(self.bytes[at / 8] >> (7 - at % 8) & 1)
            })
        })
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        (count <= self.left()).then(|| self.at += count)
    }

    /// LatmGetValue: a number with its own length.
    fn value(&mut self) -> Option<u32> {
        let bytes = usize::try_from(self.take(2)?).ok()? + 1;
        self.take(8 * bytes)
    }

    /// The next `count` bits, which must be there, as bytes filled with zeros.
    fn copy(&self, count: usize) -> Vec<u8> {
        let mut bits = *self;
        let mut byte = |at: usize| {
            let filled = (count - at).min(8);
            let value = bits.take(filled).unwrap_or_default() << (8 - filled);
            u8::try_from(value).expect("eight bits")
        };
        (0..count).step_by(8).map(&mut byte).collect()
    }

    /// Appends the next `count` bits, whole bytes of them.
    fn append_to(&mut self, bytes: &mut Vec<u8>, count: usize) -> Option<()> {
        let from = self.at / 8;
        let shift = self.at % 8;
        self.skip(count)?;
        let whole = self.bytes.get(from..from + count / 8)?;
        if shift == 0 {
            bytes.extend_from_slice(whole);
            return Some(());
        }
        let next = self.bytes[from..].iter().skip(1);
        let pairs = whole.iter().zip(next);
        bytes.extend(pairs.map(|(high, low)| high << shift | low >> (8 - shift)));
        Some(())
    }
}

/// Zeros behind the first `bits`, and no byte more than they need.
fn clear_behind(bytes: &mut Vec<u8>, bits: usize) {
    bytes.truncate(bits.div_ceil(8));
    if let Some(last) = bytes.last_mut() {
        *last &= mask(bits);
    }
}

/// Selects what belongs to `bits` in the byte that they end in.
fn mask(bits: usize) -> u8 {
    match bits % 8 {
        0 => 0xFF,
        rest => !(0xFF >> rest),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusty_aac::AudioSpecificConfig;
    use rusty_aac::latm::{LatmReader, write_loas_frame};

    const LC: &str = "0001001000010000"; // AAC-LC, 44.1 kHz, stereo
    const PLAIN: &str = "0 1 000000 0000 000"; // version 0, one of everything
    const TAIL: &str = "000 11111111 0 0"; // lengths are stated, no other data, no checksum

    /// A LOAS frame of these bits.
    fn framed(fields: &[&str], unit: &[u8]) -> Vec<u8> {
        let mut bits = fields.concat().replace(' ', "");
        (0..unit.len() / 255).for_each(|_| bits.push_str("11111111"));
        bits.push_str(&format!("{:08b}", unit.len() % 255));
        unit.iter()
            .for_each(|byte| bits.push_str(&format!("{byte:08b}")));
        let length = bits.len().div_ceil(8);
        let padded = format!("{bits:0<width$}", width = length * 8);
        let bytes = padded.as_bytes().chunks(8).map(|byte| {
            let text = str::from_utf8(byte).expect("digits");
            u8::from_str_radix(text, 2).expect("eight digits")
        });
        let [high, low] = u16::try_from(length).expect("short").to_be_bytes();
        [SYNC, 0xE0 | high, low].into_iter().chain(bytes).collect()
    }

    /// A LOAS frame of AAC-LC at 44.1 kHz.
    pub fn loas(unit: &[u8], has_configuration: bool) -> Vec<u8> {
        match has_configuration {
            true => framed(&["0", PLAIN, LC, TAIL], unit),
            false => framed(&["1"], unit),
        }
    }

    fn unpacked(multiplex: &Multiplex, frame: &[u8]) -> Option<Vec<u8>> {
        let mut unit = vec![9; 3];
        multiplex.unpack(frame, &mut unit).map(|()| unit)
    }

    #[test]
    fn a_header_tells_the_length_of_its_frame() {
        let cases: [(&[u8], Option<usize>); 5] = [
            (&[0x56, 0xE0, 0x10], Some(19)),
            (&[0x56, 0xFF, 0xFF, 0], Some(8194)),
            (&[0x56, 0xE0, 0x00], None),
            (&[0x56, 0xC0, 0x10], None),
            (&[0x56, 0xE0], None),
        ];
        for (bytes, want) in cases {
            let length = Header::read(bytes).map(|header| header.length);
            assert_eq!(length, want, "{bytes:X?}");
        }
    }

    #[test]
    fn units_come_out_of_every_kind_of_frame() {
        let unit: Vec<u8> = (0..=255).chain(0..100).collect();
        let cases = [
            ("plain", vec!["0", PLAIN, LC, TAIL]),
            (
                "other data",
                vec!["0", PLAIN, LC, "000 11111111 1 1 00000001 0 00000010 0"],
            ),
            (
                "checksum",
                vec!["0", PLAIN, LC, "000 00000000 0 1 10101010"],
            ),
            (
                "version 1",
                vec![
                    "0",
                    "10 00 11111111 1 000000 0000 000 00 00010000",
                    LC,
                    TAIL,
                ],
            ),
            (
                "explicit SBR",
                vec!["0", PLAIN, "00101 0111 0010 0100 00010 000", TAIL],
            ),
        ];
        for (case, fields) in cases {
            let frame = framed(&fields, &unit);
            let multiplex = Multiplex::read(&frame).expect(case).expect(case);
            assert_eq!(unpacked(&multiplex, &frame).as_ref(), Some(&unit), "{case}");
            let next = framed(&["1"], &[1, 2, 3]);
            assert_eq!(unpacked(&multiplex, &next), Some(vec![1, 2, 3]), "{case}");
            assert_eq!(Multiplex::read(&next), Ok(None), "{case}");
            let known = LatmReader::new().parse(&frame).expect(case);
            assert_eq!(known.au, unit, "{case}: the other reader");
            assert_eq!(multiplex.rate.hertz(), known.stream.sample_rate, "{case}");
        }
    }

    #[test]
    fn the_configuration_comes_out_as_mp4_holds_it() {
        let frame = framed(&["0", PLAIN, LC, TAIL], &[0; 10]);
        let multiplex = Multiplex::read(&frame)
            .expect("LATM")
            .expect("a configuration");
        assert_eq!(multiplex.specific, [0x12, 0x10]);
        assert_eq!(
            (multiplex.frames, multiplex.rate.hertz()),
            (Frames(1024), 44_100)
        );
        let other = framed(&["0", PLAIN, "0001000110010000", TAIL], &[0; 10]); // 48 kHz
        assert!(multiplex.holds_for(&frame) && !multiplex.holds_for(&other));
        assert_eq!(unpacked(&multiplex, &other), None);
    }

    #[test]
    fn what_has_no_decoder_is_named() {
        let cases: [(&[&str], Kind, &str); 7] = [
            (
                &["0", "0 1 000001 0000 000", LC, TAIL],
                Kind::Unsupported,
                "several programs",
            ),
            (
                &["0", "0 1 000000 0001 000", LC, TAIL],
                Kind::Unsupported,
                "several programs",
            ),
            (
                &["0", "0 0 000000 0000 000", LC, TAIL],
                Kind::Unsupported,
                "several programs",
            ),
            (
                &["0", "1 1", LC, TAIL],
                Kind::Unsupported,
                "a version of the future",
            ),
            (
                &["0", PLAIN, LC, "001 000000000 0 0"],
                Kind::Unsupported,
                "fixed length",
            ),
            (
                &["0", PLAIN, "11111 001010 0100 0010 000", TAIL],
                Kind::Unsupported,
                "xHE-AAC",
            ),
            (&["0", PLAIN], Kind::Malformed, "is broken"),
        ];
        for (fields, kind, why) in cases {
            let unit: &[u8] = if kind == Kind::Malformed {
                &[]
            } else {
                &[0; 20]
            };
            let problem = Multiplex::read(&framed(fields, unit)).expect_err(why);
            assert_eq!(problem.kind, kind, "{problem}");
            assert!(problem.why.contains(why), "{problem}, not {why:?}");
        }
    }

    #[test]
    fn a_broken_frame_is_no_unit() {
        let whole = loas(&[7; 300], true);
        let multiplex = Multiplex::read(&whole)
            .expect("LATM")
            .expect("a configuration");
        for length in 0..whole.len() {
            assert_eq!(unpacked(&multiplex, &whole[..length]), None, "{length}");
            let head = Multiplex::read(&whole[..length]);
            assert!(head.is_err() || length > 8, "{length}: {head:?}");
        }
    }

    proptest! {
        #[test]
        fn frames_of_another_writer_are_read(
            unit in prop::collection::vec(any::<u8>(), 1..900),
            rate in prop::sample::select(vec![48_000_u32, 44_100, 24_000, 8_000]),
            channels in 1_u16..7,
        ) {
            let config = AudioSpecificConfig { object_type: 2, sample_rate: rate, channels };
            let frame = write_loas_frame(&config, &unit);
            let multiplex = Multiplex::read(&frame).expect("LATM").expect("a configuration");
            prop_assert_eq!(multiplex.rate.hertz(), rate);
            prop_assert_eq!(unpacked(&multiplex, &frame), Some(unit));
        }

        #[test]
        fn noise_is_no_harm(noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let multiplex = Multiplex::read(&loas(&[1; 50], true)).expect("LATM").expect("one");
            let frame = [&[SYNC, 0xE0, 0][..], &noise].concat();
            let _ = (Multiplex::read(&frame), unpacked(&multiplex, &frame));
        }
    }
}
