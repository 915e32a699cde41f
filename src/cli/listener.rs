//! What the listener has set by key, and what a key does: held, loudness, and
//! the place that was sought and is not heard yet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::keys::Key;
use crate::error::{Kind, Problem};
use crate::pipeline::Run;
use crate::stats::Stats;
use crate::units::{MediaTime, Speed};

/// So much is heard at least, wherever the listener goes.
const LEAST: MediaTime = MediaTime::from_nanos(1_000_000_000);
const LOUDEST: u8 = 100;

/// What the listener has set. It holds from one stream to the next.
#[derive(Clone, Debug)]
pub struct Listener {
    volume: u8,
    speed: Speed,
    is_muted: bool,
    is_paused: bool,
    /// Where the last seek leads, and when it was asked for.
    aim: Option<(MediaTime, Duration)>,
}

/// What is left to do after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Done,
    /// The run ends here.
    Quit,
    /// The next stream.
    Next,
    /// The report is to be shown.
    Report,
    /// The sound holds, or goes on.
    Held(bool),
    /// It cannot be done as it was asked.
    Warning(Problem),
}

impl Listener {
    /// Nothing was pressed yet; `volume` is in percent.
    pub fn new(volume: u8, speed: Speed) -> Self {
        Self {
            volume,
            speed,
            is_muted: false,
            is_paused: false,
            aim: None,
        }
    }

    /// Loudness in percent; none when it is muted.
    pub fn volume(&self) -> Option<u8> {
        (!self.is_muted).then_some(self.volume)
    }

    /// The pace.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Whether the sound is held.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Sets a run that begins as the last one was.
    pub fn begin(&mut self, run: &Run) {
        self.aim = None;
        run.pause(self.is_paused);
        run.set_volume(self.volume().unwrap_or(0));
        run.set_speed(self.speed);
    }

    /// Does what `key` says.
    pub fn press(&mut self, key: Key, run: &Run, stats: &Stats) -> Answer {
        match key {
            Key::Quit => return Answer::Quit,
            Key::Next => return Answer::Next,
            Key::Report => return Answer::Report,
            Key::Pause => {
                self.is_paused = !self.is_paused;
                run.pause(self.is_paused);
                return Answer::Held(self.is_paused);
            }
            Key::Volume(step) => {
                self.volume = self.volume.saturating_add_signed(step).min(LOUDEST);
                self.is_muted = false;
                run.set_volume(self.volume);
            }
            Key::Mute => {
                self.is_muted = !self.is_muted;
                run.set_volume(self.volume().unwrap_or(0));
            }
            Key::Speed(step) => {
                self.speed = self.speed.faster(f64::from(step));
                run.set_speed(self.speed);
            }
            Key::NextVariant => run.next_variant(),
            Key::Edge if is_live(stats) => self.go(MediaTime::MAX, run, stats),
            Key::Edge => {}
            Key::Seek(seconds) => return self.seek(seconds, run, stats),
        }
        Answer::Done
    }

    /// So many seconds from what is heard, or from what was asked for and is not
    /// heard yet.
    fn seek(&mut self, seconds: i64, run: &Run, stats: &Stats) -> Answer {
        let landed = Duration::from_nanos(stats.landed.load(Ordering::Relaxed));
        let pending = self.aim.filter(|(_, asked)| *asked > landed);
        let here = pending.map_or_else(|| run.position(), |(to, _)| to);
        let wanted = here + MediaTime::from_nanos(seconds.saturating_mul(1_000_000_000));
        if is_live(stats) {
            self.go(wanted, run, stats); // its window is known where it is kept
            return Answer::Done;
        }
        let end = stats.duration.now();
        let (to, refusal) = within(wanted, end);
        self.go(to, run, stats);
        refusal.map_or(Answer::Done, Answer::Warning)
    }

    fn go(&mut self, to: MediaTime, run: &Run, stats: &Stats) {
        self.aim = Some((to, stats.elapsed()));
        run.seek(to);
    }
}

fn is_live(stats: &Stats) -> bool {
    matches!(stats.lists().kind, "hls-live" | "hls-event")
}

/// The place nearest to `wanted` in a stream that ends at `end` (zero while
/// nobody knows); that it lies behind is said.
fn within(wanted: MediaTime, end: MediaTime) -> (MediaTime, Option<Problem>) {
    let last = (end - LEAST).max(MediaTime::ZERO);
    if end == MediaTime::ZERO || wanted <= last {
        return (wanted.max(MediaTime::ZERO), None);
    }
    let refusal = (wanted > end).then(|| {
        let what = format!("cannot go to {wanted}");
        let why = format!("the stream ends at {end}");
        Problem::new(Kind::Arguments, what, why, "going to its last second")
    });
    (last, refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_behind_the_end_is_its_last_second_and_said() {
        let seconds = MediaTime::from_seconds;
        let cases = [
            (-5.0, 60.0, 0.0, false),
            (30.0, 60.0, 30.0, false),
            (59.5, 60.0, 59.0, false),
            (61.0, 60.0, 59.0, true),
            (500.0, 0.0, 500.0, false),
            (3.0, 0.5, 0.0, true),
        ];
        for (wanted, end, to, is_said) in cases {
            let (got, refusal) = within(seconds(wanted), seconds(end));
            assert_eq!((got, refusal.is_some()), (seconds(to), is_said), "{wanted}");
        }
    }
}
