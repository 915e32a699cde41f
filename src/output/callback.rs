//! What runs on the audio thread, for the sound card and the null device alike:
//! frames out of the ring, volume, fades, the last fence before the DAC. It
//! never allocates, locks, calls the system or wakes anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::ring::{Consumer, Filled, Playhead};
use crate::stats::{Stage, Stats};
use crate::units::Spec;

const FADE_PER_SECOND: f32 = 100.0; // the gain may go from 0 to 1 in 10 ms, no click and no wait

#[derive(Debug)]
struct Controls {
    gain_bits: AtomicU32,
    stopping: AtomicBool,
    paused: AtomicBool,
    silent: AtomicBool,
    blocks: AtomicU64,
    latency_us: AtomicU64,
}

/// The other end of a [`Callback`], for normal threads: volume, pause, stop, position.
#[derive(Clone, Debug)]
pub struct Remote {
    controls: Arc<Controls>,
    playhead: Playhead,
}

impl Remote {
    /// Sets the volume in percent; above 100 counts as 100.
    ///
    /// The gain is `(percent / 100)³`, the curve of mpv's `volume`: equal steps
    /// sound about equal.
    pub fn set_volume(&self, percent: u8) {
        let gain = (f32::from(percent.min(100)) / 100.0).powi(3);
        let bits = &self.controls.gain_bits;
        bits.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// Fades out within 10 ms of sound and takes no more, or goes on where it
    /// stopped, fading in.
    pub fn pause(&self, is_paused: bool) {
        self.controls.paused.store(is_paused, Ordering::Relaxed);
    }

    /// Fades out within 10 ms of sound and stays silent.
    pub fn stop(&self) {
        self.controls.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether [`Remote::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.controls.stopping.load(Ordering::Relaxed)
    }

    /// Whether the fade of [`Remote::stop`] was handed to the device, which
    /// plays it [`Remote::latency`] later.
    pub fn is_silent(&self) -> bool {
        self.controls.silent.load(Ordering::Relaxed)
    }

    /// Where the sound is.
    pub fn playhead(&self) -> &Playhead {
        &self.playhead
    }

    /// Rate and channels of the device.
    pub fn spec(&self) -> Spec {
        self.playhead.spec()
    }

    /// How often the device asked for a block. A device that stopped asking is lost.
    pub fn blocks(&self) -> u64 {
        self.controls.blocks.load(Ordering::Relaxed)
    }

    /// From a callback until its last frame was heard, as the device said last.
    /// After [`Playhead::is_over`] or [`Remote::is_silent`] the device still has
    /// that much to play.
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.controls.latency_us.load(Ordering::Relaxed))
    }
}

/// The code that is run for every block a device asks for.
#[derive(Debug)]
pub struct Callback {
    consumer: Consumer,
    controls: Arc<Controls>,
    stats: Arc<Stats>,
    /// The gain of the last frame.
    gain: f32,
    /// How far the gain may move in one frame.
    step: f32,
    /// Frames were played, and none was skipped or missing since.
    flowing: bool,
    heard: bool,
    /// A place was sought of which nothing was heard yet.
    is_landing: bool,
}

impl Callback {
    /// A callback that empties `consumer`, at full volume, and its remote end.
    pub fn new(consumer: Consumer, stats: Arc<Stats>) -> (Self, Remote) {
        let controls = Arc::new(Controls {
            gain_bits: AtomicU32::new(1f32.to_bits()),
            stopping: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            blocks: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
        });
        let remote = Remote {
            controls: Arc::clone(&controls),
            playhead: consumer.playhead(),
        };
        let callback = Self {
            step: FADE_PER_SECOND / consumer.spec().rate.hertz() as f32,
            consumer,
            controls,
            stats,
            gain: 1.0,
            flowing: false,
            heard: false,
            is_landing: false,
        };
        (callback, remote)
    }

    /// Rate and channels of the blocks.
    pub fn spec(&self) -> Spec {
        self.consumer.spec()
    }

    /// Fills `out` (interleaved, whole frames) with finite samples in `-1.0..=1.0`.
    pub fn run(&mut self, out: &mut [f32]) {
        self.controls.blocks.fetch_add(1, Ordering::Relaxed);
        if self.is_silent() {
            out.fill(0.0);
            return;
        }
        let left = self.leave(out);
        let out = &mut out[left..];
        if left > 0 && out.is_empty() {
            return;
        }
        let (out, rest) = out.split_at_mut(self.due(out.len()));
        rest.fill(0.0);
        let filled = self.consumer.fill(out);
        let sound = &mut out[..filled.frames * self.spec().channels.count()];
        let target = self.target();
        self.gain = self.starting_gain(filled, target);
        self.count(filled);
        self.shape(sound, target);
        self.flowing = filled.frames > 0 && filled.silence == 0 && rest.is_empty();
        if filled.silence > 0 && !self.consumer.is_over() {
            self.fade_tail(sound);
        }
        if self.is_stopping() && (self.gain == 0.0 || !self.flowing) {
            self.controls.silent.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a block would hold sound now, or none will come any more.
    pub fn has_sound(&self) -> bool {
        self.consumer.is_due() || self.is_over() || self.is_stopping()
    }

    /// Whether it pauses, the fade is over and nothing but silence will come.
    pub fn is_resting(&self) -> bool {
        self.is_paused() && !self.is_stopping() && !self.flowing
    }

    /// The device broke off and its successor goes on: that fades in.
    pub fn broke_off(&mut self) {
        self.flowing = false;
    }

    /// Notes how long after the callback its last frame will have been heard.
    pub fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.controls.latency_us.store(micros, Ordering::Relaxed);
    }

    /// Whether nothing will be heard any more: the end, or the fade of a stop.
    pub fn is_over(&self) -> bool {
        self.consumer.is_over() || self.is_silent()
    }

    fn is_stopping(&self) -> bool {
        self.controls.stopping.load(Ordering::Relaxed)
    }

    fn is_silent(&self) -> bool {
        self.controls.silent.load(Ordering::Relaxed)
    }

    fn is_paused(&self) -> bool {
        self.controls.paused.load(Ordering::Relaxed)
    }

    /// How many of `samples` are taken: while it pauses, or stops, only those of
    /// the fade, so that the rest is heard later.
    fn due(&self, samples: usize) -> usize {
        if !self.is_paused() && !self.is_stopping() {
            return samples;
        }
        let fade = match self.flowing {
            true => self.fade(),
            false => 0,
        };
        (fade * self.spec().channels.count()).min(samples)
    }

    /// Frames until the gain is zero, rounding included.
    fn fade(&self) -> usize {
        (self.gain / self.step).ceil() as usize + 1
    }

    /// Fades out what a seek leaves, at the front of `out`; how many samples
    /// that took.
    fn leave(&mut self, out: &mut [f32]) -> usize {
        if !self.flowing || self.gain == 0.0 {
            return 0;
        }
        let samples = self.fade() * self.spec().channels.count();
        let room = samples.min(out.len());
        let left = self.consumer.fill_stale(&mut out[..room]);
        self.shape(&mut out[..left], 0.0);
        left
    }

    /// The gain the user wants now.
    fn target(&self) -> f32 {
        if self.is_stopping() || self.is_paused() {
            return 0.0;
        }
        f32::from_bits(self.controls.gain_bits.load(Ordering::Relaxed))
    }

    /// Where the gain starts from: after a hole or a jump sound fades in, but the
    /// very first frames do not, they are the attack of the music.
    fn starting_gain(&self, filled: Filled, target: f32) -> f32 {
        if !self.heard {
            target
        } else if filled.jumped || !self.flowing {
            0.0
        } else {
            self.gain
        }
    }

    fn count(&mut self, filled: Filled) {
        let frames = filled.frames;
        self.is_landing |= filled.jumped;
        if frames > 0 && std::mem::take(&mut self.is_landing) {
            let now = u64::try_from(self.stats.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.stats.landed.store(now, Ordering::Relaxed);
        }
        if frames > 0 && !self.heard {
            self.heard = true;
            self.stats.end(Stage::FirstCallback);
        }
        self.stats.frames_played.add(frames as u64);
        let playhead = self.consumer.position().0;
        self.stats.playhead.store(playhead, Ordering::Relaxed);
    }

    /// Moves the gain frame by frame to `target`, then applies it to the rest.
    fn shape(&mut self, sound: &mut [f32], target: f32) {
        let channels = self.spec().channels.count();
        let mut glided = 0;
        for frame in sound.chunks_exact_mut(channels) {
            if self.gain == target {
                break;
            }
            self.gain += (target - self.gain).clamp(-self.step, self.step);
            scale(frame, self.gain);
            glided += channels;
        }
        scale(&mut sound[glided..], self.gain);
    }

    /// Fades out the last frames before silence.
    fn fade_tail(&self, sound: &mut [f32]) {
        let mut gain = 0.0;
        for frame in sound.rchunks_exact_mut(self.spec().channels.count()) {
            if gain >= 1.0 {
                break;
            }
            scale(frame, gain);
            gain += self.step;
        }
    }
}

/// `samples` times `gain`, fit for a loudspeaker: finite and within full scale.
fn scale(samples: &mut [f32], gain: f32) {
    for sample in samples {
        let scaled = *sample * gain;
        *sample = if scaled.is_nan() {
            0.0
        } else {
            scaled.clamp(-1.0, 1.0)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Producer, ring};
    use crate::units::{ChannelCount, Frames, SampleRate};

    // 8 kHz: a fade from silence to full takes 80 frames.
    fn rig() -> (Producer, Callback, Remote) {
        let spec = Spec {
            rate: SampleRate::new(8_000).expect("an allowed rate"),
            channels: ChannelCount::new(1).expect("an allowed count"),
        };
        let (producer, consumer) = ring(spec, Frames(4_000));
        let (callback, remote) = Callback::new(consumer, Arc::new(Stats::default()));
        (producer, callback, remote)
    }

    fn block(callback: &mut Callback, frames: usize) -> Vec<f32> {
        let mut out = vec![9.0; frames];
        callback.run(&mut out);
        out
    }

    fn largest_step(samples: &[f32]) -> f32 {
        let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        steps.fold(0.0, f32::max)
    }

    #[test]
    fn full_volume_changes_no_sample() {
        let (mut producer, mut callback, remote) = rig();
        let sound: Vec<f32> = (0..1_000).map(|n| (n as f32 * 0.37).sin()).collect();
        producer.write(&sound);
        producer.finish();
        assert_eq!(block(&mut callback, 600), sound[..600]);
        let last = block(&mut callback, 600);
        assert_eq!(last[..400], sound[600..], "no fade at the end");
        assert_eq!(last[400..], [0.0; 200]);
        assert!(callback.is_over());
        assert_eq!(callback.stats.frames_played.total(), 1_000);
        assert_eq!(remote.blocks(), 2);
    }

    #[test]
    fn nothing_but_finite_samples_within_full_scale_goes_out() {
        let (mut producer, mut callback, _remote) = rig();
        producer.write(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0, -3.0, 0.5]);
        producer.finish();
        assert_eq!(block(&mut callback, 6), [0.0, 1.0, -1.0, 1.0, -1.0, 0.5]);
    }

    #[test]
    fn the_volume_is_cubic_and_glides_to_its_new_value() {
        let (mut producer, mut callback, remote) = rig();
        producer.write(&[1.0; 4_000]);
        block(&mut callback, 10);
        for (percent, gain) in [(50, 0.125), (0, 0.0), (100, 1.0), (255, 1.0)] {
            remote.set_volume(percent);
            let out = block(&mut callback, 200);
            assert_eq!(out[199], gain, "{percent} %");
            assert!(largest_step(&out) <= callback.step * 1.01, "{percent} %");
        }
    }

    #[test]
    fn a_stop_fades_out_within_ten_milliseconds_and_stays_silent() {
        let (mut producer, mut callback, remote) = rig();
        producer.write(&[1.0; 4_000]);
        block(&mut callback, 100);
        remote.stop();
        let out = block(&mut callback, 100);
        assert!(largest_step(&out) <= callback.step * 1.01);
        assert_eq!(out[80..], [0.0; 20]);
        assert!(remote.is_silent() && callback.is_over());
        assert_eq!(block(&mut callback, 100), [0.0; 100]);
    }

    #[test]
    fn a_stop_before_any_sound_is_silent_at_once() {
        let (_producer, mut callback, remote) = rig();
        remote.stop();
        block(&mut callback, 100);
        assert!(remote.is_silent());
    }

    #[test]
    fn sound_fades_out_before_a_hole_and_in_behind_it() {
        let (mut producer, mut callback, _remote) = rig();
        producer.write(&[1.0; 1_000]);
        let mut heard = block(&mut callback, 900);
        heard.extend(block(&mut callback, 900));
        producer.write(&[1.0; 2_000]);
        heard.extend(block(&mut callback, 900));
        assert_eq!(heard[999], 0.0);
        assert_eq!(heard[2_699], 1.0);
        assert!(largest_step(&heard) <= callback.step * 1.01);
    }

    #[test]
    fn a_seek_fades_the_old_place_out_and_the_new_one_in() {
        for size in [1, 7, 50, 81, 200] {
            let (mut producer, mut callback, _remote) = rig();
            producer.write(&[1.0; 1_000]);
            let mut heard = block(&mut callback, 100);
            producer.flush_to(producer.written());
            producer.write(&[-1.0; 1_000]);
            for _ in 0..400 / size {
                heard.extend(block(&mut callback, size));
            }
            assert!(largest_step(&heard) <= callback.step * 1.01, "{size}");
            assert_eq!(heard.last(), Some(&-1.0), "{size}");
            let faded = heard.iter().filter(|one| one.abs() < 1.0).count();
            assert!((159..=165).contains(&faded), "{size}: {faded}");
            let landed = callback.stats.landed.load(Ordering::Relaxed);
            assert_eq!(landed, 0, "no clock runs, and it was noted without one");
        }
    }

    #[test]
    fn a_pause_fades_out_and_goes_on_with_the_frame_behind_the_fade() {
        let (mut producer, mut callback, remote) = rig();
        let numbers: Vec<f32> = (0..2_000).map(|n| n as f32 / 4_000.0).collect();
        producer.write(&numbers);
        block(&mut callback, 100);
        remote.pause(true);
        let out = block(&mut callback, 500);
        assert_eq!(out[82..], [0.0; 418]);
        assert_eq!(block(&mut callback, 500), [0.0; 500]);
        remote.pause(false);
        let out = block(&mut callback, 100);
        assert_eq!(out[99], numbers[100 + 81 + 99], "only the fade was taken");
        assert_eq!(callback.consumer.playhead().underruns(), 0);
        let played = callback.stats.playhead.load(Ordering::Relaxed);
        assert_eq!(played, 281);
    }

    #[test]
    fn a_seek_in_a_pause_makes_room_and_is_heard_afterwards() {
        let (mut producer, mut callback, remote) = rig();
        producer.write(&[1.0; 4_000]);
        block(&mut callback, 100);
        remote.pause(true);
        block(&mut callback, 100);
        producer.flush_to(producer.written());
        assert_eq!(block(&mut callback, 10), [0.0; 10]);
        assert_eq!(producer.write(&[-1.0; 4_000]), 4_000);
        remote.pause(false);
        assert!(block(&mut callback, 100)[99] == -1.0);
        remote.stop();
        block(&mut callback, 100);
        assert!(remote.is_silent());
    }
}
