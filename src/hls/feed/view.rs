//! The feed as the planner sees it: a picture of what is here, on its way and
//! heard at this moment.

use std::ops::Range;
use std::time::Instant;

use super::{Feed, Flight};
use crate::hls::listing;
use crate::hls::load::Load;
use crate::hls::planner::{self, Asked, Came, LOST, Moment, Report, State, View};
use crate::hls::wishes::Purpose;
use crate::limits;
use crate::units::MediaTime;

/// Media requests in flight while playing.
const PLAYING_REQUESTS: usize = 2;

impl View for Feed {
    fn moment(&self) -> Moment {
        let position = self.stats.position();
        let list = self.list(self.reference);
        let end = list.end_time().seconds();
        let is_live = self.broadcast.is_some();
        Moment {
            now: self.seconds(Instant::now()),
            position: position.seconds(),
            playable: self.playable(position),
            heard: (position - self.from).seconds(),
            ahead: self.most_ahead().seconds(),
            in_flight: self.most_in_flight(),
            end: if is_live { f64::INFINITY } else { end },
            edge: is_live.then_some(end),
            publication: f64::INFINITY, // a note comes
            came: self.came(),
        }
    }

    fn places(&self) -> Range<usize> {
        let wanted = match self.wishes.purpose {
            Purpose::Cache { .. } => self.stored,
            Purpose::Decode => self.demanded(),
        };
        let start = wanted.max(self.list(self.reference).places().start);
        start..self.end().max(start)
    }

    fn is_whole(&self) -> bool {
        self.is_over(self.end())
    }

    fn start(&self, place: usize) -> f64 {
        let list = self.list(self.reference);
        let segment = list.segment(place);
        segment.map_or(list.end_time(), |one| one.start).seconds()
    }

    fn state(&self, place: usize) -> State {
        if let Some(rung) = self.held.rung(place) {
            return State::Here(self.rank(rung));
        }
        if self.is_gap(place) || self.is_given_up(place) {
            return State::Silent;
        }
        if self.is_paused(place) {
            return State::Later;
        }
        let coming = self.flights.keys().find_map(|load| match load {
            Load::Segment { index, rung } if *index == place => Some(*rung),
            _ => None,
        });
        coming.map_or(State::Missing, |rung| State::Coming(self.rank(rung)))
    }

    fn open(&self) -> usize {
        let handed = self.handed.map_or(0, |handed| handed + 1);
        let heard = self.list(self.reference).place_at(self.stats.position());
        let unheard = heard.map_or(self.end(), |place| place + 1);
        handed.max(unheard).max(self.places().start)
    }

    /// Only asked about variants whose playlist is here, so that nothing has to
    /// be fetched to know it.
    fn stored(&self, place: usize) -> Option<usize> {
        if self.rungs.len() == 1 || !self.store.trusts_lists() {
            return None;
        }
        let is_stored = |rank: &usize| {
            let rung = self.rungs[*rank];
            let list = self.presentation.list(rung);
            self.is_usable(rung)
                && list.is_some_and(|list| listing::is_stored(&self.store, list, place))
        };
        (0..self.rungs.len()).rev().find(is_stored)
    }

    fn usable(&self, place: usize, rank: usize) -> usize {
        if let Some(rung) = self.open_rung(place) {
            return self.rank(rung);
        }
        if !self.has_asked {
            return self.rank(self.rung); // its playlist is here
        }
        let is_open = |rank: &usize| {
            let rung = self.rungs[*rank];
            self.is_usable(rung) && !self.is_too_short(rung, place) && !self.is_behind(rung, place)
        };
        let below = (0..=rank).rev().find(is_open);
        below.unwrap_or_else(|| self.rank(self.reference))
    }

    fn needed(&self, place: usize, rank: usize) -> Option<Asked> {
        let is_listed = self.lists(self.rungs[rank], place);
        (!is_listed).then_some(Asked::Playlist(rank))
    }

    fn has_overlap(&self, place: usize, rank: usize) -> bool {
        self.is_overlap_settled(place, self.rungs[rank])
    }

    fn flights(&self) -> Vec<planner::Flight> {
        let segments = self.flights.iter().filter_map(|(load, flight)| match load {
            Load::Segment { index, rung } => {
                let (place, rung) = (*index, self.rank(*rung));
                Some(self.seen(Asked::Segment { place, rung }, flight))
            }
            Load::Overlap { index, rung } => {
                let (place, rung) = (*index, self.rank(*rung));
                Some(self.seen(Asked::Overlap { place, rung }, flight))
            }
            Load::Init { .. } | Load::Key { .. } | Load::Anchor { .. } => None,
        });
        let lists = self.asked.iter().filter_map(|(rung, at)| {
            let is_coming = self.presentation.list(*rung).is_none() && !self.barred.contains(rung);
            is_coming.then(|| planner::Flight {
                asked: Asked::Playlist(self.rank(*rung)),
                at: self.seconds(*at),
                report: Report::default(),
            })
        });
        let mut all: Vec<planner::Flight> = segments.chain(lists).collect();
        all.sort_by(|one, other| one.at.total_cmp(&other.at));
        all
    }
}

