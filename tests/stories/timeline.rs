//! The timeline of a stream: gaps, discontinuities, clocks that jump, joins
//! without a seam, and titles at the sample where they apply.

use std::fs;

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::sandbox::{Sandbox, json_lines};
use crate::wav::{Sound, first_break, first_difference, phase_is_continuous};
use crate::{bytes, dump, stage};

/// Frames of the first segments of fixtures/hls/flac.m3u8.
const SEGMENT: usize = 23_040;

/// Serves a playlist of these lines as `/list.m3u8`, and gives its address.
fn playlist(origin: &Origin, lines: &[&str]) -> String {
    let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    let text = format!("{head}{}\n#EXT-X-ENDLIST\n", lines.join("\n"));
    origin.serve("/list.m3u8", "application/x-mpegurl", text.into_bytes());
    origin.url("/list.m3u8")
}

const FLAC: &str = "#EXT-X-MAP:URI=\"/hls/flac-init.mp4\"";

/// Segment `index` of fixtures/hls/flac.m3u8.
fn flac(index: usize) -> String {
    format!("#EXTINF:0.522449,\n/hls/flac-{index}.m4s")
}

fn gap(index: usize) -> String {
    format!("#EXT-X-GAP\n{}", flac(index))
}

fn silence(whole: &Sound, frames: usize) -> Sound {
    let mut silence = whole.slice(0, frames);
    silence.pcm.fill(0);
    silence
}

/// One sound after the other.
fn joined(parts: &[Sound]) -> Sound {
    let pcm = parts.iter().flat_map(|part| part.pcm.clone()).collect();
    Sound {
        pcm,
        ..parts[0].clone()
    }
}

#[test]
fn d3_a_gap_is_not_requested_and_is_silence_of_its_length() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    origin.clear_log();
    let url = playlist(&origin, &[FLAC, &flac(0), &gap(1), &flac(2)]);
    let arguments = ["dump", &url, "-o", "x.wav", "--ledger", "l", "--json"];
    let outcome = sandbox.kithara(arguments).prints().run();
    let got = Sound::open(&sandbox.path("x.wav"));
    let want = joined(&[
        whole.slice(0, SEGMENT),
        silence(&whole, SEGMENT),
        whole.slice(2 * SEGMENT, SEGMENT),
    ]);
    assert_eq!(got.frames(), want.frames());
    assert_eq!(first_difference(&want, &got), None);
    assert_eq!(origin.requests("/hls/flac-1.m4s").len(), 0);
    let lines = fs::read_to_string(sandbox.path("l")).expect("a ledger");
    let ledger = json_lines(&lines);
    let line = json!({
        "segment": 1, "variant": 0, "url": origin.url("/hls/flac-1.m4s"),
        "first_frame": SEGMENT, "frames": SEGMENT, "trimmed": 0, "sha256": null, "silence": true,
    });
    assert_eq!(ledger[1], line);
    assert_eq!(ledger[2]["first_frame"], 2 * SEGMENT);
    let event = events(&outcome.json_lines(), "gap").remove(0);
    assert_eq!(
        (&event["pos_ms"], &event["duration_ms"]),
        (&json!(522), &json!(522))
    );
    assert_eq!(
        (&event["segment"], &event["lost"]),
        (&json!(1), &json!(false))
    );
}

#[test]
fn d3_gaps_first_last_and_in_a_row_keep_the_length_of_the_stream() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    let lines = [FLAC, &gap(0), &gap(1), &flac(2), &gap(3)];
    let url = playlist(&origin, &lines);
    let want = joined(&[
        silence(&whole, 2 * SEGMENT),
        whole.slice(2 * SEGMENT, SEGMENT),
        silence(&whole, SEGMENT),
    ]);
    let got = dump(&sandbox, &url, &[]);
    assert_eq!(got.frames(), want.frames());
    assert_eq!(first_difference(&want, &got), None);
    for (start, length) in [
        (10_000, 20_000),
        (30_000, 30_000),
        (60_000, 30_000),
        (75_000, 9_000),
    ] {
        let seconds = |frames: usize| format!("{:.6}", frames as f64 / 44_100.0);
        let (from, count) = (seconds(start), seconds(length));
        let part = dump(&sandbox, &url, &["--start", &from, "--length", &count]);
        assert_eq!(part.frames(), length, "from {start}");
        let want = want.slice(start, length);
        assert_eq!(first_difference(&want, &part), None, "from {start}");
    }
}

#[test]
fn d3_a_stream_of_gaps_only_says_so() {
    let (origin, sandbox) = stage();
    let url = playlist(&origin, &[FLAC, &gap(0), &gap(1)]);
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav"]);
    run.fails(5, &["all of its segments are missing"]).run();
}

