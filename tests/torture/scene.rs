//! The streams that are tortured, and what holds for each whatever happened:
//! what plays without a network is right, and the next run mends the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use tempfile::TempDir;

use crate::bytes;
use crate::stories::origin::Origin;
use crate::stories::sandbox::{Outcome, Run, Sandbox};
use crate::tracer::{self, Call};

const KEY: [u8; 16] = *b"hush-hush-hush-6";
const LIST_TYPE: &str = "application/vnd.apple.mpegurl";
const WORKERS: usize = 2;
const OLD: Duration = Duration::from_secs(2 * 24 * 3600); // a leftover is swept after one day
/// Every way to change a file, a name or a lock.
pub const WRITES: [&str; 24] = [
    "write",
    "pwrite64",
    "pwritev",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "openat",
    "fsync",
    "fdatasync",
    "syncfs",
    "sendfile",
    "copy_file_range",
    "fchmod",
    "fchmodat",
    "utimensat",
    "link",
    "linkat",
];

/// A stream, the cache a run on it finds, and what must come out.
pub struct Scene {
    pub name: &'static str,
    pub origin: Origin,
    pub url: String,
    /// Of the `cache` run.
    pub flags: &'static [&'static str],
    before: Option<TempDir>,
    /// The PCM of the version that the cache holds before.
    old: Option<Vec<u8>>,
    /// The PCM of the stream.
    pub pcm: Vec<u8>,
}

impl Scene {
    /// Of an origin that serves the stream at `path`.
    pub fn new(name: &'static str, origin: Origin, path: &str) -> Self {
        let url = origin.url(path);
        let mut scene = Self {
            name,
            origin,
            url,
            flags: &[],
            before: None,
            old: None,
            pcm: Vec::new(),
        };
        scene.pcm = scene.dump(&Sandbox::new(), &[]).run().stdout;
        assert!(scene.pcm.len() > 10_000, "{name} is silent");
        scene
    }

    /// fMP4 of six segments, over and over.
    pub fn fmp4(rounds: usize) -> Self {
        let origin = Origin::start();
        for name in [
            "init.mp4", "0.m4s", "1.m4s", "2.m4s", "3.m4s", "4.m4s", "5.m4s",
        ] {
            let body = bytes(&format!("hls/flac-{name}"));
            origin.serve(&format!("/fmp4/flac-{name}"), "audio/mp4", body);
        }
        serve_list(&origin, "/fmp4/list.m3u8", &list("hls/flac.m3u8", rounds));
        Self::new("fMP4", origin, "/fmp4/list.m3u8")
    }

    /// Transport stream of seven segments under a key, over and over.
    pub fn ts_aes(rounds: usize) -> Self {
        let origin = Origin::start();
        let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a\n#EXTINF";
        let list = list("ts/aac.m3u8", rounds).replacen("#EXTINF", key, 1);
        serve_list(&origin, "/enc/list.m3u8", &list);
        origin.serve("/enc/key.bin", "application/octet-stream", KEY.to_vec());
        for index in 0..7 {
            let wire = encrypt(&bytes(&format!("ts/aac-{index}.ts")));
            origin.serve(&format!("/enc/aac-{index}.ts"), "video/mp2t", wire);
        }
        Self::new("TS with AES", origin, "/enc/list.m3u8")
    }

    /// An MP3 file of this many bytes or a little less.
    pub fn mp3(length: usize) -> Self {
        let origin = Origin::start();
        origin.serve("/long.mp3", "audio/mpeg", long_mp3(length));
        Self::new("MP3 file", origin, "/long.mp3")
    }

    /// The same after a run that was killed half-way.
    pub fn resumed(self) -> Self {
        let sandbox = Sandbox::new();
        let (calls, _) = tracer::calls(&sandbox, self.cache_arguments(), &["pwrite64"]);
        let sandbox = Sandbox::new();
        let half = &calls[calls.len() / 2];
        tracer::strike(&sandbox, self.cache_arguments(), half, "signal=KILL", false);
        let before = Some(copy(&sandbox.cache_root()));
        let name = "resumed";
        Self {
            name,
            before,
            ..self
        }
    }

