//! A whole file read with one of Symphonia's readers: its units in order, and
//! seeks that land early enough to decode exactly.
//!
//! Readers that would read the end of the file first are opened unable to seek,
//! and opened again when a seek is wanted.

mod seek;

use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use crate::decode::file::constant::Constant;
use crate::decode::file::demux::{Bytes, Demuxer, Failure, Part, malformed};
use crate::decode::file::gapless::Movie;
use crate::decode::file::probe::{Container, HEAD_BYTES};
use crate::decode::file::stream::Stream;
use crate::decode::unit::{Track, Unit};
use crate::error::Problem;
use crate::limits;
use crate::media::Codec;
use crate::units::{Frames, MediaTime};

/// A whole file, at some place in it.
pub struct Whole {
    bytes: Bytes,
    container: Container,
    /// The stream, behind any tag.
    part: Part,
    movie: Movie,
    /// For frames of constant bit rate.
    constant: Option<Constant>,

    demuxer: Demuxer,
    stream: Stream,
    /// Added to the reader's ticks: it was opened in the middle.
    late: i64,
    links: u32,

    /// The packet lent last, or the one a seek found.
    packet: Option<Packet>,
    /// A seek found `packet`, or the end; it was not given yet.
    is_found: bool,
    /// The decoder starts afresh with the next unit.
    is_fresh: bool,
    /// End of the last unit since the last seek.
    reached: Option<MediaTime>,
}

const TRUNCATED: &str = "it is truncated";

impl Whole {
    /// Opens the stream between byte `origin` and byte `end`, where the file
    /// should end, if that is known. `movie` is what the `moov` box says; other
    /// containers have an empty one.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::describe`], and `Malformed` when the reader refuses.
    pub fn open(
        bytes: Bytes,
        container: Container,
        (origin, end): (u64, Option<u64>),
        movie: Movie,
    ) -> Result<Self, Problem> {
        let wants_seeks = match container {
            // These read no tail when they may seek; CAF has its tables there.
            Container::Caf | Container::Flac | Container::Mp4 | Container::Wav => true,
            Container::Aiff | Container::Matroska | Container::Mpeg | Container::Ogg => false,
        };
        let part = Part {
            origin,
            is_seekable: wants_seeks && end.is_some(),
            end,
        };
        let opened = |failure| refused(container, failure);
        let mut demuxer = Demuxer::open(container, &bytes, part).map_err(opened)?;
        let packet = match container {
            Container::Matroska => demuxer.packet().map_err(opened)?,
            _ => None,
        };
        let first = packet.as_ref();
        let stream = Stream::describe(container, &demuxer, &movie, first)?;
        let mut whole = Self {
            is_found: packet
                .as_ref()
                .is_some_and(|packet| packet.track_id == stream.id),
            constant: None,
            late: 0,
            links: 0,
            is_fresh: true,
            reached: None,
            bytes,
            container,
            part,
            movie,
            demuxer,
            stream,
            packet,
        };
        whole.measure()?;
        Ok(whole)
    }

    /// The track that is played.
    pub fn track(&self) -> &Track {
        &self.stream.track
    }

    /// Artist and title, as the comments of the current stream tell them.
    pub fn title(&mut self) -> Option<String> {
        self.demuxer.title()
    }

    /// Whether the next unit begins another stream (chained Ogg):
    /// [`Whole::track`] is another one then, and wants its own decoder.
    ///
    /// # Errors
    ///
    /// Those of [`Whole::next`].
    pub fn turns(&mut self) -> Result<bool, Problem> {
        let before = self.links;
        if !self.is_found {
            self.packet = self.pull()?;
            self.is_found = true;
        }
        Ok(self.links != before)
    }

    /// The next unit; `None` at the true end.
    ///
    /// # Errors
    ///
    /// `Malformed` for a broken file and for one that ends before it should.
    #[expect(clippy::should_implement_trait, reason = "it lends, iterators do not")]
    pub fn next(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        if !std::mem::take(&mut self.is_found) {
            self.packet = self.pull()?;
        }
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let Some(packet) = &self.packet else {
            return Ok(None);
        };
        let mut unit = self.stream.clock.unit(packet);
        if is_fresh && self.stream.track.codec == Codec::Vorbis {
            unit.trim_start = Frames(u64::MAX); // half a window, and no other half
        }
        self.reached = Some(unit.end);
        Ok(Some(unit))
    }

