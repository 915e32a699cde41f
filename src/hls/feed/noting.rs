//! Noting what the tasks tell: what began, what is whole, what will not come.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::about::SectionState;
use super::missing::is_refusal;
use super::{Anchor, Feed, Flight};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::hls::abr;
use crate::hls::load::{Load, Note, mend};
use crate::hls::quality::Quality;
use crate::hls::wishes::Purpose;
use crate::stats::{Stage, Waste};
use crate::store::{Body, Moved};

impl Feed {
    pub(super) fn take(&mut self, note: Note) -> Result<(), Problem> {
        while let Some(ended) = self.tasks.try_join_next() {
            match ended {
                Err(lost) if !lost.is_cancelled() => return Err(lost_task()),
                Ok(()) | Err(_) => {}
            }
        }
        match note {
            Note::Opened(load, body, base) => self.opened(load, body, base),
            Note::Complete(load, moved) => self.complete(load, moved),
            Note::Failed(load, problem) => return self.failed(load, problem),
            Note::Key(key, loaded) => return self.key_came(key, loaded),
            Note::Torn(load) => self.mend(load),
            Note::Playlist(rung, Ok(media)) => self.playlist_came(rung, media),
            Note::Reloaded(rung, loaded) => return self.reloaded(rung, loaded),
            Note::Renewed(rung, search, found) => return self.renewed(rung, search, *found),
            Note::Playlist(rung, Err(problem)) => self.playlist_failed(rung, problem),
        }
        Ok(())
    }

    pub(super) fn opened(&mut self, load: Load, body: Body, base: u64) {
        match load {
            Load::Init { id } => {
                if let Some(section) = self.sections.named(id) {
                    section.state = SectionState::Here(body.clone());
                }
            }
            Load::Anchor { .. } => self.anchor = Anchor::Here(body.clone()),
            Load::Key { .. } | Load::Overlap { .. } => {}
            Load::Segment { .. } => {
                self.stats.end(Stage::SegmentFirstByte);
                self.meter.begin(self.stats.network_bytes.total());
            }
        }
        if let Some(flight) = self.flights.get_mut(&load) {
            flight.base = base;
            flight.opened = Some(Instant::now());
            flight.come.set((base, Instant::now()));
            flight.body = Some(body);
        }
    }

    pub(super) fn complete(&mut self, load: Load, moved: Option<Moved>) {
        let Some(flight) = self.flights.remove(&load) else {
            return; // given up meanwhile
        };
        let sample = match load {
            Load::Segment { .. } => self.sample_of(&flight, moved),
            _ => None,
        };
        let body = flight.body;
        if matches!(load, Load::Init { .. }) {
            self.stats.end(Stage::Init);
        }
        if let Load::Overlap { index, rung } = load {
            let length = body.as_ref().and_then(Body::length).unwrap_or(0);
            self.stats.waste(Waste::Overlap, length);
            return self.note_overlap(index, rung, body);
        }
        let Load::Segment { index, rung } = load else {
            return;
        };
        match self.held.rung(index) {
            Some(worse) if worse != rung => self.replace(index, rung, body.as_ref()),
            _ => self.hold(index, rung),
        }
        if index < self.played {
            self.let_go(index);
        }
        if self.broadcast.is_none() {
            // The network is back: what was lost meanwhile can be had again.
            self.lost.retain(|_, (problem, _)| is_refusal(problem));
        }
        self.stored_bytes += body.as_ref().and_then(Body::length).unwrap_or(0);
        let is_memory = body.as_ref().is_some_and(Body::is_memory);
        if is_memory && self.handed.is_none_or(|handed| handed < index) {
            self.in_memory.extend(body.map(|body| (index, body)));
        }
        if let Some(sample) = sample {
            self.carried(sample);
            let estimate = self.planner.controller().estimate().unwrap_or_default();
            self.stats.estimate.store(estimate.0, Ordering::Relaxed);
        }
        self.measure_ahead();
        self.report();
    }

    /// What a segment's request tells of the link when it is whole.
    fn sample_of(&mut self, flight: &Flight, moved: Option<Moved>) -> Option<abr::Sample> {
        let opened = flight.opened;
        let is_shared = opened.is_some_and(|at| self.meter.has_ended_since(at));
        let (mut bytes, mut transfer) = self.meter.end(self.stats.network_bytes.total())?;
        let moved = moved?;
        self.meter.came(flight.at);
        if !is_shared {
            // What came before its note was read is missing in the meter.
            bytes = bytes.max(moved.bytes);
            transfer = transfer.max(moved.transfer);
        }
        Some(abr::Sample {
            bytes,
            first_byte: flight.is_alone.then_some(moved.first_byte),
            transfer,
        })
    }

    /// The segment at `index` came once more, in a better `rung`: too late when
    /// it was handed over meanwhile.
    fn replace(&mut self, index: usize, rung: usize, body: Option<&Body>) {
        if self.handed.is_some_and(|handed| handed >= index) {
            let length = body.and_then(Body::length).unwrap_or(0);
            self.stats.waste(Waste::Unheard, length);
            return;
        }
        self.in_memory.remove(&index);
        self.held.hold(index, rung);
    }

