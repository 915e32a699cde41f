//! What an answer does other than serve its resource: the verbs, and the gate
//! behind which an answer waits until the test lets bytes through.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{Shared, lock};

const GATE_LIMIT: Duration = Duration::from_secs(60); // a test that forgot to open its gate

/// The verbs of one script. Each returns the script again, except those that
/// give the test a [`Gate`]; these come last.
pub struct Verbs<'a> {
    pub(super) shared: &'a Shared,
    pub(super) path: String,
    pub(super) index: usize,
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

    /// Redirects (302, or the status that is given) to this address.
    pub fn redirect(self, target: &str) -> Self {
        self.change(|script| script.redirect = Some(target.to_owned()))
    }

    /// Adds a header line to the answer, whatever it is.
    pub fn header(self, line: &str) -> Self {
        self.change(|script| script.headers.push(line.to_owned()))
    }

    /// Answers 200 with a log-in page, as a captive portal does.
    pub fn html(self) -> Self {
        self.change(|script| script.html = true)
    }

    /// Sends no Content-Length and closes at the end.
    pub fn no_length(self) -> Self {
        self.change(|script| script.no_length = true)
    }

    /// Answers `ICY 200 OK`, as stations did before they spoke HTTP.
    pub fn icy(self) -> Self {
        self.no_length().change(|script| script.icy = true)
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
    pub(super) fn pass(&self, sent: u64, wanted: u64) -> u64 {
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

/// What one answer does other than serve its resource.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) left: Option<u32>,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<String>,
    pub(super) reset_at: Option<u64>,
    pub(super) truncate_at: Option<u64>,
    pub(super) gate: Option<Gate>,
    pub(super) ignore_range: bool,
    pub(super) content_range: Option<String>,
    pub(super) redirect: Option<String>,
    pub(super) headers: Vec<String>,
    pub(super) html: bool,
    pub(super) no_length: bool,
    pub(super) icy: bool,
    pub(super) chunked: bool,
    pub(super) etag: Option<String>,
    pub(super) no_validators: bool,
    pub(super) latency: Duration,
}
