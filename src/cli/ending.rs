//! How a run ends, and which thread's end it is. A rule without a clock or a
//! channel, so that a table can test it.

use crate::error::{Kind, Problem};
use crate::event::Thread;
use crate::pipeline::Entry;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By itself.
    Finished,
    /// By the key `q`.
    Quit,
    /// By the key `n`: the next stream is wanted.
    Skipped,
    /// It was a list of addresses, of which these are the entries.
    Listed(Vec<Result<Entry, Problem>>),
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
            Self::Skipped => "skipped",
            Self::Listed(_) => "list",
            Self::Signal(_) => "signal",
            Self::Failed(_) => "failed",
        }
    }
}

/// Waits for the end of the last thread, and for that of the network side,
/// which may still be asking whether what was played holds.
#[derive(Debug)]
pub struct Ending {
    last: Thread,
    failure: Option<Problem>,
    is_net_over: bool,
    /// How it ends when the network side is over too.
    way: Option<Way>,
}

impl Ending {
    /// The run is over when `last` and the network side are.
    pub fn with(last: Thread) -> Self {
        Self {
            last,
            failure: None,
            is_net_over: false,
            way: None,
        }
    }

    /// What the end of a thread means. The network side may fail minutes before
    /// the sound does, because what it fetched is still played; the others end
    /// the run when they fail.
    pub fn after(&mut self, thread: Thread, result: &Result<(), Problem>) -> Option<Way> {
        self.is_net_over |= thread == Thread::Net;
        match result {
            Ok(()) if thread == self.last => {
                let way = self.failure.take().map_or(Way::Finished, Way::Failed);
                self.way = Some(way);
            }
            Ok(()) => {}
            Err(problem) if self.may_play_on(thread, problem) => {
                self.failure.get_or_insert_with(|| problem.clone());
            }
            Err(problem) => return Some(Way::Failed(problem.clone())),
        }
        match self.is_net_over {
            true => self.way.take(),
            false => None,
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
        let alone = [
            (Decode, Net, Ok(()), None),
            (Decode, Decode, Ok(()), None),
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
        for (last, thread, result, want) in alone {
            let way = Ending::with(last).after(thread, &result.map_err(problem));
            assert_eq!(way, want, "last {last:?}, {thread:?} {result:?}");
        }
        for (first, second) in [(Decode, Net), (Net, Decode)] {
            let mut ending = Ending::with(Decode);
            assert_eq!(ending.after(first, &Ok(())), None);
            assert_eq!(ending.after(second, &Ok(())), Some(Way::Finished));
        }
    }

    #[test]
    fn a_network_failure_after_the_last_sound_is_none_of_the_listener_s() {
        let mut ending = Ending::with(Thread::Decode);
        assert_eq!(ending.after(Thread::Decode, &Ok(())), None);
        let way = ending.after(Thread::Net, &Err(problem(Kind::NoData)));
        assert_eq!(way, Some(Way::Finished));
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
