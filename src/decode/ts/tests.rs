//! Whole segments through the demuxer.

mod damage;
mod joins;
mod property;
mod turns;

use super::testkit::{Mux, PICTURES, SOUND, TITLES, frame, frames, stamp};
use super::*;
use crate::decode::latm::tests::loas;
use crate::decode::ticks::TICKS_PER_SECOND;
use crate::decode::window::tests::Drip;
use crate::media::Codec;
use crate::units::SampleRate;

const START: u64 = 126_000;

/// A frame as it came out: the number in its payload, and when it begins, in
/// frames of 1024 samples since the first.
type Heard = (u8, f64);

fn rate() -> SampleRate {
    SampleRate::new(44_100).expect("an allowed rate")
}

fn open(bytes: &[u8], step: usize) -> Result<Demuxer, Problem> {
    resume(bytes, step, None)
}

fn resume(bytes: &[u8], step: usize, before: Option<Tail>) -> Result<Demuxer, Problem> {
    let mut drip = Drip::new(bytes.to_vec(), step);
    drip.seekable = true;
    Demuxer::open(None, Box::new(drip), Arc::default(), None, before)
}

/// Every frame, and the count of errors.
fn hear(demuxer: &mut Demuxer) -> Result<(Vec<Heard>, u64), Problem> {
    let zero = MediaTime::from_ticks(i64::try_from(START).expect("small"), TICKS_PER_SECOND);
    let mut heard = Vec::new();
    while let Some(unit) = demuxer.next_unit()? {
        let place = (unit.start - zero).frame(rate()) as f64 / 1024.0;
        heard.push((
            *unit.data.last().expect("not empty"),
            (place * 100.0).round() / 100.0,
        ));
    }
    Ok((heard, demuxer.streams.stats.decode_errors.total()))
}

fn listen(bytes: &[u8]) -> (Vec<Heard>, u64) {
    let mut demuxer = open(bytes, 4096).expect("a transport stream");
    hear(&mut demuxer).expect("sound")
}

fn numbers(heard: &[Heard]) -> Vec<u8> {
    heard.iter().map(|(number, _)| *number).collect()
}

/// Whether each frame is where its number says.
fn is_in_time(heard: &[Heard]) -> bool {
    heard
        .iter()
        .all(|(number, place)| (f64::from(*number) - place).abs() < 0.01)
}

#[test]
fn frames_come_out_whole_with_their_times() {
    for each in [1, 3, 8] {
        let mux = Mux::adts(START, 0..20, each);
        let mut demuxer = open(&mux.bytes, 4096).expect("a transport stream");
        assert_eq!(demuxer.track().codec, Codec::Aac);
        for number in 0..20 {
            let unit = demuxer.next_unit().expect("sound").expect("a frame");
            assert_eq!(unit.data, frame(number), "{number} of {each}");
            let length = (unit.end - unit.start).frame(rate());
            assert_eq!(length, 1024, "{number} of {each}");
        }
        assert!(demuxer.next_unit().expect("sound").is_none());
        let (heard, errors) = listen(&mux.bytes);
        assert!(is_in_time(&heard) && errors == 0, "{each}: {heard:?}");
    }
}

#[test]
fn rounded_stamps_never_shift_a_frame() {
    let mut mux = Mux::with(&[(0x0F, SOUND, &[])]);
    for number in 0..40 {
        // Milliseconds, as of an RTMP encoder, and 20 more or less.
        let millis = stamp(START, number) / 90 + [0, 20, 0, 20][number % 4];
        mux.pes(SOUND, Some(millis * 90), &frame(number));
    }
    let (heard, errors) = listen(&mux.bytes);
    assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
}

#[test]
fn frames_may_lie_across_pes_packets_as_they_like() {
    let stream = frames(0..12);
    for size in [7, 60, 93, 150, 333, 1000] {
        let mut mux = Mux::with(&[(0x0F, SOUND, &[])]);
        for (index, part) in stream.chunks(size).enumerate() {
            // A stamp belongs to the first frame that begins in the packet.
            let first = (index * size).div_ceil(100);
            let begins = first * 100 < index * size + part.len();
            mux.pes(SOUND, begins.then(|| stamp(START, first)), part);
        }
        let (heard, errors) = listen(&mux.bytes);
        assert_eq!(numbers(&heard), (0..12).collect::<Vec<_>>(), "{size}");
        assert!(is_in_time(&heard) && errors == 0, "{size}: {heard:?}");
    }
}

