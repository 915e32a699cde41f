//! What the tags in front of frames tell: time and titles.

use super::*;

#[test]
fn the_timestamp_of_a_segment_says_when_it_begins() {
    let wrap = 1 << 33;
    let tagged = [
        tag(9),
        timestamp(0xFF00_0000_0000_0000 | 900_000),
        title("x"),
    ]
    .concat();
    let cases = [
        ("tagged", tagged.clone(), None, 900_000),
        ("wrapped", tagged.clone(), Some(wrap + 5), wrap + 900_000),
        ("another tag", tag(90), None, 180_000),
        ("expected", tag(90), Some(wrap + 5), wrap + 5),
        ("no tag", Vec::new(), None, 180_000),
    ];
    let time = |ticks| MediaTime::from_ticks(ticks, ticks::TICKS_PER_SECOND);
    for (case, tags, near, want) in cases {
        let bytes = [tags, frames(mp3, 0..2)].concat();
        let source = drip(bytes, 7);
        let demuxer = Demuxer::segment(source, Arc::default(), time(180_000), near.map(time));
        let mut demuxer = demuxer.expect(case);
        let first = demuxer.next_unit().expect(case).expect("a frame");
        assert_eq!(first.start, time(want), "{case}");
    }
}

#[test]
fn titles_hold_from_the_frame_behind_their_tag() {
    let parts = [
        timestamp(90_000),
        title("first"),
        frames(adts, 0..2),
        title("second"),
        tag(9),
        frames(adts, 2..3),
    ];
    for step in STEPS {
        let mut demuxer = segment(parts.concat(), step).expect("ADTS");
        let second = MediaTime::from_seconds(1.0);
        assert_eq!(demuxer.take_titles(), [(second, "first".to_owned())]);
        assert_eq!(numbers(&mut demuxer), Ok(vec![0, 1, 2]));
        let later = second + Frames(2048).time(rate());
        assert_eq!(
            demuxer.take_titles(),
            [(later, "second".to_owned())],
            "{step}"
        );
        assert_eq!(demuxer.take_titles(), []);
    }
}
