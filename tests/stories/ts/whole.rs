//! Transport streams that are whole files, from a server or from disk: the same
//! sound as of their pieces in a playlist.

use serde_json::Value;

use crate::wav::first_difference;
use crate::{bytes, dump, stage};

const RATE: usize = 44_100;

/// The segments of a playlist one behind the other.
fn glued(name: &str, segments: usize) -> Vec<u8> {
    let segments = 0..segments;
    segments
        .flat_map(|index| bytes(&format!("ts/{name}-{index}.ts")))
        .collect()
}

#[test]
fn s1_a_whole_file_sounds_like_its_segments() {
    let (origin, sandbox) = stage();
    let cases = [
        ("aac", glued("aac", 7)),
        ("muxed", glued("muxed", 6)),
        ("mp3", glued("mp3", 7)),
        ("wrap", glued("wrap", 7)),
        ("he-v1", glued("he-v1", 7)),
        ("latm", bytes("ts/latm.ts")),
    ];
    for (name, file) in cases {
        let want = dump(&sandbox, &origin.url(&format!("/ts/{name}.m3u8")), &[]);
        let path = sandbox.path(&format!("{name}.ts"));
        std::fs::write(&path, &file).expect("room");
        let local = dump(&sandbox, path.to_str().expect("a plain path"), &[]);
        assert_eq!(first_difference(&want, &local), None, "{name} from disk");
        assert_eq!(want.frames(), local.frames(), "{name} from disk");
        // Neither the name nor the type says what it is.
        let address = format!("/whole/{name}.bin");
        origin.serve(&address, "application/octet-stream", file);
        let remote = dump(&sandbox, &origin.url(&address), &[]);
        assert_eq!(first_difference(&want, &remote), None, "{name} by HTTP");
        assert_eq!(want.frames(), remote.frames(), "{name} by HTTP");
    }
}

#[test]
fn s1_a_whole_file_begins_where_it_is_told_to() {
    let (origin, sandbox) = stage();
    origin.serve("/whole.ts", "video/mp2t", glued("mp3", 7));
    let url = origin.url("/whole.ts");
    let whole = dump(&sandbox, &url, &[]);
    for (start, first) in [("0.5", RATE / 2), ("2.25", RATE * 9 / 4)] {
        let part = dump(&sandbox, &url, &["--start", start, "--length", "0.5"]);
        assert_eq!(part.frames(), RATE / 2, "{start}");
        let want = whole.slice(first, RATE / 2);
        assert_eq!(first_difference(&want, &part), None, "{start}");
    }
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "--start", "-1"]);
    run.fails(2, &["the stream does not say how long it is"])
        .run();
}

#[test]
fn s1_a_whole_file_is_described_and_played() {
    let (origin, sandbox) = stage();
    origin.serve("/whole.ts", "video/mp2t", glued("muxed", 6));
    let url = origin.url("/whole.ts");
    let info = sandbox.kithara(["info", &url, "--json"]);
    let info = info.prints().run().json();
    assert_eq!(info["kind"], "file", "{info}");
    assert_eq!(info["duration_ms"], Value::Null, "{info}");
    assert!(info.to_string().contains("\"aac\""), "{info}");
    let played = ["play", &url, "--ao", "null", "--length", "0.2", "--json"];
    let lines = sandbox.kithara(played).prints().run().json_lines();
    let ended = lines.iter().find(|line| line["event"] == "end");
    assert_eq!(ended.expect("an end")["pos_ms"], 200);
}

#[test]
fn s2_a_whole_file_without_playable_sound_is_refused_by_name() {
    let (origin, sandbox) = stage();
    let cases = [
        ("video", "there is no sound in it, only MPEG-2 pictures"),
        ("ac3", "its sound is AC-3, which has no decoder here"),
    ];
    for (name, why) in cases {
        let url = origin.url(&format!("/ts/{name}-0.ts"));
        let run = sandbox.kithara(["dump", &url, "-o", "x.wav"]);
        run.fails(5, &["cannot play", why]).run();
        assert!(!sandbox.path("x.wav").exists(), "{name}");
    }
}
