//! The cache: what was fetched once is there, exactly, and nothing else is.

mod export;
mod list;
mod recording;

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_break};
use crate::{bytes, dump, expected_of, not_cached, stage};

const FLAC: &str = "/files/s16.flac";
const STREAM: &str = "/hls/flac.m3u8";

/// Dumps without a network and checks the sound.
pub fn offline(sandbox: &Sandbox, url: &str, file: &str) {
    expected_of(file).check(&dump(sandbox, url, &["--offline"]));
}

fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

/// The cache file that holds the wire bytes of a fixture.
fn stored_file(sandbox: &Sandbox, fixture: &str) -> PathBuf {
    let wire = bytes(fixture);
    let found = sandbox
        .cache_files()
        .into_iter()
        .map(|(path, _)| path)
        .find(|path| fs::read(path).is_ok_and(|held| holds(&held, &wire)));
    found.unwrap_or_else(|| panic!("no cache file holds the wire bytes of {fixture}"))
}

/// Turns over one bit in the middle of the stored copy of a fixture.
pub fn flip(sandbox: &Sandbox, fixture: &str) {
    let path = stored_file(sandbox, fixture);
    let mut held = fs::read(&path).expect("a cache file");
    let middle = held.len() / 2;
    held[middle] ^= 1;
    fs::write(&path, held).expect("a cache file can be written");
}

#[test]
fn a_cached_stream_plays_when_the_origin_is_gone() {
    for file in [
        "hls/flac.m3u8",
        "hls/aac128.m3u8",
        "files/s16.flac",
        "files/moov-last.m4a",
        "files/lame.mp3",
        "files/s16.wav",
    ] {
        let (origin, sandbox) = stage();
        let url = origin.url(&format!("/{file}"));
        sandbox.kithara(["cache", &url]).run();
        origin.shut_down();
        offline(&sandbox, &url, file);
        sandbox
            .kithara(["play", &url, "--offline", "--ao", "null", "--length", "0.1"])
            .run();
    }
}

#[test]
fn a_multivariant_stream_is_cached_in_its_best_variant() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8");
    sandbox.kithara(["cache", &url]).run();
    assert!(
        origin
            .log()
            .iter()
            .all(|request| request.path.contains("master") || request.path.contains("alac"))
    );
    origin.shut_down();
    offline(&sandbox, &url, "hls/alac.m3u8");
}

#[test]
fn a_chosen_variant_is_the_only_one_that_is_cached() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8");
    sandbox.kithara(["cache", &url, "-Q", "1"]).run();
    let media: Vec<_> = origin
        .log()
        .into_iter()
        .map(|request| request.path)
        .filter(|path| !path.ends_with(".m3u8"))
        .collect();
    assert_eq!(
        media.len(),
        7,
        "an init section and six segments: {media:?}"
    );
    assert!(
        media.iter().all(|path| path.contains("aac128")),
        "{media:?}"
    );
    origin.shut_down();
    expected_of("hls/aac128.m3u8").check(&dump(&sandbox, &url, &["--offline", "-Q", "1"]));
}

#[test]
fn cache_add_is_the_same_as_cache() {
    let (origin, sandbox) = stage();
    sandbox.kithara(["cache", "add", &origin.url(FLAC)]).run();
    origin.shut_down();
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
}

#[test]
fn what_was_played_once_is_not_fetched_again() {
    let (origin, sandbox) = stage();
    for file in [STREAM, FLAC] {
        let url = origin.url(file);
        dump(&sandbox, &url, &[]);
        origin.clear_log();
        expected_of(file.trim_start_matches('/')).check(&dump(&sandbox, &url, &[]));
        let bodies: Vec<_> = origin
            .log()
            .into_iter()
            .filter(|request| request.sent > 0 && !request.path.ends_with(".m3u8"))
            .collect();
        assert!(bodies.is_empty(), "{bodies:?}");
    }
}

#[test]
fn offline_touches_no_network_and_says_what_is_missing() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    for command in [
        &["dump"][..],
        &["play", "--ao", "null"],
        &["info"],
        &["stats"],
        &["cache"],
    ] {
        sandbox
            .kithara(command.iter().copied().chain([url.as_str(), "--offline"]))
            .fails(9, &["flac.m3u8"])
            .run();
    }
    assert!(origin.log().is_empty(), "{:?}", origin.log());
}

