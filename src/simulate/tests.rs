//! Sessions over made-up links: what the log says obeys the rules of the link
//! and the player, and quality follows the link.

use super::session::run_with;
use super::testkit::setting;
use super::*;
use crate::error::Kind;
use crate::hls::abr::{Controller, Tuning, tuning};

/// 100 segments, all of a rung's own rate.
fn ladder() -> Ladder {
    testkit::ladder(|kilobits, _| kilobits * 500)
}

fn trace(text: &str) -> Trace {
    Trace::parse(text).expect("a trace")
}

fn steady(kilobits: u32) -> Trace {
    trace(&format!("0 {kilobits} 50\n1000 0\n"))
}

fn json(log: &Log) -> String {
    serde_json::to_string(log).expect("a log")
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let link = trace("# made up\n0 300 50\n40 0 50\n52 900 80\n200 40 50\n260 0\n");
    for in_flight in [1, 2] {
        let setting = setting(60.0, in_flight);
        let (one, other) = (
            run(&ladder(), &link, &setting),
            run(&ladder(), &link, &setting),
        );
        assert_eq!(json(&one), json(&other), "{in_flight}");
    }
}

#[test]
fn a_steady_link_never_stalls_and_carries_what_it_can() {
    for (kilobits, least) in [(40, 31.0), (150, 100.0), (400, 220.0), (5_000, 900.0)] {
        for max_buffer in [30.0, 60.0, 300.0] {
            let metrics = run(&ladder(), &steady(kilobits), &setting(max_buffer, 1)).metrics;
            assert_eq!(metrics.stalls, 0, "{kilobits} kbit/s, {max_buffer} s");
            let mean = metrics.mean_kbps;
            assert!(mean >= least, "{kilobits} kbit/s, {max_buffer} s: {mean}");
        }
    }
}

#[test]
fn an_outage_within_the_buffer_is_not_heard() {
    let link = trace("0 1500 50\n120 0 50\n145 1500 50\n600 0\n");
    let metrics = run(&ladder(), &link, &setting(60.0, 1)).metrics;
    assert_eq!(metrics.stalls, 0, "{metrics:?}");
}

/// The rules that the link and the player set.
fn check(log: &Log, in_flight: usize, max_buffer: f64) {
    let mut ends: Vec<f64> = Vec::new();
    let mut next = 0;
    let mut before = 0.0;
    for request in &log.requests {
        assert!(request.t_req >= before, "{request:?} goes back");
        before = request.t_req;
        ends.retain(|end| *end > request.t_req + 2e-6);
        assert!(ends.len() < in_flight, "{request:?} is one too many");
        ends.extend(request.t_abort.or(request.t_end));
        if let Some(segment) = request.segment {
            assert!(segment <= next, "{request:?} comes before {next}");
            next += usize::from(segment == next && request.t_abort.is_none());
            let buffer = request.buffer_s.unwrap_or(0.0);
            assert!(buffer <= max_buffer + 1e-6, "{request:?} is too much");
        }
    }
    assert_eq!(next, 100, "all of it came");
}

#[test]
fn every_log_obeys_the_rules() {
    let links = [
        steady(100),
        trace("0 300 50\n40 0 50\n52 900 80\n200 40 50\n260 0\n"),
        trace("0 800 600\n10 60 600\n20 0\n"),
        trace("0 20 700\n30 2000 20\n31 0\n"),
    ];
    for (place, link) in links.iter().enumerate() {
        for max_buffer in [12.0, 30.0, 300.0] {
            for in_flight in [1, 2, 4] {
                let log = run(&ladder(), link, &setting(max_buffer, in_flight));
                check(&log, in_flight, max_buffer);
                assert!(log.metrics.qoe.is_finite(), "{place}");
            }
        }
    }
}

#[test]
fn two_requests_in_flight_hide_the_round_trip() {
    let link = trace("0 60 800\n600 0\n");
    let stalled = |in_flight| run(&ladder(), &link, &setting(60.0, in_flight)).metrics;
    let (one, two) = (stalled(1), stalled(2));
    assert!(two.qoe >= one.qoe, "{} {}", two.qoe, one.qoe);
    assert_eq!(two.stalls, 0);
}

