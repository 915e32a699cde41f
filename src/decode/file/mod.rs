//! A whole file: what it is, and a reader for it. Recognised by content only.

pub mod atoms;
pub mod constant;
pub mod demux;
pub mod gapless;
pub mod parameters;
pub mod probe;
pub mod smpb;
pub mod stream;
pub mod timing;
pub mod transport;
pub mod whole;

use std::io::SeekFrom;
use std::sync::Arc;

use crate::decode::file::demux::{Bytes, malformed};
use crate::decode::file::gapless::Movie;
use crate::decode::file::probe::Container;
use crate::decode::file::transport::Transport;
use crate::decode::file::whole::Whole;
use crate::decode::unit::{Track, Unit};
use crate::decode::{fmp4, id3, packed, ts};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;
use crate::units::MediaTime;

/// Enough for three frames of ADTS that agree, wherever a recording begins.
const LATE_HEAD_BYTES: usize = 32 << 10;
/// Overlap and band replication of AAC have settled after this long.
const PRE_ROLL: MediaTime = MediaTime::from_nanos(300_000_000);

/// A file, at some place in it.
pub struct File {
    reader: Reader,
}

/// Who reads which file.
enum Reader {
    /// Symphonia's readers.
    Whole(Box<Whole>),
    /// Frames without a container: AAC, or MPEG audio without end.
    Adts(Box<packed::Demuxer>),
    /// MP4 in fragments: one long segment that brings its own init section.
    Fragmented(Box<fmp4::Demuxer>),
    /// An MPEG transport stream.
    Transport(Box<Transport>),
}

impl File {
    /// Finds out what the bytes are and opens them. Reads the head, and the
    /// `moov` box of an MP4 file wherever it is; no other tail.
    ///
    /// # Errors
    ///
    /// `NotAStream` for a web page or unknown bytes, `Unsupported` for media
    /// that is not played, `Encryption`, `Malformed`, and what the source says.
    pub fn open(source: Box<dyn Source>, stats: &Arc<Stats>) -> Result<Self, Problem> {
        let bytes = Bytes::new(source);
        let origin = behind_tags(&bytes)?;
        let stats = Arc::clone(stats);
        let reader = match kind(&bytes, origin)? {
            Form::Transport => Reader::Transport(Box::new(Transport::open(whole(bytes), stats)?)),
            Form::Adts => Reader::Adts(Box::new(packed::Demuxer::open(whole(bytes), stats)?)),
            Form::Contained(container) => reader(bytes, container, origin, stats)?,
        };
        Ok(Self { reader })
    }

    /// As [`File::open`], of a stream that was joined in its midst and breaks off
    /// anywhere: frames that follow each other are found and counted by us.
    ///
    /// # Errors
    ///
    /// Those of [`File::open`].
    pub fn join(source: Box<dyn Source>, stats: &Arc<Stats>) -> Result<Self, Problem> {
        let bytes = Bytes::new(source);
        let origin = behind_tags(&bytes)?;
        let stats = Arc::clone(stats);
        let reader = match kind_of_joined(&bytes, origin)? {
            Form::Transport => Reader::Transport(Box::new(Transport::open(whole(bytes), stats)?)),
            Form::Adts | Form::Contained(Container::Mpeg) => {
                Reader::Adts(Box::new(packed::Demuxer::join(whole(bytes), stats)?))
            }
            Form::Contained(container) => reader(bytes, container, origin, stats)?,
        };
        Ok(Self { reader })
    }

    /// How many bytes the units given so far and all before them are, where that
    /// is known.
    pub fn taken(&self) -> Option<u64> {
        match &self.reader {
            Reader::Adts(demuxer) => Some(demuxer.taken()),
            Reader::Whole(_) | Reader::Fragmented(_) | Reader::Transport(_) => None,
        }
    }

    /// Artist and title, as comments at the head of the stream tell them.
    pub fn title(&mut self) -> Option<String> {
        match &mut self.reader {
            Reader::Whole(whole) => whole.title(),
            Reader::Adts(_) | Reader::Fragmented(_) | Reader::Transport(_) => None,
        }
    }

