//! Removing whole streams: which is the oldest, whether it is in use, and how a
//! folder goes away so that no one is ever left with half of it. Deletes only
//! names we made.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::time::{Duration, SystemTime};

use super::dir::{Dir, Writing};
use super::key::{is_hex, is_name};
use super::log::{Found, Log};
use super::root;

/// Held shared by everyone who uses the stream; its time is the last use, its
/// text the URL, for listings.
pub(super) const LEASE: &str = "lease";
/// Empty; beside the lease of a stream that the server has changed.
pub(super) const OUTDATED: &str = "outdated";
/// Ends the name of a record.
pub(super) const RECORD: &str = ".record";
/// Ends the name of a record that is not yet published.
pub(super) const FRESH: &str = ".new";
/// Ends the name of the lock of an entry that a server is asked for.
pub(super) const ASKED: &str = ".asked";
const GONE: &str = ".gone";

const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);
const YOUTH: Duration = Duration::from_secs(5); // its maker may not hold the lock yet

/// A stream that may be evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The name of its folder.
    pub name: String,
    /// When it was last opened.
    pub last_used: SystemTime,
}

/// What became of a stream that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is gone, and so many bytes with it.
    Done(u64),
    /// Somebody uses it, or used it since.
    Busy,
    /// It was not there.
    Missing,
}

/// The streams of a root, the one to evict first at the end.
pub(super) fn candidates(root: &Dir) -> io::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for name in root.names()?.into_iter().filter(|name| is_name(name)) {
        if let Some(dir) = root.child(&name)? {
            let lease = dir.status(LEASE)?;
            let last_used = lease.map_or(SystemTime::UNIX_EPOCH, |status| status.modified);
            candidates.push(Candidate { name, last_used });
        }
    }
    candidates.sort_by_key(|candidate| Reverse(candidate.last_used));
    Ok(candidates)
}

/// Bytes on disk of these streams.
pub(super) fn sizes(root: &Dir, candidates: &[Candidate]) -> io::Result<u64> {
    let mut bytes = 0;
    for candidate in candidates {
        if let Some(dir) = root.child(&candidate.name)? {
            bytes += size(&dir)?;
        }
    }
    Ok(bytes)
}

/// Bytes on disk of the files in a stream's folder.
pub(super) fn size(dir: &Dir) -> io::Result<u64> {
    let mut bytes = 0;
    for name in dir.names()? {
        bytes += dir.status(&name)?.map_or(0, |status| status.bytes);
    }
    Ok(bytes)
}

/// Removes a stream unless somebody holds its lease or used it after `unless_used`.
pub(super) fn remove(
    root: &Dir,
    name: &str,
    unless_used: Option<SystemTime>,
) -> io::Result<Removal> {
    let Some(dir) = root.child(name)? else {
        return Ok(Removal::Missing);
    };
    let lease = dir.open_or_create(LEASE)?.file;
    if !lock(&lease)? {
        return Ok(Removal::Busy);
    }
    // Between look and lock another process may have removed and made it anew.
    let is_current = root.holds(name, dir.file())? && dir.holds(LEASE, &lease)?;
    let used = lease.metadata()?.modified()?;
    if !is_current || unless_used.is_some_and(|known| used > known) {
        return Ok(Removal::Busy);
    }
    let gone = format!("{name}.{:016x}{GONE}", now());
    root.replace(name, &gone)?;
    let bytes = empty(&dir)?;
    // A name that is not ours keeps the folder; the next sweep tries again.
    let _ = root.remove_folder(&gone);
    Ok(Removal::Done(bytes))
}

/// Finishes what dead processes left: folders half removed, files of entries
/// that were never published or were replaced. A process holds a lock on such
/// files, and on the lease of their stream, as long as it lives.
pub(super) fn sweep(root: &Dir) -> io::Result<()> {
    for name in root.names()? {
        if !is_gone(&name) && !is_name(&name) {
            continue;
        }
        let Some(dir) = root.child(&name)? else {
            continue;
        };
        if is_gone(&name) {
            empty(&dir)?;
            let _ = root.remove_folder(&name);
        } else {
            sweep_stream(&dir)?;
        }
    }
    Ok(())
}

/// Removes every stream and the root's own files; the caller removes the folder.
pub(super) fn clear(root: &Dir) -> io::Result<()> {
    for name in root.names()? {
        if (is_name(&name) || is_gone(&name))
            && let Some(dir) = root.child(&name)?
        {
            empty(&dir)?;
            let _ = root.remove_folder(&name);
        }
    }
    for name in root::FILES {
        root.remove(name)?;
    }
    Ok(())
}

