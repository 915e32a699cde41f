//! Choosing the variant of the next segment: the controller's wish, as far as
//! its playlist is here and cut like the others.

use std::sync::Arc;

use super::{AHEAD, ALIGNED_MS, Feed};
use crate::error::Problem;
use crate::event::{Decision, Event};
use crate::hls::abr;
use crate::hls::listing;
use crate::hls::load::{Note, say};
use crate::hls::media::Media;
use crate::hls::quality::Quality;
use crate::hls::timeline::Listed;
use crate::units::MediaTime;

impl Feed {
    /// Whether segments of `media` are cut where those of the first playlist
    /// are. A variant that is cut elsewhere is not switched to.
    pub(super) fn is_aligned(&self, media: &Media) -> bool {
        if self.broadcast.is_some() {
            return true; // was aligned when it came
        }
        let first = self.list(self.reference).media();
        let last = first.len().min(media.len()).saturating_sub(1);
        let start =
            |media: &Media, index| media.segment(index).map(|segment| segment.start.millis());
        let is_near = |index| {
            let both = start(first, index).zip(start(media, index));
            both.is_none_or(|(one, other)| (one - other).abs() < ALIGNED_MS)
        };
        first.len().abs_diff(media.len()) <= 1 && is_near(last / 2) && is_near(last)
    }

    /// Lets the controller choose the rung for segment `index`.
    pub(super) fn choose(&mut self, index: usize) -> usize {
        if let Some(rung) = self.open_rung(index) {
            self.enter(rung);
            return rung;
        }
        if self.wishes.quality != Quality::Auto || self.store.is_offline() {
            return self.rung;
        }
        if self.is_beginning() && self.is_stored(index) {
            return self.rung;
        }
        let position = self.stats.position();
        let segment = self.list(self.reference).segment(index);
        let start = segment.map_or(self.from, |segment| segment.start);
        let now = abr::Situation {
            current: self.current(),
            buffer: self.buffered(position).seconds(),
            limit: self.most_ahead(position).seconds(),
            heard: (position - self.from).seconds(),
            steady: (start - self.switched).seconds(),
            segment: segment.map_or(0.0, |segment| segment.duration.seconds()),
            remaining: match self.broadcast {
                Some(_) => f64::INFINITY,
                None => (self.list(self.reference).end_time() - start).seconds(),
            },
            stored: None,
            is_live: self.broadcast.is_some(),
        };
        let choice = self.controller.decide(&now);
        let to = self.usable(choice.rung);
        if !self.lists(to, index) {
            // Taken when its playlist has come.
            self.ask_playlist(to);
            return self.rung;
        }
        let decision = Decision {
            segment: index as u64,
            from: self.rung,
            to,
            reason: choice.reason.to_string(),
            buffer: self.buffered(position),
            estimate: self.controller.estimate().unwrap_or_default(),
            position,
        };
        self.events.send(Event::Decision(decision.clone()));
        if to != self.rung {
            self.stats.switch(decision);
            self.enter(to);
            self.switched = start;
        }
        // The last segment of one variant may be too short to be one in another.
        match self.list(self.rung).segment(index) {
            Some(_) => self.rung,
            None => self.reference,
        }
    }

    /// Media that is here and not yet heard.
    fn buffered(&self, position: MediaTime) -> MediaTime {
        (self.stats.fetched_until.now() - position).max(MediaTime::ZERO)
    }

    /// The most media that can be ahead: of a live stream what is listed.
    fn most_ahead(&self, position: MediaTime) -> MediaTime {
        let limit = self.ahead().min(AHEAD);
        match self.broadcast {
            Some(_) => {
                limit.min((self.list(self.reference).end_time() - position).max(MediaTime::ZERO))
            }
            None => limit,
        }
    }

    /// Whether segment `index` of the present rung is in the cache and may be
    /// used unasked: it costs nothing.
    fn is_stored(&self, index: usize) -> bool {
        self.store.trusts_lists() && listing::is_stored(&self.store, self.list(self.rung), index)
    }

    /// Fetches in `rung` from now on; of a live stream its playlist is the one
    /// that is loaded again.
    fn enter(&mut self, rung: usize) {
        self.rung = rung;
        if let Some(broadcast) = &mut self.broadcast {
            self.reference = rung;
            broadcast.change_variant();
        }
    }

    /// Whether the playlist of `rung` is here; of a live stream also whether it
    /// is fresh enough to have the segment at `place`.
    fn lists(&self, rung: usize, place: usize) -> bool {
        let list = self.presentation.list(rung);
        list.is_some_and(|list| self.broadcast.is_none() || list.segment(place).is_some())
    }

    /// The rung at `place` of the adaptive ones, or the nearest below that is
    /// cut like the others, as far as is known.
    pub(super) fn usable(&self, place: usize) -> usize {
        let is_usable = |rung: &&usize| {
            let media = self.presentation.media(**rung);
            !self.barred.contains(rung) && media.is_none_or(|media| self.is_aligned(media))
        };
        let below = self.adaptive.iter().take(place + 1).rev().find(is_usable);
        below.copied().unwrap_or(self.rung)
    }

    /// The rung of the segment before, as the controller counts; `None` at the start.
    pub(super) fn current(&self) -> Option<usize> {
        let place = self.adaptive.iter().position(|rung| *rung == self.rung);
        place.filter(|_| !self.is_beginning())
    }

    /// After a refusal: a rung in which segment `index` was not refused yet.
    pub(super) fn open_rung(&self, index: usize) -> Option<usize> {
        let refused = self.refused.get(&index)?;
        let is_open = |rung: &&usize| {
            let media = self.presentation.media(**rung);
            !refused.contains(rung)
                && self.lists(**rung, index)
                && media.is_some_and(|media| self.is_aligned(media))
        };
        self.adaptive
            .iter()
            .rev()
            .filter(|rung| **rung <= self.rung)
            .find(is_open)
            .or_else(|| self.adaptive.iter().find(is_open))
            .copied()
    }

    pub(super) fn ask_playlist(&mut self, id: usize) {
        if self.asked.contains(&id) {
            return;
        }
        self.asked.push(id);
        let (store, tell, events) = (self.store.clone(), self.tell.clone(), self.events.clone());
        let rung = self.presentation.ladder.rungs[id].clone();
        let common = self.presentation.common.clone();
        self.tasks.spawn(async move {
            let loaded = listing::load(&store, &rung, common.as_deref(), &events).await;
            say(&tell, Note::Playlist(id, loaded.map(|loaded| loaded.media))).await;
        });
    }

    /// Another variant's media playlist came.
    pub(super) fn playlist_came(&mut self, rung: usize, media: Media) {
        let media = Arc::new(media);
        let list = match self.broadcast {
            None => Some(Listed::new(media, 0)),
            Some(_) => self.list(self.reference).align(media),
        };
        match list {
            Some(list) => {
                self.presentation.lists[rung] = Some(list);
                // What waited for it, having turned to another place.
                self.later.clear();
                if self.broadcast.is_some() {
                    self.shorten(rung);
                    // Soon stale: to be asked for again.
                    self.asked.retain(|asked| *asked != rung);
                }
            }
            None => {
                tracing::warn!("variant {rung} cannot be aligned with the others");
                self.barred.push(rung);
            }
        }
    }

    /// Another variant's media playlist cannot be had.
    pub(super) fn playlist_failed(&mut self, rung: usize, problem: Problem) {
        self.events.send(Event::Warning(problem));
        // What waited for it is tried where it was.
        self.later.clear();
        if rung != self.rung {
            self.barred.push(rung);
        }
    }
}
