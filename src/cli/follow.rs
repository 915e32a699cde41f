//! Follows one run from its start to its end: listens to its events, looks at
//! signals and keys, samples levels and shows progress. What is left for the
//! caller is how it ended and what was counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::RecvTimeoutError;

use super::ending::{Ending, Way};
use super::events::{Line, Lines, What};
use super::exit;
use super::keys::{Key, Keyboard};
use super::process::Size;
use super::progress::{Screen, Stored};
use super::samples::Samples;
use super::signals::Signals;
use super::status::Status;
use super::titles::Titles;
use super::trace::Trace;
use crate::error::{Kind, Problem};
use crate::event::{Event, State, Thread};
use crate::limits;
use crate::pipeline::{self, Facts, Job, Run, Task};
use crate::stats::Stats;
use crate::units::{BitRate, MediaTime};

/// Between two looks at signals, keys and levels: a tenth of a second is not
/// felt after Ctrl-C and costs ten wake-ups a second.
const TICK: Duration = Duration::from_millis(100);
const TICKS_TO_SHOW: u64 = 2;
const TICKS_TO_REPORT: u64 = 10;

/// What was counted in a run.
pub struct Outcome {
    /// How it ended.
    pub way: Way,
    /// What is known about the stream and the output; none if it did not begin.
    pub facts: Option<Facts>,
    /// The levels.
    pub samples: Samples,
}

/// Everything a run can be told by and shown on.
pub struct Desk {
    /// What signals ask for.
    pub signals: Signals,
    /// The keyboard, where there is one.
    pub keyboard: Option<Keyboard>,
    /// Standard error.
    pub screen: Screen,
    /// Where events for programs go.
    pub events: Option<Lines>,
    /// The trace.
    pub trace: Option<Trace>,
}

/// Runs `job` to its end and tells programs about that end.
pub fn follow(job: Job, stats: &Arc<Stats>, desk: &mut Desk) -> Outcome {
    let (last, volume) = match &job.task {
        Task::Play { volume, .. } => (Thread::Decode, Some(*volume)),
        Task::Dump { .. } => (Thread::Decode, None),
        Task::Cache { .. } => (Thread::Net, None),
    };
    let url = job.location.to_string();
    let run = match pipeline::start(job, Arc::clone(stats)) {
        Ok(run) => run,
        Err(problem) => {
            return Outcome {
                way: desk.tell_end(Way::Failed(problem), &url, stats, MediaTime::ZERO),
                facts: None,
                samples: Samples::default(),
            };
        }
    };
    let follower = Follower {
        desk,
        run: &run,
        stats,
        samples: Samples::default(),
        volume,
        last,
        ending: Ending::with(last),
        is_playing: false,
        titles: Titles::default(),
        ticks: 0,
    };
    let (way, samples) = follower.until_end();
    let (facts, position) = (run.facts(), run.position());
    let way = match (way, run.finish(limits::STOP_DEADLINE)) {
        (Way::Finished, Err(problem)) => Way::Failed(problem),
        (way, Err(problem)) if problem.kind != Kind::Stopped => {
            desk.warn(&problem);
            way
        }
        (way, Ok(()) | Err(_)) => way,
    };
    desk.screen.clear();
    Outcome {
        way: desk.tell_end(way, &url, stats, position),
        facts: Some(facts),
        samples,
    }
}

impl Desk {
    fn warn(&mut self, problem: &Problem) {
        let line = format!("kithara: {}", exit::message(problem));
        self.screen.warn(line);
    }

    /// Tells programs what keeps a run from beginning.
    pub fn tell_error(&self, problem: &Problem) -> Result<(), Problem> {
        let stats = Stats::default();
        let line = Line::new("error", &stats, MediaTime::ZERO, What::problem(problem));
        self.events.map_or(Ok(()), |lines| lines.write(&line))
    }

    /// Tells programs why a run ended. Returns the way it ended, which is
    /// another one if they have gone.
    fn tell_end(&self, way: Way, url: &str, stats: &Stats, position: MediaTime) -> Way {
        let Some(lines) = self.events else {
            return way;
        };
        let error = match &way {
            Way::Failed(problem) => {
                lines.write(&Line::new("error", stats, position, What::problem(problem)))
            }
            Way::Finished | Way::Quit | Way::Signal(_) => Ok(()),
        };
        let reason = way.name();
        let end = Line::new("end", stats, position, What::End { reason, url });
        match error.and_then(|()| lines.write(&end)) {
            Ok(()) => way,
            Err(problem) => Way::Failed(problem),
        }
    }
}

/// The loop and what it remembers.
struct Follower<'a> {
    desk: &'a mut Desk,
    run: &'a Run,
    stats: &'a Stats,
    samples: Samples,
    volume: Option<u8>,
    last: Thread,
    ending: Ending,
    is_playing: bool,
    titles: Titles,
    ticks: u64,
}

