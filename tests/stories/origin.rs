//! A scripted HTTP/1.1 origin in the test process: every fault is a verb on a
//! path, every request is written down. Threads and sockets only; where an
//! answer has to wait, it waits at a [`Gate`] the test opens.

mod answer;
mod script;

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use answer::Resource;
use script::Script;
pub use script::{Gate, Verbs};

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

#[derive(Default)]
struct State {
    resources: HashMap<String, Resource>,
    /// What a resource becomes with each request for it.
    turns: HashMap<String, VecDeque<Resource>>,
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
        let resource = Resource::new(kind, body);
        self.shared
            .state()
            .resources
            .insert(path.to_owned(), resource);
    }

    /// Serves one of `bodies` after the other under `path`, the next with each
    /// request, the last for ever: a live playlist that keeps step with its player.
    pub fn serve_in_turn(&self, path: &str, kind: &str, bodies: Vec<Vec<u8>>) {
        let turns = bodies.into_iter().map(|body| Resource::new(kind, body));
        self.shared
            .state()
            .turns
            .insert(path.to_owned(), turns.collect());
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

impl State {
    fn turn(&mut self, path: &str) {
        let next = self.turns.get_mut(path).and_then(VecDeque::pop_front);
        if let Some(next) = next {
            self.resources.insert(path.to_owned(), next);
        }
    }

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
            // A faulty answer shows nothing of the resource.
            if script.status.is_none() {
                state.turn(&request.path);
            }
            let answer = answer::answer(state.resources.get(&request.path), &request, &script);
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
