//! What to ask for next, as a function of what came: a state machine that is
//! told of moments and transfers and answers with commands. It knows no clock
//! and no socket; whoever has them drives it. Times are seconds of the run.

mod words;

use std::time::Duration;

pub use self::words::{Asked, Command, Limits, Moment, Report};
use crate::hls::abr::{Ahead, Controller, Sample, Situation, Transfer};

/// How often a transfer is looked at.
const TICK: f64 = 0.2;
/// A transfer given up earlier says nothing about the link.
const TELLING: f64 = 0.3;
/// The least time that such a transfer counts for.
const LEAST_TRANSFER: f64 = 0.2;
/// Times that are the same.
const NEAR: f64 = 1e-9;
/// Seconds of media left when what is stored has to help.
const RESCUE: f64 = 0.3;
/// So much media must be stored to rely on it.
const NET: f64 = 60.0;
/// How many waits for a first byte before the end of one the next is asked for.
const EARLY: f64 = 1.25;
/// Segments of buffer below which anything that is stored is used.
const URGENT: f64 = 2.0;

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    asked: Asked,
    at: f64,
    /// Whether nothing else was under way.
    is_alone: bool,
    report: Report,
}

/// The planner of one run.
#[derive(Clone, Debug)]
pub struct Planner {
    controller: Controller,
    limits: Limits,
    /// Where each segment begins, and the last ends.
    starts: Vec<f64>,
    /// The rung of each segment that is here.
    rungs: Vec<u8>,
    /// The best rung of each segment in the cache.
    stored: Vec<Option<u8>>,
    /// Rungs whose playlist is here.
    lists: Vec<bool>,
    /// Rungs whose init section is here.
    inits: Vec<bool>,
    /// What was decided and waits for its playlist or its init section.
    pending: Option<(usize, usize)>,
    flights: Vec<Flight>,
    /// Where the last switch was.
    switched: f64,
    /// When a request was given up.
    given_up: f64,
}

