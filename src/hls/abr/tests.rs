//! The controller, by what it does with links that are made up.

mod links;

use super::*;
use crate::units::MediaTime;

const LADDER: [BitRate; 5] = [
    BitRate(32_000),
    BitRate(64_000),
    BitRate(128_000),
    BitRate(256_000),
    BitRate(1_000_000),
];

fn second_of(kilobits: u64) -> Sample {
    Sample {
        bytes: kilobits * 125,
        first_byte: Some(Duration::from_millis(50)),
        transfer: Duration::from_secs(1),
    }
}

/// A controller that saw `kilobits` per second for `seconds`.
fn seen(kilobits: u64, seconds: u64) -> Controller {
    let mut controller = Controller::new(&LADDER);
    for _ in 0..seconds {
        controller.sample(second_of(kilobits));
    }
    controller
}

fn now(current: usize, buffer: f64, limit: f64) -> Situation {
    Situation {
        current: Some(current),
        buffer,
        limit,
        heard: 200.0,
        steady: 100.0,
        segment: 4.0,
        remaining: 300.0,
        stored: None,
        is_live: false,
    }
}

#[test]
fn the_first_segment_is_small_whatever_the_playlists_promise() {
    let start = Situation {
        limit: 300.0,
        ..Situation::at_start()
    };
    for (kilobits, most) in [(100_000, 2), (2_000, 2), (300, 1), (20, 0)] {
        let mut controller = Controller::new(&LADDER);
        controller.opened(second_of(kilobits));
        let choice = controller.decide(&start);
        assert!(choice.rung <= most, "{kilobits}: {}", choice.rung);
        assert_eq!(choice.reason, Reason::Start);
    }
    assert_eq!(
        Controller::new(&LADDER).decide(&Situation::at_start()).rung,
        2
    );
    let high_only = Controller::new(&LADDER[3..]);
    assert_eq!(high_only.decide(&Situation::at_start()).rung, 0);
}

#[test]
fn a_remembered_network_begins_where_it_was() {
    let remembered = |rate| Controller::new(&LADDER).remembering(Some(BitRate(rate)));
    for (rate, want) in [(300_000, 3), (60_000, 0), (5_000_000, 4)] {
        let choice = remembered(rate).decide(&Situation::at_start());
        assert_eq!(choice.rung, want, "{rate}");
    }
}

#[test]
fn a_fast_link_and_a_long_buffer_give_the_best() {
    for limit in [30.0, 60.0, 300.0] {
        let choice = seen(20_000, 60).decide(&now(1, limit - 5.0, limit));
        assert_eq!(choice.rung, 4, "{limit}");
        assert!(matches!(choice.reason, Reason::Up(_)), "{limit}");
    }
}

#[test]
fn more_of_a_link_and_more_buffer_never_choose_less() {
    for limit in [30.0, 60.0, 300.0] {
        for is_live in [false, true] {
            let rung = |kilobits, buffer| {
                let now = Situation {
                    is_live,
                    ..now(2, buffer, limit)
                };
                seen(kilobits, 60).decide(&now).rung
            };
            for step in 0..20 {
                let kilobits = 20 << (step / 2);
                assert!(
                    rung(kilobits, 12.0) <= rung(kilobits * 2, 12.0),
                    "{limit} {kilobits}"
                );
                let buffer = f64::from(step);
                assert!(
                    rung(300, buffer) <= rung(300, buffer + 1.0),
                    "{limit} {buffer}"
                );
            }
        }
    }
}

#[test]
fn an_empty_buffer_on_a_slow_link_goes_to_the_lowest() {
    for limit in [12.0, 30.0, 60.0, 300.0] {
        let choice = seen(50, 60).decide(&now(3, 0.5, limit));
        assert_eq!(choice.rung, 0, "{limit}");
        assert!(matches!(choice.reason, Reason::Down(_)), "{limit}");
    }
}

#[test]
fn an_outage_counts_with_its_whole_length() {
    let mut controller = seen(1_000, 4);
    controller.sample(Sample {
        bytes: 125,
        first_byte: None,
        transfer: Duration::from_secs(60),
    });
    let estimate = controller.estimate().expect("samples").kilobits();
    assert!(estimate < 100, "{estimate}");
}

#[test]
fn a_ladder_of_one_has_no_choice() {
    let mut controller = Controller::new(&LADDER[..1]);
    controller.sample(second_of(10));
    for current in [None, Some(0), Some(9)] {
        let choice = controller.decide(&Situation {
            current,
            ..now(0, 0.0, 300.0)
        });
        assert_eq!(
            (choice.rung, choice.reason),
            (0, Reason::Only),
            "{current:?}"
        );
    }
}

#[test]
fn a_reason_says_its_numbers() {
    let numbers = Numbers {
        estimate: BitRate(5_000_000),
        buffer: MediaTime::from_seconds(6.5),
    };
    let text = Reason::Up(numbers).to_string();
    assert_eq!(text, "up: the link carries 5.0 Mbit/s, 6.5 s ahead");
}

/// A transfer of the top rung that has got 5 % of 4 Mbit in `flowing` seconds.
fn slow(flowing: f64) -> Transfer {
    Transfer {
        silent: 0.0,
        rung: 4,
        elapsed: flowing + 0.1,
        flowing: Some(flowing),
        kilobits: 4_000.0,
        got: 200.0,
        part: 0.5,
    }
}

