//! What a stream is, for `info`: its playlists are read, of a file its head; HLS
//! media only when the user asks for a probe.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::decode;
use crate::decode::inbox::{self, Inbox};
use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::feed::Feed;
use crate::hls::live;
use crate::hls::media::Media;
use crate::hls::presentation::Presentation;
use crate::hls::quality::Quality;
use crate::hls::renewal::Root;
use crate::hls::repair;
use crate::hls::taste::Taste;
use crate::hls::variant::{Rung, Tier};
use crate::hls::wishes::Wishes;
use crate::location::Location;
use crate::media::{Format, Provenance, Sink};
use crate::pipeline::look::Look;
use crate::pipeline::{self, CacheChoice, Network, net};
use crate::progressive;
use crate::stats::Stats;
use crate::store::{First, Store, Wanted};
use crate::units::{MediaTime, Spec};

/// What a stream is.
#[derive(Clone, Debug)]
pub struct Description {
    /// `hls-vod`, `hls-live`, `hls-event` or `file`.
    pub kind: &'static str,
    /// Address without secrets.
    pub url: String,
    /// What can be chosen, in the order of `-Q N`.
    pub variants: Vec<VariantRow>,
    /// What these are and why these; `None` for a file.
    pub tier: Option<(Tier, String)>,
    /// The languages of its audio renditions.
    pub languages: Vec<String>,
    /// Which would be played and why.
    pub chosen: Option<(usize, String)>,
    /// What would be said while it is opened.
    pub warnings: Vec<Problem>,
    /// Why nothing of it can be played.
    pub refusal: Option<String>,
    /// What was mended in its playlists.
    pub repairs: Vec<Repair>,
    /// How many repairs are not in the list.
    pub more_repairs: usize,
    /// How long it is.
    pub duration: Option<MediaTime>,
    /// What only a live stream has; its duration is not known.
    pub live: Option<LiveRow>,
    /// Where the publisher wants playing to begin; negative: from the end.
    pub start_offset: Option<MediaTime>,
    /// `none`, the method of its keys, or the key system they come from.
    pub encryption: String,
    /// What is decoded; only after a probe.
    pub codec: Option<Format>,
    /// The proxy it is reached through.
    pub proxy: Option<String>,
}

/// A place in a playlist that broke the rules.
#[derive(Clone, Debug)]
pub struct Repair {
    /// Address of the playlist, without secrets.
    pub playlist: String,
    /// The line in it, from 1.
    pub line: u32,
    /// What was wrong and what it is taken for.
    pub what: String,
}

/// The playlist of a live stream as it is now.
#[derive(Clone, Copy, Debug)]
pub struct LiveRow {
    /// How long the segments are that it lists.
    pub window: MediaTime,
    /// How many there are.
    pub segments: usize,
    /// The longest a segment may be; how often it is loaded again.
    pub target_duration: MediaTime,
    /// How far from its end playing begins.
    pub hold_back: MediaTime,
    /// It also lists parts of segments (low latency), which are not used.
    pub has_parts: bool,
}

/// A variant or rendition.
#[derive(Clone, Debug)]
pub struct VariantRow {
    /// Its number for `-Q N`.
    pub id: usize,
    /// Peak bits per second; 0 when nothing is stated.
    pub bandwidth: u64,
    /// The bandwidths are those of the sound and pictures together.
    pub with_pictures: bool,
    /// Average bits per second, when stated.
    pub average_bandwidth: Option<u64>,
    /// The CODECS attribute.
    pub codecs: Option<String>,
    /// Whether it can be played, as far as the playlist says.
    pub decodable: bool,
    /// Why it is not played, or only when asked for.
    pub reason: Option<String>,
    /// NAME.
    pub name: Option<String>,
    /// LANGUAGE.
    pub language: Option<String>,
    /// CHANNELS.
    pub channels: Option<u64>,
    /// How many other places it has.
    pub alternatives: usize,
    /// `fmp4` when its media playlist was read and says so.
    pub container: Option<&'static str>,
}

