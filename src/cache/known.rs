//! Which bytes of an entry may be served: those written by this process, and
//! those a record claims once their checksum was found right. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use super::record::{Line, Piece};
use super::spans::Spans;

/// What is known of one entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    spans: Spans,
    /// Pieces a record claims and nobody checked yet, by offset: disjoint, within `spans`.
    unchecked: BTreeMap<u64, Piece>,
    /// Length of the whole, once it is known.
    pub total: Option<u64>,
    /// How often bytes that were served became unknown.
    pub losses: u64,
}

/// What is at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Bytes up to this offset may be served.
    Trusted(u64),
    /// Bytes that must be checked first.
    Unchecked(Piece),
    /// Nothing: the resource ends here or before.
    End,
    /// Bytes that are not here.
    Missing,
}

impl Known {
    /// Nothing but, perhaps, the length.
    pub fn new(total: Option<u64>) -> Self {
        Self {
            total,
            ..Self::default()
        }
    }

    /// What is at `offset`.
    pub fn look(&self, offset: u64) -> Look {
        if self.total.is_some_and(|total| offset >= total) {
            return Look::End;
        }
        let until = self.spans.until(offset);
        if until == offset {
            return Look::Missing;
        }
        match self.unchecked(offset) {
            Some(piece) if piece.offset <= offset => Look::Unchecked(piece),
            Some(piece) => Look::Trusted(until.min(piece.offset)),
            None => Look::Trusted(until),
        }
    }

    /// Takes over what a record says; what cannot be is ignored.
    pub fn apply(&mut self, line: &Line) {
        match line {
            Line::Block(piece) => {
                let range = piece.range();
                if self.total.is_some_and(|total| range.end > total) {
                    return;
                }
                self.drop_unchecked(&range);
                self.unchecked.insert(piece.offset, *piece);
                self.spans.insert(range);
            }
            Line::Lost(range) => self.lose(range.clone()),
            Line::Total(total) => {
                if self.total.is_none() && *total >= self.spans.end() {
                    self.total = Some(*total);
                }
            }
        }
    }

    /// This process wrote `range`.
    pub fn publish(&mut self, range: Range<u64>) {
        self.spans.insert(range);
    }

    /// The checksum of `piece` was right; whether it was still waited for.
    pub fn trust(&mut self, piece: &Piece) -> bool {
        let is_waiting = self.unchecked.get(&piece.offset) == Some(piece);
        if is_waiting {
            self.unchecked.remove(&piece.offset);
        }
        is_waiting
    }

    /// The bytes of `range` are not there, or wrong.
    pub fn lose(&mut self, range: Range<u64>) {
        self.drop_unchecked(&range);
        self.spans.remove(range);
        self.losses += 1;
    }

    /// The first piece at or after `offset` that was not checked.
    pub fn unchecked(&self, offset: u64) -> Option<Piece> {
        let before = self.unchecked.range(..=offset).next_back();
        let holding = before.filter(|(_, piece)| piece.range().end > offset);
        let found = holding.or_else(|| self.unchecked.range(offset..).next());
        found.map(|(_, piece)| *piece)
    }

    /// Whether every byte is known.
    pub fn is_complete(&self) -> bool {
        self.total
            .is_some_and(|total| total == 0 || self.spans.until(0) >= total)
    }

    /// The end of the known bytes that begin at `offset`; `offset` when there are none.
    pub fn until(&self, offset: u64) -> u64 {
        self.spans.until(offset)
    }

    /// The first missing range at or after `from`; it has no end while the
    /// length is unknown.
    pub fn gap(&self, from: u64) -> Option<Range<u64>> {
        self.spans.gap(from, self.total.unwrap_or(u64::MAX))
    }

    /// How many bytes are known.
    pub fn bytes(&self) -> u64 {
        self.spans.bytes()
    }

    /// The end of the last known byte.
    pub fn end(&self) -> u64 {
        self.spans.end()
    }

