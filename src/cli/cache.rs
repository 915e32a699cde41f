//! `kithara cache`: downloads streams, and looks after what is stored.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::age::ago;
use super::args::{Add, Cache, Verb};
use super::events::{Lines, json_line};
use super::exit::{self, End};
use super::listing::columns;
use super::session::{PATIENCE, Report, Selection, Session, Wish};
use super::signals::Signals;
use super::table::bytes;
use super::urls;
use crate::error::{Kind, Problem};
use crate::location::Location;
use crate::pipeline::{self, Algorithm, CacheRow, Quality, Task};
use crate::text;
use crate::units::MediaTime;

#[derive(Serialize)]
struct Listing {
    schema: u32,
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    streams: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    url: String,
    kind: Option<&'static str>,
    bytes: u64,
    entries: u64,
    complete: bool,
    recording: bool,
    percent: Option<u8>,
    segments: Option<u64>,
    segments_stored: Option<u64>,
    duration_ms: Option<i64>,
    last_used_unix_s: u64,
}

/// Downloads, or does what the verb says.
///
/// # Errors
///
/// What the store says, and a listing that cannot be written.
pub fn cache(flags: &Cache, session: &Session<'_>) -> Result<End, Problem> {
    let done = match &flags.verb {
        None => return add(&flags.add, session),
        Some(Verb::Add(flags)) => return add(flags, session),
        Some(Verb::Rm { urls }) => return remove(session, urls),
        Some(Verb::Export { url, dir, force }) => return export(session, url, dir, *force),
        Some(Verb::Ls(json)) => list(session, json.json),
        Some(Verb::Gc) => trim(session),
        Some(Verb::Verify { repair }) => verify(session, *repair),
        Some(Verb::Path) => path(session),
    };
    done.map(|()| End::DONE)
}

fn add(flags: &Add, session: &Session<'_>) -> Result<End, Problem> {
    let list = urls::list(&flags.urls, &mut io::stdin().lock())?;
    let task = Task::Cache { jobs: flags.jobs };
    // Nothing is heard meanwhile that a slow network could interrupt.
    let quality = flags
        .choice
        .quality
        .filter(|quality| *quality != Quality::Auto);
    let selection = Selection {
        quality: quality.unwrap_or(Quality::Best),
        taste: flags.choice.taste(),
        start: flags.part.start,
        length: flags.part.length,
        buffer: None,
        edge: flags.live.edge()?,
        patience: Some(PATIENCE),
        algorithm: Algorithm::Default,
    };
    let wish = Wish {
        verb: "cache",
        events: flags.json.json.then_some(Lines::Output),
        report: Report::Nothing,
        trace: None,
        has_keys: false,
        takes_one: false,
        is_looped: false,
    };
    session.run_list(&list, &task, &selection, &wish)
}

fn list(session: &Session<'_>, is_json: bool) -> Result<(), Problem> {
    let streams = pipeline::cache_list(&session.global.cache()?)?;
    if is_json {
        return exit::data(&json_line(&Listing {
            schema: 1,
            kind_of_line: "cache",
            streams: streams.into_iter().map(row).collect(),
        }));
    }
    let now = SystemTime::now();
    let lines: Vec<_> = streams.iter().map(|stored| line(stored, now)).collect();
    exit::data(&columns(&lines))
}

fn row(stored: CacheRow) -> Row {
    let age = stored.last_used.duration_since(UNIX_EPOCH);
    let whole = stored.whole;
    Row {
        url: text::short_url(&stored.url),
        kind: whole.kind,
        bytes: stored.bytes,
        entries: stored.entries,
        complete: whole.is_complete,
        recording: whole.is_recording,
        percent: whole.percent,
        segments: whole.segments.map(|(_, of)| of),
        segments_stored: whole.segments.map(|(stored, _)| stored),
        duration_ms: whole
            .duration
            .map(|duration| rounded(duration, 1_000_000).millis()),
        last_used_unix_s: age.map_or(0, |age| age.as_secs()),
    }
}

