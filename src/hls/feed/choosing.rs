//! What can be chosen: variants whose playlist is here (or can be had) and cut
//! like the others.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use super::{ALIGNED_MS, Feed};
use crate::error::Problem;
use crate::event::Event;
use crate::hls::listing;
use crate::hls::load::{Note, say};
use crate::hls::media::Media;
use crate::hls::timeline::Listed;

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

    /// Fetches in `rung` from now on; of a live stream its playlist is the one
    /// that is loaded again.
    pub(super) fn enter(&mut self, rung: usize) {
        if rung == self.rung {
            return;
        }
        self.rung = rung;
        if let Some(broadcast) = &mut self.broadcast {
            self.reference = rung;
            broadcast.change_variant();
        }
    }

    /// Whether the playlist of `rung` is here; of a live stream also whether it
    /// is fresh enough to have the segment at `place`.
    pub(super) fn lists(&self, rung: usize, place: usize) -> bool {
        let list = self.presentation.list(rung);
        list.is_some_and(|list| self.broadcast.is_none() || list.segment(place).is_some())
    }

    /// Whether `rung` can be had and is cut like the others, as far as is known.
    pub(super) fn is_usable(&self, rung: usize) -> bool {
        let media = self.presentation.media(rung);
        !self.barred.contains(&rung) && media.is_none_or(|media| self.is_aligned(media))
    }

    /// Whether the playlist of `rung` ends before `place`: the last segment of
    /// one variant may be too short to be one in another.
    pub(super) fn is_too_short(&self, rung: usize, place: usize) -> bool {
        let list = self.presentation.list(rung);
        list.is_some_and(|list| self.broadcast.is_none() && list.segment(place).is_none())
    }

    /// Whether the live playlist of `rung` was loaded just now and does not have
    /// the segment at `place` yet.
    pub(super) fn is_behind(&self, rung: usize, place: usize) -> bool {
        let Some(list) = self.presentation.list(rung) else {
            return false;
        };
        let is_fresh = |at: &Instant| {
            let half = list.media().target_duration.seconds() / 2.0;
            at.elapsed().as_secs_f64() < half
        };
        self.broadcast.is_some()
            && list.segment(place).is_none()
            && self.asked.get(&rung).is_some_and(is_fresh)
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
        let now = Instant::now();
        // Of a live stream it is soon stale.
        let is_live = self.broadcast.is_some();
        match self.asked.entry(id) {
            Entry::Occupied(_) if !is_live => return,
            Entry::Occupied(mut asked) => {
                asked.insert(now);
            }
            Entry::Vacant(place) => {
                place.insert(now);
            }
        }
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
