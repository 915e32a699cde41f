//! What is fetched again in better quality.

use super::{Algorithm, Controller, SWITCH, Situation, Tuning};

/// How much longer than expected a fetch may take and still be in time.
pub(super) const MARGIN: f64 = 1.2;
/// Seconds before a segment is heard in which it is left alone.
pub(super) const TOO_NEAR: f64 = 0.5;
/// Segments of a run that share its switches.
const LONGEST_RUN: usize = 12;

/// Segments that are here and not heard yet. Times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Rung of each segment from the first of the stream on.
    pub rungs: &'a [u8],
    /// When each begins, and the last ends.
    pub starts: &'a [f64],
    /// The first that is not heard yet.
    pub first: usize,
    /// Time in which nothing else may be fetched.
    pub idle: f64,
    /// Whether everything is fetched.
    pub is_whole: bool,
}

impl Ahead<'_> {
    fn rung(&self, segment: usize) -> Option<usize> {
        self.rungs.get(segment).map(|rung| usize::from(*rung))
    }

    pub(super) fn duration(&self, segment: usize) -> f64 {
        self.starts[segment + 1] - self.starts[segment]
    }
}

impl Controller {
    /// A segment and the rung to fetch it in once more: the nearest that is
    /// worth it. Allocates nothing.
    pub fn upgrade(&self, now: &Situation, ahead: &Ahead<'_>) -> Option<(usize, usize)> {
        if let Some(pinned) = self.pinned {
            return self.again_in(pinned, now, ahead);
        }
        let current = now
            .current
            .filter(|_| self.algorithm == Algorithm::Default)?;
        let heard_later = ahead.rungs.get(ahead.first..).unwrap_or_default();
        if heard_later
            .iter()
            .all(|rung| usize::from(*rung) >= self.top())
        {
            return None;
        }
        let tuning = self.tuning(now);
        let slack = match ahead.is_whole {
            true => ahead.idle,
            false => ahead.idle + tuning.upgrade_share * now.buffer,
        };
        let (rate, _) = self.expected(tuning, now.buffer);
        let price = match ahead.is_whole {
            true => 0.0,
            false => self.price(tuning, now, current),
        };
        let time = slack * tuning.upgrade_run;
        for segment in ahead.first..ahead.rungs.len() {
            let old = usize::from(ahead.rungs[segment]);
            let mut best = None;
            let mut most = tuning.upgrade_gain;
            for new in old + 1..=self.top() {
                let fetch = self.fetch_seconds(new, ahead.duration(segment), rate) * MARGIN;
                let is_late = now.heard + fetch > ahead.starts[segment] - TOO_NEAR;
                if is_late || fetch > slack {
                    break;
                }
                let gain = self.gain(now, ahead, segment, new, (fetch, time, price));
                if gain > most {
                    (most, best) = (gain, Some((segment, new)));
                }
            }
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// What a second of the link is worth, by what less media ahead would cost.
    fn price(&self, tuning: &Tuning, now: &Situation, current: usize) -> f64 {
        let outlook = self.outlook(tuning, now);
        let less = now.buffer / 4.0;
        let worth = |buffer| self.best(&outlook, buffer, current, self.top()).1;
        let lost = worth(now.buffer) - worth(now.buffer - less);
        tuning.upgrade_price * (lost / less.max(0.1)).max(0.0)
    }

    /// What the segments from `first` on gain in a better rung, as many as can
    /// be had, after what the switches cost.
    fn gain(
        &self,
        now: &Situation,
        ahead: &Ahead<'_>,
        first: usize,
        new: usize,
        (fetch, time, price): (f64, f64, f64),
    ) -> f64 {
        let step = |one: usize, other: usize| (self.utility[one] - self.utility[other]).abs();
        let before = first.checked_sub(1).and_then(|left| ahead.rung(left));
        let mut left = before.unwrap_or(new);
        let mut gain = -SWITCH * step(new, left);
        let mut most = f64::NEG_INFINITY;
        for place in 0..LONGEST_RUN {
            let segment = first + place;
            let Some(old) = ahead.rung(segment).filter(|old| *old < new) else {
                break;
            };
            let taken = fetch * (place + 1) as f64;
            if taken > time || now.heard + taken > ahead.starts[segment] - TOO_NEAR {
                break;
            }
            gain += (self.utility[new] - self.utility[old]) * ahead.duration(segment);
            gain += SWITCH * step(old, left);
            left = old;
            let right = ahead.rung(segment + 1).unwrap_or(new);
            let cost = price * (taken - ahead.idle).max(0.0);
            most = most.max(gain - cost - SWITCH * (step(new, right) - step(old, right)));
        }
        most
    }
}
