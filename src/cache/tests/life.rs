//! One process: what is written is read, now and in later runs.

use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

#[test]
fn what_is_written_is_read_now_and_by_later_runs() {
    let lengths = [0, 1, 16_383, 65_535, 65_536, 65_537, 300_000];
    for length in lengths {
        let (rig, bytes) = (Rig::new(), body(length));
        let entry = stored(&rig.stream(), "a", &bytes);
        assert!(entry.is_complete(), "{length}");
        assert_eq!(read(&entry, 0), (bytes.clone(), None), "{length}");
        drop(entry);
        let found = rig.found("a").expect("it is there");
        assert!(found.is_complete(), "{length}");
        assert_eq!(found.head(), &tagged("1", length));
        assert_eq!(read(&found, 0), (bytes.clone(), None), "{length}");
        assert_eq!(read(&found, 0).0, bytes, "{length}: and once more");
    }
}

#[test]
fn the_file_holds_what_the_server_sent_and_nothing_else() {
    let (rig, bytes) = (Rig::new(), body(100_000));
    stored(&rig.stream(), "a", &bytes);
    assert_eq!(fs::read(rig.data_file()).expect("there"), bytes);
    for path in files(&rig.root()) {
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{path:?}");
    }
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_stopped() {
    let (rig, bytes) = (Rig::new(), body(200_000));
    let entry = rig
        .stream()
        .begin(&id("a"), tagged("1", 200_000))
        .expect("begun");
    write(&entry, 0, &bytes[..70_000]);
    write(&entry, 150_000, &bytes[150_000..160_000]);
    drop(entry);
    let stream = rig.stream();
    let entry = stream
        .begin(&id("a"), tagged("1", 200_000))
        .expect("resumed");
    assert_eq!(entry.known_until(0), 70_000);
    assert_eq!(entry.first_gap(0), Some(70_000..150_000));
    assert_eq!(entry.first_gap(155_000), Some(160_000..200_000));
    write(&entry, 70_000, &bytes[70_000..150_000]);
    write(&entry, 160_000, &bytes[160_000..]);
    assert_eq!(entry.first_gap(0), None);
    drop((entry, stream));
    let found = rig.found("a").expect("it is there");
    assert_eq!(read(&found, 0), (bytes, None));
}

#[test]
fn a_changed_version_never_mixes_with_what_is_there() {
    let other_length = Head {
        total: Some(99_999),
        ..tagged("1", 0)
    };
    let cases = [
        ("another tag", tagged("2", 100_000)),
        ("another length", other_length),
        ("no tag any more", Head::default()),
    ];
    for (name, head) in cases {
        let (rig, old, new) = (Rig::new(), body(100_000), body(99_999));
        let stream = rig.stream();
        let before = stored(&stream, "a", &old);
        let after = stream.begin(&id("a"), head).expect("begun");
        assert_eq!(after.known_bytes(), 0, "{name}");
        write(&after, 0, &new);
        assert_eq!(read(&before, 0), (old, None), "{name}: the old reader");
        let mut start = vec![0; new.len()];
        after.reader().read_exact(&mut start).expect("read");
        assert_eq!(start, new, "{name}");
        assert_eq!(
            files(&rig.root())
                .iter()
                .filter(|path| is_data(&path.to_string_lossy()))
                .count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn without_a_validator_a_part_is_not_resumed_but_a_whole_is_found() {
    let (rig, bytes) = (Rig::new(), body(1000));
    let head = Head {
        total: Some(1000),
        ..Head::default()
    };
    let entry = rig.stream().begin(&id("a"), head.clone()).expect("begun");
    write(&entry, 0, &bytes[..500]);
    drop(entry);
    let entry = rig.stream().begin(&id("a"), head).expect("begun");
    assert_eq!(entry.known_bytes(), 0);
    write(&entry, 0, &bytes);
    drop(entry);
    assert!(rig.found("a").expect("it is there").is_complete());
}

#[test]
fn a_length_may_be_learnt_at_the_end() {
    let (rig, bytes) = (Rig::new(), body(70_000));
    let entry = rig
        .stream()
        .begin(&id("a"), Head::default())
        .expect("begun");
    let mut writer = writer(&entry, 0);
    writer.write(&bytes).expect("written");
    assert_eq!((entry.total(), entry.is_complete()), (None, false));
    assert_eq!(entry.first_gap(0), Some(70_000..u64::MAX));
    writer.finish().expect("ended");
    assert_eq!(entry.reader().length(), Some(70_000));
    drop(entry);
    let found = rig.found("a").expect("it is there");
    assert!(found.is_complete());
    assert_eq!(read(&found, 0), (bytes, None));
}

#[test]
fn a_length_that_a_later_answer_tells_is_taken_over_if_it_can_be() {
    let nameless = |total| Head {
        total,
        ..tagged("1", 0)
    };
    for (total, known, is_complete) in [(1000, 1000, true), (2000, 1000, false), (900, 0, false)] {
        let rig = Rig::new();
        let entry = rig.stream().begin(&id("a"), nameless(None)).expect("begun");
        write(&entry, 0, &body(1000));
        drop(entry);
        let entry = rig
            .stream()
            .begin(&id("a"), nameless(Some(total)))
            .expect("begun");
        assert_eq!((entry.total(), entry.known_bytes()), (Some(total), known));
        drop(entry);
        let found = rig.found("a").expect("it is there");
        assert_eq!(
            (found.total(), found.is_complete()),
            (Some(total), is_complete)
        );
    }
}

#[test]
fn bytes_that_come_again_are_compared_and_never_overwritten() {
    let (rig, bytes) = (Rig::new(), body(150_000));
    let entry = rig
        .stream()
        .begin(&id("a"), tagged("1", 150_000))
        .expect("begun");
    write(&entry, 50_000, &bytes[50_000..90_000]);
    write(&entry, 0, &bytes); // the server ignored the range
    assert_eq!(read(&entry, 0), (bytes.clone(), None));
    let mut changed = bytes.clone();
    changed[70_000] ^= 1;
    let problem = writer(&entry, 0).write(&changed).expect_err("other bytes");
    assert_eq!(problem.kind, Kind::Changed);
    let mut late = writer(&entry, 149_999);
    late.write(&bytes[149_999..]).expect("the same byte");
    assert_eq!(
        late.write(&[0]).expect_err("past the end").kind,
        Kind::Changed
    );
    assert_eq!(read(&entry, 0), (bytes, None));
}

#[test]
fn a_reader_follows_the_writers_whatever_their_order() {
    let (rig, bytes) = (Rig::new(), body(400_000));
    let entry = rig
        .stream()
        .begin(&id("a"), tagged("1", 400_000))
        .expect("begun");
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| read(&entry, 0))).collect();
        for (from, to) in [(200_000, 300_000), (0, 200_000), (300_000, 400_000)] {
            let (entry, part) = (&entry, &bytes[from..to]);
            scope.spawn(move || write(entry, from, part));
        }
        for reader in readers {
            assert_eq!(reader.join().expect("it ends"), (bytes.clone(), None));
        }
    });
    drop(entry);
    assert_eq!(
        read(&rig.found("a").expect("it is there"), 0),
        (bytes, None)
    );
}

