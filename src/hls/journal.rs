//! What the controller was told and asked in a run, as lines of JSON, exact to
//! the bit: read again, they are the same questions. Written by the feed for
//! `--trace-out`, read by `replay.rs`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hls::abr::{Sample, Situation, Transfer};
use crate::hls::infinite;
use crate::hls::planner::{Consulted, Segments};
use crate::units::{BitRate, MediaTime};

/// The word of these lines in a trace.
const KIND: &str = "abr";

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    #[serde(rename = "type")]
    kind: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "lowercase")]
pub enum Entry {
    /// A run begins.
    Begin {
        /// Average bits per second of each rung, ascending.
        rates: Vec<u64>,
        /// What is remembered of the network, in bits per second.
        prior: Option<u64>,
    },
    /// The listener wants this rung, or any.
    Pin {
        /// The rung.
        rung: Option<usize>,
    },
    /// A playlist came.
    Opened(Came),
    /// A segment came, or some of one that was given up.
    Carried(Came),
    /// The rung of a segment.
    Decide {
        /// Its place.
        place: usize,
        /// What was the case.
        situation: Situation,
        /// What was chosen.
        rung: usize,
        /// Why, in one word.
        reason: String,
    },
    /// Whether to give a transfer up.
    Abandon {
        /// What was the case.
        situation: Situation,
        /// The transfer.
        transfer: Transfer,
        /// The rung to start again in.
        answer: Option<usize>,
    },
    /// Whether to give up what is fetched once more.
    Regret {
        /// What was the case.
        situation: Situation,
        /// The transfer.
        transfer: Transfer,
        /// Seconds until it is heard.
        until: f64,
        /// Whether it is given up.
        answer: bool,
    },
    /// What to fetch once more.
    Upgrade {
        /// What was the case.
        situation: Situation,
        /// What is here.
        ahead: Here,
        /// A place, and the rung to fetch it in.
        answer: Option<(usize, usize)>,
    },
}

/// As [`Sample`], in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    bytes: u64,
    first_byte_ns: Option<u64>,
    transfer_ns: u64,
}

/// As [`Segments`], equal ones in a row counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Here {
    base: usize,
    first: usize,
    #[serde(with = "infinite")]
    idle: f64,
    is_whole: bool,
    start_ns: i64,
    lengths_ns: Vec<(i64, usize)>,
    rungs: Vec<(u8, usize)>,
}

impl Line {
    /// A line that says `entry`.
    pub fn new(entry: Entry) -> Self {
        let kind = KIND.to_owned();
        Self { kind, entry }
    }

    /// The line in `text`; `None` when it is another one of a trace.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: String,
        }
        let Kind { kind } = serde_json::from_str(text)?;
        match kind == KIND {
            true => serde_json::from_str(text).map(Some),
            false => Ok(None),
        }
    }

    /// Its text, without an end of line.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers and words are always JSON")
    }
}

impl From<&Consulted> for Entry {
    fn from(consulted: &Consulted) -> Self {
        match consulted {
            Consulted::Decide {
                place,
                situation,
                choice,
            } => Self::Decide {
                place: *place,
                situation: *situation,
                rung: choice.rung,
                reason: choice.reason.word().to_owned(),
            },
            Consulted::Abandon {
                situation,
                transfer,
                answer,
            } => Self::Abandon {
                situation: *situation,
                transfer: *transfer,
                answer: *answer,
            },
            Consulted::Regret {
                situation,
                transfer,
                until,
                answer,
            } => Self::Regret {
                situation: *situation,
                transfer: *transfer,
                until: *until,
                answer: *answer,
            },
            Consulted::Upgrade {
                situation,
                ahead,
                answer,
            } => Self::Upgrade {
                situation: *situation,
                ahead: ahead.into(),
                answer: *answer,
            },
        }
    }
}

impl From<Sample> for Came {
    fn from(sample: Sample) -> Self {
        let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            bytes: sample.bytes,
            first_byte_ns: sample.first_byte.map(nanos),
            transfer_ns: nanos(sample.transfer),
        }
    }
}

impl From<Came> for Sample {
    fn from(came: Came) -> Self {
        Self {
            bytes: came.bytes,
            first_byte: came.first_byte_ns.map(Duration::from_nanos),
            transfer: Duration::from_nanos(came.transfer_ns),
        }
    }
}

