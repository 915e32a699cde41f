//! Words of the command line turned into values: durations, positions, sizes
//! and counts. Pure functions; each refusal says what would be accepted.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::pipeline::{Quality, Start, Tag, Wish};
use crate::units::{ChannelCount, MediaTime, SampleRate, Speed};

const NANOS: u64 = 1_000_000_000;
const LONGEST: u64 = 10_000 * 3600 * NANOS; // over a year; keeps every sum of two times in range
const JOBS: RangeInclusive<usize> = 1..=64;
const RETRIES: RangeInclusive<u32> = 0..=100;

/// Why a word is no value, and what would be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong with it.
    pub why: &'static str,
    /// What is accepted.
    pub todo: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.why, self.todo)
    }
}

impl Error for Wrong {}

const NO_DURATION: Wrong = Wrong {
    why: "it is not a duration",
    todo: "write it like 90, 90s, 1:30, 5m or 250ms",
};
const NO_POSITION: Wrong = Wrong {
    why: "it is not a position",
    todo: "write it like 90, 1:30, 5m, or -30 for 30 seconds before the end",
};

/// A length of time above zero: `90`, `1.5`, `90s`, `250ms`, `5m`, `2h`, `1:30`, `1:02:03.5`.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    match nanoseconds(text) {
        None => Err(NO_DURATION),
        Some(0) => Err(Wrong {
            why: "it is no time at all",
            ..NO_DURATION
        }),
        Some(nanos) => Ok(Duration::from_nanos(nanos)),
    }
}

/// A run of cached segments: `1:0-74` is variant 1 from segment 0 to 74.
pub fn cached(text: &str) -> Result<[usize; 3], Wrong> {
    let parts = text.split_once(':').and_then(|(variant, range)| {
        let (first, last) = range.split_once('-')?;
        Some([
            variant.parse().ok()?,
            first.parse().ok()?,
            last.parse().ok()?,
        ])
    });
    parts.ok_or(Wrong {
        why: "it names no segments",
        todo: "write it like 1:0-74",
    })
}

/// A length of media above zero, written like a [`duration`].
pub fn length(text: &str) -> Result<MediaTime, Wrong> {
    duration(text).map(MediaTime::from)
}

/// A place in a stream: a time from its start, or `-` and a time before its end.
pub fn position(text: &str) -> Result<Start, Wrong> {
    let (from_end, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let time = nanoseconds(rest).map(|nanos| MediaTime::from(Duration::from_nanos(nanos)));
    match (time, from_end) {
        (None, _) => Err(NO_POSITION),
        (Some(time), false) => Ok(Start::At(time)),
        (Some(time), true) => Ok(Start::FromEnd(time)),
    }
}

/// A number of bytes: `5000000`, `64K`, `500M`, `2G`, `1T`; K is 1024 bytes.
pub fn size(text: &str) -> Result<u64, Wrong> {
    const NO_SIZE: Wrong = Wrong {
        why: "it is not a size",
        todo: "write it like 500M or 2G",
    };
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, letter)) if letter.is_ascii_alphabetic() => (&text[..at], Some(letter)),
        _ => (text, None),
    };
    let shift = match unit.map(|letter| letter.to_ascii_uppercase()) {
        None => 0,
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        Some('T') => 40,
        Some(_) => return Err(NO_SIZE),
    };
    decimal(number, 1 << shift).ok_or(NO_SIZE)
}

/// Which variant: the words of [`Quality`].
pub fn quality(text: &str) -> Result<Quality, Wrong> {
    text.parse().map_err(|_| Wrong {
        why: "it is not a quality",
        todo: "use auto, best, worst, a variant number of \"kithara info\", or a limit like \"<=256k\"",
    })
}

/// A language.
pub fn language(text: &str) -> Result<Tag, Wrong> {
    Tag::read(text).ok_or(Wrong {
        why: "it is not a language tag",
        todo: "write it like de, en-US or deu, and a list like de,en",
    })
}

/// A codec.
pub fn codec(text: &str) -> Result<Wish, Wrong> {
    Wish::read(text).ok_or(Wrong {
        why: "it is not an audio codec",
        todo: "use aac, flac, mp3, opus, alac or what \"kithara info\" shows, and a list like flac,aac",
    })
}

/// A sample rate in hertz.
pub fn sample_rate(text: &str) -> Result<SampleRate, Wrong> {
    let rate = text.parse().ok().and_then(SampleRate::new);
    rate.ok_or(Wrong {
        why: "it is not a sample rate",
        todo: "use a number of hertz from 8000 to 768000",
    })
}

/// A number of channels.
pub fn channels(text: &str) -> Result<ChannelCount, Wrong> {
    let count = text.parse().ok().and_then(ChannelCount::new);
    count.ok_or(Wrong {
        why: "it is not a number of channels",
        todo: "use 1 to 8",
    })
}

/// A loudness in per cent.
pub fn volume(text: &str) -> Result<u8, Wrong> {
    let volume = text.parse().ok().filter(|percent| *percent <= 100);
    volume.ok_or(Wrong {
        why: "it is not a volume",
        todo: "use a number from 0 to 100",
    })
}

/// How fast.
pub fn speed(text: &str) -> Result<Speed, Wrong> {
    let speed = text.parse().ok().and_then(Speed::new);
    speed.ok_or(Wrong {
        why: "it is not a speed",
        todo: "use a number from 0.5 to 2",
    })
}

