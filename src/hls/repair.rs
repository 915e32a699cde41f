//! What is wrong with a playlist: repairs that were noted, and why it cannot be
//! read at all. Words only; the repairing is done in `sanitise/`.

use std::panic::{self, AssertUnwindSafe};

use crate::error::{Kind, Problem};
use crate::text;

const REPAIRS_KEPT: usize = 100; // enough to see what is wrong; a flood must not cost memory

/// One thing in a playlist that breaks the rules and was put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The line it is about, from 1.
    pub line: u32,
    /// What was wrong and what it is taken for.
    pub what: String,
}

/// The repairs of one playlist: the first hundred, and how many more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// The first ones, in the order they were found.
    pub list: Vec<Repair>,
    /// How many are not in the list.
    pub more: usize,
}

impl Repairs {
    /// Notes a repair; `what` is built only if it is kept.
    pub fn note(&mut self, line: u32, what: impl FnOnce() -> String) {
        if self.list.len() == REPAIRS_KEPT {
            self.more += 1;
        } else {
            let what = what();
            self.list.push(Repair { line, what });
        }
    }
}

/// Runs the typing of `hls_m3u8`. The sanitiser is there so that it never
/// refuses or panics; should it, that is the playlist's fault and no crash.
///
/// # Errors
///
/// [`Kind::Malformed`] with the crate's reason.
pub fn guarded<T>(typing: impl FnOnce() -> Result<T, hls_m3u8::Error>) -> Result<T, Problem> {
    match panic::catch_unwind(AssertUnwindSafe(typing)) {
        Ok(Ok(typed)) => Ok(typed),
        Ok(Err(error)) => Err(malformed(text::safe(&error.to_string()))),
        Err(_) => Err(malformed("the parser gave up")),
    }
}

/// The playlist is beyond repair.
pub fn malformed(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Malformed,
        "cannot read the playlist",
        why,
        "tell its publisher",
    )
}

/// The playlist is above a cap of [`crate::limits`].
pub fn over_limit(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Limit,
        "cannot read the playlist",
        why,
        "do not trust this playlist",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_parser_is_a_problem() {
        let problem = guarded(|| -> Result<(), hls_m3u8::Error> { panic!("on purpose") });
        assert_eq!(problem, Err(malformed("the parser gave up")));
    }
}
