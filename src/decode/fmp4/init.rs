//! The initialisation section: `moov` without samples (ISO/IEC 14496-12 section
//! 8.2). Says which track is heard, how it is coded and how its clock ticks.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::boxes::{Fields, Header, broken, malformed};
use super::entry::{self, Entry};
use super::{read_header, take_payload};
use crate::decode::codec::Decoder;
use crate::decode::unit::{Edit, Track};
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;
use crate::units::{Frames, MediaTime};

const SOUND_TRACKS: usize = 16; // looked at; a muxed stream has one, or one a language
const OPUS_TICKS: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");

/// What every fragment of a stream needs to know.
#[derive(Clone, Debug)]
pub struct Init {
    track: Track,
    layout: Layout,
}

/// How the fragments of the chosen track are laid out.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The track that is heard.
    pub track_id: u32,
    /// Ticks per second of its clock.
    pub timescale: NonZeroU32,
    /// The sample entry it is decoded with, from 1.
    pub description: u32,
    /// Whether another sample entry of the track is encrypted.
    pub has_encrypted: bool,
    /// Whether the section has access units of its own, outside all fragments.
    pub has_samples: bool,
    /// What fragments leave out, for every track of the file.
    pub defaults: Vec<Defaults>,
}

/// What the fragments of one track leave out (`trex`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub track_id: u32,
    pub description: u32,
    pub duration: u32,
    pub size: u32,
}

impl Init {
    /// Reads an initialisation section. `source` stands at its beginning.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] when it is no MP4, [`Kind::Encryption`] or
    /// [`Kind::Unsupported`] when no audio track can be played,
    /// [`Kind::Malformed`] or [`Kind::Limit`] when it is broken, or the problem
    /// of the source.
    pub fn read(source: Box<dyn Source>, stats: Arc<Stats>) -> Result<Self, Problem> {
        Self::find(&mut Window::new(source, stats))
    }

    /// Reads boxes up to and with `moov`.
    pub(super) fn find(window: &mut Window) -> Result<Self, Problem> {
        while let Some(header) = read_header(window)? {
            if window.position() > limits::INIT_BYTES {
                break;
            }
            if header.kind == *b"moov" {
                return Self::read_movie(window, header);
            }
            let passed = match header.payload {
                Some(payload) => window.skip(payload)?,
                None => false,
            };
            if !passed {
                return Err(malformed(header.kind, "is cut off"));
            }
        }
        Err(broken("it has no \"moov\" box at its beginning"))
    }

    /// Reads the payload of the `moov` box whose header was just read.
    pub(super) fn read_movie(window: &mut Window, header: Header) -> Result<Self, Problem> {
        let payload = take_payload(window, header, limits::INIT_BYTES)?;
        movie(Fields::new(header.kind, payload))
    }

    /// The track that is heard.
    pub fn track(&self) -> &Track {
        &self.track
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether units of the one can be decoded by a decoder built for the other.
    pub(super) fn is_same_stream(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.track, &other.track);
        ours.codec == theirs.codec
            && ours.parameters.codec == theirs.parameters.codec
            && ours.parameters.extra_data == theirs.parameters.extra_data
    }
}

impl Layout {
    /// What the fragments of `track_id` leave out; zeros when nothing was said.
    pub fn defaults(&self, track_id: u32) -> Defaults {
        let place = self.defaults.partition_point(|row| row.track_id < track_id);
        let row = self.defaults.get(place);
        let known = row.filter(|row| row.track_id == track_id);
        known.copied().unwrap_or_default()
    }
}

/// A sound track as its `trak` box tells it.
struct Sound {
    track_id: u32,
    timescale: NonZeroU32,
    entry: Entry,
    has_samples: bool,
    edit: Option<RawEdit>,
}

/// The first real edit: start in ticks of the track, length in ticks of the movie.
#[derive(Clone, Copy)]
struct RawEdit {
    start: i64,
    length: u64,
}

fn movie(moov: Fields<'_>) -> Result<Init, Problem> {
    let (mut sounds, mut refused) = (Vec::new(), None);
    let (mut ticks, mut length, mut defaults) = (None, 0, Vec::new());
    let mut children = moov;
    while let Some(child) = children.next_box()? {
        match child.kind() {
            b"mvhd" => ticks = movie_timescale(child)?,
            b"trak" if sounds.len() < SOUND_TRACKS => match sound_track(child) {
                Ok(found) => sounds.extend(found),
                Err(problem) => refused = refused.or(Some(problem)),
            },
            b"mvex" => (length, defaults) = movie_extends(child)?,
            _ => {}
        }
    }
    let in_movie_time = |count: u64| match (count, ticks) {
        (0, _) | (_, None) => None,
        (count, Some(ticks)) => Some(MediaTime::from_ticks(clamp(count), ticks)),
    };
    let tracks = sounds.into_iter().map(|sound| {
        let track = Track {
            codec: sound.entry.codec,
            edit: edit(&sound, in_movie_time),
            duration: in_movie_time(length),
            parameters: sound.entry.parameters.clone(),
        };
        (sound, track)
    });
    let playable = first_playable(tracks.collect());
    let (sound, track) = playable.ok_or_else(|| refused.unwrap_or_else(no_sound))?;
    let layout = Layout {
        track_id: sound.track_id,
        timescale: sound.timescale,
        description: sound.entry.index,
        has_encrypted: sound.entry.has_encrypted,
        has_samples: sound.has_samples,
        defaults,
    };
    Ok(Init { track, layout })
}

