//! Media playlists: loaded for the first time, from whichever place has them,
//! and loaded again while a stream is live.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::hls::key;
use crate::hls::media::Media;
use crate::hls::playlist::{self, Common, Parsed, Playlist};
use crate::hls::repair::Repairs;
use crate::hls::timeline::Listed;
use crate::hls::variant::Rung;
use crate::location::Location;
use crate::store::{Store, Text, Wanted};

/// A media playlist that was loaded.
pub struct Loaded {
    /// The playlist.
    pub media: Media,
    /// Bytes of its text as it came.
    pub length: u64,
    /// How long its first byte took, when it came from the network.
    pub first_byte: Option<Duration>,
    /// What had to be mended in it.
    pub repairs: Repairs,
    /// The server's mark of this version.
    pub etag: Option<String>,
    /// Where it was found.
    pub location: Location,
}

/// Fetches and parses the media playlist of a rung, from the first of its places
/// that has it, under what the multivariant playlist says for it.
///
/// # Errors
///
/// What is wrong at the first place, when it cannot be had at any.
pub async fn load(
    store: &Store,
    rung: &Rung,
    common: Option<&Common>,
    events: &Events,
) -> Result<Loaded, Problem> {
    let mut failure = None;
    for location in rung.locations() {
        let problem = match load_from(store, location, rung.id, common).await {
            Ok(loaded) => {
                warn(events, failure);
                return Ok(loaded);
            }
            Err(problem) => problem,
        };
        match failure {
            None if !may_be_elsewhere(problem.kind) => return Err(problem),
            None => failure = Some(problem),
            Some(_) if problem.kind == Kind::Encryption => {}
            Some(_) => warn(events, Some(problem)),
        }
    }
    Err(failure.expect("a rung has a place"))
}

/// The media playlist of a live stream once more; `None` when it is still the
/// one that has the mark `etag`.
///
/// # Errors
///
/// What the store or the parser says.
pub async fn reload(
    store: &Store,
    location: Location,
    rung: usize,
    common: Option<&Common>,
    etag: Option<String>,
) -> Result<Option<Loaded>, Problem> {
    let wanted = wanted(&location, rung);
    match store.reload(&wanted, etag.as_deref()).await? {
        None => Ok(None),
        Some(text) => loaded(wanted, &text, common).map(Some),
    }
}

/// A playlist's place in a run that begins with it: one with an end counts from
/// 0, a live one by its media sequence numbers.
pub fn first(media: Media) -> Listed {
    let first = match media.ended {
        true => 0,
        false => usize::try_from(media.first_number()).unwrap_or(0),
    };
    Listed::new(Arc::new(media), first)
}

/// Whether all bytes of the segment at `place` are in the cache.
pub fn is_stored(store: &Store, list: &Listed, place: usize) -> bool {
    let Some(segment) = list.segment(place) else {
        return false;
    };
    let location = list.location(segment.uri);
    location.is_ok_and(|location| {
        let range = segment.range.map(|range| range.start..range.end());
        let wanted = Wanted::whole(location, RequestKind::Segment);
        store.cached(&Wanted { range, ..wanted }).is_some()
    })
}

/// Says `problem`, if there is one, as a warning.
pub fn warn(events: &Events, problem: Option<Problem>) {
    if let Some(problem) = problem {
        events.send(Event::Warning(problem));
    }
}

/// Whether another place may have what could not be had for this reason.
pub fn may_be_elsewhere(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::HttpStatus(_)
            | Kind::NoData
            | Kind::Resolve
            | Kind::Connect
            | Kind::Tls
            | Kind::NotAStream
            | Kind::Malformed
            | Kind::Encryption
            | Kind::Offline
    )
}

/// Why nothing of `media` can be played, if so.
pub fn refuse_unplayable(media: &Media) -> Result<(), Problem> {
    let refuse = |kind, why: &str| {
        Err(Problem::new(
            kind,
            "cannot play the stream",
            why,
            "nothing can be done here",
        ))
    };
    if media.is_empty() && media.ended {
        return refuse(Kind::Malformed, "its media playlist has no segments");
    }
    key::refuse_undecipherable(media)
}

/// Parses a playlist, under what its multivariant playlist says for it; what is
/// none is named with what the server called it.
pub fn parse(text: &Text, parent: Option<&Common>) -> Result<Parsed, Problem> {
    playlist::parse_under(&text.bytes, &text.base, parent).map_err(|problem| {
        match &text.content_type {
            Some(stated) if problem.kind == Kind::NotAStream => {
                let why = format!("{} ({})", problem.why, crate::text::safe(stated));
                Problem { why, ..problem }
            }
            _ => problem,
        }
    })
}

/// A finished stream's playlists are kept, so that it plays offline.
///
/// # Errors
///
/// Those of [`Store::keep`], when the run is there to store.
pub fn keep(store: &Store, text: &Text, ended: bool) -> Result<(), Problem> {
    if !ended {
        return Ok(());
    }
    match store.keep(text) {
        Err(problem) if store.must_store() => Err(problem),
        Err(problem) => {
            tracing::warn!("{problem}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn load_from(
    store: &Store,
    location: &Location,
    rung: usize,
    common: Option<&Common>,
) -> Result<Loaded, Problem> {
    let wanted = wanted(location, rung);
    let text = store.text(&wanted).await?;
    let loaded = loaded(wanted, &text, common)?;
    store.stats().lists().encryption = key::encryption(&loaded.media);
    refuse_unplayable(&loaded.media)?;
    keep(store, &text, loaded.media.ended)?;
    Ok(loaded)
}

fn wanted(location: &Location, rung: usize) -> Wanted {
    Wanted {
        variant: Some(rung),
        ..Wanted::whole(location.clone(), RequestKind::Media)
    }
}

fn loaded(wanted: Wanted, text: &Text, common: Option<&Common>) -> Result<Loaded, Problem> {
    let parsed = parse(text, common)?;
    let Playlist::Media(media) = parsed.playlist else {
        let what = format!("cannot play {}", wanted.location);
        let why = "a variant leads to another list of variants";
        return Err(Problem::new(
            Kind::Malformed,
            what,
            why,
            "give the address of a media playlist",
        ));
    };
    Ok(Loaded {
        media,
        length: text.length,
        first_byte: text.first_byte,
        repairs: parsed.repairs,
        etag: text.etag.clone(),
        location: wanted.location,
    })
}
