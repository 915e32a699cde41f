//! Downloads that break off and go on: by range where that is safe, from the
//! start where it is not, and never with bytes of two versions in one entry.

use crate::cache::offline;
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_break};
use crate::{bytes, expected_of, stage};

const FLAC: &str = "/files/s16.flac";
const STREAM: &str = "/hls/flac.m3u8";
const CUT: u64 = 40_000; // between two blocks of the cache

/// A run that ends with `CUT` bytes of `path` stored: cut there, then refused.
fn cut_short(origin: &Origin, sandbox: &Sandbox, path: &str) {
    origin.on(path).truncate_at(CUT).times(1);
    origin.on(path).status(403);
    sandbox
        .kithara(["cache", &origin.url(path)])
        .code(4)
        .chatty()
        .run();
    origin.heal();
    origin.clear_log();
}

#[test]
fn a_cut_download_goes_on_where_it_stopped_in_the_same_run() {
    for reset in [false, true] {
        let (origin, sandbox) = stage();
        let cut = origin.on(FLAC).times(1);
        if reset {
            cut.reset_at(CUT)
        } else {
            cut.truncate_at(CUT)
        };
        sandbox.kithara(["cache", &origin.url(FLAC)]).chatty().run();
        let requests = origin.requests(FLAC);
        assert_eq!(requests.len(), 2, "reset: {reset}");
        assert_eq!(
            requests[1].header("range"),
            Some("bytes=40000-"),
            "reset: {reset}"
        );
        assert!(requests[1].header("if-range").is_some(), "reset: {reset}");
        assert_eq!(requests[1].status, 206);
        origin.shut_down();
        offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
    }
}

#[test]
fn a_cut_segment_goes_on_where_it_stopped() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-2.m4s").reset_at(10_000).times(1);
    let path = sandbox.path("x.wav");
    sandbox
        .kithara(["dump", &origin.url(STREAM), "-o", "x.wav"])
        .chatty()
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&path));
    let requests = origin.requests("/hls/flac-2.m4s");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].header("range"), Some("bytes=10000-"));
}

#[test]
fn a_cut_download_goes_on_in_the_next_run() {
    let (origin, sandbox) = stage();
    cut_short(&origin, &sandbox, FLAC);
    sandbox.kithara(["cache", &origin.url(FLAC)]).run();
    let [request] = &origin.requests(FLAC)[..] else {
        panic!("one request: {:?}", origin.log())
    };
    let range = request
        .header("range")
        .expect("a resumed download")
        .to_owned();
    let first: u64 = range
        .trim_start_matches("bytes=")
        .trim_end_matches('-')
        .parse()
        .expect("an open range");
    assert!((16_384..=CUT).contains(&first), "{range}");
    assert!(request.header("if-range").is_some());
    assert_eq!(request.sent, bytes("files/s16.flac").len() as u64 - first);
    origin.shut_down();
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
}

#[test]
fn a_server_that_ignores_the_range_doubles_no_byte() {
    let (origin, sandbox) = stage();
    origin.on(FLAC).truncate_at(CUT).times(1);
    origin.on(FLAC).ignore_range();
    sandbox
        .kithara(["dump", &origin.url(FLAC), "-o", "x.wav"])
        .chatty()
        .run();
    expected_of("files/s16.flac").check(&Sound::open(&sandbox.path("x.wav")));
    origin.shut_down();
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
}

#[test]
fn a_changed_resource_starts_over_and_is_never_mixed() {
    let (origin, sandbox) = stage();
    origin.serve("/song", "audio/flac", bytes("files/s16.flac"));
    cut_short(&origin, &sandbox, "/song");
    origin.serve("/song", "audio/flac", bytes("files/s24.flac"));
    let url = origin.url("/song");
    sandbox.kithara(["cache", &url]).chatty().run();
    origin.shut_down();
    offline(&sandbox, &url, "files/s24.flac");
}

#[test]
fn a_resource_that_changes_under_a_dump_is_never_mixed() {
    let (origin, sandbox) = stage();
    origin.on(FLAC).truncate_at(CUT).times(1);
    origin.on(FLAC).change_etag();
    let url = origin.url(FLAC);
    // What was heard cannot be taken back: exit 5 with what was decoded.
    sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .code(5)
        .chatty()
        .run();
    let part = Sound::open(&sandbox.path("x.wav"));
    assert_eq!(first_break(&part, 0), None);
    sandbox.kithara(["cache", &url]).run();
    origin.shut_down();
    offline(&sandbox, &url, "files/s16.flac");
}

#[test]
fn without_a_validator_nothing_is_resumed_across_runs() {
    let (origin, sandbox) = stage();
    origin.on(FLAC).no_validators().truncate_at(CUT).times(1);
    origin.on(FLAC).status(403);
    sandbox
        .kithara(["cache", &origin.url(FLAC)])
        .code(4)
        .chatty()
        .run();
    origin.heal();
    origin.clear_log();
    sandbox.kithara(["cache", &origin.url(FLAC)]).run();
    assert!(
        origin
            .requests(FLAC)
            .iter()
            .all(|request| request.header("range").is_none())
    );
    origin.shut_down();
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
}

#[test]
fn an_answer_for_another_range_is_not_believed() {
    let total = bytes("files/s16.flac").len();
    let lies = [
        "bytes 0-9/10".to_owned(),
        format!("bytes 50000-{}/{total}", total - 1),
        format!("bytes 40000-{}/{}", total - 1, total + 7),
    ];
    for lie in lies {
        let (origin, sandbox) = stage();
        origin.on(FLAC).truncate_at(CUT).times(1);
        origin.on(FLAC).bad_content_range(&lie).times(1);
        let url = origin.url(FLAC);
        // A second try or a typed error, both are right; a wrong byte is not.
        sandbox.kithara(["cache", &url]).any_code().chatty().run();
        sandbox.kithara(["cache", &url]).run();
        origin.shut_down();
        offline(&sandbox, &url, "files/s16.flac");
    }
}
