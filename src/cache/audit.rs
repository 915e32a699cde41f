//! Looking at a whole cache from outside: what is in it, and is it sound. Used
//! by `kithara cache ls` and `verify`, never on the way to sound.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use super::dir::{Dir, Writing};
use super::entry::checksum;
use super::evict::{self, LEASE, RECORD, data_name, entry_of};
use super::key::Identity;
use super::known::Known;
use super::log::{Found, Log};
use super::record::{Line, Piece};
use crate::limits::URL_BYTES;

const BLANK: [u8; 512] = [b'\n'; 512];

/// A stream as `kithara cache ls` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its URL with its query, as it was asked for; make it safe before showing it.
    pub url: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Resources in it.
    pub entries: u64,
    /// When it was last opened.
    pub last_used: SystemTime,
    /// Of its folder.
    pub(super) name: String,
}

/// What `Cache::verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes whose checksum was compared.
    pub checked: u64,
    /// What was wrong.
    pub damaged: Vec<Damage>,
}

/// Something wrong in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The URL of the resource, or of its stream when that is all we know.
    pub url: String,
    /// What is wrong, in a few words.
    pub what: String,
}

/// The streams of a root, the one used last first.
pub(super) fn list(root: &Dir) -> io::Result<Vec<Stored>> {
    let mut list = Vec::new();
    for stream in evict::candidates(root)? {
        let Some(dir) = root.child(&stream.name)? else {
            continue;
        };
        list.push(Stored {
            url: label(&dir)?,
            bytes: evict::size(&dir)?,
            entries: records(&dir)?.len() as u64,
            last_used: stream.last_used,
            name: stream.name,
        });
    }
    Ok(list)
}

/// The folders of the URL of `identity`: its own, and those of other askers.
pub(super) fn names_of(root: &Dir, identity: &Identity) -> io::Result<Vec<String>> {
    let mut names = vec![identity.name()];
    for stream in evict::candidates(root)? {
        let Some(dir) = root.child(&stream.name)? else {
            continue;
        };
        if stream.name != names[0] && label(&dir)? == identity.url() {
            names.push(stream.name);
        }
    }
    Ok(names)
}

/// Compares every byte that a record claims with its checksum.
pub(super) fn verify(root: &Dir, repair: bool) -> io::Result<Report> {
    let mut report = Report::default();
    for stream in evict::candidates(root)? {
        let Some(dir) = root.child(&stream.name)? else {
            continue;
        };
        for name in records(&dir)? {
            verify_entry(&dir, &name, repair, &mut report)?;
        }
    }
    Ok(report)
}

fn verify_entry(dir: &Dir, name: &str, repair: bool, report: &mut Report) -> io::Result<()> {
    let record = format!("{name}{RECORD}");
    let is_strange = dir.status(&record)?.is_some_and(|found| !found.is_plain);
    let log = match Log::open(dir, &record)? {
        Found::Nothing if !is_strange => return Ok(()), // removed meanwhile
        Found::Nothing | Found::Garbled => {
            report.damaged.push(Damage {
                url: label(dir)?,
                what: "a record cannot be read".to_owned(),
            });
            if repair {
                dir.remove(&record)?;
            }
            return Ok(());
        }
        Found::Log(log) => log,
    };
    let known = known(&log)?;
    let bad = damaged(dir, name, &log, &known, report)?;
    // What a later line says too is no loss.
    let garbled = match known.is_complete() {
        true => Vec::new(),
        false => log.garbled()?,
    };
    // A record that was replaced meanwhile had lost its bytes to the new version;
    // one that is being written may end in half a line.
    let is_sound = bad.is_empty() && (garbled.is_empty() || !log.claim()?);
    if is_sound || !log.is_at(dir, &record)? {
        return Ok(());
    }
    let lost: u64 = bad.iter().map(|piece| u64::from(piece.length)).sum();
    report.damaged.push(Damage {
        url: log.record.identity.url().to_owned(),
        what: match lost {
            0 => "lines of its record cannot be read".to_owned(),
            _ => format!("{lost} bytes are damaged"),
        },
    });
    match repair {
        true => {
            blank(dir, &record, &garbled)?;
            forget(&log, &bad)
        }
        false => Ok(()),
    }
}

/// The pieces whose bytes are not those that the record claims.
fn damaged(
    dir: &Dir,
    name: &str,
    log: &Log,
    known: &Known,
    report: &mut Report,
) -> io::Result<Vec<Piece>> {
    let data = data_name(name, log.record.generation);
    let data = dir.open_file(&data, Writing::Anywhere)?;
    let mut bad = Vec::new();
    for piece in pieces(known) {
        let found = data
            .as_ref()
            .and_then(|data| checksum(&data.file, piece.range()).ok());
        report.checked += u64::from(piece.length);
        if found != Some(piece.crc) {
            bad.push(piece);
        }
    }
    Ok(bad)
}

/// Writes line ends over lines that cannot be read: nothing else moves.
fn blank(dir: &Dir, record: &str, garbled: &[Range<u64>]) -> io::Result<()> {
    let Some(opened) = dir.open_file(record, Writing::Anywhere)? else {
        return Ok(());
    };
    for range in garbled {
        let mut offset = range.start;
        while offset < range.end {
            let rest = usize::try_from(range.end - offset).unwrap_or(usize::MAX);
            let part = BLANK.get(..rest).unwrap_or(&BLANK);
            opened.file.write_all_at(part, offset)?;
            offset += part.len() as u64;
        }
    }
    Ok(())
}

/// Notes in the record that `bad` pieces are lost. One that another process is
/// writing is left alone: its readers check for themselves.
fn forget(log: &Log, bad: &[Piece]) -> io::Result<()> {
    if !log.claim()? {
        return Ok(());
    }
    let mut lines = String::new();
    for piece in bad {
        log.add(&Line::Lost(piece.range()), &mut lines);
    }
    log.cut(log.read(log.start, drop)?)?;
    let noted = log.append(&lines);
    log.release();
    noted
}

fn known(log: &Log) -> io::Result<Known> {
    let mut known = Known::new(log.record.head.total);
    log.read(log.start, |line| known.apply(&line))?;
    Ok(known)
}

fn pieces(known: &Known) -> impl Iterator<Item = Piece> {
    std::iter::successors(known.unchecked(0), |piece| {
        known.unchecked(piece.range().end)
    })
}

/// The entries of a stream's folder that have a record.
fn records(dir: &Dir) -> io::Result<Vec<String>> {
    let names = dir.names()?;
    let entries = names.iter().filter_map(|name| entry_of(name));
    Ok(entries
        .filter(|(_, rest)| *rest == RECORD)
        .map(|(name, _)| name.to_owned())
        .collect())
}

/// The URL in a stream's lease.
fn label(dir: &Dir) -> io::Result<String> {
    let mut text = vec![0; URL_BYTES + 1];
    let lease = dir.open_file(LEASE, Writing::Anywhere)?;
    let length = lease.map_or(Ok(0), |lease| lease.file.read_at(&mut text, 0))?;
    text.truncate(length);
    let text = String::from_utf8(text).unwrap_or_default();
    Ok(text.strip_suffix('\n').unwrap_or("unknown").to_owned())
}
