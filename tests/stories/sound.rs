//! Sound through a real sound server, proven from a recording of its sink.

use crate::origin::Origin;
use crate::sandbox::{Run, Sandbox};
use crate::sine::{self, RATE, Tone};
use crate::soundserver::{STUDIO, SoundServer};
use crate::stage;

const PITCHES: [f64; 2] = [440.0, 660.0];

/// A sine of `segments`, ready to be played on `server`.
fn play(origin: &Origin, sandbox: &Sandbox, server: &SoundServer, segments: usize) -> Run {
    let url = sine::serve(origin, segments, PITCHES);
    let (name, value) = server.env();
    sandbox
        .kithara(["play", "--json", &url])
        .env(name, value)
        .prints()
}

#[test]
fn a_sine_comes_out_of_the_server_bit_by_bit() {
    let Some(server) = SoundServer::start() else {
        return;
    };
    let (origin, sandbox) = stage();
    let recording = server.record();
    let summary = play(&origin, &sandbox, &server, 3).run().summary();
    let recorded = recording.recorded();
    let underruns = summary["playback"]["underruns"].as_array().map(Vec::len);
    for (channel, pitch) in PITCHES.into_iter().enumerate() {
        let tone = Tone::of(&recorded, STUDIO.channels, channel, RATE, pitch);
        let breaks = tone.breaks();
        assert_eq!(Some(breaks.len()), underruns, "{breaks:?} {summary}");
        assert!(tone.largest_step() < 1.05, "{}", tone.largest_step());
    }
}
