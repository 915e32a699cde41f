//! The rung of the next segment.

use super::{Algorithm, Choice, Controller, Numbers, Reason, Situation, Tuning, bit_rate};
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
        if let Some(rung) = self.pinned {
            let reason = Reason::Asked;
            return Choice { rung, reason };
        }
        match self.algorithm {
            Algorithm::Default => self.by_worth(tuning, now),
            Algorithm::Throughput => self.by_throughput(now),
            Algorithm::Buffer => self.by_buffer(now),
        }
    }

    /// The rung that is worth most.
    fn by_worth(&self, tuning: &Tuning, now: &Situation) -> Choice {
        let current = now.current.map(|current| current.min(self.top()));
        let Some(current) = current.filter(|_| self.link.is_measured()) else {
            return self.begin(tuning, now, current);
        };
        let highest = match now.steady < tuning.patience {
            true => current,
            false => self.top(),
        };
        let outlook = self.outlook(tuning, now);
        let (rung, _) = self.best(&outlook, now.buffer, current, highest);
        let numbers = Numbers {
            estimate: bit_rate(self.expected(tuning, now.buffer).0),
            buffer: MediaTime::from_seconds(now.buffer),
        };
        let reason = match rung {
            _ if rung > current => Reason::Up(numbers),
            _ if rung < current => Reason::Down(numbers),
            _ => Reason::Stay(numbers),
        };
        Choice { rung, reason }
    }

    /// While nothing was measured. What is stored says nothing about the link:
    /// the rung above it is tried.
    fn begin(&self, tuning: &Tuning, now: &Situation, current: Option<usize>) -> Choice {
        let above = now.stored.map_or(0, |stored| (stored + 1).min(self.top()));
        let rung = current.unwrap_or_else(|| self.first(tuning));
        Choice {
            rung: rung.max(above),
            reason: Reason::Start,
        }
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
}
