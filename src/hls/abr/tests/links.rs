//! Whole sessions over synthesised links: steady ones, fading ones, tunnels, a
//! satellite. What must hold on all of them, whatever the numbers.

use crate::hls::abr::Controller;
use crate::simulate::testkit::{self, setting};
use crate::simulate::{Ladder, Log, Setting, Trace, run, run_with};
use crate::units::BitRate;

/// 100 segments of different sizes.
fn ladder() -> Ladder {
    testkit::ladder(|kilobits, place| kilobits * (470 + place * 37 % 60))
}

/// Numbers that look like chance and never change (Knuth's generator).
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// A second in each line.
fn link(seconds: usize, trip: u64, mut rate: impl FnMut(usize) -> f64) -> String {
    let line = |second: usize| format!("{second} {:.3} {trip}\n", rate(second).max(0.0));
    (0..=seconds).map(line).collect()
}

/// A rate that wanders by up to `step` of itself in a second.
fn wandering(seed: u64, mean: f64, step: f64) -> impl FnMut(usize) -> f64 {
    let mut dice = Dice(seed);
    let mut level: f64 = 0.0;
    move |_| {
        level = level * 0.95 + step * (dice.next() + dice.next() - 1.0);
        mean * level.exp()
    }
}

fn links() -> Vec<(&'static str, String)> {
    let mut tram = wandering(3, 350.0, 0.5);
    let mut wifi = wandering(4, 900.0, 0.2);
    let mut dice = Dice(5);
    vec![
        ("steady and slow", link(300, 60, |_| 50.0)),
        ("steady", link(300, 60, |_| 240.0)),
        ("satellite", link(300, 600, wandering(1, 400.0, 0.3))),
        ("edge", link(300, 800, wandering(2, 70.0, 0.2))),
        (
            "tram",
            link(600, 100, move |second| {
                if second % 170 > 150 {
                    0.0
                } else {
                    tram(second)
                }
            }),
        ),
        (
            "wifi",
            link(600, 60, move |second| {
                let crowded = if dice.next() < 0.3 { 0.1 } else { 1.0 };
                wifi(second) * crowded
            }),
        ),
        (
            "fading",
            link(500, 60, |second| 1500.0 - 2.9 * second as f64),
        ),
    ]
}

fn settings() -> Vec<Setting> {
    vec![
        setting(30.0, 1),
        setting(60.0, 2),
        setting(300.0, 1),
        Setting {
            live: Some(3),
            ..setting(60.0, 1)
        },
    ]
}

/// What was asked for before `time`.
fn asked(log: &Log, time: f64) -> Vec<(f64, Option<usize>, Option<usize>)> {
    let before = log.requests.iter().filter(|one| one.t_req < time);
    before
        .map(|one| (one.t_req, one.segment, one.variant))
        .collect()
}

/// A link that is the same until `time` and then `factor` times as fast.
fn turned(text: &str, time: f64, factor: f64) -> String {
    let mut turned = String::new();
    // Far enough to be heard to the end without coming round.
    for round in 0..12 {
        let lines: Vec<Vec<f64>> = text
            .lines()
            .map(|line| {
                line.split(' ')
                    .map(|word| word.parse().expect("a number"))
                    .collect()
            })
            .collect();
        let length = lines[lines.len() - 1][0];
        for line in &lines[..lines.len() - 1] {
            let at = f64::from(round) * length + line[0];
            let rate = if at < time { line[1] } else { line[1] * factor };
            turned += &format!("{at} {rate} {}\n", line[2]);
        }
        if round == 11 {
            turned += &format!("{} 0 0\n", 12.0 * length);
        }
    }
    turned
}

#[test]
fn no_decision_knows_what_comes() {
    let ladder = ladder();
    for (name, text) in links() {
        for setting in settings() {
            let whole = turned(&text, 0.0, 1.0);
            let as_it_is = run(&ladder, &Trace::parse(&whole).expect("a trace"), &setting);
            for (time, factor) in [(60.0, 8.0), (60.0, 0.125), (200.0, 0.125)] {
                let trace = Trace::parse(&turned(&text, time, factor)).expect("a trace");
                let other = run(&ladder, &trace, &setting);
                assert_eq!(
                    asked(&as_it_is, time),
                    asked(&other, time),
                    "{name} {time} {factor}"
                );
            }
        }
    }
}

#[test]
fn a_session_is_never_worse_than_the_lowest_rung_alone() {
    let ladder = ladder();
    let lowest = Ladder {
        variants: ladder.variants[..1].to_vec(),
        ..ladder.clone()
    };
    for (name, text) in links() {
        let trace = Trace::parse(&text).expect("a trace");
        for setting in settings() {
            let ours = run(&ladder, &trace, &setting).metrics;
            let controller = Controller::new(&[BitRate(32_000)]);
            let alone = run_with(&lowest, &trace, &setting, controller).metrics;
            let top = (1000.0_f64 / 32.0).ln();
            let silence = 4.0 * top * (alone.stall_s + alone.startup_s) / 400.0;
            assert!(ours.qoe >= -silence, "{name}: {ours:?} against {alone:?}");
        }
    }
}

#[test]
fn little_is_thrown_away() {
    let ladder = ladder();
    for (name, text) in links() {
        let trace = Trace::parse(&text).expect("a trace");
        for setting in settings() {
            let metrics = run(&ladder, &trace, &setting).metrics;
            let share = metrics.wasted_bytes as f64 / metrics.bytes as f64;
            assert!(share < 0.1, "{name}: {metrics:?}");
        }
    }
}
