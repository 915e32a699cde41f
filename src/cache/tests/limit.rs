//! The limit: what goes, what stays, and what is counted.

use std::time::{Duration, SystemTime};

use super::*;

const MEGA: usize = 1 << 20;

/// Bytes of everything in streams' folders.
fn walked(rig: &Rig) -> u64 {
    let all = files(&rig.root());
    let inner = all.iter().filter(|path| path.parent() != Some(&rig.root()));
    inner
        .map(|path| fs::metadata(path).expect("there").len())
        .sum()
}

fn age(rig: &Rig, name: &str, hours: u64) {
    let lease = rig.root().join(id(name).name()).join(evict::LEASE);
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    let lease = fs::File::options().append(true).open(lease).expect("there");
    lease.set_modified(then).expect("dated");
}

fn fill(cache: &Cache, name: &str, length: usize) -> Result<Stream, Problem> {
    let stream = cache.stream(&id(name))?;
    let entry = stream.begin(&id("media"), tagged("1", length))?;
    let mut writer = writer(&entry, 0);
    for part in body(length).chunks(60_000) {
        writer.write(part)?;
    }
    writer.close()?;
    Ok(stream)
}

fn names(cache: &Cache) -> Vec<String> {
    let list = cache.list().expect("read");
    list.into_iter().map(|stored| stored.url).collect()
}

#[test]
fn the_stream_not_used_for_longest_makes_room_whole() {
    let rig = Rig::new();
    let cache = rig.limited(Some(5 * MEGA as u64));
    fill(&cache, "old", 2 * MEGA).expect("fits");
    fill(&cache, "older", MEGA).expect("fits");
    fill(&cache, "new", MEGA).expect("fits");
    age(&rig, "old", 2);
    age(&rig, "older", 3);
    drop(cache);
    let cache = rig.limited(Some(5 * MEGA as u64));
    fill(&cache, "newest", 3 * MEGA / 2).expect("fits when one is gone");
    assert_eq!(
        names(&cache),
        ["newest", "new", "old"].map(|name| id(name).url().to_owned())
    );
    assert!(walked(&rig) <= 5 * MEGA as u64);
    assert!((MEGA as u64..2 * MEGA as u64).contains(&rig.stats.evicted_bytes.total()));
}

#[test]
fn the_limit_holds_at_every_write() {
    let rig = Rig::new();
    let limit = MEGA as u64;
    let cache = rig.limited(Some(limit));
    for number in 0..6 {
        let stream = cache.stream(&id(&number.to_string())).expect("made");
        let entry = stream.begin(&id("media"), Head::default()).expect("begun");
        let mut writer = writer(&entry, 0);
        for part in body(400_000).chunks(50_000) {
            writer.write(part).expect("fits");
            assert!(walked(&rig) <= limit);
        }
    }
}

#[test]
fn a_stream_in_use_is_never_evicted_and_one_too_large_is_refused() {
    let rig = Rig::new();
    let cache = rig.limited(Some(2 * MEGA as u64));
    let held = fill(&cache, "held", MEGA).expect("fits");
    let problem = fill(&cache, "large", 3 * MEGA / 2).expect_err("no room");
    assert_eq!(problem.kind, Kind::Full);
    assert!(problem.why.contains("does not fit"), "{problem}");
    assert_eq!(
        read(&held.find(&id("media")).expect("it stays"), 0).0,
        body(MEGA)
    );
    let problem = fill(&cache, "huge", 3 * MEGA).expect_err("never");
    assert_eq!(problem.kind, Kind::Full);
    assert_eq!(
        cache.remove(&id("held")).expect_err("in use").kind,
        Kind::Cache
    );
    drop(held);
    fill(&cache, "large", 3 * MEGA / 2).expect("now it fits");
}

