//! The decode thread's end of the ring: the sink of `play` and `stats`. The
//! device is opened by another thread meanwhile; [`Opener`] is the door between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::bell::Bell;
use crate::error::{Kind, Problem};
use crate::event::{Event, Events};
use crate::media::{Format, Provenance, Sink};
use crate::ring::{self, Gap, Producer};
use crate::stats::{Cause, Stats, Underrun};
use crate::units::{Frames, MediaTime, SampleRate, Spec, Speed};

const SHORTEST_WAIT: Duration = Duration::from_millis(5); // for the device to come back for the last frames

/// A sink that fills a ring, and the door through which it gets that ring.
pub fn ring_sink(bell: Arc<Bell>, stats: Arc<Stats>, events: Events) -> (RingSink, Opener) {
    let (wanted_in, wanted_out) = bounded(1);
    let (ring_in, ring_out) = bounded(1);
    let sink = RingSink {
        bell: Arc::clone(&bell),
        stats,
        events,
        wanted: wanted_in,
        ring: ring_out,
        producer: None,
        last: Look::default(),
        late: Cause::Network,
    };
    let opener = Opener {
        bell,
        wanted: wanted_out,
        ring: ring_in,
    };
    (sink, opener)
}

/// The side of whoever opens the device.
#[derive(Debug)]
pub struct Opener {
    bell: Arc<Bell>,
    wanted: Receiver<Spec>,
    ring: Sender<Result<Producer, Problem>>,
}

impl Opener {
    /// Waits for what the source sounds like; `None` when nothing will be decoded.
    pub fn wanted(&self) -> Option<Spec> {
        self.wanted.recv().ok()
    }

    /// Hands over the ring of the open device, or why there is none.
    pub fn answer(self, ring: Result<Producer, Problem>) {
        // The sink may be gone: then the run is over.
        let _ = self.ring.send(ring);
        self.bell.ring();
    }
}

/// Pushes frames into the ring and waits while it is full.
#[derive(Debug)]
pub struct RingSink {
    bell: Arc<Bell>,
    stats: Arc<Stats>,
    events: Events,
    wanted: Sender<Spec>,
    ring: Receiver<Result<Producer, Problem>>,
    producer: Option<Producer>,
    /// When frames were written last.
    last: Look,
    /// Who let the ring run dry last.
    late: Cause,
}

impl Sink for RingSink {
    fn open(&mut self, source: Format) -> Result<Spec, Problem> {
        // Nobody listens when opening has failed already: the answer says why.
        let _ = self.wanted.try_send(source.spec);
        let producer = self.wait_for_ring()?;
        let spec = producer.spec();
        self.producer = Some(producer);
        Ok(spec)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        self.look_at_ring();
        let producer = self.producer.as_mut().ok_or_else(no_ring)?;
        let channels = producer.spec().channels.count();
        let mut rest = &samples[producer.write(samples) * channels..];
        while rest.len() >= channels {
            pause(&self.bell, ring::LENGTH / 4)?;
            rest = &rest[producer.write(rest) * channels..];
        }
        self.last = Look::now(&self.stats);
        Ok(())
    }

    fn segment(&mut self, _done: &Provenance) -> Result<(), Problem> {
        Ok(())
    }

    /// Marks the end and waits until the ring was played. The device still plays
    /// what it holds itself, see [`super::callback::Remote::latency`].
    fn finish(&mut self) -> Result<(), Problem> {
        let Some(producer) = &mut self.producer else {
            return Ok(());
        };
        producer.finish();
        let playhead = producer.playhead();
        while !playhead.is_over() {
            let held = Frames(producer.fill_frames() as u64).time(playhead.spec().rate);
            pause(
                &self.bell,
                held.duration().clamp(SHORTEST_WAIT, ring::LENGTH / 4),
            )?;
        }
        self.look_at_ring();
        Ok(())
    }

    fn go_to(&mut self, position: MediaTime) {
        let frame = match &mut self.producer {
            None => Frames(0),
            Some(producer) => {
                producer.flush_to(producer.written());
                producer.written()
            }
        };
        self.stats.go_to(frame, position);
    }

