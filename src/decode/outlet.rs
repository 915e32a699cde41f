//! The last part of the decode thread's way: frames of any layout are converted
//! to the sink's, where one rendering takes over from another they are faded,
//! and the sink gets them. What is played and what is cut away was decided
//! before (`lane.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::decode::mixer::Mixer;
use crate::decode::voice::{Place, Voice};
use crate::error::Problem;
use crate::event::{Event, Events, State};
use crate::media::{Format, Provenance, Sink};
use crate::stats::{Stage, Stats};
use crate::units::{Frames, MediaTime, Spec, Speed};

/// Frames on their way to the sink.
pub struct Outlet<'a> {
    door: Door<'a>,
    events: Events,
    /// What comes in.
    source: Option<Format>,
    voice: Option<Voice>,
    mixer: Option<Mixer>,
    /// Where the frames given so far end, on the sink's count.
    end: Place,
    /// What comes now is not heard by itself: it lies beyond that end.
    is_beyond: bool,
    speed: Speed,
}

/// The beginning of another rendering of the same sound.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it is.
    pub format: Format,
    /// When its first frame is due, from the end of what was given so far.
    pub begins: MediaTime,
    /// From when on it is right.
    pub is_warm: MediaTime,
}

impl<'a> Outlet<'a> {
    /// An outlet that has not opened its sink yet.
    pub fn new(sink: &'a mut dyn Sink, stats: &Arc<Stats>, events: &Events) -> Self {
        Self {
            door: Door {
                sink,
                stats: Arc::clone(stats),
                target: None,
            },
            events: events.clone(),
            source: None,
            voice: None,
            mixer: None,
            end: Place::default(),
            is_beyond: false,
            speed: Speed::NORMAL,
        }
    }

    /// Frames given so far, at the sink's rate, with those that are still held.
    pub fn given(&self) -> Frames {
        Frames(u64::try_from(self.end.frame).unwrap_or(0))
    }

    /// Opens the sink for what is decoded, if it is not open yet; a change of
    /// what is decoded is told.
    pub fn open_for(&mut self, format: Format) -> Result<Spec, Problem> {
        if self.source != Some(format) {
            self.source = Some(format);
            self.events.send(Event::Format(format));
            self.door.stats.lists().format = Some(format);
        }
        if let Some(target) = self.door.target {
            return Ok(target);
        }
        let target = self.door.sink.open(format)?;
        self.door.stats.lists().output = Some(target);
        self.events.send(Event::State(State::Playing));
        self.door.target = Some(target);
        self.mixer = Some(Mixer::new(target));
        Ok(target)
    }

    /// Converts interleaved frames of `format` and gives them to the sink. Where
    /// the layout changes, all that is held of the old one is given and the new
    /// one begins without a delay: a run of n frames at one rate becomes
    /// n × target / rate frames, rounded to the nearest.
    pub fn give(&mut self, samples: &[f32], format: Format) -> Result<(), Problem> {
        self.open_for(format)?;
        if self
            .voice
            .as_ref()
            .is_none_or(|voice| voice.spec() != self.paced(format.spec))
        {
            self.finish_voice()?;
            self.begin_voice(format, self.end, self.end.frame)?;
        }
        self.convert(samples)?;
        if let Some(voice) = &self.voice {
            let end = voice.end();
            // Frames may still come that lie before what was given.
            if end.frame >= self.end.frame {
                self.end = end;
            }
        }
        Ok(())
    }

    /// Takes frames of the rendering that is heard, from beyond its end; false
    /// when they are not of its layout.
    pub fn keep(&mut self, samples: &[f32], format: Format) -> Result<bool, Problem> {
        if self
            .voice
            .as_ref()
            .is_none_or(|voice| voice.spec() != self.paced(format.spec))
        {
            return Ok(false);
        }
        self.is_beyond = true;
        self.convert(samples).map(|()| true)
    }

    /// The pace of what comes in.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// What comes in from now on, which belongs to `position`, is played at
    /// another pace.
    pub fn set_speed(&mut self, speed: Speed, position: MediaTime) -> Result<(), Problem> {
        self.finish_voice()?;
        self.speed = speed;
        let held = self.mixer.as_ref().map_or(0, Mixer::waiting);
        self.door.sink.pace(Frames(held), position, speed);
        Ok(())
    }

    /// The layout whose frames last as long as those of `spec` do at this pace.
    fn paced(&self, spec: Spec) -> Spec {
        let rate = self.speed.paced(spec.rate);
        Spec { rate, ..spec }
    }

    /// What comes next belongs to `position` of the stream; what is held, here
    /// and in the sink, is not heard.
    pub fn go_to(&mut self, position: MediaTime) {
        self.voice = None;
        self.mixer = self.door.target.map(Mixer::new);
        self.end = Place::default();
        self.is_beyond = false;
        self.door.sink.go_to(position);
    }

