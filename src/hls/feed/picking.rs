//! The listener's key: another variant, from the next segment on that can be
//! had in time.

use super::Feed;
use crate::hls::abr::Controller;
use crate::hls::journal::Entry;
use crate::hls::planner::{Limits, Planner};
use crate::stats::Pick;
use crate::units::BitRate;

impl Feed {
    /// The next variant `steps` times; behind the last one that which the link
    /// carries.
    pub(super) fn pick_next(&mut self, steps: u32) {
        self.widen();
        // Only what is stored can be heard then, in the variant it is stored in.
        if self.rungs.len() == 1 || self.store.is_offline() {
            return;
        }
        for _ in 0..steps {
            let pinned = self.after(self.planner.controller().pinned());
            self.planner.pin(pinned);
        }
        let pinned = self.planner.controller().pinned();
        let picked = pinned.map_or(Pick::Auto, |rank| Pick::Variant(self.rungs[rank]));
        self.stats.lists().picked = Some(picked);
        self.note_down(|| Entry::Pin { rung: pinned });
    }

    /// What comes after `pinned` when the key is pressed once.
    fn after(&self, pinned: Option<usize>) -> Option<usize> {
        let is_open = |rank: &usize| self.is_usable(self.rungs[*rank]);
        let heard = || self.rank(self.heard.unwrap_or(self.rung));
        let first = pinned.unwrap_or_else(heard) + 1;
        let next = (first..self.rungs.len()).find(is_open);
        let round = || match pinned {
            Some(_) => None,
            None => (0..heard()).find(is_open),
        };
        next.or_else(round)
    }

    /// Opens the choice that `-Q` had closed: the one variant stays pinned.
    fn widen(&mut self) {
        if self.rungs.len() > 1 {
            return;
        }
        let only = self.rungs[0];
        let mut rungs = self.adaptive.clone();
        if let Err(place) = rungs.binary_search(&only) {
            rungs.insert(place, only);
        }
        let rates: Vec<BitRate> = rungs.iter().map(|rung| self.rate(*rung)).collect();
        self.rungs = rungs;
        self.planner = Planner::new(
            Controller::new(&rates).with(self.wishes.algorithm),
            Limits::playing(),
        );
        self.planner.pin(Some(self.rank(only)));
        self.tell_beginning();
    }
}
