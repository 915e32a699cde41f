//! AAC frames one after another, without a container (ADTS): a pull demuxer for
//! whole files and segments. Passes over tags and damage; counts
//! time in frames, for nothing else tells it.

use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use crate::decode::adts::{BLOCK_FRAMES, HEADER_BYTES, Header};
use crate::decode::id3;
use crate::decode::unit::{Edit, Track, Unit};
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::{Codec, Source};
use crate::stats::Stats;
use crate::units::{Frames, MediaTime, SampleRate};

const SURE_FRAMES: usize = 3; // that agree, until bytes are called ADTS
const JUNK_BYTES: u64 = 64 << 10; // at the end of a file, of an unknown tag

/// Takes the frames out of one source.
pub struct Demuxer {
    window: Window,
    track: Track,
    header: Header,
    clock: Clock,
    beginning: Beginning,
    timestamp: Option<u64>,
}

/// Where the first frame lies, and what was known there.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    position: u64,
    header: Header,
    clock: Clock,
}

/// The time of the next frame: frames at one rate since an origin, so that
/// rounding never adds up.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: MediaTime,
    rate: SampleRate,
    frames: Frames,
}

impl Demuxer {
    /// Starts on a file or segment, at its first frame. `start` is when that one is due.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] when there is no frame, or the problem of the source.
    pub fn open(
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        start: MediaTime,
    ) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        let timestamp = skip_tags(&mut window)?;
        let header = find_frame(&mut window)?.ok_or_else(not_adts)?;
        let clock = Clock::new(start, header.rate);
        let beginning = Beginning {
            position: window.position(),
            header,
            clock,
        };
        Ok(Self {
            window,
            track: track(header.rate),
            header,
            clock,
            beginning,
            timestamp,
        })
    }

    /// What the first frame says.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// When the first frame is due by the tag before it, in ticks of 90 kHz that
    /// wrap at 33 bits, as HLS wants it of a segment (RFC 8216 section 3.4).
    pub fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    /// The next frame, with its header; `None` at the end of the source.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when the source ends inside a frame or holds no more
    /// frames, or the problem of the source.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        let Some(header) = self.next_header()? else {
            return Ok(None);
        };
        let (start, end) = self.clock.pass(&header);
        let data = self.window.take(header.length)?;
        Ok(Some(Unit {
            data: data.ok_or_else(truncated)?,
            start,
            end,
            trim_start: Frames(0),
            trim_end: Frames(0),
        }))
    }

    /// Goes to the frame that is heard at `time`, counted exactly: every header
    /// on the way is read. Returns when that frame is due.
    ///
    /// # Errors
    ///
    /// As [`Demuxer::next_unit`].
    pub fn seek(&mut self, time: MediaTime) -> Result<MediaTime, Problem> {
        if time < self.clock.now() {
            self.window.seek(self.beginning.position)?;
            self.header = self.beginning.header;
            self.clock = self.beginning.clock;
        }
        while let Some(header) = self.next_header()? {
            let mut after = self.clock;
            let (start, end) = after.pass(&header);
            if end > time {
                return Ok(start);
            }
            if !self.window.skip(header.length as u64)? {
                return Err(truncated());
            }
            self.clock = after;
        }
        Ok(self.clock.now())
    }

    /// The header of the frame that comes next; the window stands before it.
    fn next_header(&mut self) -> Result<Option<Header>, Problem> {
        self.window.fill(HEADER_BYTES)?;
        let here = Header::read(self.window.bytes());
        match here.filter(|here| here.agrees(&self.header)) {
            Some(header) => Ok(Some(header)),
            None => self.resynchronise(),
        }
    }

    fn resynchronise(&mut self) -> Result<Option<Header>, Problem> {
        skip_tags(&mut self.window)?; // segments glued together keep theirs
        match self.window.bytes() {
            end if is_end_tag(end) => return Ok(None),
            [0xFF, rest @ ..] if rest.len() + 1 < HEADER_BYTES => return Err(truncated()),
            _ => {}
        }
        let lost_at = self.window.position();
        let found = find_frame(&mut self.window)?;
        let passed = self.window.position() - lost_at;
        let Some(header) = found else {
            return match passed {
                0..=JUNK_BYTES => Ok(None),
                _ => Err(lost()),
            };
        };
        if passed > 0 {
            self.window.stats().decode_errors.add(1);
        }
        self.clock.change_rate(header.rate);
        self.header = header;
        Ok(Some(header))
    }
}

