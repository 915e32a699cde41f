//! Playlists, and telling them from media: what is read whole and small, and
//! kept only when its reader says that it will not change any more.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::{Entry, Head, Identity};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::fetch::{Document, Status};
use crate::limits;
use crate::location::Location;
use crate::store::policy::unless_same;
use crate::store::{Body, Store, Wanted, head_of, offline};

/// The bytes of a playlist, or of a key.
#[derive(Clone, Debug)]
pub struct Text {
    /// The body, decoded.
    pub bytes: Vec<u8>,
    /// Bytes of it as it came: on the wire, of a stored one on disk.
    pub length: u64,
    /// What relative references in it are relative to.
    pub base: Location,
    /// What the server calls it: text from outside.
    pub content_type: Option<String>,
    /// The server's mark of this version, for asking whether it changed.
    pub etag: Option<String>,
    /// The server forbids keeping it.
    pub no_store: bool,
    /// It was taken from the cache, unasked or because nothing newer can be had.
    pub is_stored: bool,
    /// How long its first byte took, when it came from the network.
    pub first_byte: Option<Duration>,
    /// What to keep it as, when it came from the network.
    pub(super) keep: Option<Box<(Identity, Head)>>,
}

impl Text {
    /// What came over the network; nothing says yet whether to keep it.
    pub(super) fn of(document: Document) -> Self {
        Self {
            length: document.received,
            bytes: document.bytes.into(),
            base: Location::Http(document.head.final_url),
            content_type: document.head.content_type,
            etag: document.head.etag,
            no_store: document.head.no_store,
            is_stored: false,
            first_byte: Some(document.first_byte),
            keep: None,
        }
    }
}

impl Store {
    /// The playlist at `wanted`: what the server says now, or what is kept when
    /// it may or must not be asked.
    ///
    /// # Errors
    ///
    /// Those of [`crate::fetch::Client::fetch`]; [`Kind::Offline`].
    pub async fn text(&self, wanted: &Wanted) -> Result<Text, Problem> {
        if self.policy.is_offline()
            && let Some(text) = self.recorded(&wanted.location)
        {
            return Ok(text);
        }
        let is_asked = !self.policy.trusts_lists();
        self.small(wanted, limits::PLAYLIST_BYTES, is_asked).await
    }

    /// The body of the key at `wanted`, whatever it is: what is kept, unless
    /// `--refresh` has the server asked. It is kept by [`Store::keep`] once its
    /// reader knows that it is a key.
    ///
    /// # Errors
    ///
    /// Those of [`Store::text`]; [`Kind::Limit`] above [`limits::KEY_BODY_BYTES`].
    pub async fn key(&self, wanted: &Wanted) -> Result<Text, Problem> {
        let is_asked = !self.policy.trusts_media();
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
        if self.policy.is_offline() {
            return kept_text(&old.ok_or_else(|| offline(wanted))?);
        }
        // What the disk does not give back is not stored.
        if let Some(entry) = old.as_ref().filter(|_| !is_asked)
            && let Ok(text) = kept_text(entry)
        {
            self.ask_later(wanted, entry);
            return Ok(text);
        }
        let mut request = wanted.request(url);
        if let Some(entry) = &old {
            unless_same(&mut request, entry);
        }
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
        self.kept_by(identity, false, |stream| {
            let entry = stream.begin(identity, head.clone())?;
            let Some(mut writer) = entry.writer(0)? else {
                return Ok(());
            };
            writer.write(&text.bytes)?;
            writer.finish()
        })
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
        length: bytes.len() as u64,
        bytes,
        base: wanted.location.clone(),
        no_store: false,
        is_stored: false,
        first_byte: None,
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

pub(super) fn kept_text(entry: &Arc<Entry>) -> Result<Text, Problem> {
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
        length: bytes.len() as u64,
        bytes,
        base: Location::parse(url)?,
        no_store: false,
        is_stored: true,
        first_byte: None,
        keep: None,
        content_type: None,
        etag: None,
    })
}

pub(super) fn is_network(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::Resolve | Kind::Connect | Kind::NoData)
}

pub(super) fn stale(problem: Problem) -> Problem {
    Problem {
        todo: "playing what is in the cache",
        ..problem
    }
}

pub(super) fn unreadable(wanted: &Wanted, error: std::io::Error) -> Problem {
    let what = format!("cannot read \"{}\"", wanted.location);
    Problem::from_io(
        error,
        Kind::LocalFile,
        what,
        "check the name and its permissions",
    )
}
