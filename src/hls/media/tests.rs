//! What a typed media playlist answers.

use super::*;
use crate::hls::playlist::{Playlist, parse};

fn media(text: &str) -> Media {
    let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
    let body = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}");
    match parse(body.as_bytes(), &base).expect("a playlist").playlist {
        Playlist::Media(media) => media,
        Playlist::Multivariant(_) => panic!("a list of variants"),
    }
}

fn seconds(seconds: f64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

/// Three segments of 4, 6 and 2 seconds.
fn three() -> Media {
    media("#EXTINF:4,\na\n#EXTINF:6,\nb\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nc\n#EXT-X-ENDLIST\n")
}

#[test]
fn a_moment_is_in_one_segment() {
    let cases = [
        (-1.0, Some(0)),
        (0.0, Some(0)),
        (3.999, Some(0)),
        (4.0, Some(1)),
        (11.9, Some(2)),
        (12.0, None),
    ];
    for (time, want) in cases {
        assert_eq!(three().segment_at(seconds(time)), want, "{time}");
    }
    assert_eq!(media("").segment_at(MediaTime::ZERO), None);
}

#[test]
fn a_stretch_touches_the_segments_it_is_heard_from() {
    let cases = [
        (0.0, None, 0..3),
        (0.0, Some(4.0), 0..1),
        (0.0, Some(4.001), 0..2),
        (5.0, Some(1.0), 1..2),
        (3.0, Some(100.0), 0..3),
        (5.0, Some(0.0), 1..2),
        (12.0, None, 3..3),
    ];
    for (start, length, want) in cases {
        let range = three().segments_in(seconds(start), length.map(seconds));
        assert_eq!(range, want, "{start} {length:?}");
    }
}

#[test]
fn a_segment_of_unknown_length_is_not_passed_over() {
    let media = media("#EXTINF:-1,\na\n#EXTINF:6,\nb\n#EXTINF:-1,\nc\n");
    assert_eq!(media.segments_in(MediaTime::ZERO, None), 0..3);
    assert_eq!(media.segment_at(seconds(3.0)), Some(1));
    assert_eq!(media.segment_at(seconds(6.0)), Some(2));
    assert_eq!(media.duration(), seconds(6.0));
}

#[test]
fn a_run_ends_before_a_discontinuity_and_at_the_end() {
    let ends = |media: &Media| -> Vec<bool> {
        (0..media.len())
            .map(|index| media.ends_run(index))
            .collect()
    };
    assert_eq!(ends(&three()), [false, true, true]);
    assert_eq!(
        ends(&media("#EXTINF:4,\na\n#EXTINF:4,\nb\n")),
        [false, false]
    );
}

#[test]
fn what_is_about_the_whole_playlist_is_kept() {
    let media = media(
        "#EXT-X-MEDIA-SEQUENCE:41\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES\n\
         #EXTINF:4,\n../s?t=1\n",
    );
    assert_eq!(media.segment(0).map(|segment| segment.number), Some(41));
    assert_eq!(media.discontinuity_sequence, 3);
    assert_eq!(media.playlist_type, Some(PlaylistType::Event));
    let start = StartOffset {
        offset: seconds(-12.5),
        is_precise: true,
    };
    assert_eq!(media.start_offset, Some(start));
    let location = media.location("../s?t=1").expect("an address");
    assert_eq!(location, Location::parse("https://h/s?t=1").expect("a URL"));
}

#[test]
fn a_long_playlist_is_typed_in_parts_and_stays_whole() {
    let mut text = String::new();
    for number in 0..2501 {
        if number % 700 == 0 {
            text += &format!("#EXT-X-MAP:URI=\"init-{number}\"\n");
        }
        if number == 1500 {
            text += "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n";
        }
        text += &format!("#EXTINF:5.9907{},\nseg-{number}\n", number % 10);
    }
    let media = media(&text);
    assert_eq!(media.len(), 2501);
    for (number, segment) in media.segments().enumerate() {
        assert_eq!(segment.uri, format!("seg-{number}"));
        let map = segment.map.map(|map| media.maps[map].uri.as_str());
        assert_eq!(map, Some(format!("init-{}", number / 700 * 700).as_str()));
        assert_eq!(segment.key, (number >= 1500).then_some(0), "{number}");
    }
    let sum: i64 = media
        .segments()
        .map(|segment| segment.duration.nanos())
        .sum();
    assert_eq!(media.duration().nanos(), sum);
    assert_eq!(sum, 2501 * 5_990_700_000 + 250 * 450_000);
}

#[test]
fn a_segment_costs_forty_bytes_and_its_uri() {
    assert_eq!(size_of::<Entry>(), 40);
}

#[test]
fn a_low_latency_playlist_is_read_in_whole_segments() {
    let media = media(
        "#EXT-X-VERSION:9\n#EXT-X-MEDIA-SEQUENCE:100\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,HOLD-BACK=18.5,CAN-SKIP-UNTIL=36\n\
         #EXT-X-PART-INF:PART-TARGET=0.33334\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n\
         #EXTINF:4,\na\n#EXT-X-PART:DURATION=0.33,URI=\"p1\"\n#EXTINF:4,\nb\n\
         #EXT-X-PART:DURATION=0.33,URI=\"p2\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p3\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"x\",LAST-MSN=104,LAST-PART=1\n",
    );
    assert_eq!((media.media_sequence, media.skipped), (100, 3));
    assert_eq!(media.first_number(), 103);
    let numbers: Vec<_> = media.segments().map(|segment| segment.number).collect();
    assert_eq!(numbers, [103, 104]);
    assert_eq!(media.hold_back, Some(seconds(18.5)));
    assert_eq!(
        (media.has_parts, media.part_target),
        (true, Some(seconds(0.33334)))
    );
}

#[test]
fn a_date_counts_on_and_back_to_where_none_is_stated() {
    let media = media(
        "#EXTINF:4,\na\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\n#EXTINF:5.5,\nb\n\
         #EXTINF:6,\nc\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nd\n\
         #EXT-X-PROGRAM-DATE-TIME:1970-01-01T01:00:00Z\n#EXTINF:2,\ne\n#EXTINF:2,\nf\n",
    );
    let dates: Vec<_> = media.segments().map(|segment| segment.date_time).collect();
    let want = [56_000, 60_000, 65_500, 71_500, 3_600_000, 3_602_000];
    assert_eq!(dates, want.map(Some));
    let without = super::tests::media("#EXTINF:4,\na\n");
    assert_eq!(without.segment(0).and_then(|one| one.date_time), None);
}

#[test]
fn bit_rates_and_discontinuities_are_tied_to_their_segments() {
    let media = media(
        "#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXTINF:4,\na\n#EXT-X-BITRATE:128\n#EXTINF:4,\nb\n\
         #EXT-X-DISCONTINUITY\n#EXTINF:4,\n#EXT-X-BYTERANGE:10@0\nc\n#EXT-X-DISCONTINUITY\n\
         #EXT-X-DISCONTINUITY\n#EXT-X-BITRATE:64\n#EXTINF:4,\nd\n#EXTINF:4,\ne\n",
    );
    let told: Vec<_> = media
        .segments()
        .map(|one| (one.discontinuities, one.discontinuity, one.bit_rate))
        .collect();
    let rate = |kilobits: u64| Some(BitRate(kilobits * 1000));
    let want = [
        (7, false, None),
        (7, false, rate(128)),
        (8, true, None),
        (10, true, rate(64)),
        (10, false, rate(64)),
    ];
    assert_eq!(told, want);
}

#[test]
fn every_date_range_is_kept_with_its_place() {
    let media = media(
        "#EXT-X-DATERANGE:ID=\"1\",CLASS=\"song\",START-DATE=\"1970-01-01T00:00:10Z\",X-ARTIST=\"A\",X-TITLE=\"T\"\n\
         #EXT-X-DATERANGE:ID=\"2\",START-DATE=\"1970-01-01T00:00:11Z\",DURATION=-1,PLANNED-DURATION=inf\n\
         #EXTINF:4,\na\n\
         #EXT-X-DATERANGE:ID=\"1\",END-DATE=\"1970-01-01T00:00:12.5Z\"\n\
         #EXT-X-DATERANGE:ID=\"3\",START-DATE=\"1970-01-01T00:00:13Z\",PLANNED-DURATION=2.5,X-SONG=\"S\"\n\
         #EXT-X-DATERANGE:ID=\"4\"\n",
    );
    let range = |id: &str, start_ms, length: Option<f64>, before| DateRange {
        id: id.to_owned(),
        start_ms,
        duration: length.map(seconds),
        class: None,
        title: None,
        before,
    };
    let song = DateRange {
        class: Some("song".to_owned()),
        title: Some("A - T".to_owned()),
        ..range("1", 10_000, Some(2.5), 0)
    };
    let planned = DateRange {
        title: Some("S".to_owned()),
        ..range("3", 13_000, Some(2.5), 1)
    };
    assert_eq!(
        media.date_ranges,
        [song, range("2", 11_000, None, 0), planned]
    );
}
