//! What allocates nothing and frees nothing: the audio callback, whatever
//! happens to it, the way of an access unit out of a transport stream, and
//! decisions about quality. A test binary of its own, for the allocator that watches.

use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use kithara::decode::ts;
use kithara::hls::abr::{Ahead, Controller, Sample, Situation, Transfer};
use kithara::output::callback::Callback;
use kithara::ring;
use kithara::stats::Stats;
use kithara::units::{BitRate, ChannelCount, SampleRate, Spec};

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

#[test]
fn no_decision_about_quality_allocates() {
    let rates = [32_000, 64_000, 128_000, 256_000, 1_000_000].map(BitRate);
    let mut controller = Controller::new(&rates);
    let starts: Vec<f64> = (0..=75).map(|place| f64::from(place) * 4.0).collect();
    let ahead = Ahead {
        rungs: &[1; 75],
        starts: &starts,
        first: 10,
        idle: 0.0,
        is_whole: false,
    };
    let sample = Sample {
        bytes: 60_000,
        first_byte: Some(Duration::from_millis(50)),
        transfer: Duration::from_secs(1),
    };
    let transfer = Transfer {
        silent: 0.0,
        rung: 4,
        elapsed: 20.0,
        flowing: Some(19.0),
        kilobits: 4_000.0,
        got: 200.0,
        part: 0.5,
    };
    let mut now = Situation {
        limit: 300.0,
        segment: 4.0,
        ..Situation::at_start()
    };
    assert_no_alloc(|| {
        controller.decide(&now);
        for round in 0..400 {
            controller.sample(sample);
            now = Situation {
                current: Some(1),
                buffer: f64::from(round % 300),
                is_live: round % 7 == 0,
                stored: (round % 5 == 0).then_some(1),
                remaining: 400.0 - f64::from(round),
                ..now
            };
            controller.decide(&now);
            controller.abandon(&now, &transfer);
            controller.regret(&now, &transfer, 9.0);
            controller.upgrade(&now, &ahead);
        }
    });
    assert!(controller.estimate().is_some());
}
