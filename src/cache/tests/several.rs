//! Several processes on one cache. Two `Cache` values stand for two processes:
//! their locks are as apart as those of processes are.

use std::thread;

use super::*;

#[test]
fn one_writes_and_the_other_reads_along() {
    let (rig, bytes) = (Rig::new(), body(300_000));
    let other = Rig {
        place: tempfile::tempdir().expect("a folder"),
        bell: Arc::default(),
        stats: Arc::default(),
    };
    let reading = Cache::open(
        &rig.root(),
        None,
        Arc::clone(&other.bell),
        Arc::clone(&other.stats),
    );
    let reading = reading.expect("opens").stream(&id("list")).expect("made");
    let writing = rig.stream();
    let ours = writing
        .begin(&id("a"), tagged("1", 300_000))
        .expect("begun");
    let mut writer = writer(&ours, 0);
    writer.write(&bytes[..1000]).expect("written");
    let theirs = reading
        .begin(&id("a"), tagged("1", 300_000))
        .expect("begun");
    assert!(
        theirs.writer(0).expect("writable").is_none(),
        "it is being written"
    );
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(&theirs, 0));
        for part in bytes[1000..].chunks(20_000) {
            writer.write(part).expect("written");
        }
        writer.close().expect("recorded");
        assert_eq!(reader.join().expect("it ends"), (bytes.clone(), None));
    });
}

#[test]
fn a_process_that_is_gone_leaves_its_work_to_the_next() {
    let (rig, bytes) = (Rig::new(), body(200_000));
    let (one, two) = (rig.stream(), rig.stream());
    let first = one.begin(&id("a"), tagged("1", 200_000)).expect("begun");
    let mut writing = writer(&first, 0);
    writing.write(&bytes[..100_000]).expect("written");
    let second = two.begin(&id("a"), tagged("1", 200_000)).expect("begun");
    assert!(second.writer(0).expect("writable").is_none());
    drop((writing, first, one));
    let mut record = fs::read(rig.record_file()).expect("there");
    record.extend_from_slice(b"block 99 torn");
    fs::write(rig.record_file(), record).expect("torn");
    let mut writing = writer(&second, 0);
    assert_eq!(second.known_until(0), 100_000);
    writing.write(&bytes).expect("written");
    writing.close().expect("recorded");
    assert_eq!(read(&second, 0), (bytes.clone(), None));
    drop((second, two));
    let found = rig.found("a").expect("it is there");
    assert_eq!(read(&found, 0), (bytes, None));
}

#[test]
fn a_new_version_leaves_the_old_one_to_its_readers() {
    let (rig, old, new) = (Rig::new(), body(100_000), body(90_000));
    let (one, two) = (rig.stream(), rig.stream());
    stored(&one, "a", &old);
    let reader = one.find(&id("a")).expect("it is there");
    let fresh = two.begin(&id("a"), tagged("2", 90_000)).expect("begun");
    write(&fresh, 0, &new);
    assert_eq!(read(&reader, 0), (old, None));
    assert_eq!(read(&fresh, 0), (new.clone(), None));
    drop((reader, fresh));
    let found = rig.found("a").expect("it is there");
    assert_eq!(read(&found, 0), (new, None));
}

#[test]
fn many_that_begin_at_once_all_get_right_bytes() {
    let bytes = body(150_000);
    for _ in 0..10 {
        let rig = Rig::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let entry = rig.stream().begin(&id("a"), tagged("1", 150_000));
                    let entry = entry.expect("begun");
                    // Whoever may write does, the others read along.
                    if let Some(mut writer) = entry.writer(0).expect("writable") {
                        writer.write(&bytes).expect("written");
                    }
                    assert_eq!(read(&entry, 0), (bytes.clone(), None));
                });
            }
        });
        let found = rig.found("a").expect("it is there");
        assert_eq!(read(&found, 0), (bytes.clone(), None));
        let left = files(&rig.root());
        let data = left.iter().filter(|path| is_data(&path.to_string_lossy()));
        assert_eq!(data.count(), 1, "{left:?}");
    }
}

#[test]
fn streams_are_opened_while_others_evict_them() {
    let rig = Rig::new();
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let rig = &rig;
            scope.spawn(move || {
                for _ in 0..50 {
                    let entry = stored(&rig.stream(), name, &body(100));
                    assert_eq!(read(&entry, 0), (body(100), None));
                }
            });
        }
        let cache = rig.cache();
        for _ in 0..200 {
            let _ = cache.remove(&id("list")); // busy or not
        }
    });
    let cache = rig.cache();
    cache.remove(&id("list")).expect("nobody uses it");
    let left = files(&rig.root());
    assert!(
        left.iter().all(|path| path.parent() == Some(&rig.root())),
        "{left:?}"
    );
}
