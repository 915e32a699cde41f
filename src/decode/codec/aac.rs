//! AAC of every profile, by `rusty_aac`: LC, Main, LTP, HE v1 and v2, LD, ELD.
//! Output comes in WAV order, at the rate SBR gives when it is found.

use rusty_aac::config::{self, StreamConfig, aot};
use rusty_aac::{AacDecoder, BitReader, Error, parse_audio_specific_config};

use super::refused;
use crate::error::{Kind, Problem};
use crate::units::SampleRate;

/// A decoder of raw access units, or of ADTS frames.
pub enum Engine {
    /// Units of a container that gives their AudioSpecificConfig.
    Raw(Box<rusty_aac::decode::Decoder>),
    /// Frames that say it all in their headers.
    Adts(Box<AacDecoder>),
}

impl Engine {
    /// A decoder for units described by an AudioSpecificConfig (ISO/IEC 14496-3
    /// section 1.6.2), or without one for ADTS frames.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] naming the profile, [`Kind::Malformed`].
    pub fn new(specific: Option<&[u8]>) -> Result<Self, Problem> {
        let Some(specific) = specific else {
            return Ok(Self::Adts(Box::default()));
        };
        let stream = config::parse(specific).map_err(|error| cannot(specific, &error))?;
        if has_low_delay_sbr(&stream) {
            let why = "it is AAC-ELD with low-delay SBR, which has no decoder here";
            return Err(refused(Kind::Unsupported, why));
        }
        let decoder = rusty_aac::decode::Decoder::with_stream_config(stream);
        let decoder = decoder.map_err(|error| cannot(specific, &error))?;
        Ok(Self::Raw(Box::new(decoder)))
    }

    /// Decodes one unit into `samples`, and returns its rate and channels.
    pub fn decode(&mut self, data: &[u8], samples: &mut Vec<f32>) -> Result<(u32, usize), String> {
        let decoded = match self {
            Self::Raw(decoder) => decoder.decode(data, None),
            Self::Adts(decoder) => decoder.decode(data, None),
        };
        match decoded {
            Ok(audio) => {
                *samples = audio.samples; // the crate gives a new buffer each time
                Ok((audio.sample_rate, audio.channels.into()))
            }
            Err(Error::Again) => Ok((0, 0)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What an AudioSpecificConfig says of its own length and of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specific {
    /// Its length in bits.
    pub bits: usize,
    /// Samples a channel in an access unit, before SBR.
    pub frames: u64,
    /// Their rate.
    pub rate: SampleRate,
}

impl Specific {
    /// Reads the AudioSpecificConfig that `bytes` begin with; whatever may
    /// follow. One that extends its successor (backward compatible signalling)
    /// is read without its extension.
    ///
    /// # Errors
    ///
    /// As `Engine::new`.
    pub fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut reader = BitReader::new(bytes);
        let config = config::parse_from_opts(&mut reader, 0, false);
        let config = config.map_err(|error| cannot(bytes, &error))?;
        let broken = || refused(Kind::Malformed, "its AudioSpecificConfig is broken");
        Ok(Self {
            bits: reader.position(),
            frames: config.frame_length as u64,
            rate: SampleRate::new(config.sample_rate).ok_or_else(broken)?,
        })
    }
}

/// The crate would play only the lower half of the spectrum.
fn has_low_delay_sbr(stream: &StreamConfig) -> bool {
    stream.object_type == aot::ER_AAC_ELD && stream.eld.as_ref().is_some_and(|eld| eld.ld_sbr)
}

fn cannot(specific: &[u8], error: &Error) -> Problem {
    let object_type = parse_audio_specific_config(specific).map(|config| config.object_type);
    match (error, object_type) {
        (Error::Unsupported(_) | Error::Unimplemented(_), Ok(object_type)) => {
            let profile = profile(object_type);
            let why =
                format!("it is {profile} (object type {object_type}) and has no decoder here");
            refused(Kind::Unsupported, why)
        }
        _ => refused(Kind::Malformed, "its AudioSpecificConfig is broken"),
    }
}

/// Names of audio object types (ISO/IEC 14496-3 table 1.17).
fn profile(object_type: u8) -> &'static str {
    match object_type {
        1 => "AAC Main",
        2 => "AAC-LC with unusual tools",
        4 => "AAC-LTP with short frames",
        5 | 29 => "HE-AAC over an unusual core",
        6 | 20 => "AAC Scalable",
        17 | 19 => "error-resilient AAC",
        22 => "BSAC",
        23 => "AAC-LD with unusual tools",
        32..=34 => "MPEG layer audio in MP4",
        36 => "MPEG-4 ALS",
        39 => "AAC-ELD with unusual tools",
        42 => "xHE-AAC (USAC)",
        _ => "MPEG-4 audio of a rare kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_without_a_decoder_is_named() {
        let usac = [0xF9, 0x48, 0x40, 0x20]; // escape, object type 42, 48 kHz
        let als = [0xF8, 0x80 | 0x08, 0x40, 0];
        let cases: [(&[u8], Kind, &str); 4] = [
            (&usac, Kind::Unsupported, "xHE-AAC (USAC) (object type 42)"),
            (&als, Kind::Unsupported, "MPEG-4 ALS (object type 36)"),
            (&[], Kind::Malformed, "AudioSpecificConfig is broken"),
            (&[0x17], Kind::Malformed, "AudioSpecificConfig is broken"),
        ];
        for (specific, kind, why) in cases {
            let problem = Engine::new(Some(specific)).err().expect(why);
            assert_eq!(problem.kind, kind, "{problem}");
            assert!(problem.why.contains(why), "{problem}");
        }
    }

    #[test]
    fn the_profiles_of_the_field_have_a_decoder() {
        let cases: [(&str, &[u8]); 5] = [
            ("LC 44.1 kHz stereo", &[0x12, 0x10]),
            ("LC 48 kHz 5.1", &[0x11, 0xB0]),
            ("HE v1 hierarchical", &[0x2B, 0x92, 0x08, 0x00]),
            ("HE v2 hierarchical", &[0xEB, 0x8A, 0x08, 0x00]),
            ("LC with sync extension", &[0x13, 0x90, 0x56, 0xE5, 0xA0]),
        ];
        for (case, specific) in cases {
            assert!(Engine::new(Some(specific)).is_ok(), "{case}");
        }
    }
}
