//! Sample entries (the children of `stsd`): which codec a track has, and what
//! its decoder is built from. Reads the configuration, does not judge it: that
//! is the decoder's business.

use symphonia::core::audio::layouts;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};

use super::boxes::{Fields, name};
use crate::error::{Kind, Problem};
use crate::media::Codec;
use crate::units::Frames;

const STREAMINFO_BYTES: usize = 34; // RFC 9639 section 8.2
const OPUS_RATE: u32 = 48_000; // RFC 7845: every Opus stream is decoded at this rate

/// The sample entry a track is decoded with.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which of the entries, from 1: `sample_description_index`.
    pub index: u32,
    /// The codec.
    pub codec: Codec,
    /// What its decoder is built from.
    pub parameters: AudioCodecParameters,
    /// Frames to drop at the start when no edit list says it (Opus pre-skip).
    pub pre_skip: Frames,
    /// Whether another entry of the track is encrypted.
    pub has_encrypted: bool,
}

/// Picks the first entry that can be decoded.
///
/// # Errors
///
/// Why the first entry cannot be decoded, when none can.
pub fn pick(mut stsd: Fields<'_>) -> Result<Entry, Problem> {
    let empty = stsd.broken("is empty");
    let (version, _) = stsd.version_and_flags()?;
    stsd.skip(4)?; // the count: the boxes count themselves
    let (mut picked, mut refused, mut has_encrypted, mut index) = (None, None, false, 0);
    while let Some(fields) = stsd.next_box()? {
        index += 1;
        has_encrypted |= is_encrypted(fields.kind());
        match read(fields, version == 0) {
            Ok((codec, parameters, pre_skip)) if picked.is_none() => {
                picked = Some((index, codec, parameters, pre_skip));
            }
            Ok(_) => {}
            Err(problem) => refused = refused.or(Some(problem)),
        }
    }
    let (index, codec, parameters, pre_skip) = picked.ok_or_else(|| refused.unwrap_or(empty))?;
    Ok(Entry {
        index,
        codec,
        parameters,
        pre_skip,
        has_encrypted,
    })
}

/// The problem with samples of an encrypted entry.
pub fn encrypted() -> Problem {
    Problem::new(
        Kind::Encryption,
        "cannot play the MP4 stream",
        "its samples are encrypted (common encryption), a key system is needed",
        "look for a stream without DRM",
    )
}

fn is_encrypted(kind: &[u8; 4]) -> bool {
    matches!(kind, b"enca" | b"drms")
}

/// Reads one audio sample entry (ISO/IEC 14496-12 section 12.2.3). In a version
/// 0 `stsd`, versions 1 and 2 of the entry are those of QuickTime, with more fields.
fn read(
    mut entry: Fields<'_>,
    is_quicktime: bool,
) -> Result<(Codec, AudioCodecParameters, Frames), Problem> {
    if is_encrypted(entry.kind()) {
        return Err(encrypted());
    }
    entry.skip(8)?; // reserved, data reference
    let version = entry.u16()?;
    entry.skip(14)?; // revision, vendor, channels, sample size, compression, packet size
    let rate = entry.u32()? >> 16;
    match (is_quicktime, version) {
        (true, 1) => entry.skip(16)?,
        (true, 2) => entry.skip(36)?,
        _ => {}
    }
    let no_skip = |(codec, parameters)| (codec, parameters, Frames(0));
    match entry.kind() {
        b"mp4a" => mpeg4(entry, rate).map(no_skip),
        b".mp3" | b"mp3 " => Ok((Codec::Mp3, parameters(CODEC_ID_MP3, rate), Frames(0))),
        b"fLaC" => flac(entry.require(b"dfLa")?).map(no_skip),
        b"alac" => alac(configuration(entry, b"alac")?).map(no_skip),
        b"Opus" => opus(entry.require(b"dOps")?),
        other => Err(unsupported(called(
            &format!("\"{}\"", name(*other)),
            common_name(other),
        ))),
    }
}

/// What people call codecs that have no decoder here.
fn common_name(entry: &[u8; 4]) -> Option<&'static str> {
    match entry {
        b"ac-3" => Some("AC-3, Dolby Digital"),
        b"ec-3" => Some("E-AC-3, Dolby Digital Plus"),
        b"ac-4" => Some("AC-4"),
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" | b"dtsx" => Some("DTS"),
        b"mha1" | b"mha2" | b"mhm1" | b"mhm2" => Some("MPEG-H 3D Audio"),
        _ => None,
    }
}

/// A code word with what people call it.
fn called(code: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{code} ({name})"),
        None => code.to_owned(),
    }
}

/// The configuration box of an entry: inside it, or inside QuickTime's `wave`.
fn configuration<'a>(entry: Fields<'a>, kind: &[u8; 4]) -> Result<Fields<'a>, Problem> {
    match (entry.find(kind)?, entry.find(b"wave")?) {
        (Some(found), _) => Ok(found),
        (None, Some(wave)) => wave.require(kind),
        (None, None) => entry.require(kind),
    }
}

fn mpeg4(entry: Fields<'_>, rate: u32) -> Result<(Codec, AudioCodecParameters), Problem> {
    let mut esds = configuration(entry, b"esds")?;
    esds.skip(4)?; // version and flags
    let (object_type, specific) = decoder_config(&mut esds)?;
    match object_type {
        // MPEG-4 audio, MPEG-2 AAC Main, LC, SSR
        0x40 | 0x66..=0x68 => {
            let config = specific.ok_or_else(|| esds.broken("has no AudioSpecificConfig"))?;
            let mut parameters = parameters(CODEC_ID_AAC, rate);
            parameters.with_extra_data(config.into());
            Ok((Codec::Aac, parameters))
        }
        // MPEG-2 and MPEG-1 layers I to III
        0x69 | 0x6B => Ok((Codec::Mp3, parameters(CODEC_ID_MP3, rate))),
        other => {
            let name = match other {
                0xA5 => common_name(b"ac-3"),
                0xA6 => common_name(b"ec-3"),
                0xA9..=0xAC => common_name(b"dtsc"),
                _ => None,
            };
            let code = format!("\"mp4a\" with object type 0x{other:02x}");
            Err(unsupported(called(&code, name)))
        }
    }
}

