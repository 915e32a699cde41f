//! The playlists of one HLS stream: the ladder of what can be chosen, and the
//! media playlists loaded so far. One media playlist is loaded before sound;
//! others when the controller first wants them.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::key;
use crate::hls::media::{Media, PlaylistType};
use crate::hls::playlist::{self, Parsed, Playlist, Repairs};
use crate::hls::quality::{Choice, Quality};
use crate::hls::timeline::Listed;
use crate::hls::variant::{self, Ladder};
use crate::location::Location;
use crate::stats::{Stage, Stats, VariantRow};
use crate::store::{Store, Text, Wanted};

/// What is known of a stream.
pub struct Presentation {
    /// What can be chosen, ascending by bandwidth.
    pub ladder: Ladder,
    /// Media playlists, one place for each rung.
    pub lists: Vec<Option<Listed>>,
    /// When the load of the media playlist it begins with began.
    pub loaded_at: Instant,
    /// The server's mark of that playlist.
    pub etag: Option<String>,
    /// The rung it begins with, and why; `None` until [`Presentation::choose`].
    pub chosen: Option<Choice>,
    /// What had to be mended in the playlists read so far.
    pub repairs: Repairs,
}

impl Presentation {
    /// Reads the playlist in `text`, which was asked for at `asked`; nothing is
    /// chosen yet.
    ///
    /// # Errors
    ///
    /// What the parser says.
    pub fn read(store: &Store, text: Text, asked: Instant, stats: &Stats) -> Result<Self, Problem> {
        let parsed = parse(&text)?;
        let repairs = parsed.repairs;
        match parsed.playlist {
            Playlist::Media(media) => {
                stats.stage(Stage::MediaPlaylist, asked, Instant::now());
                stats.lists().encryption = key::encryption(&media);
                keep(store, &text, media.ended);
                let ladder = Ladder::single(text.base.clone());
                Ok(Self {
                    lists: vec![Some(listed(media))],
                    loaded_at: asked,
                    etag: text.etag,
                    ladder,
                    chosen: None,
                    repairs,
                })
            }
            Playlist::Multivariant(multivariant) => {
                stats.stage(Stage::Multivariant, asked, Instant::now());
                keep(store, &text, true);
                let ladder = Ladder::of(&multivariant, &[])?;
                stats.lists().variants = rows(&ladder);
                Ok(Self {
                    lists: vec![None; ladder.rungs.len()],
                    loaded_at: asked,
                    etag: None,
                    ladder,
                    chosen: None,
                    repairs,
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
            self.loaded_at = Instant::now();
            let loaded = load(store, location, rung).await?;
            stats.end(Stage::MediaPlaylist);
            self.repairs.list.extend(loaded.repairs.list);
            self.repairs.more += loaded.repairs.more;
            self.etag = loaded.etag;
            self.lists[rung] = Some(listed(loaded.media));
        }
        self.media(rung)
            .map_or(Ok(()), |media| refuse_unplayable(media))?;
        Ok(self)
    }

    /// Whether the media playlist it begins with will be added to.
    pub fn is_live(&self) -> bool {
        self.first().is_some_and(|media| !media.ended)
    }

    /// What it is, in the words of reports.
    pub fn kind(&self) -> &'static str {
        let kind = self.first().and_then(|media| media.playlist_type);
        match (self.is_live(), kind) {
            (false, _) => "hls-vod",
            (true, Some(PlaylistType::Event)) => "hls-event",
            (true, _) => "hls-live",
        }
    }

    fn first(&self) -> Option<&Arc<Media>> {
        let chosen = self.chosen.as_ref()?;
        self.media(chosen.rung)
    }

    /// The media playlist of `rung` in its place in the run, when it is loaded.
    pub fn list(&self, rung: usize) -> Option<&Listed> {
        self.lists.get(rung)?.as_ref()
    }

    /// The media playlist of `rung`, when it is loaded.
    pub fn media(&self, rung: usize) -> Option<&Arc<Media>> {
        self.list(rung).map(Listed::media)
    }
}

/// Parses a playlist; what is none is named with what the server called it.
fn parse(text: &Text) -> Result<Parsed, Problem> {
    playlist::parse(&text.bytes, &text.base).map_err(|problem| match &text.content_type {
        Some(stated) if problem.kind == Kind::NotAStream => {
            let why = format!("{} ({})", problem.why, crate::text::safe(stated));
            Problem { why, ..problem }
        }
        _ => problem,
    })
}

/// A media playlist that was loaded.
pub struct Loaded {
    /// The playlist.
    pub media: Media,
    /// What had to be mended in it.
    pub repairs: Repairs,
    /// The server's mark of this version.
    pub etag: Option<String>,
}

/// Fetches and parses the media playlist of a rung.
///
/// # Errors
///
/// What the store or the parser says, and what keeps it from being played.
pub async fn load(store: &Store, location: Location, rung: usize) -> Result<Loaded, Problem> {
    let wanted = wanted(location, rung);
    let text = store.text(&wanted).await?;
    let loaded = loaded(&wanted, &text)?;
    store.stats().lists().encryption = key::encryption(&loaded.media);
    refuse_unplayable(&loaded.media)?;
    keep(store, &text, loaded.media.ended);
    Ok(loaded)
}

/// The media playlist of a live stream once more; `None` when it is still the
/// one that has the mark `etag`.
///
/// # Errors
///
/// As [`load`].
pub async fn reload(
    store: &Store,
    location: Location,
    rung: usize,
    etag: Option<String>,
) -> Result<Option<Loaded>, Problem> {
    let wanted = wanted(location, rung);
    match store.reload(&wanted, etag.as_deref()).await? {
        None => Ok(None),
        Some(text) => loaded(&wanted, &text).map(Some),
    }
}

fn wanted(location: Location, rung: usize) -> Wanted {
    Wanted {
        variant: Some(rung),
        ..Wanted::whole(location, RequestKind::Media)
    }
}

fn loaded(wanted: &Wanted, text: &Text) -> Result<Loaded, Problem> {
    let parsed = parse(text)?;
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
        repairs: parsed.repairs,
        etag: text.etag.clone(),
    })
}

/// A playlist's place in a run that begins with it: one with an end counts from
/// 0, a live one by its media sequence numbers.
fn listed(media: Media) -> Listed {
    let first = match media.ended {
        true => 0,
        false => usize::try_from(media.first_number()).unwrap_or(0),
    };
    Listed::new(Arc::new(media), first)
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
    if media.is_empty() && media.ended {
        return refuse(Kind::Malformed, "its media playlist has no segments");
    }
    key::refuse_undecipherable(media)
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
