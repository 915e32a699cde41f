//! The report as text.

use super::*;
use crate::cli::report::tests::example;

#[test]
fn the_text_shows_the_figures_with_their_units() {
    let mut summary = example();
    summary.process.cpu_ms = 12;
    summary.process.peak_rss_bytes = 12_345_678;
    let want = "\
stream      https://h/a.m3u8, hls-vod
startup     41.0 ms to first sound; stages in ms: began at, took
            connect               2.0    3.0  first_callback       30.0   11.0
playback    10.0 s played, 1 rebuffers of 2500 ms (20.0 %), 1 underruns
underruns   1 network
stall       2500 ms at 8.0 s: network, segment 2 (first byte 30, last 2900 ms)
variants    1 (1 decodable), 1 switches, 128 kbit/s played on average
switch      4.0 s, 0 to 1, 3.1 Mbit/s carries it
requests                                 to first byte, ms      after it, kbit/s
                         n    bytes    p10    p50    p90     p10     p50     p90
            playlist     3 200.0 kB   10.1   10.1   20.0    8000    8000    8000
            init         3 100.0 kB   10.1   20.2   30.0    8000    8000    8000
            key          4 100.0 kB   10.1   20.2   40.0    8000    8000    8000
            segment      4 100.0 kB   10.1   20.2   40.0    8000    8000    8000
            file         5 100.0 kB   10.1   30.0   59.9    8000    8000    8000
network     1.0 MB received, 1.0 kB wasted (repeated), 2 failed or given up
link        estimate 3140 kbit/s, 2 connections in 0.4 ms (median), 3 retries
ahead       1.0 to 3.0 s, 2.0 s on average; decoded 100 to 500 ms
            ▃▆█▂
cache       1.0 kB hit, 1.0 kB missed, 1.0 kB evicted, opened in 0.107 ms
decode      aac, 100 times real time, 9 errors; null, 48000 Hz, 2 channels
process     12.3 MB at most, 12 ms of processor, 10000 threads
";
    assert_eq!(summary.table(), want);
}

#[test]
fn the_longest_report_has_25_lines_of_80_columns() {
    let mut summary = example();
    summary.kind = "hls-live";
    let stages = crate::stats::Stage::ALL.map(|stage| Stage {
        name: stage.name(),
        t0_ms: 99_999.9,
        t1_ms: 199_999.8,
    });
    summary.startup.stages = stages.to_vec();
    summary.startup.total_ms = 199_999.8;
    let switch = summary.abr.switches[0].clone();
    summary.abr.switches = vec![switch; 9];
    summary.abr.switches[8].reason = "because ".repeat(20);
    let timing = summary.network.timing[0].clone();
    summary.network.timing = vec![timing; 4];
    let table = summary.table();
    assert_eq!(table.lines().count(), 25, "{table}");
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(80), "{table}");
    let live = "live        9.0 to 12.0 s behind (median 10.1), 0 reloads, 0 ms lost\n";
    assert!(table.contains(live), "{table}");
}

#[test]
fn the_stages_that_took_longest_are_shown_in_their_order() {
    let mut summary = example();
    let stages = crate::stats::Stage::ALL.into_iter().enumerate();
    let stage = |(index, stage): (usize, crate::stats::Stage)| Stage {
        name: stage.name(),
        t0_ms: 0.0,
        t1_ms: if index % 3 == 0 { 50.0 } else { 1.0 },
    };
    summary.startup.stages = stages.map(stage).collect();
    let table = summary.table();
    let cells = table
        .lines()
        .skip(2)
        .take(3)
        .flat_map(str::split_whitespace);
    let shown: Vec<_> = cells.step_by(3).collect();
    let want = [
        "process",
        "tls",
        "key",
        "cache_open",
        "resample",
        "first_callback",
    ];
    assert_eq!(shown, want, "{table}");
}

#[test]
fn bytes_are_shown_in_decimal_units() {
    for (count, want) in [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (2_000_000, "2.0 MB"),
        (3_210_000_000, "3.21 GB"),
    ] {
        assert_eq!(bytes(count), want);
    }
}
