//! A scripted origin for the tests of this room: a real socket on the loopback
//! that plays back raw answers and keeps what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use url::Url;

/// What is sent for one request, in order.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// These bytes; the connection stays open for the next request.
    Send(Vec<u8>),
    /// These bytes, then the connection is closed.
    SendAndClose(Vec<u8>),
    /// These bytes, then silence until the client goes.
    SendAndHold(Vec<u8>),
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// On which connection, from 0.
    pub connection: usize,
    /// Request line and headers.
    pub head: String,
}

/// The running origin; it runs as long as the test process.
#[derive(Debug)]
pub(super) struct Script {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    /// Plays `acts`, one per request over all connections; the last one is repeated.
    pub(super) fn play(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has ports");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (log, acts) = (Arc::clone(&log), acts.clone());
                let stream = stream.expect("a client connects");
                thread::spawn(move || serve(stream, connection, &acts, &log));
            }
        });
        Self { address, seen }
    }

    /// A URL of this origin.
    pub(super) fn url(&self, path: &str) -> Url {
        let text = format!("http://{}{path}", self.address);
        text.parse().expect("a URL")
    }

    /// Everything asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(mut stream: TcpStream, connection: usize, acts: &[Act], log: &Mutex<Vec<Seen>>) {
    while let Some(head) = read_head(&mut stream) {
        let number = {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(Seen { connection, head });
            log.len() - 1
        };
        // A client may be gone already; that is its business.
        match &acts[number.min(acts.len() - 1)] {
            Act::Send(bytes) => drop(stream.write_all(bytes)),
            Act::SendAndClose(bytes) => {
                drop(stream.write_all(bytes));
                return;
            }
            Act::SendAndHold(bytes) => {
                drop(stream.write_all(bytes));
                while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
                return;
            }
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A head and a body with the right Content-Length.
pub(super) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let mut headers = headers.to_vec();
    headers.push(&length);
    raw(status, &headers, body)
}

/// A head and a body as they are.
pub(super) fn raw(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
