//! The door to Symphonia's container readers: opens one over our bytes, and
//! fences what it does. A panic, a limit or a broken table becomes a
//! [`Failure`]; an I/O error that carries a [`Problem`] passes unchanged.

use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, MediaInfo, SeekMode, SeekTo, Track};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes};
use symphonia::core::meta::Tag;
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;
use symphonia::default::formats::{
    AiffReader, CafReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader, WavReader,
};

use crate::decode::file::probe::Container;
use crate::error::{Kind, Problem};
use crate::limits::TAG_BYTES;
use crate::media::Source;

/// The bytes of a file, kept while readers over them come and go.
#[derive(Clone)]
pub struct Bytes(Arc<Mutex<Placed>>);

/// A source and the offset its next read begins at; `None` while unknown.
struct Placed {
    source: Box<dyn Source>,
    place: Option<u64>,
}

impl Placed {
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.place.take() != Some(at) {
            self.source.seek(SeekFrom::Start(at))?;
        }
        let count = self.source.read(buffer)?;
        self.place = at.checked_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

impl Bytes {
    /// Takes the bytes of a file.
    pub fn new(source: Box<dyn Source>) -> Self {
        Self(Arc::new(Mutex::new(Placed {
            source,
            place: None,
        })))
    }

    /// Gives the source back, at any place in it, when no reader holds it.
    pub fn into_source(self) -> Option<Box<dyn Source>> {
        let placed = Arc::into_inner(self.0)?;
        let placed = placed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(placed.source)
    }

    /// Total length, when it is known.
    pub fn length(&self) -> Option<u64> {
        self.placed().source.length()
    }

