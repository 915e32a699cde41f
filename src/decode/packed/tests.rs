//! Packed audio with tags, damage and changes, through the demuxer.

use super::*;
use crate::decode::window::tests::Drip;
use crate::units::SampleRate;
use proptest::prelude::*;

mod property;
mod tags;

const PAYLOAD: usize = 93;
const STEPS: [usize; 4] = [1, 13, 417, 4096];

/// A frame of stereo at 44.1 kHz whose bytes all tell its number: 100 bytes of ADTS.
fn adts(number: u8) -> Vec<u8> {
    let number = number & 0x7F; // never looks like a header
    [
        &[0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC][..],
        &[number; PAYLOAD],
    ]
    .concat()
}

/// The same as MP3: 104 bytes of 32 kbit/s.
fn mp3(number: u8) -> Vec<u8> {
    [&[0xFF, 0xFB, 0x10, 0x44][..], &[number & 0x7F; 100]].concat()
}

/// The same as layer II: 208 bytes of 64 kbit/s.
fn mp2(number: u8) -> Vec<u8> {
    [&[0xFF, 0xFD, 0x40, 0x04][..], &[number & 0x7F; 204]].concat()
}

/// One way to make a frame, with its name and codec.
struct Family {
    name: &'static str,
    codec: Codec,
    frame: fn(u8) -> Vec<u8>,
}

const FAMILIES: [Family; 3] = [
    Family {
        name: "ADTS",
        codec: Codec::Aac,
        frame: adts,
    },
    Family {
        name: "MP3",
        codec: Codec::Mp3,
        frame: mp3,
    },
    Family {
        name: "MP2",
        codec: Codec::Mp3,
        frame: mp2,
    },
];

fn frames(frame: fn(u8) -> Vec<u8>, numbers: std::ops::Range<u8>) -> Vec<u8> {
    numbers.flat_map(frame).collect()
}

fn tag(length: u8) -> Vec<u8> {
    let body = vec![0xFF; length.into()];
    [&b"ID3\x04\0\0\0\0\0"[..], &[length], &body].concat()
}

fn tag_with(frame: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u8::try_from(content.len()).expect("short");
    let body = [&frame[..], &[0, 0, 0, size, 0, 0], content].concat();
    let size = u8::try_from(body.len()).expect("short");
    [&b"ID3\x04\0\0\0\0\0"[..], &[size], &body].concat()
}

fn timestamp(ticks: u64) -> Vec<u8> {
    let owner = b"com.apple.streaming.transportStreamTimestamp\0";
    tag_with(b"PRIV", &[&owner[..], &ticks.to_be_bytes()].concat())
}

fn title(text: &str) -> Vec<u8> {
    tag_with(b"TIT2", &[b"\x03", text.as_bytes()].concat())
}

fn drip(bytes: Vec<u8>, step: usize) -> Box<Drip> {
    let mut drip = Drip::new(bytes, step);
    drip.seekable = true;
    Box::new(drip)
}

fn open(bytes: Vec<u8>, step: usize) -> Result<Demuxer, Problem> {
    Demuxer::open(drip(bytes, step), Arc::default())
}

fn segment(bytes: Vec<u8>, step: usize) -> Result<Demuxer, Problem> {
    Demuxer::segment(drip(bytes, step), Arc::default(), MediaTime::ZERO, None)
}

fn numbers(demuxer: &mut Demuxer) -> Result<Vec<u8>, Problem> {
    let mut numbers = Vec::new();
    while let Some(unit) = demuxer.next_unit()? {
        numbers.push(*unit.data.last().expect("not empty"));
    }
    Ok(numbers)
}

fn read(bytes: Vec<u8>, step: usize) -> Result<Vec<u8>, Problem> {
    numbers(&mut open(bytes, step)?)
}

fn rate() -> SampleRate {
    SampleRate::new(44_100).expect("an allowed rate")
}

#[test]
fn frames_come_out_whole_with_their_times() {
    for Family { name, codec, frame } in FAMILIES {
        let mut demuxer = segment(frames(frame, 0..3), 11).expect(name);
        let length = if codec == Codec::Aac { 1024 } else { 1152 };
        for number in 0..3_u8 {
            let unit = demuxer.next_unit().expect("sound").expect("a frame");
            assert_eq!(unit.data, frame(number), "{name}");
            let start = i64::from(number) * length;
            assert_eq!(unit.start.frame(rate()), start, "{name}");
            assert_eq!(unit.end.frame(rate()), start + length, "{name}");
        }
        assert!(demuxer.next_unit().expect("sound").is_none(), "{name}");
        assert_eq!(demuxer.track().codec, codec, "{name}");
    }
}

