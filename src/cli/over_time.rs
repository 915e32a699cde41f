//! How full the buffer was over the run, in constant memory: a point a second,
//! and when there are too many, every two become one of twice the time.

use std::time::Duration;

/// The points that are kept; the last is still being made.
const POINTS: usize = 600;
const SECOND: Duration = Duration::from_secs(1);
/// The steps of [`OverTime::sketch`], least to greatest.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The least of a level in each stretch of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTime {
    every: Duration,
    points: Vec<i64>,
}

impl Default for OverTime {
    fn default() -> Self {
        Self {
            every: SECOND,
            points: Vec::new(),
        }
    }
}

impl OverTime {
    /// Takes the level `at` this time of the run; times only grow.
    pub fn add(&mut self, at: Duration, level: i64) {
        while self.place(at) >= POINTS {
            self.halve();
        }
        let place = self.place(at);
        match self.points.get_mut(place) {
            Some(least) => *least = level.min(*least),
            // Where nobody looked (the process was stopped), the level is that of now.
            None => self.points.resize(place + 1, level),
        }
    }

    /// How long each point stands for.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The points, in order.
    pub fn points(&self) -> &[i64] {
        &self.points
    }

    fn place(&self, at: Duration) -> usize {
        usize::try_from(at.as_millis() / self.every.as_millis()).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        let least = |pair: &[i64]| pair.iter().copied().min().unwrap_or_default();
        self.points = self.points.chunks(2).map(least).collect();
        self.every = self.every.saturating_mul(2);
    }
}

/// `points` as a line of at most `width` characters, from zero to the greatest.
pub fn sketch(points: &[i64], width: usize) -> String {
    let a_column = points.len().div_ceil(width).max(1);
    let columns = points.chunks(a_column);
    let columns: Vec<i64> = columns
        .map(|some| some.iter().copied().min().unwrap_or_default())
        .collect();
    let top = columns.iter().copied().max().unwrap_or_default().max(1);
    let step = |level: &i64| {
        let step = level.saturating_mul(8) / top;
        STEPS[usize::try_from(step).unwrap_or_default().min(7)]
    };
    columns.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn each_second_keeps_the_least_of_it() {
        let mut over = OverTime::default();
        for (millis, level) in [(0, 500), (200, 100), (800, 300), (1_000, 700), (1_999, 900)] {
            over.add(at(millis), level);
        }
        assert_eq!(over.points(), [100, 700]);
        over.add(at(4_000), 50);
        assert_eq!(over.points(), [100, 700, 50, 50, 50]);
    }

    #[test]
    fn a_long_run_has_coarser_points_and_not_more_of_them() {
        let mut over = OverTime::default();
        for second in 0..86_400 {
            let level = if second == 40_000 { 7 } else { 1_000 };
            over.add(Duration::from_secs(second), level);
        }
        assert_eq!(over.every(), Duration::from_secs(256));
        assert_eq!(over.points().len(), 86_400_usize.div_ceil(256));
        let low = over.points().iter().position(|level| *level == 7);
        assert_eq!(low, Some(40_000 / 256), "a dip is not averaged away");
    }

    #[test]
    fn a_sketch_goes_from_nothing_to_the_greatest() {
        assert_eq!(sketch(&[0, 50, 100, 25], 10), "▁▅█▃");
        assert_eq!(
            sketch(&[5, 1, 8, 8, 2, 8], 3),
            "▂█▃",
            "the least of each two"
        );
        assert_eq!(sketch(&[0, 0], 10), "▁▁");
        assert_eq!(sketch(&[], 10), "");
    }
}
