//! One resource as it came over the wire: a file, what is known of it, and the
//! place where its readers and its writers meet. Nothing here waits but readers.

mod claim;
mod giving;
mod wait;

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use crate::cache::head::Head;
use crate::cache::key::Identity;
use crate::cache::known::Known;
use crate::cache::log::Log;
use crate::cache::reader::Reader;
use crate::cache::stream::Shelf;
use crate::cache::writer::Writer;
use crate::error::{Kind, Problem, reason};
use crate::text;

pub(in crate::cache) use wait::checksum;

const NOWHERE: u64 = u64::MAX; // no reader waits

/// One resource in the cache. Its files are open as long as it lives.
pub struct Entry {
    identity: Identity,
    head: Head,
    shelf: Arc<Shelf>,
    data: File,
    /// `None` in memory, where nothing outlives the process.
    log: Option<Log>,
    state: Mutex<State>,
    wanted: AtomicU64,
    is_awaited: AtomicBool,
    is_seekable: AtomicBool,
    /// How far each reader is.
    seats: Mutex<Vec<Weak<AtomicU64>>>,
    waker: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

struct State {
    known: Known,
    failed: Option<Problem>,
    unreadable: Option<Problem>,
    is_offline: bool,
    /// How far the record was read.
    read_until: u64,
    /// We alone may append to the record.
    is_claimed: bool,
    writers: u32,
}

impl Entry {
    /// An entry in memory: `log` is `None`; or on disk, with what its record says.
    pub(in crate::cache) fn new(
        shelf: Arc<Shelf>,
        identity: Identity,
        head: Head,
        data: File,
        log: Option<(Log, bool)>,
    ) -> Self {
        let (log, is_claimed) = log.unzip();
        Self {
            state: Mutex::new(State {
                known: Known::new(head.total),
                failed: None,
                unreadable: None,
                is_offline: false,
                read_until: log.as_ref().map_or(0, |log| log.start),
                is_claimed: is_claimed.unwrap_or(true),
                writers: 0,
            }),
            identity,
            head,
            shelf,
            data,
            log,
            wanted: AtomicU64::new(NOWHERE),
            is_awaited: AtomicBool::new(false),
            is_seekable: AtomicBool::new(false),
            seats: Mutex::default(),
            waker: Mutex::default(),
        }
    }

    /// What was asked for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the server said when the entry was begun; see [`Entry::total`] for
    /// a length learnt later.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// When its first byte was stored; `None` in memory.
    pub fn begun(&self) -> Option<SystemTime> {
        let nanos = self.log.as_ref()?.record.generation;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
    }

    /// Length of the resource, once it is known.
    pub fn total(&self) -> Option<u64> {
        self.state().known.total
    }

    /// Whether its bytes are held in memory.
    pub fn is_memory(&self) -> bool {
        self.log.is_none()
    }

    /// Whether the length and every byte are known. Bytes of an earlier run
    /// may still turn out damaged: [`Entry::check`] makes sure.
    pub fn is_complete(&self) -> bool {
        self.state().known.is_complete()
    }

    /// The end of the known bytes that begin at `offset`; `offset` when there are none.
    pub fn known_until(&self, offset: u64) -> u64 {
        self.state().known.until(offset)
    }

    /// How many bytes are known.
    pub fn known_bytes(&self) -> u64 {
        self.state().known.bytes()
    }

    /// The first missing range at or after `from`; it ends at `u64::MAX` while
    /// the length is unknown.
    pub fn first_gap(&self, from: u64) -> Option<Range<u64>> {
        self.state().known.gap(from)
    }

    /// Why its file cannot be read, if that was tried.
    pub fn unreadable_file(&self) -> Option<Problem> {
        self.state().unreadable.clone()
    }

    /// Notes that the file cannot be read; `false` when nobody would bring its
    /// bytes anew.
    pub(in crate::cache) fn give_up_on(&self, error: &io::Error) -> bool {
        let problem = self.unreadable(error);
        self.state().unreadable = Some(problem);
        self.waker().is_some()
    }

    /// Whether this process is writing it just now.
    pub fn is_being_written(&self) -> bool {
        self.state().writers > 0
    }