    /// A file that has changed on the server since it was cached.
    pub fn changed() -> Self {
        let origin = Origin::start();
        origin.serve("/sound", "audio/flac", bytes("files/s16.flac"));
        let mut old = Self::new("changed file", origin, "/sound");
        let sandbox = Sandbox::new();
        sandbox.kithara(old.cache_arguments()).run();
        old.origin
            .serve("/sound", "audio/flac", bytes("files/s24.flac"));
        let new = Self::new(old.name, old.origin, "/sound");
        Self {
            flags: &["--refresh"],
            before: Some(copy(&sandbox.cache_root())),
            old: Some(std::mem::take(&mut old.pcm)),
            ..new
        }
    }

    /// A home with the cache as it was before.
    pub fn home(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        if let Some(before) = &self.before {
            copy_tree(before.path(), &sandbox.cache_root());
        }
        sandbox
    }

    pub fn cache_arguments(&self) -> Vec<String> {
        let fixed = ["cache", &self.url];
        fixed
            .iter()
            .chain(self.flags)
            .map(|&word| word.to_owned())
            .collect()
    }

    pub fn dump_arguments(&self) -> Vec<String> {
        let fixed = ["dump", &self.url, "--raw", "--sample", "f32", "-o", "-"];
        fixed.iter().map(|&word| word.to_owned()).collect()
    }

    /// Dumps PCM to stdout.
    pub fn dump(&self, sandbox: &Sandbox, flags: &[&str]) -> Run {
        let fixed = self.dump_arguments();
        let flags = flags.iter().map(|&flag| flag.to_owned());
        sandbox.kithara(fixed.into_iter().chain(flags)).prints()
    }

    /// What plays without a network is right as far as it goes; whether it is all.
    pub fn is_true_offline(&self, sandbox: &Sandbox) -> bool {
        let outcome = self.dump(sandbox, &["--offline"]).any_code().chatty().run();
        let wants = [Some(&self.pcm), self.old.as_ref()];
        let mut wants = wants.into_iter().flatten();
        match outcome.code {
            0 => assert!(wants.any(|want| *want == outcome.stdout), "wrong samples"),
            9 => assert!(
                wants.any(|want| want.starts_with(&outcome.stdout)),
                "wrong samples before the gap"
            ),
            code => panic!("--offline ends with {code}: {}", outcome.stderr),
        }
        outcome.code == 0
    }

    /// The next run completes the stream, clears away what is left over, and
    /// all of it is sound.
    pub fn heals(&self, sandbox: &Sandbox) {
        age(&sandbox.cache_root());
        sandbox.kithara(self.cache_arguments()).run();
        let outcome = self.dump(sandbox, &["--offline"]).run();
        assert!(outcome.stdout == self.pcm, "not the stream after healing");
        sandbox.kithara(["cache", "verify"]).run();
        // A short run ends before its housekeeping does.
        sandbox.kithara(["cache", "gc"]).run();
        assert_tidy(&sandbox.cache_root());
    }

    /// A run without a fault after one with: what it gives is right.
    pub fn is_true_online(&self, outcome: &Outcome) {
        assert!(
            outcome.stdout == self.pcm,
            "wrong samples; {}",
            outcome.stderr
        );
    }
}

/// Whether this is `make torture`.
pub fn is_long() -> bool {
    std::env::var_os("KITHARA_TORTURE").is_some()
}

/// `count` of `all`, spread evenly; all of them in the long form.
pub fn spread<T: Clone>(all: Vec<T>, count: usize) -> Vec<T> {
    if is_long() || all.len() <= count {
        return all;
    }
    (0..count)
        .map(|index| all[index * all.len() / count].clone())
        .collect()
}