/// Runs of five layouts, each with its own init section.
fn layouts(between: &str) -> Vec<String> {
    let runs: [(&str, &[f64]); 5] = [
        ("hls/flac", &[0.522449]),
        ("timeline/mono", &[0.313469, 0.186531]),
        ("timeline/six", &[0.8]),
        ("timeline/flac48", &[0.384, 0.216]),
        ("timeline/aac48", &[0.512, 0.490667, 0.021333]),
    ];
    let mut lines = Vec::new();
    for (index, (name, durations)) in runs.into_iter().enumerate() {
        if index > 0 && !between.is_empty() {
            lines.push(between.to_owned());
        }
        lines.push(format!("#EXT-X-MAP:URI=\"/{name}-init.mp4\""));
        for (number, duration) in durations.iter().enumerate() {
            lines.push(format!("#EXTINF:{duration},\n/{name}-{number}.m4s"));
        }
    }
    lines
}

#[test]
fn d1_codec_rate_and_channels_change_without_a_sample_lost_or_repeated() {
    for between in ["#EXT-X-DISCONTINUITY", ""] {
        let (origin, sandbox) = stage();
        let lines = layouts(between);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let url = playlist(&origin, &lines);
        // Of the first layout; 0.8, 0.6 and 1 s of others are converted to it.
        let counts = [SEGMENT, 22_050, 35_280, 26_460, 44_100];
        let arguments = ["dump", &url, "-o", "x.wav", "-f", "--json"];
        let outcome = sandbox.kithara(arguments).prints().run();
        let got = Sound::open(&sandbox.path("x.wav"));
        assert_eq!((got.rate, got.channels), (44_100, 2), "{between:?}");
        assert_eq!(got.frames(), counts.iter().sum::<usize>(), "{between:?}");
        assert_eq!(first_break(&got.slice(0, SEGMENT), 0), None, "{between:?}");
        let mono = got.slice(SEGMENT, 22_050);
        assert_eq!(first_break(&mono, 0), None, "{between:?}");
        assert_eq!(longest_silence(&got), None, "{between:?}");
        let formats = events(&outcome.json_lines(), "format");
        let formats: Vec<_> = formats.iter().map(|line| &line["rate"]).collect();
        assert_eq!(
            formats,
            [44_100, 44_100, 8_000, 48_000, 48_000],
            "{between:?}"
        );
        let fast = dump(&sandbox, &url, &["--rate", "48000", "--channels", "1"]);
        let counts = [25_078, 24_000, 38_400, 28_800, 48_000]; // 25,077.55 and whole ones
        assert_eq!(fast.frames(), counts.iter().sum::<usize>(), "{between:?}");
    }
}

/// Where five milliseconds or more of silence begin.
fn longest_silence(sound: &Sound) -> Option<usize> {
    let loud = |frame: &[f64]| frame.iter().any(|sample| *sample != 0.0);
    let frames = sound.floats();
    let frames: Vec<bool> = frames.chunks(sound.channels).map(loud).collect();
    let longest = sound.rate as usize / 200;
    frames
        .windows(longest)
        .position(|window| !window.contains(&true))
}

/// A fragment with another media time: `tfdt` of version 1, 64 bits.
fn with_time(name: &str, time: u64) -> Vec<u8> {
    let mut segment = bytes(name);
    let at = segment.windows(4).position(|word| word == b"tfdt");
    let at = at.expect("a time") + 4;
    assert_eq!(segment[at], 1, "{name}: version");
    segment[at + 4..at + 12].copy_from_slice(&time.to_be_bytes());
    segment
}

#[test]
fn s3_a_clock_that_jumps_unannounced_costs_no_sound_and_makes_no_silence() {
    let (origin, sandbox) = stage();
    let day = 86_400 * 44_100;
    let clocks = [
        ("a day later", [0, day, day + 23_040]),
        ("back to zero", [day, 0, 23_040]),
        ("never right", [day, 5, 40 * day]),
    ];
    for (case, times) in clocks {
        for (index, time) in times.into_iter().enumerate() {
            let segment = with_time(&format!("hls/flac-{index}.m4s"), time);
            origin.serve(&format!("/{index}.m4s"), "audio/mp4", segment);
        }
        let lines = ["0.m4s", "1.m4s", "2.m4s"].map(|name| format!("#EXTINF:0.522449,\n/{name}"));
        let url = playlist(&origin, &[FLAC, &lines[0], &lines[1], &lines[2]]);
        let got = dump(&sandbox, &url, &["--no-cache"]);
        assert_eq!(got.frames(), 3 * SEGMENT, "{case}");
        assert_eq!(first_break(&got, 0), None, "{case}");
    }
}

/// What a playlist may call a segment of 90 or 93 ms.
const SLOPPY: &str = "0.1";

