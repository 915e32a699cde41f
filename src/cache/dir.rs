//! A folder of ours, held open: every name below it is reached from its
//! descriptor, no link is followed, and what is not a plain file of ours with
//! one name counts as missing.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// A FIFO in place of a file must not block, nor a terminal become ours.
const PLAIN: OFlags = OFlags::NOFOLLOW
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
const BLOCK: u64 = 512; // the unit of st_blocks, whatever the file system

/// An open folder.
#[derive(Debug)]
pub(super) struct Dir(File);

/// How the bytes of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// At offsets.
    Anywhere,
    /// At the end, one whole write after the other.
    Append,
}

/// A plain file of ours.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file.
    pub file: File,
    /// Whether it could be opened for writing too.
    pub is_writable: bool,
}

/// What opening a file led to.
enum Plain {
    File(Opened),
    Missing,
    Strange,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// Device and inode.
    pub inode: (u64, u64),
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it is a plain file with one name.
    pub is_plain: bool,
    /// Bytes on disk: the length, or less where it has holes.
    pub bytes: u64,
    /// Last change of the content.
    pub modified: SystemTime,
}

impl Dir {
    /// Opens a folder by its path; fails when the last part of it is a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(File::from(fs::open(path, FOLDER, Mode::empty())?)))
    }

    /// Makes a folder for us alone, whatever the umask.
    pub fn make(path: &Path) -> io::Result<()> {
        fs::mkdir(path, Mode::RWXU)?;
        Ok(fs::chmod(path, Mode::RWXU)?)
    }

    /// The open folder itself, for its metadata and for `statvfs` and `syncfs`.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Opens the folder `name`; `None` when there is no folder of ours.
    pub fn child(&self, name: &str) -> io::Result<Option<Self>> {
        match fs::openat(&self.0, name, FOLDER, Mode::empty()) {
            Ok(child) => Ok(Some(Self(File::from(child))).filter(|child| is_ours(&child.0))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the folder `name` for us alone unless something has that name.
    pub fn make_child(&self, name: &str) -> io::Result<()> {
        match fs::mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) => Ok(fs::chmodat(&self.0, name, Mode::RWXU, AtFlags::empty())?),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the file `name` for us alone, whatever the umask; fails when
    /// anything has that name.
    pub fn create(&self, name: &str, writing: Writing) -> io::Result<File> {
        let flags = PLAIN | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | writing.flags();
        let mode = Mode::RUSR | Mode::WUSR;
        let file = fs::openat(&self.0, name, flags, mode)?;
        fs::fchmod(&file, mode)?;
        Ok(File::from(file))
    }

    /// Opens the file `name`, for writing too where that is allowed. Anything
    /// that is not a plain file of ours with one name is removed if we may,
    /// and is `None`.
    pub fn open_file(&self, name: &str, writing: Writing) -> io::Result<Option<Opened>> {
        match self.look(name, writing)? {
            Plain::File(opened) => Ok(Some(opened)),
            Plain::Missing => Ok(None),
            Plain::Strange => {
                self.discard(name);
                Ok(None)
            }
        }
    }

    /// As [`Dir::open_file`], in a folder that may not be ours: removes nothing.
    pub fn find_file(&self, name: &str) -> io::Result<Option<Opened>> {
        match self.look(name, Writing::Anywhere)? {
            Plain::File(opened) => Ok(Some(opened)),
            Plain::Missing | Plain::Strange => Ok(None),
        }
    }

    /// Opens the file `name`, or creates it.
    pub fn open_or_create(&self, name: &str) -> io::Result<Opened> {
        let writing = Writing::Anywhere;
        if let Some(opened) = self.open_file(name, writing)? {
            return Ok(opened);
        }
        match self.create(name, writing) {
            Ok(file) => Ok(Opened {
                file,
                is_writable: true,
            }),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self
                .open_file(name, writing)?
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
            Err(error) => Err(error),
        }
    }

    /// Renames `from` to `to` in this folder, in place of what had that name.
    pub fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Renames `from` to `to` in this folder; fails when `to` exists.
    pub fn publish(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            // Network file systems that do not know the flag: two processes
            // that begin one entry at once then keep only the later one.
            Err(Errno::INVAL | Errno::NOSYS) => self.replace(from, to),
            done => Ok(done?),
        }
    }

    /// Removes the file `name`; its size on disk, or zero when it was not there.
    pub fn remove(&self, name: &str) -> io::Result<u64> {
        let bytes = self.status(name)?.map_or(0, |status| status.bytes);
        match fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => Ok(bytes),
            Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the empty folder `name`.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// What `name` stands for, without following a link.
    pub fn status(&self, name: &str) -> io::Result<Option<Status>> {
        let stat = match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            stat => stat?,
        };
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(Some(Status {
            inode: (stat.st_dev, stat.st_ino),
            is_folder: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
            is_plain: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && stat.st_nlink == 1,
            bytes: number(stat.st_size).min(number(stat.st_blocks).saturating_mul(BLOCK)),
            modified: SystemTime::UNIX_EPOCH
                + Duration::from_secs(number(stat.st_mtime))
                + Duration::from_nanos(stat.st_mtime_nsec),
        }))
    }

    /// Whether `name` still stands for the open `file`.
    pub fn holds(&self, name: &str, file: &File) -> io::Result<bool> {
        let open = file.metadata()?;
        let named = self.status(name)?;
        Ok(named.is_some_and(|status| status.inode == (open.dev(), open.ino())))
    }

    /// The names in this folder, in no order; those that are not UTF-8 are not ours.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    /// Bytes that may still be written on this file system.
    pub fn free(&self) -> io::Result<u64> {
        let volume = fs::fstatvfs(&self.0)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }

    fn look(&self, name: &str, writing: Writing) -> io::Result<Plain> {
        let open = |access| {
            let flags = PLAIN | access | writing.flags();
            fs::openat(&self.0, name, flags, Mode::empty()).map(File::from)
        };
        let (opened, is_writable) = match open(OFlags::RDWR) {
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => (open(OFlags::RDONLY), false),
            opened => (opened, true),
        };
        let file = match opened {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Plain::Missing),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::NODEV) => {
                return Ok(Plain::Strange);
            }
            Err(error) => return Err(error.into()),
        };
        let found = file.metadata()?;
        Ok(match found.nlink() {
            0 => Plain::Missing, // replaced since: the name stands for another file now
            1 if found.is_file() && is_ours(&file) => Plain::File(Opened { file, is_writable }),
            _ => Plain::Strange,
        })
    }

    // What cannot be removed stays: it counts as missing either way.
    fn discard(&self, name: &str) {
        let removed = fs::unlinkat(&self.0, name, AtFlags::empty());
        if removed.is_err() {
            let _ = self.remove_folder(name);
        }
    }
}

