//! Which level to fetch next, when to give a transfer up, and what to fetch
//! again in better quality. Numbers in, choices out: no clock, no allocation
//! in a decision. `play` and `simulate` ask the same one.

mod abandon;
mod decide;
mod estimate;
mod reason;
pub mod tuning;
mod upgrade;

use std::time::Duration;

pub use self::abandon::Transfer;
use self::estimate::Link;
pub use self::reason::{Choice, Numbers, Reason};
pub use self::tuning::Tuning;
pub use self::upgrade::Ahead;
use crate::units::BitRate;

/// A second of silence costs the top level for this many seconds (the
/// logarithmic QoE of the MPC paper, SIGCOMM 2015, as Pensieve weighs it).
const SILENCE: f64 = 4.0;
/// A switch costs its difference in utility for this many seconds.
const SWITCH: f64 = 4.0;

/// One transfer from the network. Bytes out of the cache are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Body bytes.
    pub bytes: u64,
    /// From the request to the first byte; `None` when it waited for another
    /// transfer, or none came.
    pub first_byte: Option<Duration>,
    /// From the first byte to the last.
    pub transfer: Duration,
}

/// What is the case when something is to be decided. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// The rung of the segment before; `None` before the first.
    pub current: Option<usize>,
    /// Media that is here and not yet heard.
    pub buffer: f64,
    /// The most media that can be ahead.
    pub limit: f64,
    /// How much was heard.
    pub heard: f64,
    /// Media fetched in the current rung since the last switch.
    pub steady: f64,
    /// Length of the segment in question.
    pub segment: f64,
    /// Media that is not fetched yet, this segment included; infinite when no
    /// end is known.
    pub remaining: f64,
    /// Whether segments are there only when they were just said.
    pub is_live: bool,
}

impl Situation {
    /// Nothing was fetched yet.
    pub fn at_start() -> Self {
        Self {
            current: None,
            buffer: 0.0,
            limit: 0.0,
            heard: 0.0,
            steady: 0.0,
            segment: 0.0,
            remaining: f64::INFINITY,
            is_live: false,
        }
    }
}

/// The controller of one stream.
#[derive(Clone, Debug)]
pub struct Controller {
    /// Average kilobits per second of each rung, ascending.
    rates: Vec<f64>,
    /// Logarithm of each rate over the lowest.
    utility: Vec<f64>,
    link: Link,
    /// One set of numbers for everything, instead of those for the situation.
    tuned: Option<Tuning>,
    prior: Option<BitRate>,
}

impl Controller {
    /// For a ladder with these average rates, ascending, at least one.
    pub fn new(rates: &[BitRate]) -> Self {
        // A rate of nothing would make every utility infinite.
        let rates: Vec<f64> = rates
            .iter()
            .map(|rate| rate.0.max(1) as f64 / 1e3)
            .collect();
        Self {
            utility: rates.iter().map(|rate| (rate / rates[0]).ln()).collect(),
            rates,
            link: Link::default(),
            tuned: None,
            prior: None,
        }
    }

    /// The same with other numbers.
    pub fn tuned(self, tuning: Tuning) -> Self {
        Self {
            tuned: Some(tuning),
            ..self
        }
    }

    /// The same, which begins as if the link had carried `rate` before.
    pub fn remembering(self, rate: Option<BitRate>) -> Self {
        Self {
            prior: rate,
            ..self
        }
    }

    /// How many rungs there are: at least one.
    pub fn rungs(&self) -> usize {
        self.rates.len()
    }

    /// A playlist or an init section came.
    pub fn opened(&mut self, sample: Sample) {
        let wait = sample.first_byte.map(|wait| wait.as_secs_f64());
        self.link
            .opened(kilobits(sample.bytes), wait, sample.transfer.as_secs_f64());
    }

    /// A segment came, or some of one that was given up.
    pub fn sample(&mut self, sample: Sample) {
        if let Some(wait) = sample.first_byte {
            self.link.waited(wait.as_secs_f64());
        }
        self.link
            .carried(kilobits(sample.bytes), sample.transfer.as_secs_f64());
    }

    /// What the link carries, as far as is known; `None` before the first segment.
    pub fn estimate(&self) -> Option<BitRate> {
        let rate = || self.link.rate(tuning::DISK.window_max);
        self.link.is_measured().then(rate).map(bit_rate)
    }

    /// What a first byte takes, in seconds.
    pub fn wait(&self) -> f64 {
        self.link.wait()
    }

    /// Average kilobits per second of a rung.
    pub fn rate(&self, rung: usize) -> f64 {
        self.rates[rung]
    }

    fn tuning(&self, now: &Situation) -> &Tuning {
        self.tuned.as_ref().unwrap_or_else(|| Tuning::of(now))
    }

    fn top(&self) -> usize {
        self.rates.len() - 1
    }

    /// What a second of silence costs.
    fn silence(&self) -> f64 {
        SILENCE * self.utility[self.top()]
    }

    /// Kilobits per second to reckon with: the last seconds, as many as matter
    /// to a buffer this long, and the last minutes.
    fn reckoned(&self, tuning: &Tuning, buffer: f64) -> f64 {
        if !self.link.is_measured() {
            let promised = self.link.opening_rate().unwrap_or(0.0);
            return promised * tuning.first_share * tuning.discount;
        }
        let window = (tuning.window_share * buffer).max(tuning.window_min);
        let mut rate = self.link.rate(window.min(tuning.window_max));
        if buffer < tuning.pull_below {
            let last = self.link.rate(1.0);
            if last < rate {
                let pull = tuning.pull * (1.0 - buffer / tuning.pull_below);
                rate = rate * (1.0 - pull) + last * pull;
            }
        }
        let long = self.link.rate(tuning.long_window) / rate.max(1e-3);
        rate *= long.clamp(0.05, 20.0).powf(tuning.long_weight);
        rate * tuning.discount * self.link.steadiness(tuning.unsteady)
    }

    /// How long a segment of `seconds` takes at `rate`.
    fn fetch_seconds(&self, rung: usize, seconds: f64, rate: f64) -> f64 {
        self.link.wait() + self.rates[rung] * seconds / rate.max(1.0)
    }

    /// The buffer that must be there before a rung is gone up to. It is saved
    /// little by little, so that a session need not begin poor.
    fn reserve(&self, tuning: &Tuning, rung: usize, now: &Situation) -> f64 {
        let share = tuning.reserve_share * now.limit.min(tuning::LONGEST);
        let saved = tuning.reserve + share.min(tuning.saving * now.heard);
        let place = rung as f64 / (self.top() as f64).max(1.0);
        saved.min(0.75 * now.limit) * place.powf(tuning.bend)
    }
}

fn kilobits(bytes: u64) -> f64 {
    bytes as f64 * 8e-3
}

fn bit_rate(kilobits: f64) -> BitRate {
    // A float becomes an integer saturating, and rates are not negative.
    BitRate((kilobits * 1e3).round() as u64)
}

#[cfg(test)]
mod tests;
