//! Live streams: HLS.md rows L1 to L10, and what playing behind a moving window
//! must never do. The playlist turns a page with each request, so nothing here
//! depends on how fast the machine is.

mod long;

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::{Run, Sandbox};
use crate::wav::{Sound, first_break, first_difference};
use crate::{dump, expected_of, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const LIVE: &str = "/hls/live.m3u8";
/// Frames of the segments of hls/flac.m3u8.
const FRAMES: [usize; 6] = [23_040, 23_040, 23_040, 23_040, 18_432, 21_708];
const RATE: usize = 44_100;
/// 2026-01-01T00:00:00Z is where segment 0 begins in dated playlists.
const EPOCH: &str = "2026-01-01T00:00:0";

/// A page of a live playlist: `tags`, and segments `from` to `to` with numbers
/// from `number` on.
struct Page<'a> {
    number: usize,
    from: usize,
    to: usize,
    tags: &'a str,
    dated: bool,
    ended: bool,
}

impl Page<'_> {
    fn text(&self) -> Vec<u8> {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{}\n{}#EXT-X-MAP:URI=\"flac-init.mp4\"\n",
            self.number, self.tags
        );
        for segment in self.from..self.to {
            if self.dated {
                let start = FRAMES[..segment].iter().sum::<usize>() as f64 / RATE as f64;
                text += &format!("#EXT-X-PROGRAM-DATE-TIME:{EPOCH}{start:.6}Z\n");
            }
            let seconds = FRAMES[segment] as f64 / RATE as f64;
            text += &format!("#EXTINF:{seconds:.6},\nflac-{segment}.m4s\n");
        }
        if self.ended {
            text += "#EXT-X-ENDLIST\n";
        }
        text.into_bytes()
    }
}

/// Segments `from` to `to` under their own numbers.
fn page(from: usize, to: usize) -> Page<'static> {
    Page {
        number: from,
        from,
        to,
        tags: "",
        dated: false,
        ended: false,
    }
}

