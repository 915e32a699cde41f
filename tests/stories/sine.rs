//! A pure tone as an HLS stream (FLAC in fMP4, so that every sample is known),
//! and what a recording of it tells: where it broke off, and how.

use std::f64::consts::TAU;

use super::fixtures::bytes;
use super::origin::Origin;

/// Frames a second of the stream.
pub const RATE: u32 = 48_000;
/// Of full scale; loud enough to see, quiet enough to mix.
pub const AMPLITUDE: f64 = 0.5;
const BLOCK: usize = 4_608; // frames of one FLAC frame, as flac48-init.mp4 says
const BLOCKS: usize = 10; // of one segment: 0.96 s
/// Frames of one segment.
pub const SEGMENT: usize = BLOCK * BLOCKS;
const CHANNELS: usize = 2;
const TOLERANCE: f64 = 0.05; // of the largest step of the sine: how far a sample may be from its prediction

/// Serves `segments` of 0.96 s below `/sine/` and gives the address of their
/// playlist. Left and right sound at these pitches in hertz.
pub fn serve(origin: &Origin, segments: usize, pitches: [f64; CHANNELS]) -> String {
    let seconds = SEGMENT as f64 / f64::from(RATE);
    let mut list = String::from(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-MAP:URI=\"init.mp4\"\n",
    );
    for index in 0..segments {
        list += &format!("#EXTINF:{seconds},\n{index}.m4s\n");
        let path = format!("/sine/{index}.m4s");
        origin.serve(&path, "audio/mp4", segment(index, pitches));
    }
    list += "#EXT-X-ENDLIST\n";
    let init = bytes("timeline/flac48-init.mp4");
    origin.serve("/sine/init.mp4", "audio/mp4", init);
    let kind = "application/vnd.apple.mpegurl";
    origin.serve("/sine/list.m3u8", kind, list.into());
    origin.url("/sine/list.m3u8")
}

/// The sample of the stream at `frame`.
pub fn sample(pitch: f64, frame: usize) -> f32 {
    f32::from(quantised(pitch, frame)) / 32_768.0
}

/// Which frame of the stream `heard` begins with, one of its first tenth of a
/// second; every sample must be that of the stream.
pub fn place(heard: &[f32], pitch: f64) -> usize {
    let is_it = |first: &usize| {
        let mut frames = heard.iter().zip(*first..);
        frames.all(|(heard, frame)| *heard == sample(pitch, frame))
    };
    let place = (0..RATE as usize / 10).find(is_it);
    place.expect("a recording of the sine, sample by sample")
}

fn quantised(pitch: f64, frame: usize) -> i16 {
    let phase = TAU * pitch * frame as f64 / f64::from(RATE);
    (phase.sin() * AMPLITUDE * 32_768.0).round() as i16
}

fn segment(index: usize, pitches: [f64; CHANNELS]) -> Vec<u8> {
    let first = index * BLOCKS;
    let frames: Vec<_> = (first..first + BLOCKS)
        .map(|number| flac_frame(number, pitches))
        .collect();
    let mut tfdt = vec![1, 0, 0, 0];
    tfdt.extend(((first * BLOCK) as u64).to_be_bytes());
    let sizes: Vec<u32> = frames.iter().map(|frame| frame.len() as u32).collect();
    let moof = |offset: u32| {
        let mut trun = vec![0, 0, 0x02, 0x01]; // sizes and the offset of the data
        trun.extend((BLOCKS as u32).to_be_bytes());
        trun.extend(offset.to_be_bytes());
        trun.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        let mut tfhd = vec![0, 2, 0, 0x08]; // counted from the moof; duration of a sample
        tfhd.extend(1u32.to_be_bytes());
        tfhd.extend((BLOCK as u32).to_be_bytes());
        let traf = [
            boxed(b"tfhd", &tfhd),
            boxed(b"tfdt", &tfdt),
            boxed(b"trun", &trun),
        ];
        let mfhd = boxed(b"mfhd", &[0, 0, 0, 0, 0, 0, 0, 1]);
        boxed(b"moof", &[mfhd, boxed(b"traf", &traf.concat())].concat())
    };
    let offset = moof(0).len() as u32 + 8;
    [moof(offset), boxed(b"mdat", &frames.concat())].concat()
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(body);
    whole
}

/// A FLAC frame of two verbatim subframes (RFC 9639, section 9).
fn flac_frame(number: usize, pitches: [f64; CHANNELS]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xF8, 0x5A, 0x18]; // 4608 frames, 48 kHz, two channels, 16 bits
    let coded = char::from_u32(number as u32).expect("a small number");
    frame.extend(coded.encode_utf8(&mut [0; 4]).as_bytes());
    frame.push(crc(&frame, 8, 0x07) as u8);
    let first = number * BLOCK;
    for pitch in pitches {
        frame.push(0x02); // verbatim
        let samples = (first..first + BLOCK).map(|at| quantised(pitch, at));
        frame.extend(samples.flat_map(i16::to_be_bytes));
    }
    let sum = crc(&frame, 16, 0x8005) as u16;
    frame.extend(sum.to_be_bytes());
    frame
}

