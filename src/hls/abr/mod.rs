//! Which level to fetch next, when to give a transfer up, and what to fetch
//! again in better quality. Numbers in, choices out: no clock, no allocation
//! in a decision. `play` and `simulate` ask the same one.

mod abandon;
mod decide;
mod estimate;
mod others;
mod pinned;
mod plan;
mod reason;
pub mod tuning;
mod upgrade;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::abandon::Transfer;
use self::estimate::Link;
pub use self::others::Algorithm;
pub use self::reason::{Choice, Numbers, Reason};
pub use self::tuning::Tuning;
pub use self::upgrade::Ahead;
use crate::hls::infinite;
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// The rung of the segment before; `None` before the first.
    pub current: Option<usize>,
    /// Media that is here and not yet heard.
    pub buffer: f64,
    /// The most media that can be ahead.
    #[serde(with = "infinite")]
    pub limit: f64,
    /// How much was heard.
    pub heard: f64,
    /// Media fetched in the current rung since the last switch.
    pub steady: f64,
    /// Length of the segment in question.
    pub segment: f64,
    /// Media that is not fetched yet, this segment included; infinite when no
    /// end is known.
    #[serde(with = "infinite")]
    pub remaining: f64,
    /// The rung in which the next minute, or all that remains, is stored.
    pub stored: Option<usize>,
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
            stored: None,
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
    algorithm: Algorithm,
    /// What the listener wants instead.
    pinned: Option<usize>,
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
            algorithm: Algorithm::Default,
            pinned: None,
        }
    }

    /// The same with another way to decide. Only ours gives transfers up and
    /// fetches again.
    pub fn with(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
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
        let pause = sample.first_byte.unwrap_or_default();
        self.link.paused(pause.as_secs_f64());
        if let Some(wait) = sample.first_byte {
            self.link.waited(wait.as_secs_f64());
        }
        let seconds = sample.transfer.as_secs_f64();
        self.link
            .carried(kilobits(sample.bytes), seconds, self.rates[0]);
    }

    /// What the link carries, as far as is known; `None` before the first segment.
    pub fn estimate(&self) -> Option<BitRate> {
        let rate = || self.link.rate(tuning::DISK.window);
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

    /// Kilobits per second to be expected: of the next seconds by the last ones,
    /// and in the long run by the last minutes.
    fn expected(&self, tuning: &Tuning, buffer: f64) -> (f64, f64) {
        if !self.link.is_measured() {
            let promised = self.link.opening_rate().unwrap_or(0.0);
            let rate = (promised * tuning.first_share * tuning.discount).max(1.0);
            return (rate, rate);
        }
        let mut soon = self.link.rate(tuning.window);
        if buffer < tuning.pull_below {
            let last = self.link.rate(1.0).min(soon);
            let pull = (tuning.pull * (1.0 - buffer / tuning.pull_below)).min(1.0);
            soon = soon * (1.0 - pull) + last * pull;
        }
        let soon = mixed(soon, self.link.rate(tuning.long_window), tuning.long_weight);
        let late = mixed(soon, self.link.rate(tuning.far_window), tuning.far_weight);
        let discounted = |rate: f64| (rate * tuning.discount).max(1.0);
        (discounted(soon), discounted(late))
    }

    /// How long a segment of `seconds` takes at `rate`.
    fn fetch_seconds(&self, rung: usize, seconds: f64, rate: f64) -> f64 {
        self.link.wait() + self.rates[rung] * seconds / rate.max(1.0)
    }
}

/// Between two rates by their logarithms.
fn mixed(one: f64, other: f64, weight: f64) -> f64 {
    let more = (other / one.max(1e-3)).clamp(0.05, 20.0);
    one * more.powf(weight)
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