#[test]
fn a_stream_cached_in_part_plays_that_part_and_then_says_so() {
    let (origin, sandbox) = stage();
    // Late, so that what is asked for at the same time has come.
    origin.on("/hls/flac-3.m4s").status(404).latency(500);
    let url = origin.url(STREAM);
    sandbox.kithara(["cache", &url]).fails(4, &["404"]).run();
    origin.shut_down();
    sandbox
        .kithara(["dump", &url, "-o", "part.wav", "--offline"])
        .fails(9, &[])
        .run();
    let part = Sound::open(&sandbox.path("part.wav"));
    // Three segments of five blocks of 4608 frames.
    assert_eq!(part.frames(), 3 * 5 * 4608);
    assert_eq!(first_break(&part, 0), None);
}

#[test]
fn a_flipped_byte_is_found_and_fetched_again() {
    for (path, stored, file) in [
        (STREAM, "hls/flac-2.m4s", "hls/flac.m3u8"),
        (FLAC, "files/s16.flac", "files/s16.flac"),
    ] {
        let (origin, sandbox) = stage();
        let url = origin.url(path);
        sandbox.kithara(["cache", &url]).run();
        sandbox.kithara(["cache", "verify"]).prints().run();
        flip(&sandbox, stored);
        sandbox
            .kithara(["cache", "verify"])
            .code(7)
            .prints()
            .chatty()
            .run();
        origin.clear_log();
        expected_of(file).check(&dump(&sandbox, &url, &[]));
        assert!(
            !origin.requests(&format!("/{stored}")).is_empty(),
            "{stored} was not fetched again"
        );
        sandbox.kithara(["cache", "verify"]).prints().run();
        origin.shut_down();
        offline(&sandbox, &url, file);
    }
}

#[test]
fn a_flipped_byte_is_never_played_offline() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    sandbox.kithara(["cache", &url]).run();
    flip(&sandbox, "hls/flac-2.m4s");
    origin.shut_down();
    sandbox
        .kithara(["dump", &url, "-o", "x.wav", "--offline"])
        .fails(9, &[])
        .run();
    assert_eq!(first_break(&Sound::open(&sandbox.path("x.wav")), 0), None);
}

#[test]
fn verify_with_repair_removes_what_is_damaged() {
    let (origin, sandbox) = stage();
    sandbox.kithara(["cache", &origin.url(FLAC)]).run();
    flip(&sandbox, "files/s16.flac");
    sandbox
        .kithara(["cache", "verify", "--repair"])
        .any_code()
        .prints()
        .chatty()
        .run();
    sandbox.kithara(["cache", "verify"]).prints().run();
    not_cached(&sandbox, &origin.url(FLAC));
}

#[test]
fn ls_path_rm_and_gc_do_what_they_say() {
    let (origin, sandbox) = stage();
    let (flac, aiff) = (origin.url(FLAC), origin.url("/files/s16.aiff?token=hush"));
    for url in [&flac, &aiff] {
        sandbox.kithara(["cache", url]).run();
    }
    let root = sandbox.kithara(["cache", "path"]).prints().run().text();
    assert_eq!(Path::new(root.trim_end()), sandbox.cache_root());
    let list = sandbox.kithara(["cache", "ls"]).prints().run().text();
    assert!(
        list.contains("s16.flac") && list.contains("s16.aiff") && !list.contains("hush"),
        "{list}"
    );
    let json = sandbox.kithara(["cache", "ls", "--json"]).prints().run();
    assert!(
        json.json().is_object() && json.text().contains(&flac),
        "{}",
        json.text()
    );
    sandbox.kithara(["cache", "rm", &flac]).run();
    not_cached(&sandbox, &flac);
    let list = sandbox.kithara(["cache", "ls"]).prints().run().text();
    assert!(
        !list.contains("s16.flac") && list.contains("s16.aiff"),
        "{list}"
    );
    sandbox
        .kithara(["cache", "gc", "--cache-size", "10K"])
        .prints()
        .run();
    not_cached(&sandbox, &aiff);
    assert!(
        sandbox.cache_bytes() <= 10_240,
        "{:?}",
        sandbox.cache_files()
    );
}

