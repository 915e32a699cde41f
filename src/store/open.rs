//! A resource as bytes that arrive: from the cache when it has all of them, else
//! from the network, going on where an earlier run or another process stopped.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::Entry;
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::fetch::{ByteRange, Request, Response, Status};
use crate::location::Location;
use crate::store::policy::unless_same;
use crate::store::text::{is_network, stale};
use crate::store::{
    Body, Carrier, Kept, Opened, Store, Transfer, Wanted, head_of, offline, remote,
};

impl Store {
    /// Opens `wanted`: at once when its bytes are here, else when the server has
    /// begun to answer.
    ///
    /// # Errors
    ///
    /// [`Kind::Offline`] when it would need the network, the server's refusal
    /// after retries, [`Kind::Cache`] when it must be stored and cannot,
    /// [`Kind::Unsafe`] for a link out of a local playlist's folder.
    pub async fn open(&self, wanted: &Wanted) -> Result<Opened, Problem> {
        let is_local = match &wanted.location {
            Location::Http(_) => false,
            Location::File(path) => self.tree.admits(path).map(|()| true)?,
        };
        if (is_local || self.policy.trusts_media())
            && let Some(body) = self.cached(wanted)
        {
            if let Body::Entry(kept) = &body {
                self.ask_later(wanted, kept.entry());
            }
            self.count_hit(&body);
            return Ok(Opened {
                body,
                transfer: None,
            });
        }
        let url = remote(wanted)?;
        if self.policy.is_offline() {
            return Err(offline(wanted));
        }
        let _announced = self.announce(wanted).await;
        let mut request = wanted.request(url);
        let old = self.find(&wanted.identity(url));
        if let Some(entry) = &old
            && let Some(opened) = self.brought(wanted, entry)
        {
            return Ok(opened);
        }
        match &old {
            Some(entry) if entry.is_complete() => unless_same(&mut request, entry),
            Some(entry) => resume(&mut request, entry, wanted.base(), wanted.base()),
            None => {}
        }
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = match (self.client.open(&request, &mut attempts).await, &old) {
            (Err(problem), Some(entry)) if entry.is_complete() && is_network(&problem) => {
                self.events.send(Event::Warning(stale(problem)));
                return Ok(self.hit(Arc::clone(entry)));
            }
            (answer, _) => answer?,
        };
        let first_byte = asked.elapsed();
        if response.head.status == Status::NotModified
            && let Some(entry) = old
        {
            return Ok(self.hit(entry));
        }
        self.receive(wanted, request, response, Vec::new(), first_byte)
    }

    /// Asks for `span` of a file that is being stored, with what is known of it.
    pub async fn open_span(
        &self,
        wanted: &Wanted,
        kept: &Arc<Kept>,
        span: Range<u64>,
    ) -> Result<Option<Box<Transfer>>, Problem> {
        let url = remote(wanted)?;
        if self.policy.is_offline() {
            return Err(offline(wanted));
        }
        let mut request = wanted.request(url);
        request.range = match span.end {
            u64::MAX => Some(ByteRange::from_byte(span.start)),
            end => ByteRange::new(span.start, end),
        };
        request.if_range = kept.entry().head().validator().map(str::to_owned);
        request.total = kept.entry().total();
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = self.client.open(&request, &mut attempts).await?;
        let first_byte = asked.elapsed();
        Transfer::onto(self, Arc::clone(kept), request, 0, response, first_byte)
    }

    /// What another process has brought meanwhile, or is bringing.
    fn brought(&self, wanted: &Wanted, entry: &Arc<Entry>) -> Option<Opened> {
        if self.is_theirs(entry) {
            return Some(self.follow(wanted, Arc::clone(entry)));
        }
        let is_whole = self.policy.trusts_media() && entry.check() == 0 && entry.is_complete();
        is_whole.then(|| self.hit(Arc::clone(entry)))
    }

    /// Begins (or goes on with) the entry that `response` belongs to.
    pub(super) fn receive(
        &self,
        wanted: &Wanted,
        request: Request,
        response: Response,
        head_bytes: Vec<u8>,
        first_byte: Duration,
    ) -> Result<Opened, Problem> {
        let identity = wanted.identity(remote(wanted)?);
        // A server without parts begins before the part that is wanted.
        let skip = wanted.base().saturating_sub(response.head.offset);
        let offset = (response.head.offset).saturating_sub(wanted.base());
        let mut head = head_of(&response.head);
        if let Some(range) = &wanted.range {
            let end = head.total.map_or(range.end, |total| range.end.min(total));
            head.total = end.checked_sub(range.start);
        }
        let no_store = response.head.no_store;
        let begun = self.kept_by(&identity, no_store, |stream| {
            match self.begin(stream, wanted, &identity, &head, offset) {
                // What is fetched ahead waits for room.
                Err(problem) if problem.kind == Kind::Full && wanted.is_ahead => Ok(Err(problem)),
                begun => begun.map(Ok),
            }
        })??;
        let (entry, writer) = match begun {
            (entry, Some(writer)) => (entry, writer),
            (entry, None) if self.admits(&entry) => return Ok(self.follow(wanted, entry)),
            // What another process keeps of it goes as soon as it was read there.
            (_, None) => {
                let stream = self.spare.made()?;
                let entry = stream.begin(&identity, head.clone())?;
                let writer = entry.writer(offset)?;
                let writer = writer.expect("in memory nobody else writes");
                (entry, writer)
            }
        };
        // What an earlier run left and this answer goes on from.
        self.stats.cache_hit_bytes.add(offset);
        self.stats.wire_bytes.add(offset);
        entry.set_seekable(response.head.status == Status::Part || response.head.accepts_ranges);
        let kept = Kept::new(entry);
        let transfer = Transfer {
            store: self.clone(),
            request,
            base: wanted.base(),
            target: Arc::clone(kept.entry()),
            kept: Arc::clone(&kept),
            writer,
            response,
            attempts: self.client.attempts(),
            head_bytes,
            first_byte,
            moved: 0,
            skip,
            is_ahead: wanted.is_ahead,
        };
        Ok(Opened {
            body: Body::Entry(kept),
            transfer: Some(Carrier::Ours(Box::new(transfer))),
        })
    }
}

/// Lets `request` go on where the known bytes of `entry` end, if a validator
/// can tell that they are of the same version.
pub(super) fn resume(request: &mut Request, entry: &Entry, base: u64, from: u64) {
    let Some(validator) = entry.head().validator() else {
        return;
    };
    let Some(gap) = entry.first_gap(from - base) else {
        return;
    };
    if gap.start == 0 {
        return;
    }
    let end = request.range.and_then(ByteRange::end);
    request.range = match end {
        Some(end) => ByteRange::new(base + gap.start, end),
        None => Some(ByteRange::from_byte(base + gap.start)),
    };
    request.if_range = Some(validator.to_owned());
}
