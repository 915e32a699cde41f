//! What playlists say about time: HLS.md rows D2, D4, D5 and D7.

use serde_json::Value;

use crate::wav::first_break;
use crate::{dump, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
/// A stream with an end over the segments of hls/flac.m3u8, of 23,040 frames
/// each but the last two, with `tags` before segment 1.
fn list(head: &str, tags: &str) -> Vec<u8> {
    let seconds = [0.522449, 0.522449, 0.522449, 0.522449, 0.417959, 0.492245];
    let mut text =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{head}#EXT-X-MAP:URI=\"flac-init.mp4\"\n");
    for (number, seconds) in seconds.iter().enumerate() {
        if number == 1 {
            text += tags;
        }
        text += &format!("#EXTINF:{seconds},\nflac-{number}.m4s\n");
    }
    (text + "#EXT-X-ENDLIST\n").into_bytes()
}

fn titles(lines: &[Value]) -> Vec<(String, i64)> {
    let told = lines.iter().filter(|line| line["event"] == "title");
    told.map(|line| {
        let title = line["title"].as_str().expect("a text").to_owned();
        (title, line["pos_ms"].as_i64().expect("a position"))
    })
    .collect()
}

#[test]
fn d4_d5_titles_of_date_ranges_are_told_where_their_date_is_heard() {
    let (origin, sandbox) = stage();
    let tags = "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z\n\
        #EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:10.200Z\",X-TITLE=\"One\"\n\
        #EXT-X-DATERANGE:ID=\"b\",START-DATE=\"2026-01-01T00:00:11.000Z\",X-TITLE=\"Two\"\n\
        #EXT-X-DATERANGE:ID=\"c\",START-DATE=\"2026-01-01T09:00:00.000Z\",X-TITLE=\"Never\"\n";
    origin.serve("/hls/dated.m3u8", KIND, list("", tags));
    let url = origin.url("/hls/dated.m3u8");
    let run = sandbox
        .kithara(["dump", &url, "-o", "a.wav", "--json"])
        .prints()
        .run();
    // Segment 1 begins at 522 ms.
    let want = [("One".to_owned(), 722), ("Two".to_owned(), 1522)];
    assert_eq!(titles(&run.json_lines()), want);
}

#[test]
fn d7_play_begins_where_the_publisher_wants_and_a_dump_has_it_all() {
    let cases = [
        ("TIME-OFFSET=1.0,PRECISE=YES", "", 1000),
        ("TIME-OFFSET=1.3", "", 1044),
        ("TIME-OFFSET=-0.9", "", 2089),
        ("TIME-OFFSET=1.0,PRECISE=YES", "0.25", 250),
    ];
    for (offset, start, want) in cases {
        let (origin, sandbox) = stage();
        let head = format!("#EXT-X-START:{offset}\n");
        origin.serve("/hls/late.m3u8", KIND, list(&head, ""));
        let url = origin.url("/hls/late.m3u8");
        let mut words = vec!["play", &url, "--ao", "null", "--length", "0.1", "--json"];
        if !start.is_empty() {
            words.extend(["--start", start]);
        }
        let run = sandbox.kithara(words).prints().run();
        let lines = run.json_lines();
        let ended = lines.iter().find(|line| line["event"] == "end");
        let heard = ended.expect("an end")["pos_ms"].as_i64();
        assert_eq!(heard, Some(want + 100), "{offset} {start}");
        assert_eq!(dump(&sandbox, &url, &[]).frames(), 132_300, "{offset}");
    }
}

#[test]
fn d2_a_window_that_passes_a_discontinuity_goes_on_to_the_sample() {
    // The tag itself leaves the window; its count stays.
    let page = |first: usize, count: usize, head: &str, broken: usize, end: &str| {
        let seconds = [0.522449, 0.522449, 0.522449, 0.522449, 0.417959, 0.492245];
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{head}#EXT-X-MAP:URI=\"flac-init.mp4\"\n"
        );
        for (number, seconds) in seconds.iter().enumerate().skip(first).take(count) {
            if number == broken {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            text += &format!("#EXTINF:{seconds},\nflac-{number}.m4s\n");
        }
        (text + end).into_bytes()
    };
    let (origin, sandbox) = stage();
    let count = "#EXT-X-DISCONTINUITY-SEQUENCE:1\n";
    let pages = vec![
        page(0, 3, "", 2, ""),
        page(1, 4, "", 2, ""),
        page(3, 3, count, 9, "#EXT-X-ENDLIST\n"),
    ];
    origin.serve_in_turn("/hls/broken.m3u8", KIND, pages);
    let sound = dump(&sandbox, &origin.url("/hls/broken.m3u8"), &[]);
    assert_eq!(sound.frames(), 132_300);
    assert_eq!(first_break(&sound, 0), None);
}
