//! Decoded blocks become the presentation: priming, padding, pre-roll and what
//! lies outside the wanted window are cut, holes and gaps are filled with
//! silence. The one place where frames are dropped or made, so that nothing is
//! trimmed twice.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::decode::codec::Block;
use crate::decode::outlet::{Entry, Outlet};
use crate::decode::placement::{Placement, Window};
use crate::decode::unit::{Edit, Unit};
use crate::error::Problem;
use crate::limits;
use crate::media::{Format, Provenance};
use crate::stats::Stats;
use crate::units::{Frames, MediaTime, SampleRate, Speed};

/// Silence is written in blocks of this many samples.
const SILENCE: [f32; 4096] = [0.0; 4096];

/// Whether more frames are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    On,
    /// The window is full.
    Over,
}

/// The times of an access unit, kept while its buffer is reused.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    start: MediaTime,
    end: MediaTime,
    trim_start: Frames,
    trim_end: Frames,
}

impl Times {
    /// Those of `unit`, counted from where the edit list begins.
    pub fn of(unit: &Unit<'_>, edit: Edit) -> Self {
        Self {
            start: unit.start - edit.start,
            end: unit.end - edit.start,
            trim_start: unit.trim_start,
            trim_end: unit.trim_end,
        }
    }
}

/// What the ledger says of a segment or a gap, without what the lane counts.
#[derive(Clone, Debug)]
pub struct Label {
    /// As in [`Provenance`].
    pub number: u64,
    /// As in [`Provenance`].
    pub variant: usize,
    /// As in [`Provenance`].
    pub url: String,
    /// As in [`Provenance`].
    pub sha256: Option<[u8; 32]>,
}

/// The way from a decoded block to the outlet.
pub struct Lane<'a> {
    outlet: Outlet<'a>,
    /// Where the next frame belongs.
    pub placement: Placement,
    /// What is wanted of the presentation.
    pub window: Window,
    stats: Arc<Stats>,
    /// What was placed last.
    format: Option<Format>,
    /// Frames behind the end of what may be the last unit: padding, unless
    /// another unit follows.
    tail: Vec<f32>,
    /// Gaps whose silence is not all made, and where each ends.
    owed: VecDeque<(MediaTime, Label)>,
    trimmed: Frames,
    /// Frames that the ledger knows of.
    noted: Frames,
    /// Another rendering of the same sound takes over.
    turn: Option<Turn>,
}

/// How far another rendering has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Not a frame of it came yet.
    Due,
    /// Its frames lie before what was placed so far.
    Warming,
}

impl<'a> Lane<'a> {
    /// A lane that lets everything through.
    pub fn new(outlet: Outlet<'a>, stats: &Arc<Stats>) -> Self {
        Self {
            outlet,
            placement: Placement::default(),
            window: Window::default(),
            stats: Arc::clone(stats),
            format: None,
            tail: Vec::new(),
            owed: VecDeque::new(),
            trimmed: Frames(0),
            noted: Frames(0),
            turn: None,
        }
    }

    /// What comes next is played at `speed`.
    pub fn set_speed(&mut self, speed: Speed) -> Result<(), Problem> {
        if self.outlet.speed() == speed || self.turn.is_some() {
            return Ok(()); // while one rendering takes over from another it waits
        }
        let position = self.placement.next().unwrap_or(self.window.from);
        self.outlet.set_speed(speed, position.max(self.window.from))
    }

    /// What comes next belongs to `position`; what is held is dropped.
    pub fn go_to(&mut self, position: MediaTime) {
        self.outlet.go_to(position);
        self.placement.rewind();
        self.tail.clear();
        self.owed.clear();
        self.trimmed = Frames(0);
        self.noted = Frames(0);
        self.turn = None;
    }

    /// Whether nothing came yet of a rendering that takes over.
    pub fn is_turning(&self) -> bool {
        self.turn == Some(Turn::Due)
    }

    /// Takes a block of what is heard from beyond its end; false when it is of
    /// no use.
    pub fn keep(&mut self, block: Block<'_>, format: Format) -> Result<bool, Problem> {
        match self.format {
            Some(before) if before.spec == format.spec => {
                self.release_tail()?;
                self.outlet.keep(block.samples, format)
            }
            _ => Ok(false),
        }
    }

