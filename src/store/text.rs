//! Playlists, and telling them from media: what is read whole and small, and
//! kept only when its reader says that it will not change any more.

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Entry, Head, Identity};
use crate::error::{Kind, Problem};
use crate::event::{Event, RequestKind};
use crate::fetch::{Document, Request, Response, Status};
use crate::limits;
use crate::location::Location;
use crate::store::sniff::{TAGS_WITHIN, is_playlist, is_web_page, playlist_kind, sniff_bytes};
use crate::store::{Body, Opened, Store, Wanted, head_of, offline, remote, resume};

/// The bytes of a playlist, or of a key.
#[derive(Clone, Debug)]
pub struct Text {
    /// The body, decoded.
    pub bytes: Vec<u8>,
    /// What relative references in it are relative to.
    pub base: Location,
    /// What the server calls it: text from outside.
    pub content_type: Option<String>,
    /// The server's mark of this version, for asking whether it changed.
    pub etag: Option<String>,
    /// The server forbids keeping it.
    pub no_store: bool,
    /// What to keep it as, when it came from the network.
    pub(super) keep: Option<Box<(Identity, Head)>>,
}

impl Text {
    /// What came over the network; nothing says yet whether to keep it.
    pub(super) fn of(document: Document) -> Self {
        Self {
            bytes: document.bytes.into(),
            base: Location::Http(document.head.final_url),
            content_type: document.head.content_type,
            etag: document.head.etag,
            no_store: document.head.no_store,
            keep: None,
        }
    }
}

/// What a URL turned out to be.
pub enum First {
    /// A playlist.
    Playlist(Text),
    /// Something else: media, we hope.
    Media(Opened),
}

impl Store {
    /// Opens a URL of which nothing is known: one request tells what it is and
    /// brings it.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`]; [`Kind::NotAStream`] for a web page.
    pub async fn first(&self, wanted: &Wanted) -> Result<First, Problem> {
        if let Some(first) = self.first_local(wanted)? {
            return Ok(first);
        }
        let url = remote(wanted)?;
        let identity = wanted.identity(url);
        let old = self.find(&identity);
        if self.policy.offline {
            let entry = old.ok_or_else(|| offline(wanted))?;
            return self.first_offline(entry);
        }
        let mut request = wanted.request(url);
        if let Some(entry) = &old {
            // The look at its head may show that it is damaged.
            let head = head_bytes(entry);
            if is_playlist(&head) {
                request.kind = playlist_kind(&head);
                entry.check();
            } else if entry.is_complete() && !self.policy.refresh {
                return Ok(First::Media(self.hit(Arc::clone(entry))));
            }
            match entry.is_complete() {
                true => request.if_none_match = entry.head().etag.clone(),
                false => resume(&mut request, entry, 0, 0),
            }
        }
        let asked = Instant::now();
        let response = match self
            .client
            .open(&request, &mut self.client.attempts())
            .await
        {
            Ok(response) => response,
            Err(problem) => return self.first_without_network(old, problem),
        };
        match (response.head.status, old) {
            (Status::NotModified, Some(entry)) => self.first_offline(entry),
            (Status::Part, _) => {
                let opened = self
                    .receive(wanted, request, response, Vec::new(), asked.elapsed())
                    .await?;
                Ok(First::Media(opened))
            }
            _ => self.first_fresh(wanted, request, response, asked).await,
        }
    }

    /// The playlist at `wanted`: what the server says now, or what is kept when
    /// it may or must not be asked.
    ///
    /// # Errors
    ///
    /// Those of [`crate::fetch::Client::fetch`]; [`Kind::Offline`].
    pub async fn text(&self, wanted: &Wanted) -> Result<Text, Problem> {
        self.small(wanted, limits::PLAYLIST_BYTES, true).await
    }

    /// The body of the key at `wanted`, whatever it is: what is kept, unless
    /// `--refresh` has the server asked. It is kept by [`Store::keep`] once its
    /// reader knows that it is a key.
    ///
    /// # Errors
    ///
    /// Those of [`Store::text`]; [`Kind::Limit`] above [`limits::KEY_BODY_BYTES`].
    pub async fn key(&self, wanted: &Wanted) -> Result<Text, Problem> {
        let is_asked = self.policy.refresh;
        self.small(wanted, limits::KEY_BODY_BYTES, is_asked).await
    }

