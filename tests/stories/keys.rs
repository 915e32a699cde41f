//! Keys while playing, pressed in a real terminal.

use serde_json::json;

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
