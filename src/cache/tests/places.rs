//! Where a cache may be: in memory, in a folder of its own, nowhere yet.

use super::*;

#[test]
fn memory_behaves_as_the_disk_does_and_leaves_nothing() {
    let rig = Rig::new();
    let cache = Cache::memory(Arc::clone(&rig.bell), Arc::clone(&rig.stats));
    let stream = cache.stream(&id("list")).expect("made");
    let bytes = body(200_000);
    let entry = stored(&stream, "a", &bytes);
    assert_eq!(read(&entry, 0), (bytes.clone(), None));
    assert!(Arc::ptr_eq(
        &entry,
        &stream.find(&id("a")).expect("it lives")
    ));
    assert_eq!(entry.forget(0..100_000).expect("punched"), 65_536);
    assert_eq!(entry.first_gap(0), Some(0..65_536));
    assert_eq!(read(&entry, 100_000).0, bytes[100_000..]);
    drop(entry);
    assert!(stream.find(&id("a")).is_none());
    assert!(cache.is_memory() && !rig.root().exists());
}

#[test]
fn a_private_cache_goes_with_its_last_user() {
    let rig = Rig::new();
    let private = || {
        let (bell, stats) = (Arc::clone(&rig.bell), Arc::clone(&rig.stats));
        Cache::private(rig.place.path(), bell, stats).expect("made")
    };
    let (first, second) = (private(), private());
    let path = first.path().expect("on disk").to_owned();
    assert_ne!(Some(path.as_path()), second.path());
    let entry = stored(&first.stream(&id("list")).expect("made"), "a", &body(10));
    drop(first);
    assert!(path.exists(), "an entry is still read");
    drop(entry);
    assert!(!path.exists());
    assert!(second.path().expect("on disk").exists());
}

#[test]
fn what_a_dead_process_kept_private_is_removed() {
    let rig = Rig::new();
    let left = |name: &str, age: u64| {
        let path = rig.place.path().join(name);
        let (bell, stats) = (Arc::clone(&rig.bell), Arc::clone(&rig.stats));
        let cache = Cache::open(&path, None, bell, stats).expect("opens");
        stored(&cache.stream(&id("list")).expect("made"), "a", &body(10));
        let marker = fs::File::open(path.join(root::MARKER)).expect("there");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        marker.set_modified(then).expect("dated");
        (path, cache)
    };
    let (dead, _) = left("kithara-private-1-0", 100);
    let (young, _) = left("kithara-private-2-0", 0);
    let (alive, _cache) = left("kithara-private-3-0", 100);
    let (other, _) = left("something-else", 100);
    let (bell, stats) = (Arc::default(), Arc::default());
    drop(Cache::private(rig.place.path(), bell, stats).expect("made"));
    let stays = [dead, young, alive, other].map(|path| path.exists());
    assert_eq!(stays, [false, true, true, true]);
}

#[test]
fn looking_for_a_stream_makes_nothing() {
    let rig = Rig::new();
    let cache = rig.cache();
    assert!(cache.find(&id("list")).expect("a miss").is_none());
    assert_eq!(cache.list().expect("nothing"), []);
    assert_eq!(cache.measure().expect("nothing"), 0);
    assert!(!rig.root().exists());
}