    /// Checks every byte that an earlier run left and forgets what is damaged.
    /// Returns how many bytes were lost.
    pub fn check(&self) -> u64 {
        let mut offset = 0;
        let mut lost = 0;
        loop {
            let next = self.state().known.unchecked(offset);
            let Some(piece) = next else {
                return lost;
            };
            if !self.verify(&piece) {
                lost += u64::from(piece.length);
            }
            offset = piece.range().end;
        }
    }

    /// Takes over what another process has added to the record since.
    pub fn refresh(&self) {
        self.follow(&mut self.state());
    }

    /// A writer from `offset` on; `None` while another process writes this
    /// entry: its bytes show up here as they come. Writers of one process may
    /// work side by side on different spans.
    ///
    /// # Errors
    ///
    /// [`Kind::Cache`] when the entry cannot be written.
    pub fn writer(self: &Arc<Self>, offset: u64) -> Result<Option<Writer>, Problem> {
        let mut state = self.state();
        if !self.claim(&mut state)? {
            return Ok(None);
        }
        state.failed = None;
        state.writers += 1;
        drop(state);
        Ok(Some(Writer::new(Arc::clone(self), offset)))
    }

    /// A reader at the start. It waits for bytes that are not there.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader::new(Arc::clone(self))
    }

    /// Readers that wait for bytes get this error, until someone writes again.
    pub fn fail(&self, problem: Problem) {
        self.state().failed = Some(problem);
        self.shelf.house.bell.ring();
    }

    /// Nothing will be fetched: readers fail at a gap instead of waiting.
    pub fn set_offline(&self) {
        self.state().is_offline = true;
        self.shelf.house.bell.ring();
    }

    /// Whether a reader's seek to missing bytes is answered by a ranged request.
    pub fn set_seekable(&self, is_seekable: bool) {
        self.is_seekable.store(is_seekable, Ordering::Relaxed);
    }

    /// See [`Entry::set_seekable`]; a complete entry always is.
    pub fn is_seekable(&self) -> bool {
        self.is_seekable.load(Ordering::Relaxed) || self.is_complete()
    }

    /// The offset that a reader waits for.
    pub fn wanted(&self) -> Option<u64> {
        Some(self.wanted.load(Ordering::Acquire)).filter(|offset| *offset != NOWHERE)
    }

    /// `waker` is called, on the reader's thread, whenever a reader begins to wait.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send + Sync>) {
        *self.waker() = Some(Arc::from(waker));
    }

    /// Whether these bytes are those that `head` announces: the same version,
    /// or just being written and nothing speaks against it.
    pub(in crate::cache) fn serves(&self, head: &Head) -> bool {
        let is_written = self.state().writers > 0;
        self.head.is_same_version(head) || (is_written && self.head.is_alike(head))
    }

    /// How long from `offset` on, up to `end`, bytes are all known or all
    /// missing, and which.
    pub(in crate::cache) fn run(&self, offset: u64, end: u64) -> (u64, bool) {
        let state = self.state();
        let until = state.known.until(offset);
        if until > offset {
            return (until.min(end) - offset, true);
        }
        let gap = state.known.gap(offset);
        (gap.map_or(end, |gap| gap.end.min(end)) - offset, false)
    }

    /// The bytes.
    pub(in crate::cache) fn data(&self) -> &File {
        &self.data
    }

    /// The record; `None` in memory.
    pub(in crate::cache) fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// The answer to a write that failed.
    pub(in crate::cache) fn unwritable(&self, error: &io::Error) -> Problem {
        self.problem(
            Kind::Cache,
            "cannot keep",
            &reason(error),
            "check the disk, or use --no-cache",
        )
    }

    /// The answer to a read that failed.
    pub(in crate::cache) fn unreadable(&self, error: &io::Error) -> Problem {
        self.problem(
            Kind::Cache,
            "cannot read",
            &reason(error),
            "check the disk, or use --no-cache",
        )
    }

    /// The answer to bytes that do not belong to those we have.
    pub(in crate::cache) fn changed(&self, why: &str) -> Problem {
        self.problem(Kind::Changed, "cannot go on with", why, "start again")
    }

    fn problem(&self, kind: Kind, what: &str, why: &str, todo: &'static str) -> Problem {
        let url = text::short_url(self.identity.url());
        Problem::new(kind, format!("{what} \"{url}\""), why, todo)
    }

    // Nothing that is done under these locks panics; the values stay whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Arc<dyn Fn() + Send + Sync>>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("url", &text::short_url(self.identity.url()))
            .finish_non_exhaustive()
    }
}