impl Planner {
    /// For segments that begin at `starts` (the last ends there), of which the
    /// cache has those of `stored`, in as many rungs.
    pub fn new(
        controller: Controller,
        rungs: usize,
        starts: Vec<f64>,
        stored: Vec<Option<u8>>,
        limits: Limits,
    ) -> Self {
        Self {
            controller,
            limits,
            rungs: Vec::with_capacity(starts.len()),
            starts,
            stored,
            lists: vec![false; rungs],
            inits: vec![false; rungs],
            pending: None,
            flights: Vec::with_capacity(limits.in_flight),
            switched: 0.0,
            given_up: f64::NEG_INFINITY,
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: &Moment) -> Command {
        if let Some(flight) = self.flights.last().copied() {
            if self.is_rescued(now, &flight) {
                self.pending = None;
                return Command::Abort(flight.asked);
            }
            if let Some(command) = self.give_up(now, &flight) {
                return command;
            }
            if self.flights.len() >= self.limits.in_flight || !self.is_time(now, &flight) {
                return Command::Wait(self.next_look(now, &flight));
            }
        }
        if let Some((segment, rung)) = self.pending {
            return self.fetch(segment, rung);
        }
        let segment = self.next_segment();
        if segment >= self.count() {
            return self.refine(now);
        }
        let situation = self.situation(now);
        let until = self.room_at(now, &situation, segment);
        if let Some((segment, rung)) = self.upgrade(now, until - now.now) {
            return self.fetch(segment, rung);
        }
        if until > now.now + NEAR {
            return Command::Wait(until);
        }
        let rung = self.controller.decide(&situation).rung;
        match self.stored[segment].map(usize::from) {
            Some(stored) if stored >= rung || situation.buffer < URGENT * situation.segment => {
                // What is under way comes before it.
                if let Some(flight) = self.flights.last().filter(|_| segment > self.rungs.len()) {
                    return Command::Wait(self.next_look(now, flight));
                }
                let rung = stored;
                Command::Use { segment, rung }
            }
            _ => self.fetch(segment, rung),
        }
    }

    /// A request was sent.
    pub fn sent(&mut self, asked: Asked, at: f64) {
        let is_alone = self.flights.is_empty();
        let report = Report::default();
        self.flights.push(Flight {
            asked,
            at,
            is_alone,
            report,
        });
    }

    /// Some of it came.
    pub fn progress(&mut self, asked: Asked, report: Report) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.asked == asked) {
            flight.report = report;
        }
    }

    /// The multivariant playlist came.
    pub fn began(&mut self, sample: Sample) {
        self.controller.opened(sample);
    }

    /// All of a request came.
    pub fn done(&mut self, asked: Asked, report: Report, now: &Moment) {
        let Some(flight) = self.landed(asked) else {
            return;
        };
        let first = report.first.unwrap_or(now.now);
        let sample = Sample {
            bytes: report.got,
            first_byte: flight.is_alone.then(|| length(first - flight.at)),
            transfer: length(now.now - first),
        };
        match asked {
            Asked::Playlist(rung) => self.lists[rung] = true,
            Asked::Init(rung) => self.inits[rung] = true,
            Asked::Segment { segment, rung } => {
                self.controller.sample(sample);
                return self.hold(segment, rung, now.position);
            }
        }
        self.controller.opened(sample);
    }

    /// A request was given up.
    pub fn aborted(&mut self, asked: Asked, report: Report, now: f64) {
        self.given_up = now;
        let Some(flight) = self.landed(asked) else {
            return;
        };
        if now - flight.at > TELLING {
            let flowing = report.first.map_or(0.0, |first| now - first);
            self.controller.sample(Sample {
                bytes: report.got,
                first_byte: None,
                transfer: length(flowing.max(LEAST_TRANSFER)),
            });
        }
    }

    /// A segment was taken from the cache.
    pub fn used(&mut self, segment: usize, rung: usize) {
        self.hold(segment, rung, f64::INFINITY);
    }

    fn landed(&mut self, asked: Asked) -> Option<Flight> {
        let place = self
            .flights
            .iter()
            .position(|flight| flight.asked == asked)?;
        Some(self.flights.remove(place))
    }

    fn hold(&mut self, segment: usize, rung: usize, position: f64) {
        // The controller has no more rungs than a byte counts.
        let byte = u8::try_from(rung).unwrap_or(u8::MAX);
        if segment == self.rungs.len() {
            if self.rungs.last().is_some_and(|last| *last != byte) {
                self.switched = self.starts[segment];
            }
            self.rungs.push(byte);
        } else if position <= self.starts[segment] + NEAR {
            self.rungs[segment] = byte;
        }
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    fn duration(&self, segment: usize) -> f64 {
        self.starts[segment + 1] - self.starts[segment]
    }

    /// The first segment that is neither here nor on its way.
    fn next_segment(&self) -> usize {
        let mut next = self.rungs.len();
        for flight in &self.flights {
            next += usize::from(
                matches!(flight.asked, Asked::Segment { segment, .. } if segment == next),
            );
        }
        next
    }

    /// The rung of the last segment that is here or on its way.
    fn current(&self) -> Option<usize> {
        let last = self.next_segment().checked_sub(1)?;
        let here = self.rungs.get(last).map(|rung| usize::from(*rung));
        here.or_else(|| {
            self.flights.iter().find_map(|flight| match flight.asked {
                Asked::Segment { segment, rung } if segment == last => Some(rung),
                _ => None,
            })
        })
    }

    /// What the controller is told, for the next segment; those on their way
    /// count as here.
    fn situation(&self, now: &Moment) -> Situation {
        let segment = self.next_segment();
        let length = self.duration(segment.min(self.count() - 1));
        let coming = if segment > self.rungs.len() {
            self.starts[segment]
        } else {
            0.0
        };
        let late = now.now - now.position;
        // Who is late in a live stream may be as far behind its edge as that.
        let live = self.limits.window.map(|window| window + late);
        let remaining = (self.starts[self.count()] - self.starts[segment]).max(length);
        Situation {
            current: self.current(),
            buffer: (now.playable.max(coming) - now.position).max(0.0),
            limit: live.unwrap_or(f64::INFINITY).min(self.limits.ahead),
            heard: now.position,
            steady: self.starts[segment] - self.switched,
            segment: length,
            remaining: live.map_or(remaining, |_| f64::INFINITY),
            stored: self.net(segment),
            is_live: live.is_some(),
        }
    }

    /// The rung in which the next minute, or all that is left, is stored.
    fn net(&self, segment: usize) -> Option<usize> {
        let from = self.starts[segment];
        let minute = (segment..self.count()).take_while(|next| self.starts[*next] < from + NET);
        let mut lowest = None;
        for next in minute {
            let stored = usize::from(self.stored[next]?);
            lowest = Some(lowest.map_or(stored, |lowest: usize| lowest.min(stored)));
        }
        lowest
    }

    /// When there is room for `segment`, and it exists.
    fn room_at(&self, now: &Moment, situation: &Situation, segment: usize) -> f64 {
        let exists = if segment < now.published {
            now.now
        } else {
            now.publication.max(now.now)
        };
        let buffer = situation.buffer - (exists - now.now).min(situation.buffer);
        let excess = buffer + situation.segment - self.limits.ahead;
        match excess > NEAR && buffer > 1e-6 {
            true => exists + excess,
            false => exists,
        }
    }

    /// Everything was fetched once: what is heard later may become better.
    fn refine(&mut self, now: &Moment) -> Command {
        if !self.flights.is_empty() {
            return Command::Wait(f64::INFINITY);
        }
        match self.upgrade(now, self.starts[self.count()] - now.position) {
            Some((segment, rung)) => self.fetch(segment, rung),
            None => Command::Done,
        }
    }

    fn upgrade(&self, now: &Moment, idle: f64) -> Option<(usize, usize)> {
        if self
            .flights
            .iter()
            .any(|flight| self.is_again(flight.asked))
        {
            return None;
        }
        let ahead = Ahead {
            rungs: &self.rungs,
            starts: &self.starts,
            first: self.starts.partition_point(|start| *start <= now.position),
            idle,
            is_whole: self.next_segment() >= self.count(),
        };
        self.controller.upgrade(&self.situation(now), &ahead)
    }

    /// Whether it is a segment that is here already.
    fn is_again(&self, asked: Asked) -> bool {
        matches!(asked, Asked::Segment { segment, .. } if segment < self.rungs.len())
    }

    /// A segment, or what is needed before it.
    fn fetch(&mut self, segment: usize, rung: usize) -> Command {
        let (list, init) = (Asked::Playlist(rung), Asked::Init(rung));
        let asked = match (self.lists[rung], self.inits[rung]) {
            (false, _) => list,
            (true, false) => init,
            (true, true) => {
                self.pending = None;
                return Command::Fetch(Asked::Segment { segment, rung });
            }
        };
        self.pending = Some((segment, rung));
        match self.flights.iter().any(|flight| flight.asked == asked) {
            true => Command::Wait(f64::INFINITY),
            false => Command::Fetch(asked),
        }
    }

    /// Whether sound is about to end while what is stored could go on: what is
    /// waited for is given up, one request at a time.
    fn is_rescued(&self, now: &Moment, flight: &Flight) -> bool {
        let missing = self.rungs.len();
        missing > 0
            && missing < self.count()
            && self.stored[missing].is_some()
            && now.playable - now.position < RESCUE
            && now.now > flight.at + NEAR
            && now.now > self.given_up + TICK / 2.0
    }

    /// Gives the only request up when a lower rung is cheaper.
    fn give_up(&mut self, now: &Moment, flight: &Flight) -> Option<Command> {
        let Asked::Segment { segment, rung } = flight.asked else {
            return None;
        };
        let is_again = self.is_again(flight.asked);
        if self.flights.len() != 1 || rung == 0 || now.now <= flight.at + NEAR {
            return None;
        }
        let length = self.duration(segment);
        let situation = Situation {
            buffer: now.playable - now.position,
            segment: length,
            ..self.situation(now)
        };
        let kilobits = |bytes: u64| bytes as f64 * 8e-3;
        let report = &flight.report;
        let transfer = Transfer {
            rung,
            elapsed: now.now - flight.at,
            flowing: report.first.map(|first| now.now - first),
            kilobits: report
                .bytes
                .map_or(self.controller.rate(rung) * length, kilobits),
            got: kilobits(report.got),
            part: length / (length / self.limits.part - NEAR).ceil().max(1.0),
        };
        if is_again {
            let until = self.starts[segment] - now.position;
            let is_whole = self.next_segment() >= self.count();
            let remaining = if is_whole { 0.0 } else { situation.remaining };
            let situation = Situation {
                remaining,
                ..situation
            };
            let is_regretted = self.controller.regret(&situation, &transfer, until);
            return is_regretted.then_some(Command::Abort(flight.asked));
        }
        let lower = self.controller.abandon(&situation, &transfer)?;
        self.pending = Some((segment, lower));
        Some(Command::Abort(flight.asked))
    }

    /// When a transfer may have become too slow, or nearly ended.
    fn next_look(&self, now: &Moment, flight: &Flight) -> f64 {
        let cannot_be_given_up = match flight.asked {
            Asked::Segment { rung, .. } => rung == 0,
            Asked::Playlist(_) | Asked::Init(_) => true,
        };
        let is_last = self.flights.len() >= self.limits.in_flight;
        let is_net = self
            .stored
            .get(self.rungs.len())
            .is_some_and(Option::is_some);
        if is_net {
            return now.now + TICK;
        }
        match cannot_be_given_up && is_last {
            true => f64::INFINITY,
            false => now.now + TICK,
        }
    }

    /// Whether what is left of a segment comes while the next request is on
    /// its way.
    fn is_time(&self, now: &Moment, flight: &Flight) -> bool {
        let Report { bytes, got, first } = flight.report;
        let (Asked::Segment { .. }, Some(bytes), Some(first)) = (flight.asked, bytes, first) else {
            return false;
        };
        let left = bytes.saturating_sub(got) as f64 * (now.now - first) / got.max(1) as f64;
        got > 0 && left <= EARLY * self.controller.wait() + TICK
    }
}

fn length(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
