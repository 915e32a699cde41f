//! From Symphonia's words to ours: which track of a file is played, what its
//! decoder needs, how its time runs.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::formats;
use symphonia::core::units::TimeBase;

use crate::decode::file::demux::{Demuxer, malformed};
use crate::decode::file::gapless::{Movie, Sound};
use crate::decode::file::probe::Container;
use crate::decode::file::timing::{Clock, Grid, Trim};
use crate::decode::unit::{Edit, Track};
use crate::error::{Kind, Problem};
use crate::media::Codec;
use crate::units::{ChannelCount, Frames, MediaTime, SampleRate};

/// The audio of a file, as one of Symphonia's readers tells it.
pub struct Stream {
    /// The track's number in the reader.
    pub id: u32,
    /// What decoders and listeners are told.
    pub track: Track,
    /// How the track's time runs.
    pub clock: Clock,
    /// Frames that the encoder put before the first; ticks begin below zero.
    pub delay: u32,
    /// The time its last packet reaches at least, when the container says so:
    /// a file that ends before was cut off.
    pub reach: Option<MediaTime>,
}

impl Stream {
    /// Picks the audio track of an open file. `movie` is what [`crate::decode::file::gapless`]
    /// found (empty for other containers), `first_tick` the time of the first
    /// packet, where the container needs it (Matroska).
    ///
    /// # Errors
    ///
    /// `Unsupported` without an audio track or with a codec that is not
    /// played, `Encryption`, `Malformed` for absurd rates and channel counts.
    pub fn describe(
        container: Container,
        demuxer: &Demuxer,
        movie: &Movie,
        first_tick: i64,
    ) -> Result<Self, Problem> {
        let found = find(container, demuxer.tracks(), movie)?;
        let base = found.track.time_base;
        let described = Described {
            container,
            track: found.track,
            codec: found.codec,
            parameters: found.parameters,
            base: base.ok_or_else(|| malformed(container, "its audio has no clock"))?,
            rate: rate(container, found.parameters)?,
            first_tick,
        };
        let sound = movie.sounds.iter().find(|sound| sound.id == found.track.id);
        Ok(Self {
            id: found.track.id,
            track: described.track(sound, demuxer),
            clock: described.clock(),
            delay: found.track.delay.unwrap_or(0),
            reach: described.reach(demuxer),
        })
    }
}

/// The audio track that is played.
struct Found<'a> {
    track: &'a formats::Track,
    parameters: &'a AudioCodecParameters,
    codec: Codec,
}

/// The first audio track whose codec is known.
fn find<'a>(
    container: Container,
    tracks: &'a [formats::Track],
    movie: &Movie,
) -> Result<Found<'a>, Problem> {
    if let Some(sound) = movie.sounds.first().filter(|sound| sound.is_encrypted()) {
        return Err(encrypted(*sound));
    }
    let sounds = || {
        tracks.iter().filter_map(|track| match &track.codec_params {
            Some(CodecParameters::Audio(parameters)) => Some((track, parameters)),
            _ => None,
        })
    };
    let known = sounds().find_map(|(track, parameters)| {
        codec(parameters.codec).map(|codec| Found {
            track,
            parameters,
            codec,
        })
    });
    let has_sound = sounds().next().is_some() || !movie.sounds.is_empty();
    known.ok_or_else(|| match has_sound {
        true => unsupported(container, "its audio codec is not one that kithara decodes"),
        false => unsupported(container, "it has no audio track"),
    })
}

/// A track with everything that its description is made from.
struct Described<'a> {
    container: Container,
    track: &'a formats::Track,
    codec: Codec,
    parameters: &'a AudioCodecParameters,
    base: TimeBase,
    rate: Option<SampleRate>,
    first_tick: i64,
}

