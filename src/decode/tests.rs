//! The way from pieces to the sink, with real segments and hand-made lists of them.

use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::bell::Bell;
use crate::event;
use crate::media::{Gap, Init, Provenance, Segment, Title};
use crate::units::{Frames, SampleRate, Spec};

const CD: u32 = 44_100;
/// Frames of the segments of fixtures/hls/flac.m3u8, but the last.
const FLAC: [u64; 5] = [23_040, 23_040, 23_040, 23_040, 18_432];

/// What a run left behind.
struct Heard {
    result: Result<(), Problem>,
    spec: Option<Spec>,
    samples: Vec<f32>,
    notes: Vec<Provenance>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Ear {
    spec: Option<Spec>,
    samples: Vec<f32>,
    notes: Vec<Provenance>,
}

impl Sink for Ear {
    fn open(&mut self, source: Format) -> Result<Spec, Problem> {
        assert_eq!(self.spec, None, "opened once");
        self.spec = Some(source.spec);
        Ok(source.spec)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        self.samples.extend_from_slice(samples);
        Ok(())
    }

    fn segment(&mut self, done: &Provenance) -> Result<(), Problem> {
        assert!(self.spec.is_some(), "opened before anything is noted");
        self.notes.push(done.clone());
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Hands over one piece for each demand.
fn hear(pieces: Vec<Piece>) -> Heard {
    let bell = Arc::new(Bell::default());
    let (doors, mut inbox) = inbox::door(&bell);
    let helm = Helm::new(&bell);
    let (sender, receiver) = event::channel();
    let (mut ear, is_over) = (Ear::default(), AtomicBool::new(false));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            for piece in pieces {
                let before = doors.demand();
                doors.hand(piece);
                while doors.demand() == before && !is_over.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            }
        });
        let (wanted, stats) = (Wanted::default(), Arc::default());
        let result = run(&mut inbox, &mut ear, &helm, wanted, &stats, &sender);
        is_over.store(true, Ordering::Relaxed);
        result
    });
    Heard {
        result,
        spec: ear.spec,
        samples: ear.samples,
        notes: ear.notes,
        events: receiver.try_iter().collect(),
    }
}

/// Pieces of a stream, each where the one before ended.
#[derive(Default)]
struct Pieces {
    list: Vec<Piece>,
    number: u64,
    time: MediaTime,
    from: MediaTime,
    until: Option<MediaTime>,
}

