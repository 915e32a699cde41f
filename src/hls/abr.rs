//! Which variant to fetch next: estimates the link from finished transfers and
//! weighs it against the media ahead. Numbers in, a choice out; no clock.

use std::fmt;
use std::time::Duration;

use crate::hls::average::Average;
use crate::units::{BitRate, MediaTime};

const START_RATE: BitRate = BitRate(160_000); // "128 kbit/s" with its container
const START_SHARE: f64 = 0.5; // of what the playlists' transfers promise
const FAST_HALF_LIFE: f64 = 3.0; // seconds of transfer, as hls.js
const SLOW_HALF_LIFE: f64 = 9.0;
const FIRST_BYTE_HALF_LIFE: f64 = 4.0; // requests
const SHORTEST_TRANSFER: f64 = 0.005; // below this a socket buffer was measured, not a link
const UP_SHARE: f64 = 0.7;
const STAY_SHARE: f64 = 0.8; // the gap to UP_SHARE keeps a wavering link from switching
const UP_BUFFER: f64 = 10.0; // seconds ahead before going up
const PLENTY: f64 = 4.0; // times the rate: one segment ahead is enough to go up
const LONG_BUFFER: f64 = 30.0; // seconds ahead that are spent before going down
const UP_FULL: f64 = 0.5; // of the look-ahead limit, where that is less than UP_BUFFER
const LONG_FULL: f64 = 0.75;

/// One finished transfer from the network. Bytes out of the cache are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Body bytes.
    pub bytes: u64,
    /// From the request to the first byte.
    pub first_byte: Duration,
    /// From the first byte to the last.
    pub transfer: Duration,
}

/// What is the case when the next segment is about to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The rung of the segment before; `None` before the first.
    pub current: Option<usize>,
    /// Media that is here and not yet heard.
    pub buffer: MediaTime,
    /// The most media that is ever kept ahead.
    pub limit: MediaTime,
    /// How long the next segment is.
    pub segment: MediaTime,
}

impl Situation {
    /// Nothing was fetched yet.
    pub fn at_start() -> Self {
        Self {
            current: None,
            buffer: MediaTime::ZERO,
            limit: MediaTime::ZERO,
            segment: MediaTime::ZERO,
        }
    }
}

/// The rung to fetch the next segment from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// An index into the rates the controller was made with.
    pub rung: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a rung was chosen, with the numbers that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no other.
    Only,
    /// Nothing was played yet: begin low.
    Start,
    /// Nothing speaks for a change, or not enough.
    Stay(Numbers),
    /// The link carries more and enough is ahead.
    Up(Numbers),
    /// The link carries less and little is ahead.
    Down(Numbers),
}

/// What a decision was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Estimated throughput.
    pub estimate: BitRate,
    /// Media ahead.
    pub buffer: MediaTime,
}

/// The controller of one stream.
#[derive(Clone, Debug)]
pub struct Controller {
    /// Average bits per second of each rung, ascending.
    rates: Vec<f64>,
    fast: Average,
    slow: Average,
    first_byte: Average,
}

impl Controller {
    /// For a ladder with these average rates, ascending, at least one.
    pub fn new(rates: &[BitRate]) -> Self {
        Self {
            rates: rates.iter().map(|rate| rate.0 as f64).collect(),
            fast: Average::new(FAST_HALF_LIFE),
            slow: Average::new(SLOW_HALF_LIFE),
            first_byte: Average::new(FIRST_BYTE_HALF_LIFE),
        }
    }

    /// Takes in a finished transfer.
    pub fn sample(&mut self, sample: Sample) {
        self.first_byte.add(sample.first_byte.as_secs_f64(), 1.0);
        if sample.bytes > 0 {
            let seconds = sample.transfer.as_secs_f64().max(SHORTEST_TRANSFER);
            let rate = sample.bytes as f64 * 8.0 / seconds;
            self.fast.add(rate, seconds);
            self.slow.add(rate, seconds);
        }
    }

    /// What the link carries: the lower of a fast and a slow average, so that
    /// it falls at once and rises late. `None` before the first sample.
    pub fn estimate(&self) -> Option<BitRate> {
        self.throughput().map(whole)
    }

