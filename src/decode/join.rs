//! How the first unit of a segment finds its place: the beginning of a run, a
//! discontinuity (announced or not), another variant, or just the next segment.

use crate::decode::Decoding;
use crate::decode::placement::Placement;
use crate::decode::stream;
use crate::error::Problem;
use crate::stats::Stage;
use crate::units::MediaTime;

/// How the first unit of a segment finds its place.
#[derive(Clone, Copy, Debug)]
pub enum Join {
    /// The run begins with this segment, which the playlist puts at `start`.
    Begin {
        /// Sum of EXTINF before it.
        start: MediaTime,
    },
    /// The run begins, and presentation zero is known.
    Known {
        /// On the media timeline minus the edit list.
        zero: MediaTime,
    },
    /// A new timeline goes on where the old one ended.
    Splice,
    /// Another variant of the same timeline: to the frame.
    Switch,
    /// Another codec, rate or layout, and no discontinuity: priming is cut
    /// where its time says so.
    Change,
    /// The next segment of a run.
    Next,
    /// Done.
    Done,
}

impl Join {
    /// The same join when another decoder is needed from here on.
    pub fn with_change(self) -> Self {
        match self {
            Self::Next | Self::Done => Self::Change,
            join => join,
        }
    }

    /// Whether the segment takes up what the one before left unfinished.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Next)
    }

    /// Media time, the edit list taken off, at which the first unit of a segment
    /// is expected that the playlist puts at `start`.
    pub fn expected(self, start: MediaTime, placement: &Placement) -> Option<MediaTime> {
        match self {
            Self::Known { zero } => Some(zero + start),
            Self::Switch | Self::Change | Self::Next => placement.expected(),
            Self::Begin { .. } | Self::Splice | Self::Done => None,
        }
    }
}

impl Decoding<'_> {
    /// Places the first unit of a segment, whose media time is `first` and whose
    /// edit list begins at `edit`. A jump of the clock is a discontinuity that nobody announced.
    pub(super) fn join_at(
        &mut self,
        join: &mut Join,
        first: MediaTime,
        edit: MediaTime,
    ) -> Result<(), Problem> {
        let zero = stream::presentation_zero(first, edit);
        match std::mem::replace(join, Join::Done) {
            Join::Begin { start } => {
                let zero = stream::guess_zero(first, edit, start);
                self.lane.placement.set_base(zero);
            }
            Join::Known { zero } => self.lane.placement.set_base(zero),
            Join::Splice => self.splice(zero)?,
            Join::Switch => {
                self.lane.placement.believe_time();
                self.take_over(first - edit)?;
            }
            Join::Change => self.lane.placement.believe_priming(edit),
            Join::Next => {}
            Join::Done => return Ok(()),
        }
        if self.lane.placement.is_jump(first - edit) {
            tracing::warn!("the clock of the stream jumps and no discontinuity is announced");
            self.splice(zero)?;
        }
        self.stats.end(Stage::FirstPacket);
        self.stats.begin(Stage::FirstPcm);
        Ok(())
    }

    fn splice(&mut self, zero: MediaTime) -> Result<(), Problem> {
        self.lane.settle()?;
        self.lane.placement.splice(zero);
        // Nothing of the old timeline may overlap into the new one.
        if let Some(codec) = &mut self.codec {
            codec.decoder.reset();
        }
        Ok(())
    }
}
