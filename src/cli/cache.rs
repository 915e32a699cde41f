//! `kithara cache`: downloads streams, and looks after what is stored.

use std::io::{self, IsTerminal};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::args::{Add, Cache, Verb};
use super::events::{Lines, json_line};
use super::exit::{self, End};
use super::listing::columns;
use super::session::{Report, Selection, Session, Wish};
use super::table::bytes;
use crate::error::{Kind, Problem};
use crate::location::Location;
use crate::pipeline::{self, CacheRow, Edge, Quality, Task};
use crate::text;

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
    bytes: u64,
    entries: u64,
    complete: bool,
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
        Some(Verb::Ls(json)) => list(session, json.json),
        Some(Verb::Rm { url }) => remove(session, url),
        Some(Verb::Gc) => trim(session),
        Some(Verb::Verify { repair }) => verify(session, *repair),
        Some(Verb::Path) => path(session),
    };
    done.map(|()| End::DONE)
}

fn add(flags: &Add, session: &Session<'_>) -> Result<End, Problem> {
    let task = Task::Cache { jobs: flags.jobs };
    let selection = Selection {
        quality: flags.choice.quality.unwrap_or(Quality::Best),
        taste: flags.choice.taste(),
        start: flags.part.start,
        length: flags.part.length,
        buffer: None,
        edge: Edge::Usual,
        patience: None,
    };
    let wish = Wish {
        verb: "cache",
        events: flags.json.json.then_some(Lines::Output),
        report: Report::Nothing,
        trace: None,
        has_keys: false,
    };
    session.run(&flags.urls, &task, &selection, &wish)
}

fn list(session: &Session<'_>, is_json: bool) -> Result<(), Problem> {
    let streams: Vec<Row> = pipeline::cache_list(&session.global.cache()?)?
        .into_iter()
        .map(row)
        .collect();
    if is_json {
        return exit::data(&json_line(&Listing {
            schema: 1,
            kind_of_line: "cache",
            streams,
        }));
    }
    let lines: Vec<_> = streams.into_iter().map(line).collect();
    exit::data(&columns(&lines))
}

fn row(stored: CacheRow) -> Row {
    let age = stored.last_used.duration_since(UNIX_EPOCH);
    Row {
        url: text::short_url(&stored.url),
        bytes: stored.bytes,
        entries: stored.entries,
        complete: stored.complete,
        last_used_unix_s: age.map_or(0, |age| age.as_secs()),
    }
}

fn line(row: Row) -> [String; 4] {
    let state = if row.complete { "complete" } else { "in part" };
    let entries = format!("{} files", row.entries);
    [bytes(row.bytes), entries, state.to_owned(), row.url]
}

fn remove(session: &Session<'_>, url: &Location) -> Result<(), Problem> {
    let freed = pipeline::cache_remove(&session.global.cache()?, url)?;
    let line = freed.map_or_else(
        || "it is not in the cache".to_owned(),
        |freed| format!("removed {}", bytes(freed)),
    );
    note(session, &line);
    Ok(())
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
