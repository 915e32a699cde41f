//! What passes between rooms: a source of bytes, a segment of a stream, decoded
//! frames' destination. Words only; the work is done by the rooms.

use std::fmt;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use crate::cues::Cues;
use crate::error::{Kind, Problem};
use crate::units::{BitRate, Frames, MediaTime, Spec, Speed};

/// Bytes of one resource that may still be arriving.
///
/// `read` blocks until at least one byte is there, returns 0 only at the true
/// end, and fails with an `io::Error` that carries a [`Problem`] when the bytes
/// will never come (see [`Problem::inside`]). It never fails with
/// `ErrorKind::Interrupted`. Seeking past the end is allowed, as in a file.
pub trait Source: Read + Seek + Send {
    /// Total length in bytes, when it is known.
    fn length(&self) -> Option<u64>;

    /// Whether a seek to bytes that are not here yet is answered by a ranged
    /// request or a file seek, rather than by waiting for all bytes before them.
    fn is_seekable(&self) -> bool;
}

impl Source for io::Cursor<Vec<u8>> {
    fn length(&self) -> Option<u64> {
        Some(self.get_ref().len() as u64)
    }

    fn is_seekable(&self) -> bool {
        true
    }
}

/// How access units are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AAC of any profile; HE-AAC shows only when it is decoded.
    Aac,
    /// Apple Lossless.
    Alac,
    /// FLAC.
    Flac,
    /// MPEG-1/2 layer I, II or III.
    Mp3,
    /// Ogg Vorbis.
    Vorbis,
    /// Opus.
    Opus,
    /// Uncompressed samples.
    Pcm,
    /// Something Symphonia decodes that has no name of its own here (ADPCM).
    Other,
}

impl Codec {
    /// The short name shown to people and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Alac => "alac",
            Self::Flac => "flac",
            Self::Mp3 => "mp3",
            Self::Vorbis => "vorbis",
            Self::Opus => "opus",
            Self::Pcm => "pcm",
            Self::Other => "other",
        }
    }

    /// Whether decoding gives back the very samples that were encoded.
    pub fn is_lossless(self) -> bool {
        match self {
            Self::Alac | Self::Flac | Self::Pcm => true,
            Self::Aac | Self::Mp3 | Self::Vorbis | Self::Opus | Self::Other => false,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What decoded frames are: layout and the precision worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Rate and channels of the decoded frames.
    pub spec: Spec,
    /// The codec they come from.
    pub codec: Codec,
    /// Bits a sample that carry information: 16 for lossy codecs.
    pub bits: u8,
}

/// One HLS media segment on its way to the decoder. Its bytes may still be on
/// the wire.
pub struct Segment {
    /// The seek this segment answers; stale ones are dropped.
    pub epoch: u64,
    /// Counts the discontinuities before it: times of equal runs are comparable.
    pub run: u64,
    /// Position in the stream, from 0 (VOD) or the media sequence number (live).
    pub number: u64,
    /// Index of the variant, as `info` lists it.
    pub variant: usize,
    /// Address without secrets, for messages and the ledger.
    pub url: String,
    /// The initialisation section (EXT-X-MAP).
    pub init: Option<Init>,
    /// The media bytes, as they came over the wire.
    pub media: Box<dyn Source>,
    /// How the media bytes are encrypted; `None` when they are not.
    pub cipher: Option<Cipher>,
    /// The wire bytes once more, for the ledger's checksum.
    pub wire: Option<Box<dyn Source>>,
    /// The first bytes of the stream's very first segment, when the run begins
    /// later than there: its media time is the zero of the presentation.
    pub anchor: Option<Anchor>,
    /// The head of this segment in the variant heard before it, when that was
    /// another one and its bytes could be had.
    pub overlap: Option<Overlap>,
    /// Where the segment starts by the playlist (sum of EXTINF).
    pub start: MediaTime,
    /// Its length by the playlist.
    pub duration: MediaTime,
    /// Encoding parameters or time may jump before this segment.
    pub discontinuity: bool,
    /// The last segment of the stream, or before a discontinuity: only here
    /// does a short last access unit mean encoder padding.
    pub ends_run: bool,
    /// Where the run begins in the presentation: frames before it are pre-roll.
    pub from: MediaTime,
    /// Where it ends, when `--length` says so.
    pub until: Option<MediaTime>,
    /// Nominal bit rate of the variant, for the report.
    pub bit_rate: BitRate,
    /// Titles that the playlist (EXT-X-DATERANGE) puts into this segment.
    pub titles: Vec<Title>,
    /// A live stream goes on behind a segment that breaks off.
    pub is_live: bool,
}

/// The head of a stream's first segment.
pub struct Anchor {
    /// Its bytes, as they came over the wire.
    pub bytes: Box<dyn Source>,
    /// How they are encrypted.
    pub cipher: Option<Cipher>,
}

/// The head of a segment in the variant that was heard before it: what the old
/// decoder goes on with while the one of the new variant warms up. It ends where
/// the bytes were cut off, in the middle of an access unit.
pub struct Overlap {
    /// The initialisation section of the old variant (EXT-X-MAP).
    pub init: Option<Init>,
    /// The first bytes, as they came over the wire.
    pub media: Box<dyn Source>,
    /// How they are encrypted.
    pub cipher: Option<Cipher>,
}

/// What is heard from a moment on, as the stream says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// When it begins, from the start of the segment it came with.
    pub offset: MediaTime,
    /// The text, not yet made safe.
    pub text: String,
}

