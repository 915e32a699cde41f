//! An answer: its head, placed to the byte, and its body, a chunk at a time.
//! A body is cut where it must end and never ends early without an error.

use std::io::Read;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use tokio::time::timeout;
use url::Url;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events, Exchange, RequestKind};
use crate::stats::Stats;
use crate::text;

use super::Request;
use super::client::Client;
use super::failure::{Attempt, Failure, Login};
use super::hop::compressed;
use super::icy::{Splitter, Station};
use super::range::{ByteRange, Status};

const FLOOR_BYTES_PER_SECOND: u64 = 1024; // below the poorest speech stream
const FLOOR_AFTER: Duration = Duration::from_secs(30);

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What kind of answer.
    pub status: Status,
    /// Where it came from, after redirects: the base of relative URLs. Without
    /// user-info and without the user's own query parameters.
    pub final_url: Url,
    /// Where the first body byte lies in the resource.
    pub offset: u64,
    /// Length of the resource in bytes, when stated.
    pub total: Option<u64>,
    /// The `ETag` header as it came.
    pub etag: Option<String>,
    /// The `Last-Modified` header as it came.
    pub last_modified: Option<String>,
    /// The `Content-Type` header as it came: text from outside.
    pub content_type: Option<String>,
    /// Whether the server forbids keeping it (`Cache-Control: no-store`).
    pub no_store: bool,
    /// Whether the server says that it can send parts (`Accept-Ranges: bytes`).
    pub accepts_ranges: bool,
    /// What a radio station says of itself, when it was asked.
    pub station: Option<Station>,
}

impl Head {
    /// Whether a station sends it, for ever: it has no length.
    pub fn is_endless(&self) -> bool {
        self.status == Status::Fresh && self.total.is_none() && self.station.is_some()
    }

    /// What `if_range` takes: a strong entity tag, else the date. `None` when
    /// nothing tells two versions apart.
    pub fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|tag| tag.starts_with('"'));
        strong.or(self.last_modified.as_deref())
    }
}

/// An answer whose body is being read. Dropping it stops the transfer.
#[derive(Debug)]
pub struct Response {
    /// Its head.
    pub head: Head,
    pub(super) body: reqwest::Response,
    /// Tells titles from the sound they are mixed into.
    pub(super) titles: Option<Splitter>,
    /// Body bytes still to come, when known.
    pub(super) left: Option<u64>,
    pub(super) received: u64,
    /// The first byte the caller does not have yet.
    pub(super) wanted: u64,
    pub(super) is_gzip: bool,
    pub(super) what: String,
    pub(super) record: Record,
    pub(super) client: Client,
}

/// A body that was read whole.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The body, decompressed.
    pub bytes: Bytes,
    /// How many bytes came.
    pub received: u64,
}

impl Response {
    /// The next bytes of the body, never empty; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`Kind::NoData`] when the body breaks off, ends early or falls silent.
    /// Give the failure to [`Client::pause`] and open again from the first
    /// byte that is missing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(bytes) = self.raw_chunk().await? {
            let bytes = match &mut self.titles {
                Some(titles) => titles.sound(bytes),
                None => bytes,
            };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The titles that were mixed into what was read since this was last asked,
    /// each with the number of bytes of the body before it.
    pub fn take_titles(&mut self) -> Vec<(u64, String)> {
        self.titles
            .as_mut()
            .map_or_else(Vec::new, Splitter::take_titles)
    }

