//! What a dump holds: a WAV or raw PCM taken apart, the two signals of the
//! fixtures computed again (fixtures/make.sh), and how far one is from the other.

use std::f64::consts::TAU;
use std::path::Path;

use sha2::{Digest, Sha256};

const BLOCK: usize = 1024; // frames looked at together
const SPECTRUM: usize = 4096; // frames of one spectrum

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    S16,
    S24,
    F32,
}

impl Sample {
    pub fn parse(name: &str) -> Self {
        match name {
            "s16" => Self::S16,
            "s24" => Self::S24,
            "f32" => Self::F32,
            _ => panic!("no sample format {name:?}"),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S24 => 3,
            Self::F32 => 4,
        }
    }
}

/// Interleaved PCM with its layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    pub rate: u32,
    pub channels: usize,
    pub sample: Sample,
    /// Little endian, as in the file.
    pub pcm: Vec<u8>,
}

impl Sound {
    /// Reads a WAV file.
    pub fn open(path: &Path) -> Self {
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&bytes)
    }

    /// Takes a WAV apart: RIFF or RF64, sizes right or unknown (0xFFFFFFFF, then the data
    /// goes to the end). The sizes of a finished file must be right to the byte.
    pub fn parse(bytes: &[u8]) -> Self {
        assert!(
            bytes.starts_with(b"RIFF") || bytes.starts_with(b"RF64"),
            "no WAV: {:?}",
            &bytes[..bytes.len().min(12)]
        );
        assert_eq!(&bytes[8..12], b"WAVE");
        let (mut at, mut layout) = (12, None);
        loop {
            let (name, size) = (&bytes[at..at + 4], number(&bytes[at + 4..at + 8]));
            let body = at + 8;
            match name {
                b"fmt " => layout = Some(layout_of(&bytes[body..body + size])),
                b"data" => {
                    let (rate, channels, sample) = layout.expect("fmt comes before data");
                    let rest = bytes.len() - body;
                    let pcm = match size {
                        0xFFFF_FFFF => &bytes[body..],
                        size => {
                            assert!(
                                size <= rest,
                                "the header promises {size} bytes, {rest} are there"
                            );
                            let riff = number(&bytes[4..8]);
                            assert_eq!(riff + 8, bytes.len(), "the RIFF size");
                            &bytes[body..body + size]
                        }
                    };
                    return Self::raw(pcm.to_vec(), rate, channels, sample);
                }
                _ => {}
            }
            at = body + size + size % 2;
        }
    }

    /// PCM without a header.
    pub fn raw(pcm: Vec<u8>, rate: u32, channels: usize, sample: Sample) -> Self {
        assert_eq!(
            pcm.len() % (channels * sample.bytes()),
            0,
            "half a frame at the end"
        );
        Self {
            rate,
            channels,
            sample,
            pcm,
        }
    }

    pub fn frames(&self) -> usize {
        self.pcm.len() / (self.channels * self.sample.bytes())
    }

    /// The part from frame `first`, `count` frames long.
    pub fn slice(&self, first: usize, count: usize) -> Self {
        let frame = self.channels * self.sample.bytes();
        Self {
            pcm: self.pcm[first * frame..(first + count) * frame].to_vec(),
            ..self.clone()
        }
    }

    /// SHA-256 of the PCM, in hex.
    pub fn sha256(&self) -> String {
        hex(&self.pcm)
    }

    /// Every sample as an integer of its own width, or `None` for floats.
    pub fn integers(&self) -> Option<Vec<i32>> {
        let read = |bytes: &[u8]| match *bytes {
            [a, b] => i32::from(i16::from_le_bytes([a, b])),
            [a, b, c] => i32::from_le_bytes([0, a, b, c]) >> 8,
            _ => unreachable!("two or three bytes"),
        };
        (self.sample != Sample::F32)
            .then(|| self.pcm.chunks(self.sample.bytes()).map(read).collect())
    }

    /// Every sample between -1 and 1.
    pub fn floats(&self) -> Vec<f64> {
        let scale = match self.sample {
            Sample::S16 => 32_768.0,
            Sample::S24 => 8_388_608.0,
            Sample::F32 => {
                let read = |bytes: &[u8]| {
                    f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes")))
                };
                return self.pcm.chunks(4).map(read).collect();
            }
        };
        let integers = self.integers().expect("not floats");
        integers
            .into_iter()
            .map(|value| f64::from(value) / scale)
            .collect()
    }

    fn channel(&self, channel: usize) -> Vec<f64> {
        self.floats()
            .into_iter()
            .skip(channel)
            .step_by(self.channels)
            .collect()
    }
}

fn number(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize
}

fn layout_of(format: &[u8]) -> (u32, usize, Sample) {
    let word = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
    let (channels, rate, align, bits) = (word(2), number(&format[4..]), word(12), word(14));
    let tag = if word(0) == 0xFFFE { word(24) } else { word(0) };
    let sample = match (tag, bits) {
        (1, 16) => Sample::S16,
        (1, 24) => Sample::S24,
        (3, 32) => Sample::F32,
        other => panic!("WAV of tag and bits {other:?}"),
    };
    assert_eq!(
        usize::from(align),
        usize::from(channels) * sample.bytes(),
        "block align"
    );
    assert_eq!(number(&format[8..]), rate * usize::from(align), "byte rate");
    (rate as u32, usize::from(channels), sample)
}

