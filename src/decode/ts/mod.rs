//! MPEG transport stream segments (ISO/IEC 13818-1, RFC 8216 section 3.2): a
//! pull demuxer for the sound in them. A source that may still be arriving goes
//! in, access units come out, each as soon as its bytes and its time are known;
//! pictures are passed over where they lie. Damage costs the frames it hits.

mod clock;
mod coding;
mod cutter;
mod init;
mod packet;
mod pes;
mod program;
mod section;
mod sound;
mod tables;
#[cfg(test)]
pub mod testkit;
mod titles;

use std::sync::Arc;

use crate::decode::unit::{Track, Unit};
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::media::Source;
use crate::stats::Stats;
use crate::units::{Frames, MediaTime};

use coding::Coding;
use packet::Packets;
use program::Choice;
use sound::{Dated, Sound};
use tables::Tables;
use titles::Titles;

pub use init::Init;
pub use packet::{SYNC, begins_ts, looks_like_ts};

/// Takes the access units of the first sound that can be played out of one segment.
pub struct Demuxer {
    streams: Streams,
    /// How the unit that was given last is coded; before, the first one.
    coding: Coding,
    track: Track,
    /// The next unit, when it was looked at.
    ahead: Option<Dated>,
}

/// What a segment leaves to the next: a frame that is not whole, the count of
/// packets and of time.
#[derive(Debug)]
pub struct Tail {
    sound: Sound,
    coding: Coding,
}

/// The packets of a source, and where they go.
struct Streams {
    packets: Packets,
    tables: Tables,
    sound: Sound,
    /// What is heard when all of `sound` was: the map says something else now.
    other: Option<Choice>,
    titles: Titles,
    stats: Arc<Stats>,
    is_over: bool,
}

impl Demuxer {
    /// Starts on a segment, at its first frame. `near` is when that one is
    /// expected: its stamp has 33 bits, and is unfolded to the moment nearest to
    /// it, or taken as it stands. `init` has the tables that the segment may leave
    /// out. `before` is the tail of the segment before, when this one goes on where
    /// that one ended.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] for something else than a transport stream,
    /// [`Kind::Unsupported`] or [`Kind::Encryption`] naming the sound that cannot
    /// be played, [`Kind::Malformed`] when there is none (but a segment that goes
    /// on from another may hold nothing but pictures), or the problem of the
    /// source.
    pub fn open(
        init: Option<&Init>,
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        near: Option<MediaTime>,
        before: Option<Tail>,
    ) -> Result<Self, Problem> {
        let window = Window::new(source, Arc::clone(&stats));
        let mut packets = Packets::open(window)?.ok_or_else(not_ts)?;
        let mut tables = init.map_or_else(Tables::new, Init::tables);
        let choice = match (choose(&mut packets, &mut tables)?, &before) {
            (Some(choice), _) => choice,
            (None, Some(tail)) => {
                packets.seek(0)?;
                tail.sound.choice()
            }
            (None, None) => return Err(no_map()),
        };
        let (sound, before) = match before {
            Some(tail) => (tail.sound.resume(choice, near), Some(tail.coding)),
            None => (Sound::new(choice, near), None),
        };
        let mut streams = Streams {
            packets,
            tables,
            sound,
            other: None,
            titles: Titles::new(),
            stats,
            is_over: false,
        };
        streams.gather()?;
        let coding = match (streams.sound.coding(), before) {
            (Err(problem), Some(coding)) if problem.kind == Kind::Malformed => coding,
            (coding, _) => coding?,
        };
        Ok(Self {
            streams,
            track: coding.track(),
            coding,
            ahead: None,
        })
    }

    /// What the first frame, or its LATM configuration, says; behind a turn
    /// ([`Demuxer::turns`]), what the next one says.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// Whether the next access unit needs another decoder than the one before:
    /// [`Demuxer::track`] is another one then.
    ///
    /// # Errors
    ///
    /// The problem of the source.
    pub fn turns(&mut self) -> Result<bool, Problem> {
        if self.ahead.is_none() {
            self.ahead = self.streams.next()?;
        }
        let next = self.ahead.as_ref().map(|dated| &dated.coding);
        let Some(coding) = next.filter(|next| !next.agrees(&self.coding)) else {
            return Ok(false);
        };
        self.coding = coding.clone();
        self.track = self.coding.track();
        Ok(true)
    }

