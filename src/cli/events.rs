//! What happens as JSON, one object a line, for programs. One serialiser for
//! all of it, so no text from outside can end a string.

use serde::Serialize;

use super::exit;
use crate::error::Problem;
use crate::event::Event;
use crate::media::Format;
use crate::stats::Stats;
use crate::units::MediaTime;

/// Where JSON lines go: standard error when samples have standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Lines {
    /// Writes one object.
    ///
    /// # Errors
    ///
    /// As [`exit::data`]; standard error that is gone is nobody's loss.
    pub fn write(self, object: &impl Serialize) -> Result<(), Problem> {
        let line = json_line(object);
        match self {
            Self::Output => exit::data(&line),
            Self::Error => {
                exit::say(line.trim_end());
                Ok(())
            }
        }
    }
}

/// An object and a newline.
pub fn json_line(object: &impl Serialize) -> String {
    let mut line = serde_json::to_string(object).expect("plain structs with text keys serialise");
    line.push('\n');
    line
}

/// One event line: when, where in the sound, and what.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    event: &'static str,
    t_ms: u128,
    pos_ms: i64,
    #[serde(flatten)]
    what: What<'a>,
}

/// What an event carries.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum What<'a> {
    /// The run is doing something else.
    State { state: &'a str },
    /// What the stream sounds like.
    Format {
        codec: &'a str,
        rate: u32,
        channels: usize,
        bits: u8,
    },
    /// The decoder goes on in another variant.
    Variant { variant: usize, bandwidth: u64 },
    /// A request will be sent again.
    Retry {
        attempt: u32,
        code: &'a str,
        message: String,
    },
    /// A segment is done.
    Segment {
        segment: u64,
        variant: usize,
        frames: u64,
    },
    /// How far a download is.
    Stored {
        bytes: u64,
        total: Option<u64>,
        segments: u64,
        of: u64,
    },
    /// How far playing or dumping is.
    Progress {
        duration_ms: Option<i64>,
        ahead_ms: i64,
        bytes: u64,
    },
    /// What is heard from here on.
    Title { title: String },
    /// Silence in place of what is missing.
    Gap {
        segment: u64,
        duration_ms: i64,
        lost: bool,
    },
    /// The playlist of a live stream was loaded again.
    Reload { variant: usize, added: u64 },
    /// A warning or an error.
    Problem { code: &'a str, message: String },
    /// The end of one stream, and why.
    End { reason: &'a str, url: &'a str },
    /// The event says it all.
    Nothing {},
}

impl<'a> Line<'a> {
    /// An event now, at `position` of the sound.
    pub fn new(event: &'static str, stats: &Stats, position: MediaTime, what: What<'a>) -> Self {
        Self {
            kind_of_line: "event",
            event,
            t_ms: stats.elapsed().as_millis(),
            pos_ms: position.millis(),
            what,
        }
    }

    /// The line of an event of the pipeline; none for what only the trace
    /// shows and for the end of a thread, which is told as the end of the run.
    pub fn of(event: &Event, stats: &Stats, position: MediaTime) -> Option<Line<'static>> {
        let (name, at, what) = match event {
            Event::State(state) => (
                "state",
                None,
                What::State {
                    state: state.name(),
                },
            ),
            Event::Format(format) => ("format", None, What::format(*format)),
            Event::Variant { variant, bandwidth } => {
                let (variant, bandwidth) = (*variant, bandwidth.0);
                ("variant", None, What::Variant { variant, bandwidth })
            }
            Event::Retry { attempt, problem } => {
                let what = What::Retry {
                    attempt: *attempt,
                    code: problem.kind.code(),
                    message: exit::message(problem),
                };
                ("retry", None, what)
            }
            Event::Segment {
                number,
                variant,
                frames,
            } => {
                let what = What::Segment {
                    segment: *number,
                    variant: *variant,
                    frames: frames.0,
                };
                ("segment", None, what)
            }
            Event::Progress {
                bytes,
                total,
                segments,
                of,
            } => {
                let what = What::Stored {
                    bytes: *bytes,
                    total: *total,
                    segments: *segments,
                    of: *of,
                };
                ("progress", None, what)
            }
            Event::Seek { to } => ("seek", Some(*to), What::Nothing {}),
            Event::Stall { position } => ("stall", Some(*position), What::Nothing {}),
            Event::Resume { position } => ("resume", Some(*position), What::Nothing {}),
            Event::Title { title, position } => {
                let title = title.clone();
                ("title", Some(*position), What::Title { title })
            }
            Event::Gap {
                number,
                position,
                duration,
                is_lost,
            } => {
                let what = What::Gap {
                    segment: *number,
                    duration_ms: duration.millis(),
                    lost: *is_lost,
                };
                ("gap", Some(*position), what)
            }
            Event::Reload { variant, added } => {
                let (variant, added) = (*variant, *added);
                ("reload", None, What::Reload { variant, added })
            }
            Event::Warning(problem) => ("warning", None, What::problem(problem)),
            Event::Decision(_) | Event::Journal(_) | Event::Exchange(_) | Event::Done(..) => {
                return None;
            }
        };
        Some(Line::new(name, stats, at.unwrap_or(position), what))
    }
}

