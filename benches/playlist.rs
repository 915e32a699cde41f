//! `make bench`: what the way through the sanitiser costs beside `hls_m3u8`
//! alone, on playlists that the crate takes as they are. Prints medians and
//! ratios, asserts nothing.

mod timing;

use std::fmt::Write as _;

use hls_m3u8::MediaPlaylist;
use kithara::hls::playlist;
use kithara::location::Location;
use timing::{median, time};

const ROUNDS: usize = 51;
const SEGMENTS: usize = 10_000;

fn main() {
    println!("{SEGMENTS} segments from text to values, medians of {ROUNDS} interleaved runs");
    println!(
        "{:<10} {:>10} {:>12} {:>12} {:>7}",
        "playlist", "bytes", "kithara", "hls_m3u8", "ratio"
    );
    for (name, text) in [("plain", plain()), ("ranges", ranges()), ("rich", rich())] {
        compare(name, &text);
    }
}

/// A line of length, a line of address.
fn plain() -> String {
    let segment =
        |out: &mut String, number| writeln!(out, "#EXTINF:5.990748,\nsegment-{number:05}.m4s");
    list(segment)
}

/// One file in ranges.
fn ranges() -> String {
    let segment = |out: &mut String, number: usize| {
        let start = number * 97_048;
        writeln!(
            out,
            "#EXTINF:5.990748,\n#EXT-X-BYTERANGE:97048@{start}\naudio.m4s"
        )
    };
    list(segment)
}

/// Long addresses, a title and a date for each segment, now and then a key,
/// an initialisation section and a discontinuity.
fn rich() -> String {
    let segment = |out: &mut String, number: usize| {
        if number.is_multiple_of(100) {
            write!(
                out,
                "#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=AES-128,URI=\"https://example.com/keys/{number}\"\n\
                 #EXT-X-MAP:URI=\"init-{number}.mp4\"\n"
            )?;
        }
        let (minute, second) = (number / 60 % 60, number % 60);
        writeln!(
            out,
            "#EXT-X-PROGRAM-DATE-TIME:2026-02-19T14:{minute:02}:{second:02}.031Z\n#EXTINF:5.990748,A title of some length\n\
             https://cdn.example.com/stream/1234/audio/segment-{number:05}.m4s?token=0123456789abcdef"
        )
    };
    list(segment)
}

fn list(segment: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut out =
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n".to_owned();
    for number in 0..SEGMENTS {
        segment(&mut out, number).expect("a string grows");
    }
    out + "#EXT-X-ENDLIST\n"
}

fn compare(name: &str, text: &str) {
    let base = Location::parse("https://example.com/a/list.m3u8").expect("a URL");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(time(|| {
            MediaPlaylist::try_from(text).expect("a strict playlist")
        }));
        ours.push(time(|| {
            playlist::parse(text.as_bytes(), &base).expect("a playlist")
        }));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64().max(1e-9);
    println!(
        "{name:<10} {:>10} {ours:>12.2?} {theirs:>12.2?} {ratio:>7.2}",
        text.len()
    );
}
