//! What a rung is worth: it is played for a while through a few futures of the
//! link, then whatever is best in each of them, and everything is priced as the
//! listener hears it. No reserves and no thresholds: a rung that empties the
//! buffer pays for the silence that this risks.

use super::{Controller, SWITCH, Situation, Tuning};

/// How far the link may lie from what is expected, in deviations of its
/// logarithm, and how likely that is.
const FUTURES: [(f64, f64); 4] = [(-1.6, 0.14), (-0.5, 0.36), (0.5, 0.36), (1.6, 0.14)];
/// For how many segments a rung is kept before what is best then.
const KEPT: [f64; 4] = [1.0, 3.0, 8.0, 20.0];
/// A segment is taken for no shorter, in seconds.
const SHORTEST: f64 = 0.1;
/// More media than this after the plan changes nothing, in seconds.
const LONGEST_AFTER: f64 = 3600.0;
/// How much rates differ on most links: deviation over mean.
const USUAL_VARIATION: f64 = 0.4;
/// What a second too late costs where all is stored, against the gain of the
/// top rung: it is heard in the stored one, and switched twice.
const STORED: f64 = 1.0;

/// What is expected, the same for all plans. Media and times in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook<'a> {
    tuning: &'a Tuning,
    /// Kilobits per second in the next seconds and in the long run.
    soon: f64,
    late: f64,
    /// Seconds without transfer for each second of media.
    pause: f64,
    segment: f64,
    /// The most media ahead.
    limit: f64,
    /// Media that is planned, and how much there is after it.
    horizon: f64,
    after: f64,
    /// What silence costs in a second.
    silence: f64,
    /// What the outages of a second cost while nothing is ahead.
    danger: f64,
    /// How fast this falls with media ahead.
    shelter: f64,
    /// Slowness in each of the futures, against what is expected.
    futures: [f64; FUTURES.len()],
    /// The rung that need not be fetched.
    stored: Option<usize>,
}

/// What is left after a stretch of media, and what it cost.
struct Stretch {
    buffer: f64,
    cost: f64,
}

impl Outlook<'_> {
    /// `media` that takes `taken` seconds to fetch, from `buffer` on.
    ///
    /// Outages come `often` and are `x` deep or deeper with (1 + x/2d)^-3, `d`
    /// deep on average; what they silence with the buffer between two levels is
    /// then the danger over the product of both shelters.
    fn stretch(&self, buffer: f64, media: f64, taken: f64) -> Stretch {
        let end = (buffer + media - taken).min(self.limit);
        let silent = (-end).max(0.0);
        let end = end.max(0.0);
        let passed = media + buffer - end;
        let shelters = (1.0 + buffer * self.shelter) * (1.0 + end * self.shelter);
        Stretch {
            buffer: end,
            cost: self.danger * passed / shelters + self.silence * silent,
        }
    }
}