    /// Another rendering of the same sound takes over where this one ends.
    pub fn turn(&mut self) -> Result<(), Problem> {
        let torn = self.voice.as_ref().map_or(0, Voice::settles);
        self.finish_voice()?;
        self.is_beyond = false;
        if let Some(mixer) = &mut self.mixer {
            mixer.turn(self.end.frame, torn);
        }
        Ok(())
    }

    /// The rendering begins that takes over.
    pub fn enter(&mut self, entry: Entry) -> Result<(), Problem> {
        let target = self.open_for(entry.format)?;
        let Some(mixer) = &self.mixer else {
            return Ok(());
        };
        let hertz = f64::from(target.rate.hertz()) / self.speed.factor();
        let place = |time: MediaTime| self.end.later(time.seconds() * hertz);
        let (begins, is_warm) = (place(entry.begins), place(entry.is_warm));
        let latest = mixer.latest();
        self.begin_voice(entry.format, begins, latest)?;
        if let (Some(voice), Some(mixer)) = (&self.voice, &mut self.mixer) {
            let first = voice.origin().frame;
            mixer.plan(is_warm.frame.max(first) + voice.settles(), first);
        }
        Ok(())
    }

    /// Takes frames of it that lie before what was given: it warms up with them.
    pub fn lead(&mut self, samples: &[f32]) -> Result<(), Problem> {
        self.convert(samples)
    }

    /// Notes where the frames of one segment went.
    pub fn segment(&mut self, done: &Provenance) -> Result<(), Problem> {
        self.door.sink.segment(done)
    }

    /// Gives all that is held and finishes the sink.
    pub fn finish(&mut self) -> Result<(), Problem> {
        let flushed = self.finish_voice().and_then(|()| self.finish_mixer());
        let finished = self.door.sink.finish();
        flushed.and(finished)
    }

    fn begin_voice(&mut self, format: Format, place: Place, latest: i64) -> Result<(), Problem> {
        let target = self.open_for(format)?;
        let spec = self.paced(format.spec);
        if spec.rate != target.rate {
            self.door.stats.begin(Stage::Resample);
        }
        self.voice = Some(Voice::new(spec, target, place, latest)?);
        Ok(())
    }

    fn convert(&mut self, samples: &[f32]) -> Result<(), Problem> {
        let until = self.until();
        let (Some(voice), Some(mixer)) = (&mut self.voice, &mut self.mixer) else {
            return Ok(());
        };
        let mut way = Way {
            mixer,
            door: &mut self.door,
            until,
        };
        voice.process(samples, &mut |first, block| way.pass(first, block))?;
        self.door.stats.end(Stage::Resample);
        Ok(())
    }

    fn finish_voice(&mut self) -> Result<(), Problem> {
        let until = self.until();
        let (Some(mut voice), Some(mixer)) = (self.voice.take(), &mut self.mixer) else {
            return Ok(());
        };
        let mut way = Way {
            mixer,
            door: &mut self.door,
            until,
        };
        voice.finish(&mut |first, block| way.pass(first, block))
    }

    /// The frame behind the last one that is heard by itself.
    fn until(&self) -> i64 {
        match self.is_beyond {
            true => self.end.frame,
            false => i64::MAX,
        }
    }

    fn finish_mixer(&mut self) -> Result<(), Problem> {
        let (end, door) = (self.end.frame, &mut self.door);
        match &mut self.mixer {
            Some(mixer) => mixer.finish(end, &mut |block| door.write(block)),
            None => Ok(()),
        }
    }
}

/// From the voice into the mixer.
struct Way<'a, 'b> {
    mixer: &'a mut Mixer,
    door: &'a mut Door<'b>,
    /// From this frame on they are only kept.
    until: i64,
}

impl Way<'_, '_> {
    fn pass(&mut self, first: i64, block: &[f32]) -> Result<(), Problem> {
        let (heard, kept) = self.mixer.split(block, self.until.saturating_sub(first));
        self.mixer.keep(kept);
        let door = &mut *self.door;
        self.mixer
            .push(first, heard, &mut |ready| door.write(ready))
    }
}

/// The sink and what is counted on the way into it.
struct Door<'a> {
    sink: &'a mut dyn Sink,
    stats: Arc<Stats>,
    /// What the sink wants, once it has been opened.
    target: Option<Spec>,
}

impl Door<'_> {
    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        // Tells the watchdog that a slow reader of our output is no hanging codec.
        self.stats.blocked.store(true, Ordering::Relaxed);
        let result = self.sink.write(samples);
        self.stats.blocked.store(false, Ordering::Relaxed);
        self.stats.end(Stage::FirstPcm);
        result
    }
}
