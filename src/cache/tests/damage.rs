//! Whatever happens to the files between two runs, no wrong byte is served.

use std::os::unix::fs::symlink;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Every byte a later run serves of the entry must be one of `bytes`; how many it serves.
fn served(rig: &Rig, bytes: &[u8]) -> usize {
    let Some(entry) = rig.found("a") else {
        return 0;
    };
    entry.set_offline();
    let mut offset = 0;
    let mut count = 0;
    while offset < bytes.len() {
        let (part, problem) = read(&entry, offset as u64);
        let want = bytes.get(offset..offset + part.len());
        assert_eq!(Some(part.as_slice()), want, "wrong bytes at {offset}");
        count += part.len();
        offset += part.len();
        match problem {
            None => assert_eq!(offset, bytes.len(), "an end that is none"),
            Some(problem) => {
                assert_eq!(problem.kind, Kind::Offline);
                let gap = entry.first_gap(offset as u64).expect("a gap");
                offset = usize::try_from(gap.end).map_or(bytes.len(), |end| end.min(bytes.len()));
            }
        }
    }
    count
}

#[test]
fn any_one_byte_changed_is_a_miss_or_does_not_matter() {
    let (rig, bytes) = (Rig::new(), body(600));
    stored(&rig.stream(), "a", &bytes);
    let data = rig.data_file();
    let record = rig.record_file();
    for path in [data, record] {
        let good = fs::read(&path).expect("there");
        let kept = fs::read(rig.record_file()).expect("there");
        for at in 0..good.len() {
            for flip in [1, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                fs::write(rig.record_file(), &kept).expect("as it was");
                fs::write(&path, &bad).expect("changed");
                assert_eq!(served(&rig, &bytes), 0, "{path:?}: {flip} at {at}");
            }
        }
        fs::write(rig.record_file(), &kept).expect("as it was");
        fs::write(&path, &good).expect("as it was");
        assert_eq!(served(&rig, &bytes), bytes.len());
    }
}

#[test]
fn a_damaged_block_is_fetched_again_and_nothing_else() {
    let (rig, bytes) = (Rig::new(), body(200_000));
    stored(&rig.stream(), "a", &bytes);
    let path = rig.data_file();
    let mut bad = bytes.clone();
    bad[70_000] ^= 1;
    fs::write(&path, &bad).expect("changed");
    let entry = rig.found("a").expect("it is there");
    assert!(entry.is_complete(), "not yet looked at");
    assert_eq!(entry.check(), 65_536);
    assert_eq!(entry.first_gap(0), Some(65_536..131_072));
    drop(entry);
    let entry = rig.found("a").expect("it is there");
    assert_eq!(
        entry.first_gap(0),
        Some(65_536..131_072),
        "the record says so"
    );
    write(&entry, 0, &bytes);
    assert_eq!(read(&entry, 0), (bytes.clone(), None));
    drop(entry);
    assert_eq!(served(&rig, &bytes), bytes.len());
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_a_gap() {
    let (rig, bytes) = (Rig::new(), body(100_000));
    let entry = stored(&rig.stream(), "a", &bytes);
    let file = fs::File::options()
        .write(true)
        .open(rig.data_file())
        .expect("opens");
    file.set_len(30_000).expect("cut");
    entry.set_offline();
    let (part, problem) = read(&entry, 0);
    assert_eq!(part, bytes[..30_000]);
    assert_eq!(problem.map(|problem| problem.kind), Some(Kind::Offline));
}

#[test]
fn strange_things_in_place_of_files_are_misses_and_are_replaced() {
    for strange in ["link", "second name", "folder", "fifo"] {
        for place in [Rig::record_file, Rig::data_file] {
            let (rig, bytes) = (Rig::new(), body(1000));
            stored(&rig.stream(), "a", &bytes);
            let path = place(&rig);
            fs::remove_file(&path).expect("removed");
            make_strange(strange, &path);
            assert!(rig.found("a").is_none(), "{strange}");
            stored(&rig.stream(), "a", &bytes);
            assert_eq!(served(&rig, &bytes), 1000, "{strange}");
        }
    }
}

fn make_strange(what: &str, path: &Path) {
    let made = match what {
        "link" => symlink("/etc/passwd", path),
        "second name" => {
            let other = path.with_file_name("other");
            fs::write(&other, "x").expect("written");
            fs::hard_link(other, path)
        }
        "folder" => fs::create_dir(path),
        _ => rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU)
            .map_err(io::Error::from),
    };
    made.expect(what);
}

