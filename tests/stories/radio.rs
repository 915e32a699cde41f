//! Stations over HTTP: sound without end, titles mixed into it, connections that
//! break off. HLS.md rows I1 and I3.

use rustix::process::Signal;
use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, dump, expected_of, stage};

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
    let words = [
        "dump",
        url,
        "-o",
        "radio.wav",
        "-f",
        "--json",
        "--length",
        seconds,
    ];
    let run = sandbox.kithara(words).prints().run();
    (Sound::open(&sandbox.path("radio.wav")), run.json_lines())
}

#[test]
fn i1_titles_are_taken_out_to_the_byte_whatever_the_interval() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    station(
        &origin,
        "/plain",
        "audio/mpeg",
        &["icy-name: Plain"],
        sound.clone(),
    );
    let want = dump(&sandbox, &origin.url("/plain"), &["--length", "2.5"]);
    assert_eq!(want.frames(), 110_250);
    for interval in [1, 16, 417, 1000, 8192, 16_000] {
        let path = format!("/{interval}");
        let body = mixed(
            &sound,
            interval,
            &[b"StreamTitle='One';", b"", b"StreamTitle='Two';"],
        );
        let header = format!("icy-metaint: {interval}");
        station(&origin, &path, "audio/mpeg", &[&header], body);
        let got = dump(&sandbox, &origin.url(&path), &["--length", "2.5"]);
        assert_eq!(
            got.sha256(),
            want.sha256(),
            "a block every {interval} bytes"
        );
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
    station(
        &origin,
        "/radio",
        "audio/mpeg",
        &["icy-metaint: 4000", "icy-br: 96"],
        body,
    );
    let (heard, lines) = listen(&sandbox, &origin.url("/radio"), "2.5");
    assert_eq!(heard.frames(), 110_250);
    // Where the frame begins that holds the byte behind the block.
    let place = |block: usize| {
        let frames = ends(&sound).partition_point(|end| *end <= block * 4000);
        (frames * FRAME * 1000 / 44_100) as i64
    };
    let want = [
        ("Björk - It's;' oh so “quiet”", place(1)),
        ("Motörhead", place(3)),
        ("\\u{1b}[2J\\u{7}", place(4)),
        ("", place(5)),
    ];
    let told = titles(&lines);
    let told: Vec<_> = told
        .iter()
        .map(|(title, at)| (title.as_str(), *at))
        .collect();
    assert_eq!(told, want);
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["kind"], "radio");
}

#[test]
fn i1_an_interval_that_is_a_lie_costs_nothing() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    station(
        &origin,
        "/plain",
        "audio/mpeg",
        &["icy-name: Plain"],
        sound.clone(),
    );
    let want = dump(&sandbox, &origin.url("/plain"), &["--length", "2"]).sha256();
    for interval in [
        "0",
        "-1",
        "x",
        "99999999999999999999",
        "18446744073709551615",
        "5000",
    ] {
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
    let frames = ends(&sound).len() * FRAME;
    origin.serve("/radio", "audio/mpeg", sound);
    let on = || origin.on("/radio").header("icy-name: x").no_length();
    on().times(1);
    origin.on("/radio").status(404).times(1);
    on().ignore_range();
    let url = origin.url("/radio");
    let words = ["dump", &url, "-o", "radio.wav", "--json", "--length", "7"];
    let run = sandbox.kithara(words).prints();
    let run = run.warns(&["/radio", "the server closed the stream", "trying again"]);
    let lines = run.run().json_lines();
    let heard = Sound::open(&sandbox.path("radio.wav"));
    assert_eq!(heard.frames(), 7 * 44_100);
    assert_eq!(origin.requests("/radio").len(), 4);
    // The first frames lean on those before them.
    let once = heard.slice(4 * FRAME, frames - 4 * FRAME);
    let again = heard.slice(frames + 4 * FRAME, frames - 4 * FRAME);
    assert_eq!(
        once.sha256(),
        again.sha256(),
        "the same bytes sound the same"
    );
    let states: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "state")
        .map(|line| line["state"].as_str().expect("a word").to_owned())
        .collect();
    let gaps = states.iter().filter(|state| *state == "reconnecting");
    assert_eq!(
        gaps.count(),
        3,
        "one for each request but the first: {states:?}"
    );
    assert_eq!(sandbox.kept_bytes(), 0, "after the run");
}

#[test]
fn i3_a_long_stream_keeps_a_window_on_the_disk_and_no_more() {
    let (origin, sandbox) = stage();
    let body = frames_of_mp3().repeat(300);
    origin.serve("/radio", "audio/mpeg", body);
    let verbs = origin.on("/radio").header("icy-name: x").no_length();
    let gate = verbs.stall_at(9 << 20);
    let url = origin.url("/radio");
    let run = sandbox
        .kithara([
            "dump",
            &url,
            "--raw",
            "-o",
            "/dev/null",
            "--cache-size",
            "2M",
        ])
        .any_end()
        .spawn();
    gate.wait_until_reached();
    let kept = sandbox.kept_bytes();
    assert!((1 << 20..=2 << 20).contains(&kept), "{kept} bytes of 9 MiB");
    run.signal(Signal::TERM);
    run.finish();
    assert_eq!(sandbox.kept_bytes(), 0, "after the run");
}

