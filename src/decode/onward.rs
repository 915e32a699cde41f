//! What one segment leaves to the next: the rest of a frame is joined to its
//! beginning, or silence takes its place.

use crate::decode::Decoding;
use crate::decode::join::Join;
use crate::decode::lane::Times;
use crate::decode::packed::Cut;
use crate::decode::placement::EXTINF_SLACK;
use crate::decode::stream::{self, Tail};
use crate::decode::ts;
use crate::decode::unit::Edit;
use crate::error::Problem;
use crate::media::Source;
use crate::units::MediaTime;

/// The bytes of a segment, and what they go on from.
pub(super) struct Onward {
    pub media: Box<dyn Source>,
    pub tail: Option<ts::Tail>,
    /// A frame of the segment before was made whole in them.
    pub is_joined: bool,
}

impl Decoding<'_> {
    /// How `media` takes up what the segment before left.
    pub(super) fn go_on(
        &mut self,
        join: Join,
        mut media: Box<dyn Source>,
    ) -> Result<Onward, Problem> {
        let (mut tail, mut is_joined) = (None, false);
        match self.tail.take() {
            Some(Tail::Ts(before)) => tail = Some(*before).filter(|_| join.goes_on()),
            Some(Tail::Packed(cut)) if join.goes_on() => {
                let head = stream::peek(media.as_mut(), Cut::HEAD_BYTES)?;
                match cut.place(&head) {
                    Some(place) => (media, is_joined) = (cut.join(media, place), true),
                    None => self.lose(&cut)?,
                }
            }
            Some(Tail::Packed(_)) => self.stats.decode_errors.add(1), // what comes has its own time
            None => {}
        }
        Ok(Onward {
            media,
            tail,
            is_joined,
        })
    }

    /// Silence in place of a frame whose end never came.
    fn lose(&mut self, cut: &Cut) -> Result<(), Problem> {
        self.stats.decode_errors.add(1);
        tracing::warn!("the segment before ended inside a frame that this one does not go on with");
        let times = Times::of(&cut.unit(), Edit::default());
        self.lane.conceal(times).map(drop)
    }

    /// A segment that ends inside a frame may have lost more than that: it must
    /// reach as far behind `begin` as the playlist says.
    pub(super) fn check_cut(
        &mut self,
        begin: MediaTime,
        duration: MediaTime,
    ) -> Result<(), Problem> {
        let is_early = |cut: &Cut| cut.unit().end - begin < duration - EXTINF_SLACK;
        match self
            .tail
            .take_if(|tail| matches!(tail, Tail::Packed(cut) if is_early(cut)))
        {
            Some(Tail::Packed(cut)) => Err(cut.complaint()),
            _ => Ok(()),
        }
    }
}
