//! Packed audio: frames of AAC (ADTS) or MPEG audio one after another, without
//! a container (RFC 8216 section 3.4). A pull demuxer for segments, and for
//! whole ADTS files. Passes over tags and damage; counts time in frames.

mod clock;
mod cut;
mod framing;
mod header;

use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3};

use crate::decode::unit::{Edit, Track, Unit};
use crate::decode::window::Window;
use crate::decode::{id3, mpeg, ticks};
use crate::error::{Kind, Problem};
use crate::media::{Codec, Source};
use crate::stats::Stats;
use crate::units::{Frames, MediaTime};

use clock::Clock;
use framing::{find_frame, frame_here, is_end_tag, skip_tags};
use header::{HEADER_BYTES, Header};

pub use cut::Cut;
pub use framing::looks_like_adts;

const JUNK_BYTES: u64 = 64 << 10; // at the end of a file, of an unknown tag
const JITTER: MediaTime = MediaTime::from_nanos(10_000_000); // clocks are rounded, to milliseconds at worst
const TITLES: usize = 64; // kept until they are asked for

/// Takes the frames out of one source.
pub struct Demuxer {
    window: Window,
    track: Track,
    header: Header,
    clock: Clock,
    beginning: Beginning,
    /// Frames still to be dropped from the front: the encoder's delay.
    delay: Frames,
    titles: Vec<(MediaTime, String)>,
    /// Another segment may follow: one frame may go on in it.
    is_segment: bool,
    cut: Option<Cut>,
}

/// Where the first frame lies, and what was known there.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    position: u64,
    header: Header,
    clock: Clock,
}

