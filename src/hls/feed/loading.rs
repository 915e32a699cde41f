//! Loading: what the planner wants is asked for, init sections and keys beside
//! it, and what it gives up is ended.

use std::time::{Duration, Instant};

use super::about::{About, Sections};
use super::{AHEAD, ANCHOR_BYTES, Anchor, Feed, Flight};
use crate::error::Problem;
use crate::event::RequestKind;
use crate::hls::load::{Load, carry};
use crate::hls::planner::{Asked, Command, Planner};
use crate::hls::wishes::Purpose;
use crate::stats::{Stage, Waste};
use crate::store::Wanted;
use crate::units::MediaTime;

impl Feed {
    /// Does what the planner says until there is nothing to be done; whether
    /// everything is here.
    pub(super) fn act(&mut self) -> bool {
        loop {
            let plan = self.planner.next(&*self);
            self.explain(&plan);
            match plan.command {
                Command::Fetch(Asked::Segment { place, rung }) | Command::Use { place, rung } => {
                    let rung = self.rungs[rung];
                    if !self.has_room(place) || !self.fetch(place, rung) {
                        self.look = None;
                        return false;
                    }
                }
                // The section is asked for beside its segment.
                Command::Fetch(Asked::Playlist(rung) | Asked::Init(rung)) => {
                    self.ask_playlist(self.rungs[rung]);
                }
                Command::Fetch(Asked::Overlap { place, rung }) => {
                    self.fetch_overlap(place, self.rungs[rung]);
                }
                Command::Abort(asked) => self.give_up(asked),
                Command::Repeat(asked) => self.repeat(asked),
                Command::Wait(until) => {
                    self.look = self.moment_at(until);
                    return false;
                }
                Command::Done => {
                    self.look = None;
                    return true;
                }
            }
            self.planner.follow(&plan);
        }
    }

    fn moment_at(&self, seconds: f64) -> Option<Instant> {
        let after = Duration::try_from_secs_f64(seconds).ok()?;
        self.begun.checked_add(after)
    }

    /// Asks for the segment at `place` in `rung`, and for what goes with it.
    /// `false` when its variant does not list it (yet).
    fn fetch(&mut self, place: usize, rung: usize) -> bool {
        let Some(about) = self.about(place, rung) else {
            return false;
        };
        if !self.is_held(place) {
            self.enter(rung);
        }
        self.start_beside(&about);
        let wanted = Wanted {
            is_ahead: self.wishes.purpose == Purpose::Decode && place > self.demanded(),
            ..about.wanted.clone()
        };
        self.has_asked = true;
        self.start(Load::Segment { index: place, rung }, wanted);
        if self.broadcast.is_some() {
            self.known.insert(place, about);
        }
        true
    }

    /// Ends a request; what came of it stays in the cache. Who reads it is told.
    pub(super) fn give_up(&mut self, asked: Asked) {
        let Asked::Segment { place, rung } = asked else {
            return;
        };
        let load = Load::Segment {
            index: place,
            rung: self.rungs[rung],
        };
        let until = self.come_until(place);
        let Some(flight) = self.flights.remove(&load) else {
            return;
        };
        if self.handed == Some(place) {
            self.broken_off = Some((place, until));
        }
        let seen = self.seen(asked, &flight);
        if let Some(sample) = Planner::told_by(&seen, self.seconds(Instant::now())) {
            self.carried(sample);
        }
        if flight.opened.is_some() {
            self.meter.end(self.stats.network_bytes.total());
        }
        if let Some(task) = flight.task {
            task.abort();
        }
        if let Some(body) = flight.body {
            self.stats
                .waste(Waste::GivenUp, body.come().saturating_sub(flight.base));
            body.break_off(Problem::given_up());
        }
    }

    /// Sends a segment's request again: it goes on from where it was.
    fn repeat(&mut self, asked: Asked) {
        let Asked::Segment { place, rung } = asked else {
            return;
        };
        let load = Load::Segment {
            index: place,
            rung: self.rungs[rung],
        };
        let Some(flight) = self.flights.remove(&load) else {
            return;
        };
        if flight.opened.is_some() {
            self.meter.end(self.stats.network_bytes.total());
        }
        if let Some(task) = flight.task {
            task.abort();
        }
        self.launch(load, flight.wanted, flight.renewals);
    }

    /// How far to fetch ahead of what is heard.
    pub(super) fn ahead(&self) -> MediaTime {
        let usual = match self.broadcast {
            Some(_) => MediaTime::MAX,
            None => AHEAD,
        };
        self.wishes.ahead.unwrap_or(usual)
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
            let head = head_of(first.wanted, ANCHOR_BYTES);
            self.start(Load::Anchor { rung: about.rung }, head);
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

    fn has_segment_under_way(&self) -> bool {
        let is_segment = |load: &Load| matches!(load, Load::Segment { .. });
        self.flights.keys().any(is_segment)
    }

    /// Sends the request of a load, for which a new address was looked for so often.
    pub(super) fn launch(&mut self, load: Load, wanted: Wanted, renewals: u32) {
        let is_alone = !self.has_segment_under_way();
        let mut flight = Flight {
            is_alone,
            ..Flight::new(wanted.clone(), renewals)
        };
        match load {
            Load::Key { key } => self.fetch_key(key, wanted),
            Load::Init { .. }
            | Load::Segment { .. }
            | Load::Overlap { .. }
            | Load::Anchor { .. } => {
                let (store, tell) = (self.store.clone(), self.tell.clone());
                let task = self.tasks.spawn(carry(store, wanted, load, tell));
                flight.task = Some(task);
            }
        }
        self.flights.insert(load, flight);
    }
}

/// The first `bytes` of a segment.
pub(super) fn head_of(wanted: Wanted, bytes: u64) -> Wanted {
    let whole = wanted.range.clone().unwrap_or(0..u64::MAX);
    let end = whole.end.min(whole.start.saturating_add(bytes));
    Wanted {
        range: Some(whole.start..end),
        ..wanted
    }
}
