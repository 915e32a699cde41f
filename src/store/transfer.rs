//! One body on its way into a cache entry. A transfer that breaks is resumed at
//! the exact byte (Range and If-Range) within its retry budget; an answer of
//! another version of the resource ends it, because parts are never mixed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Entry, Writer};
use crate::error::{Kind, Problem};
use crate::fetch::{Attempts, ByteRange, Failure, Request, Response, Status};
use crate::stats::Waste;
use crate::store::first::web_page;
use crate::store::kept::Kept;
use crate::store::sniff::is_web_page;
use crate::store::{Body, Store, Wanted, offline, remote};
use crate::text;

/// What is written at once when room is short.
const STEP: usize = 16 << 10;
/// What a transfer moved, for the throughput estimate.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Body bytes.
    pub bytes: u64,
    /// Request to head of the answer, of the first try.
    pub first_byte: Duration,
    /// Head of the answer to the last byte.
    pub transfer: Duration,
}

/// A body that is being received.
pub struct Transfer {
    pub(super) store: Store,
    pub(super) request: Request,
    /// Offset in the resource of the entry's first byte.
    pub(super) base: u64,
    pub(super) kept: Arc<Kept>,
    /// The entry written to: that of `kept`, or its spare in memory.
    pub(super) target: Arc<Entry>,
    pub(super) writer: Writer,
    pub(super) response: Response,
    pub(super) attempts: Attempts,
    /// Body bytes read before the transfer began to run (the sniffed ones).
    pub(super) head_bytes: Vec<u8>,
    pub(super) first_byte: Duration,
    pub(super) moved: u64,
    /// Body bytes that come before the part that is wanted.
    pub(super) skip: u64,
    /// See [`Wanted::is_ahead`].
    pub(super) is_ahead: bool,
}

impl Transfer {
    /// The answer to a request for a span of a file, which must be of the
    /// version that is kept; `base` is where the entry begins in the resource.
    /// `None` while another process writes it.
    pub(super) fn onto(
        store: &Store,
        kept: Arc<Kept>,
        request: Request,
        base: u64,
        response: Response,
        first_byte: Duration,
    ) -> Result<Option<Box<Self>>, Problem> {
        let head = kept.entry().head();
        let is_same = match head.validator() {
            Some(validator) => response.head.validator() == Some(validator),
            None => true,
        };
        let is_same = is_same && (base > 0 || agree(kept.entry().total(), response.head.total));
        if !is_same {
            let problem = changed(&request);
            kept.entry().fail(problem.clone());
            return Err(problem);
        }
        let target = Arc::clone(kept.target());
        let skip = base.saturating_sub(response.head.offset);
        let offset = response.head.offset.saturating_sub(base);
        let Some(writer) = target.writer(offset)? else {
            return Ok(None);
        };
        Ok(Some(Box::new(Self {
            attempts: store.client.attempts(),
            store: store.clone(),
            request,
            base,
            target,
            kept,
            writer,
            response,
            head_bytes: Vec::new(),
            first_byte,
            moved: 0,
            skip,
            is_ahead: false,
        })))
    }

    /// Where in the entry it goes on.
    pub fn position(&self) -> u64 {
        self.writer.position()
    }

    /// Whether the server sends the part that was asked for.
    pub fn is_part(&self) -> bool {
        self.response.head.status == Status::Part
    }

    /// Receives the body to its end.
    ///
    /// # Errors
    ///
    /// The last problem when the retry budget is spent, [`Kind::Changed`] when
    /// the resource is not the same any more, [`Kind::Cache`] when it must be
    /// stored and the disk refuses. Readers of the entry get the same problem.
    pub async fn run(mut self) -> Result<Moved, Problem> {
        let begun = Instant::now();
        match self.receive().await {
            Ok(()) => {
                let (bytes, first_byte) = (self.moved, self.first_byte);
                self.seal()?;
                Ok(Moved {
                    bytes,
                    first_byte,
                    transfer: begun.elapsed(),
                })
            }
            Err(problem) => {
                self.kept.entry().fail(problem.clone());
                Err(problem)
            }
        }
    }
}

