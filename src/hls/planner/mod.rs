//! What to ask for next, as a function of what is the case: the plan is made
//! anew at each event, and there is no queue that could lose an entry. It knows
//! no clock and no socket: `feed/` has them in real playback, `simulate/` makes
//! them up. Times are seconds of the run.

mod again;
mod giving_up;
mod looking;
mod lost;
mod overlap;
mod words;

use std::time::Duration;

use self::looking::next_look;
pub use self::lost::LOST;
pub use self::overlap::overlap_bytes;
pub use self::words::{
    Asked, Came, Command, Consulted, Flight, Limits, Moment, Plan, Report, Segments, State, View,
};
use crate::hls::abr::{Controller, Sample, Situation};

/// How often a transfer is looked at.
const TICK: f64 = 0.2;
/// A transfer given up earlier says nothing about the link.
const TELLING: f64 = 0.3;
/// The least time that such a transfer counts for.
const LEAST_TRANSFER: f64 = 0.2;
/// Times that are the same.
const NEAR: f64 = 1e-9;
/// So much media must be stored to rely on it.
const NET: f64 = 60.0;
/// Segments of buffer below which anything that is stored is used.
const URGENT: f64 = 2.0;
/// A segment takes at least this much of the look-ahead: an unknown length is
/// stated as 0 and must not lift it.
const SHORTEST: f64 = 1.0;
/// The playlist of another variant is waited for at least this long.
const PATIENCE: f64 = 1.0;
/// The same in waits for a first byte.
const PATIENCE_WAITS: f64 = 4.0;

/// The planner of one run: the controller, and what it remembers of its own
/// commands.
#[derive(Clone, Debug)]
pub struct Planner {
    controller: Controller,
    limits: Limits,
    /// What was decided and waits for its playlist or its init section.
    pending: Option<(usize, usize)>,
    newest: Option<Newest>,
    /// The rung of the segments before the newest.
    before: Option<usize>,
    /// Where the last switch before the newest segment was.
    switched: f64,
    /// When a request was given up.
    given_up: f64,
}

/// The newest segment that was asked for.
#[derive(Clone, Copy, Debug)]
struct Newest {
    place: usize,
    rung: usize,
    start: f64,
}

impl Planner {
    /// A planner that has asked for nothing yet.
    pub fn new(controller: Controller, limits: Limits) -> Self {
        Self {
            controller,
            limits,
            pending: None,
            newest: None,
            before: None,
            switched: 0.0,
            given_up: f64::NEG_INFINITY,
        }
    }

    /// What it decides with.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// From now on every segment is fetched in `rung`; `None` gives the choice
    /// back to the controller.
    pub fn pin(&mut self, rung: Option<usize>) {
        self.controller.pin(rung);
        self.pending = None;
    }

    /// What is asked for next does not follow what was asked for last.
    pub fn jump(&mut self) {
        self.before = self.newest.take().map(|newest| newest.rung).or(self.before);
        self.pending = None;
        self.switched = 0.0;
    }

    /// What to do now. Whoever does it tells [`Planner::follow`].
    pub fn next(&self, view: &impl View) -> Plan {
        let now = view.moment();
        let mut plan = Plan {
            command: Command::Done,
            pending: None,
            start: 0.0,
            now: now.now,
            consulted: Vec::new(),
        };
        plan.command = match self.command(view, &mut plan) {
            Command::Wait(until) => Command::Wait(until.min(self.look_at(view, &now))),
            command => command,
        };
        if let Command::Fetch(Asked::Segment { place, .. }) | Command::Use { place, .. } =
            plan.command
        {
            plan.start = view.start(place);
        }
        plan
    }

    /// A plan is acted on.
    pub fn follow(&mut self, plan: &Plan) {
        match plan.command {
            Command::Wait(_) => return,
            Command::Fetch(Asked::Segment { place, rung }) | Command::Use { place, rung } => {
                self.asked(place, rung, plan.start);
            }
            Command::Abort(_) => self.given_up = plan.now,
            Command::Fetch(_) | Command::Repeat(_) | Command::Done => {}
        }
        self.pending = plan.pending;
    }

    /// A playlist or an init section came.
    pub fn opened(&mut self, sample: Sample) {
        self.controller.opened(sample);
    }

    /// A segment came from the network.
    pub fn carried(&mut self, sample: Sample) {
        self.controller.sample(sample);
    }

    /// What a request tells of the link that was given up at `now`, if anything.
    pub fn told_by(flight: &Flight, now: f64) -> Option<Sample> {
        let flowing = flight.report.first.map_or(0.0, |first| now - first);
        (now - flight.at > TELLING).then(|| Sample {
            bytes: flight.report.got,
            first_byte: None,
            transfer: Duration::try_from_secs_f64(flowing.max(LEAST_TRANSFER)).unwrap_or_default(),
        })
    }

