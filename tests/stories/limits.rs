//! The bounds of the cache: its size holds while a stream goes through that is
//! larger, and a disk that refuses costs the cache, never the sound.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::cache::offline;
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, dump, expected_of, not_cached, stage};

const STREAM: &str = "/hls/flac.m3u8";
const FILE: &str = "/files/s16.flac";
const LONG: &str = "/long.wav";
const KIB: u64 = 1024;

/// A WAV file of 16 bits with this much of sound in it that nowhere repeats.
fn long_wav(length: u32) -> Vec<u8> {
    let mut wave = bytes("files/s16.wav")[..44].to_vec();
    wave[4..8].copy_from_slice(&(length + 36).to_le_bytes());
    wave[40..44].copy_from_slice(&length.to_le_bytes());
    let mut state = 1_u32;
    wave.extend((0..length).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    }));
    wave
}

fn fits(sandbox: &Sandbox, limit: u64) {
    let files = sandbox.cache_files();
    assert!(sandbox.cache_bytes() <= limit, "{limit}: {files:?}");
}

#[test]
fn a_stream_larger_than_the_limit_goes_through_it() {
    // Of 138 KB: room for three segments, for two, and not for a single one.
    for (limit, is_told) in [(80 * KIB, false), (56 * KIB, false), (8 * KIB, true)] {
        let (origin, sandbox) = stage();
        let gates: Vec<_> = (0..6)
            .map(|number| {
                origin
                    .on(&format!("/hls/flac-{number}.m4s"))
                    .stall_at(15_000)
            })
            .collect();
        let size = format!("{limit}");
        let url = origin.url(STREAM);
        let run = sandbox.kithara(["dump", &url, "-o", "out.wav", "--cache-size", &size]);
        let run = match is_told {
            true => run.warns(&["does not fit in the cache", "going on without"]),
            false => run,
        };
        let run = run.spawn();
        for gate in gates {
            gate.wait_until_reached();
            fits(&sandbox, limit);
            gate.open();
        }
        let outcome = run.finish();
        assert!(outcome.stderr.lines().count() <= 1, "{}", outcome.stderr);
        expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("out.wav")));
        fits(&sandbox, limit);
        for number in 0..6 {
            let path = format!("/hls/flac-{number}.m4s");
            let sent = origin
                .requests(&path)
                .iter()
                .filter(|one| one.sent > 0)
                .count();
            assert_eq!(sent, 1, "{limit}: {path}");
        }
    }
}

#[test]
fn a_file_larger_than_the_limit_goes_through_it() {
    const LENGTH: u32 = 2_000_000;
    for limit in [300 * KIB, 150 * KIB] {
        let (origin, sandbox) = stage();
        let wave = long_wav(LENGTH);
        origin.serve(LONG, "audio/wav", wave.clone());
        let gate = origin.on(LONG).stall_at(100_000);
        let (url, size) = (origin.url(LONG), format!("{limit}"));
        let run = sandbox
            .kithara(["dump", &url, "--raw", "-o", "-", "--cache-size", &size])
            .prints()
            .spawn();
        for _ in 0..19 {
            gate.wait_until_reached();
            fits(&sandbox, limit);
            gate.release(100_000);
        }
        gate.open();
        assert!(run.finish().stdout == wave[44..], "{limit}: other samples");
        fits(&sandbox, limit);
        assert_eq!(origin.requests(LONG).len(), 1, "{limit}");
        // The part that is left is no whole.
        origin.shut_down();
        not_cached(&sandbox, &url);
    }
}

#[test]
fn what_is_left_of_a_larger_stream_is_used_again() {
    let (origin, sandbox) = stage();
    let wave = long_wav(1_000_000);
    origin.serve(LONG, "audio/wav", wave.clone());
    for _ in 0..2 {
        for path in [STREAM, LONG] {
            let arguments = ["--raw", "-o", "-", "--cache-size", "90K"];
            let url = origin.url(path);
            let run = sandbox
                .kithara(["dump", &url].iter().chain(&arguments))
                .prints();
            let stdout = run.run().stdout;
            match path {
                LONG => assert!(stdout == wave[44..]),
                _ => assert_eq!(stdout.len(), expected_of("hls/flac.m3u8").frames * 4),
            }
            fits(&sandbox, 90 * KIB);
        }
    }
}