impl Writing {
    fn flags(self) -> OFlags {
        match self {
            Self::Anywhere => OFlags::empty(),
            Self::Append => OFlags::APPEND,
        }
    }
}

fn is_ours(file: &File) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    file.metadata().is_ok_and(|found| found.uid() == owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> (tempfile::TempDir, Dir) {
        let place = tempfile::tempdir().expect("a folder");
        let dir = Dir::open(place.path()).expect("it opens");
        (place, dir)
    }

    #[test]
    fn only_a_plain_file_with_one_name_is_opened() {
        let (place, dir) = folder();
        let at = |name: &str| place.path().join(name);
        std::fs::write(at("target"), "secret").expect("written");
        symlink(at("target"), at("link")).expect("linked");
        std::fs::hard_link(at("target"), at("twin")).expect("linked");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), Mode::RWXU).expect("a fifo");
        std::fs::create_dir(at("folder")).expect("a folder");
        drop(std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket"));
        for name in ["link", "twin", "fifo", "folder", "socket", "nothing"] {
            let opened = dir.open_file(name, Writing::Anywhere).expect(name);
            assert!(opened.is_none(), "{name}");
            assert_eq!(dir.status(name).expect(name), None, "{name} is removed");
        }
        assert_eq!(std::fs::read(at("target")).expect("kept"), b"secret");
        assert!(
            dir.open_file("target", Writing::Append)
                .expect("opens")
                .is_some()
        );
    }

    #[test]
    fn a_full_folder_in_place_of_a_file_is_missing_and_stays() {
        let (place, dir) = folder();
        std::fs::create_dir_all(place.path().join("x/y")).expect("folders");
        assert!(
            dir.open_file("x", Writing::Append)
                .expect("opens")
                .is_none()
        );
        assert!(
            dir.status("x")
                .expect("stat")
                .is_some_and(|found| found.is_folder)
        );
    }

    #[test]
    fn a_link_is_no_folder() {
        let (place, dir) = folder();
        std::fs::create_dir(place.path().join("real")).expect("a folder");
        symlink("real", place.path().join("link")).expect("linked");
        assert!(dir.child("real").expect("opens").is_some());
        assert!(dir.child("link").expect("opens").is_none());
        assert!(Dir::open(&place.path().join("link")).is_err());
    }

    #[test]
    fn new_files_never_replace() {
        let (_place, dir) = folder();
        dir.create("a", Writing::Append).expect("created");
        assert!(dir.create("a", Writing::Append).is_err());
        dir.create("b", Writing::Append).expect("created");
        assert!(dir.publish("a", "b").is_err());
        dir.publish("a", "c").expect("c is free");
        dir.replace("c", "b").expect("b is replaced");
        assert_eq!(dir.remove("nothing").expect("not there"), 0);
    }

    /// The umask belongs to the whole process: the test runs itself in another.
    #[test]
    fn new_files_are_for_us_alone_whatever_the_umask() {
        const PLACE: &str = "KITHARA_TEST_UMASK";
        if let Some(place) = std::env::var_os(PLACE) {
            let dir = Dir::open(Path::new(&place)).expect("it opens");
            dir.create("file", Writing::Append).expect("created");
            dir.make_child("child").expect("made");
            Dir::make(&Path::new(&place).join("root")).expect("made");
            return;
        }
        for umask in ["000", "077", "777"] {
            let (place, dir) = folder();
            let status = std::process::Command::new("sh")
                .args(["-c", "umask $0; exec \"$@\"", umask])
                .arg(std::env::current_exe().expect("a path"))
                .args(["--exact", std::thread::current().name().expect("a test")])
                .env(PLACE, place.path())
                .stdout(std::process::Stdio::null())
                .status();
            assert!(status.expect("it runs").success(), "{umask}");
            for (name, want) in [("file", 0o600), ("child", 0o700), ("root", 0o700)] {
                let found = std::fs::metadata(place.path().join(name)).expect(name);
                assert_eq!(
                    found.permissions().mode() & 0o7777,
                    want,
                    "{name} at {umask}"
                );
            }
            assert_eq!(dir.names().expect("read").len(), 3);
        }
    }
}
