//! Loading: what the plan wants is asked for, init sections beside it.

use super::{ANCHOR_BYTES, Anchor, Feed, PLAYING_REQUESTS, Purpose};
use crate::event::RequestKind;
use crate::hls::load::{Load, carry};
use crate::hls::plan::{self, Progress, Step};
use crate::limits;
use crate::stats::Stage;
use crate::store::Wanted;
use crate::units::MediaTime;

impl Feed {
    /// Starts what the plan wants; returns what it said last.
    pub(super) fn start_loads(&mut self) -> Step {
        loop {
            let step = plan::plan(&self.situation(), |index| self.progress(index));
            let Step::Fetch(index) = step else {
                return step;
            };
            let rung = self.choose(index);
            self.start_beside(index, rung);
            self.start(Load::Segment { index, rung });
        }
    }

    pub(super) fn situation(&self) -> plan::Situation {
        let memory = MediaTime::from(limits::MEMORY_AHEAD);
        let (ahead, most_in_flight) = match self.wishes.purpose {
            Purpose::Cache { jobs } => (MediaTime::MAX, jobs),
            // The first segment has the link for itself until it is whole.
            Purpose::Decode if self.is_beginning() => (self.wishes.ahead, 1),
            Purpose::Decode if self.store.is_memory() => {
                (self.wishes.ahead.min(memory), PLAYING_REQUESTS)
            }
            // While the network is down only the demanded segment is tried.
            Purpose::Decode if !self.lost.is_empty() => (MediaTime::ZERO, PLAYING_REQUESTS),
            Purpose::Decode => (self.wishes.ahead, PLAYING_REQUESTS),
        };
        let demand = match self.wishes.purpose {
            Purpose::Cache { .. } => self.stored,
            Purpose::Decode => self.demanded(),
        };
        let segments = self
            .flights
            .keys()
            .filter(|load| matches!(load, Load::Segment { .. }));
        plan::Situation {
            demand,
            end: self.range.end,
            ahead,
            in_flight: segments.count(),
            most_in_flight,
        }
    }

    pub(super) fn progress(&self, index: usize) -> (Progress, MediaTime) {
        let flying =
            |load: &Load| matches!(load, Load::Segment { index: this, .. } if *this == index);
        let is_lost = match self.lost.get(&index) {
            Some((_, was_demanded)) => *was_demanded || index != self.demanded(),
            None => false,
        };
        let progress = match self.is_held(index) || is_lost {
            true => Progress::Held,
            false if self.flights.keys().any(flying) => Progress::InFlight,
            false => Progress::Missing,
        };
        let segment = self.media(self.first_rung).segment(index);
        (
            progress,
            segment.map_or(MediaTime::ZERO, |segment| segment.duration),
        )
    }

    /// The init section of a segment, and the anchor, are asked for beside it.
    pub(super) fn start_beside(&mut self, index: usize, rung: usize) {
        let map = self
            .media(rung)
            .segment(index)
            .and_then(|segment| segment.map);
        if let Some(map) = map
            && !self.inits.contains_key(&(rung, map))
        {
            self.start(Load::Init { rung, map });
        }
        self.start_keys(index, rung);
        let begins = self.wishes.is_exact && self.handed.is_none() && self.range.start > 0;
        if begins && matches!(self.anchor, Anchor::None) {
            self.anchor = Anchor::Coming;
            self.start_keys(0, rung);
            self.start(Load::Anchor { rung });
        }
    }

    pub(super) fn start(&mut self, load: Load) {
        if self.flights.contains_key(&load) {
            return;
        }
        let Some(wanted) = self.wanted(load) else {
            return;
        };
        self.flights.insert(load, None);
        match load {
            Load::Segment { .. } => self.stats.begin(Stage::SegmentFirstByte),
            Load::Init { .. } => self.stats.begin(Stage::Init),
            Load::Anchor { .. } | Load::Key { .. } => {}
        }
        self.tasks
            .spawn(carry(self.store.clone(), wanted, load, self.tell.clone()));
    }

    pub(super) fn wanted(&self, load: Load) -> Option<Wanted> {
        let (rung, kind) = match load {
            Load::Init { rung, .. } => (rung, RequestKind::Init),
            Load::Segment { rung, .. } | Load::Anchor { rung } => (rung, RequestKind::Segment),
            Load::Key { .. } => return None, // asked for by its address
        };
        let media = self.media(rung);
        let (uri, range, segment) = match load {
            Load::Init { map, .. } => {
                let map = media.maps.get(map)?;
                (
                    map.uri.as_str(),
                    map.range.map(|range| range.start..range.end()),
                    None,
                )
            }
            Load::Segment { index, .. } => {
                let segment = media.segment(index)?;
                (
                    segment.uri,
                    segment.range.map(|range| range.start..range.end()),
                    Some(index as u64),
                )
            }
            Load::Anchor { .. } => {
                let segment = media.segment(0)?;
                let whole = segment
                    .range
                    .map_or(0..u64::MAX, |range| range.start..range.end());
                let end = whole.end.min(whole.start.saturating_add(ANCHOR_BYTES));
                (segment.uri, Some(whole.start..end), Some(0))
            }
            Load::Key { .. } => return None,
        };
        // The parser checked every address already.
        let location = media.location(uri).ok()?;
        Some(Wanted {
            location,
            range,
            kind,
            variant: Some(rung),
            segment,
        })
    }
}
