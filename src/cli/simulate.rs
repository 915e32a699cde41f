//! `kithara simulate`: the decisions of real playback over a network trace, in
//! virtual time.

use std::fs;
use std::path::Path;

use super::args::Simulate;
use super::events::json_line;
use super::exit;
use super::listing::columns;
use super::session::Session;
use crate::error::{Kind, Problem, reason};
use crate::limits;
use crate::location::Location;
use crate::pipeline;
use crate::simulate::{self, Ladder, Log, Metrics, Player, Setting, Trace};
use crate::text;
use crate::units::BitRate;

/// Runs one session and writes what was asked for.
///
/// # Errors
///
/// A trace or a ladder that cannot be used ([`Kind::Arguments`]), a trace that
/// carries nothing ([`Kind::NoData`]), what the stream or the network says, and
/// output that cannot be written.
pub fn simulate(flags: &Simulate, session: &Session<'_>) -> Result<(), Problem> {
    // Before the network is asked for what cannot be used.
    let is_data = flags.log.as_deref() == Some(Path::new("-"));
    if is_data && flags.json.json {
        return Err(two_on_stdout());
    }
    let trace = Trace::parse(&read(&flags.trace, "trace")?)?;
    let ladder = match (&flags.ladder, &flags.url) {
        (Some(path), None) => Ladder::parse(&read(path, "ladder")?)?,
        (None, Some(url)) => survey(url, flags, session)?,
        (None, None) => return Err(not_one_stream("there is no stream")),
        (Some(_), Some(_)) => return Err(not_one_stream("there are two streams")),
    };
    if let Some(path) = &flags.dump_ladder {
        write(path, &json_line(&ladder))?;
    }
    let log = simulate::run(&ladder, &trace, &setting(flags, &ladder)?);
    if let Some(path) = flags.log.as_deref().filter(|_| !is_data) {
        write(path, &json_line(&log))?;
    }
    exit::data(&match (is_data, flags.json.json) {
        (true, _) => json_line(&log),
        (false, true) => json_line(&log.metrics),
        (false, false) => page(&log),
    })
}

/// The ladder of the stream at `url`.
fn survey(url: &Location, flags: &Simulate, session: &Session<'_>) -> Result<Ladder, Problem> {
    let (cache, network) = (session.global.cache()?, session.global.network()?);
    let taste = flags.liking.taste();
    let (found, warnings) = pipeline::survey(url, &taste, &cache, &network)?;
    for warning in warnings.iter().filter(|_| !session.global.quiet) {
        exit::say(&format!("kithara: {}", exit::message(warning)));
    }
    Ladder::of(found, text::short_url(&url.to_string()))
}

fn two_on_stdout() -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot use --json with \"--log -\"",
        "both write to standard output",
        "name a file for the log",
    )
}

fn not_one_stream(why: &str) -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot simulate",
        why,
        "give a URL or --ladder, and only one of them",
    )
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
    let player = Player {
        part_s: flags.part.seconds(),
        startup_s: flags.startup.seconds(),
        resume_s: flags.resume.seconds(),
        max_buffer_s: flags.max_buffer.seconds(),
        in_flight: usize::from(flags.in_flight),
    };
    possible(&player, ladder)?;
    Ok(Setting {
        player,
        live: flags.live.map(usize::from),
        cached: flags.cached.clone(),
        algorithm: flags.deciding.algorithm.into(),
        prior: flags.prior.map(|rate| BitRate(u64::from(rate) * 1000)),
    })
}

/// Refuses what would never be heard, and what would be cut too finely.
fn possible(player: &Player, ladder: &Ladder) -> Result<(), Problem> {
    let refuse = |what, why| {
        Err(Problem::new(
            Kind::Arguments,
            what,
            why,
            "use other lengths",
        ))
    };
    let lengths = || ladder.segment_s.iter().copied();
    let (total, longest) = (lengths().sum::<f64>(), lengths().fold(0.0, f64::max));
    let shortest = lengths().fold(longest, f64::min);
    if total / player.part_s > limits::SIMULATED_PARTS {
        let why = format!(
            "the stream would have more than {}",
            limits::SIMULATED_PARTS
        );
        return refuse("cannot use parts that short", why);
    }
    // The next segment comes when there is room for it, and one comes always.
    let ahead = (player.max_buffer_s - longest).max(shortest);
    if player.startup_s.max(player.resume_s) > ahead && ahead < total {
        let why = format!("--max-buffer allows {ahead} s before the sound");
        return refuse("cannot wait for what --startup or --resume ask", why);
    }
    Ok(())
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
        .map_err(|error| unreadable(reason(&error)))?
        .len();
    if length > limits::SIMULATION_FILE_BYTES {
        return Err(unreadable(format!(
            "it has {length} bytes, more than {}",
            limits::SIMULATION_FILE_BYTES
        )));
    }
    fs::read_to_string(path).map_err(|error| unreadable(reason(&error)))
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
