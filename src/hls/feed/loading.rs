//! Loading: what the plan wants is asked for, init sections and keys beside it.

use super::about::{About, Sections};
use super::{AHEAD, ANCHOR_BYTES, Anchor, Feed, Flight, PLAYING_REQUESTS};
use crate::event::RequestKind;
use crate::hls::load::{Load, carry};
use crate::hls::plan::{self, Progress, Step};
use crate::hls::wishes::Purpose;
use crate::limits;
use crate::stats::Stage;
use crate::store::Wanted;
use crate::units::MediaTime;

impl Feed {
    /// Starts what the plan wants; returns what it said last.
    pub(super) fn start_loads(&mut self) -> Step {
        loop {
            let step = plan::plan(&self.situation(), |place| self.progress(place));
            let Step::Fetch(place) = step else {
                return step;
            };
            if !self.has_room(place) {
                return Step::Wait;
            }
            let rung = self.choose(place);
            let Some(about) = self.about(place, rung) else {
                return Step::Wait; // its variant does not list it (yet)
            };
            self.start_beside(&about);
            let wanted = Wanted {
                is_ahead: self.wishes.purpose == Purpose::Decode && place > self.demanded(),
                ..about.wanted.clone()
            };
            self.start(Load::Segment { index: place, rung }, wanted);
            if self.broadcast.is_some() {
                self.known.insert(place, about);
            }
        }
    }

    fn situation(&self) -> plan::Situation {
        let memory = MediaTime::from(limits::MEMORY_AHEAD);
        let ahead = self.ahead();
        let (ahead, most_in_flight) = match self.wishes.purpose {
            Purpose::Cache { jobs } => (MediaTime::MAX, jobs),
            // The first segment has the link for itself until it is whole.
            Purpose::Decode if self.is_beginning() => (ahead, 1),
            Purpose::Decode if self.store.is_memory() => (ahead.min(memory), PLAYING_REQUESTS),
            // While the network is down only the demanded segment is tried.
            Purpose::Decode if self.is_cut_off() => (MediaTime::ZERO, PLAYING_REQUESTS),
            Purpose::Decode => (ahead, PLAYING_REQUESTS),
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
            demand: demand.max(self.list(self.reference).places().start),
            end: self.end(),
            ahead,
            in_flight: segments.count(),
            most_in_flight,
        }
    }

    /// How far to fetch ahead of what is heard.
    pub(super) fn ahead(&self) -> MediaTime {
        let usual = match self.broadcast {
            Some(_) => MediaTime::MAX,
            None => AHEAD,
        };
        self.wishes.ahead.unwrap_or(usual)
    }

    fn progress(&self, place: usize) -> (Progress, MediaTime) {
        let flying =
            |load: &Load| matches!(load, Load::Segment { index: this, .. } if *this == place);
        let is_lost = match self.lost.get(&place) {
            Some((_, is_final)) => *is_final || place != self.demanded(),
            None => false,
        };
        let progress = if self.is_here(place) || is_lost {
            Progress::Held
        } else if self.is_paused(place) || self.flights.keys().any(flying) {
            Progress::InFlight
        } else {
            Progress::Missing
        };
        let segment = self.list(self.reference).segment(place);
        (
            progress,
            segment.map_or(MediaTime::ZERO, |segment| segment.duration),
        )
    }

    /// The init section of a segment, its keys and the anchor are asked for
    /// beside it.
    fn start_beside(&mut self, about: &About) {
        if let Some(init) = &about.init
            && self.sections.find(&init.wanted).is_none()
        {
            self.start_init(init.wanted.clone());
        }
        self.start_keys(about);
        let list = self.list(about.rung);
        let (first, is_late) = (list.places().start, self.begin > list.places().start);
        let wants_anchor = self.wishes.is_exact && self.broadcast.is_none();
        if wants_anchor
            && is_late
            && self.handed.is_none()
            && matches!(self.anchor, Anchor::None)
            && let Some(first) = self.about(first, about.rung)
        {
            self.anchor = Anchor::Coming;
            self.start_keys(&first);
            self.start(Load::Anchor { rung: about.rung }, head_of(first.wanted));
        }
    }

    pub(super) fn start_init(&mut self, wanted: Wanted) {
        self.stats.begin(Stage::Init);
        let id = Sections::ask(&mut self.sections, wanted.clone());
        self.start(Load::Init { id }, wanted);
    }

    pub(super) fn start(&mut self, load: Load, wanted: Wanted) {
        if self.flights.contains_key(&load) {
            return;
        }
        if wanted.kind == RequestKind::Segment && matches!(load, Load::Segment { .. }) {
            self.stats.begin(Stage::SegmentFirstByte);
        }
        let wanted = self.addressed(wanted);
        self.launch(load, wanted, 0);
    }

    /// Sends the request of a load, for which a new address was looked for so often.
    pub(super) fn launch(&mut self, load: Load, wanted: Wanted, renewals: u32) {
        let flight = Flight {
            wanted: wanted.clone(),
            renewals,
            body: None,
        };
        self.flights.insert(load, flight);
        match load {
            Load::Key { key } => self.fetch_key(key, wanted),
            Load::Init { .. } | Load::Segment { .. } | Load::Anchor { .. } => {
                let (store, tell) = (self.store.clone(), self.tell.clone());
                self.tasks.spawn(carry(store, wanted, load, tell));
            }
        }
    }
}

/// Enough of a segment to see its first access unit.
pub(super) fn head_of(wanted: Wanted) -> Wanted {
    let whole = wanted.range.clone().unwrap_or(0..u64::MAX);
    let end = whole.end.min(whole.start.saturating_add(ANCHOR_BYTES));
    Wanted {
        range: Some(whole.start..end),
        ..wanted
    }
}