    /// Chooses the rung of the next segment. Allocates nothing.
    pub fn decide(&self, now: &Situation) -> Choice {
        let Some(current) = now.current else {
            return self.start();
        };
        let current = current.min(self.rates.len().saturating_sub(1));
        let (true, Some(estimate)) = (self.rates.len() > 1, self.throughput()) else {
            let reason = Reason::Only;
            return Choice {
                rung: current,
                reason,
            };
        };
        let numbers = Numbers {
            estimate: whole(estimate),
            buffer: now.buffer,
        };
        let up = self.highest_within(UP_SHARE * estimate);
        if up > current && self.may_go_up(now, up, estimate) {
            let reason = Reason::Up(numbers);
            return Choice { rung: up, reason };
        }
        let lower = self.highest_within(STAY_SHARE * estimate);
        if lower < current && self.must_go_down(now, current, estimate) {
            let reason = Reason::Down(numbers);
            return Choice {
                rung: lower,
                reason,
            };
        }
        let reason = Reason::Stay(numbers);
        Choice {
            rung: current,
            reason,
        }
    }

    /// The first rung: about 128 kbit/s, less if the playlists came slowly.
    fn start(&self) -> Choice {
        let promised = self
            .throughput()
            .map_or(f64::MAX, |rate| rate * START_SHARE);
        Choice {
            rung: self.highest_within(promised.min(START_RATE.0 as f64)),
            reason: if self.rates.len() > 1 {
                Reason::Start
            } else {
                Reason::Only
            },
        }
    }

    fn may_go_up(&self, now: &Situation, rung: usize, estimate: f64) -> bool {
        let buffer = now.buffer.seconds();
        let is_plenty = estimate >= PLENTY * self.rates[rung];
        let enough = match is_plenty {
            true => now.segment.seconds(),
            false => UP_BUFFER.min(now.limit.seconds() * UP_FULL),
        };
        buffer >= enough && self.fetch_seconds(now, rung, estimate) <= buffer / 2.0
    }

    /// A long buffer is spent before quality is given up, unless the next
    /// segment would not even come while it lasts.
    fn must_go_down(&self, now: &Situation, current: usize, estimate: f64) -> bool {
        let buffer = now.buffer.seconds();
        let long = LONG_BUFFER.min(now.limit.seconds() * LONG_FULL);
        buffer < long || self.fetch_seconds(now, current, estimate) > buffer
    }

    fn fetch_seconds(&self, now: &Situation, rung: usize, estimate: f64) -> f64 {
        let wait = self.first_byte.value().unwrap_or(0.0);
        wait + self.rates[rung] * now.segment.seconds() / estimate.max(1.0)
    }

    /// The highest rung of at most `rate`, or the lowest there is.
    fn highest_within(&self, rate: f64) -> usize {
        let fits = self.rates.iter().rposition(|&rung| rung <= rate);
        fits.unwrap_or(0)
    }

