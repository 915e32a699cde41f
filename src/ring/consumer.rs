//! The reading end of the ring, in the audio callback.

use std::sync::atomic::Ordering;

use super::{Filled, Gap, Playhead, UNKNOWN};
use crate::units::{Frames, Spec};

/// The reading end, in the audio callback.
#[derive(Debug)]
pub struct Consumer {
    samples: rtrb::Consumer<f32>,
    gaps: rtrb::Producer<Gap>,
    playhead: Playhead,
    ready: usize,
    position: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing was due yet: before the first frame and after a jump.
    Waiting,
    /// Frames flow.
    Playing,
    /// The ring ran dry and is not filled again.
    Starved(Gap),
}

impl Consumer {
    /// Takes from `samples`; sound begins and resumes at `ready` frames.
    pub(super) fn new(
        samples: rtrb::Consumer<f32>,
        gaps: rtrb::Producer<Gap>,
        playhead: Playhead,
        ready: usize,
    ) -> Self {
        Self {
            samples,
            gaps,
            playhead,
            ready,
            position: 0,
            state: State::Waiting,
        }
    }

    /// Rate and channels of the frames.
    pub fn spec(&self) -> Spec {
        self.playhead.spec
    }

    /// As [`Playhead::position`].
    pub fn position(&self) -> Frames {
        Frames(self.position)
    }

    /// Where the sound is.
    pub fn playhead(&self) -> Playhead {
        self.playhead.clone()
    }

    /// Whether the end was reached.
    pub fn is_over(&self) -> bool {
        self.playhead.is_over()
    }

    /// Fills `out` (interleaved, whole frames) with the frames that are due and
    /// silence behind them. Sound begins, and resumes after an underrun, when
    /// 100 ms are held or no more will come.
    pub fn fill(&mut self, out: &mut [f32]) -> Filled {
        let channels = self.playhead.spec.channels.count();
        let wanted = out.len() / channels;
        let jumped = self.jump();
        let frames = self.due().min(wanted);
        let (sound, silence) = out.split_at_mut(frames * channels);
        self.samples
            .pop_entire_slice(sound)
            .expect("frames that are held can be taken");
        silence.fill(0.0);
        self.publish(frames, wanted - frames);
        Filled {
            frames,
            silence: wanted - frames,
            jumped,
        }
    }

    /// Whether [`Consumer::fill`] would give frames now.
    pub fn is_due(&self) -> bool {
        self.due() > 0
    }

