//! Several processes on one cache: nothing is downloaded twice, and nothing is
//! lost when one of them dies.

use rustix::process::Signal;

use crate::cache::offline;
use crate::origin::Origin;
use crate::sandbox::{Running, Sandbox};
use crate::wav::Sound;
use crate::{expected_of, stage};

const FILE: &str = "/files/s16.flac";
const STREAM: &str = "/hls/flac.m3u8";
const SECOND: &str = "/hls/flac-1.m4s";

/// How often bytes of `path` were sent in answer to requests.
fn sent(origin: &Origin, path: &str) -> Vec<(u16, u64)> {
    let requests = origin.requests(path).into_iter();
    let with_body = requests.filter(|request| request.status != 304);
    with_body.map(|one| (one.status, one.sent)).collect()
}

fn dumping(sandbox: &Sandbox, url: &str) -> Running {
    sandbox.kithara(["dump", url, "-o", "-"]).prints().spawn()
}

fn finished(sandbox: &Sandbox, run: Running, name: &str) -> Sound {
    let path = sandbox.path(name);
    std::fs::write(&path, run.finish().stdout).expect("written");
    Sound::open(&path)
}

#[test]
fn an_entry_is_read_as_another_process_writes_it() {
    let (origin, sandbox) = stage();
    let gate = origin.on(FILE).stall_at(60_000);
    let url = origin.url(FILE);
    let first = dumping(&sandbox, &url);
    gate.wait_until_reached();
    first.stdout_bytes(44 + 10_000); // sent is not yet stored: what it plays is
    let second = dumping(&sandbox, &url);
    // Sound comes although the first one waits.
    second.stdout_bytes(44 + 10_000);
    assert_eq!(origin.requests(FILE).len(), 1);
    gate.open();
    first.finish();
    expected_of("files/s16.flac").check(&finished(&sandbox, second, "second.wav"));
    assert_eq!(
        origin.requests(FILE).len(),
        1,
        "nothing was asked for twice"
    );
}

#[test]
fn segments_that_another_process_fetches_are_not_fetched_again() {
    let (origin, sandbox) = stage();
    let gate = origin.on(SECOND).stall_at(5_000);
    let url = origin.url(STREAM);
    let first = sandbox.kithara(["cache", &url, "-j", "2"]).spawn();
    gate.wait_until_reached();
    let second = dumping(&sandbox, &url);
    // That is the first segment, which needs no gate.
    second.stdout_bytes(44 + 10_000);
    gate.open();
    first.finish();
    expected_of("hls/flac.m3u8").check(&finished(&sandbox, second, "second.wav"));
    for number in 0..6 {
        let path = format!("/hls/flac-{number}.m4s");
        assert_eq!(sent(&origin, &path).len(), 1, "{path}");
    }
}

#[test]
fn the_work_of_a_process_that_dies_is_taken_over_at_its_byte() {
    for (path, gated, at, file) in [
        (FILE, FILE, 60_000, "files/s16.flac"),
        (STREAM, SECOND, 20_000, "hls/flac.m3u8"),
    ] {
        let (origin, sandbox) = stage();
        let gate = origin.on(gated).times(1).stall_at(at);
        let url = origin.url(path);
        let first = sandbox.kithara(["dump", &url, "-o", "-"]);
        let first = first.prints().any_code().spawn();
        gate.wait_until_reached();
        first.stdout_bytes(44 + 10_000);
        let second = dumping(&sandbox, &url);
        second.stdout_bytes(44 + 10_000);
        first.signal(Signal::KILL);
        expected_of(file).check(&finished(&sandbox, second, "second.wav"));
        let requests = origin.requests(gated);
        assert_eq!(requests.len(), 2, "{path}");
        let range = requests[1].header("range").unwrap_or_default();
        let from: u64 = range
            .trim_start_matches("bytes=")
            .split('-')
            .next()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_else(|| panic!("no range: {range:?}"));
        // A kill costs at most what was not yet in the record.
        assert!((at - 16_384..=at).contains(&from), "{path}: {from}");
        gate.open();
        drop(first);
        origin.shut_down();
        offline(&sandbox, &url, file);
    }
}

#[test]
fn processes_that_begin_at_once_share_the_work() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    let runs: Vec<Running> = (0..3)
        .map(|_| sandbox.kithara(["cache", &url]).spawn())
        .collect();
    for run in runs {
        run.finish();
    }
    for number in 0..6 {
        let path = format!("/hls/flac-{number}.m4s");
        assert_eq!(sent(&origin, &path).len(), 1, "{path}");
    }
    origin.shut_down();
    offline(&sandbox, &url, "hls/flac.m3u8");
}
