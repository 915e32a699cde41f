//! A session in virtual time: the planner of real playback over a link that
//! is made of a trace. Seconds count from the start of the session.

use std::collections::HashSet;
use std::time::Duration;

use super::ladder::Ladder;
use super::log::{Log, Player, Request};
use super::playback::Playback;
use super::trace::Trace;
use crate::hls::abr::{Algorithm, Controller, Sample};
use crate::hls::planner::{Asked, Command, Consulted, Flight, Limits, Plan, Planner, Report};
use crate::units::BitRate;

/// Times that are the same.
pub(super) const NEAR: f64 = 1e-9;

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
    pub at: f64,
    /// Whether nothing else was under way then.
    pub is_alone: bool,
    /// Its place in the log.
    pub request: usize,
    /// When its first byte comes.
    pub first: f64,
    /// When its last byte comes.
    pub end: f64,
    pub bytes: u64,
    /// When which media becomes playable, in order; what came is taken away.
    pub parts: Vec<(f64, f64)>,
}

/// A session under way.
pub struct Session<'a> {
    pub(super) ladder: &'a Ladder,
    pub(super) trace: &'a Trace,
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
    pub(super) last_end: f64,
    /// The rung of each part of each segment.
    pub(super) heard: Vec<Vec<usize>>,
    /// When a segment came again, which, and in which rung.
    pub(super) upgrades: Vec<(f64, usize, usize)>,
    /// Segments, or their heads, that came.
    pub(super) had: HashSet<(usize, usize)>,
    /// The segment that was decided about last, and why.
    why: Option<(usize, &'static str)>,
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
            why: None,
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
            self.note_why(&plan);
            match plan.command {
                Command::Fetch(asked) => {
                    self.fetch(asked);
                    self.log_why(&planner, asked);
                }
                Command::Use { place, rung } => self.reuse(place, rung),
                Command::Abort(asked) => self.abort(&mut planner, asked),
                Command::Repeat(asked) => {
                    self.abort(&mut planner, asked);
                    self.fetch(asked);
                }
                Command::Wait(until) => self.wait(&mut planner, until),
                Command::Done => return self.log(),
            }
        }
    }

    /// Remembers why which segment is asked for next.
    fn note_why(&mut self, plan: &Plan) {
        for consulted in &plan.consulted {
            let why = match (consulted, plan.command) {
                (Consulted::Decide { place, choice, .. }, _) => {
                    Some((*place, choice.reason.word()))
                }
                (Consulted::Upgrade { answer, .. }, _) => {
                    answer.map(|(place, _)| (place, "upgrade"))
                }
                (Consulted::Abandon { .. }, Command::Abort(Asked::Segment { place, .. })) => {
                    Some((place, "abandon"))
                }
                (Consulted::Abandon { .. } | Consulted::Regret { .. }, _) => None,
            };
            self.why = why.or(self.why);
        }
    }

    /// Puts the reason of the newest request into the log.
    fn log_why(&mut self, planner: &Planner, asked: Asked) {
        let Asked::Segment { place, .. } = asked else {
            return;
        };
        let why = self.why.filter(|(decided, _)| *decided == place);
        let estimate = planner.controller().estimate();
        if let Some(request) = self.requests.last_mut() {
            request.reason = why.map(|(_, reason)| reason);
            request.est_kbps = estimate.map(|rate| rate.0 as f64 / 1e3);
        }
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

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or_default()
}

/// To microseconds, as logs have it.
pub(super) fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