    /// Reads up to `want` bytes from offset `at`; fewer only at the end of the file.
    pub fn read_at(&self, at: u64, want: usize) -> Result<Vec<u8>, Problem> {
        let mut bytes = vec![0; want];
        let mut filled = 0;
        while filled < want {
            let next = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            let read = self.placed().read_at(next, &mut bytes[filled..]);
            match read.map_err(unreadable)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    // One thread uses the source; the mutex is there because Symphonia wants
    // `Sync`. A reader that panicked while reading left a position, no more.
    fn placed(&self) -> MutexGuard<'_, Placed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which part of a file a reader sees, and how.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Where it begins.
    pub origin: u64,
    /// Readers that may seek read tails and estimate lengths.
    pub is_seekable: bool,
    /// Where the file should end; readers refuse boxes that lead further. No
    /// reader of an unseekable part is told.
    pub end: Option<u64>,
}

/// What Symphonia reads: one part of a file.
struct View {
    bytes: Bytes,
    part: Part,
    position: u64,
}

impl Read for View {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.part.origin.saturating_add(self.position);
        let count = self.bytes.placed().read_at(at, buffer)?;
        self.position = self
            .position
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

impl Seek for View {
    // Only notes the place: the source seeks when it is read.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.byte_len().and_then(|end| end.checked_add_signed(by)),
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl MediaSource for View {
    fn is_seekable(&self) -> bool {
        self.part.is_seekable
    }

    fn byte_len(&self) -> Option<u64> {
        let end = self.part.end.filter(|_| self.part.is_seekable)?;
        Some(end.saturating_sub(self.part.origin))
    }
}

/// Why a reader gave no packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The bytes ended where the reader wanted more.
    Cut,
    /// One packet was broken; the next may be good.
    Broken(&'static str),
    /// Another stream begins (chained Ogg): the tracks are new.
    NewStream,
    /// The reader cannot seek there.
    NoSeek,
    /// The reader cannot go on.
    Fatal(Problem),
}

/// One of Symphonia's readers, at some place in a file.
pub struct Demuxer {
    reader: Box<dyn FormatReader>,
    container: Container,
}

impl Demuxer {
    /// Opens the stream that `part` holds.
    pub fn open(container: Container, bytes: &Bytes, part: Part) -> Result<Self, Failure> {
        let view = View {
            bytes: bytes.clone(),
            part,
            position: 0,
        };
        let stream = MediaSourceStream::new(Box::new(view), Default::default());
        let reader = fenced(container, || reader(container, stream))?;
        Ok(Self { reader, container })
    }

    /// The tracks of the current stream.
    pub fn tracks(&self) -> &[Track] {
        self.reader.tracks()
    }

    /// What the container says of the file as a whole.
    pub fn media(&self) -> &MediaInfo {
        self.reader.media_info()
    }

    /// Artist and title, by the latest comments; the others are forgotten.
    pub fn title(&mut self) -> Option<String> {
        let mut metadata = self.reader.metadata();
        let latest = metadata.skip_to_latest()?;
        let tracks = latest.per_track.iter().map(|track| &track.metadata);
        let tags = || {
            let all = std::iter::once(&latest.media).chain(tracks.clone());
            all.flat_map(|part| &part.tags)
        };
        let value = |key: &str| {
            let is_it = |tag: &&Tag| tag.raw.key.eq_ignore_ascii_case(key);
            let value = tags().find(is_it)?.raw.value.to_string();
            Some(value).filter(|value| !value.trim().is_empty() && value.len() <= TAG_BYTES)
        };
        match (value("ARTIST"), value("TITLE")) {
            (Some(artist), Some(title)) => Some(format!("{artist} - {title}")),
            (artist, title) => title.or(artist),
        }
    }

    /// The next packet of any track; `None` at the end.
    pub fn packet(&mut self) -> Result<Option<Packet>, Failure> {
        fenced(self.container, || self.reader.next_packet())
    }

    /// Goes to the packet that holds `ts` and gives the time the reader says
    /// it landed at.
    pub fn seek(&mut self, track_id: u32, ts: Timestamp) -> Result<Timestamp, Failure> {
        let to = SeekTo::Timestamp { ts, track_id };
        fenced(self.container, || self.reader.seek(SeekMode::Accurate, to))
            .map(|done| done.actual_ts)
    }
}

fn reader(
    container: Container,
    mut stream: MediaSourceStream<'static>,
) -> Result<Box<dyn FormatReader>, Error> {
    let options = FormatOptions::default();
    Ok(match container {
        Container::Aiff => Box::new(AiffReader::try_new(stream, options)?),
        Container::Caf => Box::new(CafReader::try_new(stream, options)?),
        Container::Flac => Box::new(FlacReader::try_new(stream, options)?),
        Container::Matroska => Box::new(MkvReader::try_new(stream, options)?),
        Container::Mp4 => {
            // The reader steps back over the size of `ftyp`: Symphonia's probe leaves it behind.
            stream.read_quad_bytes()?;
            Box::new(IsoMp4Reader::try_new(stream, options)?)
        }
        Container::Mpeg => Box::new(MpaReader::try_new(stream, options)?),
        Container::Ogg => Box::new(OggReader::try_new(stream, options)?),
        Container::Wav => Box::new(WavReader::try_new(stream, options)?),
    })
}

/// Runs `work` of Symphonia. It panics on some broken input (arithmetic in
/// tables, assertions); what it leaves behind is not used again.
fn fenced<T>(container: Container, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failure(container, error)),
        Err(_) => Err(Failure::Fatal(malformed(
            container,
            "its tables make no sense",
        ))),
    }
}

fn failure(container: Container, error: Error) -> Failure {
    match error {
        Error::IoError(error) if Problem::inside(&error).is_some() => {
            Failure::Fatal(unreadable(error))
        }
        Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => Failure::Cut,
        Error::IoError(error) => Failure::Fatal(unreadable(error)),
        Error::DecodeError(why) => Failure::Broken(why),
        Error::SeekError(_) => Failure::NoSeek,
        Error::ResetRequired => Failure::NewStream,
        Error::LimitError(why) => Failure::Fatal(Problem {
            kind: Kind::Limit,
            ..malformed(container, why)
        }),
        Error::Unsupported(why) => Failure::Fatal(Problem {
            kind: Kind::Unsupported,
            ..malformed(container, why)
        }),
        other => Failure::Fatal(malformed(container, other.to_string())),
    }
}

/// A broken file of a known kind.
pub fn malformed(container: Container, why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Malformed,
        format!("cannot read the {} file", container.name()),
        why,
        "fetch or make the file again",
    )
}

fn unreadable(error: io::Error) -> Problem {
    Problem::from_io(error, Kind::NoData, "cannot read the file", "try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_reader_names_the_container() {
        let fate = fenced(Container::Mp4, || -> Result<(), Error> {
            panic!("stts.rs:38")
        });
        let Err(Failure::Fatal(problem)) = fate else {
            panic!("not fenced: {fate:?}");
        };
        assert_eq!(problem.kind, Kind::Malformed);
        assert_eq!(problem.what, "cannot read the MP4 file");
    }

    #[test]
    fn a_problem_in_an_io_error_passes_unchanged() {
        let problem = Problem::stopped();
        let error = Error::IoError(problem.clone().into());
        assert_eq!(failure(Container::Ogg, error), Failure::Fatal(problem));
    }

    #[test]
    fn a_view_begins_at_its_origin_and_seeks_only_when_it_reads() {
        let bytes = Bytes::new(Box::new(io::Cursor::new(b"0123456789".to_vec())));
        let mut view = View {
            bytes: bytes.clone(),
            part: Part {
                origin: 4,
                is_seekable: true,
                end: bytes.length(),
            },
            position: 0,
        };
        let mut two = [0; 2];
        let mut read = |view: &mut View| view.read(&mut two).map(|_| two);
        assert_eq!(read(&mut view).expect("in range"), *b"45");
        assert_eq!(view.seek(SeekFrom::End(-2)).expect("known"), 4);
        assert_eq!(view.seek(SeekFrom::Current(-3)).expect("known"), 1);
        assert_eq!(read(&mut view).expect("in range"), *b"56");
        assert_eq!(view.byte_len(), Some(6));
        assert!(view.seek(SeekFrom::Current(-9)).is_err());
        assert_eq!(bytes.read_at(8, 100).expect("in range"), b"89");
        drop(view);
        assert_eq!(
            bytes.into_source().and_then(|source| source.length()),
            Some(10)
        );
    }
}
