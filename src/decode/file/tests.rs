//! Whole files, made here byte by byte, through every promise of [`File`].

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::media::Codec;
use crate::units::{Frames, SampleRate};

const FRAMES: u64 = 100_000; // not a multiple of any block

fn rate() -> SampleRate {
    SampleRate::new(44_100).expect("allowed")
}

fn at(frame: u64) -> MediaTime {
    Frames(frame).time(rate())
}

fn open(bytes: Vec<u8>) -> File {
    File::open(Box::new(Cursor::new(bytes)), &Arc::default()).expect("a file")
}

/// Reads to the end: the frame at which each unit begins, and its data.
fn rest(file: &mut File) -> Result<Vec<(i64, Vec<u8>)>, Problem> {
    let mut units = Vec::new();
    while let Some(unit) = file.next_unit()? {
        units.push((unit.start.frame(rate()), unit.data.to_vec()));
    }
    Ok(units)
}

/// Mono, 16 bits; every sample is the low half of its number.
fn wav(declared: u32) -> Vec<u8> {
    let samples: Vec<u8> = (0..FRAMES)
        .flat_map(|frame| (frame as u16).to_le_bytes())
        .collect();
    let mut bytes = Vec::from(*b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(44_100_u32.to_le_bytes());
    bytes.extend(88_200_u32.to_le_bytes());
    bytes.extend(*b"\x02\0\x10\0data");
    bytes.extend(declared.to_le_bytes());
    bytes.extend(samples);
    bytes
}

fn whole_wav() -> Vec<u8> {
    wav(u32::try_from(FRAMES * 2).expect("small"))
}

const FLAC_BLOCK: u64 = 4096;

/// Mono, 16 bits; every block is one constant, its number.
fn flac() -> Vec<u8> {
    let mut bytes = Vec::from(*b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0");
    let layout: u64 = 44_100 << 44 | 15 << 36 | FRAMES; // rate, mono, 16 bits, length
    bytes.extend(layout.to_be_bytes());
    bytes.extend([0; 16]);
    let blocks = FRAMES.div_ceil(FLAC_BLOCK);
    bytes.extend((0..blocks).flat_map(|number| flac_frame(u8::try_from(number).expect("few"))));
    bytes
}

/// A frame with one constant subframe; the last one is as long as the others
/// say, which STREAMINFO corrects.
fn flac_frame(number: u8) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xF8, 0xC9, 0x08, number];
    frame.push(crc(&frame, 8, 0x07) as u8);
    frame.extend([0x00, 0x00, number]);
    let check = crc(&frame, 16, 0x8005);
    frame.extend(check.to_be_bytes());
    frame
}

fn crc(bytes: &[u8], width: u32, polynomial: u16) -> u16 {
    let (top, mask) = (1_u32 << (width - 1), (1_u32 << width) - 1);
    let step = |sum: u32, _| {
        if sum & top == 0 {
            sum << 1
        } else {
            sum << 1 ^ u32::from(polynomial)
        }
    };
    let sum = bytes.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << (width - 8), step) & mask
    });
    sum as u16
}

const MP3_FRAMES: u64 = 400;
const MP3_DELAY: u64 = 576;
const MP3_PADDING: u64 = 1500;

/// Silence at 128 kbit/s, with the tag of LAME in the first frame.
fn mp3() -> Vec<u8> {
    let due = |number: u64| number * 144 * 128_000 / 44_100;
    let frame = |number: u64| {
        let length = due(number + 1) - due(number);
        let third = if length == 418 { 0x92 } else { 0x90 };
        let mut bytes = vec![0xFF, 0xFB, third, 0x44];
        bytes.resize(usize::try_from(length).expect("small"), 0);
        bytes
    };
    let mut bytes = frame(0);
    bytes[36..40].copy_from_slice(b"Info");
    bytes[43] = 1; // the count of frames follows
    bytes[44..48].copy_from_slice(&(MP3_FRAMES as u32).to_be_bytes());
    bytes[48..52].copy_from_slice(b"LAME");
    let trims = ((MP3_DELAY << 12 | MP3_PADDING) as u32).to_be_bytes();
    bytes[69..72].copy_from_slice(&trims[1..]);
    bytes.extend((0..MP3_FRAMES).flat_map(frame));
    bytes
}

fn tagged(length: u32, stream: Vec<u8>) -> Vec<u8> {
    let size = [21, 14, 7, 0].map(|shift| (length >> shift) as u8 & 0x7F);
    let cover = [0xFF, 0xFB, 0x90, 0x44].repeat(length as usize / 4);
    [&b"ID3\x04\0\0"[..], &size, &cover, &stream].concat()
}

