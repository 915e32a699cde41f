//! The playlists of one HLS stream: the ladder of what can be chosen, and the
//! media playlists loaded so far. One media playlist is loaded before sound;
//! others when the controller first wants them.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Kind, Problem};
use crate::event::Events;
use crate::hls::abr::Sample;
use crate::hls::key::{self, Preloads};
use crate::hls::listing::{
    self, Loaded, keep, load, may_be_elsewhere, parse, refuse_unplayable, warn,
};
use crate::hls::media::{Media, PlaylistType};
use crate::hls::multivariant::Multivariant;
use crate::hls::playlist::{Common, Playlist};
use crate::hls::quality::{Choice, Known, Quality};
use crate::hls::renewal::Root;
use crate::hls::repair::Repairs;
use crate::hls::timeline::Listed;
use crate::hls::variant::{self, Ladder};
use crate::hls::wishes::Wishes;
use crate::location::Location;
use crate::stats::{Stage, Stats, VariantRow};
use crate::store::{Store, Text};

/// A faster answer to the first request says no more of the link than this.
const LEAST_OPENING: Duration = Duration::from_millis(100);

/// What is known of a stream.
pub struct Presentation {
    /// What can be chosen, ascending by bandwidth.
    pub ladder: Ladder,
    /// The multivariant playlist, which also announces keys; `None` when a media
    /// playlist was opened by itself.
    pub multivariant: Option<Multivariant>,
    /// Media playlists, one place for each rung.
    pub lists: Vec<Option<Listed>>,
    /// When the load of the media playlist it begins with began.
    pub loaded_at: Instant,
    /// The server's mark of that playlist.
    pub etag: Option<String>,
    /// What the transfers of the playlists tell of the link, in their order.
    pub openings: Vec<Sample>,
    /// The rung it begins with, and why; `None` until [`Presentation::choose`].
    pub chosen: Option<Choice>,
    /// The multivariant playlist as it came, until it is known whether to keep it.
    unkept: Option<Text>,
    /// What had to be mended in the playlists read so far, each with its place.
    pub repairs: Vec<(Location, Repairs)>,
    /// What the multivariant playlist says for its media playlists; `None`
    /// when the stream is one media playlist.
    pub common: Option<Arc<Common>>,
    /// Where it was found, to be found again.
    pub root: Root,
    /// Keys that were asked for ahead.
    pub preloads: Preloads,
}

impl Presentation {
    /// Reads the playlist in `text`, which was asked for at `asked` from `root`;
    /// nothing is chosen yet.
    ///
    /// # Errors
    ///
    /// What the parser says.
    pub fn read(
        store: &Store,
        text: Text,
        root: Root,
        asked: Instant,
        stats: &Stats,
    ) -> Result<Self, Problem> {
        let parsed = parse(&text, None)?;
        let repairs = vec![(text.base.clone(), parsed.repairs)];
        match parsed.playlist {
            Playlist::Media(media) => {
                stats.stage(Stage::MediaPlaylist, asked, Instant::now());
                stats.lists().encryption = key::encryption(&media);
                keep(store, &text, media.ended)?;
                let ladder = Ladder::single(text.base.clone());
                Ok(Self {
                    lists: vec![Some(listing::first(media))],
                    loaded_at: asked,
                    etag: text.etag,
                    ladder,
                    multivariant: None,
                    openings: Vec::new(),
                    chosen: None,
                    unkept: None,
                    repairs,
                    common: None,
                    root,
                    preloads: Preloads::default(),
                })
            }
            Playlist::Multivariant(multivariant) => {
                stats.stage(Stage::Multivariant, asked, Instant::now());
                let ladder = Ladder::of(&multivariant, &root.taste)?;
                stats.lists().variants = rows(&ladder);
                Ok(Self {
                    lists: vec![None; ladder.rungs.len()],
                    loaded_at: asked,
                    etag: None,
                    ladder,
                    multivariant: Some(multivariant),
                    openings: first_opening(&text, asked).into_iter().collect(),
                    chosen: None,
                    unkept: Some(text),
                    repairs,
                    common: Some(Arc::new(parsed.common)),
                    root,
                    preloads: Preloads::default(),
                })
            }
        }
    }

