//! Fragmented MP4 and CMAF: a pull demuxer. A source that may still be arriving
//! goes in, access units come out, each as soon as its bytes are there. Goes
//! forward only; knows neither playlists nor seeking nor edit lists' meaning.

mod boxes;
mod emsg;
mod entry;
mod fragment;
mod init;
#[cfg(test)]
mod testkit;

use std::sync::Arc;

use crate::decode::unit::Unit;
use crate::decode::window::{BUFFER_BYTES, Window};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;
use crate::units::{Frames, MediaTime};

use boxes::{Fields, HEADER_BYTES, Header, LONG_HEADER_BYTES, broken, too_large};
use emsg::Titles;
use fragment::{Sample, Table};

pub use init::Init;

const NEVER: u64 = u64::MAX; // where a box that reaches to the end of the file ends

/// Takes the access units of one track out of one segment, or one file.
pub struct Demuxer {
    window: Window,
    init: Init,
    table: Table,
    current: [u8; 4],
    box_end: u64,
    /// When the first access unit is due.
    first: Option<MediaTime>,
    titles: Titles,
}

impl Demuxer {
    /// Starts on a segment of the stream `init` describes. `start` is when its
    /// first access unit is due, should the segment not say it.
    pub fn new(init: &Init, source: Box<dyn Source>, stats: Arc<Stats>, start: MediaTime) -> Self {
        Self::over(Window::new(source, stats), init.clone(), start)
    }

    /// Starts on a segment or file that begins with its own `moov`.
    ///
    /// # Errors
    ///
    /// As [`Init::read`], and [`Kind::Unsupported`] for a file whose first part
    /// is not in fragments ([`looks_like_fmp4`] says no to it).
    pub fn self_initialising(
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        start: MediaTime,
    ) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        let init = Init::find(&mut window)?;
        if init.layout().has_samples {
            return Err(half_fragmented());
        }
        Ok(Self::over(window, init, start))
    }

    fn over(window: Window, init: Init, start: MediaTime) -> Self {
        let clock = start.ticks(init.layout().timescale);
        Self {
            box_end: window.position(),
            table: Table::new(u64::try_from(clock).unwrap_or(0)),
            current: *b"moov",
            window,
            init,
            first: None,
            titles: Titles::default(),
        }
    }

    /// The initialisation section in force.
    pub fn init(&self) -> &Init {
        &self.init
    }

    /// The titles of event messages met since this was last asked, each with the
    /// media time from which it holds. Not yet made safe.
    pub fn take_titles(&mut self) -> Vec<(MediaTime, String)> {
        self.titles.take()
    }

    /// The next access unit; `None` at the end of the source.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when the source ends inside an access unit or a box,
    /// or when data lies behind us, [`Kind::Encryption`], [`Kind::Unsupported`],
    /// [`Kind::Limit`], or the problem of the source.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        loop {
            match self.table.peek() {
                Some(sample) if sample.offset < self.box_end => return self.unit(sample).map(Some),
                _ if self.next_box()? => {}
                _ => return Ok(None),
            }
        }
    }

    fn unit(&mut self, sample: Sample) -> Result<Unit<'_>, Problem> {
        let end = sample.offset.saturating_add(sample.size.into());
        let gap = sample.offset.checked_sub(self.window.position());
        let Some(gap) = gap.filter(|_| end <= self.box_end) else {
            return Err(broken("its data does not lie where \"moof\" says"));
        };
        // Checked against limits::ACCESS_UNIT_BYTES when it was announced.
        let size = usize::try_from(sample.size).unwrap_or(limits::ACCESS_UNIT_BYTES);
        let timescale = self.init.layout().timescale;
        if !self.window.skip(gap)? {
            return Err(truncated());
        }
        let most = match self.window.bytes().len() < size {
            true => self.table.run_bytes(BUFFER_BYTES),
            false => size,
        };
        let data = self.window.take_within(size, most)?;
        self.table.advance();
        let time = |ticks| MediaTime::from_ticks(ticks, timescale);
        Ok(Unit {
            data: data.ok_or_else(truncated)?,
            start: time(sample.start),
            end: time(sample.start.saturating_add(sample.duration.into())),
            trim_start: Frames(0),
            trim_end: Frames(0),
        })
    }

    /// Goes to the next top-level box; false at the end of the source.
    fn next_box(&mut self) -> Result<bool, Problem> {
        if !self.leave_box()? {
            return Ok(false);
        }
        let start = self.window.position();
        let Some(header) = read_header(&mut self.window)? else {
            return self.finish();
        };
        self.current = header.kind;
        self.box_end = match header.payload {
            Some(payload) => self.window.position().saturating_add(payload),
            None => NEVER,
        };
        match &header.kind {
            b"moof" => {
                let payload = take_payload(&mut self.window, header, limits::BOX_BYTES)?;
                let moof = Fields::new(header.kind, payload);
                let place = start..self.box_end;
                self.table.add(moof, place, self.init.layout())?;
                self.begin();
            }
            b"emsg" if header.payload.is_some_and(|bytes| bytes <= emsg::BYTES) => {
                let payload = take_payload(&mut self.window, header, emsg::BYTES)?;
                let message = Fields::new(header.kind, payload);
                let edit = self.init.track().edit.start;
                self.titles.note(message, edit, self.first);
            }
            b"moov" => self.change_init(header)?,
            _ => {}
        }
        Ok(true)
    }

    /// Notes when the segment begins, as soon as a fragment says it.
    fn begin(&mut self) {
        if let (None, Some(sample)) = (self.first, self.table.peek()) {
            let first = MediaTime::from_ticks(sample.start, self.init.layout().timescale);
            self.first = Some(first);
            self.titles.begin(first);
        }
    }

    /// Passes over what is left of the current box; false when the source ends with it.
    fn leave_box(&mut self) -> Result<bool, Problem> {
        if self.box_end == NEVER {
            return self.finish();
        }
        let left = self.box_end.saturating_sub(self.window.position());
        match self.window.skip(left)? {
            true => Ok(true),
            // What is missing of the media data belongs to other tracks.
            false if self.current == *b"mdat" => self.finish(),
            false => Err(truncated()),
        }
    }

    fn finish(&mut self) -> Result<bool, Problem> {
        match self.table.peek() {
            Some(_) => Err(truncated()),
            None => Ok(false),
        }
    }

    /// Takes over a `moov` inside the segment. One that needs another decoder
    /// can only stand at the beginning of a segment, for [`Demuxer::self_initialising`].
    fn change_init(&mut self, header: Header) -> Result<(), Problem> {
        let init = Init::read_movie(&mut self.window, header)?;
        let fits = init.is_same_stream(&self.init)
            && init.layout().timescale == self.init.layout().timescale;
        if !fits {
            return Err(fragment::changed_codec());
        }
        self.init = init;
        Ok(())
    }
}