    /// What comes next is the same sound as another decoder gives it. Its frames
    /// warm up unheard where they lie before this place.
    pub fn turn(&mut self) -> Result<(), Problem> {
        if self.format.is_some() {
            self.turn = Some(Turn::Due);
            self.outlet.turn()?;
        }
        Ok(())
    }

    /// Places one decoded block. With `may_be_last`, frames beyond the unit's
    /// own length are held back as possible padding. What a fresh decoder gives
    /// in the first `warms` is not right yet.
    pub fn place(
        &mut self,
        times: Times,
        block: Block<'_>,
        format: Format,
        may_be_last: bool,
        warms: MediaTime,
    ) -> Result<Flow, Problem> {
        if self.release_tail()? == Flow::Over {
            return Ok(Flow::Over);
        }
        let rate = block.spec.rate;
        let frames = block.frames().0;
        let front = times.trim_start.0.min(frames);
        let back = times.trim_end.0.min(frames - front);
        self.outlet.open_for(format)?;
        let before = self.format.replace(format);
        let place = self.placement.next();
        let offset = self.placement.offset(times.start, rate);
        if self.turn == Some(Turn::Due) {
            let mut first = self.placement.position(times.start) - place.unwrap_or_default();
            if before.is_some_and(|before| before.spec.rate == rate) {
                // Whole frames lie between them, whatever the rounding of stamps.
                first = MediaTime::from_ticks(first.frame(rate), rate.timescale());
            }
            let begins = first - Frames(offset.silence).time(rate);
            self.outlet.enter(Entry {
                format,
                begins,
                is_warm: first + warms,
            })?;
            self.turn = Some(Turn::Warming);
        }
        if self.fill(offset.silence, format)? == Flow::Over {
            return Ok(Flow::Over);
        }
        // Trimmed frames take their time, frames that lie behind do not.
        self.placement.advance(front, rate);
        let skip = (front + offset.behind).min(frames - back);
        let mut keep = frames - back - skip;
        if may_be_last {
            let own = (times.end - times.start).frames(rate).0;
            // A container that states no lengths has nothing to say here.
            if own > 0 {
                keep = keep.min(own.saturating_sub(skip));
            }
        }
        let part = |from: u64, count: u64| block.part(from, count);
        if self.turn.is_some() {
            self.outlet.lead(part(front, skip - front))?;
            self.turn.take_if(|_| offset.behind == 0);
        }
        self.tail
            .extend_from_slice(part(skip + keep, frames - back - skip - keep));
        self.trimmed = self.trimmed + Frames(skip + back);
        self.pass(part(skip, keep), keep, format)
    }

    /// Puts silence in place of a unit that could not be decoded.
    pub fn conceal(&mut self, times: Times) -> Result<Flow, Problem> {
        let Some(format) = self.format else {
            return Ok(Flow::On);
        };
        if self.release_tail()? == Flow::Over {
            return Ok(Flow::Over);
        }
        self.silence((times.end - times.start).frames(format.spec.rate).0, format)
    }

    /// Silence for a stretch without bytes, which the playlist puts at `start`.
    /// Before the first block it is owed: nobody knows its layout yet.
    pub fn gap(
        &mut self,
        label: Label,
        start: MediaTime,
        duration: MediaTime,
    ) -> Result<Flow, Problem> {
        let certain = self.placement.gap(start, duration);
        let end = self.placement.end().unwrap_or(certain);
        let is_full = self.owed.len() == limits::GAPS_OWED;
        match self.owed.back_mut().filter(|_| is_full) {
            Some((last, _)) => *last = end,
            None => self.owed.push_back((end, label)),
        }
        let Some(format) = self.format else {
            return Ok(Flow::On);
        };
        let frames = self.placement.frames_until(certain, format.spec.rate);
        self.make_owed(frames, format)
    }

    /// Makes all silence that is owed; false when nobody knows its layout.
    pub fn settle(&mut self) -> Result<bool, Problem> {
        if self.owed.is_empty() {
            return Ok(true);
        }
        let Some(format) = self.format else {
            return Ok(false);
        };
        let end = self.placement.end().unwrap_or_default();
        let frames = self.placement.frames_until(end, format.spec.rate);
        self.fill(frames, format)?;
        self.placement.settle();
        Ok(true)
    }