#[test]
fn two_processes_share_one_limit() {
    let rig = Rig::new();
    let limit = 2 * MEGA as u64;
    let (one, two) = (rig.limited(Some(limit)), rig.limited(Some(limit)));
    let _held = fill(&one, "one", MEGA).expect("fits");
    assert!(fill(&two, "two", 5 * MEGA / 4).is_err());
    assert!(walked(&rig) <= limit);
    fill(&two, "three", MEGA / 2).expect("evicts what two left");
    assert!(walked(&rig) <= limit);
}

#[test]
fn a_count_agrees_with_a_walk_and_mends_a_wrong_total() {
    let rig = Rig::new();
    let cache = rig.cache();
    fill(&cache, "a", 300_000).expect("fits");
    fill(&cache, "b", 10).expect("fits");
    drop(cache);
    let total = || {
        let text = fs::read_to_string(rig.root().join(root::TOTAL)).expect("there");
        let total = text.split(' ').next().expect("a word");
        total.parse::<u64>().expect("a number")
    };
    assert_eq!(total(), walked(&rig), "what was leased is given back");
    for wrong in [
        "00000000000000000000 00000000000000000000\n",
        "00000000000999999999 00000000000000000000\n",
        "00000000000000000007\n",
        "garbage",
    ] {
        fs::write(rig.root().join(root::TOTAL), wrong).expect("written");
        assert_eq!(
            rig.cache().measure().expect("counted"),
            walked(&rig),
            "{wrong:?}"
        );
        assert_eq!(total(), walked(&rig), "{wrong:?}");
    }
    let stored: u64 = rig
        .cache()
        .list()
        .expect("read")
        .iter()
        .map(|stored| stored.bytes)
        .sum();
    assert_eq!(stored, walked(&rig));
}

#[test]
fn a_count_knows_what_is_taken_and_not_yet_written() {
    let rig = Rig::new();
    let cache = rig.cache();
    let stream = fill(&cache, "a", 10_000).expect("fits");
    let entry = stream.begin(&id("b"), tagged("1", MEGA)).expect("begun");
    let mut writer = writer(&entry, 0);
    writer.reserve().expect("room");
    writer.write(&body(MEGA)[..MEGA / 4]).expect("written");
    cache.measure().expect("counted");
    writer.write(&body(MEGA)[MEGA / 4..]).expect("written");
    writer.close().expect("recorded");
    drop((entry, stream));
    drop(cache);
    let text = fs::read_to_string(rig.root().join(root::TOTAL)).expect("there");
    let counted = text.split(' ').next().expect("a word");
    assert_eq!(counted.parse::<u64>().expect("a number"), walked(&rig));
}

#[test]
fn trimming_goes_down_to_a_new_limit() {
    let rig = Rig::new();
    let cache = rig.cache();
    for name in ["a", "b", "c"] {
        fill(&cache, name, MEGA).expect("fits");
    }
    age(&rig, "a", 1);
    drop(cache);
    let cache = rig.limited(Some(5 * MEGA as u64 / 2));
    assert!(cache.trim().expect("trimmed") > MEGA as u64);
    assert!(!names(&cache).contains(&id("a").url().to_owned()));
    assert_eq!(cache.trim().expect("trimmed"), 0);
}

#[test]
fn what_is_replaced_or_removed_is_no_longer_counted() {
    let rig = Rig::new();
    let cache = rig.cache();
    let stream = fill(&cache, "a", 100_000).expect("fits");
    let fresh = stream
        .begin(&id("media"), tagged("2", 1000))
        .expect("begun");
    write(&fresh, 0, &body(1000));
    stored(&stream, "b", &body(50_000));
    stream.remove(&id("b")).expect("removed");
    drop((fresh, stream));
    drop(cache);
    let text = fs::read_to_string(rig.root().join(root::TOTAL)).expect("there");
    // The old record's few bytes may stay counted until the next count.
    let counted = text.split(' ').next().expect("a word");
    let counted = counted.parse::<u64>().expect("a number");
    assert!(
        (walked(&rig)..walked(&rig) + 1000).contains(&counted),
        "{counted}"
    );
}

