//! What a stream is, for `info`: its playlists are read, its media only when
//! the user asks for a probe.

use std::sync::Arc;

use crate::error::{Kind, Problem};
use crate::event::{self, RequestKind};
use crate::hls::media::Media;
use crate::hls::presentation::Presentation;
use crate::hls::quality::Quality;
use crate::hls::variant::Rung;
use crate::location::Location;
use crate::media::{Format, Provenance, Sink};
use crate::pipeline::housekeeping::Shelf;
use crate::pipeline::{self, CacheChoice, CacheMode, Job, Network, Task, net};
use crate::stats::Stats;
use crate::store::{First, Policy, Store, Wanted};
use crate::units::{MediaTime, Spec};

/// What a stream is.
#[derive(Clone, Debug)]
pub struct Description {
    /// `hls-vod` or `file`.
    pub kind: &'static str,
    /// Address without secrets.
    pub url: String,
    /// What can be chosen, in the order of `-Q N`.
    pub variants: Vec<VariantRow>,
    /// Which would be played and why.
    pub chosen: Option<(usize, String)>,
    /// Line and what was mended there.
    pub repairs: Vec<(usize, String)>,
    /// How many repairs are not in the list.
    pub more_repairs: usize,
    /// How long it is.
    pub duration: Option<MediaTime>,
    /// `none`, or the method of its keys.
    pub encryption: &'static str,
    /// What is decoded; only after a probe.
    pub codec: Option<Format>,
    /// The proxy it is reached through.
    pub proxy: Option<String>,
}

/// A variant or rendition.
#[derive(Clone, Debug)]
pub struct VariantRow {
    /// Its number for `-Q N`.
    pub id: usize,
    /// Peak bits per second; 0 when nothing is stated.
    pub bandwidth: u64,
    /// Average bits per second, when stated.
    pub average_bandwidth: Option<u64>,
    /// The CODECS attribute.
    pub codecs: Option<String>,
    /// Whether it can be played, as far as the playlist says.
    pub decodable: bool,
    /// Why not.
    pub reason: Option<String>,
    /// NAME.
    pub name: Option<String>,
    /// LANGUAGE.
    pub language: Option<String>,
    /// CHANNELS.
    pub channels: Option<u64>,
    /// `fmp4` when its media playlist was read and says so.
    pub container: Option<&'static str>,
}

/// Looks at a stream without playing it. With `probe` its first bytes are
/// decoded.
///
/// # Errors
///
/// What keeps its playlists, or with `probe` its media, from being read.
pub fn describe(
    location: &Location,
    quality: Quality,
    cache: &CacheChoice,
    network: Network,
    probe: bool,
) -> Result<Description, Problem> {
    let stats = Arc::new(Stats::default());
    let mut description =
        net::runtime()?.block_on(look(location, quality, cache, network, &stats))?;
    if probe || description.kind == "file" {
        let (format, duration) = listen(location, quality, cache, network)?;
        description.codec = format;
        description.duration = description.duration.or(duration);
    }
    Ok(description)
}

async fn look(
    location: &Location,
    quality: Quality,
    cache: &CacheChoice,
    network: Network,
    stats: &Arc<Stats>,
) -> Result<Description, Problem> {
    let (events, _unheard) = event::channel();
    let bell = Arc::default();
    let shelf = Shelf::open(cache, false, &bell, stats, &events)?;
    let stream = shelf.stream(location, false, &events)?;
    let policy = Policy {
        offline: cache.mode == CacheMode::Offline,
        refresh: cache.mode == CacheMode::Refresh,
        must_store: false,
    };
    let client = net::client(network, stats, &events)?;
    let proxy = match location {
        Location::Http(url) => client.proxy_of(url),
        Location::File(_) => None,
    };
    let store = Store::new(
        client,
        stream,
        shelf.spare(location)?,
        policy,
        stats,
        &events,
    );
    let url = location.to_string();
    match store
        .first(&Wanted::whole(location.clone(), RequestKind::File))
        .await?
    {
        First::Media(_) => Ok(Description {
            proxy,
            ..Description::of_file(url)
        }),
        First::Playlist(text) => {
            let presentation = Presentation::open(&store, text, quality, stats).await?;
            Ok(Description {
                proxy,
                ..Description::of_hls(url, &presentation)
            })
        }
    }
}

impl Description {
    fn of_file(url: String) -> Self {
        Self {
            kind: "file",
            url,
            variants: Vec::new(),
            chosen: None,
            repairs: Vec::new(),
            more_repairs: 0,
            duration: None,
            encryption: "none",
            codec: None,
            proxy: None,
        }
    }

    fn of_hls(url: String, presentation: &Presentation) -> Self {
        let media = presentation.media(presentation.chosen.rung);
        let row = |rung: &Rung| VariantRow {
            id: rung.id,
            bandwidth: rung.bandwidth.0,
            average_bandwidth: rung.average_bandwidth.map(|rate| rate.0),
            codecs: rung.codecs.clone(),
            decodable: rung.is_decodable(),
            reason: rung.refusal.clone(),
            name: rung.name.clone(),
            language: rung.language.clone(),
            channels: rung.channels,
            container: presentation
                .media(rung.id)
                .and_then(|media| container(media)),
        };
        let chosen = &presentation.chosen;
        let repairs = presentation.repairs.list.iter();
        Self {
            kind: "hls-vod",
            url,
            variants: presentation.ladder.rungs.iter().map(row).collect(),
            chosen: Some((chosen.rung, chosen.reason.clone())),
            repairs: repairs
                .map(|repair| (repair.line as usize, repair.what.clone()))
                .collect(),
            more_repairs: presentation.repairs.more,
            duration: media.map(|media| media.duration()),
            encryption: "none",
            codec: None,
            proxy: None,
        }
    }
}

/// An initialisation section means fragmented MP4; anything else only its
/// bytes can tell.
fn container(media: &Media) -> Option<&'static str> {
    (!media.maps.is_empty()).then_some("fmp4")
}

/// Decodes until the first frame, to learn what it sounds like.
fn listen(
    location: &Location,
    quality: Quality,
    cache: &CacheChoice,
    network: Network,
) -> Result<(Option<Format>, Option<MediaTime>), Problem> {
    let job = Job {
        location: location.clone(),
        task: Task::Probe,
        quality,
        start: None,
        length: None,
        buffer: Some(MediaTime::ZERO),
        cache: cache.clone(),
        network,
    };
    let stats = Arc::new(Stats::default());
    let run = pipeline::start(job, Arc::clone(&stats))?;
    let mut failure = None;
    while let Ok(event) = run.events.recv() {
        if let event::Event::Done(event::Thread::Decode, result) = event {
            failure = result.err().filter(|problem| problem.kind != Kind::Stopped);
            break;
        }
    }
    let format = stats.lists().format;
    let duration = Some(stats.duration.now()).filter(|duration| *duration > MediaTime::ZERO);
    run.finish(crate::limits::STOP_DEADLINE)?;
    match failure {
        Some(problem) if format.is_none() => Err(problem),
        _ => Ok((format, duration)),
    }
}

/// A sink that only wants to know what comes first.
pub struct FirstFrame {
    /// Where it is noted.
    pub stats: Arc<Stats>,
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
