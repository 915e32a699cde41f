//! The net thread's loop for HLS: at every event the plan is computed anew from
//! what is demanded, held and in flight, and acted on. It owns no queue, and it
//! hands over only the segment that was demanded, as soon as its response has
//! begun, so that far ones stay open to better choices.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::bell::Bell;
use crate::error::{Kind, Problem};
use crate::event::{Decision, Event, Events, RequestKind};
use crate::hls::abr::{Controller, Situation};
use crate::hls::media::Media;
use crate::hls::plan::{self, Step};
use crate::hls::presentation::{self, Presentation};
use crate::hls::variant::Quality;
use crate::media::{Demand, Init, Piece, Segment, Start};
use crate::stats::{Stage, Stats};
use crate::store::{Body, Moved, Store, Wanted};
use crate::text::short_url;
use crate::units::{BitRate, MediaTime};

/// How far before `--start` decoding begins, so that overlap, bit reservoirs
/// and band replication have settled: more than any codec here needs.
const PRE_ROLL: MediaTime = MediaTime::from_nanos(300_000_000);
/// Enough of a first segment to see its first access unit.
const ANCHOR_BYTES: u64 = 64 << 10;
/// Media requests in flight while playing.
const PLAYING_REQUESTS: usize = 2;

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
    /// What for.
    pub purpose: Purpose,
}

/// The doors of the net thread.
pub struct Doors {
    /// Towards the decode thread.
    pub pieces: Sender<Piece>,
    /// Rung after each piece.
    pub bell: Arc<Bell>,
    /// What the decode thread wants.
    pub demand: watch::Receiver<Demand>,
}

impl Doors {
    /// Hands over a piece; the door has room, because one is sent per demand.
    pub fn hand(&self, piece: Piece) {
        let _ = self.pieces.try_send(piece);
        self.bell.ring();
    }
}

/// What a task of the loop tells it.
enum Note {
    /// The response began (or the bytes were here): they can be read.
    Opened(Load, Body),
    /// All bytes are here; `None` when none had to be moved.
    Complete(Load, Option<Moved>),
    /// It will not come.
    Failed(Load, Problem),
    /// Another variant's media playlist.
    Playlist(usize, Result<Media, Problem>),
}

/// What a task loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Load {
    /// An initialisation section: variant and index in its playlist.
    Init { rung: usize, map: usize },
    /// A segment, in this variant.
    Segment { number: u64, rung: usize },
    /// The head of the stream's first segment, in this variant.
    Anchor { rung: usize },
}

/// A load under way.
struct Flight {
    /// Where its bytes can be read, once its response began.
    body: Option<Body>,
}

/// The loop and its state.
pub struct Feed {
    store: Store,
    doors: Doors,
    wishes: Wishes,
    stats: Arc<Stats>,
    events: Events,
    presentation: Presentation,
    controller: Controller,
    meter: Meter,
    range: plan::Range,
    from: MediaTime,
    until: Option<MediaTime>,
    /// The rung the next segment is fetched in.
    rung: usize,
    /// The variant each stored segment is stored in.
    held: HashMap<u64, usize>,
    flights: HashMap<Load, Flight>,
    inits: HashMap<(usize, usize), Body>,
    anchor: Option<Body>,
    /// Variants in which a segment could not be had.
    refused: HashMap<u64, Vec<usize>>,
    /// Playlists asked for and not here yet, or refused.
    asked: Vec<usize>,
    handed: Option<u64>,
    stored_bytes: u64,
    tasks: JoinSet<()>,
    notes: mpsc::Receiver<Note>,
    tell: mpsc::Sender<Note>,
}

