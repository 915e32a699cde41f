//! A session in virtual time: the planner of real playback over a link that
//! is made of a trace. Seconds count from the start of the session.

use std::collections::HashSet;
use std::time::Duration;

use super::ladder::Ladder;
use super::log::{Log, Player, Request};
use super::playback::Playback;
use super::trace::Trace;
use crate::hls::abr::{Algorithm, Controller, Sample};
use crate::hls::planner::{
    Asked, Command, Consulted, Flight, Limits, Plan, Planner, Report, overlap_bytes,
};
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
    /// Who chooses variants.
    pub algorithm: Algorithm,
}

/// A request under way.
pub(super) struct Load {
    pub asked: Asked,
    /// When it was sent.
    at: f64,
    /// Whether nothing else was under way then.
    is_alone: bool,
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
    pub(super) loads: Vec<Load>,
    /// Rungs whose playlist is here.
    pub(super) lists: Vec<bool>,
    /// Rungs whose init section is here.
    pub(super) inits: Vec<bool>,
    /// When the link is free.
    last_end: f64,
    /// The rung of each part of each segment.
    pub(super) heard: Vec<Vec<usize>>,
    /// When a segment came again, which, and in which rung.
    pub(super) upgrades: Vec<(f64, usize, usize)>,
    /// Segments, or their heads, that came.
    pub(super) had: HashSet<(usize, usize)>,
    /// The rung of each segment that is whole.
    pub(super) whole: Vec<usize>,
    pub(super) bytes: u64,
    pub(super) wasted: u64,
    pub(super) aborts: usize,
}

