//! What is fetched once more, in better quality.

use std::ops::Range;

use super::{Consulted, Flight, Moment, Plan, Planner, Segments, State, View, is_again};
use crate::hls::abr::Ahead;
use crate::units::MediaTime;

impl Planner {
    pub(super) fn upgrade(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
        plan: &mut Plan,
        idle: f64,
    ) -> Option<(usize, usize)> {
        let is_alone = !flights.iter().any(|flight| is_again(view, flight.asked));
        // When the next segment of a live stream comes must be known.
        let may_come = now.edge.is_some() && now.publication.is_infinite();
        if may_come || !is_alone || self.controller.rungs() == 1 {
            return None;
        }
        let ahead = self.segments(view, now, idle);
        let next = ahead.base + ahead.rungs.len();
        let situation = self.situation(view, now, next);
        let answer = self.controller.upgrade(
            &situation,
            &Ahead {
                rungs: &ahead.rungs,
                starts: &ahead.starts,
                first: ahead.first,
                idle: ahead.idle,
                is_whole: ahead.is_whole,
            },
        );
        let answer = answer.map(|(segment, rung)| (ahead.base + segment, rung));
        plan.consulted.push(Consulted::Upgrade {
            situation,
            ahead,
            answer,
        });
        let (place, rung) = answer?;
        let usable = view.usable(place, rung);
        let is_better =
            matches!(view.state(place), State::Here(here) if self.is_preferred(usable, here));
        is_better.then_some((place, usable))
    }

    /// The segments that are here, from the one before the first that may become
    /// better on.
    fn segments(&self, view: &impl View, now: &Moment, idle: f64) -> Segments {
        let (places, open) = (view.places(), view.open());
        let top = self.controller.rungs() - 1;
        let rung = |place| match view.state(place) {
            // A ladder has fewer variants than a byte counts.
            State::Here(rung) => Some(u8::try_from(rung).unwrap_or(u8::MAX)),
            // Nothing is better than silence.
            State::Silent => Some(u8::try_from(top).unwrap_or(u8::MAX)),
            State::Missing | State::Coming(_) | State::Later => None,
        };
        let before = open.checked_sub(1).filter(|place| rung(*place).is_some());
        let base = before.unwrap_or(open).min(places.end);
        let rungs: Vec<u8> = (base..places.end).map_while(rung).collect();
        let end = base + rungs.len();
        Segments {
            base,
            starts: starts(view, now, base..end),
            is_whole: view.is_whole() && end == places.end,
            rungs,
            first: open - base,
            idle,
        }
    }
}

/// When each segment begins, and the last ends, counted from where the run
/// began as what was heard is; in whole nanoseconds, as a trace has them.
fn starts(view: &impl View, now: &Moment, places: Range<usize>) -> Vec<f64> {
    let began = now.position - now.heard;
    let start = |place| MediaTime::from_seconds(view.start(place) - began).seconds();
    (places.start..=places.end).map(start).collect()
}
