//! Going on at another place: what was under way is dropped, the net thread is
//! told, and the first piece of the new place finds its time.

use crate::bell::helm::Seek;
use crate::decode::Decoding;
use crate::decode::join::Join;
use crate::event::Event;
use crate::limits;
use crate::media::Demand;
use crate::units::MediaTime;

impl Decoding<'_> {
    /// Drops what belongs to the old place and wants the new one.
    pub(super) fn seek(&mut self, seek: Seek) {
        self.stats.sought(seek.to, seek.asked);
        self.demand = Demand {
            epoch: self.demand.epoch + 1,
            from: Some(seek.to),
            ..Demand::default()
        };
        self.sought = Some(seek.to);
        self.lane.go_to(seek.to);
        if let Some(codec) = &mut self.codec {
            codec.decoder.reset();
        }
        self.heard = None;
        self.is_beyond = false;
        self.begun = None;
        self.is_broken = false;
        self.tail = None;
        self.is_severed = false;
        self.loss = None;
        self.titles = Default::default();
        self.bad_in_a_row = 0;
    }

    /// The first piece of the place that was sought is here: it begins at `from`,
    /// which may be another moment than was asked for.
    pub(super) fn land(&mut self, from: MediaTime) {
        if let Some(sought) = self.sought.take() {
            if sought != from {
                self.lane.go_to(from);
            }
            self.is_landing = true;
            self.events.send(Event::Seek { to: from });
        }
    }

    /// How a segment of `run`, which the playlist puts at `start`, is placed
    /// after a seek: exactly where the run was heard before, else by the
    /// playlist's sum.
    pub(super) fn landing(&self, run: u64, start: MediaTime) -> Join {
        match self.zeros.get(&run) {
            Some(&zero) => Join::Known { zero },
            None => Join::Begin { start },
        }
    }

    /// Remembers the zero of a run that is heard.
    pub(super) fn note_zero(&mut self, run: u64) {
        if let Some(zero) = self.lane.placement.media(MediaTime::ZERO) {
            self.zeros.insert(run, zero);
        }
        if self.zeros.len() > limits::RUNS {
            self.zeros.pop_first();
        }
    }
}
