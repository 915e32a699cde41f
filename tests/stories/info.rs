//! `info` and the commands about the program itself.

use crate::{bytes, stage};

#[test]
fn info_lists_the_variants_and_fetches_no_media() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8?token=hush");
    let text = sandbox.kithara(["info", &url]).prints().run().text();
    for word in ["mp4a.40.2", "fLaC", "alac", "72", "142"] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    assert!(!text.contains("hush"), "{text}");
    assert!(
        origin
            .log()
            .iter()
            .all(|request| request.path.ends_with(".m3u8")),
        "{:?}",
        origin.log()
    );
}

#[test]
fn info_as_json_says_what_would_be_chosen() {
    let (origin, sandbox) = stage();
    let info = sandbox
        .kithara(["info", &origin.url("/hls/master.m3u8"), "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(
        (&info["schema"], &info["type"], &info["kind"]),
        (&1.into(), &"info".into(), &"hls-vod".into())
    );
    assert_eq!(
        (&info["encryption"], &info["live"]),
        (&"none".into(), &serde_json::Value::Null)
    );
    let variants = info["variants"].as_array().expect("a list");
    let bandwidths: Vec<_> = variants
        .iter()
        .filter_map(|variant| variant["bandwidth"].as_u64())
        .collect();
    assert_eq!(bandwidths, [72_000, 142_000, 400_000, 420_000]);
    assert!(
        variants.iter().all(|variant| variant["decodable"] == true),
        "{variants:?}"
    );
    assert!(
        info["chosen"]["id"].as_u64().is_some_and(|id| id < 4),
        "{info}"
    );
    assert!(
        info["chosen"]["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty()),
        "{info}"
    );
    let duration = info["duration_ms"].as_u64().expect("a VOD has a length");
    assert!((2_950..=3_100).contains(&duration), "{duration}");
}

#[test]
fn a_choice_on_the_command_line_is_the_choice_that_is_shown() {
    let (origin, sandbox) = stage();
    for (quality, id) in [("0", 0), ("best", 3), ("worst", 0), ("<=150k", 1), ("2", 2)] {
        let url = origin.url("/hls/master.m3u8");
        let info = sandbox
            .kithara(["info", &url, "-Q", quality, "--json"])
            .prints()
            .run()
            .json();
        assert_eq!(info["chosen"]["id"], id, "-Q {quality}");
    }
}

#[test]
fn a_stream_that_cannot_be_played_is_still_described() {
    let (origin, sandbox) = stage();
    let info = sandbox
        .kithara(["info", &origin.url("/hostile/ac3.m3u8"), "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(info["variants"][0]["decodable"], false, "{info}");
    assert!(info.to_string().contains("ac-3"), "{info}");
}

#[test]
fn a_media_playlist_and_a_file_are_told_apart() {
    let (origin, sandbox) = stage();
    for (path, kind) in [
        ("/hls/flac.m3u8", "hls-vod"),
        ("/files/s16.flac", "file"),
        ("/files/moov-last.m4a", "file"),
    ] {
        let info = sandbox
            .kithara(["info", &origin.url(path), "--json"])
            .prints()
            .run()
            .json();
        assert_eq!(info["kind"], kind, "{path}");
    }
}

#[test]
fn info_of_a_file_reads_its_head_only() {
    let (origin, sandbox) = stage();
    let body = bytes("files/s16.flac").repeat(40);
    let total = body.len() as u64;
    origin.serve("/long.flac", "audio/flac", body);
    let gate = origin.on("/long.flac").stall_at(100_000);
    sandbox
        .kithara(["info", &origin.url("/long.flac")])
        .prints()
        .run();
    assert!(
        origin.log().iter().map(|request| request.sent).sum::<u64>() <= 200_000,
        "of {total} bytes: {:?}",
        origin.log()
    );
    gate.open();
}

#[test]
fn devices_are_listed_even_when_there_are_none() {
    let (_, sandbox) = stage();
    let list = sandbox.kithara(["devices", "--json"]).prints().run().json();
    assert!(list.is_object(), "{list}");
}

#[test]
fn completions_man_help_and_version_are_printed() {
    let (_, sandbox) = stage();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox
            .kithara(["completions", shell])
            .prints()
            .run()
            .text();
        assert!(
            script.contains("kithara") && script.contains("dump"),
            "{shell}: {script}"
        );
    }
    let page = sandbox.kithara(["man"]).prints().run().text();
    assert!(page.contains(".TH") && page.contains("kithara"), "{page}");
    let version = sandbox.kithara(["--version"]).prints().run().text();
    assert_eq!(
        version.trim_end(),
        format!("kithara {}", env!("CARGO_PKG_VERSION"))
    );
    let short = sandbox.kithara(["-h"]).prints().run().text();
    let long = sandbox.kithara(["--help"]).prints().run().text();
    for command in [
        "play",
        "cache",
        "dump",
        "stats",
        "info",
        "devices",
        "completions",
        "man",
    ] {
        assert!(
            short.contains(command) && long.contains(command),
            "{command}"
        );
        let help = sandbox.kithara([command, "--help"]).prints().run().text();
        assert!(help.contains("kithara"), "{command}: {help}");
    }
    assert_ne!(short, long, "short and long help differ");
}