#[test]
fn i1_a_server_that_answers_icy_instead_of_http_is_heard() {
    let (origin, sandbox) = stage();
    let sound = frames_of_mp3();
    origin.serve("/plain", "audio/mpeg", sound.clone());
    origin.on("/plain").header("icy-name: x").no_length();
    let want = dump(&sandbox, &origin.url("/plain"), &["--length", "2"]);
    let body = mixed(&sound, 8192, &[b"StreamTitle='Old';"]);
    origin.serve("/old", "audio/mpeg", body);
    origin.on("/old").header("icy-metaint:8192").icy();
    let (heard, lines) = listen(&sandbox, &origin.url("/old"), "2");
    assert_eq!(heard.sha256(), want.sha256());
    assert_eq!(titles(&lines)[0].0, "Old");
    let asked = origin.requests("/old");
    assert_eq!(asked.len(), 2, "by the library, then by hand");
    assert_eq!(asked[1].header("icy-metadata"), Some("1"));
    assert_eq!(asked[1].header("user-agent"), asked[0].header("user-agent"));
}

#[test]
fn links_of_an_ogg_stream_are_one_sound_and_tell_their_titles() {
    let (origin, sandbox) = stage();
    let frames = expected_of("files/vorbis.ogg").frames;
    let links = [
        ogg(1, &["ARTIST=Somebody", "TITLE=One"]),
        ogg(2, &["title=Two"]),
        ogg(3, &[]),
    ];
    origin.serve("/ogg", "application/ogg", links.concat());
    origin.on("/ogg").header("icy-name: x").no_length();
    let (heard, lines) = listen(&sandbox, &origin.url("/ogg"), "7");
    // The first block of a link only warms its decoder up: it is not heard.
    let lost = 7 * 44_100 - heard.frames();
    assert!(lost <= 2 * 1_024, "{lost} at two links");
    let told = titles(&lines);
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Somebody - One", "Two"]);
    let place = (frames * 1000 / 44_100) as i64;
    assert!((told[1].1 - place).abs() < 50, "{told:?}");
}

/// The Vorbis fixture with another serial number and other comments.
fn ogg(serial: u32, comments: &[&str]) -> Vec<u8> {
    let (file, mut at, mut pages) = (bytes("files/vorbis.ogg"), 0, Vec::new());
    while at < file.len() {
        let begin = at + 27 + usize::from(file[at + 26]);
        let length: usize = file[at + 27..begin]
            .iter()
            .map(|&part| usize::from(part))
            .sum();
        let mut head = file[at..begin].to_vec();
        let mut body = file[begin..begin + length].to_vec();
        head[14..18].copy_from_slice(&serial.to_le_bytes());
        if body.starts_with(b"\x03vorbis") {
            let packet = comment_packet(comments);
            body.splice(..usize::from(head[27]), packet.iter().copied());
            head[27] = u8::try_from(packet.len()).expect("a short packet");
        }
        head[22..26].fill(0);
        let sum = [head.clone(), body.clone()]
            .concat()
            .iter()
            .fold(0, sum_of_ogg);
        head[22..26].copy_from_slice(&sum.to_le_bytes());
        pages.extend([head, body].concat());
        at = begin + length;
    }
    pages
}

fn comment_packet(comments: &[&str]) -> Vec<u8> {
    let number = |count: usize| u32::try_from(count).expect("few").to_le_bytes();
    let mut packet = b"\x03vorbis".to_vec();
    packet.extend(number(0));
    packet.extend(number(comments.len()));
    for comment in comments {
        packet.extend(number(comment.len()));
        packet.extend(comment.as_bytes());
    }
    packet.push(1);
    packet
}

/// CRC-32 of Ogg, not reflected (RFC 3533 section 6).
fn sum_of_ogg(sum: u32, byte: &u8) -> u32 {
    (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| match sum >> 31 {
        0 => sum << 1,
        _ => sum << 1 ^ 0x04C1_1DB7,
    })
}

/// Where the MPEG frames of `sound` end.
fn ends(sound: &[u8]) -> Vec<usize> {
    const RATES: [usize; 15] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    let (mut at, mut ends) = (0, Vec::new());
    while sound[at..].len() >= 4 {
        let padding = usize::from(sound[at + 2] >> 1 & 1);
        at += 144_000 * RATES[usize::from(sound[at + 2] >> 4)] / 44_100 + padding;
        ends.push(at);
    }
    ends
}
