//! The null device: takes frames at the pace of the monotonic clock and throws
//! them away. It runs the very code the sound card runs.

use std::time::{Duration, Instant};

use super::callback::Callback;
use crate::ring;
use crate::units::SampleRate;

const PERIOD: Duration = Duration::from_millis(50); // 20 wake-ups a second
const PERIODS_PER_SECOND: u64 = 20;

/// A device of air. [`Null::run`] is its thread.
#[derive(Debug)]
pub struct Null {
    callback: Callback,
    block: Vec<f32>,
    period: u64,
}

impl Null {
    /// A device that runs `callback`.
    pub fn new(callback: Callback) -> Self {
        let spec = callback.spec();
        let longest = frames_of(0, spec.rate) + 1;
        Self {
            callback,
            block: vec![0.0; longest * spec.channels.count()],
            period: 0,
        }
    }

    /// Plays until the ring is at its end, or until a stop has faded out.
    pub fn run(mut self) {
        // A block that was taken is still sounding for its length, as on a card.
        self.callback.set_latency(PERIOD);
        let mut due = Instant::now();
        while self.beat() {
            due += PERIOD;
            let now = Instant::now();
            match due.checked_duration_since(now) {
                Some(early) => std::thread::sleep(early),
                // The process was suspended; a sound card stands still then, too.
                None if now - due > ring::LENGTH => due = now,
                None => {}
            }
        }
    }

    /// Takes the frames of one period. Returns whether there is another one.
    fn beat(&mut self) -> bool {
        let spec = self.callback.spec();
        let frames = frames_of(self.period, spec.rate);
        let block = &mut self.block[..frames * spec.channels.count()];
        self.callback.run(block);
        self.period += 1;
        !self.callback.is_over()
    }
}

/// Frames of the period numbered `period`, so that every second has exactly `rate` of them.
fn frames_of(period: u64, rate: SampleRate) -> usize {
    let until = |phase: u64| phase * u64::from(rate.hertz()) / PERIODS_PER_SECOND;
    let phase = period % PERIODS_PER_SECOND;
    usize::try_from(until(phase + 1) - until(phase)).expect("below 768,000 frames")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::stats::Stats;
    use crate::units::{ChannelCount, Spec};

    #[test]
    fn every_second_has_exactly_its_frames() {
        for hertz in [8_000, 11_025, 44_100, 48_000, 768_000] {
            let rate = SampleRate::new(hertz).expect("an allowed rate");
            for second in [0, 1, 1_000_000] {
                let periods = second * PERIODS_PER_SECOND..(second + 1) * PERIODS_PER_SECOND;
                let frames: usize = periods.map(|period| frames_of(period, rate)).sum();
                assert_eq!(frames, hertz as usize, "{hertz} Hz, second {second}");
            }
        }
    }

    #[test]
    fn it_takes_everything_and_ends_with_the_ring() {
        let spec = Spec {
            rate: SampleRate::new(11_025).expect("an allowed rate"),
            channels: ChannelCount::new(2).expect("an allowed count"),
        };
        let stats = Arc::new(Stats::default());
        let (mut producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::clone(&stats));
        let mut null = Null::new(callback);
        assert!(null.beat(), "waiting for sound is no end");
        assert_eq!(producer.write(&[0.5; 10_000]), 5_000);
        producer.finish();
        let beats = (0..).take_while(|_| null.beat()).count();
        assert_eq!(beats, 9, "5,000 frames are 9.07 periods");
        assert_eq!(stats.frames_played.total(), 5_000);
        assert_eq!(remote.playhead().underruns(), 0);
    }
}