    /// The track that is played.
    pub fn track(&self) -> &Track {
        match &self.reader {
            Reader::Whole(whole) => whole.track(),
            Reader::Adts(demuxer) => demuxer.track(),
            Reader::Fragmented(demuxer) => demuxer.init().track(),
            Reader::Transport(transport) => transport.track(),
        }
    }

    /// Whether the next unit begins another stream (chained Ogg, a transport
    /// stream that changes): [`File::track`] is another one then, and wants its
    /// own decoder.
    ///
    /// # Errors
    ///
    /// Those of [`File::next_unit`].
    pub fn turns(&mut self) -> Result<bool, Problem> {
        match &mut self.reader {
            Reader::Whole(whole) => whole.turns(),
            Reader::Transport(transport) => transport.turns(),
            Reader::Adts(_) | Reader::Fragmented(_) => Ok(false),
        }
    }

    /// Whether a last unit that is shorter than what it decodes to says how
    /// much of it is padding. Other containers state what is to be trimmed.
    pub fn shortens_its_last_unit(&self) -> bool {
        matches!(self.reader, Reader::Fragmented(_))
    }

    /// The next unit; `None` at the true end.
    ///
    /// # Errors
    ///
    /// `Malformed` for a broken file and for one that ends before it should.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        match &mut self.reader {
            Reader::Whole(whole) => whole.next(),
            Reader::Adts(demuxer) => demuxer.next_unit(),
            Reader::Fragmented(demuxer) => demuxer.next_unit(),
            Reader::Transport(transport) => transport.next_unit(),
        }
    }

    /// Goes to a unit early enough before `to` (media time, as in
    /// [`Unit::start`]) that a fresh decoder gives from `to` on what it would
    /// have given from the start. Returns the start of that unit, or where the
    /// file ends when `to` lies behind it. A fragmented file and a transport
    /// stream are walked through, forward only.
    ///
    /// # Errors
    ///
    /// Those of [`File::next_unit`].
    pub fn seek(&mut self, to: MediaTime) -> Result<MediaTime, Problem> {
        let early = (to - PRE_ROLL).max(MediaTime::ZERO);
        match &mut self.reader {
            Reader::Whole(whole) => whole.seek(to),
            Reader::Adts(demuxer) => demuxer.seek(early),
            Reader::Transport(transport) => transport.skip_to(to),
            Reader::Fragmented(demuxer) => loop {
                match demuxer.next_unit()?.map(|unit| unit.end) {
                    Some(end) if end < early => {}
                    Some(end) => return Ok(end),
                    None => return Ok(to),
                }
            },
        }
    }
}

/// How a file is put together.
enum Form {
    /// AAC without a container.
    Adts,
    /// Packets of a transport stream.
    Transport,
    /// One of the containers that are files only.
    Contained(Container),
}

fn kind(bytes: &Bytes, origin: u64) -> Result<Form, Problem> {
    if ts::begins_ts(&bytes.read_at(origin, probe::HEAD_BYTES)?) {
        return Ok(Form::Transport);
    }
    match container(bytes, origin) {
        Ok(container) => Ok(Form::Contained(container)),
        Err(problem) if problem.kind != Kind::NotAStream => Err(problem),
        Err(problem) => {
            let head = bytes.read_at(origin, LATE_HEAD_BYTES)?;
            match (packed::looks_like_adts(&head), ts::looks_like_ts(&head)) {
                (true, _) => Ok(Form::Adts),
                (false, true) if head.len() > probe::HEAD_BYTES => Ok(Form::Transport),
                (false, _) => Err(problem),
            }
        }
    }
}

/// As [`kind`], but waits for no more than is needed: a station sends as fast as
/// it is heard.
fn kind_of_joined(bytes: &Bytes, origin: u64) -> Result<Form, Problem> {
    for want in [probe::HEAD_BYTES, LATE_HEAD_BYTES / 2] {
        let head = bytes.read_at(origin, want)?;
        if ts::begins_ts(&head) {
            return Ok(Form::Transport);
        }
        if packed::looks_like_adts(&head) {
            return Ok(Form::Adts);
        }
        if let Ok(container) = probe::sniff(&head) {
            return Ok(Form::Contained(container));
        }
    }
    kind(bytes, origin)
}

