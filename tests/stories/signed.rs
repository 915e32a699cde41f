//! Addresses that hold for a while only: streams outlast them (HLS.md,
//! complaint 10). A token is a folder here, so that old and new are told apart.

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, expected_of, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const END: &str = "#EXT-X-ENDLIST\n";
const SECONDS: [&str; 6] = [
    "0.522449", "0.522449", "0.522449", "0.522449", "0.417959", "0.492245",
];

/// Segments `range` of hls/flac.m3u8 in the folder of `token`.
fn list(token: &str, range: std::ops::Range<usize>, end: &str) -> Vec<u8> {
    let first = range.start;
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"/hls/flac-init.mp4\"\n"
    );
    for index in range {
        let seconds = SECONDS[index];
        text += &format!("#EXTINF:{seconds},\n/{token}/flac-{index}.m4s?token={token}\n");
    }
    (text + end).into_bytes()
}

/// The segments under `token`, those of `refused` answered with `status`.
fn serve(origin: &Origin, token: &str, refused: std::ops::Range<usize>, status: u16) {
    for index in 0..6 {
        let path = format!("/{token}/flac-{index}.m4s");
        let body = bytes(&format!("hls/flac-{index}.m4s"));
        origin.serve(&path, "audio/mp4", body);
        if refused.contains(&index) {
            origin.on(&path).status(status);
        }
    }
}

/// A stage with the segments under "old", those of `refused` answered with
/// `status`, and all of them under "new".
fn expired(refused: std::ops::Range<usize>, status: u16) -> (Origin, Sandbox) {
    let (origin, sandbox) = stage();
    serve(&origin, "old", refused, status);
    serve(&origin, "new", 0..0, status);
    (origin, sandbox)
}

fn main_list(media: &str) -> Vec<u8> {
    format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"fLaC\"\n{media}\n").into_bytes()
}

fn count(origin: &Origin, path: &str) -> usize {
    origin.requests(path).len()
}

/// How often each segment was asked for under `token`.
fn asked(origin: &Origin, token: &str) -> Vec<usize> {
    let path = |index| format!("/{token}/flac-{index}.m4s");
    (0..6).map(|index| count(origin, &path(index))).collect()
}

fn is_whole(sandbox: &Sandbox) {
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("a.wav")));
}

#[test]
fn segments_whose_addresses_expire_are_had_where_the_list_says_they_are_now() {
    for status in [401, 403, 410] {
        let (origin, sandbox) = expired(3..6, status);
        let lists = vec![list("old", 0..6, END), list("new", 0..6, END)];
        origin.serve_in_turn("/list.m3u8", KIND, lists);
        let url = origin.url("/list.m3u8");
        sandbox.kithara(["dump", &url, "-o", "a.wav"]).run();
        is_whole(&sandbox);
        assert_eq!(asked(&origin, "new"), [0, 0, 0, 1, 1, 1], "{status}");
        assert_eq!(asked(&origin, "old")[..4], [1, 1, 1, 1], "{status}");
        assert_eq!(count(&origin, "/list.m3u8"), 2, "{status}");
    }
}

#[test]
fn what_came_from_a_new_address_plays_offline_under_its_old_one() {
    let (origin, sandbox) = expired(2..6, 403);
    let lists = vec![list("old", 0..6, END), list("new", 0..6, END)];
    origin.serve_in_turn("/list.m3u8", KIND, lists);
    let url = origin.url("/list.m3u8");
    sandbox.kithara(["cache", &url]).chatty().run();
    origin.shut_down();
    sandbox
        .kithara(["dump", &url, "-o", "a.wav", "--offline"])
        .run();
    is_whole(&sandbox);
}

#[test]
fn when_the_media_playlist_expired_too_the_multivariant_one_is_asked() {
    let (origin, sandbox) = expired(3..6, 403);
    let lists = vec![main_list("/old/list.m3u8"), main_list("/new/list.m3u8")];
    origin.serve_in_turn("/main.m3u8", KIND, lists);
    origin.serve("/old/list.m3u8", KIND, list("old", 0..6, END));
    origin.on("/old/list.m3u8").times(1);
    origin.on("/old/list.m3u8").status(403);
    origin.serve("/new/list.m3u8", KIND, list("new", 0..6, END));
    let url = origin.url("/main.m3u8");
    sandbox.kithara(["dump", &url, "-o", "a.wav"]).run();
    is_whole(&sandbox);
    assert_eq!(asked(&origin, "new"), [0, 0, 0, 1, 1, 1]);
    let lists = ["/main.m3u8", "/old/list.m3u8", "/new/list.m3u8"];
    assert_eq!(lists.map(|path| count(&origin, path)), [2, 2, 1]);
}

#[test]
fn a_refusal_that_no_new_address_heals_is_exit_4_without_a_storm() {
    // The same address again: it is not asked for a second time.
    let (origin, sandbox) = stage();
    serve(&origin, "old", 3..6, 403);
    origin.serve("/list.m3u8", KIND, list("old", 0..6, END));
    let url = origin.url("/list.m3u8");
    sandbox
        .kithara(["dump", &url, "-o", "a.wav"])
        .fails(4, &["segment 3", "/old/flac-3.m4s", "403"])
        .run();
    assert_eq!(asked(&origin, "old")[3], 1);
    assert_eq!(count(&origin, "/list.m3u8"), 2);
    // A new address with each load, and each is refused.
    let (origin, sandbox) = stage();
    let tokens = ["t0", "t1", "t2", "t3", "t4"];
    let text = |token: &&str| list(token, 0..6, END);
    for token in tokens {
        serve(&origin, token, 3..4, 410);
    }
    origin.serve("/main.m3u8", KIND, main_list("/list.m3u8"));
    origin.serve_in_turn("/list.m3u8", KIND, tokens.iter().map(text).collect());
    let url = origin.url("/main.m3u8");
    sandbox
        .kithara(["dump", &url, "-o", "a.wav"])
        .fails(4, &["segment 3", "410"])
        .run();
    let tries: usize = tokens.iter().map(|token| asked(&origin, token)[3]).sum();
    let lists = ["/main.m3u8", "/list.m3u8"].map(|path| count(&origin, path));
    assert_eq!((tries, lists), (3, [2, 3]));
}

