//! What another process is fetching is not fetched twice: its entry is read as
//! it grows, and when that process dies its work is taken over.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Announcement, Entry};
use crate::error::Problem;
use crate::store::open::resume;
use crate::store::{Body, Kept, Moved, Opened, Store, Transfer, Wanted, remote};

/// How often a look is taken at what another process does: nobody rings for it.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// How long a request of another process, which has no answer yet, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever brings the bytes of an opened resource.
pub enum Carrier {
    /// This process.
    Ours(Box<Transfer>),
    /// Another one.
    Theirs(Box<Following>),
}

impl Carrier {
    /// Runs until every byte is here; `None` when none had to be moved.
    ///
    /// # Errors
    ///
    /// Those of [`Transfer::run`].
    pub async fn run(self) -> Result<Option<Moved>, Problem> {
        match self {
            Self::Ours(transfer) => transfer.run().await.map(Some),
            Self::Theirs(following) => following.run().await,
        }
    }

    /// Where in the entry it goes on.
    pub fn position(&self) -> u64 {
        match self {
            Self::Ours(transfer) => transfer.position(),
            Self::Theirs(following) => following.kept.known_until(0),
        }
    }

    /// Whether the server is known to send parts, as far as is known.
    pub fn is_part(&self) -> bool {
        match self {
            Self::Ours(transfer) => transfer.is_part(),
            Self::Theirs(_) => true,
        }
    }
}

/// An entry that another process writes.
pub struct Following {
    store: Store,
    wanted: Wanted,
    kept: Arc<Kept>,
}

impl Following {
    async fn run(self: Box<Self>) -> Result<Option<Moved>, Problem> {
        loop {
            let entry = self.kept.entry();
            entry.refresh();
            let Some(gap) = entry.first_gap(0) else {
                self.store.count_hit(&Body::Entry(Arc::clone(&self.kept)));
                return Ok(None);
            };
            // Whoever gets the claim has it from a process that ended, and
            // keeps it while the server is asked.
            if let Some(_claim) = entry.writer(gap.start)?
                && let Some(transfer) = self.take_over().await?
            {
                return transfer.run().await.map(Some);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The rest of it from the server; `None` when a third process was faster.
    async fn take_over(&self) -> Result<Option<Box<Transfer>>, Problem> {
        let (entry, base) = (self.kept.entry(), self.wanted.base());
        let mut request = self.wanted.request(remote(&self.wanted)?);
        resume(&mut request, entry, base, base);
        let asked = Instant::now();
        let mut attempts = self.store.client.attempts();
        let response = self.store.client.open(&request, &mut attempts).await;
        let response = response.inspect_err(|problem| entry.fail(problem.clone()))?;
        let kept = Arc::clone(&self.kept);
        Transfer::onto(&self.store, kept, request, base, response, asked.elapsed())
    }
}

impl Store {
    /// Reads `entry` as another process writes it.
    pub(super) fn follow(&self, wanted: &Wanted, entry: Arc<Entry>) -> Opened {
        let kept = Kept::new(entry);
        let carrier = self.follow_on(wanted, &kept);
        Opened {
            body: Body::Entry(kept),
            transfer: Some(carrier),
        }
    }

    /// Goes on reading the entry of `kept` as another process writes it.
    pub fn follow_on(&self, wanted: &Wanted, kept: &Arc<Kept>) -> Carrier {
        let following = Following {
            store: self.clone(),
            wanted: wanted.clone(),
            kept: Arc::clone(kept),
        };
        Carrier::Theirs(Box::new(following))
    }

    /// Tells other processes that `wanted` is about to be asked for. While one
    /// of them is asking, its answer is waited for.
    pub(super) async fn announce(&self, wanted: &Wanted) -> Option<Announcement> {
        let identity = wanted.identity(remote(wanted).ok()?);
        let until = Instant::now() + PATIENCE;
        loop {
            // A disk that refuses shows it when the bytes are written.
            let stream = self.disk().made().ok()?;
            if let Some(announcement) = stream.announce(&identity).ok()? {
                return Some(announcement);
            }
            if Instant::now() >= until || stream.find(&identity).is_some() {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether another process is writing `entry`, which is not whole.
    pub(super) fn is_theirs(&self, entry: &Arc<Entry>) -> bool {
        entry.refresh();
        // Where we may not write, nothing tells: the bytes go into memory then.
        let is_ours = |gap: Range<u64>| !matches!(entry.writer(gap.start), Ok(None));
        let is_theirs = entry.first_gap(0).is_some_and(|gap| !is_ours(gap));
        is_theirs && self.admits(entry)
    }
}
