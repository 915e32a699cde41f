//! The time of the next frame: frames at one rate since an origin, so that
//! rounding never adds up.

use super::header::Header;
use crate::units::{Frames, MediaTime, SampleRate};

/// Where the count of frames stands.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: MediaTime,
    rate: SampleRate,
    frames: Frames,
}

impl Clock {
    /// Nothing counted yet; the first frame is due at `origin`.
    pub fn new(origin: MediaTime, rate: SampleRate) -> Self {
        Self {
            origin,
            rate,
            frames: Frames(0),
        }
    }

    /// When the next frame is due.
    pub fn now(&self) -> MediaTime {
        self.origin + self.frames.time(self.rate)
    }

    /// Passes over one frame; returns when it starts and ends.
    pub fn pass(&mut self, header: &Header) -> (MediaTime, MediaTime) {
        let start = self.now();
        self.frames = self.frames + header.frames();
        (start, self.now())
    }

    /// Frames have another rate from here on.
    pub fn change_rate(&mut self, rate: SampleRate) {
        if rate != self.rate {
            *self = Self::new(self.now(), rate);
        }
    }
}
