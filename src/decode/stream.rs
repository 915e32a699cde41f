//! Which demuxer reads a segment: decided by its bytes, never by its name.

use std::io::SeekFrom;
use std::sync::Arc;

use crate::decode::fmp4;
use crate::decode::packed;
use crate::decode::ts;
use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::media::Source;
use crate::stats::Stats;
use crate::units::MediaTime;

const HEAD_BYTES: usize = 612; // three packets of a transport stream; a box header or an ID3 mark is less

/// Playlists may be off by this much and still count from zero.
const NEAR_ZERO: MediaTime = MediaTime::from_nanos(500_000_000);

/// What an initialisation section says.
pub enum Init {
    /// Of fragmented MP4.
    Fmp4(fmp4::Init),
    /// Of a transport stream.
    Ts(ts::Init),
}

impl Init {
    /// Reads a section. `source` stands at its beginning.
    ///
    /// # Errors
    ///
    /// As [`fmp4::Init::read`] and [`ts::Init::read`].
    pub fn read(mut source: Box<dyn Source>, stats: &Arc<Stats>) -> Result<Self, Problem> {
        let head = peek(source.as_mut(), HEAD_BYTES)?;
        let stats = Arc::clone(stats);
        // A box that begins like a packet would be longer than a gigabyte.
        match head.first() == Some(&ts::SYNC) && ts::looks_like_ts(&head) {
            true => ts::Init::read(source, stats).map(Self::Ts),
            false => fmp4::Init::read(source, stats).map(Self::Fmp4),
        }
    }

    /// The track, when the section tells all about it.
    pub fn track(&self) -> Option<&Track> {
        match self {
            Self::Fmp4(init) => Some(init.track()),
            Self::Ts(_) => None,
        }
    }
}

/// What one segment leaves to the next.
#[derive(Debug)]
pub enum Tail {
    /// Of a transport stream.
    Ts(Box<ts::Tail>),
    /// Of packed audio: a frame that is not whole.
    Packed(packed::Cut),
}

/// The demuxer of one segment.
pub enum Stream {
    /// Fragmented MP4.
    Fmp4(Box<fmp4::Demuxer>),
    /// Packed AAC or MPEG audio.
    Packed(Box<packed::Demuxer>),
    /// An MPEG transport stream.
    Ts(Box<ts::Demuxer>),
}

impl Stream {
    /// A demuxer for `media`, which belongs to `init` when the playlist named
    /// one. `start` is where it begins if its own bytes do not say; `near` is
    /// where it is expected to begin on the media timeline, so that a clock of
    /// 33 bits can be unfolded (`None`: it is taken as it stands). `before` is
    /// what the segment before left, when this one goes on where that one ended.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] naming the container, or the source's own problem.
    pub fn open(
        init: Option<&Init>,
        mut media: Box<dyn Source>,
        start: MediaTime,
        near: Option<MediaTime>,
        before: Option<ts::Tail>,
        stats: &Arc<Stats>,
    ) -> Result<Self, Problem> {
        let stats = Arc::clone(stats);
        let tables = match init {
            None => None,
            Some(Init::Fmp4(init)) => {
                let demuxer = fmp4::Demuxer::new(init, media, stats, start);
                return Ok(Self::Fmp4(Box::new(demuxer)));
            }
            Some(Init::Ts(init)) => Some(init),
        };
        let head = peek(media.as_mut(), HEAD_BYTES)?;
        if fmp4::looks_like_fmp4(&head) {
            let demuxer = fmp4::Demuxer::self_initialising(media, stats, start)?;
            return Ok(Self::Fmp4(Box::new(demuxer)));
        }
        if packed::looks_packed(&head) {
            let demuxer = packed::Demuxer::segment(media, stats, start, near)?;
            return Ok(Self::Packed(Box::new(demuxer)));
        }
        if ts::looks_like_ts(&head) {
            let demuxer = ts::Demuxer::open(tables, media, stats, near, before)?;
            return Ok(Self::Ts(Box::new(demuxer)));
        }
        let why = "its segments are in no container that this version plays";
        Err(Problem::new(
            Kind::Unsupported,
            "cannot read the segment",
            why,
            "choose another variant with -Q",
        ))
    }

