//! Stations over HTTP: sound without end, titles mixed into it, connections that
//! break off. HLS.md rows I1 and I3.

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, dump, stage};

const FRAME: usize = 1152;

/// `sound` with a block of `texts` behind every `interval` bytes; an empty text
/// is an empty block, and so is what follows the last.
fn mixed(sound: &[u8], interval: usize, texts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut texts = texts.iter();
    for part in sound.chunks(interval) {
        body.extend(part);
        if part.len() == interval {
            let text = texts.next().copied().unwrap_or_default();
            let units = text.len().div_ceil(16);
            body.push(u8::try_from(units).expect("a short text"));
            body.extend(text);
            body.resize(body.len() + units * 16 - text.len(), 0);
        }
    }
    body
}

/// Frames of MPEG audio without the tag and the frame of information before them.
fn frames_of_mp3() -> Vec<u8> {
    let file = bytes("files/lame.mp3");
    let is_frame = |at: &usize| file[*at..].starts_with(&[0xFF, 0xFB]);
    let mut starts = (0..file.len()).filter(is_frame);
    let information = starts.next().expect("a frame");
    let first = starts.find(|at| at - information > 100);
    file[first.expect("another frame")..].to_vec()
}

/// A station at `path` that sends `body` to each listener and closes.
fn station(origin: &Origin, path: &str, kind: &str, headers: &[&str], body: Vec<u8>) {
    origin.serve(path, kind, body);
    let mut verbs = origin.on(path).no_length().no_validators().ignore_range();
    for header in headers {
        verbs = verbs.header(header);
    }
}

fn titles(lines: &[Value]) -> Vec<(String, i64)> {
    let told = lines.iter().filter(|line| line["event"] == "title");
    let row = |line: &Value| {
        let title = line["title"].as_str().expect("a text").to_owned();
        (title, line["pos_ms"].as_i64().expect("a position"))
    };
    told.map(row).collect()
}

/// Dumps so many seconds and reads both the sound and what was told.
fn listen(sandbox: &Sandbox, url: &str, seconds: &str) -> (Sound, Vec<Value>) {
    let words = ["dump", url, "-o", "radio.wav", "-f", "--json", "--length", seconds];
    let run = sandbox.kithara(words).prints().run();
    (Sound::open(&sandbox.path("radio.wav")), run.json_lines())
}

#[test]
fn i1_titles_are_taken_out_to_the_byte_whatever_the_interval() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    station(&origin, "/plain", "audio/mpeg", &["icy-name: Plain"], sound.clone());
    let want = dump(&sandbox, &origin.url("/plain"), &["--length", "2.5"]);
    assert_eq!(want.frames(), 110_250);
    for interval in [1, 16, 417, 1000, 8192, 16_000] {
        let path = format!("/{interval}");
        let body = mixed(&sound, interval, &[b"StreamTitle='One';", b"", b"StreamTitle='Two';"]);
        let header = format!("icy-metaint: {interval}");
        station(&origin, &path, "audio/mpeg", &[&header], body);
        let got = dump(&sandbox, &origin.url(&path), &["--length", "2.5"]);
        assert_eq!(got.sha256(), want.sha256(), "a block every {interval} bytes");
    }
    let asked = origin.requests("/417");
    assert_eq!(asked[0].header("icy-metadata"), Some("1"));
}

#[test]
fn i1_titles_are_told_where_their_frame_is_heard() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    let texts: [&[u8]; 5] = [
        b"StreamTitle='Bj\xF6rk - It's;' oh so \x93quiet\x94';StreamUrl='';",
        b"",
        "StreamTitle='Motörhead';".as_bytes(),
        b"StreamTitle='\x1b[2J\x07';",
        b"StreamTitle='';",
    ];
    let body = mixed(&sound, 4000, &texts);
    station(&origin, "/radio", "audio/mpeg", &["icy-metaint: 4000", "icy-br: 96"], body);
    let (heard, lines) = listen(&sandbox, &origin.url("/radio"), "2.5");
    assert_eq!(heard.frames(), 110_250);
    // Where the frame begins that holds the byte behind the block.
    let place = |block: usize| {
        let (mut at, mut frames) = (0, 0);
        loop {
            let padding = usize::from(sound[at + 2] >> 1 & 1);
            let rates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
            let rate = rates[usize::from(sound[at + 2] >> 4)];
            at += 144_000 * rate / 44_100 + padding;
            if at > block * 4000 {
                return (frames * FRAME * 1000 / 44_100) as i64;
            }
            frames += 1;
        }
    };
    let want = [
        ("Björk - It's;' oh so “quiet”", place(1)),
        ("Motörhead", place(3)),
        ("\\u{1b}[2J\\u{7}", place(4)),
        ("", place(5)),
    ];
    let told = titles(&lines);
    let told: Vec<_> = told.iter().map(|(title, at)| (title.as_str(), *at)).collect();
    assert_eq!(told, want);
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["kind"], "radio");
}

#[test]
fn i1_an_interval_that_is_a_lie_costs_nothing() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    station(&origin, "/plain", "audio/mpeg", &["icy-name: Plain"], sound.clone());
    let want = dump(&sandbox, &origin.url("/plain"), &["--length", "2"]).sha256();
    for interval in ["0", "-1", "x", "99999999999999999999", "18446744073709551615", "5000"] {
        let header = format!("icy-metaint: {interval}");
        station(&origin, "/lie", "audio/mpeg", &[&header], sound.clone());
        let got = dump(&sandbox, &origin.url("/lie"), &["--length", "2"]).sha256();
        assert_eq!(got, want, "{interval}");
        origin.heal();
    }
}

#[test]
fn i3_a_station_that_closes_is_asked_again_and_nothing_is_kept() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    let frames = dump_whole(&sandbox, &sound);
    station(&origin, "/radio", "audio/mpeg", &["icy-name: x"], sound);
    let (heard, lines) = listen(&sandbox, &origin.url("/radio"), "7");
    assert_eq!(heard.frames(), 7 * 44_100);
    assert_eq!(origin.requests("/radio").len(), 3);
    let once = heard.slice(FRAME, frames - FRAME);
    let again = heard.slice(frames + FRAME, frames - FRAME);
    assert_eq!(once.sha256(), again.sha256(), "the same bytes sound the same");
    let states: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "state")
        .map(|line| line["state"].as_str().expect("a word").to_owned())
        .collect();
    assert_eq!(states.iter().filter(|state| *state == "reconnecting").count(), 2, "{states:?}");
    assert_eq!(sandbox.cache_bytes(), 0);
}

/// How many frames a station's `body` is.
fn dump_whole(sandbox: &Sandbox, body: &[u8]) -> usize {
    std::fs::write(sandbox.path("whole.mp3"), body).expect("the folder can be written");
    let sound = dump(sandbox, "whole.mp3", &[]);
    std::fs::remove_file(sandbox.path("whole.mp3")).expect("it is there");
    sound.frames()
}