#[test]
fn tags_and_damage_are_passed_over() {
    for Family { name, frame, .. } in FAMILIES {
        let frames = |numbers| frames(frame, numbers);
        let join = |parts: &[&[u8]]| parts.concat();
        let damaged = {
            let (mut bytes, size) = (frames(0..6), frame(0).len());
            bytes[2 * size + 10..3 * size + 30].fill(0x55); // most of frame 2, the header of frame 3
            bytes
        };
        let all = vec![0, 1, 2, 3];
        let end = |tag: &[u8], rest: &[u8]| join(&[&frames(0..4), tag, rest]);
        let cases = [
            ("bare", frames(0..4), all.clone()),
            (
                "stacked tags",
                join(&[&tag(20), &tag(0), &frames(0..4)]),
                all.clone(),
            ),
            (
                "tag between",
                join(&[&frames(0..2), &tag(30), &frames(2..4)]),
                all.clone(),
            ),
            ("ID3v1", end(b"TAG", &[0x20; 125]), all.clone()),
            ("APE", end(b"APETAGEX", &[0xFF; 200]), all.clone()),
            (
                "joined in the middle",
                frames(0..4)[30..].to_vec(),
                vec![1, 2, 3],
            ),
            ("junk at the end", end(&[], &[0x20; 50]), all),
            ("damage", damaged, vec![0, 1, 0x55, 4, 5]),
        ];
        for (case, bytes, want) in cases {
            for step in STEPS {
                let got = read(bytes.clone(), step);
                assert_eq!(got.as_ref(), Ok(&want), "{name}, {case}, {step}");
            }
        }
    }
}

#[test]
fn a_flood_of_titles_is_bounded() {
    let noisy: Vec<u8> = (0..200)
        .flat_map(|number| [title("x"), adts(number)].concat())
        .collect();
    let mut demuxer = segment(noisy, 4096).expect("ADTS");
    assert_eq!(numbers(&mut demuxer).map(|numbers| numbers.len()), Ok(200));
    assert_eq!(demuxer.take_titles().len(), TITLES);
}

#[test]
fn a_frame_of_information_is_no_sound_and_its_delay_counts_once() {
    let mut information = mp3(0);
    information.fill(0);
    information[..4].copy_from_slice(&[0xFF, 0xFB, 0x10, 0x44]);
    information[36..44].copy_from_slice(b"Info\0\0\0\0");
    information[44..48].copy_from_slice(b"LAME");
    information[65..68].copy_from_slice(&[0x24, 0x00, 0x00]); // 576 at the start
    let bytes = [timestamp(0), information, frames(mp3, 1..4)].concat();
    for (start, want) in [(0.0, [1105, 0, 0]), (10.0, [0; 3])] {
        let start = MediaTime::from_seconds(start);
        let source = drip(bytes.clone(), 50);
        let mut demuxer = Demuxer::segment(source, Arc::default(), start, None).expect("MP3");
        for (number, trim) in (1..).zip(want) {
            let unit = demuxer.next_unit().expect("sound").expect("a frame");
            assert_eq!(unit.data, mp3(number), "{start:?}");
            assert_eq!(
                unit.start,
                Frames(1152 * u64::from(number - 1)).time(rate())
            );
            assert_eq!(unit.trim_start, Frames(trim), "{start:?}, frame {number}");
        }
    }
}

#[test]
fn what_is_broken_is_no_end() {
    let whole = frames(adts, 0..4);
    let cases = [
        ("cut inside a frame", whole[..350].to_vec(), Kind::Malformed),
        (
            "cut inside a header",
            whole[..303].to_vec(),
            Kind::Malformed,
        ),
        (
            "cut inside MP3",
            frames(mp3, 0..4)[..400].to_vec(),
            Kind::Malformed,
        ),
        ("cut inside a tag", tag(20)[..20].to_vec(), Kind::Malformed),
        (
            "lost for good",
            [&whole[..], &[0x20; 70_000]].concat(),
            Kind::Malformed,
        ),
        (
            "no frame",
            b"<!DOCTYPE html><html></html>".to_vec(),
            Kind::NotAStream,
        ),
        ("nothing", Vec::new(), Kind::NotAStream),
    ];
    for (case, bytes, kind) in cases {
        let problem = read(bytes, 64).expect_err(case);
        assert_eq!(problem.kind, kind, "{case}: {problem}");
    }
}