impl Transfer {
    async fn receive(&mut self) -> Result<(), Problem> {
        self.kept.set_reached(self.writer.position());
        let head = std::mem::take(&mut self.head_bytes);
        self.write(&head).await?;
        while !self.has_all() {
            let broken = match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    self.refuse_web_page(&chunk)?;
                    self.write(&chunk).await?;
                    continue;
                }
                Ok(None) => return Ok(()),
                Err(failure) => failure,
            };
            self.resume(broken).await?;
        }
        Ok(())
    }

    /// Whether the wanted part is here although the body goes on.
    fn has_all(&self) -> bool {
        let is_part = self
            .request
            .range
            .is_some_and(|range| range.end().is_some());
        is_part && self.target.total() == Some(self.writer.position())
    }

    /// What of `bytes` belongs to the wanted part.
    fn clip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        self.skip -= before as u64;
        let rest = &bytes[before..];
        let is_part = self
            .request
            .range
            .is_some_and(|range| range.end().is_some());
        let left = self
            .target
            .total()
            .filter(|_| is_part)
            .map_or(u64::MAX, |total| {
                total.saturating_sub(self.writer.position())
            });
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let useless = bytes.len() - wanted;
        self.store.stats.waste(Waste::Unasked, useless as u64);
        &rest[..wanted]
    }

    /// Nothing of a page that came in place of a segment is kept.
    fn refuse_web_page(&self, chunk: &[u8]) -> Result<(), Problem> {
        if self.moved > 0 || self.response.head.offset > 0 || !is_web_page(chunk) {
            return Ok(());
        }
        let url = text::short_url(self.request.url.as_str());
        Err(web_page(format!("cannot play {url}"), &self.response))
    }

    /// Writes the next bytes; when the disk refuses, into memory from here on.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let mut bytes = self.clip(bytes);
        self.moved += bytes.len() as u64;
        self.store.stats.cache_miss_bytes.add(bytes.len() as u64);
        self.store.stats.wire_bytes.add(bytes.len() as u64);
        let mut step = usize::MAX;
        while !bytes.is_empty() {
            self.spare_memory().await?;
            let before = self.writer.position();
            let (now, _) = bytes.split_at(step.min(bytes.len()));
            let written = self.writer.write(now);
            let done = self.writer.position().saturating_sub(before);
            let done = usize::try_from(done).unwrap_or(usize::MAX);
            bytes = bytes.get(done..).unwrap_or_default();
            self.kept.set_reached(self.writer.position());
            match written {
                // Less may fit.
                Err(problem) if problem.kind == Kind::Full && step > STEP => step = STEP,
                Err(problem) if problem.kind.is_cache() && !self.store.policy.must_store => {
                    self.refused(problem).await?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Asks for the rest after `broken`. What comes again is compared with what
    /// is there, byte by byte, so a server without ranges is no danger.
    async fn resume(&mut self, broken: Failure) -> Result<(), Problem> {
        let client = self.store.client.clone();
        client.pause(broken, &mut self.attempts).await?;
        let position = self.base + self.writer.position();
        let mut request = self.request.clone();
        request.range = match request.range.and_then(ByteRange::end) {
            Some(end) => ByteRange::new(position, end),
            None => Some(ByteRange::from_byte(position)),
        };
        let head = self.kept.entry().head();
        request.if_range = head.validator().map(str::to_owned);
        request.total = self.response.head.total;
        let response = client.open(&request, &mut self.attempts).await?;
        let is_same = match head.validator() {
            Some(validator) => response.head.validator() == Some(validator),
            None => response.head.total == self.response.head.total,
        };
        if !is_same {
            return Err(changed(&self.request));
        }
        self.skip = self.base.saturating_sub(response.head.offset);
        let offset = response.head.offset.saturating_sub(self.base);
        let again = self.writer.position().saturating_sub(offset);
        self.store.stats.waste(Waste::Repeated, again);
        self.rewind(offset)?;
        self.response = response;
        Ok(())
    }

    /// Puts the writer where the answer begins; what is noted so far is kept.
    fn rewind(&mut self, offset: u64) -> Result<(), Problem> {
        if offset == self.writer.position() {
            return Ok(());
        }
        let next = self
            .target
            .writer(offset)?
            .ok_or_else(|| changed(&self.request))?;
        std::mem::replace(&mut self.writer, next).close()
    }

    fn seal(self) -> Result<(), Problem> {
        let is_whole = self.kept.entry().total().is_none();
        let sealed = if is_whole {
            self.writer.finish()
        } else {
            self.writer.close()
        };
        match sealed {
            Err(problem) if problem.kind.is_cache() && !self.store.policy.must_store => {
                self.store.go_without(problem);
                Ok(())
            }
            result => result,
        }
    }
}

/// Whether two lengths, as far as they are known, are the same.
fn agree(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl Store {
    /// Brings `wanted` into memory for the readers of `kept`, whose file cannot
    /// be read: they pass to it at the first byte they lack.
    ///
    /// # Errors
    ///
    /// `problem` when the run must store; [`Kind::Offline`]; those of the server.
    pub async fn bring_into_memory(
        &self,
        wanted: &Wanted,
        kept: &Arc<Kept>,
        problem: Problem,
    ) -> Result<(), Problem> {
        if self.policy.must_store {
            return Err(problem);
        }
        let url = remote(wanted)?;
        if self.policy.is_offline() {
            return Err(offline(wanted));
        }
        self.go_without(problem.clone());
        let request = wanted.request(url);
        let asked = Instant::now();
        let mut attempts = self.client.attempts();
        let response = self.client.open(&request, &mut attempts).await?;
        // From here on new bytes go to memory: this is where they come.
        let opened = self.receive(wanted, request, response, Vec::new(), asked.elapsed())?;
        if let Body::Entry(spare) = &opened.body {
            kept.go_on_in(Arc::clone(spare.entry()));
        }
        kept.entry().fail(problem);
        match opened.transfer {
            Some(carrier) => carrier.run().await.map(drop),
            None => Ok(()),
        }
    }
}

fn changed(request: &Request) -> Problem {
    let what = format!(
        "cannot go on with {}",
        text::short_url(request.url.as_str())
    );
    Problem::new(
        Kind::Changed,
        what,
        "it changed on the server while it was read",
        "start again",
    )
}