/// How many downloads at once.
pub fn jobs(text: &str) -> Result<usize, Wrong> {
    let jobs = text.parse().ok().filter(|jobs| JOBS.contains(jobs));
    jobs.ok_or(Wrong {
        why: "it is not a number of downloads",
        todo: "use a number from 1 to 64",
    })
}

/// How many tries after the first.
pub fn retries(text: &str) -> Result<u32, Wrong> {
    let retries = text.parse().ok().filter(|tries| RETRIES.contains(tries));
    retries.ok_or(Wrong {
        why: "it is not a number of retries",
        todo: "use a number from 0 to 100",
    })
}

fn nanoseconds(text: &str) -> Option<u64> {
    let nanos = if text.contains(':') {
        clock(text)?
    } else {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => NANOS,
            "ms" => NANOS / 1000,
            "m" => 60 * NANOS,
            "h" => 3600 * NANOS,
            _ => return None,
        };
        decimal(digits, unit)?
    };
    (nanos <= LONGEST).then_some(nanos)
}

/// `M:SS` or `H:MM:SS`, the seconds with or without a fraction.
fn clock(text: &str) -> Option<u64> {
    let mut parts = text.rsplit(':');
    let seconds = decimal(parts.next()?, NANOS)?;
    let minutes = whole(parts.next()?)?;
    let hours = parts.next().map_or(Some(0), whole)?;
    let is_clock = seconds < 60 * NANOS && (minutes < 60 || text.matches(':').count() == 1);
    if parts.next().is_some() || !is_clock {
        return None;
    }
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    minutes.checked_mul(60 * NANOS)?.checked_add(seconds)
}

/// `text`, a decimal number without a sign, times `unit`, rounded down. Exact,
/// where floating point would move a position by a sample.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let places = u32::try_from(fraction.len())
        .ok()
        .filter(|places| *places <= 9)?;
    let part = u128::from(whole(fraction)?) * u128::from(unit) / 10_u128.pow(places);
    let units = u128::from(whole(integer)?) * u128::from(unit);
    u64::try_from(units + part).ok()
}

/// Digits only: `parse` alone would take `+5`.
fn whole(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("90", Some(90_000)),
            ("90s", Some(90_000)),
            ("1:30", Some(90_000)),
            ("90:00", Some(5_400_000)),
            ("1:02:03.5", Some(3_723_500)),
            ("5m", Some(300_000)),
            ("1.5h", Some(5_400_000)),
            ("250ms", Some(250)),
            ("0.1", Some(100)),
            ("0", None),
            ("", None),
            ("s", None),
            ("-5", None),
            ("+5", None),
            ("5 s", None),
            ("5x", None),
            ("1:60", None),
            ("1:60:00", None),
            ("1:2:3:4", None),
            ("1:", None),
            (":30", None),
            ("1e3", None),
            ("nan", None),
            ("10001h", None),
            ("99999999999999999999", None),
            ("1.", None),
            ("٣", None),
        ];
        for (text, want) in cases {
            let want = want.map(Duration::from_millis);
            assert_eq!(duration(text).ok(), want, "text = {text:?}");
        }
    }

    #[test]
    fn positions_count_from_the_start_or_back_from_the_end() {
        let seconds = MediaTime::from_seconds;
        let cases = [
            ("0", Some(Start::At(MediaTime::ZERO))),
            ("1:30", Some(Start::At(seconds(90.0)))),
            ("-30", Some(Start::FromEnd(seconds(30.0)))),
            ("-1:30", Some(Start::FromEnd(seconds(90.0)))),
            ("--30", None),
            ("-", None),
        ];
        for (text, want) in cases {
            assert_eq!(position(text).ok(), want, "text = {text:?}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        let cases = [
            ("0", Some(0)),
            ("5000000", Some(5_000_000)),
            ("64K", Some(65_536)),
            ("500M", Some(524_288_000)),
            ("2g", Some(2_147_483_648)),
            ("1.5K", Some(1536)),
            ("M", None),
            ("", None),
            ("-1", None),
            ("2GB", None),
            ("9999999T", Some(9_999_999 << 40)),
            ("99999999T", None),
        ];
        for (text, want) in cases {
            assert_eq!(size(text).ok(), want, "text = {text:?}");
        }
    }

    #[test]
    fn counts_keep_to_their_range() {
        for (text, want) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("101", None),
            ("x", None),
        ] {
            assert_eq!(volume(text).ok(), want, "volume {text:?}");
        }
        for (text, want) in [("1", Some(1)), ("0", None), ("65", None)] {
            assert_eq!(jobs(text).ok(), want, "jobs {text:?}");
        }
        assert_eq!(sample_rate("44100").ok(), SampleRate::new(44_100));
        assert!(sample_rate("44.1k").is_err());
        assert_eq!(channels("2").ok(), ChannelCount::new(2));
        assert!(channels("9").is_err());
        assert_eq!(retries("0"), Ok(0));
    }

    proptest! {
        #[test]
        fn a_duration_written_in_milliseconds_is_read_back_exactly(millis in 1_u64..36_000_000_000) {
            prop_assert_eq!(duration(&format!("{millis}ms")), Ok(Duration::from_millis(millis)));
            let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(duration(&seconds), Ok(Duration::from_millis(millis)));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC*") {
            let _ = (duration(&text), position(&text), size(&text), sample_rate(&text), channels(&text));
        }
    }
}
