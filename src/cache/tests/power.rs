//! The power goes: what was written and not yet synced is on the disk in any
//! mixture of sectors and names. From the recorded operations of a writer we
//! build such disks; none may serve a wrong byte, and each can be mended.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};

use super::*;

const SECTOR: usize = 512;
const SHORT: usize = 400;
const LONG: usize = 10_000;

/// One thing that a writer did to the disk, files known by their inode.
enum Op {
    /// The file now holds these bytes.
    Write(u64, Vec<u8>),
    /// The file got this name, instead of one it had.
    Name(u64, PathBuf, Option<PathBuf>),
    /// The name is gone.
    Remove(PathBuf),
    /// Everything before is on the disk for good.
    Sync,
}

/// Records what happens below a root between two looks.
#[derive(Default)]
struct Tape {
    seen: BTreeMap<PathBuf, (u64, Vec<u8>)>,
    ops: Vec<Op>,
}

impl Tape {
    /// Records what has changed, the bytes before the record that claims them.
    fn look(&mut self, root: &Path) {
        let mut now = BTreeMap::new();
        for path in files(root) {
            let inode = fs::metadata(&path).expect("there").ino();
            let content = fs::read(&path).expect("readable");
            let name = path.strip_prefix(root).expect("below it").to_owned();
            now.insert(name, (inode, content));
        }
        for (name, (inode, content)) in &now {
            let old = self.seen.get(name).filter(|(old, _)| old == inode);
            if old.is_none() {
                self.appear(name, *inode, content);
            } else if old.is_some_and(|(_, old)| old != content) {
                self.ops.push(Op::Write(*inode, content.clone()));
            }
        }
        for name in self.seen.keys().filter(|name| !now.contains_key(*name)) {
            self.ops.push(Op::Remove(name.clone()));
        }
        self.seen = now;
    }

    /// Writes in small parts and looks after each.
    fn parts(&mut self, root: &Path, entry: &Arc<Entry>, offset: usize, bytes: &[u8]) -> Writer {
        let mut writer = writer(entry, offset as u64);
        for part in bytes.chunks(5_003) {
            writer.write(part).expect("written");
            self.look(root);
        }
        writer
    }

    /// A record is written under another name first.
    fn appear(&mut self, name: &Path, inode: u64, content: &[u8]) {
        let fresh = name.extension().is_some_and(|end| end == "record");
        let fresh = fresh.then(|| name.with_extension("0000000000000001.new"));
        let first = fresh.as_deref().unwrap_or(name).to_owned();
        self.ops.push(Op::Name(inode, first, None));
        if !content.is_empty() {
            self.ops.push(Op::Write(inode, content.to_vec()));
        }
        if let Some(fresh) = fresh {
            self.ops.push(Op::Name(inode, name.to_owned(), Some(fresh)));
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 33) as usize) % end
    }
}

/// The disk after the power went at the end of `ops`, of which those from
/// `synced` on may have reached it or not.
fn disk(ops: &[Op], synced: usize, dice: &mut Dice) -> BTreeMap<PathBuf, Vec<u8>> {
    let (safe, loose) = ops.split_at(synced);
    let mut names = BTreeMap::new();
    safe.iter().for_each(|op| rename(&mut names, op));
    // Names come in order up to some point, or each as it likes.
    let (in_order, until) = (dice.below(2) == 0, dice.below(loose.len() + 1));
    for (number, op) in loose.iter().enumerate() {
        let is_there = if in_order {
            number < until
        } else {
            dice.below(2) == 0
        };
        if is_there {
            rename(&mut names, op);
        }
    }
    let content = |(path, inode): (PathBuf, u64)| (path, mixture(safe, loose, inode, dice));
    names.into_iter().map(content).collect()
}

fn rename(names: &mut BTreeMap<PathBuf, u64>, op: &Op) {
    match op {
        Op::Name(inode, name, old) => {
            old.as_ref().map(|old| names.remove(old));
            names.insert(name.clone(), *inode);
        }
        Op::Remove(name) => drop(names.remove(name)),
        Op::Write(..) | Op::Sync => {}
    }
}

