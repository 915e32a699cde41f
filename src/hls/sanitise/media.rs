//! Media playlists in the strict form: one pass over the lines. Tags that the
//! crate loses the position of (GAP, KEY) are kept beside the text.

use std::fmt::Write as _;

use crate::error::Problem;
use crate::hls::attributes::push_quoted;
use crate::hls::media::ByteRange;
use crate::hls::playlist::{self, Repairs};
use crate::hls::sanitise::dates::{self, DateRange, DateRanges};
use crate::hls::sanitise::header::Header;
use crate::hls::sanitise::keys::{Key, Keys};
use crate::hls::sanitise::low_latency::LowLatency;
use crate::hls::sanitise::sparse::Sparse;
use crate::hls::sanitise::{Line, Tag};
use crate::limits;
use crate::location::Location;

const CHUNK_SEGMENTS: usize = 1000; // the crate keeps 456 bytes a segment

/// A media playlist in the strict form.
#[derive(Debug, Default)]
pub struct Clean {
    /// `#EXTM3U` and every tag that is about the whole playlist.
    pub header: String,
    /// The segments: for each its tags, then its URI.
    pub body: String,
    /// Where in `body` each thousand segments end; the last is its length.
    pub cuts: Vec<usize>,
    /// What the text does not say, one for each segment.
    pub marks: Vec<Mark>,
    /// The key in force at each `#EXT-X-MAP` of the text, as in [`Mark::key`].
    pub map_keys: Vec<Option<u32>>,
    /// Every key, in the order of its tag.
    pub keys: Vec<Key>,
    /// What is stated for few segments.
    pub sparse: Sparse,
    /// Every date range, in the order of its tag.
    pub date_ranges: Vec<DateRange>,
    /// What the low-latency tags say.
    pub low_latency: LowLatency,
}

/// What the crate would lose of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The key in force, an index into [`Clean::keys`].
    pub key: Option<u32>,
    /// There is no media: silence of the stated length.
    pub gap: bool,
}

/// Rewrites the lines of a media playlist found at `base`.
///
/// # Errors
///
/// As [`playlist::parse`].
pub fn clean<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    base: &'a Location,
    repairs: &'a mut Repairs,
) -> Result<Clean, Problem> {
    let mut cleaner = Cleaner {
        base,
        repairs,
        header: Header::default(),
        pending: Pending::default(),
        keys: Keys::default(),
        date_ranges: DateRanges::default(),
        previous_range: None,
        longest_seconds: 0.0,
        clean: Clean::default(),
    };
    for line in lines {
        match Tag::of(line) {
            Some(tag) => cleaner.tag(tag)?,
            None if line.text.starts_with('#') => {}
            None => cleaner.segment(line)?,
        }
    }
    Ok(cleaner.finish())
}

struct Cleaner<'a> {
    base: &'a Location,
    repairs: &'a mut Repairs,
    header: Header,
    pending: Pending,
    keys: Keys,
    date_ranges: DateRanges<'a>,
    /// Where the range of the segment before ended, and in which resource.
    previous_range: Option<(&'a str, u64)>,
    longest_seconds: f64,
    clean: Clean,
}

/// What the tags since the last segment say about the next one.
#[derive(Debug, Default)]
struct Pending {
    /// The first of these tags.
    line: Option<u32>,
    seconds: Option<f64>,
    /// Length, and offset if stated.
    range: Option<(u64, Option<u64>)>,
    map: Option<Map>,
    /// How many DISCONTINUITY tags.
    discontinuities: usize,
    gap: bool,
    /// Milliseconds since 1970, UTC.
    date: Option<i64>,
}

#[derive(Debug)]
struct Map {
    uri: String,
    range: Option<ByteRange>,
    key: Option<u32>,
}

