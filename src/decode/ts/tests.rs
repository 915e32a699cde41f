//! Whole segments through the demuxer: in any read size, damaged in every way,
//! cut where no frame ends.

use super::testkit::{Mux, PICTURES, SOUND, TITLES, frame, frames, pes, section, stamp};
use super::*;
use crate::decode::latm::tests::loas;
use crate::decode::ticks::TICKS_PER_SECOND;
use crate::decode::window::tests::Drip;
use crate::media::Codec;
use crate::units::SampleRate;
use proptest::prelude::*;

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
    Demuxer::open(Box::new(drip), Arc::default(), None, before)
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
        let mut demuxer = Demuxer::open(source, Arc::default(), near, None).expect("a stream");
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
fn damage_costs_the_frames_it_hits_and_no_time() {
    let all = |gone: &[u8]| {
        (0..40)
            .filter(|number| !gone.contains(number))
            .collect::<Vec<u8>>()
    };
    // Packets: PAT, PMT, then PES packets of 4 frames in 3 packets each; a frame of 100 bytes.
    let clean = Mux::adts(START, 0..40, 4).packets();
    let edit = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut packets = clean.clone();
        change(&mut packets);
        packets.concat()
    };
    let cases: [(&str, Vec<u8>, Vec<u8>, u64); 11] = [
        ("nothing", edit(&|_| {}), all(&[]), 0),
        (
            "doubled packets",
            edit(&|packets| packets.insert(6, packets[6].clone())),
            all(&[]),
            0,
        ),
        (
            "every packet twice",
            edit(&|packets| {
                *packets = packets
                    .iter()
                    .flat_map(|one| [one.clone(), one.clone()])
                    .collect();
            }),
            all(&[]),
            0,
        ),
        (
            "a middle packet lost",
            edit(&|packets| drop(packets.remove(6))),
            all(&[5, 6, 7]),
            1,
        ),
        (
            "a first packet lost",
            edit(&|packets| drop(packets.remove(5))),
            all(&[4, 5]),
            1,
        ),
        (
            "a last packet lost",
            edit(&|packets| drop(packets.remove(7))),
            all(&[7]),
            1,
        ),
        (
            "a PES packet lost",
            edit(&|packets| drop(packets.drain(5..8))),
            all(&[4, 5, 6, 7]),
            1,
        ),
        (
            "many packets lost",
            edit(&|packets| drop(packets.drain(6..23))),
            all(&(5..=27).collect::<Vec<_>>()),
            1,
        ),
        (
            "damaged on its way",
            edit(&|packets| packets[6][1] |= 0x80),
            all(&[5, 6, 7]),
            1,
        ),
        (
            "a header overwritten",
            edit(&|packets| packets[5][118] = 0),
            all(&[5]),
            1,
        ),
        (
            "100 bytes lost",
            edit(&|packets| drop(packets[6].drain(50..150))),
            all(&[5, 6, 7]),
            1,
        ),
    ];
    for (case, bytes, want, errors) in cases {
        let (heard, counted) = listen(&bytes);
        assert_eq!(numbers(&heard), want, "{case}");
        assert!(is_in_time(&heard), "{case}: {heard:?}");
        assert_eq!(counted, errors, "{case}");
    }
}

#[test]
fn a_segment_may_be_cut_off_anywhere() {
    let whole = Mux::adts(START, 0..12, 3).bytes;
    for length in (0..whole.len()).step_by(31) {
        match open(&whole[..length], 4096).and_then(|mut demuxer| hear(&mut demuxer)) {
            Ok((heard, errors)) => {
                let count = u8::try_from(heard.len()).expect("few");
                assert_eq!(numbers(&heard), (0..count).collect::<Vec<_>>(), "{length}");
                assert_eq!(errors, 0, "{length}");
            }
            Err(problem) => assert!(length < 4 * 188, "{length}: {problem}"),
        }
    }
}

