//! How the cache is used, and what is asked of servers about what is in it.

use crate::cache::Entry;
use crate::fetch::Request;

/// How the cache is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether and when servers are asked.
    pub asking: Asking,
    /// A cache that cannot be written is an error, not a warning.
    pub must_store: bool,
}

/// When the server is asked whether what is stored whole still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Never: the network is not touched at all.
    Never,
    /// Behind the sound, which begins at once with what is stored.
    Later,
    /// Playlists before they are used; media is taken as it is stored.
    Lists,
    /// Everything, before it is used.
    First,
}

impl Policy {
    /// Whether only the cache may be used.
    pub(super) fn is_offline(self) -> bool {
        self.asking == Asking::Never
    }

    /// Whether a stored playlist is used without asking first.
    pub(super) fn trusts_lists(self) -> bool {
        matches!(self.asking, Asking::Never | Asking::Later)
    }

    /// Whether stored media, or a stored key, is used without asking first.
    pub(super) fn trusts_media(self) -> bool {
        self.asking != Asking::First
    }
}

/// Lets the server answer that it still has the version that is stored.
pub(super) fn unless_same(request: &mut Request, entry: &Entry) {
    request.if_none_match = entry.head().etag.clone();
    request.if_modified_since = entry.head().last_modified.clone();
}
