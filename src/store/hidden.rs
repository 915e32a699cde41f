//! What a server forbids keeping (`Cache-Control: no-store`): it goes to a place
//! of this run's own, made when the first of it comes, and leaves with the run.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::cache::Identity;
use crate::error::{Kind, Problem};
use crate::store::{Disk, Store};
use crate::text;

/// Where a stream's hidden place is, or will be.
#[derive(Clone)]
pub(super) struct Hidden {
    parent: PathBuf,
    place: Arc<OnceLock<Disk>>,
}

impl Hidden {
    /// In a folder of its own in `parent`.
    pub fn new(parent: PathBuf) -> Self {
        let place = Arc::default();
        Self { parent, place }
    }

    /// The place, if something was hidden.
    pub fn found(&self) -> Option<&Disk> {
        self.place.get()
    }
}

impl Store {
    /// The place for the bytes of an answer that may not be kept. Those of an
    /// older answer that was kept go.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the run was to keep them.
    pub(super) fn hide(&self, identity: &Identity) -> Result<&Disk, Problem> {
        let disk = self.disk();
        if !disk.is_shared() {
            return Ok(disk);
        }
        if self.policy.must_store {
            return Err(forbidden(identity));
        }
        if let Some(stream) = disk.found() {
            stream.remove(identity)?;
        }
        if self.hidden.found().is_none() {
            let made = disk.hidden(&self.hidden.parent)?;
            // Whoever was first has made as good a one.
            let _ = self.hidden.place.set(made);
        }
        Ok(self.hidden.found().unwrap_or(&self.spare))
    }
}

fn forbidden(identity: &Identity) -> Problem {
    Problem::new(
        Kind::Cache,
        format!("cannot keep \"{}\"", text::short_url(identity.url())),
        "the server forbids it (Cache-Control)",
        "play it instead",
    )
}