/// Bytes that tell how far they were read, and may fail somewhere.
struct Watched {
    bytes: Cursor<Vec<u8>>,
    furthest: Arc<AtomicU64>,
    read: Arc<AtomicU64>,
    fails_at: u64,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.position() >= self.fails_at {
            return Err(Problem::stopped().into());
        }
        let count = self.bytes.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        self.furthest
            .fetch_max(self.bytes.position(), Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Source for Watched {
    fn length(&self) -> Option<u64> {
        self.bytes.length()
    }

    fn is_seekable(&self) -> bool {
        true
    }
}

fn watched(bytes: Vec<u8>, fails_at: u64) -> (Box<Watched>, Arc<AtomicU64>, Arc<AtomicU64>) {
    let (furthest, read) = (Arc::default(), Arc::default());
    let source = Watched {
        bytes: Cursor::new(bytes),
        furthest: Arc::clone(&furthest),
        read: Arc::clone(&read),
        fails_at,
    };
    (Box::new(source), furthest, read)
}

#[test]
fn a_wav_file_gives_all_its_bytes_from_any_place() {
    let bytes = whole_wav();
    let mut file = open(bytes.clone());
    assert_eq!(file.track().codec, Codec::Pcm);
    assert_eq!(file.track().duration, Some(at(FRAMES)));
    for to in [0, 1, 50_000, 99_999, 3, 77_777] {
        let landed = file.seek(at(to)).expect("seekable");
        assert!(landed <= at(to), "{to}");
        let units = rest(&mut file).expect("whole");
        let data: Vec<u8> = units.iter().flat_map(|(_, data)| data.clone()).collect();
        let from = usize::try_from(landed.frame(rate())).expect("positive");
        assert_eq!(units[0].0, landed.frame(rate()), "{to}");
        assert_eq!(data, bytes[44 + from * 2..], "{to}");
    }
}

#[test]
fn a_flac_file_is_sought_to_the_block_that_holds_the_frame() {
    let mut file = open(flac());
    assert_eq!(file.track().codec, Codec::Flac);
    assert_eq!(file.track().duration, Some(at(FRAMES)));
    let units = rest(&mut file).expect("whole");
    assert_eq!(units.len() as u64, FRAMES.div_ceil(FLAC_BLOCK));
    for to in [99_999, 0, 4095, 4096, 65_432] {
        let block = to / FLAC_BLOCK;
        assert_eq!(
            file.seek(at(to)).expect("seekable"),
            at(block * FLAC_BLOCK),
            "{to}"
        );
        let unit = file.next_unit().expect("whole").expect("not the end");
        assert_eq!(u64::from(unit.data[4]), block, "{to}");
    }
}

#[test]
fn an_mp3_file_is_as_long_as_what_was_encoded() {
    let mut file = open(mp3());
    // Decoders add 529 frames; LAME counts its own delay without them.
    let want = MP3_FRAMES * 1152 - MP3_DELAY - MP3_PADDING;
    assert_eq!(file.track().duration, Some(at(want)));
    let mut heard = 0;
    let mut first = None;
    while let Some(unit) = file.next_unit().expect("whole") {
        first.get_or_insert(unit.start.frame(rate()));
        heard += 1152 - unit.trim_start.0 - unit.trim_end.0;
    }
    assert_eq!(heard, want);
    assert_eq!(first, Some(-576 - 529));
}

#[test]
fn a_seek_in_mp3_of_constant_rate_is_exact_and_reads_little() {
    let mut file = open(mp3());
    let starts: Vec<i64> = rest(&mut file)
        .expect("whole")
        .iter()
        .map(|unit| unit.0)
        .collect();
    let (source, _, read) = watched(mp3(), u64::MAX);
    let mut file = File::open(source, &Arc::default()).expect("a file");
    for to in [300_000, 100_000, 0, 450_000] {
        let before = read.load(Ordering::Relaxed);
        let landed = file.seek(at(to)).expect("seekable");
        let unit = file.next_unit().expect("whole").expect("not the end");
        assert_eq!(unit.start, landed);
        assert!(starts.contains(&landed.frame(rate())), "{to}");
        assert!(
            landed <= at(to.saturating_sub(30 * 1152)),
            "{to}: the bit reservoir"
        );
        assert!(read.load(Ordering::Relaxed) - before < 20_000, "{to}");
    }
}

#[test]
fn a_file_that_was_cut_off_is_no_natural_end() {
    let cases = [("WAV", whole_wav()), ("FLAC", flac()), ("MP3", mp3())];
    for (name, bytes) in cases {
        let mut file = open(bytes[..bytes.len() * 2 / 3 + 1].to_vec());
        let problem = rest(&mut file)
            .map(|units| units.len())
            .expect_err("cut off");
        assert_eq!(problem.kind, Kind::Malformed, "{name}");
        assert_eq!(problem.why, "it is truncated", "{name}");
        assert!(problem.what.contains(name), "{problem}");
    }
}

#[test]
fn a_wav_header_written_into_a_pipe_means_to_the_end() {
    for declared in [u32::MAX, 0x7FFF_F000] {
        let mut file = open(wav(declared));
        assert_eq!(file.track().duration, None, "{declared:#x}");
        let bytes: usize = rest(&mut file)
            .expect("whole")
            .iter()
            .map(|unit| unit.1.len())
            .sum();
        assert_eq!(bytes as u64, FRAMES * 2, "{declared:#x}");
    }
}

#[test]
fn opening_reads_the_head_and_neither_cover_nor_tail() {
    let cases = [
        ("WAV", whole_wav(), 0),
        ("MP3", mp3(), 0),
        ("MP3 behind a cover", tagged(1 << 20, mp3()), 1 << 20),
        ("WAV behind a cover", tagged(1 << 20, whole_wav()), 1 << 20),
    ];
    for (name, bytes, skipped) in cases {
        let (source, furthest, read) = watched(bytes, u64::MAX);
        let mut file = File::open(source, &Arc::default()).expect("a file");
        file.next_unit().expect("whole").expect("not the end");
        assert!(
            furthest.load(Ordering::Relaxed) < skipped + 16_384,
            "{name}"
        );
        assert!(read.load(Ordering::Relaxed) < 32_768, "{name}");
    }
}

#[test]
fn the_tag_of_lame_is_found_behind_a_large_cover() {
    let file = open(tagged(1 << 20, mp3()));
    assert_eq!(file.track().duration, open(mp3()).track().duration);
}

#[test]
fn a_problem_of_the_source_passes_unchanged() {
    for bytes in [whole_wav(), mp3()] {
        let (source, _, _) = watched(bytes, 60_000);
        let mut file = File::open(source, &Arc::default()).expect("a file");
        assert_eq!(rest(&mut file), Err(Problem::stopped()));
    }
    let (source, _, _) = watched(whole_wav(), 0);
    assert_eq!(
        File::open(source, &Arc::default()).err(),
        Some(Problem::stopped())
    );
}

#[test]
fn what_is_no_audio_is_refused_in_words() {
    let boxed = |name: &[u8], content: &[u8]| {
        let size = u32::try_from(content.len() + 8).expect("small");
        [&size.to_be_bytes(), name, content].concat()
    };
    let head = boxed(b"ftyp", b"isom\0\0\0\0");
    let video = [head.clone(), boxed(b"moov", b""), boxed(b"mdat", b"")].concat();
    let bare = [head.clone(), boxed(b"mdat", b"1234")].concat();
    let huge = [head, b"\x7F\0\0\0moov".to_vec()].concat();
    let cases: [(&[u8], Kind, &str); 6] = [
        (b"", Kind::NotAStream, "it is empty"),
        (
            b"<html><body>log in",
            Kind::NotAStream,
            "it is a web page (HTML)",
        ),
        (
            b"RIFF\x04\0\0\0WAVE",
            Kind::Unsupported,
            "wav: missing data chunk",
        ),
        (&video, Kind::Unsupported, "it has no audio track"),
        (&bare, Kind::Malformed, "it has no moov box"),
        (&huge, Kind::Limit, "its moov box is larger than 16 MiB"),
    ];
    for (bytes, kind, why) in cases {
        let problem = File::open(Box::new(Cursor::new(bytes.to_vec())), &Arc::default())
            .err()
            .expect("refused");
        assert_eq!((problem.kind, problem.why.as_str()), (kind, why));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_edit_of_a_file_makes_it_panic(
        which in 0..3_usize,
        edits in proptest::collection::vec((0..2048_usize, any::<u8>()), 1..8),
        to in 0..FRAMES,
    ) {
        let mut bytes = [whole_wav(), flac(), mp3()][which].clone();
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(mut file) = File::open(Box::new(Cursor::new(bytes)), &Arc::default()) {
            let _ = rest(&mut file);
            let _ = file.seek(at(to));
            let _ = rest(&mut file);
        }
    }
}
