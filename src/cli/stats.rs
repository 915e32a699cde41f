//! `kithara stats`: a stream in real time without sound, then the report.

use super::args::Stats;
use super::exit::End;
use super::replay::replay;
use super::runs::Repeat;
use super::session::{PATIENCE, Report, Selection, Session, Wish};
use crate::error::{Kind, Problem};
use crate::pipeline::{OutputChoice, Quality, Task};
use crate::units::Speed;

/// Runs the stream and prints the report, also when it is ended before its time;
/// with `-n` several runs and their medians.
///
/// # Errors
///
/// As [`Session::run`].
pub fn stats(flags: &Stats, session: &Session<'_>) -> Result<End, Problem> {
    let algorithm = flags.deciding.algorithm.into();
    let url = match (&flags.replay, &flags.url) {
        (Some(path), _) => return replay(path, algorithm, flags.json.json).map(|()| End::DONE),
        (None, Some(url)) => url,
        (None, None) => unreachable!("the command line requires one of them"),
    };
    let task = Task::Play {
        output: OutputChoice::Null,
        volume: 100,
        speed: Speed::NORMAL,
    };
    let selection = Selection {
        quality: flags.choice.quality.unwrap_or(Quality::Auto),
        taste: flags.choice.taste(),
        start: flags.start,
        length: Some(flags.length),
        buffer: flags.ahead.buffer,
        edge: flags.live.edge()?,
        patience: Some(PATIENCE),
        algorithm,
    };
    let wish = Wish {
        verb: "run",
        events: None,
        report: if flags.json.json {
            Report::Json
        } else {
            Report::Text
        },
        trace: flags.trace.trace_out.as_deref(),
        has_keys: true,
        takes_one: false,
        is_looped: false,
    };
    match (flags.runs, flags.warm) {
        (None, false) => session.run(std::slice::from_ref(url), &task, &selection, &wish),
        (None, true) => Err(Problem::new(
            Kind::Arguments,
            "cannot use --warm alone",
            "it says how the runs of -n begin",
            "add -n or leave it out",
        )),
        (Some(runs), is_warm) => {
            let is_cold = !is_warm;
            session.repeat(url, &task, &selection, &wish, Repeat { runs, is_cold })
        }
    }
}