impl<'a> Cleaner<'a> {
    fn tag(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        match tag.name {
            "EXTINF" => self.extinf(tag),
            "EXT-X-BYTERANGE" => self.pending.range = Some(read_range(tag, tag.value)?),
            "EXT-X-MAP" => self.map(tag)?,
            "EXT-X-KEY" => self.keys.read(tag, self.base, self.repairs)?,
            "EXT-X-DISCONTINUITY" => self.pending.discontinuities += 1,
            "EXT-X-GAP" => self.pending.gap = true,
            "EXT-X-PROGRAM-DATE-TIME" => self.date(tag),
            "EXT-X-DATERANGE" => {
                let before = self.clean.marks.len();
                return self.date_ranges.read(tag, before, self.repairs);
            }
            "EXT-X-BITRATE" => {
                let index = self.index();
                self.clean.sparse.read_bit_rate(tag, index, self.repairs);
                return Ok(());
            }
            "EXT-X-STREAM-INF" => {
                return Err(tag.malformed("stands in a list of segments: it is neither kind"));
            }
            _ => {
                let is_late = !self.clean.marks.is_empty();
                self.clean.low_latency.tag(tag, is_late, self.repairs)?;
                return self.header.tag(tag, is_late, self.repairs);
            }
        }
        self.pending.line.get_or_insert(tag.line);
        Ok(())
    }

    /// The index of the next segment.
    fn index(&self) -> u32 {
        u32::try_from(self.clean.marks.len()).expect("the cap on segments is far below")
    }

    fn date(&mut self, tag: Tag<'a>) {
        self.pending.date = dates::millis(tag.value);
        if self.pending.date.is_none() {
            self.repairs.note(tag.line, || {
                "the date is none that can be read: left out".to_owned()
            });
        }
    }

    fn extinf(&mut self, tag: Tag<'a>) {
        let cap = self.header.longest_segment();
        let comma = tag.value.find(',');
        let stated = &tag.value[..comma.unwrap_or(tag.value.len())];
        let word = stated.split_whitespace().next().unwrap_or_default();
        let seconds = word.parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
        let clamped = seconds.unwrap_or(0.0).clamp(0.0, cap) + 0.0; // no negative zero
        if seconds != Some(clamped) {
            self.repairs.note(tag.line, || {
                format!("the duration is not within 0 and {cap} s: taken for {clamped} s")
            });
        } else if word.len() != stated.len() || comma.is_none() {
            self.repairs.note(tag.line, || {
                "the duration is not followed by a comma".to_owned()
            });
        }
        self.longest_seconds = self.longest_seconds.max(clamped);
        self.pending.seconds = Some(clamped);
    }

    fn map(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        let attributes = tag.attributes()?;
        let uri = attributes.find("URI").filter(|uri| !uri.is_empty());
        let uri = uri.ok_or_else(|| tag.malformed("has no URI"))?;
        self.base
            .admits(uri)
            .map_err(|problem| tag.refused(problem))?;
        let range = match attributes.find("BYTERANGE") {
            Some(text) => {
                let (length, start) = read_range(tag, text)?;
                Some(checked_range(tag, start.unwrap_or(0), length)?)
            }
            None => None,
        };
        self.pending.map = Some(Map {
            uri: uri.to_owned(),
            range,
            key: self.keys.in_force(),
        });
        Ok(())
    }

    fn segment(&mut self, line: Line<'a>) -> Result<(), Problem> {
        let Some(seconds) = self.pending.seconds else {
            self.repairs.note(line.number, || {
                "an address without EXTINF is left out".to_owned()
            });
            (self.pending.range, self.pending.gap, self.pending.date) = (None, false, None);
            return Ok(());
        };
        if self.clean.marks.len() == limits::PLAYLIST_SEGMENTS {
            let cap = limits::PLAYLIST_SEGMENTS;
            return Err(playlist::over_limit(format!(
                "it has more than {cap} segments"
            )));
        }
        let tag = Tag {
            line: line.number,
            name: "EXTINF",
            value: "",
        };
        self.base
            .admits(line.text)
            .map_err(|problem| tag.refused(problem))?;
        let range = self.resolved_range(line, tag)?;
        self.write_segment(seconds, range, line.text);
        self.write_sparse();
        let mark = Mark {
            key: self.keys.in_force(),
            gap: self.pending.gap || range.is_some_and(|range| range.length == 0),
        };
        self.clean.marks.push(mark);
        if self.clean.marks.len().is_multiple_of(CHUNK_SEGMENTS) {
            self.clean.cuts.push(self.clean.body.len());
        }
        self.pending = Pending::default();
        Ok(())
    }

