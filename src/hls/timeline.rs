//! Where the segments of a media playlist belong in the run: counted by place
//! and timed from its start, across reloads, restarts of the origin and other
//! variants. Pure; when to load again is decided in `live.rs`.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Problem;
use crate::hls::media::{Media, SegmentRef};
use crate::location::Location;
use crate::units::MediaTime;

/// Numbers that go further ahead than this say nothing about time any more.
const LEAP: u64 = 100_000;
/// Dates of one segment in two loads may differ by rounding, not by this.
const DATE_JITTER_MS: i64 = 1_000;

/// A media playlist and its place in the run.
#[derive(Clone, Debug)]
pub struct Listed {
    media: Arc<Media>,
    /// The place of its first segment.
    first: usize,
    /// Where its first segment starts in the run.
    origin: MediaTime,
    /// The place where the origin began to count anew.
    restart: Option<usize>,
}

/// What a reload brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Segments that were not listed before.
    pub added: u64,
    /// The origin counts anew: nothing ties the new segments to the old ones.
    pub is_restart: bool,
}

impl Listed {
    /// The first playlist of a run: its first segment has place `first` and
    /// starts at zero.
    pub fn new(media: Arc<Media>, first: usize) -> Self {
        Self {
            media,
            first,
            origin: MediaTime::ZERO,
            restart: None,
        }
    }

    /// The same with the start of the segment at `place` as the run's zero.
    pub fn with_zero_at(self, place: usize) -> Self {
        let start = self.segment(place).map_or(MediaTime::ZERO, |one| one.start);
        Self {
            origin: self.origin - start,
            ..self
        }
    }

    /// The same with every time later by `by`: what lies before is passed over.
    pub fn shifted(self, by: MediaTime) -> Self {
        Self {
            origin: self.origin + by,
            ..self
        }
    }

    /// The same without its first `count` segments.
    pub fn without_first(self, count: usize) -> Self {
        let count = count.min(self.media.len().saturating_sub(1));
        if count == 0 {
            return self;
        }
        let start = self.media.segment(count).map(|segment| segment.start);
        let first = self.first + count;
        Self {
            origin: self.origin + start.unwrap_or_default(),
            restart: self.restart.filter(|restart| *restart >= first),
            media: Arc::new(Arc::unwrap_or_clone(self.media).without_first(count)),
            first,
        }
    }

    /// The playlist itself, which counts from 0 and times from its own start.
    pub fn media(&self) -> &Arc<Media> {
        &self.media
    }

    /// The places listed.
    pub fn places(&self) -> Range<usize> {
        self.first..self.end()
    }

    /// The place after the last one listed.
    pub fn end(&self) -> usize {
        self.first.saturating_add(self.media.len())
    }

    /// Where its first segment starts.
    pub fn start_time(&self) -> MediaTime {
        self.origin
    }

    /// Where its last segment ends.
    pub fn end_time(&self) -> MediaTime {
        self.origin + self.media.duration()
    }

