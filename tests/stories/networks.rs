//! What a network carried is remembered: the next session on it begins better.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::origin::Origin;
use crate::sandbox::{Run, Sandbox};
use crate::{bytes, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\nlow.m3u8\n\
    #EXT-X-STREAM-INF:BANDWIDTH=256000,CODECS=\"mp4a.40.2\"\nhigh.m3u8\n";
/// Seconds of the sound that segments repeat.
const REPEATED: usize = 3;

/// Two variants in segments of 21 s, each of more than half of what a session
/// must bring to be remembered.
fn theatre() -> (Origin, Sandbox) {
    let (origin, sandbox) = stage();
    let segment = bytes("files/adts.aac").repeat(7);
    origin.serve("/m.m3u8", KIND, MASTER.into());
    for variant in ["low", "high"] {
        let mut list = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:21\n");
        for number in 0..4 {
            list += &format!("#EXTINF:{},\n{variant}-{number}.aac\n", 7 * REPEATED);
            origin.serve(
                &format!("/{variant}-{number}.aac"),
                "audio/aac",
                segment.clone(),
            );
        }
        list += "#EXT-X-ENDLIST\n";
        origin.serve(&format!("/{variant}.m3u8"), KIND, list.into());
    }
    (origin, sandbox)
}

/// A session with a cache of this name and further arguments.
fn session(origin: &Origin, sandbox: &Sandbox, cache: &str, more: &[&str]) -> Run {
    origin.clear_log();
    let url = origin.url("/m.m3u8");
    let fixed = ["stats", &url, "--length", "1", "--cache-dir", cache];
    let run = sandbox.kithara(fixed.iter().chain(more));
    run.env("XDG_STATE_HOME", sandbox.path("state")).prints()
}

fn first_segment(origin: &Origin) -> String {
    let log = origin.log();
    let first = log.iter().find(|request| request.path.ends_with(".aac"));
    first.expect("a segment was asked for").path.clone()
}

fn memory(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("state").join("kithara/networks")
}

#[test]
fn the_second_session_on_a_network_begins_better() {
    let (origin, sandbox) = theatre();
    session(&origin, &sandbox, "one", &[]).run();
    assert_eq!(first_segment(&origin), "/low-0.aac");
    session(&origin, &sandbox, "two", &[]).run();
    assert_eq!(first_segment(&origin), "/high-0.aac");
    let mode = |path: &Path| {
        let data = std::fs::metadata(path).expect("it is there");
        data.permissions().mode() & 0o777
    };
    assert_eq!(mode(&memory(&sandbox)), 0o600);
    assert_eq!(mode(memory(&sandbox).parent().expect("a folder")), 0o700);
    let text = std::fs::read_to_string(memory(&sandbox)).expect("a text");
    let lines: Vec<_> = text.lines().map(|line| line.split(' ').count()).collect();
    assert_eq!(lines, [3, 3], "a salt, a name and two rates: {text}");
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[test]
fn what_was_garbled_is_forgotten_and_replaced() {
    let (origin, sandbox) = theatre();
    std::fs::create_dir_all(memory(&sandbox).parent().expect("a folder")).expect("made");
    std::fs::write(memory(&sandbox), "garbled").expect("written");
    session(&origin, &sandbox, "one", &[]).run();
    assert_eq!(first_segment(&origin), "/low-0.aac");
    session(&origin, &sandbox, "two", &[]).run();
    assert_eq!(first_segment(&origin), "/high-0.aac");
}

#[test]
fn who_leaves_no_trace_or_names_the_variant_is_not_remembered() {
    let cases: [&[&str]; 3] = [&["--no-cache"], &["-Q", "0"], &["-Q", "best"]];
    for more in cases {
        let (origin, sandbox) = theatre();
        session(&origin, &sandbox, "one", more)
            .any_end()
            .chatty()
            .run();
        assert!(!sandbox.path("state").exists(), "{more:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_silently_no_memory() {
    let (origin, sandbox) = theatre();
    std::fs::write(sandbox.path("state"), "in the way").expect("written");
    for cache in ["one", "two"] {
        session(&origin, &sandbox, cache, &[]).run();
        assert_eq!(first_segment(&origin), "/low-0.aac", "{cache}");
    }
}
