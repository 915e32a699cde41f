//! From the packets of one PID to frames with times. A frame whose time is not
//! known, because the ones before it were lost, waits for the next stamp and is
//! dated backwards from it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::decode::latm::Multiplex;
use crate::decode::ts::clock::{Clock, Lasts};
use crate::decode::ts::coding::Coding;
use crate::decode::ts::cutter::{Cutter, Frame};
use crate::decode::ts::packet::{Continuity, Order, Packet};
use crate::decode::ts::pes::Unpacker;
use crate::decode::ts::program::{Choice, Format};
use crate::error::{Kind, Problem};
use crate::stats::Stats;
use crate::units::MediaTime;

const HELD_BYTES: u64 = 32 << 10; // frames that wait: two seconds of 128 kbit/s

/// The sound of a program while it comes.
#[derive(Debug)]
pub struct Sound {
    choice: Choice,
    continuity: Continuity,
    unpacker: Unpacker,
    cutter: Cutter,
    /// Frames that were cut and not taken, the next one first.
    frames: VecDeque<Waiting>,
    clock: Clock,
    /// How the next LATM frame is to be read.
    multiplex: Option<Arc<Multiplex>>,
    /// The access unit of a LATM frame, which lies between other bits.
    unit: Vec<u8>,
    /// Nothing came yet of this segment, but something of the one before.
    is_resuming: bool,
}

/// A frame that was cut, and how it is read if it is of LATM.
#[derive(Clone, Debug)]
struct Waiting {
    frame: Frame,
    multiplex: Option<Arc<Multiplex>>,
}

/// A frame that is next, and its time.
#[derive(Clone, Debug)]
pub struct Dated {
    frame: Frame,
    /// How it is coded.
    pub coding: Coding,
    /// When its first sample is due.
    pub start: MediaTime,
    /// When its last one is over.
    pub end: MediaTime,
}

impl Sound {
    /// Nothing came yet; the first stamp is expected `near` this moment.
    pub fn new(choice: Choice, near: Option<MediaTime>) -> Self {
        Self {
            choice,
            continuity: Continuity::new(),
            unpacker: Unpacker::new(),
            cutter: Cutter::new(choice.format),
            frames: VecDeque::new(),
            clock: Clock::new(near),
            multiplex: None,
            unit: Vec::new(),
            is_resuming: false,
        }
    }

    /// The sound that takes the place of this one, which is over: its time goes
    /// on from here.
    pub fn followed_by(&self, choice: Choice) -> Self {
        Self {
            clock: self.clock,
            ..Self::new(choice, None)
        }
    }

    /// Goes on with the next segment: packagers cut where they like, also inside
    /// a frame, and do not repeat a LATM configuration for each segment.
    pub fn resume(mut self, choice: Choice, near: Option<MediaTime>) -> Self {
        if (choice.pid, choice.format) != (self.choice.pid, self.choice.format) {
            return Self::new(choice, near);
        }
        self.choice = choice;
        self.is_resuming = true;
        self
    }

    /// Where it is.
    pub fn choice(&self) -> Choice {
        self.choice
    }

    /// When the next frame is due.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The program map changed; false when the frames are others from now on.
    pub fn follow(&mut self, choice: Choice) -> bool {
        if choice.format != self.choice.format {
            return false;
        }
        if choice.pid != self.choice.pid {
            self.continuity = Continuity::new();
            self.restart();
        }
        self.choice = choice;
        true
    }

    fn restart(&mut self) {
        self.unpacker = Unpacker::new();
        self.cutter.restart();
    }

    /// Takes the next packet.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] for a kind of LATM that has no decoder.
    pub fn push(&mut self, packet: &Packet<'_>, stats: &Stats) -> Result<(), Problem> {
        let is_first = std::mem::take(&mut self.is_resuming);
        match self.continuity.judge(packet) {
            Order::Next => {}
            Order::Again => return Ok(()),
            // Packets are often counted anew in every segment.
            Order::Gap if is_first => self.restart(),
            Order::Gap => {
                self.unpacker.lose();
                self.cutter.lose();
            }
        }
        if let Some(part) = self.unpacker.push(packet) {
            stats.copied_bytes.add(part.bytes.len() as u64);
            self.cutter.push(part);
        }
        self.cut(false, stats)
    }

    /// Nothing more comes of this segment. A frame that is not whole may go on
    /// in the next.
    ///
    /// # Errors
    ///
    /// As [`Sound::push`].
    pub fn end(&mut self, stats: &Stats) -> Result<(), Problem> {
        self.cut(true, stats)
    }

    fn cut(&mut self, is_over: bool, stats: &Stats) -> Result<(), Problem> {
        while let Some(frame) = self.cutter.cut(is_over) {
            self.note_multiplex(&frame)?;
            let multiplex = self.multiplex.clone();
            self.frames.push_back(Waiting { frame, multiplex });
        }
        if self.frames.is_empty() {
            self.cutter.forget_before(None);
        }
        stats.decode_errors.add(self.cutter.take_losses());
        Ok(())
    }

