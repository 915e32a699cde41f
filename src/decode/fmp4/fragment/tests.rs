//! Tables of fragments and the access units they announce.

use super::super::init::Defaults;
use super::super::testkit::{SOUND, boxed, full};
use super::*;
use std::num::NonZeroU32;

fn layout() -> Layout {
    Layout {
        track_id: SOUND,
        timescale: NonZeroU32::new(44_100).expect("not zero"),
        description: 1,
        has_encrypted: false,
        has_samples: false,
        defaults: vec![Defaults {
            track_id: SOUND,
            description: 1,
            duration: 1024,
            size: 5,
        }],
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn table(trafs: &[Vec<Vec<u8>>]) -> Result<Vec<Sample>, Problem> {
    let trafs: Vec<u8> = trafs
        .iter()
        .flat_map(|traf| boxed(b"traf", &traf.concat()))
        .collect();
    let mut table = Table::new(7);
    table.add(Fields::new(*b"moof", &trafs), 1000..1200, &layout())?;
    Ok(table.samples)
}

fn rows(samples: &[Sample]) -> Vec<(u64, i64, u32, u32)> {
    let row = |sample: &Sample| (sample.offset, sample.start, sample.duration, sample.size);
    samples.iter().map(row).collect()
}

#[test]
fn every_field_of_a_run_is_honoured() {
    let head = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
    let time = full(b"tfdt", 1, 0, &(1_u64 << 33).to_be_bytes());
    let at = 1_i64 << 33;
    let cases = [
        (
            "only defaults",
            full(b"trun", 0, 0x1, &words(&[2, 208])),
            vec![(1208, at, 1024, 5), (1213, at + 1024, 1024, 5)],
        ),
        (
            "all fields",
            full(b"trun", 0, 0xF05, &words(&[1, 300, 9, 960, 77, 9, 10])),
            vec![(1300, at + 10, 960, 77)],
        ),
        (
            "negative composition offset",
            full(b"trun", 1, 0xA01, &words(&[1, 208, 77, u32::MAX])),
            vec![(1208, at - 1, 1024, 77)],
        ),
        (
            "an empty sample passes time",
            full(b"trun", 0, 0x201, &words(&[2, 208, 0, 9])),
            vec![(1208, at + 1024, 1024, 9)],
        ),
    ];
    for (case, run, want) in cases {
        let samples = table(&[vec![head.clone(), time.clone(), run]]).expect(case);
        assert_eq!(rows(&samples), want, "{case}");
    }
}

#[test]
fn data_begins_where_the_head_says() {
    let sizes = |offset: &[u32]| {
        let flags = if offset.is_empty() { 0x200 } else { 0x201 };
        full(b"trun", 0, flags, &words(&[&[1], offset, &[10]].concat()))
    };
    let base = |base: u64| {
        full(
            b"tfhd",
            0,
            0x1,
            &[words(&[SOUND]), base.to_be_bytes().to_vec()].concat(),
        )
    };
    let plain = |id| full(b"tfhd", 0, 0, &words(&[id]));
    let own = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
    let cases = [
        (
            "moof is the base",
            vec![vec![own, sizes(&[208])]],
            vec![1208],
        ),
        (
            "absolute base at the moof",
            vec![vec![base(1000), sizes(&[208])]],
            vec![1208],
        ),
        (
            "absolute base at the data",
            vec![vec![base(1208), sizes(&[])]],
            vec![1208],
        ),
        (
            "absolute base of the uncut file",
            vec![vec![base(90_000), sizes(&[208])]],
            vec![1208],
        ),
        (
            "after the track before",
            vec![
                vec![plain(99), sizes(&[208])],
                vec![plain(SOUND), sizes(&[])],
            ],
            vec![1218],
        ),
        (
            "runs follow each other",
            vec![vec![plain(SOUND), sizes(&[208]), sizes(&[]), sizes(&[400])]],
            vec![1208, 1218, 1400],
        ),
    ];
    for (case, trafs, want) in cases {
        let samples = table(&trafs).expect(case);
        let offsets: Vec<u64> = samples.iter().map(|sample| sample.offset).collect();
        assert_eq!(offsets, want, "{case}");
    }
}

#[test]
fn without_tfdt_time_goes_on_from_the_fragment_before() {
    let head = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
    let run = full(b"trun", 0, 0x1, &words(&[2, 208]));
    let traf = boxed(b"traf", &[head, run].concat());
    let mut table = Table::new(500);
    for _ in 0..2 {
        table
            .add(Fields::new(*b"moof", &traf), 1000..1200, &layout())
            .expect("sound");
    }
    let starts: Vec<i64> = table.samples.iter().map(|sample| sample.start).collect();
    assert_eq!(starts, [500, 1524, 2548, 3572]);
}

#[test]
fn hostile_fragments_are_refused_with_their_reason() {
    let head = || full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
    let late = full(b"tfdt", 1, 0, &u64::MAX.to_be_bytes());
    let cases = [
        (
            vec![full(b"trun", 0, 0x1, &words(&[1, 208]))],
            Kind::Malformed,
            "has no \"tfhd\"",
        ),
        (
            vec![head(), full(b"trun", 0, 0x200, &words(&[2, 1]))],
            Kind::Malformed,
            "cut off",
        ),
        (
            vec![head(), full(b"trun", 0, 0, &words(&[u32::MAX]))],
            Kind::Limit,
            "larger than",
        ),
        (
            vec![head(), full(b"trun", 0, 0x200, &words(&[1, u32::MAX]))],
            Kind::Limit,
            "larger than",
        ),
        (
            vec![head(), full(b"trun", 0, 0x1, &words(&[1, 0x8000_0000]))],
            Kind::Malformed,
            "out of range",
        ),
        (
            vec![head(), late, full(b"trun", 0, 0x1, &words(&[1, 208]))],
            Kind::Malformed,
            "out of range",
        ),
        (
            vec![
                full(b"tfhd", 0, 0x10, &words(&[SOUND, 0])),
                full(b"trun", 0, 0, &words(&[9])),
            ],
            Kind::Malformed,
            "have no size",
        ),
        (
            vec![head(), full(b"senc", 0, 0, &words(&[0]))],
            Kind::Encryption,
            "encrypted",
        ),
        (
            vec![full(b"tfhd", 0, 0x2, &words(&[SOUND, 2]))],
            Kind::Unsupported,
            "codec changes",
        ),
    ];
    for (traf, kind, why) in cases {
        let problem = table(&[traf]).expect_err(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}

#[test]
fn many_runs_share_one_budget() {
    let head = full(b"tfhd", 0, 0x2_0000, &words(&[99]));
    let run = full(b"trun", 0, 0, &words(&[limits::FRAGMENT_SAMPLES / 2 + 1]));
    let problem = table(&[vec![head, run.clone(), run]]).expect_err("too many");
    assert_eq!(problem.kind, Kind::Limit);
}