    /// Lets the bit rate tell length and places of an MPEG stream.
    fn measure(&mut self) -> Result<(), Problem> {
        if self.container != Container::Mpeg {
            return Ok(());
        }
        let head = self.bytes.read_at(self.part.origin, HEAD_BYTES)?;
        self.constant = Constant::from_head(&head);
        if self.stream.track.duration.is_none() {
            let length = self
                .part
                .end
                .map(|end| end.saturating_sub(self.part.origin));
            let frames = length
                .zip(self.constant)
                .map(|(end, constant)| constant.frames_until(end));
            let ticks = frames.and_then(|frames| i64::try_from(frames).ok());
            self.stream.track.duration = ticks.map(|ticks| self.stream.clock.time(ticks));
        }
        Ok(())
    }

    /// The next packet of our track; `None` at the true end.
    fn pull(&mut self) -> Result<Option<Packet>, Problem> {
        let mut broken = 0;
        loop {
            match self.demuxer.packet() {
                Ok(Some(packet)) if packet.track_id == self.stream.id => {
                    let packet = self.placed(packet);
                    if !packet.data.is_empty() {
                        return Ok(Some(packet));
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return self.end(false),
                Err(Failure::Cut) => return self.end(true),
                Err(Failure::NewStream) => self.relink()?,
                Err(Failure::Broken(_)) if broken < limits::BAD_UNITS_IN_A_ROW => broken += 1,
                Err(failure) => return Err(refused(self.container, failure)),
            }
        }
    }

    /// `packet` at its time in the whole file. Readers of plain samples give
    /// what is left when a file ends within a packet: only whole frames of it.
    fn placed(&self, mut packet: Packet) -> Packet {
        packet.pts = Timestamp::new(packet.pts.get().saturating_add(self.late));
        let Some(frame) = self.stream.frame_bytes else {
            return packet;
        };
        let frames = packet.data.len() / frame;
        let whole = packet.data.get(..frames * frame);
        if let Some(whole) = whole.filter(|whole| whole.len() < packet.data.len()) {
            packet.data = Box::from(whole);
        }
        packet.dur = packet
            .dur
            .min(u64::try_from(frames).unwrap_or(u64::MAX).into());
        packet
    }

    /// The end of the bytes: a true one, or that of a file that was cut off.
    fn end(&self, in_the_middle: bool) -> Result<Option<Packet>, Problem> {
        let is_short = || {
            let reach = self.stream.reach.zip(self.reached);
            reach.is_some_and(|(reach, reached)| reached < reach)
        };
        let is_cut = match self.container {
            // They know their ends: `moov` lists every unit, the last page is marked.
            Container::Mp4 | Container::Ogg => in_the_middle,
            // Tags may follow MPEG frames; Matroska's reader stumbles at every end.
            _ => self.links == 0 && is_short(),
        };
        match is_cut {
            true => Err(malformed(self.container, TRUNCATED)),
            false => Ok(None),
        }
    }

    /// Another stream begins in the same file; its time goes on from here.
    fn relink(&mut self) -> Result<(), Problem> {
        let mut stream = Stream::describe(self.container, &self.demuxer, &self.movie, None)?;
        stream.clock.zero = stream.clock.zero + self.reached.unwrap_or(MediaTime::ZERO);
        self.stream = stream;
        self.links = self.links.saturating_add(1);
        self.is_fresh = true;
        Ok(())
    }

    /// Opens a reader anew, at the start of the stream.
    fn rewind(&mut self, is_seekable: bool) -> Result<(), Problem> {
        let part = Part {
            is_seekable: is_seekable && self.part.end.is_some(),
            ..self.part
        };
        self.reopen(part, 0)?;
        self.part = part;
        if std::mem::take(&mut self.links) > 0 {
            self.stream = Stream::describe(self.container, &self.demuxer, &self.movie, None)?;
        }
        Ok(())
    }

    /// Opens a reader anew over `part`, which begins `late` ticks into the stream.
    fn reopen(&mut self, part: Part, late: i64) -> Result<(), Problem> {
        self.demuxer = Demuxer::open(self.container, &self.bytes, part)
            .map_err(|failure| refused(self.container, failure))?;
        (self.packet, self.reached, self.late) = (None, None, late);
        Ok(())
    }
}

fn refused(container: Container, failure: Failure) -> Problem {
    match failure {
        Failure::Fatal(problem) => problem,
        Failure::Broken(why) => malformed(container, why),
        Failure::Cut => malformed(container, TRUNCATED),
        Failure::NewStream | Failure::NoSeek => malformed(container, "it contradicts itself"),
    }
}