impl Controller {
    /// What is expected now.
    pub(super) fn outlook<'a>(&self, tuning: &'a Tuning, now: &Situation) -> Outlook<'a> {
        let variation = (self.link.variation() / USUAL_VARIATION).powf(tuning.deviation_bend);
        let deviation = tuning.deviation * variation;
        let (soon, late) = self.expected(tuning, now.buffer);
        let (depth, often) = self.link.outages(tuning.outage_depth);
        let segment = now.segment.max(SHORTEST);
        let horizon = tuning.horizon.min(now.remaining).max(segment);
        let silence = match now.stored {
            Some(stored) => STORED * (self.utility[self.top()] - self.utility[stored]),
            None => self.silence(),
        };
        Outlook {
            tuning,
            soon,
            late,
            pause: self.link.pause() / segment,
            segment,
            limit: now.limit.max(segment),
            horizon,
            after: (now.remaining - horizon).min(LONGEST_AFTER),
            silence,
            danger: silence * tuning.outage_cost * often * depth,
            shelter: 0.5 / depth,
            futures: FUTURES.map(|(level, _)| (-level * deviation).exp()),
            stored: now.stored,
        }
    }

    /// The rung, up to `highest`, that is worth most after `current`, and what
    /// it is worth.
    pub(super) fn best(
        &self,
        outlook: &Outlook<'_>,
        buffer: f64,
        current: usize,
        highest: usize,
    ) -> (usize, f64) {
        let lowest = outlook.stored.unwrap_or(0);
        let mut best = (lowest, f64::NEG_INFINITY);
        for rung in lowest..=highest {
            let worth = self.worth(outlook, buffer, rung) - self.switch(outlook, current, rung);
            if worth > best.1 {
                best = (rung, worth);
            }
        }
        best
    }

    /// What `rung` is worth, kept for as long as is best.
    fn worth(&self, outlook: &Outlook<'_>, buffer: f64, rung: usize) -> f64 {
        let mut most = f64::NEG_INFINITY;
        for kept in KEPT {
            let media = (kept * outlook.segment).min(outlook.horizon);
            let share = 1.0 / (1.0 + media / outlook.tuning.turn);
            let first = 1.0 / (outlook.late + (outlook.soon - outlook.late) * share);
            let rest = 1.0 / outlook.late;
            let mut worth = self.utility[rung] * media;
            for ((_, likely), slower) in FUTURES.into_iter().zip(outlook.futures) {
                let each = self.each(outlook, rung, first * slower);
                let stretch = outlook.stretch(buffer, media, media * each);
                let then = self.then(outlook, stretch.buffer, rung, media, rest * slower);
                worth += likely * (then - stretch.cost);
            }
            most = most.max(worth);
            if media >= outlook.horizon {
                break;
            }
        }
        most
    }

    /// What the rest of the plan is worth after `media` in `rung`, on a link
    /// that is as slow as that.
    fn then(
        &self,
        outlook: &Outlook<'_>,
        buffer: f64,
        rung: usize,
        media: f64,
        slowness: f64,
    ) -> f64 {
        let rest = outlook.horizon - media;
        let mut most = f64::NEG_INFINITY;
        for other in outlook.stored.unwrap_or(0)..=self.top() {
            let each = self.each(outlook, other, slowness);
            let stretch = outlook.stretch(buffer, rest, rest * each);
            let gain = self.utility[other] * rest - self.switch(outlook, rung, other);
            most = most.max(gain - stretch.cost + self.left(outlook, stretch.buffer, slowness));
        }
        most
    }

    /// What follows the plan is worth: with media ahead it has so much more
    /// time, and it is heard in the best mix of rungs that this allows.
    fn left(&self, outlook: &Outlook<'_>, buffer: f64, slowness: f64) -> f64 {
        if outlook.after <= 0.0 {
            return 0.0;
        }
        let time = 1.0 + buffer / outlook.after - outlook.pause;
        let mix = self.mix(outlook, time.max(0.0) / slowness);
        outlook.tuning.price * outlook.after * mix
    }

    /// What a second of media is worth in the best mix of rungs that takes
    /// `rate` on average: utility grows with the logarithm, so that it is made
    /// of neighbours.
    pub(super) fn mix(&self, outlook: &Outlook<'_>, rate: f64) -> f64 {
        let lowest = outlook.stored.unwrap_or(0);
        let taken = |rung: usize| match outlook.stored == Some(rung) {
            true => 0.0,
            false => self.rates[rung],
        };
        match (lowest..=self.top()).find(|rung| taken(*rung) > rate) {
            None => self.utility[self.top()],
            Some(0) => outlook.silence * (rate / self.rates[0] - 1.0),
            Some(above) => {
                let below = above - 1;
                let share = (rate - taken(below)) / (taken(above) - taken(below));
                self.utility[below] + share * (self.utility[above] - self.utility[below])
            }
        }
    }

    /// Seconds that fetching a second of media takes.
    fn each(&self, outlook: &Outlook<'_>, rung: usize, slowness: f64) -> f64 {
        match outlook.stored == Some(rung) {
            true => 0.0,
            false => outlook.pause + self.rates[rung] * slowness,
        }
    }

    fn switch(&self, outlook: &Outlook<'_>, one: usize, other: usize) -> f64 {
        SWITCH * outlook.tuning.switches * (self.utility[one] - self.utility[other]).abs()
    }
}
