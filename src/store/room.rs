//! Room in the cache: what is begun only with room for all of it, what is told
//! the cache so that it can make some, and what becomes of bytes without.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cache::{Entry, Head, Identity, Stream, Writer};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::location::Location;
use crate::store::{Store, Wanted};

impl Store {
    /// Begins an entry, with room for all of it if it must or may be without.
    pub(super) fn begin(
        &self,
        stream: &Stream,
        wanted: &Wanted,
        identity: &Identity,
        head: &Head,
        offset: u64,
    ) -> Result<(Arc<Entry>, Option<Writer>), Problem> {
        let is_whole = self.policy.must_store || wanted.is_ahead;
        if is_whole && !stream.is_memory() && !stream.admits(head.total.unwrap_or(0))? {
            return Err(no_room(wanted));
        }
        let entry = stream.begin(identity, head.clone())?;
        let mut writer = entry.writer(offset)?;
        let reserved = match &mut writer {
            Some(writer) if is_whole => writer.reserve(),
            // Without all of its room it takes what there is.
            Some(writer) if self.admits(&entry) => writer.reserve().or(Ok(())),
            Some(_) | None => Ok(()),
        };
        if let Err(problem) = reserved {
            drop(writer);
            if entry.known_bytes() == 0 {
                stream.remove(identity)?;
            }
            return Err(match problem.kind {
                Kind::Full => Problem {
                    what: no_room(wanted).what,
                    ..problem
                },
                _ => problem,
            });
        }
        Ok((entry, writer))
    }

    /// Whether all of `entry` could be kept.
    pub(super) fn admits(&self, entry: &Entry) -> bool {
        let stream = self.disk().found();
        let total = entry.total().unwrap_or(0);
        stream.is_none_or(|stream| stream.admits(total).unwrap_or(true))
    }

    /// What the disk refuses is kept in memory. Said once. A disk that only
    /// lacks room is tried again for the next resource, any other never again.
    pub(super) fn go_without(&self, problem: Problem) {
        if self.disk.is_memory() {
            return;
        }
        if problem.kind != Kind::Full {
            self.is_degraded.store(true, Ordering::Release);
        }
        if !self.is_told.swap(true, Ordering::AcqRel) {
            let todo = "going on without the cache";
            self.events
                .send(Event::Warning(Problem { todo, ..problem }));
        }
    }

    /// Makes room for `bytes` that will be asked for; `false` when there is none.
    pub fn makes_room(&self, bytes: u64) -> bool {
        let stream = self.disk().found();
        stream.is_none_or(|stream| stream.makes_room(bytes))
    }

    /// What is kept of `wanted` was played and will not be read again: it goes
    /// first when the rest of the stream needs its room.
    pub fn played(&self, wanted: &Wanted) {
        if let Location::Http(url) = &wanted.location
            && let Some(stream) = self.disk().found()
        {
            stream.played(&wanted.identity(url));
        }
    }
}

fn no_room(wanted: &Wanted) -> Problem {
    Problem::new(
        Kind::Full,
        format!("cannot keep {}", wanted.name()),
        "it does not fit in the cache",
        "allow more with --cache-size",
    )
}
