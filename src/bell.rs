//! The one mailbox of the decode thread: everything it waits for (bytes of an
//! entry, a segment, room in the ring, a command) rings this bell. One
//! condition, so nothing can be waited for that nobody rings. The audio
//! callback never rings it.

pub mod helm;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Problem;

/// Counts changes; waits until the count has moved past one that was seen.
#[derive(Debug, Default)]
pub struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
    stopped: AtomicBool,
    called: AtomicBool,
    waiting: AtomicUsize,
}

impl Bell {
    /// The count now. Take it before looking at the state that is waited for.
    pub fn count(&self) -> u64 {
        *self.rings()
    }

    /// Something changed: wakes whoever waits.
    pub fn ring(&self) {
        *self.rings() += 1;
        self.rung.notify_all();
    }

    /// The run ends: rings once more and makes every later wait return at once.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether [`Bell::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The listener wants something of the decode thread: every wait returns at
    /// once until [`Bell::answer`].
    pub fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.ring();
    }

    /// The call was heard.
    pub fn answer(&self) {
        self.called.store(false, Ordering::Release);
    }

    /// Whether the decode thread is called away from what it waits for.
    pub fn is_called(&self) -> bool {
        self.called.load(Ordering::Acquire)
    }

    /// Why nobody may wait any more: the run is stopped, or the listener calls.
    ///
    /// # Errors
    ///
    /// [`Problem::stopped`] and [`Problem::sought`].
    pub fn check(&self) -> Result<(), Problem> {
        if self.is_stopped() {
            return Err(Problem::stopped());
        }
        match self.is_called() {
            true => Err(Problem::sought()),
            false => Ok(()),
        }
    }

    /// Waits until the bell rang after `seen` was taken, the run is stopped, the
    /// listener calls or `limit` is over. Returns whether it was not the limit.
    pub fn wait(&self, seen: u64, limit: Option<Duration>) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let rang = self.sleep(seen, limit);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        rang
    }

    /// Whether anybody waits now: then nobody works.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn sleep(&self, seen: u64, limit: Option<Duration>) -> bool {
        let quiet = |rings: &mut u64| *rings == seen && !self.is_stopped() && !self.is_called();
        let rings = self.rings();
        match limit {
            None => {
                let _rings = self
                    .rung
                    .wait_while(rings, quiet)
                    .unwrap_or_else(PoisonError::into_inner);
                true
            }
            Some(limit) => {
                let waited = self.rung.wait_timeout_while(rings, limit, quiet);
                !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
            }
        }
    }

    // A thread that panicked between lock and unlock left a plain number behind.
    fn rings(&self) -> MutexGuard<'_, u64> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_ring_between_the_look_and_the_wait_is_not_lost() {
        let bell = Bell::default();
        let seen = bell.count();
        bell.ring();
        assert!(bell.wait(seen, None));
    }

    #[test]
    fn a_waiter_in_another_thread_is_woken() {
        let bell = Arc::new(Bell::default());
        let seen = bell.count();
        let waiter = std::thread::spawn({
            let bell = Arc::clone(&bell);
            move || bell.wait(seen, None)
        });
        bell.ring();
        assert!(waiter.join().expect("the waiter ends"));
    }

    #[test]
    fn a_quiet_bell_times_out_and_a_stopped_one_never_waits() {
        let bell = Bell::default();
        assert!(!bell.wait(bell.count(), Some(Duration::from_millis(1))));
        bell.stop();
        assert!(bell.is_stopped());
        assert!(bell.wait(bell.count(), None));
    }
}
