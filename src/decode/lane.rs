//! Decoded blocks become the presentation: priming, padding, pre-roll and what
//! lies outside the wanted window are cut, holes are filled with silence. The
//! one place where frames are dropped or made, so that nothing is trimmed twice.

use std::sync::Arc;

use crate::decode::codec::Block;
use crate::decode::outlet::Outlet;
use crate::decode::placement::{Placement, Window};
use crate::decode::unit::{Edit, Unit};
use crate::error::Problem;
use crate::media::{Format, Provenance};
use crate::stats::Stats;
use crate::units::{Frames, MediaTime, SampleRate};

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

/// The way from a decoded block to the outlet.
pub struct Lane<'a> {
    outlet: Outlet<'a>,
    /// Where the next frame belongs.
    pub placement: Placement,
    /// What is wanted of the presentation.
    pub window: Window,
    stats: Arc<Stats>,
    /// Frames behind the end of what may be the last unit: padding, unless
    /// another unit follows.
    tail: Vec<f32>,
    trimmed: Frames,
}

impl<'a> Lane<'a> {
    /// A lane that lets everything through.
    pub fn new(outlet: Outlet<'a>, stats: &Arc<Stats>) -> Self {
        Self {
            outlet,
            placement: Placement::new(),
            window: Window::default(),
            stats: Arc::clone(stats),
            tail: Vec::new(),
            trimmed: Frames(0),
        }
    }

    /// Frames the sink took so far, at its rate.
    pub fn written(&self) -> Frames {
        self.outlet.written()
    }

    /// Frames cut away since this was last asked, at the source's rate.
    pub fn take_trimmed(&mut self) -> Frames {
        std::mem::take(&mut self.trimmed)
    }

    /// Places one decoded block. With `may_be_last`, frames beyond the unit's
    /// own length are held back as possible padding.
    pub fn place(
        &mut self,
        times: Times,
        block: Block<'_>,
        format: Format,
        may_be_last: bool,
    ) -> Result<Flow, Problem> {
        if self.release_tail(format)? == Flow::Over {
            return Ok(Flow::Over);
        }
        let rate = block.spec.rate;
        let frames = block.frames().0;
        let front = times.trim_start.0.min(frames);
        let back = times.trim_end.0.min(frames - front);
        self.outlet.open_for(format)?;
        let offset = self.placement.offset(times.start, rate);
        if offset > 0 && self.silence(offset.unsigned_abs(), format)? == Flow::Over {
            return Ok(Flow::Over);
        }
        // Trimmed frames take their time, frames heard before do not.
        self.placement.advance(front, rate);
        let heard = offset.min(0).unsigned_abs();
        let skip = (front + heard).min(frames - back);
        let mut keep = frames - back - skip;
        if may_be_last {
            let own = (times.end - times.start).frames(rate).0;
            // A container that states no lengths has nothing to say here.
            if own > 0 {
                keep = keep.min(own.saturating_sub(skip));
            }
        }
        let part = |from: u64, count: u64| block.part(from, count);
        self.tail
            .extend_from_slice(part(skip + keep, frames - back - skip - keep));
        self.trimmed = self.trimmed + Frames(skip + back);
        let flow = self.pass(part(skip, keep), keep, format);
        self.stats
            .decoded_until
            .set(self.placement.next().unwrap_or_default());
        flow
    }

    /// Puts silence in place of a unit that could not be decoded.
    pub fn conceal(&mut self, times: Times, format: Format) -> Result<Flow, Problem> {
        if self.release_tail(format)? == Flow::Over {
            return Ok(Flow::Over);
        }
        self.silence((times.end - times.start).frames(format.spec.rate).0, format)
    }

    /// The run of units is over: what was held back was padding.
    pub fn drop_tail(&mut self, format: Option<Format>) {
        let channels = format.map_or(1, |format| format.spec.channels.count());
        self.trimmed = self.trimmed + Frames((self.tail.len() / channels) as u64);
        self.tail.clear();
    }

    /// Notes where the frames of one segment went.
    pub fn segment(&mut self, done: &Provenance) -> Result<(), Problem> {
        self.outlet.segment(done)
    }

    /// No more frames.
    pub fn finish(&mut self) -> Result<(), Problem> {
        self.outlet.finish()
    }

    fn release_tail(&mut self, format: Format) -> Result<Flow, Problem> {
        if self.tail.is_empty() {
            return Ok(Flow::On);
        }
        let tail = std::mem::take(&mut self.tail);
        let frames = (tail.len() / format.spec.channels.count()) as u64;
        let flow = self.pass(&tail, frames, format);
        self.tail = tail;
        self.tail.clear();
        flow
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
        Ok(if self.window.is_over(next, rate) {
            Flow::Over
        } else {
            Flow::On
        })
    }
}
