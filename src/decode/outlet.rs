//! The last part of the decode thread's way: frames of any layout are mapped to
//! the sink's channels, resampled to its rate and given to it. What is played
//! and what is cut away was decided before (`lane.rs`). Buffers are reused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::decode::remap::Remap;
use crate::decode::resample::Resampler;
use crate::error::Problem;
use crate::event::{Event, Events, State};
use crate::media::{Format, Provenance, Sink};
use crate::stats::{Stage, Stats};
use crate::units::{Frames, SampleRate, Spec};

/// Frames on their way to the sink.
pub struct Outlet<'a> {
    sink: &'a mut dyn Sink,
    stats: Arc<Stats>,
    events: Events,
    /// What the sink wants, once it has been opened.
    target: Option<Spec>,
    /// What comes in.
    source: Option<Format>,
    resampler: Option<(SampleRate, Resampler)>,
    mapped: Vec<f32>,
    /// Frames the sink took, at its rate.
    written: Frames,
}

impl<'a> Outlet<'a> {
    /// An outlet that has not opened its sink yet.
    pub fn new(sink: &'a mut dyn Sink, stats: &Arc<Stats>, events: &Events) -> Self {
        Self {
            sink,
            stats: Arc::clone(stats),
            events: events.clone(),
            target: None,
            source: None,
            resampler: None,
            mapped: Vec::new(),
            written: Frames(0),
        }
    }

    /// Frames given so far, at the sink's rate, with those that the resampler
    /// still holds.
    pub fn given(&self) -> Frames {
        let held = self.resampler.as_ref();
        self.written + Frames(held.map_or(0, |(_, resampler)| resampler.held()))
    }

    /// Opens the sink for what is decoded, if it is not open yet; a change of
    /// what is decoded is told.
    pub fn open_for(&mut self, format: Format) -> Result<Spec, Problem> {
        if self.source != Some(format) {
            self.source = Some(format);
            self.events.send(Event::Format(format));
            self.stats.lists().format = Some(format);
        }
        self.target.map_or_else(|| self.open(format), Ok)
    }

    /// Converts interleaved frames of `format` and gives them to the sink. Where
    /// the rate changes, the old resampler gives all it holds and the new one
    /// begins without its delay: a run of n frames at one rate becomes
    /// n × target / rate frames, rounded to the nearest.
    pub fn give(&mut self, samples: &[f32], format: Format) -> Result<(), Problem> {
        let target = self.open_for(format)?;
        if self
            .resampler
            .as_ref()
            .is_some_and(|(rate, _)| *rate != format.spec.rate)
        {
            self.flush_resampler()?;
        }
        let mapped = match Remap::new(format.spec.channels, target.channels) {
            None => samples,
            Some(remap) => {
                self.mapped.clear();
                remap.apply(samples, &mut self.mapped);
                &self.mapped
            }
        };
        let mut door = Door {
            sink: &mut *self.sink,
            stats: &self.stats,
            written: &mut self.written,
            target,
        };
        if format.spec.rate == target.rate {
            return door.write(mapped);
        }
        if self.resampler.is_none() {
            self.stats.begin(Stage::Resample);
            let resampler = Resampler::new(format.spec.rate, target.rate, target.channels)?;
            self.resampler = Some((format.spec.rate, resampler));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.process(mapped, &mut |block| door.write(block))?;
            self.stats.end(Stage::Resample);
        }
        Ok(())
    }

    /// Notes where the frames of one segment went.
    pub fn segment(&mut self, done: &Provenance) -> Result<(), Problem> {
        self.sink.segment(done)
    }

    /// Flushes the resampler and finishes the sink.
    pub fn finish(&mut self) -> Result<(), Problem> {
        let flushed = self.flush_resampler();
        let finished = self.sink.finish();
        flushed.and(finished)
    }

    fn open(&mut self, format: Format) -> Result<Spec, Problem> {
        let target = self.sink.open(format)?;
        self.stats.lists().output = Some(target);
        self.events.send(Event::State(State::Playing));
        self.target = Some(target);
        Ok(target)
    }

    fn flush_resampler(&mut self) -> Result<(), Problem> {
        let (Some((_, mut resampler)), Some(target)) = (self.resampler.take(), self.target) else {
            return Ok(());
        };
        let mut door = Door {
            sink: &mut *self.sink,
            stats: &self.stats,
            written: &mut self.written,
            target,
        };
        resampler.finish(&mut |block| door.write(block))
    }
}

/// The sink and what is counted on the way into it.
struct Door<'a> {
    sink: &'a mut dyn Sink,
    stats: &'a Stats,
    written: &'a mut Frames,
    target: Spec,
}

impl Door<'_> {
    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        // Tells the watchdog that a slow reader of our output is no hanging codec.
        self.stats.blocked.store(true, Ordering::Relaxed);
        let result = self.sink.write(samples);
        self.stats.blocked.store(false, Ordering::Relaxed);
        *self.written =
            *self.written + Frames((samples.len() / self.target.channels.count()) as u64);
        self.stats.end(Stage::FirstPcm);
        result
    }
}
