//! The net thread's loop for HLS: at every event the plan is computed anew from
//! what is demanded, held and in flight, and acted on. It owns no queue, and it
//! hands over only the segment that was demanded, as soon as its response has
//! begun, so that far ones stay open to better choices.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::decode::inbox::Doors;
use crate::error::{Kind, Problem};
use crate::event::{Decision, Event, Events, RequestKind};
use crate::hls::abr::{self, Controller};
use crate::hls::media::Media;
use crate::hls::plan::{self, Progress, Step};
use crate::hls::presentation::{self, Presentation};
use crate::hls::quality::Quality;
use crate::limits;
use crate::media::{Init, Piece, Segment, Start};
use crate::stats::{Stage, Stats};
use crate::store::{Body, Moved, Store, Wanted};
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
    Segment { index: usize, rung: usize },
    /// The head of the stream's first segment, in this variant.
    Anchor { rung: usize },
}

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

    /// Answers the demand if its segment can be read by now. `true` when that
    /// was the last answer.
    fn hand_over(&mut self) -> Result<bool, Problem> {
        if self.wishes.purpose != Purpose::Decode {
            return Ok(false);
        }
        let epoch = self.doors.demand().epoch;
        let index = self.demanded();
        if self.handed.is_some_and(|handed| handed >= index) {
            return Ok(false);
        }
        if index >= self.range.end {
            self.doors.hand(Piece::End);
            return Ok(true);
        }
        // What was lost far ahead of the playhead is asked for once more.
        if let Some((problem, true)) = self.lost.get(&index) {
            return Err(problem.clone());
        }
        if let Some(segment) = self.segment(epoch, index)? {
            self.handed = Some(index);
            self.in_memory.retain(|other, _| *other > index);
            self.doors.hand(Piece::Segment(Box::new(segment)));
        }
        Ok(false)
    }

    /// The segment that the decode thread wants next.
    fn demanded(&self) -> usize {
        let number = self.doors.demand().number;
        let index = number.and_then(|number| usize::try_from(number).ok());
        index.unwrap_or(self.range.start).max(self.range.start)
    }

    /// The segment at `index`, if it, its init section and (at the beginning)
    /// the anchor can be read.
    fn segment(&mut self, epoch: u64, index: usize) -> Result<Option<Segment>, Problem> {
        let Some((rung, body)) = self.body(index) else {
            return Ok(None);
        };
        let media = Arc::clone(self.media(rung));
        let about = media
            .segment(index)
            .expect("the plan stays inside the playlist");
        let init = match about.map {
            None => None,
            Some(map) => match self.inits.get(&(rung, map)) {
                None => match self.lost_inits.get(&(rung, map)) {
                    None => return Ok(None),
                    Some(problem) => return Err(problem.clone()),
                },
                Some(body) => Some(Init {
                    id: init_id(rung, map),
                    bytes: body.source(&self.stats)?,
                }),
            },
        };
        let is_first = self.handed.is_none();
        let anchor = match &self.anchor {
            Anchor::Coming if is_first => return Ok(None),
            Anchor::Here(body) if is_first => Some(body.source(&self.stats)?),
            _ => None,
        };
        let wire = if self.wishes.ledger {
            Some(body.source(&self.stats)?)
        } else {
            None
        };
        Ok(Some(Segment {
            epoch,
            number: index as u64,
            variant: rung,
            url: media.location(about.uri)?.to_string(),
            init,
            media: body.source(&self.stats)?,
            wire,
            anchor,
            start: about.start,
            duration: about.duration,
            discontinuity: about.discontinuity && !is_first,
            ends_run: media.ends_run(index),
            from: self.from,
            until: self.until,
            bit_rate: self.presentation.ladder.rungs[rung].rate(),
        }))
    }

    fn media(&self, rung: usize) -> &Arc<Media> {
        self.presentation
            .media(rung)
            .expect("a rung is used only when its playlist is loaded")
    }

    /// Where segment `index` can be read: on its way, or stored.
    fn body(&mut self, index: usize) -> Option<(usize, Body)> {
        let under_way = self.flights.iter().find_map(|(load, body)| match load {
            Load::Segment { index: this, rung } if *this == index => Some((*rung, body.clone()?)),
            _ => None,
        });
        if under_way.is_some() {
            return under_way;
        }
        let rung = usize::from((*self.held.get(index)?)?);
        let load = Load::Segment { index, rung };
        let found = match self.in_memory.get(&index) {
            Some(body) => Some(body.clone()),
            None => self
                .wanted(load)
                .and_then(|wanted| self.store.cached(&wanted)),
        };
        if found.is_none() {
            // Evicted or damaged since: the plan fetches it again.
            self.held[index] = None;
            self.stored = self.stored.min(index);
        }
        found.map(|body| (rung, body))
    }

    /// Starts what the plan wants; returns what it said last.
    fn start_loads(&mut self) -> Step {
        loop {
            let step = plan::plan(&self.situation(), |index| self.progress(index));
            let Step::Fetch(index) = step else {
                return step;
            };
            let rung = self.choose(index);
            self.start_beside(index, rung);
            self.start(Load::Segment { index, rung });
        }
    }

    fn situation(&self) -> plan::Situation {
        let memory = MediaTime::from(limits::MEMORY_AHEAD);
        let (ahead, most_in_flight) = match self.wishes.purpose {
            Purpose::Cache { jobs } => (MediaTime::MAX, jobs),
            // The first segment has the link for itself until it is whole.
            Purpose::Decode if self.is_beginning() => (self.wishes.ahead, 1),
            Purpose::Decode if self.store.is_memory() => {
                (self.wishes.ahead.min(memory), PLAYING_REQUESTS)
            }
            // While the network is down only the demanded segment is tried.
            Purpose::Decode if !self.lost.is_empty() => (MediaTime::ZERO, PLAYING_REQUESTS),
            Purpose::Decode => (self.wishes.ahead, PLAYING_REQUESTS),
        };
        let demand = match self.wishes.purpose {
            Purpose::Cache { .. } => self.stored,
            Purpose::Decode => self.demanded(),
        };
        let segments = self
            .flights
            .keys()
            .filter(|load| matches!(load, Load::Segment { .. }));
        plan::Situation {
            demand,
            end: self.range.end,
            ahead,
            in_flight: segments.count(),
            most_in_flight,
        }
    }

    fn progress(&self, index: usize) -> (Progress, MediaTime) {
        let flying =
            |load: &Load| matches!(load, Load::Segment { index: this, .. } if *this == index);
        let is_lost = match self.lost.get(&index) {
            Some((_, was_demanded)) => *was_demanded || index != self.demanded(),
            None => false,
        };
        let progress = match self.is_held(index) || is_lost {
            true => Progress::Held,
            false if self.flights.keys().any(flying) => Progress::InFlight,
            false => Progress::Missing,
        };
        let segment = self.media(self.first_rung).segment(index);
        (
            progress,
            segment.map_or(MediaTime::ZERO, |segment| segment.duration),
        )
    }

    /// The init section of a segment, and the anchor, are asked for beside it.
    fn start_beside(&mut self, index: usize, rung: usize) {
        let map = self
            .media(rung)
            .segment(index)
            .and_then(|segment| segment.map);
        if let Some(map) = map
            && !self.inits.contains_key(&(rung, map))
        {
            self.start(Load::Init { rung, map });
        }
        let begins = self.wishes.is_exact && self.handed.is_none() && index > 0;
        if begins && matches!(self.anchor, Anchor::None) {
            self.anchor = Anchor::Coming;
            self.start(Load::Anchor { rung });
        }
    }

    fn start(&mut self, load: Load) {
        if self.flights.contains_key(&load) {
            return;
        }
        let Some(wanted) = self.wanted(load) else {
            return;
        };
        self.flights.insert(load, None);
        match load {
            Load::Segment { .. } => self.stats.begin(Stage::SegmentFirstByte),
            Load::Init { .. } => self.stats.begin(Stage::Init),
            Load::Anchor { .. } => {}
        }
        self.tasks
            .spawn(carry(self.store.clone(), wanted, load, self.tell.clone()));
    }

    fn wanted(&self, load: Load) -> Option<Wanted> {
        let (rung, kind) = match load {
            Load::Init { rung, .. } => (rung, RequestKind::Init),
            Load::Segment { rung, .. } | Load::Anchor { rung } => (rung, RequestKind::Segment),
        };
        let media = self.media(rung);
        let (uri, range, segment) = match load {
            Load::Init { map, .. } => {
                let map = media.maps.get(map)?;
                (
                    map.uri.as_str(),
                    map.range.map(|range| range.start..range.end()),
                    None,
                )
            }
            Load::Segment { index, .. } => {
                let segment = media.segment(index)?;
                (
                    segment.uri,
                    segment.range.map(|range| range.start..range.end()),
                    Some(index as u64),
                )
            }
            Load::Anchor { .. } => {
                let segment = media.segment(0)?;
                let whole = segment
                    .range
                    .map_or(0..u64::MAX, |range| range.start..range.end());
                let end = whole.end.min(whole.start.saturating_add(ANCHOR_BYTES));
                (segment.uri, Some(whole.start..end), Some(0))
            }
        };
        // The parser checked every address already.
        let location = media.location(uri).ok()?;
        Some(Wanted {
            location,
            range,
            kind,
            variant: Some(rung),
            segment,
        })
    }

    /// Whether segments of `media` are cut where those of the first playlist
    /// are. A variant that is cut elsewhere is not switched to.
    fn is_aligned(&self, media: &Media) -> bool {
        let first = self.media(self.first_rung);
        let last = first.len().min(media.len()).saturating_sub(1);
        let start =
            |media: &Media, index| media.segment(index).map(|segment| segment.start.millis());
        let is_near = |index| {
            let both = start(first, index).zip(start(media, index));
            both.is_none_or(|(one, other)| (one - other).abs() < ALIGNED_MS)
        };
        first.len().abs_diff(media.len()) <= 1 && is_near(last / 2) && is_near(last)
    }

    /// Lets the controller choose the rung for segment `index`.
    fn choose(&mut self, index: usize) -> usize {
        if let Some(rung) = self.open_rung(index) {
            self.rung = rung;
            return rung;
        }
        if self.wishes.quality != Quality::Auto || self.store.is_offline() {
            return self.rung;
        }
        let position = self.stats.position();
        let segment = self.media(self.rung).segment(index);
        let now = abr::Situation {
            current: self.current(),
            buffer: (self.stats.fetched_until.now() - position).max(MediaTime::ZERO),
            limit: self.wishes.ahead,
            segment: segment.map_or(MediaTime::ZERO, |segment| segment.duration),
        };
        let choice = self.controller.decide(&now);
        let to = self.usable(choice.rung);
        if self.presentation.media(to).is_none() {
            // Taken when its playlist has come.
            self.ask_playlist(to);
            return self.rung;
        }
        let decision = Decision {
            segment: index as u64,
            from: self.rung,
            to,
            reason: choice.reason.to_string(),
            buffer: now.buffer,
            estimate: self.controller.estimate().unwrap_or_default(),
            position,
        };
        self.events.send(Event::Decision(decision.clone()));
        if to != self.rung {
            self.stats.switch(decision);
            self.rung = to;
        }
        // The last segment of one variant may be too short to be one in another.
        match self.media(self.rung).segment(index) {
            Some(_) => self.rung,
            None => self.first_rung,
        }
    }

    /// The rung at `place` of the adaptive ones, or the nearest below that is
    /// cut like the others, as far as is known.
    fn usable(&self, place: usize) -> usize {
        let is_usable = |rung: &&usize| {
            let media = self.presentation.media(**rung);
            media.is_none_or(|media| self.is_aligned(media))
        };
        let below = self.adaptive.iter().take(place + 1).rev().find(is_usable);
        below.copied().unwrap_or(self.rung)
    }

    /// The rung of the segment before, as the controller counts; `None` at the start.
    fn current(&self) -> Option<usize> {
        let place = self.adaptive.iter().position(|rung| *rung == self.rung);
        place.filter(|_| !self.is_beginning())
    }

    /// After a refusal: a rung in which segment `index` was not refused yet.
    fn open_rung(&self, index: usize) -> Option<usize> {
        let refused = self.refused.get(&index)?;
        let is_open = |rung: &&usize| {
            let media = self.presentation.media(**rung);
            !refused.contains(rung) && media.is_some_and(|media| self.is_aligned(media))
        };
        self.adaptive
            .iter()
            .rev()
            .filter(|rung| **rung <= self.rung)
            .find(is_open)
            .or_else(|| self.adaptive.iter().find(is_open))
            .copied()
    }

    fn ask_playlist(&mut self, rung: usize) {
        if self.asked.contains(&rung) {
            return;
        }
        self.asked.push(rung);
        let (store, tell) = (self.store.clone(), self.tell.clone());
        let location = self.presentation.ladder.rungs[rung].location.clone();
        self.tasks.spawn(async move {
            let loaded = presentation::load(&store, location, rung)
                .await
                .map(|(media, _)| media);
            say(&tell, Note::Playlist(rung, loaded)).await;
        });
    }

    fn take(&mut self, note: Note) -> Result<(), Problem> {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.map_err(|_| lost_task())?;
        }
        match note {
            Note::Opened(load, body) => self.opened(load, body),
            Note::Complete(load, moved) => self.complete(load, moved),
            Note::Failed(load, problem) => return self.failed(load, problem),
            Note::Playlist(rung, Ok(media)) => {
                self.presentation.media[rung] = Some(Arc::new(media))
            }
            Note::Playlist(_, Err(problem)) => self.events.send(Event::Warning(problem)),
        }
        Ok(())
    }

    fn opened(&mut self, load: Load, body: Body) {
        match load {
            Load::Init { rung, map } => {
                self.inits.insert((rung, map), body.clone());
            }
            Load::Anchor { .. } => self.anchor = Anchor::Here(body.clone()),
            Load::Segment { .. } => {
                self.stats.end(Stage::SegmentFirstByte);
                self.meter.begin(self.stats.network_bytes.total());
            }
        }
        self.flights.insert(load, Some(body));
    }

    fn complete(&mut self, load: Load, moved: Option<Moved>) {
        let body = self.flights.remove(&load).flatten();
        if matches!(load, Load::Init { .. }) {
            self.stats.end(Stage::Init);
        }
        let Load::Segment { index, rung } = load else {
            return;
        };
        self.hold(index, rung);
        // The network is back: what was lost meanwhile can be had again.
        self.lost.clear();
        self.stored_bytes += body.as_ref().and_then(Body::length).unwrap_or(0);
        if self.store.is_memory() && self.handed.is_none_or(|handed| handed < index) {
            self.in_memory.extend(body.map(|body| (index, body)));
        }
        let busy = self.meter.end(self.stats.network_bytes.total());
        if let (Some(moved), Some((bytes, transfer))) = (moved, busy) {
            self.controller.sample(abr::Sample {
                // What came before its note was read is missing in the meter.
                bytes: bytes.max(moved.bytes),
                first_byte: moved.first_byte,
                transfer: transfer.max(moved.transfer),
            });
            let estimate = self.controller.estimate().unwrap_or_default();
            self.stats.estimate.store(estimate.0, Ordering::Relaxed);
        }
        self.measure_ahead();
        self.report();
    }

    fn is_held(&self, index: usize) -> bool {
        self.held.get(index).is_some_and(Option::is_some)
    }

    fn hold(&mut self, index: usize, rung: usize) {
        self.held[index] = u16::try_from(rung).ok();
        self.stored_segments += 1;
        while self.stored < self.range.end && self.is_held(self.stored) {
            self.stored += 1;
        }
    }

    /// Whether no segment is whole yet: the first has the link for itself.
    fn is_beginning(&self) -> bool {
        self.stored_segments == 0
    }

    /// Publishes up to where everything is on disk, from what is demanded on.
    fn measure_ahead(&self) {
        let demanded = self.demanded().max(self.stored);
        let hole = (demanded..self.range.end).find(|index| !self.is_held(*index));
        let media = self.media(self.first_rung);
        let until = media.segment(hole.unwrap_or(self.range.end));
        let until = until.map_or(media.duration(), |segment| segment.start);
        self.stats.fetched_until.set(until);
    }

    fn report(&self) {
        if self.wishes.purpose == Purpose::Decode {
            return;
        }
        let (segments, of) = (self.stored_segments, self.range.len() as u64);
        let total = Some(self.stored_bytes / segments.max(1) * of);
        self.events.send(Event::Progress {
            bytes: self.stored_bytes,
            total,
            segments,
            of,
        });
    }

    /// Another variant's same segment first, where the choice is ours; else the
    /// segment is lost, which matters when it is demanded.
    fn failed(&mut self, load: Load, problem: Problem) -> Result<(), Problem> {
        let had_body = self.flights.remove(&load).flatten().is_some();
        if had_body && matches!(load, Load::Segment { .. }) {
            self.meter.end(self.stats.network_bytes.total());
        }
        let (index, rung) = match load {
            Load::Segment { index, rung } => (index, rung),
            Load::Init { rung, map } if self.wishes.purpose == Purpose::Decode => {
                self.lost_inits.insert((rung, map), problem);
                return Ok(());
            }
            Load::Init { .. } => return Err(problem),
            Load::Anchor { .. } => {
                // The playlist's own sums have to do.
                self.anchor = Anchor::Refused;
                return Ok(());
            }
        };
        if self.handed == Some(index) {
            // Its reader has been told, and decodes what came.
            self.hold(index, rung);
            return Ok(());
        }
        self.refused.entry(index).or_default().push(rung);
        let helps = matches!(problem.kind, Kind::HttpStatus(_) | Kind::NoData);
        if helps && self.wishes.quality == Quality::Auto && self.open_rung(index).is_some() {
            self.events.send(Event::Warning(problem));
            return Ok(());
        }
        if self.wishes.purpose != Purpose::Decode {
            return Err(problem);
        }
        let was_demanded = index == self.demanded();
        self.lost.insert(index, (problem, was_demanded));
        Ok(())
    }
}

fn lost_task() -> Problem {
    let why = "a transfer of kithara panicked";
    Problem::new(Kind::Bug, "cannot go on", why, "please report it")
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
}

impl Meter {
    fn begin(&mut self, total: u64) {
        if self.active == 0 {
            self.since = Some(Instant::now());
            self.bytes = total;
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
