//! A media playlist as values: the segments of one variant in 40 bytes each
//! plus their URIs, 10,000 of them in less memory than their text.

mod cut;

use std::ops::Range;
use std::time::Duration;

use hls_m3u8::MediaPlaylist;

use crate::error::Problem;
use crate::hls::repair::guarded;
pub use crate::hls::sanitise::common::StartOffset;
pub use crate::hls::sanitise::dates::DateRange;
pub use crate::hls::sanitise::keys::{Key, Method};
use crate::hls::sanitise::media::{Chunk, Clean};
pub use crate::hls::sanitise::ranges::ByteRange;
use crate::hls::sanitise::sparse::Sparse;
use crate::limits;
use crate::location::Location;
use crate::units::{BitRate, MediaTime};

const NONE: u32 = u32::MAX; // no map or no key; there are never so many

/// An initialisation section (`#EXT-X-MAP`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Where it lies, relative to the playlist.
    pub uri: String,
    /// Which part of that resource it is.
    pub range: Option<ByteRange>,
    /// The key it is encrypted with, an index into [`Media::keys`].
    pub key: Option<usize>,
}

/// Whether the server may change the playlist (`#EXT-X-PLAYLIST-TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// It does not change.
    Vod,
    /// Segments are only added at the end.
    Event,
}

/// A media playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The longest a segment may be; how often a live playlist is loaded again.
    pub target_duration: MediaTime,
    /// EXT-X-MEDIA-SEQUENCE; see [`Media::first_number`].
    pub media_sequence: u64,
    /// How many segments the server left out in front of the first listed one
    /// (`#EXT-X-SKIP`): the playlist loaded before has them.
    pub skipped: u64,
    /// The number of discontinuities before the first segment.
    pub discontinuity_sequence: u64,
    /// How far from the end of a live playlist the server wants playing to
    /// begin (HOLD-BACK); without it three target durations.
    pub hold_back: Option<MediaTime>,
    /// Its segments are also offered in parts (low latency); they are read whole.
    pub has_parts: bool,
    /// The longest a part may be.
    pub part_target: Option<MediaTime>,
    /// Stated kind of change.
    pub playlist_type: Option<PlaylistType>,
    /// Nothing will be added (`#EXT-X-ENDLIST`).
    pub ended: bool,
    /// Where to begin, as this playlist or the multivariant one says.
    pub start_offset: Option<StartOffset>,
    /// Initialisation sections, in order.
    pub maps: Vec<Map>,
    /// Keys, in order.
    pub keys: Vec<Key>,
    /// What the publisher says about stretches of time, in order.
    pub date_ranges: Vec<DateRange>,
    // Boxed, so that what holds a playlist for a moment stays small.
    sparse: Box<Sparse>,
    base: Box<Location>,
    segments: Segments,
}

/// The segments of a playlist that is being read, or was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segments {
    entries: Vec<Entry>,
    /// The URIs of all segments, one after the other.
    uris: String,
    maps: Vec<Map>,
    /// How long they are together.
    total: MediaTime,
}

/// What is kept of a segment. Its duration and the start of its URI follow from
/// its neighbours.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    start: MediaTime,
    range: ByteRange,
    uri_end: u32,
    map: u32,
    key: u32,
    has_range: bool,
    discontinuity: bool,
    gap: bool,
}

/// One segment, as [`Media::segment`] shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentRef<'a> {
    /// Its media sequence number.
    pub number: u64,
    /// Where it lies, relative to the playlist.
    pub uri: &'a str,
    /// Which part of that resource it is; `None` is all of it.
    pub range: Option<ByteRange>,
    /// Where it starts: the sum of the durations before it in this playlist.
    pub start: MediaTime,
    /// Its length as stated.
    pub duration: MediaTime,
    /// Its initialisation section, an index into [`Media::maps`].
    pub map: Option<usize>,
    /// Its key, an index into [`Media::keys`].
    pub key: Option<usize>,
    /// Encoding parameters or timestamps may jump before it.
    pub discontinuity: bool,
    /// Its discontinuity sequence number: equal numbers of two variants, or of
    /// two loads of a playlist, are of one timeline (RFC 8216 section 6.2.2).
    pub discontinuities: u64,
    /// Nothing to fetch: silence of its length.
    pub gap: bool,
    /// When it begins: milliseconds since 1970, UTC, stated or counted from the
    /// nearest stated date (RFC 8216 section 6.3.3).
    pub date_time: Option<i64>,
    /// About how many bits per second it has, as stated.
    pub bit_rate: Option<BitRate>,
}

impl Segments {
    /// Types sanitised segments and adds them.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] should the crate refuse them all the same.
    pub fn append(&mut self, chunk: &Chunk) -> Result<(), Problem> {
        let typed = guarded(|| {
            MediaPlaylist::builder()
                // The sanitiser compares durations and target.
                .target_duration(Duration::from_secs_f64(limits::SEGMENT_SECONDS))
                .parse(&chunk.text)
        })?;
        let mut map_keys = chunk.map_keys.iter();
        for ((_, segment), mark) in typed.segments.iter().zip(&chunk.marks) {
            if let Some(map) = &segment.map {
                let key = map_keys.next().copied().flatten();
                self.maps.push(Map {
                    uri: map.uri().clone().into_owned(),
                    range: map.range().map(typed_range),
                    key: key.map(|key| key as usize),
                });
            }
            self.uris.push_str(segment.uri());
            let range = segment.byte_range.map(|range| typed_range(*range));
            self.entries.push(Entry {
                start: self.total,
                range: range.unwrap_or(ByteRange {
                    start: 0,
                    length: 0,
                }),
                uri_end: compact(self.uris.len()),
                map: self.maps.len().checked_sub(1).map_or(NONE, compact),
                key: mark.key.unwrap_or(NONE),
                has_range: range.is_some(),
                discontinuity: segment.has_discontinuity,
                gap: mark.gap,
            });
            self.total = self.total + segment.duration.duration().into();
        }
        Ok(())
    }
}

