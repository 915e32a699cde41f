//! How a run ends, and which thread's end it is. A rule without a clock or a
//! channel, so that a table can test it.

use crate::error::{Kind, Problem};
use crate::event::Thread;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By itself.
    Finished,
    /// By the key `q`.
    Quit,
    /// By this signal.
    Signal(i32),
    /// By a problem.
    Failed(Problem),
}

impl Way {
    /// The word of JSON events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished => "ended",
            Self::Quit => "quit",
            Self::Signal(_) => "signal",
            Self::Failed(_) => "failed",
        }
    }
}

/// Waits for the end of the last thread.
#[derive(Debug)]
pub struct Ending {
    last: Thread,
    failure: Option<Problem>,
}

impl Ending {
    /// The run is over when `last` is.
    pub fn with(last: Thread) -> Self {
        Self {
            last,
            failure: None,
        }
    }

    /// What the end of a thread means. The network side may fail minutes before
    /// the sound does, because what it fetched is still played; the others end
    /// the run when they fail.
    pub fn after(&mut self, thread: Thread, result: &Result<(), Problem>) -> Option<Way> {
        match result {
            Ok(()) if thread == self.last => {
                Some(self.failure.take().map_or(Way::Finished, Way::Failed))
            }
            Ok(()) => None,
            Err(problem) if self.may_play_on(thread, problem) => {
                self.failure.get_or_insert_with(|| problem.clone());
                None
            }
            Err(problem) => Some(Way::Failed(problem.clone())),
        }
    }

    // A bug may have left nobody to tell the decoder that no more will come.
    fn may_play_on(&self, thread: Thread, problem: &Problem) -> bool {
        thread == Thread::Net && self.last != Thread::Net && problem.kind != Kind::Bug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: Kind) -> Problem {
        Problem::new(kind, "cannot go on", "of a test", "look here")
    }

    #[test]
    fn a_run_ends_with_its_last_thread_or_with_a_failure() {
        use Thread::{Audio, Decode, Net};
        let failed = |kind| Some(Way::Failed(problem(kind)));
        let cases = [
            (Decode, Net, Ok(()), None),
            (Decode, Decode, Ok(()), Some(Way::Finished)),
            (
                Decode,
                Decode,
                Err(Kind::Malformed),
                failed(Kind::Malformed),
            ),
            (Decode, Audio, Err(Kind::Audio), failed(Kind::Audio)),
            (Decode, Net, Err(Kind::NoData), None),
            (Decode, Net, Err(Kind::Bug), failed(Kind::Bug)),
            (Net, Net, Ok(()), Some(Way::Finished)),
            (Net, Net, Err(Kind::NoData), failed(Kind::NoData)),
        ];
        for (last, thread, result, want) in cases {
            let way = Ending::with(last).after(thread, &result.map_err(problem));
            assert_eq!(way, want, "last {last:?}, {thread:?} {result:?}");
        }
    }

    #[test]
    fn a_network_failure_is_told_when_the_sound_that_was_left_is_over() {
        let mut ending = Ending::with(Thread::Decode);
        assert_eq!(ending.after(Thread::Net, &Err(problem(Kind::NoData))), None);
        let way = ending.after(Thread::Decode, &Ok(()));
        assert_eq!(way, Some(Way::Failed(problem(Kind::NoData))));
    }

    #[test]
    fn every_way_has_a_word_for_programs() {
        let failed = Way::Failed(problem(Kind::Bug));
        let ways = [Way::Finished, Way::Quit, Way::Signal(2), failed];
        assert_eq!(
            ways.map(|way| way.name()),
            ["ended", "quit", "signal", "failed"]
        );
    }
}
