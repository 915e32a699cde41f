//! Looks at a stream for `info`: its playlists are read, of a file its head; HLS
//! media only when the user asks for a probe. What is found is a description.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::bell::helm::Helm;
use crate::decode;
use crate::decode::inbox::{self, Inbox};
use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::fetch::Client;
use crate::hls::dial::dial;
use crate::hls::feed::Feed;
use crate::hls::presentation::Presentation;
use crate::hls::quality::Quality;
use crate::hls::renewal::Root;
use crate::hls::taste::Taste;
use crate::hls::wishes::Wishes;
use crate::location::Location;
use crate::media::{Format, Provenance, Sink};
use crate::pipeline::look::Look;
use crate::pipeline::{self, CacheChoice, Description, Entry, Network, net};
use crate::progressive;
use crate::radio;
use crate::stats::Stats;
use crate::store::{First, Store, Wanted};
use crate::units::{MediaTime, Spec};

/// What there is at an address.
#[derive(Debug)]
pub enum Described {
    /// A stream.
    Stream(Box<Description>),
    /// A list of addresses, and what would be said on a terminal.
    List(Vec<Result<Entry, Problem>>, Vec<Problem>),
}

/// Looks at a stream without playing it. A file's first frame is decoded, and
/// with `probe` that of an HLS stream as well.
///
/// # Errors
///
/// What keeps its playlists, or the media it looks into, from being read.
pub fn describe(
    location: &Location,
    typed: Option<&Location>,
    quality: Quality,
    taste: &Taste,
    cache: &CacheChoice,
    network: &Network,
    probe: bool,
) -> Result<Described, Problem> {
    let look = Look::new();
    let mut place = location.clone();
    let (client, store) = look.open(&mut place, typed, cache, network)?;
    let looking = look.at(&client, store, place, quality, taste, probe);
    let mut found = net::runtime()?.block_on(looking)?;
    match &mut found {
        Described::Stream(description) => description.warnings = look.warnings(),
        Described::List(_, warnings) => *warnings = look.warnings(),
    }
    Ok(found)
}

impl Look {
    async fn at(
        &self,
        client: &Client,
        store: Store,
        location: Location,
        quality: Quality,
        taste: &Taste,
        probe: bool,
    ) -> Result<Described, Problem> {
        let proxy = match &location {
            Location::Http(url) => client.proxy_of(url),
            Location::File(_) => None,
        };
        let wanted = Wanted::whole(location.clone(), RequestKind::File);
        let mut description = match store.first(&wanted).await? {
            First::List(text) => return Ok(Described::List(store.entries(&text)?, Vec::new())),
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
                Description::of_file(&location)
            }
            First::Radio(broadcast) => {
                let (doors, inbox) = inbox::door(&self.bell);
                let cache_size = None;
                let job = radio::Job { wanted, cache_size };
                let (stats, events) = (&self.stats, &self.events);
                let store = store.in_memory(); // a moment of it is all that is wanted
                let source = radio::run(&store, job, *broadcast, doors, stats, events);
                self.listen(source, inbox).await?;
                Description {
                    kind: "radio",
                    ..Description::of_file(&location)
                }
            }
            First::Playlist(text) => {
                let root = Root {
                    location: location.clone(),
                    taste: taste.clone(),
                };
                let read = Presentation::read(&store, text, root, Instant::now(), &self.stats)?;
                self.hls(store, &location, read, quality, probe).await?
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
        Ok(Described::Stream(Box::new(description)))
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
            let (_dial, turns) = dial();
            let doors = (doors, turns);
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
        let bell = Arc::clone(&self.bell);
        pipeline::spawn_short("decode", move || {
            let mut sink = FirstFrame {
                stats: Arc::clone(&stats),
            };
            let helm = Helm::new(&bell); // nobody is at it
            let result = decode::run(
                &mut inbox,
                &mut sink,
                &helm,
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
