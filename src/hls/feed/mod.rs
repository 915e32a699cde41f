//! The net thread's loop for HLS: at every event the plan is computed anew from
//! what is demanded, held and in flight, and acted on. It owns no queue, and it
//! hands over only the segment that was demanded, as soon as its response has
//! begun, so that far ones stay open to better choices.

pub(in crate::hls) mod about;
mod broadcast;
mod choosing;
mod handing;
mod held;
mod loading;
mod missing;
mod noting;
mod overlap;
mod picking;
mod recording;
mod renewing;
mod room;
mod seeking;
mod telling;
mod unlocking;
mod view;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use self::about::{About, Sections};
use self::broadcast::Broadcast;
use self::held::Held;
use self::loading::head_of;
use self::overlap::Hidden;
use self::recording::Recording;
use self::renewing::Renewals;
pub use self::renewing::Search;
use crate::decode::inbox::Doors;
use crate::error::Problem;
use crate::event::{Decision, Event, Events};
use crate::hls::abr::Controller;
use crate::hls::dial::Turns;
use crate::hls::key;
use crate::hls::live;
use crate::hls::load::{Load, Note};
use crate::hls::meter::Meter;
use crate::hls::planner::{Limits, Planner};
use crate::hls::presentation::Presentation;
use crate::hls::quality::Quality;
use crate::hls::timeline::Listed;
use crate::hls::wishes::{Purpose, Wishes};
use crate::media::{Demand, Start};
use crate::stats::Stats;
use crate::store::{Body, Kept, Store, Wanted};
use crate::units::{BitRate, MediaTime};

/// Look-ahead kept on disk unless the user says otherwise; of a live stream all there is.
const AHEAD: MediaTime = MediaTime::from_nanos(300_000_000_000);
/// Enough of a first segment to see its first access unit.
const ANCHOR_BYTES: u64 = 64 << 10;
/// Two playlists cut the same sound alike when they are closer than this.
const ALIGNED_MS: i64 = 500;
/// What the decode thread reads, or is about to: segments, and what goes with them.
const READ_AT_ONCE: usize = 6;
/// Notes of tasks on their way to the loop; each request sends two.
const NOTES: usize = 64;

/// The head of the stream's first segment, which tells presentation zero.
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

/// A load under way.
struct Flight {
    /// What was asked for.
    wanted: Wanted,
    /// How often a new address was looked for.
    renewals: u32,
    /// Where to read it, once its response began.
    body: Option<Body>,
    /// When it was asked for.
    at: Instant,
    /// Whether no other segment was under way then: only such a one waits for
    /// nothing but its own answer.
    is_alone: bool,
    /// When its response began.
    opened: Option<Instant>,
    /// Bytes of it that were in the cache before.
    base: u64,
    /// Bytes of it that were here when that changed last, and when.
    come: Cell<(u64, Instant)>,
    /// Who brings it.
    task: Option<AbortHandle>,
}

impl Flight {
    fn new(wanted: Wanted, renewals: u32) -> Self {
        Self {
            wanted,
            renewals,
            body: None,
            at: Instant::now(),
            is_alone: false,
            opened: None,
            base: 0,
            come: Cell::new((0, Instant::now())),
            task: None,
        }
    }
}

