//! The playlists of one HLS stream: the ladder of what can be chosen, and the
//! media playlists loaded so far. One media playlist is loaded before sound;
//! others when the controller first wants them.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::media::{Media, Method};
use crate::hls::playlist::{self, Common, Parsed, Playlist, Repairs};
use crate::hls::quality::{Choice, Quality};
use crate::hls::variant::{self, Ladder};
use crate::location::Location;
use crate::stats::{Stage, Stats, VariantRow};
use crate::store::{Store, Text, Wanted};

/// What is known of a stream.
pub struct Presentation {
    /// What can be chosen, ascending by bandwidth.
    pub ladder: Ladder,
    /// Media playlists, one place for each rung.
    pub media: Vec<Option<Arc<Media>>>,
    /// The rung it begins with, and why; `None` until [`Presentation::choose`].
    pub chosen: Option<Choice>,
    /// What had to be mended in the playlists read so far, each with its place.
    pub repairs: Vec<(Location, Repairs)>,
    /// What the multivariant playlist says for its media playlists; `None`
    /// when the stream is one media playlist.
    pub common: Option<Arc<Common>>,
}

impl Presentation {
    /// Reads the playlist in `text`, which was asked for at `asked`; nothing is
    /// chosen yet.
    ///
    /// # Errors
    ///
    /// What the parser says.
    pub fn read(store: &Store, text: Text, asked: Instant, stats: &Stats) -> Result<Self, Problem> {
        let parsed = parse(&text, None)?;
        let repairs = vec![(text.base.clone(), parsed.repairs)];
        match parsed.playlist {
            Playlist::Media(media) => {
                stats.stage(Stage::MediaPlaylist, asked, Instant::now());
                keep(store, &text, media.ended);
                let ladder = Ladder::single(text.base.clone());
                Ok(Self {
                    media: vec![Some(Arc::new(media))],
                    ladder,
                    chosen: None,
                    repairs,
                    common: None,
                })
            }
            Playlist::Multivariant(multivariant) => {
                stats.stage(Stage::Multivariant, asked, Instant::now());
                keep(store, &text, true);
                let ladder = Ladder::of(&multivariant, &[])?;
                stats.lists().variants = rows(&ladder);
                Ok(Self {
                    media: vec![None; ladder.rungs.len()],
                    ladder,
                    chosen: None,
                    repairs,
                    common: Some(Arc::new(parsed.common)),
                })
            }
        }
    }

    /// Chooses a rung and loads its media playlist.
    ///
    /// # Errors
    ///
    /// What the store or the parser says; [`Kind::Unsupported`] or
    /// [`Kind::Encryption`] when there is nothing we can play.
    pub async fn choose(
        mut self,
        store: &Store,
        quality: Quality,
        stats: &Stats,
    ) -> Result<Self, Problem> {
        let chosen = choose(store, &self.ladder, quality)?;
        let rung = chosen.rung;
        self.chosen = Some(chosen);
        if self.media(rung).is_none() {
            stats.begin(Stage::MediaPlaylist);
            let location = self.ladder.rungs[rung].location.clone();
            let common = self.common.as_deref();
            let (media, repairs) = load(store, location.clone(), rung, common).await?;
            stats.end(Stage::MediaPlaylist);
            self.repairs.push((location, repairs));
            self.media[rung] = Some(Arc::new(media));
        }
        self.media(rung)
            .map_or(Ok(()), |media| refuse_unplayable(media))?;
        Ok(self)
    }

    /// The media playlist of `rung`, when it is loaded.
    pub fn media(&self, rung: usize) -> Option<&Arc<Media>> {
        self.media.get(rung)?.as_ref()
    }
}

/// Parses a playlist; what is none is named with what the server called it.
fn parse(text: &Text, parent: Option<&Common>) -> Result<Parsed, Problem> {
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

/// Fetches and parses the media playlist of a rung, under what the
/// multivariant playlist says for it.
pub async fn load(
    store: &Store,
    location: Location,
    rung: usize,
    common: Option<&Common>,
) -> Result<(Media, Repairs), Problem> {
    let wanted = Wanted {
        location,
        range: None,
        kind: RequestKind::Media,
        variant: Some(rung),
        segment: None,
    };
    let text = store.text(&wanted).await?;
    let parsed = parse(&text, common)?;
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
    refuse_unplayable(&media)?;
    keep(store, &text, media.ended);
    Ok((media, parsed.repairs))
}

/// Offline, `auto` means the best of what is in the cache.
fn choose(store: &Store, ladder: &Ladder, quality: Quality) -> Result<Choice, Problem> {
    if store.is_offline() && quality == Quality::Auto {
        let cached = |rung: &usize| store.has(&ladder.rungs[*rung].location);
        let playable = |rung: &usize| ladder.rungs[*rung].is_decodable();
        if let Some(rung) = (0..ladder.rungs.len()).rev().filter(playable).find(cached) {
            return Ok(Choice {
                rung,
                reason: "the best variant in the cache".to_owned(),
            });
        }
    }
    ladder.choose(&quality)
}

fn refuse_unplayable(media: &Media) -> Result<(), Problem> {
    let refuse = |kind, why: &str| {
        Err(Problem::new(
            kind,
            "cannot play the stream",
            why,
            "nothing can be done here",
        ))
    };
    if !media.ended {
        return refuse(
            Kind::Unsupported,
            "it is live, and this version plays only finished streams",
        );
    }
    if media.is_empty() {
        return refuse(Kind::Malformed, "its media playlist has no segments");
    }
    match media.keys.first().map(|key| &key.method) {
        None => Ok(()),
        Some(Method::Aes128) => refuse(
            Kind::Encryption,
            "its segments are encrypted (AES-128), which this version cannot undo",
        ),
        Some(Method::Other(name)) => refuse(
            Kind::Encryption,
            &format!("its segments are encrypted ({})", crate::text::safe(name)),
        ),
    }
}

/// A finished stream's playlists are kept, so that it plays offline.
fn keep(store: &Store, text: &Text, ended: bool) {
    if ended && let Err(problem) = store.keep(text) {
        tracing::warn!("{problem}");
    }
}

fn rows(ladder: &Ladder) -> Vec<VariantRow> {
    let row = |rung: &variant::Rung| VariantRow {
        bandwidth: rung.bandwidth.0,
        average_bandwidth: rung.average_bandwidth.map(|rate| rate.0),
        codecs: rung.codecs.clone(),
        decodable: rung.is_decodable(),
    };
    ladder.rungs.iter().map(row).collect()
}