#[test]
fn a_link_in_place_of_the_streams_folder_is_not_followed() {
    let rig = Rig::new();
    drop(rig.stream());
    let folder = rig.root().join(id("list").name());
    fs::remove_dir_all(&folder).expect("removed");
    let elsewhere = rig.place.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    symlink(&elsewhere, &folder).expect("linked");
    assert!(rig.cache().find(&id("list")).expect("a miss").is_none());
    stored(&rig.stream(), "a", &body(10));
    assert_eq!(files(&elsewhere), Vec::<PathBuf>::new());
}

#[test]
fn anything_in_the_root_may_be_lost() {
    let (rig, bytes) = (Rig::new(), body(1000));
    stored(&rig.stream(), "a", &bytes);
    for path in files(&rig.root()) {
        if path.ends_with(root::MARKER) {
            continue;
        }
        let kept = fs::read(&path).expect("there");
        fs::remove_file(&path).expect("removed");
        served(&rig, &bytes);
        fs::write(&path, "garbage").expect("garbled");
        served(&rig, &bytes);
        stored(&rig.stream(), "b", &bytes);
        fs::write(&path, kept).expect("as it was");
    }
}

#[test]
fn verify_names_the_damage_and_repair_makes_it_a_miss() {
    let (rig, bytes) = (Rig::new(), body(150_000));
    let stream = rig.stream();
    stored(&stream, "a", &bytes);
    drop(stream);
    let cache = rig.cache();
    let clean = cache.verify(false).expect("read");
    assert_eq!((clean.checked, clean.damaged.len()), (150_000, 0));
    let mut bad = bytes.clone();
    bad[149_999] ^= 1;
    fs::write(rig.data_file(), bad).expect("changed");
    let found = cache.verify(false).expect("read");
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(found.damaged[0].url, "http://host/a");
    assert_eq!(cache.verify(true).expect("read").damaged.len(), 1);
    assert_eq!(cache.verify(true).expect("read").damaged.len(), 0);
    let stored = cache.list().expect("read").remove(0);
    let seen = cache.look(&stored).expect("read").expect("it is there");
    let entry = seen.find(&Identity::of_url("http://host/a"));
    assert!(entry.is_some_and(|entry| !entry.is_complete()));
    assert_eq!(served(&rig, &bytes), 131_072);
    fs::write(rig.record_file(), "garbage").expect("garbled");
    assert_eq!(cache.verify(true).expect("read").damaged.len(), 1);
    assert_eq!(cache.verify(false).expect("read"), Report::default());
}

/// What may happen to a file.
#[derive(Clone, Debug)]
enum Mishap {
    Flip(Index, u8),
    Cut(Index),
    Grow(Vec<u8>),
    Zero(Index, Index),
    Line(Index, Option<Index>),
}

impl Mishap {
    fn befall(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, by) => bytes[at.index(length)] ^= by,
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Grow(more) => bytes.extend_from_slice(more),
            Self::Zero(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes[from.min(to)..from.max(to)].fill(0);
            }
            // A line is removed, or takes another place.
            Self::Line(from, to) => {
                let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let line = lines.remove(from.index(lines.len()));
                if let Some(to) = to {
                    lines.insert(to.index(lines.len() + 1), line);
                }
                *bytes = lines.concat();
            }
        }
    }
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, by)| Mishap::Flip(at, by)),
        any::<Index>().prop_map(Mishap::Cut),
        prop::collection::vec(any::<u8>(), 1..100).prop_map(Mishap::Grow),
        any::<(Index, Index)>().prop_map(|(from, to)| Mishap::Zero(from, to)),
        any::<(Index, Option<Index>)>().prop_map(|(from, to)| Mishap::Line(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_mishap_makes_a_wrong_byte(
        mishaps in prop::collection::vec((any::<bool>(), mishap()), 1..5),
        cuts in prop::collection::vec(0..150_000usize, 0..6),
    ) {
        let (rig, bytes) = (Rig::new(), body(150_000));
        let entry = rig.stream().begin(&id("a"), tagged("1", bytes.len())).expect("begun");
        let mut cuts = cuts;
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for span in cuts.windows(2).rev() {
            write(&entry, span[0], &bytes[span[0]..span[1]]);
        }
        drop(entry);
        let (data, record) = (rig.data_file(), rig.record_file());
        for (in_record, mishap) in mishaps {
            let path = if in_record { &record } else { &data };
            let mut content = fs::read(path).expect("there");
            mishap.befall(&mut content);
            fs::write(path, content).expect("written");
        }
        served(&rig, &bytes);
        // The next run mends it.
        stored(&rig.stream(), "a", &bytes);
        prop_assert_eq!(served(&rig, &bytes), bytes.len());
    }
}
