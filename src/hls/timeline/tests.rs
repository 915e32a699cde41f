//! Places and times across reloads, restarts and variants.

use super::*;
use crate::hls::playlist::{Playlist, parse};

/// Segments of 4 s numbered from `first`, named with `prefix`; dated when
/// `date` gives the second of the first one.
fn list(first: u64, count: u64, prefix: &str, date: Option<u64>) -> Arc<Media> {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for number in first..first + count {
        if let Some(date) = date {
            let second = date + (number - first) * 4;
            let (minute, second) = (second / 60, second % 60);
            text +=
                &format!("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:{minute:02}:{second:02}.000Z\n");
        }
        text += &format!("#EXTINF:4,\n{prefix}{number}?t={first}\n");
    }
    let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
    match parse(text.as_bytes(), &base).expect("a playlist").playlist {
        Playlist::Media(media) => Arc::new(media),
        Playlist::Multivariant(_) => panic!("a list of variants"),
    }
}

fn seconds(seconds: f64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

/// Numbers 100 to 105 at places 100 to 105, the run's zero at 103.
fn known() -> Listed {
    Listed::new(list(100, 6, "s", None), 100).with_zero_at(103)
}

/// A day is more than any test misses.
fn reloaded(listed: &Listed, media: Arc<Media>) -> (Listed, Change) {
    listed.reload(media, seconds(86_400.0))
}

fn facts(listed: &Listed) -> (Range<usize>, MediaTime) {
    (listed.places(), listed.start_time())
}

#[test]
fn the_zero_of_the_run_is_where_it_begins() {
    assert_eq!(facts(&known()), (100..106, seconds(-12.0)));
    let third = known().segment(103).map(|one| (one.number, one.start));
    assert_eq!(third, Some((103, MediaTime::ZERO)));
    assert_eq!(known().place_at(seconds(5.0)), Some(104));
    assert_eq!(known().place_at(seconds(-1.0)), Some(102));
    assert_eq!(known().segment(99), None);
    assert_eq!(known().segment(106), None);
}

#[test]
fn a_window_that_slides_keeps_places_and_times() {
    let cases = [
        ("nothing new", 100, 6, 100..106, -12.0, 0),
        ("one more", 101, 6, 101..107, -8.0, 1),
        ("grown only", 100, 8, 100..108, -12.0, 2),
        ("just missed", 106, 6, 106..112, 12.0, 6),
        ("two were missed", 108, 6, 108..114, 20.0, 6),
        ("older ones are back", 98, 9, 98..107, -20.0, 1),
        ("an older copy", 99, 5, 100..106, -12.0, 0),
    ];
    for (name, first, count, places, start, added) in cases {
        let (listed, change) = reloaded(&known(), list(first, count, "s", None));
        assert_eq!(facts(&listed), (places, seconds(start)), "{name}");
        assert_eq!((change.added, change.is_restart), (added, false), "{name}");
    }
}

#[test]
fn an_origin_that_counts_anew_goes_on_where_the_old_one_ended() {
    for (name, first, prefix) in [("from zero", 0, "s"), ("other names", 98, "other")] {
        let (listed, change) = reloaded(&known(), list(first, 3, prefix, None));
        assert_eq!(facts(&listed), (106..109, seconds(12.0)), "{name}");
        assert_eq!((change.added, change.is_restart), (3, true), "{name}");
        let first = listed.segment(106).expect("it is listed");
        assert!(first.discontinuity, "{name}");
        assert!(
            !listed.segment(107).expect("listed").discontinuity,
            "{name}"
        );
        // And slides on from there.
        let (next, _) = reloaded(&listed, list(first.number + 1, 3, prefix, None));
        assert_eq!(facts(&next), (107..110, seconds(16.0)), "{name}");
    }
}

#[test]
fn dates_tell_an_old_copy_from_a_restart_and_measure_a_hole() {
    let dated = Listed::new(list(100, 6, "s", Some(400)), 100);
    let (listed, change) = reloaded(&dated, list(2, 3, "s", Some(4)));
    assert_eq!((facts(&listed), change.added), (facts(&dated), 0), "older");
    let (_, change) = reloaded(&dated, list(2, 3, "s", Some(500)));
    assert!(change.is_restart, "later, counted anew");
    let (_, change) = reloaded(&dated, list(100, 8, "s", Some(900)));
    assert!(change.is_restart, "the same numbers at another time");
    let (listed, _) = reloaded(&dated, list(110, 3, "s", Some(450)));
    assert_eq!(facts(&listed), (110..113, seconds(50.0)));
}

#[test]
fn numbers_that_leap_are_no_measure_of_time() {
    let (listed, change) = reloaded(&known(), list(1 << 60, 3, "s", None));
    assert_eq!(facts(&listed), (106..109, seconds(12.0)));
    assert!(change.is_restart);
    // 50,000 segments in a minute: no more than the minute was missed.
    let (listed, change) = known().reload(list(50_000, 3, "s", None), seconds(60.0));
    assert_eq!(facts(&listed), (50_000..50_003, seconds(72.0)));
    assert!(!change.is_restart);
}

#[test]
fn another_variant_is_aligned_by_date_else_by_number() {
    let dated = Listed::new(list(100, 6, "s", Some(400)), 100);
    let other = dated.align(list(7, 4, "o", Some(405))).expect("a match");
    assert_eq!(facts(&other), (101..105, seconds(4.0)));
    let other = known().align(list(104, 6, "o", None)).expect("a match");
    assert_eq!(facts(&other), (104..110, seconds(4.0)));
    assert!(known().align(list(7, 4, "o", None)).is_none());
}

#[test]
fn a_list_that_is_cut_keeps_places_and_times_and_slides_on() {
    let cut = known().without_first(2);
    assert_eq!(facts(&cut), (102..106, seconds(-4.0)));
    let third = cut.segment(103).map(|one| (one.number, one.start));
    assert_eq!(third, Some((103, MediaTime::ZERO)));
    // The origin lists all of it, as before, and one more.
    let (listed, change) = reloaded(&cut, list(100, 7, "s", None));
    assert_eq!(
        (facts(&listed), change.added),
        ((100..107, seconds(-12.0)), 1)
    );
    // A copy that is behind, and was not cut.
    let (listed, change) = reloaded(&cut, list(100, 5, "s", None));
    assert_eq!((facts(&listed), change.added), (facts(&cut), 0));
    let renewed = reloaded(&known(), list(0, 3, "s", None)).0;
    let again = renewed.without_first(1);
    assert_eq!(facts(&again), (107..109, seconds(16.0)));
    assert!(!again.segment(107).expect("listed").discontinuity);
}
