//! What is stored of each stream, for `cache ls`: whether it can be played
//! without a network, and how long it is. Looks into playlists and heads of
//! files; nothing of it is written down, and no run waits for it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::cache::{Cache, Stored, Stream};
use crate::decode::file::File;
use crate::error::Problem;
use crate::event::RequestKind;
use crate::hls::stored::{Count, List, Stock};
use crate::location::Location;
use crate::pipeline::CacheChoice;
use crate::pipeline::housekeeping::open;
use crate::stats::Stats;
use crate::store::{self, Wanted};
use crate::units::MediaTime;

/// A stored stream, as `cache ls` lists it.
#[derive(Clone, Debug)]
pub struct CacheRow {
    /// Address.
    pub url: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Resources.
    pub entries: u64,
    /// When it was last opened.
    pub last_used: SystemTime,
    /// How much of the stream that is.
    pub whole: Whole,
}

/// How much of a stream is stored: of an HLS stream, in the variant of which
/// there is most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// `hls` or `file`; `None` when that cannot be told.
    pub kind: Option<&'static str>,
    /// All of it plays without a network.
    pub is_complete: bool,
    /// It was recorded of a live stream.
    pub is_recording: bool,
    /// Segments that are there, and segments in all.
    pub segments: Option<(u64, u64)>,
    /// How much of it is there, in per cent, rounded down.
    pub percent: Option<u8>,
    /// How long the stream is.
    pub duration: Option<MediaTime>,
}

/// The streams in the cache, the one used last first.
///
/// # Errors
///
/// [`crate::error::Kind::Cache`] when the cache cannot be read.
pub fn cache_list(choice: &CacheChoice) -> Result<Vec<CacheRow>, Problem> {
    let cache = open(choice)?;
    // A stream that was refused leaves a folder with nothing in it.
    let listed = cache
        .list()?
        .into_iter()
        .filter(|stored| stored.entries > 0);
    Ok(listed.map(|stored| row(&cache, stored)).collect())
}

fn row(cache: &Cache, stored: Stored) -> CacheRow {
    // One that is evicted meanwhile is listed without its parts.
    let stream = cache.look(&stored).ok().flatten();
    let location = Location::parse(&stored.url).ok();
    let whole = stream
        .zip(location)
        .map(|(stream, location)| whole(&stream, &location));
    CacheRow {
        whole: whole.unwrap_or_default(),
        url: stored.url,
        bytes: stored.bytes,
        entries: stored.entries,
        last_used: stored.last_used,
    }
}

fn whole(stream: &Stream, location: &Location) -> Whole {
    match Stock::read(stream, location) {
        Ok(Some(stock)) => of_hls(stream, &stock),
        Ok(None) => of_file(stream, location),
        Err(_) => Whole::default(),
    }
}

fn of_hls(stream: &Stream, stock: &Stock) -> Whole {
    let kind = Some("hls");
    let counted = stock.lists.iter().map(|list| (list.count(stream), list));
    let Some((count, list)) = counted.max_by_key(|(count, _)| fullness(count)) else {
        return Whole {
            kind,
            percent: Some(0),
            ..Whole::default()
        };
    };
    let is_complete = count.missing.is_none();
    Whole {
        kind,
        is_complete,
        is_recording: list.is_recording,
        segments: Some((count.stored as u64, count.of as u64)),
        percent: Some(percent(count.stored as u64, count.of as u64, is_complete)),
        duration: Some(list.listed.media().duration()),
    }
}

/// Whole ones first, then those with the most segments.
pub(super) fn fullness(count: &Count) -> (bool, usize) {
    (count.missing.is_none(), count.stored)
}

/// The media playlists of which everything is there, else the one of which
/// there is most, and what it lacks.
pub(super) fn complete<'a>(
    stream: &Stream,
    stock: &'a Stock,
) -> Result<Vec<&'a List>, Option<String>> {
    let counted: Vec<_> = stock
        .lists
        .iter()
        .map(|list| (list.count(stream), list))
        .collect();
    let whole = counted
        .iter()
        .filter(|(count, _)| count.missing.is_none() && count.of > 0);
    let whole: Vec<_> = whole.map(|(_, list)| *list).collect();
    if !whole.is_empty() {
        return Ok(whole);
    }
    let fullest = counted.into_iter().max_by_key(|(count, _)| fullness(count));
    Err(fullest.and_then(|(count, _)| count.missing))
}

fn of_file(stream: &Stream, location: &Location) -> Whole {
    let Some(held) = store::held(stream, &Wanted::whole(location.clone(), RequestKind::File))
    else {
        return Whole::default();
    };
    let (bytes, total) = held.bytes();
    // As far as its head is there.
    let file = File::open(held.source(), &Arc::new(Stats::default())).ok();
    Whole {
        kind: Some("file"),
        is_complete: held.is_whole(),
        is_recording: false,
        segments: None,
        percent: total.map(|total| percent(bytes, total, held.is_whole())),
        duration: file.and_then(|file| file.track().duration),
    }
}

/// 100 only for what is whole.
fn percent(stored: u64, of: u64, is_complete: bool) -> u8 {
    let part = u128::from(stored) * 100 / u128::from(of.max(1));
    match (is_complete, u8::try_from(part)) {
        (true, _) => 100,
        (false, part) => part.unwrap_or(99).min(99),
    }
}