    /// What is read whole, of at most `limit` bytes; a kept one is returned
    /// without a request unless `is_asked`.
    async fn small(&self, wanted: &Wanted, limit: u64, is_asked: bool) -> Result<Text, Problem> {
        let url = match &wanted.location {
            Location::Http(url) => url,
            Location::File(path) => {
                self.tree.admits(path)?;
                return local_text(self, wanted, limit);
            }
        };
        let identity = wanted.identity(url);
        let old = self
            .find(&identity)
            .filter(|entry| entry.check() == 0 && entry.is_complete());
        if self.policy.offline {
            return kept_text(&old.ok_or_else(|| offline(wanted))?);
        }
        if let Some(entry) = old.as_ref().filter(|_| !is_asked) {
            return kept_text(entry);
        }
        let mut request = wanted.request(url);
        request.if_none_match = old.as_ref().and_then(|entry| entry.head().etag.clone());
        match (self.client.fetch(&request, limit).await, old) {
            (Ok(document), Some(entry)) if document.head.status == Status::NotModified => {
                kept_text(&entry)
            }
            (Ok(document), _) => {
                let keep = (!document.head.no_store)
                    .then(|| Box::new((identity, head_of(&document.head))));
                Ok(Text {
                    keep,
                    ..Text::of(document)
                })
            }
            (Err(problem), Some(entry)) if is_network(&problem) => {
                self.events.send(Event::Warning(stale(problem)));
                kept_text(&entry)
            }
            (Err(problem), _) => Err(problem),
        }
    }

    /// Keeps a playlist that will not change any more, or a key.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`].
    pub fn keep(&self, text: &Text) -> Result<(), Problem> {
        let Some((identity, head)) = text.keep.as_deref() else {
            return Ok(());
        };
        let mut head = head.clone();
        head.total = Some(text.bytes.len() as u64);
        self.kept_by(|stream| {
            let entry = stream.begin(identity, head.clone())?;
            let Some(mut writer) = entry.writer(0)? else {
                return Ok(());
            };
            writer.write(&text.bytes)?;
            writer.finish()
        })
    }

    fn first_local(&self, wanted: &Wanted) -> Result<Option<First>, Problem> {
        let Location::File(path) = &wanted.location else {
            return Ok(None);
        };
        let body = Body::File(path.clone(), None);
        let mut head = Vec::new();
        let mut source = body.source(&self.stats)?.take(TAGS_WITHIN as u64);
        if path.is_file() {
            source
                .read_to_end(&mut head)
                .map_err(|error| unreadable(wanted, error))?;
        }
        if is_playlist(&head) {
            self.tree.grow_below(path);
            let text = local_text(self, wanted, limits::PLAYLIST_BYTES)?;
            return Ok(Some(First::Playlist(text)));
        }
        Ok(Some(First::Media(Opened {
            body,
            transfer: None,
        })))
    }

    fn first_offline(&self, entry: Arc<Entry>) -> Result<First, Problem> {
        if is_playlist(&head_bytes(&entry)) {
            return kept_text(&entry).map(First::Playlist);
        }
        if self.policy.offline {
            // A reader that meets a hole fails instead of waiting for ever.
            entry.set_offline();
        }
        Ok(First::Media(self.hit(entry)))
    }

    /// A finished playlist or a whole file plays although the network is down.
    fn first_without_network(
        &self,
        old: Option<Arc<Entry>>,
        problem: Problem,
    ) -> Result<First, Problem> {
        match old.filter(|entry| entry.is_complete() && is_network(&problem)) {
            None => Err(problem),
            Some(entry) => {
                self.events.send(Event::Warning(stale(problem)));
                self.first_offline(entry)
            }
        }
    }

    async fn first_fresh(
        &self,
        wanted: &Wanted,
        mut request: Request,
        mut response: Response,
        asked: Instant,
    ) -> Result<First, Problem> {
        if response.is_compressed() {
            return self.first_compressed(wanted, response).await;
        }
        let first_byte = asked.elapsed();
        let mut head = Vec::new();
        while head.len() < sniff_bytes(&head) && !is_playlist(&head) {
            match response.chunk().await {
                Ok(Some(chunk)) => head.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(failure) => return Err(failure.problem),
            }
        }
        if is_web_page(&head) {
            return Err(web_page(
                format!("cannot play {}", wanted.location),
                &response,
            ));
        }
        if !is_playlist(&head) {
            let opened = self
                .receive(wanted, request, response, head, first_byte)
                .await?;
            return Ok(First::Media(opened));
        }
        request.kind = playlist_kind(&head);
        response.set_kind(request.kind);
        let base = Location::Http(response.head.final_url.clone());
        let content_type = response.head.content_type.clone();
        let etag = response.head.etag.clone();
        let keep = (!response.head.no_store)
            .then(|| Box::new((wanted.identity(&request.url), head_of(&response.head))));
        let left = limits::PLAYLIST_BYTES.saturating_sub(head.len() as u64);
        match response.read_all(left).await {
            Ok(rest) => {
                head.extend_from_slice(&rest);
                Ok(First::Playlist(Text {
                    bytes: head,
                    base,
                    no_store: keep.is_none(),
                    keep,
                    content_type,
                    etag,
                }))
            }
            Err(failure) if failure.problem.kind == Kind::Limit => {
                // The reader counted without the head.
                let why = format!("it is longer than {} bytes", limits::PLAYLIST_BYTES);
                Err(Problem {
                    why,
                    ..failure.problem
                })
            }
            // Broke off: read it anew, with the retries of a playlist.
            Err(_) => {
                let whole = Wanted {
                    kind: request.kind,
                    ..wanted.clone()
                };
                self.text(&whole).await.map(First::Playlist)
            }
        }
    }

