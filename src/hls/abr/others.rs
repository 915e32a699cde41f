//! Two controllers that others have, to measure ours against: the rate alone,
//! and the buffer alone.

use super::{Choice, Controller, Numbers, Reason, Situation, bit_rate};
use crate::units::MediaTime;

/// The share of the estimate that is spent.
const SPENT: f64 = 0.9;
/// Seconds of transfer that the estimate is taken from.
const WINDOW: f64 = 10.0;
/// The share of the most media ahead up to which the lowest rung is taken, and
/// from which on the highest (BBA-0, SIGCOMM 2014).
const RESERVOIR: f64 = 0.2;
const CUSHION: f64 = 0.8;
/// Media ahead beyond which a buffer is full, in seconds.
const FULL: f64 = 60.0;

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Ours.
    #[default]
    Default,
    /// The highest rung that the last seconds would have carried.
    Throughput,
    /// The higher the more is ahead.
    Buffer,
}

impl Algorithm {
    /// The word of the command line and of reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Throughput => "throughput",
            Self::Buffer => "buffer",
        }
    }
}

impl Controller {
    /// The highest rung that takes no more than most of the estimate.
    pub(super) fn by_throughput(&self, now: &Situation) -> Choice {
        let rate = SPENT * self.link.rate(WINDOW);
        let measured = self.link.is_measured();
        let fits = |rung: &usize| measured && self.rates[*rung] <= rate;
        let rung = (0..=self.top()).rev().find(fits).unwrap_or(0);
        self.chosen(rung, now)
    }

    /// From the lowest rung at the reservoir to the highest at the cushion.
    pub(super) fn by_buffer(&self, now: &Situation) -> Choice {
        let full = now.limit.min(FULL);
        let share = (now.buffer / full - RESERVOIR) / (CUSHION - RESERVOIR);
        let (lowest, highest) = (self.rates[0], self.rates[self.top()]);
        let rate = lowest + (highest - lowest) * share.clamp(0.0, 1.0);
        let fits = |rung: &usize| self.rates[*rung] <= rate;
        let rung = (0..=self.top()).rev().find(fits).unwrap_or(0);
        self.chosen(rung, now)
    }

    fn chosen(&self, rung: usize, now: &Situation) -> Choice {
        let rate = match self.link.is_measured() {
            true => self.link.rate(WINDOW),
            false => 0.0,
        };
        let numbers = Numbers {
            estimate: bit_rate(rate),
            buffer: MediaTime::from_seconds(now.buffer),
        };
        let reason = match now.current {
            None => Reason::Start,
            Some(current) if rung > current => Reason::Up(numbers),
            Some(current) if rung < current => Reason::Down(numbers),
            Some(_) => Reason::Stay(numbers),
        };
        Choice { rung, reason }
    }
}
