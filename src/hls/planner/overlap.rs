//! What hides a change of rung: the head of the segment behind it in the rung
//! before.

use super::{Asked, Flight, Moment, Planner, State, TICK, View};

/// How long before it is heard a change of rung is prepared.
const OVERLAP_AHEAD: f64 = 6.0;
/// The share of the buffer that this may take: it is a kindness.
const OVERLAP_COST: f64 = 0.004;

impl Planner {
    /// What hides the next change of rung, when that costs little.
    pub(super) fn overlap(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
    ) -> Option<Asked> {
        let link = self.controller.estimate()?;
        if self.controller.rungs() == 1 || flights.len() >= now.in_flight {
            return None;
        }
        let rung = |place| match view.state(place) {
            State::Here(rung) => Some(rung),
            State::Missing | State::Coming(_) | State::Later | State::Silent => None,
        };
        let until = |place: usize| view.start(place) - now.position;
        let near = (view.open().max(1)..view.places().end)
            .take_while(|place| until(*place) < OVERLAP_AHEAD);
        let mut changes = near.filter_map(|place| {
            let (before, behind) = (rung(place - 1)?, rung(place)?);
            (before != behind && !view.has_overlap(place, before)).then_some((place, before))
        });
        let (place, rung) = changes.next()?;
        let length = view.start(place + 1) - view.start(place);
        let bytes = overlap_bytes(self.controller.rate(rung), length);
        let cost = self.controller.wait() + bytes as f64 * 8.0 / link.0.max(1) as f64;
        let buffer = now.playable - now.position;
        let is_idle = buffer + length > now.ahead;
        let comes = cost + TICK < until(place);
        let is_cheap = is_idle || cost < OVERLAP_COST * buffer;
        (comes && is_cheap).then_some(Asked::Overlap { place, rung })
    }
}

/// How much of a segment of `duration` seconds at `rate` kilobits per second is
/// enough to decode its first fifth of a second: the head of a fragment grows
/// with the number of its samples.
pub fn overlap_bytes(rate: f64, duration: f64) -> u64 {
    let head = 512.0 + 350.0 * duration;
    // Saturating, and never negative.
    (head + rate * 125.0 * 0.2) as u64
}