#[test]
fn the_least_recently_used_stream_makes_room() {
    let (origin, sandbox) = stage();
    let (first, second) = (origin.url(FLAC), origin.url("/files/s16.aiff"));
    sandbox
        .kithara(["cache", &first, "--cache-size", "150K"])
        .run();
    sandbox
        .kithara(["cache", &second, "--cache-size", "150K"])
        .run();
    assert!(
        sandbox.cache_bytes() <= 150 * 1024,
        "{:?}",
        sandbox.cache_files()
    );
    origin.shut_down();
    not_cached(&sandbox, &first);
    offline(&sandbox, &second, "files/s16.aiff");
}

#[test]
fn a_stream_that_does_not_fit_is_refused() {
    let (origin, sandbox) = stage();
    sandbox
        .kithara(["cache", &origin.url(FLAC), "--cache-size", "50K"])
        .fails(7, &[])
        .run();
    assert!(
        sandbox.cache_bytes() <= 50 * 1024,
        "{:?}",
        sandbox.cache_files()
    );
}

#[test]
fn the_cache_is_private_and_its_names_tell_nothing() {
    let (origin, sandbox) = stage();
    sandbox.kithara(["cache", &origin.url(STREAM)]).run();
    let root = sandbox.cache_root();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    for (path, _) in sandbox.cache_files() {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert!(
            !path.to_string_lossy().contains("flac"),
            "{}",
            path.display()
        );
    }
    for number in 0..6 {
        stored_file(&sandbox, &format!("hls/flac-{number}.m4s"));
    }
}

#[test]
fn a_folder_that_is_no_cache_is_not_touched() {
    let (origin, sandbox) = stage();
    let folder = sandbox.path("documents");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("letter.txt"), "dear").expect("a file");
    let folder = folder.to_str().expect("UTF-8");
    sandbox
        .kithara(["cache", &origin.url(FLAC), "--cache-dir", folder])
        .fails(8, &["documents"])
        .run();
    assert_eq!(fs::read_dir(folder).expect("still there").count(), 1);
}

#[test]
fn no_cache_leaves_nothing_behind() {
    let (origin, sandbox) = stage();
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url(STREAM), &["--no-cache"]));
    assert!(sandbox.cache_bytes() < 4_096, "{:?}", sandbox.cache_files());
    not_cached(&sandbox, &origin.url(STREAM));
}

#[test]
fn another_query_is_another_stream() {
    let (origin, sandbox) = stage();
    sandbox
        .kithara(["cache", &origin.url("/files/s16.flac?id=1")])
        .run();
    not_cached(&sandbox, &origin.url("/files/s16.flac?id=2"));
    offline(
        &sandbox,
        &origin.url("/files/s16.flac?id=1"),
        "files/s16.flac",
    );
}

#[test]
fn events_of_cache_end_with_everything_on_disk() {
    let (origin, sandbox) = stage();
    let run = sandbox
        .kithara(["cache", &origin.url(STREAM), "--json"])
        .prints()
        .run();
    let media: usize = (0..6)
        .map(|number| bytes(&format!("hls/flac-{number}.m4s")).len())
        .sum();
    let summary = run.summary();
    assert_eq!(
        summary["cache"]["miss_bytes"],
        (media + bytes("hls/flac-init.mp4").len()) as u64
    );
    assert_eq!(summary["network"]["requests"]["segment"], 6);
    assert!(
        run.json_lines()
            .iter()
            .any(|line| line["event"] == "progress")
    );
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_brought_again() {
    for file in ["hls/flac.m3u8", "files/s16.wav"] {
        let (origin, sandbox) = stage();
        let url = origin.url(&format!("/{file}"));
        sandbox.kithara(["cache", &url]).run();
        // It waits for us in the middle of the sound.
        let (running, mut pipe) = sandbox
            .kithara(["dump", &url, "-o", "-"])
            .chatty()
            .spawn_unread();
        let mut sound = vec![0; 1000];
        pipe.read_exact(&mut sound).expect("sound comes");
        for (path, _) in sandbox.cache_files() {
            if path
                .extension()
                .is_some_and(|generation| generation.len() == 16)
            {
                let file = fs::File::options().write(true).open(path);
                let file = file.expect("a cache file can be opened");
                file.set_len(100).expect("it can be cut");
            }
        }
        pipe.read_to_end(&mut sound).expect("the rest of it comes");
        running.finish();
        fs::write(sandbox.path("cut.wav"), sound).expect("written");
        expected_of(file).check(&Sound::open(&sandbox.path("cut.wav")));
    }
}