/// SHA-256 in hex.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Signal to noise of `got` against `want`, in dB; infinite when they are equal.
pub fn snr_db(want: &[f64], got: &[f64]) -> f64 {
    assert_eq!(want.len(), got.len(), "samples");
    let signal: f64 = want.iter().map(|x| x * x).sum();
    let noise: f64 = want.iter().zip(got).map(|(x, y)| (x - y) * (x - y)).sum();
    10.0 * (signal / noise).log10()
}

/// The first sample where two sounds differ.
pub fn first_difference(want: &Sound, got: &Sound) -> Option<usize> {
    let pairs = want.pcm.iter().zip(&got.pcm);
    let byte = pairs.take_while(|(a, b)| a == b).count();
    (want.pcm != got.pcm).then_some(byte / want.sample.bytes())
}

/// The first frame of the counter signal that is not the `first`-th after its
/// start, with the frame number its left sample tells (modulo 65,536).
pub fn first_break(sound: &Sound, first: usize) -> Option<(usize, usize)> {
    let left = sound
        .integers()
        .expect("integers")
        .into_iter()
        .step_by(sound.channels);
    let told = left.map(|value| (value + 32_768) as usize);
    told.enumerate()
        .find(|&(frame, told)| told != (first + frame) % 65_536)
}

/// The phase of the chirp (turns, turns a second) at a second, left or right.
fn chirp(channel: usize, t: f64) -> (f64, f64) {
    match channel {
        0 => (300.0 * t + 100.0 * t * t, 300.0 + 200.0 * t),
        _ => (1500.0 * t - 100.0 * t * t, 1500.0 - 200.0 * t),
    }
}

const LEVEL: [f64; 2] = [0.5, 0.4];

/// How far a sound is from the chirp that starts at frame `first`: the worst
/// shift of any block, in samples, and the block's frame. A block whose level is
/// off by more than a fifth (lost, doubled, swapped) counts as infinitely far.
pub fn worst_shift(sound: &Sound, first: usize) -> (f64, usize) {
    let mut worst = (0.0, 0);
    for (channel, level) in LEVEL.into_iter().enumerate() {
        let samples = sound.channel(channel);
        // The codec swings in and out at the very ends.
        for block in 1..(samples.len() / BLOCK).saturating_sub(1) {
            let at = block * BLOCK;
            let shift = block_shift(
                &samples[at..at + BLOCK],
                channel,
                level,
                first + at,
                sound.rate,
            );
            if shift > worst.0 {
                worst = (shift, at);
            }
        }
    }
    worst
}

/// Fits `a sin + b cos` of the true phase to the block by least squares.
fn block_shift(samples: &[f64], channel: usize, level: f64, first: usize, rate: u32) -> f64 {
    let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let (turns, _) = chirp(channel, (first + index) as f64 / f64::from(rate));
        let (sine, cosine) = (TAU * turns).sin_cos();
        ss += sine * sine;
        sc += sine * cosine;
        cc += cosine * cosine;
        xs += sample * sine;
        xc += sample * cosine;
    }
    let scale = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / scale, (xc * ss - xs * sc) / scale);
    if (a.hypot(b) / level - 1.0).abs() > 0.2 {
        return f64::INFINITY;
    }
    let (_, hertz) = chirp(
        channel,
        (first + samples.len() / 2) as f64 / f64::from(rate),
    );
    (b.atan2(a) / TAU).abs() * f64::from(rate) / hertz
}

/// Checks that one channel of a pure tone goes on in phase from its first sample
/// to its last: no block may be further than `tolerance` samples from where the
/// first one puts it, nor louder or softer by a fifth.
pub fn phase_is_continuous(samples: &[f64], rate: u32, hertz: f64, tolerance: f64) {
    let (shift, at) = worst_phase(samples, rate, hertz);
    assert!(
        shift <= tolerance,
        "{shift} samples off at frame {at} of {}",
        samples.len()
    );
}

/// The worst shift of a tone against its first block, in samples, and where. A
/// lost or doubled level is infinitely far.
fn worst_phase(samples: &[f64], rate: u32, hertz: f64) -> (f64, usize) {
    let period = f64::from(rate) / hertz;
    let length = (8.0 * period) as usize;
    let mut blocks = (0..=samples.len() - length).step_by(length / 4).map(|at| {
        let block = samples[at..at + length].iter().enumerate();
        let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (index, sample) in block {
            let (sine, cosine) = (TAU * ((at + index) as f64 / period).fract()).sin_cos();
            ss += sine * sine;
            sc += sine * cosine;
            cc += cosine * cosine;
            xs += sample * sine;
            xc += sample * cosine;
        }
        let scale = ss * cc - sc * sc;
        let (a, b) = ((xs * cc - xc * sc) / scale, (xc * ss - xs * sc) / scale);
        (at, a.hypot(b), b.atan2(a) / TAU)
    });
    let (_, level, phase) = blocks.next().expect("eight periods of the tone");
    let mut worst = (0.0, 0);
    for (at, own_level, own_phase) in blocks {
        let turns = own_phase - phase;
        let mut shift = (turns - turns.round()).abs() * period;
        if (own_level / level - 1.0).abs() > 0.2 {
            shift = f64::INFINITY;
        }
        if shift > worst.0 {
            worst = (shift, at);
        }
    }
    worst
}