    /// Fills the front of `out` with frames that a flush made stale, to be faded
    /// out; returns how many samples those are.
    pub fn fill_stale(&mut self, out: &mut [f32]) -> usize {
        let channels = self.playhead.spec.channels.count();
        let target = self.playhead.shared.flush_to.load(Ordering::Acquire);
        let stale = usize::try_from(target.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let frames = stale.min(out.len() / channels);
        let samples = frames * channels;
        self.samples
            .pop_entire_slice(&mut out[..samples])
            .expect("a flush stays within what was written");
        self.position += frames as u64;
        samples
    }

    /// Skips what a flush made stale. All of it is in the ring: a flush never
    /// leads past what was written before it.
    fn jump(&mut self) -> bool {
        let target = self.playhead.shared.flush_to.load(Ordering::Acquire);
        let Some(stale) = target.checked_sub(self.position).filter(|&n| n > 0) else {
            return false;
        };
        let samples = usize::try_from(stale)
            .ok()
            .and_then(|frames| frames.checked_mul(self.playhead.spec.channels.count()))
            .and_then(|samples| self.samples.read_chunk(samples).ok());
        samples
            .expect("a flush stays within what was written")
            .commit_all();
        self.position = target;
        self.leave_gap();
        self.state = State::Waiting;
        true
    }

    /// Frames that may be played now.
    fn due(&self) -> usize {
        // The end before the ring: when it is known, all its frames are visible.
        let end = self.playhead.shared.end.load(Ordering::Acquire);
        let abandoned = self.samples.is_abandoned();
        let held = self.samples.slots() / self.playhead.spec.channels.count();
        let last = abandoned || end != UNKNOWN;
        match self.state {
            State::Playing => held,
            State::Waiting | State::Starved(_) if last || held >= self.ready => held,
            State::Waiting | State::Starved(_) => 0,
        }
    }

    fn publish(&mut self, frames: usize, missing: usize) {
        if frames > 0 {
            self.leave_gap();
            self.state = State::Playing;
            self.position += frames as u64;
        }
        // Published even when nothing moved: a jump may have.
        let position = &self.playhead.shared.position;
        position.store(self.position, Ordering::Release);
        if self.is_over() {
            self.leave_gap();
            self.state = State::Waiting;
        } else if missing > 0 {
            self.starve(missing as u64);
        }
    }

    /// Counts `missing` frames of silence, unless none were due.
    fn starve(&mut self, missing: u64) {
        let shared = &self.playhead.shared;
        let mut gap = match self.state {
            State::Waiting => return,
            State::Starved(gap) => gap,
            State::Playing => {
                shared.underruns.fetch_add(1, Ordering::Relaxed);
                Gap {
                    position: Frames(self.position),
                    silence: Frames(0),
                }
            }
        };
        shared.silence.fetch_add(missing, Ordering::Relaxed);
        gap.silence = gap.silence + Frames(missing);
        self.state = State::Starved(gap);
    }

    /// Hands a gap that is over to the decode thread.
    fn leave_gap(&mut self) {
        if let State::Starved(gap) = self.state {
            // Without room it stays counted in `underruns` and `silence`.
            let _ = self.gaps.push(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring;
    use super::super::tests::{numbered, spec};
    use super::*;

    #[test]
    fn sound_begins_when_enough_is_held_and_nothing_was_due_before() {
        let (mut producer, mut consumer) = ring(spec(2), Frames(2_000));
        let mut out = [9.0; 200];
        producer.write(&numbered(0, 799));
        assert_eq!(consumer.fill(&mut out).frames, 0);
        assert_eq!(out, [0.0; 200]);
        producer.write(&numbered(799, 1));
        assert_eq!(consumer.fill(&mut out).frames, 100);
        assert_eq!(out.to_vec(), numbered(0, 100));
        assert_eq!(producer.playhead().underruns(), 0);
    }

    #[test]
    fn running_dry_is_one_underrun_until_sound_resumes() {
        let (mut producer, mut consumer) = ring(spec(2), Frames(2_000));
        let mut out = [0.0; 1_000];
        producer.write(&numbered(0, 800));
        let played: Vec<_> = (0..4).map(|_| consumer.fill(&mut out).frames).collect();
        assert_eq!(played, [500, 300, 0, 0]);
        assert_eq!(producer.gap(), None, "it is not over");
        assert_eq!(producer.playhead().silence(), Frames(1_200));
        producer.write(&numbered(800, 1_000));
        assert_eq!(consumer.fill(&mut out).frames, 500);
        let gap = Gap {
            position: Frames(800),
            silence: Frames(1_200),
        };
        assert_eq!(producer.gap(), Some(gap));
        assert_eq!(producer.playhead().underruns(), 1);
        assert_eq!(producer.playhead().position(), Frames(1_300));
    }

    #[test]
    fn running_dry_at_the_end_is_the_end() {
        let (mut producer, mut consumer) = ring(spec(2), Frames(2_000));
        let mut out = [0.0; 200];
        producer.write(&numbered(0, 30)); // far below what a beginning needs
        producer.finish();
        assert!(!producer.playhead().is_over());
        let filled = consumer.fill(&mut out);
        assert_eq!((filled.frames, filled.silence), (30, 70));
        assert!(consumer.is_over());
        assert_eq!(producer.playhead().underruns(), 0);
    }

    #[test]
    fn a_decode_thread_that_died_leaves_what_it_wrote() {
        let (mut producer, mut consumer) = ring(spec(2), Frames(2_000));
        producer.write(&numbered(0, 30));
        drop(producer);
        assert_eq!(consumer.fill(&mut [0.0; 200]).frames, 30);
    }
}
