//! When the planner is asked again although nothing happens.

use super::{Asked, Flight, Moment, Planner, Report, TICK, View, next_wanted};

/// How many waits for a first byte before the end of one the next is asked for.
const EARLY: f64 = 1.25;

impl Planner {
    /// Whether what is left of a segment comes while the next request is on
    /// its way. Its first bytes come at once, with the head of the answer, and
    /// say nothing of the rate.
    pub(super) fn is_time(&self, now: &Moment, flight: &Flight) -> bool {
        let Report {
            bytes, got, first, ..
        } = flight.report;
        let (Asked::Segment { .. }, Some(bytes), Some(first)) = (flight.asked, bytes, first) else {
            return false;
        };
        let flowing = (now.now - first).max(TICK);
        let left = bytes.saturating_sub(got) as f64 * flowing / got.max(1) as f64;
        got > 0 && left <= EARLY * self.controller.wait() + TICK
    }

    /// When something that is under way may have to be given up, or sent again.
    pub(super) fn look_at(&self, view: &impl View, now: &Moment) -> f64 {
        let flights = view.flights();
        let is_dear =
            |flight: &Flight| matches!(flight.asked, Asked::Segment { rung, .. } if rung > 0);
        match flights.iter().any(is_dear) {
            true => now.now + TICK,
            false => self.suspicion(view, now, &flights),
        }
    }
}

/// When a transfer may have become too slow, or nearly ended.
pub(super) fn next_look(view: &impl View, now: &Moment, flight: &Flight, is_full: bool) -> f64 {
    let cannot_be_given_up = match flight.asked {
        Asked::Segment { rung, .. } => rung == 0,
        Asked::Playlist(_) | Asked::Init(_) | Asked::Overlap { .. } => true,
    };
    let is_next_stored = next_wanted(view).is_some_and(|place| view.stored(place).is_some());
    match cannot_be_given_up && is_full && !is_next_stored {
        true => f64::INFINITY,
        false => now.now + TICK,
    }
}