    /// The range of the segment in `line`, with the offset that a missing one
    /// stands for (RFC 8216 section 4.3.2.2).
    fn resolved_range(
        &mut self,
        line: Line<'a>,
        tag: Tag<'a>,
    ) -> Result<Option<ByteRange>, Problem> {
        let Some((length, stated)) = self.pending.range else {
            self.previous_range = None;
            return Ok(None);
        };
        let follows = self.previous_range.filter(|(uri, _)| *uri == line.text);
        let start = stated.or(follows.map(|(_, end)| end)).unwrap_or_else(|| {
            self.repairs.note(line.number, || {
                "the byte range has no offset and nothing to follow: taken for 0".to_owned()
            });
            0
        });
        let range = checked_range(tag, start, length)?;
        self.previous_range = Some((line.text, range.end()));
        Ok(Some(range))
    }

    fn write_sparse(&mut self) {
        let (index, sparse) = (self.index(), &mut self.clean.sparse);
        sparse.push_discontinuities(index, self.pending.discontinuities);
        if let Some(date) = self.pending.date {
            sparse.push_date(index, date);
        }
    }

    fn write_segment(&mut self, seconds: f64, range: Option<ByteRange>, uri: &str) {
        let body = &mut self.clean.body;
        if let Some(map) = self.pending.map.take() {
            body.push_str("#EXT-X-MAP:");
            push_quoted(body, "URI", &map.uri);
            if let Some(range) = map.range {
                let text = format!("{}@{}", range.length, range.start);
                push_quoted(body, "BYTERANGE", &text);
            }
            body.push('\n');
            self.clean.map_keys.push(map.key);
        }
        if self.pending.discontinuities > 0 {
            body.push_str("#EXT-X-DISCONTINUITY\n");
        }
        // Writing into a string cannot fail.
        let _ = writeln!(body, "#EXTINF:{seconds},");
        if let Some(range) = range {
            let _ = writeln!(body, "#EXT-X-BYTERANGE:{}@{}", range.length, range.start);
        }
        body.push_str(uri);
        body.push('\n');
    }

    fn finish(mut self) -> Clean {
        // While a segment is being made a live playlist may end in what is known
        // of it; the next load has these tags again, with the address.
        let is_cut = self.pending.seconds.is_some() || self.header.has_ended();
        if let Some(line) = self.pending.line.filter(|_| is_cut) {
            self.repairs.note(line, || {
                "tags without a segment end the playlist: left out".to_owned()
            });
        }
        if self.clean.cuts.last() != Some(&self.clean.body.len()) {
            self.clean.cuts.push(self.clean.body.len());
        }
        self.clean.keys = self.keys.into_list();
        self.clean.date_ranges = self.date_ranges.into_list();
        self.clean.header = self.header.written(self.longest_seconds, self.repairs);
        self.clean
    }
}

/// `length[@offset]` of a byte range.
fn read_range(tag: Tag<'_>, text: &str) -> Result<(u64, Option<u64>), Problem> {
    let read = |text: &str| text.trim().parse::<u64>().ok();
    let range = match text.split_once('@') {
        None => read(text).map(|length| (length, None)),
        Some((length, start)) => read(length).zip(read(start).map(Some)),
    };
    range.ok_or_else(|| tag.malformed("has no byte range that can be read"))
}

/// A range whose end can be counted, also by those who count in `i64`.
fn checked_range(tag: Tag<'_>, start: u64, length: u64) -> Result<ByteRange, Problem> {
    let end = start
        .checked_add(length)
        .and_then(|end| i64::try_from(end).ok());
    match end {
        Some(_) => Ok(ByteRange { start, length }),
        None => Err(tag.malformed("has a byte range beyond any file")),
    }
}