/// Nanoseconds since 1970: numbers that grow, for names nobody had before.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn lock(lease: &File) -> io::Result<bool> {
    match lease.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes our files from a stream's folder; their size.
fn empty(dir: &Dir) -> io::Result<u64> {
    let mut bytes = 0;
    for name in dir.names()? {
        if [LEASE, OUTDATED].contains(&name.as_str()) || entry_of(&name).is_some() {
            bytes += dir.remove(&name)?;
        }
    }
    Ok(bytes)
}

/// The entry a file belongs to, and what follows its name.
pub(super) fn entry_of(file: &str) -> Option<(&str, &str)> {
    let (name, rest) = file.split_at_checked(64)?;
    let is_generation = |text: &str| {
        text.strip_prefix('.')
            .is_some_and(|digits| digits.len() == 16 && is_hex(digits))
    };
    let bare = rest.strip_suffix(FRESH).unwrap_or(rest);
    (is_name(name) && (rest == RECORD || rest == ASKED || is_generation(bare)))
        .then_some((name, rest))
}

fn is_gone(name: &str) -> bool {
    let bare = name.strip_suffix(GONE);
    bare.and_then(entry_of).is_some()
}

fn sweep_stream(dir: &Dir) -> io::Result<()> {
    let names = dir.names()?;
    let mut entries: HashMap<&str, Vec<&str>> = HashMap::new();
    for (entry, rest) in names.iter().filter_map(|name| entry_of(name)) {
        entries.entry(entry).or_default().push(rest);
    }
    entries.retain(|_, files| files.len() != 2 || !files.contains(&RECORD));
    if entries.is_empty() {
        return Ok(());
    }
    let lease = dir.open_file(LEASE, Writing::Anywhere)?;
    let is_unused = match &lease {
        Some(lease) => lock(&lease.file)?, // until we are through
        None => false,
    };
    for (entry, files) in entries {
        sweep_files(dir, entry, &files, is_unused)?;
    }
    Ok(())
}

/// Removes files of one entry that its record does not name and that no live
/// process made.
pub(super) fn sweep_entry(dir: &Dir, entry: &str) -> io::Result<()> {
    let names = dir.names()?;
    let ours = names.iter().filter_map(|name| entry_of(name));
    let files: Vec<_> = ours
        .filter(|(name, _)| *name == entry)
        .map(|(_, rest)| rest)
        .collect();
    sweep_files(dir, entry, &files, false)
}

/// Removes those of an entry's `files` that its record does not name, if the
/// whole stream `is_unused` or their makers are dead.
fn sweep_files(dir: &Dir, entry: &str, files: &[&str], is_unused: bool) -> io::Result<()> {
    let current = match Log::open(dir, &format!("{entry}{RECORD}"))? {
        Found::Log(log) => data_name(entry, log.record.generation),
        Found::Nothing | Found::Garbled => String::new(),
    };
    for rest in files.iter().filter(|rest| **rest != RECORD) {
        let name = format!("{entry}{rest}");
        if name != current && (is_unused || is_left(dir, &name)?) {
            dir.remove(&name)?;
        }
    }
    Ok(())
}

/// Whether the maker of a file in a stream that is used is dead.
fn is_left(dir: &Dir, name: &str) -> io::Result<bool> {
    let status = dir.status(name)?;
    let age = status.and_then(|status| status.modified.elapsed().ok());
    let Some(age) = age.filter(|age| *age > YOUTH) else {
        return Ok(false);
    };
    let file = dir.open_file(name, Writing::Anywhere)?;
    let is_free = file.map_or(Ok(true), |file| lock(&file.file))?;
    Ok(is_free || age > LEFTOVER_AGE)
}

