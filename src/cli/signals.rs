//! Signals, noted by handlers that only set a number; the main loop looks at
//! it ten times a second. No thread waits for signals: four is all we have.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{Kind, Problem};

/// The signals that ask a run to end in order.
const ENDING: [(i32, usize); 3] = [(SIGINT, 2), (SIGTERM, 15), (SIGHUP, 1)];

/// What signals have asked for since the handlers were installed.
#[derive(Debug, Default)]
pub struct Signals {
    asked: Arc<AtomicUsize>,
    continued: Arc<AtomicBool>,
}

impl Signals {
    /// Installs the handlers. A signal that is ignored (`nohup`) stays ignored.
    ///
    /// # Errors
    ///
    /// [`Kind::Bug`]: the system knows all of these signals.
    pub fn listen() -> Result<Self, Problem> {
        let signals = Self::default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (signal, number) in ENDING {
            if !is_ignored(&status, number) {
                let asked = Arc::clone(&signals.asked);
                flag::register_usize(signal, asked, number).map_err(refused)?;
            }
        }
        flag::register(SIGCONT, Arc::clone(&signals.continued)).map_err(refused)?;
        Ok(signals)
    }

    /// The signal that asked to end, if one did.
    pub fn asked(&self) -> Option<i32> {
        let number = self.asked.load(Ordering::Relaxed);
        ENDING
            .iter()
            .find(|(_, known)| *known == number)
            .map(|(signal, _)| *signal)
    }

    /// Whether the process was stopped and goes on, since the last call.
    pub fn continued(&self) -> bool {
        self.continued.swap(false, Ordering::Relaxed)
    }
}

fn refused(error: std::io::Error) -> Problem {
    Problem::from_io(
        error,
        Kind::Bug,
        "cannot listen for signals",
        "please report it",
    )
}

/// Whether `/proc/self/status` says that signal `number` is ignored.
fn is_ignored(status: &str, number: usize) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> (number - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_table_are_those_of_the_system() {
        for (signal, number) in ENDING {
            assert_eq!(usize::try_from(signal), Ok(number));
        }
    }

    #[test]
    fn an_ignored_signal_is_found_in_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        for (number, want) in [(1, true), (2, false), (13, true), (15, false)] {
            assert_eq!(is_ignored(status, number), want, "signal {number}");
        }
        assert!(!is_ignored("", 1));
    }

    #[test]
    fn a_signal_asks_to_end_and_the_process_lives_on() {
        let signals = Signals::listen().expect("handlers are installed");
        assert_eq!(signals.asked(), None);
        // Not SIGHUP or SIGINT: a shell may have had them ignored.
        signal_hook::low_level::raise(SIGTERM).expect("raised");
        assert_eq!(signals.asked(), Some(SIGTERM));
    }
}