impl Described<'_> {
    fn track(&self, sound: Option<&Sound>, demuxer: &Demuxer) -> Track {
        let (edit, duration) = match sound {
            Some(sound) => (sound.edit, sound.duration),
            None => (self.edit(), self.duration(demuxer)),
        };
        Track {
            codec: self.codec,
            parameters: without_pre_skip(self.parameters.clone()),
            edit,
            duration,
        }
    }

    fn clock(&self) -> Clock {
        let begin = self.begin();
        let from_zero = Clock {
            base: self.base,
            zero: MediaTime::ZERO,
            trim: self.trim(begin),
            grid: None,
        };
        Clock {
            zero: MediaTime::ZERO - from_zero.time(begin),
            grid: self.grid(),
            ..from_zero
        }
    }

    /// The tick that is heard first. Ogg and Matroska streams that were cut
    /// out of longer ones begin late.
    fn begin(&self) -> i64 {
        match self.container {
            Container::Ogg => self.track.start_ts.get().max(0) + i64::from(self.pre_skip()),
            Container::Matroska => self.first_tick.max(0),
            _ => 0,
        }
    }

    fn trim(&self, begin: i64) -> Trim {
        match self.container {
            Container::Mp4 | Container::Matroska => Trim::None,
            Container::Mpeg => Trim::Lame {
                end: self.length().unwrap_or(i64::MAX),
                padding: i64::from(self.track.padding.unwrap_or(0)),
            },
            _ => Trim::Packet { first: begin },
        }
    }

    fn grid(&self) -> Option<Grid> {
        if self.container != Container::Matroska {
            return None;
        }
        let rate = self.rate?;
        let skipped = Frames(u64::from(self.pre_skip())).time(rate);
        let late = Clock {
            base: self.base,
            zero: MediaTime::ZERO,
            trim: Trim::None,
            grid: None,
        };
        Some(Grid {
            first: self.first_tick,
            start: match self.codec {
                Codec::Opus => MediaTime::ZERO - skipped,
                _ => late.time(self.first_tick.min(0)),
            },
            frames: unit_frames(self.codec, self.parameters, rate)?,
            rate,
        })
    }

    /// CAF is the only one of these containers with an end inside its last packet.
    fn edit(&self) -> Edit {
        let end = self.length().filter(|_| self.container == Container::Caf);
        Edit {
            start: MediaTime::ZERO,
            end: end.map(|end| self.clock().time(end)),
        }
    }

    fn duration(&self, demuxer: &Demuxer) -> Option<MediaTime> {
        match self.container {
            Container::Ogg => None, // known only when the end was read
            Container::Matroska => whole_duration(demuxer),
            _ => Some(self.clock().time(self.length()?)),
        }
    }

    fn reach(&self, demuxer: &Demuxer) -> Option<MediaTime> {
        const LAME_SLACK: i64 = 2 * 1152; // some encoders count the tag's own frame
        const MATROSKA_SLACK: f64 = 0.5; // the duration may be another track's
        match self.container {
            Container::Mp4 | Container::Ogg => None, // their readers know
            Container::Matroska => {
                Some(whole_duration(demuxer)? - MediaTime::from_seconds(MATROSKA_SLACK))
            }
            Container::Mpeg => Some(self.clock().time(self.length()?.saturating_sub(LAME_SLACK))),
            Container::Wav if self.is_endless() => None,
            _ => Some(self.clock().time(self.length()?)),
        }
    }

    /// Writers into a pipe leave a length near 2 GiB in the WAV header.
    fn is_endless(&self) -> bool {
        const PIPED: i64 = 0x7FFF_0000;
        let channels = self
            .parameters
            .channels
            .as_ref()
            .map_or(1, |channels| channels.count());
        let bytes = self.parameters.bits_per_sample.unwrap_or(8) / 8;
        let frame = i64::try_from(channels).unwrap_or(1) * i64::from(bytes);
        self.length()
            .is_some_and(|frames| frames.saturating_add(1).saturating_mul(frame) >= PIPED)
    }

    /// Length in ticks, as the container says, without delay and padding.
    fn length(&self) -> Option<i64> {
        i64::try_from(self.track.duration?.get()).ok()
    }

    fn pre_skip(&self) -> u16 {
        let head = self.parameters.extra_data.as_deref().unwrap_or_default();
        match (self.codec, head.get(10..12)) {
            (Codec::Opus, Some(&[low, high])) => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }
}

/// Our name of a codec; `None` for those that nothing here decodes.
fn codec(codec: AudioCodecId) -> Option<Codec> {
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
fn rate(
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

/// Frames of every unit of a codec; for Opus the smallest step. `None` where
/// units differ.
fn unit_frames(codec: Codec, parameters: &AudioCodecParameters, rate: SampleRate) -> Option<u32> {
    match codec {
        Codec::Aac => Some(1024),
        Codec::Mp3 if rate.hertz() >= 32_000 => Some(1152),
        Codec::Mp3 => Some(576),
        Codec::Opus => Some(120),
        Codec::Flac => match parameters.extra_data.as_deref()? {
            [a, b, c, d, ..] if [a, b] == [c, d] => Some(u32::from(u16::from_be_bytes([*a, *b]))),
            _ => None,
        },
        Codec::Alac | Codec::Vorbis | Codec::Pcm | Codec::Other => None,
    }
}

/// Opus decoders drop the pre-skip that the header states. Here the units say
/// it (`trim_start`), and it must not be dropped twice.
fn without_pre_skip(mut parameters: AudioCodecParameters) -> AudioCodecParameters {
    if let Some(head) = parameters.extra_data.as_deref_mut() {
        if head.starts_with(b"OpusHead") && head.len() >= 12 {
            head[10..12].fill(0);
        }
    }
    parameters
}

fn whole_duration(demuxer: &Demuxer) -> Option<MediaTime> {
    let media = demuxer.media();
    let ticks = i64::try_from(media.duration?.get()).ok()?;
    let base = media.time_base?;
    let ticks = ticks.saturating_mul(i64::from(base.numer.get()));
    Some(MediaTime::from_ticks(ticks, base.denom))
}

fn encrypted(sound: Sound) -> Problem {
    let why = match &sound.entry {
        b"drms" => "it is protected by FairPlay",
        _ => "its audio is encrypted",
    };
    Problem::new(
        Kind::Encryption,
        "cannot play the MP4 file",
        why,
        "get a copy without protection",
    )
}

fn unsupported(container: Container, why: &str) -> Problem {
    Problem::new(
        Kind::Unsupported,
        format!("cannot play the {} file", container.name()),
        why,
        "convert it to FLAC, MP3, M4A, Ogg or WAV",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_skip_of_opus_is_taken_out_of_the_header() {
        let mut parameters = AudioCodecParameters::new();
        let head = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0";
        parameters.with_extra_data(Box::from(&head[..]));
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
