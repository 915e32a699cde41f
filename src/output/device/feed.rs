//! What a device is fed with: the callback, and behind it the last frames that
//! were handed over. A device that dies has swallowed some of them; the next one
//! plays them again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::callback::{Callback, Remote};
use crate::units::Spec;

/// How much is kept; a device that holds more loses what is beyond.
const KEPT: Duration = Duration::from_millis(250);
/// The callback's own: no click where sound begins in the middle.
const FADE: Duration = Duration::from_millis(10);

/// The callback and what it gave last.
#[derive(Debug)]
pub(super) struct Feed {
    callback: Callback,
    remote: Remote,
    /// Interleaved, oldest first, at most `kept` samples.
    history: VecDeque<f32>,
    kept: usize,
    /// How many of the last of them are still to be played again.
    again: usize,
    /// Frames played again so far, as far as they fade in.
    faded: usize,
    /// When a block was asked for last, and when its last frame is heard.
    asked: Instant,
    latency: Duration,
}

impl Feed {
    /// Feeds with what `callback` gives.
    pub fn new(callback: Callback, remote: Remote) -> Self {
        let kept = samples(KEPT, callback.spec());
        Self {
            callback,
            remote,
            history: VecDeque::with_capacity(kept),
            kept,
            again: 0,
            faded: 0,
            asked: Instant::now(),
            latency: Duration::ZERO,
        }
    }

    /// Rate and channels of the blocks.
    pub fn spec(&self) -> Spec {
        self.callback.spec()
    }

    /// The other end of the callback.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Whether a block would hold sound now, or never will.
    pub fn has_sound(&self) -> bool {
        self.again > 0 || self.callback.has_sound()
    }

    /// Whether blocks hold nothing but silence until the pause is over.
    pub fn is_resting(&self) -> bool {
        self.again == 0 && self.callback.is_resting()
    }

    /// Without a block: a seek makes room in the ring for the new place.
    pub fn look(&mut self) {
        self.callback.run(&mut []);
    }

    /// Fills `out` (interleaved, whole frames), whose last frame will be heard
    /// in `latency`. Allocates nothing.
    pub fn fill(&mut self, out: &mut [f32], latency: Duration) {
        self.asked = Instant::now();
        self.latency = latency;
        self.callback.set_latency(latency);
        let (old, new) = out.split_at_mut(self.again.min(out.len()));
        self.play_again(old);
        if !new.is_empty() {
            self.callback.run(new);
            self.keep(new);
        }
    }

    /// The device was lost `now`: what it was given and cannot have played comes
    /// again, and whatever comes next fades in.
    pub fn rewind(&mut self, now: Instant) {
        let unheard = self
            .latency
            .saturating_sub(now.saturating_duration_since(self.asked));
        let spec = self.spec();
        self.again = (samples(unheard, spec) + self.again).min(self.history.len());
        self.faded = 0;
        if self.again < samples(FADE, spec) {
            self.again = 0;
            self.callback.broke_off();
        }
    }

    fn play_again(&mut self, out: &mut [f32]) {
        let channels = self.spec().channels.count();
        let fade = samples(FADE, self.spec()) / channels;
        let first = self.history.len() - self.again;
        let old = self.history.range(first..first + out.len());
        for (index, (to, from)) in out.iter_mut().zip(old).enumerate() {
            let frame = (self.faded + index / channels + 1).min(fade);
            *to = from * (frame as f32 / fade as f32);
        }
        self.again -= out.len();
        self.faded = (self.faded + out.len() / channels).min(fade);
    }

    fn keep(&mut self, new: &[f32]) {
        let new = &new[new.len().saturating_sub(self.kept)..];
        let over = (self.history.len() + new.len()).saturating_sub(self.kept);
        self.history.drain(..over);
        self.history.extend(new);
    }
}

/// The samples of `time`, whole frames.
fn samples(time: Duration, spec: Spec) -> usize {
    let frames = time.as_micros() * u128::from(spec.rate.hertz()) / 1_000_000;
    usize::try_from(frames)
        .unwrap_or(usize::MAX)
        .saturating_mul(spec.channels.count())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ring::{Producer, ring};
    use crate::stats::Stats;
    use crate::units::{ChannelCount, Frames, SampleRate};

    // 8 kHz mono: a fade has 80 frames, 2,000 are kept.
    fn rig() -> (Producer, Feed) {
        let spec = Spec {
            rate: SampleRate::new(8_000).expect("an allowed rate"),
            channels: ChannelCount::new(1).expect("an allowed count"),
        };
        let (mut producer, consumer) = ring(spec, Frames(8_000));
        producer.write(&(0..8_000).map(|n| n as f32 / 8_000.0).collect::<Vec<_>>());
        let (callback, remote) = Callback::new(consumer, Arc::new(Stats::default()));
        (producer, Feed::new(callback, remote))
    }

    fn block(feed: &mut Feed, frames: usize, latency: u64) -> Vec<f32> {
        let mut out = vec![9.0; frames];
        feed.fill(&mut out, Duration::from_millis(latency));
        out
    }

    #[test]
    fn what_a_dead_device_swallowed_is_played_again_and_sound_goes_on_behind_it() {
        let (_producer, mut feed) = rig();
        block(&mut feed, 3_000, 100);
        feed.rewind(feed.asked + Duration::from_millis(25));
        let mut out = block(&mut feed, 500, 100);
        out.extend(block(&mut feed, 500, 100));
        let first = 3_000 - 600; // 75 of 100 ms were not heard
        for (index, sample) in out.iter().enumerate() {
            let gain = ((index + 1) as f32 / 80.0).min(1.0);
            let want = (first + index) as f32 / 8_000.0 * gain;
            assert!((sample - want).abs() < 1e-6, "{index}: {sample} for {want}");
        }
    }

    #[test]
    fn a_device_that_dies_again_meanwhile_loses_nothing() {
        let (_producer, mut feed) = rig();
        block(&mut feed, 3_000, 100);
        feed.rewind(feed.asked);
        block(&mut feed, 300, 50);
        feed.rewind(feed.asked);
        let out = block(&mut feed, 1_000, 100);
        let first = 3_000 - 800 + 300 - 400;
        assert_eq!(out[999], (first + 999) as f32 / 8_000.0);
    }

    #[test]
    fn a_device_that_had_played_all_goes_on_with_a_fade() {
        let (_producer, mut feed) = rig();
        block(&mut feed, 3_000, 100);
        feed.rewind(feed.asked + Duration::from_secs(5));
        let out = block(&mut feed, 200, 100);
        assert!(out[0] < 0.01 && out[1] < 0.02, "{:?}", &out[..2]);
        assert_eq!(out[199], 3_199.0 / 8_000.0);
    }

    #[test]
    fn no_more_comes_again_than_is_kept() {
        let (_producer, mut feed) = rig();
        block(&mut feed, 100, 5_000);
        feed.rewind(feed.asked);
        assert_eq!(feed.again, 100);
        block(&mut feed, 3_000, 5_000);
        feed.rewind(feed.asked);
        assert_eq!(feed.again, 2_000);
    }
}