/// A cyclic sum of `width` bits, most significant bit first.
fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let mut sum = 0;
    for byte in bytes {
        sum ^= u32::from(*byte) << (width - 8);
        for _ in 0..8 {
            let carry = (sum >> (width - 1)) & 1;
            sum = ((sum << 1) ^ (carry * polynomial)) & ((1 << width) - 1);
        }
    }
    sum
}

/// A place where a recorded sine does not go on as a sine does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Break {
    /// Frame of the recording.
    pub first: usize,
    /// The frame behind the last one that does not fit.
    pub end: usize,
    /// The largest step from sample to sample in it, in largest steps of the sine.
    pub step: f64,
}

/// One channel of a recording of a sine.
pub struct Tone {
    /// From the first to the last frame that is not silent.
    pub samples: Vec<f32>,
    /// Radians from frame to frame.
    turn: f64,
}

impl Tone {
    /// Channel `channel` of `channels` in `recorded` at `rate`, with silence at
    /// both ends cut off; the sine has `pitch` hertz.
    pub fn of(recorded: &[f32], channels: usize, channel: usize, rate: u32, pitch: f64) -> Self {
        let samples: Vec<f32> = recorded
            .chunks_exact(channels)
            .map(|frame| frame[channel])
            .collect();
        let is_loud = |sample: &f32| sample.abs() > 1e-4;
        let first = samples.iter().position(is_loud).unwrap_or(samples.len());
        let end = samples
            .iter()
            .rposition(is_loud)
            .map_or(first, |last| last + 1);
        Self {
            samples: samples[first..end].to_vec(),
            turn: TAU * pitch / f64::from(rate),
        }
    }

    /// The loudest sample.
    pub fn peak(&self) -> f64 {
        let loudest = self.samples.iter().map(|sample| sample.abs());
        f64::from(loudest.fold(0.0, f32::max))
    }

    /// Every place where a sample is not what the two before it foretell, those
    /// nearer than 20 ms to each other as one. A sine of any phase and volume
    /// goes `x[n+1] = 2·cos(w)·x[n] - x[n-1]`, also slowly louder and softer.
    pub fn breaks(&self) -> Vec<Break> {
        let near = (0.02 * TAU / self.turn * 440.0).max(1.0) as usize;
        let largest = self.peak() * self.turn;
        let mut breaks: Vec<Break> = Vec::new();
        for (at, three) in self.samples.windows(3).enumerate() {
            let [a, b, c] = [0, 1, 2].map(|index| f64::from(three[index]));
            let error = (2.0 * self.turn.cos() * b - a - c).abs();
            if error <= TOLERANCE * largest {
                continue;
            }
            let step = (c - b).abs().max((b - a).abs()) / largest;
            match breaks.last_mut().filter(|last| at < last.end + near) {
                Some(last) => {
                    last.end = at + 3;
                    last.step = last.step.max(step);
                }
                None => breaks.push(Break {
                    first: at,
                    end: at + 3,
                    step,
                }),
            }
        }
        breaks
    }

    /// The largest step from sample to sample, in largest steps of the sine.
    pub fn largest_step(&self) -> f64 {
        let steps = self.samples.windows(2).map(|two| (two[1] - two[0]).abs());
        f64::from(steps.fold(0.0, f32::max)) / (self.peak() * self.turn)
    }

    /// By how much of a turn (`-0.5..=0.5`) the sine at `later` is ahead of what
    /// the sine at `earlier` would have become; each is read off `span` frames.
    pub fn phase_jump(&self, earlier: usize, later: usize, span: usize) -> f64 {
        let ahead = self.phase(later, span) - self.phase(earlier, span);
        let turns = ahead / TAU;
        turns - turns.round()
    }

    /// Phase at frame 0 of the sine that is heard in `span` frames from `first`.
    fn phase(&self, first: usize, span: usize) -> f64 {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (at, sample) in self.samples.iter().enumerate().skip(first).take(span) {
            let (s, c) = (self.turn * at as f64).sin_cos();
            sine += s * f64::from(*sample);
            cosine += c * f64::from(*sample);
        }
        cosine.atan2(sine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(samples: Vec<f32>) -> Tone {
        Tone::of(&samples, 1, 0, RATE, 440.0)
    }

    fn sine(frames: std::ops::Range<usize>) -> Vec<f32> {
        frames.map(|frame| sample(440.0, frame)).collect()
    }

    #[test]
    fn a_sine_has_no_break_and_one_lost_frame_is_one() {
        let whole = tone(sine(0..10_000));
        assert_eq!(whole.breaks(), []);
        assert!(whole.largest_step() < 1.01);
        let broken = tone([sine(0..5_000), sine(5_001..10_000)].concat());
        let breaks = broken.breaks();
        assert_eq!(breaks.len(), 1, "{breaks:?}");
        assert!((4_990..5_010).contains(&breaks[0].first), "{breaks:?}");
        let jump = broken.phase_jump(1_000, 8_000, 1_200) * f64::from(RATE) / 440.0;
        assert!((jump - 1.0).abs() < 0.05, "{jump} frames");
    }

    #[test]
    fn a_fade_of_ten_milliseconds_is_no_break() {
        let mut faded = sine(0..10_000);
        for (at, sample) in faded.iter_mut().enumerate().skip(5_000) {
            *sample *= (1.0 - (at - 5_000) as f32 / 480.0).max(0.0);
        }
        assert_eq!(tone(faded).breaks(), []);
    }
}