/// Looks at a stream without playing it. A file's first frame is decoded, and
/// with `probe` that of an HLS stream as well.
///
/// # Errors
///
/// What keeps its playlists, or the media it looks into, from being read.
pub fn describe(
    location: &Location,
    quality: Quality,
    taste: &Taste,
    cache: &CacheChoice,
    network: &Network,
    probe: bool,
) -> Result<Description, Problem> {
    let look = Look::new();
    let found = net::runtime()?.block_on(look.at(location, quality, taste, cache, network, probe));
    Ok(Description {
        warnings: look.warnings(),
        ..found?
    })
}

impl Look {
    async fn at(
        &self,
        location: &Location,
        quality: Quality,
        taste: &Taste,
        cache: &CacheChoice,
        network: &Network,
        probe: bool,
    ) -> Result<Description, Problem> {
        let mut location = location.clone();
        let (client, store) = self.open(&mut location, cache, network)?;
        let location = &location;
        let proxy = match location {
            Location::Http(url) => client.proxy_of(url),
            Location::File(_) => None,
        };
        let wanted = Wanted::whole(location.clone(), RequestKind::File);
        let mut description = match store.first(&wanted).await? {
            First::Media(opened) => {
                let (doors, inbox) = inbox::door(&self.bell);
                let job = progressive::Job {
                    wanted,
                    ledger: false,
                    only_store: false,
                };
                let source =
                    progressive::run(&store, job, opened, doors, &self.stats, &self.events);
                self.listen(source, inbox).await?;
                Description::of_file(location)
            }
            First::Playlist(text) => {
                let root = Root {
                    location: location.clone(),
                    taste: taste.clone(),
                };
                let read = Presentation::read(&store, text, root, Instant::now(), &self.stats)?;
                self.hls(store, location, read, quality, probe).await?
            }
        };
        let (format, encryption) = {
            let lists = self.stats.lists();
            (lists.format, lists.encryption.clone())
        };
        if !encryption.is_empty() {
            description.encryption = encryption;
        }
        let duration = Some(self.stats.duration.now()).filter(|time| *time > MediaTime::ZERO);
        description.duration = description.duration.or(duration);
        description.codec = format;
        description.proxy = proxy;
        Ok(description)
    }

    /// A stream that can be described but not played is no error.
    async fn hls(
        &self,
        store: Store,
        location: &Location,
        read: Presentation,
        quality: Quality,
        probe: bool,
    ) -> Result<Description, Problem> {
        let description = Description::of_hls(location, &read);
        let wishes = Wishes::to_probe(quality);
        let chosen = read.choose(&store, &wishes, &self.stats, &self.events);
        let opened = match chosen.await {
            Ok(opened) => opened,
            Err(problem)
                if problem.kind == Kind::Unsupported || problem.kind == Kind::Encryption =>
            {
                return Ok(Description {
                    refusal: Some(problem.why),
                    ..description
                });
            }
            Err(problem) => return Err(problem),
        };
        let description = Description::of_hls(location, &opened);
        if probe {
            let (doors, inbox) = inbox::door(&self.bell);
            let feed = Feed::new(store, doors, wishes, opened, &self.stats, &self.events);
            self.listen(feed.run(), inbox).await?;
        }
        Ok(description)
    }

    /// Runs `source` until the first frame has been decoded from it.
    async fn listen(
        &self,
        source: impl Future<Output = Result<(), Problem>>,
        mut inbox: Inbox,
    ) -> Result<(), Problem> {
        let (tell, heard) = oneshot::channel();
        let (stats, events) = (Arc::clone(&self.stats), self.events.clone());
        pipeline::spawn_short("decode", move || {
            let mut sink = FirstFrame {
                stats: Arc::clone(&stats),
            };
            let result = decode::run(
                &mut inbox,
                &mut sink,
                decode::Wanted::default(),
                &stats,
                &events,
            );
            // A look that is over wants no answer.
            let _ = tell.send(result);
        })?;
        tokio::pin!(heard);
        let result = tokio::select! {
            result = &mut heard => result,
            fetched = source => match fetched {
                Ok(()) => heard.await,
                Err(problem) => return Err(problem),
            },
        };
        match result {
            Ok(Err(problem)) if problem.kind != Kind::Stopped => Err(problem),
            _ => Ok(()),
        }
    }
}

