//! Bytes of a URL, from the cache or from the network: what arrives is written
//! through into its cache entry and read back from there, a broken transfer is
//! resumed at the exact byte, and bytes of two versions are never mixed. Local
//! files are read where they lie.

mod body;
mod disk;
mod first;
mod follow;
mod hidden;
mod kept;
mod live;
mod policy;
mod recheck;
mod recording;
mod room;
mod size;
mod sniff;
mod source;
mod stored;
mod text;
mod transfer;
mod tree;
mod wanted;
mod window;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use url::Url;

use crate::cache::{Entry, Head, Identity, Stream};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::fetch::{self, ByteRange, Client, Request, Response, Status};
use crate::location::Location;
use crate::stats::Stats;
use crate::store::hidden::Hidden;
use crate::store::policy::unless_same;
use crate::store::recheck::Unasked;
use crate::store::text::{is_network, stale};
use crate::store::tree::Tree;

pub use body::{Body, Opened};
pub use disk::Disk;
pub use first::First;
pub use follow::Carrier;
pub use kept::Kept;
pub use policy::{Asking, Policy};
pub use recording::Tape;
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

    /// Opens `wanted`: at once when its bytes are here, else when the server has
    /// begun to answer.
    ///
    /// # Errors
    ///
    /// [`Kind::Offline`] when it would need the network, the server's refusal
    /// after retries, [`Kind::Cache`] when it must be stored and cannot,
    /// [`Kind::Unsafe`] for a link out of a local playlist's folder.
    pub async fn open(&self, wanted: &Wanted) -> Result<Opened, Problem> {
        let is_local = match &wanted.location {
            Location::Http(_) => false,
            Location::File(path) => self.tree.admits(path).map(|()| true)?,
        };
        if (is_local || self.policy.trusts_media())
            && let Some(body) = self.cached(wanted)
        {
            if let Body::Entry(kept) = &body {
                self.ask_later(wanted, kept.entry());
            }
            self.count_hit(&body);
            return Ok(Opened {
                body,
                transfer: None,
            });
        }
        let url = remote(wanted)?;
        if self.policy.is_offline() {
            return Err(offline(wanted));
        }
        let _announced = self.announce(wanted).await;
        let mut request = wanted.request(url);
        let old = self.find(&wanted.identity(url));
        if let Some(entry) = &old
            && let Some(opened) = self.brought(wanted, entry)
        {
            return Ok(opened);
        }
        match &old {
            Some(entry) if entry.is_complete() => unless_same(&mut request, entry),
            Some(entry) => resume(&mut request, entry, wanted.base(), wanted.base()),
            None => {}
        }
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = match (self.client.open(&request, &mut attempts).await, &old) {
            (Err(problem), Some(entry)) if entry.is_complete() && is_network(&problem) => {
                self.events.send(Event::Warning(stale(problem)));
                return Ok(self.hit(Arc::clone(entry)));
            }
            (answer, _) => answer?,
        };
        let first_byte = asked.elapsed();
        if response.head.status == Status::NotModified
            && let Some(entry) = old
        {
            return Ok(self.hit(entry));
        }
        self.receive(wanted, request, response, Vec::new(), first_byte)
    }

    /// Asks for `span` of a file that is being stored, with what is known of it.
    pub async fn open_span(
        &self,
        wanted: &Wanted,
        kept: &Arc<Kept>,
        span: Range<u64>,
    ) -> Result<Option<Box<Transfer>>, Problem> {
        let url = remote(wanted)?;
        if self.policy.is_offline() {
            return Err(offline(wanted));
        }
        let mut request = wanted.request(url);
        request.range = match span.end {
            u64::MAX => Some(ByteRange::from_byte(span.start)),
            end => ByteRange::new(span.start, end),
        };
        request.if_range = kept.entry().head().validator().map(str::to_owned);
        request.total = kept.entry().total();
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = self.client.open(&request, &mut attempts).await?;
        let first_byte = asked.elapsed();
        Transfer::onto(self, Arc::clone(kept), request, 0, response, first_byte)
    }

    /// What another process has brought meanwhile, or is bringing.
    fn brought(&self, wanted: &Wanted, entry: &Arc<Entry>) -> Option<Opened> {
        if self.is_theirs(entry) {
            return Some(self.follow(wanted, Arc::clone(entry)));
        }
        let is_whole = self.policy.trusts_media() && entry.check() == 0 && entry.is_complete();
        is_whole.then(|| self.hit(Arc::clone(entry)))
    }

    /// Begins (or goes on with) the entry that `response` belongs to.
    fn receive(
        &self,
        wanted: &Wanted,
        request: Request,
        response: Response,
        head_bytes: Vec<u8>,
        first_byte: Duration,
    ) -> Result<Opened, Problem> {
        let identity = wanted.identity(remote(wanted)?);
        // A server without parts begins before the part that is wanted.
        let skip = wanted.base().saturating_sub(response.head.offset);
        let offset = (response.head.offset).saturating_sub(wanted.base());
        let mut head = head_of(&response.head);
        if let Some(range) = &wanted.range {
            let end = head.total.map_or(range.end, |total| range.end.min(total));
            head.total = end.checked_sub(range.start);
        }
        let no_store = response.head.no_store;
        let begun = self.kept_by(&identity, no_store, |stream| {
            match self.begin(stream, wanted, &identity, &head, offset) {
                // What is fetched ahead waits for room.
                Err(problem) if problem.kind == Kind::Full && wanted.is_ahead => Ok(Err(problem)),
                begun => begun.map(Ok),
            }
        })??;
        let (entry, writer) = match begun {
            (entry, Some(writer)) => (entry, writer),
            (entry, None) if self.admits(&entry) => return Ok(self.follow(wanted, entry)),
            // What another process keeps of it goes as soon as it was read there.
            (_, None) => {
                let stream = self.spare.made()?;
                let entry = stream.begin(&identity, head.clone())?;
                let writer = entry.writer(offset)?;
                let writer = writer.expect("in memory nobody else writes");
                (entry, writer)
            }
        };
        // What an earlier run left and this answer goes on from.
        self.stats.cache_hit_bytes.add(offset);
        self.stats.wire_bytes.add(offset);
        entry.set_seekable(response.head.status == Status::Part || response.head.accepts_ranges);
        let kept = Kept::new(entry);
        let transfer = Transfer {
            store: self.clone(),
            request,
            base: wanted.base(),
            target: Arc::clone(kept.entry()),
            kept: Arc::clone(&kept),
            writer,
            response,
            attempts: self.client.attempts(),
            head_bytes,
            first_byte,
            moved: 0,
            skip,
            is_ahead: wanted.is_ahead,
        };
        Ok(Opened {
            body: Body::Entry(kept),
            transfer: Some(Carrier::Ours(Box::new(transfer))),
        })
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

/// Lets `request` go on where the known bytes of `entry` end, if a validator
/// can tell that they are of the same version.
fn resume(request: &mut Request, entry: &Entry, base: u64, from: u64) {
    let Some(validator) = entry.head().validator() else {
        return;
    };
    let Some(gap) = entry.first_gap(from - base) else {
        return;
    };
    if gap.start == 0 {
        return;
    }
    let end = request.range.and_then(ByteRange::end);
    request.range = match end {
        Some(end) => ByteRange::new(base + gap.start, end),
        None => Some(ByteRange::from_byte(base + gap.start)),
    };
    request.if_range = Some(validator.to_owned());
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
