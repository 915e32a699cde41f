//! What a stream's folder holds, without a network and without a run: for
//! listings and for export.

use std::io::Read;
use std::sync::Arc;

use crate::cache::{Entry, Stream};
use crate::error::Problem;
use crate::event::RequestKind;
use crate::limits;
use crate::location::Location;
use crate::media::Source;
use crate::store::first::head_bytes;
use crate::store::recording::recorded;
use crate::store::sniff::is_playlist;
use crate::store::text::kept_text;
use crate::store::{Kept, Text, Wanted};

/// A resource of which something is stored.
pub struct Held {
    entry: Arc<Entry>,
}

/// The resource `wanted` in `stream`; `None` when nothing of it is stored.
pub fn held(stream: &Stream, wanted: &Wanted) -> Option<Held> {
    let Location::Http(url) = &wanted.location else {
        return None;
    };
    let entry = stream.find(&wanted.identity(url))?;
    Some(Held { entry })
}

/// The playlist at `location` as the server sent it, when every byte is stored
/// and it is one.
pub fn playlist(stream: &Stream, location: &Location) -> Option<Text> {
    let Held { entry } = held(stream, &Wanted::whole(location.clone(), RequestKind::Media))?;
    let is_small = entry.total()? <= limits::PLAYLIST_BYTES;
    let is_whole = is_small && is_playlist(&head_bytes(&entry)) && entry.check() == 0;
    (is_whole && entry.is_complete())
        .then(|| kept_text(&entry).ok())
        .flatten()
}

/// What was recorded of the live playlist at `location`.
pub fn recording(stream: &Stream, location: &Location) -> Option<Text> {
    recorded(stream, location)
}

impl Held {
    /// Whether all of it is stored, as far as its record says.
    pub fn is_whole(&self) -> bool {
        self.entry.is_complete()
    }

    /// Its bytes that are stored, and how many it has when that is known.
    pub fn bytes(&self) -> (u64, Option<u64>) {
        (self.entry.known_bytes(), self.entry.total())
    }

    /// Reads it; a missing byte is an error.
    pub fn source(&self) -> Box<dyn Source> {
        self.entry.set_offline();
        Box::new(Kept::new(Arc::clone(&self.entry)).reader())
    }

    /// Its first bytes, at most `count`.
    ///
    /// # Errors
    ///
    /// What the cache says.
    pub fn head(&self, count: usize) -> Result<Vec<u8>, Problem> {
        let mut head = Vec::new();
        let read = self.source().take(count as u64).read_to_end(&mut head);
        read.map_err(|error| {
            let todo = "check it with \"kithara cache verify\"";
            Problem::from_io(
                error,
                crate::error::Kind::Cache,
                "cannot read the cache",
                todo,
            )
        })?;
        Ok(head)
    }
}
