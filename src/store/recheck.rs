//! Asking behind the sound: what was taken from the cache without a request is
//! asked about later, one resource after another, in the order of use. What the
//! listener hears is not touched; a stream found outdated is asked for first in
//! the next run.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::cache::Entry;
use crate::error::{Kind, Problem};
use crate::event::{Event, RequestKind};
use crate::fetch::{Head, Status};
use crate::limits;
use crate::store::policy::{Asking, Policy, unless_same};
use crate::store::text::kept_text;
use crate::store::{Store, Wanted, head_of, remote};

/// Enough for what is heard while sound is ahead of the network; what is not
/// asked about in this run is in one of the next.
const QUEUE: usize = 1024;

/// How long the network is left to what sound needs.
const QUIET: Duration = Duration::from_millis(100);
/// How long the end of a run waits for answers.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is still to be asked about.
pub(super) struct Unasked {
    queue: Mutex<VecDeque<Wanted>>,
    added: Notify,
    /// What was stored after this moment needs no asking.
    since: SystemTime,
    /// Nothing more is to be asked.
    is_over: AtomicBool,
    /// The server answers conditional requests in full: only playlists are
    /// worth asking about.
    is_costly: AtomicBool,
}

/// What the server says of a stored copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Same,
    Other,
    /// It is gone, refused, or cannot be told.
    Nothing,
}

impl Store {
    /// Asks about what was taken unasked; never returns. Sound comes first, so
    /// it begins a moment later.
    pub async fn recheck(&self) {
        tokio::time::sleep(QUIET).await;
        while !self.unasked.is_over.load(Ordering::Relaxed) {
            match self.unasked.pop() {
                Some(wanted) => self.recheck_one(&wanted).await,
                None => self.unasked.added.notified().await,
            }
        }
        std::future::pending().await
    }

    /// Before a run ends by itself: asks about the playlists and files that
    /// were not asked about yet, so that no change is missed for ever by runs
    /// that are short. A network that does not answer costs a second.
    pub async fn settle(&self) {
        let asked = async {
            while !self.unasked.is_over.load(Ordering::Relaxed)
                && let Some(wanted) = self.unasked.pop_first()
            {
                self.recheck_one(&wanted).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, asked).await;
    }

    /// Whether `problem` may come of a stored playlist that leads astray.
    pub fn may_be_outdated(&self, problem: &Problem) -> bool {
        self.policy.asking == Asking::Later && matches!(problem.kind, Kind::HttpStatus(_))
    }

    /// The same store, which asks before it uses what is stored.
    pub fn asking_first(self) -> Self {
        let policy = Policy {
            asking: Asking::First,
            ..self.policy
        };
        Self { policy, ..self }
    }

    /// `wanted` was answered by `entry`, unasked.
    pub(super) fn ask_later(&self, wanted: &Wanted, entry: &Entry) {
        let is_old = entry
            .begun()
            .is_some_and(|begun| begun < self.unasked.since);
        if self.policy.asking == Asking::Later && is_old {
            self.unasked.add(wanted.clone());
        }
    }

    /// Nothing more is asked when the answer is known, or none can be had.
    async fn recheck_one(&self, wanted: &Wanted) {
        let answer = self.judged(wanted).await;
        match &answer {
            Ok(Answer::Other) => self.outdated(),
            Ok(Answer::Same | Answer::Nothing) => return,
            Err(problem) => tracing::info!("{problem}"),
        }
        self.unasked.is_over.store(true, Ordering::Relaxed);
    }

    async fn judged(&self, wanted: &Wanted) -> Result<Answer, Problem> {
        let url = remote(wanted)?;
        let Some(entry) = self.find(&wanted.identity(url)) else {
            return Ok(Answer::Nothing);
        };
        let mut request = wanted.request(url);
        unless_same(&mut request, &entry);
        let is_list = is_list(wanted);
        let can_tell = entry.head().etag.is_some() || entry.head().last_modified.is_some();
        if !is_list && (!can_tell || self.unasked.is_costly.load(Ordering::Relaxed)) {
            return Ok(Answer::Nothing);
        }
        if is_list {
            let found = self.client.fetch_once(&request, limits::PLAYLIST_BYTES);
            return match found.await {
                Ok(found) if found.head.status == Status::NotModified => Ok(Answer::Same),
                Ok(found) => {
                    let is_same = is_same_text(&kept_text(&entry)?.bytes, &found.bytes);
                    Ok(if is_same { Answer::Same } else { Answer::Other })
                }
                Err(problem) => refused(problem),
            };
        }
        match self.client.open_once(&request).await {
            Ok(answer) if answer.head.status == Status::NotModified => Ok(Answer::Same),
            Ok(answer) => {
                self.unasked.is_costly.store(true, Ordering::Relaxed);
                Ok(judge(&entry, wanted, &answer.head))
            }
            Err(problem) => refused(problem),
        }
    }

    fn outdated(&self) {
        if let Err(problem) = self.disk.set_outdated(true) {
            tracing::warn!("{problem}");
        }
        self.events.send(Event::Warning(Problem::new(
            Kind::Changed,
            "cannot vouch for the stored copy",
            "the stream has changed on the server",
            "the next run fetches it anew",
        )));
    }
}

impl Default for Unasked {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            added: Notify::new(),
            since: SystemTime::now(),
            is_over: AtomicBool::new(false),
            is_costly: AtomicBool::new(false),
        }
    }
}

