//! What allocates nothing and frees nothing: the audio callback, whatever
//! happens to it, and the way of an access unit out of a transport stream. A
//! test binary of its own, for the allocator that watches.

use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use kithara::decode::ts;
use kithara::output::callback::Callback;
use kithara::ring;
use kithara::stats::Stats;
use kithara::units::{ChannelCount, SampleRate, Spec};

#[global_allocator]
static WATCHED: AllocDisabler = AllocDisabler;

#[test]
fn the_callback_neither_allocates_nor_frees() {
    let spec = Spec {
        rate: SampleRate::new(48_000).expect("an allowed rate"),
        channels: ChannelCount::new(2).expect("an allowed count"),
    };
    let stats = Arc::new(Stats::default());
    let (mut producer, consumer) = ring::of_length(spec);
    let (mut callback, remote) = Callback::new(consumer, Arc::clone(&stats));
    let sound = vec![0.5; 20_000];
    let mut block = vec![0.0; 2_048];
    let mut run = |blocks: usize| {
        for _ in 0..blocks {
            assert_no_alloc(|| callback.run(&mut block));
        }
    };

    run(2); // nothing there yet
    producer.write(&sound);
    run(30); // plays and starves
    producer.write(&sound);
    remote.set_volume(40);
    run(3); // resumes, glides
    producer.flush_to(producer.written());
    producer.write(&sound);
    run(3); // jumps
    producer.finish();
    run(30); // ends
    producer.flush_to(producer.written());
    producer.write(&sound);
    run(2);
    remote.stop();
    run(3); // fades out
    drop(producer);
    run(1); // abandoned

    assert!(remote.is_silent());
    assert_eq!(remote.playhead().underruns(), 1);
    assert!(stats.frames_played.total() > 20_000);
}

#[test]
fn an_access_unit_comes_out_of_a_transport_stream_without_an_allocation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/timeline/tone.ts");
    let source = Box::new(Cursor::new(fs::read(path).expect("a fixture")));
    let mut demuxer =
        ts::Demuxer::open(None, source, Arc::default(), None, None).expect("a stream");
    let mut units = 0;
    let mut next = || {
        let unit = demuxer.next_unit().expect("sound");
        units += usize::from(unit.is_some());
        unit.is_some()
    };
    (0..200).for_each(|_| assert!(next(), "until every buffer has its size"));
    assert_no_alloc(|| while next() {});
    assert!(units > 400, "{units}");
}