    fn pace(&mut self, held: Frames, position: MediaTime, speed: Speed) {
        let written = self.producer.as_ref().map_or(Frames(0), Producer::written);
        self.stats.pace(written + held, position, speed);
    }
}

impl RingSink {
    fn wait_for_ring(&self) -> Result<Producer, Problem> {
        loop {
            let seen = self.bell.count();
            match self.ring.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Disconnected) => return Err(no_ring()),
                // An opener that died rings no bell: hence the limit.
                Err(TryRecvError::Empty) => self.bell.wait(seen, Some(ring::LENGTH)),
            };
            self.bell.check()?;
        }
    }

    /// Finds out who is late when the ring is dry, and reports underruns that are over.
    fn look_at_ring(&mut self) {
        let Some(producer) = &mut self.producer else {
            return;
        };
        if producer.fill_frames() == 0 {
            self.late = cause(self.last, Look::now(&self.stats));
        }
        while let Some(gap) = producer.gap() {
            note(
                &self.stats,
                &self.events,
                producer.spec().rate,
                gap,
                self.late,
            );
        }
    }
}

/// What tells who made frames late, looked at when they were written.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// Since the process began.
    at: Duration,
    /// Time the decode thread has worked.
    busy: Duration,
    /// Media on disk that is not decoded.
    ahead: Duration,
}

impl Look {
    fn now(stats: &Stats) -> Self {
        Self {
            at: stats.elapsed(),
            busy: Duration::from_nanos(stats.decode_busy_ns.total()),
            ahead: (stats.fetched_until.now() - stats.decoded_until.now()).duration(),
        }
    }
}

/// Who is to blame for frames that were written `before` and then not until `now`:
/// the decoder if it worked half of the time, else the network unless a whole
/// ring of media was on disk.
fn cause(before: Look, now: Look) -> Cause {
    let passed = now.at.saturating_sub(before.at);
    let busy = now.busy.saturating_sub(before.busy);
    if busy * 2 >= passed {
        Cause::Decode
    } else if before.ahead >= ring::LENGTH {
        Cause::Disk
    } else {
        Cause::Network
    }
}