impl Feed {
    /// Seconds of the run.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.begun).as_secs_f64()
    }

    /// The controller's number of a rung; of one that it does not know, the next below.
    pub(super) fn rank(&self, rung: usize) -> usize {
        let below = self.rungs.iter().rposition(|known| *known <= rung);
        below.unwrap_or(0)
    }

    /// A request as the planner sees it.
    pub(super) fn seen(&self, asked: Asked, flight: &Flight) -> planner::Flight {
        planner::Flight {
            asked,
            at: self.seconds(flight.at),
            report: self.report_of(flight),
        }
    }

    /// How far a request is, less what was in the cache before it.
    fn report_of(&self, flight: &Flight) -> Report {
        let come = flight.body.as_ref().map_or(0, |body| body.come());
        let length = flight.body.as_ref().and_then(|body| body.length());
        let (before, mut last) = flight.come.get();
        if come != before {
            last = Instant::now();
            flight.come.set((come, last));
        }
        Report {
            bytes: length.map(|length| length.saturating_sub(flight.base)),
            got: come.saturating_sub(flight.base),
            first: flight.opened.map(|at| self.seconds(at)),
            last: flight.opened.map(|_| self.seconds(last)),
        }
    }

    /// Until when the segment at `place` has come, if it is on its way.
    pub(super) fn come_until(&self, place: usize) -> f64 {
        let coming = self.flights.iter().find_map(|(load, flight)| match load {
            Load::Segment { index, .. } if *index == place => flight.body.as_ref(),
            _ => None,
        });
        let start = self.start(place);
        let Some((body, length)) = coming.and_then(|body| Some((body, body.length()?))) else {
            return start;
        };
        let share = body.come() as f64 / length.max(1) as f64;
        start + (self.start(place + 1) - start) * share
    }

    fn came(&self) -> Option<Came> {
        let newest = self.meter.newest();
        let newest = newest.filter(|_| self.wishes.purpose == Purpose::Decode)?;
        Some(Came {
            sent: self.seconds(newest.sent),
            ended: self.seconds(newest.ended),
        })
    }

    /// Up to where everything can be played, the beginning of what is coming
    /// included.
    fn playable(&self, position: MediaTime) -> f64 {
        if self.wishes.purpose != Purpose::Decode {
            return 0.0; // nobody listens
        }
        let places = self.places();
        let is_here = |place: &usize| self.is_here(*place) || self.is_given_up(*place);
        let next = places.clone().find(|place| !is_here(place));
        let next = next.unwrap_or(places.end);
        let broken = self.broken_off.filter(|(place, _)| *place == next);
        let heard = broken.map_or(0.0, |(_, until)| until);
        let start = self.start(next).max(position.seconds()).max(heard);
        self.come_until(next).max(start)
    }

    /// How much may be fetched ahead.
    fn most_ahead(&self) -> MediaTime {
        let ahead = self.ahead();
        match self.wishes.purpose {
            Purpose::Cache { .. } => MediaTime::MAX,
            // While the network is down only the demanded segment is tried; and
            // where there is no room for more.
            Purpose::Decode if self.is_cut_off() || self.is_full() => MediaTime::ZERO,
            Purpose::Decode if self.store.is_memory() => ahead.min(limits::MEMORY_AHEAD.into()),
            Purpose::Decode => ahead,
        }
    }

    fn most_in_flight(&self) -> usize {
        match self.wishes.purpose {
            Purpose::Cache { jobs } => jobs,
            // The first segment has the link for itself until it is whole,
            // unless it does not come.
            Purpose::Decode if self.is_beginning() && !self.is_silent() => 1,
            Purpose::Decode => PLAYING_REQUESTS,
        }
    }

    /// Whether a segment that is under way has not come for long.
    fn is_silent(&self) -> bool {
        let now = self.seconds(Instant::now());
        let since = |flight: &Flight| {
            let last = self.report_of(flight).last;
            last.unwrap_or(self.seconds(flight.at))
        };
        let mut segments = self.flights.iter();
        segments.any(|(load, flight)| {
            matches!(load, Load::Segment { .. }) && now >= since(flight) + LOST
        })
    }

    /// Whether the segment at `place` was lost, and is not asked for (yet).
    fn is_given_up(&self, place: usize) -> bool {
        let lost = self.lost.get(&place);
        lost.is_some_and(|(_, is_final)| *is_final || place != self.demanded())
    }
}