#[test]
fn a_transfer_that_comes_too_late_is_given_up_for_a_lower_rung() {
    let controller = seen(2_000, 30);
    let rung = controller
        .abandon(&now(4, 3.0, 60.0), &slow(20.0))
        .expect("too slow");
    assert!(rung < 4, "{rung}");
    assert_eq!(controller.abandon(&now(4, 60.0, 60.0), &slow(0.5)), None);
}

#[test]
fn a_young_or_a_lowest_transfer_is_left_alone() {
    let controller = seen(2_000, 30);
    let young = Transfer {
        elapsed: 0.3,
        flowing: None,
        got: 0.0,
        ..slow(1.0)
    };
    assert_eq!(controller.abandon(&now(4, 0.0, 60.0), &young), None);
    let lowest = Transfer {
        rung: 0,
        ..slow(60.0)
    };
    assert_eq!(controller.abandon(&now(0, 0.0, 60.0), &lowest), None);
}

#[test]
fn low_segments_ahead_are_fetched_again_when_there_is_time() {
    let controller = seen(2_000, 60);
    let starts: Vec<f64> = (0..=20).map(|place| f64::from(place) * 4.0).collect();
    let rungs = [1; 20];
    let ahead = Ahead {
        rungs: &rungs,
        starts: &starts,
        first: 3,
        idle: 60.0,
        is_whole: true,
    };
    let now = Situation {
        heard: 10.0,
        remaining: 4.0,
        ..now(1, 70.0, 300.0)
    };
    let (segment, rung) = controller.upgrade(&now, &ahead).expect("time enough");
    assert!(segment >= 3 && rung > 1, "{segment} {rung}");
    let late = Ahead { idle: 0.1, ..ahead };
    assert_eq!(controller.upgrade(&now, &late), None);
}

#[test]
fn the_rate_alone_and_the_buffer_alone_decide_where_asked() {
    let cases = [
        (Algorithm::Throughput, 100, 2.0, 1),
        (Algorithm::Throughput, 100, 50.0, 1),
        (Algorithm::Throughput, 290, 2.0, 3),
        (Algorithm::Throughput, 5_000, 2.0, 4),
        (Algorithm::Throughput, 5, 50.0, 0),
        (Algorithm::Buffer, 5_000, 10.0, 0),
        (Algorithm::Buffer, 5_000, 22.0, 3),
        (Algorithm::Buffer, 10, 50.0, 4),
    ];
    for (algorithm, kilobits, buffer, want) in cases {
        let controller = seen(kilobits, 60).with(algorithm);
        let choice = controller.decide(&now(2, buffer, 60.0));
        assert_eq!(choice.rung, want, "{algorithm:?} {kilobits} {buffer}");
        assert_eq!(controller.abandon(&now(4, 3.0, 60.0), &slow(20.0)), None);
    }
}

#[test]
fn what_is_stored_is_the_least_and_costs_no_fear() {
    let stored = Situation {
        stored: Some(1),
        ..now(1, 20.0, 300.0)
    };
    let controller = seen(300, 60);
    let choice = controller.decide(&stored);
    assert!(choice.rung >= 2, "{}", choice.rung);
    let dead = seen(5, 60).decide(&stored);
    assert_eq!(dead.rung, 1);
    let unknown = Controller::new(&LADDER).decide(&stored);
    assert_eq!(unknown.rung, 2, "the rung above it is tried");
}

#[test]
fn what_comes_again_is_given_up_when_it_would_be_late() {
    let controller = seen(2_000, 30);
    let now = now(4, 60.0, 300.0);
    assert!(!controller.regret(&now, &slow(0.5), 50.0), "young and fast");
    assert!(controller.regret(&now, &slow(20.0), 5.0), "heard before");
    let short = Situation { buffer: 2.0, ..now };
    assert!(controller.regret(&short, &slow(20.0), 500.0), "in the way");
}

#[test]
fn an_outage_is_what_the_lowest_rung_lacks() {
    // Ten seconds that carry so much, after a minute of 2 Mbit/s.
    let after = |kilobits: u64| {
        let mut controller = seen(2000, 60);
        for _ in 0..10 {
            controller.sample(second_of(kilobits));
        }
        controller.sample(second_of(2000));
        controller.link.outages(16.0)
    };
    let (calm, dip, outage) = (after(2000), after(500), after(1));
    assert_eq!(dip, calm, "every rung but the highest goes on");
    assert!(outage.1 > calm.1, "{outage:?} {calm:?}");
}

#[test]
fn what_a_plan_leaves_is_worth_the_rungs_it_buys() {
    let controller = Controller::new(&LADDER);
    let step = 2.0_f64.ln();
    let top = 31.25_f64.ln();
    for (stored, rate, want) in [
        (None, 16.0, -0.5 * SILENCE * top), // half of the time is silent
        (None, 32.0, 0.0),
        (None, 96.0, 1.5 * step), // half 64, half 128
        (None, 5000.0, top),
        (Some(1), 0.0, step),
        (Some(1), 64.0, 1.5 * step), // half stored, half 128
    ] {
        let now = Situation {
            stored,
            ..now(1, 20.0, 300.0)
        };
        let worth = controller.mix(&controller.outlook(&tuning::DISK, &now), rate);
        assert!((worth - want).abs() < 1e-9, "{stored:?} {rate}: {worth}");
    }
}
