//! Where decoded frames belong: from an access unit's media time to frame
//! numbers of the presentation, and from there to what is heard. Pure numbers.

use crate::limits;
use crate::units::{MediaTime, SampleRate};

/// Timestamps may wander this far within a run before they are believed more
/// than the count of frames: rounding of coarse timescales stays below it.
pub const JITTER: MediaTime = MediaTime::from_nanos(30_000_000);
/// EXTINF may be rounded to whole seconds (RFC 8216 section 4.3.2.1).
pub const EXTINF_SLACK: MediaTime = MediaTime::from_nanos(500_000_000);

/// The presentation's frame counter. Nothing is placed yet by default: the first
/// unit fixes the count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement {
    /// Presentation time zero, on the media timeline minus edit list.
    base: Option<MediaTime>,
    /// Presentation time of the next frame, when a run is under way.
    next: Option<MediaTime>,
    /// Up to here silence is due before the next unit.
    owed: Option<MediaTime>,
    trust: Trust,
}

/// How the time of the next unit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trust {
    /// The count of frames goes on; a hole is believed.
    #[default]
    Count,
    /// Believed to the frame, if it is no further off than this.
    Exact(MediaTime),
    /// A gap ends there, if it is at most this much shorter than was said.
    Gap(MediaTime),
}

