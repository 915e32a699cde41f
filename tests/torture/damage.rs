//! A finished cache is damaged, one thing after another: a bit in each block and
//! in each line of a record, and strange things in place of files. The sound
//! stays right, without a network the gap is named, `verify` finds it and
//! `--repair` takes it away.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scene::{Scene, each, is_long, spread};
use crate::stories::sandbox::Sandbox;

const BLOCK: u64 = 64 << 10; // what one checksum covers
const SHORT: usize = 6;

/// One change of one file of the cache.
#[derive(Clone, Debug)]
enum Harm {
    /// The lowest bit of the byte at this offset is turned over.
    Bit(u64),
    Cut(u64),
    Zeros,
    Deleted,
    Link,
    Fifo,
    Folder,
    Device,
    /// The content of another file of the same kind.
    Swapped(PathBuf),
}

/// A file below the cache root, and what happens to it.
#[derive(Clone, Debug)]
struct Point {
    file: PathBuf,
    is_record: bool,
    harm: Harm,
}

impl Point {
    /// Does the harm; `false` when this machine does not let us.
    fn strike(&self, root: &Path) -> bool {
        let path = root.join(&self.file);
        let length = fs::metadata(&path).expect("there").len();
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("opens");
        match &self.harm {
            Harm::Bit(at) => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, *at).expect("read");
                file.write_all_at(&[byte[0] ^ 1], *at).expect("written");
            }
            Harm::Cut(at) => file.set_len(*at).expect("cut"),
            Harm::Zeros => file
                .write_all_at(&vec![0; length as usize], 0)
                .expect("written"),
            Harm::Swapped(other) => {
                let (other, mine) = (root.join(other), fs::read(&path).expect("read"));
                fs::write(&path, fs::read(&other).expect("read")).expect("written");
                fs::write(other, mine).expect("written");
            }
            strange => {
                fs::remove_file(&path).expect("removed");
                return make(strange, &path);
            }
        }
        true
    }
}

fn make(strange: &Harm, path: &Path) -> bool {
    let run = |name: &str, more: &[&str]| {
        let status = Command::new(name).arg(path).args(more).status();
        status.is_ok_and(|status| status.success())
    };
    match strange {
        Harm::Link => symlink("/etc/hostname", path).is_ok(),
        Harm::Fifo => run("mkfifo", &[]),
        Harm::Folder => fs::create_dir(path).is_ok(),
        Harm::Device => run("mknod", &["c", "1", "3"]),
        _ => true,
    }
}

/// The files of the entries, as paths below the root.
fn files(sandbox: &Sandbox) -> Vec<(PathBuf, u64)> {
    let root = sandbox.cache_root();
    let below = |(path, length): (PathBuf, u64)| {
        let path = path.strip_prefix(&root).expect("below it").to_owned();
        (path, length)
    };
    let is_entry = |path: &Path| path.extension().is_some() && path.components().count() == 2;
    let all = sandbox.cache_files().into_iter().map(below);
    all.filter(|(path, _)| is_entry(path)).collect()
}

fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "record")
}

/// One bit in the middle of each block of the bytes, and of each line of the records.
fn bits(sandbox: &Sandbox) -> Vec<Point> {
    let mut points = Vec::new();
    for (file, length) in files(sandbox) {
        let is_record = is_record(&file);
        let mut add = |at| {
            let (file, harm) = (file.clone(), Harm::Bit(at));
            points.push(Point {
                file,
                is_record,
                harm,
            });
        };
        if is_record {
            let text = fs::read_to_string(sandbox.cache_root().join(&file)).expect("text");
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                add(start + line.len() as u64 / 2);
                start += line.len() as u64;
            }
        } else {
            (0..length.div_ceil(BLOCK)).for_each(|block| {
                add((block * BLOCK + length.min((block + 1) * BLOCK)) / 2);
            });
        }
    }
    points
}

