//! Access units to frames: one decoder over every codec, behind a fence. What a
//! codec does wrong (an error, a panic, absurd samples) becomes a value; when
//! to give up is the caller's decision. Trims nothing.

mod aac;
mod fence;
mod general;

use symphonia::core::codecs::audio::AudioCodecParameters;

use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Codec;
use crate::units::{ChannelCount, Frames, SampleRate, Spec};

pub use aac::Specific;

const ABSURD: f32 = 4.0; // 12 dB over full scale: no encoder made this, a broken stream did

/// Frames of one access unit: interleaved, frames × channels, in WAV order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block<'a> {
    /// Rate and channels. HE-AAC shows only here.
    pub spec: Spec,
    /// Full scale is ±1, lossy codecs overshoot a little.
    pub samples: &'a [f32],
}

impl<'a> Block<'a> {
    /// How many frames.
    pub fn frames(&self) -> Frames {
        Frames((self.samples.len() / self.spec.channels.count()) as u64)
    }

    /// The samples of `count` frames from frame `from` on, as far as there are any.
    pub fn part(&self, from: u64, count: u64) -> &'a [f32] {
        let index = |frame: u64| {
            let frame = usize::try_from(frame).unwrap_or(usize::MAX);
            frame
                .saturating_mul(self.spec.channels.count())
                .min(self.samples.len())
        };
        &self.samples[index(from)..index(from.saturating_add(count))]
    }
}

/// What came out of one access unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<'a> {
    /// Frames.
    Frames(Block<'a>),
    /// No frames, and nothing is wrong: the first packet of Vorbis.
    Nothing,
    /// The unit is broken, and why. The next one may be decoded.
    Bad(String),
}

/// Decodes the access units of one track, into one reused buffer.
pub struct Decoder {
    codec: Codec,
    parameters: AudioCodecParameters,
    engine: Engine,
    samples: Vec<f32>,
}

enum Engine {
    Aac(aac::Engine),
    General(general::Engine),
}

impl Decoder {
    /// Builds the decoder of `track`.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] for a codec or profile without a decoder,
    /// [`Kind::Malformed`] for a broken configuration.
    pub fn new(track: &Track) -> Result<Self, Problem> {
        Ok(Self {
            codec: track.codec,
            engine: build(track.codec, &track.parameters)?,
            parameters: track.parameters.clone(),
            samples: Vec::new(),
        })
    }

    /// Decodes one access unit. After a unit that broke the decoder itself, a
    /// fresh one goes on with the next.
    pub fn decode(&mut self, unit: &Unit<'_>) -> Decoded<'_> {
        self.samples.clear();
        let (engine, samples) = (&mut self.engine, &mut self.samples);
        let Some(outcome) = fence::run(|| engine.decode(unit, samples)) else {
            self.rebuild();
            return Decoded::Bad("the decoder panicked".to_owned());
        };
        match outcome {
            Err(why) => Decoded::Bad(why),
            Ok(_) if self.samples.is_empty() => Decoded::Nothing,
            Ok((rate, channels)) => self.checked(rate, channels),
        }
    }

    fn checked(&mut self, rate: u32, channels: usize) -> Decoded<'_> {
        let (Some(rate), Some(channels)) = (SampleRate::new(rate), ChannelCount::new(channels))
        else {
            return Decoded::Bad(format!("it has {channels} channels at {rate} Hz"));
        };
        if !self.codec.is_lossless() && is_absurd(&self.samples) {
            self.rebuild();
            return Decoded::Bad("its samples are absurd".to_owned());
        }
        Decoded::Frames(Block {
            spec: Spec { rate, channels },
            samples: &self.samples,
        })
    }

    /// Forgets the units before: after a seek, or a gap.
    pub fn reset(&mut self) {
        match &mut self.engine {
            Engine::Aac(_) => self.rebuild(),
            Engine::General(engine) => {
                if fence::run(|| engine.reset()).is_none() {
                    self.rebuild();
                }
            }
        }
    }

    fn rebuild(&mut self) {
        // It was built from the same parameters before.
        if let Ok(fresh) = build(self.codec, &self.parameters) {
            self.engine = fresh;
        }
    }

    /// Bits a sample that carry information: 16 for lossy codecs.
    pub fn bits(&self) -> u8 {
        if !self.codec.is_lossless() {
            return 16;
        }
        let coded = self.parameters.bits_per_coded_sample;
        let bits = coded.or(self.parameters.bits_per_sample);
        let bits = bits.or_else(|| general::alac_bits(self.codec, &self.parameters));
        bits.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(16)
    }
}

impl Engine {
    /// Decodes one unit into `samples`, interleaved, and returns its rate and channels.
    fn decode(&mut self, unit: &Unit<'_>, samples: &mut Vec<f32>) -> Result<(u32, usize), String> {
        if unit.data.is_empty() {
            return Err("it is empty".to_owned());
        }
        match self {
            Self::Aac(engine) => engine.decode(unit.data, samples),
            Self::General(engine) => engine.decode(unit, samples),
        }
    }
}

fn build(codec: Codec, parameters: &AudioCodecParameters) -> Result<Engine, Problem> {
    let frames = parameters.max_frames_per_packet.unwrap_or(0);
    if frames > limits::ACCESS_UNIT_FRAMES {
        return Err(refused(
            Kind::Limit,
            format!("a packet of it has {frames} frames"),
        ));
    }
    let built = fence::run(|| match codec {
        Codec::Aac => aac::Engine::new(parameters.extra_data.as_deref()).map(Engine::Aac),
        other => general::Engine::new(other, parameters).map(Engine::General),
    });
    let panicked = || refused(Kind::Malformed, "its configuration makes the decoder panic");
    built.unwrap_or_else(|| Err(panicked()))
}

/// Reads the AudioSpecificConfig that `bytes` begin with, whatever may follow.
///
/// # Errors
///
/// [`Kind::Unsupported`] naming a profile without a decoder, [`Kind::Malformed`].
pub fn measure_specific(bytes: &[u8]) -> Result<Specific, Problem> {
    let read = fence::run(|| Specific::read(bytes));
    let panicked = || refused(Kind::Malformed, "its configuration makes the decoder panic");
    read.unwrap_or_else(|| Err(panicked()))
}

/// Not finite, or far beyond full scale. Written without an early return, so
/// that it is compiled to vector instructions.
fn is_absurd(samples: &[f32]) -> bool {
    let sane = |all: bool, sample: &f32| all & (sample.abs() <= ABSURD);
    !samples.iter().fold(true, sane)
}

/// A problem with a codec or its configuration.
fn refused(kind: Kind, why: impl Into<String>) -> Problem {
    Problem::new(
        kind,
        "cannot decode the audio",
        why,
        "choose another variant or source",
    )
}

#[cfg(test)]
mod tests;
