//! Bytes of a URL, from the cache or from the network: what arrives is written
//! through into its cache entry and read back from there, a broken transfer is
//! resumed at the exact byte, and bytes of two versions are never mixed. Local
//! files are read where they lie.

mod body;
mod broadcast;
mod disk;
mod first;
mod follow;
mod hidden;
mod kept;
mod live;
mod open;
mod policy;
mod recheck;
mod recording;
mod room;
mod size;
mod sniff;
mod source;
mod spool;
mod stored;
mod text;
mod transfer;
mod tree;
mod wanted;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

use crate::cache::{Entry, Head, Identity, Stream};
use crate::error::{Kind, Problem};
use crate::event::{Events, RequestKind};
use crate::fetch::{self, Client};
use crate::location::Location;
use crate::stats::Stats;
use crate::store::hidden::Hidden;
use crate::store::recheck::Unasked;
use crate::store::tree::Tree;

pub use body::{Body, Opened};
pub use broadcast::Broadcast;
pub use disk::Disk;
pub use first::First;
pub use follow::Carrier;
pub use kept::Kept;
pub use policy::{Asking, Policy};
pub use recording::Tape;
pub use spool::{Spool, SpoolReader, SpoolWriter};
pub use stored::{Held, held, playlist, recording};
pub use text::Text;
pub use transfer::{Moved, Transfer};
pub use wanted::Wanted;

/// Where the bytes of one stream may go.
pub struct Places {
    /// The place in the cache.
    pub disk: Disk,
    /// The one in memory that takes over when the disk refuses.
    pub spare: Disk,
    /// The folder in which a place is made for what may not be kept.
    pub parent: PathBuf,
}

/// The bytes of one stream's resources.
#[derive(Clone)]
pub struct Store {
    client: Client,
    /// Where bytes are kept.
    disk: Disk,
    /// Where they go, in memory, when the disk refuses.
    spare: Disk,
    /// Where what may not be kept goes.
    hidden: Hidden,
    is_degraded: Arc<AtomicBool>,
    /// The user knows that not everything is kept.
    is_told: Arc<AtomicBool>,
    policy: Policy,
    /// Taken from the cache without asking.
    unasked: Arc<Unasked>,
    /// Where local files may lie.
    tree: Tree,
    stats: Arc<Stats>,
    events: Events,
}

impl Store {
    /// A store over `places`.
    pub fn new(
        client: Client,
        places: Places,
        mut policy: Policy,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Self {
        let Places {
            disk,
            spare,
            parent,
        } = places;
        if policy.asking == Asking::Later && disk.is_outdated() {
            policy.asking = Asking::First;
        }
        Self {
            client,
            disk,
            spare,
            hidden: Hidden::new(parent),
            is_degraded: Arc::default(),
            is_told: Arc::default(),
            policy,
            unasked: Arc::default(),
            tree: Tree::default(),
            stats: Arc::clone(stats),
            events: events.clone(),
        }
    }

    /// The counters of the run.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The server was asked about a stream that was found outdated: what is
    /// stored now may be trusted again.
    fn is_asked(&self) {
        if self.disk.is_outdated()
            && let Err(problem) = self.disk.set_outdated(false)
        {
            tracing::warn!("{problem}");
        }
    }

    /// Whether only the cache may be used.
    pub fn is_offline(&self) -> bool {
        self.policy.is_offline()
    }

    /// Whether stored playlists are used without asking first.
    pub fn trusts_lists(&self) -> bool {
        self.policy.trusts_lists()
    }

    /// Whether bytes that cannot be stored are an error.
    pub fn must_store(&self) -> bool {
        self.policy.must_store
    }

    /// Whether bytes are kept in memory only.
    pub fn is_memory(&self) -> bool {
        self.disk().is_memory()
    }

    /// Whether all bytes of the playlist at `location` are in the cache, or a
    /// recording of it.
    pub fn has(&self, location: &Location) -> bool {
        let wanted = Wanted::whole(location.clone(), RequestKind::Media);
        self.cached(&wanted).is_some() || self.recorded(location).is_some()
    }

    /// Makes everything stored so far survive a power cut.
    pub fn sync(&self) -> Result<(), Problem> {
        self.disk().found().map_or(Ok(()), Stream::sync)
    }

    /// The bytes of `wanted`, if they are all here; those of an earlier run are
    /// checked first.
    pub fn cached(&self, wanted: &Wanted) -> Option<Body> {
        let url = match &wanted.location {
            Location::File(path) => return Some(Body::File(path.clone(), wanted.range.clone())),
            Location::Http(url) => url,
        };
        let entry = self.find(&wanted.identity(url))?;
        entry.check();
        entry.is_complete().then(|| Body::Entry(Kept::new(entry)))
    }

    /// An entry whose bytes are all here.
    fn hit(&self, entry: Arc<Entry>) -> Opened {
        let body = Body::Entry(Kept::new(entry));
        self.count_hit(&body);
        Opened {
            body,
            transfer: None,
        }
    }

    /// Runs `work` on the stream, or on the hidden place of what may not be
    /// kept; when the disk refuses, once more in memory, unless the bytes must
    /// be stored.
    fn kept_by<T>(
        &self,
        identity: &Identity,
        no_store: bool,
        work: impl Fn(&Stream) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let disk = match no_store {
            true => self.hide(identity)?,
            false => self.disk(),
        };
        match disk.made().and_then(&work) {
            Err(problem)
                if problem.kind.is_cache() && !self.policy.must_store && !disk.is_memory() =>
            {
                self.go_without(problem);
                self.spare.made().and_then(work)
            }
            result => result,
        }
    }

    /// Where new bytes go.
    fn disk(&self) -> &Disk {
        match self.is_degraded.load(Ordering::Acquire) {
            true => &self.spare,
            false => &self.disk,
        }
    }

    /// An entry, in memory or on disk.
    fn find(&self, identity: &Identity) -> Option<Arc<Entry>> {
        let spare = self
            .is_degraded
            .load(Ordering::Acquire)
            .then(|| self.spare.entry(identity));
        let hidden = || self.hidden.found()?.entry(identity);
        spare
            .flatten()
            .or_else(hidden)
            .or_else(|| self.disk.entry(identity))
    }

    fn count_hit(&self, body: &Body) {
        if let Some(length) = body.length() {
            self.stats.wire_bytes.add(length);
            self.stats.cache_hit_bytes.add(length);
        }
    }
}

/// What the cache keeps of an answer's head.
fn head_of(head: &fetch::Head) -> Head {
    Head {
        etag: head.etag.clone(),
        last_modified: head.last_modified.clone(),
        total: head.total,
        content_type: head.content_type.clone(),
        final_url: Some(head.final_url.to_string()),
    }
}

fn offline(wanted: &Wanted) -> Problem {
    let what = format!("cannot read {}", wanted.name());
    Problem::new(
        Kind::Offline,
        what,
        "it is not in the cache",
        "run without --offline or cache it first",
    )
}

/// The URL of something that is not a local file.
fn remote(wanted: &Wanted) -> Result<&Url, Problem> {
    match &wanted.location {
        Location::Http(url) => Ok(url),
        Location::File(path) => {
            let what = format!(
                "cannot open \"{}\"",
                crate::text::safe(&path.to_string_lossy())
            );
            Err(Problem::new(
                Kind::LocalFile,
                what,
                "it cannot be read",
                "check the name",
            ))
        }
    }
}