#[test]
fn what_was_played_goes_first_and_what_is_read_or_ahead_stays() {
    let rig = Rig::new();
    let cache = rig.limited(Some(4 * MEGA as u64 + 4096));
    let stream = cache.stream(&id("list")).expect("made");
    let put = |name: &str| {
        let entry = stream.begin(&id(name), tagged("1", MEGA)).expect("begun");
        let mut writer = writer(&entry, 0);
        writer.reserve()?;
        writer.write(&body(MEGA - name.len()))?;
        writer.write(&vec![0; name.len()])?;
        writer.close()?;
        Ok::<_, Problem>(entry)
    };
    let mut read = put("0").expect("room").reader();
    for name in ["1", "2"] {
        put(name).expect("room");
    }
    assert_eq!(
        put("3").expect_err("full").kind,
        Kind::Full,
        "records take room too"
    );
    stream.remove(&id("3")).expect("removed");
    stream.played(&id("0"));
    stream.played(&id("1"));
    put("4").expect("the first that is not read goes");
    assert!(stream.find(&id("1")).is_none());
    assert_eq!(
        put("5").expect_err("full").kind,
        Kind::Full,
        "0 is read, 2 is ahead"
    );
    stream.remove(&id("5")).expect("removed");
    let mut byte = [0];
    read.read_exact(&mut byte).expect("it is there");
    drop(read);
    put("6").expect("now it goes");
    assert!(stream.find(&id("0")).is_none() && stream.find(&id("2")).is_some());
}

#[test]
fn what_an_earlier_run_left_of_the_stream_makes_room_unless_this_one_asked_for_it() {
    let rig = Rig::new();
    let limit = Some(3 * MEGA as u64);
    let stream = rig.limited(limit).stream(&id("list")).expect("made");
    stored(&stream, "old", &body(MEGA));
    stored(&stream, "list", &body(MEGA));
    drop(stream);
    let stream = rig.limited(limit).stream(&id("list")).expect("found");
    assert!(stream.find(&id("list")).is_some());
    stored(&stream, "new", &body(3 * MEGA / 2));
    assert!(stream.find(&id("old")).is_none());
    assert!(stream.find(&id("list")).expect("it stays").is_complete());
}

#[test]
fn what_is_given_up_is_lost_to_every_process_and_makes_room() {
    let rig = Rig::new();
    let cache = rig.cache();
    let stream = cache.stream(&id("list")).expect("made");
    let bytes = body(1_000_000);
    let entry = stream
        .begin(&id("a"), tagged("1", bytes.len()))
        .expect("begun");
    let mut writer = writer(&entry, 0);
    writer.write(&bytes[..900_000]).expect("written");
    let theirs = rig.cache().stream(&id("list")).expect("found");
    let theirs = theirs.find(&id("a")).expect("found");
    let mut reader = theirs.reader();
    let mut part = vec![0; 100_000];
    reader.read_exact(&mut part).expect("known");
    assert_eq!(part, bytes[..100_000]);
    let gone = entry.forget(10_000..800_000).expect("holes");
    assert_eq!(gone, 11 * 65_536, "whole blocks");
    assert_eq!(entry.first_gap(0), Some(65_536..12 * 65_536));
    theirs.set_offline();
    io::Seek::seek(&mut reader, io::SeekFrom::Start(100_000)).expect("a seek");
    reader
        .read_exact(&mut part)
        .expect_err("not there any more");
    io::Seek::seek(&mut reader, io::SeekFrom::Start(800_000)).expect("a seek");
    reader.read_exact(&mut part).expect("still there");
    assert_eq!(part, bytes[800_000..900_000]);
    writer.write(&bytes[900_000..]).expect("written");
    writer.close().expect("recorded");
    assert!(!entry.is_complete());
    write(&entry, 65_536, &bytes[65_536..12 * 65_536]);
    assert_eq!(read(&entry, 0), (bytes, None));
}
