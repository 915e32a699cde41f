//! Clocks of every kind, gaps, splices and switches.

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
        placement.believe_time(MediaTime::ZERO);
        assert_eq!(placement.offset(at(start), rate()), want, "{start}");
    }
}

#[test]
fn a_variant_with_a_clock_of_its_own_goes_on_where_the_other_ended() {
    for start in [30 * 44_100, -30 * 44_100] {
        let mut placement = after(4_096);
        placement.believe_time(MediaTime::ZERO);
        assert!(placement.is_jump(at(start)), "{start}");
        assert_eq!(placement.offset(at(start), rate()), offset(0, 0), "{start}");
    }
}

#[test]
fn an_overlap_longer_than_a_block_is_dropped_to_the_frame() {
    let mut placement = after(4_096);
    placement.believe_time(MediaTime::ZERO);
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
