//! The controller of a recorded run once more: it is told and asked the same,
//! and its answers are compared. The same controller gives the same answers;
//! another one shows where it would have decided otherwise.

use crate::hls::abr::{Ahead, Controller, Transfer};
use crate::hls::journal::{Entry, Line};
use crate::hls::planner::Segments;
use crate::units::BitRate;

/// What came of a replay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Questions of each kind: which rung, give up, fetch again.
    pub asked: [u64; 3],
    /// Answers that are not the recorded ones.
    pub differences: Vec<Difference>,
    /// Seconds of media that were chosen for, and kilobits of them as recorded
    /// and as chosen now.
    chosen: [f64; 3],
}

/// An answer that is not the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line of the trace, from 1.
    pub line: usize,
    /// The segment in question, where one is.
    pub segment: Option<usize>,
    /// The answer that was recorded.
    pub recorded: String,
    /// The one that is given now.
    pub now: String,
}

impl Outcome {
    /// Questions in all.
    pub fn count(&self) -> u64 {
        self.asked.iter().sum()
    }

    /// Average kilobits per second of what was chosen.
    pub fn recorded_kbps(&self) -> f64 {
        self.chosen[1] / self.chosen[0].max(f64::MIN_POSITIVE)
    }

    /// The same of what is chosen now, in the same situations.
    pub fn replayed_kbps(&self) -> f64 {
        self.chosen[2] / self.chosen[0].max(f64::MIN_POSITIVE)
    }
}

/// A replay under way, fed with the lines of a trace.
pub struct Replay<F> {
    make: F,
    controller: Option<Controller>,
    outcome: Outcome,
}

impl<F: Fn(&[BitRate]) -> Controller> Replay<F> {
    /// Asks the controllers that `make` makes for the rates of a ladder.
    pub fn new(make: F) -> Self {
        Self {
            make,
            controller: None,
            outcome: Outcome::default(),
        }
    }

    /// The next line of the trace, whose number is `number`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn line(&mut self, number: usize, text: &str) -> Result<(), String> {
        let line = Line::parse(text).map_err(|error| error.to_string())?;
        match line {
            Some(line) => self.entry(number, &line.entry),
            None => Ok(()),
        }
    }

    /// What came of it; `None` when the trace has no run with a choice.
    pub fn outcome(self) -> Option<Outcome> {
        self.controller.map(|_| self.outcome)
    }

    fn entry(&mut self, number: usize, entry: &Entry) -> Result<(), String> {
        if let Entry::Begin { rates, prior } = entry {
            if rates.is_empty() {
                return Err("it has no variants".to_owned());
            }
            let rates: Vec<BitRate> = rates.iter().copied().map(BitRate).collect();
            let controller = (self.make)(&rates).remembering(prior.map(BitRate));
            self.controller = Some(controller);
            return Ok(());
        }
        let controller = self.controller.as_mut();
        let controller = controller.ok_or("it answers before its run begins")?;
        let top = controller.rungs();
        match entry {
            Entry::Begin { .. } => {}
            Entry::Pin { rung } => controller.pin(*rung),
            Entry::Opened(came) => controller.opened((*came).into()),
            Entry::Carried(came) => controller.sample((*came).into()),
            Entry::Decide {
                place,
                situation,
                rung,
                reason,
            } => {
                if *rung >= top {
                    return Err("it names a variant that is not listed".to_owned());
                }
                let choice = controller.decide(situation);
                let length = situation.segment;
                self.outcome.chosen[0] += length;
                self.outcome.chosen[1] += length * controller.rate(*rung);
                self.outcome.chosen[2] += length * controller.rate(choice.rung);
                let now = format!("{} ({})", choice.rung, choice.reason.word());
                let recorded = format!("{rung} ({reason})");
                self.outcome.note(0, number, Some(*place), recorded, now);
            }
            Entry::Abandon {
                situation,
                transfer,
                answer,
            } => {
                check(transfer, top)?;
                let now = controller.abandon(situation, transfer);
                let say = |answer: Option<usize>| match answer {
                    Some(rung) => format!("give up for {rung}"),
                    None => "go on".to_owned(),
                };
                self.outcome.note(1, number, None, say(*answer), say(now));
            }
            Entry::Regret {
                situation,
                transfer,
                until,
                answer,
            } => {
                check(transfer, top)?;
                let now = controller.regret(situation, transfer, *until);
                let say = |answer: bool| match answer {
                    true => "give up what is fetched again".to_owned(),
                    false => "go on".to_owned(),
                };
                self.outcome.note(1, number, None, say(*answer), say(now));
            }
            Entry::Upgrade {
                situation,
                ahead,
                answer,
            } => {
                let segments = Segments::from(ahead);
                if !is_sound(&segments, top) {
                    return Err("its segments do not fit together".to_owned());
                }
                let now = controller.upgrade(
                    situation,
                    &Ahead {
                        rungs: &segments.rungs,
                        starts: &segments.starts,
                        first: segments.first,
                        idle: segments.idle,
                        is_whole: segments.is_whole,
                    },
                );
                let now = now.map(|(index, rung)| (segments.base.saturating_add(index), rung));
                let say = |answer: Option<(usize, usize)>| match answer {
                    Some((place, rung)) => format!("segment {place} again in {rung}"),
                    None => "none again".to_owned(),
                };
                let place = answer.or(now).map(|(place, _)| place);
                self.outcome.note(2, number, place, say(*answer), say(now));
            }
        }
        Ok(())
    }
}

