//! How fast the link is, over all requests together. Asks the clock and counts;
//! what follows from it is decided in `abr/`.

use std::time::{Duration, Instant};

/// Throughput of the link: bytes of all requests together, over the time in
/// which at least one body was under way.
#[derive(Debug, Default)]
pub struct Meter {
    active: u32,
    since: Option<Instant>,
    bytes: u64,
    /// When a body ended last.
    ended: Option<Instant>,
    newest: Option<Whole>,
}

/// A body that came in full.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// When it was asked for.
    pub sent: Instant,
    /// When its last byte came.
    pub ended: Instant,
}

impl Meter {
    /// A body begins; `total` is what all requests received so far.
    pub fn begin(&mut self, total: u64) {
        if self.active == 0 {
            self.since = Some(Instant::now());
            self.bytes = total;
        }
        self.active += 1;
    }

    /// A body ended: bytes and busy time since the last sample; `None` when
    /// none was under way.
    pub fn end(&mut self, total: u64) -> Option<(u64, Duration)> {
        self.active = self.active.saturating_sub(1);
        let now = Instant::now();
        let time = now.saturating_duration_since(self.since?);
        let bytes = total.saturating_sub(self.bytes);
        self.since = (self.active > 0).then_some(now);
        self.ended = Some(now);
        self.bytes = total;
        Some((bytes, time))
    }

    /// A body that was asked for at `sent` came in full.
    pub fn came(&mut self, sent: Instant) {
        let ended = Instant::now();
        if self.newest.is_none_or(|newest| newest.sent < sent) {
            self.newest = Some(Whole { sent, ended });
        }
    }

    /// Of the bodies that came in full the one that was asked for last.
    pub fn newest(&self) -> Option<Whole> {
        self.newest
    }

    /// Whether a body ended since `moment`: what came of others by then was
    /// counted with it.
    pub fn has_ended_since(&self, moment: Instant) -> bool {
        self.ended.is_some_and(|ended| ended > moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_once_whoever_ends_first() {
        let mut meter = Meter::default();
        meter.begin(100);
        meter.begin(100);
        assert_eq!(meter.end(1_100).map(|(bytes, _)| bytes), Some(1_000));
        assert_eq!(meter.end(1_600).map(|(bytes, _)| bytes), Some(500));
        assert!(meter.end(1_600).is_none(), "nothing is under way");
    }

    #[test]
    fn what_came_is_known_by_when_it_was_asked_for() {
        let mut meter = Meter::default();
        assert!(meter.newest().is_none());
        let late = Instant::now();
        let early = late.checked_sub(Duration::from_millis(5));
        meter.came(late);
        meter.came(early.expect("a clock that runs"));
        assert_eq!(meter.newest().map(|newest| newest.sent), Some(late));
    }

    #[test]
    fn a_body_that_ends_counts_for_those_that_began_before() {
        let mut meter = Meter::default();
        let begun = Instant::now();
        meter.begin(0);
        assert!(!meter.has_ended_since(begun));
        meter.end(10);
        let after = meter.ended.expect("one ended");
        assert!(!meter.has_ended_since(after));
        let before = after.checked_sub(Duration::from_millis(1));
        assert!(meter.has_ended_since(before.expect("a clock that runs")));
    }
}
