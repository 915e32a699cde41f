//! The fMP4 demuxer: segments that begin with their own `moov`, and an init
//! section with a fragment behind it, its own or a good one.

use std::sync::Arc;

use kithara::decode::fmp4::{Demuxer, Init, looks_like_fmp4};
use kithara::error::Problem;
use kithara::stats::Stats;
use kithara::units::MediaTime;

use super::source::{self, Drip};
use super::units::{Outcome, taken};

const GOOD_INIT: &[u8] = include_bytes!("../../fixtures/hls/aac64-init.mp4");

/// Read at once and in pieces, whatever they are, `bytes` are the same units.
pub fn check(bytes: &[u8]) {
    looks_like_fmp4(bytes);
    let step = source::step(bytes);
    let alone = |step| {
        outcome(bytes.len(), |stats| {
            Demuxer::self_initialising(Drip::new(bytes, step), stats, MediaTime::ZERO)
        })
    };
    assert_eq!(alone(usize::MAX), alone(step), "in steps of {step}");
    let (own, segment) = bytes.split_at(fragment(bytes));
    let init = |bytes, step| Init::read(Drip::new(bytes, step), Arc::default());
    let read = init(own, usize::MAX);
    assert_eq!(read.as_ref().err(), init(own, step).err().as_ref());
    let init = read.unwrap_or_else(|_| init(GOOD_INIT, usize::MAX).expect("a good init section"));
    let behind = |step| {
        outcome(segment.len(), |stats| {
            let source = Drip::new(segment, step);
            Ok(Demuxer::new(&init, source, stats, MediaTime::ZERO))
        })
    };
    assert_eq!(behind(usize::MAX), behind(step), "in steps of {step}");
}

/// Where the first fragment begins; 0 without one.
fn fragment(bytes: &[u8]) -> usize {
    let name = bytes.windows(4).position(|name| name == b"moof");
    name.map_or(0, |at| at.saturating_sub(4)) // behind its size
}

fn outcome(input: usize, open: impl Fn(Arc<Stats>) -> Result<Demuxer, Problem>) -> Outcome {
    Outcome::of(
        input,
        open,
        |demuxer| demuxer.next_unit().map(taken),
        Demuxer::take_titles,
    )
}
