//! `make bench`: what the cache costs beside a bare open and read of a file of
//! the same size, whatever else it holds. Prints medians and ratios, asserts
//! nothing.

mod timing;

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kithara::cache::{Cache, Head, Identity, Stream};
use timing::{median, time};

const ROUNDS: usize = 201;
const ENTRIES: usize = 10; // of a stream
const BYTES: usize = 16 << 10; // of an entry
const EVICTED: usize = 20;

fn main() {
    println!(
        "entries of {BYTES} bytes, {ENTRIES} in a stream, medians of {ROUNDS} runs; x: times a bare open and read"
    );
    println!(
        "{:>8} {:>9} {:>18} {:>18} {:>18} {:>18} {:>18} {:>9}",
        "streams", "bare", "open", "hit", "miss", "write", "evict a stream", "count"
    );
    for streams in [1, 100, 1_000, 10_000] {
        // On the disk that the build is on: temporary files may be in memory.
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        measure(place.path(), streams);
    }
}

fn measure(place: &Path, streams: usize) {
    let root = place.join("cache");
    let body = vec![7; BYTES];
    fill(&root, streams, &body);
    let file = place.join("bare");
    std::fs::write(&file, &body).expect("written");
    let mut buffer = vec![0; BYTES];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        let list = id(round * 7919 % streams);
        times[0].push(time(|| {
            let file = File::open(&file).expect("there");
            file.read_exact_at(&mut buffer, 0).expect("whole");
        }));
        let mut opened = None;
        times[1].push(time(|| {
            let cache = open(&root, None);
            opened = Some((cache.stream(&list).expect("there"), cache));
        }));
        let (stream, cache) = opened.expect("opened just now");
        times[2].push(time(|| {
            let entry = stream.find(&part(&list, round % ENTRIES)).expect("a hit");
            entry.reader().read_exact(&mut buffer).expect("whole");
        }));
        times[3].push(time(|| {
            black_box(stream.find(&part(&list, ENTRIES + 1)).is_none())
        }));
        let fresh = cache.stream(&id(streams)).expect("made");
        times[4].push(time(|| write(&fresh, &part(&list, ENTRIES + round), &body)));
    }
    let [bare, open_time, hit, miss, write] = times.map(median);
    let (evict, counting) = evict(&root, streams);
    let cell = |time: Duration| {
        let ratio = time.as_secs_f64() / bare.as_secs_f64().max(1e-9);
        format!("{time:>9.1?} {ratio:>7.1}x")
    };
    println!(
        "{streams:>8} {bare:>9.1?} {:>18} {:>18} {:>18} {:>18} {:>18} {counting:>9.1?}",
        cell(open_time),
        cell(hit),
        cell(miss),
        cell(write),
        evict.map_or("-".to_owned(), cell)
    );
}

/// The time that one stream takes to go, and that of counting everything, which
/// is done beside the sound.
fn evict(root: &Path, streams: usize) -> (Option<Duration>, Duration) {
    let evicted = EVICTED.min(streams / 2);
    let held = open(root, None).measure().expect("counted");
    let begun = Instant::now();
    black_box(open(root, None).measure().expect("counted"));
    let counting = begun.elapsed();
    let share = held / (streams as u64 + 1);
    let cache = open(root, Some(held - share * evicted as u64));
    let begun = Instant::now();
    let bytes = cache.trim().expect("trimmed");
    let count = u32::try_from(bytes / share).expect("a few");
    let evicting = begun.elapsed().saturating_sub(counting);
    ((count > 0).then(|| evicting / count), counting)
}

fn open(root: &Path, limit: Option<u64>) -> Cache {
    Cache::open(
        root,
        limit.or(Some(u64::MAX)),
        Arc::default(),
        Arc::default(),
    )
    .expect("it opens")
}

fn fill(root: &Path, streams: usize, body: &[u8]) {
    let cache = open(root, None);
    for number in 0..streams {
        let stream = cache.stream(&id(number)).expect("made");
        (0..ENTRIES).for_each(|entry| write(&stream, &part(&id(number), entry), body));
    }
}

fn write(stream: &Stream, identity: &Identity, body: &[u8]) {
    let head = Head {
        etag: Some("\"1\"".to_owned()),
        total: Some(body.len() as u64),
        ..Head::default()
    };
    let entry = stream.begin(identity, head).expect("begun");
    let mut writer = entry.writer(0).expect("ours").expect("nobody else's");
    writer.write(body).expect("written");
    writer.close().expect("recorded");
}

fn id(stream: usize) -> Identity {
    Identity::of_url(&format!("https://example.com/{stream}/list.m3u8"))
}

fn part(list: &Identity, entry: usize) -> Identity {
    Identity::of_url(&format!("{}/{entry}.m4s", list.url()))
}
