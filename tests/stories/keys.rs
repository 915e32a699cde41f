//! Keys while playing, pressed in a real terminal.

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::sandbox::{Sandbox, json_lines};
use crate::terminal::Terminal;
use crate::{bytes, stage};

const LIST: &str = "application/vnd.apple.mpegurl";
const ROUNDS: usize = 40; // of three seconds

/// The two AAC variants, long enough to do something meanwhile.
fn long_stage() -> (Origin, Sandbox) {
    let (origin, sandbox) = stage();
    for name in ["aac64", "aac128"] {
        let text = String::from_utf8(bytes(&format!("hls/{name}.m3u8"))).expect("UTF-8");
        let (head, segments) = text.split_at(text.find("#EXTINF").expect("a segment"));
        let segments = segments.replace("#EXT-X-ENDLIST\n", "");
        let rounds = vec![segments; ROUNDS].join("#EXT-X-DISCONTINUITY\n");
        let long = format!("{head}{rounds}#EXT-X-ENDLIST\n");
        origin.serve(&format!("/hls/{name}.m3u8"), LIST, long.into());
    }
    (origin, sandbox)
}

#[test]
fn v_goes_through_the_variants_and_back_to_auto() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac.m3u8");
    let arguments = ["play", "--ao", "null", "--trace-out", "trace", &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["AAC", "(2/2)"]);
    terminal.press(&["v"]);
    terminal.shows(&["AAC 66k", "(1/2 fixed)"]);
    terminal.press(&["v"]);
    terminal.shows(&["AAC 130k", "(2/2 fixed)"]);
    terminal.press(&["v"]);
    terminal.shows(&["(2/2 auto)"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.code(), 0);
    let trace = std::fs::read_to_string(sandbox.path("trace")).expect("the trace");
    let lines = json_lines(&trace);
    let pins = lines.iter().filter(|line| line["say"] == "pin");
    let pins: Vec<_> = pins.map(|line| line["rung"].clone()).collect();
    assert_eq!(pins, [json!(0), json!(1), json!(null)]);
    let replay = ["stats", "--replay", "trace", "--json"];
    let replay = sandbox.kithara(replay).prints().run().json();
    assert_eq!(replay["differences"], json!([]));
}

#[test]
fn v_leaves_a_variant_that_was_named() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac.m3u8");
    let arguments = ["play", "--ao", "null", "-Q", "0", &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["AAC 66k", "(1/2)"]);
    terminal.press(&["v"]);
    terminal.shows(&["AAC 130k", "(2/2 fixed)"]);
    // An arrow is no letter; the interrupt is that of the terminal.
    terminal.press(&["Left", "C-c"]);
    assert_eq!(terminal.code(), 130);
}

/// The events of a run in a terminal, and its report.
fn told(sandbox: &Sandbox) -> (Vec<Value>, Value) {
    let text = std::fs::read_to_string(sandbox.path("out")).expect("standard output");
    let mut lines = json_lines(&text);
    let summary = lines.pop().expect("a summary");
    assert_eq!(summary["type"], "summary");
    (lines, summary)
}

#[test]
fn the_arrows_lead_on_and_back_and_the_report_tells_of_it() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac64.m3u8");
    let arguments = ["play", "--ao", "null", "--json", &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["▶ 00:01 / 02:01"]);
    terminal.press(&["Up"]);
    terminal.shows(&["▶ 01:02 / 02:01"]);
    terminal.press(&["Left"]);
    terminal.shows(&["▶ 00:58 / 02:01"]);
    terminal.press(&["Down", "Right"]);
    terminal.shows(&["▶ 00:06 / 02:01"]);
    terminal.press(&["Up", "Up"]);
    terminal.shows(&["cannot go to 2:", "the stream ends at 2:01"]);
    assert_eq!(terminal.code(), 0, "the last second was heard");
    let (events, summary) = told(&sandbox);
    let seeks: Vec<_> = events.iter().filter(|one| one["event"] == "seek").collect();
    assert!(seeks.len() >= 4, "{seeks:?}");
    let last = summary["playback"]["seeks"]
        .as_array()
        .expect("a list")
        .last();
    let last = last.expect("a seek");
    assert!(last["latency_ms"].as_f64() > Some(0.0), "{last}");
    let end = summary["playback"]["played_ms"].as_i64().expect("a time");
    assert!(end < 20_000, "most was left out: {end}");
}

