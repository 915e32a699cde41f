//! What networks carried in past sessions, so that the next one on the same
//! network need not begin as if it knew nothing. One small file that says
//! neither where nor when; whatever is wrong with it is no memory, never an error.

mod name;
mod table;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

pub use self::name::Name;
use self::table::Table;
use crate::units::BitRate;

/// The file in the state folder.
const FILE: &str = "networks";
/// What takes its place when it is whole.
const NEXT: &str = "networks.next";
/// Locked by the process that writes.
const LOCK: &str = "networks.lock";

/// What the file usually has at most, read at once.
const AT_ONCE: usize = 4 << 10;

/// What is remembered of one network.
#[derive(Clone, Debug)]
pub struct Memory {
    folder: PathBuf,
    name: Name,
}

impl Memory {
    /// Of the network `name`, in `folder`, where nothing is made before
    /// something is learned.
    pub fn open(folder: &Path, name: Name) -> Self {
        Self {
            folder: folder.to_owned(),
            name,
        }
    }

    /// The network it is about.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// A rate that most past sessions on this network reached; `None` when none
    /// is remembered.
    pub fn prior(&self) -> Option<BitRate> {
        self.table()?.prior(&self.name)
    }

    /// Remembers the mean rate of a session. When another process is writing,
    /// this session is forgotten.
    pub fn learn(&self, rate: BitRate) {
        if let Err(error) = self.write(rate) {
            tracing::debug!("the rate of the network is not remembered: {error}");
        }
    }

    fn table(&self) -> Option<Table> {
        let mut file = options().read(true).open(self.folder.join(FILE)).ok()?;
        // A pipe in its place would be waited for.
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::with_capacity(AT_ONCE);
        let most = table::MOST_BYTES;
        let read = (&mut file).take(most + 1).read_to_string(&mut text).ok()? as u64;
        (read <= most).then(|| Table::parse(&text)).flatten()
    }

    fn write(&self, rate: BitRate) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let at = |name| self.folder.join(name);
        let new = || options().write(true).create(true).mode(0o600).clone();
        let lock = new().open(at(LOCK))?;
        lock.try_lock()?;
        let mut table = match self.table() {
            Some(table) => table,
            None => Table::new(salt()?),
        };
        table.learn(&self.name, rate);
        let mut next = new().truncate(true).open(at(NEXT))?;
        next.write_all(table.text().as_bytes())?;
        next.sync_all()?;
        fs::rename(at(NEXT), at(FILE))
        // The lock ends with its file.
    }
}

/// Neither links nor pipes are opened for what they stand for.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed());
    options
}

/// Makes names that no other file has.
fn salt() -> io::Result<[u8; 16]> {
    let mut salt = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const RATE: BitRate = BitRate(300_000);

    fn memory(folder: &Path) -> Memory {
        let name = Name::of_host(Some("localhost")).expect("always known");
        Memory::open(folder, name)
    }

    #[test]
    fn what_was_learned_is_known_to_the_next_session() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("state/kithara");
        assert_eq!(memory(&folder).prior(), None);
        assert!(!folder.exists(), "to ask makes nothing");
        memory(&folder).learn(RATE);
        assert_eq!(memory(&folder).prior(), Some(RATE));
        let mode = |path: &Path| {
            let data = fs::metadata(path).expect("it is there");
            data.permissions().mode() & 0o777
        };
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert!(!folder.join(NEXT).exists());
        let text = fs::read_to_string(folder.join(FILE)).expect("text");
        assert!(!text.contains("loopback"), "{text}");
    }

    #[test]
    fn a_file_that_is_none_is_no_memory_and_is_replaced() {
        let long = "x".repeat(100_000);
        for text in ["", "\0\0\0", "kithara-networks 9 00\n", &long] {
            let home = tempfile::tempdir().expect("a folder");
            fs::write(home.path().join(FILE), text).expect("written");
            assert_eq!(memory(home.path()).prior(), None, "{text:.20?}");
            memory(home.path()).learn(RATE);
            assert_eq!(memory(home.path()).prior(), Some(RATE), "{text:.20?}");
        }
    }

    #[test]
    fn links_and_folders_in_its_place_are_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let other = home.path().join("other");
        memory(&other).learn(RATE);
        for name in [FILE, NEXT, LOCK] {
            let folder = home.path().join(format!("at-{name}"));
            fs::create_dir(&folder).expect("a folder");
            symlink(other.join(FILE), folder.join(name)).expect("a link");
            assert_eq!(memory(&folder).prior(), None, "{name}");
            memory(&folder).learn(BitRate(1_000));
        }
        assert_eq!(memory(&other).prior(), Some(RATE), "behind the links");
        let folder = home.path().join("folder");
        fs::create_dir_all(folder.join(FILE)).expect("a folder");
        memory(&folder).learn(RATE);
        assert_eq!(memory(&folder).prior(), None);
        let file = home.path().join("file");
        fs::write(&file, "").expect("written");
        memory(&file).learn(RATE);
        assert_eq!(memory(&file).prior(), None);
    }

    #[test]
    fn one_writes_at_a_time_and_what_a_dead_one_left_is_no_obstacle() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join(NEXT), "torn").expect("written");
        let lock = File::create(home.path().join(LOCK)).expect("a lock");
        lock.lock().expect("nobody has it");
        memory(home.path()).learn(RATE);
        assert_eq!(memory(home.path()).prior(), None);
        drop(lock);
        memory(home.path()).learn(RATE);
        assert_eq!(memory(home.path()).prior(), Some(RATE));
    }
}
