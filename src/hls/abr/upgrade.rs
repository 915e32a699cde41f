//! What is fetched again in better quality.

use super::{Controller, SWITCH, Situation};

/// How much longer than expected a fetch may take and still be in time.
const MARGIN: f64 = 1.2;
/// Seconds before a segment is heard in which it is left alone.
const TOO_NEAR: f64 = 0.5;
/// Segments of a run that share its switches.
const LONGEST_RUN: usize = 6;

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

    fn duration(&self, segment: usize) -> f64 {
        self.starts[segment + 1] - self.starts[segment]
    }

    /// Segments from `first` on that are no better than `rung`.
    fn run(&self, first: usize, rung: usize) -> usize {
        let is_low = |place: &usize| self.rung(first + place).is_some_and(|one| one <= rung);
        1 + (1..LONGEST_RUN).take_while(is_low).count()
    }
}

impl Controller {
    /// A segment and the rung to fetch it in once more: the nearest that is
    /// worth it. Allocates nothing.
    pub fn upgrade(&self, now: &Situation, ahead: &Ahead<'_>) -> Option<(usize, usize)> {
        if now.is_live {
            return None;
        }
        let tuning = self.tuning(now);
        let above = now.buffer - tuning.upgrade_above * self.reserve(tuning, self.top(), now);
        let slack = match ahead.is_whole {
            true => ahead.idle,
            false => ahead.idle + tuning.upgrade_share * above,
        };
        if slack <= 0.0 {
            return None;
        }
        let rate = self.reckoned(tuning, now.buffer);
        for segment in ahead.first..ahead.rungs.len() {
            let old = usize::from(ahead.rungs[segment]);
            for new in (old + 1..=self.top()).rev() {
                let fetch = self.fetch_seconds(new, ahead.duration(segment), rate) * MARGIN;
                let is_late = now.heard + fetch > ahead.starts[segment] - TOO_NEAR;
                if !is_late
                    && fetch <= slack
                    && self.gains(ahead, segment, new, tuning.upgrade_gain)
                {
                    return Some((segment, new));
                }
            }
        }
        None
    }

    /// Whether a segment in a better rung gains more than `least`, with all the
    /// low ones behind it and after what the added switches cost.
    fn gains(&self, ahead: &Ahead<'_>, segment: usize, new: usize, least: f64) -> bool {
        let old = usize::from(ahead.rungs[segment]);
        let left = segment
            .checked_sub(1)
            .and_then(|left| ahead.rung(left))
            .unwrap_or(old);
        let right = ahead.rung(segment + 1).unwrap_or(new);
        let step = |one: usize, other: usize| (self.utility[one] - self.utility[other]).abs();
        let added = step(new, left) + step(new, right) - step(old, left) - step(old, right);
        let edge = if left < new {
            2.0 * step(new, old)
        } else {
            0.0
        };
        let each = step(new, old) * ahead.duration(segment);
        let run = ahead.run(segment, old);
        let all = (0..run).map(|_| each).sum::<f64>();
        all - SWITCH * edge > least && all - SWITCH * added > least
    }
}
