//! Every codec but AAC: Symphonia's decoders, and libopus by its adapter. They
//! order channels by speaker position, which is WAV order.

use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::codecs::registry::RegisterableAudioDecoder;
use symphonia::core::errors::Error;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::{
    AdpcmDecoder, AlacDecoder, FlacDecoder, MpaDecoder, PcmDecoder, VorbisDecoder,
};

use super::refused;
use crate::decode::mpeg;
use crate::decode::unit::Unit;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Codec;
use crate::units::{Frames, SampleRate};

/// A decoder and what it does not do itself.
pub struct Engine {
    decoder: Box<dyn AudioDecoder>,
    codec: Codec,
    rate: Option<SampleRate>,
    gain: f32,
    mpeg_layout: Option<mpeg::Header>,
}

impl Engine {
    /// The decoder of `codec`.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`], [`Kind::Malformed`], [`Kind::Limit`].
    pub fn new(codec: Codec, parameters: &AudioCodecParameters) -> Result<Self, Problem> {
        check_alac(codec, parameters)?;
        Ok(Self {
            decoder: decoder(codec, parameters)?,
            codec,
            rate: parameters.sample_rate.and_then(SampleRate::new),
            gain: opus_gain(codec, parameters),
            mpeg_layout: None,
        })
    }

    /// Decodes one unit into `samples`, and returns its rate and channels.
    pub fn decode(
        &mut self,
        unit: &Unit<'_>,
        samples: &mut Vec<f32>,
    ) -> Result<(u32, usize), String> {
        if self.codec == Codec::Mp3 {
            self.follow_layout(unit.data);
        }
        // Only ADPCM asks how many frames there are. No trims: they are the caller's.
        let length = unit.end - unit.start;
        let frames = self.rate.map_or(Frames(0), |rate| length.frames(rate));
        let Frames(frames) = frames + unit.trim_start + unit.trim_end;
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::new(frames), unit.data);
        let audio = self
            .decoder
            .decode_ref(&packet)
            .map_err(|error| words(&error))?;
        audio.copy_to_vec_interleaved(samples);
        if self.gain != 1.0 {
            samples.iter_mut().for_each(|sample| *sample *= self.gain);
        }
        Ok((audio.spec().rate(), audio.spec().channels().count()))
    }

    /// Forgets the units before.
    pub fn reset(&mut self) {
        self.decoder.reset();
    }

    /// Symphonia's MPEG decoder keeps the layer, rate and channels of its first
    /// frame and refuses all others; radio stations change them between
    /// programmes, and MP4 does not say which layer it holds.
    fn follow_layout(&mut self, data: &[u8]) {
        let Some(header) = mpeg::Header::parse(data) else {
            return;
        };
        let before = self.mpeg_layout.replace(header);
        let layer = mpeg_id(header.layer);
        let fits = match before {
            Some(before) => before.continues(&header) && before.channels == header.channels,
            None => self.decoder.codec_params().codec == layer,
        };
        if !fits {
            let mut parameters = self.decoder.codec_params().clone();
            parameters.for_codec(layer);
            if let Ok(fresh) = decoder(self.codec, &parameters) {
                self.decoder = fresh;
            }
        }
    }
}

/// What Symphonia calls a layer of MPEG audio.
fn mpeg_id(layer: u8) -> AudioCodecId {
    match layer {
        1 => CODEC_ID_MP1,
        2 => CODEC_ID_MP2,
        _ => CODEC_ID_MP3,
    }
}

/// Bits a sample of ALAC, which some containers say only in the magic cookie.
pub fn alac_bits(codec: Codec, parameters: &AudioCodecParameters) -> Option<u32> {
    let cookie = alac_cookie(parameters).filter(|_| codec == Codec::Alac)?;
    cookie.get(5).copied().map(u32::from)
}

