//! Which bytes of a file are there: disjoint ranges in order. Pure.

use std::iter;
use std::ops::Range;

/// A set of byte offsets, kept as sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<Range<u64>>);

impl Spans {
    /// Adds every offset of `range`.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|span| span.end < range.start);
        let last = self.0.partition_point(|span| span.start <= range.end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let start = touched
            .first()
            .map_or(range.start, |s| s.start.min(range.start));
        let end = touched.last().map_or(range.end, |s| s.end.max(range.end));
        self.0.splice(first..last, iter::once(start..end));
    }

    /// Removes every offset of `range`.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|span| span.end <= range.start);
        let last = self.0.partition_point(|span| span.start < range.end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let Some((head, tail)) = touched.first().zip(touched.last()) else {
            return;
        };
        let left = head.start..range.start;
        let right = range.end..tail.end;
        let kept = [left, right].into_iter().filter(|span| !span.is_empty());
        self.0.splice(first..last, kept);
    }

    /// The end of the span that holds `offset`, or `offset` when none does.
    pub fn until(&self, offset: u64) -> u64 {
        let next = self.0.partition_point(|span| span.end <= offset);
        match self.0.get(next) {
            Some(span) if span.start <= offset => span.end,
            _ => offset,
        }
    }

    /// The first known offset at or after `offset`.
    pub fn next(&self, offset: u64) -> Option<u64> {
        let next = self.0.partition_point(|span| span.end <= offset);
        self.0.get(next).map(|span| span.start.max(offset))
    }

    /// The first range from `from` up to `end` that is not there.
    pub fn gap(&self, from: u64, end: u64) -> Option<Range<u64>> {
        let start = self.until(from);
        let stop = self.next(start).unwrap_or(end).min(end);
        (start < stop).then_some(start..stop)
    }

    /// The end of the last span; zero when there is none.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |span| span.end)
    }

    /// How many offsets are there.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|span| span.end - span.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const END: u64 = 40;

    fn model_until(model: &BTreeSet<u64>, offset: u64) -> u64 {
        (offset..)
            .find(|at| !model.contains(at))
            .expect("the model is finite")
    }

    proptest! {
        #[test]
        fn spans_are_a_set_of_offsets(
            steps in prop::collection::vec((any::<bool>(), 0..END, 0..END), 0..40)
        ) {
            let (mut spans, mut model) = (Spans::default(), BTreeSet::new());
            for (is_insert, start, end) in steps {
                if is_insert {
                    spans.insert(start..end);
                    model.extend(start..end);
                } else {
                    spans.remove(start..end);
                    model.retain(|at| !(start..end).contains(at));
                }
            }
            prop_assert_eq!(spans.bytes(), model.len() as u64);
            prop_assert_eq!(spans.end(), model.last().map_or(0, |last| last + 1));
            for pair in spans.0.windows(2) {
                prop_assert!(pair[0].end < pair[1].start, "{:?}", spans);
            }
            for at in 0..END {
                prop_assert_eq!(spans.until(at), model_until(&model, at));
                prop_assert_eq!(spans.next(at), model.range(at..).next().copied());
                let start = model_until(&model, at);
                let stop = (start..END).find(|at| model.contains(at)).unwrap_or(END);
                prop_assert_eq!(spans.gap(at, END), (start < stop).then_some(start..stop));
            }
        }
    }
}