    /// The next bytes as they are sent.
    async fn raw_chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.left == Some(0) {
            self.record.end(None);
            return Ok(None);
        }
        let limit = self.client.0.settings.stall_timeout;
        match patiently(limit, next_bytes(&mut self.body)).await {
            Some(Ok(Some(bytes))) => Ok(Some(self.take(bytes))),
            Some(Ok(None)) => match self.left {
                None => {
                    self.record.end(None);
                    Ok(None)
                }
                Some(missing) => Err(self.fail(Failure::short(&self.what, missing))),
            },
            Some(Err(error)) => Err(self.fail(Failure::of_library(&self.attempt(), &error))),
            None => Err(self.fail(Failure::silent(&self.what, limit))),
        }
    }

    /// The whole body of a playlist, a key, an init section; decompressed.
    ///
    /// # Errors
    ///
    /// Those of [`Response::chunk`]; [`Kind::Limit`] as soon as it is longer
    /// than `limit` bytes, before or after decompression; [`Kind::NoData`]
    /// when it drips.
    pub async fn read_all(mut self, limit: u64) -> Result<Whole, Failure> {
        if self.left.is_some_and(|left| left > limit) {
            return Err(self.fail(too_long(&self.what, limit)));
        }
        let began = tokio::time::Instant::now();
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if self.received > limit {
                return Err(self.fail(too_long(&self.what, limit)));
            }
            if is_drip(self.received, began.elapsed()) {
                return Err(self.fail(Failure::drip(&self.what, FLOOR_BYTES_PER_SECOND)));
            }
            all.extend_from_slice(&chunk);
        }
        let bytes = match self.is_gzip {
            true => inflate(&all, limit, &self.what)?,
            false => all,
        };
        Ok(Whole {
            bytes: bytes.into(),
            received: self.received,
        })
    }

    /// The head of an answer that is nothing more.
    pub fn without_body(mut self) -> Head {
        self.record.end(None);
        self.head
    }

    /// Whether the body is compressed: then only [`Response::read_all`] may read it.
    pub fn is_compressed(&self) -> bool {
        self.is_gzip
    }

    /// The problem of a compressed body that turns out to be media.
    pub fn compressed(&self) -> Problem {
        compressed(self.what.clone(), "gzip")
    }

    /// Corrects what the request was for, when the first bytes have told it.
    pub fn set_kind(&mut self, kind: RequestKind) {
        if let Some(exchange) = &mut self.record.open {
            exchange.kind = kind;
        }
    }

    fn take(&mut self, mut bytes: Bytes) -> Bytes {
        if let Some(left) = &mut self.left {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
        }
        let count = bytes.len() as u64;
        self.received += count;
        self.record.received(count);
        self.client.0.stats.network_bytes.add(count);
        bytes
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            what: &self.what,
            host: self.head.final_url.host_str().unwrap_or_default(),
            proxy: None, // the connection stands
            connect_timeout: self.client.0.settings.connect_timeout,
            login: Login::None, // it has answered
        }
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.record.end(Some(failure.problem.why.clone()));
        let reached = self.head.offset.saturating_add(self.received);
        Failure {
            received: reached.saturating_sub(self.wanted),
            ..failure
        }
    }
}

/// Waits `limit` for `future`, in two halves: when this process was stopped
/// (Ctrl-Z) and goes on, the first half is over at once, and the second gives
/// the bytes that came meanwhile the time to be read.
pub(super) async fn patiently<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..2 {
        if let Ok(output) = timeout(limit / 2, &mut future).await {
            return Some(output);
        }
    }
    None
}

/// Empty frames are no data: they do not restart the stall timer.
async fn next_bytes(body: &mut reqwest::Response) -> reqwest::Result<Option<Bytes>> {
    loop {
        match body.chunk().await? {
            Some(bytes) if bytes.is_empty() => {}
            other => return Ok(other),
        }
    }
}

/// Whether a body that is waited for as a whole comes too slowly to be meant well.
fn is_drip(received: u64, elapsed: Duration) -> bool {
    elapsed >= FLOOR_AFTER && received / elapsed.as_secs().max(1) < FLOOR_BYTES_PER_SECOND
}

fn inflate(packed: &[u8], limit: u64, what: &str) -> Result<Vec<u8>, Failure> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(limit.saturating_add(1));
    if decoder.read_to_end(&mut plain).is_err() {
        let why = "its gzip compression is broken";
        let problem = Problem::new(Kind::Malformed, what, why, "tell the owner of the server");
        return Err(Failure::last(problem));
    }
    match plain.len() as u64 > limit {
        true => Err(too_long(what, limit)),
        false => Ok(plain),
    }
}