    fn note_multiplex(&mut self, frame: &Frame) -> Result<(), Problem> {
        if self.cutter.format() != Format::Latm {
            return Ok(());
        }
        let bytes = self.cutter.bytes(frame);
        match &self.multiplex {
            Some(known) if known.holds_for(bytes) => return Ok(()),
            None if self.held_bytes() > HELD_BYTES => return Err(unconfigured()),
            _ => {}
        }
        match Multiplex::read(bytes) {
            Ok(Some(new)) => {
                let new = Arc::new(new);
                let unread = |waiting: &&mut Waiting| waiting.multiplex.is_none();
                for waiting in self.frames.iter_mut().filter(unread) {
                    waiting.multiplex = Some(Arc::clone(&new)); // joined late
                }
                self.multiplex = Some(new);
                Ok(())
            }
            Err(problem) if self.multiplex.is_none() && problem.kind != Kind::Malformed => {
                Err(problem)
            }
            // Broken: unpacking it will fail.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Whether the next frame is here and its time known, or not worth waiting for.
    pub fn is_ready(&self) -> bool {
        let Some(first) = self.frames.front() else {
            return false;
        };
        let has_stamp = |waiting: &Waiting| waiting.frame.stamp.is_some();
        let is_dated = self.clock.is_set() && !first.frame.is_after_loss
            || self.frames.iter().any(has_stamp)
            || self.held_bytes() > HELD_BYTES;
        is_dated && first.lasts().is_some()
    }

    /// Takes the next frame, and counts time on.
    pub fn next(&mut self) -> Option<Dated> {
        let first = self.frames.front()?;
        let (frame, coding) = (first.frame, first.coding());
        let lasts = coding.lasts()?;
        self.date(&frame, lasts);
        self.frames.pop_front();
        self.cutter.forget_before(Some(&frame));
        let (start, end) = self.clock.pass(lasts);
        Some(Dated {
            frame,
            coding,
            start,
            end,
        })
    }

    /// Unpacks a frame that was just taken; false when it is broken.
    pub fn unpack(&mut self, dated: &Dated) -> bool {
        if self.cutter.format() != Format::Latm {
            return true;
        }
        let bytes = self.cutter.bytes(&dated.frame);
        let multiplex = dated.coding.multiplex.as_ref();
        multiplex.is_some_and(|multiplex| multiplex.unpack(bytes, &mut self.unit).is_some())
    }

    /// The access unit of a frame that was just unpacked.
    pub fn unit(&self, dated: &Dated) -> &[u8] {
        match self.cutter.format() {
            Format::Latm => &self.unit,
            Format::Adts | Format::Mpeg => self.cutter.bytes(&dated.frame),
        }
    }

    /// Sets the clock for the frame that is next.
    fn date(&mut self, frame: &Frame, lasts: Lasts) {
        if frame.is_after_loss {
            self.clock.lose();
        }
        if self.clock.is_set() {
            if let Some(stamp) = frame.stamp {
                self.clock.heed(stamp, MediaTime::ZERO);
            }
            return;
        }
        let mut before = MediaTime::ZERO;
        for (index, waiting) in self.frames.iter().enumerate() {
            if index > 0 && waiting.frame.is_after_loss {
                before = before + lasts.time(); // one frame at least
            }
            if let Some(stamp) = waiting.frame.stamp {
                return self.clock.heed(stamp, before);
            }
            before = before + waiting.lasts().unwrap_or(lasts).time();
        }
        if frame.is_after_loss {
            self.clock.pass(lasts); // again one
        }
        self.clock.go_on();
    }

    fn held_bytes(&self) -> u64 {
        let first = self.frames.front();
        first.map_or(0, |first| self.cutter.held_bytes(&first.frame))
    }

    /// How the next frame is coded.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when there is no frame, [`Kind::Encryption`].
    pub fn coding(&self) -> Result<Coding, Problem> {
        let first = self.frames.front().map(Waiting::coding);
        let known = first.filter(|coding| coding.lasts().is_some());
        known.ok_or_else(|| self.silence())
    }

    /// Why there is no frame.
    fn silence(&self) -> Problem {
        if self.unpacker.has_scrambled() {
            let why = "its sound is scrambled by a conditional access system";
            return refused(Kind::Encryption, why.to_owned());
        }
        if !self.frames.is_empty() {
            return unconfigured();
        }
        let why = format!("there is no frame of {} in it", self.choice.format.name());
        refused(Kind::Malformed, why)
    }
}

impl Waiting {
    fn coding(&self) -> Coding {
        Coding {
            header: self.frame.header,
            multiplex: self.multiplex.clone(),
        }
    }

    fn lasts(&self) -> Option<Lasts> {
        self.coding().lasts()
    }
}

fn unconfigured() -> Problem {
    let why = "its LATM frames come without their configuration";
    refused(Kind::Malformed, why.to_owned())
}

fn refused(kind: Kind, why: String) -> Problem {
    let todo = "choose another variant with -Q";
    Problem::new(kind, "cannot play the transport stream", why, todo)
}
