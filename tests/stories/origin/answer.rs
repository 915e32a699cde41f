//! From a request and a script to the bytes on the socket: validators, ranges,
//! framing, and the faults of the body.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use super::Request;
use super::script::Script;

const SLICE: u64 = 4096; // bytes written at once, so that a gate stops close to its mark
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please log in.</body></html>\n";

/// What is served under a path.
pub(super) struct Resource {
    body: Arc<Vec<u8>>,
    kind: String,
    etag: String,
}

/// An answer ready to be sent.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    body: Arc<Vec<u8>>,
    first: usize,
    end: usize,
    has_body: bool,
    close: bool,
}

/// The answer to a request under a script; `resource` is what was put under its path.
pub(super) fn answer(resource: Option<&Resource>, request: &Request, script: &Script) -> Answer {
    let mut answer = scripted(resource, request, script);
    for line in &script.headers {
        write!(answer.head, "{line}\r\n").expect("a string grows");
    }
    answer
}

fn scripted(resource: Option<&Resource>, request: &Request, script: &Script) -> Answer {
    let text = |text: &str| Arc::new(text.as_bytes().to_vec());
    if let Some(target) = &script.redirect {
        let status = script.status.unwrap_or(302);
        return Answer::whole(
            status,
            &format!("Location: {target}\r\n"),
            text(""),
            request,
        );
    }
    if let Some(status) = script.status {
        let wait = script.retry_after.as_ref();
        let wait = wait
            .map(|value| format!("Retry-After: {value}\r\n"))
            .unwrap_or_default();
        return Answer::whole(status, &wait, text("no\n"), request);
    }
    if script.html {
        let kind = "Content-Type: text/html; charset=utf-8\r\n";
        return Answer::whole(200, kind, Arc::new(PAGE.to_vec()), request);
    }
    match resource {
        Some(resource) => resource.answer(request, script),
        None => match crate::fixture(&request.path) {
            Some(body) => Resource::fixture(&request.path, body).answer(request, script),
            None => Answer::whole(404, "", text("not found\n"), request),
        },
    }
}

impl Resource {
    /// Bytes of a media type; the validator follows the bytes.
    pub(super) fn new(kind: &str, body: Vec<u8>) -> Self {
        let etag = format!("\"{:08x}-{:x}\"", crc32fast::hash(&body), body.len());
        Self {
            body: Arc::new(body),
            kind: kind.to_owned(),
            etag,
        }
    }

    fn fixture(path: &str, body: Vec<u8>) -> Self {
        let suffix = path.rsplit('.').next().unwrap_or_default();
        let kind = match suffix {
            "m3u8" => "application/vnd.apple.mpegurl",
            "m4s" | "mp4" | "m4a" => "audio/mp4",
            "mp3" => "audio/mpeg",
            "aac" => "audio/aac",
            "flac" => "audio/flac",
            "ogg" => "audio/ogg",
            "wav" => "audio/wav",
            "aiff" => "audio/aiff",
            _ => "application/octet-stream",
        };
        Self::new(kind, body)
    }

    fn answer(&self, request: &Request, script: &Script) -> Answer {
        let etag = script.etag.as_ref().unwrap_or(&self.etag);
        let mut head = format!("Content-Type: {}\r\n", self.kind);
        if !script.ignore_range {
            head.push_str("Accept-Ranges: bytes\r\n");
        }
        if !script.no_validators {
            write!(
                head,
                "ETag: {etag}\r\nLast-Modified: Mon, 06 Jan 2025 10:00:00 GMT\r\n"
            )
            .expect("a string grows");
        }
        if request
            .header("if-none-match")
            .is_some_and(|tags| tags.contains(etag.as_str()))
        {
            return Answer::whole(304, &head, Arc::default(), request);
        }
        let total = self.body.len();
        let holds = request.header("if-range").is_none_or(|tag| tag == etag);
        let range = request
            .header("range")
            .filter(|_| holds && !script.ignore_range);
        let Some(range) = range else {
            let mut answer = Answer::whole(200, &head, Arc::clone(&self.body), request);
            answer.frame(script);
            return answer;
        };
        let Some((first, end)) = parse_range(range, total) else {
            write!(head, "Content-Range: bytes */{total}\r\n").expect("a string grows");
            return Answer::whole(416, &head, Arc::default(), request);
        };
        let honest = format!("bytes {first}-{}/{total}", end - 1);
        let told = script.content_range.as_ref().unwrap_or(&honest);
        write!(head, "Content-Range: {told}\r\n").expect("a string grows");
        let mut answer = Answer::whole(206, &head, Arc::clone(&self.body), request);
        (answer.first, answer.end) = (first, end);
        answer.frame(script);
        answer
    }
}

