//! The PCM ring between the decode thread and the audio callback: whole frames
//! of interleaved `f32` at the device rate. Every position is absolute (frames
//! since the ring was made), so a seek or an end can never be taken for another
//! one's. The consumer never allocates, locks, calls the system or wakes anybody.

mod consumer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::units::{Frames, Spec};

pub use consumer::Consumer;

/// How much sound the ring of a device holds.
pub const LENGTH: Duration = Duration::from_millis(500); // rides out one 400 ms disk stall
const READY: Duration = Duration::from_millis(100); // held before sound begins or resumes: no stutter
const GAPS: usize = 64; // underruns kept until the decode thread takes them
const UNKNOWN: u64 = u64::MAX; // an end that nobody has announced

/// Sound was due and the ring had none: an underrun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where: the absolute frame that came late.
    pub position: Frames,
    /// Frames of silence that were heard instead.
    pub silence: Frames,
}

/// What one [`Consumer::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Frames of sound, at the front of the block.
    pub frames: usize,
    /// Frames of silence behind them.
    pub silence: usize,
    /// Frames were skipped before this block: a seek.
    pub jumped: bool,
}

#[derive(Debug)]
struct Shared {
    position: AtomicU64,
    flush_to: AtomicU64,
    end: AtomicU64,
    underruns: AtomicU64,
    silence: AtomicU64,
}

/// A ring of `capacity` frames and its two ends.
pub fn ring(spec: Spec, capacity: Frames) -> (Producer, Consumer) {
    let frames = usize::try_from(capacity.0).unwrap_or(usize::MAX).max(1);
    let (samples_in, samples_out) = rtrb::RingBuffer::new(frames * spec.channels.count());
    let (gaps_in, gaps_out) = rtrb::RingBuffer::new(GAPS);
    let shared = Arc::new(Shared {
        position: AtomicU64::new(0),
        flush_to: AtomicU64::new(0),
        end: AtomicU64::new(UNKNOWN),
        underruns: AtomicU64::new(0),
        silence: AtomicU64::new(0),
    });
    let playhead = Playhead { shared, spec };
    let producer = Producer {
        samples: samples_in,
        gaps: gaps_out,
        playhead: playhead.clone(),
        capacity: frames,
        written: 0,
    };
    let ready = frames_in(READY, spec).min(frames);
    let consumer = Consumer::new(samples_out, gaps_in, playhead, ready);
    (producer, consumer)
}

/// The frames of `time` at the rate of `spec`, rounded down.
fn frames_in(time: Duration, spec: Spec) -> usize {
    let frames = time.as_millis() * u128::from(spec.rate.hertz()) / 1000;
    usize::try_from(frames).unwrap_or(usize::MAX)
}

/// A ring of [`LENGTH`] for a device of `spec`.
pub fn of_length(spec: Spec) -> (Producer, Consumer) {
    ring(spec, Frames(frames_in(LENGTH, spec) as u64))
}

/// Where the sound is, for every thread that wants to know.
#[derive(Clone, Debug)]
pub struct Playhead {
    shared: Arc<Shared>,
    spec: Spec,
}

impl Playhead {
    /// Rate and channels of the frames.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// The absolute number of the frame that is played next; frames that a
    /// flush skipped count.
    pub fn position(&self) -> Frames {
        Frames(self.shared.position.load(Ordering::Acquire))
    }

    /// How often the ring ran dry while sound was due, the present time included.
    pub fn underruns(&self) -> u64 {
        self.shared.underruns.load(Ordering::Relaxed)
    }

    /// Silence heard in underruns so far, the present one included.
    pub fn silence(&self) -> Frames {
        Frames(self.shared.silence.load(Ordering::Relaxed))
    }

    /// Whether everything that was written before [`Producer::finish`] was played.
    pub fn is_over(&self) -> bool {
        self.position().0 == self.shared.end.load(Ordering::Acquire)
    }
}

/// The writing end, on the decode thread.
#[derive(Debug)]
pub struct Producer {
    samples: rtrb::Producer<f32>,
    gaps: rtrb::Consumer<Gap>,
    playhead: Playhead,
    capacity: usize,
    written: u64,
}

impl Producer {
    /// Rate and channels of the frames.
    pub fn spec(&self) -> Spec {
        self.playhead.spec
    }

    /// Where the sound is.
    pub fn playhead(&self) -> Playhead {
        self.playhead.clone()
    }

    /// Takes as many whole frames of `samples` (interleaved) as fit and returns
    /// how many those are. Never waits.
    pub fn write(&mut self, samples: &[f32]) -> usize {
        let channels = self.playhead.spec.channels.count();
        let frames = self.free_frames().min(samples.len() / channels);
        self.samples
            .push_entire_slice(&samples[..frames * channels])
            .expect("there is room for free_frames");
        self.written += frames as u64;
        frames
    }

    /// The absolute number of the next frame to be written.
    pub fn written(&self) -> Frames {
        Frames(self.written)
    }

