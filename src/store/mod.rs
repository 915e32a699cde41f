//! Bytes of a URL, from the cache or from the network: what arrives is written
//! through into its cache entry and read back from there, a broken transfer is
//! resumed at the exact byte, and bytes of two versions are never mixed. Local
//! files are read where they lie.

mod kept;
mod live;
mod sniff;
mod source;
mod text;
mod transfer;
mod tree;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use url::Url;

use crate::cache::{Entry, Head, Identity, Stream, Writer};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::fetch::{ByteRange, Client, Request, Response, Status};
use crate::location::Location;
use crate::media::Source;
use crate::stats::Stats;
use crate::store::source::{LocalFile, Part};
use crate::store::tree::Tree;

pub use kept::Kept;
pub use text::{First, Text};
pub use transfer::{Moved, Transfer};

/// How often a look is taken at what another process is writing.
const FOLLOW: Duration = Duration::from_millis(50);

/// What is wanted: a resource or a part of it, and what for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it is.
    pub location: Location,
    /// The part of it, in bytes; all of it when `None`.
    pub range: Option<Range<u64>>,
    /// What it is for.
    pub kind: RequestKind,
    /// The variant it belongs to.
    pub variant: Option<usize>,
    /// The segment it carries.
    pub segment: Option<u64>,
}

impl Wanted {
    /// All of a resource that belongs to no variant.
    pub fn whole(location: Location, kind: RequestKind) -> Self {
        Self {
            location,
            range: None,
            kind,
            variant: None,
            segment: None,
        }
    }

    fn name(&self) -> String {
        match self.segment {
            Some(number) => format!("segment {number} ({})", self.location),
            None => format!("\"{}\"", self.location),
        }
    }

    /// A part is an entry of its own: without a validator nothing else could
    /// tell whether two parts are of one version.
    fn identity(&self, url: &Url) -> Identity {
        match &self.range {
            None => Identity::of_url(url.as_str()),
            Some(range) => Identity::of_part(url.as_str(), range),
        }
    }

    fn request(&self, url: &Url) -> Request {
        let range = self
            .range
            .as_ref()
            .and_then(|range| ByteRange::new(range.start, range.end));
        let (variant, segment) = (self.variant, self.segment);
        Request {
            range,
            variant,
            segment,
            ..Request::new(self.kind, url.clone())
        }
    }

    /// What is subtracted from an offset in the resource to get one in the entry.
    fn base(&self) -> u64 {
        self.range.as_ref().map_or(0, |range| range.start)
    }
}

/// How the cache is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Never touch the network.
    pub offline: bool,
    /// Ask the server whether what is cached still holds.
    pub refresh: bool,
    /// A cache that cannot be written is an error, not a warning.
    pub must_store: bool,
}

/// The bytes of one stream's resources.
#[derive(Clone)]
pub struct Store {
    client: Client,
    /// Where bytes are kept.
    disk: Stream,
    /// Where they go, in memory, when the disk refuses.
    spare: Stream,
    is_degraded: Arc<AtomicBool>,
    policy: Policy,
    /// Where local files may lie.
    tree: Tree,
    stats: Arc<Stats>,
    events: Events,
}

/// A resource whose bytes are here or on their way.
pub struct Opened {
    /// Where to read them.
    pub body: Body,
    /// The transfer that still has to run, when they are not all here.
    pub transfer: Option<Box<Transfer>>,
}

/// Where the bytes of a resource lie.
#[derive(Clone)]
pub enum Body {
    /// In the cache.
    Entry(Arc<Kept>),
    /// In a local file; the part of it that was wanted.
    File(PathBuf, Option<Range<u64>>),
}

impl Body {
    /// A reader of its own, at the start.
    ///
    /// # Errors
    ///
    /// [`Kind::LocalFile`] when a local file cannot be opened.
    pub fn source(&self, stats: &Arc<Stats>) -> Result<Box<dyn Source>, Problem> {
        let (path, range) = match self {
            Self::Entry(kept) => return Ok(Box::new(kept.reader())),
            Self::File(path, range) => (path, range),
        };
        let open = || {
            let file = Box::new(LocalFile::open(path, Arc::clone(stats))?);
            Ok(match range {
                None => file as Box<dyn Source>,
                Some(range) => Box::new(Part::new(file, range.clone())?),
            })
        };
        open().map_err(|error| {
            let what = format!(
                "cannot open \"{}\"",
                crate::text::safe(&path.to_string_lossy())
            );
            Problem::from_io(error, Kind::LocalFile, what, "check the name")
        })
    }

    /// Its length in bytes, once it is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Entry(kept) => kept.entry().total(),
            Self::File(_, Some(range)) => Some(range.end - range.start),
            Self::File(path, None) => path.metadata().ok().map(|facts| facts.len()),
        }
    }
}

