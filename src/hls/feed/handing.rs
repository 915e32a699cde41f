//! Handing over: the segment that was demanded, as soon as it can be read.

use std::sync::Arc;

use super::{Anchor, Feed, Purpose};
use crate::error::Problem;
use crate::hls::key::Lock;
use crate::hls::load::Load;
use crate::hls::media::Media;
use crate::media::{self, Init, Piece, Segment};
use crate::store::Body;

impl Feed {
    /// Answers the demand if its segment can be read by now. `true` when that
    /// was the last answer.
    pub(super) fn hand_over(&mut self) -> Result<bool, Problem> {
        if self.wishes.purpose != Purpose::Decode {
            return Ok(false);
        }
        let epoch = self.doors.demand().epoch;
        let index = self.demanded();
        if self.handed.is_some_and(|handed| handed >= index) {
            return Ok(false);
        }
        if index >= self.range.end {
            self.doors.hand(Piece::End);
            return Ok(true);
        }
        // What was lost far ahead of the playhead is asked for once more.
        if let Some((problem, true)) = self.lost.get(&index) {
            return Err(problem.clone());
        }
        if let Some(segment) = self.segment(epoch, index)? {
            self.handed = Some(index);
            self.in_memory.retain(|other, _| *other > index);
            self.doors.hand(Piece::Segment(Box::new(segment)));
        }
        Ok(false)
    }

    /// The segment that the decode thread wants next.
    pub(super) fn demanded(&self) -> usize {
        let number = self.doors.demand().number;
        let index = number.and_then(|number| usize::try_from(number).ok());
        index.unwrap_or(self.range.start).max(self.range.start)
    }

    /// The segment at `index`, if it, its init section and (at the beginning)
    /// the anchor can be read and their keys are here.
    pub(super) fn segment(&mut self, epoch: u64, index: usize) -> Result<Option<Segment>, Problem> {
        let Some((rung, body)) = self.body(index) else {
            return Ok(None);
        };
        let media = Arc::clone(self.media(rung));
        let about = media
            .segment(index)
            .expect("the plan stays inside the playlist");
        let Lock::Open(cipher) = self.segment_lock(index, rung)? else {
            return Ok(None);
        };
        let init_cipher = match about.map.map(|map| self.init_lock(map, rung)) {
            None => None,
            Some(lock) => match lock? {
                Lock::Open(cipher) => cipher,
                Lock::Shut => return Ok(None),
            },
        };
        let init = match about.map {
            None => None,
            Some(map) => match self.inits.get(&(rung, map)) {
                None => match self.lost_inits.get(&(rung, map)) {
                    None => return Ok(None),
                    Some(problem) => return Err(problem.clone()),
                },
                Some(body) => Some(Init {
                    id: init_id(rung, map),
                    bytes: body.source(&self.stats)?,
                    cipher: init_cipher,
                }),
            },
        };
        let is_first = self.handed.is_none();
        let anchor = match self.anchor.clone() {
            Anchor::Coming if is_first => return Ok(None),
            Anchor::Here(body) if is_first => match self.segment_lock(0, rung)? {
                Lock::Shut => return Ok(None),
                Lock::Open(cipher) => Some(media::Anchor {
                    bytes: body.source(&self.stats)?,
                    cipher,
                }),
            },
            _ => None,
        };
        let wire = if self.wishes.ledger {
            Some(body.source(&self.stats)?)
        } else {
            None
        };
        Ok(Some(Segment {
            epoch,
            number: index as u64,
            variant: rung,
            url: media.location(about.uri)?.to_string(),
            init,
            media: body.source(&self.stats)?,
            cipher,
            wire,
            anchor,
            start: about.start,
            duration: about.duration,
            discontinuity: about.discontinuity && !is_first,
            ends_run: media.ends_run(index),
            from: self.from,
            until: self.until,
            bit_rate: self.presentation.ladder.rungs[rung].rate(),
            titles: Vec::new(),
        }))
    }

    pub(super) fn media(&self, rung: usize) -> &Arc<Media> {
        self.presentation
            .media(rung)
            .expect("a rung is used only when its playlist is loaded")
    }

    /// Where segment `index` can be read: on its way, or stored.
    pub(super) fn body(&mut self, index: usize) -> Option<(usize, Body)> {
        let under_way = self.flights.iter().find_map(|(load, body)| match load {
            Load::Segment { index: this, rung } if *this == index => Some((*rung, body.clone()?)),
            _ => None,
        });
        if under_way.is_some() {
            return under_way;
        }
        let rung = usize::from((*self.held.get(index)?)?);
        let load = Load::Segment { index, rung };
        let found = match self.in_memory.get(&index) {
            Some(body) => Some(body.clone()),
            None => self
                .wanted(load)
                .and_then(|wanted| self.store.cached(&wanted)),
        };
        if found.is_none() {
            // Evicted or damaged since: the plan fetches it again.
            self.held[index] = None;
            self.stored = self.stored.min(index);
        }
        found.map(|body| (rung, body))
    }
}

/// Init sections are told apart by variant and place in its playlist.
fn init_id(rung: usize, map: usize) -> u64 {
    (rung as u64) << 32 | map as u64
}