/// The reader of a file in `container`.
fn reader(
    bytes: Bytes,
    container: Container,
    origin: u64,
    stats: Arc<Stats>,
) -> Result<Reader, Problem> {
    let (movie, end) = match container {
        Container::Mp4 => movie(&bytes, origin)?,
        _ => (Movie::default(), 0),
    };
    if movie.is_fragmented && fmp4::looks_like_fmp4(&bytes.read_at(origin, probe::HEAD_BYTES)?) {
        let demuxer = fmp4::Demuxer::self_initialising(whole(bytes), stats, MediaTime::ZERO)?;
        return Ok(Reader::Fragmented(Box::new(demuxer)));
    }
    // Without a length from the server the boxes themselves say where it ends.
    let stated = Some(end).filter(|end| *end > 0 && !movie.is_fragmented);
    let end = bytes.length().map(|length| length.max(end)).or(stated);
    let whole = Whole::open(bytes, container, (origin, end), movie)?;
    Ok(Reader::Whole(Box::new(whole)))
}

/// The source from its first byte on, for a reader that seeks by itself.
fn whole(bytes: Bytes) -> Box<dyn Source> {
    let mut source = bytes.into_source().expect("no reader was made yet");
    // A source that cannot go back fails at its first read, with the reason.
    let _ = source.seek(SeekFrom::Start(0));
    source
}

/// Where the stream begins: behind any number of ID3v2 tags, cover art and all.
fn behind_tags(bytes: &Bytes) -> Result<u64, Problem> {
    const TAGS: usize = 16;
    let mut at = 0_u64;
    for _ in 0..TAGS {
        match id3::length(&bytes.read_at(at, id3::HEADER_BYTES)?) {
            Some(length) => at = at.saturating_add(length),
            None => break,
        }
    }
    Ok(at)
}

fn container(bytes: &Bytes, origin: u64) -> Result<Container, Problem> {
    let head = bytes.read_at(origin, probe::HEAD_BYTES)?;
    if head.is_empty() {
        return Err(Problem::new(
            Kind::NotAStream,
            "cannot play the file",
            "it is empty",
            "check the address",
        ));
    }
    match probe::sniff(&head) {
        Err(problem) if problem.kind == Kind::NotAStream && head.len() == probe::HEAD_BYTES => {
            probe::sniff(&bytes.read_at(origin, probe::MPEG_SEARCH_BYTES)?)
        }
        sniffed => sniffed,
    }
}

/// What the `moov` box says, before or behind the media, and where the
/// furthest box on the way to both ends.
fn movie(bytes: &Bytes, origin: u64) -> Result<(Movie, u64), Problem> {
    const BOXES: usize = 256; // at the top level, before both were seen
    let (mut at, mut moov, mut has_media) = (origin, None, false);
    for _ in 0..BOXES {
        let header = bytes.read_at(at, 16)?;
        let Some((name, header, size)) = atoms::box_header(&header) else {
            break;
        };
        let end = size.and_then(|size| at.checked_add(size));
        match &name {
            b"moov" => moov = Some(read_box(bytes, at.saturating_add(header), end)?),
            b"mdat" | b"moof" => has_media = true,
            _ => {}
        }
        at = end.unwrap_or(at); // a box without a size is the last
        if end.is_none() || has_media && moov.is_some() {
            break;
        }
    }
    match moov {
        Some(moov) => Ok((stream::playable(gapless::movie(&moov))?, at)),
        None if bytes.length().is_some_and(|length| at > length) => Err(malformed(
            Container::Mp4,
            "it is truncated: its moov box is missing",
        )),
        None => Err(malformed(Container::Mp4, "it has no moov box")),
    }
}

/// The contents of a box, between two offsets.
fn read_box(bytes: &Bytes, at: u64, end: Option<u64>) -> Result<Vec<u8>, Problem> {
    let length = end
        .map(|end| end.saturating_sub(at))
        .filter(|length| *length <= limits::BOX_BYTES);
    let want = length
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| Problem {
            kind: Kind::Limit,
            ..malformed(Container::Mp4, "its moov box is larger than 16 MiB")
        })?;
    let content = bytes.read_at(at, want)?;
    match content.len() == want {
        true => Ok(content),
        false => Err(malformed(
            Container::Mp4,
            "it is truncated inside its moov box",
        )),
    }
}

#[cfg(test)]
mod tests;