    /// A body that was handed over lost bytes.
    fn mend(&mut self, load: Load) {
        let handed = self.read.iter().find(|(this, ..)| *this == load);
        let Some((_, wanted, kept)) = handed else {
            return; // long ago
        };
        if let Some(kept) = kept.upgrade()
            && !self.flights.contains_key(&load)
        {
            let (store, wanted) = (self.store.clone(), wanted.clone());
            self.tasks.spawn(mend(store, wanted, kept));
        }
    }

    pub(super) fn is_held(&self, index: usize) -> bool {
        self.held.rung(index).is_some()
    }

    /// Whether nothing has to be fetched for the segment at `place`.
    pub(super) fn is_here(&self, place: usize) -> bool {
        self.is_held(place) || self.is_gap(place)
    }

    pub(super) fn hold(&mut self, index: usize, rung: usize) {
        self.held.hold(index, rung);
        self.stored_segments += 1;
        let end = self.end();
        while self.stored < end && self.is_here(self.stored) {
            self.stored += 1;
        }
    }

    /// Whether no segment is whole yet: the first has the link for itself.
    pub(super) fn is_beginning(&self) -> bool {
        self.stored_segments == 0
    }

    /// Publishes up to where everything is on disk, from what is demanded on.
    pub(super) fn measure_ahead(&self) {
        let demanded = self.demanded().max(self.stored);
        let end = self.end();
        let hole = (demanded..end).find(|place| !self.is_here(*place));
        let list = self.list(self.reference);
        let until = list.segment(hole.unwrap_or(end));
        let until = until.map_or(list.end_time(), |segment| segment.start);
        self.stats.fetched_until.set(until);
    }

    pub(super) fn report(&self) {
        if self.wishes.purpose == Purpose::Decode {
            return;
        }
        let segments = self.stored_segments;
        let end = self.end().saturating_sub(self.begin) as u64;
        let (total, of) = match self.is_recording() {
            true => (self.recorded_total(), segments),
            false => (Some(self.stored_bytes / segments.max(1) * end), end),
        };
        self.events.send(Event::Progress {
            bytes: self.stored_bytes,
            total,
            segments,
            of,
        });
    }

    /// An address that expired is looked for again.
    fn failed(&mut self, load: Load, problem: Problem) -> Result<(), Problem> {
        if !self.flights.contains_key(&load) {
            return Ok(()); // given up meanwhile
        }
        let had_body = self
            .flights
            .get(&load)
            .is_some_and(|one| one.body.is_some());
        if had_body && matches!(load, Load::Segment { .. }) {
            self.meter.end(self.stats.network_bytes.total());
        }
        if !had_body && self.renew(load, &problem) {
            return Ok(());
        }
        let flight = self.flights.remove(&load);
        self.refused(load, problem, flight.is_some_and(|one| one.renewals > 0))
    }

    /// Another variant's same segment first, where the choice is ours; else the
    /// segment is lost, which matters when it is demanded; unless that `is_final`
    /// it is asked for once more then.
    pub(super) fn refused(
        &mut self,
        load: Load,
        problem: Problem,
        is_final: bool,
    ) -> Result<(), Problem> {
        let (index, rung) = match load {
            Load::Segment { index, rung } => (index, rung),
            Load::Init { id } if !self.is_strict() => {
                if let Some(section) = self.sections.named(id) {
                    section.state = SectionState::Lost(problem);
                }
                return Ok(());
            }
            Load::Init { .. } => return Err(problem),
            Load::Key { key } => return self.key_is_settled(key, Err(problem)),
            Load::Overlap { index, rung } => {
                self.note_overlap(index, rung, None);
                return Ok(());
            }
            Load::Anchor { .. } => {
                // The playlist's own sums have to do.
                self.anchor = Anchor::Refused;
                return Ok(());
            }
        };
        if problem.kind == Kind::Full && self.wishes.purpose == Purpose::Decode {
            self.full_at = Some(self.demanded());
            return Ok(());
        }
        let is_read = self.handed == Some(index);
        if is_read && self.broken_off.is_none_or(|(place, _)| place != index) {
            // Its reader has been told, and decodes what came.
            self.hold(index, rung);
            return Ok(());
        }
        let helps = matches!(
            problem.kind,
            Kind::HttpStatus(_) | Kind::NoData | Kind::Resolve | Kind::Connect
        );
        if helps && self.turn(index, rung) {
            self.events.send(Event::Warning(problem));
            return Ok(());
        }
        self.refused.entry(index).or_default().push(rung);
        if helps && self.wishes.quality == Quality::Auto && self.open_rung(index).is_some() {
            self.events.send(Event::Warning(problem));
            return Ok(());
        }
        let is_refused_by_disk = problem.kind.is_cache() && self.is_recording();
        if self.is_strict() || is_refused_by_disk {
            return Err(problem);
        }
        if self.broadcast.is_some() {
            self.missed(index, problem);
            return Ok(());
        }
        let is_final = is_final || index == self.demanded();
        self.lost.insert(index, (problem, is_final));
        Ok(())
    }
}

fn lost_task() -> Problem {
    let why = "a transfer of kithara panicked";
    Problem::new(Kind::Bug, "cannot go on", why, "please report it")
}