    /// The next access unit; `None` at the end of the source. An ADTS frame keeps
    /// its header, LATM is taken off. Times jump where something is missing.
    ///
    /// # Errors
    ///
    /// The problem of the source.
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        self.turns()?;
        let Some(dated) = self.ahead.take() else {
            return Ok(None);
        };
        Ok(Some(Unit {
            data: self.streams.sound.unit(&dated),
            start: dated.start,
            end: dated.end,
            trim_start: Frames(0),
            trim_end: Frames(0),
        }))
    }

    /// The titles (timed ID3) that came since this was last asked, and when they
    /// apply on the media timeline.
    pub fn take_titles(&mut self) -> Vec<(MediaTime, String)> {
        self.streams.titles.take()
    }

    /// What the segment, all of which was taken, leaves to the next.
    pub fn into_tail(self) -> Option<Tail> {
        self.streams.is_over.then_some(Tail {
            sound: self.streams.sound,
            coding: self.coding,
        })
    }
}

impl Streams {
    /// The next frame that is whole.
    fn next(&mut self) -> Result<Option<Dated>, Problem> {
        loop {
            self.gather()?;
            match self.sound.next() {
                Some(dated) if !self.sound.unpack(&dated) => self.stats.decode_errors.add(1),
                Some(dated) => return Ok(Some(dated)),
                None => match self.other.take() {
                    Some(choice) => self.sound = self.sound.followed_by(choice),
                    None => return Ok(None),
                },
            }
        }
    }

    /// Reads until the next frame is ready, or nothing more comes of this sound.
    fn gather(&mut self) -> Result<(), Problem> {
        while !self.is_over && self.other.is_none() && !self.sound.is_ready() {
            let Some(packet) = self.packets.next()? else {
                self.is_over = true;
                return self.sound.end(&self.stats);
            };
            self.tables.push(&packet)?;
            let choice = self.sound.choice();
            if packet.pid == choice.pid {
                self.sound.push(&packet, &self.stats)?;
            } else if Some(packet.pid) == choice.titles {
                self.titles.push(&packet, self.sound.clock());
            } else if let Some(new) = self.tables.choice().filter(|new| *new != choice)
                && !self.sound.follow(new)
            {
                self.sound.end(&self.stats)?;
                self.other = Some(new);
            }
        }
        Ok(())
    }
}

/// Reads until a program map says what is heard; `None` when there is none.
/// Sound that came before it is not lost: the packets go back to where the first
/// one may be.
fn choose(packets: &mut Packets, tables: &mut Tables) -> Result<Option<Choice>, Problem> {
    if let Some(choice) = tables.choice() {
        return Ok(Some(choice));
    }
    let mut passed = None;
    loop {
        let position = packets.position();
        let Some(packet) = packets.next()? else {
            return tables.take_refusal().map_or(Ok(None), Err);
        };
        tables.push(&packet)?;
        let pid = packet.pid;
        if let Some(choice) = tables.choice() {
            if let Some(position) = passed {
                packets.seek(position)?;
            }
            return Ok(Some(choice));
        }
        if passed.is_none() && tables.may_be_stream(pid) {
            passed = Some(position);
        }
    }
}

fn not_ts() -> Problem {
    let why = "it holds no transport packets";
    broken(Kind::NotAStream, why)
}

fn no_map() -> Problem {
    let why = "it does not say what is in it (there is no program map)";
    broken(Kind::Malformed, why)
}

fn broken(kind: Kind, why: &str) -> Problem {
    let todo = "try another variant or source";
    Problem::new(kind, "cannot read the transport stream", why, todo)
}

#[cfg(test)]
mod tests;
