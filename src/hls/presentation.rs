//! The playlists of one HLS stream: the ladder of what can be chosen, and the
//! media playlists loaded so far. One media playlist is loaded before sound;
//! others when the controller first wants them.

use std::iter;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::hls::media::{Media, Method};
use crate::hls::multivariant::Multivariant;
use crate::hls::playlist::{self, Parsed, Playlist, Repairs};
use crate::hls::quality::{Choice, Quality};
use crate::hls::taste::Taste;
use crate::hls::variant::{self, Ladder, Rung};
use crate::location::Location;
use crate::stats::{Stage, Stats, VariantRow};
use crate::store::{Store, Text, Wanted};

/// What is known of a stream.
pub struct Presentation {
    /// What can be chosen, ascending by bandwidth.
    pub ladder: Ladder,
    /// The multivariant playlist, which also announces keys; `None` when a media
    /// playlist was opened by itself.
    pub multivariant: Option<Multivariant>,
    /// Media playlists, one place for each rung.
    pub media: Vec<Option<Arc<Media>>>,
    /// The rung it begins with, and why; `None` until [`Presentation::choose`].
    pub chosen: Option<Choice>,
    /// What had to be mended in the playlists read so far.
    pub repairs: Repairs,
}

/// A media playlist that was loaded.
pub struct Loaded {
    /// What it says.
    pub media: Media,
    /// What had to be mended in it.
    pub repairs: Repairs,
    /// Which of the rung's places it was had from.
    pub location: Location,
}

impl Presentation {
    /// Reads the playlist in `text`, which was asked for at `asked`, for a user
    /// of this `taste`; nothing is chosen yet.
    ///
    /// # Errors
    ///
    /// What the parser says.
    pub fn read(
        store: &Store,
        text: Text,
        asked: Instant,
        taste: &Taste,
        stats: &Stats,
    ) -> Result<Self, Problem> {
        let parsed = parse(&text)?;
        let repairs = parsed.repairs;
        match parsed.playlist {
            Playlist::Media(media) => {
                stats.stage(Stage::MediaPlaylist, asked, Instant::now());
                keep(store, &text, media.ended);
                let ladder = Ladder::single(text.base.clone());
                Ok(Self {
                    media: vec![Some(Arc::new(media))],
                    ladder,
                    multivariant: None,
                    chosen: None,
                    repairs,
                })
            }
            Playlist::Multivariant(multivariant) => {
                stats.stage(Stage::Multivariant, asked, Instant::now());
                keep(store, &text, true);
                let ladder = Ladder::of(&multivariant, taste)?;
                stats.lists().variants = rows(&ladder);
                Ok(Self {
                    media: vec![None; ladder.rungs.len()],
                    ladder,
                    multivariant: Some(multivariant),
                    chosen: None,
                    repairs,
                })
            }
        }
    }

    /// Chooses a rung and loads its media playlist; when that cannot be had and
    /// the quality leaves a choice, that of another rung.
    ///
    /// # Errors
    ///
    /// What the store or the parser says of the first choice;
    /// [`Kind::Unsupported`] or [`Kind::Encryption`] when there is nothing we can
    /// play.
    pub async fn choose(
        mut self,
        store: &Store,
        quality: Quality,
        stats: &Stats,
        events: &Events,
    ) -> Result<Self, Problem> {
        warn(events, self.ladder.missed.clone());
        let mut chosen = choose(store, &self.ladder, quality)?;
        if self.media(chosen.rung).is_none() {
            stats.begin(Stage::MediaPlaylist);
            chosen = self.load_first(store, chosen, quality, events).await?;
            stats.end(Stage::MediaPlaylist);
        }
        self.media(chosen.rung)
            .map_or(Ok(()), |media| refuse_unplayable(media))?;
        self.chosen = Some(chosen);
        Ok(self)
    }

    /// Loads the media playlist of the first rung that has one. A failure is a
    /// warning as soon as there is something else to say: each is said once.
    async fn load_first(
        &mut self,
        store: &Store,
        first: Choice,
        quality: Quality,
        events: &Events,
    ) -> Result<Choice, Problem> {
        let fallbacks = match store.is_offline() {
            true => Vec::new(),
            false => self.ladder.fallbacks(&first, &quality),
        };
        let (mut failure, mut lost) = (None, Vec::new());
        for choice in iter::once(first).chain(fallbacks) {
            let problem = match load(store, &self.ladder.rungs[choice.rung], events).await {
                Ok(loaded) => {
                    warn(events, failure);
                    self.ladder.settle(choice.rung, &lost);
                    self.take(choice.rung, loaded);
                    return Ok(choice);
                }
                Err(problem) => problem,
            };
            lost.push(choice.rung);
            let is_final = !may_be_elsewhere(problem.kind) || self.is_protected(&problem);
            match failure {
                None if is_final => return Err(problem),
                None => failure = Some(problem),
                Some(failure) if is_final => return Err(failure),
                // Where one is encrypted most are: said once for all.
                Some(_) if problem.kind == Kind::Encryption => {}
                Some(_) => warn(events, Some(problem)),
            }
        }
        Err(failure.expect("the first choice was tried"))
    }

    fn take(&mut self, rung: usize, loaded: Loaded) {
        self.repairs.list.extend(loaded.repairs.list);
        self.repairs.more += loaded.repairs.more;
        self.media[rung] = Some(Arc::new(loaded.media));
        self.ladder.rungs[rung].prefer(&loaded.location);
    }

    /// Whether `problem` is what the multivariant playlist announced: keys of
    /// which we can use none. Then no other rung is asked.
    fn is_protected(&self, problem: &Problem) -> bool {
        let announced = self
            .multivariant
            .as_ref()
            .is_some_and(Multivariant::is_protected);
        announced && problem.kind == Kind::Encryption
    }

    /// The media playlist of `rung`, when it is loaded.
    pub fn media(&self, rung: usize) -> Option<&Arc<Media>> {
        self.media.get(rung)?.as_ref()
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

/// Fetches and parses the media playlist of a rung, from the first of its places
/// that has it.
///
/// # Errors
///
/// What is wrong at the first place, when it cannot be had at any.
pub async fn load(store: &Store, rung: &Rung, events: &Events) -> Result<Loaded, Problem> {
    let mut failure = None;
    for location in rung.locations() {
        let problem = match load_from(store, location, rung.id).await {
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

fn warn(events: &Events, problem: Option<Problem>) {
    if let Some(problem) = problem {
        events.send(Event::Warning(problem));
    }
}

/// Whether another place may have what could not be had for this reason.
fn may_be_elsewhere(kind: Kind) -> bool {
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

async fn load_from(store: &Store, location: &Location, rung: usize) -> Result<Loaded, Problem> {
    let wanted = Wanted {
        location: location.clone(),
        range: None,
        kind: RequestKind::Media,
        variant: Some(rung),
        segment: None,
    };
    let text = store.text(&wanted).await?;
    let parsed = parse(&text)?;
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
    Ok(Loaded {
        media,
        repairs: parsed.repairs,
        location: wanted.location,
    })
}

/// Offline, `auto` means the best of what is in the cache: of what is wanted if
/// there is any.
fn choose(store: &Store, ladder: &Ladder, quality: Quality) -> Result<Choice, Problem> {
    if store.is_offline() && quality == Quality::Auto {
        let is_cached = |rung: &usize| {
            ladder.rungs[*rung]
                .locations()
                .any(|place| store.has(place))
        };
        let best = |rungs: Vec<usize>| rungs.into_iter().rev().find(is_cached);
        if let Some(rung) = best(ladder.adaptive()).or_else(|| best(ladder.spares())) {
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
