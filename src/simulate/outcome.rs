//! What is told of a session when it is over.

use super::log::{Heard, Log, SCHEMA};
use super::metrics::Metrics;
use super::session::{NEAR, Session, round};
use crate::hls::abr::Algorithm;

/// Longer than whatever is still to be heard, in seconds.
const UNTIL_THE_END: f64 = 10.0;

impl Session<'_> {
    /// The log of a session in which everything was fetched.
    pub(super) fn log(mut self) -> Log {
        let total = self.starts[self.starts.len() - 1];
        self.playback.advance(self.now + total + UNTIL_THE_END);
        let metrics = self.metrics();
        let stalls = self.playback.stalls.iter();
        let stalls = stalls.map(|(from, length)| (round(*from), round(*length)));
        Log {
            schema: SCHEMA,
            algorithm: match self.setting.algorithm {
                Algorithm::Default => format!("kithara {}", env!("CARGO_PKG_VERSION")),
                other => other.word().to_owned(),
            },
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

    fn metrics(&mut self) -> Metrics {
        let mut replaced = 0;
        for (end, segment, rung) in std::mem::take(&mut self.upgrades) {
            match self.replace(end, segment, rung) {
                true => replaced += 1,
                false => self.wasted += self.ladder.variants[rung].sizes[segment],
            }
        }
        let mut parts = Vec::new();
        for (segment, rungs) in self.heard.iter().enumerate() {
            let seconds = self.ladder.segment_s[segment] / rungs.len() as f64;
            parts.extend(rungs.iter().map(|rung| (*rung, seconds)));
        }
        Metrics {
            bytes: self.bytes,
            wasted_bytes: self.wasted,
            aborts: self.aborts,
            replaced,
            ..Metrics::heard(&self.ladder.rates(), &parts, &self.playback)
        }
    }

    /// A segment came again at `end`: its parts that were heard later were
    /// heard in `rung`. Whether there were any.
    fn replace(&mut self, end: f64, segment: usize, rung: usize) -> bool {
        let count = self.heard[segment].len();
        let length = self.ladder.segment_s[segment];
        let mut is_heard = false;
        for part in 0..count {
            let at = self.starts[segment] + length * part as f64 / count as f64;
            if self.playback.heard(at) >= end - NEAR {
                self.heard[segment][part] = rung;
                is_heard = true;
            }
        }
        is_heard
    }
}
