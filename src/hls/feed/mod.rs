//! The net thread's loop for HLS: at every event the plan is computed anew from
//! what is demanded, held and in flight, and acted on. It owns no queue, and it
//! hands over only the segment that was demanded, as soon as its response has
//! begun, so that far ones stay open to better choices.

mod choosing;
mod handing;
mod loading;
mod noting;
mod unlocking;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::decode::inbox::Doors;
use crate::error::Problem;
use crate::event::{Event, Events};
use crate::hls::abr::Controller;
use crate::hls::key;
use crate::hls::load::{Load, Note};
use crate::hls::meter::Meter;
use crate::hls::plan::Step;
use crate::hls::presentation::Presentation;
use crate::hls::quality::Quality;
use crate::media::Start;
use crate::stats::Stats;
use crate::store::{Body, Store};
use crate::units::{BitRate, MediaTime};

/// How far before `--start` decoding begins, so that overlap, bit reservoirs
/// and band replication have settled: more than any codec here needs.
const PRE_ROLL: MediaTime = MediaTime::from_nanos(300_000_000);
/// Enough of a first segment to see its first access unit.
const ANCHOR_BYTES: u64 = 64 << 10;
/// Media requests in flight while playing.
const PLAYING_REQUESTS: usize = 2;
/// Two playlists cut the same sound alike when they are closer than this.
const ALIGNED_MS: i64 = 500;
/// Notes of tasks on their way to the loop; each request sends two.
const NOTES: usize = 64;

/// What is to be done with the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are handed to the decode thread as it demands them.
    Decode,
    /// They are only stored, this many at a time.
    Cache {
        /// Requests in flight.
        jobs: usize,
    },
}

/// What the user wants of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Which variant.
    pub quality: Quality,
    /// Where to begin.
    pub start: Option<Start>,
    /// How much.
    pub length: Option<MediaTime>,
    /// How far to fetch ahead of what is heard.
    pub ahead: MediaTime,
    /// Whether segments are read once more for their checksum.
    pub ledger: bool,
    /// Whether a beginning in the middle is exact to the sample, at the price
    /// of one small request for the head of the first segment.
    pub is_exact: bool,
    /// What for.
    pub purpose: Purpose,
}

impl Wishes {
    /// Just enough to hear the first frame.
    pub fn to_probe(quality: Quality) -> Self {
        Self {
            quality,
            start: None,
            length: None,
            ahead: MediaTime::ZERO,
            ledger: false,
            is_exact: false,
            purpose: Purpose::Decode,
        }
    }
}

/// The head of the stream's first segment, which tells presentation zero.
#[derive(Clone)]
enum Anchor {
    /// Not asked for.
    None,
    /// Asked for.
    Coming,
    /// Its response began.
    Here(Body),
    /// Not to be had.
    Refused,
}

/// The loop and its state.
pub struct Feed {
    store: Store,
    doors: Doors,
    wishes: Wishes,
    stats: Arc<Stats>,
    events: Events,
    presentation: Presentation,
    /// The rungs `auto` may use; the controller counts in this list.
    adaptive: Vec<usize>,
    controller: Controller,
    meter: Meter,
    /// The segments wanted, by their place in the playlist first loaded.
    range: Range<usize>,
    from: MediaTime,
    until: Option<MediaTime>,
    /// The rung loaded first: segments are counted in its playlist.
    first_rung: usize,
    /// The rung the next segment is fetched in.
    rung: usize,
    /// The rung each stored segment is stored in, by its place.
    held: Vec<Option<u16>>,
    /// Every wanted segment before this one is stored.
    stored: usize,
    /// Bodies in memory, which last only as long as someone holds them.
    in_memory: HashMap<usize, Body>,
    /// Loads under way, and where to read those whose response began.
    flights: HashMap<Load, Option<Body>>,
    inits: HashMap<(usize, usize), Body>,
    keys: key::Ring,
    anchor: Anchor,
    /// Rungs in which a segment could not be had.
    refused: HashMap<usize, Vec<usize>>,
    /// Segments that could not be had, and whether they were demanded then.
    lost: HashMap<usize, (Problem, bool)>,
    /// Init sections that could not be had.
    lost_inits: HashMap<(usize, usize), Problem>,
    /// Playlists asked for.
    asked: Vec<usize>,
    handed: Option<usize>,
    stored_bytes: u64,
    stored_segments: u64,
    tasks: JoinSet<()>,
    notes: mpsc::Receiver<Note>,
    tell: mpsc::Sender<Note>,
}