impl Unasked {
    fn add(&self, wanted: Wanted) {
        let mut queue = self.queue();
        if queue.len() < QUEUE {
            queue.push_back(wanted);
        }
        drop(queue);
        self.added.notify_one();
    }

    fn pop(&self) -> Option<Wanted> {
        self.queue().pop_front()
    }

    /// The next of what a run begins with.
    fn pop_first(&self) -> Option<Wanted> {
        let mut queue = self.queue();
        let place = queue.iter().position(is_first)?;
        queue.remove(place)
    }

    // A queue is whole after every step.
    fn queue(&self) -> MutexGuard<'_, VecDeque<Wanted>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy outlives its original: only a network that is down ends the asking.
fn refused(problem: Problem) -> Result<Answer, Problem> {
    tracing::info!("{problem}");
    match problem.kind {
        Kind::Resolve | Kind::Connect | Kind::NoData | Kind::Tls => Err(problem),
        _ => Ok(Answer::Nothing),
    }
}

/// Whether it is a playlist or the file itself: what tells of any change.
fn is_first(wanted: &Wanted) -> bool {
    matches!(
        wanted.kind,
        RequestKind::Multivariant | RequestKind::Media | RequestKind::File
    )
}

/// Whether it is small and read whole.
fn is_list(wanted: &Wanted) -> bool {
    matches!(
        wanted.kind,
        RequestKind::Multivariant | RequestKind::Media | RequestKind::Key
    )
}

/// Judges by the head of an answer in full.
fn judge(entry: &Entry, wanted: &Wanted, head: &Head) -> Answer {
    let mut head = head_of(head);
    if wanted.range.is_some() {
        head.total = None; // that of the whole resource, of which a part is stored
    }
    match entry.head().is_same_version(&head) {
        true => Answer::Same,
        false => Answer::Other,
    }
}

/// Whether two playlists differ at most in the queries of their addresses: a
/// server that signs addresses anew for each request says the same thing.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    one == other || without_queries(one).eq(without_queries(other))
}

fn without_queries(text: &[u8]) -> impl Iterator<Item = &u8> {
    let mut is_query = false;
    text.iter().filter(move |byte| {
        is_query = match byte {
            b'?' => true,
            b'"' | b'\n' | b'\r' => false,
            _ => is_query,
        };
        !is_query
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_signed_anew_are_the_same() {
        let list = |query: &str, name: &str| {
            format!(
                "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k{query}\",IV=0x1\n#EXTINF:6,\r\n{name}{query}\n"
            )
        };
        let cases = [
            (list("", "a.ts"), list("", "a.ts"), true),
            (list("?t=1", "a.ts"), list("?t=22", "a.ts"), true),
            (list("?t=1", "a.ts"), list("", "a.ts"), true),
            (list("?t=1", "a.ts"), list("?t=1", "b.ts"), false),
            (
                list("", "a.ts"),
                list("", "a.ts") + "#EXTINF:1,\nb.ts\n",
                false,
            ),
        ];
        for (one, other, want) in cases {
            let is_same = is_same_text(one.as_bytes(), other.as_bytes());
            assert_eq!(is_same, want, "{one} {other}");
        }
    }
}
