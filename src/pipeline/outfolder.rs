//! The folder that `cache export` writes. Nothing in it looks whole before it
//! is: files are written into a temporary folder and moved when all of them are
//! there, the one that leads to the others last.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Kind, Problem};
use crate::pipeline::Exported;
use crate::text;

const CHUNK_BYTES: usize = 256 << 10;
const ADVICE: &str = "check the folder and its permissions";

/// A folder that is being written.
pub struct OutFolder {
    /// The folder that was named.
    folder: PathBuf,
    /// It was there before.
    is_there: bool,
    /// Where files are written; removed with what is left in it.
    temporary: PathBuf,
    names: Vec<String>,
    bytes: u64,
    buffer: Vec<u8>,
}

impl OutFolder {
    /// Makes ready to write into `folder`: a new one, an empty one, or with
    /// `force` any one.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for a folder with something in it,
    /// [`Kind::Output`] for a link, a file, or a place that cannot be written.
    pub fn open(folder: &Path, force: bool) -> Result<Self, Problem> {
        let folder: PathBuf = folder.components().collect(); // a slash at the end would follow a link
        let is_there = check(&folder, force)?;
        let parent = match folder.parent() {
            _ if is_there => folder.as_path(),
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!(".kithara-export-{}-{}", process::id(), since.as_nanos());
        let temporary = parent.join(name);
        fs::create_dir(&temporary).map_err(|error| unwritable(&folder, error))?;
        Ok(Self {
            folder,
            is_there,
            temporary,
            names: Vec::new(),
            bytes: 0,
            buffer: vec![0; CHUNK_BYTES],
        })
    }

    /// Writes all of `source` into the file `name`.
    ///
    /// # Errors
    ///
    /// What the source says, and [`Kind::Output`].
    pub fn write(&mut self, name: &str, source: &mut dyn Read) -> Result<(), Problem> {
        let path = self.temporary.join(name);
        let unwritable = |error| unwritable(&self.folder, error);
        // Nobody else knows the folder; what is there all the same is not followed.
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = created.map_err(unwritable)?;
        loop {
            let count = match source.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let todo = "check it with \"kithara cache verify\"";
                    return Err(Problem::from_io(
                        error,
                        Kind::Cache,
                        "cannot read the cache",
                        todo,
                    ));
                }
            };
            file.write_all(&self.buffer[..count]).map_err(unwritable)?;
            self.bytes += count as u64;
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Puts the files in their place; `index` leads to the others.
    ///
    /// # Errors
    ///
    /// [`Kind::Output`].
    pub fn publish(mut self, index: Option<&str>) -> Result<Exported, Problem> {
        let done = self.sync().and_then(|()| match self.is_there {
            true => self.move_in(index),
            false => renameat_with(
                CWD,
                &self.temporary,
                CWD,
                &self.folder,
                RenameFlags::NOREPLACE,
            )
            .map_err(io::Error::from),
        });
        done.map_err(|error| unwritable(&self.folder, error))?;
        self.temporary.clear();
        Ok(Exported {
            files: self.names.len() as u64,
            bytes: self.bytes,
        })
    }

    /// Before names promise it, everything is on the disk.
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.temporary)?)?)
    }

    fn move_in(&self, index: Option<&str>) -> io::Result<()> {
        if let Some(index) = index {
            // An older one would lead to files that are half of each.
            match fs::remove_file(self.folder.join(index)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        // The index was written last.
        for name in &self.names {
            fs::rename(self.temporary.join(name), self.folder.join(name))?;
        }
        fs::remove_dir(&self.temporary)
    }
}

impl Drop for OutFolder {
    fn drop(&mut self) {
        if self.temporary.as_os_str().is_empty() {
            return;
        }
        // Ours alone; what cannot be removed has a name that says what it is.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// Whether `folder` is there; fails when it may not be used.
fn check(folder: &Path, force: bool) -> Result<bool, Problem> {
    let refuse = |kind, why: &str, todo| {
        let what = format!("cannot export into \"{}\"", name_of(folder));
        Err(Problem::new(kind, what, why, todo))
    };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unwritable(folder, error)),
        Ok(facts) if facts.is_symlink() => {
            return refuse(Kind::Output, "it is a link", "name the folder it leads to");
        }
        Ok(facts) if !facts.is_dir() => {
            return refuse(Kind::Output, "it is not a folder", "name another one");
        }
        Ok(_) => {}
    }
    let mut inside = fs::read_dir(folder).map_err(|error| unwritable(folder, error))?;
    if !force && inside.next().is_some() {
        let todo = "name another one, or overwrite with --force";
        return refuse(Kind::Arguments, "it is not empty", todo);
    }
    Ok(true)
}

fn unwritable(folder: &Path, error: io::Error) -> Problem {
    let what = format!("cannot export into \"{}\"", name_of(folder));
    Problem::from_io(error, Kind::Output, what, ADVICE)
}

fn name_of(folder: &Path) -> String {
    text::safe(&folder.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    fn export(folder: &Path, force: bool) -> Result<Exported, Problem> {
        let mut out = OutFolder::open(folder, force)?;
        out.write("a", &mut &b"one"[..])?;
        out.write("index", &mut &b"a"[..])?;
        out.publish(Some("index"))
    }

    #[test]
    fn a_folder_is_new_or_empty_or_forced() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("empty")).expect("a folder");
        fs::create_dir(at("full")).expect("a folder");
        fs::write(at("full/mine"), "mine").expect("a file");
        fs::write(at("full/a"), "older").expect("a file");
        fs::write(at("file"), "x").expect("a file");
        symlink(at("empty"), at("link")).expect("a link");
        let want = Exported { files: 2, bytes: 4 };
        for name in ["new", "empty"] {
            assert_eq!(export(&at(name), false), Ok(want), "{name}");
            assert_eq!(names(&at(name)), ["a", "index"], "{name}");
        }
        for (name, force, kind) in [
            ("full", false, Kind::Arguments),
            ("new", false, Kind::Arguments),
            ("file", true, Kind::Output),
            ("link/", true, Kind::Output),
            ("none/inner", false, Kind::Output),
        ] {
            let refused = export(&at(name), force).expect_err(name);
            assert_eq!(refused.kind, kind, "{name}: {refused}");
        }
        assert_eq!(fs::read(at("full/a")).expect("kept"), b"older");
        assert_eq!(export(&at("full"), true), Ok(want));
        assert_eq!(names(&at("full")), ["a", "index", "mine"]);
        assert_eq!(fs::read(at("full/a")).expect("new"), b"one");
        assert_eq!(
            names(place.path()),
            ["empty", "file", "full", "link", "new"]
        );
    }

    #[test]
    fn links_in_the_folder_are_replaced_and_not_followed() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("out")).expect("a folder");
        fs::write(at("secret"), "mine").expect("a file");
        symlink(at("secret"), at("out/a")).expect("a link");
        symlink(at("secret"), at("out/index")).expect("a link");
        export(&at("out"), true).expect("written");
        assert_eq!(fs::read(at("secret")).expect("kept"), b"mine");
        assert_eq!(fs::read(at("out/a")).expect("written"), b"one");
    }

    #[test]
    fn what_was_not_published_leaves_nothing() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let mut out = OutFolder::open(&place.path().join("out"), false).expect("open");
        out.write("a", &mut &b"one"[..]).expect("written");
        drop(out);
        assert_eq!(names(place.path()), [] as [String; 0]);
    }
}
