//! The room as its users see it: bytes in, bytes out, in spite of everything
//! that may happen to the disk and beside us.

mod damage;
mod life;
mod limit;
mod places;
mod power;
mod several;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::media::Source;
use tempfile::TempDir;

/// A place for a cache, and the instruments of one process.
struct Rig {
    place: TempDir,
    bell: Arc<Bell>,
    stats: Arc<Stats>,
}

impl Rig {
    fn new() -> Self {
        Self {
            place: tempfile::tempdir().expect("a folder"),
            bell: Arc::default(),
            stats: Arc::default(),
        }
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("cache")
    }

    /// As a process that starts now would have it.
    fn cache(&self) -> Cache {
        self.limited(None)
    }

    fn limited(&self, limit: Option<u64>) -> Cache {
        let (bell, stats) = (Arc::clone(&self.bell), Arc::clone(&self.stats));
        Cache::open(&self.root(), limit, bell, stats).expect("it opens")
    }

    fn stream(&self) -> Stream {
        self.cache().stream(&id("list")).expect("it is made")
    }

    /// What a later run has of an entry.
    fn found(&self, name: &str) -> Option<Arc<Entry>> {
        self.stream().find(&id(name))
    }

    /// The one file of the cache that ends so.
    fn file(&self, is_wanted: fn(&str) -> bool) -> PathBuf {
        let files = files(&self.root());
        let name = |path: &&PathBuf| is_wanted(&path.to_string_lossy());
        files.iter().find(name).expect("it is there").clone()
    }

    fn record_file(&self) -> PathBuf {
        self.file(|path| path.ends_with(".record"))
    }

    fn data_file(&self) -> PathBuf {
        self.file(is_data)
    }
}

fn is_data(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    evict::entry_of(name).is_some_and(|(_, rest)| rest != evict::RECORD)
}

/// Every file below `path`.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).expect("a folder") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

fn id(name: &str) -> Identity {
    Identity::of_url(&format!("http://host/{name}"))
}

/// Bytes that are nowhere the same.
fn body(length: usize) -> Vec<u8> {
    let mut state = length as u32 | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn tagged(tag: &str, total: usize) -> Head {
    Head {
        etag: Some(format!("\"{tag}\"")),
        total: Some(total as u64),
        ..Head::default()
    }
}

fn writer(entry: &Arc<Entry>, offset: u64) -> Writer {
    let writer = entry.writer(offset).expect("writable");
    writer.expect("nobody else writes")
}

/// Writes `bytes` at `offset`, in parts as the network might bring them.
fn write(entry: &Arc<Entry>, offset: usize, bytes: &[u8]) {
    let mut writer = writer(entry, offset as u64);
    for part in bytes.chunks(10_007) {
        writer.write(part).expect("written");
    }
    writer.close().expect("recorded");
}

fn stored(stream: &Stream, name: &str, bytes: &[u8]) -> Arc<Entry> {
    let entry = stream.begin(&id(name), tagged("1", bytes.len()));
    let entry = entry.expect("begun");
    write(&entry, 0, bytes);
    entry
}

/// Everything a reader gets from `offset` on, and the problem that ended it.
fn read(entry: &Arc<Entry>, offset: u64) -> (Vec<u8>, Option<Problem>) {
    let mut reader = entry.reader();
    io::Seek::seek(&mut reader, io::SeekFrom::Start(offset)).expect("a seek");
    let mut bytes = Vec::new();
    let problem = reader.read_to_end(&mut bytes).err();
    let problem = problem.map(|error| Problem::inside(&error).expect("a problem").clone());
    (bytes, problem)
}
