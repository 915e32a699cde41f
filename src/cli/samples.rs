//! Levels that only exist as long as nobody looks: how much is buffered, how
//! many threads there are. Sampled a few times a second by the main loop.

use crate::stats::Stats;
use crate::units::MediaTime;

/// The least, mean and greatest of some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    count: i64,
    sum: i64,
    least: i64,
    greatest: i64,
}

impl Range {
    /// Takes one more sample.
    pub fn add(&mut self, value: i64) {
        let is_first = self.count == 0;
        self.least = if is_first {
            value
        } else {
            self.least.min(value)
        };
        self.greatest = if is_first {
            value
        } else {
            self.greatest.max(value)
        };
        self.sum = self.sum.saturating_add(value);
        self.count += 1;
    }

    /// Least, mean (rounded down) and greatest; none without a sample.
    pub fn summary(&self) -> Option<(i64, i64, i64)> {
        let mean = self.sum.checked_div(self.count)?;
        Some((self.least, mean, self.greatest))
    }
}

/// The levels of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Milliseconds on disk ahead of the sound.
    pub ahead: Range,
    /// Milliseconds decoded ahead of the sound.
    pub pcm: Range,
    /// Threads when this was last looked at: those that last.
    pub threads: u64,
}

impl Samples {
    /// Takes the buffer levels while `position` is heard.
    pub fn levels(&mut self, stats: &Stats, position: MediaTime) {
        let ahead = |until: MediaTime| (until - position).millis().max(0);
        self.ahead.add(ahead(stats.fetched_until.now()));
        self.pcm.add(ahead(stats.decoded_until.now()));
    }

    /// Takes the number of threads.
    pub fn threads(&mut self, now: u64) {
        self.threads = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_keeps_least_mean_and_greatest() {
        let mut range = Range::default();
        assert_eq!(range.summary(), None);
        for value in [200, 100, 600] {
            range.add(value);
        }
        assert_eq!(range.summary(), Some((100, 300, 600)));
    }

    #[test]
    fn levels_are_measured_from_what_is_heard() {
        let stats = Stats::default();
        stats.fetched_until.set(MediaTime::from_seconds(30.0));
        stats.decoded_until.set(MediaTime::from_seconds(10.4));
        let mut samples = Samples::default();
        samples.levels(&stats, MediaTime::from_seconds(10.0));
        samples.levels(&stats, MediaTime::from_seconds(11.0));
        assert_eq!(samples.ahead.summary(), Some((19_000, 19_500, 20_000)));
        assert_eq!(samples.pcm.summary(), Some((0, 200, 400)));
    }
}