/// The loop and its state. Segments are counted by place (see
/// [`crate::hls::timeline`]).
pub struct Feed {
    store: Store,
    doors: Doors,
    /// What the listener does.
    dial: Turns,
    wishes: Wishes,
    stats: Arc<Stats>,
    events: Events,
    presentation: Presentation,
    /// The rungs `auto` may use.
    adaptive: Vec<usize>,
    /// Those there is a choice of; the planner counts in this list.
    rungs: Vec<usize>,
    planner: Planner,
    /// When the run began.
    begun: Instant,
    /// When the planner is asked again although nothing happens.
    look: Option<Instant>,
    /// Whether a segment was asked for.
    has_asked: bool,
    /// Why which segment is fetched in which rung.
    decisions: BTreeMap<usize, Decision>,
    /// The rung that was handed over last.
    heard: Option<usize>,
    /// Heads of segments in the rung before them, where they differ.
    overlaps: HashMap<(usize, usize), Hidden>,
    /// The seek that is answered.
    epoch: u64,
    /// What the decode thread wanted when it was answered last.
    answered: Option<Demand>,
    /// The segment that was handed over and then given up, and until when it
    /// had come, in seconds.
    broken_off: Option<(usize, f64)>,
    meter: Meter,
    /// The place where the run begins.
    begin: usize,
    from: MediaTime,
    until: Option<MediaTime>,
    /// The rung whose playlist the others are compared with: the one loaded
    /// first, of a live stream the one that is loaded again.
    reference: usize,
    /// What only a stream without end has.
    broadcast: Option<Broadcast>,
    /// What only one that is recorded has.
    recording: Option<Recording>,
    /// The rung the next segment is fetched in.
    rung: usize,
    /// What is stored.
    held: Held,
    /// Every wanted segment before this one is stored.
    stored: usize,
    /// Live segments as they were listed, from the request to the hand-over.
    known: BTreeMap<usize, About>,
    /// Bodies in memory, which last only as long as someone holds them.
    in_memory: HashMap<usize, Body>,
    /// Loads under way.
    flights: HashMap<Load, Flight>,
    renewals: Renewals,
    sections: Sections,
    keys: key::Ring,
    anchor: Anchor,
    /// Rungs in which a segment could not be had.
    refused: HashMap<usize, Vec<usize>>,
    /// Segments that could not be had, and whether they are not asked for again.
    lost: HashMap<usize, (Problem, bool)>,
    /// Segments that are tried again later.
    later: HashMap<usize, missing::Pause>,
    /// How often another place of its variant was turned to for a segment.
    turns: HashMap<usize, usize>,
    /// When the playlists of other variants were asked for.
    asked: HashMap<usize, Instant>,
    /// Rungs whose playlist cannot be had or does not fit: not chosen any more.
    barred: Vec<usize>,
    /// What was handed over last, the newest first, as long as it is read.
    read: VecDeque<(Load, Wanted, Weak<Kept>)>,
    handed: Option<usize>,
    /// Every segment before this one was played, and may go from the cache.
    played: usize,
    /// While this is in demand, the cache has no room for what is ahead of it.
    full_at: Option<usize>,
    /// The place that a live stream jumped to last, over what is not heard.
    jumped_to: Option<usize>,
    /// Where what was handed over ends.
    frontier: MediaTime,
    stored_bytes: u64,
    stored_segments: u64,
    tasks: JoinSet<()>,
    notes: mpsc::Receiver<Note>,
    tell: mpsc::Sender<Note>,
}

