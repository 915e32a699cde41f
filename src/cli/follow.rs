//! Follows one run from its start to its end: listens to its events, looks at
//! signals and keys, samples levels and shows progress. What is left for the
//! caller is how it ended and what was counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{RecvError, never, select};

use super::ending::{Ending, Way};
use super::events::{Line, Lines, What};
use super::exit;
use super::keys::{Key, Keyboard};
use super::listener::{Answer, Listener};
use super::process::Size;
use super::progress::{Screen, Stored};
use super::report;
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
use crate::units::{BitRate, MediaTime, Speed};

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
    /// What the listener has set; none before the first stream that is heard.
    pub listener: Option<Listener>,
    /// Standard error.
    pub screen: Screen,
    /// Where events for programs go.
    pub events: Option<Lines>,
    /// The trace.
    pub trace: Option<Trace>,
}

/// Runs `job` to its end and tells programs about that end. A stream that does
/// not name itself is shown by its `title` in a list.
pub fn follow(job: Job, title: Option<String>, stats: &Arc<Stats>, desk: &mut Desk) -> Outcome {
    let (last, set) = match &job.task {
        Task::Play { volume, speed, .. } => (Thread::Decode, Some((*volume, *speed))),
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
    let is_heard = set.is_some();
    if let Some((volume, speed)) = set {
        let new = || Listener::new(volume, speed);
        let listener = desk.listener.get_or_insert_with(new);
        listener.begin(&run);
    }
    let follower = Follower {
        desk,
        run: &run,
        stats,
        samples: Samples::default(),
        is_heard,
        last,
        ending: Ending::with(last),
        is_playing: false,
        titles: Titles::of_list(title),
        ticks: 0,
    };
    let (way, samples) = follower.until_end();
    let (facts, position) = (run.facts(), run.position());
    let way = match (way, run.list()) {
        (Way::Failed(problem), Some(list)) if problem.kind == Kind::Stopped => {
            Way::Listed(list.to_vec())
        }
        (way, _) => way,
    };
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
            Way::Finished | Way::Quit | Way::Skipped | Way::Listed(_) | Way::Signal(_) => Ok(()),
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
    /// Whether it is played, not written to a file.
    is_heard: bool,
    last: Thread,
    ending: Ending,
    is_playing: bool,
    titles: Titles,
    ticks: u64,
}

impl Follower<'_> {
    fn until_end(mut self) -> (Way, Samples) {
        let mut next = Instant::now() + TICK;
        let keyboard = self.desk.keyboard.as_ref();
        let mut keys = keyboard.map_or_else(never, |keyboard| keyboard.keys().clone());
        loop {
            let left = next.saturating_duration_since(Instant::now());
            let heard = select! {
                recv(self.run.events) -> event => match event {
                    Ok(event) => self.hear(&event),
                    Err(RecvError) => Some(Way::Failed(silence())),
                },
                recv(keys) -> key => match key {
                    Ok(key) => self.obey(key),
                    Err(RecvError) => {
                        keys = never(); // the terminal hung up
                        None
                    }
                },
                default(left) => None,
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
                match self.is_heard {
                    true => Ok(()),
                    false => self.reach(),
                }
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
            | Event::Seek { .. }
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
        let heard = match self.is_heard {
            true => self.run.position() - self.stats.start.now(),
            false => MediaTime::MAX,
        };
        while let Some(event) = self.titles.reached(heard) {
            self.tell(&event)?;
        }
        Ok(())
    }

    fn enter(&mut self, state: State) {
        self.is_playing = state == State::Playing;
        if self.is_playing {
            self.titles.begin();
            self.samples.threads(Size::now().threads);
        }
    }

    /// Ten times a second: signals, keys and titles; five times: levels and the status
    /// line; once: progress for programs.
    fn tick(&mut self) -> Option<Way> {
        if let Some(signal) = self.desk.signals.asked() {
            return Some(Way::Signal(signal));
        }
        if self.desk.signals.continued()
            && let Some(keyboard) = &self.desk.keyboard
        {
            keyboard.single_keys();
        }
        self.stats.settle_seek();
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

    /// Does what a key says.
    fn obey(&mut self, key: Key) -> Option<Way> {
        let listener = self.desk.listener.as_mut()?;
        match listener.press(key, self.run, self.stats) {
            Answer::Done => {}
            Answer::Quit => return Some(Way::Quit),
            Answer::Next => return Some(Way::Skipped),
            Answer::Report => self.report(),
            Answer::Held(is_held) => {
                let state = if is_held {
                    State::Paused
                } else {
                    State::Playing
                };
                if let Some(way) = self.hear(&Event::State(state)) {
                    return Some(way);
                }
            }
            Answer::Warning(problem) => self.desk.warn(&problem),
        }
        self.show();
        None
    }

    /// The report so far, above the status line.
    fn report(&mut self) {
        self.sample();
        let summary = report::summary(self.stats, &self.run.facts(), &self.samples);
        self.desk.screen.say(summary.table().trim_end());
    }

    fn sample(&mut self) {
        if self.is_playing && self.is_heard {
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
        let listener = self.desk.listener.as_ref().filter(|_| self.is_heard);
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
            volume: listener.and_then(Listener::volume),
            speed: listener.map_or(Speed::NORMAL, Listener::speed),
            is_muted: listener.is_some_and(|listener| listener.volume().is_none()),
            is_paused: listener.is_some_and(Listener::is_paused),
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
