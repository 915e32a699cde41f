//! What comes out of a demuxer, to be compared, and what holds of it.

use std::sync::Arc;

use kithara::decode::unit::Unit;
use kithara::error::Problem;
use kithara::limits;
use kithara::stats::Stats;
use kithara::units::MediaTime;

const TITLES: usize = 256; // kept until they are asked for
const TITLE_CHARS: usize = 4 * 1024; // "artist - title", each of several texts
const COPIES: u64 = 16; // how often a byte may be moved
const BUFFERS: u64 = 1 << 20;

/// An access unit that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its bytes.
    pub data: Vec<u8>,
    /// When it begins.
    pub start: MediaTime,
    /// When it is over.
    pub end: MediaTime,
}

/// What a demuxer gave until its end or a problem.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// The access units.
    pub units: Vec<Taken>,
    /// The titles.
    pub titles: Vec<(MediaTime, String)>,
    /// Why it came to its end, if not well.
    pub problem: Option<Problem>,
    /// How often it had to find its place again.
    pub losses: u64,
}

impl Outcome {
    /// What a demuxer over `input` bytes gives, told by `next` and `titles`.
    pub fn of<D>(
        input: usize,
        open: impl FnOnce(Arc<Stats>) -> Result<D, Problem>,
        next: impl Fn(&mut D) -> Result<Option<Taken>, Problem>,
        titles: impl FnOnce(&mut D) -> Vec<(MediaTime, String)>,
    ) -> Self {
        let stats = Arc::new(Stats::default());
        let mut outcome = Self::default();
        match open(Arc::clone(&stats)) {
            Ok(mut demuxer) => {
                outcome.take(|| next(&mut demuxer));
                outcome.titles = titles(&mut demuxer);
            }
            Err(problem) => outcome.problem = Some(problem),
        }
        outcome.losses = stats.decode_errors.total();
        outcome.check(input, &stats);
        outcome
    }

    /// Takes all units. `next` is `None` at the end.
    pub fn take(&mut self, mut next: impl FnMut() -> Result<Option<Taken>, Problem>) {
        loop {
            match next() {
                Ok(Some(unit)) => self.units.push(unit),
                Ok(None) => return,
                Err(problem) => {
                    self.problem = Some(problem);
                    return;
                }
            }
        }
    }

    /// What holds of all demuxers, when `input` bytes went in and `stats` counted.
    pub fn check(&self, input: usize, stats: &Stats) {
        let data = || self.units.iter().map(|unit| unit.data.len());
        assert!(data().sum::<usize>() <= input, "more came out than went in");
        assert!(data().all(|size| (1..=limits::ACCESS_UNIT_BYTES).contains(&size)));
        for Taken { start, end, .. } in &self.units {
            assert!(
                start <= end,
                "a unit ends at {end:?} and begins at {start:?}"
            );
        }
        assert!(self.titles.len() <= TITLES, "{} titles", self.titles.len());
        for (_, title) in &self.titles {
            assert!(title.chars().count() <= TITLE_CHARS, "{title:?}");
        }
        let copied = stats.copied_bytes.total();
        assert!(
            copied <= BUFFERS + COPIES * input as u64,
            "{copied} bytes were copied"
        );
    }
}

/// A unit that outlives its demuxer's buffer.
pub fn taken(unit: Option<Unit<'_>>) -> Option<Taken> {
    unit.map(|unit| Taken {
        data: unit.data.to_vec(),
        start: unit.start,
        end: unit.end,
    })
}
