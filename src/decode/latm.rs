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
pub(super) mod tests;
