//! Initialisation sections, good and bad.

use super::super::testkit::{self, Movie, boxed};
use super::*;
use crate::decode::window::tests::Drip;
use crate::media::Codec;

fn read(bytes: Vec<u8>) -> Result<Init, Problem> {
    Init::read(Box::new(Drip::new(bytes, 100)), Arc::default())
}

#[test]
fn the_sound_track_is_found_beside_video() {
    let init = read(Movie::default().bytes()).expect("a sound section");
    assert_eq!(init.track().codec, Codec::Aac);
    assert_eq!(init.layout().track_id, testkit::SOUND);
    assert_eq!(init.layout().timescale.get(), 44_100);
    assert_eq!(init.layout().defaults(testkit::SOUND).duration, 1024);
    assert_eq!(init.track().edit, Edit::default());
    assert_eq!(init.track().duration, None);
}

#[test]
fn defaults_are_found_in_any_order_of_their_tracks() {
    let rows = [(9, 90), (2, 20), (5, 50), (2, 21)];
    let rows = rows.map(|(id, duration)| testkit::trex(id, duration));
    let mvex = boxed(b"mvex", &rows.concat());
    let mut moov = Fields::new(*b"moov", &mvex);
    let mvex = moov.next_box().expect("a box").expect("the only one");
    let (_, defaults) = movie_extends(mvex).expect("good rows");
    let layout = Layout {
        defaults,
        ..read(Movie::default().bytes()).expect("a section").layout
    };
    for (id, want) in [(1, 0), (2, 20), (3, 0), (5, 50), (9, 90), (10, 0)] {
        assert_eq!(layout.defaults(id).duration, want, "track {id}");
    }
}

#[test]
fn the_first_sound_track_that_can_be_decoded_is_chosen() {
    let usac = testkit::esds(0x40, &[0xF9, 0x48, 0x40, 0x20]); // xHE-AAC
    let plain = testkit::esds(0x40, &[0x11, 0x90]);
    let cases = [
        (
            "ac-3",
            testkit::sample_entry(b"ac-3", 0, &[]),
            testkit::SOUND,
        ),
        (
            "encrypted",
            testkit::sample_entry(b"enca", 0, &[]),
            testkit::SOUND,
        ),
        (
            "xHE-AAC",
            testkit::sample_entry(b"mp4a", 0, &usac),
            testkit::SOUND,
        ),
        (
            "AAC-LC",
            testkit::sample_entry(b"mp4a", 0, &plain),
            testkit::OTHER,
        ),
    ];
    for (case, other, want) in cases {
        let movie = Movie {
            other: Some(other),
            ..Movie::default()
        };
        let init = read(movie.bytes()).expect("a sound section");
        assert_eq!(init.layout().track_id, want, "{case} comes first");
    }
}

#[test]
fn the_first_edit_that_is_not_empty_is_the_visible_part() {
    let second =
        |ticks, scale| MediaTime::from_ticks(ticks, NonZeroU32::new(scale).expect("not zero"));
    let priming = second(1024, 44_100);
    let cases: [(&[(u64, i64)], Edit); 4] = [
        (
            &[(0, 1024)],
            Edit {
                start: priming,
                end: None,
            },
        ),
        (
            &[(500, -1), (0, 1024)],
            Edit {
                start: priming,
                end: None,
            },
        ),
        (
            &[(3000, 1024)],
            Edit {
                start: priming,
                end: Some(priming + second(3000, 1000)),
            },
        ),
        (&[(500, -1)], Edit::default()),
    ];
    for version in [0, 1] {
        for (edits, want) in &cases {
            let movie = Movie {
                edits: edits.to_vec(),
                edit_version: version,
                ..Movie::default()
            };
            let init = read(movie.bytes()).expect("a sound section");
            assert_eq!(init.track().edit, *want, "{edits:?} version {version}");
        }
    }
}

#[test]
fn the_pre_skip_of_opus_is_not_visible_whatever_the_edit_list_says() {
    let dops = boxed(b"dOps", &[0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0, 0, 0]);
    let cases: [(&[(u64, i64)], i64); 4] = [
        (&[], 312),
        (&[(0, 0)], 312),
        (&[(0, 312)], 312),
        (&[(0, 960)], 960),
    ];
    for (edits, want) in cases {
        let movie = Movie {
            entry: testkit::sample_entry(b"Opus", 0, &dops),
            timescale: 48_000,
            edits: edits.to_vec(),
            ..Movie::default()
        };
        let init = read(movie.bytes()).expect("a sound section");
        let want = MediaTime::from_ticks(want, OPUS_TICKS);
        assert_eq!(init.track().edit.start, want, "{edits:?}");
    }
}

#[test]
fn what_is_no_initialisation_section_is_refused_with_its_reason() {
    let whole = Movie::default().bytes();
    let zero = Movie {
        timescale: 0,
        ..Movie::default()
    };
    let encrypted = Movie {
        entry: testkit::sample_entry(b"enca", 0, &[]),
        ..Movie::default()
    };
    let silent = boxed(b"moov", &[]);
    let huge = [&b"\0\x50\0\0moov"[..], &[0; 64]].concat();
    let cases = [
        (b"<!DOCTYPE html><html>".to_vec(), Kind::NotAStream, "begin"),
        (Vec::new(), Kind::Malformed, "has no \"moov\""),
        (
            whole[..whole.len() - 1].to_vec(),
            Kind::Malformed,
            "cut off",
        ),
        (whole[..19].to_vec(), Kind::Malformed, "cut off"),
        (zero.bytes(), Kind::Malformed, "time scale of zero"),
        (encrypted.bytes(), Kind::Encryption, "common encryption"),
        (silent, Kind::Unsupported, "no audio track"),
        (huge, Kind::Limit, "larger than any real one"),
    ];
    for (bytes, kind, why) in cases {
        let problem = read(bytes).expect_err(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}
