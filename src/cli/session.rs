//! What one call of the program has: its flags, its desk, and the list of runs
//! it makes one after another.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ending::Way;
use super::events::{Lines, json_line};
use super::exit::{self, Bugs, End};
use super::follow::{Desk, Outcome, follow};
use super::global::Global;
use super::keys::Keyboard;
use super::progress::Screen;
use super::queue::{Place, Queue};
use super::report;
use super::schema::Summary;
use super::signals::Signals;
use super::trace::Trace;
use crate::error::{Kind, Problem};
use crate::location::Location;
use crate::pipeline::{Algorithm, Edge, Job, Network, Quality, Start, Task, Taste};
use crate::stats::{Stage, Stats};
use crate::units::MediaTime;

/// One call of the program.
pub struct Session<'a> {
    /// When the process began.
    pub began: Instant,
    /// When `main` began.
    pub entered: Instant,
    /// Flags that every command takes.
    pub global: &'a Global,
    /// Where panics are noted.
    pub bugs: &'a Bugs,
}

/// What a command wants of its runs.
pub struct Wish<'a> {
    /// What it does with a stream, for messages: `play`.
    pub verb: &'static str,
    /// Where events for programs go.
    pub events: Option<Lines>,
    /// What is written when a run is over.
    pub report: Report,
    /// The file of `--trace-out`.
    pub trace: Option<&'a Path>,
    /// Whether keys are obeyed.
    pub has_keys: bool,
    /// Whether what comes out has room for one stream only.
    pub takes_one: bool,
    /// Whether it begins again when it is over.
    pub is_looped: bool,
}

/// What is written to standard output when a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nothing, or the last of the JSON lines.
    Nothing,
    /// The text form.
    Text,
    /// The JSON form.
    Json,
}

/// How long a live stream may bring nothing before what is not listened to ends.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Which part of a stream in which quality.
pub struct Selection {
    /// Which variant.
    pub quality: Quality,
    /// Which rendition and codec.
    pub taste: Taste,
    /// Where to begin.
    pub start: Option<Start>,
    /// How much.
    pub length: Option<MediaTime>,
    /// How far to fetch ahead.
    pub buffer: Option<MediaTime>,
    /// Where to begin in a live stream.
    pub edge: Edge,
    /// How long a live stream may bring nothing; for ever when `None`.
    pub patience: Option<Duration>,
    /// Who chooses variants.
    pub algorithm: Algorithm,
}

impl Session<'_> {
    /// Does the same with every location, one after another. The end is the
    /// worst of them all; a signal, `q` or a closed pipe leaves the rest out.
    ///
    /// # Errors
    ///
    /// What keeps even the first run from beginning.
    pub fn run(
        &self,
        locations: &[Location],
        task: &Task,
        selection: &Selection,
        wish: &Wish<'_>,
    ) -> Result<End, Problem> {
        let entries: Vec<_> = locations.iter().cloned().map(Ok).collect();
        self.run_list(&entries, task, selection, wish)
    }

    /// As [`Session::run`], over a list in which some entries cannot be used:
    /// each is told in its turn.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub fn run_list(
        &self,
        entries: &[Result<Location, Problem>],
        task: &Task,
        selection: &Selection,
        wish: &Wish<'_>,
    ) -> Result<End, Problem> {
        let mut tour = Tour {
            session: self,
            network: self.global.network()?,
            desk: self.desk(wish)?,
            task,
            selection,
            wish,
            is_first: true,
            is_alone: entries.len() == 1,
            worst: End::DONE,
        };
        // A round in which nothing came would be followed by another at once.
        while tour.round(Queue::of(entries))? && wish.is_looped {}
        let traced = self.end_trace(&mut tour.desk);
        Ok(tour.worst.max(traced))
    }

    pub(super) fn desk(&self, wish: &Wish<'_>) -> Result<Desk, Problem> {
        Ok(Desk {
            signals: Signals::listen()?,
            trace: wish.trace.map(Trace::create).transpose()?,
            keyboard: wish.has_keys.then(Keyboard::take).flatten(),
            listener: None,
            screen: Screen::new(self.global.progress, self.global.quiet),
            events: wish.events,
        })
    }

    pub(super) fn job(
        &self,
        place: &Place,
        task: &Task,
        selection: &Selection,
        network: &Network,
        is_traced: bool,
    ) -> Result<Job, Problem> {
        Ok(Job {
            location: place.location.clone(),
            typed: place.typed.clone(),
            task: task.clone(),
            quality: selection.quality,
            taste: selection.taste.clone(),
            start: selection.start,
            length: selection.length,
            buffer: selection.buffer,
            edge: selection.edge,
            patience: selection.patience,
            algorithm: selection.algorithm,
            is_traced,
            cache: self.global.cache()?,
            network: network.clone(),
        })
    }

    /// Counters of one run; the first counts from the start of the process.
    fn stats(&self, is_first: bool) -> Stats {
        if !is_first {
            return Stats::new(Instant::now());
        }
        let stats = Stats::new(self.began);
        stats.stage(Stage::Process, self.began, self.entered);
        stats
    }

    /// What a run's way means for the process; a failure is said.
    pub(super) fn end(&self, way: &Way, run: Option<&str>) -> End {
        match way {
            Way::Finished | Way::Quit | Way::Skipped | Way::Listed(_) => End::DONE,
            Way::Signal(signal) => End::Signal(*signal),
            Way::Failed(problem) => exit::fail(problem, run, self.bugs),
        }
    }

    /// Writes what is left of the trace.
    pub(super) fn end_trace(&self, desk: &mut Desk) -> End {
        let traced = desk.trace.as_mut().map_or(Ok(()), Trace::finish);
        self.end_of(&traced)
    }

    pub(super) fn end_of(&self, result: &Result<(), Problem>) -> End {
        result.as_ref().map_or_else(
            |problem| exit::fail(problem, None, self.bugs),
            |()| End::DONE,
        )
    }
}