fn line(stored: &CacheRow, now: SystemTime) -> [String; 5] {
    let whole = &stored.whole;
    let state = match (whole.is_complete, whole.is_recording, whole.percent) {
        (true, true, _) => "recorded".to_owned(),
        (true, false, _) => "complete".to_owned(),
        (false, _, Some(percent)) => format!("{percent} %"),
        (false, _, None) => "in part".to_owned(),
    };
    let length = whole
        .duration
        .map(|time| rounded(time, 1_000_000_000).to_string());
    let length = length.unwrap_or_else(|| "–".to_owned());
    let url = text::short_url(&stored.url);
    [
        bytes(stored.bytes),
        state,
        length,
        ago(stored.last_used, now),
        url,
    ]
}

/// The nearest multiple of `unit` nanoseconds: lengths add up with small errors.
fn rounded(time: MediaTime, unit: i64) -> MediaTime {
    let nanos = time.nanos().saturating_add(unit / 2);
    MediaTime::from_nanos(nanos.div_euclid(unit) * unit)
}

/// What is not there is as it should be, as package managers have it; one that
/// cannot be removed does not stop the others.
fn remove(session: &Session<'_>, urls: &[Location]) -> Result<End, Problem> {
    let choice = session.global.cache()?;
    let mut worst = End::DONE;
    for url in urls {
        match pipeline::cache_remove(&choice, url) {
            Ok(Some(freed)) => note(session, &format!("removed {}: {url}", bytes(freed))),
            Ok(None) if session.global.quiet => {}
            Ok(None) => exit::say(&format!("kithara: it is not in the cache: {url}")),
            Err(problem) => {
                let run = format!("cannot remove \"{url}\"");
                worst = worst.max(exit::fail(&problem, Some(&run), session.bugs));
            }
        }
    }
    Ok(worst)
}

fn export(session: &Session<'_>, url: &Location, dir: &Path, force: bool) -> Result<End, Problem> {
    let signals = Signals::listen()?;
    let (choice, network) = (session.global.cache()?, session.global.network()?);
    let is_stopped = || signals.asked().is_some();
    match pipeline::cache_export(&choice, &network, url, dir, force, &is_stopped) {
        Err(problem) if problem.kind == Kind::Stopped => {
            Ok(signals.asked().map_or(End::DONE, End::Signal))
        }
        Err(problem) => Err(problem),
        Ok(done) => {
            note(
                session,
                &format!("wrote {} files, {}", done.files, bytes(done.bytes)),
            );
            Ok(End::DONE)
        }
    }
}

fn trim(session: &Session<'_>) -> Result<(), Problem> {
    let freed = pipeline::cache_trim(&session.global.cache()?)?;
    note(session, &format!("removed {}", bytes(freed)));
    Ok(())
}

fn verify(session: &Session<'_>, repair: bool) -> Result<(), Problem> {
    let found = pipeline::cache_verify(&session.global.cache()?, repair)?;
    let damaged: String = found
        .damaged
        .iter()
        .map(|name| format!("{}\n", text::safe(name)))
        .collect();
    exit::data(&damaged)?;
    note(session, &format!("checked {}", bytes(found.bytes)));
    match (found.damaged.len(), repair) {
        (0, _) => Ok(()),
        (count, true) => {
            note(session, &format!("removed what is damaged: {count}"));
            Ok(())
        }
        (count, false) => Err(Problem::new(
            Kind::Damage,
            "cannot vouch for the cache",
            format!("{count} of its parts are damaged"),
            "remove them with \"kithara cache verify --repair\"",
        )),
    }
}

fn path(session: &Session<'_>) -> Result<(), Problem> {
    let path = pipeline::cache_path(&session.global.cache()?)?;
    exit::data(&format!("{}\n", path.display()))
}

/// Says what was done, which is no data.
fn note(session: &Session<'_>, text: &str) {
    if !session.global.quiet && io::stderr().is_terminal() {
        exit::say(&format!("kithara: {text}"));
    }
}
