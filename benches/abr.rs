//! `make bench`: what a decision about the next segment costs, and what it
//! costs to ask whether a transfer is given up and what is fetched again.
//! Prints medians, asserts nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kithara::hls::abr::{Ahead, Controller, Sample, Situation, Transfer};
use kithara::units::BitRate;

const ROUNDS: usize = 51;
const CALLS: u32 = 2_000;
const SEGMENTS: u32 = 75;
const SEGMENT: f64 = 4.0;

fn main() {
    println!("microseconds a call, medians of {ROUNDS} runs of {CALLS} calls");
    println!("{:<28} {:>10} {:>10}", "", "5 rungs", "10 rungs");
    let ladders = [5, 10].map(controller);
    let starts: Vec<f64> = (0..=SEGMENTS)
        .map(|place| f64::from(place) * SEGMENT)
        .collect();
    let rungs: Vec<u8> = (0..SEGMENTS)
        .map(|place| u8::from(place % 3 == 0))
        .collect();
    let ahead = Ahead {
        rungs: &rungs,
        starts: &starts,
        first: 0,
        idle: 0.0,
        is_whole: false,
    };
    let transfer = Transfer {
        silent: 0.0,
        rung: 4,
        elapsed: 3.0,
        flowing: Some(2.9),
        kilobits: 4_000.0,
        got: 500.0,
        part: 0.5,
    };
    let calls: [(&str, &dyn Fn(&Controller, &Situation)); 3] = [
        ("decide", &|controller, now| {
            black_box(controller.decide(now));
        }),
        ("abandon", &|controller, now| {
            black_box(controller.abandon(now, &transfer));
        }),
        ("upgrade, 75 segments", &|controller, now| {
            black_box(controller.upgrade(now, &ahead));
        }),
    ];
    for (name, call) in calls {
        for (limit, is_live) in [(300.0, false), (60.0, true)] {
            let now = now(limit, is_live);
            let [few, many] = ladders
                .each_ref()
                .map(|one| microseconds(|| call(one, &now)));
            let kind = if is_live { "live" } else { "disk" };
            println!("{:<28} {few:>10.2} {many:>10.2}", format!("{name}, {kind}"));
        }
    }
}

/// A controller that has seen minutes of an unsteady link.
fn controller(rungs: u64) -> Controller {
    let rates: Vec<BitRate> = (0..rungs).map(|rung| BitRate(32_000 << rung)).collect();
    let mut controller = Controller::new(&rates);
    for place in 0..300 {
        controller.sample(Sample {
            bytes: 20_000 + place * 7_919 % 40_000,
            first_byte: Some(Duration::from_millis(60)),
            transfer: Duration::from_millis(300 + place * 641 % 900),
        });
    }
    controller
}

fn now(limit: f64, is_live: bool) -> Situation {
    Situation {
        current: Some(1),
        buffer: 0.2 * limit,
        limit,
        heard: 0.0,
        steady: 100.0,
        segment: SEGMENT,
        remaining: 600.0,
        stored: None,
        is_live,
    }
}

fn microseconds(call: impl Fn()) -> f64 {
    let mut times = [0.0; ROUNDS];
    for time in &mut times {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        *time = start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
    }
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
