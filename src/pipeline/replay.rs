//! A recorded run once more, out of its trace.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Kind, Problem};
use crate::hls::abr::{Algorithm, Controller};
use crate::hls::replay::{Outcome, Replay};
use crate::text;

/// The longest line of a trace.
const LINE_BYTES: u64 = 1 << 20;

/// Asks the controller `algorithm` what was asked in the trace at `path`.
///
/// # Errors
///
/// [`Kind::Arguments`] for a file that cannot be read, or that has no run with
/// a choice.
pub fn replay(path: &Path, algorithm: Algorithm) -> Result<Outcome, Problem> {
    let mut replay = Replay::new(|rates| Controller::new(rates).with(algorithm));
    let mut file = File::open(path)
        .map(BufReader::new)
        .map_err(|error| refused(path, error.to_string()))?;
    for number in 1.. {
        let mut line = Vec::new();
        let read = (&mut file).take(LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|error| refused(path, error.to_string()))? == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let entry = line.trim_end();
        let wrong = |why| refused(path, format!("line {number}: {why}"));
        if !entry.is_empty() {
            replay.line(number, entry).map_err(wrong)?;
        }
    }
    replay.outcome().ok_or_else(|| {
        let why = "no variant was chosen in that run";
        let todo = "record one with -Q auto and --trace-out";
        Problem::new(Kind::Arguments, named(path), why, todo)
    })
}

fn named(path: &Path) -> String {
    let path = text::safe(&path.display().to_string());
    format!("cannot replay \"{path}\"")
}

fn refused(path: &Path, why: String) -> Problem {
    let todo = "give a file of --trace-out";
    Problem::new(Kind::Arguments, named(path), why, todo)
}
