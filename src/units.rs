//! Numbers with types: a byte, a frame and a moment must not meet by accident.
//! Conversions between them live here and nowhere else.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::limits;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Samples per second, per channel. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(NonZeroU32);

impl SampleRate {
    /// Accepts the rates of [`limits::SAMPLE_RATE`]; `None` for anything else.
    pub fn new(hertz: u32) -> Option<Self> {
        let rate = NonZeroU32::new(hertz)?;
        limits::SAMPLE_RATE.contains(&hertz).then_some(Self(rate))
    }

    /// Samples per second.
    pub fn hertz(self) -> u32 {
        self.0.get()
    }

    /// As the ticks per second of a clock that counts frames.
    pub fn timescale(self) -> NonZeroU32 {
        self.0
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// How many samples one frame has. One to [`limits::CHANNELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelCount(u8);

impl ChannelCount {
    /// Accepts 1 to [`limits::CHANNELS`]; `None` for anything else.
    pub fn new(channels: usize) -> Option<Self> {
        let count = u8::try_from(channels).ok()?;
        (1..=limits::CHANNELS)
            .contains(&count)
            .then_some(Self(count))
    }

    /// The number of channels.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

/// What a run of frames looks like: rate and channels of interleaved `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Frames per second.
    pub rate: SampleRate,
    /// Samples per frame, in WAV order (FL FR FC LFE BL BR SL SR).
    pub channels: ChannelCount,
}

/// A count of frames. One frame is one sample for every channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frames(pub u64);

impl Frames {
    /// How long these frames last at `rate`, rounded to the nearest nanosecond.
    pub fn time(self, rate: SampleRate) -> MediaTime {
        MediaTime::from_ticks(i64::try_from(self.0).unwrap_or(i64::MAX), rate.0)
    }
}

impl Add for Frames {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Frames {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A moment or a length of media, in nanoseconds. May be negative (priming).
///
/// A nanosecond is far below half a frame at every allowed rate, so a frame
/// number survives the way there and back exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The start of everything.
    pub const ZERO: Self = Self(0);
    /// Later than any media.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From `ticks` of a clock of `timescale` ticks per second, to the nearest nanosecond.
    pub fn from_ticks(ticks: i64, timescale: NonZeroU32) -> Self {
        let scale = i128::from(timescale.get());
        let nanos = (i128::from(ticks) * NANOS_PER_SECOND + scale / 2).div_euclid(scale);
        Self(clamp(nanos))
    }

    /// From seconds; a number that is not finite becomes zero.
    pub fn from_seconds(seconds: f64) -> Self {
        if !seconds.is_finite() {
            return Self::ZERO;
        }
        Self((seconds * 1e9).round() as i64)
    }

    /// Nanoseconds since the origin.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds, for arithmetic that forgives rounding and for people.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whole milliseconds, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The nearest tick of a clock of `timescale` ticks per second.
    pub fn ticks(self, timescale: NonZeroU32) -> i64 {
        let product = i128::from(self.0) * i128::from(timescale.get());
        clamp((product + NANOS_PER_SECOND / 2).div_euclid(NANOS_PER_SECOND))
    }

    /// The number of the frame nearest to this moment, from the origin.
    pub fn frame(self, rate: SampleRate) -> i64 {
        self.ticks(rate.0)
    }

    /// As frames, nothing below zero.
    pub fn frames(self, rate: SampleRate) -> Frames {
        Frames(u64::try_from(self.frame(rate)).unwrap_or(0))
    }

    /// As a duration, nothing below zero.
    pub fn duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<Duration> for MediaTime {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for MediaTime {
    /// `1:23`, or `1:02:03` from an hour on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0) / 1_000_000_000;
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match hours {
            0 => write!(f, "{minutes}:{rest:02}"),
            _ => write!(f, "{hours}:{minutes:02}:{rest:02}"),
        }
    }
}

/// How fast a stream is played, in thousandths of its own pace: 500 to 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(u16);

impl Speed {
    /// Its own pace.
    pub const NORMAL: Self = Self(1000);
    const SLOWEST: f64 = 500.0;
    const FASTEST: f64 = 2000.0;

    /// So many times its own pace, to the thousandth; `None` below a half and
    /// above two.
    pub fn new(factor: f64) -> Option<Self> {
        let thousandths = (factor * 1000.0).round();
        let is_possible = (Self::SLOWEST..=Self::FASTEST).contains(&thousandths);
        is_possible.then_some(Self(thousandths as u16))
    }

    /// The same with so many thousandths more, as far as that is possible.
    pub fn faster(self, thousandths: f64) -> Self {
        let wanted = f64::from(self.0) + thousandths;
        Self(wanted.clamp(Self::SLOWEST, Self::FASTEST) as u16)
    }

    /// In thousandths.
    pub fn thousandths(self) -> u16 {
        self.0
    }

    /// As a factor.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// The rate at which frames of `rate` are played, so that they last longer
    /// or shorter; `rate` itself where there is no such rate.
    pub fn paced(self, rate: SampleRate) -> SampleRate {
        // Both factors have a few digits.
        let hertz = (f64::from(rate.hertz()) * self.factor()).round() as u32;
        SampleRate::new(hertz).unwrap_or(rate)
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Display for Speed {
    /// `1.5x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.factor())
    }
}

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(pub u64);

impl BitRate {
    /// The rate that carries `bytes` in `time`; zero when no time passed.
    pub fn of(bytes: u64, time: Duration) -> Self {
        let nanos = time.as_nanos().max(1);
        let bits = u128::from(bytes) * 8 * 1_000_000_000 / nanos;
        Self(u64::try_from(bits).unwrap_or(u64::MAX))
    }

    /// In thousands of bits per second, rounded down.
    pub fn kilobits(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000_000 => write!(f, "{} kbit/s", self.0 / 1000),
            _ => write!(f, "{:.1} Mbit/s", self.0 as f64 / 1e6),
        }
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_number_survives_the_way_to_nanoseconds_and_back() {
        for hertz in [8_000, 11_025, 44_100, 48_000, 96_000, 192_000, 768_000] {
            let rate = SampleRate::new(hertz).expect("an allowed rate");
            for frame in [0, 1, 2, 1023, 44_099, 1_000_003, 26_460_000, 9_999_999_999] {
                assert_eq!(
                    Frames(frame).time(rate).frames(rate),
                    Frames(frame),
                    "{frame} at {hertz}"
                );
            }
        }
    }

    #[test]
    fn absurd_rates_and_channel_counts_are_no_values() {
        for hertz in [0, 1, 7_999, 768_001, u32::MAX] {
            assert_eq!(SampleRate::new(hertz), None, "{hertz}");
        }
        for channels in [0, 9, 255, usize::MAX] {
            assert_eq!(ChannelCount::new(channels), None, "{channels}");
        }
    }

    #[test]
    fn time_is_shown_as_people_write_it() {
        for (seconds, want) in [
            (0.0, "0:00"),
            (83.9, "1:23"),
            (3723.0, "1:02:03"),
            (-5.0, "0:00"),
        ] {
            assert_eq!(MediaTime::from_seconds(seconds).to_string(), want);
        }
    }

    #[test]
    fn negative_time_keeps_its_frame() {
        let rate = SampleRate::new(44_100).expect("an allowed rate");
        let priming = MediaTime::from_ticks(-1024, NonZeroU32::new(44_100).expect("not zero"));
        assert_eq!(priming.frame(rate), -1024);
        assert_eq!(priming.frames(rate), Frames(0));
    }

    #[test]
    fn a_bit_rate_is_bits_over_time() {
        assert_eq!(
            BitRate::of(125_000, Duration::from_secs(1)),
            BitRate(1_000_000)
        );
        assert_eq!(BitRate(999_999).to_string(), "999 kbit/s");
        assert_eq!(BitRate(1_500_000).to_string(), "1.5 Mbit/s");
    }
}
