//! The command line: flags in, exit code out. The only room that prints, and
//! the only one that decides how the process ends.

mod age;
mod args;
mod cache;
mod devices;
mod dump;
mod ending;
mod events;
mod exit;
mod follow;
mod global;
mod info;
mod keys;
mod listener;
mod listing;
mod log;
mod manual;
mod over_time;
mod parts;
mod password;
mod play;
mod process;
mod progress;
mod queue;
mod repeated;
mod replay;
mod report;
mod requests;
mod runs;
mod samples;
mod schema;
mod session;
mod signals;
mod simulate;
mod stalls;
mod stats;
mod status;
mod table;
mod titles;
mod trace;
mod urls;
mod usage;
mod values;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Instant;

use args::{Command, Line};
use exit::{Bugs, End};
use session::Session;
use usage::Refusal;

use crate::error::Problem;

/// Does what the command line says.
pub fn run() -> ExitCode {
    // First of all: reports count from the start of the process.
    let (began, entered) = (process::began(), Instant::now());
    let bugs = Bugs::watch();
    // Unwinding has put the terminal back by the time the bug is reported.
    let end = panic::catch_unwind(AssertUnwindSafe(|| answer(began, entered, &bugs)));
    let end = end.unwrap_or_else(|_| {
        exit::say(&bugs.line());
        End::Code(1)
    });
    end.leave()
}

fn answer(began: Instant, entered: Instant, bugs: &Bugs) -> End {
    let line = match usage::read(env::args_os()) {
        Ok(line) => line,
        Err(Refusal::Answered(end)) => return end,
        Err(Refusal::Wrong(problem)) => return exit::fail(&problem, None, bugs),
    };
    let session = Session {
        began,
        entered,
        global: &line.global,
        bugs,
    };
    perform(&line, &session).unwrap_or_else(|problem| exit::fail(&problem, None, bugs))
}

fn perform(line: &Line, session: &Session<'_>) -> Result<End, Problem> {
    log::start(session.global)?;
    let done = match &line.command {
        Command::Play(flags) => return play::play(flags, session),
        Command::Cache(flags) => return cache::cache(flags, session),
        Command::Dump(flags) => return dump::dump(flags, session),
        Command::Stats(flags) => return stats::stats(flags, session),
        Command::Info(flags) => return info::info(flags, session),
        Command::Simulate(flags) => simulate::simulate(flags, session),
        Command::Devices(flags) => devices::devices(flags),
        Command::Completions { shell } => exit::data(&manual::completions(*shell)),
        Command::Man => exit::data(&manual::page()),
    };
    done.map(|()| End::DONE)
}