fn decoder(
    codec: Codec,
    parameters: &AudioCodecParameters,
) -> Result<Box<dyn AudioDecoder>, Problem> {
    // Without it Vorbis gives noise for its first packet. Packets without trims are not trimmed.
    let options = AudioDecoderOptions::default().gapless(true);
    let built = match codec {
        Codec::Flac => FlacDecoder::try_registry_new(parameters, &options),
        Codec::Alac => AlacDecoder::try_registry_new(parameters, &options),
        Codec::Mp3 => MpaDecoder::try_registry_new(parameters, &options),
        Codec::Vorbis => VorbisDecoder::try_registry_new(parameters, &options),
        Codec::Pcm => PcmDecoder::try_registry_new(parameters, &options),
        Codec::Other => AdpcmDecoder::try_registry_new(parameters, &options),
        Codec::Opus => return opus(parameters, &options),
        Codec::Aac => return Err(refused(Kind::Bug, "AAC has its own decoder")),
    };
    built.map_err(|error| cannot(codec, &error))
}

#[cfg(feature = "opus")]
fn opus(
    parameters: &AudioCodecParameters,
    options: &AudioDecoderOptions,
) -> Result<Box<dyn AudioDecoder>, Problem> {
    // Without its header the adapter does not know the pre-skip and leaves it to the caller.
    let mut bare = parameters.clone();
    bare.extra_data = None;
    let built = symphonia_adapter_libopus::OpusDecoder::try_registry_new(&bare, options);
    built.map_err(|error| cannot(Codec::Opus, &error))
}

#[cfg(not(feature = "opus"))]
fn opus(
    _: &AudioCodecParameters,
    _: &AudioDecoderOptions,
) -> Result<Box<dyn AudioDecoder>, Problem> {
    let why = "it is Opus, and this program was built without the feature \"opus\"";
    Err(refused(Kind::Unsupported, why))
}

/// The output gain of an `OpusHead` (RFC 7845 section 5.1), which the adapter
/// does not apply. Q7.8 decibels.
fn opus_gain(codec: Codec, parameters: &AudioCodecParameters) -> f32 {
    let head = parameters
        .extra_data
        .as_deref()
        .filter(|_| codec == Codec::Opus);
    match head.and_then(|head| head.get(16..18)) {
        Some(&[low, high]) => {
            let decibels = f32::from(i16::from_le_bytes([low, high])) / 256.0;
            10_f32.powf(decibels / 20.0)
        }
        _ => 1.0,
    }
}

/// The decoder allocates what the cookie says a frame has.
fn check_alac(codec: Codec, parameters: &AudioCodecParameters) -> Result<(), Problem> {
    if codec != Codec::Alac {
        return Ok(());
    }
    let cookie = alac_cookie(parameters).and_then(|cookie| cookie.first_chunk::<4>());
    let Some(&frames) = cookie else {
        return Err(refused(
            Kind::Malformed,
            "its ALAC configuration is cut off",
        ));
    };
    let frames = u64::from(u32::from_be_bytes(frames));
    if frames > limits::ACCESS_UNIT_FRAMES {
        return Err(refused(
            Kind::Limit,
            format!("an ALAC packet of it has {frames} frames"),
        ));
    }
    Ok(())
}

/// The magic cookie without the QuickTime boxes that may stand before it.
fn alac_cookie(parameters: &AudioCodecParameters) -> Option<&[u8]> {
    let mut cookie = parameters.extra_data.as_deref()?;
    for kind in [b"frma", b"alac"] {
        if cookie.get(4..8) == Some(kind) {
            cookie = cookie.get(12..)?;
        }
    }
    Some(cookie)
}

fn cannot(codec: Codec, error: &Error) -> Problem {
    let kind = match error {
        Error::Unsupported(_) => Kind::Unsupported,
        Error::LimitError(_) => Kind::Limit,
        _ => Kind::Malformed,
    };
    refused(kind, format!("{codec}: {}", words(error)))
}

/// The codec's words without its family's.
fn words(error: &Error) -> String {
    match error {
        Error::DecodeError(why) | Error::Unsupported(why) | Error::LimitError(why) => {
            (*why).to_owned()
        }
        other => other.to_string(),
    }
}