/// Every other harm to every file.
fn mishaps(sandbox: &Sandbox) -> Vec<Point> {
    let files = files(sandbox);
    let mut points = Vec::new();
    for (file, length) in &files {
        let is_record = is_record(file);
        let other = files.iter().map(|(other, _)| other);
        let mut other = other.filter(|other| *other != file && self::is_record(other) == is_record);
        let swapped = other.next().cloned().map(Harm::Swapped);
        let harms = [
            Harm::Cut(length / 2),
            Harm::Cut(0),
            Harm::Zeros,
            Harm::Deleted,
            Harm::Link,
            Harm::Fifo,
            Harm::Folder,
            Harm::Device,
        ];
        for harm in harms.into_iter().chain(swapped) {
            let file = file.clone();
            points.push(Point {
                file,
                is_record,
                harm,
            });
        }
    }
    points
}

/// A copy of a finished cache, damaged at `point`.
fn damaged(whole: &Path, point: &Point) -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    crate::scene::copy_tree(whole, &sandbox.cache_root());
    point.strike(&sandbox.cache_root()).then_some(sandbox)
}

fn check(scene: &Scene, whole: &Path, point: &Point) -> bool {
    let Some(sandbox) = damaged(whole, point) else {
        return false;
    };
    let outcome = scene
        .dump(&sandbox, &["--offline"])
        .any_code()
        .chatty()
        .run();
    assert!(scene.pcm.starts_with(&outcome.stdout), "wrong samples");
    // A line that a later one replaces may be lost.
    let is_harmless = point.is_record && outcome.code == 0;
    assert!(
        is_harmless || outcome.code == 9,
        "it plays: {}",
        outcome.stderr
    );
    let is_named = ["segment ", "http://"]
        .iter()
        .any(|name| outcome.stderr.contains(name));
    assert!(
        is_harmless || is_named,
        "the gap has no name: {}",
        outcome.stderr
    );
    let sandbox = damaged(whole, point).expect("it worked before");
    scene.is_true_online(&scene.dump(&sandbox, &[]).run());
    scene.is_true_offline(&sandbox);
    scene.heals(&sandbox);
    // A deleted record cannot be told from one that never was.
    let is_unknowable = point.is_record && matches!(point.harm, Harm::Deleted);
    let sandbox = damaged(whole, point).expect("it worked before");
    check_verify(&sandbox, is_harmless || is_unknowable);
    scene.is_true_offline(&sandbox);
    scene.heals(&sandbox);
    true
}

fn check_verify(sandbox: &Sandbox, is_sound: bool) {
    let verify = |flags: &[&str]| {
        let words = ["cache", "verify"].iter().chain(flags);
        sandbox.kithara(words).any_end().prints().chatty().run()
    };
    let found = verify(&[]);
    let text = found.text();
    assert_eq!(
        found.code,
        if is_sound { 0 } else { 7 },
        "{text} {}",
        found.stderr
    );
    assert_eq!(text.contains("http://"), !is_sound, "{text}");
    assert_eq!(verify(&["--repair"]).code, 0, "repair");
    assert_eq!(verify(&[]).code, 0, "verify after repair");
}

fn sweep(what: &str, points: fn(&Sandbox) -> Vec<Point>) {
    let mut scenes = vec![Scene::fmp4(1), Scene::mp3(150_000)];
    if is_long() {
        scenes.push(Scene::ts_aes(1));
    }
    for scene in scenes {
        let sandbox = Sandbox::new();
        sandbox.kithara(scene.cache_arguments()).run();
        let points = spread(points(&sandbox), SHORT);
        let counted = each(&points, |point| check(&scene, &sandbox.cache_root(), point));
        println!(
            "damage sweep: {what}: {}: {counted} points, 0 wrong samples",
            scene.name
        );
    }
}

#[test]
fn a_bit_flipped_in_any_block_or_line_changes_no_sample() {
    sweep("one bit", bits);
}

#[test]
fn whatever_stands_in_place_of_a_file_changes_no_sample() {
    sweep("mishaps", mishaps);
}
