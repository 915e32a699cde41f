//! Whole segments through the demuxer: every shape, every read size, every way to be broken.

use super::testkit::{Movie, Segment, boxed};
use super::*;
use crate::decode::codec::{Decoded, Decoder};
use crate::decode::window::tests::Drip;
use proptest::prelude::*;
use rusty_aac::{AacEncoder, AacEncoderConfig, audio_specific_config_bytes};

/// Data and times of a unit, to be compared.
#[derive(Clone, Debug, PartialEq)]
struct Row(Vec<u8>, i64, i64);

fn demuxer(drip: Drip) -> Demuxer {
    let init = Drip::new(Movie::default().bytes(), 4096);
    let init = Init::read(Box::new(init), Arc::default()).expect("a sound section");
    Demuxer::new(&init, Box::new(drip), Arc::default(), MediaTime::ZERO)
}

fn rows(demuxer: &mut Demuxer) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    let rate = crate::units::SampleRate::new(44_100).expect("an allowed rate");
    while let Some(unit) = demuxer.next_unit()? {
        rows.push(Row(
            unit.data.to_vec(),
            unit.start.frame(rate),
            unit.end.frame(rate),
        ));
    }
    Ok(rows)
}

fn read(bytes: &[u8], step: usize) -> Result<Vec<Row>, Problem> {
    rows(&mut demuxer(Drip::new(bytes.to_vec(), step)))
}

fn expected(first: i64, sizes: &[usize]) -> Vec<Row> {
    let row = |(index, &size): (usize, &usize)| {
        let start = first + 1024 * i64::try_from(index).expect("small");
        Row(testkit::unit(index, size), start, start + 1024)
    };
    sizes.iter().enumerate().map(row).collect()
}

#[test]
fn every_shape_of_segment_gives_its_units() {
    let plain = Segment {
        time: Some(500),
        units: testkit::units(&[3, 700, 0x1_0000]),
        ..Segment::default()
    };
    let want = expected(500, &[3, 700, 0x1_0000]);
    let extra: Vec<u8> = [b"styp", b"sidx", b"emsg", b"free", b"prft", b"uuid"]
        .iter()
        .flat_map(|kind| boxed(kind, &[7; 40]))
        .collect();
    let shapes = [
        ("plain", plain.bytes()),
        (
            "64-bit size",
            Segment {
                long_mdat: true,
                ..plain.clone()
            }
            .bytes(),
        ),
        (
            "open end",
            Segment {
                open_mdat: true,
                ..plain.clone()
            }
            .bytes(),
        ),
        (
            "among other boxes",
            [extra.clone(), plain.bytes(), extra].concat(),
        ),
        (
            "with its own moov",
            [Movie::default().bytes(), plain.bytes()].concat(),
        ),
        (
            "between video",
            Segment {
                video: 300_000,
                ..plain.clone()
            }
            .bytes(),
        ),
    ];
    for (shape, bytes) in shapes {
        for step in [5, 1460, 1 << 20] {
            assert_eq!(
                read(&bytes, step).as_ref(),
                Ok(&want),
                "{shape}, {step} bytes a read"
            );
        }
    }
}

#[test]
fn titles_of_event_messages_come_with_their_times() {
    let tag = b"ID3\x04\0\0\0\0\0\x0fTIT2\0\0\0\x05\0\0\x03Song";
    let scheme = b"https://aomedia.org/emsg/ID3\0\0";
    let scale = 44_100_u32.to_be_bytes();
    let before = [&[0; 4], &scheme[..], &scale, &[0, 0, 2, 0], &[0; 8], tag].concat();
    let time = 5000_u64.to_be_bytes();
    let between = [&[1, 0, 0, 0], &scale[..], &time, &[0; 8], scheme, tag].concat();
    let too_long = [&between[..], &vec![0; 1 << 17]].concat();
    let segment = |time| Segment {
        time: Some(time),
        units: testkit::units(&[30, 40]),
        ..Segment::default()
    };
    let bytes = [
        boxed(b"emsg", &before),
        segment(1024).bytes(),
        boxed(b"emsg", &between),
        boxed(b"emsg", &too_long),
        boxed(b"emsg", b"\0\0\0\0cut off"),
        segment(3072).bytes(),
    ]
    .concat();
    let ticks = |ticks| MediaTime::from_ticks(ticks, 44_100.try_into().expect("not zero"));
    let want = [1024 + 512, 5000].map(|time| (ticks(time), "Song".to_owned()));
    for step in [1, 100, 1 << 20] {
        let mut demuxer = demuxer(Drip::new(bytes.clone(), step));
        assert_eq!(rows(&mut demuxer).map(|rows| rows.len()), Ok(4));
        assert_eq!(demuxer.take_titles(), want, "{step} bytes a read");
    }
}

