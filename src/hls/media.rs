//! A media playlist as values: the segments of one variant in 40 bytes each
//! plus their URIs, 10,000 of them in less memory than their text.

use std::ops::Range;

use hls_m3u8::MediaPlaylist;

use crate::error::Problem;
use crate::hls::playlist::guarded;
pub use crate::hls::sanitise::keys::{Key, Method};
use crate::hls::sanitise::media::{Clean, Mark};
use crate::location::Location;
use crate::units::MediaTime;

const NONE: u32 = u32::MAX; // no map or no key; there are never so many

/// A part of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

impl ByteRange {
    /// The byte after the last. The sanitiser lets only ranges in that have one.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

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

/// Where the publisher wants playing to begin (`#EXT-X-START`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartOffset {
    /// From the start of the playlist, or from its end when negative.
    pub offset: MediaTime,
    /// To the sample, not only to the segment.
    pub is_precise: bool,
}

/// A media playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The longest a segment may be; how often a live playlist is loaded again.
    pub target_duration: MediaTime,
    /// The number of the first segment.
    pub media_sequence: u64,
    /// The number of discontinuities before the first segment.
    pub discontinuity_sequence: u64,
    /// Stated kind of change.
    pub playlist_type: Option<PlaylistType>,
    /// Nothing will be added (`#EXT-X-ENDLIST`).
    pub ended: bool,
    /// Where to begin.
    pub start_offset: Option<StartOffset>,
    /// Initialisation sections, in order.
    pub maps: Vec<Map>,
    /// Keys, in order.
    pub keys: Vec<Key>,
    base: Location,
    entries: Vec<Entry>,
    /// The URIs of all segments, one after the other.
    uris: String,
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
    /// Nothing to fetch: silence of its length.
    pub gap: bool,
}

impl Media {
    /// Types a sanitised playlist that was found at `base`.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] should the crate refuse it all the same.
    pub fn of(clean: Clean, base: &Location) -> Result<Self, Problem> {
        let mut media = guarded(|| MediaPlaylist::try_from(clean.header.as_str()))
            .map(|head| Self::without_segments(&head, base))?;
        media.entries.reserve_exact(clean.marks.len());
        let mut marks = clean.marks.iter();
        let mut text = String::new();
        let mut from = 0;
        for &cut in &clean.cuts {
            text.clear();
            text.push_str("#EXTM3U\n");
            text.push_str(&clean.body[from..cut]);
            from = cut;
            media.append(&text, &mut marks, &clean.map_keys)?;
        }
        media.uris.shrink_to_fit();
        media.keys = clean.keys;
        Ok(media)
    }

    fn without_segments(head: &MediaPlaylist<'_>, base: &Location) -> Self {
        Self {
            target_duration: head.target_duration.into(),
            media_sequence: head.media_sequence as u64,
            discontinuity_sequence: head.discontinuity_sequence as u64,
            playlist_type: head.playlist_type.map(|kind| match kind {
                hls_m3u8::types::PlaylistType::Vod => PlaylistType::Vod,
                hls_m3u8::types::PlaylistType::Event => PlaylistType::Event,
            }),
            ended: head.has_end_list,
            start_offset: head.start.map(|start| StartOffset {
                offset: MediaTime::from_seconds(start.time_offset().as_f32().into()),
                is_precise: start.is_precise(),
            }),
            maps: Vec::new(),
            keys: Vec::new(),
            base: base.clone(),
            entries: Vec::new(),
            uris: String::new(),
            total: MediaTime::ZERO,
        }
    }