impl Demuxer {
    /// Starts on a whole file of ADTS, at its first frame, wherever that is.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] when there is no frame, or the problem of the source.
    pub fn open(source: Box<dyn Source>, stats: Arc<Stats>) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        let tag = skip_tags(&mut window)?;
        let header = find_frame(&mut window, None)?.ok_or_else(not_packed)?;
        let title = tag.and_then(|tag| tag.title);
        Ok(Self::over(window, header, MediaTime::ZERO, title))
    }

    /// Starts on a stream that was joined in its midst and breaks off anywhere.
    ///
    /// # Errors
    ///
    /// As [`Demuxer::open`].
    pub fn join(source: Box<dyn Source>, stats: Arc<Stats>) -> Result<Self, Problem> {
        let mut demuxer = Self {
            is_segment: true,
            ..Self::open(source, stats)?
        };
        demuxer.skip_information(MediaTime::MAX)?;
        Ok(demuxer)
    }

    /// Bytes of the source that were given as frames or passed over.
    pub fn taken(&self) -> u64 {
        self.window.position()
    }

    /// Starts on a segment. Its first frame is due when the tag before it says,
    /// unfolded to the moment nearest to `near`. Without a timestamp it is due
    /// at `near`, or else at `start`.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] when neither a tag nor a frame comes first,
    /// [`Kind::Unsupported`] naming AC-3 and its kin, or the problem of the source.
    pub fn segment(
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        start: MediaTime,
        near: Option<MediaTime>,
    ) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        let tag = skip_tags(&mut window)?;
        if let Some(name) = foreign(window.bytes()) {
            return Err(unsupported(name));
        }
        let header = match tag {
            // Bytes that were decrypted with a wrong key are searched for nothing.
            None => frame_here(&mut window)?,
            Some(_) => find_frame(&mut window, None)?,
        };
        let header = header.ok_or_else(not_packed)?;
        let tag = tag.unwrap_or_default();
        let origin = match tag.timestamp {
            Some(timestamp) => ticks::unfold(timestamp, near),
            None => near.unwrap_or(start),
        };
        let mut demuxer = Self {
            is_segment: true,
            ..Self::over(window, header, origin, tag.title)
        };
        demuxer.skip_information(start)?;
        Ok(demuxer)
    }

    fn over(window: Window, header: Header, origin: MediaTime, title: Option<String>) -> Self {
        let clock = Clock::new(origin, header.rate());
        let beginning = Beginning {
            position: window.position(),
            header,
            clock,
        };
        Self {
            window,
            track: track(&header),
            header,
            clock,
            beginning,
            delay: Frames(0),
            titles: title.map(|title| (origin, title)).into_iter().collect(),
            is_segment: false,
            cut: None,
        }
    }

    /// Passes over a first frame that holds information instead of sound. The
    /// delay it states is the stream's, so it counts where the stream begins:
    /// programs that cut files write the frame into each of their pieces.
    fn skip_information(&mut self, start: MediaTime) -> Result<(), Problem> {
        let Header::Mpeg(header) = self.header else {
            return Ok(());
        };
        self.window.fill(header.length)?;
        let Some(information) = mpeg::information(self.window.bytes(), &header) else {
            return Ok(());
        };
        if start == MediaTime::ZERO {
            self.delay = information.delay;
        }
        self.window.skip(header.length as u64)?;
        Ok(())
    }

    /// What the first frame says.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// The first frame began in the segment before, and is due at `time`: the tag
    /// may mean the frame behind it.
    pub fn go_on_at(&mut self, time: MediaTime) {
        let ahead = self.clock.now() - time;
        let length = self.header.frames().time(self.header.rate());
        let most = length + JITTER;
        if ahead <= most && MediaTime::ZERO - ahead <= most {
            self.clock = Clock::new(time, self.header.rate());
        }
    }

    /// The titles of tags met since this was last asked, each with the time of
    /// the frame that follows it. Not yet made safe.
    pub fn take_titles(&mut self) -> Vec<(MediaTime, String)> {
        std::mem::take(&mut self.titles)
    }

    /// The next frame, with its header; `None` at the end of the source.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when a file ends inside a frame or the source holds no
    /// more frames, or the problem of the source.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        let Some(header) = self.next_header()? else {
            return Ok(None);
        };
        if self.is_segment && !self.window.fill(header.length())? {
            self.break_off()?;
            return Ok(None);
        }
        let (start, end) = self.clock.pass(&header);
        let trim_start = Frames(self.delay.0.min(header.frames().0));
        self.delay = self.delay - trim_start;
        let data = self.window.take(header.length())?;
        Ok(Some(Unit {
            data: data.ok_or_else(truncated)?,
            start,
            end,
            trim_start,
            trim_end: Frames(0),
        }))
    }

    /// The frame that the segment, all of which was taken, ends inside of.
    pub fn into_cut(self) -> Option<Cut> {
        self.cut
    }

    /// The source ends inside a frame.
    fn break_off(&mut self) -> Result<(), Problem> {
        if !self.is_segment {
            return Err(truncated());
        }
        let mut after = self.clock;
        let (start, end) = after.pass(&self.header);
        let bytes = self.window.bytes().to_vec();
        self.window.skip(bytes.len() as u64)?;
        self.cut = Some(Cut {
            bytes,
            like: self.header,
            start,
            end,
        });
        Ok(())
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
            if !self.window.skip(header.length() as u64)? {
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
        // Segments glued together keep their tags, and radios tell titles so.
        let tag = skip_tags(&mut self.window)?;
        self.note(tag);
        match self.window.bytes() {
            end if is_end_tag(end) => return Ok(None),
            [0xFF, rest @ ..] if rest.len() + 1 < HEADER_BYTES => {
                return self.break_off().map(|()| None);
            }
            _ => {}
        }
        let lost_at = self.window.position();
        let found = find_frame(&mut self.window, Some(&self.header))?;
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
        self.clock.change_rate(header.rate());
        self.header = header;
        Ok(Some(header))
    }

    fn note(&mut self, tag: Option<id3::Tag>) {
        let title = tag.and_then(|tag| tag.title);
        if let Some(title) = title.filter(|_| self.titles.len() < TITLES) {
            self.titles.push((self.clock.now(), title));
        }
    }
}

/// Whether `head`, the first bytes of a segment, begin like packed audio: with
/// a tag or a frame, be it one that is only known to be refused.
pub fn looks_packed(head: &[u8]) -> bool {
    head.starts_with(b"ID3") || Header::read(head).is_some() || foreign(head).is_some()
}

/// Frames that are recognised only to be refused by name (ETSI TS 102 366
/// sections 4.4.1 and E.1.3.1).
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let &[0x0B, 0x77, _, _, _, version, ..] = bytes else {
        return None;
    };
    match version >> 3 {
        0..=10 => Some("AC-3 (Dolby Digital)"),
        11..=16 => Some("E-AC-3 (Dolby Digital Plus)"),
        _ => None,
    }
}

fn track(header: &Header) -> Track {
    let (codec, id) = match header {
        Header::Adts(_) => (Codec::Aac, CODEC_ID_AAC),
        Header::Mpeg(_) => (Codec::Mp3, CODEC_ID_MP3), // the decoder finds the layer by itself
    };
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(id)
        .with_sample_rate(header.rate().hertz());
    Track {
        codec,
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

fn not_packed() -> Problem {
    broken(Kind::NotAStream, "it holds no frame of AAC or MP3")
}

fn broken(kind: Kind, why: &str) -> Problem {
    Problem::new(
        kind,
        "cannot read the packed audio",
        why,
        "try another variant or source",
    )
}

fn unsupported(name: &str) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot read the packed audio",
        format!("it is {name}, which has no decoder here"),
        "choose a variant with AAC or MP3",
    )
}

#[cfg(test)]
mod tests;
