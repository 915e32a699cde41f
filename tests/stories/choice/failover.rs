//! Playlists that cannot be had, and what plays instead (HLS.md M8, K9).

use super::{AAC, dump, is_sound_of, list, playlists, serve, variant};
use crate::origin::Origin;
use crate::sandbox::{Outcome, Sandbox};
use crate::{bytes, stage};

/// Two copies of the same stream, and one of less quality.
fn copies() -> String {
    variant(&format!("BANDWIDTH=142000,{AAC}"), "main.m3u8")
        + &variant(&format!("BANDWIDTH=72000,{AAC}"), "../hls/aac64.m3u8")
        + &variant(&format!("BANDWIDTH=142000,{AAC}"), "../hls/aac128.m3u8")
}

/// A dump that has to say something on its way.
fn dump_with_warning(sandbox: &Sandbox, url: &str, arguments: &[&str], words: &[&str]) -> Outcome {
    let fixed = ["dump", url, "-o", "x.wav", "-f", "--no-cache"];
    let run = sandbox.kithara(fixed.iter().chain(arguments));
    run.warns(words).run()
}

#[test]
fn m8_a_playlist_that_is_refused_is_had_from_its_copy_with_one_warning() {
    for status in [403, 404, 410] {
        let (origin, sandbox, url) = list(&copies());
        origin.on("/list/main.m3u8").status(status);
        for quality in ["best", "1"] {
            let words = ["main.m3u8", &status.to_string()];
            let run = dump_with_warning(&sandbox, &url, &["-Q", quality], &words);
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
            is_sound_of(&sandbox, "hls/aac128.m3u8");
            assert_eq!(playlists(&origin), ["/list/main.m3u8", "/hls/aac128.m3u8"]);
        }
    }
}

#[test]
fn m8_a_host_that_does_not_answer_is_replaced_by_its_copy() {
    let dead = stage().0;
    let address = dead.url("/main.m3u8");
    dead.shut_down();
    let (_origin, sandbox, url) = list(&copies().replace("main.m3u8", &address));
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "--retry", "0"]);
    run.warns(&["main.m3u8", "refused"]).run();
    is_sound_of(&sandbox, "hls/aac128.m3u8");
}

#[test]
fn m8_without_a_copy_another_quality_plays_unless_one_was_asked_for() {
    let (origin, sandbox, url) = list(&copies());
    origin.on("/list/main.m3u8").status(404);
    origin.on("/hls/aac128.m3u8").status(410);
    let run = dump_with_warning(&sandbox, &url, &["-Q", "best"], &["aac128.m3u8", "410"]);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "one line each: {lines:?}");
    assert!(
        lines[1].contains("main.m3u8") && lines[1].contains("404"),
        "{lines:?}"
    );
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    let tried = ["/list/main.m3u8", "/hls/aac128.m3u8", "/hls/aac64.m3u8"];
    assert_eq!(playlists(&origin), tried);
    let run = sandbox.kithara(["dump", &url, "-o", "y.wav", "-Q", "1", "--no-cache"]);
    let run = run.code(4).chatty().run();
    assert!(
        run.stderr
            .lines()
            .last()
            .is_some_and(|line| line.contains("404")),
        "{}",
        run.stderr
    );
    assert_eq!(playlists(&origin), tried[..2]);
}

#[test]
fn m8_when_nothing_can_be_had_the_first_failure_is_the_exit_code() {
    let (origin, sandbox, url) = list(&copies());
    origin.on("/list/main.m3u8").html();
    origin.on("/hls/aac128.m3u8").status(410);
    origin.on("/hls/aac64.m3u8").status(404);
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav", "-Q", "best"]);
    let run = run.code(5).chatty().run();
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "each is said once: {lines:?}");
    assert!(lines[2].to_lowercase().contains("html"), "{lines:?}");
}

#[test]
fn m8_a_copy_plays_offline_when_it_is_the_one_that_is_stored() {
    let (origin, sandbox, url) = list(&copies());
    origin.on("/list/main.m3u8").status(404);
    let run = sandbox.kithara(["cache", &url, "-Q", "best"]);
    run.warns(&["main.m3u8"]).run();
    origin.shut_down();
    for quality in ["auto", "best"] {
        let run = sandbox.kithara([
            "dump",
            &url,
            "-o",
            "x.wav",
            "-f",
            "--offline",
            "-Q",
            quality,
        ]);
        run.chatty().run();
        is_sound_of(&sandbox, "hls/aac128.m3u8");
    }
}

/// A playlist whose segments only DRM opens.
const DRM: &str = "METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"";

fn serve_drm(origin: &Origin, path: &str) {
    let text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:{DRM}\n#EXTINF:1,\ns.m4s\n#EXT-X-ENDLIST\n"
    );
    origin.serve(path, "application/vnd.apple.mpegurl", text.into_bytes());
}

/// Two qualities.
fn two() -> String {
    variant(&format!("BANDWIDTH=72000,{AAC}"), "lo.m3u8")
        + &variant(&format!("BANDWIDTH=142000,{AAC}"), "hi.m3u8")
}

#[test]
fn k9_drm_that_a_session_key_announces_is_refused_after_one_media_playlist() {
    let tags = format!("#EXT-X-SESSION-KEY:{DRM}\n") + &two();
    let (origin, sandbox, url) = list(&tags);
    serve_drm(&origin, "/list/lo.m3u8");
    serve_drm(&origin, "/list/hi.m3u8");
    sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .fails(5, &["SAMPLE-AES"])
        .run();
    assert_eq!(origin.log().len(), 2, "{:?}", origin.log());
    // Announced, but the sound is clear: it plays.
    serve(&origin, &tags.replace("hi.m3u8", "../hls/flac.m3u8"));
    dump(&sandbox, &url, &[]);
    is_sound_of(&sandbox, "hls/flac.m3u8");
}

#[test]
fn k9_drm_that_nothing_announces_is_refused_in_one_line_unless_one_quality_is_clear() {
    let (origin, sandbox, url) = list(&two());
    serve_drm(&origin, "/list/lo.m3u8");
    serve_drm(&origin, "/list/hi.m3u8");
    sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .fails(5, &["SAMPLE-AES"])
        .run();
    assert!(
        !origin
            .log()
            .iter()
            .any(|request| request.path.ends_with(".m4s"))
    );
    serve(&origin, &two().replace("lo.m3u8", "../hls/aac64.m3u8"));
    dump_with_warning(&sandbox, &url, &["-Q", "best"], &["SAMPLE-AES"]);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
}

#[test]
fn m8_a_segment_that_is_refused_is_had_from_the_copy_of_its_variant() {
    let broken = String::from_utf8(bytes("hls/aac128.m3u8")).expect("text");
    let broken = broken
        .replace("aac128-", "../hls/aac128-")
        .replace("/aac128-2.m4s", "/gone-2.m4s");
    for quality in ["best", "1"] {
        let (origin, sandbox, url) = list(&copies());
        let kind = "application/vnd.apple.mpegurl";
        origin.serve("/list/main.m3u8", kind, broken.clone().into_bytes());
        dump_with_warning(&sandbox, &url, &["-Q", quality], &["gone-2.m4s", "404"]);
        is_sound_of(&sandbox, "hls/aac128.m3u8");
        assert_eq!(origin.requests("/hls/gone-2.m4s").len(), 1, "{quality}");
        assert_eq!(origin.requests("/hls/aac128-2.m4s").len(), 1, "{quality}");
        let tried = ["/list/main.m3u8", "/hls/aac128.m3u8"];
        assert_eq!(playlists(&origin), tried, "{quality}");
    }
}
