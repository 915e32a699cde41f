//! Places that were sought, and how long it took until they were heard.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{LIST_CAPACITY, Stats};
use crate::units::MediaTime;

/// A place that was sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seek {
    /// Where it led.
    pub to: MediaTime,
    /// When it was asked for, since the process began.
    pub asked: Duration,
    /// From there until its first frame was given to the device; `None` while
    /// it was not, or when the next seek was faster.
    pub latency: Option<Duration>,
    /// Whether its bytes were here already.
    pub is_cached: bool,
}

impl Stats {
    /// The decode thread goes to `to`, which was asked for at `asked`.
    pub fn sought(&self, to: MediaTime, asked: Instant) {
        self.settle_seek();
        let asked = self.since(asked);
        let seeks = &mut self.lists().seeks;
        if seeks.len() < LIST_CAPACITY {
            seeks.push(Seek {
                to,
                asked,
                latency: None,
                is_cached: false,
            });
        }
    }

    /// What the last seek leads to is, or is not, here; it leads to `to`.
    pub fn aimed(&self, to: MediaTime, is_cached: bool) {
        if let Some(seek) = self.lists().seeks.last_mut() {
            (seek.to, seek.is_cached) = (to, is_cached);
        }
    }

    /// Notes how long the last seek took, if it is heard by now.
    pub fn settle_seek(&self) {
        let landed = Duration::from_nanos(self.landed.load(Ordering::Relaxed));
        if let Some(seek) = self.lists().seeks.last_mut()
            && seek.latency.is_none()
            && landed > seek.asked
        {
            seek.latency = Some(landed - seek.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Frames, SampleRate};

    #[test]
    fn a_position_counts_from_the_place_that_was_sought_last() {
        let stats = Stats::new(Instant::now());
        let seconds = MediaTime::from_seconds;
        let rate = SampleRate::new(8_000).expect("an allowed rate");
        stats.start.set(seconds(5.0));
        assert_eq!(stats.time_of(Frames(8_000), rate), seconds(6.0));
        stats.go_to(Frames(12_000), seconds(60.0));
        assert_eq!(stats.time_of(Frames(9_000), rate), seconds(60.0));
        assert_eq!(stats.time_of(Frames(16_000), rate), seconds(60.5));
    }

    #[test]
    fn a_seek_lasts_until_its_first_frame_is_given_away() {
        let began = Instant::now();
        let stats = Stats::new(began);
        let to = MediaTime::from_seconds(7.0);
        stats.sought(MediaTime::ZERO, began + Duration::from_millis(100));
        stats.aimed(to, true);
        stats.settle_seek();
        assert_eq!(stats.lists().seeks[0].latency, None);
        stats.landed.store(130_000_000, Ordering::Relaxed);
        stats.sought(to, began + Duration::from_millis(200));
        let seeks = stats.lists().seeks.clone();
        assert_eq!(seeks[0].latency, Some(Duration::from_millis(30)));
        assert_eq!((seeks[0].to, seeks[0].is_cached), (to, true));
        assert_eq!(seeks[1].latency, None);
    }
}