impl Outcome {
    fn note(
        &mut self,
        kind: usize,
        line: usize,
        segment: Option<usize>,
        recorded: String,
        now: String,
    ) {
        self.asked[kind] += 1;
        if recorded != now {
            self.differences.push(Difference {
                line,
                segment,
                recorded,
                now,
            });
        }
    }
}

fn check(transfer: &Transfer, rungs: usize) -> Result<(), String> {
    match transfer.rung < rungs {
        true => Ok(()),
        false => Err("it names a variant that is not listed".to_owned()),
    }
}

/// Whether a file that anybody may have written can be asked about.
fn is_sound(segments: &Segments, rungs: usize) -> bool {
    let is_listed = |rung: &u8| usize::from(*rung) < rungs;
    segments.starts.len() == segments.rungs.len() + 1 && segments.rungs.iter().all(is_listed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hls::abr::{Sample, Situation};
    use crate::hls::journal;

    fn trace() -> Vec<String> {
        let rates = [64, 128, 256].map(|rate| BitRate(rate * 1000));
        let mut controller = Controller::new(&rates);
        let mut lines = vec![journal::begin(&rates, None)];
        for step in 0..40_u32 {
            let sample = Sample {
                bytes: 40_000 + u64::from(step) * 1_003,
                first_byte: Some(Duration::from_micros(50_123)),
                transfer: Duration::from_micros(900_007 + u64::from(step) * 31),
            };
            controller.sample(sample);
            lines.push(Entry::Carried(sample.into()));
            let situation = Situation {
                current: Some(0),
                buffer: f64::from(step) * 1.7,
                limit: 300.0,
                steady: 60.0,
                segment: 4.0,
                ..Situation::at_start()
            };
            let choice = controller.decide(&situation);
            lines.push(Entry::Decide {
                place: 1,
                situation,
                rung: choice.rung,
                reason: choice.reason.word().to_owned(),
            });
        }
        lines.into_iter().map(|one| Line::new(one).text()).collect()
    }

    fn replayed(lines: &[String], make: impl Fn(&[BitRate]) -> Controller) -> Outcome {
        let mut replay = Replay::new(make);
        for (index, line) in lines.iter().enumerate() {
            replay.line(index + 1, line).expect("a sound line");
        }
        replay.outcome().expect("a run")
    }

    #[test]
    fn the_same_controller_gives_the_same_answers() {
        let outcome = replayed(&trace(), Controller::new);
        assert_eq!(outcome.asked, [40, 0, 0]);
        assert_eq!(outcome.differences, []);
    }

    #[test]
    fn an_answer_that_was_changed_is_found_with_its_line() {
        let mut lines = trace();
        let line = lines.iter().position(|line| line.contains(r#""rung":2"#));
        let line = line.expect("high at last");
        lines[line] = lines[line].replace(r#""rung":2"#, r#""rung":0"#);
        let outcome = replayed(&lines, Controller::new);
        let [difference] = &outcome.differences[..] else {
            panic!("one difference, not {:?}", outcome.differences);
        };
        assert_eq!((difference.line, difference.segment), (line + 1, Some(1)));
        assert!(difference.recorded.starts_with('0'));
        assert!(difference.now.starts_with('2'));
    }

    #[test]
    fn lines_that_make_no_sense_are_refused() {
        let begin = r#"{"type":"abr","say":"begin","rates":[64000],"prior":null}"#;
        let case = r#""situation":{"current":null,"buffer":0.0,"limit":1.0,"heard":0.0,"steady":0.0,"segment":4.0,"remaining":9.0,"stored":null,"is_live":false}"#;
        let cases = [
            (
                r#"{"type":"abr","say":"begin","rates":[],"prior":null}"#.to_owned(),
                "no variants",
            ),
            (
                format!(
                    r#"{{"type":"abr","say":"abandon",{case},"transfer":{{"rung":1,"elapsed":1.0,"flowing":null,"kilobits":1.0,"got":0.0,"part":0.5,"silent":0.0}},"answer":null}}"#
                ),
                "not listed",
            ),
            (
                format!(
                    r#"{{"type":"abr","say":"upgrade",{case},"ahead":{{"base":0,"first":0,"idle":1.0,"is_whole":false,"start_ns":0,"lengths_ns":[],"rungs":[[0,1]]}},"answer":null}}"#
                ),
                "do not fit",
            ),
            ("nonsense".to_owned(), "expected"),
        ];
        for (text, why) in cases {
            let mut replay = Replay::new(Controller::new);
            replay.line(1, begin).expect("a sound line");
            let refusal = replay.line(2, &text).expect_err("refused");
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
        let mut replay = Replay::new(Controller::new);
        assert_eq!(replay.line(1, r#"{"type":"request"}"#), Ok(()));
        assert_eq!(replay.outcome(), None);
    }
}