impl Feed {
    /// A loop over `presentation`, which has chosen a rung; `doors` lead to the
    /// decode thread, `dial` tells what the listener does.
    pub fn new(
        store: Store,
        (doors, dial): (Doors, Turns),
        wishes: Wishes,
        mut presentation: Presentation,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Self {
        let chosen = presentation.chosen.as_ref();
        let rung = chosen.expect("a rung was chosen before").rung;
        let list = presentation
            .list(rung)
            .expect("open() loaded the chosen rung");
        let is_live = !list.media().ended;
        let surplus = live::surplus(list.media(), 0);
        let list = list.clone().without_first(surplus);
        let (begin, from, list) = wishes.beginning(&list);
        if surplus > 0 {
            events.send(Event::Warning(broadcast::too_long()));
        }
        if !is_live {
            stats.duration.set(list.end_time());
        }
        stats.start.set(from);
        let broadcast = is_live.then(|| Broadcast::new(list.media(), &presentation, surplus > 0));
        let is_recorded = is_live && wishes.purpose != Purpose::Decode;
        let location = &presentation.ladder.rungs[rung].location;
        let recording = is_recorded.then(|| Recording::new(location.clone(), begin));
        let adaptive = presentation.ladder.adaptive();
        let is_adaptive = wishes.quality == Quality::Auto && !store.is_offline();
        let rungs = match is_adaptive && adaptive.contains(&rung) {
            true => adaptive.clone(),
            false => vec![rung],
        };
        let rates: Vec<BitRate> = rungs
            .iter()
            .map(|&rung| presentation.ladder.rungs[rung].rate())
            .collect();
        let limits = match rungs.len() == 1 || wishes.purpose != Purpose::Decode {
            true => Limits::storing(),
            false => Limits::playing(),
        };
        presentation.lists[rung] = Some(list);
        let (tell, notes) = mpsc::channel(NOTES);
        Self {
            until: wishes.length.map(|length| from + length),
            planner: Planner::new(
                Controller::new(&rates)
                    .with(wishes.algorithm)
                    .remembering(wishes.prior),
                limits,
            ),
            begun: Instant::now(),
            look: None,
            has_asked: false,
            decisions: BTreeMap::new(),
            heard: None,
            overlaps: HashMap::new(),
            epoch: 0,
            answered: None,
            broken_off: None,
            meter: Meter::default(),
            stats: Arc::clone(stats),
            events: events.clone(),
            held: Held::new(begin),
            stored: begin,
            known: BTreeMap::new(),
            in_memory: HashMap::new(),
            flights: HashMap::new(),
            renewals: Renewals::default(),
            sections: Sections::default(),
            keys: key::Ring::default(),
            anchor: Anchor::None,
            refused: HashMap::new(),
            lost: HashMap::new(),
            later: HashMap::new(),
            turns: HashMap::new(),
            asked: HashMap::new(),
            barred: Vec::new(),
            read: VecDeque::new(),
            handed: None,
            played: begin,
            full_at: None,
            jumped_to: None,
            frontier: from,
            stored_bytes: 0,
            stored_segments: 0,
            tasks: JoinSet::new(),
            store,
            doors,
            dial,
            wishes,
            presentation,
            adaptive,
            rungs,
            begin,
            from,
            reference: rung,
            broadcast,
            recording,
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
        let is_finite = self.broadcast.is_none();
        if is_finite && self.from > MediaTime::ZERO && self.from >= self.stats.duration.now() {
            self.events
                .send(Event::Warning(Start::past_the_end(self.from)));
        }
        self.tell_beginning();
        loop {
            self.end_pauses();
            // In this order: a segment found damaged is planned again at once.
            if self.hand_over()? {
                match self.settle().await? {
                    true => return Ok(()),
                    false => continue,
                }
            }
            if self.record()? {
                return self.store.sync();
            }
            let is_stored = self.act() && self.flights.is_empty();
            if is_stored && self.is_strict() {
                self.drop_recording();
                return self.store.sync();
            }
            self.start_reload();
            if self.wait().await? {
                return Ok(());
            }
        }
    }

    /// Waits for a note, another demand or the time to do something; `true`
    /// when nobody demands any more.
    async fn wait(&mut self) -> Result<bool, Problem> {
        let is_demanded = self.wishes.purpose == Purpose::Decode;
        let due = self.due();
        let timer = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
        tokio::select! {
            Some(note) = self.notes.recv() => self.take(note).map(|()| false),
            is_left = self.doors.changed(), if is_demanded => Ok(is_left),
            steps = self.dial.turned(), if is_demanded => {
                self.pick_next(steps);
                Ok(false)
            }
            () = timer, if due.is_some() => Ok(false),
        }
    }

    /// When something is to be done although nothing happens.
    fn due(&self) -> Option<Instant> {
        let reload = self.broadcast.as_ref().and_then(Broadcast::due);
        let retries = self.later.values().filter_map(missing::Pause::until);
        retries.chain(reload).chain(self.look).min()
    }

    /// Everything was handed over: lets the last transfers end while it is
    /// decoded, and mends what is torn, until the decode thread is done: `true`;
    /// or wants another place.
    async fn settle(&mut self) -> Result<bool, Problem> {
        // Nothing is to be done any more but to wait.
        self.broadcast = None;
        self.later.clear();
        self.look = None;
        while !self.wait().await? {
            if self.doors.demand().epoch != self.epoch {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn list(&self, rung: usize) -> &Listed {
        self.presentation
            .list(rung)
            .expect("a rung is used only when its playlist is loaded")
    }

    /// The place after the last segment that is wanted, as far as is known.
    fn end(&self) -> usize {
        let list = self.list(self.reference);
        let Some(until) = self.until else {
            return list.end();
        };
        // Media times may run a little behind the sums of the playlist.
        let wanted = list.places_in(self.from, Some(until - self.from));
        let beyond = usize::from(!self.is_recording());
        (wanted.end + beyond).min(list.end())
    }

    /// Whether nothing at or after `place` is wanted or will come.
    fn is_over(&self, place: usize) -> bool {
        let list = self.list(self.reference);
        let end = self.end();
        place >= end && (list.media().ended || end < list.end())
    }
}
