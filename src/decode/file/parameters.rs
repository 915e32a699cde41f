//! What Symphonia's codec parameters mean for us: the codec's name, whether
//! its numbers are sane, how long its units are. Pure.

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};

use crate::decode::file::demux::malformed;
use crate::decode::file::probe::Container;
use crate::decode::file::timing::Length;
use crate::error::Problem;
use crate::media::Codec;
use crate::units::{ChannelCount, SampleRate};

/// Our name of a codec; `None` for those that nothing here decodes.
pub fn codec(codec: AudioCodecId) -> Option<Codec> {
    match codec {
        id::CODEC_ID_AAC => Some(Codec::Aac),
        id::CODEC_ID_ALAC => Some(Codec::Alac),
        id::CODEC_ID_FLAC => Some(Codec::Flac),
        id::CODEC_ID_MP1 | id::CODEC_ID_MP2 | id::CODEC_ID_MP3 => Some(Codec::Mp3),
        id::CODEC_ID_VORBIS => Some(Codec::Vorbis),
        id::CODEC_ID_OPUS => cfg!(feature = "opus").then_some(Codec::Opus),
        other => {
            let decoder = symphonia::default::get_codecs().get_audio_decoder(other)?;
            let is_pcm = decoder.codec.info.short_name.starts_with("pcm");
            Some(if is_pcm { Codec::Pcm } else { Codec::Other })
        }
    }
}

/// The stated rate, if it is one that is played. AAC above 65,535 Hz states 0
/// in MP4, its frames say the rate.
pub fn rate(
    container: Container,
    parameters: &AudioCodecParameters,
) -> Result<Option<SampleRate>, Problem> {
    if let Some(channels) = parameters
        .channels
        .as_ref()
        .map(|channels| channels.count())
    {
        ChannelCount::new(channels)
            .ok_or_else(|| malformed(container, format!("it states {channels} channels")))?;
    }
    match parameters.sample_rate {
        None | Some(0) => Ok(None),
        Some(hertz) => SampleRate::new(hertz)
            .map(Some)
            .ok_or_else(|| malformed(container, format!("it states a rate of {hertz} Hz"))),
    }
}

/// How long the units of a codec are; `first` is one of them.
pub fn length(
    codec: Codec,
    parameters: &AudioCodecParameters,
    rate: SampleRate,
    first: &[u8],
) -> Option<Length> {
    match codec {
        Codec::Aac => Some(Length::Even(1024)),
        Codec::Mp3 => Some(Length::Even(if rate.hertz() < 32_000 { 576 } else { 1152 })),
        Codec::Opus => Some(Length::Opus),
        Codec::Vorbis => Some(Length::UpTo(8192)),
        Codec::Flac => match parameters.extra_data.as_deref()? {
            [a, b, c, d, ..] if [a, b] == [c, d] => {
                Some(Length::Even(u32::from(u16::from_be_bytes([*a, *b]))))
            }
            _ => Some(Length::UpTo(65_535)),
        },
        Codec::Pcm => {
            let frames = first.len() / frame_bytes(parameters)?;
            Some(Length::Even(u32::try_from(frames).ok()?))
        }
        Codec::Alac | Codec::Other => None,
    }
}

/// Bytes of one frame of plain samples; `None` for every other codec.
pub fn frame_bytes(parameters: &AudioCodecParameters) -> Option<usize> {
    let sample = match parameters.codec {
        id::CODEC_ID_PCM_S8 | id::CODEC_ID_PCM_U8 => 1,
        id::CODEC_ID_PCM_ALAW | id::CODEC_ID_PCM_MULAW => 1,
        id::CODEC_ID_PCM_S16LE | id::CODEC_ID_PCM_S16BE => 2,
        id::CODEC_ID_PCM_U16LE | id::CODEC_ID_PCM_U16BE => 2,
        id::CODEC_ID_PCM_S24LE | id::CODEC_ID_PCM_S24BE => 3,
        id::CODEC_ID_PCM_U24LE | id::CODEC_ID_PCM_U24BE => 3,
        id::CODEC_ID_PCM_S32LE | id::CODEC_ID_PCM_S32BE => 4,
        id::CODEC_ID_PCM_U32LE | id::CODEC_ID_PCM_U32BE => 4,
        id::CODEC_ID_PCM_F32LE | id::CODEC_ID_PCM_F32BE => 4,
        id::CODEC_ID_PCM_F64LE | id::CODEC_ID_PCM_F64BE => 8,
        _ => return None,
    };
    let channels = parameters.channels.as_ref()?.count();
    Some(channels * sample).filter(|bytes| *bytes > 0)
}

/// Opus decoders drop the pre-skip that the header states. Here the units say
/// it (`trim_start`), and it must not be dropped twice.
pub fn without_pre_skip(mut parameters: AudioCodecParameters) -> AudioCodecParameters {
    if parameters.codec != id::CODEC_ID_OPUS {
        return parameters;
    }
    let head = parameters.extra_data.as_deref_mut();
    if let Some(skip) = head.and_then(|head| head.get_mut(PRE_SKIP)) {
        skip.fill(0);
    }
    parameters
}

/// Frames at 48 kHz that an Opus header tells to drop; 0 for every other codec.
/// Source: RFC 7845 section 5.1.
pub fn pre_skip(parameters: &AudioCodecParameters) -> u16 {
    let head = parameters.extra_data.as_deref();
    match head.and_then(|head| head.get(PRE_SKIP)) {
        Some(&[low, high]) if parameters.codec == id::CODEC_ID_OPUS => {
            u16::from_le_bytes([low, high])
        }
        _ => 0,
    }
}

const PRE_SKIP: std::ops::Range<usize> = 10..12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_skip_of_opus_is_taken_out_of_the_header() {
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(id::CODEC_ID_OPUS);
        let head = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0";
        parameters.with_extra_data(Box::from(&head[..]));
        assert_eq!(pre_skip(&parameters), 312);
        let cleared = without_pre_skip(parameters);
        let head = cleared.extra_data.expect("kept");
        assert_eq!(head[8..16], *b"\x01\x02\0\0\x80\xBB\0\0");
    }

    #[test]
    fn absurd_rates_and_channels_are_refused_by_number() {
        for (hertz, word) in [(1, "1 Hz"), (1_000_000_000, "1000000000 Hz")] {
            let mut parameters = AudioCodecParameters::new();
            parameters.with_sample_rate(hertz);
            let problem = rate(Container::Wav, &parameters).expect_err("refused");
            assert!(problem.why.ends_with(word), "{}", problem.why);
        }
        let mut parameters = AudioCodecParameters::new();
        parameters.with_sample_rate(0);
        assert_eq!(rate(Container::Mp4, &parameters), Ok(None));
    }

    #[test]
    fn every_codec_of_the_brief_has_a_name() {
        let cases = [
            (id::CODEC_ID_AAC, Some(Codec::Aac)),
            (id::CODEC_ID_PCM_S24LE, Some(Codec::Pcm)),
            (id::CODEC_ID_ADPCM_MS, Some(Codec::Other)),
            (id::CODEC_ID_WMA, None),
            (id::CODEC_ID_AC3, None),
        ];
        for (code, want) in cases {
            assert_eq!(codec(code), want, "{code}");
        }
    }
}