#[test]
fn what_one_segment_leaves_unfinished_the_next_one_finishes() {
    let packets = Mux::adts(START, 0..40, 8).packets();
    for cut in 3..packets.len() {
        let (first, second) = packets.split_at(cut);
        let mut demuxer = open(&first.concat(), 4096).expect("a segment");
        let (mut heard, _) = hear(&mut demuxer).expect("sound");
        // The second has no tables of its own.
        let tail = demuxer.into_tail();
        let mut demuxer = resume(&second.concat(), 4096, tail).expect("a segment");
        let (rest, errors) = hear(&mut demuxer).expect("sound");
        heard.extend(rest);
        assert_eq!(numbers(&heard), (0..40).collect::<Vec<_>>(), "{cut}");
        assert!(is_in_time(&heard) && errors == 0, "{cut}: {heard:?}");
    }
}

#[test]
fn a_segment_that_counts_packets_anew_follows_without_a_loss() {
    let mut demuxer = open(&Mux::adts(START, 0..7, 3).bytes, 4096).expect("a segment");
    let (mut heard, _) = hear(&mut demuxer).expect("sound");
    let next = Mux::adts(stamp(START, 7), 7..20, 3).bytes;
    let mut demuxer = resume(&next, 4096, demuxer.into_tail()).expect("a segment");
    let (rest, errors) = hear(&mut demuxer).expect("sound");
    heard.extend(rest);
    assert_eq!(numbers(&heard), (0..20).collect::<Vec<_>>());
    assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
}

