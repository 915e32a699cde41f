//! What playlists say about time: HLS.md rows D2, D4, D5 and D7.

use serde_json::Value;

use crate::wav::{first_break, first_difference};
use crate::{bytes, dump, stage};

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

#[test]
fn d2_containers_rates_and_codecs_change_while_the_window_moves() {
    let (origin, sandbox) = stage();
    let tables = bytes("ts/mp3-0.ts")[..3 * 188].to_vec();
    origin.serve("/mix/tables.ts", "video/mp2t", tables);
    // Sixteen bits of stereo at 44.1 kHz in AAC, 48 kHz in FLAC, then MP3.
    let runs: [(&str, &[(&str, f64)]); 3] = [
        ("", &[("ts/aac-0.ts", 0.510844), ("ts/aac-1.ts", 0.510833)]),
        (
            "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"/timeline/flac48-init.mp4\"\n",
            &[
                ("timeline/flac48-0.m4s", 0.384),
                ("timeline/flac48-1.m4s", 0.216),
            ],
        ),
        (
            "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"tables.ts\"\n",
            &[("ts/mp3-0.ts", 0.522444), ("ts/mp3-1.ts", 0.496333)],
        ),
    ];
    let lines: Vec<(&str, String)> = runs
        .iter()
        .flat_map(|(before, segments)| {
            segments
                .iter()
                .enumerate()
                .map(move |(index, (name, seconds))| {
                    let tags = if index == 0 { *before } else { "" };
                    (tags, format!("#EXTINF:{seconds},\n/{name}\n"))
                })
        })
        .collect();
    let page = |first: usize, count: usize, passed: usize, end: &str| {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{passed}\n"
        );
        // The map that holds for the first segment is named again.
        let inside = (first % 2 == 1).then(|| lines[first - 1].0.rsplit_once('#'));
        if let Some(Some((_, map))) = inside {
            text += &format!("#{map}");
        }
        for (tags, segment) in lines.iter().skip(first).take(count) {
            text += &format!("{tags}{segment}");
        }
        (text + end).into_bytes()
    };
    origin.serve("/mix/vod.m3u8", KIND, page(0, 6, 0, "#EXT-X-ENDLIST\n"));
    let pages = vec![
        page(0, 3, 0, ""),
        page(1, 3, 0, ""),
        page(3, 2, 1, ""), // the first tag is gone
        page(3, 3, 1, "#EXT-X-ENDLIST\n"),
    ];
    origin.serve_in_turn("/mix/live.m3u8", KIND, pages);
    let want = dump(&sandbox, &origin.url("/mix/vod.m3u8"), &[]);
    let got = dump(&sandbox, &origin.url("/mix/live.m3u8"), &[]);
    // 44 units of AAC, 0.6 s of FLAC, 39 frames of MP3.
    let frames = 44 * 1024 + 26_460 + 39 * 1152;
    assert_eq!((want.frames(), got.frames()), (frames, frames));
    assert_eq!(first_difference(&want, &got), None);
}

#[test]
fn d4_dates_are_those_of_the_samples_in_a_transport_stream_too() {
    let (origin, sandbox) = stage();
    let date = |seconds: f64| format!("2026-01-01T00:00:{seconds:06.3}Z");
    let range = |id: &str, seconds: f64| {
        let date = date(seconds);
        format!("#EXT-X-DATERANGE:ID=\"{id}\",START-DATE=\"{date}\",X-TITLE=\"{id}\"\n")
    };
    let list = String::from_utf8(bytes("ts/aac.m3u8")).expect("a list");
    let dated = |name: &str, tags: &str| {
        list.replace("aac-", "/ts/aac-").replacen(
            &format!("#EXTINF:{name}"),
            &format!("{tags}#EXTINF:{name}"),
            1,
        )
    };
    // Before segment 2, which begins with unit 44, a clock that is an hour off its own.
    let tags = format!(
        "#EXT-X-PROGRAM-DATE-TIME:{}\n{}{}{}",
        date(40.0),
        range("Early", 39.5),
        range("On time", 40.25),
        range("Late", 41.5),
    );
    origin.serve("/dated.m3u8", KIND, dated("0.487622", &tags).into_bytes());
    let url = origin.url("/dated.m3u8");
    let told = |arguments: &[&str]| {
        let fixed = ["dump", &url, "-o", "a.wav", "--force", "--json"];
        let run = sandbox.kithara(fixed.iter().chain(arguments));
        titles(&run.prints().run().json_lines())
    };
    let begin = 44 * 1024 * 1000 / 44_100; // milliseconds
    let row = |title: &str, position: i64| (title.to_owned(), position);
    let all = [
        row("Early", begin - 500),
        row("On time", begin + 250),
        row("Late", begin + 1500),
    ];
    assert_eq!(told(&[]), all);
    // A file that begins later counts from there, where one title holds already.
    let from = [row("On time", 0), row("Late", begin + 1500 - 1500)];
    assert_eq!(told(&["--start", "1.5"]), from);
}
