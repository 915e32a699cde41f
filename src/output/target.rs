//! Opens what the user named with `-o` or `--ledger`, and never destroys what
//! was there before they said so.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::{Kind, Problem};
use crate::text;

const ELSEWHERE: &str = "choose another place";

/// A file, a pipe or a device, open for writing.
#[derive(Debug)]
pub struct Target {
    file: File,
    /// For messages: quoted and safe.
    name: String,
    is_regular: bool,
    /// The file we made, and where: it goes when nothing was written.
    made: Option<PathBuf>,
}

impl Target {
    /// Opens `path` for text; `-` is standard output.
    ///
    /// A file that is there stays as it is until the first frame. A pipe or a
    /// device is used as it is; a link is followed only with `force`.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for an existing file or a link without `force`,
    /// [`Kind::Output`] when it cannot be opened.
    pub fn open(path: &Path, force: bool) -> Result<Self, Problem> {
        if path == Path::new("-") {
            return Self::stdout();
        }
        let made = options(OFlags::NOFOLLOW).create_new(true).open(path);
        let target = match made {
            Ok(file) => Self::new(file, path, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_existing(path, force)?
            }
            Err(error) => return Err(cannot_open(path, error)),
        };
        Ok(target)
    }

    /// Opens `path` for samples: the same, but a terminal is refused without `force`.
    ///
    /// # Errors
    ///
    /// Those of [`Target::open`]; [`Kind::Arguments`] for a terminal.
    pub fn open_binary(path: &Path, force: bool) -> Result<Self, Problem> {
        let target = Self::open(path, force)?;
        if target.file.is_terminal() && !force {
            return Err(Problem::new(
                Kind::Arguments,
                format!("cannot write sound to {}", target.name),
                "it is a terminal",
                "name a file with -o or pipe it into a program",
            ));
        }
        Ok(target)
    }

    fn stdout() -> Result<Self, Problem> {
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|error| cannot_open(Path::new("-"), error))?;
        Ok(Self {
            file,
            name: "standard output".to_owned(),
            is_regular: false, // even if it is one: others may write to it as well
            made: None,
        })
    }

    fn new(file: File, path: &Path, is_made: bool) -> Self {
        Self {
            is_regular: file.metadata().is_ok_and(|meta| meta.is_file()),
            file,
            name: quoted(path),
            made: is_made.then(|| path.to_owned()),
        }
    }

    /// Whether there is a way back to the start, to write the lengths.
    pub(super) fn is_seekable(&self) -> bool {
        self.is_regular
    }

    /// Drops what the file held before.
    pub(super) fn clear(&self) -> Result<(), Problem> {
        self.cut(0)
    }

    /// Makes the file `length` bytes long; nothing for a pipe.
    pub(super) fn cut(&self, length: u64) -> Result<(), Problem> {
        if !self.is_regular {
            return Ok(());
        }
        self.file
            .set_len(length)
            .map_err(|error| self.failed(error))
    }

    /// Appends `bytes`; `done` counts those that were taken, also before an error.
    pub(super) fn write(&self, mut bytes: &[u8], done: &mut u64) -> Result<(), Problem> {
        while !bytes.is_empty() {
            match (&self.file).write(bytes) {
                Ok(0) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    *done += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Replaces the bytes from `offset` on; where the next [`Target::write`] goes stays.
    pub(super) fn patch(&self, bytes: &[u8], offset: u64) -> Result<(), Problem> {
        let patched = self.file.write_all_at(bytes, offset);
        patched.map_err(|error| self.failed(error))
    }

    /// Removes the file if we made it: nothing came that it could hold.
    pub(super) fn discard(&mut self) {
        let Some(path) = self.made.take() else {
            return;
        };
        let is_same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        if let (Ok(ours), Ok(there)) = (self.file.metadata(), fs::symlink_metadata(&path))
            && is_same(&ours, &there)
        {
            // An empty file that stays is ugly, but no error.
            let _ = fs::remove_file(path);
        }
    }

    fn failed(&self, error: io::Error) -> Problem {
        let what = format!("cannot write {}", self.name);
        let (kind, todo) = match error.kind() {
            io::ErrorKind::BrokenPipe => (Kind::ClosedPipe, ELSEWHERE),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (Kind::Output, "free some space and run it again")
            }
            _ => (Kind::Output, ELSEWHERE),
        };
        Problem::from_io(error, kind, what, todo)
    }
}

fn open_existing(path: &Path, force: bool) -> Result<Target, Problem> {
    let there = fs::symlink_metadata(path).map_err(|error| cannot_open(path, error))?;
    let refused = |why, todo| {
        let what = format!("cannot write {}", quoted(path));
        Err(Problem::new(Kind::Arguments, what, why, todo))
    };
    let kind = there.file_type();
    let opened = if kind.is_symlink() && !force {
        return refused("it is a link", "add -f to follow it");
    } else if kind.is_file() && !force {
        return refused("the file exists", "add -f to overwrite it");
    } else if kind.is_symlink() {
        options(OFlags::NOCTTY).create(true).open(path)
    } else {
        options(OFlags::NOCTTY | OFlags::NOFOLLOW).open(path)
    };
    let file = opened.map_err(|error| cannot_open(path, error))?;
    let opened = file.metadata().map_err(|error| cannot_open(path, error))?;
    if !is_writable_kind(opened.file_type()) {
        return Err(Problem::new(
            Kind::Output,
            format!("cannot write {}", quoted(path)),
            "it is no file, pipe or character device",
            ELSEWHERE,
        ));
    }
    Ok(Target::new(file, path, false))
}

fn is_writable_kind(kind: FileType) -> bool {
    kind.is_file() || kind.is_fifo() || kind.is_char_device()
}

fn options(flags: OFlags) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options.custom_flags(flags.bits().cast_signed());
    options
}

