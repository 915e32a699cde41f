//! A session as the planner sees it.

use std::ops::Range;

use super::session::{Load, NEAR, Session};
use crate::hls::planner::{Asked, Flight, Moment, State, View};

impl View for Session<'_> {
    fn moment(&self) -> Moment {
        let window = self.setting.live.map(|count| {
            let first = self.ladder.segment_s[0];
            count as f64 * first
        });
        Moment {
            now: self.now,
            position: self.playback.position,
            playable: self.playback.playable,
            heard: self.playback.position,
            ahead: self.setting.player.max_buffer_s,
            in_flight: self.setting.player.in_flight,
            end: match window {
                Some(_) => f64::INFINITY,
                None => self.starts[self.starts.len() - 1],
            },
            // Who is late in a live stream may be as far behind its edge as that.
            edge: window.map(|window| window + self.now),
            publication: self.publication(),
            came: None, // they come in the order they were sent
        }
    }

    fn places(&self) -> Range<usize> {
        let here = self.whole.len();
        self.open().saturating_sub(1).min(here)..self.published()
    }

    fn is_whole(&self) -> bool {
        self.published() == self.ladder.segment_s.len()
    }

    fn start(&self, place: usize) -> f64 {
        self.starts[place]
    }

    fn state(&self, place: usize) -> State {
        if let Some(rung) = self.whole.get(place) {
            return State::Here(*rung);
        }
        let coming = self.loads.iter().find_map(|load| match load.asked {
            Asked::Segment { place: one, rung } if one == place => Some(rung),
            _ => None,
        });
        coming.map_or(State::Missing, State::Coming)
    }

    fn open(&self) -> usize {
        let position = self.playback.position;
        self.starts.partition_point(|start| *start <= position)
    }

    fn stored(&self, place: usize) -> Option<usize> {
        let hits = self.setting.cached.iter();
        let hits = hits.filter(|[_, first, last]| (*first..=*last).contains(&place));
        hits.map(|[variant, ..]| *variant).max()
    }

    fn usable(&self, _: usize, rung: usize) -> usize {
        rung
    }

    fn needed(&self, _: usize, rung: usize) -> Option<Asked> {
        if !self.lists[rung] {
            return Some(Asked::Playlist(rung));
        }
        (!self.inits[rung]).then_some(Asked::Init(rung))
    }

    fn has_overlap(&self, place: usize, rung: usize) -> bool {
        let is_it = |load: &Load| load.asked == Asked::Overlap { place, rung };
        let mut cached = self.setting.cached.iter();
        self.had.contains(&(place, rung))
            || self.loads.iter().any(is_it)
            || cached
                .any(|[variant, first, last]| *variant == rung && (*first..=*last).contains(&place))
    }

    fn flights(&self) -> Vec<Flight> {
        self.loads.iter().map(|load| self.flight(load)).collect()
    }
}

impl Session<'_> {
    /// How many segments exist.
    fn published(&self) -> usize {
        let count = self.ladder.segment_s.len();
        let Some(window) = self.setting.live else {
            return count;
        };
        let begun = |start: &f64| *start <= self.now + NEAR;
        let passed = self.starts.partition_point(begun);
        (passed - 1 + window).min(count)
    }

    /// When the next one will exist.
    fn publication(&self) -> f64 {
        let next = (self.published() + 1).checked_sub(self.setting.live.unwrap_or(0));
        let next = next.and_then(|next| self.starts.get(next));
        next.copied().unwrap_or(f64::INFINITY)
    }
}