#[test]
fn fifty_seeks_in_a_row_are_one() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac64.m3u8");
    let arguments = ["play", "--ao", "null", "--json", &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["▶ 00:01 / 02:01"]);
    terminal.press(&["Space"]);
    terminal.shows(&["‖ 00:0"]);
    let keys: Vec<&str> = ["Right"; 20].into_iter().chain(["Left"; 10]).collect();
    terminal.press(&keys);
    terminal.shows(&["‖ 00:5"]);
    terminal.press(&["Space"]);
    terminal.shows(&["▶ 00:5"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.code(), 0);
    let (events, summary) = told(&sandbox);
    let heard = summary["playback"]["seeks"].as_array().expect("a list");
    assert_eq!(heard.len(), 1, "{heard:?}");
    let states = events.iter().filter(|one| one["event"] == "state");
    let states: Vec<_> = states.map(|one| one["state"].clone()).collect();
    let ends = ["playing", "paused", "playing"].map(Value::from);
    assert_eq!(states[states.len() - 3..], ends);
}

#[test]
fn loudness_and_silence_are_shown_and_kept() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac64.m3u8");
    let arguments = ["play", "--ao", "null", "--volume", "96", &url, &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["vol 96"]);
    terminal.press(&["0", "0", "0", "0"]);
    terminal.shows(&["vol 100"]);
    terminal.press(&["9", "m"]);
    terminal.shows(&["▶", "mute"]);
    terminal.press(&["m"]);
    terminal.shows(&["vol 98"]);
    terminal.press(&["i"]);
    terminal.shows(&["decode", "null, 44100 Hz"]);
    terminal.press(&["n"]);
    terminal.shows(&["▶ 00:00", "vol 98"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.code(), 0);
}

#[test]
fn a_file_is_sought_in_too() {
    let (origin, sandbox) = stage();
    let names = ["s16.flac", "lame.mp3", "vorbis.ogg", "moov-last.m4a"];
    for name in names.map(|name| format!("files/{name}")) {
        let url = origin.url(&format!("/{name}"));
        let arguments = ["play", "--ao", "null", "--json", &url];
        let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
            return;
        };
        terminal.shows(&["▶ 00:0"]);
        terminal.press(&["Space", "Left", "Space"]);
        assert_eq!(terminal.code(), 0, "{name}");
        let (events, _) = told(&sandbox);
        let sought = events.iter().find(|one| one["event"] == "seek");
        assert_eq!(sought.expect("one")["pos_ms"], 0, "{name}");
    }
}

#[test]
fn the_pace_is_changed_by_key_and_by_flag() {
    let (origin, sandbox) = long_stage();
    let url = origin.url("/hls/aac64.m3u8");
    let arguments = ["play", "--ao", "null", "--json", "--speed", "1.9", &url];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &arguments) else {
        return;
    };
    terminal.shows(&["▶ 00:", "| 1.9x |"]);
    terminal.press(&["]", "]"]);
    terminal.shows(&["▶ 00:", "| 2x |"]);
    terminal.press(&["[", "Up"]);
    terminal.shows(&["▶ 01:", "| 1.9x |"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.code(), 0);
}

#[test]
fn twice_the_pace_is_half_of_the_frames() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/s16.flac");
    let frames = |speed: &str| {
        let arguments = ["play", "--ao", "null", "--json", "--speed", speed, &url];
        let summary = sandbox.kithara(arguments).prints().run().summary();
        summary["playback"]["played_ms"].as_u64().expect("a time")
    };
    assert_eq!(frames("1"), 2_000);
    assert_eq!(frames("2"), 1_000);
    assert_eq!(frames("0.8"), 2_500);
    let wrong = ["play", "--speed", "3", &url];
    sandbox.kithara(wrong).fails(2, &["0.5 to 2"]).run();
}
