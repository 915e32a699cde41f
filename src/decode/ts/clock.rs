//! The time of frames: stamps of 33 bits unfolded to the media timeline, and
//! frames counted from the last stamp that had to be believed, so that the
//! rounding of stamps never shifts a sample.

use crate::decode::ticks;
use crate::units::{Frames, MediaTime, SampleRate};

/// Stamps may be off by this much; decode/placement.rs forgives the same.
const JITTER: MediaTime = MediaTime::from_nanos(30_000_000);

/// How long a frame of the stream lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasts {
    /// Samples a channel, before SBR.
    pub frames: Frames,
    /// Their rate.
    pub rate: SampleRate,
}

impl Lasts {
    /// As a length of media.
    pub fn time(self) -> MediaTime {
        self.frames.time(self.rate)
    }
}

/// When the next frame is due.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: MediaTime,
    /// Since the origin, all of one rate.
    passed: Option<Lasts>,
    /// The last stamp, unfolded; before the first one, where it is expected.
    near: Option<MediaTime>,
    is_set: bool,
}

impl Clock {
    /// A clock whose first stamp is expected `near` this moment.
    pub fn new(near: Option<MediaTime>) -> Self {
        Self {
            origin: near.unwrap_or_default(),
            passed: None,
            near,
            is_set: false,
        }
    }

    /// Whether the count of frames is known to be right.
    pub fn is_set(&self) -> bool {
        self.is_set
    }

    /// Frames were lost: the count is worth nothing until the next stamp.
    pub fn lose(&mut self) {
        self.is_set = false;
    }

    /// The moment a stamp means: of all that it can mean the nearest to the last.
    pub fn unfold(&self, stamp: u64) -> MediaTime {
        ticks::unfold(stamp, self.near)
    }

    /// The next frame is due at `stamp`, less `before`: believed when the count
    /// is lost or when both are too far apart.
    pub fn heed(&mut self, stamp: u64, before: MediaTime) {
        let stamp = self.unfold(stamp);
        self.near = Some(stamp);
        let due = stamp - before;
        let wander = due - self.now();
        if !self.is_set || wander > JITTER || MediaTime::ZERO - wander > JITTER {
            self.set(due);
        }
    }

    /// The count is as good as it gets, for want of a stamp.
    pub fn go_on(&mut self) {
        self.is_set = true;
    }

    /// When the next frame is due.
    pub fn now(&self) -> MediaTime {
        self.origin + self.passed.map(Lasts::time).unwrap_or_default()
    }

    /// Passes over a frame; returns when it starts and ends.
    pub fn pass(&mut self, lasts: Lasts) -> (MediaTime, MediaTime) {
        let start = self.now();
        let passed = self.passed.filter(|passed| passed.rate == lasts.rate);
        if passed.is_none() {
            self.origin = start;
        }
        let before = passed.map_or(Frames(0), |passed| passed.frames);
        self.passed = Some(Lasts {
            frames: before + lasts.frames,
            rate: lasts.rate,
        });
        (start, self.now())
    }

    fn set(&mut self, due: MediaTime) {
        self.origin = due;
        self.passed = None;
        self.is_set = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS_A_FRAME: u64 = 2090; // of 1024 at 44.1 kHz, rounded up

    fn lasts() -> Lasts {
        Lasts {
            frames: Frames(1024),
            rate: SampleRate::new(44_100).expect("an allowed rate"),
        }
    }

    /// Where a clock stands after it heeded these stamps, a frame each.
    fn after(stamps: &[u64]) -> i64 {
        let mut clock = Clock::new(None);
        for &stamp in stamps {
            clock.heed(stamp, MediaTime::ZERO);
            clock.pass(lasts());
        }
        clock.now().frame(lasts().rate)
    }

    #[test]
    fn rounding_is_ignored_and_jumps_are_followed() {
        let cases: [(&str, &[u64], i64); 5] = [
            (
                "rounded",
                &[0, TICKS_A_FRAME, 2 * TICKS_A_FRAME, 3 * TICKS_A_FRAME],
                4096,
            ),
            ("20 ms early", &[0, 290, TICKS_A_FRAME], 3072),
            ("a second ahead", &[0, TICKS_A_FRAME, 94_180], 47_172),
            ("back", &[900_000, 0], 1024),
            ("drifting", &[0, 3000, 6000, 9000], 5434),
        ];
        for (case, stamps, want) in cases {
            assert_eq!(after(stamps), want, "{case}");
        }
    }

    #[test]
    fn a_lost_count_is_taken_from_the_next_stamp() {
        let mut clock = Clock::new(None);
        clock.heed(90_000, MediaTime::ZERO);
        clock.pass(lasts());
        clock.lose();
        assert!(!clock.is_set());
        clock.heed(90_000 + 2 * TICKS_A_FRAME, lasts().time());
        assert_eq!(clock.now().frame(lasts().rate), 44_100 + 1024);
    }

    #[test]
    fn a_change_of_rate_keeps_the_time() {
        let mut clock = Clock::new(None);
        clock.heed(0, MediaTime::ZERO);
        let slow = Lasts {
            frames: Frames(1024),
            rate: SampleRate::new(22_050).expect("an allowed rate"),
        };
        let ends: Vec<i64> = [lasts(), slow, lasts()]
            .into_iter()
            .map(|lasts| {
                clock
                    .pass(lasts)
                    .1
                    .frame(SampleRate::new(44_100).expect("a rate"))
            })
            .collect();
        assert_eq!(ends, [1024, 3072, 4096]);
    }
}