    /// What the container says about its audio.
    pub fn track(&self) -> &Track {
        match self {
            Self::Fmp4(demuxer) => demuxer.init().track(),
            Self::Packed(demuxer) => demuxer.track(),
            Self::Ts(demuxer) => demuxer.track(),
        }
    }

    /// The first unit began in the segment before, and is due at `time`.
    pub fn go_on_at(&mut self, time: MediaTime) {
        match self {
            Self::Packed(demuxer) => demuxer.go_on_at(time),
            Self::Fmp4(_) | Self::Ts(_) => {}
        }
    }

    /// Whether the next access unit needs another decoder than the one before:
    /// [`Stream::track`] is another one then.
    pub fn turns(&mut self) -> Result<bool, Problem> {
        match self {
            Self::Ts(demuxer) => demuxer.turns(),
            Self::Fmp4(_) | Self::Packed(_) => Ok(false),
        }
    }

    /// The next access unit, as soon as its bytes are here.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        match self {
            Self::Fmp4(demuxer) => demuxer.next_unit(),
            Self::Packed(demuxer) => demuxer.next_unit(),
            Self::Ts(demuxer) => demuxer.next_unit(),
        }
    }

    /// The titles met since this was last asked, with the media times at which
    /// they begin to hold; some may lie behind the unit that was given last.
    /// Not yet made safe.
    pub fn take_titles(&mut self) -> Vec<(MediaTime, String)> {
        match self {
            Self::Fmp4(demuxer) => demuxer.take_titles(),
            Self::Packed(demuxer) => demuxer.take_titles(),
            Self::Ts(demuxer) => demuxer.take_titles(),
        }
    }

    /// What the segment leaves to the one that follows it.
    pub fn into_tail(self) -> Option<Tail> {
        match self {
            Self::Ts(demuxer) => demuxer.into_tail().map(Box::new).map(Tail::Ts),
            Self::Packed(demuxer) => demuxer.into_cut().map(Tail::Packed),
            Self::Fmp4(_) => None,
        }
    }
}

/// The first `wanted` bytes of `media`, or all; it stands at its beginning again.
///
/// # Errors
///
/// The source's own problem.
pub fn peek(media: &mut dyn Source, wanted: usize) -> Result<Vec<u8>, Problem> {
    let mut head = vec![0; wanted];
    let mut filled = 0;
    let broken =
        |error| Problem::from_io(error, Kind::NoData, "cannot read the segment", "try again");
    while filled < head.len() {
        match media.read(&mut head[filled..]).map_err(broken)? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    media.seek(SeekFrom::Start(0)).map_err(broken)?;
    Ok(head)
}

/// Media time of the first access unit of `media`, minus the edit list: the
/// zero of the presentation when `media` is the stream's first segment.
pub fn first_time(
    init: Option<&Init>,
    media: Box<dyn Source>,
    stats: &Arc<Stats>,
) -> Result<MediaTime, Problem> {
    let mut stream = Stream::open(init, media, MediaTime::ZERO, None, None, stats)?;
    let edit = stream.track().edit.start;
    let first = stream
        .next_unit()?
        .map(|unit| unit.start)
        .unwrap_or_default();
    Ok(presentation_zero(first, edit))
}

/// Presentation zero when the run begins at a segment that the playlist puts at
/// `start`, and the stream's first segment was not looked at: nearly every
/// stream counts from zero, and the sums of EXTINF are good enough to tell.
pub fn guess_zero(first: MediaTime, edit: MediaTime, start: MediaTime) -> MediaTime {
    if start == MediaTime::ZERO {
        return presentation_zero(first, edit);
    }
    let zero = first - edit - start;
    let is_near = zero < NEAR_ZERO && MediaTime::ZERO - zero < NEAR_ZERO;
    if is_near { MediaTime::ZERO } else { zero }
}

/// Presentation zero for a stream whose first unit is at `first` and whose edit
/// list begins at `edit`: priming before the edit is not part of it, while a
/// stream that begins late (cut from a live one) begins with its first unit.
pub fn presentation_zero(first: MediaTime, edit: MediaTime) -> MediaTime {
    (first - edit).max(MediaTime::ZERO)
}
