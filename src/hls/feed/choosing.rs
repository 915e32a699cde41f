//! Choosing the variant of the next segment: the controller's wish, as far as
//! its playlist is here and cut like the others.

use super::{ALIGNED_MS, Feed};
use crate::event::{Decision, Event};
use crate::hls::abr;
use crate::hls::load::{Note, say};
use crate::hls::media::Media;
use crate::hls::presentation;
use crate::hls::quality::Quality;
use crate::units::MediaTime;

impl Feed {
    /// Whether segments of `media` are cut where those of the first playlist
    /// are. A variant that is cut elsewhere is not switched to.
    pub(super) fn is_aligned(&self, media: &Media) -> bool {
        let first = self.media(self.first_rung);
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
            self.rung = rung;
            return rung;
        }
        if self.wishes.quality != Quality::Auto || self.store.is_offline() {
            return self.rung;
        }
        let position = self.stats.position();
        let segment = self.media(self.rung).segment(index);
        let now = abr::Situation {
            current: self.current(),
            buffer: (self.stats.fetched_until.now() - position).max(MediaTime::ZERO),
            limit: self.wishes.ahead,
            segment: segment.map_or(MediaTime::ZERO, |segment| segment.duration),
        };
        let choice = self.controller.decide(&now);
        let to = self.usable(choice.rung);
        if self.presentation.media(to).is_none() {
            // Taken when its playlist has come.
            self.ask_playlist(to);
            return self.rung;
        }
        let decision = Decision {
            segment: index as u64,
            from: self.rung,
            to,
            reason: choice.reason.to_string(),
            buffer: now.buffer,
            estimate: self.controller.estimate().unwrap_or_default(),
            position,
        };
        self.events.send(Event::Decision(decision.clone()));
        if to != self.rung {
            self.stats.switch(decision);
            self.rung = to;
        }
        // The last segment of one variant may be too short to be one in another.
        match self.media(self.rung).segment(index) {
            Some(_) => self.rung,
            None => self.first_rung,
        }
    }

    /// The rung at `place` of the adaptive ones, or the nearest below that is
    /// cut like the others, as far as is known.
    pub(super) fn usable(&self, place: usize) -> usize {
        let is_usable = |rung: &&usize| {
            let media = self.presentation.media(**rung);
            media.is_none_or(|media| self.is_aligned(media))
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
            !refused.contains(rung) && media.is_some_and(|media| self.is_aligned(media))
        };
        self.adaptive
            .iter()
            .rev()
            .filter(|rung| **rung <= self.rung)
            .find(is_open)
            .or_else(|| self.adaptive.iter().find(is_open))
            .copied()
    }

    pub(super) fn ask_playlist(&mut self, rung: usize) {
        if self.asked.contains(&rung) {
            return;
        }
        self.asked.push(rung);
        let (store, tell) = (self.store.clone(), self.tell.clone());
        let location = self.presentation.ladder.rungs[rung].location.clone();
        let common = self.presentation.common.clone();
        self.tasks.spawn(async move {
            let loaded = presentation::load(&store, location, rung, common.as_deref())
                .await
                .map(|(media, _)| media);
            say(&tell, Note::Playlist(rung, loaded)).await;
        });
    }
}
