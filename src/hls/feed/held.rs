//! Which segments are stored, and in which variant: a window over the places of
//! a run that grows at its end and is cut at its beginning, so that a stream
//! without end takes no more memory than one with.

use std::collections::VecDeque;
use std::ops::Range;

/// The variant each segment is stored in, by place.
#[derive(Debug, Default)]
pub(super) struct Held {
    first: usize,
    rungs: VecDeque<Option<u16>>,
}

impl Held {
    /// Nothing stored; places before `first` will never be asked about.
    pub fn new(first: usize) -> Self {
        Self {
            first,
            rungs: VecDeque::new(),
        }
    }

    /// The variant the segment at `place` is stored in.
    pub fn rung(&self, place: usize) -> Option<usize> {
        let rung = self.rungs.get(place.checked_sub(self.first)?)?;
        rung.map(usize::from)
    }

    /// Notes that the segment at `place` is stored in `rung`.
    pub fn hold(&mut self, place: usize, rung: usize) {
        let Some(index) = place.checked_sub(self.first) else {
            return;
        };
        if self.rungs.len() <= index {
            self.rungs.resize(index + 1, None);
        }
        self.rungs[index] = u16::try_from(rung).ok();
    }

    /// Notes that the segment at `place` is not stored any more.
    pub fn lose(&mut self, place: usize) {
        let index = place.checked_sub(self.first);
        if let Some(rung) = index.and_then(|index| self.rungs.get_mut(index)) {
            *rung = None;
        }
    }

    /// Places from `place` on may be asked about again; what is stored of those
    /// before the first is not known any more.
    pub fn reach_back(&mut self, place: usize) {
        while self.first > place {
            self.first -= 1;
            self.rungs.push_front(None);
        }
    }

    /// The places that may be stored.
    pub fn places(&self) -> Range<usize> {
        self.first..self.first + self.rungs.len()
    }

    /// Forgets what is before `place`; returns the places that were stored.
    pub fn cut_before(&mut self, place: usize) -> Vec<usize> {
        let count = place.saturating_sub(self.first).min(self.rungs.len());
        let cut = self.rungs.drain(..count);
        let stored = cut.enumerate().filter(|(_, rung)| rung.is_some());
        let stored = stored.map(|(index, _)| self.first + index).collect();
        self.first = self.first.max(place);
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides_over_the_places_of_a_run() {
        let mut held = Held::new(100);
        held.hold(102, 1);
        held.hold(100, 0);
        held.hold(99, 7);
        let rungs = |held: &Held| (99..104).map(|place| held.rung(place)).collect::<Vec<_>>();
        assert_eq!(rungs(&held), [None, Some(0), None, Some(1), None]);
        held.lose(100);
        held.lose(500);
        assert_eq!(rungs(&held), [None, None, None, Some(1), None]);
        held.hold(101, 2);
        assert_eq!(held.cut_before(102), [101]);
        assert_eq!(rungs(&held), [None, None, None, Some(1), None]);
        assert_eq!(held.cut_before(1000), [102]);
        held.hold(1001, 3);
        assert_eq!(held.rung(1001), Some(3));
    }
}
