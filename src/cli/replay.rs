//! `kithara stats --replay`: the controller of a recorded run is told and asked
//! the same once more, and its answers are compared.

use std::path::Path;

use serde::Serialize;

use super::events::json_line;
use super::exit;
use crate::error::Problem;
use crate::pipeline::{self, Algorithm, Difference, Outcome};
use crate::text;

/// Differences that are listed for people.
const SHOWN: usize = 20;

/// What came of it, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    algorithm: &'static str,
    questions: Questions,
    recorded_kbps: f64,
    replayed_kbps: f64,
    differences: Vec<Row<'a>>,
}

/// Questions of each kind.
#[derive(Debug, Serialize)]
struct Questions {
    rung: u64,
    give_up: u64,
    again: u64,
}

/// An answer that is not the recorded one.
#[derive(Debug, Serialize)]
struct Row<'a> {
    line: usize,
    segment: Option<usize>,
    recorded: &'a str,
    now: &'a str,
}

/// Asks the controller `algorithm` what was asked in the trace at `path`, and
/// tells how its answers differ.
///
/// # Errors
///
/// As [`pipeline::replay`]; output that cannot be written.
pub fn replay(path: &Path, algorithm: Algorithm, is_json: bool) -> Result<(), Problem> {
    let outcome = pipeline::replay(path, algorithm)?;
    exit::data(&match is_json {
        true => json_line(&report(&outcome, algorithm)),
        false => page(&outcome, algorithm),
    })
}

fn report<'a>(outcome: &'a Outcome, algorithm: Algorithm) -> Report<'a> {
    let [rung, give_up, again] = outcome.asked;
    let row = |one: &'a Difference| Row {
        line: one.line,
        segment: one.segment,
        recorded: &one.recorded,
        now: &one.now,
    };
    Report {
        schema: 1,
        kind: "replay",
        algorithm: algorithm.word(),
        questions: Questions {
            rung,
            give_up,
            again,
        },
        recorded_kbps: outcome.recorded_kbps(),
        replayed_kbps: outcome.replayed_kbps(),
        differences: outcome.differences.iter().map(row).collect(),
    }
}

/// The same for people.
fn page(outcome: &Outcome, algorithm: Algorithm) -> String {
    let [rung, give_up, again] = outcome.asked;
    let differences = outcome.differences.len();
    let mut page = format!(
        "controller    {}\nquestions     {rung} which variant, {give_up} whether to give up, {again} what to fetch again\n\
         answers       {} as recorded, {differences} others\nchosen        {:.0} kbit/s on average, recorded {:.0}\n",
        algorithm.word(),
        outcome.count() - differences as u64,
        outcome.replayed_kbps(),
        outcome.recorded_kbps(),
    );
    for one in outcome.differences.iter().take(SHOWN) {
        let segment = one.segment.map(|place| format!(", segment {place}"));
        let segment = segment.unwrap_or_default();
        let (recorded, now) = (text::safe(&one.recorded), &one.now);
        page.push_str(&format!(
            "  line {}{segment}: {now}, recorded {recorded}\n",
            one.line
        ));
    }
    if differences > SHOWN {
        page.push_str(&format!(
            "  and {} more (--json has all)\n",
            differences - SHOWN
        ));
    }
    page
}