impl Description {
    fn of_file(location: &Location) -> Self {
        Self {
            kind: "file",
            url: location.to_string(),
            refusal: None,
            variants: Vec::new(),
            tier: None,
            languages: Vec::new(),
            chosen: None,
            warnings: Vec::new(),
            repairs: Vec::new(),
            more_repairs: 0,
            duration: None,
            live: None,
            start_offset: None,
            encryption: "none".to_owned(),
            codec: None,
            proxy: None,
        }
    }

    fn of_hls(location: &Location, presentation: &Presentation) -> Self {
        let chosen = presentation.chosen.as_ref();
        let media = chosen.and_then(|chosen| presentation.media(chosen.rung));
        let row = |rung: &Rung| VariantRow {
            id: rung.id,
            bandwidth: rung.bandwidth.0,
            with_pictures: rung.with_pictures,
            average_bandwidth: rung.average_bandwidth.map(|rate| rate.0),
            codecs: rung.codecs.clone(),
            decodable: rung.is_decodable(),
            reason: rung.reason().map(str::to_owned),
            name: rung.name.clone(),
            language: rung.language.clone(),
            channels: rung.channels,
            alternatives: rung.alternatives.len(),
            container: presentation
                .media(rung.id)
                .and_then(|media| container(media)),
        };
        let (repairs, ladder) = (presentation.repairs.iter(), &presentation.ladder);
        Self {
            kind: presentation.kind(),
            url: location.to_string(),
            variants: ladder.rungs.iter().map(row).collect(),
            tier: Some((ladder.tier, ladder.why.clone())),
            languages: ladder.languages.clone(),
            chosen: chosen.map(|chosen| (chosen.rung, chosen.reason.clone())),
            warnings: Vec::new(),
            refusal: None,
            more_repairs: repairs.clone().map(|(_, repairs)| repairs.more).sum(),
            repairs: repairs
                .flat_map(|(base, repairs)| repairs.list.iter().map(|one| Repair::of(base, one)))
                .collect(),
            duration: media
                .filter(|media| media.ended)
                .map(|media| media.duration()),
            live: media
                .filter(|media| !media.ended)
                .map(|media| window(media)),
            start_offset: media
                .and_then(|media| media.start_offset)
                .map(|start| start.offset),
            encryption: "none".to_owned(),
            codec: None,
            proxy: None,
        }
    }
}

impl Repair {
    fn of(base: &Location, repair: &repair::Repair) -> Self {
        Self {
            playlist: base.to_string(),
            line: repair.line,
            what: repair.what.clone(),
        }
    }
}

fn window(media: &Media) -> LiveRow {
    LiveRow {
        window: media.duration(),
        segments: media.len(),
        target_duration: media.target_duration,
        hold_back: live::hold_back(media),
        has_parts: media.has_parts,
    }
}

/// An initialisation section means fragmented MP4 (that of a transport stream is
/// hardly ever seen); anything else only its bytes can tell.
fn container(media: &Media) -> Option<&'static str> {
    (!media.maps.is_empty()).then_some("fmp4")
}

/// A sink that only wants to know what comes first.
struct FirstFrame {
    /// Where it is noted.
    stats: Arc<Stats>,
}

impl Sink for FirstFrame {
    fn open(&mut self, source: Format) -> Result<Spec, Problem> {
        self.stats.lists().format = Some(source);
        Err(Problem::stopped())
    }

    fn write(&mut self, _samples: &[f32]) -> Result<(), Problem> {
        Err(Problem::stopped())
    }

    fn segment(&mut self, _done: &Provenance) -> Result<(), Problem> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Problem> {
        Ok(())
    }
}