    fn throughput(&self) -> Option<f64> {
        Some(self.fast.value()?.min(self.slow.value()?))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("there is no other to choose"),
            Self::Start => f.write_str("auto starts low"),
            Self::Stay(numbers) => write!(f, "no reason to change: {numbers}"),
            Self::Up(numbers) => write!(f, "up: {numbers}"),
            Self::Down(numbers) => write!(f, "down: {numbers}"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = self.buffer.seconds();
        write!(f, "the link carries {}, {ahead:.1} s ahead", self.estimate)
    }
}

fn whole(bits_per_second: f64) -> BitRate {
    // A float becomes an integer saturating, and rates are not negative.
    BitRate(bits_per_second.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: [BitRate; 4] = [
        BitRate(64_000),
        BitRate(128_000),
        BitRate(256_000),
        BitRate(1_000_000),
    ];

    fn seconds(seconds: f64) -> MediaTime {
        MediaTime::from_seconds(seconds)
    }

    /// A controller that saw `kilobits` per second for `for_seconds`.
    fn seen(kilobits: u64, for_seconds: u64) -> Controller {
        let mut controller = Controller::new(&LADDER);
        for _ in 0..for_seconds {
            controller.sample(second_of(kilobits));
        }
        controller
    }

    fn second_of(kilobits: u64) -> Sample {
        Sample {
            bytes: kilobits * 125,
            first_byte: Duration::from_millis(50),
            transfer: Duration::from_secs(1),
        }
    }

    fn decide(controller: &Controller, current: Option<usize>, buffer: f64) -> usize {
        let now = Situation {
            current,
            buffer: seconds(buffer),
            limit: seconds(300.0),
            segment: seconds(6.0),
        };
        controller.decide(&now).rung
    }

    #[test]
    fn the_first_segment_is_small_whatever_the_playlists_promise() {
        for (kilobits, want) in [(100_000, 1), (320, 1), (200, 0), (20, 0)] {
            assert_eq!(decide(&seen(kilobits, 1), None, 0.0), want, "{kilobits}");
        }
        assert_eq!(decide(&Controller::new(&LADDER), None, 0.0), 1);
        let high_only = Controller::new(&LADDER[2..]);
        assert_eq!(decide(&high_only, None, 0.0), 0);
    }

    #[test]
    fn it_goes_up_only_with_margin_and_something_ahead() {
        let cases = [
            // link, current, buffer, wanted
            (2_000, 1, 5.0, 1),
            (2_000, 1, 12.0, 3),
            (370, 1, 60.0, 2),
            (360, 1, 60.0, 1),
            (1_300, 2, 60.0, 2),
        ];
        for (kilobits, current, buffer, want) in cases {
            let rung = decide(&seen(kilobits, 10), Some(current), buffer);
            assert_eq!(rung, want, "{kilobits} kbit/s, rung {current}, {buffer} s");
        }
    }

    #[test]
    fn it_goes_down_with_little_ahead_and_spends_a_long_buffer_first() {
        let cases = [
            (900, 3, 20.0, 2),
            (900, 3, 60.0, 3),
            (100, 3, 50.0, 0),
            (1_260, 3, 20.0, 3), // within 0.8
            (20, 0, 0.0, 0),
        ];
        for (kilobits, current, buffer, want) in cases {
            let rung = decide(&seen(kilobits, 10), Some(current), buffer);
            assert_eq!(rung, want, "{kilobits} kbit/s, rung {current}, {buffer} s");
        }
    }

    #[test]
    fn the_estimate_falls_at_once_and_rises_late() {
        let mut controller = seen(1_000, 30);
        assert_eq!(controller.estimate().map(BitRate::kilobits), Some(1_000));
        for _ in 0..3 {
            controller.sample(second_of(200));
        }
        let low = controller.estimate().expect("samples").kilobits();
        assert!((590..=610).contains(&low), "{low}");
        for _ in 0..3 {
            controller.sample(second_of(1_000));
        }
        let risen = controller.estimate().expect("samples").kilobits();
        assert!((780..=830).contains(&risen), "{risen}");
    }

    #[test]
    fn an_answer_without_time_or_bytes_is_no_infinite_link() {
        let mut controller = Controller::new(&LADDER);
        let mut sample = second_of(0);
        controller.sample(sample);
        assert_eq!(controller.estimate(), None);
        sample.bytes = 10_000;
        sample.transfer = Duration::ZERO;
        controller.sample(sample);
        assert_eq!(controller.estimate(), Some(BitRate(16_000_000)));
    }

    #[test]
    fn a_live_stream_with_a_short_limit_still_goes_up() {
        let now = Situation {
            current: Some(1),
            buffer: seconds(6.5),
            limit: seconds(12.0),
            segment: seconds(4.0),
        };
        let choice = seen(5_000, 10).decide(&now);
        assert_eq!(choice.rung, 3);
        assert_eq!(
            choice.reason.to_string(),
            "up: the link carries 5.0 Mbit/s, 6.5 s ahead"
        );
    }

    #[test]
    fn a_ladder_of_one_has_no_choice() {
        let mut controller = Controller::new(&LADDER[..1]);
        controller.sample(second_of(10));
        for current in [None, Some(0), Some(9)] {
            let now = Situation {
                current,
                buffer: MediaTime::ZERO,
                limit: MediaTime::ZERO,
                segment: MediaTime::MAX,
            };
            let want = Choice {
                rung: 0,
                reason: Reason::Only,
            };
            assert_eq!(controller.decide(&now), want, "{current:?}");
        }
    }
}
