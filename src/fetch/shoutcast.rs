//! Servers from before stations spoke HTTP: they answer `ICY 200 OK`, which the
//! library refuses to read. Asked once more over a socket of our own, without
//! TLS or proxy; the answer then is one like any other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body, Frame};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

const HEAD_BYTES: usize = 16 << 10;
const GREETING: &[u8] = b"ICY 200";
const CHUNK: usize = 16 << 10;

/// Sends `request` and reads the head of the answer, if it is of that kind.
pub(super) async fn ask(
    request: &reqwest::Request,
    user_agent: &str,
    connect_timeout: Duration,
) -> io::Result<reqwest::Response> {
    let socket = timeout(connect_timeout, connect(request.url())).await??;
    let mut left = message(request, user_agent);
    while left.has_remaining() {
        socket.writable().await?;
        match socket.try_write(&left) {
            Ok(count) => left.advance(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let mut bytes = BytesMut::new();
    let end = loop {
        if let Some(end) = head_end(&bytes) {
            break end;
        }
        if bytes.len() > HEAD_BYTES || !begins_alike(&bytes) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        socket.readable().await?;
        let mut part = [0; 1024];
        match socket.try_read(&mut part) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    };
    let head = bytes.split_to(end);
    let rest = bytes.freeze();
    let mut answer = hyper::Response::new(reqwest::Body::wrap(Sound { rest, socket }));
    *answer.headers_mut() = headers(&head);
    Ok(answer.into())
}

async fn connect(url: &Url) -> io::Result<TcpStream> {
    let host = url.host_str().ok_or(io::ErrorKind::InvalidInput)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    TcpStream::connect((host, port)).await
}

/// The request as it is sent.
fn message(request: &reqwest::Request, user_agent: &str) -> Bytes {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}"));
    let (path, query) = (url.path(), query.unwrap_or_default());
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    let mut text = format!("GET {path}{query} HTTP/1.0\r\nHost: {host}{port}\r\n").into_bytes();
    if !user_agent.is_empty() {
        text.extend(format!("User-Agent: {user_agent}\r\n").as_bytes());
    }
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.into()
}

fn begins_alike(bytes: &[u8]) -> bool {
    let count = bytes.len().min(GREETING.len());
    bytes.get(..count) == GREETING.get(..count)
}

/// Where the sound begins: behind the empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let find = |end: &[u8]| {
        let at = bytes.windows(end.len()).position(|part| part == end);
        at.map(|at| at + end.len())
    };
    let ends = [find(b"\r\n\r\n"), find(b"\n\n")];
    let end = ends.into_iter().flatten().min();
    end.filter(|_| bytes.starts_with(GREETING))
}

/// The fields of a head; lines that are none are left out.
fn headers(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = HeaderName::from_bytes(name.trim_ascii()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    };
    lines.filter_map(field).collect()
}

/// The body: what came with the head, then what comes.
struct Sound {
    rest: Bytes,
    socket: TcpStream,
}

impl Body for Sound {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let mut chunk = vec![0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len();
        chunk.truncate(count);
        let frame = (count > 0).then(|| Ok(Frame::data(Bytes::from(chunk))));
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_ends_at_an_empty_line_and_is_one_only_behind_the_greeting() {
        let cases: [(&[u8], Option<usize>, bool); 6] = [
            (b"ICY 200 OK\r\nicy-br:128\r\n\r\n\xFF", Some(26), true),
            (b"ICY 200 OK\n\nx", Some(12), true),
            (b"ICY 200 OK\r\nicy", None, true),
            (b"ICY", None, true),
            (b"ICY 401 Service Unavailable\r\n\r\n", None, false),
            (b"SSH-2.0\r\n\r\n", None, false),
        ];
        for (bytes, end, alike) in cases {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(head_end(bytes), end, "{shown}");
            assert_eq!(begins_alike(bytes), alike, "{shown}");
        }
    }

    #[test]
    fn fields_are_read_with_or_without_a_blank_and_nonsense_is_left_out() {
        let head =
            b"ICY 200 OK\r\nicy-name:Caf\xE9 \r\nicy-metaint: 8192\r\nnonsense\r\n: x\r\n\r\n";
        let fields = headers(head);
        assert_eq!(fields.len(), 2);
        assert_eq!(fields["icy-name"].as_bytes(), b"Caf\xE9");
        assert_eq!(fields["icy-metaint"], "8192");
    }
}
