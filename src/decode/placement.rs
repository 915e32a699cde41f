//! Where decoded frames belong: from an access unit's media time to frame
//! numbers of the presentation, and from there to what is heard. Pure numbers.

use crate::units::{MediaTime, SampleRate};

/// Timestamps may wander this far within a run before they are believed more
/// than the count of frames: rounding of coarse timescales stays below it.
const JITTER: MediaTime = MediaTime::from_nanos(30_000_000);

/// The presentation's frame counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement {
    /// Presentation time zero, on the media timeline minus edit list.
    base: Option<MediaTime>,
    /// Presentation time of the next frame, when a run is under way.
    next: Option<MediaTime>,
    /// The next unit must be placed to the frame: another variant began.
    exact: bool,
}

/// The part of the presentation that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment heard.
    pub from: MediaTime,
    /// The end, exclusive.
    pub until: Option<MediaTime>,
}

impl Placement {
    /// Nothing placed yet: the first unit fixes the count.
    pub fn new() -> Self {
        Self {
            base: None,
            next: None,
            exact: true,
        }
    }

    /// Whether presentation zero still has to be told with [`Placement::set_base`].
    pub fn needs_base(&self) -> bool {
        self.base.is_none()
    }

    /// Fixes presentation time zero on the media timeline.
    pub fn set_base(&mut self, base: MediaTime) {
        self.base = Some(base);
    }

    /// Presentation time of the next frame, when frames have been placed.
    pub fn next(&self) -> Option<MediaTime> {
        self.next
    }

    /// A new timeline begins (EXT-X-DISCONTINUITY), whose own zero goes on where
    /// the last one ended.
    pub fn splice(&mut self, zero: MediaTime) {
        let next = self.next.unwrap_or_default();
        self.base = Some(zero - next);
        self.exact = true;
    }

    /// The next unit comes from another variant: its time decides, to the frame.
    pub fn believe_time(&mut self) {
        self.exact = true;
    }

    /// Frames at `rate` to insert (positive) or drop (negative) before a block
    /// whose unit begins at media time `start`; advances nothing.
    pub fn offset(&mut self, start: MediaTime, rate: SampleRate) -> i64 {
        let due = start - self.base.unwrap_or_default();
        let Some(next) = self.next else {
            self.next = Some(due);
            self.exact = false;
            return 0;
        };
        let wander = due - next;
        let believed = self.exact || wander > JITTER || MediaTime::ZERO - wander > JITTER;
        let offset = if believed {
            due.frame(rate) - next.frame(rate)
        } else {
            0
        };
        // Frames heard before may reach into the next block.
        self.exact = offset < 0;
        offset
    }

    /// Advances by `frames` at `rate` and returns the frame number they began at.
    pub fn advance(&mut self, frames: u64, rate: SampleRate) -> i64 {
        let begin = self.next.unwrap_or_default().frame(rate);
        let end = begin.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        self.next = Some(frame_time(end, rate));
        begin
    }
}

impl Window {
    /// Which of `frames` beginning at frame number `begin` lie inside.
    pub fn cut(&self, begin: i64, frames: u64, rate: SampleRate) -> (u64, u64) {
        let end = begin.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        let from = self.from.frame(rate).clamp(begin, end);
        let until = self
            .until
            .map_or(end, |until| until.frame(rate))
            .clamp(from, end);
        let count = |length: i64| u64::try_from(length).unwrap_or(0);
        (count(from - begin), count(until - from))
    }

    /// Whether `time` is at or behind the end.
    pub fn is_over(&self, time: MediaTime, rate: SampleRate) -> bool {
        self.until
            .is_some_and(|until| time.frame(rate) >= until.frame(rate))
    }
}

/// The time of a frame number that may be negative.
fn frame_time(frame: i64, rate: SampleRate) -> MediaTime {
    MediaTime::from_ticks(frame, rate.timescale())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate() -> SampleRate {
        SampleRate::new(44_100).expect("an allowed rate")
    }

    fn at(frame: i64) -> MediaTime {
        frame_time(frame, rate())
    }

    fn based(base: MediaTime) -> Placement {
        let mut placement = Placement::new();
        placement.set_base(base);
        placement
    }

    #[test]
    fn units_of_one_run_follow_each_other_by_count() {
        let mut placement = based(at(1024));
        for (unit, start) in [0, 1024, 2048].into_iter().enumerate() {
            assert_eq!(placement.offset(at(start), rate()), 0, "unit {unit}");
            assert_eq!(placement.advance(1024, rate()), start - 1024, "unit {unit}");
        }
    }

    #[test]
    fn small_wander_is_ignored_and_a_hole_is_filled() {
        let mut placement = based(MediaTime::ZERO);
        placement.offset(at(0), rate());
        placement.advance(1024, rate());
        assert_eq!(
            placement.offset(at(1030), rate()),
            0,
            "rounding of the container"
        );
        placement.advance(1024, rate());
        assert_eq!(
            placement.offset(at(2048 + 44_100), rate()),
            44_100,
            "a second is missing"
        );
    }

    #[test]
    fn another_variant_is_placed_to_the_frame() {
        let mut placement = based(MediaTime::ZERO);
        placement.offset(at(0), rate());
        placement.advance(4096, rate());
        placement.believe_time();
        assert_eq!(placement.offset(at(4000), rate()), -96);
    }

    #[test]
    fn an_overlap_longer_than_a_block_is_dropped_to_the_frame() {
        let mut placement = based(MediaTime::ZERO);
        placement.offset(at(0), rate());
        placement.advance(4096, rate());
        placement.believe_time();
        assert_eq!(placement.offset(at(2000), rate()), -2096);
        placement.advance(0, rate());
        assert_eq!(placement.offset(at(3024), rate()), -1072, "still behind");
        placement.advance(0, rate());
        assert_eq!(placement.offset(at(4048), rate()), -48);
    }

    #[test]
    fn a_splice_goes_on_where_the_last_timeline_ended() {
        let mut placement = based(MediaTime::ZERO);
        placement.offset(at(0), rate());
        placement.advance(5000, rate());
        placement.splice(at(900_000));
        assert_eq!(placement.offset(at(900_000), rate()), 0);
        assert_eq!(placement.advance(1024, rate()), 5000);
    }

    #[test]
    fn the_window_cuts_to_the_frame() {
        let window = Window {
            from: at(1000),
            until: Some(at(3000)),
        };
        let cases = [
            ((-1024, 1024), (1024, 0)),
            ((0, 1024), (1000, 24)),
            ((1024, 1024), (0, 1024)),
            ((2048, 1024), (0, 952)),
            ((3072, 1024), (0, 0)),
        ];
        for ((begin, frames), want) in cases {
            assert_eq!(window.cut(begin, frames, rate()), want, "{begin}+{frames}");
        }
        assert!(window.is_over(at(3000), rate()) && !window.is_over(at(2999), rate()));
    }
}