#[test]
fn an_address_without_a_token_that_is_refused_is_refused() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-3.m4s").status(403);
    let url = origin.url("/hls/flac.m3u8");
    sandbox
        .kithara(["dump", &url, "-o", "a.wav"])
        .fails(4, &["segment 3", "403"])
        .run();
    assert_eq!(count(&origin, "/hls/flac.m3u8"), 1);
    // Once ahead of the sound, perhaps, and once when it is wanted.
    assert!(count(&origin, "/hls/flac-3.m4s") <= 2);
}

#[test]
fn a_live_playlist_that_expired_is_found_again_from_the_multivariant_one() {
    for command in ["dump", "play"] {
        let (origin, sandbox) = expired(3..6, 403);
        let lists = vec![main_list("/old/list.m3u8"), main_list("/new/list.m3u8")];
        origin.serve_in_turn("/main.m3u8", KIND, lists);
        origin.serve("/old/list.m3u8", KIND, list("old", 0..3, ""));
        origin.on("/old/list.m3u8").times(1);
        origin.on("/old/list.m3u8").status(403);
        let pages = vec![list("new", 1..5, ""), list("new", 2..6, END)];
        origin.serve_in_turn("/new/list.m3u8", KIND, pages);
        let url = origin.url("/main.m3u8");
        let to: &[&str] = match command {
            "dump" => &["-o", "a.wav"],
            _ => &["--ao", "null"],
        };
        let run = sandbox.kithara([command, &url, "--json"].iter().chain(to));
        let run = run.prints().warns(&["403", "trying again"]).run();
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        let summary = run.summary();
        assert_eq!(summary["live"]["lost_ms"], 0, "{command}");
        if command == "dump" {
            is_whole(&sandbox);
        } else {
            assert_eq!(summary["playback"]["played_ms"], 3000);
        }
        assert_eq!(asked(&origin, "new"), [0, 0, 0, 1, 1, 1], "{command}");
        let lists = ["/main.m3u8", "/old/list.m3u8", "/new/list.m3u8"];
        let counts = lists.map(|path| count(&origin, path));
        assert_eq!(counts, [2, 3, 2], "{command}");
    }
}

#[test]
fn a_live_playlist_behind_a_redirect_is_found_again_where_the_user_said() {
    let (origin, sandbox) = expired(3..6, 403);
    origin.on("/radio").redirect("/old/list.m3u8").times(1);
    origin.on("/radio").redirect("/new/list.m3u8");
    origin.serve("/old/list.m3u8", KIND, list("old", 0..3, ""));
    origin.on("/old/list.m3u8").times(1);
    origin.on("/old/list.m3u8").status(410);
    let pages = vec![list("new", 1..5, ""), list("new", 2..6, END)];
    origin.serve_in_turn("/new/list.m3u8", KIND, pages);
    let url = origin.url("/radio");
    sandbox
        .kithara(["dump", &url, "-o", "a.wav"])
        .warns(&["410", "trying again"])
        .run();
    is_whole(&sandbox);
    // The address that holds is the one that is loaded again from then on.
    let lists = ["/radio", "/old/list.m3u8", "/new/list.m3u8"];
    assert_eq!(lists.map(|path| count(&origin, path)), [2, 3, 2]);
}

#[test]
fn a_live_segment_that_expired_is_had_at_the_address_of_the_next_load() {
    let (origin, sandbox) = expired(1..6, 403);
    let pages = vec![list("old", 0..4, ""), list("new", 0..6, END)];
    origin.serve_in_turn("/live.m3u8", KIND, pages);
    let url = origin.url("/live.m3u8");
    let run = sandbox.kithara(["dump", &url, "-o", "a.wav", "--live-start", "--json"]);
    let run = run.prints().run();
    is_whole(&sandbox);
    assert_eq!(run.summary()["live"]["lost_ms"], 0);
    assert_eq!(asked(&origin, "new"), [0, 1, 1, 1, 1, 1]);
}

#[test]
fn what_is_fetched_ahead_of_a_live_list_that_signs_anew_is_fetched_once() {
    let (origin, sandbox) = stage();
    let tokens = ["t0", "t1", "t2", "t3"];
    for token in tokens {
        serve(&origin, token, 0..0, 403);
    }
    let pages = vec![
        list("t0", 0..6, ""),
        list("t1", 0..6, ""),
        list("t2", 0..6, ""),
        list("t3", 0..6, END),
    ];
    origin.serve_in_turn("/live.m3u8", KIND, pages);
    let url = origin.url("/live.m3u8");
    let words = ["play", &url, "--ao", "null", "--live-start", "--json"];
    let run = sandbox.kithara(words).prints().run();
    assert_eq!(run.summary()["playback"]["played_ms"], 3000);
    let all = |index: usize| {
        tokens
            .map(|token| asked(&origin, token)[index])
            .iter()
            .sum()
    };
    let tries: Vec<usize> = (0..6).map(all).collect();
    assert_eq!(tries, [1; 6]);
}