/// The file of an entry's bytes.
pub(super) fn data_name(entry: &str, generation: u64) -> String {
    format!("{entry}.{generation:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const OLD: Duration = Duration::from_secs(25 * 3600);

    fn name(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    fn root() -> (tempfile::TempDir, Dir) {
        let place = tempfile::tempdir().expect("a folder");
        let dir = Dir::open(place.path()).expect("it opens");
        (place, dir)
    }

    fn stream(root: &Path, letter: char, age: Duration) -> File {
        let folder = root.join(name(letter));
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join(data_name(&name('0'), 1)), [1; 100]).expect("written");
        let lease = File::create(folder.join(LEASE)).expect("created");
        lease.set_modified(SystemTime::now() - age).expect("dated");
        lease
    }

    #[test]
    fn the_stream_not_used_for_longest_comes_last() {
        let (place, root) = root();
        for (letter, hours) in [('a', 2), ('b', 9), ('c', 5)] {
            stream(place.path(), letter, Duration::from_secs(hours * 3600));
        }
        std::fs::create_dir(place.path().join(name('d'))).expect("one without a lease");
        std::fs::create_dir(place.path().join("foreign")).expect("no stream");
        let order = candidates(&root).expect("read");
        let names: Vec<_> = order.iter().map(|found| found.name.clone()).collect();
        assert_eq!(names, ['a', 'c', 'b', 'd'].map(name));
        assert_eq!(sizes(&root, &order).expect("read"), 300);
    }

    #[test]
    fn a_stream_in_use_or_used_since_stays() {
        let (place, root) = root();
        let hour = Duration::from_secs(3600);
        let lease = stream(place.path(), 'a', hour);
        lease.lock_shared().expect("leased");
        assert_eq!(
            remove(&root, &name('a'), None).expect("tried"),
            Removal::Busy
        );
        lease.unlock().expect("returned");
        let known = Some(SystemTime::now() - 2 * hour);
        assert_eq!(
            remove(&root, &name('a'), known).expect("tried"),
            Removal::Busy
        );
        assert_eq!(
            remove(&root, &name('a'), None).expect("tried"),
            Removal::Done(100)
        );
        assert_eq!(
            remove(&root, &name('a'), None).expect("tried"),
            Removal::Missing
        );
        assert_eq!(root.names().expect("read"), Vec::<String>::new());
    }

    #[test]
    fn what_dead_processes_left_is_swept_at_once() {
        let (place, root) = root();
        let lease = stream(place.path(), 'a', OLD);
        let made = |file: &str| {
            let path = place.path().join(name('a')).join(file);
            let made = File::create(&path).expect("made");
            made.set_modified(SystemTime::now() - 2 * YOUTH)
                .expect("dated");
            (path, made)
        };
        let asked = [made(&(name('1') + ASKED)), made(&(name('2') + ASKED))];
        let fresh = [
            made(&(data_name(&name('3'), 1) + FRESH)),
            made(&data_name(&name('4'), 1)),
        ];
        let young = made(&data_name(&name('5'), 1));
        young.1.set_modified(SystemTime::now()).expect("dated");
        lease.lock_shared().expect("leased");
        asked[0].1.try_lock().expect("asking");
        fresh[0].1.try_lock().expect("writing");
        let there = || {
            let files = asked.iter().chain(&fresh).chain([&young]);
            files.map(|(path, _)| path.exists()).collect::<Vec<_>>()
        };
        sweep(&root).expect("swept");
        assert_eq!(there(), [true, false, true, false, true], "in use");
        lease.unlock().expect("returned");
        sweep(&root).expect("swept");
        assert_eq!(there(), [false; 5], "nobody uses the stream");
    }

    #[test]
    fn what_is_old_is_swept_and_what_is_not_ours_stays() {
        let (place, root) = root();
        let lease = stream(place.path(), 'a', OLD);
        lease.lock_shared().expect("leased");
        let at = |file: &str| place.path().join(name('a')).join(file);
        let data = |generation| data_name(&name('0'), generation);
        let record = super::super::record::Record {
            identity: super::super::Identity::of_url("http://h/"),
            head: super::super::Head::default(),
            generation: 1,
        };
        let files = [
            (
                format!("{}{RECORD}", name('0')),
                record.first_line(),
                OLD,
                true,
            ),
            (data(1), "current".to_owned(), OLD, true),
            (data(2), "replaced".to_owned(), OLD, false),
            (data(3), "being made".to_owned(), Duration::ZERO, true),
            (data(4) + FRESH, "never published".to_owned(), OLD, false),
            (data_name(&name('1'), 1), "no record".to_owned(), OLD, false),
            ("notes.txt".to_owned(), "not ours".to_owned(), OLD, true),
        ];
        for (file, text, age, _) in &files {
            std::fs::write(at(file), text).expect("written");
            let opened = File::options().append(true).open(at(file)).expect("opens");
            opened
                .set_modified(SystemTime::now() - *age)
                .expect("dated");
        }
        let gone = format!("{}.{:016x}{GONE}", name('b'), 5);
        std::fs::create_dir(place.path().join(&gone)).expect("half removed");
        std::fs::write(place.path().join(&gone).join(data(1)), "x").expect("written");
        sweep(&root).expect("swept");
        for (file, text, _, stays) in &files {
            assert_eq!(at(file).exists(), *stays, "{text}");
        }
        assert!(!place.path().join(gone).exists());
    }
}
