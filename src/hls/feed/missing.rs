//! What is not there: segments that the playlist calls gaps, live ones that were
//! refused or left the window. They become silence of their length, and are counted.

use std::time::{Duration, Instant};

use super::Feed;
use super::broadcast::{Broadcast, left_behind};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::hls::load::Load;
use crate::hls::renewal::is_expired;
use crate::media::Gap;
use crate::units::MediaTime;

const REFUSALS: u32 = 3; // a live segment may be listed a moment before it is there
const REFUSED_WAIT: Duration = Duration::from_millis(700);
const NETWORK_WAIT: Duration = Duration::from_secs(1); // the client has backed off already
const TURN_WAIT: Duration = Duration::from_secs(20); // unless the playlist comes before

/// A segment that is tried again.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    refusals: u32,
}

impl Pause {
    /// When it is tried again; `None` when that is due.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl Feed {
    /// What the decode thread gets in place of the segment at `place`, when
    /// there is no such segment.
    pub(super) fn gap(&self, epoch: u64, place: usize) -> Option<Gap> {
        if let Some(next) = self.next_after_loss(place) {
            return Some(self.lost_until(epoch, place, next));
        }
        let about = self.about(place, self.rung)?;
        let loss = match self.lost.get(&place) {
            Some((problem, true)) if self.broadcast.is_some() => Some(problem.clone()),
            _ if about.gap => None,
            _ => return None,
        };
        Some(Gap {
            epoch,
            number: place as u64,
            next: place as u64 + 1,
            variant: self.rung,
            url: about.wanted.location.to_string(),
            start: about.start,
            duration: about.duration,
            discontinuity: about.discontinuity && self.handed.is_some(),
            from: self.from,
            until: self.until,
            loss,
        })
    }

    /// Whether `place` is a gap by the playlist.
    pub(super) fn is_gap(&self, place: usize) -> bool {
        let list = self.list(self.reference);
        list.segment(place).is_some_and(|segment| segment.gap)
    }

    /// The first place after `place` that can still be had, when `place` left
    /// the window before it was fetched.
    pub(super) fn next_after_loss(&self, place: usize) -> Option<usize> {
        let oldest = self.list(self.reference).places().start;
        if self.broadcast.is_none() || place >= oldest || self.is_coming(place) {
            return None;
        }
        // Only what was asked for: a window may be any number of places away.
        let asked = self.known.range(place + 1..oldest);
        let mut coming = asked.filter(|(place, _)| self.is_coming(**place));
        Some(coming.next().map_or(oldest, |(place, _)| *place))
    }

    /// Where the segment at `place`, which is listed or was asked for, starts.
    pub(super) fn start_of(&self, place: usize) -> Option<MediaTime> {
        let listed = self.list(self.reference).segment(place);
        let listed = listed.map(|segment| segment.start);
        listed.or_else(|| Some(self.known.get(&place)?.start))
    }

    fn is_coming(&self, place: usize) -> bool {
        let flying = |load: &Load| matches!(load, Load::Segment { index, .. } if *index == place);
        self.is_held(place) || self.flights.keys().any(flying)
    }

    fn lost_until(&self, epoch: u64, place: usize, next: usize) -> Gap {
        let duration = self.start_of(next).unwrap_or(self.frontier) - self.frontier;
        let playlist = &self.presentation.ladder.rungs[self.rung].location;
        Gap {
            epoch,
            number: place as u64,
            next: next as u64,
            variant: self.rung,
            url: playlist.to_string(),
            start: self.frontier,
            duration: duration.max(MediaTime::ZERO),
            discontinuity: false,
            from: self.from,
            until: self.until,
            loss: Some(left_behind(next - place)),
        }
    }

    /// Counts and tells a gap that is handed over.
    pub(super) fn tell_gap(&self, gap: &Gap) {
        if let Some(loss) = &gap.loss {
            self.count_loss(gap.duration, loss.clone());
        }
    }

    /// Counts what is not heard, and says why.
    pub(super) fn count_loss(&self, length: MediaTime, problem: Problem) {
        let lost = u64::try_from(length.nanos()).unwrap_or(0);
        self.stats.lost_ns.add(lost);
        let why = format!("{} ({length} lost)", problem.why);
        self.events.send(Event::Warning(Problem {
            why,
            todo: "going on behind it",
            ..problem
        }));
    }

    /// A live segment did not come: asked for again while the network is the
    /// cause or the server may not have it yet, else lost.
    pub(super) fn missed(&mut self, place: usize, problem: Problem) {
        let is_refused = is_refusal(&problem);
        let is_network = matches!(
            problem.kind,
            Kind::Resolve | Kind::Connect | Kind::NoData | Kind::HttpStatus(_)
        );
        let pause = self.later.entry(place).or_default();
        if pause.refusals == 0 && is_expired(&problem) {
            // A fresh list may have a fresh address.
            self.broadcast.iter_mut().for_each(Broadcast::hurry);
        }
        pause.refusals += u32::from(is_refused);
        if !is_network || pause.refusals >= REFUSALS {
            self.later.remove(&place);
            self.lost.insert(place, (problem, true));
            return;
        }
        let wait = match is_refused {
            true => REFUSED_WAIT,
            false => NETWORK_WAIT,
        };
        pause.until = Some(Instant::now() + wait);
        self.refused.remove(&place);
    }

    /// Whether segments were lost to the network and none came since.
    pub(super) fn is_cut_off(&self) -> bool {
        self.lost.values().any(|(problem, _)| !is_refusal(problem))
    }

    /// Looks for the segment at `place` at another place of its variant, which
    /// may list it under another name. `false` when all were tried for it.
    pub(super) fn turn(&mut self, place: usize, rung: usize) -> bool {
        let turns = self.turns.entry(place).or_default();
        let variant = &mut self.presentation.ladder.rungs[rung];
        if *turns == variant.alternatives.len() {
            return false;
        }
        *turns += 1;
        variant.turn();
        self.asked.remove(&rung);
        self.ask_playlist(rung);
        let pause = self.later.entry(place).or_default();
        pause.until = Some(Instant::now() + TURN_WAIT);
        true
    }

    /// Whether the segment at `place` is to be tried again later.
    pub(super) fn is_paused(&self, place: usize) -> bool {
        self.later
            .get(&place)
            .is_some_and(|pause| pause.until.is_some())
    }

    /// Pauses that are over.
    pub(super) fn end_pauses(&mut self) {
        let now = Instant::now();
        for pause in self.later.values_mut() {
            pause.until = pause.until.filter(|until| *until > now);
        }
    }
}

/// Whether the server does not want to give it: asking again soon does not help.
pub(super) fn is_refusal(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::HttpStatus(status) if status < 500)
}
