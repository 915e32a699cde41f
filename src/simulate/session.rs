//! A session in virtual time: the planner of real playback over a link that
//! is made of a trace.

use std::time::Duration;

use super::ladder::Ladder;
use super::log::{Heard, Log, Player, Request, SCHEMA};
use super::metrics::Metrics;
use super::playback::Playback;
use super::trace::Trace;
use crate::hls::abr::{Controller, Sample};
use crate::hls::planner::{Asked, Command, Limits, Moment, Planner, Report};
use crate::units::BitRate;

const NEAR: f64 = 1e-9;

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Setting {
    pub player: Player,
    pub live: Option<usize>,
    /// Variant, first and last segment.
    pub cached: Vec<[usize; 3]>,
    /// Kilobits per second remembered of this network.
    pub prior: Option<BitRate>,
}

struct Flight {
    asked: Asked,
    /// Its place in the log.
    request: usize,
    first: f64,
    end: f64,
    bytes: u64,
    /// When which media is playable, in order; what came is taken away.
    parts: Vec<(f64, f64, usize)>,
}

pub struct Session<'a> {
    ladder: &'a Ladder,
    trace: &'a Trace,
    setting: &'a Setting,
    starts: Vec<f64>,
    now: f64,
    playback: Playback,
    requests: Vec<Request>,
    flights: Vec<Flight>,
    last_end: f64,
    /// Level of each part of each segment.
    heard: Vec<Vec<usize>>,
    /// When a segment came again, and in which level.
    upgrades: Vec<(f64, usize, usize)>,
    /// Segments that are whole.
    whole: usize,
    bytes: u64,
    wasted: u64,
    aborts: usize,
}