impl What<'static> {
    fn format(format: Format) -> Self {
        Self::Format {
            codec: format.codec.name(),
            rate: format.spec.rate.hertz(),
            channels: format.spec.channels.count(),
            bits: format.bits,
        }
    }

    /// A problem with its stable word.
    pub fn problem(problem: &Problem) -> Self {
        Self::Problem {
            code: problem.kind.code(),
            message: exit::message(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::event::{State, Thread};
    use crate::units::{BitRate, Frames};
    use serde_json::{Value, json};

    fn told(event: &Event) -> Option<Value> {
        let line = Line::of(event, &Stats::default(), MediaTime::from_seconds(1.5))?;
        let text = json_line(&line);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        Some(serde_json::from_str(&text).expect("valid JSON"))
    }

    #[test]
    fn every_event_is_one_line_with_its_fields() {
        let problem = Problem::new(Kind::NoData, "cannot fetch x", "nothing came", "wait");
        let message = "cannot fetch x: nothing came, wait";
        let position = MediaTime::from_seconds(7.0);
        let cases = [
            (
                Event::State(State::Playing),
                json!({"event": "state", "state": "playing"}),
            ),
            (
                Event::Variant {
                    variant: 2,
                    bandwidth: BitRate(128_000),
                },
                json!({"event": "variant", "variant": 2, "bandwidth": 128_000}),
            ),
            (
                Event::Retry {
                    attempt: 1,
                    problem: problem.clone(),
                },
                json!({"event": "retry", "attempt": 1, "code": "no_data", "message": message}),
            ),
            (
                Event::Segment {
                    number: 3,
                    variant: 1,
                    frames: Frames(441),
                },
                json!({"event": "segment", "segment": 3, "variant": 1, "frames": 441}),
            ),
            (
                Event::Progress {
                    bytes: 5,
                    total: None,
                    segments: 1,
                    of: 4,
                },
                json!({"event": "progress", "bytes": 5, "total": null, "segments": 1, "of": 4}),
            ),
            (
                Event::Seek { to: position },
                json!({"event": "seek", "pos_ms": 7000}),
            ),
            (
                Event::Stall { position },
                json!({"event": "stall", "pos_ms": 7000}),
            ),
            (
                Event::Resume { position },
                json!({"event": "resume", "pos_ms": 7000}),
            ),
            (
                Event::Warning(problem),
                json!({"event": "warning", "code": "no_data", "message": message}),
            ),
        ];
        for (event, fields) in cases {
            let mut want = json!({"type": "event", "t_ms": 0, "pos_ms": 1500});
            let fields = fields.as_object().expect("an object").clone();
            want.as_object_mut().expect("an object").extend(fields);
            assert_eq!(told(&event), Some(want), "{event:?}");
        }
    }

    #[test]
    fn the_end_of_a_thread_is_no_event_of_its_own() {
        assert_eq!(told(&Event::Done(Thread::Net, Ok(()))), None);
    }

    #[test]
    fn text_from_outside_cannot_leave_its_string() {
        let hostile = "x\",\"event\":\"end\"}\n{\u{9b}\u{202e}\x1b[2J";
        let problem = Problem::new(Kind::Malformed, "cannot read it", hostile, "give up");
        let line = told(&Event::Warning(problem)).expect("a line");
        let message = line["message"].as_str().expect("text");
        assert_eq!(line["event"], "warning");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert!(!message.contains('\u{202e}'), "{message:?}");
    }
}