/// The runs of one call, one after another.
struct Tour<'a> {
    session: &'a Session<'a>,
    network: Network,
    desk: Desk,
    task: &'a Task,
    selection: &'a Selection,
    wish: &'a Wish<'a>,
    /// The first run counts from the start of the process.
    is_first: bool,
    /// Whether there is one run, which an error need not name.
    is_alone: bool,
    worst: End,
}

impl Tour<'_> {
    /// Runs everything in `queue`. Returns whether it may begin again: something
    /// came of it, and nobody ended it.
    fn round(&mut self, mut queue: Queue) -> Result<bool, Problem> {
        let mut has_sound = false;
        while let Some(place) = queue.next() {
            let place = match place {
                Ok(place) => place,
                Err(problem) => {
                    self.refuse(&problem);
                    continue;
                }
            };
            let job = self.session.job(
                &place,
                self.task,
                self.selection,
                &self.network,
                self.wish.trace.is_some(),
            )?;
            let stats = Arc::new(self.session.stats(self.is_first));
            self.is_first = false;
            let outcome = follow(job, place.title.clone(), &stats, &mut self.desk);
            self.judge(&place, &outcome, &stats);
            has_sound |= stats.frames_decoded.total() > 0;
            if let Way::Listed(entries) = &outcome.way {
                let listed = self.admit(&place, entries.len());
                let listed = listed.and_then(|()| queue.expand(&place, entries));
                if let Err(problem) = listed {
                    self.refuse(&problem);
                }
            }
            if outcome.way == Way::Quit || matches!(self.worst, End::Signal(_)) {
                return Ok(false);
            }
        }
        Ok(has_sound)
    }

    /// Says how a run ended.
    fn judge(&mut self, place: &Place, outcome: &Outcome, stats: &Stats) {
        let reported = report(outcome, stats, self.wish);
        let run = format!("cannot {} \"{}\"", self.wish.verb, place.location);
        let run = (!self.is_alone || place.is_listed()).then_some(run.as_str());
        let ended = self.session.end(&outcome.way, run);
        self.worst = self.worst.max(ended).max(self.session.end_of(&reported));
    }

    /// Says why an entry is left out.
    fn refuse(&mut self, problem: &Problem) {
        let told = self.desk.tell_error(problem);
        let failed = exit::fail(problem, None, self.session.bugs);
        self.worst = self.worst.max(failed).max(self.session.end_of(&told));
    }

    /// Whether a list of `count` entries may stand where `place` is.
    fn admit(&self, place: &Place, count: usize) -> Result<(), Problem> {
        if !self.wish.takes_one || count == 1 {
            return Ok(());
        }
        Err(Problem::new(
            Kind::Arguments,
            format!("cannot {} the list \"{}\"", self.wish.verb, place.location),
            format!("it names {count} streams, and there is room for one"),
            "give the address of one",
        ))
    }
}

/// The report of a run that began; one that failed before it brought anything
/// has nothing to report.
pub(super) fn summary(outcome: &Outcome, stats: &Stats) -> Option<Summary> {
    if matches!(outcome.way, Way::Listed(_)) {
        return None; // its entries have reports
    }
    let is_empty = matches!(outcome.way, Way::Failed(_)) && stats.frames_decoded.total() == 0;
    let is_empty = is_empty && stats.network_bytes.total() == 0;
    let facts = outcome.facts.as_ref().filter(|_| !is_empty)?;
    Some(report::summary(stats, facts, &outcome.samples))
}

/// Writes the report of a run.
fn report(outcome: &Outcome, stats: &Stats, wish: &Wish<'_>) -> Result<(), Problem> {
    let summary = || summary(outcome, stats);
    let told = match (wish.report, wish.events) {
        (Report::Text, _) => summary().map(|told| exit::data(&told.table())),
        (Report::Json, _) => summary().map(|told| exit::data(&json_line(&told))),
        (Report::Nothing, Some(lines)) => summary().map(|told| lines.write(&told)),
        (Report::Nothing, None) => None,
    };
    told.unwrap_or(Ok(()))
}
