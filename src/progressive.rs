//! One file over HTTP: handed to the decoder at once and filled from the front;
//! where the decoder waits somewhere else (a seek, a moov at the end), one
//! ranged request goes there, and the hole is filled later.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::cache::Entry;
use crate::decode::inbox::Doors;
use crate::error::Problem;
use crate::event::{Event, Events};
use crate::media::{Piece, WholeFile};
use crate::stats::Stats;
use crate::store::{Body, Carrier, Kept, Opened, Store, Wanted};

/// A reader that waits this close behind the writer is served by going on.
const NEAR: u64 = 512 << 10;
/// How often `cache` is told how far it is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What is to be done with the file.
pub struct Job {
    /// The file.
    pub wanted: Wanted,
    /// Whether it is read once more for its checksum.
    pub ledger: bool,
    /// Whether it is only stored.
    pub only_store: bool,
}

/// Gives the file to the decode thread and runs until it is done with it, or,
/// when the file is only stored, until every byte is.
///
/// # Errors
///
/// What keeps the bytes from coming. The decoder's reader gets the same.
pub async fn run(
    store: &Store,
    job: Job,
    opened: Opened,
    mut doors: Doors,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(), Problem> {
    let body = opened.body.clone();
    let moved = Arc::new(Notify::new());
    if let Body::Entry(kept) = &body {
        // Before anyone reads: a reader must not wait unheard.
        let waker = Arc::clone(&moved);
        kept.set_waker(Arc::new(move || waker.notify_one()));
    }
    let answered = match job.only_store {
        true => 0,
        false => hand(&job, &body, &doors, stats)?,
    };
    match body.clone() {
        Body::File(..) => sought(&job, &body, (&mut doors, answered), stats).await,
        Body::Entry(kept) => {
            let filled = fill(store, &job, &kept, (opened.transfer, &moved), events);
            if job.only_store {
                filled.await?;
                return store.sync();
            }
            tokio::select! {
                filled = filled => filled,
                result = sought(&job, &body, (&mut doors, answered), stats) => result,
            }
        }
    }
}

/// Gives the decode thread a reader of its own, for the place it wants; the seek
/// that this answers.
fn hand(job: &Job, body: &Body, doors: &Doors, stats: &Arc<Stats>) -> Result<u64, Problem> {
    let wire = match job.ledger {
        true => Some(body.source(stats)?),
        false => None,
    };
    let demand = doors.demand();
    doors.hand(Piece::File(WholeFile {
        epoch: demand.epoch,
        from: demand.from,
        url: job.wanted.location.to_string(),
        media: body.source(stats)?,
        wire,
        link: None,
    }));
    Ok(demand.epoch)
}

/// Hands the file over once more for every place that is sought, until the
/// decode thread is gone.
async fn sought(
    job: &Job,
    body: &Body,
    (doors, mut answered): (&mut Doors, u64),
    stats: &Arc<Stats>,
) -> Result<(), Problem> {
    loop {
        if doors.demand().epoch != answered {
            answered = hand(job, body, doors, stats)?;
        }
        if doors.changed().await {
            return Ok(());
        }
    }
}

async fn fill(
    store: &Store,
    job: &Job,
    kept: &Arc<Kept>,
    (mut transfer, moved): (Option<Carrier>, &Notify),
    events: &Events,
) -> Result<(), Problem> {
    let entry = kept.entry();
    if !job.only_store {
        kept.set_rolling();
    }
    let mut has_ranges = true;
    loop {
        if let Some(transfer) = transfer.take() {
            let begin = transfer.position();
            kept.set_reached(begin);
            has_ranges &= begin == 0 || transfer.is_part();
            tokio::select! {
                done = transfer.run() => { done?; }
                () = elsewhere(kept, moved, begin, has_ranges) => {}
                () = report_often(entry, job, events) => {}
            }
            report(entry, job, events);
        }
        if let Some(problem) = unreadable(kept) {
            store.bring_into_memory(&job.wanted, kept, problem).await?;
        }
        match next_gap(kept) {
            Some(gap) => {
                let span = store.open_span(&job.wanted, kept, gap).await;
                let span = span.inspect_err(|problem| kept.target().fail(problem.clone()))?;
                transfer = Some(match span {
                    Some(span) => Carrier::Ours(span),
                    None => store.follow_on(&job.wanted, kept),
                });
            }
            None if job.only_store => return Ok(()),
            // A reader that finds a damaged block waits for it, and wakes us.
            None => moved.notified().await,
        }
    }
}

/// Why the file of `kept` cannot be read, unless memory has taken its place.
fn unreadable(kept: &Kept) -> Option<Problem> {
    let is_on_disk = Arc::ptr_eq(kept.entry(), kept.target());
    let problem = kept.entry().unreadable_file();
    problem.filter(|_| is_on_disk)
}

/// What to ask for next. What a reader waits for goes first; a hole that was
/// left on the way is filled later, but not one that has no room.
fn next_gap(kept: &Kept) -> Option<Range<u64>> {
    let wanted = kept.wanted();
    let first = kept.first_gap(wanted.unwrap_or(0));
    match kept.has_given_up() {
        true => first.filter(|gap| wanted == Some(gap.start)),
        false => first.or_else(|| kept.first_gap(0)),
    }
}

/// Returns when a reader waits for bytes that the transfer begun at `begin`
/// will not bring soon.
async fn elsewhere(kept: &Kept, moved: &Notify, begin: u64, has_ranges: bool) {
    loop {
        moved.notified().await;
        let reached = kept.known_until(begin).max(kept.reached());
        let is_far = |wanted: u64| {
            let is_near = (reached..reached.saturating_add(NEAR)).contains(&wanted);
            // A reader that was served just now has not yet said so.
            !is_near && kept.known_until(wanted) == wanted
        };
        if has_ranges && kept.wanted().is_some_and(is_far) {
            return;
        }
    }
}

async fn report_often(entry: &Entry, job: &Job, events: &Events) {
    let mut ticks = tokio::time::interval(REPORT_EVERY);
    loop {
        ticks.tick().await;
        report(entry, job, events);
    }
}

fn report(entry: &Entry, job: &Job, events: &Events) {
    if job.only_store {
        let bytes = entry.known_bytes();
        events.send(Event::Progress {
            bytes,
            total: entry.total(),
            segments: 1,
            of: 1,
        });
    }
}
