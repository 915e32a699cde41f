//! The child process while it runs: its streams, read as they come, and its end.

use std::io::Read;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{LIMIT, Outcome, Run};

/// A stream of the child, read by a thread as it comes.
pub(super) struct Stream {
    held: Arc<(Mutex<Held>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    pub(super) fn of(mut source: impl Read + Send + 'static) -> Self {
        let held = Arc::new((Mutex::new(Held::default()), Condvar::new()));
        let reader = thread::spawn({
            let held = Arc::clone(&held);
            move || {
                let mut part = [0; 4096];
                loop {
                    let count = source.read(&mut part).unwrap_or(0);
                    let mut state = lock(&held.0);
                    state.bytes.extend_from_slice(&part[..count]);
                    state.ended = count == 0;
                    held.1.notify_all();
                    if count == 0 {
                        return;
                    }
                }
            }
        });
        Self {
            held,
            reader: Some(reader),
        }
    }

    /// Waits until `enough` holds or the stream ends; what came so far, if it did hold.
    fn wait(&self, limit: Duration, enough: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let lacking = |held: &mut Held| !held.ended && !enough(&held.bytes);
        let wait = self
            .held
            .1
            .wait_timeout_while(lock(&self.held.0), limit, lacking);
        let (held, _) = wait.expect("no panic under this lock");
        enough(&held.bytes).then(|| held.bytes.clone())
    }

    fn ended(&self, limit: Duration) -> bool {
        let wait = self
            .held
            .1
            .wait_timeout_while(lock(&self.held.0), limit, |held| !held.ended);
        !wait.expect("no panic under this lock").1.timed_out()
    }

    fn take(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        std::mem::take(&mut lock(&self.held.0).bytes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run that goes on. Killed when dropped.
pub struct Running {
    pub(super) child: Child,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pub(super) began: Instant,
    pub(super) run: Run,
}

impl Running {
    /// Waits until stdout has at least `count` bytes and returns what is there.
    pub fn stdout_bytes(&self, count: usize) -> Vec<u8> {
        let bytes = self.stdout.wait(LIMIT, |bytes| bytes.len() >= count);
        bytes.unwrap_or_else(|| {
            panic!(
                "stdout never had {count} bytes; stderr: {}",
                self.stderr_now()
            )
        })
    }

    /// Waits until stdout holds `text`.
    pub fn stdout_has(&self, text: &str) {
        let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        let bytes = self.stdout.wait(LIMIT, found);
        assert!(
            bytes.is_some(),
            "stdout never had {text:?}; stderr: {}",
            self.stderr_now()
        );
    }

    fn stderr_now(&self) -> String {
        String::from_utf8_lossy(&lock(&self.stderr.held.0).bytes).into_owned()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is alive");
    }

    /// Waits for the end and checks everything that was expected.
    pub fn finish(mut self) -> Outcome {
        let in_time = self.stdout.ended(LIMIT) && self.stderr.ended(LIMIT);
        let status = if in_time { self.wait() } else { None };
        let elapsed = self.began.elapsed();
        if status.is_none() {
            // Gone by itself in the very last moment is as good.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let stdout = self.stdout.take();
        let stderr = String::from_utf8(self.stderr.take()).expect("stderr is UTF-8");
        let outcome = Outcome {
            code: status.map_or(-1, super::code_of),
            stdout,
            stderr,
            elapsed,
        };
        self.run.check(status, &outcome);
        outcome
    }

    /// Both pipes are closed: the process itself has a moment more.
    fn wait(&mut self) -> Option<ExitStatus> {
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `finish` both fail, and that is right.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
