//! A whole file read with one of Symphonia's readers: its units in order, and
//! seeks that land early enough to decode exactly.
//!
//! Readers open unable to seek, because able ones read the end of the file
//! first; they are opened again when a seek is wanted.

use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use crate::decode::file::demux::{Bytes, Demuxer, Failure, malformed};
use crate::decode::file::gapless::Movie;
use crate::decode::file::mpeg::{self, Constant};
use crate::decode::file::probe::{Container, HEAD_BYTES};
use crate::decode::file::stream::Stream;
use crate::decode::unit::{Track, Unit};
use crate::error::Problem;
use crate::limits;
use crate::media::Codec;
use crate::units::{Frames, MediaTime, SampleRate};

/// A whole file, at some place in it.
pub struct Whole {
    bytes: Bytes,
    container: Container,
    /// Where the stream begins, behind any tag.
    origin: u64,
    movie: Movie,
    /// For frames of constant bit rate.
    constant: Option<Constant>,

    demuxer: Demuxer,
    is_seekable: bool,
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
    frame_bytes: Option<usize>,
}

/// How far before its goal a seek tries again when the reader overshot it.
const STEPS_BACK: [f64; 3] = [0.0, 10.0, 60.0];
/// The last page of Ogg has no time of its own; no page holds more than this.
const OGG_PAGE_SECONDS: f64 = 6.0;