    /// The segment at `place`, its start counted in the run.
    pub fn segment(&self, place: usize) -> Option<SegmentRef<'_>> {
        let segment = self.media.segment(place.checked_sub(self.first)?)?;
        Some(SegmentRef {
            start: self.origin + segment.start,
            discontinuity: segment.discontinuity || self.restart == Some(place),
            ..segment
        })
    }

    /// As [`Media::ends_run`].
    pub fn ends_run(&self, place: usize) -> bool {
        let index = place.checked_sub(self.first);
        index.is_some_and(|index| self.media.ends_run(index))
            || self.restart.is_some_and(|restart| restart == place + 1)
    }

    /// The place that plays at `time` of the run; before the start the first
    /// one, `None` from the end on.
    pub fn place_at(&self, time: MediaTime) -> Option<usize> {
        let index = self.media.segment_at(time - self.origin)?;
        Some(self.first + index)
    }

    /// The places touched by playing `length` (`None`: to the end) from `start` on.
    pub fn places_in(&self, start: MediaTime, length: Option<MediaTime>) -> Range<usize> {
        let range = self.media.segments_in(start - self.origin, length);
        self.first + range.start..self.first + range.end
    }

    /// As [`Media::location`].
    pub fn location(&self, uri: &str) -> Result<Location, Problem> {
        self.media.location(uri)
    }

    /// Puts `media`, the same playlist loaded later, in its place. An older copy
    /// of what is known (a server behind the others) changes nothing. What is
    /// missing between both is taken for `at_most` long, whatever they say.
    pub fn reload(&self, media: Arc<Media>, at_most: MediaTime) -> (Self, Change) {
        let (old, new) = (numbers(&self.media), numbers(&media));
        let is_older = new.start < old.start && new.end < old.end;
        let is_apart = new.end <= old.start || new.start.saturating_sub(old.end) > LEAP;
        let restarted = match self.dates_agree(&media) {
            Some(agree) => !agree,
            None if self.is_dated_before(&media) => false,
            None => is_apart || (is_older && !self.names_agree(&media)),
        };
        if media.is_empty() || (is_older && !restarted) {
            return (self.clone(), Change::none());
        }
        if restarted {
            let added = media.len() as u64;
            return (self.restarted(media), Change::of(added, true));
        }
        let added = new.end.saturating_sub(old.end.max(new.start));
        (self.moved(media, at_most), Change::of(added, false))
    }

    /// Puts `media`, another variant of the same stream, in its place: by dates,
    /// else by media sequence numbers. `None` when nothing ties them.
    pub fn align(&self, media: Arc<Media>) -> Option<Self> {
        let (index, place) = self
            .matched_by_date(&media)
            .or_else(|| self.matched_by_number(&media))?;
        let start = self.segment(place)?.start;
        let offset = media.segment(index)?.start;
        Some(Self {
            first: place.checked_sub(index)?,
            origin: start - offset,
            restart: self.restart,
            media,
        })
    }

    fn restarted(&self, media: Arc<Media>) -> Self {
        Self {
            first: self.end(),
            origin: self.end_time(),
            restart: Some(self.end()),
            media,
        }
    }

    /// `media` counts on from here, perhaps over a hole.
    fn moved(&self, media: Arc<Media>, at_most: MediaTime) -> Self {
        let (old, new) = (numbers(&self.media), numbers(&media));
        let ahead = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        let (first, origin) = if new.start > old.end {
            let hole = self.hole(&media, new.start - old.end).min(at_most);
            let places = ahead(old.end, new.start);
            (self.end().saturating_add(places), self.end_time() + hole)
        } else if new.start >= old.start {
            let place = self.first + ahead(old.start, new.start);
            let start = self.segment(place).map(|segment| segment.start);
            (place, start.unwrap_or_else(|| self.end_time()))
        } else {
            let before = ahead(new.start, old.start);
            let listed = media.segment(before).map(|segment| segment.start);
            let earlier = listed.unwrap_or_else(|| media.duration());
            (self.first.saturating_sub(before), self.origin - earlier)
        };
        Self {
            restart: self.restart.filter(|restart| *restart >= first),
            media,
            first,
            origin,
        }
    }

    /// How long the segments were that came and went between two loads.
    fn hole(&self, media: &Media, segments: u64) -> MediaTime {
        let ended = self.media.len().checked_sub(1).and_then(|last| {
            let last = self.media.segment(last)?;
            Some(last.date_time? + last.duration.millis())
        });
        let began = media.segment(0).and_then(|first| first.date_time);
        if let (Some(ended), Some(began)) = (ended, began)
            && began >= ended
        {
            return milliseconds(began - ended);
        }
        let count = i64::try_from(self.media.len().max(1)).unwrap_or(i64::MAX);
        let average = self.media.duration().nanos() / count;
        let segments = i64::try_from(segments).unwrap_or(i64::MAX);
        MediaTime::from_nanos(average.saturating_mul(segments))
    }

    /// Whether a segment that both list has one date; `None` when none says.
    fn dates_agree(&self, media: &Media) -> Option<bool> {
        let (number, ours) = self.dated().find(|(number, _)| {
            let theirs = by_number(media, *number);
            theirs.is_some_and(|theirs| theirs.date_time.is_some())
        })?;
        let theirs = by_number(media, number)?.date_time?;
        Some((ours - theirs).abs() < DATE_JITTER_MS)
    }

    fn dated(&self) -> impl Iterator<Item = (u64, i64)> + '_ {
        self.media
            .segments()
            .filter_map(|segment| Some((segment.number, segment.date_time?)))
    }

    /// Whether all of `media` was broadcast before what is listed here.
    fn is_dated_before(&self, media: &Media) -> bool {
        let ours = self.dated().next().map(|(_, date)| date);
        let theirs = media.segments().filter_map(|segment| segment.date_time);
        ours.zip(theirs.last())
            .is_some_and(|(ours, theirs)| theirs < ours)
    }

    /// Whether segments that both list have one address, but for the query.
    fn names_agree(&self, media: &Media) -> bool {
        let bare = |uri: &str| uri.split('?').next().unwrap_or_default().to_owned();
        self.media.segments().all(|ours| {
            let theirs = by_number(media, ours.number);
            theirs.is_none_or(|theirs| bare(theirs.uri) == bare(ours.uri))
        })
    }

    fn matched_by_date(&self, media: &Media) -> Option<(usize, usize)> {
        (0..media.len()).find_map(|index| {
            let theirs = media.segment(index)?;
            let date = theirs.date_time?;
            let place = self.places().find(|place| {
                let ours = self.segment(*place).and_then(|ours| ours.date_time);
                ours.is_some_and(|ours| (ours - date).abs() * 2 <= theirs.duration.millis())
            })?;
            Some((index, place))
        })
    }

    fn matched_by_number(&self, media: &Media) -> Option<(usize, usize)> {
        let (ours, theirs) = (numbers(&self.media), numbers(media));
        let number = ours.start.max(theirs.start);
        if number >= ours.end || number >= theirs.end {
            return None;
        }
        let index = |from: u64| usize::try_from(number - from).ok();
        Some((index(theirs.start)?, self.first + index(ours.start)?))
    }
}

impl Change {
    fn none() -> Self {
        Self::of(0, false)
    }

    fn of(added: u64, is_restart: bool) -> Self {
        Self { added, is_restart }
    }
}

/// The media sequence numbers that are listed.
fn numbers(media: &Media) -> Range<u64> {
    let first = media.first_number();
    first..first.saturating_add(media.len() as u64)
}

fn by_number(media: &Media, number: u64) -> Option<SegmentRef<'_>> {
    let index = number.checked_sub(media.first_number())?;
    media.segment(usize::try_from(index).ok()?)
}

fn milliseconds(count: i64) -> MediaTime {
    MediaTime::from_nanos(count.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests;
