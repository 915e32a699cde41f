//! The small media files of `fixtures/`, by their path below it.

use std::fs;
use std::path::PathBuf;

/// The path of a fixture.
pub fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// The bytes of a fixture that must exist.
pub fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture_path(name)).unwrap_or_else(|error| panic!("fixture {name}: {error}"))
}

/// The bytes behind a URL path, when it names a fixture.
pub fn fixture(path: &str) -> Option<Vec<u8>> {
    fs::read(fixture_path(path.trim_start_matches('/'))).ok()
}
