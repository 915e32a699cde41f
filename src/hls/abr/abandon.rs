//! Whether a transfer is given up for a lower rung: both ways are priced in
//! quality, and the cheaper one is taken.

use serde::{Deserialize, Serialize};

use super::{Algorithm, Controller, SWITCH, Situation, Tuning};

/// A transfer is left alone for so long, in seconds.
const GRACE: f64 = 0.4;
/// The same in waits for a first byte.
const GRACE_WAITS: f64 = 1.5;
/// Kilobits per second below which a link is dead.
const DEAD: f64 = 0.5;

/// A transfer that has been silent for so long has stalled, however fast it was.
const STALLED: f64 = 2.0;

/// A transfer under way. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its rung.
    pub rung: usize,
    /// Since it was asked for.
    pub elapsed: f64,
    /// Since its first byte; `None` before it.
    pub flowing: Option<f64>,
    /// Its length in kilobits.
    pub kilobits: f64,
    /// Kilobits that came.
    pub got: f64,
    /// Length of what is playable at once.
    pub part: f64,
    /// Since its last byte.
    pub silent: f64,
}

impl Controller {
    /// The rung to start again in, when that costs less than to go on.
    /// Allocates nothing.
    pub fn abandon(&self, now: &Situation, transfer: &Transfer) -> Option<usize> {
        let tuning = self.tuning(now);
        let wait = self.link.wait();
        if self.algorithm != Algorithm::Default || self.pinned.is_some() || self.is_young(transfer)
        {
            return None;
        }
        let rate = self.rate_of(tuning, now, transfer).max(DEAD);
        let left = (transfer.kilobits - transfer.got) / rate * tuning.pessimism;
        let left = left.max(stalled(transfer));
        let parts = (now.segment / transfer.part).ceil().max(1.0);
        let share = (transfer.got / transfer.kilobits * parts).floor() / parts;
        let missing = now.segment * (1.0 - share);
        let until = now.buffer + missing - transfer.part;
        let mut least = self.silence() * (left - until);
        if least <= 0.0 {
            return None;
        }
        // One that stalled says nothing about another.
        let fresh = match stalled(transfer) > 0.0 && self.link.is_measured() {
            true => self.expected(tuning, now.buffer).0.max(rate),
            false => rate,
        };
        let mut best = None;
        for rung in (0..transfer.rung).rev() {
            let whole = self.rates[rung] * now.segment;
            let first = wait + whole * (share + 1.0 / parts) / fresh;
            let last = wait + whole / fresh;
            let silent = (first - now.buffer).max(last - until).max(0.0);
            let loss = self.utility[transfer.rung] - self.utility[rung];
            let switches = 2.0 * SWITCH * tuning.switch_weight;
            let cost = self.silence() * silent + loss * (missing + switches);
            if cost < least {
                (least, best) = (cost, Some(rung));
            }
        }
        best
    }

    /// Whether a segment that is fetched again is given up: it would come after
    /// it is heard, or what comes after it would. `until` is when it is heard.
    pub fn regret(&self, now: &Situation, transfer: &Transfer, until: f64) -> bool {
        let tuning = self.tuning(now);
        let wait = self.link.wait();
        if self.is_young(transfer) {
            return false;
        }
        let rate = self.rate_of(tuning, now, transfer).max(DEAD);
        let left = ((transfer.kilobits - transfer.got) / rate).max(stalled(transfer));
        let lowest = wait + self.rates[0] * now.segment / rate;
        left > until || (now.remaining > 0.0 && left + lowest * tuning.regret > now.buffer)
    }

    /// Whether nothing can be said of it yet.
    fn is_young(&self, transfer: &Transfer) -> bool {
        let grace = GRACE.max(GRACE_WAITS * self.link.wait());
        transfer.elapsed < grace || transfer.kilobits <= 0.0
    }

    /// What its rest will come with: its own rate, and the one expected before
    /// as if that had been seen for a moment.
    fn rate_of(&self, tuning: &Tuning, now: &Situation, transfer: &Transfer) -> f64 {
        let usual = self
            .link
            .is_measured()
            .then(|| self.expected(tuning, now.buffer).0);
        match (transfer.flowing, usual) {
            (Some(flowing), Some(usual)) if transfer.got > 0.0 => {
                let believed = tuning.belief;
                (transfer.got + usual * believed) / (flowing.max(0.2) + believed)
            }
            (Some(flowing), None) if transfer.got > 0.0 => transfer.got / flowing.max(0.2),
            (_, usual) => {
                let at_most = transfer.kilobits / transfer.elapsed.max(0.1);
                usual.map_or(at_most, |usual| usual.min(at_most))
            }
        }
    }
}

/// How long one that stalled is expected to stay silent: as long again.
fn stalled(transfer: &Transfer) -> f64 {
    match transfer.silent > STALLED {
        true => transfer.silent,
        false => 0.0,
    }
}