impl Feed {
    /// A loop over `presentation`.
    pub fn new(
        store: Store,
        doors: Doors,
        wishes: Wishes,
        presentation: Presentation,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Self {
        let chosen = presentation.chosen.as_ref();
        let rung = chosen.expect("a rung was chosen before").rung;
        let media = presentation
            .media(rung)
            .expect("open() loaded the chosen rung");
        let duration = media.duration();
        let from = wishes
            .start
            .and_then(|start| start.resolve(Some(duration)))
            .unwrap_or_default();
        let begin = (from - PRE_ROLL).max(MediaTime::ZERO);
        let length = wishes.length.map(|length| from + length - begin);
        let wanted = media.segments_in(begin, length);
        // Media times may run a little behind the sums of the playlist.
        let range = wanted.start..(wanted.end + usize::from(length.is_some())).min(media.len());
        let media_length = media.len();
        stats.duration.set(duration);
        stats.start.set(from);
        let adaptive = presentation.ladder.adaptive();
        let rates: Vec<BitRate> = adaptive
            .iter()
            .map(|&rung| presentation.ladder.rungs[rung].rate())
            .collect();
        let (tell, notes) = mpsc::channel(NOTES);
        Self {
            until: wishes.length.map(|length| from + length),
            controller: Controller::new(&rates),
            meter: Meter::default(),
            stats: Arc::clone(stats),
            events: events.clone(),
            held: vec![None; media_length],
            stored: range.start,
            in_memory: HashMap::new(),
            flights: HashMap::new(),
            inits: HashMap::new(),
            keys: key::Ring::default(),
            anchor: Anchor::None,
            refused: HashMap::new(),
            lost: HashMap::new(),
            lost_inits: HashMap::new(),
            asked: Vec::new(),
            handed: None,
            stored_bytes: 0,
            stored_segments: 0,
            tasks: JoinSet::new(),
            store,
            doors,
            wishes,
            presentation,
            adaptive,
            range,
            from,
            first_rung: rung,
            rung,
            notes,
            tell,
        }
    }

    /// Runs until the last wanted segment was handed over (or stored), or the
    /// decode thread is gone.
    ///
    /// # Errors
    ///
    /// What keeps a wanted segment from coming, in every variant allowed.
    pub async fn run(mut self) -> Result<(), Problem> {
        if self.from > MediaTime::ZERO && self.from >= self.stats.duration.now() {
            self.events
                .send(Event::Warning(Start::past_the_end(self.from)));
        }
        loop {
            // In this order: a segment found damaged is planned again at once.
            if self.hand_over()? {
                return self.settle().await;
            }
            let is_stored = self.start_loads() == Step::Done && self.flights.is_empty();
            if is_stored && self.wishes.purpose != Purpose::Decode {
                return self.store.sync();
            }
            if self.wait().await? {
                return Ok(());
            }
        }
    }

    /// Waits for a note or another demand; `true` when nobody demands any more.
    async fn wait(&mut self) -> Result<bool, Problem> {
        let is_demanded = self.wishes.purpose == Purpose::Decode;
        tokio::select! {
            Some(note) = self.notes.recv() => self.take(note).map(|()| false),
            is_left = self.doors.changed(), if is_demanded => Ok(is_left),
        }
    }

    /// Everything was handed over: lets the last transfers end while it is
    /// decoded, unless the decode thread is done first.
    async fn settle(mut self) -> Result<(), Problem> {
        while !self.flights.is_empty() && !self.wait().await? {}
        Ok(())
    }
}
