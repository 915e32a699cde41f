//! From Symphonia's words to ours: which track of a file is played, what its
//! decoder needs, how its time runs.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::formats;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use crate::decode::file::demux::{Demuxer, malformed};
use crate::decode::file::gapless::{Movie, Sound};
use crate::decode::file::parameters::{
    codec, frame_bytes, length, pre_skip, rate, without_pre_skip,
};
use crate::decode::file::probe::Container;
use crate::decode::file::timing::{Clock, Grid, Trim};
use crate::decode::unit::{Edit, Track};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Codec;
use crate::units::{Frames, MediaTime, SampleRate};

const FOREIGN_CODEC: &str = "its audio codec is not one that kithara decodes";
const NO_SOUND: &str = "it has no audio track";

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
    /// Bytes of a frame of plain samples.
    pub frame_bytes: Option<usize>,
    /// The time its last packet reaches at least, when the container says so:
    /// a file that ends before was cut off.
    pub reach: Option<MediaTime>,
}

impl Stream {
    /// Picks the audio track of an open file. `movie` is what [`crate::decode::file::gapless`]
    /// found (empty for other containers), `first` the first packet, where the
    /// container needs it (Matroska).
    ///
    /// # Errors
    ///
    /// `Unsupported` without an audio track or with a codec that is not
    /// played, `Encryption`, `Malformed` for absurd rates and channel counts.
    pub fn describe(
        container: Container,
        demuxer: &Demuxer,
        movie: &Movie,
        first: Option<&Packet>,
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
            first,
        };
        let sound = movie.sounds.iter().find(|sound| sound.id == found.track.id);
        Ok(Self {
            id: found.track.id,
            track: described.track(sound, demuxer),
            clock: described.clock(),
            delay: found.track.delay.unwrap_or(0),
            frame_bytes: frame_bytes(found.parameters),
            reach: described.reach(demuxer),
        })
    }
}

/// Gives `movie` back if there is something to play in it. Looks before a
/// reader does, for better words.
///
/// # Errors
///
/// `Unsupported` without an audio track, `Encryption`, `Limit` for absurd sizes.
pub fn playable(movie: Movie) -> Result<Movie, Problem> {
    let largest = u64::from(movie.largest_unit);
    if largest > limits::BOX_BYTES {
        return Err(Problem {
            kind: Kind::Limit,
            ..malformed(
                Container::Mp4,
                format!("it announces a sample of {largest} bytes"),
            )
        });
    }
    match movie.sounds.first() {
        None => Err(unsupported(Container::Mp4, NO_SOUND)),
        Some(sound) if sound.is_encrypted() => Err(encrypted(*sound)),
        Some(_) => Ok(movie),
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
    known.ok_or_else(|| {
        let has_sound = sounds().next().is_some() || !movie.sounds.is_empty();
        unsupported(container, if has_sound { FOREIGN_CODEC } else { NO_SOUND })
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
    first: Option<&'a Packet>,
}

impl Described<'_> {
    fn track(&self, sound: Option<&Sound>, demuxer: &Demuxer) -> Track {
        let (edit, duration) = match sound {
            Some(sound) => (self.skipped(sound.edit), sound.duration),
            None => (self.edit(), self.duration(demuxer)),
        };
        Track {
            codec: self.codec,
            parameters: without_pre_skip(self.parameters.clone()),
            edit,
            duration,
        }
    }

    /// Opus without an edit list: its own header tells the priming.
    fn skipped(&self, edit: Edit) -> Edit {
        let skip = self
            .rate
            .map(|rate| Frames(u64::from(pre_skip(self.parameters))).time(rate));
        match edit == Edit::default() {
            true => Edit {
                start: skip.unwrap_or_default(),
                end: None,
            },
            false => edit,
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
            Container::Ogg => {
                self.track.start_ts.get().max(0) + i64::from(pre_skip(self.parameters))
            }
            Container::Matroska => self.first_tick().max(0),
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
        let first = self.first?;
        let rate = self.rate?;
        let ticks = self
            .first_tick()
            .min(0)
            .saturating_mul(i64::from(self.base.numer.get()));
        Some(Grid {
            first: self.first_tick(),
            start: match self.codec {
                Codec::Opus => {
                    MediaTime::ZERO - Frames(u64::from(pre_skip(self.parameters))).time(rate)
                }
                _ => MediaTime::from_ticks(ticks, self.base.denom),
            },
            length: length(self.codec, self.parameters, rate, &first.data)?,
            rate,
        })
    }

    fn first_tick(&self) -> i64 {
        self.first.map_or(0, |first| first.pts.get())
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
            Container::Wav if self.is_endless() => None,
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
        let frame = frame_bytes(self.parameters).and_then(|bytes| i64::try_from(bytes).ok());
        let frame = frame.unwrap_or(1);
        let bytes = |frames: i64| frames.saturating_add(1).saturating_mul(frame);
        self.length().is_some_and(|frames| bytes(frames) >= PIPED)
    }

    /// Length in ticks, as the container says, without delay and padding.
    fn length(&self) -> Option<i64> {
        i64::try_from(self.track.duration?.get()).ok()
    }
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