/// AES-128 in CBC mode with PKCS#7 padding over a whole resource
/// (RFC 8216 section 4.3.2.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Cipher {
    /// The key.
    pub key: [u8; 16],
    /// The initialisation vector of the resource's first block.
    pub iv: [u8; 16],
    /// What the key is called in messages: `the key` and its address without
    /// secrets.
    pub key_name: String,
}

impl fmt::Debug for Cipher {
    /// Never shows the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// A stretch of the stream without bytes: silence of its length is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// As in [`Segment`].
    pub epoch: u64,
    /// The first segment that is missing, as in [`Segment`].
    pub number: u64,
    /// The segment that follows.
    pub next: u64,
    /// As in [`Segment`].
    pub variant: usize,
    /// Address without secrets, for the ledger.
    pub url: String,
    /// Where it starts by the playlist.
    pub start: MediaTime,
    /// Its length by the playlist.
    pub duration: MediaTime,
    /// As in [`Segment`].
    pub discontinuity: bool,
    /// As in [`Segment`].
    pub from: MediaTime,
    /// As in [`Segment`].
    pub until: Option<MediaTime>,
    /// Why it could not be had; `None` when the playlist says so (EXT-X-GAP).
    pub loss: Option<Problem>,
}

/// An initialisation section. Read only when its `id` differs from the last.
pub struct Init {
    /// Names the section within one run: equal ids are equal bytes.
    pub id: u64,
    /// The bytes, as they came over the wire.
    pub bytes: Box<dyn Source>,
    /// How they are encrypted.
    pub cipher: Option<Cipher>,
}

/// What the decode thread wants next: the door from `decode` to `net`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Counts seeks; an answer to an older epoch is stale.
    pub epoch: u64,
    /// Where the last of them leads; `None` before the first.
    pub from: Option<MediaTime>,
    /// The segment wanted; `None` for the one the run, or what was sought, begins with.
    pub number: Option<u64>,
    /// How often it was given up half-way ([`Kind::GivenUp`]): the same segment
    /// is wanted once more, of another variant.
    pub again: u32,
}

/// Where to begin, as the user said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// This far from the start.
    At(MediaTime),
    /// This far from the end.
    FromEnd(MediaTime),
}

impl Start {
    /// The position in a stream of `duration`, if that is known where needed.
    pub fn resolve(self, duration: Option<MediaTime>) -> Option<MediaTime> {
        match self {
            Self::At(time) => Some(time),
            Self::FromEnd(time) => Some((duration? - time).max(MediaTime::ZERO)),
        }
    }