fn too_long(what: &str, limit: u64) -> Failure {
    let why = format!("it is longer than {limit} bytes");
    Failure::last(Problem::new(Kind::Limit, what, why, "check the link"))
}

/// One exchange for the trace: sent to the events once, when it is over.
#[derive(Debug)]
pub(super) struct Record {
    stats: Arc<Stats>,
    events: Events,
    open: Option<Exchange>,
}

impl Record {
    /// A request to `url` is about to be sent.
    pub(super) fn begin(stats: &Arc<Stats>, events: &Events, request: &Request, url: &Url) -> Self {
        let now = Instant::now();
        let exchange = Exchange {
            kind: request.kind,
            url: text::short_url(url.as_str()),
            sent: now,
            answered: None,
            ended: now,
            status: None,
            offset: request.range.map_or(0, ByteRange::start),
            bytes: 0,
            variant: request.variant,
            segment: request.segment,
            failure: None,
        };
        Self {
            stats: Arc::clone(stats),
            events: events.clone(),
            open: Some(exchange),
        }
    }

    /// The head of the answer came.
    pub(super) fn answered(&mut self, status: u16) {
        if let Some(exchange) = &mut self.open {
            exchange.answered = Some(Instant::now());
            exchange.status = Some(status);
        }
    }

    /// It is over. Only the first end counts.
    pub(super) fn end(&mut self, failure: Option<String>) {
        if let Some(mut exchange) = self.open.take() {
            exchange.ended = Instant::now();
            exchange.failure = failure;
            // Counted here and not when it is sent: by now it is known what it was for.
            self.stats.exchange(&exchange);
            self.events.send(Event::Exchange(exchange));
        }
    }

    fn received(&mut self, count: u64) {
        if let Some(exchange) = &mut self.open {
            exchange.bytes += count;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(Some("abandoned".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    #[test]
    fn a_compression_bomb_stops_at_the_cap() {
        let bomb = pack(&vec![b'x'; 10 << 20]);
        assert!(bomb.len() < 20_000, "1000 to 1: {}", bomb.len());
        let failure = inflate(&bomb, 1 << 20, "cannot x").expect_err("too long");
        assert_eq!(failure.problem.kind, Kind::Limit);
        assert_eq!(
            inflate(&bomb, 10 << 20, "").map(|plain| plain.len()),
            Ok(10 << 20)
        );
    }

    #[test]
    fn broken_gzip_is_malformed_and_never_a_shorter_text() {
        let packed = pack(b"#EXTM3U\n#EXTINF:4,\na.ts\n");
        for length in 0..packed.len() {
            let failure = inflate(&packed[..length], 1000, "cannot x").expect_err("cut");
            assert_eq!(failure.problem.kind, Kind::Malformed, "cut at {length}");
        }
    }

    #[test]
    fn a_drip_is_told_from_a_slow_stream() {
        let cases = [
            (1, 29, false),
            (30 * 1024, 30, false),
            (30 * 1024 - 1, 30, true),
            (4, 36, true),
            (0, 0, false),
            (1 << 20, 600, false),
        ];
        for (bytes, seconds, want) in cases {
            let got = is_drip(bytes, Duration::from_secs(seconds));
            assert_eq!(got, want, "{bytes} bytes in {seconds} s");
        }
    }

    #[test]
    fn only_a_strong_tag_or_a_date_tells_two_versions_apart() {
        let head = |etag: Option<&str>, date: Option<&str>| Head {
            status: Status::Fresh,
            final_url: Url::parse("http://a/").expect("a URL"),
            offset: 0,
            total: None,
            etag: etag.map(str::to_owned),
            last_modified: date.map(str::to_owned),
            content_type: None,
            no_store: false,
            accepts_ranges: false,
            station: None,
        };
        let cases = [
            (Some("\"a\""), Some("date"), Some("\"a\"")),
            (Some("W/\"a\""), Some("date"), Some("date")),
            (Some("W/\"a\""), None, None),
            (None, None, None),
        ];
        for (etag, date, want) in cases {
            assert_eq!(head(etag, date).validator(), want, "{etag:?} {date:?}");
        }
    }
}