impl Clock {
    fn new(origin: MediaTime, rate: SampleRate) -> Self {
        Self {
            origin,
            rate,
            frames: Frames(0),
        }
    }

    fn now(&self) -> MediaTime {
        self.origin + self.frames.time(self.rate)
    }

    /// Passes over one frame; returns when it starts and ends.
    fn pass(&mut self, header: &Header) -> (MediaTime, MediaTime) {
        let start = self.now();
        self.frames = self.frames + Frames(BLOCK_FRAMES * header.blocks);
        (start, self.now())
    }

    fn change_rate(&mut self, rate: SampleRate) {
        if rate != self.rate {
            *self = Self::new(self.now(), rate);
        }
    }
}

/// Whether `head`, the first bytes of a file or of a radio stream that was
/// joined in the middle of a frame, hold frames that agree.
pub fn looks_like_adts(head: &[u8]) -> bool {
    let syncs = head.iter().enumerate().filter(|&(_, &byte)| byte == 0xFF);
    let mut chains = syncs.map(|(at, _)| chain(&head[at..]));
    chains.any(|frames| frames >= SURE_FRAMES)
}

/// How many frames that agree follow each other at the front of `bytes`, up to
/// [`SURE_FRAMES`].
fn chain(bytes: &[u8]) -> usize {
    let Some(first) = Header::read(bytes) else {
        return 0;
    };
    let (mut at, mut frames) = (first.length, 1);
    while let Some(next) = bytes.get(at..).and_then(Header::read) {
        if frames == SURE_FRAMES || !next.agrees(&first) {
            break;
        }
        at += next.length;
        frames += 1;
    }
    frames
}

/// Passes over ID3v2 tags (id3.org, ID3v2.4 section 3.1), however large, and
/// returns the timestamp one of them holds.
fn skip_tags(window: &mut Window) -> Result<Option<u64>, Problem> {
    let mut timestamp = None;
    loop {
        window.fill(id3::HEADER_BYTES)?;
        let Some(length) = id3::length(window.bytes()) else {
            return Ok(timestamp);
        };
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        window.fill(kept.min(limits::TAG_BYTES))?;
        let tag = &window.bytes()[..kept.min(window.bytes().len())];
        timestamp = timestamp.or_else(|| id3::read(tag).timestamp);
        if !window.skip(length)? {
            return Err(truncated());
        }
    }
}

/// Whether a tag that stands at the end of a file begins here: ID3v1, APE, Lyrics3.
fn is_end_tag(bytes: &[u8]) -> bool {
    let mut tags = [&b"TAG"[..], b"APETAGE", b"LYRICSB"].into_iter();
    tags.any(|tag| bytes.starts_with(tag))
}

/// Goes to the next frame that is followed by one that agrees; `None`, at the
/// end of the source, when there is none.
fn find_frame(window: &mut Window) -> Result<Option<Header>, Problem> {
    while window.fill(HEADER_BYTES)? {
        if let Some(header) = Header::read(window.bytes())
            && is_followed(window, &header)?
        {
            return Ok(Some(header));
        }
        let after = window.bytes().iter().skip(1);
        let next = after.take_while(|&&byte| byte != 0xFF).count() + 1;
        window.skip(next as u64)?;
    }
    window.skip(window.bytes().len() as u64)?;
    Ok(None)
}

fn is_followed(window: &mut Window, header: &Header) -> Result<bool, Problem> {
    window.fill(header.length + HEADER_BYTES)?;
    Ok(match window.bytes().get(header.length..) {
        None => false,
        Some(rest) => match Header::read(rest) {
            Some(next) => next.agrees(header),
            None => rest.is_empty() || rest.starts_with(b"ID3") || is_end_tag(rest),
        },
    })
}

fn track(rate: SampleRate) -> Track {
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(CODEC_ID_AAC)
        .with_sample_rate(rate.hertz());
    Track {
        codec: Codec::Aac,
        parameters,
        edit: Edit::default(),
        duration: None,
    }
}

fn truncated() -> Problem {
    broken(Kind::Malformed, "it ends inside a frame")
}

fn lost() -> Problem {
    broken(Kind::Malformed, "its frames break off before its end")
}

fn not_adts() -> Problem {
    broken(Kind::NotAStream, "it holds no AAC frame")
}

fn broken(kind: Kind, why: &str) -> Problem {
    Problem::new(
        kind,
        "cannot read the AAC stream",
        why,
        "try another variant or source",
    )
}

#[cfg(test)]
mod tests;
