//! The folder everything lies in: for us alone, with a marker that says it is
//! ours. A folder with anything else in it is never written to.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::dir::{Dir, Writing};
use crate::error::{Kind, Problem};

/// The marker; its text names the format of the folder.
pub(super) const MARKER: &str = "kithara-cache";
/// The key of credential hashes.
const SECRET: &str = "secret";
/// The shared total, see `space.rs`.
pub(super) const TOTAL: &str = "total";

/// Every file of ours that lies in the root itself.
pub(super) const FILES: [&str; 3] = [MARKER, SECRET, TOTAL];

const FORMAT: &str = "kithara cache 1\n";
const OTHERS_WRITE: u32 = 0o022;
const PRIVATE: &str = "kithara-private-";
const PRIVATE_PER_PROCESS: u32 = 1000; // leftovers of dead processes with our number
const PRIVATE_YOUTH: Duration = Duration::from_secs(60); // its maker may not hold the lock yet

/// Opens the root. `None` when there is none.
///
/// # Errors
///
/// [`Kind::Unsafe`] when it is a link, no folder, somebody else's, writable by
/// others, or holds other things than a cache; [`Kind::Cache`] when it cannot
/// be read.
pub(super) fn open(path: &Path) -> Result<Option<Dir>, Problem> {
    let dir = match Dir::open(path) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Something else on the way to it is only a place that cannot be used.
        Err(error) if is_strange(&error) && fs::symlink_metadata(path).is_ok() => {
            return Err(refused(path, "it is a link or no folder"));
        }
        Err(error) => return Err(unusable(path, error)),
    };
    let found = dir
        .file()
        .metadata()
        .map_err(|error| unusable(path, error))?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(path, "it belongs to another user"));
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(refused(path, "other users may write in it"));
    }
    let is_empty = || Ok(dir.names()?.is_empty());
    let found = match marker(&dir) {
        // Another process may have made the marker between the two looks.
        Ok(Marker::Missing) if !is_empty().map_err(|error| unusable(path, error))? => marker(&dir),
        Ok(Marker::Missing) => return Ok(Some(dir)),
        found => found,
    };
    match found.map_err(|error| unusable(path, error))? {
        Marker::Ours => Ok(Some(dir)),
        Marker::Missing => Err(refused(path, "it holds other files and no cache")),
        Marker::Newer => Err(refused(path, "another version of kithara wrote it")),
    }
}

/// Opens the root, and makes it, for us alone, when there is none.
pub(super) fn make(path: &Path) -> Result<Dir, Problem> {
    let dir = match open(path)? {
        Some(dir) => dir,
        None => {
            create(path).map_err(|error| unusable(path, error))?;
            open(path)?.ok_or_else(|| unusable(path, io::ErrorKind::NotFound.into()))?
        }
    };
    if matches!(marker(&dir), Ok(Marker::Missing)) {
        adopt(&dir).map_err(|error| unusable(path, error))?;
    }
    Ok(dir)
}

/// The key of this cache's credential hashes; made when there is none.
pub(super) fn secret(dir: &Dir) -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    let opened = dir.open_or_create(SECRET)?;
    if opened.file.read_exact_at(&mut secret, 0).is_err() {
        File::open("/dev/urandom")?.read_exact(&mut secret)?;
        opened.file.write_all_at(&secret, 0)?;
    }
    Ok(secret)
}

/// The marker, open: locked by everyone who uses the cache.
pub(super) fn users(dir: &Dir) -> io::Result<File> {
    let opened = dir.find_file(MARKER)?;
    opened
        .map(|opened| opened.file)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Makes a folder in `parent` that no other process uses.
pub(super) fn private(parent: &Path) -> Result<PathBuf, Problem> {
    for number in 0..PRIVATE_PER_PROCESS {
        let name = format!("{PRIVATE}{}-{number}", std::process::id());
        let path = parent.join(name);
        match Dir::make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(&path, error)),
        }
    }
    Err(unusable(parent, io::ErrorKind::AlreadyExists.into()))
}

/// The private folders that dead processes left in `parent`, each with the
/// lock that keeps it ours until it is removed.
pub(super) fn abandoned(parent: &Path) -> Vec<(PathBuf, Dir, File)> {
    let abandoned = |path: PathBuf| {
        let dir = open(&path).ok()??;
        let marker = users(&dir).ok()?;
        let age = marker.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        let is_left = age > PRIVATE_YOUTH && marker.try_lock().is_ok();
        is_left.then_some((path, dir, marker))
    };
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PRIVATE))
        .filter_map(|entry| abandoned(entry.path()))
        .collect()
}

