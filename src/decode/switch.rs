//! A switch between variants: the old decoder goes on over the boundary while the
//! new one warms up.

use crate::decode::Decoding;
use crate::decode::codec::Decoded;
use crate::decode::decrypt::{self, Part};
use crate::decode::join::Join;
use crate::decode::packed::Cut;
use crate::decode::placement::JITTER;
use crate::decode::stream::{self, Stream, Tail};
use crate::error::Problem;
use crate::media::{Codec as Kind, Format, Overlap};
use crate::units::{Frames, MediaTime};

/// More of the old rendering than this is not kept: every decoder is warm by then.
const MOST: MediaTime = MediaTime::from_nanos(500_000_000);

/// Units of two variants begin together when they are nearer than this.
const GRID: MediaTime = MediaTime::from_nanos(20_000); // a frame at 48 kHz, rounding of 90 kHz

impl Decoding<'_> {
    /// Decodes the head of a segment in the variant that was heard before, for
    /// the lane to keep. Whatever is wrong with it only makes it shorter: the
    /// segment itself is still there.
    pub(super) fn overlap(&mut self, overlap: Overlap) {
        if let Err(problem) = self.go_over(overlap) {
            tracing::debug!("the old variant ends at the switch: {problem}");
        }
    }

    /// The first unit of another variant is due at `start`, the edit list taken
    /// off. Of one configuration, and on one grid of units, the decoder that was
    /// heard goes on: both variants code the same window, so that the halves of
    /// two encodings add up.
    pub(super) fn take_over(&mut self, start: MediaTime) -> Result<(), Problem> {
        let Some(codec) = &mut self.codec else {
            return Ok(());
        };
        let is_due = self.lane.placement.expected().is_some_and(|due| {
            let wander = start - due;
            wander < GRID && MediaTime::ZERO - wander < GRID
        });
        if codec.is_used && is_due && codec.track.codec == Kind::Aac {
            return Ok(());
        }
        if codec.is_used {
            codec.decoder.reset();
        }
        self.lane.turn()
    }

    fn go_over(&mut self, overlap: Overlap) -> Result<(), Problem> {
        let Some(due) = self.lane.placement.expected() else {
            return Ok(());
        };
        let init = overlap.init.map(|init| self.init(init)).transpose()?;
        let init = init.as_deref();
        let near = self.near(Join::Next, MediaTime::ZERO, init);
        let mut media = decrypt::open(overlap.media, overlap.cipher, Part::Segment)?;
        let mut before = None;
        match self.tail.take() {
            Some(Tail::Ts(tail)) => before = Some(*tail),
            Some(Tail::Packed(cut)) => {
                let head = stream::peek(media.as_mut(), Cut::HEAD_BYTES)?;
                match cut.place(&head) {
                    Some(place) => media = cut.join(media, place),
                    None => return Ok(()),
                }
            }
            None => {}
        }
        let stats = self.stats.clone();
        let mut stream = Stream::open(init, media, near.unwrap_or(due), near, before, &stats)?;
        self.keep(&mut stream, due)
    }

    /// Decodes what goes on at media time `due`, the edit list taken off.
    fn keep(&mut self, stream: &mut Stream, mut due: MediaTime) -> Result<(), Problem> {
        let Some(codec) = &mut self.codec else {
            return Ok(());
        };
        let (edit, until) = (stream.track().edit.start, due + MOST);
        while due < until && !stream.turns()? && stream.track().same_codec(&codec.track) {
            let Some(unit) = stream.next_unit()? else {
                break;
            };
            let wander = unit.start - edit - due;
            if wander > JITTER || MediaTime::ZERO - wander > JITTER {
                break;
            }
            let lasts = unit.end - unit.start;
            match codec.decoder.decode(&unit) {
                Decoded::Frames(block) => {
                    let format = Format {
                        spec: block.spec,
                        codec: codec.track.codec,
                        bits: codec.bits,
                    };
                    let Frames(frames) = block.frames();
                    due = due + Frames(frames).time(block.spec.rate);
                    if !self.lane.keep(block, format)? {
                        break;
                    }
                }
                Decoded::Nothing => due = due + lasts,
                Decoded::Bad(_) => break,
            }
        }
        Ok(())
    }
}