/// Whether `head`, the first bytes of a file, begin a fragmented MP4 rather than
/// a plain one or something else.
pub fn looks_like_fmp4(head: &[u8]) -> bool {
    let mut rest = head;
    let mut is_branded = false;
    while let Ok(Some(header)) = Header::read(rest) {
        let payload = rest.get(header.length..).unwrap_or_default();
        let length = header.payload.and_then(|bytes| usize::try_from(bytes).ok());
        let whole = length.and_then(|length| payload.split_at_checked(length));
        match &header.kind {
            b"styp" | b"moof" | b"sidx" | b"emsg" | b"prft" => return true,
            b"moov" => {
                let movie = Fields::new(header.kind, whole.map_or(payload, |(whole, _)| whole));
                // A failure: `head` ends before the answer.
                return is_all_fragments(movie).unwrap_or(is_branded);
            }
            b"ftyp" => is_branded = has_fragment_brand(payload),
            b"free" | b"skip" | b"uuid" => {}
            _ => return false,
        }
        match whole {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    false
}

/// Whether a movie has fragments and no access units of its own.
fn is_all_fragments(movie: Fields<'_>) -> Result<bool, Problem> {
    let mut children = movie;
    while let Some(child) = children.next_box()? {
        if child.kind() == b"trak" {
            let media = child.require(b"mdia")?.require(b"minf")?;
            if init::has_samples(media.require(b"stbl")?)? {
                return Ok(false);
            }
        }
    }
    Ok(movie.find(b"mvex")?.is_some())
}

fn has_fragment_brand(payload: &[u8]) -> bool {
    let brands = payload.chunks_exact(4).take(32);
    let mut words = brands.map(|brand| matches!(brand, b"iso5" | b"iso6" | b"cmfc" | b"dash"));
    words.any(|is_one| is_one)
}

/// Reads the header of the next top-level box; `None` at the end.
fn read_header(window: &mut Window) -> Result<Option<Header>, Problem> {
    let is_first = window.position() == 0;
    if !window.fill(HEADER_BYTES)? {
        return match window.bytes() {
            [] => Ok(None),
            _ => Err(truncated()),
        };
    }
    if Header::read(window.bytes())?.is_none() {
        window.fill(LONG_HEADER_BYTES)?;
    }
    let header = Header::read(window.bytes())?.ok_or_else(truncated)?;
    if is_first && !may_begin(&header.kind) {
        return Err(not_mp4());
    }
    window.skip(header.length as u64)?;
    Ok(Some(header))
}

/// The boxes a file or a segment begins with.
fn may_begin(kind: &[u8; 4]) -> bool {
    let known = [
        b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"emsg", b"prft", b"free", b"skip",
        b"wide", b"uuid", b"mdat",
    ];
    known.contains(&kind)
}

/// The whole payload of the box whose header was just read.
fn take_payload(window: &mut Window, header: Header, cap: u64) -> Result<&[u8], Problem> {
    let Some(payload) = header.payload else {
        return Err(boxes::malformed(header.kind, "has no end"));
    };
    let size = usize::try_from(payload).ok().filter(|_| payload <= cap);
    let size = size.ok_or_else(|| too_large(header.kind))?;
    let taken = window.take(size)?;
    taken.ok_or_else(|| boxes::malformed(header.kind, "is cut off"))
}

fn half_fragmented() -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot read the MP4 stream",
        "its first part is not in fragments",
        "try another source",
    )
}

fn truncated() -> Problem {
    broken("the segment is truncated")
}

fn not_mp4() -> Problem {
    Problem::new(
        Kind::NotAStream,
        "cannot read the MP4 stream",
        "the bytes do not begin like MP4",
        "check the address in the playlist",
    )
}

#[cfg(test)]
mod tests;
