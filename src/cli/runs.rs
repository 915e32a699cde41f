//! `stats -n`: the same run again and again, a line for each and the medians.

use std::sync::Arc;
use std::time::Instant;

use super::ending::Way;
use super::events::json_line;
use super::exit::{self, End};
use super::follow::follow;
use super::queue::Place;
use super::schema::{Figures, Run, Runs};
use super::session::{Report, Selection, Session, Wish, summary};
use super::table::bytes;
use crate::error::{Kind, Problem};
use crate::location::Location;
use crate::pipeline::{CacheMode, Task};
use crate::stats::Stats;

const HEADER: &str =
    "           start  played  rebuffers        sound  first byte  segments     bytes
              ms       s     n       ms   kbit/s   median ms    kbit/s
";

/// How a run is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Repeat {
    /// How often.
    pub runs: u32,
    /// Each begins with an empty cache of its own, unless the user said how the
    /// cache is used.
    pub is_cold: bool,
}

impl Session<'_> {
    /// Runs `location` again and again, each time with new connections, and
    /// prints what each run showed and the medians, also when it is ended before
    /// its time. A run that brought nothing at all ends it.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub fn repeat(
        &self,
        location: &Location,
        task: &Task,
        selection: &Selection,
        wish: &Wish<'_>,
        repeat: Repeat,
    ) -> Result<End, Problem> {
        let network = self.global.network()?;
        let mut desk = self.desk(wish)?;
        let (mut worst, mut runs) = (End::DONE, Vec::new());
        for number in 1..=repeat.runs {
            let place = Place::typed(location);
            let mut job = self.job(&place, task, selection, &network, wish.trace.is_some())?;
            if repeat.is_cold && job.cache.mode == CacheMode::Use {
                job.cache.mode = CacheMode::None;
            }
            // What came before the first run is no part of it: all count alike.
            let stats = Arc::new(Stats::new(Instant::now()));
            let mut outcome = follow(job, None, &stats, &mut desk);
            if let Way::Listed(_) = outcome.way {
                outcome.way = Way::Failed(several(location));
            }
            let name = format!("cannot finish run {number}");
            worst = worst.max(self.end(&outcome.way, Some(&name)));
            let summary = summary(&outcome, &stats).filter(|_| !stats.lists().kind.is_empty());
            let Some(summary) = summary else {
                break;
            };
            if wish.report == Report::Text {
                let header = if number == 1 { HEADER } else { "" };
                let line = line(&format!("run {number}"), &Figures::of(&summary));
                let why = match outcome.way {
                    Way::Finished => String::new(),
                    _ => format!(" {}", outcome.way.name()),
                };
                let line = format!("{header}{line}{why}\n");
                worst = worst.max(self.end_of(&exit::data(&line)));
            }
            runs.push(Run {
                end: outcome.way.name(),
                summary,
            });
            if outcome.way == Way::Quit || matches!(worst, End::Signal(_)) {
                break;
            }
        }
        let told = tell(runs, wish.report);
        Ok(worst.max(self.end_of(&told)).max(self.end_trace(&mut desk)))
    }
}

fn several(location: &Location) -> Problem {
    let what = format!("cannot repeat \"{location}\"");
    let why = "it is a list of streams";
    Problem::new(Kind::Arguments, what, why, "give the address of one")
}

/// Prints what there is to say when the last run is over.
fn tell(runs: Vec<Run>, report: Report) -> Result<(), Problem> {
    let figures = |is_wanted: fn(&&Run) -> bool| {
        let some = runs.iter().filter(is_wanted);
        some.map(|run| Figures::of(&run.summary))
            .collect::<Vec<_>>()
    };
    let median = Figures::median(&figures(|run| run.end == Way::Finished.name()))
        .or_else(|| Figures::median(&figures(|_| true)));
    match (report, median) {
        (Report::Json, median) => exit::data(&json_line(&Runs {
            schema: 1,
            kind_of_line: "runs",
            runs,
            median,
        })),
        (Report::Text, Some(median)) => exit::data(&format!("{}\n", line("median", &median))),
        (Report::Text, None) | (Report::Nothing, _) => Ok(()),
    }
}

fn line(name: &str, of: &Figures) -> String {
    let some = |figure: Option<f64>, decimals: usize| {
        figure.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    format!(
        "{name:<8}{:>8.1}{:>8.1}{:>6}{:>9.0}{:>9.0}{:>12}{:>10}{:>10}",
        of.startup_ms,
        of.played_ms / 1000.0,
        of.rebuffers,
        of.rebuffer_ms,
        of.average_kbps_played,
        some(of.first_byte_ms, 1),
        some(of.kbps, 0),
        bytes(of.bytes as u64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::tests::example;

    #[test]
    fn a_line_stands_under_its_header_and_fits_80_columns() {
        let figures = Figures::of(&example());
        let text = format!("{HEADER}{}\n", line("run 1", &figures));
        let want =
            "           start  played  rebuffers        sound  first byte  segments     bytes
              ms       s     n       ms   kbit/s   median ms    kbit/s
run 1       41.0    10.0     1     2500      128        30.0      8000    1.0 MB
";
        assert_eq!(text, want);
        let longest = line("run 1000", &figures);
        assert!(longest.chars().count() <= 80, "{longest}");
    }
}
