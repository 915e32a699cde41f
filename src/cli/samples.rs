//! Levels that only exist as long as nobody looks: how much is buffered, how
//! many threads there are. Sampled a few times a second by the main loop.

use std::time::{Duration, SystemTime};

use super::over_time::OverTime;
use super::stalls::Stalls;
use crate::stats::{Histogram, Stats};
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
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Milliseconds on disk ahead of the sound.
    pub ahead: Range,
    /// The same, over the run.
    pub ahead_over_time: OverTime,
    /// Milliseconds decoded ahead of the sound.
    pub pcm: Range,
    /// Milliseconds behind the broadcast, where a live stream states dates; a
    /// clock that runs behind it counts as 0.
    pub latency: Histogram,
    /// Waits for data.
    pub stalls: Stalls,
    /// Threads when this was last looked at: those that last.
    pub threads: u64,
    began: Option<Duration>,
}

impl Samples {
    /// Takes the levels while `position` is heard, `now` being the date.
    pub fn levels(&mut self, stats: &Stats, position: MediaTime, now: SystemTime) {
        let ahead = |until: MediaTime| (until - position).millis().max(0);
        let (on_disk, elapsed) = (ahead(stats.fetched_until.now()), stats.elapsed());
        let began = *self.began.get_or_insert(elapsed);
        self.ahead.add(on_disk);
        self.ahead_over_time
            .add(elapsed.saturating_sub(began), on_disk);
        self.pcm.add(ahead(stats.decoded_until.now()));
        if let Some(behind) = latency(stats, position, now) {
            self.latency.add(u64::try_from(behind).unwrap_or_default());
        }
    }

    /// Takes the number of threads.
    pub fn threads(&mut self, now: u64) {
        self.threads = now;
    }
}

/// How many milliseconds behind the broadcast `position` is heard at `now`, if
/// the stream states dates.
pub fn latency(stats: &Stats, position: MediaTime, now: SystemTime) -> Option<i64> {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = since_1970.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    });
    let (moment, date_ms) = stats.lists().date?;
    let heard_ms = date_ms.saturating_add((position - moment).millis());
    Some(now_ms.saturating_sub(heard_ms))
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
        let date = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        samples.levels(&stats, MediaTime::from_seconds(10.0), date(1_000));
        assert_eq!(samples.latency.spread(), None, "no dates");
        stats.lists().date = Some((MediaTime::from_seconds(9.0), 993_000));
        samples.levels(&stats, MediaTime::from_seconds(11.0), date(1_000));
        let behind = samples.latency.spread().map(|spread| spread.greatest);
        assert_eq!(behind, Some(5_000));
        assert_eq!(samples.ahead.summary(), Some((19_000, 19_500, 20_000)));
        assert_eq!(samples.pcm.summary(), Some((0, 200, 400)));
        assert_eq!(samples.ahead_over_time.points(), [19_000]);
    }
}
