//! The header of a WAV file, as bytes: plain, extensible, or RF64 past 4 GiB.
//! Pure; sources: Microsoft "Multiple Channel Audio Data and WAVE Files", EBU
//! Tech 3306 (RF64).

use super::pcm::Sample;
use crate::units::Spec;

/// A `ds64` chunk without a table; `JUNK` of the same length keeps its place.
const DS64_BYTES: u32 = 28;
const UNKNOWN: u32 = u32::MAX; // "see ds64", and in a pipe "until the end"
const TAG_PCM: u16 = 1;
const TAG_FLOAT: u16 = 3;
const TAG_EXTENSIBLE: u16 = 0xFFFE;
/// What follows the tag in the SubFormat GUID of an extensible header.
const SUBFORMAT_TAIL: [u8; 14] = *b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";
/// Speakers by channel count, from 1: the order of [`Spec::channels`].
const CHANNEL_MASKS: [u32; 8] = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3F, 0x70F, 0x63F];

/// What a WAV file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Rate and channels.
    pub spec: Spec,
    /// The form of a sample.
    pub sample: Sample,
}

impl Layout {
    /// Bytes of one frame.
    pub fn frame_bytes(self) -> usize {
        self.spec.channels.count() * self.sample.bytes()
    }

    /// The header before the lengths are known: for ever in a pipe, until the end
    /// in a file, which keeps room for RF64. Readers take 0xFFFFFFFF for "until
    /// the end", so that a file plays even if its writer was killed.
    pub fn open_header(self, is_file: bool) -> Vec<u8> {
        let room = is_file.then_some(Chunk::room());
        // A fact of 0 frames, not UNKNOWN: ffprobe takes that for a day of sound.
        self.header(b"RIFF", UNKNOWN, room, 0, UNKNOWN)
    }

    /// The header of a file with `data_bytes` of samples: always as long as
    /// [`Layout::open_header`]. A file longer than `largest` becomes RF64.
    pub fn file_header(self, data_bytes: u64, largest: u32) -> Vec<u8> {
        let around = self.open_header(true).len() as u64 - 8;
        let length = around + data_bytes + data_bytes % 2;
        let frames = data_bytes / self.frame_bytes() as u64;
        let short = u32::try_from(length)
            .ok()
            .filter(|&length| length <= largest);
        match (short, u32::try_from(data_bytes), u32::try_from(frames)) {
            (Some(length), Ok(data), Ok(frames)) => {
                self.header(b"RIFF", length, Some(Chunk::room()), frames, data)
            }
            _ => {
                let long = Chunk::long_lengths(length, data_bytes, frames);
                self.header(b"RF64", UNKNOWN, Some(long), UNKNOWN, UNKNOWN)
            }
        }
    }

    fn header(
        self,
        id: &[u8; 4],
        length: u32,
        first: Option<Chunk>,
        frames: u32,
        data: u32,
    ) -> Vec<u8> {
        let mut header = Vec::with_capacity(160);
        push_chunk(&mut header, id, length, b"WAVE");
        if let Some(Chunk { id, body }) = first {
            push_chunk(&mut header, id, DS64_BYTES, &body);
        }
        self.push_format(&mut header, frames);
        push_chunk(&mut header, b"data", data, &[]);
        header
    }

    fn push_format(self, header: &mut Vec<u8>, frames: u32) {
        let body = self.format_body();
        push_chunk(header, b"fmt ", body.len() as u32, &body);
        if self.sample == Sample::F32 {
            push_chunk(header, b"fact", 4, &frames.to_le_bytes());
        }
    }

    /// The plainest form that can say it: readers differ about the others.
    fn format_body(self) -> Vec<u8> {
        let tag = match self.sample {
            Sample::S16 | Sample::S24 => TAG_PCM,
            Sample::F32 => TAG_FLOAT,
        };
        let is_wide = self.spec.channels.count() > 2 || self.sample == Sample::S24;
        let bits = self.sample.bytes() as u16 * 8;
        let frame_bytes = self.frame_bytes() as u32;
        let mut body = Vec::with_capacity(40);
        body.extend(if is_wide { TAG_EXTENSIBLE } else { tag }.to_le_bytes());
        body.extend((self.spec.channels.count() as u16).to_le_bytes());
        body.extend(self.spec.rate.hertz().to_le_bytes());
        body.extend((self.spec.rate.hertz() * frame_bytes).to_le_bytes());
        body.extend((frame_bytes as u16).to_le_bytes());
        body.extend(bits.to_le_bytes());
        if is_wide {
            body.extend(22u16.to_le_bytes());
            body.extend(bits.to_le_bytes());
            body.extend(CHANNEL_MASKS[self.spec.channels.count() - 1].to_le_bytes());
            body.extend(tag.to_le_bytes());
            body.extend(SUBFORMAT_TAIL);
        } else if tag == TAG_FLOAT {
            body.extend(0u16.to_le_bytes());
        }
        body
    }
}