#[test]
fn what_is_cached_is_used_at_once_and_costs_nothing() {
    let dead = trace("0 50 50\n2 0 50\n400 50 50\n500 0\n");
    let cached = Setting {
        cached: vec![[1, 0, 99]],
        ..setting(300.0, 1)
    };
    let log = run(&ladder(), &dead, &cached);
    assert_eq!(log.metrics.stalls, 0, "{:?}", log.metrics);
    let from_cache = log
        .requests
        .iter()
        .filter(|one| one.source == Some("cache"));
    assert!(from_cache.count() >= 90);
}

#[test]
fn a_live_segment_is_not_asked_for_before_it_exists() {
    let live = Setting {
        live: Some(3),
        ..setting(60.0, 1)
    };
    let log = run(&ladder(), &steady(2_000), &live);
    check(&log, 1, 60.0);
    for request in &log.requests {
        if let Some(segment) = request.segment {
            let exists = (segment as f64 - 2.0) * 4.0;
            assert!(request.t_req >= exists - 1e-6, "{request:?}");
        }
    }
}

#[test]
fn another_controller_decides_otherwise() {
    let timid = Tuning {
        discount: 1e-3,
        upgrade_share: 0.0,
        ..tuning::DISK
    };
    let (ladder, setting) = (ladder(), setting(60.0, 1));
    let controller = Controller::new(&ladder.bit_rates()).tuned(timid);
    let log = run_with(&ladder, &steady(1_500), &setting, controller);
    let usual = run(&ladder, &steady(1_500), &setting);
    assert!(log.metrics.mean_kbps < usual.metrics.mean_kbps / 2.0);
}

#[test]
fn what_is_remembered_of_the_network_is_the_beginning() {
    let remembering = Setting {
        prior: Some(crate::units::BitRate(300_000)),
        ..setting(300.0, 1)
    };
    let log = run(&ladder(), &steady(2_000), &remembering);
    let first = log.requests.iter().find(|one| one.segment == Some(0));
    assert_eq!(first.and_then(|one| one.variant), Some(3));
}

#[test]
fn a_link_carries_what_its_trace_says() {
    let link = trace("0 100 50\n10 0 50\n20 300 50\n30 0\n");
    let cases = [
        (0.0, 0.0),
        (10.0, 1e6),
        (15.0, 1e6),
        (25.0, 2.5e6),
        (30.0, 4e6),
        (35.0, 4.5e6),
    ];
    for (time, bits) in cases {
        assert_eq!(link.bits(time), bits, "{time}");
    }
    for (bits, time) in [
        (5e5, 5.0),
        (1e6, 10.0),
        (2.5e6, 25.0),
        (4e6, 30.0),
        (4.5e6, 35.0),
    ] {
        assert!((link.when(bits) - time).abs() < 1e-9, "{bits}");
    }
}

#[test]
fn what_is_no_trace_is_refused() {
    let cases = [
        ("", Kind::Arguments),
        ("0 100\n", Kind::Arguments),
        ("1 100\n2 100\n", Kind::Arguments),
        ("0 100\n0 100\n", Kind::Arguments),
        ("0 -1\n5 0\n", Kind::Arguments),
        ("0 NaN\n5 0\n", Kind::Arguments),
        ("0 x\n5 0\n", Kind::Arguments),
        ("0 0\n5 100\n", Kind::NoData),
    ];
    for (text, kind) in cases {
        assert_eq!(Trace::parse(text).expect_err(text).kind, kind, "{text:?}");
    }
}

#[test]
fn what_is_no_ladder_is_refused() {
    let good = serde_json::to_string(&ladder()).expect("a ladder");
    assert_eq!(Ladder::parse(&good).expect("a ladder"), ladder());
    let broken = [
        good.replace("abr-ladder/1", "abr-ladder/9"),
        good.replace("\"average_bandwidth\":64000", "\"average_bandwidth\":1"),
        good.replacen("4.0,", "0.0,", 1),
        good.replacen("4.0,", "", 1),
        good.replacen("16000,", "-1,", 1),
        "{}".to_owned(),
    ];
    for text in broken {
        let problem = Ladder::parse(&text).expect_err(&text);
        assert_eq!(problem.kind, Kind::Arguments);
    }
}