/// The object type indication and the decoder specific info of an ES descriptor
/// (ISO/IEC 14496-1 section 7.2.6).
fn decoder_config<'a>(esds: &mut Fields<'a>) -> Result<(u8, Option<&'a [u8]>), Problem> {
    const ELEMENTARY_STREAM: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC: u8 = 5;
    let mut stream = descriptor(esds, ELEMENTARY_STREAM)?
        .ok_or_else(|| esds.broken("has no elementary stream descriptor"))?;
    stream.skip(2)?;
    let flags = stream.u8()?;
    if flags & 0x80 != 0 {
        stream.skip(2)?; // the stream this one depends on
    }
    if flags & 0x40 != 0 {
        let url_bytes = stream.u8()?;
        stream.skip(usize::from(url_bytes))?;
    }
    if flags & 0x20 != 0 {
        stream.skip(2)?; // clock reference
    }
    let mut config = descriptor(&mut stream, DECODER_CONFIG)?
        .ok_or_else(|| esds.broken("has no decoder configuration"))?;
    let object_type = config.u8()?;
    config.skip(12)?; // stream type, buffer size, bit rates
    let specific = descriptor(&mut config, DECODER_SPECIFIC)?;
    Ok((object_type, specific.map(|fields| fields.rest())))
}

/// The next descriptor with this tag; others before it are passed over.
fn descriptor<'a>(fields: &mut Fields<'a>, wanted: u8) -> Result<Option<Fields<'a>>, Problem> {
    while !fields.rest().is_empty() {
        let tag = fields.u8()?;
        let mut length = 0_usize;
        for _ in 0..4 {
            let byte = fields.u8()?;
            length = length << 7 | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                break;
            }
        }
        // Some writers count too much here; what is there is what counts.
        let payload = fields.bytes(length.min(fields.rest().len()))?;
        if tag == wanted {
            return Ok(Some(Fields::new(*fields.kind(), payload)));
        }
    }
    Ok(None)
}

fn flac(mut dfla: Fields<'_>) -> Result<(Codec, AudioCodecParameters), Problem> {
    dfla.skip(4)?; // version and flags
    let [block_type, length @ ..] = dfla.array::<4>()?;
    let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
    let is_streaminfo = block_type & 0x7F == 0 && usize::try_from(length) == Ok(STREAMINFO_BYTES);
    if !is_streaminfo {
        return Err(dfla.broken("does not begin with STREAMINFO"));
    }
    let info = dfla.bytes(STREAMINFO_BYTES)?;
    let mut numbers = Fields::new(*b"dfLa", info);
    numbers.skip(10)?; // block and frame sizes
    let packed = numbers.u32()?; // 20 bits of rate, 3 of channels, 5 of bits per sample, 4 of length
    let mut parameters = parameters(CODEC_ID_FLAC, packed >> 12);
    parameters
        .with_bits_per_sample((packed >> 4 & 0x1F) + 1)
        .with_extra_data(info.into());
    Ok((Codec::Flac, parameters))
}

fn alac(mut cookie: Fields<'_>) -> Result<(Codec, AudioCodecParameters), Problem> {
    cookie.skip(4)?; // version and flags
    let extra_data = cookie.rest();
    cookie.skip(5)?; // frame length, compatible version
    let bits = cookie.u8()?;
    cookie.skip(14)?; // tuning, channels, limits, bit rate
    let mut parameters = parameters(CODEC_ID_ALAC, cookie.u32()?);
    parameters
        .with_bits_per_sample(u32::from(bits))
        .with_extra_data(extra_data.into());
    Ok((Codec::Alac, parameters))
}

/// `dOps` is an `OpusHead` packet (RFC 7845 section 5.1) without its magic, with
/// version 0 and big-endian numbers.
fn opus(mut dops: Fields<'_>) -> Result<(Codec, AudioCodecParameters, Frames), Problem> {
    let version = dops.u8()?;
    if version != 0 {
        return Err(unsupported(format!("Opus with \"dOps\" version {version}")));
    }
    let channels = dops.u8()?;
    let pre_skip = dops.u16()?;
    let input_rate = dops.u32()?;
    let gain = dops.u16()?;
    let layout = match channels {
        1 => layouts::CHANNEL_LAYOUT_MONO,
        2 => layouts::CHANNEL_LAYOUT_STEREO,
        more => return Err(unsupported(format!("Opus with {more} channels"))),
    };
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&input_rate.to_le_bytes());
    head.extend_from_slice(&gain.to_le_bytes());
    head.extend_from_slice(dops.rest());
    let mut parameters = parameters(CODEC_ID_OPUS, OPUS_RATE);
    parameters
        .with_channels(layout)
        .with_extra_data(head.into());
    Ok((Codec::Opus, parameters, Frames(pre_skip.into())))
}

fn parameters(codec: AudioCodecId, rate: u32) -> AudioCodecParameters {
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(codec).with_sample_rate(rate);
    parameters
}

fn unsupported(codec: String) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the MP4 stream",
        format!("its audio is {codec}, which has no decoder here"),
        "choose a variant with AAC, FLAC, ALAC, Opus or MP3",
    )
}

#[cfg(test)]
mod tests;