#[test]
fn fragments_follow_each_other() {
    let first = Segment {
        time: Some(0),
        units: testkit::units(&[10, 20]),
        ..Segment::default()
    };
    let second = Segment {
        time: None,
        units: testkit::units(&[30]),
        ..Segment::default()
    };
    let got = read(&[first.bytes(), second.bytes()].concat(), 100).expect("sound");
    let want = [expected(0, &[10, 20]), expected(2048, &[30])].concat();
    assert_eq!(got, want);
}

#[test]
fn a_segment_without_a_time_starts_where_the_caller_says() {
    let segment = Segment {
        time: None,
        units: testkit::units(&[10]),
        ..Segment::default()
    };
    let source = Drip::new([Movie::default().bytes(), segment.bytes()].concat(), 64);
    let start = MediaTime::from_ticks(9 * 1024, 44_100.try_into().expect("not zero"));
    let stats = Arc::default();
    let mut demuxer = Demuxer::self_initialising(Box::new(source), stats, start).expect("sound");
    assert_eq!(rows(&mut demuxer), Ok(expected(9 * 1024, &[10])));
}

#[test]
fn a_unit_is_given_before_the_byte_after_it_has_come() {
    let segment = Segment {
        units: testkit::units(&[100, 200, 300]),
        ..Segment::default()
    };
    let bytes = segment.bytes();
    let still_missing = 500; // all but the first unit
    let mut drip = Drip::new(bytes[..bytes.len() - still_missing].to_vec(), 1 << 20);
    drip.failure = Some(Problem::stopped());
    let mut demuxer = demuxer(drip);
    let first = demuxer.next_unit().expect("it is there").expect("a unit");
    assert_eq!(first.data, testkit::unit(0, 100));
    assert_eq!(demuxer.next_unit().map(|_| ()), Err(Problem::stopped()));
}

#[test]
fn a_cut_segment_is_truncated_wherever_it_is_cut() {
    let bytes = Segment {
        units: testkit::units(&[100, 200]),
        ..Segment::default()
    }
    .bytes();
    for length in 1..bytes.len() {
        let problem = read(&bytes[..length], 64).expect_err("cut");
        assert_eq!(problem.kind, Kind::Malformed, "{length}: {problem}");
    }
    assert_eq!(read(&bytes, 64).map(|rows| rows.len()), Ok(2));
}

#[test]
fn what_is_cut_off_the_data_of_others_is_not_missed() {
    let bytes = Segment {
        units: testkit::units(&[100]),
        video: 400,
        ..Segment::default()
    }
    .bytes();
    assert_eq!(
        read(&bytes[..bytes.len() - 50], 64),
        Ok(expected(0, &[100]))
    );
}