    fn asked(&mut self, place: usize, rung: usize, start: f64) {
        if let Some(newest) = &self.newest {
            if place < newest.place {
                return; // again, in better quality
            }
            if place > newest.place {
                if self.before.is_some_and(|before| before != newest.rung) {
                    self.switched = newest.start;
                }
                self.before = Some(newest.rung);
            }
        }
        self.newest = Some(Newest { place, rung, start });
    }

    fn command(&self, view: &impl View, plan: &mut Plan) -> Command {
        let (now, flights) = (view.moment(), view.flights());
        if let Some((place, rung)) = self.pending_in(view) {
            plan.pending = self.pending;
            if let Some(command) = self.go_without(view, &now, &flights, (place, rung)) {
                return command;
            }
        }
        if let Some(overlap) = self.overlap(view, &now, &flights) {
            return Command::Fetch(overlap);
        }
        if let Some(command) = self.rescue(view, &now) {
            plan.pending = None;
            return command;
        }
        if let Some(command) = self.repeat(view, &now, &flights) {
            return command;
        }
        if let Some(flight) = flights.last() {
            if let Some(command) = self.give_up(view, &now, &flights, plan) {
                return command;
            }
            let is_full = flights.len() >= now.in_flight;
            let is_time = self.limits.is_eager
                || self.is_time(&now, flight)
                || self.has_no_other_way(view, &now, &flights);
            if is_full || !is_time {
                return Command::Wait(next_look(view, &now, flight, is_full));
            }
        }
        if let Some((place, rung)) = self.pending_in(view) {
            return fetch(view, &flights, plan, (place, rung));
        }
        let (places, place) = (view.places(), next_missing(view));
        if place >= places.end {
            return self.refine(view, &now, &flights, plan);
        }
        let situation = self.situation(view, &now, place);
        let until = self.room_at(&now, &situation, place - places.start);
        if let Some(better) = self.upgrade(view, &now, &flights, plan, until - now.now) {
            return fetch(view, &flights, plan, better);
        }
        if until > now.now + NEAR {
            return Command::Wait(until);
        }
        self.begin(view, &flights, plan, place, situation)
    }

    /// A segment that is not here: out of the cache, or from the network.
    fn begin(
        &self,
        view: &impl View,
        flights: &[Flight],
        plan: &mut Plan,
        place: usize,
        situation: Situation,
    ) -> Command {
        let choice = self.controller.decide(&situation);
        let decided = Consulted::Decide {
            place,
            situation,
            choice,
        };
        plan.consulted.push(decided);
        let rung = view.usable(place, choice.rung);
        match view.stored(place) {
            Some(stored)
                if stored == rung
                    || self.is_preferred(stored, rung)
                    || situation.buffer < URGENT * situation.segment =>
            {
                // What is under way comes before it.
                let is_before = |flight: &&Flight| {
                    matches!(flight.asked, Asked::Segment { place: one, .. } if one < place)
                        && !is_again(view, flight.asked)
                };
                match flights.iter().find(is_before) {
                    Some(flight) => Command::Wait(next_look(view, &view.moment(), flight, true)),
                    None => Command::Use {
                        place,
                        rung: stored,
                    },
                }
            }
            _ => fetch(view, flights, plan, (place, rung)),
        }
    }

    /// What was decided before and is still wanted.
    fn pending_in(&self, view: &impl View) -> Option<(usize, usize)> {
        let is_wanted = |(place, rung): &(usize, usize)| match view.state(*place) {
            State::Missing => view.places().contains(place),
            State::Here(here) => self.is_preferred(*rung, here) && *place >= view.open(),
            State::Coming(_) | State::Later | State::Silent => false,
        };
        let (place, rung) = self.pending.filter(is_wanted)?;
        Some((place, view.usable(place, rung)))
    }

    /// A playlist that does not come is not waited for: the segment is taken in
    /// the rung of those before it.
    fn go_without(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
        (place, rung): (usize, usize),
    ) -> Option<Command> {
        let needed = view.needed(place, rung)?;
        let late = flights.iter().find(|flight| flight.asked == needed)?;
        let patience = PATIENCE.max(PATIENCE_WAITS * self.controller.wait());
        let usual = self.newest.filter(|newest| newest.place < place)?.rung;
        let is_late = now.now > late.at + patience && flights.len() < now.in_flight;
        let is_next = view.state(place) == State::Missing && view.needed(place, usual).is_none();
        let asked = Asked::Segment { place, rung: usual };
        (is_late && is_next).then_some(Command::Fetch(asked))
    }

