//! What is given up: a request that a lower rung would overtake, one that comes
//! too late to be heard, and one in whose place something stored can be heard.

use super::{
    Asked, Command, Consulted, Flight, Moment, NEAR, Plan, Planner, State, TICK, View, is_again,
    next_missing, next_wanted,
};
use crate::hls::abr::{Situation, Transfer};

/// Seconds of media left when what is stored has to help.
const RESCUE: f64 = 0.3;

impl Planner {
    /// Gives the only request up when a lower rung is cheaper.
    pub(super) fn give_up(
        &self,
        view: &impl View,
        now: &Moment,
        flights: &[Flight],
        plan: &mut Plan,
    ) -> Option<Command> {
        let mut others = flights.iter();
        let is_segment = |flight: &&Flight| matches!(flight.asked, Asked::Segment { .. });
        let flight = others.find(is_segment)?;
        if others.any(|flight| is_segment(&flight)) {
            return None;
        }
        let Asked::Segment { place, rung } = flight.asked else {
            return None;
        };
        if rung == 0 || now.now <= flight.at + NEAR {
            return None;
        }
        let length = view.start(place + 1) - view.start(place);
        let next = next_missing(view).max(place + 1);
        let situation = Situation {
            buffer: now.playable - now.position,
            segment: length,
            ..self.situation(view, now, next)
        };
        let kilobits = |bytes: u64| bytes as f64 * 8e-3;
        let report = &flight.report;
        let transfer = Transfer {
            silent: now.now - report.last.unwrap_or(flight.at),
            rung,
            elapsed: now.now - flight.at,
            flowing: report.first.map(|first| now.now - first),
            kilobits: report
                .bytes
                .map_or(self.controller.rate(rung) * length, kilobits),
            got: kilobits(report.got),
            part: length / (length / self.limits.part - NEAR).ceil().max(1.0),
        };
        if is_again(view, flight.asked) {
            let until = view.start(place) - now.position;
            let answer = self.regret(view, situation, transfer, until, plan);
            return answer.then_some(Command::Abort(flight.asked));
        }
        let answer = self.controller.abandon(&situation, &transfer);
        plan.consulted.push(Consulted::Abandon {
            situation,
            transfer,
            answer,
        });
        plan.pending = Some((place, answer?));
        Some(Command::Abort(flight.asked))
    }

    /// Whether a segment that is fetched once more, and heard in `until` seconds,
    /// is given up.
    fn regret(
        &self,
        view: &impl View,
        situation: Situation,
        transfer: Transfer,
        until: f64,
        plan: &mut Plan,
    ) -> bool {
        let is_left = next_missing(view) < view.places().end;
        let remaining = match view.is_whole() && !is_left {
            true => 0.0,
            false => situation.remaining,
        };
        let situation = Situation {
            remaining,
            ..situation
        };
        let answer = self.controller.regret(&situation, &transfer, until);
        plan.consulted.push(Consulted::Regret {
            situation,
            transfer,
            until,
            answer,
        });
        answer
    }

    /// Sound is about to end while what is stored could go on: it is used, and
    /// if it was asked for in another rung, that is given up first.
    pub(super) fn rescue(&self, view: &impl View, now: &Moment) -> Option<Command> {
        self.newest?;
        if now.playable - now.position >= RESCUE {
            return None;
        }
        let place = next_wanted(view)?;
        let stored = view.stored(place)?;
        match view.state(place) {
            State::Missing => Some(Command::Use {
                place,
                rung: stored,
            }),
            State::Coming(rung) if now.now > self.given_up + TICK / 2.0 => {
                Some(Command::Abort(Asked::Segment { place, rung }))
            }
            State::Coming(_) | State::Here(_) | State::Later | State::Silent => None,
        }
    }
}
