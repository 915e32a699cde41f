//! From the stream's rate to the device's: rubato's FFT resampler over
//! interleaved frames. Adds no delay and no frame, allocates nothing while it runs.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use crate::error::{Kind, Problem};
use crate::units::{ChannelCount, SampleRate};

/// Converts a run of interleaved frames from one rate to another.
pub struct Resampler {
    fft: Fft<f32>,
    from: u64,
    to: u64,
    channels: usize,
    /// Frames waiting for a whole block.
    input: Vec<f32>,
    /// One converted block.
    output: Vec<f32>,
    /// Frames taken in since the start.
    taken: u64,
    /// Frames given out since the start.
    given: u64,
    /// Frames of the resampler's own delay that are still to be dropped.
    delay: usize,
}

/// Frames of input in a block, about: large enough for a steep filter
/// (with smaller ones 96 to 48 kHz loses 50 dB at 23 kHz), small enough for
/// some ten milliseconds of delay.
const BLOCK_FRAMES: usize = 1024;

impl Resampler {
    /// A resampler between two different rates; between equal ones none is needed.
    ///
    /// # Errors
    ///
    /// `Unsupported` when there is no ratio between the rates.
    pub fn new(from: SampleRate, to: SampleRate, channels: ChannelCount) -> Result<Self, Problem> {
        let hertz = |rate: SampleRate| usize::try_from(rate.hertz()).expect("at most 768,000");
        let count = channels.count();
        let (from_hertz, to_hertz) = (hertz(from), hertz(to));
        let block = block_frames(from_hertz, to_hertz);
        let fft = Fft::new(from_hertz, to_hertz, block, count, FixedSync::Both)
            .map_err(|error| problem(from, to, error.to_string()))?;
        Ok(Self {
            from: u64::from(from.hertz()),
            to: u64::from(to.hertz()),
            channels: count,
            input: Vec::with_capacity(fft.input_frames_max() * count),
            output: vec![0.0; fft.output_frames_max() * count],
            taken: 0,
            given: 0,
            delay: fft.output_delay(),
            fft,
        })
    }

    /// Takes interleaved frames and gives what they make; a part is kept until
    /// its block is full.
    ///
    /// # Errors
    ///
    /// What `emit` answers.
    pub fn process(
        &mut self,
        mut input: &[f32],
        emit: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let block = self.fft.input_frames_next() * self.channels;
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(block - self.input.len()));
            self.input.extend_from_slice(now);
            self.taken += frames(now.len() / self.channels);
            input = later;
            if self.input.len() == block {
                self.convert(None, emit)?;
            }
        }
        Ok(())
    }

    /// Gives the rest: after it, exactly `taken × to / from` frames were given,
    /// rounded to the nearest. Ready for another run then.
    ///
    /// # Errors
    ///
    /// What `emit` answers.
    pub fn finish(
        &mut self,
        emit: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        while self.given < self.due() {
            let partial = self.input.len() / self.channels;
            self.input
                .resize(self.fft.input_frames_next() * self.channels, 0.0);
            self.convert(Some(partial), emit)?;
        }
        self.reset();
        Ok(())
    }

    /// Forgets all frames: after a seek.
    pub fn reset(&mut self) {
        self.fft.reset();
        self.input.clear();
        (self.taken, self.given) = (0, 0);
        self.delay = self.fft.output_delay();
    }

    /// Converts the waiting block, of which `partial` frames are real.
    fn convert(
        &mut self,
        partial: Option<usize>,
        emit: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (frames_in, frames_out) = (self.fft.input_frames_next(), self.fft.output_frames_next());
        let sized = "the buffers hold one block";
        let input = InterleavedSlice::new(&self.input, self.channels, frames_in).expect(sized);
        let mut output =
            InterleavedSlice::new_mut(&mut self.output, self.channels, frames_out).expect(sized);
        let indexing = Indexing {
            partial_len: partial,
            ..Indexing::default()
        };
        let done = self
            .fft
            .process_into_buffer(&input, &mut output, Some(&indexing));
        let (_, made) = done.expect(sized);
        self.input.clear();
        self.give(made, emit)
    }

    /// Gives the frames of a converted block that are neither delay nor tail.
    fn give(
        &mut self,
        made: usize,
        emit: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let dropped = made.min(self.delay);
        self.delay -= dropped;
        let due = usize::try_from(self.held()).unwrap_or(usize::MAX);
        let kept = (made - dropped).min(due);
        self.given += frames(kept);
        if kept == 0 {
            return Ok(());
        }
        emit(&self.output[dropped * self.channels..(dropped + kept) * self.channels])
    }

    /// Frames on each side of one that is given out which the filter looks at.
    pub fn reach(&self) -> i64 {
        i64::try_from(self.fft.output_delay()).unwrap_or(i64::MAX)
    }

    /// Frames that were taken in and will still be given out.
    fn held(&self) -> u64 {
        self.due() - self.given
    }

    /// Frames that the input so far is worth.
    pub fn due(&self) -> u64 {
        let scaled = u128::from(self.taken) * u128::from(self.to) + u128::from(self.from / 2);
        u64::try_from(scaled / u128::from(self.from)).unwrap_or(u64::MAX)
    }
}

/// The length of a block: an even count of the shortest stretch that is whole
/// in both rates, so that the middle of the filter falls on a frame of both.
fn block_frames(from: usize, to: usize) -> usize {
    let (mut shortest, mut rest) = (from, to);
    while rest > 0 {
        (shortest, rest) = (rest, shortest % rest);
    }
    let pair = 2 * (from / shortest);
    ((BLOCK_FRAMES + pair / 2) / pair).max(1) * pair
}