impl Feed {
    /// A loop over `presentation`.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when `--start` cannot be placed.
    pub fn new(
        store: Store,
        doors: Doors,
        wishes: Wishes,
        presentation: Presentation,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Self {
        let rung = presentation.chosen.rung;
        let media = presentation.media(rung).expect("open() loaded the chosen rung");
        let duration = media.duration();
        let from = wishes.start.and_then(|start| start.resolve(Some(duration))).unwrap_or_default();
        let until = wishes.length.map(|length| from + length);
        let range = plan::range(media, (from - PRE_ROLL).max(MediaTime::ZERO), until);
        stats.duration.set(duration);
        stats.start.set(from);
        let (tell, notes) = mpsc::channel(NOTES);
        Self {
            controller: Controller::new(&presentation.ladder.rates()),
            meter: Meter::default(),
            stats: Arc::clone(stats),
            events: events.clone(),
            held: HashMap::new(),
            flights: HashMap::new(),
            inits: HashMap::new(),
            refused: HashMap::new(),
            asked: Vec::new(),
            anchor: None,
            handed: None,
            stored_bytes: 0,
            tasks: JoinSet::new(),
            store,
            doors,
            wishes,
            presentation,
            range,
            from,
            until,
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
    /// What keeps a demanded segment from coming, in every variant allowed.
    pub async fn run(mut self) -> Result<(), Problem> {
        if self.from >= self.stats.duration.now() {
            return Err(past_the_end(self.from));
        }
        loop {
            if self.hand_over()? {
                return Ok(());
            }
            if self.start_loads() == Step::Done && self.is_stored() {
                return self.store.sync();
            }
            tokio::select! {
                Some(note) = self.notes.recv() => self.take(note)?,
                changed = self.doors.demand.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Answers the demand if its segment can be read by now. `true` when that
    /// was the last answer.
    fn hand_over(&mut self) -> Result<bool, Problem> {
        if self.wishes.purpose != Purpose::Decode {
            return Ok(false);
        }
        let Demand { epoch, number } = *self.doors.demand.borrow_and_update();
        let number = number.unwrap_or(self.range.first);
        if self.handed.is_some_and(|handed| handed >= number) {
            return Ok(false);
        }
        if number > self.range.last {
            self.doors.hand(Piece::End);
            return Ok(true);
        }
        if let Some(segment) = self.segment(epoch, number)? {
            self.handed = Some(number);
            self.doors.hand(Piece::Segment(Box::new(segment)));
        }
        Ok(false)
    }

    /// The segment `number`, if it, its init section and (at the beginning) the
    /// anchor can be read.
    fn segment(&mut self, epoch: u64, number: u64) -> Result<Option<Segment>, Problem> {
        let Some((rung, body)) = self.body(number) else { return Ok(None) };
        let media = Arc::clone(self.presentation.media(rung).expect("a segment of it is being loaded"));
        let index = self.index(rung, number);
        let about = media.segment(index).expect("the plan stays inside the playlist");
        let init = match about.map {
            None => None,
            Some(map) => match self.inits.get(&(rung, map)) {
                Some(body) => Some(Init { id: init_id(rung, map), bytes: body.source()? }),
                None => return Ok(None),
            },
        };
        let is_first = self.handed.is_none();
        let anchor = match &self.anchor {
            Some(anchor) if is_first => Some(anchor.source()?),
            None if is_first && number > 0 => return Ok(None),
            _ => None,
        };
        let next = media.segment(index + 1);
        let url = media.url(index)?.to_string();
        let wire = if self.wishes.ledger { Some(body.source()?) } else { None };
        Ok(Some(Segment {
            epoch,
            number,
            variant: self.presentation.ladder.rungs[rung].id,
            url,
            init,
            media: body.source()?,
            wire,
            anchor,
            start: about.start,
            duration: about.duration,
            discontinuity: about.discontinuity && !is_first,
            ends_run: next.is_none_or(|next| next.discontinuity),
            from: self.from,
            until: self.until,
            bit_rate: self.presentation.ladder.rate(rung),
        }))
    }

    /// Where `number` can be read: on its way, or stored.
    fn body(&mut self, number: u64) -> Option<(usize, Body)> {
        let under_way = self.flights.iter().find_map(|(load, flight)| match load {
            Load::Segment { number: this, rung } if *this == number => flight.body.clone().map(|body| (*rung, body)),
            _ => None,
        });
        if under_way.is_some() {
            return under_way;
        }
        let rung = *self.held.get(&number)?;
        let found = self.wanted(Load::Segment { number, rung }).and_then(|wanted| self.store.cached(&wanted));
        if found.is_none() {
            // Evicted or damaged since: the plan fetches it again.
            self.held.remove(&number);
        }
        found.map(|body| (rung, body))
    }

    /// Starts what the plan wants; returns what it said last.
    fn start_loads(&mut self) -> Step {
        loop {
            let step = plan::next(&self.state());
            let Step::Fetch(number) = step else { return step };
            let rung = self.choose(number);
            self.start_beside(number, rung);
            self.start(Load::Segment { number, rung });
        }
    }

    fn state(&self) -> plan::State<'_> {
        let demanded = self.doors.demand.borrow().number.unwrap_or(self.range.first);
        let (ahead, allowed) = match self.wishes.purpose {
            Purpose::Cache { jobs } => (MediaTime::MAX, jobs),
            // The first segment has the link for itself until it is whole.
            Purpose::Decode if self.held.is_empty() => (self.wishes.ahead, 1),
            Purpose::Decode => (self.wishes.ahead, PLAYING_REQUESTS),
        };
        plan::State {
            media: self.presentation.media(self.rung).expect("the current rung is loaded"),
            demanded: demanded.max(self.range.first),
            last: self.range.last,
            position: self.stats.position(),
            ahead,
            allowed,
            in_flight: self.flights.keys().filter(|load| matches!(load, Load::Segment { .. })).count(),
            is_taken: Box::new(|number| self.is_taken(number)),
        }
    }

    fn is_taken(&self, number: u64) -> bool {
        let flying = |load: &Load| matches!(load, Load::Segment { number: this, .. } if *this == number);
        self.held.contains_key(&number) || self.flights.keys().any(flying)
    }

    /// The init section of a segment, and the anchor, are asked for beside it.
    fn start_beside(&mut self, number: u64, rung: usize) {
        let index = self.index(rung, number);
        let media = self.presentation.media(rung);
        let map = media.and_then(|media| media.segment(index)).and_then(|segment| segment.map);
        if let Some(map) = map
            && !self.inits.contains_key(&(rung, map))
        {
            self.start(Load::Init { rung, map });
        }
        let begins = self.wishes.purpose == Purpose::Decode && self.handed.is_none() && number > 0;
        if begins && self.anchor.is_none() {
            self.start(Load::Anchor { rung });
        }
    }

    fn start(&mut self, load: Load) {
        if self.flights.contains_key(&load) {
            return;
        }
        let Some(wanted) = self.wanted(load) else { return };
        self.flights.insert(load, Flight { body: None });
        if matches!(load, Load::Segment { .. }) {
            self.stats.begin(Stage::SegmentFirstByte);
        } else if matches!(load, Load::Init { .. }) {
            self.stats.begin(Stage::Init);
        }
        self.tasks.spawn(carry(self.store.clone(), wanted, load, self.tell.clone()));
    }

    fn wanted(&self, load: Load) -> Option<Wanted> {
        let (rung, kind) = match load {
            Load::Init { rung, .. } => (rung, RequestKind::Init),
            Load::Segment { rung, .. } | Load::Anchor { rung } => (rung, RequestKind::Segment),
        };
        let media = self.presentation.media(rung)?;
        let (location, range, segment) = match load {
            Load::Init { map, .. } => {
                let map = media.maps.get(map)?;
                (media.location(&map.uri).ok()?, map.range.map(|range| range.start..range.end()), None)
            }
            Load::Segment { number, .. } => {
                let index = self.index(rung, number);
                let range = media.segment(index)?.range.map(|range| range.start..range.end());
                (media.url(index).ok()?, range, Some(number))
            }
            Load::Anchor { .. } => {
                let range = media.segment(0)?.range.map_or(0..ANCHOR_BYTES, |range| {
                    range.start..range.end().min(range.start.saturating_add(ANCHOR_BYTES))
                });
                (media.url(0).ok()?, Some(range), Some(0))
            }
        };
        let variant = Some(self.presentation.ladder.rungs[rung].id);
        Some(Wanted { location, range, kind, variant, segment })
    }

    /// Where segment `number` stands in the playlist of `rung`. Variants of one
    /// stream usually agree; where they do not, time decides.
    fn index(&self, rung: usize, number: u64) -> usize {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let first = self.presentation.media(self.presentation.chosen.rung);
        match (first, self.presentation.media(rung)) {
            (Some(first), Some(media)) if first.len() != media.len() => {
                let Some(segment) = first.segment(index) else { return usize::MAX };
                let middle = MediaTime::from_nanos(segment.duration.nanos() / 2);
                plan::segment_at(media, segment.start + middle)
            }
            _ => index,
        }
    }

    fn is_stored(&self) -> bool {
        self.wishes.purpose != Purpose::Decode && self.flights.is_empty()
    }

    /// Lets the controller choose the rung for segment `number`.
    fn choose(&mut self, number: u64) -> usize {
        if self.wishes.quality != Quality::Auto || self.store.is_offline() {
            return self.rung;
        }
        let position = self.stats.position();
        let buffer = (self.stats.fetched_until.now() - position).max(MediaTime::ZERO);
        let media = self.presentation.media(self.rung).expect("the current rung is loaded");
        let index = self.index(self.rung, number);
        let duration = media.segment(index).map_or(media.target_duration, |segment| segment.duration);
        let situation = Situation { current: self.rung, buffer, segment: duration, is_first: self.held.is_empty() };
        let choice = self.controller.decide(&situation);
        let mut to = choice.rung;
        if self.refused.get(&number).is_some_and(|rungs| rungs.contains(&to)) {
            to = self.another(number).unwrap_or(to);
        }
        self.decided(number, to, choice.reason.to_string(), buffer, position);
        self.rung
    }

    /// Notes the decision and acts on it; a variant whose playlist is not here
    /// yet is asked for and taken when it has come.
    fn decided(&mut self, number: u64, to: usize, reason: String, buffer: MediaTime, position: MediaTime) {
        if self.presentation.media(to).is_none() {
            return self.ask_playlist(to);
        }
        let id = |rung: usize| self.presentation.ladder.rungs[rung].id;
        let estimate = self.controller.estimate();
        let decision = Decision {
            segment: number,
            from: id(self.rung),
            to: id(to),
            reason,
            buffer,
            estimate,
            position,
        };
        self.events.send(Event::Decision(decision.clone()));
        if to != self.rung {
            self.stats.switch(decision);
            self.rung = to;
        }
    }

    fn ask_playlist(&mut self, rung: usize) {
        if self.asked.contains(&rung) {
            return;
        }
        self.asked.push(rung);
        let (store, tell) = (self.store.clone(), self.tell.clone());
        let location = self.presentation.ladder.rungs[rung].location.clone();
        self.tasks.spawn(async move {
            let loaded = presentation::load(&store, location, rung).await.map(|(media, _)| media);
            // A loop that is gone needs no answer.
            let _ = tell.send(Note::Playlist(rung, loaded)).await;
        });
    }

    /// A rung in which segment `number` was not refused yet.
    fn another(&self, number: u64) -> Option<usize> {
        let refused = self.refused.get(&number);
        let open = |rung: &usize| {
            self.presentation.ladder.rungs[*rung].decodable
                && self.presentation.media(*rung).is_some()
                && !refused.is_some_and(|rungs| rungs.contains(rung))
        };
        (0..self.presentation.ladder.rungs.len()).find(open)
    }

    fn take(&mut self, note: Note) -> Result<(), Problem> {
        match note {
            Note::Opened(load, body) => self.opened(load, body),
            Note::Complete(load, moved) => self.complete(load, moved),
            Note::Failed(load, problem) => return self.failed(load, problem),
            Note::Playlist(rung, Ok(media)) => self.presentation.media[rung] = Some(Arc::new(media)),
            Note::Playlist(_, Err(problem)) => self.events.send(Event::Warning(problem)),
        }
        Ok(())
    }

    fn opened(&mut self, load: Load, body: Body) {
        match load {
            Load::Init { rung, map } => {
                self.inits.insert((rung, map), body.clone());
            }
            Load::Anchor { .. } => self.anchor = Some(body.clone()),
            Load::Segment { .. } => {
                self.stats.end(Stage::SegmentFirstByte);
                self.meter.begin(self.stats.network_bytes.total());
            }
        }
        if let Some(flight) = self.flights.get_mut(&load) {
            flight.body = Some(body);
        }
    }

    fn complete(&mut self, load: Load, moved: Option<Moved>) {
        let flight = self.flights.remove(&load);
        if matches!(load, Load::Init { .. }) {
            self.stats.end(Stage::Init);
        }
        let Load::Segment { number, rung } = load else { return };
        self.held.insert(number, rung);
        let bytes = flight.and_then(|flight| flight.body?.length()).unwrap_or(0);
        self.stored_bytes += bytes;
        let busy = self.meter.end(self.stats.network_bytes.total());
        if let (Some(moved), Some((bytes, time))) = (moved, busy) {
            self.controller.sample(bytes, time, moved.first_byte);
            self.stats.estimate.store(self.controller.estimate().0, Ordering::Relaxed);
        }
        self.measure_ahead();
        self.report();
    }

    /// Publishes up to where everything is on disk, from what is demanded on.
    fn measure_ahead(&self) {
        let demanded = self.doors.demand.borrow().number.unwrap_or(self.range.first);
        let first_hole = (demanded..=self.range.last).find(|number| !self.held.contains_key(number));
        let media = self.presentation.media(self.rung).expect("the current rung is loaded");
        let until = match first_hole {
            Some(number) => media.segment(self.index(self.rung, number)).map(|segment| segment.start),
            None => Some(media.duration()),
        };
        self.stats.fetched_until.set(until.unwrap_or_default());
    }

    fn report(&self) {
        if self.wishes.purpose == Purpose::Decode {
            return;
        }
        let (done, of) = (self.held.len() as u64, self.range.last - self.range.first + 1);
        let total = Some(self.stored_bytes / done.max(1) * of);
        let progress = Event::Progress { bytes: self.stored_bytes, total, segments: done, of };
        self.events.send(progress);
    }

    /// Another variant's same segment first, where the user left the choice to us.
    fn failed(&mut self, load: Load, problem: Problem) -> Result<(), Problem> {
        self.flights.remove(&load);
        let Load::Segment { number, rung } = load else { return Err(problem) };
        self.refused.entry(number).or_default().push(rung);
        let helps = matches!(problem.kind, Kind::HttpStatus(_) | Kind::NoData);
        let is_free = self.wishes.quality == Quality::Auto && self.handed != Some(number);
        match self.another(number) {
            Some(other) if helps && is_free => {
                self.events.send(Event::Warning(problem));
                self.rung = other;
                Ok(())
            }
            _ => Err(problem),
        }
    }
}

/// One load from its request to its last byte.
async fn carry(store: Store, wanted: Wanted, load: Load, tell: mpsc::Sender<Note>) {
    let opened = match store.open(&wanted).await {
        Ok(opened) => opened,
        Err(problem) => return say(&tell, Note::Failed(load, problem)).await,
    };
    say(&tell, Note::Opened(load, opened.body)).await;
    let note = match opened.transfer {
        None => Note::Complete(load, None),
        Some(transfer) => match transfer.run().await {
            Ok(moved) => Note::Complete(load, Some(moved)),
            Err(problem) => Note::Failed(load, problem),
        },
    };
    say(&tell, note).await;
}

async fn say(tell: &mpsc::Sender<Note>, note: Note) {
    // A loop that is gone needs no answer.
    let _ = tell.send(note).await;
}

/// Init sections are told apart by variant and place in its playlist.
fn init_id(rung: usize, map: usize) -> u64 {
    (rung as u64) << 32 | map as u64
}

/// Throughput of the link: bytes of all requests together, over the time in
/// which at least one body was under way.
#[derive(Debug, Default)]
struct Meter {
    active: u32,
    since: Option<Instant>,
    bytes: u64,
    busy: Duration,
}

impl Meter {
    fn begin(&mut self, total: u64) {
        if self.active == 0 {
            self.since = Some(Instant::now());
            self.bytes = total;
            self.busy = Duration::ZERO;
        }
        self.active += 1;
    }

    /// Bytes and busy time since the last sample.
    fn end(&mut self, total: u64) -> Option<(u64, Duration)> {
        self.active = self.active.saturating_sub(1);
        let now = Instant::now();
        let time = now.saturating_duration_since(self.since?);
        let bytes = total.saturating_sub(self.bytes);
        self.since = (self.active > 0).then_some(now);
        self.bytes = total;
        Some((bytes, time))
    }
}
