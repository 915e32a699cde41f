//! What the planner is told and what it answers. Times are seconds of the run.

use std::ops::Range;

use crate::hls::abr::{Choice, Situation, Transfer};

/// How much of a segment can be played at once in real playback.
const PART: f64 = 0.5;

/// What the planner sees of the world, whoever made it. Segments are counted by
/// place, rungs as the controller does.
pub trait View {
    /// The playhead and the buffer.
    fn moment(&self) -> Moment;

    /// The segments in question: from the one that is wanted first to the last
    /// that is wanted or known.
    fn places(&self) -> Range<usize>;

    /// Whether nothing will come behind them.
    fn is_whole(&self) -> bool;

    /// Where the segment at `place` begins, or the last one ends.
    fn start(&self, place: usize) -> f64;

    /// Where its bytes are.
    fn state(&self, place: usize) -> State;

    /// The first place at or behind the wanted one that may still become better.
    fn open(&self) -> usize;

    /// The best rung of it that is in the cache.
    fn stored(&self, place: usize) -> Option<usize>;

    /// The rung that is taken when the controller chose `rung` for `place`:
    /// not every one may be had.
    fn usable(&self, place: usize, rung: usize) -> usize;

    /// What has to be asked for before the segment at `place` in `rung`.
    fn needed(&self, place: usize, rung: usize) -> Option<Asked>;

    /// Whether nothing has to be done any more to have the head of the segment
    /// at `place` in `rung`, that of the one before it.
    fn has_overlap(&self, place: usize, rung: usize) -> bool;

    /// Requests under way, in the order they were sent.
    fn flights(&self) -> Vec<Flight>;
}

/// Where the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not here, and not asked for.
    Missing,
    /// Asked for, in this rung.
    Coming(usize),
    /// Here in full, in this rung.
    Here(usize),
    /// To be asked for later.
    Later,
    /// There is nothing to ask for.
    Silent,
}

/// What holds for the whole run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Whether all requests that are allowed are used at once; else the next request is sent when
    /// the one before has nearly ended.
    pub is_eager: bool,
    /// Media that is playable at once.
    pub part: f64,
}

impl Limits {
    /// Those of a listener who may have the choice of variants.
    pub fn playing() -> Self {
        Self {
            is_eager: false,
            part: PART,
        }
    }

    /// Those of a run that has no choice, or stores all it can get.
    pub fn storing() -> Self {
        Self {
            is_eager: true,
            part: PART,
        }
    }
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
    /// How much was heard.
    pub heard: f64,
    /// The most media ahead.
    pub ahead: f64,
    /// Requests that may be in flight.
    pub in_flight: usize,
    /// Where the last segment of the stream ends; infinite when nobody knows.
    pub end: f64,
    /// Of a live stream, where what is published ends.
    pub edge: Option<f64>,
    /// When the next segment is expected to be published.
    pub publication: f64,
    /// Of the segments that came in full the one that was asked for last;
    /// `None` before one came, and where nobody listens.
    pub came: Option<Came>,
}

/// A request that ended well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Came {
    /// When it was sent.
    pub sent: f64,
    /// When its last byte came.
    pub ended: f64,
}

/// What is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The media playlist of a rung.
    Playlist(usize),
    /// Its init section.
    Init(usize),
    /// A segment, maybe one that is here already in a lower rung.
    Segment {
        /// Its place.
        place: usize,
        /// In this rung.
        rung: usize,
    },
    /// The head of a segment in the rung of the one before it, to hide the change.
    Overlap {
        /// Its place.
        place: usize,
        /// The rung before it.
        rung: usize,
    },
}

/// A request under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flight {
    /// What for.
    pub asked: Asked,
    /// When it was sent.
    pub at: f64,
    /// How far it is.
    pub report: Report,
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
    /// When the last so far came.
    pub last: Option<f64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Ask for this.
    Fetch(Asked),
    /// Take it from the cache.
    Use {
        /// Its place.
        place: usize,
        /// The rung it is stored in.
        rung: usize,
    },
    /// Give this request up.
    Abort(Asked),
    /// Send this request again: its connection is lost.
    Repeat(Asked),
    /// Nothing until something ends, or this moment.
    Wait(f64),
    /// Nothing any more.
    Done,
}

/// What to do, and what the controller was asked on the way to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The next step.
    pub command: Command,
    /// A segment that waits for what is asked for first, and its rung.
    pub(super) pending: Option<(usize, usize)>,
    /// Where the segment begins that is asked for, if one is.
    pub(super) start: f64,
    /// When it was made.
    pub(super) now: f64,
    /// Questions and answers, in order.
    pub consulted: Vec<Consulted>,
}

/// A question to the controller, and its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Consulted {
    /// The rung of a segment.
    Decide {
        /// Its place.
        place: usize,
        /// What was the case.
        situation: Situation,
        /// What was chosen.
        choice: Choice,
    },
    /// Whether to give a transfer up.
    Abandon {
        /// What was the case.
        situation: Situation,
        /// The transfer.
        transfer: Transfer,
        /// The rung to start again in.
        answer: Option<usize>,
    },
    /// Whether to give up what is fetched once more.
    Regret {
        /// What was the case.
        situation: Situation,
        /// The transfer.
        transfer: Transfer,
        /// Until it is heard.
        until: f64,
        /// Whether it is given up.
        answer: bool,
    },
    /// What to fetch once more.
    Upgrade {
        /// What was the case.
        situation: Situation,
        /// The segments ahead.
        ahead: Segments,
        /// A place among them, and the rung to fetch it in.
        answer: Option<(usize, usize)>,
    },
}

/// Segments that are here and not heard yet, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    /// The place of the first.
    pub base: usize,
    /// The rung of each.
    pub rungs: Vec<u8>,
    /// When each begins, and the last ends.
    pub starts: Vec<f64>,
    /// The first that is not heard yet, counted from `base`.
    pub first: usize,
    /// Time in which nothing else may be fetched.
    pub idle: f64,
    /// Whether everything is fetched.
    pub is_whole: bool,
}
