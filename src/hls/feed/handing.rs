//! Handing over: the segment that was demanded, as soon as it can be read.

use std::sync::Arc;

use super::about::{About, SectionState};
use super::missing::is_refusal;
use super::{ANCHOR_BYTES, Anchor, Feed, READ_AT_ONCE, head_of};
use crate::error::{Kind, Problem};
use crate::hls::key::Lock;
use crate::hls::load::{Load, Note};
use crate::hls::media::Media;
use crate::hls::wishes::Purpose;
use crate::media::{self, Init, Piece, Segment, Title};
use crate::store::{Body, Kept, Wanted};
use crate::units::MediaTime;

impl Feed {
    /// Answers the demand if its segment can be read by now. `true` when that
    /// was the last answer.
    pub(super) fn hand_over(&mut self) -> Result<bool, Problem> {
        if self.wishes.purpose != Purpose::Decode {
            return Ok(false);
        }
        let demand = self.doors.demand();
        if demand.epoch != self.epoch {
            self.seek(demand);
        }
        let (epoch, place) = (demand.epoch, self.demanded());
        if self.answered == Some(demand) {
            return Ok(false);
        }
        let place = self.catch_up(place);
        self.forget_before(place);
        if self.is_over(place) {
            self.doors.hand(Piece::End { epoch });
            return Ok(true);
        }
        if let Some(gap) = self.gap(epoch, place) {
            self.tell_gap(&gap);
            let next = usize::try_from(gap.next).unwrap_or(place + 1);
            self.note_handed(next - 1, gap.start + gap.duration);
            self.doors.hand(Piece::Gap(Box::new(gap)));
            return Ok(false);
        }
        // What was lost far ahead of the playhead is asked for once more.
        if let Some((problem, true)) = self.lost.get(&place) {
            return Err(problem.clone());
        }
        match self.segment(epoch, place)? {
            None => self.starve(true),
            Some(segment) => {
                self.heard_in(place, segment.variant);
                self.note_handed(place, segment.start + segment.duration);
                self.doors.hand(Piece::Segment(Box::new(segment)));
            }
        }
        Ok(false)
    }

    pub(super) fn note_handed(&mut self, place: usize, end: MediaTime) {
        self.starve(false);
        self.answered = Some(self.doors.demand());
        self.handed = Some(place);
        self.broken_off = None;
        self.frontier = end;
        self.in_memory.retain(|other, _| *other > place);
    }

    /// The segments before `place` will not be read again.
    pub(super) fn forget_before(&mut self, place: usize) {
        let old = |this: &usize| *this >= place;
        self.refused.retain(|this, _| old(this));
        self.later.retain(|this, _| old(this));
        self.turns.retain(|this, _| old(this));
        self.decisions = self.decisions.split_off(&place);
        self.overlaps.retain(|(this, _), _| old(this));
        if self.broadcast.is_none() {
            self.let_go_before(place);
            return;
        }
        self.lost.retain(|this, _| old(this));
        let cut = self.held.cut_before(place);
        for stored in cut {
            if let Some(about) = self.known.get(&stored).filter(|_| !self.is_recording()) {
                self.store.forget(&about.wanted);
            }
        }
        self.known = self.known.split_off(&place);
    }

    /// The segment that the decode thread wants next.
    pub(super) fn demanded(&self) -> usize {
        let number = self.doors.demand().number;
        let place = number.and_then(|number| usize::try_from(number).ok());
        let begin = self.jumped_to.unwrap_or(self.begin);
        place.unwrap_or(begin).max(begin)
    }

    /// The segment at `place`, if it, its init section and (at the beginning)
    /// the anchor can be read and their keys are here.
    fn segment(&mut self, epoch: u64, place: usize) -> Result<Option<Segment>, Problem> {
        let Some((rung, body)) = self.body(place) else {
            return Ok(None);
        };
        let about = self
            .about(place, rung)
            .expect("what is stored or on its way is listed or known");
        let Lock::Open(cipher) = self.lock(place, rung, about.seal.as_ref())? else {
            return Ok(None);
        };
        let init = match &about.init {
            None => None,
            Some(_) => match self.init(place, &about)? {
                None => return Ok(None),
                init => init,
            },
        };
        let Some(anchor) = self.anchor(rung)? else {
            return Ok(None);
        };
        self.watch(Load::Segment { index: place, rung }, &about.wanted, &body);
        let wire = match self.wishes.ledger {
            true => Some(body.source(&self.stats)?),
            false => None,
        };
        if let (Some(date), true) = (about.date, self.broadcast.is_some()) {
            self.stats.lists().date = Some((about.start, date));
        }
        let stated = self.presentation.ladder.rungs[rung].rate();
        Ok(Some(Segment {
            epoch,
            run: about.run,
            number: place as u64,
            variant: rung,
            url: about.wanted.location.to_string(),
            init,
            media: body.source(&self.stats)?,
            overlap: self.overlap(place, rung),
            cipher,
            wire,
            anchor,
            start: about.start,
            duration: about.duration,
            discontinuity: (about.discontinuity || self.jumped_to == Some(place))
                && self.handed.is_some(),
            ends_run: about.ends_run,
            from: self.from,
            until: self.until,
            bit_rate: about.bit_rate.unwrap_or(stated),
            titles: titles(self.list(rung).media(), &about),
            is_live: self.broadcast.is_some(),
        }))
    }

