//! A session in virtual time: the planner of real playback over a link that
//! is made of a trace. Seconds count from the start of the session.

use std::time::Duration;

use super::ladder::Ladder;
use super::log::{Log, Player, Request};
use super::playback::Playback;
use super::trace::Trace;
use crate::hls::abr::{Controller, Sample};
use crate::hls::planner::{Asked, Command, Limits, Moment, Planner, Report};
use crate::units::BitRate;

/// Times that are the same.
pub(super) const NEAR: f64 = 1e-9;
/// Round trips of the session's first request: TCP, TLS 1.3 and the request.
const FIRST_TRIPS: f64 = 3.0;

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The player.
    pub player: Player,
    /// How many segments behind its edge a live stream begins.
    pub live: Option<usize>,
    /// What is in the cache: variant, first and last segment.
    pub cached: Vec<[usize; 3]>,
    /// What is remembered of this network.
    pub prior: Option<BitRate>,
}

/// A request under way.
struct Flight {
    asked: Asked,
    /// Its place in the log.
    request: usize,
    /// When its first byte comes.
    first: f64,
    /// When its last byte comes.
    end: f64,
    bytes: u64,
    /// When which media becomes playable, in order; what came is taken away.
    parts: Vec<(f64, f64)>,
}

/// A session under way.
pub struct Session<'a> {
    pub(super) ladder: &'a Ladder,
    trace: &'a Trace,
    pub(super) setting: &'a Setting,
    /// Where each segment begins, and the last ends.
    pub(super) starts: Vec<f64>,
    pub(super) now: f64,
    pub(super) playback: Playback,
    pub(super) requests: Vec<Request>,
    /// In the order they were sent, which is that of their ends.
    flights: Vec<Flight>,
    /// When the link is free.
    last_end: f64,
    /// The rung of each part of each segment.
    pub(super) heard: Vec<Vec<usize>>,
    /// When a segment came again, which, and in which rung.
    pub(super) upgrades: Vec<(f64, usize, usize)>,
    /// Segments that are whole.
    whole: usize,
    pub(super) bytes: u64,
    pub(super) wasted: u64,
    pub(super) aborts: usize,
}

/// Runs a whole session with the controller of real playback.
pub fn run(ladder: &Ladder, trace: &Trace, setting: &Setting) -> Log {
    let controller = Controller::new(&ladder.bit_rates()).remembering(setting.prior);
    run_with(ladder, trace, setting, controller)
}

/// The same with another controller.
pub fn run_with(ladder: &Ladder, trace: &Trace, setting: &Setting, controller: Controller) -> Log {
    Session::new(ladder, trace, setting).run(controller)
}

impl<'a> Session<'a> {
    fn new(ladder: &'a Ladder, trace: &'a Trace, setting: &'a Setting) -> Self {
        let starts = ladder.starts();
        let total = starts[starts.len() - 1];
        let player = &setting.player;
        Self {
            ladder,
            trace,
            setting,
            now: 0.0,
            playback: Playback::new(player.startup_s, player.resume_s, total),
            requests: Vec::new(),
            flights: Vec::new(),
            last_end: 0.0,
            heard: vec![Vec::new(); ladder.segment_s.len()],
            starts,
            upgrades: Vec::new(),
            whole: 0,
            bytes: 0,
            wasted: 0,
            aborts: 0,
        }
    }

    fn planner(&self, controller: Controller) -> Planner {
        let player = &self.setting.player;
        let live = self.setting.live;
        let limits = Limits {
            ahead: player.max_buffer_s,
            in_flight: player.in_flight,
            part: player.part_s,
            window: live.map(|count| count as f64 * self.ladder.segment_s[0]),
        };
        let segments = 0..self.ladder.segment_s.len();
        let stored = segments.map(|segment| self.best_cached(segment)).collect();
        let rungs = self.ladder.variants.len();
        Planner::new(controller, rungs, self.starts.clone(), stored, limits)
    }

