//! The demuxer of transport streams: one segment, and one that goes on in
//! another.

use std::sync::Arc;

use kithara::decode::ts::{Demuxer, Tail, looks_like_ts};
use kithara::stats::Stats;
use kithara::units::MediaTime;

use super::mux;
use super::source::{self, Drip};
use super::units::{Outcome, taken};

const NEAR: MediaTime = MediaTime::from_nanos(100_000_000_000_000); // past the first turn of 33 bits

/// `bytes` as they come, and as what the packets of a stream hold.
pub fn check(bytes: &[u8]) {
    check_stream(bytes);
    check_stream(&mux::muxed(bytes));
}

/// Read at once and in pieces, whatever they are, `bytes` are the same frames;
/// also when they were cut in two.
fn check_stream(bytes: &[u8]) {
    looks_like_ts(bytes);
    let step = source::step(bytes);
    for near in [None, Some(NEAR)] {
        let (whole, _) = outcome(bytes, usize::MAX, near, None);
        let (pieces, _) = outcome(bytes, step, near, None);
        assert_eq!(whole, pieces, "in steps of {step}");
    }
    let cut = bytes.len() / 2;
    assert_eq!(
        in_two(bytes, cut, usize::MAX),
        in_two(bytes, cut, step),
        "in steps of {step}"
    );
}

fn in_two(bytes: &[u8], cut: usize, step: usize) -> [Outcome; 2] {
    let (first, second) = bytes.split_at(cut);
    let (first, tail) = outcome(first, step, None, None);
    let left = cut
        - first
            .units
            .iter()
            .map(|unit| unit.data.len())
            .sum::<usize>();
    let (second, _) = outcome(second, step, Some(NEAR), tail.map(|tail| (tail, left)));
    [first, second]
}

/// What comes out of a segment behind a `tail`, which holds some bytes at most.
fn outcome(
    bytes: &[u8],
    step: usize,
    near: Option<MediaTime>,
    tail: Option<(Tail, usize)>,
) -> (Outcome, Option<Tail>) {
    let stats = Arc::new(Stats::default());
    let mut outcome = Outcome::default();
    let (tail, held) = tail.map_or((None, 0), |(tail, held)| (Some(tail), held));
    let source = Drip::new(bytes, step);
    let mut left = None;
    match Demuxer::open(None, source, Arc::clone(&stats), near, tail) {
        Ok(mut demuxer) => {
            outcome.take(|| demuxer.next_unit().map(taken));
            outcome.titles = demuxer.take_titles();
            left = demuxer.into_tail();
        }
        Err(problem) => outcome.problem = Some(problem),
    }
    outcome.losses = stats.decode_errors.total();
    outcome.check(held + bytes.len(), &stats);
    (outcome, left)
}