fn last(page: Page<'_>) -> Page<'_> {
    Page {
        ended: true,
        ..page
    }
}

fn dated(page: Page<'_>) -> Page<'_> {
    Page {
        dated: true,
        ..page
    }
}

/// A live stream of these pages.
fn live(pages: &[Page<'_>]) -> (Origin, Sandbox) {
    let (origin, sandbox) = stage();
    let pages = pages.iter().map(Page::text).collect();
    origin.serve_in_turn(LIVE, KIND, pages);
    (origin, sandbox)
}

/// A dump into a.wav from the oldest segment on, with events.
fn recording(origin: &Origin, sandbox: &Sandbox) -> Run {
    let url = origin.url(LIVE);
    sandbox
        .kithara(["dump", &url, "-o", "a.wav", "--live-start", "--json"])
        .prints()
}

fn asked(origin: &Origin, segment: usize) -> usize {
    origin.requests(&format!("/hls/flac-{segment}.m4s")).len()
}

/// When the requests for `path` were sent, in milliseconds, by the trace.
fn sent(sandbox: &Sandbox, path: &str) -> Vec<f64> {
    let trace = std::fs::read_to_string(sandbox.path("trace")).expect("a trace");
    let lines = crate::sandbox::json_lines(&trace);
    let ours = lines.iter().filter(|line| {
        let url = line["url"].as_str().unwrap_or_default();
        url.ends_with(path)
    });
    ours.filter_map(|line| Some(line["t_req"].as_f64()? * 1000.0))
        .collect()
}

fn events<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn l1_a_playlist_is_loaded_again_after_a_target_or_half_of_one() {
    let (origin, sandbox) = live(&[page(0, 3), page(0, 4), page(0, 4), last(page(0, 6))]);
    dump(&sandbox, &origin.url(LIVE), &["--trace-out", "trace"]);
    let sent = sent(&sandbox, LIVE);
    assert_eq!(sent.len(), 4, "{sent:?}");
    let waits: Vec<f64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Not before: a target, a target after a change, half of one without.
    assert!(waits[0] >= 990.0, "{waits:?}");
    assert!(waits[1] >= 990.0, "{waits:?}");
    assert!(waits[2] >= 490.0, "{waits:?}");
}

#[test]
fn l2_playing_begins_as_far_from_the_edge_as_the_stream_or_the_user_wants() {
    let hold = "#EXT-X-SERVER-CONTROL:HOLD-BACK=1.2\n";
    let early = "#EXT-X-START:TIME-OFFSET=-2.0\n";
    let cases: [(&str, &[&str], usize); 7] = [
        ("", &[], 0), // three targets are more than there is
        (hold, &[], 3),
        (hold, &["--live-start"], 0),
        (hold, &["--live-edge", "0.6"], 4),
        (&format!("{hold}{early}"), &[], 1),
        (hold, &["--start", "1.05"], 2),
        (hold, &["--start", "-1"], 3),
    ];
    for (tags, arguments, first) in cases {
        let begin = Page { tags, ..page(0, 6) };
        let (origin, sandbox) = live(&[begin, last(page(0, 6))]);
        let sound = dump(&sandbox, &origin.url(LIVE), arguments);
        let asked: Vec<usize> = (0..6).map(|segment| asked(&origin, segment)).collect();
        let want: Vec<usize> = (0..6)
            .map(|segment| usize::from(segment >= first))
            .collect();
        assert_eq!(asked, want, "{tags} {arguments:?}");
        if !arguments.contains(&"--start") {
            let before: usize = FRAMES[..first].iter().sum();
            assert_eq!(first_break(&sound, before), None, "{tags} {arguments:?}");
            assert_eq!(sound.frames(), 132_300 - before, "{tags} {arguments:?}");
        }
    }
}

#[test]
fn l2_a_place_named_twice_is_refused() {
    let (origin, sandbox) = stage();
    sandbox
        .kithara([
            "dump",
            &origin.url(LIVE),
            "--live-start",
            "--live-edge",
            "5",
        ])
        .fails(2, &["--live-edge", "--live-start"])
        .run();
}

#[test]
fn l3_what_left_the_window_becomes_silence_and_is_reported() {
    let (origin, sandbox) = live(&[dated(page(0, 2)), last(dated(page(4, 6)))]);
    let run = sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav", "--json"])
        .prints()
        .warns(&["2 segments left the playlist before they were fetched"])
        .run();
    let sound = Sound::open(&sandbox.path("a.wav"));
    let (lost, length) = (2 * 23_040, 2 * 23_040);
    assert_eq!(sound.frames(), 132_300);
    assert_eq!(first_break(&sound.slice(0, lost), 0), None);
    assert_eq!(
        first_break(
            &sound.slice(lost + length, 132_300 - lost - length),
            lost + length
        ),
        None
    );
    let hole = sound.slice(lost, length).integers().expect("integers");
    assert!(hole.iter().all(|sample| *sample == 0), "silence");
    let lines = run.json_lines();
    let gaps = events(&lines, "gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["lost"], true);
    assert_eq!(gaps[0]["duration_ms"], 1045);
    let lost_ms = run.summary()["live"]["lost_ms"].clone();
    assert_eq!(lost_ms, 1045);
}

#[test]
fn l3_a_listener_has_waited_already_and_hears_no_silence() {
    let (origin, sandbox) = live(&[dated(page(0, 2)), last(dated(page(4, 6)))]);
    let run = sandbox
        .kithara(["play", &origin.url(LIVE), "--ao", "null", "--json"])
        .prints()
        .warns(&["2 segments left the playlist", "(0:01 lost)"])
        .run();
    let frames = FRAMES[0] + FRAMES[1] + FRAMES[4] + FRAMES[5];
    let summary = run.summary();
    let played = summary["playback"]["played_ms"].as_u64();
    assert_eq!(played, Some(frames as u64 * 1000 / RATE as u64));
    assert_eq!(summary["live"]["lost_ms"], 1045);
}

#[test]
fn l3_numbers_that_leap_cost_neither_time_nor_memory() {
    let leap = Page {
        number: 4_000_000_000_000_000_000,
        ..last(page(2, 6))
    };
    let (origin, sandbox) = live(&[page(0, 2), leap]);
    sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav"])
        .warns(&["counts its segments anew"])
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
}

#[test]
fn l4_an_event_grows_until_its_end() {
    let event = |page| Page {
        tags: "#EXT-X-PLAYLIST-TYPE:EVENT\n",
        ..page
    };
    let pages = [
        event(page(0, 2)),
        event(page(0, 5)),
        event(last(page(0, 6))),
    ];
    let (origin, sandbox) = live(&pages);
    let run = recording(&origin, &sandbox).run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
    assert_eq!(run.summary()["kind"], "hls-event");
    assert_eq!(run.summary()["live"]["reloads"], 2);
    let lines = run.json_lines();
    let added: Vec<&Value> = events(&lines, "reload")
        .iter()
        .map(|line| &line["added"])
        .collect();
    assert_eq!(added, [3, 1]);
}

#[test]
fn l4_a_window_that_slides_loses_and_repeats_nothing() {
    let pages = [page(0, 3), page(1, 4), page(2, 5), last(page(3, 6))];
    let (origin, sandbox) = live(&pages);
    let run = sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav", "--json"])
        .prints()
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
    for segment in 0..6 {
        assert_eq!(asked(&origin, segment), 1, "segment {segment}");
    }
    assert_eq!(origin.requests("/hls/flac-init.mp4").len(), 1);
    assert_eq!(run.summary()["kind"], "hls-live");
    assert_eq!(run.summary()["live"]["lost_ms"], 0);
    // Nothing of it stays on the disk, not even a place for it.
    assert!(!sandbox.cache_root().exists());
}

#[test]
fn l5_a_playlist_without_news_is_a_state_and_not_an_end() {
    let mut pages: Vec<Page<'_>> = (0..9).map(|_| page(0, 2)).collect();
    pages.push(last(page(0, 6)));
    let (origin, sandbox) = live(&pages);
    sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav"])
        .warns(&["brings nothing new, waiting for it"])
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
}

#[test]
fn l6_an_origin_that_counts_anew_is_followed() {
    let renewed = Page {
        number: 0,
        ..last(page(3, 6))
    };
    let first = Page {
        number: 1000,
        ..page(0, 3)
    };
    let (origin, sandbox) = live(&[first, renewed]);
    sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav"])
        .warns(&["counts its segments anew"])
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
}

#[test]
fn l7_reloads_that_fail_are_tolerated() {
    let (origin, sandbox) = live(&[page(0, 3), last(page(0, 6))]);
    origin.on(LIVE).times(1);
    origin.on(LIVE).status(404).times(1);
    origin.on(LIVE).status(503).times(1);
    origin.on(LIVE).html().times(1);
    sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav"])
        .warns(&["404", "trying again"])
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
}

#[test]
fn l7_a_first_load_that_fails_is_exit_4() {
    let (origin, sandbox) = stage();
    origin.on(LIVE).status(404);
    sandbox
        .kithara(["dump", &origin.url(LIVE), "-o", "a.wav"])
        .fails(4, &["404"])
        .run();
}

#[test]
fn l7_a_live_segment_that_is_refused_is_tried_again_then_lost() {
    let (origin, sandbox) = live(&[page(0, 6), last(page(0, 6))]);
    origin.on("/hls/flac-1.m4s").status(404).times(2);
    origin.on("/hls/flac-3.m4s").status(404);
    let run = recording(&origin, &sandbox).warns(&["404"]).run();
    let sound = Sound::open(&sandbox.path("a.wav"));
    assert_eq!(sound.frames(), 132_300);
    let lost = 3 * 23_040..4 * 23_040;
    assert_eq!(first_break(&sound.slice(0, lost.start), 0), None);
    assert_eq!(
        first_break(&sound.slice(lost.end, 132_300 - lost.end), lost.end),
        None
    );
    assert_eq!(asked(&origin, 1), 3);
    assert_eq!(asked(&origin, 3), 3);
    assert_eq!(run.summary()["live"]["lost_ms"], 522);
}

#[test]
fn l8_the_oldest_segment_of_the_window_can_be_heard() {
    let (origin, sandbox) = live(&[page(2, 6), last(page(2, 6))]);
    let sound = dump(&sandbox, &origin.url(LIVE), &["--live-start"]);
    assert_eq!(first_break(&sound, 2 * 23_040), None);
    assert_eq!(sound.frames(), 132_300 - 2 * 23_040);
}

#[test]
fn l10_a_low_latency_playlist_is_played_from_whole_segments() {
    let tags = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,HOLD-BACK=3.0,CAN-SKIP-UNTIL=6.0\n#EXT-X-PART-INF:PART-TARGET=0.2\n";
    let parts = "#EXT-X-PART:DURATION=0.2,URI=\"part-a.m4s\"\n#EXT-X-PART:DURATION=0.2,URI=\"part-b.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-c.m4s\"\n#EXT-X-RENDITION-REPORT:URI=\"other.m3u8\",LAST-MSN=3,LAST-PART=1\n";
    let first = Page { tags, ..page(0, 3) };
    let skipping = Page {
        tags: &format!("{tags}#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n"),
        number: 0,
        ..page(2, 5)
    };
    let (origin, sandbox) = stage();
    let with_parts = |page: &Page<'_>| [page.text(), parts.into()].concat();
    let end = last(page(0, 6)).text();
    origin.serve_in_turn(
        LIVE,
        KIND,
        vec![with_parts(&first), with_parts(&skipping), end],
    );
    dump(&sandbox, &origin.url(LIVE), &[]);
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("dumped.wav")));
    let odd: Vec<String> = origin
        .log()
        .into_iter()
        .filter(|request| request.path.contains("part") || request.query.is_some())
        .map(|request| request.path)
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn a_live_stream_is_played_and_its_latency_told() {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let (days, second) = (now / 86_400, now % 86_400);
    // Today's date, by counting days from 1970 in the civil calendar.
    let (year, month, day) = civil(days as i64);
    let date = format!(
        "#EXT-X-PROGRAM-DATE-TIME:{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z\n",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    let begin = Page {
        tags: &date,
        ..page(0, 6)
    };
    let (origin, sandbox) = live(&[begin, last(page(0, 6))]);
    let url = origin.url(LIVE);
    let run = sandbox
        .kithara(["play", &url, "--ao", "null", "--length", "0.5", "--json"])
        .prints()
        .run();
    let summary = run.summary();
    assert_eq!(summary["playback"]["played_ms"], 500);
    let latency = summary["live"]["latency_ms"].as_i64().expect("a latency");
    let over = &summary["live"]["latency_over_time_ms"];
    let over = ["min", "median", "max"].map(|name| over[name].as_i64().expect("a latency"));
    assert!(over.is_sorted(), "{over:?}");
    // The first sample heard is dated now, to the second.
    assert!((-500..60_000).contains(&latency), "{latency}");
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[test]
fn the_length_of_a_live_dump_is_exact() {
    let (origin, sandbox) = live(&[page(0, 3), page(0, 6)]);
    let sound = dump(&sandbox, &origin.url(LIVE), &["--length", "1.5"]);
    assert_eq!(sound.frames(), 66_150);
    assert_eq!(first_break(&sound, 0), None);
}

#[test]
fn a_variant_of_a_live_stream_is_the_same_sound_under_other_numbers() {
    // Two variants, the second counted from 500 on, tied by dates.
    let (origin, sandbox) = stage();
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=200000,CODECS=\"fLaC\"\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"fLaC\"\nhigh.m3u8\n";
    origin.serve("/hls/master.m3u8", KIND, master.into());
    let pages = |number: usize| {
        let all = [
            dated(page(0, 3)),
            dated(page(0, 4)),
            dated(page(0, 5)),
            last(dated(page(0, 6))),
        ];
        all.map(|page| Page { number, ..page }.text()).to_vec()
    };
    origin.serve_in_turn("/hls/low.m3u8", KIND, pages(0));
    origin.serve_in_turn("/hls/high.m3u8", KIND, pages(500));
    let url = origin.url("/hls/master.m3u8");
    let sound = dump(&sandbox, &url, &["-Q", "auto"]);
    let whole = dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    assert_eq!(first_difference(&whole, &sound), None);
}

#[test]
fn info_tells_the_window_of_a_live_stream() {
    let (origin, sandbox) = live(&[page(2, 6)]);
    let url = origin.url(LIVE);
    let run = sandbox.kithara(["info", &url, "--json"]).prints().run();
    let page = run.json();
    assert_eq!(page["kind"], "hls-live");
    assert_eq!(page["duration_ms"], Value::Null);
    let want = serde_json::json!({
        "window_ms": 1955, "segments": 4, "target_ms": 1000, "hold_back_ms": 3000, "parts": false,
    });
    assert_eq!(page["live"], want);
    let run = sandbox.kithara(["info", &url]).prints().run();
    let words = "hls-live, window 0:01 in 4 segments, played 0:03 behind its end";
    assert!(run.text().contains(words), "{}", run.text());
}

#[test]
fn l7_a_live_segment_that_breaks_off_is_silent_to_its_end() {
    let (origin, sandbox) = live(&[page(0, 6), last(page(0, 6))]);
    // Garbled in the middle, whole at its front; then one that is no media at all.
    let mut broken = crate::bytes("hls/flac-2.m4s");
    broken.truncate(9000);
    origin.serve("/hls/flac-2.m4s", "audio/mp4", broken);
    origin.serve("/hls/flac-4.m4s", "audio/mp4", vec![0x55; 5000]);
    let run = recording(&origin, &sandbox).chatty().run();
    for number in [2, 4] {
        let words = format!("cannot play segment {number} ");
        let line = run.stderr.lines().find(|line| line.contains(&words));
        assert!(
            line.is_some_and(|line| line.ends_with("going on behind it")),
            "{}",
            run.stderr
        );
    }
    let sound = Sound::open(&sandbox.path("a.wav"));
    assert_eq!(sound.frames(), 132_300);
    assert_eq!(first_break(&sound.slice(0, 2 * 23_040), 0), None);
    let third = 3 * 23_040;
    assert_eq!(first_break(&sound.slice(third, 23_040), third), None);
    let last = 132_300 - 21_708;
    assert_eq!(first_break(&sound.slice(last, 21_708), last), None);
    let lost = run.summary()["live"]["lost_ms"].as_i64().expect("a number");
    assert!((500..1000).contains(&lost), "{lost}");
}

#[test]
fn l9_after_a_stall_who_wants_to_be_near_the_edge_is_taken_there() {
    let pages = || {
        [
            page(0, 2),
            page(0, 2),
            page(0, 2),
            page(0, 6),
            last(page(0, 6)),
        ]
    };
    let (origin, sandbox) = live(&pages());
    let url = origin.url(LIVE);
    let run = sandbox
        .kithara(["play", &url, "--ao", "null", "--live-edge", "0.6", "--json"])
        .prints()
        .warns(&["came too late after a stall (0:01 lost)"])
        .run();
    // Segments 0 and 1, then 4 and 5, with nothing between.
    assert_eq!(asked(&origin, 2) + asked(&origin, 3), 0);
    let frames = FRAMES[0] + FRAMES[1] + FRAMES[4] + FRAMES[5];
    let played = run.summary()["playback"]["played_ms"].as_u64();
    assert_eq!(played, Some(frames as u64 * 1000 / RATE as u64));
    // A dump has everything.
    let (origin, sandbox) = live(&pages());
    let sound = dump(&sandbox, &origin.url(LIVE), &["--live-edge", "0.6"]);
    assert_eq!(sound.frames(), 132_300);
}
