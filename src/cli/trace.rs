//! The file of `--trace-out`: every request and every choice of a variant as a
//! JSON line, in the words of an ABR log.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::events::json_line;
use super::exit;
use crate::error::{Kind, Problem};
use crate::event::{Decision, Event, Exchange};
use crate::stats::Stats;
use crate::text;
use crate::units::MediaTime;

/// The open trace. Times are seconds from the start of the process.
#[derive(Debug)]
pub struct Trace {
    file: BufWriter<File>,
    failure: Option<io::Error>,
}

/// One HTTP exchange.
#[derive(Debug, Serialize)]
struct RequestLine {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    kind: &'static str,
    url: String,
    segment: Option<u64>,
    variant: Option<usize>,
    offset: u64,
    bytes: u64,
    status: Option<u16>,
    t_req: f64,
    t_first: Option<f64>,
    t_end: f64,
    failure: Option<String>,
}

/// One decision of the controller.
#[derive(Debug, Serialize)]
struct DecisionLine {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    t: f64,
    segment: u64,
    from: usize,
    to: usize,
    reason: String,
    buffer_s: f64,
    est_kbps: f64,
    pos_s: f64,
}

impl Trace {
    /// Begins the file; an older trace is replaced.
    ///
    /// # Errors
    ///
    /// [`Kind::Output`] when it cannot be created.
    pub fn create(path: &Path) -> Result<Self, Problem> {
        let file = File::create(path).map_err(|error| {
            let what = format!("cannot create the trace {:?}", path.display().to_string());
            Problem::from_io(
                error,
                Kind::Output,
                what,
                "check the folder and its permissions",
            )
        })?;
        Ok(Self {
            file: BufWriter::new(file),
            failure: None,
        })
    }

    /// Notes a request or a decision; other events are none of a trace's.
    pub fn note(&mut self, event: &Event, stats: &Stats) {
        let line = match event {
            Event::Exchange(exchange) => json_line(&request(exchange, stats)),
            Event::Decision(made) => json_line(&decision(made, stats)),
            Event::Journal(line) => format!("{line}\n"),
            Event::State(_)
            | Event::Format(_)
            | Event::Variant { .. }
            | Event::Retry { .. }
            | Event::Seek { .. }
            | Event::Segment { .. }
            | Event::Progress { .. }
            | Event::Stall { .. }
            | Event::Resume { .. }
            | Event::Title { .. }
            | Event::Gap { .. }
            | Event::Reload { .. }
            | Event::Warning(_)
            | Event::Done(..) => return,
        };
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            self.failure.get_or_insert(error);
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// The first write that failed, now or before.
    pub fn finish(&mut self) -> Result<(), Problem> {
        let flushed = self.file.flush();
        let written = self.failure.take().map_or(flushed, Err);
        written.map_err(|error| exit::not_written(error, "the trace"))
    }
}

fn request(exchange: &Exchange, stats: &Stats) -> RequestLine {
    let at = |moment: Instant| seconds(MediaTime::from(stats.since(moment)));
    RequestLine {
        kind_of_line: "request",
        kind: exchange.kind.name(),
        url: text::short_url(&exchange.url),
        segment: exchange.segment,
        variant: exchange.variant,
        offset: exchange.offset,
        bytes: exchange.bytes,
        status: exchange.status,
        t_req: at(exchange.sent),
        t_first: exchange.answered.map(at),
        t_end: at(exchange.ended),
        failure: exchange.failure.as_deref().map(text::safe),
    }
}

fn decision(made: &Decision, stats: &Stats) -> DecisionLine {
    DecisionLine {
        kind_of_line: "decision",
        t: seconds(MediaTime::from(stats.elapsed())),
        segment: made.segment,
        from: made.from,
        to: made.to,
        reason: text::safe(&made.reason),
        buffer_s: seconds(made.buffer),
        est_kbps: made.estimate.0 as f64 / 1000.0,
        pos_s: seconds(made.position),
    }
}

/// Seconds with six decimals.
fn seconds(time: MediaTime) -> f64 {
    time.nanos().div_euclid(1000) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RequestKind;
    use crate::units::BitRate;
    use serde_json::{Value, json};
    use std::time::Duration;

    #[test]
    fn requests_and_decisions_are_lines_and_nothing_else_is() {
        let began = Instant::now();
        let stats = Stats::new(began);
        let at = |millis| began + Duration::from_millis(millis);
        let exchange = Exchange {
            kind: RequestKind::Segment,
            url: "https://u:p@h/s.m4s?token=secret".to_owned(),
            sent: at(1500),
            answered: Some(at(1520)),
            ended: at(1600),
            status: Some(206),
            offset: 100,
            bytes: 2000,
            variant: Some(1),
            segment: Some(7),
            failure: None,
        };
        let choice = Decision {
            segment: 8,
            from: 1,
            to: 2,
            reason: "room for more".to_owned(),
            buffer: MediaTime::from_seconds(20.0),
            estimate: BitRate(500_000),
            position: MediaTime::from_seconds(28.0),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace");
        let mut trace = Trace::create(&path).expect("created");
        for event in [
            Event::Exchange(exchange),
            Event::Stall {
                position: MediaTime::ZERO,
            },
            Event::Decision(choice),
        ] {
            trace.note(&event, &stats);
        }
        trace.finish().expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let request = json!({
            "type": "request", "kind": "segment", "url": "https://h/s.m4s", "segment": 7, "variant": 1,
            "offset": 100, "bytes": 2000, "status": 206, "t_req": 1.5, "t_first": 1.52, "t_end": 1.6, "failure": null,
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], request);
        assert_eq!(lines[1]["type"], "decision");
        assert_eq!(lines[1]["est_kbps"], 500.0);
        assert_eq!(lines[1]["buffer_s"], 20.0);
        assert!(!text.contains("secret"));
    }

    #[test]
    fn a_trace_that_cannot_be_created_is_an_output_problem() {
        let problem = Trace::create(Path::new("/nonexistent/trace")).expect_err("no folder");
        assert_eq!(problem.kind, Kind::Output);
    }
}
