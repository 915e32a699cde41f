//! Notices a codec that does not come back: bytes are there, nobody waits, and
//! no frame comes. Pure; the main thread asks once a second.

use std::time::{Duration, Instant};

use crate::error::{Kind, Problem};
use crate::limits;

/// What the decode thread does at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// It waits for bytes, pieces, room or the disk: no fault of a codec.
    pub is_waiting: bool,
    /// Anything that grows while it works.
    pub progress: u64,
}

/// Remembers when the decode thread was last seen alive.
#[derive(Debug)]
pub struct Watchdog {
    progress: u64,
    alive: Instant,
}

impl Watchdog {
    /// Alive at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            progress: 0,
            alive: now,
        }
    }

    /// Takes a look; says how long nothing happened when that is too long.
    pub fn look(&mut self, look: Look, now: Instant) -> Option<Duration> {
        if look.is_waiting || look.progress != self.progress {
            self.progress = look.progress;
            self.alive = now;
        }
        let silent = now.saturating_duration_since(self.alive);
        (silent >= limits::DECODE_STALL).then_some(silent)
    }
}

/// What the user is told.
pub fn hung(silent: Duration) -> Problem {
    let why = format!("the decoder made nothing of it for {} s", silent.as_secs());
    Problem::new(
        Kind::Malformed,
        "cannot decode the stream",
        why,
        "the file is probably damaged",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_silent_and_busy_decoder_hangs() {
        let begin = Instant::now();
        let mut dog = Watchdog::new(begin);
        let cases = [
            (1, false, 10, None),
            (4, false, 10, None),
            (7, true, 10, None),
            (11, false, 11, None),
            (15, false, 11, None),
            (16, false, 11, Some(5)),
        ];
        for (second, is_waiting, progress, want) in cases {
            let now = begin + Duration::from_secs(second);
            let silent = dog.look(
                Look {
                    is_waiting,
                    progress,
                },
                now,
            );
            assert_eq!(
                silent.map(|silent| silent.as_secs()),
                want,
                "second {second}"
            );
        }
    }
}
