//! A rung that the listener wants: it is fetched whatever the link carries, and
//! what is ahead of the playhead is fetched again in it, the nearest first.

use super::upgrade::{MARGIN, TOO_NEAR};
use super::{Ahead, Controller, Situation};

impl Controller {
    /// From now on `rung` is what every segment is fetched in; `None` gives the
    /// choice back.
    pub fn pin(&mut self, rung: Option<usize>) {
        self.pinned = rung.map(|rung| rung.min(self.top()));
    }

    /// The rung that the listener wants.
    pub fn pinned(&self) -> Option<usize> {
        self.pinned
    }

    /// The nearest segment ahead in another rung than `pinned` that can be had
    /// before it is heard.
    pub(super) fn again_in(
        &self,
        pinned: usize,
        now: &Situation,
        ahead: &Ahead<'_>,
    ) -> Option<(usize, usize)> {
        let (rate, _) = self.expected(self.tuning(now), now.buffer);
        let is_other = |segment: &usize| usize::from(ahead.rungs[*segment]) != pinned;
        let is_in_time = |segment: &usize| {
            let fetch = self.fetch_seconds(pinned, ahead.duration(*segment), rate) * MARGIN;
            now.heard + fetch <= ahead.starts[*segment] - TOO_NEAR
        };
        let mut segments = (ahead.first..ahead.rungs.len()).filter(is_other);
        let segment = segments.find(is_in_time)?;
        Some((segment, pinned))
    }
}