impl Follower<'_> {
    fn until_end(mut self) -> (Way, Samples) {
        let mut next = Instant::now() + TICK;
        loop {
            let heard = match self.run.events.recv_deadline(next) {
                Ok(event) => self.hear(&event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Way::Failed(silence())),
            };
            // Asked after every event too: a flood of them must not drown Ctrl-C.
            let is_due = Instant::now() >= next;
            if is_due {
                next = Instant::now() + TICK;
            }
            if let Some(way) = heard.or_else(|| is_due.then(|| self.tick()).flatten()) {
                self.sample();
                let way = self.reach().map_or_else(Way::Failed, |()| way);
                return (way, self.samples);
            }
        }
    }

    /// What an event means for the run; programs and the trace are told.
    fn hear(&mut self, event: &Event) -> Option<Way> {
        if let Some(trace) = &mut self.desk.trace {
            trace.note(event, self.stats);
        }
        let told = match event {
            Event::Title { title, position } => {
                self.titles.announce(title, *position);
                // What goes into a file is heard nowhere: its titles are told at once.
                self.volume.map_or_else(|| self.reach(), |_| Ok(()))
            }
            _ => self.tell(event),
        };
        if let Err(problem) = told {
            return Some(Way::Failed(problem));
        }
        match event {
            Event::State(state) => self.enter(*state),
            Event::Progress {
                bytes,
                total,
                segments,
                of,
            } => self.desk.screen.stored(Stored {
                bytes: *bytes,
                total: *total,
                segments: *segments,
                of: *of,
            }),
            Event::Retry { problem, .. } => self.desk.warn(&Problem {
                todo: "trying again",
                ..problem.clone()
            }),
            Event::Warning(problem) => self.desk.warn(problem),
            Event::Done(thread, result) => return self.ending.after(*thread, result),
            Event::Exchange(exchange) => self.samples.stalls.exchange(exchange),
            Event::Stall { .. } => self.stalled(),
            Event::Format(_)
            | Event::Variant { .. }
            | Event::Decision(_)
            | Event::Journal(_)
            | Event::Segment { .. }
            | Event::Resume { .. }
            | Event::Title { .. }
            | Event::Gap { .. }
            | Event::Reload { .. } => {}
        }
        None
    }

    /// A stall is told when it is over; its underrun is noted by then.
    fn stalled(&mut self) {
        let rate = self.stats.output_rate.load(Ordering::Relaxed);
        let last = self.stats.lists().underruns.last().copied();
        if let Some(underrun) = last {
            self.samples.stalls.add(&underrun, rate, Instant::now());
        }
    }

    fn tell(&self, event: &Event) -> Result<(), Problem> {
        let Some(lines) = self.desk.events else {
            return Ok(());
        };
        let line = Line::of(event, self.stats, self.run.position());
        line.map_or(Ok(()), |line| lines.write(&line))
    }

    /// Tells the titles that the sound has reached by now.
    fn reach(&mut self) -> Result<(), Problem> {
        let heard = match self.volume {
            Some(_) => self.run.position() - self.stats.start.now(),
            None => MediaTime::MAX,
        };
        while let Some(event) = self.titles.reached(heard) {
            self.tell(&event)?;
        }
        Ok(())
    }

    fn enter(&mut self, state: State) {
        self.is_playing = state == State::Playing;
        if self.is_playing {
            self.samples.threads(Size::now().threads);
        }
    }

    /// Ten times a second: signals, keys and titles; five times: levels and the status
    /// line; once: progress for programs.
    fn tick(&mut self) -> Option<Way> {
        if let Some(signal) = self.desk.signals.asked() {
            return Some(Way::Signal(signal));
        }
        if let Some(way) = self.obey() {
            return Some(way);
        }
        if let Err(problem) = self.reach() {
            return Some(Way::Failed(problem));
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(TICKS_TO_SHOW) {
            self.samples.threads(Size::now().threads);
            self.sample();
            self.show();
        }
        if !self.ticks.is_multiple_of(TICKS_TO_REPORT) {
            return None;
        }
        let failure = self.run.hung().or_else(|| self.progress().err());
        failure.map(Way::Failed)
    }

    /// Does what the keys say.
    fn obey(&self) -> Option<Way> {
        let keyboard = self.desk.keyboard.as_ref()?;
        if self.desk.signals.continued() {
            keyboard.single_keys();
        }
        for key in keyboard.pressed() {
            match key {
                Key::Quit => return Some(Way::Quit),
                Key::NextVariant => self.run.next_variant(),
            }
        }
        None
    }

    fn sample(&mut self) {
        if self.is_playing && self.volume.is_some() {
            let (position, now) = (self.run.position(), SystemTime::now());
            self.samples.levels(self.stats, position, now);
        }
    }

    fn show(&mut self) {
        if self.last == Thread::Decode && self.desk.screen.is_shown() {
            self.desk.screen.status(&self.status());
        }
    }

    fn status(&self) -> Status {
        let facts = self.run.facts();
        let lists = self.stats.lists();
        let row = facts.variant.and_then(|index| lists.variants.get(index));
        Status {
            position: self.run.position(),
            duration: self.stats.duration.now(),
            format: facts.codec,
            bit_rate: row.map(|row| BitRate(row.average_bandwidth.unwrap_or(row.bandwidth))),
            variant: facts.variant.map(|index| (index, lists.variants.len())),
            picked: facts.picked,
            fetched_until: self.stats.fetched_until.now(),
            throughput: self.stats.estimate(),
            volume: self.volume,
            title: self.titles.heard().map(str::to_owned),
        }
    }

    fn progress(&self) -> Result<(), Problem> {
        let lines = self.desk.events.filter(|_| self.last == Thread::Decode);
        let Some(lines) = lines else {
            return Ok(());
        };
        let position = self.run.position();
        let duration = self.stats.duration.now().millis();
        let what = What::Progress {
            duration_ms: (duration > 0).then_some(duration),
            ahead_ms: (self.stats.fetched_until.now() - position).millis().max(0),
            bytes: self.stats.network_bytes.total(),
        };
        lines.write(&Line::new("progress", self.stats, position, what))
    }
}

fn silence() -> Problem {
    Problem::new(
        Kind::Bug,
        "cannot go on",
        "every thread ended without a word",
        "please report it",
    )
}