fn cannot_open(path: &Path, error: io::Error) -> Problem {
    let what = format!("cannot write {}", quoted(path));
    Problem::from_io(
        error,
        Kind::Output,
        what,
        "check the folder and its permissions",
    )
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", text::safe(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn kind(outcome: Result<Target, Problem>) -> Option<Kind> {
        outcome.err().map(|problem| problem.kind)
    }

    #[test]
    fn an_existing_file_is_refused_and_kept_even_with_force_until_it_is_cleared() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.wav");
        fs::write(&path, "old").expect("a file");
        assert_eq!(kind(Target::open(&path, false)), Some(Kind::Arguments));
        let mut target = Target::open(&path, true).expect("forced");
        assert_eq!(fs::read(&path).expect("there"), b"old");
        target.discard();
        assert!(path.exists(), "not ours to remove");
        target.clear().expect("cleared");
        assert_eq!(fs::read(&path).expect("there"), b"");
    }

    #[test]
    fn a_link_is_followed_only_with_force() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("x"), folder.path().join("link"));
        symlink(&path, &link).expect("a link");
        assert_eq!(kind(Target::open(&link, false)), Some(Kind::Arguments));
        assert!(!path.exists());
        let target = Target::open(&link, true).expect("forced");
        target.write(b"new", &mut 0).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"new");
    }

    #[test]
    fn devices_are_written_and_folders_are_not() {
        let null = Target::open(Path::new("/dev/null"), false).expect("a device");
        assert!(!null.is_seekable());
        null.clear().expect("nothing to clear");
        let folder = tempfile::tempdir().expect("a folder");
        let cases = [folder.path().to_owned(), folder.path().join("absent/x.wav")];
        for path in cases {
            assert_eq!(
                kind(Target::open(&path, true)),
                Some(Kind::Output),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = Target::open(Path::new("/dev/full"), false).expect("a device");
        let problem = full.write(b"x", &mut 0).expect_err("it is full");
        assert_eq!(
            problem.to_string(),
            "cannot write \"/dev/full\": no space left on device, free some space and run it again"
        );
        assert_eq!(problem.kind, Kind::Output);
    }

    #[test]
    fn a_file_that_got_nothing_is_removed_unless_another_took_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.wav");
        Target::open(&path, false).expect("made").discard();
        assert!(!path.exists());
        let mut target = Target::open(&path, false).expect("made");
        fs::rename(&path, folder.path().join("y.wav")).expect("moved");
        fs::write(&path, "another").expect("a file");
        target.discard();
        assert!(path.exists());
    }
}
