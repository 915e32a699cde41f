//! Whatever the bytes are: no panic, no end of memory, and the same for every
//! read size.

use proptest::prelude::*;

use super::*;
use crate::decode::ts::testkit::{pes, section};

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

/// What came out until the end or a problem.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    units: Vec<Vec<u8>>,
    starts: Vec<MediaTime>,
    problem: Option<Problem>,
    errors: u64,
}

fn outcome(bytes: &[u8], step: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut demuxer = match open(bytes, step) {
        Ok(demuxer) => demuxer,
        Err(problem) => {
            outcome.problem = Some(problem);
            return outcome;
        }
    };
    loop {
        match demuxer.next_unit() {
            Ok(Some(unit)) => {
                outcome.units.push(unit.data.to_vec());
                outcome.starts.push(unit.start);
            }
            Ok(None) => break,
            Err(problem) => {
                outcome.problem = Some(problem);
                break;
            }
        }
    }
    outcome.errors = demuxer.streams.stats.decode_errors.total();
    outcome
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
        prop_assert!(whole.units.len() <= 60);
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
