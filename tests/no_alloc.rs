//! The audio callback allocates nothing and frees nothing, whatever happens to
//! it. A test binary of its own, for the allocator that watches.

use std::sync::Arc;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
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