/// The chirp itself, interleaved, as `frames` frames from frame `first`.
pub fn true_chirp(rate: u32, first: usize, frames: usize) -> Vec<f64> {
    let frame = |n: usize| {
        let t = n as f64 / f64::from(rate);
        [0, 1].map(|channel| LEVEL[channel] * (TAU * chirp(channel, t).0).sin())
    };
    (first..first + frames).flat_map(frame).collect()
}

/// The amplitude of one frequency in the middle of a channel.
pub fn tone(sound: &Sound, channel: usize, hertz: f64) -> f64 {
    let (real, imaginary) = bin(&middle(sound, channel), hertz / f64::from(sound.rate));
    real.hypot(imaginary) * 4.0 / SPECTRUM as f64
}

/// The effective value of a band of frequencies in the middle of a channel.
pub fn band(sound: &Sound, channel: usize, low: f64, high: f64) -> f64 {
    let block = middle(sound, channel);
    let step = f64::from(sound.rate) / SPECTRUM as f64;
    let bins = (low / step) as usize..(high / step) as usize;
    let power = |index: usize| {
        let (real, imaginary) = bin(&block, index as f64 / SPECTRUM as f64);
        real * real + imaginary * imaginary
    };
    // 0.375 is the power of the window.
    (2.0 * bins.map(power).sum::<f64>() / 0.375).sqrt() / SPECTRUM as f64
}

/// A block from the middle of a channel under a Hann window.
fn middle(sound: &Sound, channel: usize) -> Vec<f64> {
    let samples = sound.channel(channel);
    let first = samples.len() / 2;
    let window = |index: usize| 0.5 - 0.5 * (TAU * index as f64 / SPECTRUM as f64).cos();
    (0..SPECTRUM)
        .map(|index| samples[first + index] * window(index))
        .collect()
}

fn bin(block: &[f64], turns_a_sample: f64) -> (f64, f64) {
    block
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(real, imaginary), (index, sample)| {
            let (sine, cosine) = (TAU * turns_a_sample * index as f64).sin_cos();
            (real + sample * cosine, imaginary - sample * sine)
        })
}

#[test]
fn a_shift_of_one_sample_a_hole_and_a_swap_are_seen() {
    let sound = |samples: Vec<f64>| {
        let pcm = samples
            .iter()
            .flat_map(|x| ((x * 32_768.0) as i16).to_le_bytes())
            .collect();
        Sound::raw(pcm, 44_100, 2, Sample::S16)
    };
    let right = true_chirp(44_100, 0, 44_100);
    assert!(worst_shift(&sound(right.clone()), 0).0 < 0.05);
    assert!(worst_shift(&sound(true_chirp(44_100, 1, 44_100)), 0).0 > 0.9);
    let mut hole = right.clone();
    hole.drain(40_000..40_200);
    assert!(worst_shift(&sound(hole), 0).0 > 0.9);
    let mut swapped = right.clone();
    swapped.chunks_mut(2).for_each(<[f64]>::reverse);
    assert_eq!(worst_shift(&sound(swapped), 0).0, f64::INFINITY);
    assert!(snr_db(&right, &right).is_infinite());
}

#[test]
fn a_tone_that_loses_a_sample_or_a_block_is_seen() {
    let tone: Vec<f64> = (0..44_100)
        .map(|n| 0.5 * (TAU * 441.0 * f64::from(n) / 44_100.0).sin())
        .collect();
    phase_is_continuous(&tone, 44_100, 441.0, 0.001);
    let mut lost = tone.clone();
    lost.remove(20_000);
    assert!(worst_phase(&lost, 44_100, 441.0).0 > 0.9);
    let mut silent = tone;
    silent[20_000..20_500].fill(0.0);
    assert_eq!(worst_phase(&silent, 44_100, 441.0).0, f64::INFINITY);
}

#[test]
fn the_counter_tells_where_frames_are_lost() {
    let counter: Vec<u8> = (0..3000_i32)
        .flat_map(|n| [n - 32_768, 0])
        .flat_map(|value| (value as i16).to_le_bytes())
        .collect();
    let sound = Sound::raw(counter, 44_100, 2, Sample::S16);
    assert_eq!(first_break(&sound, 0), None);
    assert_eq!(first_break(&sound.slice(500, 100), 500), None);
    let mut lost = sound.clone();
    lost.pcm.drain(400..800);
    assert_eq!(first_break(&lost, 0), Some((100, 200)));
    assert_eq!(first_difference(&sound, &lost), Some(200));
}