#[test]
fn broken_segments_are_refused_with_their_reason() {
    let good = Segment {
        units: testkit::units(&[50]),
        ..Segment::default()
    };
    let behind = Segment {
        data_offset: Some(8),
        ..good.clone()
    };
    let outside = Segment {
        short_mdat: true,
        ..good.clone()
    };
    let other = Movie {
        entry: testkit::sample_entry(b"mp4a", 0, &testkit::esds(0x40, &[0x11, 0x90])),
        ..Movie::default()
    };
    let locked = Segment {
        encrypted: true,
        ..good.clone()
    };
    let cases = [
        (behind.bytes(), Kind::Malformed, "where \"moof\" says"),
        (outside.bytes(), Kind::Malformed, "where \"moof\" says"),
        (
            b"<!DOCTYPE html>".to_vec(),
            Kind::NotAStream,
            "begin like MP4",
        ),
        (
            [other.bytes(), good.bytes()].concat(),
            Kind::Unsupported,
            "codec changes",
        ),
        (locked.bytes(), Kind::Encryption, "encrypted"),
        (
            boxed(b"moof", &[0; 4])[..4].to_vec(),
            Kind::Malformed,
            "truncated",
        ),
        (b"\0\0\0\0moof".to_vec(), Kind::Malformed, "has no end"),
        (b"\x7f\0\0\0moof".to_vec(), Kind::Limit, "larger than"),
    ];
    for (bytes, kind, why) in cases {
        let problem = read(&bytes, 64).expect_err(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}

#[test]
fn a_file_that_is_only_partly_in_fragments_is_refused() {
    let half = Movie {
        own_samples: 9,
        ..Movie::default()
    };
    let source = Box::new(Drip::new(half.bytes(), 64));
    let refused = Demuxer::self_initialising(source, Arc::default(), MediaTime::ZERO);
    let problem = refused.err().expect("refused");
    assert_eq!(problem.why, "its first part is not in fragments");
}

#[test]
fn fragmented_files_are_told_from_plain_ones() {
    let init = Movie::default().bytes();
    let plain = Movie {
        plain: true,
        ..Movie::default()
    }
    .bytes();
    let half = Movie {
        own_samples: 9,
        ..Movie::default()
    }
    .bytes();
    let cases: [(&str, &[u8], bool); 9] = [
        ("only partly in fragments", &half, false),
        ("init section", &init, true),
        ("init section, cut inside moov", &init[..80], true),
        ("segment", &Segment::default().bytes(), true),
        ("plain file", &plain, false),
        (
            "plain file, moov last",
            b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x01\0mdat",
            false,
        ),
        ("flac", b"fLaC\0\0\0\x22", false),
        ("text", b"#EXTM3U\n#EXT-X", false),
        ("nothing", b"", false),
    ];
    for (case, head, want) in cases {
        assert_eq!(looks_like_fmp4(head), want, "{case}");
    }
}

#[test]
fn hardly_a_byte_is_copied_twice_and_the_buffers_stay() {
    let segment = Segment {
        time: Some(0),
        units: testkit::units(&[700; 400]),
        ..Segment::default()
    };
    let bytes = [segment.bytes(), segment.bytes()].concat();
    let stats = Arc::new(Stats::default());
    let init = Init::read(
        Box::new(Drip::new(Movie::default().bytes(), 4096)),
        Arc::default(),
    );
    let source = Box::new(Drip::new(bytes.clone(), 1 << 20));
    let init = init.expect("a sound section");
    let mut demuxer = Demuxer::new(&init, source, Arc::clone(&stats), MediaTime::ZERO);
    demuxer.next_unit().expect("sound").expect("a unit");
    let room = demuxer.table.capacity();
    while demuxer.next_unit().expect("sound").is_some() {}
    assert_eq!(demuxer.table.capacity(), room);
    let copied = stats.copied_bytes.total();
    assert!(
        copied * 100 <= bytes.len() as u64 * 102,
        "{copied} of {}",
        bytes.len()
    );
}

proptest! {
    #[test]
    fn any_read_size_gives_the_same_units(
        sizes in prop::collection::vec(1_usize..3000, 0..40),
        video in 0_usize..5000,
        step in 1_usize..5000,
    ) {
        let segment = Segment { units: testkit::units(&sizes), video, ..Segment::default() };
        prop_assert_eq!(read(&segment.bytes(), step), Ok(expected(0, &sizes)));
    }

    #[test]
    fn garbled_segments_neither_panic_nor_run_on(
        edits in prop::collection::vec((0_usize..400, any::<u8>()), 1..8),
        with_init in any::<bool>(),
    ) {
        let segment = Segment { units: testkit::units(&[20, 30]), video: 40, ..Segment::default() };
        let mut bytes = match with_init {
            true => [Movie::default().bytes(), segment.bytes()].concat(),
            false => segment.bytes(),
        };
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let _ = read(&bytes, 64);
        let drip = Box::new(Drip::new(bytes, 64));
        let _ = Demuxer::self_initialising(drip, Arc::default(), MediaTime::ZERO)
            .and_then(|mut demuxer| rows(&mut demuxer));
    }
}

#[test]
fn aac_in_fragments_decodes_to_what_its_units_decode_to() {
    let mut encoder = AacEncoder::new(AacEncoderConfig::default());
    let tone: Vec<f32> = (0..44_100_u16)
        .map(|at| (f32::from(at) * 0.03).sin() * 0.5)
        .collect();
    encoder.push_pcm(&tone, 1, 44_100).expect("encoded");
    encoder.finish();
    let packets = std::iter::from_fn(|| encoder.next_packet().ok());
    let units: Vec<Vec<u8>> = packets.map(|packet| packet.data).collect();
    let config = audio_specific_config_bytes(44_100, 1);
    let movie = Movie {
        entry: testkit::sample_entry(b"mp4a", 0, &testkit::esds(0x40, &config)),
        ..Movie::default()
    };
    let segments = units.chunks(17).map(|units| Segment {
        units: units.to_vec(),
        ..Segment::default()
    });
    let file: Vec<u8> = segments.flat_map(|segment| segment.bytes()).collect();
    let source = Box::new(Drip::new([movie.bytes(), file].concat(), 333));
    let mut demuxer =
        Demuxer::self_initialising(source, Arc::default(), MediaTime::ZERO).expect("a sound file");
    let mut through = Decoder::new(demuxer.init().track()).expect("AAC");
    let mut direct = rusty_aac::AacDecoder::with_config_bytes(&config).expect("AAC");
    for data in &units {
        let unit = demuxer.next_unit().expect("sound").expect("a unit");
        let want = direct.decode(data, None).expect("decoded").samples;
        let Decoded::Frames(block) = through.decode(&unit) else {
            panic!("no frames");
        };
        assert_eq!(block.samples, want);
    }
    assert!(demuxer.next_unit().expect("sound").is_none());
}