/// Runs a whole session with the controller of real playback.
pub fn run(ladder: &Ladder, trace: &Trace, setting: &Setting) -> Log {
    let controller = Controller::new(&ladder.bit_rates())
        .with(setting.algorithm)
        .remembering(setting.prior);
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
            loads: Vec::new(),
            lists: vec![false; ladder.variants.len()],
            inits: vec![false; ladder.variants.len()],
            last_end: 0.0,
            heard: vec![Vec::new(); ladder.segment_s.len()],
            starts,
            upgrades: Vec::new(),
            had: HashSet::new(),
            whole: Vec::new(),
            bytes: 0,
            wasted: 0,
            aborts: 0,
        }
    }

    fn run(mut self, controller: Controller) -> Log {
        let limits = Limits {
            is_eager: false,
            part: self.setting.player.part_s,
        };
        let mut planner = Planner::new(controller, limits);
        let (first, end) = self.send("master", self.ladder.master_bytes, None, None);
        planner.opened(Sample {
            bytes: self.ladder.master_bytes,
            first_byte: Some(seconds(first)),
            transfer: seconds(end - first),
        });
        self.now = end;
        loop {
            self.playback.advance(self.now);
            let plan = planner.next(&self);
            planner.follow(&plan);
            match plan.command {
                Command::Fetch(asked) => {
                    self.fetch(asked);
                    self.note_why(&plan, &planner, asked);
                }
                Command::Use { place, rung } => self.reuse(place, rung),
                Command::Abort(asked) => self.abort(&mut planner, asked),
                Command::Wait(until) => self.wait(&mut planner, until),
                Command::Done => return self.log(),
            }
        }
    }

    /// Puts the reason of a request into the log.
    fn note_why(&mut self, plan: &Plan, planner: &Planner, asked: Asked) {
        let Asked::Segment { place, .. } = asked else {
            return;
        };
        let is_again = place < self.whole.len();
        let decided = plan.consulted.iter().find_map(|consulted| match consulted {
            Consulted::Decide { choice, .. } => Some(choice.reason.word()),
            Consulted::Abandon { .. } | Consulted::Regret { .. } | Consulted::Upgrade { .. } => {
                None
            }
        });
        let estimate = planner.controller().estimate();
        if let Some(request) = self.requests.last_mut() {
            let before = if is_again { "upgrade" } else { "decided" };
            request.reason = Some(decided.filter(|_| !is_again).unwrap_or(before));
            request.est_kbps = estimate.map(|rate| rate.0 as f64 / 1e3);
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
        let answered = self.now + self.trace.trip(self.now) * trips;
        let (first, end) = self.on_the_link(answered, bytes);
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

    /// When a body comes that is answered at `answered` at the earliest: one
    /// after the other.
    fn on_the_link(&mut self, answered: f64, bytes: u64) -> (f64, f64) {
        let first = match self.setting.player.in_flight {
            1 => answered,
            _ => answered.max(self.last_end),
        };
        let bits = self.trace.bits(first) + 8.0 * bytes as f64;
        let end = first.max(self.trace.when(bits));
        self.last_end = end;
        (first, end)
    }

    fn fetch(&mut self, asked: Asked) {
        let variants = &self.ladder.variants;
        let (kind, bytes, segment, rung) = match asked {
            Asked::Playlist(rung) => ("playlist", variants[rung].playlist_bytes, None, rung),
            Asked::Init(rung) => ("init", variants[rung].init_bytes, None, rung),
            Asked::Segment { place, rung } => {
                ("segment", variants[rung].sizes[place], Some(place), rung)
            }
            Asked::Overlap { place, rung } => return self.fetch_overlap(place, rung),
        };
        let (first, end) = self.send(kind, bytes, segment, Some(rung));
        let request = self.requests.len() - 1;
        // With more requests under way parts come within the rounding of a moment.
        if segment.is_some() && self.setting.player.in_flight == 1 {
            let buffer = self.playback.playable - self.playback.position;
            self.requests[request].buffer_s = Some(round(buffer));
        }
        let mut load = Load {
            asked,
            at: self.now,
            is_alone: self.loads.is_empty(),
            request,
            first,
            end,
            bytes,
            parts: Vec::new(),
        };
        if let Some(segment) = segment {
            load.parts = self.arrivals(&load, segment);
        }
        self.loads.push(load);
    }

    /// The head of a segment: a request that is ended when enough has come.
    fn fetch_overlap(&mut self, place: usize, rung: usize) {
        let variant = &self.ladder.variants[rung];
        let whole = variant.sizes[place];
        let rate = variant.average_bandwidth as f64 / 1e3;
        let bytes = overlap_bytes(rate, self.ladder.segment_s[place]).min(whole);
        let (first, end) = self.send("segment", bytes, Some(place), Some(rung));
        self.wasted += bytes;
        self.aborts += 1;
        let request = self.requests.len() - 1;
        let logged = &mut self.requests[request];
        logged.bytes = whole;
        logged.t_end = None;
        logged.t_abort = Some(round(end));
        logged.reason = Some("overlap");
        self.loads.push(Load {
            asked: Asked::Overlap { place, rung },
            at: self.now,
            is_alone: false,
            request,
            first,
            end,
            bytes,
            parts: Vec::new(),
        });
    }

    fn parts(&self, segment: usize) -> usize {
        let parts = self.ladder.segment_s[segment] / self.setting.player.part_s;
        // Saturating, and at least one.
        ((parts - NEAR).ceil() as usize).max(1)
    }

    /// When the parts of `segment` that are not here yet become playable.
    fn arrivals(&self, load: &Load, segment: usize) -> Vec<(f64, f64)> {
        let count = self.parts(segment);
        let before = self.trace.bits(load.first);
        let arrival = |part: usize| {
            let share = (part + 1) as f64 / count as f64;
            let bits = before + 8.0 * load.bytes as f64 * share;
            let at = match part + 1 == count {
                true => load.end,
                false => self.trace.when(bits).max(load.first),
            };
            (
                at,
                self.starts[segment] + self.ladder.segment_s[segment] * share,
            )
        };
        (self.heard[segment].len()..count).map(arrival).collect()
    }

    fn reuse(&mut self, segment: usize, rung: usize) {
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
        self.whole.push(rung);
    }

    /// A request as the planner sees it.
    pub(super) fn flight(&self, load: &Load) -> Flight {
        let has_begun = load.first <= self.now;
        let bits = match has_begun {
            true => self.trace.bits(self.now) - self.trace.bits(load.first),
            false => 0.0,
        };
        let report = Report {
            bytes: has_begun.then_some(load.bytes),
            got: ((bits / 8.0) as u64).min(load.bytes),
            first: has_begun.then_some(load.first),
            last: has_begun.then(|| {
                let last = self.trace.when(self.trace.bits(self.now));
                last.clamp(load.first, self.now)
            }),
        };
        Flight {
            asked: load.asked,
            at: load.at,
            report,
        }
    }

    /// Lets time pass until something ends, at most until `until`.
    fn wait(&mut self, planner: &mut Planner, until: f64) {
        let end = self.loads.first().map_or(f64::INFINITY, |load| load.end);
        self.arrive(until.min(end));
        self.now = until.min(end).max(self.now);
        if end > until || self.loads.is_empty() {
            return;
        }
        let load = self.loads.remove(0);
        self.playback.advance(self.now);
        let sample = Sample {
            bytes: load.bytes,
            first_byte: load.is_alone.then(|| seconds(load.first - load.at)),
            transfer: seconds(self.now - load.first),
        };
        match load.asked {
            Asked::Playlist(rung) => self.lists[rung] = true,
            Asked::Init(rung) => self.inits[rung] = true,
            Asked::Segment { place, rung } => {
                self.had.insert((place, rung));
                self.hold(load.end, place, rung);
                return planner.carried(sample);
            }
            Asked::Overlap { place, rung } => {
                self.had.insert((place, rung));
                return;
            }
        }
        planner.opened(sample);
    }

    fn hold(&mut self, end: f64, place: usize, rung: usize) {
        match self.whole.get_mut(place) {
            None => self.whole.push(rung),
            Some(held) => {
                if self.playback.position <= self.starts[place] + NEAR {
                    *held = rung;
                }
                self.upgrades.push((end, place, rung));
            }
        }
    }

    /// What is playable by `until` is told to the playhead.
    fn arrive(&mut self, until: f64) {
        for load in &mut self.loads {
            let Asked::Segment { place, rung } = load.asked else {
                continue;
            };
            let come = load.parts.partition_point(|(at, _)| *at <= until);
            for (at, end) in load.parts.drain(..come) {
                self.playback.add(at, end);
                self.heard[place].push(rung);
            }
        }
    }

    fn abort(&mut self, planner: &mut Planner, asked: Asked) {
        let place = self.loads.iter().position(|load| load.asked == asked);
        let place = place.expect("only what is under way is given up");
        let load = self.loads.remove(place);
        let flight = self.flight(&load);
        let request = &mut self.requests[load.request];
        request.t_abort = Some(round(self.now));
        request.t_end = None;
        if load.first > self.now {
            request.t_first = None;
        }
        self.bytes -= load.bytes - flight.report.got;
        self.wasted += flight.report.got;
        self.aborts += 1;
        self.last_end = self.now;
        self.move_up(place);
        if let Some(sample) = Planner::told_by(&flight, self.now) {
            planner.carried(sample);
        }
    }
}

impl Session<'_> {
    /// The loads from `first` on, which waited for the one before them, come
    /// as soon as the link is free.
    fn move_up(&mut self, first: usize) {
        let mut waiting = self.loads.split_off(first.min(self.loads.len()));
        for load in &mut waiting {
            let answered = load.at + self.trace.trip(load.at);
            (load.first, load.end) = self.on_the_link(answered, load.bytes);
            let request = &mut self.requests[load.request];
            request.t_first = Some(round(load.first));
            match request.t_abort.is_some() {
                true => request.t_abort = Some(round(load.end)),
                false => request.t_end = Some(round(load.end)),
            }
            if let Asked::Segment { place, .. } = load.asked {
                load.parts = self.arrivals(load, place);
            }
        }
        self.loads.append(&mut waiting);
    }
}

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or_default()
}

/// To microseconds, as logs have it.
pub(super) fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
