//! A request whose connection was lost: it stays silent although one that was
//! sent later comes. It is sent again and goes on from where it was, which costs
//! a round trip. Whether the whole link is silent the next request shows.

use super::{Asked, Command, Flight, Moment, Planner, TICK, URGENT, View, next_wanted};

/// Such a silence, in seconds.
pub const LOST: f64 = 2.0;
/// The same in waits for a first byte.
const LOST_WAITS: f64 = 4.0;

impl Planner {
    /// Sends the request again that is waited for, when its connection is lost.
    pub(super) fn repeat(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
    ) -> Option<Command> {
        let stuck = self.stuck(view, now, flights)?;
        is_overtaken(now, stuck).then_some(Command::Repeat(stuck.asked))
    }

    /// The request that is waited for, when it has been silent for long and
    /// sound is about to end.
    pub(super) fn stuck<'a>(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &'a [Flight],
    ) -> Option<&'a Flight> {
        let (next, flight) = awaited(view, flights)?;
        let length = view.start(next + 1) - view.start(next);
        let is_urgent = now.playable - now.position < URGENT * length;
        (is_urgent && now.now >= self.stuck_at(flight)).then_some(flight)
    }

    /// Whether the request that is waited for is stuck and cannot be given up
    /// for a lower rung: then the next one shows what is the matter.
    pub(super) fn has_no_other_way(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
    ) -> bool {
        let stuck = self.stuck(view, now, flights);
        stuck.is_some_and(|flight| matches!(flight.asked, Asked::Segment { rung: 0, .. }))
    }

    /// When it is looked at whether the request that is waited for is stuck.
    pub(super) fn suspicion(&self, view: &impl View, now: &Moment, flights: &[Flight]) -> f64 {
        awaited(view, flights).map_or(f64::INFINITY, |(_, flight)| {
            self.stuck_at(flight).max(now.now + TICK)
        })
    }

    fn stuck_at(&self, flight: &Flight) -> f64 {
        last(flight) + LOST.max(LOST_WAITS * self.controller.wait())
    }
}

/// The segment that is waited for, and its request.
fn awaited<'a>(view: &impl View, flights: &'a [Flight]) -> Option<(usize, &'a Flight)> {
    let next = next_wanted(view)?;
    let is_next = |flight: &&Flight| {
        let asked = flight.asked;
        matches!(asked, Asked::Segment { place, .. } if place == next)
    };
    Some((next, flights.iter().find(is_next)?))
}

/// Whether something that was asked for later came after its last byte.
fn is_overtaken(now: &Moment, flight: &Flight) -> bool {
    let came = now.came.filter(|came| came.sent > flight.at);
    came.is_some_and(|came| came.ended > last(flight))
}

fn last(flight: &Flight) -> f64 {
    flight.report.last.unwrap_or(flight.at)
}
