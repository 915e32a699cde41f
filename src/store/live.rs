//! What only live streams need of the store: a playlist asked for again, bytes
//! that will not be heard again given up, and a place of their own on the disk.

use crate::error::Problem;
use crate::fetch::Status;
use crate::limits;
use crate::location::Location;
use crate::store::text::local_text;
use crate::store::{Disk, Store, Text, Wanted};

impl Store {
    /// The playlist at `wanted` once more, asked for once and never from the
    /// cache; `None` when it is still the one that has the mark `etag`.
    ///
    /// # Errors
    ///
    /// Those of [`crate::fetch::Client::fetch_once`].
    pub async fn reload(
        &self,
        wanted: &Wanted,
        etag: Option<&str>,
    ) -> Result<Option<Text>, Problem> {
        let url = match &wanted.location {
            Location::Http(url) => url,
            Location::File(path) => {
                self.tree.admits(path)?;
                return local_text(self, wanted, limits::PLAYLIST_BYTES).map(Some);
            }
        };
        let mut request = wanted.request(url);
        request.if_none_match = etag.map(str::to_owned);
        let document = self
            .client
            .fetch_once(&request, limits::PLAYLIST_BYTES)
            .await?;
        let is_new = document.head.status != Status::NotModified;
        Ok(is_new.then(|| Text::of(document)))
    }

    /// Gives up the bytes of `wanted`: they will not be read again. Only in a
    /// place that is this run's own (see [`Store::on`]).
    pub fn forget(&self, wanted: &Wanted) {
        if let Location::Http(url) = &wanted.location
            && let Some(stream) = self.disk.found()
            && let Err(problem) = stream.remove(&wanted.identity(url))
        {
            tracing::warn!("{problem}");
        }
    }

    /// The same store with its bytes kept in memory from now on.
    pub fn in_memory(self) -> Self {
        let disk = self.spare.clone();
        self.on(disk)
    }

    /// The same store with its bytes kept on `disk` from now on.
    pub fn on(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }
}
