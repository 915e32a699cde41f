//! The first request of a run: one answer tells whether a URL is a playlist or
//! media, and brings it. What was stored is opened without asking.

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::Entry;
use crate::error::{Kind, Problem};
use crate::event::{Event, RequestKind};
use crate::fetch::{Request, Response, Status, Whole};
use crate::limits;
use crate::lists::{self, Form};
use crate::location::Location;
use crate::store::open::resume;
use crate::store::policy::unless_same;
use crate::store::sniff::{TAGS_WITHIN, is_playlist, is_web_page, playlist_kind, sniff_bytes};
use crate::store::text::{is_network, kept_text, local_text, stale, unreadable};
use crate::store::{Body, Broadcast, Opened, Store, Text, Wanted, head_of, offline, remote};

/// What a URL turned out to be.
pub enum First {
    /// A playlist of HLS.
    Playlist(Text),
    /// A list of addresses.
    List(Text),
    /// Something else: media, we hope.
    Media(Opened),
    /// Sound without end.
    Radio(Box<Broadcast>),
}

impl Store {
    /// Opens a URL of which nothing is known: one request tells what it is and
    /// brings it.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`]; [`Kind::NotAStream`] for a web page.
    pub async fn first(&self, wanted: &Wanted) -> Result<First, Problem> {
        let first = self.first_bytes(wanted).await?;
        Ok(match first {
            First::Playlist(text) if is_list(&text) => First::List(text),
            first => first,
        })
    }

    /// The same, with lists among the playlists.
    async fn first_bytes(&self, wanted: &Wanted) -> Result<First, Problem> {
        if let Some(first) = self.first_local(wanted)? {
            return Ok(first);
        }
        let url = remote(wanted)?;
        let identity = wanted.identity(url);
        let old = self.find(&identity);
        if self.policy.is_offline() {
            if let Some(text) = self.recorded(&wanted.location) {
                return Ok(First::Playlist(text));
            }
            let entry = old.ok_or_else(|| offline(wanted))?;
            return self.first_offline(entry);
        }
        if let Some(entry) = &old
            && let Some(first) = self.first_stored(wanted, entry)?
        {
            return Ok(first);
        }
        let is_media = |entry: &Entry| {
            let head = head_bytes(entry);
            !head.is_empty() && !is_playlist(&head)
        };
        if let Some(entry) = old.as_ref().filter(|entry| is_media(entry))
            && self.is_theirs(entry)
        {
            return Ok(First::Media(self.follow(wanted, Arc::clone(entry))));
        }
        let mut request = wanted.request(url);
        request.wants_titles = old.is_none(); // of radio nothing is kept
        if let Some(entry) = &old {
            let head = head_bytes(entry);
            if is_playlist(&head) {
                request.kind = playlist_kind(&head);
                entry.check(); // "not changed" is of use only for what is whole
            }
            match entry.is_complete() {
                true => unless_same(&mut request, entry),
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
        self.is_asked();
        match (response.head.status, old) {
            (Status::NotModified, Some(entry)) => self.first_offline(entry),
            (Status::Part, _) => {
                let opened =
                    self.receive(wanted, request, response, Vec::new(), asked.elapsed())?;
                Ok(First::Media(opened))
            }
            _ => self.first_fresh(wanted, request, response, asked).await,
        }
    }

    /// The entries of a list of addresses; one that cannot be used is a problem
    /// in its place.
    ///
    /// # Errors
    ///
    /// Those of [`lists::read`].
    pub fn entries(&self, list: &Text) -> Result<Vec<Result<lists::Entry, Problem>>, Problem> {
        let mut entries = lists::read(&list.bytes, &list.base)?;
        for entry in &mut entries {
            if let Ok(lists::Entry { location, .. }) = entry
                && let Location::File(path) = location
                && let Err(problem) = self.tree.admits(path)
            {
                *entry = Err(problem);
            }
        }
        Ok(entries)
    }

    /// What is stored whole and may be used without asking.
    fn first_stored(&self, wanted: &Wanted, entry: &Arc<Entry>) -> Result<Option<First>, Problem> {
        let head = head_bytes(entry);
        let is_list = is_playlist(&head);
        let is_trusted = match is_list {
            true => self.policy.trusts_lists() && entry.check() == 0,
            false => self.policy.trusts_media(),
        };
        if !is_trusted || !entry.is_complete() {
            return Ok(None);
        }
        if !is_list {
            self.ask_later(wanted, entry);
            return Ok(Some(First::Media(self.hit(Arc::clone(entry)))));
        }
        let kind = playlist_kind(&head);
        let Ok(text) = kept_text(entry) else {
            return Ok(None); // what the disk does not give back is not stored
        };
        self.ask_later(
            &Wanted {
                kind,
                ..wanted.clone()
            },
            entry,
        );
        Ok(Some(First::Playlist(text)))
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
        if is_playlist(&head) || lists::is_bare(&path.to_string_lossy(), None, &head) {
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
        if self.policy.is_offline() {
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
            return self.first_compressed(wanted, response, asked).await;
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
        let is_list = is_playlist(&head) || is_bare(&response, &head);
        if !is_list && response.head.is_endless() {
            let broadcast = Broadcast::new(response, head);
            return Ok(First::Radio(Box::new(broadcast)));
        }
        if !is_list {
            let opened = self.receive(wanted, request, response, head, first_byte)?;
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
                head.extend_from_slice(&rest.bytes);
                Ok(First::Playlist(Text {
                    length: head.len() as u64,
                    bytes: head,
                    base,
                    no_store: keep.is_none(),
                    is_stored: false,
                    first_byte: Some(first_byte),
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
        asked: Instant,
    ) -> Result<First, Problem> {
        let first_byte = Some(asked.elapsed());
        response.set_kind(RequestKind::Media);
        let refusal = response.compressed();
        let (path, content_type) = name(&response);
        let head = response.head.clone();
        let keep = (!head.no_store)
            .then(|| remote(wanted).map(|url| (wanted.identity(url), head_of(&head))))
            .transpose()?;
        let read = response.read_all(limits::PLAYLIST_BYTES).await;
        let Whole { bytes, received } = read.map_err(|failure| failure.problem)?;
        if !is_playlist(&bytes) && !lists::is_bare(&path, content_type.as_deref(), &bytes) {
            return Err(refusal);
        }
        Ok(First::Playlist(Text {
            length: received,
            bytes: bytes.into(),
            base: Location::Http(head.final_url),
            keep: keep.map(Box::new),
            content_type: head.content_type,
            etag: head.etag,
            no_store: head.no_store,
            is_stored: false,
            first_byte,
        }))
    }
}

/// Whether a playlist is none of HLS.
fn is_list(text: &Text) -> bool {
    match Form::of(&text.bytes) {
        Some(Form::Pls | Form::Xspf) => true,
        Some(Form::M3u) | None => !lists::is_hls(&text.bytes),
    }
}

/// Whether a text that names nothing in its first bytes is called a list.
fn is_bare(response: &Response, head: &[u8]) -> bool {
    let (path, content_type) = name(response);
    lists::is_bare(&path, content_type.as_deref(), head)
}

/// What an answer is called: the path of its address, and its type.
fn name(response: &Response) -> (String, Option<String>) {
    let head = &response.head;
    (head.final_url.path().to_owned(), head.content_type.clone())
}

/// The first bytes of an entry, as far as they are here.
pub(super) fn head_bytes(entry: &Entry) -> Vec<u8> {
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