impl Media {
    /// What a sanitised playlist that was found at `base` says about its `segments`.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] should the crate refuse it all the same.
    pub fn of(clean: Clean, mut segments: Segments, base: &Location) -> Result<Self, Problem> {
        let head = guarded(|| MediaPlaylist::try_from(clean.header.as_str()))?;
        segments.entries.shrink_to_fit();
        segments.uris.shrink_to_fit();
        Ok(Self {
            target_duration: head.target_duration.into(),
            media_sequence: head.media_sequence as u64,
            skipped: clean.low_latency.skipped,
            discontinuity_sequence: head.discontinuity_sequence as u64,
            hold_back: clean.low_latency.hold_back,
            has_parts: clean.low_latency.has_parts,
            part_target: clean.low_latency.part_target,
            playlist_type: head.playlist_type.map(|kind| match kind {
                hls_m3u8::types::PlaylistType::Vod => PlaylistType::Vod,
                hls_m3u8::types::PlaylistType::Event => PlaylistType::Event,
            }),
            ended: head.has_end_list,
            start_offset: clean.start_offset,
            maps: std::mem::take(&mut segments.maps),
            keys: clean.keys,
            date_ranges: clean.date_ranges,
            sparse: Box::new(clean.sparse),
            base: Box::new(base.clone()),
            segments,
        })
    }

    /// The number of segments.
    pub fn len(&self) -> usize {
        self.segments.entries.len()
    }

    /// Whether there is no segment (yet).
    pub fn is_empty(&self) -> bool {
        self.segments.entries.is_empty()
    }

    /// The number of the first listed segment.
    pub fn first_number(&self) -> u64 {
        self.media_sequence.saturating_add(self.skipped)
    }

    /// How long all segments are together, as stated.
    pub fn duration(&self) -> MediaTime {
        self.segments.total
    }

    /// Segment `index`, counted from 0 in this playlist.
    pub fn segment(&self, index: usize) -> Option<SegmentRef<'_>> {
        let entry = self.segments.entries.get(index)?;
        let uri_start = match index {
            0 => 0,
            _ => self.segments.entries[index - 1].uri_end as usize,
        };
        let end = self
            .segments
            .entries
            .get(index + 1)
            .map_or(self.segments.total, |next| next.start);
        let known = |index: u32| (index != NONE).then_some(index as usize);
        let place = compact(index);
        let discontinuities = self.sparse.discontinuities_until(place) as u64;
        Some(SegmentRef {
            number: self.first_number().saturating_add(index as u64),
            uri: &self.segments.uris[uri_start..entry.uri_end as usize],
            range: entry.has_range.then_some(entry.range),
            start: entry.start,
            duration: end - entry.start,
            map: known(entry.map),
            key: known(entry.key),
            discontinuity: entry.discontinuity,
            discontinuities: self.discontinuity_sequence.saturating_add(discontinuities),
            gap: entry.gap,
            date_time: self
                .sparse
                .date_at(place, |place| self.segments.entries[place as usize].start),
            // A rate is about segments that are whole resources.
            bit_rate: match entry.has_range {
                true => None,
                false => self.sparse.bit_rate_at(place),
            },
        })
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = SegmentRef<'_>> {
        (0..self.len()).filter_map(|index| self.segment(index))
    }

    /// Whether segment `index` is the last of a run that was encoded in one go:
    /// the last of an ended playlist, or before a discontinuity.
    pub fn ends_run(&self, index: usize) -> bool {
        match self.segments.entries.get(index + 1) {
            Some(next) => next.discontinuity,
            None => self.ended,
        }
    }

    /// Where it was found: what URIs in it are relative to.
    pub fn base(&self) -> &Location {
        &self.base
    }

    /// The address that `uri`, of a segment, a map or a key of this playlist, means.
    ///
    /// # Errors
    ///
    /// As [`Location::join`]; never [`crate::error::Kind::Unsafe`] for a URI of
    /// this playlist that is fetched: [`crate::hls::playlist::parse`] refused those.
    pub fn location(&self, uri: &str) -> Result<Location, Problem> {
        self.base.join(uri)
    }

    /// The segment that plays at `time`, counted from the start of the
    /// playlist; `None` from the end on. Before the start it is the first.
    /// Of segments that start together, as those before a length is known do,
    /// it is the first.
    pub fn segment_at(&self, time: MediaTime) -> Option<usize> {
        let after = self
            .segments
            .entries
            .partition_point(|entry| entry.start < time);
        match self.segments.entries.get(after) {
            Some(entry) if entry.start == time => Some(after),
            _ if time < self.segments.total && !self.is_empty() => Some(after.saturating_sub(1)),
            _ => None,
        }
    }

    /// The segments touched by playing `length` (`None`: to the end) from
    /// `start` on. Empty when `start` is at the end or behind it.
    pub fn segments_in(&self, start: MediaTime, length: Option<MediaTime>) -> Range<usize> {
        let Some(first) = self.segment_at(start) else {
            return self.len()..self.len();
        };
        let end = length.map_or(MediaTime::MAX, |length| start + length);
        let last = self
            .segments
            .entries
            .partition_point(|entry| entry.start < end);
        first..last.max(first)
    }
}

fn typed_range(range: hls_m3u8::types::ByteRange) -> ByteRange {
    ByteRange {
        start: range.start().unwrap_or(0) as u64,
        length: range.len() as u64,
    }
}

/// A text of at most 16 MiB has no more of anything than fits.
fn compact(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}

#[cfg(test)]
mod tests;
