//! A long sine through a sound server while every core is busy, and again
//! through servers that die one after another: no sample is wrong or missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::stories::origin::Origin;
use crate::stories::sandbox::Sandbox;
use crate::stories::sine::{self, RATE, Tone};
use crate::stories::soundserver::SoundServer;

const PITCH: f64 = 443.0;
const DEATHS: usize = 5;

/// Segments of 0.96 s.
fn segments() -> Option<usize> {
    match std::env::var_os("KITHARA_TORTURE") {
        Some(_) => Some(22),
        None => {
            eprintln!("skipped: KITHARA_TORTURE is not set (make torture)");
            None
        }
    }
}

fn underruns(summary: &Value) -> usize {
    let told = summary["playback"]["underruns"].as_array();
    told.expect("a list").len()
}

/// Keeps every core busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..cores {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || while !is_over.load(Ordering::Relaxed) {});
        }
        Self(is_over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_long_sine_under_load_has_no_break_that_is_not_reported() {
    let (Some(segments), Some(server)) = (segments(), SoundServer::start()) else {
        return;
    };
    let (origin, sandbox) = (Origin::start(), Sandbox::new());
    let url = sine::serve(&origin, segments, [PITCH, PITCH]);
    let recording = server.record();
    let _load = Load::new();
    let (name, value) = server.env();
    let run = sandbox.kithara(["play", "--json", &url]).env(name, value);
    let summary = run.prints().run().summary();
    let recorded = recording.recorded();
    for channel in 0..2 {
        let tone = Tone::of(&recorded, 2, channel, RATE, PITCH);
        let breaks = tone.breaks();
        println!(
            "breaks {breaks:?}, reported {}",
            summary["playback"]["underruns"]
        );
        // A hole has two ends.
        let told = 2 * underruns(&summary);
        assert!(breaks.len() <= told, "{breaks:?} {summary}");
        if breaks.is_empty() {
            let first = sine::place(&tone.samples, PITCH);
            let silent = segments * sine::SEGMENT - first - tone.samples.len();
            assert!(silent < 2, "{silent} frames of the end are missing");
            assert!(tone.largest_step() < 1.05, "{}", tone.largest_step());
        }
    }
}

#[test]
fn servers_that_die_one_after_another_cost_no_sample() {
    let (Some(segments), Some(mut server)) = (segments(), SoundServer::start()) else {
        return;
    };
    let (origin, sandbox) = (Origin::start(), Sandbox::new());
    let url = sine::serve(&origin, segments, [PITCH, PITCH]);
    let (name, value) = server.env();
    let mut recording = server.record();
    let run = sandbox.kithara(["play", "--json", &url]).env(name, value);
    let running = run.prints().chatty().spawn();
    let mut heard = 0;
    for _ in 0..DEATHS {
        recording.hears(2.0);
        let mut next = SoundServer::start().expect("one started already");
        let next_recording = next.record();
        server.is_followed_by(&mut next);
        heard += Tone::of(&recording.all(), 2, 0, RATE, PITCH).samples.len();
        (server, recording) = (next, next_recording);
    }
    let summary = running.finish().summary();
    heard += Tone::of(&recording.recorded(), 2, 0, RATE, PITCH)
        .samples
        .len();
    let frames = segments * sine::SEGMENT;
    println!("{heard} frames of {frames} were recorded");
    let tolerance = DEATHS * RATE as usize / 20;
    assert!(
        heard.abs_diff(frames) < tolerance,
        "{heard} of {frames}: {summary}"
    );
}