    /// Forgets unchecked pieces that overlap `range`, whole.
    fn drop_unchecked(&mut self, range: &Range<u64>) {
        while let Some(piece) = self.unchecked(range.start) {
            if piece.offset >= range.end {
                return;
            }
            self.unchecked.remove(&piece.offset);
            self.spans.remove(piece.range());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::record::BLOCK;
    use proptest::prelude::*;

    fn piece(range: Range<u64>) -> Piece {
        Piece::new(range, 7).expect("inside a block")
    }

    #[test]
    fn claimed_bytes_are_checked_before_they_are_served() {
        let mut known = Known::new(Some(100));
        known.apply(&Line::Block(piece(10..20)));
        known.publish(20..30);
        let cases = [
            (0, Look::Missing),
            (15, Look::Unchecked(piece(10..20))),
            (25, Look::Trusted(30)),
            (30, Look::Missing),
            (100, Look::End),
        ];
        for (offset, want) in cases {
            assert_eq!(known.look(offset), want, "{offset}");
        }
        assert!(known.trust(&piece(10..20)));
        assert_eq!(known.look(10), Look::Trusted(30));
        assert!(!known.trust(&piece(10..20)), "only once");
    }

    #[test]
    fn a_later_line_replaces_an_earlier_one_over_the_same_bytes() {
        let mut known = Known::new(None);
        for range in [0..16, 0..32, 0..48, 48..64] {
            known.apply(&Line::Block(piece(range)));
        }
        assert_eq!(known.look(0), Look::Unchecked(piece(0..48)));
        known.apply(&Line::Block(piece(8..16)));
        assert_eq!(
            (known.until(0), known.until(8), known.until(48)),
            (0, 16, 64)
        );
        known.apply(&Line::Lost(10..50));
        assert_eq!(known.bytes(), 0, "a piece is whole or not there");
    }

    #[test]
    fn a_length_is_learnt_once_and_never_below_what_is_there() {
        let mut known = Known::new(None);
        known.apply(&Line::Block(piece(0..10)));
        for (total, want) in [(9, None), (10, Some(10)), (12, Some(10))] {
            known.apply(&Line::Total(total));
            assert_eq!(known.total, want, "{total}");
        }
        known.apply(&Line::Block(piece(5..11)));
        assert!(known.is_complete(), "bytes past the end are ignored");
        assert!(Known::new(Some(0)).is_complete());
    }

    /// What is known, byte by byte.
    #[derive(Default)]
    struct Bitmap {
        is_known: Vec<bool>,
        claimed: Vec<Option<Piece>>,
        total: Option<u64>,
    }

    impl Bitmap {
        fn new(end: u64) -> Self {
            let end = end as usize;
            Self {
                is_known: vec![false; end],
                claimed: vec![None; end],
                total: None,
            }
        }

        /// A claim goes whole, and what it covers with it.
        fn disclaim(&mut self, range: &Range<u64>) {
            for at in range.start..range.end {
                if let Some(piece) = self.claimed[at as usize] {
                    for at in piece.range() {
                        self.is_known[at as usize] = false;
                        self.claimed[at as usize] = None;
                    }
                }
            }
        }

        fn apply(&mut self, line: &Line) {
            match line {
                Line::Block(piece) if self.total.is_none_or(|total| piece.range().end <= total) => {
                    self.disclaim(&piece.range());
                    for at in piece.range() {
                        self.is_known[at as usize] = true;
                        self.claimed[at as usize] = Some(*piece);
                    }
                }
                Line::Block(_) => {}
                Line::Lost(range) => {
                    self.disclaim(range);
                    range
                        .clone()
                        .for_each(|at| self.is_known[at as usize] = false);
                }
                Line::Total(total) => {
                    let end = self.is_known.iter().rposition(|known| *known);
                    if self.total.is_none() && end.is_none_or(|end| (end as u64) < *total) {
                        self.total = Some(*total);
                    }
                }
            }
        }

        fn look(&self, offset: u64) -> Look {
            let at = offset as usize;
            if self.total.is_some_and(|total| offset >= total) {
                return Look::End;
            }
            if !self.is_known[at] {
                return Look::Missing;
            }
            if let Some(piece) = self.claimed[at] {
                return Look::Unchecked(piece);
            }
            let is_trusted = |at: &usize| self.is_known[*at] && self.claimed[*at].is_none();
            let end = (at..self.is_known.len()).find(|at| !is_trusted(at));
            Look::Trusted(end.unwrap_or(self.is_known.len()) as u64)
        }
    }

    proptest! {
        #[test]
        fn what_is_known_is_known_byte_by_byte(
            steps in prop::collection::vec((0u8..5, 0..80u64, 1..40u64), 0..30)
        ) {
            // Around the border of two blocks, where pieces end.
            let (low, end) = (BLOCK - 60, 120);
            let (mut known, mut model) = (Known::new(None), Bitmap::new(low + end));
            for (verb, start, length) in steps {
                let range = low + start..low + start + length;
                let line = match verb {
                    0 => Some(Line::Lost(range.clone())),
                    1 if length == 1 => Some(Line::Total(range.end)),
                    2 => {
                        // Only what is missing is written.
                        if (range.clone()).all(|at| model.look(at) == Look::Missing) {
                            known.publish(range.clone());
                            range.clone().for_each(|at| model.is_known[at as usize] = true);
                        }
                        None
                    }
                    3 => {
                        if let Look::Unchecked(piece) = known.look(range.start) {
                            prop_assert!(known.trust(&piece));
                            piece.range().for_each(|at| model.claimed[at as usize] = None);
                        }
                        None
                    }
                    _ => Piece::new(range, u32::from(verb)).map(Line::Block),
                };
                if let Some(line) = line {
                    known.apply(&line);
                    model.apply(&line);
                }
                prop_assert_eq!(known.total, model.total);
                for at in low..low + end {
                    prop_assert_eq!(known.look(at), model.look(at), "{}", at);
                }
            }
            let count = model.is_known.iter().filter(|known| **known).count();
            prop_assert_eq!(known.bytes(), count as u64);
            let whole = |total| model.is_known[..total as usize].iter().all(|known| *known);
            prop_assert_eq!(known.is_complete(), model.total.is_some_and(whole));
        }

        #[test]
        fn nothing_a_record_says_is_served_unchecked(
            lines in prop::collection::vec((0u8..4, 0..4 * BLOCK, 1..BLOCK), 0..40),
            at in 0..5 * BLOCK,
        ) {
            let mut known = Known::new(None);
            for (verb, start, length) in lines {
                let range = start..start + length;
                match verb {
                    0 => known.apply(&Line::Lost(range)),
                    1 => known.apply(&Line::Total(start)),
                    _ => if let Some(piece) = Piece::new(range, 1) {
                        known.apply(&Line::Block(piece));
                    }
                }
            }
            let pieces: Vec<_> = known.unchecked.values().collect();
            for pair in pieces.windows(2) {
                prop_assert!(pair[0].range().end <= pair[1].offset);
            }
            prop_assert!(!matches!(known.look(at), Look::Trusted(_)));
            let claimed: u64 = pieces.iter().map(|piece| u64::from(piece.length)).sum();
            prop_assert_eq!(claimed, known.bytes());
        }
    }
}
