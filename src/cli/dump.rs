//! `kithara dump`: a stream into a WAV file, or samples into a pipe.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::args::Dump;
use super::events::Lines;
use super::exit::End;
use super::session::{PATIENCE, Report, Selection, Session, Wish};
use crate::error::{Kind, Problem};
use crate::pipeline::{Algorithm, Quality, Target, Task};
use crate::text;

/// Decodes the stream into its file.
///
/// # Errors
///
/// Samples that would go to a terminal, and what [`Session::run`] says.
pub fn dump(flags: &Dump, session: &Session<'_>) -> Result<End, Problem> {
    let target = target(flags);
    let events = match target {
        Target::File(_) => Lines::Output,
        Target::Stdout => Lines::Error,
    };
    if target == Target::Stdout && !flags.force && io::stdout().is_terminal() {
        return Err(on_a_terminal());
    }
    let task = Task::Dump {
        target,
        force: flags.force,
        sample: flags.sample.map(Into::into),
        rate: flags.rate,
        channels: flags.channels,
        raw: flags.raw,
        ledger: flags.ledger.clone(),
    };
    let selection = Selection {
        quality: flags.choice.quality.unwrap_or(Quality::Best),
        taste: flags.choice.taste(),
        start: flags.part.start,
        length: flags.part.length,
        buffer: None,
        edge: flags.live.edge()?,
        patience: Some(PATIENCE),
        algorithm: Algorithm::Default,
    };
    let wish = Wish {
        verb: "dump",
        events: flags.json.json.then_some(events),
        report: Report::Nothing,
        trace: flags.trace.trace_out.as_deref(),
        has_keys: false,
        takes_one: true,
        is_looped: false,
    };
    session.run(std::slice::from_ref(&flags.url), &task, &selection, &wish)
}

fn target(flags: &Dump) -> Target {
    match &flags.output {
        Some(path) if path == Path::new("-") => Target::Stdout,
        Some(path) => Target::File(path.clone()),
        None => {
            let suffix = if flags.raw { "pcm" } else { "wav" };
            let stem = text::file_stem(&flags.url.to_string());
            Target::File(PathBuf::from(format!("{stem}.{suffix}")))
        }
    }
}

fn on_a_terminal() -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot write samples to a terminal",
        "standard output is one",
        "redirect it, or insist with --force",
    )
}