#[test]
fn a_waiting_reader_says_what_it_wants_and_only_then_the_bell_rings() {
    let (rig, bytes) = (Rig::new(), body(100));
    let entry = rig
        .stream()
        .begin(&id("a"), tagged("1", 100))
        .expect("begun");
    let calls = Arc::new(AtomicU64::new(0));
    let (told, is_told) = std::sync::mpsc::channel();
    entry.set_waker(Box::new({
        let calls = Arc::clone(&calls);
        move || {
            calls.fetch_add(1, Ordering::Relaxed);
            told.send(()).expect("the test listens");
        }
    }));
    let quiet = rig.bell.count();
    write(&entry, 0, &bytes[..40]);
    assert_eq!(rig.bell.count(), quiet, "nobody waits");
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(&entry, 40));
        is_told.recv().expect("the reader waits");
        assert_eq!(entry.wanted(), Some(40));
        write(&entry, 40, &bytes[40..]);
        assert_eq!(
            reader.join().expect("it ends"),
            (bytes[40..].to_vec(), None)
        );
    });
    assert!(rig.bell.count() > quiet);
    assert_eq!((entry.wanted(), calls.load(Ordering::Relaxed)), (None, 1));
}

#[test]
fn a_reader_at_a_gap_ends_with_the_reason() {
    let rig = Rig::new();
    let entry = rig
        .stream()
        .begin(&id("a"), tagged("1", 100))
        .expect("begun");
    write(&entry, 0, &body(10));
    let gone = Problem::new(Kind::HttpStatus(404), "cannot x", "gone", "y");
    entry.fail(gone.clone());
    assert_eq!(read(&entry, 0), (body(10), Some(gone)));
    drop(writer(&entry, 10));
    entry.set_offline();
    let problem = read(&entry, 0).1.expect("a problem");
    assert_eq!(problem.kind, Kind::Offline);
    assert!(problem.what.contains("http://host/a"), "{problem}");
    rig.bell.stop();
    assert_eq!(read(&entry, 0).1, Some(Problem::stopped()));
}

#[test]
fn a_reader_seeks_as_in_a_file() {
    let rig = Rig::new();
    let entry = rig
        .stream()
        .begin(&id("a"), Head::default())
        .expect("begun");
    let mut reader = entry.reader();
    let unknown = reader.seek(SeekFrom::End(0)).expect_err("no length");
    assert_eq!(unknown.kind(), ErrorKind::Unsupported);
    assert!(!reader.is_seekable());
    entry.set_seekable(true);
    assert!(reader.is_seekable());
    let mut writer = writer(&entry, 0);
    writer.write(&body(100)).expect("written");
    writer.finish().expect("ended");
    assert_eq!(reader.seek(SeekFrom::End(-10)).expect("inside"), 90);
    assert_eq!(reader.seek(SeekFrom::Current(-20)).expect("inside"), 70);
    assert!(reader.seek(SeekFrom::Current(-71)).is_err());
    assert_eq!(
        reader.seek(SeekFrom::Start(500)).expect("past the end"),
        500
    );
    assert_eq!(reader.read(&mut [0; 8]).expect("the end"), 0);
}

#[test]
fn an_entry_is_removed_on_request() {
    let rig = Rig::new();
    let stream = rig.stream();
    let entry = stored(&stream, "a", &body(1000));
    stream.remove(&id("a")).expect("removed");
    assert_eq!(read(&entry, 0), (body(1000), None), "its reader keeps it");
    assert!(stream.find(&id("a")).is_none());
    stream.remove(&id("a")).expect("nothing to do");
    stream.sync().expect("synced");
}
