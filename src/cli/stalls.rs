//! What the sound waited for when it stalled: of the requests that were under
//! way meanwhile, the one that was so for longest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::event::Exchange;
use crate::stats::{Cause, Underrun};
use crate::units::MediaTime;

const STALLS: usize = 1_000; // a run that has more has said enough
const REMEMBERED: usize = 16; // requests that ended before their stall was told

/// The stalls of a run.
#[derive(Clone, Debug, Default)]
pub struct Stalls {
    list: Vec<Stall>,
    recent: VecDeque<Exchange>,
}

/// One wait for data.
#[derive(Clone, Debug)]
pub struct Stall {
    /// Where in the stream.
    pub position: MediaTime,
    /// How long there was silence.
    pub silence: Duration,
    /// Whose fault it was.
    pub cause: Cause,
    /// The request that took longest meanwhile, if one did.
    pub request: Option<Exchange>,
    ended: Instant,
    /// How much of the silence that request took.
    shared: Duration,
}

impl Stalls {
    /// Takes a stall that is over at `ended`: `silence` at `rate` frames a second.
    pub fn add(&mut self, underrun: &Underrun, rate: u32, ended: Instant) {
        if self.list.len() >= STALLS {
            return;
        }
        let seconds = underrun.frames as f64 / f64::from(rate.max(1));
        let mut stall = Stall {
            position: underrun.position,
            silence: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            cause: underrun.cause,
            request: None,
            ended,
            shared: Duration::ZERO,
        };
        self.recent.iter().for_each(|one| stall.blame(one));
        self.list.push(stall);
    }

    /// Takes a request that is over.
    pub fn exchange(&mut self, exchange: &Exchange) {
        // One that goes on behind its stall is told later; older stalls have theirs.
        let late = self.list.iter_mut().rev();
        late.take_while(|stall| stall.ended > exchange.sent)
            .for_each(|stall| stall.blame(exchange));
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(exchange.clone());
    }

    /// The stalls, in order.
    pub fn list(&self) -> &[Stall] {
        &self.list
    }
}

impl Stall {
    fn blame(&mut self, exchange: &Exchange) {
        let began = self.ended.checked_sub(self.silence).unwrap_or(self.ended);
        let from = exchange.sent.max(began);
        let shared = exchange.ended.min(self.ended);
        let shared = shared.saturating_duration_since(from);
        if shared > self.shared {
            self.shared = shared;
            self.request = Some(exchange.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RequestKind;

    fn exchange(segment: u64, sent: Instant, ended: Instant) -> Exchange {
        Exchange {
            kind: RequestKind::Segment,
            url: String::new(),
            sent,
            answered: Some(sent),
            ended,
            status: Some(200),
            offset: 0,
            bytes: 1_000,
            variant: Some(0),
            segment: Some(segment),
            failure: None,
        }
    }

    fn stall() -> Underrun {
        Underrun {
            position: MediaTime::from_seconds(4.0),
            frames: 96_000,
            cause: Cause::Network,
        }
    }

    #[test]
    fn the_request_that_took_most_of_the_silence_is_named_whenever_it_ends() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        // Silence from 10 s to 12 s.
        for late in [11_900, 12_500] {
            let mut stalls = Stalls::default();
            stalls.exchange(&exchange(1, at(8_000), at(10_100)));
            let slow = exchange(2, at(10_200), at(late));
            if late < 12_000 {
                stalls.exchange(&slow);
            }
            stalls.add(&stall(), 48_000, at(12_000));
            if late > 12_000 {
                stalls.exchange(&slow);
            }
            stalls.exchange(&exchange(3, at(12_000), at(15_000)));
            let [one] = stalls.list() else {
                panic!("one stall")
            };
            let named = one.request.as_ref().and_then(|request| request.segment);
            assert_eq!(named, Some(2), "{late}");
            assert_eq!(one.silence, Duration::from_secs(2));
        }
    }

    #[test]
    fn a_stall_without_a_request_blames_none() {
        let mut stalls = Stalls::default();
        let now = Instant::now();
        stalls.exchange(&exchange(1, now, now));
        stalls.add(&stall(), 48_000, now + Duration::from_secs(60));
        assert!(stalls.list()[0].request.is_none());
    }
}
