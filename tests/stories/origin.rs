//! A scripted HTTP/1.1 origin in the test process: every fault is a verb on a
//! path, every request is written down. Threads and sockets only; where an
//! answer has to wait, it waits at a [`Gate`] the test opens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const SLICE: u64 = 4096; // bytes written at once, so that a gate stops close to its mark
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please log in.</body></html>\n";
const GATE_LIMIT: Duration = Duration::from_secs(60); // a test that forgot to open its gate

/// The origin. Dropping it shuts it down.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// One request as it came and what was sent for it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which connection carried it, from 0.
    pub connection: usize,
    /// `GET` or `HEAD`.
    pub method: String,
    /// Decoded path, without the query.
    pub path: String,
    /// What stood after `?`.
    pub query: Option<String>,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// The status that was answered.
    pub status: u16,
    /// Body bytes written to the socket.
    pub sent: u64,
}

impl Request {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Holds an answer back until the test lets bytes through.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<Allowance>, Condvar)>);

#[derive(Default)]
struct Allowance {
    bytes: u64,
    waiting: bool,
}

impl Gate {
    fn with(bytes: u64) -> Self {
        let gate = Self::default();
        gate.release(bytes);
        gate
    }

    /// Lets `bytes` more of the body through.
    pub fn release(&self, bytes: u64) {
        let mut allowance = lock(&self.0.0);
        allowance.bytes = allowance.bytes.saturating_add(bytes);
        self.0.1.notify_all();
    }

    /// Lets everything through, for ever.
    pub fn open(&self) {
        self.release(u64::MAX);
    }

    /// Waits until an answer stands before the gate with all released bytes sent.
    pub fn wait_until_reached(&self) {
        let quiet = |allowance: &mut Allowance| !allowance.waiting;
        let allowance = lock(&self.0.0);
        let wait = self.0.1.wait_timeout_while(allowance, GATE_LIMIT, quiet);
        let (_allowance, wait) = wait.expect("no panic under this lock");
        assert!(!wait.timed_out(), "no answer has reached the gate");
    }

    /// How many of `wanted` bytes after `sent` may go now; waits for at least one.
    fn pass(&self, sent: u64, wanted: u64) -> u64 {
        let mut allowance = lock(&self.0.0);
        allowance.waiting = allowance.bytes <= sent;
        self.0.1.notify_all();
        let shut = |allowance: &mut Allowance| allowance.bytes <= sent;
        let (mut allowance, _) = self
            .0
            .1
            .wait_timeout_while(allowance, GATE_LIMIT, shut)
            .expect("no panic under this lock");
        allowance.waiting = false;
        allowance.bytes.saturating_sub(sent).min(wanted)
    }
}

struct Resource {
    body: Arc<Vec<u8>>,
    kind: String,
    etag: String,
}

/// What one answer does other than serve its resource.
#[derive(Clone, Default)]
struct Script {
    left: Option<u32>,
    status: Option<u16>,
    retry_after: Option<String>,
    reset_at: Option<u64>,
    truncate_at: Option<u64>,
    gate: Option<Gate>,
    ignore_range: bool,
    content_range: Option<String>,
    redirect: Option<String>,
    html: bool,
    no_length: bool,
    chunked: bool,
    etag: Option<String>,
    no_validators: bool,
    latency: Duration,
}

#[derive(Default)]
struct State {
    resources: HashMap<String, Resource>,
    scripts: HashMap<String, Vec<Script>>,
    log: Vec<Request>,
    sockets: HashMap<usize, TcpStream>,
    stopped: bool,
}

