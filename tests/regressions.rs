//! Bytes that once broke a parser: every file in `fuzz/regressions/` goes
//! through the check that found it, and so does every fixture of its kind.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
mod properties;

const TARGETS: [(&str, fn(&[u8]), &[&str]); 7] = [
    ("decrypt", properties::decrypt::check, &[]),
    ("fmp4", properties::fmp4::check, &["m4s", "mp4"]),
    ("id3", properties::id3::check, &["aac", "mp3"]),
    ("key", properties::key::check, &[]),
    ("packed", properties::packed::check, &["aac", "mp3"]),
    ("playlist", properties::playlist::check, &["m3u8"]),
    ("ts", properties::ts::check, &["ts"]),
];

#[test]
fn what_a_fuzzer_once_found_stays_fixed() {
    for (target, check, _) in TARGETS {
        for path in files(&root().join("fuzz/regressions").join(target)) {
            holds(&path, check);
        }
    }
}

#[test]
fn the_fixtures_keep_what_the_fuzzers_check() {
    let fixtures = files(&root().join("fixtures"));
    for (_, check, extensions) in TARGETS {
        for path in &fixtures {
            let extension = path.extension().and_then(|extension| extension.to_str());
            if extension.is_some_and(|extension| extensions.contains(&extension)) {
                holds(path, check);
            }
        }
    }
}

#[test]
fn every_regression_belongs_to_a_target() {
    for path in files(&root().join("fuzz/regressions")) {
        let folder = path.parent().and_then(Path::file_name);
        let is_known = TARGETS
            .iter()
            .any(|(target, ..)| folder.is_some_and(|it| it == *target));
        assert!(is_known, "{} is fed to nothing", path.display());
    }
}

fn holds(path: &Path, check: fn(&[u8])) {
    let bytes = fs::read(path).expect("the file can be read");
    let checked = panic::catch_unwind(|| check(&bytes));
    assert!(checked.is_ok(), "{} is not handled well", path.display());
}

/// All files below `folder`; none when there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("the folder can be read").path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