impl From<&Segments> for Here {
    fn from(segments: &Segments) -> Self {
        let nanos = |seconds: &f64| MediaTime::from_seconds(*seconds).nanos();
        let starts: Vec<i64> = segments.starts.iter().map(nanos).collect();
        let lengths = starts.windows(2).map(|pair| pair[1] - pair[0]);
        Self {
            base: segments.base,
            first: segments.first,
            idle: segments.idle,
            is_whole: segments.is_whole,
            start_ns: starts.first().copied().unwrap_or(0),
            lengths_ns: counted(lengths),
            rungs: counted(segments.rungs.iter().copied()),
        }
    }
}

impl From<&Here> for Segments {
    fn from(here: &Here) -> Self {
        let seconds = |nanos| MediaTime::from_nanos(nanos).seconds();
        let mut end = here.start_ns;
        let lengths = repeated(&here.lengths_ns).map(|length| {
            end = end.saturating_add(length);
            seconds(end)
        });
        let starts = std::iter::once(seconds(here.start_ns)).chain(lengths);
        Self {
            base: here.base,
            first: here.first,
            idle: here.idle,
            is_whole: here.is_whole,
            starts: starts.collect(),
            rungs: repeated(&here.rungs).collect(),
        }
    }
}

/// The rates and what is remembered, as a run begins.
pub fn begin(rates: &[BitRate], prior: Option<BitRate>) -> Entry {
    Entry::Begin {
        rates: rates.iter().map(|rate| rate.0).collect(),
        prior: prior.map(|rate| rate.0),
    }
}

/// Equal ones in a row, and how many they are.
fn counted<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counted: Vec<(T, usize)> = Vec::new();
    for item in items {
        match counted.last_mut() {
            Some((last, count)) if *last == item => *count += 1,
            _ => counted.push((item, 1)),
        }
    }
    counted
}

/// Most segments of a line: a garbled count costs no memory.
const MOST: usize = 1_000_000;

fn repeated<T: Copy>(counted: &[(T, usize)]) -> impl Iterator<Item = T> + '_ {
    let each = counted
        .iter()
        .flat_map(|(item, count)| std::iter::repeat_n(*item, *count));
    each.take(MOST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn situation(buffer: f64, limit: f64) -> Situation {
        Situation {
            current: Some(2),
            buffer,
            limit,
            remaining: f64::INFINITY,
            ..Situation::at_start()
        }
    }

    #[test]
    fn a_line_reads_as_it_was_written_and_others_of_a_trace_are_passed_over() {
        let line = Line::new(begin(&[BitRate(64_000), BitRate(128_000)], None));
        let text = r#"{"type":"abr","say":"begin","rates":[64000,128000],"prior":null}"#;
        assert_eq!(line.text(), text);
        assert_eq!(Line::parse(text).expect("JSON"), Some(line));
        let other = r#"{"type":"request","kind":"segment"}"#;
        assert_eq!(Line::parse(other).expect("JSON"), None);
        for broken in ["", "{}", "[1]", r#"{"type":"abr","say":"sing"}"#] {
            assert!(Line::parse(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back_to_the_bit(
            buffer in any::<f64>().prop_filter("a number", |number| number.is_finite()),
            lengths in proptest::collection::vec(1_i64..20_000_000_000, 0..40),
            rungs in proptest::collection::vec(0_u8..6, 0..40),
        ) {
            let mut starts = vec![0.0];
            let mut end = 0;
            for length in lengths.iter().take(rungs.len()) {
                end += length;
                starts.push(MediaTime::from_nanos(end).seconds());
            }
            let ahead = Segments { base: 7, first: 1, idle: buffer, is_whole: false, rungs, starts };
            let entry = Entry::Upgrade {
                situation: situation(buffer, f64::INFINITY),
                ahead: Here::from(&ahead),
                answer: Some((9, 3)),
            };
            let read = Line::parse(&Line::new(entry.clone()).text()).expect("JSON").expect("ours");
            prop_assert_eq!(&read.entry, &entry);
            let Entry::Upgrade { situation: case, ahead: here, .. } = read.entry else {
                unreachable!("it was an upgrade")
            };
            prop_assert_eq!(case, situation(buffer, f64::INFINITY));
            prop_assert_eq!(Segments::from(&here), ahead);
        }
    }
}