#[derive(Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Origin {
    /// An origin on a free loopback port that serves every fixture under its name.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            acceptor: Mutex::new(Some(acceptor)),
        }
    }

    /// The address of `path` (which begins with `/`).
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves `body` under `path`, or replaces what is there; the validator follows the bytes.
    pub fn serve(&self, path: &str, kind: &str, body: Vec<u8>) {
        let etag = format!("\"{:08x}-{:x}\"", crc32fast::hash(&body), body.len());
        let resource = Resource {
            body: Arc::new(body),
            kind: kind.to_owned(),
            etag,
        };
        self.shared
            .state()
            .resources
            .insert(path.to_owned(), resource);
    }

    /// Begins a script for `path`: the verbs of the answer say what it does. It
    /// holds for ever, or for `times`; scripts of one path follow each other.
    pub fn on(&self, path: &str) -> Verbs<'_> {
        let mut state = self.shared.state();
        let scripts = state.scripts.entry(path.to_owned()).or_default();
        scripts.push(Script::default());
        Verbs {
            shared: &self.shared,
            path: path.to_owned(),
            index: scripts.len() - 1,
        }
    }

    /// Forgets every script.
    pub fn heal(&self) {
        self.shared.state().scripts.clear();
    }

    /// Every request so far, in the order they came.
    pub fn log(&self) -> Vec<Request> {
        self.shared.state().log.clone()
    }

    /// The requests for `path`, in order.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.log()
            .into_iter()
            .filter(|request| request.path == path)
            .collect()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.shared.state().log.clear();
    }

    /// How many connections carried at least one request of the log.
    pub fn connections(&self) -> usize {
        let log = self.log();
        let mut numbers: Vec<_> = log.iter().map(|request| request.connection).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }

    /// Closes every connection and the port: from now on, connection refused.
    pub fn shut_down(&self) {
        let sockets = {
            let mut state = self.shared.state();
            state.stopped = true;
            for script in state.scripts.values().flatten() {
                script.gate.iter().for_each(Gate::open);
            }
            std::mem::take(&mut state.sockets)
        };
        for socket in sockets.into_values() {
            // A socket the other side has closed already is what is wanted.
            let _ = socket.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = lock(&self.acceptor).take() {
            // Wakes the acceptor; should it be gone already, there is nothing to wake.
            let _ = TcpStream::connect(self.address);
            acceptor.join().expect("the acceptor does not panic");
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// The verbs of one script. Each returns the script again, except those that
/// give the test a [`Gate`]; these come last.
pub struct Verbs<'a> {
    shared: &'a Shared,
    path: String,
    index: usize,
}

impl Verbs<'_> {
    fn change(self, change: impl FnOnce(&mut Script)) -> Self {
        let mut state = self.shared.state();
        let scripts = state
            .scripts
            .get_mut(&self.path)
            .expect("`on` made the list");
        change(&mut scripts[self.index]);
        drop(state);
        self
    }

    /// Answers with this status and a short text instead of the resource.
    pub fn status(self, status: u16) -> Self {
        self.change(|script| script.status = Some(status))
    }

    /// Adds a Retry-After header.
    pub fn retry_after(self, value: &str) -> Self {
        self.change(|script| script.retry_after = Some(value.to_owned()))
    }

    /// Holds for this many requests, then the next script (or none) does.
    pub fn times(self, count: u32) -> Self {
        self.change(|script| script.left = Some(count))
    }

    /// Sends this many body bytes, then resets the connection (RST).
    pub fn reset_at(self, bytes: u64) -> Self {
        self.change(|script| script.reset_at = Some(bytes))
    }

    /// Promises the whole length, sends this many body bytes and closes (FIN).
    pub fn truncate_at(self, bytes: u64) -> Self {
        self.change(|script| script.truncate_at = Some(bytes))
    }

    /// Sends this many body bytes, then waits until the gate is opened.
    pub fn stall_at(self, bytes: u64) -> Gate {
        let gate = Gate::with(bytes);
        let given = gate.clone();
        self.change(|script| script.gate = Some(given));
        gate
    }

    /// Sends the head only; every body byte waits for the test to release it.
    pub fn drip(self) -> Gate {
        self.stall_at(0)
    }

    /// Answers a ranged request with 200 and the whole body.
    pub fn ignore_range(self) -> Self {
        self.change(|script| script.ignore_range = true)
    }

    /// Answers a ranged request with 206 and this Content-Range, whatever was asked.
    pub fn bad_content_range(self, value: &str) -> Self {
        self.change(|script| script.content_range = Some(value.to_owned()))
    }

    /// Redirects (302) to this address.
    pub fn redirect(self, target: &str) -> Self {
        self.change(|script| script.redirect = Some(target.to_owned()))
    }

    /// Answers 200 with a log-in page, as a captive portal does.
    pub fn html(self) -> Self {
        self.change(|script| script.html = true)
    }

    /// Sends no Content-Length and closes at the end.
    pub fn no_length(self) -> Self {
        self.change(|script| script.no_length = true)
    }

    /// Sends the body in chunks.
    pub fn chunked(self) -> Self {
        self.change(|script| script.chunked = true)
    }

    /// Answers as if the resource had changed: another ETag, so no If-Range holds.
    pub fn change_etag(self) -> Self {
        self.change(|script| script.etag = Some("\"another\"".to_owned()))
    }

    /// Sends neither ETag nor Last-Modified.
    pub fn no_validators(self) -> Self {
        self.change(|script| script.no_validators = true)
    }

    /// Waits this long before the answer begins.
    pub fn latency(self, milliseconds: u64) -> Self {
        self.change(|script| script.latency = Duration::from_millis(milliseconds))
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in listener.incoming().enumerate() {
        let Ok(stream) = stream else { continue };
        let mut state = shared.state();
        if state.stopped {
            return;
        }
        state
            .sockets
            .extend(stream.try_clone().map(|socket| (number, socket)));
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error is the client going away or a fault of the script: the log tells.
            let _ = converse(&stream, number, &shared);
            shared.state().sockets.remove(&number);
        });
    }
}

/// Serves one connection until it closes or a script closes it.
fn converse(stream: &TcpStream, connection: usize, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(mut request) = read_request(&mut reader, connection)? {
        let (answer, script) = {
            let mut state = shared.state();
            if state.stopped {
                return Ok(());
            }
            let script = state.script(&request.path);
            let answer = state.answer(&request, &script);
            request.status = answer.status;
            (answer, script)
        };
        let index = {
            let mut state = shared.state();
            state.log.push(request.clone());
            state.log.len() - 1
        };
        thread::sleep(script.latency);
        let count = |sent| {
            if let Some(entry) = shared.state().log.get_mut(index) {
                entry.sent = sent;
            }
        };
        let last = request
            .header("connection")
            .is_some_and(|value| value == "close");
        if !answer.send(stream, &script, count)? || last {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or("/"),
    );
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let path = unescape(path);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Request {
        connection,
        method,
        path,
        query,
        headers,
        status: 0,
        sent: 0,
    }))
}