/// A file of which each sector is of some version since the last sync.
fn mixture(safe: &[Op], loose: &[Op], file: u64, dice: &mut Dice) -> Vec<u8> {
    let written = |op: &'_ Op| match op {
        Op::Write(inode, content) if *inode == file => Some(content.clone()),
        _ => None,
    };
    let mut versions = vec![safe.iter().rev().find_map(written).unwrap_or_default()];
    versions.extend(loose.iter().filter_map(written));
    let length = versions[dice.below(versions.len())].len();
    let mut disk = vec![0; length];
    let habit = dice.below(4);
    for (number, sector) in disk.chunks_mut(SECTOR).enumerate() {
        let part = |version: &Vec<u8>| {
            let start = (number * SECTOR).min(version.len());
            let mut part = version[start..(start + sector.len()).min(version.len())].to_vec();
            part.resize(sector.len(), 0);
            part
        };
        let parts: Vec<_> = versions.iter().map(part).collect();
        let (old, new) = (&parts[0], &parts[parts.len() - 1]);
        sector.copy_from_slice(match habit {
            0 => new,
            1 => old,
            _ => &parts[dice.below(parts.len())],
        });
        // Only what was on its way may be anything.
        if parts.iter().any(|part| part != old) && habit == 3 {
            let cut = dice.below(sector.len());
            match dice.below(4) {
                0 => sector.fill(0),
                1 => sector[cut..].copy_from_slice(&old[cut..]),
                2 if old.iter().all(|byte| *byte == 0) => sector[cut..].fill(0xa5),
                _ => {}
            }
        }
    }
    disk
}

/// What the entries are, by name: each version's tag and bytes, the last one last.
type Truth<'a> = [(&'a str, Vec<(&'a str, Vec<u8>)>)];

/// Checks every byte that is served of an entry; whether it is all of `tag`.
fn serves_all(stream: &Stream, name: &str, versions: &[(&str, Vec<u8>)], tag: &str) -> bool {
    let Some(entry) = stream.find(&id(name)) else {
        return false;
    };
    let etag = entry.head().etag.clone().expect("a tag");
    let (found, bytes) = versions
        .iter()
        .find(|(tag, _)| format!("\"{tag}\"") == etag)
        .expect("a tag that was sent");
    entry.set_offline();
    let (mut offset, mut count) = (0, 0);
    while offset < bytes.len() {
        let (part, problem) = read(&entry, offset as u64);
        let want = &bytes[offset..offset + part.len()];
        assert!(part == want, "wrong bytes of {name} at {offset}");
        (offset, count) = (offset + part.len(), count + part.len());
        let gap = entry.first_gap(offset as u64).filter(|_| problem.is_some());
        offset = gap.map_or(bytes.len(), |gap| gap.end.min(bytes.len() as u64) as usize);
    }
    count == bytes.len() && *found == tag
}

/// A run of every kind of writing; its operations.
fn recorded(truth: &Truth<'_>) -> Vec<Op> {
    let (rig, mut tape) = (Rig::new(), Tape::default());
    let root = rig.root();
    let stream = rig.stream();
    let bytes = |entry: usize, version: usize| -> &[u8] { &truth[entry].1[version].1 };
    let a = stream
        .begin(&id("a"), tagged("1", bytes(0, 0).len()))
        .expect("begun");
    tape.parts(&root, &a, 0, bytes(0, 0))
        .close()
        .expect("recorded");
    let endless = Head {
        total: None,
        ..tagged("1", 0)
    };
    let b = stream.begin(&id("b"), endless).expect("begun");
    tape.parts(&root, &b, 0, bytes(1, 0))
        .finish()
        .expect("recorded");
    tape.look(&root);
    tape.ops.push(Op::Sync);
    let c = stream
        .begin(&id("c"), tagged("1", bytes(2, 0).len()))
        .expect("begun");
    let late = tape.parts(&root, &c, 30_000, &bytes(2, 0)[30_000..]);
    tape.parts(&root, &c, 0, bytes(2, 0))
        .close()
        .expect("recorded");
    late.close().expect("recorded");
    let a = stream
        .begin(&id("a"), tagged("2", bytes(0, 1).len()))
        .expect("begun");
    tape.parts(&root, &a, 0, bytes(0, 1))
        .close()
        .expect("recorded");
    c.lose(10_000..20_000);
    tape.parts(&root, &c, 0, bytes(2, 0))
        .close()
        .expect("recorded");
    tape.look(&root);
    tape.ops.push(Op::Sync);
    stream.remove(&id("b")).expect("removed");
    tape.look(&root);
    let again = stream
        .begin(&id("b"), tagged("2", bytes(1, 1).len()))
        .expect("begun");
    write(&again, 0, bytes(1, 1));
    tape.look(&root);
    tape.ops
}

/// Entries that were whole at the last sync and not touched since, with their tag.
fn untouched<'a>(truth: &'a Truth<'_>, ops: &[Op], synced: usize) -> Vec<(&'a str, &'a str)> {
    let mut names = BTreeMap::new();
    ops[..synced].iter().for_each(|op| rename(&mut names, op));
    let files = |inode: u64| {
        names
            .iter()
            .filter(move |(_, it)| **it == inode)
            .map(|(name, _)| name.clone())
    };
    let touched: BTreeSet<PathBuf> = ops[synced..]
        .iter()
        .flat_map(|op| match op {
            Op::Write(inode, _) => files(*inode).collect(),
            Op::Name(_, name, _) | Op::Remove(name) => vec![name.clone()],
            Op::Sync => Vec::new(),
        })
        .collect();
    let is_whole = |name: &str| {
        let entry = id(name).name();
        let mine = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|file| file.to_string_lossy().starts_with(&entry))
        };
        names.keys().any(mine) && !touched.iter().any(mine)
    };
    let syncs = ops[..synced]
        .iter()
        .filter(|op| matches!(op, Op::Sync))
        .count();
    let tag = |versions: &'a [(&str, Vec<u8>)], name: &str| match (syncs, name) {
        (2, "a") => versions[1].0,
        _ => versions[0].0,
    };
    truth
        .iter()
        .filter(|(name, _)| is_whole(name))
        .map(|(name, versions)| (*name, tag(versions, name)))
        .collect()
}

