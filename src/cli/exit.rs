//! How the process ends: exit codes, signals raised again, and the one line an
//! error is. The codes are a contract with scripts (README, "Exit codes").

use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::SIGPIPE;
use signal_hook::low_level;

use crate::error::{Kind, Problem};
use crate::text;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// With this exit code.
    Code(u8),
    /// By this signal, which a shell shows as 128 and its number.
    Signal(i32),
}

impl End {
    /// Everything was done.
    pub const DONE: Self = Self::Code(0);

    /// How a problem of this family ends the process.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::ClosedPipe => Self::Signal(SIGPIPE),
            other => Self::Code(code(other)),
        }
    }

    /// Ends the process: a signal is raised again with its default meaning, so
    /// that a shell sees the truth.
    pub fn leave(self) -> ExitCode {
        match self {
            Self::Code(code) => ExitCode::from(code),
            Self::Signal(signal) => {
                // Standard output is not flushed: data is written unbuffered or by `data`.
                // It returns only for a signal it does not know.
                let _ = low_level::emulate_default_handler(signal);
                ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
            }
        }
    }
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Stopped => 0,
        Kind::Bug | Kind::GivenUp | Kind::Sought => 1, // nobody but the decode thread is told of it
        Kind::Arguments => 2,
        Kind::Resolve | Kind::Connect | Kind::Tls | Kind::NoData => 3,
        Kind::HttpStatus(_) => 4,
        Kind::NotAStream
        | Kind::Malformed
        | Kind::Unsupported
        | Kind::Encryption
        | Kind::Changed => 5,
        Kind::Audio => 6,
        Kind::LocalFile | Kind::Output | Kind::Cache | Kind::Full | Kind::Damage => 7,
        Kind::Unsafe | Kind::Limit => 8,
        Kind::Offline => 9,
        Kind::ClosedPipe => 141,
    }
}

/// Writes text to standard output.
///
/// # Errors
///
/// [`Kind::ClosedPipe`] when nobody reads it any more, else [`Kind::Output`].
pub fn data(text: &str) -> Result<(), Problem> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| not_written(error, "standard output"))
}

/// The problem of output that could not be written.
pub fn not_written(error: io::Error, name: &str) -> Problem {
    let kind = match error.kind() {
        io::ErrorKind::BrokenPipe => Kind::ClosedPipe,
        _ => Kind::Output,
    };
    Problem::from_io(
        error,
        kind,
        format!("cannot write {name}"),
        "check the disk and the permissions",
    )
}