    /// Types one part of the segments and adds them.
    fn append<'m>(
        &mut self,
        text: &str,
        marks: &mut impl Iterator<Item = &'m Mark>,
        map_keys: &[Option<u32>],
    ) -> Result<(), Problem> {
        let typed = guarded(|| {
            MediaPlaylist::builder()
                // The sanitiser compared durations and target already.
                .target_duration(self.target_duration.duration())
                .parse(text)
        })?;
        for ((_, segment), mark) in typed.segments.iter().zip(marks) {
            if let Some(map) = &segment.map {
                let key = map_keys.get(self.maps.len()).copied().flatten();
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
                uri_end: index(self.uris.len()),
                map: self.maps.len().checked_sub(1).map_or(NONE, index),
                key: mark.key.unwrap_or(NONE),
                has_range: range.is_some(),
                discontinuity: segment.has_discontinuity,
                gap: mark.gap,
            });
            self.total = self.total + segment.duration.duration().into();
        }
        Ok(())
    }

    /// The number of segments.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no segment (yet).
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How long all segments are together, as stated.
    pub fn duration(&self) -> MediaTime {
        self.total
    }

    /// Segment `index`, counted from 0 in this playlist.
    pub fn segment(&self, index: usize) -> Option<SegmentRef<'_>> {
        let entry = self.entries.get(index)?;
        let uri_start = match index {
            0 => 0,
            _ => self.entries[index - 1].uri_end as usize,
        };
        let end = self
            .entries
            .get(index + 1)
            .map_or(self.total, |next| next.start);
        let known = |index: u32| (index != NONE).then_some(index as usize);
        Some(SegmentRef {
            number: self.media_sequence.saturating_add(index as u64),
            uri: &self.uris[uri_start..entry.uri_end as usize],
            range: entry.has_range.then_some(entry.range),
            start: entry.start,
            duration: end - entry.start,
            map: known(entry.map),
            key: known(entry.key),
            discontinuity: entry.discontinuity,
            gap: entry.gap,
        })
    }

    /// All segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = SegmentRef<'_>> {
        (0..self.len()).filter_map(|index| self.segment(index))
    }

    /// Whether segment `index` is the last of a run that was encoded in one go:
    /// the last of an ended playlist, or before a discontinuity.
    pub fn ends_run(&self, index: usize) -> bool {
        match self.entries.get(index + 1) {
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
        let after = self.entries.partition_point(|entry| entry.start < time);
        match self.entries.get(after) {
            Some(entry) if entry.start == time => Some(after),
            _ if time < self.total && !self.is_empty() => Some(after.saturating_sub(1)),
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
        let last = self.entries.partition_point(|entry| entry.start < end);
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
fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::playlist::{Playlist, parse};

    fn media(text: &str) -> Media {
        let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
        let body = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}");
        match parse(body.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("a list of variants"),
        }
    }

    fn seconds(seconds: f64) -> MediaTime {
        MediaTime::from_seconds(seconds)
    }

    /// Three segments of 4, 6 and 2 seconds.
    fn three() -> Media {
        media("#EXTINF:4,\na\n#EXTINF:6,\nb\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nc\n#EXT-X-ENDLIST\n")
    }

    #[test]
    fn a_moment_is_in_one_segment() {
        let cases = [
            (-1.0, Some(0)),
            (0.0, Some(0)),
            (3.999, Some(0)),
            (4.0, Some(1)),
            (11.9, Some(2)),
            (12.0, None),
        ];
        for (time, want) in cases {
            assert_eq!(three().segment_at(seconds(time)), want, "{time}");
        }
        assert_eq!(media("").segment_at(MediaTime::ZERO), None);
    }

    #[test]
    fn a_stretch_touches_the_segments_it_is_heard_from() {
        let cases = [
            (0.0, None, 0..3),
            (0.0, Some(4.0), 0..1),
            (0.0, Some(4.001), 0..2),
            (5.0, Some(1.0), 1..2),
            (3.0, Some(100.0), 0..3),
            (5.0, Some(0.0), 1..2),
            (12.0, None, 3..3),
        ];
        for (start, length, want) in cases {
            let range = three().segments_in(seconds(start), length.map(seconds));
            assert_eq!(range, want, "{start} {length:?}");
        }
    }

    #[test]
    fn a_segment_of_unknown_length_is_not_passed_over() {
        let media = media("#EXTINF:-1,\na\n#EXTINF:6,\nb\n#EXTINF:-1,\nc\n");
        assert_eq!(media.segments_in(MediaTime::ZERO, None), 0..3);
        assert_eq!(media.segment_at(seconds(3.0)), Some(1));
        assert_eq!(media.segment_at(seconds(6.0)), Some(2));
        assert_eq!(media.duration(), seconds(6.0));
    }

    #[test]
    fn a_run_ends_before_a_discontinuity_and_at_the_end() {
        let ends = |media: &Media| -> Vec<bool> {
            (0..media.len())
                .map(|index| media.ends_run(index))
                .collect()
        };
        assert_eq!(ends(&three()), [false, true, true]);
        assert_eq!(
            ends(&media("#EXTINF:4,\na\n#EXTINF:4,\nb\n")),
            [false, false]
        );
    }

    #[test]
    fn what_is_about_the_whole_playlist_is_kept() {
        let media = media(
            "#EXT-X-MEDIA-SEQUENCE:41\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n\
             #EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES\n\
             #EXTINF:4,\n../s?t=1\n",
        );
        assert_eq!(media.segment(0).map(|segment| segment.number), Some(41));
        assert_eq!(media.discontinuity_sequence, 3);
        assert_eq!(media.playlist_type, Some(PlaylistType::Event));
        let start = StartOffset {
            offset: seconds(-12.5),
            is_precise: true,
        };
        assert_eq!(media.start_offset, Some(start));
        let location = media.location("../s?t=1").expect("an address");
        assert_eq!(location, Location::parse("https://h/s?t=1").expect("a URL"));
    }

    #[test]
    fn a_long_playlist_is_typed_in_parts_and_stays_whole() {
        let mut text = String::new();
        for number in 0..2501 {
            if number % 700 == 0 {
                text += &format!("#EXT-X-MAP:URI=\"init-{number}\"\n");
            }
            if number == 1500 {
                text += "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n";
            }
            text += &format!("#EXTINF:5.9907{},\nseg-{number}\n", number % 10);
        }
        let media = media(&text);
        assert_eq!(media.len(), 2501);
        for (number, segment) in media.segments().enumerate() {
            assert_eq!(segment.uri, format!("seg-{number}"));
            let map = segment.map.map(|map| media.maps[map].uri.as_str());
            assert_eq!(map, Some(format!("init-{}", number / 700 * 700).as_str()));
            assert_eq!(segment.key, (number >= 1500).then_some(0), "{number}");
        }
        let sum: i64 = media
            .segments()
            .map(|segment| segment.duration.nanos())
            .sum();
        assert_eq!(media.duration().nanos(), sum);
        assert_eq!(sum, 2501 * 5_990_700_000 + 250 * 450_000);
    }

    #[test]
    fn a_segment_costs_forty_bytes_and_its_uri() {
        assert_eq!(size_of::<Entry>(), 40);
    }
}
