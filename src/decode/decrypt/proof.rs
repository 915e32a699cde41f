//! Whether decrypted bytes are media at all: a wrong key makes noise, and noise
//! must not be searched for something that happens to look like a frame.

use crate::decode::{adts, id3, mpeg};
use crate::limits;

const TS_PACKET: usize = 188;
const TS_SYNC: u8 = 0x47;
const TS_SYNCS: usize = 3; // with one alone, noise would pass once in 256 times
const AC3_SYNC: [u8; 2] = [0x0B, 0x77]; // refused by its name further on
const FIRST_LOOK: usize = 16;

/// Boxes that may stand first in an init section or a segment
/// (ISO 14496-12, RFC 8216 section 3.3, CMAF).
const BOXES: [&[u8; 4]; 15] = [
    b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"emsg", b"prft", b"pdin", b"free",
    b"skip", b"uuid", b"meta", b"wide", b"mdat",
];

/// What can be said of the first bytes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They are media.
    Media,
    /// They are not.
    Noise,
    /// This many bytes would tell.
    Unsure(usize),
}

/// Judges `head`, which is all there is when `is_end`.
pub fn judge(head: &[u8], is_end: bool) -> Proof {
    if head.len() < FIRST_LOOK && !is_end {
        return Proof::Unsure(FIRST_LOOK);
    }
    if is_box(head) || is_tag(head) || head.starts_with(&AC3_SYNC) {
        return Proof::Media;
    }
    if head.first() == Some(&TS_SYNC) {
        return transport_stream(head, is_end);
    }
    if let Some(first) = adts::Header::read(head) {
        let agrees = |next: &[u8]| adts::Header::read(next).is_some_and(|it| it.agrees(&first));
        return followed(head, is_end, first.length, adts::HEADER_BYTES, agrees);
    }
    if let Some(first) = mpeg::Header::parse(head) {
        let continues =
            |next: &[u8]| mpeg::Header::parse(next).is_some_and(|it| it.continues(&first));
        return followed(head, is_end, first.length, mpeg::HEADER_BYTES, continues);
    }
    Proof::Noise
}

fn is_box(head: &[u8]) -> bool {
    let Some((size, rest)) = head.split_first_chunk() else {
        return false;
    };
    let size = u32::from_be_bytes(*size);
    // 0 is "to the end", 1 "the size follows in 64 bits".
    let is_sound = size <= 1 || (8..=limits::BOX_BYTES).contains(&u64::from(size));
    let is_known =
        (is_sound || rest.starts_with(b"mdat")) && BOXES.iter().any(|name| rest.starts_with(*name));
    // A wrong vector changes the first block only, and seldom all of it.
    let is_fragment = rest.starts_with(b"moof") && size > 1;
    is_known && (!is_fragment || rest.get(8..12) == Some(b"mfhd"))
}

fn is_tag(head: &[u8]) -> bool {
    let is_known = head.get(3).is_some_and(|version| (2..=4).contains(version));
    is_known && id3::length(head).is_some()
}

/// A sync byte where each packet begins, as far as there are packets.
fn transport_stream(head: &[u8], is_end: bool) -> Proof {
    let wanted = (TS_SYNCS - 1) * TS_PACKET + 1;
    if head.iter().step_by(TS_PACKET).any(|&byte| byte != TS_SYNC) {
        return Proof::Noise;
    }
    match head.len() >= wanted || (is_end && head.len() > TS_PACKET) {
        true => Proof::Media,
        false if is_end => Proof::Noise,
        false => Proof::Unsure(wanted),
    }
}

