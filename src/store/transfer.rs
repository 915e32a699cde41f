//! One body on its way into a cache entry. A transfer that breaks is resumed at
//! the exact byte (Range and If-Range) within its retry budget; an answer that
//! is another version of the resource ends it, because parts are never mixed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::{Entry, Writer};
use crate::error::{Kind, Problem};
use crate::fetch::{Attempts, ByteRange, Client, Request, Response, Verdict};

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
    pub(super) client: Client,
    pub(super) request: Request,
    pub(super) entry: Arc<Entry>,
    pub(super) writer: Writer,
    pub(super) response: Response,
    pub(super) attempts: Attempts,
    /// Body bytes read before the transfer began to run (the sniffed ones).
    pub(super) head: Vec<u8>,
    pub(super) first_byte: Duration,
}

impl Transfer {
    /// Receives the body to its end.
    ///
    /// # Errors
    ///
    /// The last problem when the retry budget is spent, [`Kind::Changed`] when
    /// the resource is not the same any more, [`Kind::Cache`] when the disk
    /// refuses. Readers of the entry get the same problem.
    pub async fn run(mut self) -> Result<Moved, Problem> {
        let begun = Instant::now();
        let begin = self.writer.position();
        let result = self.receive().await;
        let moved = self.writer.position().saturating_sub(begin);
        match result {
            Ok(()) => Ok(Moved { bytes: moved, first_byte: self.first_byte, transfer: begun.elapsed() }),
            Err(problem) => {
                self.entry.fail(problem.clone());
                Err(problem)
            }
        }
    }

    async fn receive(&mut self) -> Result<(), Problem> {
        let head = std::mem::take(&mut self.head);
        self.writer.write(&head)?;
        loop {
            let broken = match self.pour().await? {
                Ok(()) => return self.seal(),
                Err(problem) => problem,
            };
            match self.attempts.after_break(&broken) {
                Verdict::GiveUp => return Err(broken),
                Verdict::Wait(delay) => tokio::time::sleep(delay).await,
            }
            self.reopen().await?;
        }
    }

    /// Moves chunks into the entry: the outer result is the disk's, the inner
    /// one the network's.
    async fn pour(&mut self) -> Result<Result<(), Problem>, Problem> {
        loop {
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.writer.write(&chunk)?,
                Ok(None) => return Ok(Ok(())),
                Err(problem) => return Ok(Err(problem)),
            }
        }
    }

    fn seal(&mut self) -> Result<(), Problem> {
        self.writer.close()?;
        if self.entry.head().total.is_none() && self.request.range.is_none_or(|range| range.end().is_none()) {
            self.entry.finish(self.writer.position())?;
        }
        Ok(())
    }

    /// Asks for the rest, and skips what is here already if the server cannot
    /// do parts. The rest must be of the same version.
    async fn reopen(&mut self) -> Result<(), Problem> {
        let position = self.writer.position();
        let end = self.request.range.and_then(ByteRange::end);
        let mut request = self.request.clone();
        request.range = Some(ByteRange::between(position, end));
        request.if_range = self.entry.head().validator().map(str::to_owned);
        request.expect_total = self.entry.head().total;
        let mut response = self.client.open(&request, &mut self.attempts).await?;
        if !self.entry.head().is_same_version(&super::head_of(&response)) {
            return Err(changed(&request));
        }
        let mut skip = position.saturating_sub(response.offset);
        while skip > 0 {
            let Some(chunk) = response.chunk().await? else { return Err(changed(&request)) };
            let length = chunk.len() as u64;
            if length > skip {
                let rest = usize::try_from(skip).unwrap_or(usize::MAX);
                self.writer.write(&chunk[rest..])?;
            }
            skip = skip.saturating_sub(length);
        }
        self.response = response;
        Ok(())
    }
}

fn changed(request: &Request) -> Problem {
    let what = format!("cannot go on with {}", crate::text::short_url(request.url.as_str()));
    Problem::new(Kind::Changed, what, "it changed on the server while it was read", "start again")
}
