//! Where decoded frames belong: from an access unit's media time to frame
//! numbers of the presentation, and from there to what is heard. Pure numbers.

use crate::limits;
use crate::units::{MediaTime, SampleRate};

/// Timestamps may wander this far within a run before they are believed more
/// than the count of frames: rounding of coarse timescales stays below it.
pub const JITTER: MediaTime = MediaTime::from_nanos(30_000_000);
/// EXTINF may be rounded to whole seconds (RFC 8216 section 4.3.2.1).
pub const EXTINF_SLACK: MediaTime = MediaTime::from_nanos(500_000_000);
/// Variants may be cut at moments that differ by this much.
const CUT_SLACK: MediaTime = MediaTime::from_nanos(1_000_000_000);

/// The presentation's frame counter. Nothing is placed yet by default: the first
/// unit fixes the count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement {
    /// Presentation time zero, on the media timeline minus edit list.
    base: Option<MediaTime>,
    /// Presentation time of the next frame, when a run is under way.
    next: Option<MediaTime>,
    /// Up to here silence is due before the next unit.
    owed: Option<MediaTime>,
    trust: Trust,
}

/// How the time of the next unit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trust {
    /// The count of frames goes on; a hole is believed.
    #[default]
    Count,
    /// Believed to the frame, if it is no further off than this.
    Exact(MediaTime),
    /// A gap ends there, if it is at most this much shorter than was said.
    Gap(MediaTime),
}

/// What comes between the last frame and the next block, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// Silence before the block.
    pub silence: u64,
    /// Frames of the block that lie before the place it has come to.
    pub behind: u64,
}

/// The part of the presentation that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment heard.
    pub from: MediaTime,
    /// The end, exclusive.
    pub until: Option<MediaTime>,
}

impl Placement {
    /// Whether presentation zero still has to be told with [`Placement::set_base`].
    pub fn needs_base(&self) -> bool {
        self.base.is_none()
    }

    /// Fixes presentation time zero on the media timeline.
    pub fn set_base(&mut self, base: MediaTime) {
        self.base = Some(base);
    }

    /// The next unit is placed by its own time, wherever that is.
    pub fn rewind(&mut self) {
        *self = Self {
            base: self.base,
            ..Self::default()
        };
    }

    /// Presentation time of the next frame, when frames have been placed.
    pub fn next(&self) -> Option<MediaTime> {
        self.next
    }

    /// Presentation time of the next unit, when something lies before it.
    pub fn end(&self) -> Option<MediaTime> {
        self.owed.or(self.next)
    }

    /// Media time, minus the edit list, at which the next unit of the same run
    /// is due.
    pub fn expected(&self) -> Option<MediaTime> {
        self.media(self.end()?)
    }

    /// Media time, minus the edit list, of a moment of the presentation.
    pub fn media(&self, position: MediaTime) -> Option<MediaTime> {
        Some(self.base? + position)
    }

    /// Presentation time of a moment of media, the edit list taken off.
    pub fn position(&self, media: MediaTime) -> MediaTime {
        media - self.base.unwrap_or_default()
    }

    /// A new timeline begins (EXT-X-DISCONTINUITY), whose own zero goes on where
    /// the last one ended; what lies before that zero is not heard.
    pub fn splice(&mut self, zero: MediaTime) {
        self.base = Some(zero - self.end().unwrap_or_default());
        self.trust = Trust::Exact(limits::HOLE.into()); // more priming than that is none
    }

    /// The next unit comes from another variant: its time decides, to the frame,
    /// if it is near, or near to where this long of the same was heard.
    pub fn believe_time(&mut self, heard: MediaTime) {
        self.believe_within(heard + CUT_SLACK);
    }

    /// The next unit comes from another encoder on the same clock: no more than
    /// its priming may lie behind.
    pub fn believe_priming(&mut self, priming: MediaTime) {
        self.believe_within(priming.max(JITTER));
    }

    fn believe_within(&mut self, limit: MediaTime) {
        // The end of a gap is exact anyway.
        if self.trust == Trust::Count {
            self.trust = Trust::Exact(limit);
        }
    }

