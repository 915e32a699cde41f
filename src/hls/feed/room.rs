//! Room in the cache: look-ahead shrinks to what fits, and what was played is
//! the first to go.

use super::Feed;
use crate::hls::load::Load;
use crate::hls::wishes::Purpose;

impl Feed {
    /// Whether the cache has room for the segment at `place`, or it is the one
    /// in demand, which goes through memory if need be. Asked once for a demand.
    pub(super) fn has_room(&mut self, place: usize) -> bool {
        let demanded = self.demanded();
        if self.wishes.purpose != Purpose::Decode || place <= demanded {
            return true;
        }
        if self.full_at == Some(demanded) {
            return false;
        }
        // Those without an answer have not taken their room yet.
        let unanswered = self
            .flights
            .iter()
            .filter(|(load, flight)| matches!(load, Load::Segment { .. }) && flight.body.is_none());
        let count = unanswered.count() as u64 + 1;
        let has_room = self.store.makes_room(self.usual_bytes() * count);
        self.full_at = (!has_room).then_some(demanded);
        has_room
    }

    /// Whether the cache has no room for what is ahead of the segment in demand.
    pub(super) fn is_full(&self) -> bool {
        self.full_at == Some(self.demanded())
    }

    /// A little more than segments have had so far.
    fn usual_bytes(&self) -> u64 {
        let mean = self.stored_bytes / self.stored_segments.max(1);
        mean + mean / 8
    }

    /// The segments before `place` were played. After a seek back those that
    /// are far ahead go next, the last one first: they are fetched again in time.
    pub(super) fn let_go_before(&mut self, place: usize) {
        let stored = self.held.places();
        if place < self.played {
            for ahead in (place + 1..stored.end).rev() {
                self.let_go(ahead);
            }
        }
        for played in self.played.min(place)..place.min(stored.end) {
            self.let_go(played);
        }
        if place != self.played {
            self.full_at = None; // there is more room now
        }
        self.played = place;
    }

    /// The segment at `place` was played.
    pub(super) fn let_go(&self, place: usize) {
        let about = self
            .held
            .rung(place)
            .and_then(|rung| self.about(place, rung));
        if let Some(about) = about {
            self.store.played(&about.wanted);
        }
    }
}
