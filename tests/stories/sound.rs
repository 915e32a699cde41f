//! Sound through a real sound server, proven from a recording of its sink.

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::{Run, Sandbox};
use crate::sine::{self, RATE, Tone};
use crate::soundserver::{SinkSpec, SoundServer};
use crate::stage;

const PITCHES: [f64; 2] = [443.0, 661.0];
const OTHER: &str = "sink_name=other";
const SOUND_GOES_ON: &str = "sound goes on";

/// A sine of `segments` of 0.96 s, ready to be played on `server`.
fn play(origin: &Origin, sandbox: &Sandbox, server: &SoundServer, segments: usize) -> Run {
    let url = sine::serve(origin, segments, PITCHES);
    let (name, value) = server.env();
    sandbox
        .kithara(["play", "--json", &url])
        .env(name, value)
        .prints()
}

/// The left and the right channel of a recording of [`STUDIO`].
fn tones(recorded: &[f32]) -> [Tone; 2] {
    [0, 1].map(|channel| Tone::of(recorded, 2, channel, RATE, PITCHES[channel]))
}

fn underruns(summary: &Value) -> usize {
    let told = summary["playback"]["underruns"].as_array();
    told.expect("a list").len()
}

#[test]
fn a_sine_comes_out_of_the_server_sample_by_sample() {
    let Some(server) = SoundServer::start() else {
        return;
    };
    let (origin, sandbox) = stage();
    let recording = server.record();
    let summary = play(&origin, &sandbox, &server, 3).run().summary();
    let underruns = underruns(&summary);
    for (tone, pitch) in tones(&recording.recorded()).iter().zip(PITCHES) {
        let breaks = tone.breaks();
        // A hole has two ends.
        assert!(breaks.len() <= 2 * underruns, "{breaks:?} {summary}");
        if underruns == 0 {
            assert!(tone.largest_step() < 1.05, "{}", tone.largest_step());
            // A monitor is deaf to what the sink had mixed ahead when the stream began.
            let deaf = sine::place(&tone.samples, pitch);
            let silent = 3 * sine::SEGMENT - deaf - tone.samples.len();
            assert!(silent < 2, "{silent} frames of the end are missing");
        }
    }
}

#[test]
fn every_sink_is_played_at_its_own_rate_format_and_channels() {
    for (rate, channels, format) in [(44_100, 2, "s16le"), (96_000, 6, "s32le"), (8_000, 1, "u8")] {
        let spec = SinkSpec {
            rate,
            channels,
            format,
        };
        let Some(server) = SoundServer::with_sink(spec) else {
            return;
        };
        let (origin, sandbox) = stage();
        let url = sine::serve(&origin, 1, [440.0, 440.0]);
        let (name, value) = server.env();
        let recording = server.record();
        let run = sandbox.kithara(["play", "--json", &url]).env(name, value);
        let summary = run.prints().run().summary();
        assert_eq!(summary["output"]["rate"], rate, "{spec:?}");
        let tone = Tone::of(&recording.recorded(), channels, 0, rate, 440.0);
        let seconds = tone.samples.len() as f64 / f64::from(rate);
        if underruns(&summary) == 0 {
            assert!((0.95..0.98).contains(&seconds), "{spec:?}: {seconds} s");
            assert!(
                (0.4..0.6).contains(&tone.peak()),
                "{spec:?}: {}",
                tone.peak()
            );
            let jump = tone.phase_jump(
                rate as usize / 10,
                rate as usize * 8 / 10,
                rate as usize / 20,
            );
            assert!(jump.abs() < 0.01, "{spec:?}: {jump} of a turn");
        }
    }
}

#[test]
fn a_server_that_dies_and_comes_back_plays_on_where_it_broke_off() {
    let Some(mut server) = SoundServer::start() else {
        return;
    };
    let (origin, sandbox) = stage();
    let recording = server.record();
    let running = play(&origin, &sandbox, &server, 4)
        .warns(&[SOUND_GOES_ON])
        .spawn();
    recording.hears(1.0);
    let mut next = SoundServer::start().expect("one started already");
    let (before, recording) = (recording, next.record());
    server.is_followed_by(&mut next);
    let before = before.all();
    running.finish();
    let (before, after) = (tones(&before), tones(&recording.recorded()));
    for (pitch, (before, after)) in PITCHES.into_iter().zip(before.iter().zip(&after)) {
        let last = sine::place(&before.samples, pitch) + before.samples.len();
        let first = sine::SEGMENT * 4 - after.samples.len();
        // The recorder of the first lags a little, that of the second is deaf for as long.
        assert!(
            first.abs_diff(last) < RATE as usize / 20,
            "{last} then {first}"
        );
        assert_eq!(after.breaks(), []);
    }
}

#[test]
fn a_server_that_stays_away_is_one_line_and_exit_code_6() {
    let Some(mut server) = SoundServer::start() else {
        return;
    };
    let (origin, sandbox) = stage();
    let recording = server.record();
    let words = [
        "cannot go on playing",
        "the sound server went away",
        "within 2 s",
    ];
    let running = play(&origin, &sandbox, &server, 8).fails(6, &words).spawn();
    recording.hears(0.2);
    server.kill();
    running.finish();
}

#[test]
fn a_sink_that_is_removed_is_followed_by_another() {
    // The server moves what plays, or closes it where there is nothing to move it to.
    for is_moved in [true, false] {
        let Some(server) = SoundServer::start() else {
            return;
        };
        let other = ["load-module", "module-null-sink", OTHER, "rate=48000"];
        let (origin, sandbox) = stage();
        let recording = server.record();
        let running = play(&origin, &sandbox, &server, 4).chatty().spawn();
        recording.hears(0.5);
        let before = recording.all();
        if is_moved {
            server.pactl(&other);
        }
        server.unload("sink_name=null");
        if !is_moved {
            server.pactl(&other);
        }
        let recording = server.record_sink("other", 2);
        let outcome = running.finish();
        assert_eq!(outcome.stderr.is_empty(), is_moved, "{}", outcome.stderr);
        let summary = outcome.summary();
        let after = tones(&recording.recorded());
        for (before, after) in tones(&before).iter().zip(&after) {
            // Between the two the recorders were deaf.
            let (last, first) = (
                before.samples.len(),
                4 * sine::SEGMENT - after.samples.len(),
            );
            assert!(
                first.abs_diff(last) < RATE as usize,
                "{last} then {first}: {summary}"
            );
            assert!(after.breaks().len() <= 2 * underruns(&summary), "{summary}");
        }
    }
}
