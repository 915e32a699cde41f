//! The rung of the next segment.

use super::{Choice, Controller, Numbers, Reason, Situation, Tuning, bit_rate};
use crate::units::MediaTime;

/// Where nothing is known of the link: "128 kbit/s" with its container.
const USUAL_START: f64 = 160.0;

impl Controller {
    /// Chooses the rung of the next segment. Allocates nothing.
    pub fn decide(&self, now: &Situation) -> Choice {
        let tuning = self.tuning(now);
        if self.rates.len() == 1 {
            let reason = Reason::Only;
            return Choice { rung: 0, reason };
        }
        let current = now.current.map(|current| current.min(self.top()));
        let Some(current) = current.filter(|_| self.link.is_measured()) else {
            return Choice {
                rung: current.unwrap_or_else(|| self.first(tuning)),
                reason: Reason::Start,
            };
        };
        let rate = self.reckoned(tuning, now.buffer);
        let fits = |rung: &usize| self.fits(tuning, now, current, *rung, rate);
        let rung = (1..=self.top()).rev().find(fits).unwrap_or(0);
        let numbers = Numbers {
            estimate: bit_rate(rate),
            buffer: MediaTime::from_seconds(now.buffer),
        };
        let reason = match rung {
            _ if rung > current => Reason::Up(numbers),
            _ if rung < current => Reason::Down(numbers),
            _ => Reason::Stay(numbers),
        };
        Choice { rung, reason }
    }

    /// The first rung: low, by what is remembered of the network or what the
    /// playlists' transfers promise.
    fn first(&self, tuning: &Tuning) -> usize {
        let (rate, highest) = match (self.prior, self.link.opening_rate()) {
            (Some(prior), _) => (prior.0 as f64 / 1e3, self.top()),
            (None, Some(promised)) => (promised * tuning.first_share, tuning.first_highest),
            (None, None) => (USUAL_START, self.top()),
        };
        let fits = |rung: &usize| self.rates[*rung] <= rate;
        (0..=highest.min(self.top())).rev().find(fits).unwrap_or(0)
    }

    /// Whether a rung may be fetched: its segment comes in time, and the buffer
    /// outlasts the reserve while the rung drains (or fills) it.
    fn fits(
        &self,
        tuning: &Tuning,
        now: &Situation,
        current: usize,
        rung: usize,
        rate: f64,
    ) -> bool {
        let fetch = self.fetch_seconds(rung, now.segment, rate);
        let is_up = rung > current;
        if is_up && now.steady < tuning.patience {
            return false;
        }
        let is_late = fetch * tuning.safety + tuning.guard > now.buffer;
        if is_late && (is_up || fetch * tuning.safety > now.segment) {
            return false;
        }
        let is_full = now.buffer >= tuning.full * (now.limit - now.segment);
        let mut reserve = self.reserve(tuning, rung, now);
        if !is_up {
            reserve *= tuning.stay;
        }
        reserve = reserve.min(tuning.end * now.remaining);
        if is_full {
            reserve *= tuning.stay;
        }
        let lasts = match is_up && !is_full {
            true => tuning.last_up,
            false => tuning.last_stay,
        };
        let fills = match is_up {
            true => tuning.fill_up,
            false => tuning.fill_stay,
        };
        let slower = fetch / now.segment - 1.0;
        let drain = lasts.min(now.remaining) * slower.max(0.0);
        let gain = fills.min(now.remaining) * (-slower).max(0.0);
        now.buffer - drain + gain >= reserve
    }
}