#[test]
fn a_clock_that_wraps_in_the_middle_goes_on() {
    let start = (1 << 33) - stamp(0, 10);
    let mux = Mux::adts(start, 0..20, 3);
    let cases = [
        (None, 0),
        (Some(0), -(1_i64 << 33)),
        (Some(7 << 33), 6 << 33),
    ];
    for (near, offset) in cases {
        let near = near.map(|near| MediaTime::from_ticks(near, TICKS_PER_SECOND));
        let source = Box::new(Drip::new(mux.bytes.clone(), 4096));
        let mut demuxer =
            Demuxer::open(None, source, Arc::default(), near, None).expect("a stream");
        let ticks = offset + i64::try_from(start).expect("33 bits");
        let zero = MediaTime::from_ticks(ticks, TICKS_PER_SECOND);
        for number in 0..20 {
            let unit = demuxer.next_unit().expect("sound").expect("a frame");
            let frame = (unit.start - zero).frame(rate());
            assert_eq!(frame, number * 1024, "{number}, near {near:?}");
        }
    }
}

#[test]
fn a_jump_of_the_clock_is_followed() {
    let mut mux = Mux::adts(START, 0..6, 3);
    mux.sound(stamp(START, 100), 100..106, 3);
    let (heard, errors) = listen(&mux.bytes);
    assert_eq!(heard.len(), 12);
    assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
}

#[test]
fn sound_is_found_among_pictures_and_before_its_tables() {
    let streams: [(u8, u16, &[u8]); 3] = [
        (0x1B, PICTURES, &[]),
        (0x81, 0x200, &[]),
        (0x0F, SOUND, &[]),
    ];
    let mut mux = Mux::default();
    mux.sound(START, 0..3, 3); // the map comes late
    mux.tables(0, &streams);
    for number in 3..9 {
        mux.pes(PICTURES, Some(0), &[0xFF; 700]);
        mux.pes(0x200, Some(0), &[0x0B; 300]);
        mux.sound(stamp(START, number), number..number + 1, 1);
    }
    let (heard, errors) = listen(&mux.bytes);
    assert_eq!(numbers(&heard), (0..9).collect::<Vec<_>>());
    assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
}

#[test]
fn a_new_map_moves_the_sound() {
    let mut mux = Mux::adts(START, 0..6, 3);
    mux.tables(1, &[(0x0F, 0x300, &[])]);
    mux.sound(stamp(START, 50), 50..53, 3); // no longer meant
    mux.pes(0x300, Some(stamp(START, 6)), &frames(6..9));
    mux.pes(0x300, Some(stamp(START, 9)), &frames(9..12));
    let (heard, _) = listen(&mux.bytes);
    assert_eq!(numbers(&heard), (0..12).collect::<Vec<_>>());
    assert!(is_in_time(&heard), "{heard:?}");
}

#[test]
fn mpeg_audio_and_latm_are_framed_too() {
    let mp3 = |number: u8| [&[0xFF, 0xFB, 0x90, 0x44][..], &[number; 413]].concat();
    let mp3: &dyn Fn(u8) -> Vec<u8> = &mp3;
    let cases = [
        ("MP3", 0x03, mp3, Codec::Mp3, 1152),
        (
            "LATM",
            0x11,
            &|number| loas(&[number; 90], number % 4 == 0),
            Codec::Aac,
            1024,
        ),
        (
            "LATM joined late",
            0x11,
            &|number| loas(&[number; 90], number == 5),
            Codec::Aac,
            1024,
        ),
        (
            "LATM called ADTS",
            0x0F,
            &|number| loas(&[number; 90], number % 4 == 0),
            Codec::Aac,
            1024,
        ),
    ];
    for (case, kind, frame, codec, length) in cases {
        let mut mux = Mux::with(&[(kind, SOUND, &[])]);
        for number in 0..9 {
            let data = [frame(number * 2), frame(number * 2 + 1)].concat();
            let ticks =
                u64::from(number) * 2 * u64::try_from(length).expect("small") * 90_000 / 44_100;
            mux.pes(SOUND, Some(START + ticks), &data);
        }
        let mut demuxer = open(&mux.bytes, 100).expect(case);
        assert_eq!(demuxer.track().codec, codec, "{case}");
        for number in 0..18 {
            let unit = demuxer.next_unit().expect(case).expect(case);
            assert_eq!(i64::from(*unit.data.last().expect(case)), number, "{case}");
            assert_eq!(
                (unit.end - unit.start).frame(rate()),
                length,
                "{case}, {number}"
            );
        }
        assert!(demuxer.next_unit().expect(case).is_none(), "{case}");
    }
}

