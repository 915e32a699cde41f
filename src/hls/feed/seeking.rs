//! Another place is wanted: what is on its way to the old one is given up, and
//! the loop goes on as if the run began at the new one. What is stored stays.

use super::Feed;
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::hls::live::{self, Edge};
use crate::hls::load::Load;
use crate::hls::planner::Asked;
use crate::hls::wishes::PRE_ROLL;
use crate::media::Demand;
use crate::units::MediaTime;

impl Feed {
    /// Goes on where `demand` says, or as near to it as the stream has sound.
    pub(super) fn seek(&mut self, demand: Demand) {
        self.epoch = demand.epoch;
        let Some(wanted) = demand.from else { return };
        let from = self.reachable(wanted);
        let list = self.list(self.reference);
        let begin = (from - PRE_ROLL).max(list.start_time());
        let place = list.place_at(begin).unwrap_or(list.places().start);
        self.from = from;
        self.begin = place;
        self.jumped_to = None;
        self.handed = None;
        self.heard = None;
        self.answered = None;
        self.broken_off = None;
        self.frontier = from;
        self.overlaps.clear();
        self.lost.clear();
        self.refused.clear();
        self.later.clear();
        self.decisions.clear();
        self.give_up_all_but(place);
        self.planner.jump();
        self.held.reach_back(place);
        let end = self.end();
        self.stored = (place..end)
            .find(|place| !self.is_here(*place))
            .unwrap_or(end);
        self.stats.aimed(from, self.is_here(place));
        self.measure_ahead();
    }

    /// The moment nearest to `wanted` that can be heard; that it is another one
    /// is told, unless the end ([`MediaTime::MAX`]) or the start was wanted.
    fn reachable(&self, wanted: MediaTime) -> MediaTime {
        let list = self.list(self.reference);
        let (first, last) = (list.start_time(), self.last_start());
        let reachable = wanted.clamp(first, last.max(first));
        if reachable != wanted && wanted < MediaTime::MAX && wanted > MediaTime::ZERO {
            let why = match wanted > last {
                true if self.broadcast.is_some() => format!("the live edge is at {last}"),
                true => format!("the stream ends at {}", list.end_time()),
                false => format!("it begins at {first} by now"),
            };
            self.events.send(Event::Warning(Problem::new(
                Kind::Arguments,
                format!("cannot go to {wanted}"),
                why,
                "going as near as there is sound",
            )));
        }
        reachable
    }

    /// The last moment worth going to: of a live stream that at which it began,
    /// else a little before the end.
    fn last_start(&self) -> MediaTime {
        let list = self.list(self.reference);
        match &self.broadcast {
            Some(_) => {
                let edge = live::beginning(list.media(), Edge::Usual, None);
                list.start_time() + edge
            }
            None => list.end_time() - LEAST,
        }
    }

    /// Only what is wanted now is worth the link.
    fn give_up_all_but(&mut self, place: usize) {
        let flights = self.flights.keys().filter_map(|load| match load {
            Load::Segment { index, rung } if *index != place => Some((*index, *rung)),
            _ => None,
        });
        for (place, rung) in flights.collect::<Vec<_>>() {
            let rung = self.rank(rung);
            self.give_up(Asked::Segment { place, rung });
        }
    }
}

/// So much is heard at least, wherever the listener goes.
const LEAST: MediaTime = MediaTime::from_nanos(1_000_000_000);
