//! ADTS streams with tags, damage and changes, through the demuxer.

use super::*;
use crate::decode::window::tests::Drip;
use proptest::prelude::*;

const PAYLOAD: usize = 93;

/// A frame of stereo at 44.1 kHz whose bytes all tell its number.
fn frame(number: u8) -> Vec<u8> {
    let number = number & 0x7F; // never looks like a header
    [
        &[0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC][..],
        &[number; PAYLOAD],
    ]
    .concat()
}

fn frames(numbers: std::ops::Range<u8>) -> Vec<u8> {
    numbers.flat_map(frame).collect()
}

fn tag(length: u8) -> Vec<u8> {
    [
        &b"ID3\x04\0\0\0\0\0"[..],
        &[length],
        &vec![0xFF; length.into()],
    ]
    .concat()
}

fn open(bytes: Vec<u8>, step: usize) -> Result<Demuxer, Problem> {
    let mut drip = Drip::new(bytes, step);
    drip.seekable = true;
    Demuxer::open(Box::new(drip), Arc::default(), MediaTime::ZERO)
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

#[test]
fn frames_come_out_whole_with_their_times() {
    let mut demuxer = open(frames(0..3), 11).expect("ADTS");
    let rate = SampleRate::new(44_100).expect("an allowed rate");
    for number in 0..3_u8 {
        let unit = demuxer.next_unit().expect("sound").expect("a frame");
        assert_eq!(unit.data, frame(number));
        let start = i64::from(number) * 1024;
        assert_eq!(unit.start.frame(rate), start);
        assert_eq!(unit.end.frame(rate), start + 1024);
    }
    assert!(demuxer.next_unit().expect("sound").is_none());
    assert_eq!(demuxer.track().codec, Codec::Aac);
}

#[test]
fn tags_and_damage_are_passed_over() {
    let join = |parts: &[&[u8]]| parts.concat();
    let damaged = {
        let mut bytes = frames(0..6);
        bytes[210..330].fill(0x55); // most of frame 2, and the header of frame 3
        bytes
    };
    let cases = [
        ("bare", frames(0..4), vec![0, 1, 2, 3]),
        (
            "stacked tags",
            join(&[&tag(20), &tag(0), &frames(0..4)]),
            vec![0, 1, 2, 3],
        ),
        (
            "tag between",
            join(&[&frames(0..2), &tag(30), &frames(2..4)]),
            vec![0, 1, 2, 3],
        ),
        (
            "ID3v1",
            join(&[&frames(0..4), b"TAG", &[0x20; 125]]),
            vec![0, 1, 2, 3],
        ),
        (
            "APE",
            join(&[&frames(0..4), b"APETAGEX", &[0xFF; 200]]),
            vec![0, 1, 2, 3],
        ),
        (
            "joined in the middle",
            frames(0..4)[30..].to_vec(),
            vec![1, 2, 3],
        ),
        (
            "junk at the end",
            join(&[&frames(0..4), &[0x20; 50]]),
            vec![0, 1, 2, 3],
        ),
        ("damage", damaged, vec![0, 1, 0x55, 4, 5]),
    ];
    for (case, bytes, want) in cases {
        for step in [1, 13, 4096] {
            assert_eq!(
                read(bytes.clone(), step).as_ref(),
                Ok(&want),
                "{case}, {step}"
            );
        }
    }
}

#[test]
fn the_timestamp_of_a_segment_is_read_from_its_tag() {
    let owner = b"com.apple.streaming.transportStreamTimestamp\0";
    let private = [
        &b"PRIV\0\0\0\x35\0\0"[..],
        owner,
        &[0xFF, 0, 0, 1, 0, 0, 0, 9],
    ]
    .concat();
    let length = u8::try_from(private.len()).expect("small");
    let tagged = [
        &b"ID3\x04\0\0\0\0\0"[..],
        &[length],
        &private,
        &frames(0..2),
    ]
    .concat();
    let cases = [
        ("tagged", tagged.clone(), Some(0x1_0000_0009)),
        (
            "behind another tag",
            [tag(9), tagged].concat(),
            Some(0x1_0000_0009),
        ),
        ("another tag", [tag(90), frames(0..2)].concat(), None),
        ("no tag", frames(0..2), None),
    ];
    for (case, bytes, want) in cases {
        assert_eq!(open(bytes, 7).expect(case).timestamp(), want, "{case}");
    }
}

#[test]
fn what_is_broken_is_no_end() {
    let whole = frames(0..4);
    let cases = [
        ("cut inside a frame", whole[..350].to_vec(), Kind::Malformed),
        (
            "cut inside a header",
            whole[..303].to_vec(),
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
fn a_seek_lands_on_the_frame_that_is_heard() {
    let mut demuxer = open(frames(0..100), 4096).expect("ADTS");
    let rate = SampleRate::new(44_100).expect("an allowed rate");
    for (to, want) in [
        (50 * 1024 + 5, 50),
        (3 * 1024, 3),
        (3 * 1024 - 1, 2),
        (99 * 1024, 99),
    ] {
        let landed = demuxer.seek(Frames(to).time(rate)).expect("sound");
        assert_eq!(landed, Frames(want * 1024).time(rate), "{to}");
        let unit = demuxer.next_unit().expect("sound").expect("a frame");
        assert_eq!(unit.start, landed, "{to}");
        assert_eq!(unit.data.last(), u8::try_from(want).ok().as_ref(), "{to}");
    }
    let past = demuxer.seek(Frames(1 << 30).time(rate)).expect("sound");
    assert_eq!(past, Frames(100 * 1024).time(rate));
    assert!(demuxer.next_unit().expect("sound").is_none());
}

#[test]
fn a_stream_that_changes_its_rate_goes_on_in_time() {
    let slow = |number| {
        let mut bytes = frame(number);
        bytes[2] = 0x5C; // 22.05 kHz
        bytes
    };
    let bytes = [frames(0..2), slow(2), slow(3)].concat();
    let mut demuxer = open(bytes, 64).expect("ADTS");
    let mut ends = Vec::new();
    while let Some(unit) = demuxer.next_unit().expect("sound") {
        ends.push(
            unit.end
                .frame(SampleRate::new(44_100).expect("an allowed rate")),
        );
    }
    assert_eq!(ends, [1024, 2048, 4096, 6144]);
}

#[test]
fn adts_is_told_by_frames_that_agree() {
    let cases: [(&str, Vec<u8>, bool); 6] = [
        ("frames", frames(0..4), true),
        ("joined in the middle", frames(0..5)[30..].to_vec(), true),
        ("behind a tag", [tag(60), frames(0..3)].concat(), true),
        ("one frame", frame(0), false),
        ("MP3", [0xFF, 0xFB, 0x90, 0x00].repeat(100), false),
        ("nothing", Vec::new(), false),
    ];
    for (case, head, want) in cases {
        assert_eq!(looks_like_adts(&head), want, "{case}");
    }
}

proptest! {
    #[test]
    fn garbled_frames_neither_panic_nor_run_on(
        edits in prop::collection::vec((0_usize..900, any::<u8>()), 1..20),
        step in 1_usize..300,
    ) {
        let mut bytes = [tag(20), frames(0..8), b"TAG".to_vec()].concat();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        prop_assert!(read(bytes, step).map_or(0, |numbers| numbers.len()) <= 130);
    }
}