#[test]
fn caching_what_does_not_fit_fails_and_leaves_nothing_that_looks_whole() {
    let (origin, sandbox) = stage();
    for path in [STREAM, FILE] {
        let url = origin.url(path);
        sandbox
            .kithara(["cache", &url, "--cache-size", "70K"])
            .fails(7, &["does not fit in the cache"])
            .run();
        fits(&sandbox, 70 * KIB);
        not_cached(&sandbox, &url);
    }
    for (path, file) in [(STREAM, "hls/flac.m3u8"), (FILE, "files/s16.flac")] {
        let url = origin.url(path);
        sandbox.kithara(["cache", &url]).run();
        offline(&sandbox, &url, file);
    }
}

#[test]
fn a_stream_that_is_played_is_not_evicted_by_another_process() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/hls/flac-3.m4s").stall_at(10_000);
    let (stream, file) = (origin.url(STREAM), origin.url(FILE));
    let arguments = ["-o", "out.wav", "--cache-size", "160K"];
    let first = sandbox
        .kithara(["dump", &stream].iter().chain(&arguments))
        .spawn();
    gate.wait_until_reached();
    // Everything but the rest of that segment is here.
    while sandbox.cache_bytes() < 124_000 {
        std::thread::yield_now();
    }
    sandbox
        .kithara(["cache", &file, "--cache-size", "160K"])
        .fails(7, &["does not fit"])
        .run();
    fits(&sandbox, 160 * KIB);
    gate.open();
    first.finish();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("out.wav")));
    origin.shut_down();
    offline(&sandbox, &stream, "hls/flac.m3u8");
}

#[test]
fn what_a_killed_process_had_taken_is_free_in_the_next_run() {
    let (origin, sandbox) = stage();
    let gate = origin.on(FILE).times(1).stall_at(60_000);
    let first = sandbox
        .kithara(["cache", &origin.url(FILE), "--cache-size", "200K"])
        .any_code()
        .spawn();
    gate.wait_until_reached();
    // What was sent is not yet what was stored.
    while sandbox.cache_bytes() < 20_000 {
        std::thread::yield_now();
    }
    first.signal(rustix::process::Signal::KILL);
    drop(first);
    gate.open();
    sandbox
        .kithara(["cache", "gc", "--cache-size", "200K"])
        .prints()
        .run();
    let total = fs::read_to_string(sandbox.cache_root().join("total")).expect("a total");
    let total: u64 = total
        .split(' ')
        .next()
        .expect("a word")
        .trim()
        .parse()
        .expect("a number");
    let own = ["total", "secret", "kithara-cache"];
    let is_own = |path: &Path| own.iter().any(|name| path.ends_with(name));
    let files = sandbox.cache_files();
    let stored: u64 = files
        .iter()
        .filter(|(path, _)| !is_own(path))
        .map(|(_, size)| size)
        .sum();
    assert_eq!(total, stored);
    let litter = |path: &Path| path.to_string_lossy().ends_with(".asked");
    assert!(!files.iter().any(|(path, _)| litter(path)), "{files:?}");
}

/// Dumps the stream and the file with the cache in `folder`, after `commands`
/// of a shell: the sound is right, and one warning is all.
fn goes_on_without(
    origin: &Origin,
    sandbox: &Sandbox,
    commands: &str,
    folder: &str,
    words: &[&str],
) {
    for (path, file) in [(STREAM, "hls/flac.m3u8"), (FILE, "files/s16.flac")] {
        let url = origin.url(path);
        let arguments = ["dump", &url, "-o", "-", "--cache-dir", folder];
        let run = sandbox
            .kithara_after(commands, arguments)
            .prints()
            .warns(words)
            .run();
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        let out = sandbox.path("out.wav");
        fs::write(&out, run.stdout).expect("written");
        expected_of(file).check(&Sound::open(&out));
        let arguments = ["cache", &url, "--cache-dir", folder];
        sandbox
            .kithara_after(commands, arguments)
            .fails(7, &[words[0]])
            .run();
    }
}

