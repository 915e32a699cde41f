//! What the planner is told and what it answers. Times are seconds of the run.

/// What holds for the whole run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most media ahead.
    pub ahead: f64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Media that is playable at once.
    pub part: f64,
    /// Media behind the edge of a live stream at the start.
    pub window: Option<f64>,
}

/// A moment of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Since the start.
    pub now: f64,
    /// What is heard.
    pub position: f64,
    /// Media up to here is playable.
    pub playable: f64,
    /// Segments that exist.
    pub published: usize,
    /// When the next one is expected.
    pub publication: f64,
}

/// What is to be asked for. Rungs are counted as the controller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The media playlist of a rung.
    Playlist(usize),
    /// Its init section.
    Init(usize),
    /// A segment, maybe one that is here already in a lower rung.
    Segment {
        /// Its number from the first of the run.
        segment: usize,
        /// In this rung.
        rung: usize,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Ask for this, and tell [`super::Planner::sent`].
    Fetch(Asked),
    /// Take it from the cache, and tell [`super::Planner::used`].
    Use {
        /// Its number from the first of the run.
        segment: usize,
        /// The rung it is stored in.
        rung: usize,
    },
    /// Give this request up, and tell [`super::Planner::aborted`].
    Abort(Asked),
    /// Nothing until something ends, or this moment.
    Wait(f64),
    /// Nothing any more.
    Done,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Bytes of the whole body, if known.
    pub bytes: Option<u64>,
    /// Bytes that came.
    pub got: u64,
    /// When the first came.
    pub first: Option<f64>,
}