impl Whole {
    /// Opens the stream that begins at byte `origin`. `movie` is what the
    /// `moov` box says; other containers have an empty one.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::describe`], and `Malformed` when the reader refuses.
    pub fn open(
        bytes: Bytes,
        container: Container,
        origin: u64,
        movie: Movie,
    ) -> Result<Self, Problem> {
        let wants_seeks = match container {
            // These read no tail when they may seek; CAF has its tables there.
            Container::Caf | Container::Flac | Container::Mp4 | Container::Wav => true,
            Container::Aiff | Container::Matroska | Container::Mpeg | Container::Ogg => false,
        };
        let is_seekable = wants_seeks && bytes.length().is_some();
        let opened = |failure| refused(container, failure);
        let mut demuxer = Demuxer::open(container, &bytes, origin, is_seekable).map_err(opened)?;
        let packet = match container {
            Container::Matroska => demuxer.next().map_err(opened)?,
            _ => None,
        };
        let first = packet.as_ref().map_or(0, |packet| packet.pts.get());
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
            frame_bytes: None,
            bytes,
            container,
            origin,
            movie,
            demuxer,
            is_seekable,
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

    /// How many streams have followed the first (chained Ogg). When it moves,
    /// [`Whole::track`] is another one and wants its own decoder.
    pub fn links(&self) -> u32 {
        self.links
    }

    /// The next unit; `None` at the true end.
    ///
    /// # Errors
    ///
    /// `Malformed` for a broken file and for one that ends before it should.
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

    /// Goes to a unit early enough before `to` (media time) that decoding from
    /// there and dropping frames gives what decoding from the start gives.
    /// Returns the start of that unit, or where the file ends.
    ///
    /// # Errors
    ///
    /// Those of [`Whole::next`].
    pub fn seek(&mut self, to: MediaTime) -> Result<MediaTime, Problem> {
        let goal = to - self.preroll();
        let is_there = match self.container {
            Container::Mpeg => self.jump_by_rate(goal)?,
            _ => self.jump_by_reader(goal)?,
        };
        if !is_there {
            self.walk(goal)?;
        }
        self.is_found = true;
        self.is_fresh = true;
        let ended = self.reached.unwrap_or(to);
        Ok(self.start().unwrap_or(ended))
    }

    /// Lets the bit rate tell length and places of an MPEG stream.
    fn measure(&mut self) -> Result<(), Problem> {
        if self.container != Container::Mpeg {
            return Ok(());
        }
        let head = self.bytes.read_at(self.origin, HEAD_BYTES)?;
        self.constant = Constant::from_head(&head);
        if self.stream.track.duration.is_none() {
            let length = self
                .bytes
                .length()
                .map(|end| end.saturating_sub(self.origin));
            let frames = length
                .zip(self.constant)
                .map(|(end, constant)| constant.frames_until(end));
            let ticks = frames.and_then(|frames| i64::try_from(frames).ok());
            self.stream.track.duration = ticks.map(|ticks| self.stream.clock.time(ticks));
        }
        Ok(())
    }

    /// Time that a decoder needs to come to the same state, whatever was before.
    fn preroll(&self) -> MediaTime {
        let frames = match self.stream.track.codec {
            Codec::Aac => 4 * 2048,    // overlap, and the delay line of SBR
            Codec::Mp3 => 32 * 1152,   // bit reservoir: 255 bytes are 20 frames at 8 kbit/s
            Codec::Vorbis => 2 * 8192, // two of the longest blocks
            Codec::Opus => 48 * 80,    // 80 ms: RFC 7845 section 4.6
            Codec::Alac | Codec::Flac | Codec::Pcm | Codec::Other => 0,
        };
        let stated = self.stream.track.parameters.sample_rate;
        let slowest = SampleRate::new(*limits::SAMPLE_RATE.start());
        let rate = stated.and_then(SampleRate::new).or(slowest);
        rate.map_or(MediaTime::ZERO, |rate| Frames(frames).time(rate))
    }

    /// The next packet of our track; `None` at the true end.
    fn pull(&mut self) -> Result<Option<Packet>, Problem> {
        let mut broken = 0;
        loop {
            match self.demuxer.next() {
                Ok(Some(packet)) if packet.track_id == self.stream.id => {
                    if self.is_cut(&packet) {
                        return self.end(true);
                    }
                    if !packet.data.is_empty() {
                        return Ok(Some(self.placed(packet)));
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

    fn placed(&self, mut packet: Packet) -> Packet {
        packet.pts = Timestamp::new(packet.pts.get().saturating_add(self.late));
        packet
    }

    /// Whether the file ended inside this packet: readers of plain samples
    /// give what is left of it.
    fn is_cut(&mut self, packet: &Packet) -> bool {
        let Ok(frames) = usize::try_from(packet.dur.get()) else {
            return true;
        };
        if self.stream.track.codec != Codec::Pcm || frames == 0 {
            return false;
        }
        let known = *self.frame_bytes.get_or_insert(packet.data.len() / frames);
        frames.saturating_mul(known) != packet.data.len()
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
            true => Err(malformed(
                self.container,
                "it is truncated: its end is missing",
            )),
            false => Ok(None),
        }
    }

    /// Another stream begins in the same file; its time goes on from here.
    fn relink(&mut self) -> Result<(), Problem> {
        let mut stream = Stream::describe(self.container, &self.demuxer, &self.movie, 0)?;
        stream.clock.zero = stream.clock.zero + self.reached.unwrap_or(MediaTime::ZERO);
        self.stream = stream;
        self.links = self.links.saturating_add(1);
        self.is_fresh = true;
        Ok(())
    }

    /// Opens a reader anew at byte `origin`, `late` ticks into the stream.
    fn reopen(&mut self, origin: u64, late: i64, is_seekable: bool) -> Result<(), Problem> {
        let is_seekable = is_seekable && self.bytes.length().is_some();
        self.demuxer = Demuxer::open(self.container, &self.bytes, origin, is_seekable)
            .map_err(|failure| refused(self.container, failure))?;
        if std::mem::take(&mut self.links) > 0 {
            self.stream = Stream::describe(self.container, &self.demuxer, &self.movie, 0)?;
        }
        (self.is_seekable, self.late) = (is_seekable, late);
        (self.packet, self.reached) = (None, None);
        Ok(())
    }

    /// MPEG frames of constant bit rate: the place follows from the time, and
    /// is proved by the frames that are found there.
    fn jump_by_rate(&mut self, goal: MediaTime) -> Result<bool, Problem> {
        let delay = i64::from(self.stream.delay);
        let Some(constant) = self.constant else {
            return Ok(false);
        };
        let tick = u64::try_from(self.stream.clock.tick(goal).saturating_add(delay)).unwrap_or(0);
        let number = tick / constant.frames();
        if number < 2 {
            return Ok(false);
        }
        let place = self.origin.saturating_add(constant.place(number));
        let window = self.bytes.read_at(place, mpeg::WINDOW_BYTES)?;
        let Some(found) = constant.find(&window) else {
            return Ok(false);
        };
        let late = i64::try_from(number * constant.frames()).unwrap_or(i64::MAX);
        let origin = place + u64::try_from(found).expect("inside a window");
        self.reopen(origin, late - delay, false)?;
        self.packet = self.pull()?;
        Ok(self.packet.is_some())
    }

    fn jump_by_reader(&mut self, goal: MediaTime) -> Result<bool, Problem> {
        // Matroska's reader keeps packets over a seek and then stops at them.
        if !self.is_seekable || self.links > 0 || self.container == Container::Matroska {
            self.reopen(self.origin, 0, true)?;
        }
        for back in STEPS_BACK {
            let goal = self.before_end(goal) - MediaTime::from_seconds(back);
            if self.stream.clock.tick(goal) <= 0 {
                self.reopen(self.origin, 0, true)?;
                self.packet = self.pull()?;
                return Ok(true);
            }
            match self
                .demuxer
                .seek(self.stream.id, Timestamp::new(self.stream.clock.tick(goal)))
            {
                Ok(_) => self.packet = self.pull()?,
                Err(Failure::Fatal(problem)) => return Err(problem),
                Err(_) => self.reopen(self.origin, 0, true)?,
            }
            if self.start().is_some_and(|start| start <= goal) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `goal`, moved to where readers still find a packet with a sure time.
    fn before_end(&self, goal: MediaTime) -> MediaTime {
        let track = self
            .demuxer
            .tracks()
            .iter()
            .find(|track| track.id == self.stream.id);
        let ticks = track.and_then(|track| i64::try_from(track.duration?.get()).ok());
        let Some(end) = ticks.map(|ticks| self.stream.clock.time(ticks.saturating_sub(1))) else {
            return goal;
        };
        match self.container {
            Container::Ogg => goal.min(end - MediaTime::from_seconds(OGG_PAGE_SECONDS)),
            _ => goal.min(end),
        }
    }

    /// Reads on, from here or from the start, to the packet that is heard
    /// after `goal`.
    fn walk(&mut self, goal: MediaTime) -> Result<(), Problem> {
        if self.reached.is_none_or(|reached| reached > goal) {
            self.reopen(self.origin, 0, self.is_seekable)?;
        }
        loop {
            self.packet = self.pull()?;
            let Some(packet) = &self.packet else {
                return Ok(());
            };
            let end = self.stream.clock.unit(packet).end;
            if end > goal {
                return Ok(());
            }
            self.reached = Some(end);
        }
    }

    fn start(&self) -> Option<MediaTime> {
        let packet = self.packet.as_ref()?;
        Some(self.stream.clock.unit(packet).start)
    }
}

fn refused(container: Container, failure: Failure) -> Problem {
    match failure {
        Failure::Fatal(problem) => problem,
        Failure::Broken(why) => malformed(container, why),
        Failure::Cut => malformed(container, "it is truncated: its head is missing"),
        Failure::NewStream | Failure::NoSeek => malformed(container, "it contradicts itself"),
    }
}
