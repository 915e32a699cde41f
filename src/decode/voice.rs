//! The way of one decoder's frames to the sink's layout: channels are mapped,
//! the rate is converted, and the frames that come out are numbered on the
//! sink's own count. Buffers are reused.

use crate::decode::remap::Remap;
use crate::decode::resample::Resampler;
use crate::error::Problem;
use crate::units::{ChannelCount, Spec};

/// Places of two rates that are nearer than this are one: rounding is.
const NEGLIGIBLE: f64 = 1e-4;

/// A place on the sink's count of frames, which rarely falls on a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The nearest frame.
    pub frame: i64,
    /// How much later the place is, in frames: at most half of one.
    pub off: f64,
}

impl Place {
    /// This many frames later.
    pub fn later(self, frames: f64) -> Self {
        let off = self.off + frames;
        let whole = off.round();
        Self {
            frame: self.frame.saturating_add(whole as i64),
            off: off - whole,
        }
    }
}

/// Turns frames of one layout into frames of the sink's.
pub struct Voice {
    spec: Spec,
    /// Channels of the sink.
    target: ChannelCount,
    remap: Option<Remap>,
    resampler: Option<Resampler>,
    mapped: Vec<f32>,
    /// Samples to be dropped from the front.
    drop: usize,
    /// Where the first frame lies that is not dropped.
    origin: Place,
    /// Frames of the sink for one of ours.
    ratio: f64,
    /// Our frames taken in.
    taken: u64,
    /// The number of the next frame given out.
    next: i64,
}

impl Voice {
    /// A voice from frames of `spec` to frames of `target`, of which the first
    /// belongs at `place`. Up to `latest` frames may be dropped from the front
    /// until one falls on a frame of the sink.
    ///
    /// # Errors
    ///
    /// As [`Resampler::new`].
    pub fn new(spec: Spec, target: Spec, place: Place, latest: i64) -> Result<Self, Problem> {
        let ratio = f64::from(target.rate.hertz()) / f64::from(spec.rate.hertz());
        let resampler = match spec.rate == target.rate {
            true => None,
            false => Some(Resampler::new(spec.rate, target.rate, target.channels)?),
        };
        let longest = if resampler.is_some() {
            spec.rate.hertz() / 100
        } else {
            0
        };
        let (drop, origin) = aligned(place, ratio, longest, latest);
        Ok(Self {
            spec,
            target: target.channels,
            remap: Remap::new(spec.channels, target.channels),
            resampler,
            mapped: Vec::new(),
            drop: drop * spec.channels.count(),
            origin,
            ratio,
            taken: 0,
            next: origin.frame,
        })
    }

    /// What it takes.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Where the first frame given out lies.
    pub fn origin(&self) -> Place {
        self.origin
    }

    /// Frames from there on that do not have all of the filter's input yet.
    pub fn settles(&self) -> i64 {
        self.resampler.as_ref().map_or(0, Resampler::reach)
    }

    /// Where the frames taken in so far end.
    pub fn end(&self) -> Place {
        let due = self.resampler.as_ref().map_or(self.taken, Resampler::due);
        Place {
            frame: self.origin.frame.saturating_add(signed(due)),
            off: self.origin.off + (self.taken as f64 * self.ratio - due as f64),
        }
    }

    /// Takes interleaved frames and gives what they make, with the number of
    /// the first.
    ///
    /// # Errors
    ///
    /// What `emit` answers.
    pub fn process(
        &mut self,
        samples: &[f32],
        emit: &mut dyn FnMut(i64, &[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let dropped = self.drop.min(samples.len());
        self.drop -= dropped;
        let samples = &samples[dropped..];
        self.taken += (samples.len() / self.spec.channels.count()) as u64;
        let mapped = match &self.remap {
            None => samples,
            Some(remap) => {
                self.mapped.clear();
                remap.apply(samples, &mut self.mapped);
                &self.mapped
            }
        };
        let (channels, next) = (self.target.count(), &mut self.next);
        let mut numbered = |block: &[f32]| {
            let first = *next;
            *next += signed((block.len() / channels) as u64);
            emit(first, block)
        };
        match &mut self.resampler {
            None => numbered(mapped),
            Some(resampler) => resampler.process(mapped, &mut numbered),
        }
    }

    /// Nothing more comes: gives what the resampler still holds.
    ///
    /// # Errors
    ///
    /// What `emit` answers.
    pub fn finish(
        &mut self,
        emit: &mut dyn FnMut(i64, &[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Some(resampler) = &mut self.resampler else {
            return Ok(());
        };
        let (channels, next) = (self.target.count(), &mut self.next);
        resampler.finish(&mut |block: &[f32]| {
            let first = *next;
            *next += signed((block.len() / channels) as u64);
            emit(first, block)
        })
    }
}

/// How many of up to `longest` frames that begin at `place` are dropped, so that
/// the next one falls on a frame of the sink as nearly as can be, but on none
/// behind `latest`; and where that is.
fn aligned(place: Place, ratio: f64, longest: u32, latest: i64) -> (usize, Place) {
    let mut best = (0, place);
    for count in 1..=longest {
        let there = place.later(f64::from(count) * ratio);
        if there.frame > latest {
            break;
        }
        if there.off.abs() + NEGLIGIBLE < best.1.off.abs() {
            best = (count as usize, there);
        }
    }
    best
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ChannelCount, SampleRate};

    fn spec(hertz: u32) -> Spec {
        Spec {
            rate: SampleRate::new(hertz).expect("allowed"),
            channels: ChannelCount::new(1).expect("allowed"),
        }
    }

    fn place(frame: i64, off: f64) -> Place {
        Place { frame, off }
    }

    #[test]
    fn a_voice_that_resamples_begins_where_frames_of_both_rates_meet() {
        let cases = [
            ("at once", place(0, 0.0), 10_000, 0),
            (
                "160 frames are 147",
                place(0, 160.0 / 147.0 * 46.0 - 50.0),
                10_000,
                110,
            ),
            ("there is no room", place(0, 0.07), 0, 0),
        ];
        for (case, begin, latest, want) in cases {
            let voice = Voice::new(spec(44_100), spec(48_000), begin, latest).expect("a ratio");
            assert_eq!(voice.origin().frame, want, "{case}");
        }
        let voice = Voice::new(spec(48_000), spec(48_000), place(7, 0.3), 10_000);
        assert_eq!(voice.expect("no ratio").origin(), place(7, 0.3));
    }

    #[test]
    fn frames_are_numbered_without_a_hole_and_end_where_they_should() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (24_000, 48_000),
            (48_000, 48_000),
        ] {
            let mut voice =
                Voice::new(spec(from), spec(to), place(1_000, 0.25), 0).expect("a voice");
            let mut next = 1_000;
            let mut emit = |first: i64, block: &[f32]| {
                assert_eq!(first, next, "{from} to {to}");
                next += block.len() as i64;
                Ok(())
            };
            for count in [1, 700, 1024, 3_000] {
                voice.process(&vec![0.0; count], &mut emit).expect("room");
            }
            let end = voice.end();
            voice.finish(&mut emit).expect("room");
            assert_eq!(next, end.frame, "{from} to {to}");
            let exact = 1_000.25 + 4_725.0 * f64::from(to) / f64::from(from);
            let told = end.frame as f64 + end.off;
            assert!(
                (told - exact).abs() < 1e-6,
                "{from} to {to}: {told} and not {exact}"
            );
        }
    }
}
