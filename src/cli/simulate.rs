//! `kithara simulate`: the decisions of real playback over a network trace, in
//! virtual time.

use std::fs;
use std::path::Path;

use super::args::Simulate;
use super::events::json_line;
use super::exit;
use super::listing::columns;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::simulate::{self, Ladder, Log, Metrics, Player, Setting, Trace};
use crate::text;
use crate::units::BitRate;

/// Runs one session and writes what was asked for.
///
/// # Errors
///
/// A trace or a ladder that cannot be used ([`Kind::Arguments`]), a trace that
/// carries nothing ([`Kind::NoData`]), and output that cannot be written.
pub fn simulate(flags: &Simulate) -> Result<(), Problem> {
    let ladder = Ladder::parse(&read(&flags.ladder, "ladder")?)?;
    let trace = Trace::parse(&read(&flags.trace, "trace")?)?;
    if let Some(path) = &flags.dump_ladder {
        write(path, &json_line(&ladder))?;
    }
    let log = simulate::run(&ladder, &trace, &setting(flags, &ladder)?);
    let is_data = flags.log.as_deref() == Some(Path::new("-"));
    if let Some(path) = flags.log.as_deref().filter(|_| !is_data) {
        write(path, &json_line(&log))?;
    }
    match (is_data, flags.json.json) {
        (true, true) => Err(Problem::new(
            Kind::Arguments,
            "cannot use --json with \"--log -\"",
            "both write to standard output",
            "name a file for the log",
        )),
        (true, false) => exit::data(&json_line(&log)),
        (false, true) => exit::data(&json_line(&log.metrics)),
        (false, false) => exit::data(&page(&log)),
    }
}

fn setting(flags: &Simulate, ladder: &Ladder) -> Result<Setting, Problem> {
    let (variants, segments) = (ladder.variants.len(), ladder.segment_s.len());
    let is_known = |[variant, first, last]: &[usize; 3]| {
        *variant < variants && first <= last && *last < segments
    };
    if let Some(strange) = flags.cached.iter().find(|range| !is_known(range)) {
        let [variant, first, last] = strange;
        return Err(Problem::new(
            Kind::Arguments,
            format!("cannot take {variant}:{first}-{last} as cached"),
            format!("the ladder has {variants} variants of {segments} segments, counted from 0"),
            "write it like 1:0-74",
        ));
    }
    Ok(Setting {
        player: Player {
            part_s: flags.part.seconds(),
            startup_s: flags.startup.seconds(),
            resume_s: flags.resume.seconds(),
            max_buffer_s: flags.max_buffer.seconds(),
            in_flight: usize::from(flags.in_flight),
        },
        live: flags.live.map(usize::from),
        cached: flags.cached.clone(),
        prior: flags.prior.map(|rate| BitRate(u64::from(rate) * 1000)),
    })
}

fn read(path: &Path, kind: &str) -> Result<String, Problem> {
    let unreadable = |why: String| {
        let what = format!(
            "cannot read the {kind} \"{}\"",
            text::safe(&path.display().to_string())
        );
        Problem::new(Kind::Arguments, what, why, "check the path")
    };
    let length = fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if length > limits::SIMULATION_FILE_BYTES {
        return Err(unreadable(format!(
            "it has {length} bytes, more than {}",
            limits::SIMULATION_FILE_BYTES
        )));
    }
    fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    fs::write(path, text).map_err(|error| exit::not_written(error, &path.display().to_string()))
}

/// The measures, for people.
fn page(log: &Log) -> String {
    let Metrics {
        qoe,
        mos,
        mean_kbps,
        switches,
        stalls,
        stall_s,
        startup_s,
        bytes,
        wasted_bytes,
        aborts,
        replaced,
        ..
    } = log.metrics;
    let row = |name: &str, value: String| [name.to_owned(), value];
    columns(&[
        row("quality of experience", format!("{qoe:.3}, {mos:.2} of 5")),
        row("mean bitrate", format!("{mean_kbps:.0} kbit/s")),
        row("first sound", format!("{startup_s:.2} s")),
        row("stalls", format!("{stalls}, {stall_s:.2} s in all")),
        row("switches", switches.to_string()),
        row(
            "bytes",
            format!("{bytes}, {wasted_bytes} of them for nothing"),
        ),
        row(
            "requests",
            format!(
                "{}, {aborts} given up, {replaced} for better quality",
                log.requests.len()
            ),
        ),
    ])
}