#[test]
fn titles_come_with_their_times() {
    let tag = |title: &str| {
        let frame = [
            &b"TIT2\0\0\0"[..],
            &[u8::try_from(title.len() + 1).expect("short")],
            &[0, 0, 3],
            title.as_bytes(),
        ]
        .concat();
        [
            &b"ID3\x04\0\0\0\0\0"[..],
            &[u8::try_from(frame.len()).expect("short")],
            &frame,
        ]
        .concat()
    };
    let long = "a title that is longer than a packet,".repeat(3);
    let mut mux = Mux::with(&[(0x0F, SOUND, &[]), (0x15, TITLES, &[])]);
    mux.pes(TITLES, Some(stamp(START, 2)), &tag("first"));
    mux.sound(START, 0..6, 3);
    mux.pes(
        TITLES,
        Some(stamp(START, 5)),
        &[tag(&long), tag("third")].concat(),
    );
    mux.sound(stamp(START, 6), 6..9, 3);
    let mut demuxer = open(&mux.bytes, 4096).expect("sound");
    let (heard, _) = hear(&mut demuxer).expect("sound");
    assert_eq!(heard.len(), 9);
    let want = [(2, "first"), (5, &long), (5, "third")];
    let titles = demuxer.take_titles();
    assert_eq!(titles.len(), want.len(), "{titles:?}");
    for ((at, title), (count, text)) in titles.iter().zip(want) {
        let ticks = i64::try_from(stamp(START, count)).expect("small");
        assert_eq!(at.ticks(TICKS_PER_SECOND), ticks, "{text}");
        assert_eq!(title, text);
    }
    assert!(demuxer.take_titles().is_empty());
}

#[test]
fn other_packet_sizes_are_read_as_well() {
    let packets = Mux::adts(START, 0..20, 3).packets();
    let stamped = packets
        .iter()
        .flat_map(|packet| [&[0x12, 0x34, 0x56, 0x78], &packet[..]].concat());
    let corrected = packets
        .iter()
        .flat_map(|packet| [&packet[..], &[0x47; 16]].concat());
    let cases: [(&str, Vec<u8>); 3] = [
        ("time stamps", stamped.collect()),
        ("error correction", corrected.collect()),
        ("behind junk", [&[0x47; 90][..], &packets.concat()].concat()),
    ];
    for (case, bytes) in cases {
        let (heard, errors) = listen(&bytes);
        assert_eq!(numbers(&heard), (0..20).collect::<Vec<_>>(), "{case}");
        assert_eq!(errors, 0, "{case}");
        assert!(looks_like_ts(&bytes[..612]), "{case}");
    }
}

#[test]
fn the_first_frame_comes_before_the_segment_is_whole() {
    let whole = Mux::adts(START, 0..40, 4).bytes;
    let mut drip = Drip::new(whole[..5 * 188].to_vec(), 188);
    drip.failure = Some(Problem::stopped()); // nothing more came yet
    let mut demuxer =
        Demuxer::open(None, Box::new(drip), Arc::default(), None, None).expect("a frame");
    for number in 0..3 {
        let unit = demuxer.next_unit().expect("in time").expect("a frame");
        assert_eq!(unit.data, frame(number));
    }
}
