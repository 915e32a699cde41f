//! Gaps at every place of a stream.

use super::*;

#[test]
fn a_gap_is_silence_of_the_length_of_what_is_missing() {
    // The playlist says it to the sample, rounded, and in whole seconds.
    let missing = [
        frames(23_040, CD),
        seconds(0.52),
        seconds(0.3),
        seconds(1.0),
    ];
    for duration in missing {
        let heard = Pieces::default().flac(0).gap(duration).flac(2).heard();
        let want = [(Some(0), 23_040), (None, 23_040), (Some(46_080), 23_040)];
        assert_eq!(heard.stretches(), want, "{duration:?}");
        let want = [(0, 23_040), (1, 23_040), (2, 23_040)];
        assert_eq!(heard.noted(), want, "{duration:?}");
    }
}

#[test]
fn gaps_come_first_last_and_several_in_a_row() {
    let gap = frames(23_040, CD);
    let first = Pieces::default().gap(gap).gap(gap).flac(2).heard();
    assert_eq!(first.stretches(), [(None, 46_080), (Some(46_080), 23_040)]);
    assert_eq!(first.noted(), [(0, 23_040), (1, 23_040), (2, 23_040)]);
    let last = Pieces::default().flac(0).gap(gap).gap(seconds(0.1)).heard();
    assert_eq!(
        last.stretches(),
        [(Some(0), 23_040), (None, 23_040 + 4_410)]
    );
    assert_eq!(last.noted(), [(0, 23_040), (1, 23_040), (2, 4_410)]);
}

#[test]
fn a_gap_the_clock_knows_nothing_of_is_silence_all_the_same() {
    let gap = seconds(0.5);
    let flac = ("hls/flac-1", frames(23_040, CD));
    let new = Pieces::default()
        .flac(0)
        .gap(gap)
        .after_a_discontinuity(flac.0, flac.1);
    let same = Pieces::default().flac(0).gap(gap).segment(flac.0, flac.1);
    for (case, pieces) in [("discontinuity", new), ("none", same)] {
        let want = [(Some(0), 23_040), (None, 22_050), (Some(23_040), 23_040)];
        assert_eq!(pieces.heard().stretches(), want, "{case}");
    }
}

#[test]
fn a_run_may_begin_and_end_inside_a_gap() {
    let gap = frames(23_040, CD);
    let begins = Pieces::within(10_000, 30_000).gap(gap).flac(1).heard();
    assert_eq!(begins.stretches(), [(None, 13_040), (Some(23_040), 6_960)]);
    assert_eq!(begins.noted(), [(0, 13_040), (1, 6_960)]);
    let early = Pieces::within(0, 30_000).flac(0).gap(gap).flac(2).heard();
    assert_eq!(early.stretches(), [(Some(0), 23_040), (None, 6_960)]);
    assert_eq!(early.noted(), [(0, 23_040), (1, 6_960)]);
    let late = Pieces::within(0, 44_000).flac(0).gap(gap).flac(2).heard();
    assert_eq!(late.stretches(), [(Some(0), 23_040), (None, 20_960)]);
    assert_eq!(late.noted(), [(0, 23_040), (1, 20_960), (2, 0)]);
}

#[test]
fn a_stream_of_gaps_only_is_a_problem_that_says_so() {
    let announced = Pieces::default()
        .gap(seconds(6.0))
        .gap(seconds(6.0))
        .heard();
    let problem = announced.result.expect_err("there is no sound");
    let want =
        "cannot play the stream: all of its segments are missing, try another variant with -Q";
    assert_eq!(problem.to_string(), want);
    let mut lost = Pieces::default().gap(seconds(6.0));
    if let Some(Piece::Gap(gap)) = lost.list.last_mut() {
        gap.loss = Some(Problem::stopped());
    }
    assert_eq!(lost.heard().result, Err(Problem::stopped()));
}