    /// Asks for the keys that the multivariant playlist announces, while the
    /// media playlist is on its way.
    pub fn preload_keys(&mut self, store: &Store) {
        if let Some(multivariant) = &self.multivariant {
            self.preloads = Preloads::begin(store, multivariant);
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
        wishes: &Wishes,
        stats: &Stats,
        events: &Events,
    ) -> Result<Self, Problem> {
        warn(events, self.ladder.missed.clone());
        let begun = Instant::now();
        let mut chosen = match self.choose_stored(store, wishes, events).await {
            Some(chosen) => chosen,
            None => self.ladder.choose(&wishes.quality, self.known(wishes))?,
        };
        if self.media(chosen.rung).is_none() {
            stats.begin(Stage::MediaPlaylist);
            self.loaded_at = Instant::now();
            chosen = self
                .load_first(store, chosen, wishes.quality, events)
                .await?;
        }
        // Of one that was opened by itself the first mark counts.
        stats.stage(Stage::MediaPlaylist, begun, Instant::now());
        self.media(chosen.rung)
            .map_or(Ok(()), |media| refuse_unplayable(media))?;
        self.chosen = Some(chosen);
        // That of a live stream may name addresses that are good for today only.
        if let Some(text) = self.unkept.take() {
            keep(store, &text, !self.is_live())?;
        }
        Ok(self)
    }

    fn known(&self, wishes: &Wishes) -> Known {
        Known {
            prior: wishes.prior,
            opening: self.openings.first().copied(),
        }
    }

    /// With `auto`, the best variant that can begin with what is stored, where
    /// that is used unasked: of what is wanted if there is any. Offline, where
    /// none can begin, the best whose playlist is stored.
    async fn choose_stored(
        &mut self,
        store: &Store,
        wishes: &Wishes,
        events: &Events,
    ) -> Option<Choice> {
        if wishes.quality != Quality::Auto || !store.trusts_lists() {
            return None;
        }
        let (adaptive, spares) = (self.ladder.adaptive(), self.ladder.spares());
        let best_first = adaptive.iter().rev().chain(spares.iter().rev());
        let choice = |rung| Choice {
            rung,
            reason: "the best variant in the cache".to_owned(),
        };
        let mut listed = None;
        for &rung in best_first {
            if !self.is_listed(store, rung, events).await {
                continue;
            }
            if self.can_begin(store, rung, wishes) {
                return Some(choice(rung));
            }
            listed = listed.or(Some(rung));
        }
        listed.filter(|_| store.is_offline()).map(choice)
    }

    /// Whether the media playlist of `rung` is here, from the cache if need be.
    async fn is_listed(&mut self, store: &Store, rung: usize, events: &Events) -> bool {
        if self.media(rung).is_some() {
            return true;
        }
        let place = &self.ladder.rungs[rung];
        if !place.locations().any(|place| store.has(place)) {
            return false;
        }
        match load(store, place, self.common.as_deref(), events).await {
            Ok(loaded) => self.take(rung, loaded),
            Err(_) => return false, // said when it is the one to be played
        }
        true
    }

    /// Whether the segment that `rung` would begin with is stored.
    fn can_begin(&self, store: &Store, rung: usize, wishes: &Wishes) -> bool {
        let Some(list) = self.list(rung).filter(|list| list.media().ended) else {
            return false;
        };
        let (place, _, list) = wishes.beginning(list);
        listing::is_stored(store, &list, place)
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
            let rung = &self.ladder.rungs[choice.rung];
            let problem = match load(store, rung, self.common.as_deref(), events).await {
                Ok(loaded) => {
                    warn(events, failure);
                    self.ladder.settle(choice.rung, &lost);
                    self.take(choice.rung, loaded);
                    return Ok(choice);
                }
                Err(problem) => problem,
            };
            lost.push(choice.rung);
            let is_final = !may_be_elsewhere(problem.kind)
                || self.is_protected(&problem)
                || self.is_outdated(store, &problem);
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
        let opening = opening(loaded.length, loaded.first_byte, self.loaded_at);
        self.openings.extend(opening);
        self.ladder.rungs[rung].prefer(&loaded.location);
        self.repairs.push((loaded.location, loaded.repairs));
        self.etag = loaded.etag;
        self.lists[rung] = Some(listing::first(loaded.media));
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

    /// Whether the media playlist of `rung` was found by way of another address,
    /// where it may be found again.
    pub fn has_root(&self, rung: usize) -> bool {
        self.common.is_some() || self.ladder.rungs[rung].location != self.root.location
    }

    /// Takes over where the variants are by `ladder`, another copy of its own.
    pub fn adopt(&mut self, ladder: &Ladder, common: Common) {
        for rung in &mut self.ladder.rungs {
            if let Some(same) = ladder.same(rung) {
                rung.location.clone_from(&same.location);
                rung.alternatives.clone_from(&same.alternatives);
            }
        }
        self.common = self.common.take().map(|_| Arc::new(common));
    }

    /// Whether `problem` may come of the multivariant playlist, which was stored
    /// and led astray: it is to be asked for first.
    fn is_outdated(&self, store: &Store, problem: &Problem) -> bool {
        let is_stored = self.unkept.as_ref().is_some_and(|text| text.is_stored);
        is_stored && store.may_be_outdated(problem)
    }

    /// The media playlist of `rung`, when it is loaded.
    pub fn media(&self, rung: usize) -> Option<&Arc<Media>> {
        self.list(rung).map(Listed::media)
    }
}

/// As [`opening`] for the first request of all, whose wait was that for its
/// connection too.
fn first_opening(text: &Text, asked: Instant) -> Option<Sample> {
    let first_byte = None;
    let sample = opening(text.length, text.first_byte, asked);
    sample.map(|sample| Sample {
        first_byte,
        ..sample
    })
}

/// What the transfer of a playlist tells of the link, which was asked for at
/// `asked`: that it carries no less. A small answer comes at once with its head,
/// so that the wait for it is counted, and where that was short the least that
/// tells.
fn opening(bytes: u64, first_byte: Option<Duration>, asked: Instant) -> Option<Sample> {
    first_byte.map(|wait| Sample {
        bytes,
        first_byte: Some(wait),
        transfer: asked.elapsed().max(LEAST_OPENING),
    })
}

fn rows(ladder: &Ladder) -> Vec<VariantRow> {
    let row = |rung: &variant::Rung| VariantRow {
        bandwidth: rung.bandwidth.0,
        average_bandwidth: rung.average_bandwidth.map(|rate| rate.0),
        codecs: rung.codecs.clone(),
        decodable: rung.is_decodable(),
        with_pictures: rung.with_pictures,
    };
    ladder.rungs.iter().map(row).collect()
}
