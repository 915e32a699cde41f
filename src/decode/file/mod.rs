//! A whole file: what it is, and a reader for it. Recognised by content only.

pub mod demux;
pub mod gapless;
pub mod mpeg;
pub mod probe;
pub mod stream;
pub mod timing;
pub mod whole;

use crate::decode::file::demux::{Bytes, malformed};
use crate::decode::file::gapless::Movie;
use crate::decode::file::probe::Container;
use crate::decode::file::whole::Whole;
use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::units::MediaTime;

/// A file, at some place in it.
pub struct File {
    reader: Reader,
}

/// Who reads which file.
enum Reader {
    /// Symphonia's readers.
    Whole(Box<Whole>),
}

impl File {
    /// Finds out what the bytes are and opens them. Reads the head, and the
    /// `moov` box of an MP4 file wherever it is; no other tail.
    ///
    /// # Errors
    ///
    /// `NotAStream` for a web page or unknown bytes, `Unsupported` for media
    /// that is not played, `Encryption`, `Malformed`, and what the source says.
    pub fn open(source: Box<dyn Source>) -> Result<Self, Problem> {
        let bytes = Bytes::new(source);
        let origin = behind_tags(&bytes)?;
        let container = container(&bytes, origin)?;
        let movie = match container {
            Container::Mp4 => movie(&bytes, origin)?,
            _ => Movie::default(),
        };
        let whole = Whole::open(bytes, container, origin, movie)?;
        Ok(Self {
            reader: Reader::Whole(Box::new(whole)),
        })
    }

    /// The track that is played.
    pub fn track(&self) -> &Track {
        match &self.reader {
            Reader::Whole(whole) => whole.track(),
        }
    }

    /// How many streams have followed the first one in the file (chained Ogg).
    /// When it moves, [`File::track`] is another one and wants its own decoder.
    pub fn links(&self) -> u32 {
        match &self.reader {
            Reader::Whole(whole) => whole.links(),
        }
    }

    /// The next unit; `None` at the true end.
    ///
    /// # Errors
    ///
    /// `Malformed` for a broken file and for one that ends before it should.
    pub fn next(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        match &mut self.reader {
            Reader::Whole(whole) => whole.next(),
        }
    }

    /// Goes to a unit early enough before `to` (media time, as in
    /// [`Unit::start`]) that a fresh decoder gives from `to` on what it would
    /// have given from the start. Returns the start of that unit, or where the
    /// file ends when `to` lies behind it.
    ///
    /// # Errors
    ///
    /// Those of [`File::next`].
    pub fn seek(&mut self, to: MediaTime) -> Result<MediaTime, Problem> {
        match &mut self.reader {
            Reader::Whole(whole) => whole.seek(to),
        }
    }
}

/// Where the stream begins: behind any number of ID3v2 tags, cover art and all.
fn behind_tags(bytes: &Bytes) -> Result<u64, Problem> {
    const TAGS: usize = 16;
    let mut at = 0_u64;
    for _ in 0..TAGS {
        match probe::id3v2_length(&bytes.read_at(at, 10)?) {
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

/// What the `moov` box says, before or behind the media.
fn movie(bytes: &Bytes, origin: u64) -> Result<Movie, Problem> {
    const BOXES: usize = 256; // at the top level, before moov
    let mut at = origin;
    for _ in 0..BOXES {
        let header = bytes.read_at(at, 16)?;
        let Some((name, header, size)) = gapless::box_header(&header) else {
            break;
        };
        let end = size.and_then(|size| at.checked_add(size));
        if &name == b"moov" {
            let content = at.saturating_add(header);
            return checked(read_box(
                bytes,
                content,
                end.map(|end| end.saturating_sub(content)),
            )?);
        }
        match end {
            Some(end) => at = end,
            None => break, // this box is the last
        }
    }
    let is_cut = bytes.length().is_some_and(|length| at > length);
    let why = if is_cut {
        "it is truncated: its moov box is missing"
    } else {
        "it has no moov box"
    };
    Err(malformed(Container::Mp4, why))
}

fn read_box(bytes: &Bytes, at: u64, length: Option<u64>) -> Result<Vec<u8>, Problem> {
    let length = length.filter(|length| *length <= limits::BOX_BYTES);
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

fn checked(moov: Vec<u8>) -> Result<Movie, Problem> {
    let movie = gapless::movie(&moov);
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
    Ok(movie)
}