    /// An answer that was compressed unasked: read whole, and only if it is a
    /// playlist.
    async fn first_compressed(
        &self,
        wanted: &Wanted,
        mut response: Response,
    ) -> Result<First, Problem> {
        response.set_kind(RequestKind::Media);
        let refusal = response.compressed();
        let head = response.head.clone();
        let keep = (!head.no_store)
            .then(|| remote(wanted).map(|url| (wanted.identity(url), head_of(&head))))
            .transpose()?;
        let read = response.read_all(limits::PLAYLIST_BYTES).await;
        let bytes: Vec<u8> = read.map_err(|failure| failure.problem)?.into();
        if !is_playlist(&bytes) {
            return Err(refusal);
        }
        Ok(First::Playlist(Text {
            bytes,
            base: Location::Http(head.final_url),
            keep: keep.map(Box::new),
            content_type: head.content_type,
            etag: head.etag,
            no_store: head.no_store,
        }))
    }
}

pub(super) fn local_text(store: &Store, wanted: &Wanted, limit: u64) -> Result<Text, Problem> {
    let body = Body::File(remote_path(wanted), None);
    let mut bytes = Vec::new();
    let mut source = body.source(&store.stats)?.take(limit + 1);
    source
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(wanted, error))?;
    if bytes.len() as u64 > limit {
        let what = format!("cannot read \"{}\"", wanted.location);
        let why = format!("it is longer than {limit} bytes");
        return Err(Problem::new(Kind::Limit, what, why, "check the name"));
    }
    Ok(Text {
        bytes,
        base: wanted.location.clone(),
        no_store: false,
        keep: None,
        content_type: None,
        etag: None,
    })
}

fn remote_path(wanted: &Wanted) -> std::path::PathBuf {
    match &wanted.location {
        Location::File(path) => path.clone(),
        Location::Http(url) => url.path().into(),
    }
}

fn kept_text(entry: &Arc<Entry>) -> Result<Text, Problem> {
    let mut bytes = Vec::new();
    entry.set_offline();
    let broken = |error| {
        Problem::from_io(
            error,
            Kind::Cache,
            "cannot read the cache",
            "use --no-cache",
        )
    };
    entry
        .reader()
        .take(limits::PLAYLIST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(broken)?;
    let url = entry
        .head()
        .final_url
        .as_deref()
        .unwrap_or(entry.identity().url());
    Ok(Text {
        bytes,
        base: Location::parse(url)?,
        no_store: false,
        keep: None,
        content_type: None,
        etag: None,
    })
}

/// The first bytes of an entry, as far as they are here.
fn head_bytes(entry: &Entry) -> Vec<u8> {
    let mut head = vec![0; TAGS_WITHIN];
    let known = entry.peek(0, &mut head);
    head.truncate(known);
    head
}

pub(super) fn web_page(what: String, response: &Response) -> Problem {
    let stated = response
        .head
        .content_type
        .as_deref()
        .unwrap_or("no content type");
    let why = format!(
        "it is a web page (HTML), not a playlist or media ({})",
        crate::text::safe(stated)
    );
    Problem::new(Kind::NotAStream, what, why, "check the address")
}

fn is_network(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::Resolve | Kind::Connect | Kind::NoData)
}

fn stale(problem: Problem) -> Problem {
    Problem {
        todo: "playing what is in the cache",
        ..problem
    }
}

fn unreadable(wanted: &Wanted, error: std::io::Error) -> Problem {
    let what = format!("cannot read \"{}\"", wanted.location);
    Problem::from_io(
        error,
        Kind::LocalFile,
        what,
        "check the name and its permissions",
    )
}