    fn best_cached(&self, segment: usize) -> Option<u8> {
        let hits = self.setting.cached.iter();
        let hits = hits.filter(|[_, first, last]| (*first..=*last).contains(&segment));
        // A ladder has fewer variants than a byte counts.
        hits.filter_map(|[variant, ..]| u8::try_from(*variant).ok())
            .max()
    }

    fn run(mut self, controller: Controller) -> Log {
        let mut planner = self.planner(controller);
        let (first, end) = self.send("master", self.ladder.master_bytes, None, None);
        planner.began(Sample {
            bytes: self.ladder.master_bytes,
            first_byte: Some(seconds(first)),
            transfer: seconds(end - first),
        });
        self.now = end;
        loop {
            self.playback.advance(self.now);
            for flight in &self.flights {
                planner.progress(flight.asked, self.report(flight));
            }
            match planner.next(&self.moment()) {
                Command::Fetch(asked) => self.fetch(&mut planner, asked),
                Command::Use { segment, rung } => self.reuse(&mut planner, segment, rung),
                Command::Abort(asked) => self.abort(&mut planner, asked),
                Command::Wait(until) => self.wait(&mut planner, until),
                Command::Done => return self.log(),
            }
        }
    }

    fn moment(&self) -> Moment {
        let published = match self.setting.live {
            Some(window) => {
                let passed = self
                    .starts
                    .partition_point(|start| *start <= self.now + NEAR);
                passed - 1 + window
            }
            None => usize::MAX,
        };
        let window = self.setting.live.unwrap_or(0);
        let next = published.saturating_add(1).saturating_sub(window);
        Moment {
            now: self.now,
            position: self.playback.position,
            playable: self.playback.playable,
            published,
            publication: self.starts.get(next).copied().unwrap_or(self.now),
        }
    }

    /// Puts a request on the link and into the log; when it comes.
    fn send(
        &mut self,
        kind: &'static str,
        bytes: u64,
        segment: Option<usize>,
        variant: Option<usize>,
    ) -> (f64, f64) {
        let trips = if self.requests.is_empty() {
            FIRST_TRIPS
        } else {
            1.0
        };
        let mut first = self.now + self.trace.trip(self.now) * trips;
        if self.setting.player.in_flight > 1 {
            first = first.max(self.last_end);
        }
        let bits = self.trace.bits(first) + 8.0 * bytes as f64;
        let end = first.max(self.trace.when(bits));
        self.last_end = end;
        self.bytes += bytes;
        self.requests.push(Request {
            kind,
            segment,
            variant,
            bytes,
            t_req: round(self.now),
            t_first: Some(round(first)),
            t_end: Some(round(end)),
            ..Request::default()
        });
        (first, end)
    }

    fn fetch(&mut self, planner: &mut Planner, asked: Asked) {
        planner.sent(asked, self.now);
        let variants = &self.ladder.variants;
        let (kind, bytes, segment, rung) = match asked {
            Asked::Playlist(rung) => ("playlist", variants[rung].playlist_bytes, None, rung),
            Asked::Init(rung) => ("init", variants[rung].init_bytes, None, rung),
            Asked::Segment { segment, rung } => (
                "segment",
                variants[rung].sizes[segment],
                Some(segment),
                rung,
            ),
        };
        let (first, end) = self.send(kind, bytes, segment, Some(rung));
        let request = self.requests.len() - 1;
        // With more requests under way parts come within the rounding of a moment.
        if segment.is_some() && self.setting.player.in_flight == 1 {
            let buffer = self.playback.playable - self.playback.position;
            self.requests[request].buffer_s = Some(round(buffer));
        }
        let mut flight = Flight {
            asked,
            request,
            first,
            end,
            bytes,
            parts: Vec::new(),
        };
        if let Some(segment) = segment {
            flight.parts = self.arrivals(&flight, segment);
        }
        self.flights.push(flight);
    }

