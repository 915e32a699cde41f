//! What happened, told to the command line: one bounded stream of events from
//! every thread. Sending never blocks; what does not fit is counted, not waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::error::Problem;
use crate::media::Format;
use crate::units::{BitRate, Frames, MediaTime};

const CAPACITY: usize = 4096; // a trace of 2 requests in flight is far below, also while main draws

/// What the run is doing, as the user would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Playlists, probing.
    Opening,
    /// Waiting for enough to begin.
    Buffering,
    /// Frames are flowing.
    Playing,
    /// The listener holds the sound.
    Paused,
    /// The stream does not come; it is asked for again and again.
    Reconnecting,
    /// The end was reached.
    Ended,
}

impl State {
    /// The word of JSON events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Buffering => "buffering",
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Reconnecting => "reconnecting",
            Self::Ended => "ended",
        }
    }
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A multivariant playlist.
    Multivariant,
    /// A media playlist.
    Media,
    /// An initialisation section.
    Init,
    /// A key.
    Key,
    /// A media segment.
    Segment,
    /// A whole file, or a part of one.
    File,
}

impl RequestKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Multivariant,
        Self::Media,
        Self::Init,
        Self::Key,
        Self::Segment,
        Self::File,
    ];

    /// The word of reports and traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Multivariant => "multivariant",
            Self::Media => "media",
            Self::Init => "init",
            Self::Key => "key",
            Self::Segment => "segment",
            Self::File => "file",
        }
    }
}

/// One finished (or failed) HTTP exchange, for the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What it was for.
    pub kind: RequestKind,
    /// Address without secrets.
    pub url: String,
    /// When it was sent.
    pub sent: Instant,
    /// When the head of the answer came.
    pub answered: Option<Instant>,
    /// When the last byte came, or it failed.
    pub ended: Instant,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// First byte asked for.
    pub offset: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Which variant it belonged to.
    pub variant: Option<usize>,
    /// Which segment it carried.
    pub segment: Option<u64>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// One decision of the ABR controller with the numbers it used.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The segment it is about.
    pub segment: u64,
    /// The variant before.
    pub from: usize,
    /// The variant chosen.
    pub to: usize,
    /// Why, in a few words with numbers.
    pub reason: String,
    /// Media ahead of the playhead.
    pub buffer: MediaTime,
    /// Estimated throughput.
    pub estimate: BitRate,
    /// Where in the stream.
    pub position: MediaTime,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run is doing something else now.
    State(State),
    /// What the stream sounds like, from the first decoded frame on and whenever
    /// that changes.
    Format(Format),
    /// The decoder goes on in another variant.
    Variant {
        /// Index, as `info` lists it.
        variant: usize,
        /// Its nominal rate: the average, else the peak.
        bandwidth: BitRate,
    },
    /// The controller decided.
    Decision(Decision),
    /// A line of what the controller was told or asked, for the trace.
    Journal(String),
    /// A request ended.
    Exchange(Exchange),
    /// A request will be sent again.
    Retry {
        /// Which try failed, from 1.
        attempt: u32,
        /// Why.
        problem: Problem,
    },
    /// The sound goes on at another place, because the listener wanted it.
    Seek {
        /// Where.
        to: MediaTime,
    },
    /// A segment was decoded to its end, or (`cache`) stored.
    Segment {
        /// Its number.
        number: u64,
        /// Its variant.
        variant: usize,
        /// Frames that came out of it.
        frames: Frames,
    },
    /// `cache`: this much is on disk.
    Progress {
        /// Bytes on disk.
        bytes: u64,
        /// Bytes in all, estimated until the last segment is in.
        total: Option<u64>,
        /// Segments on disk.
        segments: u64,
        /// Segments in all.
        of: u64,
    },
    /// Sound stopped for want of data.
    Stall {
        /// Where.
        position: MediaTime,
    },
    /// Sound is back.
    Resume {
        /// Where.
        position: MediaTime,
    },
    /// Another title is heard from a position on.
    Title {
        /// The text, safe for a terminal.
        title: String,
        /// Where, in the sound from the start of play on.
        position: MediaTime,
    },
    /// Silence in place of what is missing.
    Gap {
        /// The first segment that is missing.
        number: u64,
        /// Where.
        position: MediaTime,
        /// How long.
        duration: MediaTime,
        /// It could not be had; otherwise the playlist announced it.
        is_lost: bool,
    },
    /// The playlist of a live stream was loaded again.
    Reload {
        /// Its variant.
        variant: usize,
        /// Segments that are new in it.
        added: u64,
    },
    /// Something is wrong, but the run goes on.
    Warning(Problem),
    /// A thread of the pipeline is done: `Ok` or why not.
    Done(Thread, Result<(), Problem>),
}

/// The threads that report their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// The network thread.
    Net,
    /// The decode thread.
    Decode,
    /// The audio output: it only ends by itself when it fails.
    Audio,
}

/// The sending side, one clone for every thread.
#[derive(Clone, Debug)]
pub struct Events {
    sender: Sender<Event>,
    dropped: Arc<AtomicU64>,
}

/// A channel for [`Event`]s.
pub fn channel() -> (Events, Receiver<Event>) {
    let (sender, receiver) = bounded(CAPACITY);
    (
        Events {
            sender,
            dropped: Arc::default(),
        },
        receiver,
    )
}

impl Events {
    /// Sends, or counts the event as dropped when the queue is full.
    pub fn send(&self, event: Event) {
        match self.sender.try_send(event) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends what must not be lost (the end of a thread): waits for room.
    pub fn send_last(&self, event: Event) {
        // A receiver that is gone has no use for it.
        let _ = self.sender.send(event);
    }

    /// How many events did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
