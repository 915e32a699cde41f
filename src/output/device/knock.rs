//! How other threads reach the thread "audio" while it waits for the sound
//! system: one descriptor that it waits on, and what there is to tell.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::error::{Kind, Problem};

/// The door of the thread "audio".
#[derive(Debug)]
pub(super) struct Knock {
    bell: OwnedFd,
    is_closing: AtomicBool,
    complaint: Mutex<Option<String>>,
}

impl Knock {
    /// # Errors
    ///
    /// [`Kind::Bug`] when the system has no descriptor left.
    pub fn new() -> Result<Self, Problem> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = bell.map_err(|error| {
            Problem::from_io(
                error.into(),
                Kind::Bug,
                "cannot start the sound",
                "close other programs",
            )
        })?;
        Ok(Self {
            bell,
            is_closing: AtomicBool::new(false),
            complaint: Mutex::new(None),
        })
    }

    /// Tells it to end.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether it was told to end.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Tells it that the device is lost, and why.
    pub fn complain(&self, why: String) {
        *self.lock() = Some(why);
        self.ring();
    }

    /// Why the device is lost, if it is; told once.
    pub fn complaint(&self) -> Option<String> {
        self.lock().take()
    }

    /// Waits until it knocks, `other` can be read or `limit` is over; whether
    /// `other` can be read or is broken.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, limit: Option<Duration>) -> bool {
        let other = other.unwrap_or(self.bell.as_fd());
        let mut fds =
            [self.bell.as_fd(), other].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        // An interrupted wait is one that knocked: the caller looks again.
        let _ = poll(&mut fds, limit.as_ref());
        if !fds[0].revents().is_empty() {
            // Only its being empty matters.
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
        !fds[1].revents().is_empty()
    }

    /// Ends its wait; it looks at everything anew.
    pub fn ring(&self) {
        // A counter that is full wakes it as well.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knocks_before_the_wait_is_heard_and_a_complaint_is_told_once() {
        let knock = Knock::new().expect("a descriptor");
        knock.complain("unplugged".to_owned());
        knock.wait(None, None);
        assert_eq!(knock.complaint().as_deref(), Some("unplugged"));
        assert_eq!(knock.complaint(), None);
        assert!(!knock.is_closing());
        knock.close();
        knock.wait(None, None);
        assert!(knock.is_closing());
    }
}
