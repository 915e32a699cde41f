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
use super::report;
use super::schema::Summary;
use super::signals::Signals;
use super::trace::Trace;
use crate::error::Problem;
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
        let network = self.global.network()?;
        let mut desk = self.desk(wish)?;
        let mut worst = End::DONE;
        for (index, entry) in entries.iter().enumerate() {
            let location = match entry {
                Ok(location) => location,
                Err(problem) => {
                    let told = desk.tell_error(problem);
                    worst = worst.max(exit::fail(problem, None, self.bugs));
                    worst = worst.max(self.end_of(&told));
                    continue;
                }
            };
            let job = self.job(location, task, selection, &network, wish.trace.is_some())?;
            let stats = Arc::new(self.stats(index == 0));
            let outcome = follow(job, &stats, &mut desk);
            let reported = report(&outcome, &stats, wish);
            let run = format!("cannot {} \"{location}\"", wish.verb);
            let run = (entries.len() > 1).then_some(run.as_str());
            worst = worst.max(self.end(&outcome.way, run));
            worst = worst.max(self.end_of(&reported));
            if outcome.way == Way::Quit || matches!(worst, End::Signal(_)) {
                break;
            }
        }
        Ok(worst.max(self.end_trace(&mut desk)))
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
        location: &Location,
        task: &Task,
        selection: &Selection,
        network: &Network,
        is_traced: bool,
    ) -> Result<Job, Problem> {
        Ok(Job {
            location: location.clone(),
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
            Way::Finished | Way::Quit | Way::Skipped => End::DONE,
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

/// The report of a run that began; one that failed before it brought anything
/// has nothing to report.
pub(super) fn summary(outcome: &Outcome, stats: &Stats) -> Option<Summary> {
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
