//! Telling why: each decision of the planner with the numbers it used, and the
//! changes of variant that are heard.

use super::Feed;
use crate::event::{Decision, Event};
use crate::hls::abr::Sample;
use crate::hls::journal::{self, Entry, Line};
use crate::hls::planner::{Asked, Command, Consulted, Plan, View};
use crate::units::{BitRate, MediaTime};

impl Feed {
    /// A run begins.
    pub(super) fn tell_beginning(&mut self) {
        let rates: Vec<BitRate> = self.rungs.iter().map(|rung| self.rate(*rung)).collect();
        self.note_down(|| journal::begin(&rates, self.wishes.prior));
        for sample in &self.presentation.openings {
            self.planner.opened(*sample);
            self.note_down(|| Entry::Opened((*sample).into()));
        }
    }

    /// A segment came, or some of one.
    pub(super) fn carried(&mut self, sample: Sample) {
        self.stats.carried_bytes.add(sample.bytes);
        let nanos = u64::try_from(sample.transfer.as_nanos()).unwrap_or(u64::MAX);
        self.stats.carried_ns.add(nanos);
        self.planner.carried(sample);
        self.note_down(|| Entry::Carried(sample.into()));
    }

    /// Tells what was decided on the way to `plan`.
    pub(super) fn explain(&mut self, plan: &Plan) {
        if self.rungs.len() == 1 {
            return;
        }
        for consulted in &plan.consulted {
            self.note_down(|| consulted.into());
            let told = match consulted {
                Consulted::Decide {
                    place,
                    choice,
                    situation,
                } => Some((
                    *place,
                    self.usable(*place, choice.rung),
                    choice.reason.to_string(),
                    situation.buffer,
                )),
                Consulted::Upgrade {
                    situation,
                    answer: Some((place, rung)),
                    ..
                } => Some((
                    *place,
                    *rung,
                    "again in better quality".to_owned(),
                    situation.buffer,
                )),
                Consulted::Abandon {
                    situation,
                    transfer,
                    answer: Some(rung),
                } => given_up(plan).map(|place| {
                    let why = format!(
                        "given up after {:.1} s: {:.0} of {:.0} kbit came",
                        transfer.elapsed, transfer.got, transfer.kilobits
                    );
                    (place, *rung, why, situation.buffer)
                }),
                Consulted::Regret { .. }
                | Consulted::Upgrade { answer: None, .. }
                | Consulted::Abandon { answer: None, .. } => None,
            };
            if let Some((place, rung, reason, buffer)) = told {
                self.decided(place, rung, reason, buffer);
            }
        }
    }

    /// One more line for a trace, where there is a choice.
    pub(super) fn note_down(&self, entry: impl FnOnce() -> Entry) {
        if self.wishes.is_traced && self.rungs.len() > 1 {
            let line = Line::new(entry()).text();
            self.events.send(Event::Journal(line));
        }
    }

    pub(super) fn rate(&self, rung: usize) -> BitRate {
        self.presentation.ladder.rungs[rung].rate()
    }

    fn decided(&mut self, place: usize, rung: usize, reason: String, buffer: f64) {
        let estimate = self.planner.controller().estimate();
        let decision = Decision {
            segment: place as u64,
            from: self.held.rung(place).unwrap_or(self.rung),
            to: self.rungs[rung],
            reason,
            buffer: MediaTime::from_seconds(buffer),
            estimate: estimate.unwrap_or_default(),
            position: self.stats.position(),
        };
        self.events.send(Event::Decision(decision.clone()));
        self.decisions.insert(place, decision);
    }

    /// The segment at `place` is handed over in `rung`.
    pub(super) fn heard_in(&mut self, place: usize, rung: usize) {
        let before = self.heard.replace(rung);
        let decision = self.decisions.get(&place);
        if let (Some(from), Some(decision)) = (before.filter(|before| *before != rung), decision) {
            let to = rung;
            self.stats.switch(Decision {
                from,
                to,
                ..decision.clone()
            });
        }
    }
}

/// The segment whose request is given up.
fn given_up(plan: &Plan) -> Option<usize> {
    match plan.command {
        Command::Abort(Asked::Segment { place, .. }) => Some(place),
        _ => None,
    }
}