/// Reports an underrun; one for want of bytes is a rebuffering, too.
fn note(stats: &Stats, events: &Events, rate: SampleRate, gap: Gap, cause: Cause) {
    let position = stats.time_of(gap.position, rate);
    stats.underrun(Underrun {
        position,
        frames: gap.silence.0,
        cause,
    });
    if cause == Cause::Network {
        let silence = gap.silence.time(rate).duration();
        stats.rebuffers.add(1);
        // Told when it is over: only then is it known how long it was.
        events.send(Event::Stall { position });
        events.send(Event::Resume { position });
        stats
            .rebuffer_ns
            .add(u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Waits for `time`, whatever rings, unless the run is stopped or the listener
/// wants another place.
fn pause(bell: &Bell, time: Duration) -> Result<(), Problem> {
    let until = Instant::now() + time;
    loop {
        bell.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        bell.wait(bell.count(), Some(left));
    }
}

fn no_ring() -> Problem {
    Problem::new(
        Kind::Bug,
        "cannot play",
        "nobody opened the sound card",
        "report this as a bug",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;
    use crate::media::Codec;
    use crate::ring::{Consumer, ring};
    use crate::units::ChannelCount;

    fn spec() -> Spec {
        Spec {
            rate: SampleRate::new(8_000).expect("an allowed rate"),
            channels: ChannelCount::new(1).expect("an allowed count"),
        }
    }

    fn format() -> Format {
        Format {
            spec: spec(),
            codec: Codec::Aac,
            bits: 16,
        }
    }

    fn open(capacity: u64) -> (RingSink, Consumer, Arc<Bell>) {
        let bell = Arc::new(Bell::default());
        let (mut sink, opener) = ring_sink(Arc::clone(&bell), Arc::default(), event::channel().0);
        let (producer, consumer) = ring(spec(), Frames(capacity));
        opener.answer(Ok(producer));
        assert_eq!(sink.open(format()), Ok(spec()));
        (sink, consumer, bell)
    }

    #[test]
    fn the_opener_learns_what_is_wanted_and_its_failure_reaches_the_decoder() {
        let (mut sink, opener) = ring_sink(Arc::default(), Arc::default(), event::channel().0);
        let lost = Problem::new(Kind::Audio, "cannot open", "no device", "plug one in");
        let answer = lost.clone();
        let other = std::thread::spawn(move || {
            let wanted = opener.wanted();
            opener.answer(Err(answer));
            wanted
        });
        assert_eq!(sink.open(format()), Err(lost));
        assert_eq!(other.join().expect("the opener ends"), Some(spec()));
    }

    #[test]
    fn an_opener_is_told_when_nothing_will_be_decoded() {
        let (sink, opener) = ring_sink(Arc::default(), Arc::default(), event::channel().0);
        drop(sink);
        assert_eq!(opener.wanted(), None);
    }

    #[test]
    fn a_stop_ends_every_wait() {
        let bell = Arc::new(Bell::default());
        let (mut unopened, _opener) =
            ring_sink(Arc::clone(&bell), Arc::default(), event::channel().0);
        bell.stop();
        assert_eq!(unopened.open(format()), Err(Problem::stopped()));

        let (mut sink, _consumer, bell) = open(100);
        bell.stop();
        assert_eq!(sink.write(&[0.0; 101]), Err(Problem::stopped()));
        assert_eq!(sink.finish(), Err(Problem::stopped()));
    }

    #[test]
    fn more_than_a_ring_of_frames_goes_through_and_the_end_is_waited_for() {
        let (mut sink, mut consumer, _bell) = open(100);
        let device = std::thread::spawn(move || {
            let (mut heard, mut out) = (Vec::new(), [0.0; 64]);
            while !consumer.is_over() {
                let frames = consumer.fill(&mut out).frames;
                heard.extend_from_slice(&out[..frames]);
                std::thread::yield_now();
            }
            heard
        });
        let sound: Vec<f32> = (0..150).map(|n| n as f32).collect();
        assert_eq!(sink.write(&sound), Ok(()));
        assert_eq!(sink.finish(), Ok(()));
        assert_eq!(device.join().expect("the device ends"), sound);
    }

    #[test]
    fn an_underrun_is_reported_with_its_place_and_cause() {
        let (mut sink, mut consumer, _bell) = open(4_000);
        sink.stats.start.set(MediaTime::from_seconds(10.0));
        sink.write(&[0.5; 800]).expect("room");
        consumer.fill(&mut [0.0; 1_200]);
        sink.write(&[0.5; 1_000]).expect("room");
        consumer.fill(&mut [0.0; 100]);
        sink.write(&[0.5; 100]).expect("room");
        let want = Underrun {
            position: MediaTime::from_seconds(10.1),
            frames: 400,
            cause: sink.late,
        };
        assert_eq!(sink.stats.lists().underruns, [want]);
    }

    #[test]
    fn the_cause_of_an_underrun_is_told_by_work_and_by_what_is_on_disk() {
        let ms = Duration::from_millis;
        let look = |at, busy, ahead| Look {
            at: ms(at),
            busy: ms(busy),
            ahead: ms(ahead),
        };
        let cases = [
            (look(1_000, 100, 0), look(2_000, 110, 0), Cause::Network),
            (
                look(1_000, 100, 499),
                look(2_000, 110, 9_000),
                Cause::Network,
            ),
            (
                look(1_000, 100, 9_000),
                look(2_000, 110, 9_000),
                Cause::Disk,
            ),
            (
                look(1_000, 100, 9_000),
                look(2_000, 700, 9_000),
                Cause::Decode,
            ),
            (look(1_000, 100, 0), look(2_000, 700, 0), Cause::Decode),
        ];
        for (before, now, want) in cases {
            assert_eq!(cause(before, now), want, "{before:?} {now:?}");
        }
    }
}