    fn parts(&self, segment: usize) -> usize {
        let parts = self.ladder.segment_s[segment] / self.setting.player.part_s;
        // Saturating, and at least one.
        ((parts - NEAR).ceil() as usize).max(1)
    }

    /// When the parts of `segment` that are not here yet become playable.
    fn arrivals(&self, flight: &Flight, segment: usize) -> Vec<(f64, f64)> {
        let count = self.parts(segment);
        let before = self.trace.bits(flight.first);
        let arrival = |part: usize| {
            let share = (part + 1) as f64 / count as f64;
            let bits = before + 8.0 * flight.bytes as f64 * share;
            let at = match part + 1 == count {
                true => flight.end,
                false => self.trace.when(bits).max(flight.first),
            };
            (
                at,
                self.starts[segment] + self.ladder.segment_s[segment] * share,
            )
        };
        (self.heard[segment].len()..count).map(arrival).collect()
    }

    fn reuse(&mut self, planner: &mut Planner, segment: usize, rung: usize) {
        let now = round(self.now);
        self.requests.push(Request {
            kind: "segment",
            segment: Some(segment),
            variant: Some(rung),
            source: Some("cache"),
            bytes: self.ladder.variants[rung].sizes[segment],
            t_req: now,
            t_first: Some(now),
            t_end: Some(now),
            ..Request::default()
        });
        let count = self.parts(segment);
        self.heard[segment].resize(count, rung);
        self.playback.add(self.now, self.starts[segment + 1]);
        self.whole += 1;
        planner.used(segment, rung);
    }

    fn report(&self, flight: &Flight) -> Report {
        let has_begun = flight.first <= self.now;
        let bits = match has_begun {
            true => self.trace.bits(self.now) - self.trace.bits(flight.first),
            false => 0.0,
        };
        Report {
            bytes: has_begun.then_some(flight.bytes),
            got: ((bits / 8.0) as u64).min(flight.bytes),
            first: has_begun.then_some(flight.first),
        }
    }

    /// Lets time pass until something ends, at most until `until`.
    fn wait(&mut self, planner: &mut Planner, until: f64) {
        let end = self
            .flights
            .first()
            .map_or(f64::INFINITY, |flight| flight.end);
        self.arrive(until.min(end));
        self.now = until.min(end).max(self.now);
        if end > until || self.flights.is_empty() {
            return;
        }
        let flight = self.flights.remove(0);
        self.playback.advance(self.now);
        if let Asked::Segment { segment, rung } = flight.asked {
            match segment < self.whole {
                true => self.upgrades.push((flight.end, segment, rung)),
                false => self.whole += 1,
            }
        }
        let report = Report {
            bytes: Some(flight.bytes),
            got: flight.bytes,
            first: Some(flight.first),
        };
        planner.done(flight.asked, report, &self.moment());
    }

    /// What is playable by `until` is told to the playhead.
    fn arrive(&mut self, until: f64) {
        for flight in &mut self.flights {
            let Asked::Segment { segment, rung } = flight.asked else {
                continue;
            };
            let come = flight.parts.partition_point(|(at, _)| *at <= until);
            for (at, end) in flight.parts.drain(..come) {
                self.playback.add(at, end);
                self.heard[segment].push(rung);
            }
        }
    }

    fn abort(&mut self, planner: &mut Planner, asked: Asked) {
        let place = self.flights.iter().position(|flight| flight.asked == asked);
        let flight = self
            .flights
            .remove(place.expect("only what is under way is given up"));
        let report = self.report(&flight);
        let request = &mut self.requests[flight.request];
        request.t_abort = Some(round(self.now));
        request.t_end = None;
        if flight.first > self.now {
            request.t_first = None;
        }
        self.bytes -= flight.bytes - report.got;
        self.wasted += report.got;
        self.aborts += 1;
        self.last_end = self.now;
        planner.aborted(asked, report, self.now);
    }
}

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or_default()
}

/// To microseconds, as logs have it.
pub(super) fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