#[test]
fn no_power_cut_makes_a_wrong_byte() {
    let truth = [
        ("a", vec![("1", body(70_001)), ("2", body(70_003))]),
        ("b", vec![("1", body(20_000)), ("2", body(9_000))]),
        ("c", vec![("1", body(40_000))]),
    ];
    let ops = recorded(&truth);
    let wanted = if std::env::var_os("KITHARA_TORTURE").is_some() {
        LONG
    } else {
        SHORT
    };
    let images = wanted.div_ceil(ops.len() + 1);
    let mut kept = 0;
    for end in 0..=ops.len() {
        let done = &ops[..end];
        let synced = done
            .iter()
            .rposition(|op| matches!(op, Op::Sync))
            .map_or(0, |at| at + 1);
        let durable = untouched(&truth, done, synced);
        for image in 0..images {
            let mut dice = Dice((end * images + image) as u64);
            let disk = disk(done, synced, &mut dice);
            kept += check(
                &disk,
                &truth,
                &durable,
                &format!("image {image} after {end} operations"),
            );
        }
    }
    let count = images * (ops.len() + 1);
    println!(
        "power cuts: {} operations, {count} images, 0 wrong bytes, {kept} synced entries kept",
        ops.len()
    );
    assert!(count >= wanted);
}

/// Opens a disk, checks all it serves, mends it; how many synced entries it kept.
fn check(
    disk: &BTreeMap<PathBuf, Vec<u8>>,
    truth: &Truth<'_>,
    durable: &[(&str, &str)],
    what: &str,
) -> usize {
    let rig = Rig::new();
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700).recursive(true);
    folder
        .create(rig.root().join(id("list").name()))
        .expect("made");
    for (name, content) in disk {
        fs::write(rig.root().join(name), content).expect("written");
    }
    // Without a marker the root is refused, and nothing can be wrong.
    if !rig.root().join(root::MARKER).exists() {
        return 0;
    }
    if let Some(stream) = rig.cache().find(&id("list")).expect(what) {
        for (name, versions) in truth {
            let tag = durable
                .iter()
                .find(|(durable, _)| durable == name)
                .map(|(_, tag)| *tag);
            let is_whole = serves_all(&stream, name, versions, tag.unwrap_or("1"));
            assert!(
                is_whole || tag.is_none(),
                "{what}: {name} was synced and is not there"
            );
        }
    }
    for (name, versions) in truth {
        let (tag, bytes) = versions.last().expect("a version");
        let stream = rig.stream();
        let entry = stream
            .begin(&id(name), tagged(tag, bytes.len()))
            .expect(what);
        write(&entry, 0, bytes);
        assert_eq!(read(&entry, 0), (bytes.clone(), None), "{what}: {name}");
    }
    let stream = rig.stream();
    for (name, versions) in truth {
        let (tag, _) = versions.last().expect("a version");
        assert!(
            serves_all(&stream, name, versions, tag),
            "{what}: {name} is not mended"
        );
    }
    let damaged = rig.cache().verify(false).expect("read").damaged;
    assert!(damaged.is_empty(), "{what}: {damaged:?}");
    durable.len()
}