    /// Whether a segment in `rung` is to be heard rather than in `other`.
    fn is_preferred(&self, rung: usize, other: usize) -> bool {
        match self.controller.pinned() {
            Some(pinned) => rung == pinned && other != pinned,
            None => rung > other,
        }
    }

    /// The rung of the segment before `place`.
    fn current(&self, place: usize) -> Option<usize> {
        match &self.newest {
            Some(newest) if newest.place < place => Some(newest.rung),
            _ => self.before,
        }
    }

    /// What the controller is told, for the segment at `place`; those on their
    /// way count as here.
    fn situation(&self, view: &impl View, now: &Moment, place: usize) -> Situation {
        let last = view.places().end.saturating_sub(1);
        let one = place.min(last);
        let start = view.start(place);
        let length = view.start(one + 1) - view.start(one);
        let before = place.checked_sub(1).map(|before| view.state(before));
        let coming = match before {
            Some(State::Coming(_)) => start,
            _ => 0.0,
        };
        let switched = match (&self.newest, self.before) {
            (Some(newest), Some(before)) if newest.place < place && newest.rung != before => {
                newest.start
            }
            _ => self.switched,
        };
        let late = now.edge.map(|edge| edge - now.position);
        Situation {
            current: self.current(place),
            buffer: (now.playable.max(coming) - now.position).max(0.0),
            limit: late.unwrap_or(f64::INFINITY).min(now.ahead),
            heard: now.heard,
            steady: start - switched,
            segment: length,
            remaining: (now.end - start).max(length),
            stored: self.net(view, place),
            is_live: now.edge.is_some(),
        }
    }

    /// The rung in which the next minute, or all that is left, is stored.
    fn net(&self, view: &impl View, place: usize) -> Option<usize> {
        self.newest?; // what begins is asked about again and again later
        let from = view.start(place);
        let minute = (place..view.places().end).take_while(|next| view.start(*next) < from + NET);
        let mut lowest = None;
        for next in minute {
            let stored = view.stored(next)?;
            lowest = Some(lowest.map_or(stored, |lowest: usize| lowest.min(stored)));
        }
        lowest
    }

    /// When there is room for a segment with `before` others before it. The one
    /// that is wanted first is never kept waiting.
    fn room_at(&self, now: &Moment, situation: &Situation, before: usize) -> f64 {
        if before == 0 {
            return now.now;
        }
        if before as f64 * SHORTEST > now.ahead {
            return f64::INFINITY;
        }
        let excess = situation.buffer + situation.segment - now.ahead;
        match excess > NEAR && situation.buffer > 1e-6 {
            true => now.now + excess,
            false => now.now,
        }
    }

    /// Everything was fetched once: what is heard later may become better.
    fn refine(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
        plan: &mut Plan,
    ) -> Command {
        if !view.is_whole() {
            let idle = now.publication - now.now;
            return match self.upgrade(view, now, flights, plan, idle) {
                Some(better) => fetch(view, flights, plan, better),
                None => Command::Wait(now.publication),
            };
        }
        let is_under_way = |place| matches!(view.state(place), State::Coming(_) | State::Later);
        if !flights.is_empty() || view.places().any(is_under_way) {
            return Command::Wait(f64::INFINITY);
        }
        let idle = view.start(view.places().end) - now.position;
        match self.upgrade(view, now, flights, plan, idle) {
            Some(better) => fetch(view, flights, plan, better),
            None => Command::Done,
        }
    }
}

/// The first segment that is to be asked for, or the end of all.
fn next_missing(view: &impl View) -> usize {
    let mut places = view.places();
    let missing = places.find(|place| view.state(*place) == State::Missing);
    missing.unwrap_or(view.places().end)
}

/// The next segment that is to be heard and is not here.
fn next_wanted(view: &impl View) -> Option<usize> {
    let is_here = |place: &usize| matches!(view.state(*place), State::Here(_) | State::Silent);
    view.places().find(|place| !is_here(place))
}

/// Whether it is a segment that is here already.
fn is_again(view: &impl View, asked: Asked) -> bool {
    matches!(asked, Asked::Segment { place, .. } if matches!(view.state(place), State::Here(_)))
}

/// A segment, or what is needed before it.
fn fetch(
    view: &impl View,
    flights: &[Flight],
    plan: &mut Plan,
    (place, rung): (usize, usize),
) -> Command {
    plan.pending = None;
    let Some(needed) = view.needed(place, rung) else {
        return Command::Fetch(Asked::Segment { place, rung });
    };
    plan.pending = Some((place, rung));
    match flights.iter().any(|flight| flight.asked == needed) {
        true => Command::Wait(f64::INFINITY),
        false => Command::Fetch(needed),
    }
}

#[cfg(test)]
mod tests;