#[test]
fn a_folder_that_cannot_be_made_costs_the_cache_and_nothing_else() {
    let (origin, sandbox) = stage();
    // Nobody may make a folder there, whoever runs the test.
    let words = ["\"/sys/kithara\"", "going on without the cache"];
    goes_on_without(&origin, &sandbox, ":", "/sys/kithara", &words);
}

#[test]
fn a_disk_that_is_nearly_full_costs_the_cache_and_nothing_else() {
    let (origin, sandbox) = stage();
    let folder = sandbox.path("disk");
    fs::create_dir(&folder).expect("a folder");
    let folder = folder.to_str().expect("UTF-8");
    // Less than a segment more than what is never used, in a name space of its own.
    let mount = format!("mount -t tmpfs -o size=262160k,mode=700 none {folder}");
    let probe = ["-Urm", "sh", "-c", &mount];
    let is_allowed = Command::new("unshare").args(probe).output();
    if !is_allowed.is_ok_and(|output| output.status.success()) {
        println!("skipped: no disk of a size may be mounted here");
        return;
    }
    let commands = format!("exec unshare -Urm sh -c '{mount}; exec \"$0\" \"$@\"' \"$0\" \"$@\"");
    let words = ["the disk is nearly full", "going on without the cache"];
    goes_on_without(&origin, &sandbox, &commands, folder, &words);
}

#[test]
fn a_cache_that_vanishes_costs_the_cache_and_nothing_else() {
    for (path, gated, file) in [
        (STREAM, "/hls/flac-2.m4s", "hls/flac.m3u8"),
        (FILE, FILE, "files/s16.flac"),
    ] {
        let (origin, sandbox) = stage();
        let gate = origin.on(gated).stall_at(10_000);
        let run = sandbox
            .kithara(["dump", &origin.url(path), "-o", "out.wav"])
            .chatty()
            .spawn();
        gate.wait_until_reached();
        // While other requests add to it, once may not be enough.
        while sandbox.cache_root().exists() {
            let _ = fs::remove_dir_all(sandbox.cache_root());
        }
        gate.open();
        let outcome = run.finish();
        assert!(outcome.stderr.lines().count() <= 1, "{}", outcome.stderr);
        expected_of(file).check(&Sound::open(&sandbox.path("out.wav")));
        expected_of(file).check(&dump(&sandbox, &origin.url(path), &[]));
    }
}

#[test]
fn a_place_that_is_not_for_us_alone_is_refused_and_left_alone() {
    let (origin, sandbox) = stage();
    let at = |name: &str| sandbox.path(name);
    fs::write(at("file"), "text").expect("written");
    mkfifoat(CWD, at("fifo"), Mode::RWXU).expect("a fifo");
    fs::create_dir(at("full")).expect("a folder");
    fs::write(at("full/letter.txt"), "dear").expect("written");
    fs::create_dir(at("open")).expect("a folder");
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(at("open"), all).expect("opened");
    let url = origin.url(FILE);
    for name in ["file", "fifo", "full", "open"] {
        for command in [
            &["dump", "-o", "x.wav", "-f"][..],
            &["play", "--ao", "null"],
            &["cache"],
        ] {
            let place = [url.as_str(), "--cache-dir", name];
            let arguments = command.iter().chain(&place);
            sandbox.kithara(arguments).fails(8, &[name]).run();
        }
    }
    assert_eq!(fs::read(at("file")).expect("there"), b"text");
    assert_eq!(fs::read_dir(at("full")).expect("there").count(), 1);
    assert_eq!(fs::read_dir(at("open")).expect("there").count(), 0);
    assert!(origin.log().is_empty(), "{:?}", origin.log());
}
