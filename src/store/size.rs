//! How large a resource is, without fetching it.

use std::fs;

use crate::error::Problem;
use crate::location::Location;
use crate::store::{Store, Wanted, remote};

impl Store {
    /// How many bytes `wanted` has: by the part that is asked for, what is
    /// stored or the file, else the server is asked (HEAD). `None` when nothing
    /// says it, and offline when it is not in the cache.
    ///
    /// # Errors
    ///
    /// The server's refusal after retries; [`crate::error::Kind::Unsafe`] for a
    /// link out of a local playlist's folder.
    pub async fn size(&self, wanted: &Wanted) -> Result<Option<u64>, Problem> {
        if let Some(range) = &wanted.range {
            return Ok(range.end.checked_sub(range.start));
        }
        if let Location::File(path) = &wanted.location {
            self.tree.admits(path)?;
            return Ok(fs::metadata(path).ok().map(|data| data.len()));
        }
        let url = remote(wanted)?;
        let stored = self.find(&wanted.identity(url));
        let stored = stored.and_then(|entry| entry.total());
        if self.policy.is_offline() || (self.policy.trusts_media() && stored.is_some()) {
            return Ok(stored);
        }
        self.client.length(&wanted.request(url)).await
    }
}