fn bytes(name: &str) -> Cursor<Vec<u8>> {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    Cursor::new(fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

fn frames(frames: u64, hertz: u32) -> MediaTime {
    Frames(frames).time(SampleRate::new(hertz).expect("an allowed rate"))
}

impl Pieces {
    /// Of a run from `from` to `until`, in frames.
    fn within(from: u64, until: u64) -> Self {
        Self {
            from: frames(from, CD),
            until: Some(frames(until, CD)),
            ..Self::default()
        }
    }

    fn segment(self, name: &str, duration: MediaTime) -> Self {
        self.segment_with(name, duration, |_| {})
    }

    fn after_a_discontinuity(self, name: &str, duration: MediaTime) -> Self {
        self.segment_with(name, duration, |segment| segment.discontinuity = true)
    }

    fn segment_with(
        mut self,
        name: &str,
        duration: MediaTime,
        change: impl FnOnce(&mut Segment),
    ) -> Self {
        let (stream, _) = name.rsplit_once('-').expect("a name with a number");
        let init = format!("{stream}-init.mp4");
        let mut segment = Segment {
            epoch: 0,
            run: 0,
            number: self.number,
            variant: 0,
            url: name.to_owned(),
            init: Some(Init {
                id: init
                    .bytes()
                    .map(u64::from)
                    .fold(0, |id, byte| id * 31 % 997 + byte),
                bytes: Box::new(bytes(&init)),
                cipher: None,
            }),
            media: Box::new(bytes(&format!("{name}.m4s"))),
            cipher: None,
            wire: None,
            anchor: None,
            overlap: None,
            start: self.time,
            duration,
            discontinuity: false,
            ends_run: false,
            from: self.from,
            until: self.until,
            bit_rate: BitRate(128_000),
            titles: Vec::new(),
            is_live: false,
        };
        change(&mut segment);
        self.list.push(Piece::Segment(Box::new(segment)));
        self.passed(duration)
    }

    /// Segment `index` of fixtures/hls/flac.m3u8.
    fn flac(self, index: usize) -> Self {
        self.segment(&format!("hls/flac-{index}"), frames(FLAC[index], CD))
    }

    fn gap(mut self, duration: MediaTime) -> Self {
        self.list.push(Piece::Gap(Box::new(Gap {
            epoch: 0,
            number: self.number,
            next: self.number + 1,
            variant: 0,
            url: "gap".to_owned(),
            start: self.time,
            duration,
            discontinuity: false,
            from: self.from,
            until: self.until,
            loss: None,
        })));
        self.passed(duration)
    }

    fn passed(mut self, duration: MediaTime) -> Self {
        self.number += 1;
        self.time = self.time + duration;
        self
    }

    fn heard(mut self) -> Heard {
        self.list.push(Piece::End { epoch: 0 });
        hear(self.list)
    }
}

impl Heard {
    /// What the left channel is made of: stretches of the counter signal, by the
    /// number of their first frame, and of silence (`None`), with their lengths.
    fn stretches(&self) -> Vec<(Option<u64>, u64)> {
        assert_eq!(self.result, Ok(()));
        let channels = self.spec.expect("opened").channels.count();
        let mut stretches: Vec<(Option<u64>, u64)> = Vec::new();
        let frames: Vec<&[f32]> = self.samples.chunks(channels).collect();
        for (index, frame) in frames.iter().enumerate() {
            let told = ((frame[0] + 1.0) * 32_768.0).round() as u64;
            // The counter passes zero, too: but not twice.
            let near = [index.wrapping_sub(1), index + 1].map(|near| frames.get(near));
            let is_silent = frame[0] == 0.0 && near.iter().flatten().any(|near| near[0] == 0.0);
            match stretches.last_mut() {
                Some((None, length)) if is_silent => *length += 1,
                Some((Some(first), length))
                    if !is_silent && (*first + *length) % 65_536 == told =>
                {
                    *length += 1;
                }
                _ => stretches.push(((!is_silent).then_some(told), 1)),
            }
        }
        stretches
    }

    fn noted(&self) -> Vec<(u64, u64)> {
        let notes = self.notes.iter();
        notes.map(|note| (note.number, note.frames.0)).collect()
    }
}

fn seconds(seconds: f64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

mod gaps;
mod seeks;
mod switches;

/// Every layout after the other: 44.1 kHz stereo, mono, 8 kHz 5.1, 48 kHz stereo, and back.
const LAYOUTS: [(&str, u64, u32); 7] = [
    ("hls/flac-0", 23_040, CD),
    ("timeline/mono-0", 13_824, CD),
    ("timeline/mono-1", 8_226, CD),
    ("timeline/six-0", 6_400, 8_000),
    ("timeline/flac48-0", 18_432, 48_000),
    ("timeline/flac48-1", 10_368, 48_000),
    ("hls/flac-1", 23_040, CD),
];

#[test]
fn every_change_of_codec_rate_and_channels_joins_without_a_sample_lost() {
    for announced in [true, false] {
        let mut pieces = Pieces::default();
        for (name, count, hertz) in LAYOUTS {
            let is_new = announced && !name.ends_with("mono-1") && !name.ends_with("48-1");
            pieces = match is_new {
                true => pieces.after_a_discontinuity(name, frames(count, hertz)),
                false => pieces.segment(name, frames(count, hertz)),
            };
        }
        let heard = pieces.heard();
        assert_eq!(heard.result, Ok(()), "{announced}");
        // 6,400 at 8 kHz are 35,280; 28,800 at 48 kHz are 26,460.
        let counts = [23_040, 13_824, 8_226, 35_280, 16_934, 9_526, 23_040];
        let noted: Vec<u64> = heard.noted().iter().map(|(_, frames)| *frames).collect();
        assert_eq!(noted, counts, "{announced}");
        let total: u64 = counts.iter().sum();
        assert_eq!(heard.samples.len() as u64, 2 * total, "{announced}");
        let stretches = heard.stretches();
        let exact = [stretches[0], stretches[1], stretches[stretches.len() - 1]];
        let want = [(Some(0), 23_040), (Some(0), 22_050), (Some(23_040), 23_040)];
        assert_eq!(exact, want, "{announced}");
        let silent = stretches.iter().filter(|(first, _)| first.is_none());
        let longest = silent.map(|(_, length)| *length).max().unwrap_or(0);
        assert!(longest < 220, "{announced}: {longest} frames of silence");
    }
}

#[test]
fn priming_in_the_middle_of_a_stream_is_cut_once() {
    let aac = [("aac48-0", 24_576), ("aac48-1", 23_552), ("aac48-2", 1_024)];
    for announced in [true, false] {
        let mut pieces = Pieces::default().flac(0);
        for (index, (name, count)) in aac.into_iter().enumerate() {
            let name = format!("timeline/{name}");
            pieces = pieces.segment_with(&name, frames(count, 48_000), |segment| {
                segment.discontinuity = announced && index == 0;
                segment.ends_run = index == 2;
            });
        }
        let heard = pieces.heard();
        assert_eq!(heard.result, Ok(()));
        // One second at 48 kHz, converted.
        let total: u64 = heard.notes.iter().map(|note| note.frames.0).sum();
        assert_eq!(total, 23_040 + 44_100, "announced: {announced}");
        assert_eq!(
            heard.notes[1].trimmed,
            Frames(1024),
            "announced: {announced}"
        );
    }
}

#[test]
fn a_clock_that_begins_anew_repeats_and_drops_nothing() {
    let heard = Pieces::default().flac(0).flac(1).flac(0).flac(1).heard();
    let want = [(Some(0), 46_080), (Some(0), 46_080)];
    assert_eq!(heard.stretches(), want);
}

#[test]
fn titles_are_told_with_their_place_in_the_sound() {
    let title = |offset: f64, text: &str| Title {
        offset: seconds(offset),
        text: text.to_owned(),
    };
    let mut pieces = Pieces::within(4_410, 60_000);
    for (index, titles) in [
        vec![
            title(0.0, "before"),
            title(0.05, "first"),
            title(0.3, "\u{1b}second"),
        ],
        vec![
            title(0.1, "\u{1b}second"),
            title(0.2, "third"),
            title(9.0, "never"),
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("hls/flac-{index}");
        pieces = pieces.segment_with(&name, frames(23_040, CD), |segment| segment.titles = titles);
    }
    let heard = pieces.heard();
    assert_eq!(heard.result, Ok(()));
    let told = heard.events.iter().filter_map(|event| match event {
        Event::Title { title, position } => Some((title.as_str(), position.millis())),
        _ => None,
    });
    let want = [("first", 0), ("\\u{1b}second", 200), ("third", 622)];
    assert_eq!(told.collect::<Vec<_>>(), want);
}