enum Marker {
    Ours,
    Missing,
    Newer,
}

fn marker(dir: &Dir) -> io::Result<Marker> {
    let Some(opened) = dir.find_file(MARKER)? else {
        return Ok(Marker::Missing);
    };
    let mut text = [0; 32];
    let length = opened.file.read_at(&mut text, 0)?;
    let text = text.get(..length).unwrap_or_default();
    if text == FORMAT.as_bytes() {
        return Ok(Marker::Ours);
    }
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.strip_prefix("kithara cache ")?.strip_suffix('\n'))
        .and_then(|number| number.parse::<u32>().ok());
    if number.is_some() {
        return Ok(Marker::Newer);
    }
    // Torn or garbled; that it is there is enough.
    if opened.is_writable {
        opened.file.set_len(0)?;
        opened.file.write_all_at(FORMAT.as_bytes(), 0)?;
    }
    Ok(Marker::Ours)
}

fn adopt(dir: &Dir) -> io::Result<()> {
    dir.file()
        .set_permissions(fs::Permissions::from_mode(0o700))?;
    for (name, text) in [(MARKER, FORMAT), (TOTAL, "0 0\n")] {
        match dir.create(name, Writing::Anywhere) {
            Ok(mut file) => file.write_all(text.as_bytes())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(parent)?;
    }
    match Dir::make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn is_strange(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::LOOP | Errno::NOTDIR))
}

fn refused(path: &Path, why: &str) -> Problem {
    Problem::new(
        Kind::Unsafe,
        format!("cannot use the cache folder {path:?}"),
        why,
        "name an empty folder of your own with --cache-dir",
    )
}

/// The answer to a system that refuses.
pub(super) fn unusable(path: &Path, error: io::Error) -> Problem {
    Problem::from_io(
        error,
        Kind::Cache,
        format!("cannot use the cache folder {path:?}"),
        "check its permissions and the disk, or use --no-cache",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("above/cache");
        (place, root)
    }

    #[test]
    fn a_root_is_made_for_us_alone_and_found_again() {
        let (_place, root) = place();
        assert!(open(&root).expect("nothing there").is_none());
        let first = make(&root).expect("made");
        let mode = first.file().metadata().expect("there").mode();
        assert_eq!(mode & 0o7777, 0o700);
        let key = secret(&first).expect("made");
        let again = make(&root).expect("found");
        assert_eq!(secret(&again).expect("read"), key);
        assert_ne!(key, [0; 32]);
    }

    #[test]
    fn a_folder_that_is_not_ours_is_refused_and_left_alone() {
        let (place, root) = place();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("full")).expect("a folder");
        fs::write(at("full/thesis.txt"), "years").expect("written");
        fs::create_dir(at("open")).expect("a folder");
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).expect("opened");
        fs::write(at("file"), "text").expect("written");
        make(&root).expect("made");
        symlink(&root, at("link")).expect("linked");
        fs::create_dir(at("newer")).expect("a folder");
        fs::write(at("newer").join(MARKER), "kithara cache 2\n").expect("written");
        symlink("full", at("full").join(MARKER)).expect("not a marker of ours");
        for name in ["full", "open", "file", "link", "newer"] {
            let problem = make(&at(name)).expect_err(name);
            assert_eq!(problem.kind, Kind::Unsafe, "{name}: {problem}");
        }
        assert_eq!(fs::read_dir(at("full")).expect("there").count(), 2);
    }

    #[test]
    fn an_empty_folder_becomes_the_cache_and_a_garbled_marker_is_mended() {
        let (_place, root) = place();
        fs::create_dir_all(&root).expect("a folder");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("shown");
        make(&root).expect("adopted");
        assert_eq!(fs::metadata(&root).expect("there").mode() & 0o7777, 0o700);
        for garbage in ["", "kithara", "kithara cache x\n", "\0\0\0"] {
            fs::write(root.join(MARKER), garbage).expect("garbled");
            fs::write(root.join("other"), "").expect("no longer empty");
            make(&root).expect(garbage);
            let text = fs::read_to_string(root.join(MARKER)).expect("there");
            assert_eq!(text, FORMAT);
        }
    }
}