/// The first track with a decoder; without one the first, for its problem.
fn first_playable(tracks: Vec<(Sound, Track)>) -> Option<(Sound, Track)> {
    let has_decoder = |(_, track): &(Sound, Track)| Decoder::new(track).is_ok();
    let place = match tracks.len() {
        0 | 1 => 0,
        _ => tracks.iter().position(has_decoder).unwrap_or(0),
    };
    tracks.into_iter().nth(place)
}

/// The visible part. The pre-skip of Opus is never heard, also where an edit
/// list forgot about it.
fn edit(sound: &Sound, in_movie_time: impl Fn(u64) -> Option<MediaTime>) -> Edit {
    let Frames(pre_skip) = sound.entry.pre_skip;
    let pre_skip = MediaTime::from_ticks(clamp(pre_skip), OPUS_TICKS);
    let Some(raw) = sound.edit else {
        return Edit {
            start: pre_skip,
            end: None,
        };
    };
    let start = MediaTime::from_ticks(raw.start, sound.timescale);
    let end = in_movie_time(raw.length).map(|length| start + length);
    Edit {
        start: start.max(pre_skip),
        end,
    }
}

/// The track of a `trak` box; `None` when it is no sound.
fn sound_track(trak: Fields<'_>) -> Result<Option<Sound>, Problem> {
    let mdia = trak.require(b"mdia")?;
    let mut handler = mdia.require(b"hdlr")?;
    handler.skip(8)?; // version, flags, reserved
    if handler.array::<4>()? != *b"soun" {
        return Ok(None);
    }
    let table = mdia.require(b"minf")?.require(b"stbl")?;
    let edits = match trak.find(b"edts")? {
        Some(edts) => edts.find(b"elst")?,
        None => None,
    };
    Ok(Some(Sound {
        track_id: track_id(trak.require(b"tkhd")?)?,
        timescale: media_timescale(mdia.require(b"mdhd")?)?,
        entry: entry::pick(table.require(b"stsd")?)?,
        has_samples: has_samples(table)?,
        edit: match edits {
            Some(elst) => first_edit(elst)?,
            None => None,
        },
    }))
}

/// Whether a sample table (`stbl`) lists access units.
pub(super) fn has_samples(table: Fields<'_>) -> Result<bool, Problem> {
    let Some(mut sizes) = table.find(b"stsz")? else {
        return Ok(false);
    };
    sizes.skip(8)?; // version, flags, common size
    Ok(sizes.u32()? > 0)
}

fn track_id(mut tkhd: Fields<'_>) -> Result<u32, Problem> {
    skip_dates(&mut tkhd)?;
    tkhd.u32()
}

fn media_timescale(mut mdhd: Fields<'_>) -> Result<NonZeroU32, Problem> {
    skip_dates(&mut mdhd)?;
    NonZeroU32::new(mdhd.u32()?).ok_or_else(|| mdhd.broken("has a time scale of zero"))
}

fn movie_timescale(mut mvhd: Fields<'_>) -> Result<Option<NonZeroU32>, Problem> {
    skip_dates(&mut mvhd)?;
    mvhd.u32().map(NonZeroU32::new)
}

/// Version, flags, creation and modification time.
fn skip_dates(fields: &mut Fields<'_>) -> Result<(), Problem> {
    let (version, _) = fields.version_and_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })
}

/// The first edit that is not empty (section 8.6.6): an empty one only delays.
fn first_edit(mut elst: Fields<'_>) -> Result<Option<RawEdit>, Problem> {
    let (version, _) = elst.version_and_flags()?;
    let count = elst.u32()?;
    for _ in 0..count {
        let length = elst.u32_or_u64(version == 1)?;
        let start = match version {
            1 => i64::from_be_bytes(elst.array()?),
            _ => i64::from(elst.i32()?),
        };
        elst.skip(4)?; // rate
        if start >= 0 {
            return Ok(Some(RawEdit { start, length }));
        }
    }
    Ok(None)
}

/// Length of the whole, in ticks of the movie, and the defaults of every track
/// in the order of their numbers.
fn movie_extends(mvex: Fields<'_>) -> Result<(u64, Vec<Defaults>), Problem> {
    let (mut length, mut defaults) = (0, Vec::new());
    let mut children = mvex;
    while let Some(mut child) = children.next_box()? {
        match child.kind() {
            b"mehd" => {
                let (version, _) = child.version_and_flags()?;
                length = child.u32_or_u64(version == 1)?;
            }
            b"trex" => {
                child.skip(4)?; // version and flags
                defaults.push(Defaults {
                    track_id: child.u32()?,
                    description: child.u32()?,
                    duration: child.u32()?,
                    size: child.u32()?,
                });
            }
            _ => {}
        }
    }
    // Both may be many, these rows and the fragments that ask for one of them.
    defaults.sort_by_key(|row| row.track_id);
    Ok((length, defaults))
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn no_sound() -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the MP4 stream",
        "it has no audio track",
        "choose a variant with sound",
    )
}

#[cfg(test)]
mod tests;