    /// The run of units is over: what was held back was padding.
    pub fn drop_tail(&mut self) {
        let channels = self.format.map_or(1, |format| format.spec.channels.count());
        self.trimmed = self.trimmed + Frames((self.tail.len() / channels) as u64);
        self.tail.clear();
    }

    /// Notes where the frames since the last note went, and returns how many
    /// they were.
    pub fn note(&mut self, label: Label) -> Result<Frames, Problem> {
        let given = self.outlet.given();
        let frames = given - self.noted;
        self.noted = given;
        self.outlet.segment(&Provenance {
            number: label.number,
            variant: label.variant,
            url: label.url,
            frames,
            trimmed: std::mem::take(&mut self.trimmed),
            sha256: label.sha256,
        })?;
        Ok(frames)
    }

    /// No more frames.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.outlet.finish()
    }

    fn release_tail(&mut self) -> Result<Flow, Problem> {
        let Some(format) = self.format.filter(|_| !self.tail.is_empty()) else {
            return Ok(Flow::On);
        };
        let tail = std::mem::take(&mut self.tail);
        let frames = (tail.len() / format.spec.channels.count()) as u64;
        let flow = self.pass(&tail, frames, format);
        self.tail = tail;
        self.tail.clear();
        flow
    }

    /// Silence before a block: what gaps owe, and holes. Whatever is left of it
    /// belongs to the last gap.
    fn fill(&mut self, frames: u64, format: Format) -> Result<Flow, Problem> {
        if let Some((end, _)) = self.owed.back_mut() {
            *end = MediaTime::MAX;
        }
        let flow = self.make_owed(frames, format)?;
        while !self.owed.is_empty() {
            self.note_gap()?;
        }
        Ok(flow)
    }

    /// Silence of `frames`; gaps whose end it reaches are noted.
    fn make_owed(&mut self, mut frames: u64, format: Format) -> Result<Flow, Problem> {
        let mut flow = Flow::On;
        while let Some(&(end, _)) = self.owed.front() {
            let own = self.placement.frames_until(end, format.spec.rate);
            if flow == Flow::Over || own > frames {
                break;
            }
            flow = self.silence(own, format)?;
            frames -= own;
            self.note_gap()?;
        }
        if flow == Flow::On {
            flow = self.silence(frames, format)?;
            if flow == Flow::Over {
                self.note_gap()?;
            }
        }
        if flow == Flow::Over {
            self.owed.clear(); // nothing of them is heard
        }
        Ok(flow)
    }

    fn note_gap(&mut self) -> Result<(), Problem> {
        match self.owed.pop_front() {
            Some((_, label)) => self.note(label).map(drop),
            None => Ok(()),
        }
    }

    fn silence(&mut self, mut frames: u64, format: Format) -> Result<Flow, Problem> {
        let channels = format.spec.channels.count();
        while frames > 0 {
            let count = frames.min((SILENCE.len() / channels) as u64);
            let samples = usize::try_from(count).unwrap_or(0) * channels;
            if self.pass(&SILENCE[..samples], count, format)? == Flow::Over {
                return Ok(Flow::Over);
            }
            frames -= count;
        }
        Ok(Flow::On)
    }

    /// Advances over `frames` and lets through those inside the window.
    fn pass(&mut self, samples: &[f32], frames: u64, format: Format) -> Result<Flow, Problem> {
        let rate: SampleRate = format.spec.rate;
        let channels = format.spec.channels.count();
        let begin = self.placement.advance(frames, rate);
        let (skip, keep) = self.window.cut(begin, frames, rate);
        if keep > 0 {
            // Both are at most `frames`, which are in memory.
            let index = |frame: u64| {
                usize::try_from(frame)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(channels)
            };
            self.outlet
                .give(&samples[index(skip)..index(skip + keep)], format)?;
        }
        self.trimmed = self.trimmed + Frames(frames - keep);
        let next = self.placement.next().unwrap_or_default();
        self.stats.decoded_until.set(next);
        Ok(if self.window.is_over(next, rate) {
            Flow::Over
        } else {
            Flow::On
        })
    }
}