/// The chunk that is either room or the 64-bit lengths.
struct Chunk {
    id: &'static [u8; 4],
    body: [u8; DS64_BYTES as usize],
}

impl Chunk {
    fn room() -> Self {
        Self {
            id: b"JUNK",
            body: [0; DS64_BYTES as usize],
        }
    }

    /// EBU Tech 3306: lengths of RIFF and data, frames, and no table of further
    /// long chunks.
    fn long_lengths(riff: u64, data: u64, frames: u64) -> Self {
        let mut body = [0; DS64_BYTES as usize];
        for (to, number) in body.chunks_exact_mut(8).zip([riff, data, frames]) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        Self { id: b"ds64", body }
    }
}

fn push_chunk(out: &mut Vec<u8>, id: &[u8; 4], length: u32, body: &[u8]) {
    out.extend_from_slice(id);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ChannelCount, SampleRate};

    fn layout(channels: usize, sample: Sample) -> Layout {
        Layout {
            spec: Spec {
                rate: SampleRate::new(48_000).expect("an allowed rate"),
                channels: ChannelCount::new(channels).expect("an allowed count"),
            },
            sample,
        }
    }

    fn chunks(header: &[u8]) -> Vec<(String, u32)> {
        let (mut at, mut chunks) = (12, Vec::new());
        while at < header.len() {
            let id = String::from_utf8_lossy(&header[at..at + 4]).into_owned();
            let length = u32_at(header, at + 4);
            at += 8 + if id == "data" { 0 } else { length as usize };
            chunks.push((id, length));
        }
        chunks
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    }

    #[test]
    fn a_short_file_is_plain_riff_with_room_for_the_long_lengths() {
        let header = layout(2, Sample::S16).file_header(400, UNKNOWN - 1);
        assert_eq!(header.len(), 80);
        assert_eq!((&header[..4], u32_at(&header, 4)), (&b"RIFF"[..], 472));
        let want = [("JUNK", 28), ("fmt ", 16), ("data", 400)];
        assert_eq!(chunks(&header), want.map(|(id, n)| (id.to_owned(), n)));
        assert_eq!(u32_at(&header, 60), 48_000);
        assert_eq!(u32_at(&header, 64), 192_000);
    }

    #[test]
    fn a_file_past_the_limit_is_rf64_of_the_same_length() {
        let layout = layout(2, Sample::S16);
        let data = 5 << 30;
        let header = layout.file_header(data, UNKNOWN - 1);
        assert_eq!(header.len(), layout.open_header(true).len());
        assert_eq!((&header[..4], u32_at(&header, 4)), (&b"RF64"[..], UNKNOWN));
        let want = [("ds64", 28), ("fmt ", 16), ("data", UNKNOWN)];
        assert_eq!(chunks(&header), want.map(|(id, n)| (id.to_owned(), n)));
        let lengths = [20, 28, 36].map(|at| u64_at(&header, at));
        assert_eq!(lengths, [data + 72, data, data / 4]);
    }

    #[test]
    fn the_limit_is_on_the_whole_file() {
        let layout = layout(1, Sample::S24);
        let most = 1_000 - (layout.open_header(true).len() as u64 - 8);
        for (data, id) in [(most - 1, b"RIFF"), (most, b"RIFF"), (most + 1, b"RF64")] {
            assert_eq!(layout.file_header(data, 1_000)[..4], *id, "{data}");
        }
    }

    #[test]
    fn the_format_is_extensible_only_where_it_must_be() {
        let cases = [
            (1, Sample::S16, 1, 16),
            (2, Sample::S16, 1, 16),
            (6, Sample::S16, 0xFFFE, 40),
            (2, Sample::S24, 0xFFFE, 40),
            (2, Sample::F32, 3, 18),
            (8, Sample::F32, 0xFFFE, 40),
        ];
        for (channels, sample, tag, bytes) in cases {
            let body = layout(channels, sample).format_body();
            let got = (u16::from_le_bytes([body[0], body[1]]), body.len());
            assert_eq!(got, (tag, bytes), "{channels} channels, {sample:?}");
        }
    }

    #[test]
    fn every_speaker_mask_has_its_channels() {
        for (index, mask) in CHANNEL_MASKS.into_iter().enumerate() {
            assert_eq!(mask.count_ones() as usize, index + 1);
        }
    }

    #[test]
    fn a_pipe_says_that_its_lengths_are_unknown() {
        let header = layout(2, Sample::F32).open_header(false);
        assert_eq!(u32_at(&header, 4), UNKNOWN);
        let want = [("fmt ", 18), ("fact", 4), ("data", UNKNOWN)];
        assert_eq!(chunks(&header), want.map(|(id, n)| (id.to_owned(), n)));
    }
}
