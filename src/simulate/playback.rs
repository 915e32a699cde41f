//! A playhead in virtual time, driven by what is playable; exact between arrivals.

/// The playhead.
#[derive(Clone, Debug)]
pub struct Playback {
    startup: f64,
    resume: f64,
    total: f64,
    now: f64,
    /// What is heard.
    pub position: f64,
    /// Media up to here is playable.
    pub playable: f64,
    is_playing: bool,
    /// When the first sound came.
    pub started: Option<f64>,
    stalled: f64,
    /// When it stalled and for how long.
    pub stalls: Vec<(f64, f64)>,
    /// When and where it went on.
    pub resumed: Vec<(f64, f64)>,
}

impl Playback {
    /// Silent, until `startup` seconds of `total` are playable; after a stall
    /// until `resume` seconds are.
    pub fn new(startup: f64, resume: f64, total: f64) -> Self {
        Self {
            startup,
            resume,
            total,
            now: 0.0,
            position: 0.0,
            playable: 0.0,
            is_playing: false,
            started: None,
            stalled: 0.0,
            stalls: Vec::new(),
            resumed: Vec::new(),
        }
    }

    /// Time passes.
    pub fn advance(&mut self, time: f64) {
        if time < self.now {
            return;
        }
        if self.is_playing {
            let room = self.playable - self.position;
            let passed = time - self.now;
            if passed <= room + 1e-12 {
                self.position += passed;
            } else {
                self.position = self.playable;
                if self.position < self.total - 1e-9 {
                    self.is_playing = false;
                    self.stalled = self.now + room;
                }
            }
        }
        self.now = time;
    }

    /// At `time` media up to `end` became playable.
    pub fn add(&mut self, time: f64, end: f64) {
        self.advance(time);
        self.playable = self.playable.max(end);
        if self.is_playing || self.position >= self.total - 1e-9 {
            return;
        }
        let needed = if self.started.is_none() {
            self.startup
        } else {
            self.resume
        };
        let ahead = self.playable - self.position;
        if ahead >= needed.min(self.total - self.position) - 1e-9 && ahead > 1e-12 {
            self.is_playing = true;
            if self.started.is_none() {
                self.started = Some(time);
            } else if time - self.stalled > 1e-9 {
                self.stalls.push((self.stalled, time - self.stalled));
            }
            self.resumed.push((time, self.position));
        }
    }

    /// When `position` was heard.
    pub fn heard(&self, position: f64) -> f64 {
        let at = self
            .resumed
            .partition_point(|(_, from)| *from <= position + 1e-9)
            .saturating_sub(1);
        self.resumed
            .get(at)
            .map_or(f64::INFINITY, |(time, from)| time + position - from)
    }
}