fn unescape(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let code = path
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                at += 3;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// An answer ready to be sent.
struct Answer {
    status: u16,
    head: String,
    body: Arc<Vec<u8>>,
    first: usize,
    end: usize,
    has_body: bool,
    close: bool,
}

impl State {
    fn script(&mut self, path: &str) -> Script {
        let scripts = self.scripts.get_mut(path).into_iter().flatten();
        for script in scripts {
            match &mut script.left {
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    return script.clone();
                }
                None => return script.clone(),
            }
        }
        Script::default()
    }

    fn answer(&self, request: &Request, script: &Script) -> Answer {
        let resource = self.resources.get(&request.path);
        let text = |text: &str| Arc::new(text.as_bytes().to_vec());
        if let Some(target) = &script.redirect {
            return Answer::whole(302, &format!("Location: {target}\r\n"), text(""), request);
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
}

impl Resource {
    fn fixture(path: &str, body: Vec<u8>) -> Self {
        let etag = format!("\"{:08x}-{:x}\"", crc32fast::hash(&body), body.len());
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
        Self {
            body: Arc::new(body),
            kind: kind.to_owned(),
            etag,
        }
    }

    fn answer(&self, request: &Request, script: &Script) -> Answer {
        let etag = script.etag.as_ref().unwrap_or(&self.etag);
        let mut head = format!("Content-Type: {}\r\nAccept-Ranges: bytes\r\n", self.kind);
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
    fn send(
        &self,
        mut stream: &TcpStream,
        script: &Script,
        count: impl Fn(u64),
    ) -> io::Result<bool> {
        let length = self.end - self.first;
        let mut head = format!(
            "HTTP/1.1 {} {}\r\n{}",
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

/// One exchange over a new connection, for the tests of the rig itself.
fn exchange(origin: &Origin, request: &str) -> String {
    let mut stream = TcpStream::connect(origin.address).expect("the origin listens");
    stream
        .write_all(request.as_bytes())
        .expect("the request goes out");
    let mut answer = Vec::new();
    // A reset is an end like any other here.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn ranges_are_answered_with_the_bytes_asked_for() {
    let origin = Origin::start();
    origin.serve("/x", "text/plain", b"0123456789".to_vec());
    let cases = [
        ("bytes=2-4", "206", "234"),
        ("bytes=7-", "206", "789"),
        ("bytes=-1", "206", "9"),
        ("bytes=99-", "416", ""),
    ];
    for (range, status, body) in cases {
        let answer = exchange(
            &origin,
            &format!("GET /x HTTP/1.1\r\nRange: {range}\r\nConnection: close\r\n\r\n"),
        );
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{range}: {answer}"
        );
        assert!(
            answer.ends_with(&format!("\r\n\r\n{body}")),
            "{range}: {answer}"
        );
    }
}

#[test]
fn a_script_holds_as_often_as_it_says_and_the_log_tells_what_was_sent() {
    let origin = Origin::start();
    origin.serve("/x", "text/plain", vec![b'x'; 10_000]);
    origin.on("/x").reset_at(5_000).times(1);
    origin
        .on("/x")
        .status(503)
        .retry_after("2")
        .no_length()
        .times(1);
    origin.on("/x").truncate_at(7_000).times(1);
    let get = "GET /x?a=b HTTP/1.1\r\n\r\n";
    exchange(&origin, get);
    let mut busy = TcpStream::connect(origin.address).expect("the origin listens");
    busy.write_all(get.as_bytes())
        .expect("the request goes out");
    let mut line = String::new();
    BufReader::new(busy)
        .read_line(&mut line)
        .expect("an answer");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable\r\n");
    exchange(&origin, get);
    let log: Vec<_> = origin
        .log()
        .iter()
        .map(|r| (r.connection, r.status, r.sent))
        .collect();
    assert_eq!(log, [(0, 200, 5_000), (1, 503, 3), (2, 200, 7_000)]);
    assert_eq!(origin.log()[0].query.as_deref(), Some("a=b"));
}

#[test]
fn a_gate_lets_through_what_was_released_and_no_more() {
    let origin = Origin::start();
    origin.serve("/x", "text/plain", b"0123456789".to_vec());
    let gate = origin.on("/x").drip();
    let mut stream = TcpStream::connect(origin.address).expect("the origin listens");
    stream
        .write_all(b"GET /x HTTP/1.1\r\n\r\n")
        .expect("the request goes out");
    gate.wait_until_reached();
    assert_eq!(origin.log()[0].sent, 0);
    gate.release(4);
    let mut got = Vec::new();
    while !got.ends_with(b"0123") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .expect("the released bytes come");
        got.extend(byte);
    }
    gate.wait_until_reached();
    assert_eq!(origin.log()[0].sent, 4);
}