fn frames(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn problem(from: SampleRate, to: SampleRate, why: String) -> Problem {
    Problem::new(
        Kind::Unsupported,
        format!("cannot convert {from} to {to}"),
        why,
        "choose another output",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn resampler(from: u32, to: u32) -> Resampler {
        let rate = |hertz| SampleRate::new(hertz).expect("allowed");
        let stereo = ChannelCount::new(2).expect("allowed");
        Resampler::new(rate(from), rate(to), stereo).expect("a ratio")
    }

    /// Left a sine, right its opposite.
    fn sine(hertz: f64, rate: u32, count: usize) -> Vec<f32> {
        let sample = |at: usize| (TAU * hertz * at as f64 / f64::from(rate)).sin() as f32;
        (0..count)
            .flat_map(|at| [sample(at), -sample(at)])
            .collect()
    }

    fn converted(resampler: &mut Resampler, input: &[f32], chunk: usize) -> Vec<f32> {
        let mut output = Vec::new();
        let mut emit = |frames: &[f32]| {
            output.extend_from_slice(frames);
            Ok(())
        };
        for part in input.chunks(chunk * 2) {
            resampler.process(part, &mut emit).expect("room");
        }
        resampler.finish(&mut emit).expect("room");
        output
    }

    #[test]
    fn the_output_is_as_long_as_the_input_to_the_frame() {
        let rates = [
            (44_100, 48_000),
            (48_000, 44_100),
            (96_000, 48_000),
            (22_050, 48_000),
            (8_000, 44_100),
        ];
        for (from, to) in rates {
            let mut resampler = resampler(from, to);
            for count in [0, 1, 2, 147, 1023, 1024, 1176, 5000, 44_100] {
                let output = converted(&mut resampler, &vec![0.25; count * 2], 333);
                let exact = count as f64 * f64::from(to) / f64::from(from);
                assert_eq!(
                    output.len() / 2,
                    exact.round() as usize,
                    "{count} at {from} to {to}"
                );
            }
        }
    }

    /// The sine in the left channel away from the ends: level, delay in
    /// seconds, and the largest sample of what else is there.
    fn fitted(output: &[f32], hertz: f64, rate: u32) -> (f64, f64, f64) {
        let angle = |at: usize| TAU * hertz * at as f64 / f64::from(rate);
        let left: Vec<(usize, f64)> = output
            .chunks(2)
            .map(|frame| f64::from(frame[0]))
            .enumerate()
            .collect();
        // Whole periods of every tested pitch, away from the abrupt ends.
        let middle = &left[4000..4000 + usize::try_from(rate).expect("small") / 2];
        let sum = |wave: fn(f64) -> f64| {
            middle
                .iter()
                .map(|(at, x)| x * wave(angle(*at)))
                .sum::<f64>()
        };
        let half = middle.len() as f64 / 2.0;
        let (sine, cosine) = (sum(f64::sin) / half, sum(f64::cos) / half);
        let rest =
            |&(at, x): &(usize, f64)| (x - sine * angle(at).sin() - cosine * angle(at).cos()).abs();
        let residual = middle.iter().map(rest).fold(0.0, f64::max);
        (
            sine.hypot(cosine),
            -cosine.atan2(sine) / TAU / hertz,
            residual,
        )
    }

    #[test]
    fn a_sine_keeps_its_level_and_its_place() {
        let cases = [
            (44_100, 48_000, 1000.0),
            (44_100, 48_000, 18_960.0),
            (48_000, 44_100, 18_960.0),
            (96_000, 48_000, 20_000.0),
            (192_000, 44_100, 5_000.0),
            (22_050, 48_000, 9_000.0),
        ];
        for (from, to, hertz) in cases {
            let second = usize::try_from(from).expect("small");
            let output = converted(&mut resampler(from, to), &sine(hertz, from, second), 1152);
            let (level, delay, residual) = fitted(&output, hertz, to);
            let row = format!("{hertz} Hz, {from} to {to}: {level}, {delay} s, {residual}");
            assert!((level - 1.0).abs() < 1e-4, "{row}");
            assert!(delay.abs() * f64::from(from.min(to)) < 0.001, "{row}");
            assert!(residual < 2e-6, "{row}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        for (from, to, hertz) in [(96_000, 48_000, 26_000.0), (48_000, 44_100, 23_000.0)] {
            let second = usize::try_from(from).expect("small");
            let output = converted(&mut resampler(from, to), &sine(hertz, from, second), 1152);
            let middle = &output[8000..output.len() - 8000];
            let peak = middle
                .iter()
                .fold(0.0, |peak, sample| sample.abs().max(peak));
            assert!(peak < 1e-5, "{hertz} Hz, {from} to {to}: {peak}");
        }
    }

    #[test]
    fn the_size_of_the_pieces_does_not_matter_and_a_reset_forgets() {
        let input = sine(440.0, 44_100, 20_000);
        let mut resampler = resampler(44_100, 48_000);
        let whole = converted(&mut resampler, &input, 20_000);
        assert_eq!(converted(&mut resampler, &input, 7), whole);
        resampler
            .process(&[1.0; 5000], &mut |_| Ok(()))
            .expect("room");
        resampler.reset();
        assert_eq!(converted(&mut resampler, &input, 1152), whole);
    }

    #[test]
    fn a_full_sink_stops_the_work() {
        let stopped = Problem::stopped();
        let answer =
            resampler(44_100, 48_000).process(&[0.0; 9000], &mut |_| Err(Problem::stopped()));
        assert_eq!(answer, Err(stopped));
    }
}