    /// Frames that fit now.
    pub fn free_frames(&self) -> usize {
        self.samples.slots() / self.playhead.spec.channels.count()
    }

    /// Frames held now.
    pub fn fill_frames(&self) -> usize {
        self.capacity - self.free_frames()
    }

    /// Frames held at most.
    pub fn capacity_frames(&self) -> usize {
        self.capacity
    }

    /// A seek: the consumer jumps to `position`, at most to [`Producer::written`],
    /// and an end that was announced is none any more. What is written from now
    /// on is heard whole, whenever the jump happens.
    pub fn flush_to(&mut self, position: Frames) {
        let shared = &self.playhead.shared;
        shared.end.store(UNKNOWN, Ordering::Release);
        let reachable = position.0.min(self.written);
        // A jump that is still to come must not become a shorter one.
        shared.flush_to.fetch_max(reachable, Ordering::Release);
    }

    /// No frame comes after those written: running dry there is the end.
    pub fn finish(&mut self) {
        let end = &self.playhead.shared.end;
        end.store(self.written, Ordering::Release);
    }

    /// The oldest underrun that is over and was not taken yet.
    pub fn gap(&mut self) -> Option<Gap> {
        self.gaps.pop().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ChannelCount, SampleRate};
    use proptest::prelude::*;

    pub(super) fn spec(channels: usize) -> Spec {
        Spec {
            rate: SampleRate::new(8_000).expect("an allowed rate"),
            channels: ChannelCount::new(channels).expect("an allowed count"),
        }
    }

    /// Stereo frames that carry their own number.
    pub(super) fn numbered(from: u64, count: usize) -> Vec<f32> {
        (from..)
            .take(count)
            .flat_map(|n| [n as f32, -(n as f32)])
            .collect()
    }

    #[test]
    fn a_flush_after_the_end_withdraws_the_end_and_keeps_what_is_written_later() {
        let (mut producer, mut consumer) = ring(spec(2), Frames(2_000));
        let mut out = [0.0; 200];
        producer.write(&numbered(0, 1_000));
        producer.finish();
        consumer.fill(&mut out);
        producer.flush_to(producer.written());
        producer.write(&numbered(1_000, 900));
        let filled = consumer.fill(&mut out);
        assert!(filled.jumped && !consumer.is_over());
        assert_eq!(out.to_vec(), numbered(1_000, 100));
        assert_eq!(producer.playhead().underruns(), 0);
    }

    #[test]
    fn a_ring_takes_whole_frames_only() {
        let (mut producer, _consumer) = ring(spec(2), Frames(3));
        assert_eq!(producer.write(&[0.5; 5]), 2);
        assert_eq!(producer.write(&[0.5; 5]), 1);
        assert_eq!((producer.free_frames(), producer.fill_frames()), (0, 3));
    }

    #[test]
    fn two_threads_pass_every_frame_in_order() {
        const COUNT: u64 = 300_000;
        let (mut producer, mut consumer) = ring(spec(2), Frames(1_024));
        let writer = std::thread::spawn(move || {
            let mut next = 0;
            while next < COUNT {
                let count = (COUNT - next).min(333) as usize;
                next += producer.write(&numbered(next, count)) as u64;
                std::thread::yield_now();
            }
            producer.finish();
        });
        let (mut next, mut out) = (0, [0.0; 500]);
        while !consumer.is_over() {
            let frames = consumer.fill(&mut out).frames;
            assert_eq!(out[..frames * 2], numbered(next, frames));
            next += frames as u64;
        }
        writer.join().expect("the writer ends");
        assert_eq!(next, COUNT);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Fill(usize),
        Flush(u64),
        Finish,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..900).prop_map(Step::Write),
            4 => (0usize..900).prop_map(Step::Fill),
            1 => (0u64..400).prop_map(Step::Flush),
            1 => Just(Step::Finish),
        ]
    }

    proptest! {
        #[test]
        fn frames_come_in_order_from_the_last_flush_on_and_none_is_lost(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let (mut producer, mut consumer) = ring(spec(2), Frames(1_500));
            let mut next = 0u64; // the frame that must come next
            for step in steps {
                match step {
                    Step::Write(count) => {
                        let from = producer.written().0;
                        producer.write(&numbered(from, count));
                    }
                    Step::Flush(back) => {
                        let target = producer.written().0.saturating_sub(back);
                        producer.flush_to(Frames(target));
                        next = next.max(target);
                    }
                    Step::Finish => producer.finish(),
                    Step::Fill(count) => {
                        let mut out = vec![7.0; count * 2];
                        let filled = consumer.fill(&mut out);
                        prop_assert_eq!(filled.frames + filled.silence, count);
                        prop_assert_eq!(&out[..filled.frames * 2], &numbered(next, filled.frames)[..]);
                        prop_assert!(out[filled.frames * 2..].iter().all(|&s| s == 0.0));
                        next += filled.frames as u64;
                        prop_assert_eq!(producer.playhead().position(), Frames(next));
                    }
                }
                prop_assert!(producer.fill_frames() <= 1_500);
            }
        }
    }
}
