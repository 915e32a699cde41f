//! One stream of cpal: the callback on loan to it, in the sample format it takes.

use std::time::Duration;

use cpal::traits::DeviceTrait;
use cpal::{FromSample, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig};
use crossbeam_channel::Sender;

use super::super::feed::Feed;
use super::errors::Complaints;
use crate::units::{Frames, Spec};

/// For opening a stream: a sound server may not answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// The sample formats we can give, best first.
pub(super) const FORMATS: [SampleFormat; 6] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::U16,
    SampleFormat::U8,
];
const SCRATCH_FRAMES: usize = 1024; // converted at a time, for devices that take no floats
const BELOW_FULL_SCALE: f32 = 1.0 - f32::EPSILON / 2.0; // 1.0 itself has no 24-bit integer

/// A feed on loan to a stream of cpal: it comes home when the stream drops its
/// closure, so that another stream can go on with it.
pub(super) struct Lent {
    feed: Option<Box<Feed>>,
    way_home: Sender<Box<Feed>>,
}

impl Lent {
    /// Lends `feed`; it will be sent through `way_home`.
    pub fn new(feed: Box<Feed>, way_home: Sender<Box<Feed>>) -> Self {
        Self {
            feed: Some(feed),
            way_home,
        }
    }

    fn feed(&mut self) -> &mut Feed {
        self.feed.as_mut().expect("it is here until the drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.take() {
            // Nobody waits for it at the end of a run.
            let _ = self.way_home.try_send(feed);
        }
    }
}

/// Opens a stream that runs the callback of `lent` and tells `complaints` about its errors.
pub(super) fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    lent: Lent,
    complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::I32 => build_converted::<i32>(device, config, lent, complaints),
        SampleFormat::I24 => build_converted::<cpal::I24>(device, config, lent, complaints),
        SampleFormat::I16 => build_converted::<i16>(device, config, lent, complaints),
        SampleFormat::U16 => build_converted::<u16>(device, config, lent, complaints),
        SampleFormat::U8 => build_converted::<u8>(device, config, lent, complaints),
        _ => build_float(device, config, lent, complaints),
    }
}

fn build_float(
    device: &cpal::Device,
    config: StreamConfig,
    mut lent: Lent,
    mut complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    device.build_output_stream(
        config,
        move |out: &mut [f32], info: &OutputCallbackInfo| {
            let feed = lent.feed();
            let latency = latency(info, feed.spec(), out.len());
            feed.fill(out, latency);
            reorder(out, feed.spec());
        },
        move |error| complaints.hear(&error),
        Some(TIMEOUT),
    )
}

fn build_converted<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut lent: Lent,
    mut complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    let mut scratch = vec![0.0; SCRATCH_FRAMES * lent.feed().spec().channels.count()];
    device.build_output_stream(
        config,
        move |out: &mut [T], info: &OutputCallbackInfo| {
            let feed = lent.feed();
            let latency = latency(info, feed.spec(), out.len());
            for part in out.chunks_mut(scratch.len()) {
                let sound = &mut scratch[..part.len()];
                feed.fill(sound, latency);
                reorder(sound, feed.spec());
                convert(sound, part);
            }
        },
        move |error| complaints.hear(&error),
        Some(TIMEOUT),
    )
}

/// From WAV order (FL FR FC LFE BL BR) to that of ALSA (FL FR BL BR FC LFE).
fn reorder(sound: &mut [f32], spec: Spec) {
    let (channels, turn) = match spec.channels.count() {
        5 => (5, 1),
        channels @ (6 | 8) => (channels, 2),
        _ => return,
    };
    for frame in sound.chunks_exact_mut(channels) {
        frame[2..4 + turn].rotate_left(turn);
    }
}

fn convert<T: FromSample<f32>>(sound: &[f32], out: &mut [T]) {
    for (to, from) in out.iter_mut().zip(sound) {
        *to = T::from_sample_(from.min(BELOW_FULL_SCALE));
    }
}

/// From now until the last of `samples` was heard.
fn latency(info: &OutputCallbackInfo, spec: Spec, samples: usize) -> Duration {
    let times = info.timestamp();
    let first = times.playback.saturating_duration_since(times.callback);
    let block = Frames((samples / spec.channels.count()) as u64);
    first + block.time(spec.rate).duration()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{ChannelCount, SampleRate};

    #[test]
    fn the_loudspeakers_of_alsa_stand_in_another_order() {
        let cases: [(usize, &[f32]); 5] = [
            (2, &[0.0, 1.0]),
            (4, &[0.0, 1.0, 2.0, 3.0]),
            (5, &[0.0, 1.0, 3.0, 4.0, 2.0]),
            (6, &[0.0, 1.0, 4.0, 5.0, 2.0, 3.0]),
            (8, &[0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]),
        ];
        for (channels, want) in cases {
            let spec = Spec {
                rate: SampleRate::new(48_000).expect("an allowed rate"),
                channels: ChannelCount::new(channels).expect("an allowed count"),
            };
            let mut frame: Vec<f32> = (0..channels).map(|n| n as f32).collect();
            reorder(&mut frame, spec);
            assert_eq!(frame, want, "{channels} channels");
        }
    }

    #[test]
    fn full_scale_has_a_value_in_every_integer_format() {
        let sound = [1.0, -1.0, 0.0, 12_345.0 / 32_768.0];
        let mut s16 = [0i16; 4];
        convert(&sound, &mut s16);
        assert_eq!(s16, [32_767, -32_768, 0, 12_345]);
        let mut s24 = [cpal::I24::new(0).expect("in range"); 4];
        convert(&sound, &mut s24);
        assert_eq!(
            s24.map(|s| s.inner()),
            [8_388_607, -8_388_608, 0, 12_345 << 8]
        );
        let mut u8 = [0u8; 4];
        convert(&sound, &mut u8);
        assert_eq!(u8, [255, 0, 128, 176]);
    }
}