#[test]
fn a_segment_of_pictures_only_is_borne_inside_a_run() {
    let streams: [(u8, u16, &[u8]); 2] = [(0x1B, PICTURES, &[]), (0x0F, SOUND, &[])];
    let mut pictures = Mux::with(&streams);
    pictures.pes(PICTURES, Some(0), &[0; 3000]);
    let problem = open(&pictures.bytes, 4096).err().expect("no sound");
    assert_eq!(problem.kind, Kind::Malformed, "{problem}");
    let mut both = Mux::with(&streams);
    both.sound(START, 0..3, 3);
    let mut demuxer = open(&both.bytes, 4096).expect("sound");
    hear(&mut demuxer).expect("sound");
    let mut demuxer = resume(&pictures.bytes, 4096, demuxer.into_tail()).expect("borne");
    assert!(demuxer.next_unit().expect("pictures").is_none());
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
fn what_cannot_be_played_is_named() {
    let opus: &[u8] = b"\x05\x04Opus\x7F\x02\x80\x02";
    let tables = |streams: &[(u8, u16, &[u8])]| {
        let mut mux = Mux::with(streams);
        mux.pes(SOUND, Some(0), &[0; 1000]);
        mux.bytes
    };
    let mut scrambled = Mux::adts(START, 0..6, 3).packets();
    scrambled
        .iter_mut()
        .skip(2)
        .for_each(|packet| packet[3] |= 0xC0);
    let cases: [(Vec<u8>, Kind, &str); 12] = [
        (
            tables(&[(0x1B, PICTURES, &[])]),
            Kind::Unsupported,
            "only H.264 pictures",
        ),
        (tables(&[]), Kind::Unsupported, "there is no sound in it"),
        (
            tables(&[(0x81, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is AC-3",
        ),
        (
            tables(&[(0x87, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is E-AC-3",
        ),
        (
            tables(&[(0x06, SOUND, &[0x6A, 1, 0])]),
            Kind::Unsupported,
            "its sound is AC-3",
        ),
        (
            tables(&[(0x06, SOUND, opus)]),
            Kind::Unsupported,
            "its sound is Opus",
        ),
        (
            tables(&[(0x8A, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is DTS",
        ),
        (
            tables(&[(0xCF, SOUND, &[])]),
            Kind::Encryption,
            "AAC encrypted by SAMPLE-AES",
        ),
        (
            tables(&[(0x0F, SOUND, &[])]),
            Kind::Malformed,
            "there is no frame of AAC in it",
        ),
        (scrambled.concat(), Kind::Encryption, "scrambled"),
        (
            Mux::adts(START, 0..6, 3).bytes[376..].to_vec(),
            Kind::Malformed,
            "no program map",
        ),
        (vec![0x55; 4000], Kind::NotAStream, "no transport packets"),
    ];
    for (bytes, kind, why) in cases {
        let problem = open(&bytes, 4096).err().expect(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}, not {why:?}");
    }
}

#[test]
fn mpeg_audio_and_latm_are_framed_too() {
    let mp3 = |number: u8| [&[0xFF, 0xFB, 0x90, 0x44][..], &[number; 413]].concat();
    let cases: [(&str, u8, &dyn Fn(u8) -> Vec<u8>, Codec, i64); 4] = [
        ("MP3", 0x03, &mp3, Codec::Mp3, 1152),
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
    let mut demuxer = Demuxer::open(Box::new(drip), Arc::default(), None, None).expect("a frame");
    for number in 0..3 {
        let unit = demuxer.next_unit().expect("in time").expect("a frame");
        assert_eq!(unit.data, frame(number));
    }
}

/// A stream with everything in it.
fn colourful() -> Vec<u8> {
    let mut mux = Mux::with(&[
        (0x1B, PICTURES, &[]),
        (0x0F, SOUND, &[]),
        (0x15, TITLES, &[]),
    ]);
    for number in (0..30).step_by(3) {
        mux.pes(PICTURES, Some(0), &[0x47; 500]);
        mux.sound(stamp(START, number), number..number + 3, 2);
        mux.pes(
            TITLES,
            None,
            b"ID3\x04\0\0\0\0\0\x0ETIT2\0\0\0\x04\0\0\x03abc",
        );
        mux.section(0x1FFB, &section(0xC7, 0, &[number as u8; 300]));
    }
    mux.packet(SOUND, true, &pes(None, &frame(30))[..8]); // a header in two packets
    mux.packet(SOUND, false, &pes(None, &frame(30))[8..]);
    mux.bytes
}

/// What came out until the end or a problem, and how much memory it took.
fn outcome(bytes: &[u8], step: usize) -> (Vec<(Vec<u8>, MediaTime)>, Option<Problem>, u64) {
    let mut units = Vec::new();
    let mut demuxer = match open(bytes, step) {
        Ok(demuxer) => demuxer,
        Err(problem) => return (units, Some(problem), 0),
    };
    let problem = loop {
        match demuxer.next_unit() {
            Ok(Some(unit)) => units.push((unit.data.to_vec(), unit.start)),
            Ok(None) => break None,
            Err(problem) => break Some(problem),
        }
    };
    (units, problem, demuxer.streams.stats.decode_errors.total())
}

proptest! {
    #[test]
    fn every_read_size_gives_the_same(
        edits in prop::collection::vec((0_usize..20_000, any::<u8>()), 0..12),
        cuts in prop::collection::vec((0_usize..20_000, 0_usize..400), 0..3),
        step in 1_usize..700,
    ) {
        let mut bytes = colourful();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        for (at, length) in cuts {
            let at = at % bytes.len();
            let end = (at + length).min(bytes.len());
            bytes.drain(at..end);
        }
        let whole = outcome(&bytes, usize::MAX);
        prop_assert!(whole.0.len() <= 60);
        prop_assert_eq!(whole, outcome(&bytes, step));
    }

    #[test]
    fn noise_is_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..3000), step in 1_usize..500) {
        let mut stream = Mux::with(&[(0x0F, SOUND, &[]), (0x15, TITLES, &[])]);
        for (index, part) in bytes.chunks(184).enumerate() {
            stream.packet([SOUND, TITLES, 0, 0x1000][index % 4], index % 3 == 0, part);
        }
        prop_assert_eq!(outcome(&stream.bytes, step), outcome(&stream.bytes, usize::MAX));
        outcome(&bytes, step);
    }
}
