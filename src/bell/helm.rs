//! What the listener asks of the decode thread while it works: a place to go on
//! at. Of several the last one counts, so that fifty in a second cost one.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::bell::Bell;
use crate::units::{MediaTime, Speed};

/// A wish to hear another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seek {
    /// Where to go on, from the start of the stream.
    pub to: MediaTime,
    /// When it was said.
    pub asked: Instant,
}

/// The door from `main` to the decode thread: whatever that waits for, it looks
/// here first (see [`Bell::is_called`]).
#[derive(Debug)]
pub struct Helm {
    bell: Arc<Bell>,
    seek: Mutex<Option<Seek>>,
    /// In thousandths.
    speed: AtomicU16,
}

impl Helm {
    /// A helm that nobody has touched; `bell` is what the decode thread waits on.
    pub fn new(bell: &Arc<Bell>) -> Self {
        Self {
            bell: Arc::clone(bell),
            seek: Mutex::default(),
            speed: AtomicU16::new(Speed::NORMAL.thousandths()),
        }
    }

    /// Goes on at `to`, whatever was asked before and is not done yet.
    pub fn seek(&self, to: MediaTime) {
        let asked = Instant::now();
        let mut seek = self.locked();
        *seek = Some(Seek { to, asked });
        self.bell.call();
    }

    /// Plays at another pace from now on.
    pub fn set_speed(&self, speed: Speed) {
        self.speed.store(speed.thousandths(), Ordering::Relaxed);
    }

    /// The pace.
    pub fn speed(&self) -> Speed {
        let factor = f64::from(self.speed.load(Ordering::Relaxed)) / 1000.0;
        Speed::new(factor).unwrap_or_default()
    }

    /// What was asked last, once.
    pub fn take(&self) -> Option<Seek> {
        let mut seek = self.locked();
        self.bell.answer();
        seek.take()
    }

    /// Whether something is asked that was not taken yet.
    pub fn is_turned(&self) -> bool {
        self.bell.is_called()
    }

    // A wish is whole, whoever held the lock.
    fn locked(&self) -> MutexGuard<'_, Option<Seek>> {
        self.seek.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_wishes_the_last_one_is_told_once() {
        let bell = Arc::new(Bell::default());
        let helm = Helm::new(&bell);
        assert!(!bell.is_called() && helm.take().is_none());
        for seconds in [10.0, 20.0, 5.0] {
            helm.seek(MediaTime::from_seconds(seconds));
        }
        assert!(bell.wait(bell.count(), None), "a wait ends at once");
        let seek = helm.take().expect("a wish");
        assert_eq!(seek.to, MediaTime::from_seconds(5.0));
        assert!(!bell.is_called() && helm.take().is_none());
    }
}