/// First byte and end of a `Range` of one part, cut to `total`.
fn parse_range(text: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, total.min(last.saturating_add(1))),
        (Ok(first), Err(_)) => (first, total),
        (Err(_), Ok(tail)) => (total.saturating_sub(tail), total),
        (Err(_), Err(_)) => return None,
    };
    (first < end).then_some((first, end))
}

impl Answer {
    fn whole(status: u16, head: &str, body: Arc<Vec<u8>>, request: &Request) -> Self {
        let end = body.len();
        let has_body = request.method != "HEAD" && status != 304;
        Self {
            status,
            head: head.to_owned(),
            body,
            first: 0,
            end,
            has_body,
            close: false,
        }
    }

    /// Decides how the end of the body is told.
    fn frame(&mut self, script: &Script) {
        if script.chunked {
            self.head.push_str("Transfer-Encoding: chunked\r\n");
        } else if script.no_length {
            self.head.push_str("Connection: close\r\n");
            self.close = true;
        }
    }

    /// Sends head and body. Returns whether the connection may be used again.
    pub(super) fn send(
        &self,
        mut stream: &TcpStream,
        script: &Script,
        count: impl Fn(u64),
    ) -> io::Result<bool> {
        let length = self.end - self.first;
        let protocol = if script.icy { "ICY" } else { "HTTP/1.1" };
        let mut head = format!(
            "{protocol} {} {}\r\n{}",
            self.status,
            phrase(self.status),
            self.head
        );
        if !self.close && !script.chunked && self.status != 304 {
            write!(head, "Content-Length: {length}\r\n").expect("a string grows");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        if !self.has_body {
            return Ok(!self.close);
        }
        let body = &self.body[self.first..self.end];
        let stop = script
            .reset_at
            .or(script.truncate_at)
            .map_or(length as u64, |stop| stop.min(length as u64));
        let mut sent = 0;
        while sent < stop {
            let wanted = SLICE.min(stop - sent);
            let allowed = script
                .gate
                .as_ref()
                .map_or(wanted, |gate| gate.pass(sent, wanted));
            if allowed == 0 {
                return Ok(false); // nobody opened the gate
            }
            let part = &body[sent as usize..(sent + allowed) as usize];
            if script.chunked {
                write!(stream, "{:x}\r\n", part.len())?;
            }
            stream.write_all(part)?;
            if script.chunked {
                stream.write_all(b"\r\n")?;
            }
            sent += allowed;
            count(sent);
        }
        if script.reset_at.is_some() {
            return reset(stream).map(|()| false);
        }
        if script.chunked {
            stream.write_all(b"0\r\n\r\n")?;
        }
        let whole = sent == length as u64 && !self.close;
        if !whole {
            // The peer may have gone first.
            let _ = stream.shutdown(Shutdown::Both);
        }
        Ok(whole)
    }
}

/// Makes the coming close an RST instead of a FIN. The standard library cannot
/// set SO_LINGER, tokio can.
fn reset(stream: &TcpStream) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _inside = runtime.enter();
    let socket = stream.try_clone()?;
    socket.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(socket)?.set_zero_linger()
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