/// Does `work` with each of `points`, a few at a time, and says at which one it
/// failed. Returns how many of them counted.
pub fn each<T: Sync + std::fmt::Debug>(points: &[T], work: impl Fn(&T) -> bool + Sync) -> usize {
    let (next, counted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(point)));
                    match done {
                        Ok(counts) => {
                            counted.fetch_add(usize::from(counts), Ordering::Relaxed);
                        }
                        Err(_) => failed
                            .lock()
                            .expect("no panic under it")
                            .push(format!("{point:?}")),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic under it");
    assert!(
        failed.is_empty(),
        "{} points failed: {failed:#?}",
        failed.len()
    );
    counted.into_inner()
}

/// Every call with which a `cache` run changes the cache of `scene`.
pub fn changes(scene: &Scene) -> Vec<Call> {
    let (mut calls, _) = tracer::calls(&scene.home(), scene.cache_arguments(), &WRITES);
    calls.retain(|call| !call.is_look);
    calls
}

/// A copy of a cache.
pub fn copy(root: &Path) -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    copy_tree(root, place.path());
    place
}

/// Copies a folder with all in it over another.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

/// Everything in the cache is two days old, but for the time of the last use.
fn age(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten() {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            age(&path);
        } else if !path.ends_with("lease") {
            let file = fs::File::options().write(true).open(&path).expect("opens");
            file.set_modified(SystemTime::now() - OLD).expect("dated");
        }
    }
}

/// Nothing lies in the cache but streams, and each entry is a record and its bytes.
fn assert_tidy(root: &Path) {
    for entry in fs::read_dir(root).expect("a cache") {
        let stream = entry.expect("readable").path();
        if !stream.is_dir() {
            continue;
        }
        let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in fs::read_dir(&stream).expect("a stream") {
            let name = file
                .expect("readable")
                .file_name()
                .into_string()
                .expect("UTF-8");
            if let Some((entry, rest)) = name.split_once('.') {
                entries
                    .entry(entry.to_owned())
                    .or_default()
                    .push(rest.to_owned());
            }
        }
        for (entry, files) in entries {
            let is_pair = files.len() == 2 && files.iter().any(|rest| rest == "record");
            assert!(
                is_pair && !files.iter().any(|rest| rest.ends_with(".new")),
                "{entry}: {files:?}"
            );
        }
        assert!(
            stream.extension().is_none(),
            "{} is left over",
            stream.display()
        );
    }
}

fn serve_list(origin: &Origin, path: &str, text: &str) {
    origin.serve(path, LIST_TYPE, text.as_bytes().to_vec());
}

/// The list of a fixture with its segments `rounds` times, each under an
/// address of its own.
fn list(fixture: &str, rounds: usize) -> String {
    let text = String::from_utf8(bytes(fixture)).expect("UTF-8");
    let (head, segments) = text.split_at(text.find("#EXTINF").expect("a segment"));
    let segments = segments.replace("#EXT-X-ENDLIST\n", "");
    let round = |number: usize| {
        let lines = segments.lines().map(|line| match line.starts_with('#') {
            true => format!("{line}\n"),
            false => format!("{line}?round={number}\n"),
        });
        lines.collect::<String>()
    };
    let rounds: Vec<_> = (0..rounds).map(round).collect();
    format!(
        "{head}{}#EXT-X-ENDLIST\n",
        rounds.join("#EXT-X-DISCONTINUITY\n")
    )
}

fn encrypt(clear: &[u8]) -> Vec<u8> {
    let encryptor = cbc::Encryptor::<Aes128>::new(&KEY.into(), &42u128.to_be_bytes().into());
    let mut wire = clear.to_vec();
    wire.resize(clear.len() / 16 * 16 + 16, 0);
    encryptor
        .encrypt_padded::<Pkcs7>(&mut wire, clear.len())
        .expect("room for the padding");
    wire
}

/// The frames of a fixture over and over, without the header that tells their number.
fn long_mp3(length: usize) -> Vec<u8> {
    let file = bytes("files/lame.mp3");
    let frames = file
        .windows(2)
        .enumerate()
        .filter(|(_, sync)| *sync == [0xff, 0xfb]);
    let (second, _) = frames
        .skip(1)
        .find(|(at, _)| *at > 300)
        .expect("a second frame");
    let frames = &file[second..];
    frames.repeat(length / frames.len())
}