    /// Nothing is there for `duration`; at the very beginning, from `start` on.
    /// Returns until when silence is certain: the next unit's time, where it has
    /// one, tells the end of a gap better than a sum of EXTINF.
    pub fn gap(&mut self, start: MediaTime, duration: MediaTime) -> MediaTime {
        let begin = self.end().unwrap_or(start);
        self.next.get_or_insert(begin);
        let end = begin + duration;
        let slack = EXTINF_SLACK.min(MediaTime::from_nanos(duration.nanos() / 2));
        self.owed = Some(end);
        self.trust = Trust::Gap(slack);
        end - slack
    }

    /// Silence is due up to `time`: in frames at `rate`.
    pub fn frames_until(&self, time: MediaTime, rate: SampleRate) -> u64 {
        self.next.map_or(0, |next| (time - next).frames(rate).0)
    }

    /// All silence that was due has been made: the next unit comes here.
    pub fn settle(&mut self) {
        self.owed = None;
        if matches!(self.trust, Trust::Gap(_)) {
            self.trust = Trust::Count;
        }
    }

    /// Whether a unit at media time `start` cannot belong to the timeline so
    /// far: its clock was set anew, and nobody said so.
    pub fn is_jump(&self, start: MediaTime) -> bool {
        let Some(end) = self.end() else { return false };
        let wander = self.position(start) - end;
        let hole = limits::HOLE.into();
        match self.trust {
            // Within a run nothing comes twice: what lies behind is no repetition.
            Trust::Count => wander > hole || MediaTime::ZERO - wander > JITTER,
            Trust::Exact(limit) => wander > limit || MediaTime::ZERO - wander > limit,
            Trust::Gap(slack) => wander > hole || MediaTime::ZERO - wander > slack,
        }
    }

    /// What comes before a block at `rate` whose unit begins at media time
    /// `start`; advances nothing. A jump goes on where the last frame ended.
    pub fn offset(&mut self, start: MediaTime, rate: SampleRate) -> Offset {
        let Some(next) = self.next else {
            self.next = Some(self.position(start));
            return Offset::default();
        };
        let end = self.end().unwrap_or(next);
        let wander = if self.is_jump(start) {
            self.base = Some(start - end);
            MediaTime::ZERO
        } else {
            self.position(start) - end
        };
        let ahead = match self.trust {
            Trust::Count if wander <= JITTER => MediaTime::ZERO,
            Trust::Exact(_) => wander.max(MediaTime::ZERO),
            Trust::Count | Trust::Gap(_) => wander,
        };
        let behind = match self.trust {
            Trust::Exact(_) => (MediaTime::ZERO - wander).frames(rate).0,
            Trust::Count | Trust::Gap(_) => 0,
        };
        self.owed = None;
        // Frames that lie behind may reach into the next block.
        if behind == 0 {
            self.trust = Trust::Count;
        }
        let silence = (end - next + ahead).frames(rate).0;
        Offset { silence, behind }
    }

    /// Advances by `frames` at `rate` and returns the frame number they began at.
    pub fn advance(&mut self, frames: u64, rate: SampleRate) -> i64 {
        let begin = self.next.unwrap_or_default().frame(rate);
        let end = begin.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        self.next = Some(frame_time(end, rate));
        begin
    }
}

impl Window {
    /// Which of `frames` beginning at frame number `begin` lie inside.
    pub fn cut(&self, begin: i64, frames: u64, rate: SampleRate) -> (u64, u64) {
        let end = begin.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        let from = self.from.frame(rate).clamp(begin, end);
        let until = self
            .until
            .map_or(end, |until| until.frame(rate))
            .clamp(from, end);
        let count = |length: i64| u64::try_from(length).unwrap_or(0);
        (count(from - begin), count(until - from))
    }

    /// Whether `time` is at or behind the end.
    pub fn is_over(&self, time: MediaTime, rate: SampleRate) -> bool {
        self.until
            .is_some_and(|until| time.frame(rate) >= until.frame(rate))
    }
}

/// The time of a frame number that may be negative.
fn frame_time(frame: i64, rate: SampleRate) -> MediaTime {
    MediaTime::from_ticks(frame, rate.timescale())
}

#[cfg(test)]
mod tests;