/// Cuts bytes where `begins` says, which is asked for every offset.
fn cut(bytes: &[u8], begins: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = (0..bytes.len()).filter(|&at| begins(at)).collect();
    at.push(bytes.len());
    let parts = at.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec());
    parts.collect()
}

/// An MP4 file as an init section and one segment for each fragment.
fn fragments(file: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let end = file.windows(4).position(|word| word == b"mfra");
    let file = &file[..end.map_or(file.len(), |end| end - 4)];
    let segments = cut(file, |at| file[at..].get(4..8) == Some(b"moof"));
    let first = file.len() - segments.iter().map(Vec::len).sum::<usize>();
    (file[..first].to_vec(), segments)
}

/// ADTS frames by the length in their headers.
fn adts_length(header: &[u8]) -> usize {
    usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5)
}

/// MPEG-1 layer III frames of 44.1 kHz.
fn mp3_length(header: &[u8]) -> usize {
    let rates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128];
    let rate = rates[usize::from(header[2] >> 4)] * 1000;
    144 * rate / 44_100 + usize::from(header[2] >> 1 & 1)
}

/// Segments of `count` frames each, of which `length` reads the header.
fn packed(file: &[u8], count: usize, length: fn(&[u8]) -> usize) -> Vec<Vec<u8>> {
    let (mut at, mut frames) = (id3_length(file), Vec::new());
    while at + 7 < file.len() && file[at] == 0xFF {
        let end = at + length(&file[at..]);
        frames.push(file[at..end].to_vec());
        at = end;
    }
    frames.chunks(count).map(<[Vec<u8>]>::concat).collect()
}

fn id3_length(file: &[u8]) -> usize {
    match file.starts_with(b"ID3") {
        true => {
            10 + file[6..10]
                .iter()
                .fold(0, |sum, byte| sum << 7 | usize::from(*byte))
        }
        false => 0,
    }
}

/// Segments of one audio PES packet each, behind the tables of the first.
fn transport(file: &[u8]) -> Vec<Vec<u8>> {
    let packets: Vec<&[u8]> = file.chunks(188).collect();
    let id = |packet: &[u8]| u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]);
    let tables = [0, 0x1000].map(|table| {
        let found = packets.iter().find(|packet| id(packet) == table);
        *found.expect("PAT and PMT")
    });
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for packet in packets.iter().filter(|packet| id(packet) == 0x100) {
        if packet[1] & 0x40 != 0 {
            segments.push(tables.concat());
        }
        segments.last_mut().expect("a first packet").extend(*packet);
    }
    segments
}