/// Writes a line for people to standard error; if that is gone, nobody is told.
pub fn say(line: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// Says what went wrong, and in which of several runs (`cannot play "…"`),
/// unless that is never shown. Returns how the process will end.
pub fn fail(problem: &Problem, run: Option<&str>, bugs: &Bugs) -> End {
    if let Some(line) = line(problem, run, bugs) {
        say(&line);
    }
    End::of(problem.kind)
}

/// The line of a problem, safe for a terminal. None for what is never shown.
fn line(problem: &Problem, run: Option<&str>, bugs: &Bugs) -> Option<String> {
    match problem.kind {
        Kind::Stopped | Kind::ClosedPipe => None,
        Kind::Bug | Kind::GivenUp | Kind::Sought => Some(bugs.line()),
        _ => {
            let run = run.map(|run| format!("{run}: ")).unwrap_or_default();
            Some(format!("kithara: {run}{}", message(problem)))
        }
    }
}

/// The three parts of a problem in one sentence, each made safe.
pub fn message(problem: &Problem) -> String {
    let (what, why) = (text::safe(&problem.what), text::safe(&problem.why));
    format!("{what}: {why}, {}", problem.todo)
}

/// Where a panic came from, noted for the report of a bug. A panic inside the
/// fence around a codec is noted too and then turns out to be none of ours.
#[derive(Clone, Debug, Default)]
pub struct Bugs(Arc<Mutex<Option<String>>>);

impl Bugs {
    /// Replaces Rust's own panic message: it would show text from outside.
    pub fn watch() -> Self {
        let bugs = Self::default();
        let noted = Arc::clone(&bugs.0);
        panic::set_hook(Box::new(move |panic| {
            let place = panic
                .location()
                .map(|at| format!("{}:{}", short_path(at.file()), at.line()));
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = place;
        }));
        bugs
    }

    /// What the user can do about a bug, with the place of the last panic.
    pub fn line(&self) -> String {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = env!("CARGO_PKG_VERSION");
        let place = place.as_deref().unwrap_or("an unknown place");
        format!(
            "kithara: cannot go on: a bug in kithara {version} at {place}, please report this line and the command that led to it"
        )
    }
}

/// A source path without the folders of the machine that compiled it.
fn short_path(path: &str) -> &str {
    let parts: Vec<_> = path.rmatch_indices('/').collect();
    match parts.iter().find(|(at, _)| path[..*at].ends_with("src")) {
        Some((at, _)) => {
            let krate = path[..*at].rmatch_indices('/').nth(1);
            krate.map_or(path, |(slash, _)| &path[slash + 1..])
        }
        None => path.rsplit('/').next().unwrap_or(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_the_code_of_the_manual() {
        let cases = [
            (Kind::Stopped, 0),
            (Kind::Bug, 1),
            (Kind::Arguments, 2),
            (Kind::Resolve, 3),
            (Kind::Connect, 3),
            (Kind::Tls, 3),
            (Kind::NoData, 3),
            (Kind::HttpStatus(404), 4),
            (Kind::HttpStatus(503), 4),
            (Kind::NotAStream, 5),
            (Kind::Malformed, 5),
            (Kind::Unsupported, 5),
            (Kind::Encryption, 5),
            (Kind::Changed, 5),
            (Kind::Audio, 6),
            (Kind::LocalFile, 7),
            (Kind::Output, 7),
            (Kind::Cache, 7),
            (Kind::Full, 7),
            (Kind::Damage, 7),
            (Kind::Unsafe, 8),
            (Kind::Limit, 8),
            (Kind::Offline, 9),
        ];
        for (kind, want) in cases {
            assert_eq!(End::of(kind), End::Code(want), "{}", kind.code());
        }
        assert_eq!(End::of(Kind::ClosedPipe), End::Signal(SIGPIPE));
    }

    #[test]
    fn the_worst_of_several_ends_is_the_highest() {
        let ends = [End::Code(3), End::Code(9), End::Code(0)];
        assert_eq!(ends.into_iter().max(), Some(End::Code(9)));
        assert!(End::Signal(2) > End::Code(9));
    }

    #[test]
    fn an_error_line_shows_no_control_character() {
        let problem = Problem::new(
            Kind::LocalFile,
            "cannot open \"a\x1b[2J\"",
            "no such\rfile",
            "check it",
        );
        let line = line(&problem, None, &Bugs::default()).expect("a line");
        assert_eq!(
            line,
            "kithara: cannot open \"a\\u{1b}[2J\": no such\\u{d}file, check it"
        );
    }

    #[test]
    fn the_end_by_request_has_no_line() {
        assert_eq!(line(&Problem::stopped(), None, &Bugs::default()), None);
    }

    #[test]
    fn one_of_several_runs_is_named() {
        let problem = Problem::new(Kind::NoData, "cannot fetch x", "no data came", "try later");
        let line = line(
            &problem,
            Some("cannot play \"http://h/a\""),
            &Bugs::default(),
        );
        let want = "kithara: cannot play \"http://h/a\": cannot fetch x: no data came, try later";
        assert_eq!(line.as_deref(), Some(want));
    }

    #[test]
    fn a_place_names_the_crate_and_not_the_machine() {
        let cases = [
            ("src/hls/abr.rs", "src/hls/abr.rs"),
            (
                "/root/.cargo/registry/src/index-1/rusty_aac-2.0.1/src/lib.rs",
                "rusty_aac-2.0.1/src/lib.rs",
            ),
            ("/rustc/abc/library/core/option.rs", "option.rs"),
        ];
        for (path, want) in cases {
            assert_eq!(short_path(path), want, "{path}");
        }
    }
}