impl Store {
    /// A store over `stream`; `spare` is the one in memory that takes over when
    /// the disk refuses.
    pub fn new(
        client: Client,
        stream: Stream,
        spare: Stream,
        policy: Policy,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Self {
        Self {
            client,
            disk: stream,
            spare,
            is_degraded: Arc::default(),
            policy,
            tree: Tree::default(),
            stats: Arc::clone(stats),
            events: events.clone(),
        }
    }

    /// The counters of the run.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether only the cache may be used.
    pub fn is_offline(&self) -> bool {
        self.policy.offline
    }

    /// Whether bytes are kept in memory only.
    pub fn is_memory(&self) -> bool {
        self.stream().is_memory()
    }

    /// Whether all bytes of `location` are in the cache.
    pub fn has(&self, location: &Location) -> bool {
        self.cached(&Wanted::whole(location.clone(), RequestKind::Media))
            .is_some()
    }

    /// Makes everything stored so far survive a power cut.
    pub fn sync(&self) -> Result<(), Problem> {
        self.stream().sync()
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
        if (is_local || !self.policy.refresh)
            && let Some(body) = self.cached(wanted)
        {
            self.count_hit(&body);
            return Ok(Opened {
                body,
                transfer: None,
            });
        }
        let url = remote(wanted)?;
        if self.policy.offline {
            return Err(offline(wanted));
        }
        let mut request = wanted.request(url);
        let old = self.find(&wanted.identity(url));
        if let Some(entry) = &old
            && !entry.is_complete()
            && self.claim(entry).await?.is_none()
        {
            return Ok(self.hit(Arc::clone(entry)));
        }
        match &old {
            Some(entry) if entry.is_complete() => request.if_none_match = entry.head().etag.clone(),
            Some(entry) => resume(&mut request, entry, wanted.base(), wanted.base()),
            None => {}
        }
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = self.client.open(&request, &mut attempts).await?;
        let first_byte = asked.elapsed();
        if response.head.status == Status::NotModified
            && let Some(entry) = old
        {
            return Ok(self.hit(entry));
        }
        self.receive(wanted, request, response, Vec::new(), first_byte)
            .await
    }

    /// Asks for `span` of a file that is being stored, with what is known of it.
    pub async fn open_span(
        &self,
        wanted: &Wanted,
        kept: &Arc<Kept>,
        span: Range<u64>,
    ) -> Result<Option<Box<Transfer>>, Problem> {
        let url = remote(wanted)?;
        if self.policy.offline {
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
        let response = self
            .client
            .open(&request, &mut self.client.attempts())
            .await?;
        Transfer::onto(self, Arc::clone(kept), request, response, asked.elapsed()).await
    }

    /// Begins (or goes on with) the entry that `response` belongs to.
    async fn receive(
        &self,
        wanted: &Wanted,
        request: Request,
        response: Response,
        head_bytes: Vec<u8>,
        first_byte: Duration,
    ) -> Result<Opened, Problem> {
        let identity = wanted.identity(&request.url);
        // A server without parts begins before the part that is wanted.
        let skip = wanted.base().saturating_sub(response.head.offset);
        let offset = (response.head.offset).saturating_sub(wanted.base());
        let mut head = head_of(&response);
        if let Some(range) = &wanted.range {
            let end = head.total.map_or(range.end, |total| range.end.min(total));
            head.total = end.checked_sub(range.start);
        }
        let (entry, writer) = loop {
            let begun = self.kept_by(|stream| {
                let entry = stream.begin(&identity, head.clone())?;
                let writer = entry.writer(offset)?;
                Ok((entry, writer))
            })?;
            match begun {
                (entry, Some(writer)) => break (entry, writer),
                (entry, None) if self.claim(&entry).await?.is_none() => return Ok(self.hit(entry)),
                (_, None) => {}
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
        };
        Ok(Opened {
            body: Body::Entry(kept),
            transfer: Some(Box::new(transfer)),
        })
    }

    /// Waits while another process writes `entry`; `None` when it completed it.
    async fn claim(&self, entry: &Arc<Entry>) -> Result<Option<Writer>, Problem> {
        loop {
            let gap = entry.first_gap(0).map_or(0, |gap| gap.start);
            if let Some(writer) = entry.writer(gap)? {
                return Ok(Some(writer));
            }
            tokio::time::sleep(FOLLOW).await;
            entry.refresh();
            if entry.is_complete() {
                return Ok(None);
            }
        }
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

    /// Runs `work` on the stream; when the disk refuses, once more in memory,
    /// unless the bytes must be stored.
    fn kept_by<T>(&self, work: impl Fn(&Stream) -> Result<T, Problem>) -> Result<T, Problem> {
        let stream = self.stream();
        match work(stream) {
            Err(problem)
                if problem.kind == Kind::Cache
                    && !self.policy.must_store
                    && !stream.is_memory() =>
            {
                self.degrade(problem);
                work(&self.spare)
            }
            result => result,
        }
    }

    /// From now on bytes are kept in memory. Said once.
    fn degrade(&self, problem: Problem) {
        if !self.disk.is_memory() && !self.is_degraded.swap(true, Ordering::AcqRel) {
            let todo = "going on without the cache";
            self.events
                .send(Event::Warning(Problem { todo, ..problem }));
        }
    }

    /// Where new bytes go.
    fn stream(&self) -> &Stream {
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
            .then(|| self.spare.find(identity));
        spare.flatten().or_else(|| self.disk.find(identity))
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
fn head_of(response: &Response) -> Head {
    let head = &response.head;
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