    /// What is said when the beginning lies behind the end; the run then ends well.
    pub fn past_the_end(from: MediaTime) -> Problem {
        let what = format!("cannot start at {from}");
        Problem::new(
            Kind::Arguments,
            what,
            "the stream ends before",
            "choose an earlier --start",
        )
    }
}

/// What the decoder is given next. Three ends, as values; nothing ever turns
/// an error into an end of stream.
pub enum Piece {
    /// The next segment of an HLS stream.
    Segment(Box<Segment>),
    /// Nothing, for a while.
    Gap(Box<Gap>),
    /// A whole file.
    File(WholeFile),
    /// The stream is over.
    End {
        /// As in [`Segment`].
        epoch: u64,
    },
    /// The stream cannot go on.
    Failed(Problem),
}

impl Piece {
    /// The seek it answers; a failure is one whatever was sought.
    pub fn epoch(&self) -> Option<u64> {
        match self {
            Self::Segment(segment) => Some(segment.epoch),
            Self::Gap(gap) => Some(gap.epoch),
            Self::File(file) => Some(file.epoch),
            Self::End { epoch } => Some(*epoch),
            Self::Failed(_) => None,
        }
    }
}

/// A file that is one stream by itself.
pub struct WholeFile {
    /// As in [`Segment`].
    pub epoch: u64,
    /// Where to begin, when that was sought.
    pub from: Option<MediaTime>,
    /// Address without secrets, for messages and the ledger.
    pub url: String,
    /// Its bytes.
    pub media: Box<dyn Source>,
    /// The same bytes once more, for the ledger's checksum.
    pub wire: Option<Box<dyn Source>>,
    /// It is what one connection to a radio station brings: another follows.
    pub link: Option<Link>,
}

/// One connection of a stream without end.
pub struct Link {
    /// Counts them from 0: the demand for what follows is for the next.
    pub number: u64,
    /// How many bytes of it lie before what is handed over.
    pub offset: u64,
    /// Titles by the bytes of it.
    pub cues: Arc<Cues>,
    /// What the station says of its rate; 0 when it does not.
    pub bit_rate: BitRate,
}

/// Where the frames of one segment went, for the ledger and the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// As in [`Segment`].
    pub number: u64,
    /// As in [`Segment`].
    pub variant: usize,
    /// As in [`Segment`].
    pub url: String,
    /// Frames given to the sink, at the sink's rate.
    pub frames: Frames,
    /// Frames decoded but not given (priming, padding, pre-roll, `--length`), at the source's rate.
    pub trimmed: Frames,
    /// SHA-256 of the wire bytes, when a ledger is kept.
    pub sha256: Option<[u8; 32]>,
}

/// Where decoded frames go: the PCM ring or a WAV file. `write` may block (a
/// full ring) and is the decode thread's only brake.
pub trait Sink: Send {
    /// Called once, before the first frame, with what is decoded. Returns the
    /// layout the sink wants; the decoder converts to it from then on.
    fn open(&mut self, source: Format) -> Result<Spec, Problem>;

    /// Takes interleaved frames (frames × channels of the layout `open` returned).
    fn write(&mut self, samples: &[f32]) -> Result<(), Problem>;

    /// Notes where the frames of one segment went.
    fn segment(&mut self, done: &Provenance) -> Result<(), Problem>;

    /// No more frames: drains the ring, or gives the file its right header.
    /// Also called after a failure, so that what was decoded is kept.
    fn finish(&mut self) -> Result<(), Problem>;

    /// A seek: what was taken and not heard yet is not heard, and what comes now
    /// belongs to `position` of the stream. Files have nothing to take back.
    fn go_to(&mut self, _position: MediaTime) {}

    /// `held` frames after what was taken so far it goes on at `position` of the
    /// stream at another pace.
    fn pace(&mut self, _held: Frames, _position: MediaTime, _speed: Speed) {}
}
