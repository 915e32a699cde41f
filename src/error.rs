//! Why a run ended badly: one `Problem`, in three parts a person can read, and
//! its family, which becomes the exit code. Errors travel between threads, and
//! through `std::io::Error`, as this value and never become an end of stream.

use std::fmt;
use std::io;

/// Why a run ended badly, in three parts the user can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The action that failed, with its object: `cannot fetch segment 42`.
    pub what: String,
    /// The cause, in the words of the side that refused: `the server answered 403`.
    pub why: String,
    /// The next step for the person at the keyboard: `ask for a fresh link`.
    pub todo: &'static str,
    /// The family of the failure; `cli/exit.rs` turns it into an exit code.
    pub kind: Kind,
}

/// The family of a failure. [`Kind::code`] is stable: scripts match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bug of ours.
    Bug,
    /// Wrong arguments.
    Arguments,
    /// A host name has no address.
    Resolve,
    /// No connection to the host.
    Connect,
    /// TLS failed: certificate, name, protocol.
    Tls,
    /// Connected, but the data did not come or broke off, after retries.
    NoData,
    /// The server refused with this status.
    HttpStatus(u16),
    /// The bytes are not a stream we know.
    NotAStream,
    /// A stream of a known kind, but broken.
    Malformed,
    /// A codec, container or feature we cannot play.
    Unsupported,
    /// An encryption we cannot or may not undo, or a wrong key.
    Encryption,
    /// The resource changed while it was read.
    Changed,
    /// The audio output failed.
    Audio,
    /// A local file cannot be read.
    LocalFile,
    /// Output cannot be written.
    Output,
    /// The cache cannot be used and the task needs it.
    Cache,
    /// The cache has no room for it and the task needs it.
    Full,
    /// `cache verify` found damage.
    Damage,
    /// Stopped for safety: scheme, address, redirect, permissions.
    Unsafe,
    /// A cap of `limits.rs` was reached.
    Limit,
    /// `--offline` and not in the cache.
    Offline,
    /// Its fetch was given up half-way, for another variant; never shown.
    GivenUp,
    /// The listener wants another place: nobody but the decode thread is told.
    Sought,
    /// The run was told to stop; never shown.
    Stopped,
    /// The reader of our standard output went away; never shown.
    ClosedPipe,
}

impl Kind {
    /// The stable word of JSON events.
    pub fn code(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Arguments => "arguments",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::NoData => "no_data",
            Self::HttpStatus(_) => "http_status",
            Self::NotAStream => "not_a_stream",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Encryption => "encryption",
            Self::Changed => "changed",
            Self::Audio => "audio",
            Self::LocalFile => "local_file",
            Self::Output => "output",
            Self::Cache | Self::Full => "cache",
            Self::Damage => "damage",
            Self::Unsafe => "unsafe",
            Self::Limit => "limit",
            Self::Offline => "offline",
            Self::GivenUp => "given_up",
            Self::Sought => "sought",
            Self::Stopped => "stopped",
            Self::ClosedPipe => "closed_pipe",
        }
    }

    /// Whether the cache refuses, for want of room or for another reason: a run
    /// that need not store goes on without it.
    pub fn is_cache(self) -> bool {
        matches!(self, Self::Cache | Self::Full)
    }
}

impl Problem {
    /// The three parts and the family, in that order.
    pub fn new(
        kind: Kind,
        what: impl Into<String>,
        why: impl Into<String>,
        todo: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            todo,
            kind,
        }
    }

    /// The answer of everything that waits when the run is told to stop.
    pub fn stopped() -> Self {
        Self::new(
            Kind::Stopped,
            "cannot go on",
            "the run was stopped",
            "start it again",
        )
    }

    /// What the reader of a segment is told whose fetch was given up half-way.
    pub fn given_up() -> Self {
        Self::new(
            Kind::GivenUp,
            "cannot read on",
            "the rest comes from another variant",
            "ask for the segment again",
        )
    }

    /// What the decode thread is told when the listener wants another place.
    pub fn sought() -> Self {
        Self::new(
            Kind::Sought,
            "cannot go on here",
            "another place is wanted",
            "go on there",
        )
    }

    /// The same cause under a wider action: `cannot play https://…`.
    pub fn during(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// The problem an I/O error carries, or a new one of `kind` from its text.
    pub fn from_io(
        error: io::Error,
        kind: Kind,
        what: impl Into<String>,
        todo: &'static str,
    ) -> Self {
        let text = reason(&error);
        match error.into_inner().map(|inner| inner.downcast::<Self>()) {
            Some(Ok(problem)) => *problem,
            Some(Err(other)) => Self::new(kind, what, other.to_string(), todo),
            None => Self::new(kind, what, text, todo),
        }
    }

    /// The problem that `error` carries, if one does.
    pub fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

/// The operating system's words without the `(os error 2)` tail.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "unknown I/O error".to_owned(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}", self.what, self.why, self.todo)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for io::Error {
    fn from(problem: Problem) -> Self {
        Self::other(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_three_parts() {
        let problem = Problem::new(
            Kind::HttpStatus(403),
            "cannot fetch segment 42",
            "the server answered 403",
            "ask for a fresh link",
        );
        assert_eq!(
            problem.to_string(),
            "cannot fetch segment 42: the server answered 403, ask for a fresh link"
        );
    }

    #[test]
    fn a_problem_comes_through_an_io_error_unchanged() {
        let problem = Problem::new(
            Kind::Offline,
            "cannot read segment 3",
            "it is not in the cache",
            "run without --offline",
        );
        let error = io::Error::from(problem.clone());
        assert_eq!(Problem::inside(&error), Some(&problem));
        assert_eq!(Problem::from_io(error, Kind::Bug, "cannot x", "y"), problem);
    }

    #[test]
    fn an_io_error_of_the_system_becomes_plain_words() {
        let error = io::Error::from_raw_os_error(2);
        let problem = Problem::from_io(
            error,
            Kind::LocalFile,
            "cannot open \"x\"",
            "check the name",
        );
        assert_eq!(problem.why, "no such file or directory");
    }
}