/// Serves segments under `/tone/` and a playlist that says how long each is.
fn serve_tone(
    origin: &Origin,
    init: Option<Vec<u8>>,
    segments: Vec<Vec<u8>>,
    duration: &str,
) -> String {
    assert!(segments.len() > 100, "{} segments", segments.len());
    let mut lines = Vec::new();
    if let Some(init) = init {
        origin.serve("/tone/init", "audio/mp4", init);
        lines.push("#EXT-X-MAP:URI=\"/tone/init\"".to_owned());
    }
    for (index, segment) in segments.into_iter().enumerate() {
        origin.serve(
            &format!("/tone/{index}"),
            "application/octet-stream",
            segment,
        );
        lines.push(format!("#EXTINF:{duration},\n/tone/{index}"));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    playlist(origin, &lines)
}

/// Dumps the segments and looks at the tone, but for where the codec swings in
/// and out.
fn listen(origin: &Origin, sandbox: &Sandbox, url: &str, frames: usize, tolerance: f64) -> Sound {
    let sound = dump(sandbox, url, &["--sample", "f32", "--no-cache"]);
    assert!(origin.requests("/tone/100").len() == 1, "a hundred joins");
    assert_eq!(sound.frames(), frames);
    let heard = sound.slice(4_096, frames - 8_192).floats();
    phase_is_continuous(&heard, sound.rate, 441.0, tolerance);
    sound
}

#[test]
fn s11_the_phase_of_a_tone_is_continuous_over_a_hundred_joins_of_aac_in_every_container() {
    let (origin, sandbox) = stage();
    let arguments = ["--sample", "f32"];
    let whole = dump(&sandbox, &origin.url("/timeline/tone.aac"), &arguments);
    let (init, fragments) = fragments(&bytes("timeline/tone.mp4"));
    let containers = [
        ("fMP4", Some(init), fragments),
        (
            "ADTS",
            None,
            packed(&bytes("timeline/tone.aac"), 4, adts_length),
        ),
        ("TS", None, transport(&bytes("timeline/tone.ts"))),
    ];
    for (name, init, segments) in containers {
        let url = serve_tone(&origin, init, segments, SLOPPY);
        origin.clear_log();
        // The encoder itself wanders by a third of a sample.
        let sound = listen(&origin, &sandbox, &url, whole.frames(), 0.5);
        assert_eq!(first_difference(&whole, &sound), None, "{name}");
    }
}

#[test]
fn s11_the_phase_of_a_tone_is_continuous_over_a_hundred_joins_of_flac() {
    let (origin, sandbox) = stage();
    let (init, fragments) = fragments(&bytes("timeline/tone-flac.mp4"));
    let url = serve_tone(&origin, Some(init), fragments, SLOPPY);
    listen(&origin, &sandbox, &url, 83_200, 0.01);
}

#[test]
fn s11_the_phase_of_a_tone_is_continuous_over_a_hundred_joins_of_mp3() {
    let (origin, sandbox) = stage();
    let segments = packed(&bytes("timeline/tone.mp3"), 3, mp3_length);
    let url = serve_tone(&origin, None, segments, SLOPPY);
    let sound = dump(&sandbox, &url, &["--sample", "f32"]);
    assert!(sound.frames() >= 458_640, "10.4 s: {}", sound.frames());
    let heard = sound.slice(4_096, 450_000).floats();
    phase_is_continuous(&heard, 44_100, 441.0, 0.1);
}

/// The lines of one kind.
fn events(lines: &[Value], kind: &str) -> Vec<Value> {
    let lines = lines.iter().filter(|line| line["event"] == kind);
    lines.cloned().collect()
}

/// An ID3 tag with a title.
fn titled(title: &str, segment: &[u8]) -> Vec<u8> {
    let text = [&[3], title.as_bytes()].concat();
    let length = u8::try_from(text.len()).expect("a short title");
    let frame = [&b"TIT2\0\0\0"[..], &[length, 0, 0], &text].concat();
    let length = u8::try_from(frame.len()).expect("a short frame");
    let head = [&b"ID3\x04\0\0\0\0\0"[..], &[length]].concat();
    [&head, &frame, segment].concat()
}

/// Packed AAC whose segments of 92.88 ms carry titles from time to time.
fn radio(origin: &Origin) -> String {
    let mut segments = packed(&bytes("timeline/tone.aac"), 4, adts_length);
    for (index, title) in [(0, "One"), (5, "One"), (10, "Two"), (20, "\x1b[2JThree")] {
        segments[index] = titled(title, &segments[index]);
    }
    serve_tone(origin, None, segments, "0.092880")
}

fn titles(lines: &[Value]) -> Vec<(String, i64)> {
    let titles = events(lines, "title").into_iter();
    let told = |line: Value| {
        let title = line["title"].as_str().expect("text").to_owned();
        (title, line["pos_ms"].as_i64().expect("a number"))
    };
    titles.map(told).collect()
}

#[test]
fn d6_titles_of_packed_audio_are_told_with_the_sample_where_they_apply() {
    let (origin, sandbox) = stage();
    let url = radio(&origin);
    let (one, two, three) = ("One", "Two", "\\u{1b}[2JThree");
    let cases = [
        (vec![], vec![(one, 0), (two, 928), (three, 1857)]),
        (vec!["--start", "1"], vec![(two, 0), (three, 857)]),
        (vec!["--length", "1.5"], vec![(one, 0), (two, 928)]),
    ];
    for (arguments, want) in cases {
        let fixed = ["dump", &url, "-o", "x.wav", "-f", "--json"];
        let run = sandbox.kithara(fixed.iter().chain(&arguments));
        let got = titles(&run.prints().run().json_lines());
        let got: Vec<_> = got
            .iter()
            .map(|(title, at)| (title.as_str(), *at))
            .collect();
        assert_eq!(got, want, "{arguments:?}");
    }
}

#[test]
fn d6_a_title_is_shown_and_told_when_the_sound_has_reached_it() {
    let (origin, sandbox) = stage();
    let url = radio(&origin);
    let arguments = ["play", &url, "--ao", "null", "--length", "3", "--json"];
    let run = sandbox.kithara(arguments.iter().chain(&["--progress", "always"]));
    let outcome = run.prints().chatty().run();
    let lines = outcome.json_lines();
    let want = [("One", 0), ("Two", 928), ("\\u{1b}[2JThree", 1857)];
    let want = want.map(|(title, at)| (title.to_owned(), at));
    assert_eq!(titles(&lines), want);
    let mut reached = 0;
    for line in lines.iter().filter(|line| line["type"] == "event") {
        let position = line["pos_ms"].as_i64().expect("a number");
        match line["event"].as_str() {
            Some("title") => reached = position,
            Some("progress") => assert!(position >= reached, "told early: {line}"),
            _ => {}
        }
    }
    assert!(outcome.stderr.contains(" | Two"), "{}", outcome.stderr);
}