/// What comes between the last frame and the next block, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// Silence before the block.
    pub silence: u64,
    /// Frames of the block that lie before the place it has come to.
    pub behind: u64,
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

    /// Presentation time of the next unit, when something lies before it.
    pub fn end(&self) -> Option<MediaTime> {
        self.owed.or(self.next)
    }

    /// Media time, minus the edit list, at which the next unit of the same run
    /// is due.
    pub fn expected(&self) -> Option<MediaTime> {
        Some(self.base? + self.end()?)
    }

    /// Presentation time of a moment of media, the edit list taken off.
    pub fn position(&self, media: MediaTime) -> MediaTime {
        media - self.base.unwrap_or_default()
    }

    /// A new timeline begins (EXT-X-DISCONTINUITY), whose own zero goes on where
    /// the last one ended; what lies before that zero is not heard.
    pub fn splice(&mut self, zero: MediaTime) {
        self.base = Some(zero - self.end().unwrap_or_default());
        self.trust = Trust::Exact(limits::HOLE.into()); // more priming than that is none
    }

    /// The next unit comes from another variant: its time decides, to the frame,
    /// if it is near. (Variants that are not cut alike are not switched between.)
    pub fn believe_time(&mut self) {
        self.believe_within(EXTINF_SLACK);
    }

    /// The next unit comes from another encoder on the same clock: no more than
    /// its priming may lie behind.
    pub fn believe_priming(&mut self, priming: MediaTime) {
        self.believe_within(priming.max(JITTER));
    }

    fn believe_within(&mut self, limit: MediaTime) {
        // The end of a gap is exact anyway.
        if self.trust == Trust::Count {
            self.trust = Trust::Exact(limit);
        }
    }

    /// Nothing is there for `duration`; at the very beginning, from `start` on.
    /// Returns until when silence is certain: the next unit's time, where it has
    /// one, tells the end of a gap better than a sum of EXTINF.
    pub fn gap(&mut self, start: MediaTime, duration: MediaTime) -> MediaTime {
        let begin = self.end().unwrap_or(start);
        self.next.get_or_insert(begin);
        let end = begin + duration;
        let slack = EXTINF_SLACK.min(MediaTime::from_nanos(duration.nanos() / 2));
        self.owed = Some(end);
        self.trust = Trust::Gap(slack);
        end - slack
    }

    /// Silence is due up to `time`: in frames at `rate`.
    pub fn frames_until(&self, time: MediaTime, rate: SampleRate) -> u64 {
        self.next.map_or(0, |next| (time - next).frames(rate).0)
    }

    /// All silence that was due has been made: the next unit comes here.
    pub fn settle(&mut self) {
        self.owed = None;
        if matches!(self.trust, Trust::Gap(_)) {
            self.trust = Trust::Count;
        }
    }

    /// Whether a unit at media time `start` cannot belong to the timeline so
    /// far: its clock was set anew, and nobody said so.
    pub fn is_jump(&self, start: MediaTime) -> bool {
        let Some(end) = self.end() else { return false };
        let wander = self.position(start) - end;
        let hole = limits::HOLE.into();
        match self.trust {
            // Within a run nothing comes twice: what lies behind is no repetition.
            Trust::Count => wander > hole || MediaTime::ZERO - wander > JITTER,
            Trust::Exact(limit) => wander > limit || MediaTime::ZERO - wander > limit,
            Trust::Gap(slack) => wander > hole || MediaTime::ZERO - wander > slack,
        }
    }

    /// What comes before a block at `rate` whose unit begins at media time
    /// `start`; advances nothing. A jump goes on where the last frame ended.
    pub fn offset(&mut self, start: MediaTime, rate: SampleRate) -> Offset {
        let Some(next) = self.next else {
            self.next = Some(self.position(start));
            return Offset::default();
        };
        let end = self.end().unwrap_or(next);
        let wander = if self.is_jump(start) {
            self.base = Some(start - end);
            MediaTime::ZERO
        } else {
            self.position(start) - end
        };
        let ahead = match self.trust {
            Trust::Count if wander <= JITTER => MediaTime::ZERO,
            Trust::Exact(_) => wander.max(MediaTime::ZERO),
            Trust::Count | Trust::Gap(_) => wander,
        };
        let behind = match self.trust {
            Trust::Exact(_) => (MediaTime::ZERO - wander).frames(rate).0,
            Trust::Count | Trust::Gap(_) => 0,
        };
        self.owed = None;
        // Frames that lie behind may reach into the next block.
        if behind == 0 {
            self.trust = Trust::Count;
        }
        let silence = (end - next + ahead).frames(rate).0;
        Offset { silence, behind }
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
    use proptest::prelude::*;

    use super::*;

    fn rate() -> SampleRate {
        SampleRate::new(44_100).expect("an allowed rate")
    }

    fn at(frame: i64) -> MediaTime {
        frame_time(frame, rate())
    }

    fn based(base: MediaTime) -> Placement {
        let mut placement = Placement::default();
        placement.set_base(base);
        placement
    }

    /// A run of `frames` frames from media time zero on.
    fn after(frames: u64) -> Placement {
        let mut placement = based(MediaTime::ZERO);
        placement.offset(at(0), rate());
        placement.advance(frames, rate());
        placement
    }

    fn offset(silence: u64, behind: u64) -> Offset {
        Offset { silence, behind }
    }

    #[test]
    fn units_of_one_run_follow_each_other_by_count() {
        let mut placement = based(at(1024));
        for (unit, start) in [0, 1024, 2048].into_iter().enumerate() {
            let before = placement.offset(at(start), rate());
            assert_eq!(before, offset(0, 0), "unit {unit}");
            assert_eq!(placement.advance(1024, rate()), start - 1024, "unit {unit}");
        }
    }

    #[test]
    fn within_a_run_a_hole_is_filled_and_a_jump_of_the_clock_is_not() {
        let second = 44_100;
        let cases = [
            ("rounding of the container", 5_006, 0),
            ("rounding the other way", 4_994, 0),
            ("a second is missing", 5_000 + second, 44_100),
            ("nine seconds are missing", 5_000 + 9 * second, 396_900),
            ("the clock is a minute late", 5_000 + 60 * second, 0),
            ("the clock is a day late", 86_400 * second, 0),
            ("the clock is two seconds early", 5_000 - 2 * second, 0),
            ("the clock begins anew", 0, 0),
            ("the clock is before its zero", -86_400 * second, 0),
        ];
        for (case, start, silence) in cases {
            let mut placement = after(5_000);
            let got = placement.offset(at(start), rate());
            assert_eq!(got, offset(silence, 0), "{case}");
            let begin = placement.advance(silence, rate());
            assert_eq!(begin, 5_000, "{case}");
            placement.advance(1024, rate());
            let next = placement.offset(at(start + 1024), rate());
            assert_eq!(next, offset(0, 0), "{case}: the clock it has now");
        }
    }

    #[test]
    fn another_variant_is_placed_to_the_frame() {
        for (start, want) in [(4_000, offset(0, 96)), (4_100, offset(4, 0))] {
            let mut placement = after(4_096);
            placement.believe_time();
            assert_eq!(placement.offset(at(start), rate()), want, "{start}");
        }
    }

    #[test]
    fn a_variant_with_a_clock_of_its_own_goes_on_where_the_other_ended() {
        for start in [30 * 44_100, -30 * 44_100] {
            let mut placement = after(4_096);
            placement.believe_time();
            assert!(placement.is_jump(at(start)), "{start}");
            assert_eq!(placement.offset(at(start), rate()), offset(0, 0), "{start}");
        }
    }

    #[test]
    fn an_overlap_longer_than_a_block_is_dropped_to_the_frame() {
        let mut placement = after(4_096);
        placement.believe_time();
        for (start, behind) in [(2_000, 2_096), (3_024, 1_072), (4_048, 48)] {
            let got = placement.offset(at(start), rate());
            assert_eq!(got, offset(0, behind), "{start}");
            placement.advance(0, rate());
        }
    }

    #[test]
    fn a_splice_goes_on_where_the_last_timeline_ended_and_cuts_the_priming() {
        for (first, behind) in [(900_000, 0), (900_000 - 1024, 1024)] {
            let mut placement = after(5_000);
            placement.splice(at(900_000));
            let got = placement.offset(at(first), rate());
            assert_eq!(got, offset(0, behind), "{first}");
            assert_eq!(placement.advance(1024, rate()), 5_000, "{first}");
        }
    }

    #[test]
    fn a_change_of_the_rate_moves_no_frame() {
        let other = SampleRate::new(48_000).expect("an allowed rate");
        // Every remainder of frames at one rate that are no whole frames at the other.
        for frames in 0..160 {
            let mut placement = Placement::default();
            placement.set_base(MediaTime::ZERO);
            placement.offset(MediaTime::ZERO, other);
            placement.advance(480_000 + frames, other);
            placement.splice(at(1024));
            let got = placement.offset(at(0), rate());
            assert_eq!(got, offset(0, 1024), "{frames}");
        }
    }

    #[test]
    fn the_end_of_a_gap_is_where_the_next_unit_says() {
        let gap = MediaTime::from_seconds(2.0); // 88,200 frames
        let cases = [
            ("as the playlist says", 93_200, 88_200),
            ("a little later", 93_300, 88_300),
            ("a little earlier", 93_000, 88_000),
            (
                "a second later: its sound is missing, too",
                137_300,
                132_300,
            ),
            ("there is no hole in the clock", 5_000, 88_200),
            ("the clock begins anew", 0, 88_200),
            ("the clock is a day late", 86_400 * 44_100, 88_200),
        ];
        for (case, start, silence) in cases {
            let mut placement = after(5_000);
            let certain = placement.gap(MediaTime::ZERO, gap);
            let sure = placement.frames_until(certain, rate());
            assert_eq!(sure, 66_150, "{case}: half a second is left open");
            placement.advance(sure, rate());
            let got = placement.offset(at(start), rate());
            assert_eq!(got, offset(silence - sure, 0), "{case}");
            let begin = placement.advance(silence - sure, rate()) + 88_200 - 66_150;
            assert_eq!(begin, 5_000 + 88_200, "{case}");
        }
    }

    #[test]
    fn gaps_add_up_also_at_the_beginning_and_before_a_new_timeline() {
        let third = MediaTime::from_ticks(1, std::num::NonZeroU32::new(3).expect("not zero"));
        let mut placement = Placement::default();
        for _ in 0..3 {
            placement.gap(MediaTime::from_seconds(10.0), third);
        }
        let end = placement.end().expect("the gaps lie before");
        assert!((end.seconds() - 11.0).abs() < 1e-8, "{end:?}");
        placement.splice(at(700_000));
        let got = placement.offset(at(700_000 - 1024), rate());
        assert_eq!(got, offset(44_100, 1024));
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_nothing_is_lost_and_silence_is_bounded(
            clocks in proptest::collection::vec(any::<i64>(), 1..50),
            scale in 0_u32..40,
        ) {
            let mut placement = based(MediaTime::ZERO);
            for clock in clocks {
                let got = placement.offset(MediaTime::from_nanos(clock >> scale), rate());
                prop_assert_eq!(got.behind, 0);
                prop_assert!(got.silence <= 441_000);
                placement.advance(got.silence + 1024, rate());
            }
        }
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
