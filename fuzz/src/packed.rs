//! Packed audio: segments and whole files of ADTS and MPEG audio.

use std::sync::Arc;

use kithara::decode::packed::{Demuxer, looks_like_adts, looks_packed};
use kithara::error::Problem;
use kithara::stats::Stats;
use kithara::units::MediaTime;

use super::source::{self, Drip};
use super::units::{Outcome, Taken, taken};

/// Read at once and in pieces, whatever they are, `bytes` are the same frames,
/// one follows the other, and each is found by its time.
pub fn check(bytes: &[u8]) {
    looks_packed(bytes);
    looks_like_adts(bytes);
    let step = source::step(bytes);
    let near = Some(MediaTime::from_nanos(100_000_000_000_000)); // past the first turn of 33 bits
    for near in [None, near] {
        let segment = |step| {
            outcome(bytes.len(), |stats| {
                Demuxer::segment(Drip::new(bytes, step), stats, MediaTime::ZERO, near)
            })
        };
        assert_eq!(segment(usize::MAX), segment(step), "in steps of {step}");
    }
    let file = |step| {
        outcome(bytes.len(), |stats| {
            Demuxer::open(Drip::new(bytes, step), stats)
        })
    };
    let whole = file(usize::MAX);
    assert_eq!(whole, file(step), "in steps of {step}");
    if let Some(target) = whole.units.get(whole.units.len() / 2) {
        check_seek(bytes, target);
    }
}

fn check_seek(bytes: &[u8], target: &Taken) {
    let opened = Demuxer::open(Drip::whole(bytes), Arc::default());
    let mut demuxer = opened.expect("it was opened before");
    let mut all = Outcome::default();
    all.take(|| demuxer.next_unit().map(taken));
    assert_eq!(demuxer.seek(target.start), Ok(target.start));
    let found = demuxer.next_unit().map(taken);
    assert_eq!(found, Ok(Some(target.clone())));
}

fn outcome(input: usize, open: impl Fn(Arc<Stats>) -> Result<Demuxer, Problem>) -> Outcome {
    let outcome = Outcome::of(
        input,
        open,
        |demuxer| demuxer.next_unit().map(taken),
        Demuxer::take_titles,
    );
    for pair in outcome.units.windows(2) {
        assert_eq!(
            pair[0].end, pair[1].start,
            "a frame begins where the last ended"
        );
    }
    outcome
}