/// Runs a whole session.
pub fn run(ladder: &Ladder, trace: &Trace, setting: &Setting) -> Log {
    run_with(
        ladder,
        trace,
        setting,
        Controller::new(&ladder.bit_rates()).remembering(setting.prior),
    )
}

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
        let limits = Limits {
            ahead: player.max_buffer_s,
            in_flight: player.in_flight,
            part: player.part_s,
            window: self
                .setting
                .live
                .map(|n| n as f64 * self.ladder.segment_s[0]),
        };
        let best = |segment: usize| {
            let hits = self
                .setting
                .cached
                .iter()
                .filter(|[_, first, last]| (*first..=*last).contains(&segment));
            hits.map(|[variant, ..]| *variant as u8).max()
        };
        let stored = (0..self.ladder.segment_s.len()).map(best).collect();
        Planner::new(
            controller,
            self.ladder.variants.len(),
            self.starts.clone(),
            stored,
            limits,
        )
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
            self.tell(&mut planner);
            match planner.next(&self.moment()) {
                Command::Fetch(asked) => self.fetch(&mut planner, asked),
                Command::Use { segment, rung } => self.reuse(&mut planner, segment, rung),
                Command::Abort(_) => self.abort(&mut planner),
                Command::Wait(until) => self.wait(&mut planner, until),
                Command::Done => return self.log(),
            }
        }
    }

    fn moment(&self) -> Moment {
        let window = self.setting.live;
        let published = match window {
            Some(window) => {
                self.starts
                    .partition_point(|start| *start <= self.now + NEAR)
                    - 1
                    + window
            }
            None => usize::MAX,
        };
        let edge = window.map_or(0, |window| (published + 1).saturating_sub(window));
        Moment {
            now: self.now,
            position: self.playback.position,
            playable: self.playback.playable,
            published,
            publication: self.starts.get(edge).copied().unwrap_or(self.now),
        }
    }

    fn send(
        &mut self,
        kind: &'static str,
        bytes: u64,
        segment: Option<usize>,
        variant: Option<usize>,
    ) -> (f64, f64) {
        let trips = if self.requests.is_empty() { 3.0 } else { 1.0 };
        let mut first = self.now + self.trace.trip(self.now) * trips;
        if self.setting.player.in_flight > 1 {
            first = first.max(self.last_end);
        }
        let end = first.max(self.trace.when(self.trace.bits(first) + 8.0 * bytes as f64));
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

    fn parts(&self, segment: usize) -> usize {
        let part = self.setting.player.part_s;
        if part <= 0.0 {
            1
        } else {
            ((self.ladder.segment_s[segment] / part - NEAR).ceil() as usize).max(1)
        }
    }

    fn fetch(&mut self, planner: &mut Planner, asked: Asked) {
        planner.sent(asked, self.now);
        let (kind, bytes, segment, variant) = match asked {
            Asked::Playlist(v) => ("playlist", self.ladder.variants[v].playlist_bytes, None, v),
            Asked::Init(v) => ("init", self.ladder.variants[v].init_bytes, None, v),
            Asked::Segment {
                segment,
                rung: level,
            } => (
                "segment",
                self.ladder.variants[level].sizes[segment],
                Some(segment),
                level,
            ),
        };
        let buffer = self.playback.playable - self.playback.position;
        let (first, end) = self.send(kind, bytes, segment, Some(variant));
        let mut parts = Vec::new();
        if let Some(segment) = segment {
            let request = self.requests.len() - 1;
            // With more requests under way parts come within the rounding of a moment.
            if self.setting.player.in_flight == 1 {
                self.requests[request].buffer_s = Some(round(buffer));
            }
            let count = self.parts(segment);
            let before = self.trace.bits(first);
            let pending = self
                .flights
                .iter()
                .any(|f| matches!(f.asked, Asked::Segment{segment: s, ..} if s == segment));
            if self.heard[segment].len() < count && !pending {
                for part in self.heard[segment].len()..count {
                    let share = (part + 1) as f64 / count as f64;
                    let at = match part + 1 == count {
                        true => end,
                        false => self
                            .trace
                            .when(before + 8.0 * bytes as f64 * share)
                            .max(first),
                    };
                    parts.push((
                        at,
                        self.starts[segment] + self.ladder.segment_s[segment] * share,
                        segment,
                    ));
                }
            }
        }
        self.flights.push(Flight {
            asked,
            request: self.requests.len() - 1,
            first,
            end,
            bytes,
            parts,
        });
    }

    fn reuse(&mut self, planner: &mut Planner, segment: usize, level: usize) {
        let now = round(self.now);
        self.requests.push(Request {
            kind: "segment",
            segment: Some(segment),
            variant: Some(level),
            source: Some("cache"),
            bytes: self.ladder.variants[level].sizes[segment],
            t_req: now,
            t_first: Some(now),
            t_end: Some(now),
            ..Request::default()
        });
        let count = self.parts(segment);
        self.heard[segment].resize(count, level);
        self.playback.add(self.now, self.starts[segment + 1]);
        self.whole += 1;
        planner.used(segment, level);
    }

    fn got(&self, flight: &Flight, at: f64) -> u64 {
        if at <= flight.first {
            return 0;
        }
        let bits = self.trace.bits(at) - self.trace.bits(flight.first);
        ((bits / 8.0) as u64).min(flight.bytes)
    }

    fn report(&self, flight: &Flight) -> Report {
        let has_begun = flight.first <= self.now;
        Report {
            bytes: has_begun.then_some(flight.bytes),
            got: self.got(flight, self.now),
            first: has_begun.then_some(flight.first),
        }
    }

    fn tell(&mut self, planner: &mut Planner) {
        for flight in &self.flights {
            planner.progress(flight.asked, self.report(flight));
        }
    }

    /// Lets time pass until something ends, at most until `until`.
    fn wait(&mut self, planner: &mut Planner, until: f64) {
        let end = self
            .flights
            .first()
            .map_or(f64::INFINITY, |flight| flight.end);
        let next = until.min(end);
        self.arrive(next);
        self.now = next.max(self.now);
        if end > until || self.flights.is_empty() {
            return;
        }
        let flight = self.flights.remove(0);
        self.playback.advance(self.now);
        if let Asked::Segment {
            segment,
            rung: level,
        } = flight.asked
        {
            if segment < self.whole {
                self.upgrades.push((flight.end, segment, level));
            } else {
                self.whole += 1;
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
            let Asked::Segment { rung: level, .. } = flight.asked else {
                continue;
            };
            let come = flight.parts.partition_point(|(at, ..)| *at <= until);
            for (at, end, segment) in flight.parts.drain(..come) {
                self.playback.add(at, end);
                self.heard[segment].push(level);
            }
        }
    }

    fn abort(&mut self, planner: &mut Planner) {
        let Some(flight) = self.flights.pop() else {
            return;
        };
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
        planner.aborted(flight.asked, report, self.now);
    }

    fn log(mut self) -> Log {
        let total = self.starts[self.starts.len() - 1];
        self.playback.advance(self.now + total + 10.0);
        let mut replaced = 0;
        for (end, segment, level) in &self.upgrades {
            let count = self.heard[*segment].len();
            let mut is_heard = false;
            for part in 0..count {
                let at = self.starts[*segment]
                    + self.ladder.segment_s[*segment] * part as f64 / count as f64;
                if self.playback.heard(at) >= end - NEAR {
                    self.heard[*segment][part] = *level;
                    is_heard = true;
                }
            }
            if is_heard {
                replaced += 1;
            } else {
                self.wasted += self.ladder.variants[*level].sizes[*segment];
            }
        }
        let lengths = |(segment, levels): (usize, &Vec<usize>)| {
            let seconds = self.ladder.segment_s[segment] / levels.len() as f64;
            levels
                .iter()
                .map(|level| (*level, seconds))
                .collect::<Vec<_>>()
        };
        let parts: Vec<_> = self.heard.iter().enumerate().flat_map(lengths).collect();
        let metrics = Metrics {
            bytes: self.bytes,
            wasted_bytes: self.wasted,
            aborts: self.aborts,
            replaced,
            ..Metrics::heard(&self.ladder.rates(), &parts, &self.playback)
        };
        let stalls = self
            .playback
            .stalls
            .iter()
            .map(|(from, length)| (round(*from), round(*length)));
        Log {
            schema: SCHEMA,
            algorithm: format!("kithara {}", env!("CARGO_PKG_VERSION")),
            ladder: self.ladder.name.clone(),
            live_segments: self.setting.live,
            cached: self.setting.cached.clone(),
            player: self.setting.player,
            playback: Heard {
                started: round(self.playback.started.unwrap_or(0.0)),
                stalls: stalls.collect(),
            },
            requests: self.requests,
            metrics,
        }
    }
}

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or_default()
}

fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