    /// The init section of a segment, when it and its key are here.
    pub(super) fn init(&mut self, place: usize, about: &About) -> Result<Option<Init>, Problem> {
        let rung = about.rung;
        let Some(init) = about.init.clone() else {
            return Ok(None);
        };
        let Lock::Open(cipher) = self.lock(place, rung, init.seal.as_ref())? else {
            return Ok(None);
        };
        let Some(section) = self.sections.find(&init.wanted) else {
            self.start_init(init.wanted.clone());
            return Ok(None);
        };
        match &section.state {
            SectionState::Coming => Ok(None),
            SectionState::Here(body) => {
                let (id, body) = (section.id, body.clone());
                self.watch(Load::Init { id }, &init.wanted, &body);
                let bytes = body.source(&self.stats)?;
                Ok(Some(Init { id, bytes, cipher }))
            }
            SectionState::Lost(problem) => {
                let problem = problem.clone();
                self.sections.forget(&init.wanted);
                self.lack(place, problem).map(|()| None)
            }
        }
    }

    /// What a segment lacks (its key, its init section) will not come: another
    /// try later of a live stream that could be heard so far, else the end.
    pub(super) fn lack(&mut self, place: usize, problem: Problem) -> Result<(), Problem> {
        let is_refused = is_refusal(&problem);
        let is_first = self.handed.is_none();
        let is_final = problem.kind == Kind::Encryption || (is_refused && is_first);
        if self.broadcast.is_none() || is_final {
            return Err(problem);
        }
        self.missed(place, problem);
        Ok(())
    }

    /// Has the loop told when the reader of a body waits and nobody brings bytes.
    fn watch(&mut self, load: Load, wanted: &Wanted, body: &Body) {
        let Body::Entry(kept) = body else {
            return;
        };
        let (tell, watched) = (self.tell.clone(), Arc::downgrade(kept));
        kept.set_waker(Arc::new(move || {
            let is_torn = |kept: Arc<Kept>| !kept.target().is_being_written();
            if watched.upgrade().is_some_and(is_torn) {
                // A loop that has too much to do is told at the next wait.
                let _ = tell.try_send(Note::Torn(load));
            }
        }));
        self.read.truncate(READ_AT_ONCE - 1);
        self.read
            .push_front((load, wanted.clone(), Arc::downgrade(kept)));
    }

    /// The anchor that goes with the first segment handed over; `None` while
    /// it is on its way.
    fn anchor(&mut self, rung: usize) -> Result<Option<Option<media::Anchor>>, Problem> {
        let body = match &self.anchor {
            _ if self.handed.is_some() => return Ok(Some(None)),
            Anchor::Coming => return Ok(None),
            Anchor::None | Anchor::Refused => return Ok(Some(None)),
            Anchor::Here(body) => body.clone(),
        };
        let first = self.list(rung).places().start;
        let about = self.about(first, rung);
        if let Some(about) = &about {
            let head = head_of(about.wanted.clone(), ANCHOR_BYTES);
            self.watch(Load::Anchor { rung }, &head, &body);
        }
        let seal = about.and_then(|about| about.seal);
        Ok(match self.lock(first, rung, seal.as_ref())? {
            Lock::Shut => None,
            Lock::Open(cipher) => Some(Some(media::Anchor {
                bytes: body.source(&self.stats)?,
                cipher,
            })),
        })
    }

    /// Where segment `place` can be read: on its way, or stored.
    fn body(&mut self, place: usize) -> Option<(usize, Body)> {
        let Some(rung) = self.held.rung(place) else {
            return self.flights.iter().find_map(|(load, flight)| match load {
                Load::Segment { index, rung } if *index == place => {
                    Some((*rung, flight.body.clone()?))
                }
                _ => None,
            });
        };
        let found = match self.in_memory.get(&place) {
            Some(body) => Some(body.clone()),
            None => {
                // By the name it had then: every load of a live list may sign anew.
                let asked = self.known.get(&place).filter(|asked| asked.rung == rung);
                let about = asked.cloned().or_else(|| self.about(place, rung));
                about.and_then(|about| self.store.cached(&about.wanted))
            }
        };
        if found.is_none() {
            // Evicted or damaged since: the plan fetches it again.
            self.held.lose(place);
            self.stored = self.stored.min(place);
        }
        found.map(|body| (rung, body))
    }
}

/// The titles that the playlist's date ranges put into a segment.
fn titles(media: &Media, about: &About) -> Vec<Title> {
    let Some(date) = about.date else {
        return Vec::new();
    };
    let within = date..date.saturating_add(about.duration.millis());
    let ranges = media.date_ranges.iter();
    let begun = ranges.filter(|range| within.contains(&range.start_ms));
    let titled = begun.filter_map(|range| {
        Some(Title {
            offset: MediaTime::from_nanos((range.start_ms - date).saturating_mul(1_000_000)),
            text: range.title.clone()?,
        })
    });
    titled.collect()
}