#[test]
fn a_segment_begins_with_a_tag_or_a_frame_and_is_not_searched() {
    let lone = [&mp3(0)[..], &[0x20; 200]].concat();
    let cases = [
        (
            "bytes before the first frame",
            [&[1, 2], &frames(mp3, 0..4)[..]].concat(),
            false,
        ),
        ("a header that nothing follows", lone, false),
        ("one frame alone", mp3(0), true),
        (
            "padding behind a tag",
            [tag(9), vec![0; 40], frames(mp3, 0..4)].concat(),
            true,
        ),
    ];
    for (case, bytes, want) in cases {
        let opened = segment(bytes, 64).map(drop).map_err(|problem| problem.kind);
        let want = if want { Ok(()) } else { Err(Kind::NotAStream) };
        assert_eq!(opened, want, "{case}");
    }
}

#[test]
fn dolby_audio_is_refused_by_name() {
    let cases = [
        ([0x0B, 0x77, 1, 2, 0, 8 << 3], "AC-3 (Dolby Digital)"),
        (
            [0x0B, 0x77, 1, 2, 0, 16 << 3],
            "E-AC-3 (Dolby Digital Plus)",
        ),
    ];
    for (frame, name) in cases {
        for tags in [Vec::new(), timestamp(0)] {
            let bytes = [&tags[..], &frame, &[0; 100]].concat();
            assert!(looks_packed(&bytes[..16]), "{name}");
            let problem = segment(bytes, 16).err().expect("refused");
            assert_eq!(problem.kind, Kind::Unsupported);
            assert!(problem.why.contains(name), "{problem}");
        }
    }
}

#[test]
fn a_seek_lands_on_the_frame_that_is_heard() {
    let mut demuxer = open(frames(adts, 0..100), 4096).expect("ADTS");
    for (to, want) in [
        (50 * 1024 + 5, 50),
        (3 * 1024, 3),
        (3 * 1024 - 1, 2),
        (99 * 1024, 99),
    ] {
        let landed = demuxer.seek(Frames(to).time(rate())).expect("sound");
        assert_eq!(landed, Frames(want * 1024).time(rate()), "{to}");
        let unit = demuxer.next_unit().expect("sound").expect("a frame");
        assert_eq!(unit.start, landed, "{to}");
        assert_eq!(unit.data.last(), u8::try_from(want).ok().as_ref(), "{to}");
    }
    let past = demuxer.seek(Frames(1 << 30).time(rate())).expect("sound");
    assert_eq!(past, Frames(100 * 1024).time(rate()));
    assert!(demuxer.next_unit().expect("sound").is_none());
}

#[test]
fn a_stream_that_changes_its_rate_goes_on_in_time() {
    let slow_adts = |number| {
        let mut bytes = adts(number);
        bytes[2] = 0x5C; // 22.05 kHz
        bytes
    };
    let slow_mp3 = |number| {
        let mut bytes = mp3(number); // 22.05 kHz, layer III of MPEG-2, 32 kbit/s
        bytes[1..3].copy_from_slice(&[0xF3, 0x40]);
        bytes
    };
    let cases = [
        (
            [frames(adts, 0..2), slow_adts(2), slow_adts(3)].concat(),
            [1024, 2048, 4096, 6144],
        ),
        (
            [frames(mp3, 0..2), slow_mp3(2), slow_mp3(3)].concat(),
            [1152, 2304, 3456, 4608],
        ),
    ];
    for (bytes, want) in cases {
        let mut demuxer = segment(bytes, 64).expect("packed audio");
        let mut ends = Vec::new();
        while let Some(unit) = demuxer.next_unit().expect("sound") {
            ends.push(unit.end.frame(rate()));
        }
        assert_eq!(ends, want);
    }
}

#[test]
fn adts_is_told_by_frames_that_agree() {
    let cases: [(&str, Vec<u8>, bool); 7] = [
        ("frames", frames(adts, 0..4), true),
        (
            "joined in the middle",
            frames(adts, 0..5)[30..].to_vec(),
            true,
        ),
        ("behind a tag", [tag(60), frames(adts, 0..3)].concat(), true),
        ("one frame", adts(0), false),
        ("MP3", frames(mp3, 0..5), false),
        (
            "bytes like MP3",
            [0xFF, 0xFB, 0x90, 0x00].repeat(100),
            false,
        ),
        ("nothing", Vec::new(), false),
    ];
    for (case, head, want) in cases {
        assert_eq!(looks_like_adts(&head), want, "{case}");
    }
}