/// A frame of `length` bytes is none unless the next header follows it at once,
/// or nothing does.
fn followed(
    head: &[u8],
    is_end: bool,
    length: usize,
    header_bytes: usize,
    is_next: impl Fn(&[u8]) -> bool,
) -> Proof {
    let next = head.get(length..).unwrap_or_default();
    if next.len() >= header_bytes {
        return if is_next(next) {
            Proof::Media
        } else {
            Proof::Noise
        };
    }
    match is_end {
        true if head.len() >= length => Proof::Media,
        true => Proof::Noise,
        false => Proof::Unsure(length + header_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: &[u8] = b"\0\0\0\x18stypmsdh\0\0\0\0";
    const TAG: &[u8] = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0";
    const ADTS: [u8; 7] = [0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC]; // of 100 bytes
    const MP3: [u8; 4] = [0xFF, 0xFB, 0x90, 0x64]; // of 417 bytes

    /// `header` at the beginning and `length` bytes further, `total` bytes long.
    fn frames(header: &[u8], length: usize, total: usize) -> Vec<u8> {
        let mut bytes = vec![0; total.max(length + header.len())];
        bytes[..header.len()].copy_from_slice(header);
        bytes[length..length + header.len()].copy_from_slice(header);
        bytes.truncate(total);
        bytes
    }

    fn packets(count: usize) -> Vec<u8> {
        let packet = (0..TS_PACKET).map(|at| if at == 0 { TS_SYNC } else { 0xFF });
        packet.collect::<Vec<_>>().repeat(count)
    }

    #[test]
    fn media_are_known_by_their_first_bytes_and_nothing_is_searched() {
        let mut late = vec![0; 188];
        late.extend(packets(9));
        let cases = [
            ("nothing", Vec::new(), false, Proof::Unsure(16)),
            ("nothing at all", Vec::new(), true, Proof::Noise),
            ("a box", BOX.to_vec(), false, Proof::Media),
            (
                "a fragment",
                b"\0\0\x02\0moof\0\0\0\x10mfhd".to_vec(),
                false,
                Proof::Media,
            ),
            (
                "a fragment that is none",
                b"\0\0\x02\0moof\0\0\0\x10mfhe".to_vec(),
                false,
                Proof::Noise,
            ),
            (
                "a box of no size",
                BOX.iter()
                    .map(|&byte| if byte == 0x18 { 7 } else { byte })
                    .collect(),
                false,
                Proof::Noise,
            ),
            (
                "a box too large to be first",
                b"\x18\0\0\x18stypmsdh\0\0\0\0".to_vec(),
                false,
                Proof::Noise,
            ),
            ("a tag", TAG.to_vec(), false, Proof::Media),
            ("a packet", packets(1), false, Proof::Unsure(377)),
            ("a packet and the end", packets(1), true, Proof::Noise),
            ("two packets and the end", packets(2), true, Proof::Media),
            ("three packets", packets(3), false, Proof::Media),
            ("packets after others", late, false, Proof::Noise),
            (
                "the head of a frame",
                frames(&ADTS, 100, 16),
                false,
                Proof::Unsure(107),
            ),
            ("two frames", frames(&ADTS, 100, 107), false, Proof::Media),
            ("a frame alone", frames(&ADTS, 100, 100), true, Proof::Media),
            (
                "a frame cut short",
                frames(&ADTS, 100, 99),
                true,
                Proof::Noise,
            ),
            (
                "a frame and noise",
                frames(&ADTS, 101, 200),
                false,
                Proof::Noise,
            ),
            (
                "two MP3 frames",
                frames(&MP3, 417, 421),
                false,
                Proof::Media,
            ),
            (
                "an MP3 frame and noise",
                frames(&MP3, 418, 500),
                false,
                Proof::Noise,
            ),
            ("silence", vec![0; 400], false, Proof::Noise),
        ];
        for (name, head, is_end, want) in cases {
            assert_eq!(judge(&head, is_end), want, "{name}");
        }
    }

    #[test]
    fn more_is_never_asked_for_than_a_frame_and_its_successor() {
        let longest = [0xFF, 0xF1, 0x50, 0x83, 0xFF, 0xFF, 0xFC];
        assert_eq!(
            judge(&frames(&longest, 8191, 16), false),
            Proof::Unsure(8198)
        );
    }
}
