//! Media playlists in the strict form: one pass over the lines. What the crate
//! loses, or loses the position of, is kept beside the text.

use std::fmt::Write as _;

use crate::error::Problem;
use crate::hls::attributes::{push_quoted, quotable};
use crate::hls::repair::{self, Repairs};
use crate::hls::sanitise::common::StartOffset;
use crate::hls::sanitise::dates::{self, DateRange, DateRanges};
use crate::hls::sanitise::header::Header;
use crate::hls::sanitise::keys::{Key, Keys};
use crate::hls::sanitise::low_latency::LowLatency;
use crate::hls::sanitise::ranges::{ByteRange, Ends, Stated};
use crate::hls::sanitise::sparse::Sparse;
use crate::hls::sanitise::tag::PADDED;
use crate::hls::sanitise::{Line, Tag};
use crate::limits;
use crate::location::Location;

const CHUNK_SEGMENTS: usize = 1000; // the crate keeps 456 bytes a segment

/// What a media playlist says besides its segments.
#[derive(Debug, Default)]
pub struct Clean {
    /// `#EXTM3U` and every tag that is about the whole playlist.
    pub header: String,
    /// Every key, in the order of its tag.
    pub keys: Vec<Key>,
    /// What is stated for few segments.
    pub sparse: Sparse,
    /// Every date range, in the order of its tag.
    pub date_ranges: Vec<DateRange>,
    /// What the low-latency tags say.
    pub low_latency: LowLatency,
    /// Where to begin.
    pub start_offset: Option<StartOffset>,
}

/// Some segments in the strict form.
#[derive(Debug, Default)]
pub struct Chunk {
    /// `#EXTM3U`, then for each segment its tags and its URI.
    pub text: String,
    /// What the text does not say, one for each segment.
    pub marks: Vec<Mark>,
    /// The key in force at each `#EXT-X-MAP` of the text, as in [`Mark::key`].
    pub map_keys: Vec<Option<u32>>,
}

/// What the crate would lose of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The key in force, an index into [`Clean::keys`].
    pub key: Option<u32>,
    /// There is no media: silence of the stated length.
    pub gap: bool,
}

/// Rewrites the lines of a media playlist found at `base`; its segments go into
/// `sink`, about a thousand at a time.
///
/// # Errors
///
/// As [`crate::hls::playlist::parse`], and what `sink` says.
pub fn clean<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    base: &'a Location,
    sink: &'a mut dyn FnMut(&Chunk) -> Result<(), Problem>,
    repairs: &'a mut Repairs,
) -> Result<Clean, Problem> {
    let mut cleaner = Cleaner {
        base,
        sink,
        repairs,
        header: Header::default(),
        pending: Pending::default(),
        keys: Keys::default(),
        date_ranges: DateRanges::default(),
        ends: Ends::default(),
        longest_seconds: 0.0,
        segments: 0,
        chunk: Chunk::default(),
        clean: Clean::default(),
    };
    for line in lines {
        match Tag::of(line) {
            Some(tag) => cleaner.tag(tag)?,
            None if line.text.starts_with('#') => {}
            None => cleaner.segment(line)?,
        }
    }
    cleaner.finish()
}

struct Cleaner<'a> {
    base: &'a Location,
    sink: &'a mut dyn FnMut(&Chunk) -> Result<(), Problem>,
    repairs: &'a mut Repairs,
    header: Header,
    pending: Pending,
    keys: Keys,
    date_ranges: DateRanges<'a>,
    ends: Ends<'a>,
    longest_seconds: f64,
    /// How many there were.
    segments: u32,
    chunk: Chunk,
    clean: Clean,
}

/// What the tags since the last segment say about the next one.
#[derive(Debug, Default)]
struct Pending {
    /// The first of these tags.
    line: Option<u32>,
    seconds: Option<f64>,
    range: Option<Stated>,
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
        if tag.is_padded {
            self.note_padding(tag.line);
        }
        match tag.name {
            "EXTINF" => self.extinf(tag),
            "EXT-X-BYTERANGE" => self.pending.range = Some(Stated::read(tag, tag.value)?),
            "EXT-X-MAP" => self.map(tag)?,
            "EXT-X-KEY" => self.keys.read(tag, self.base, self.repairs)?,
            "EXT-X-DISCONTINUITY" => self.pending.discontinuities += 1,
            "EXT-X-GAP" => self.pending.gap = true,
            "EXT-X-PROGRAM-DATE-TIME" => self.date(tag),
            "EXT-X-STREAM-INF" => {
                return Err(tag.malformed("stands in a list of segments: it is neither kind"));
            }
            _ => return self.standing_tag(tag),
        }
        self.pending.line.get_or_insert(tag.line);
        Ok(())
    }

    /// A tag that is not about the next segment alone.
    fn standing_tag(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        let is_late = self.segments > 0;
        match tag.name {
            "EXT-X-DATERANGE" => {
                let before = self.segments as usize;
                self.date_ranges.read(tag, before, self.repairs)
            }
            "EXT-X-BITRATE" => {
                let sparse = &mut self.clean.sparse;
                sparse.read_bit_rate(tag, self.segments, self.repairs);
                Ok(())
            }
            "EXT-X-SERVER-CONTROL"
            | "EXT-X-PART-INF"
            | "EXT-X-PART"
            | "EXT-X-PRELOAD-HINT"
            | "EXT-X-SKIP" => self.clean.low_latency.tag(tag, is_late, self.repairs),
            _ => self.header.tag(tag, is_late, self.repairs),
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
        if self.pending.seconds.is_some() {
            self.repairs.note(tag.line, || {
                "the EXTINF before has no address: left out".to_owned()
            });
        }
        self.longest_seconds = self.longest_seconds.max(clamped);
        self.pending.seconds = Some(clamped);
    }

    fn date(&mut self, tag: Tag<'a>) {
        self.pending.date = dates::millis(tag.value);
        if self.pending.date.is_none() {
            self.repairs.note(tag.line, || {
                "the date is none that can be read: left out".to_owned()
            });
        }
    }

    fn map(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        let attributes = tag.noted_attributes(self.repairs)?;
        let uri = attributes.find("URI").map(quotable);
        let uri = uri.filter(|uri| !uri.is_empty());
        let uri = uri.ok_or_else(|| tag.malformed("has no URI"))?;
        self.base
            .admits(&uri)
            .map_err(|problem| tag.refused(problem))?;
        let range = attributes.find("BYTERANGE");
        let range = range.map(|text| Stated::read(tag, text)?.of_map(tag));
        self.pending.map = Some(Map {
            uri: uri.into_owned(),
            range: range.transpose()?,
            key: self.keys.in_force(),
        });
        Ok(())
    }

    fn segment(&mut self, line: Line<'a>) -> Result<(), Problem> {
        if line.is_padded {
            self.note_padding(line.number);
        }
        let Some(seconds) = self.pending.seconds else {
            self.repairs.note(line.number, || {
                "an address without EXTINF is left out".to_owned()
            });
            (self.pending.range, self.pending.gap, self.pending.date) = (None, false, None);
            return Ok(());
        };
        let cap = limits::PLAYLIST_SEGMENTS;
        if self.segments as usize == cap {
            let why = format!("it has more than {cap} segments");
            return Err(repair::over_limit(why));
        }
        // The address has no tag of its own: the one that announced it is named.
        let tag = Tag {
            line: line.number,
            name: "EXTINF",
            value: "",
            is_padded: false,
        };
        self.base
            .admits(line.text)
            .map_err(|problem| tag.refused(problem))?;
        let range = self.range(line, tag)?;
        self.write_segment(seconds, range, line.text);
        self.keep_sparse();
        self.chunk.marks.push(Mark {
            key: self.keys.in_force(),
            gap: self.pending.gap || range.is_some_and(|range| range.length == 0),
        });
        self.segments += 1;
        self.pending = Pending::default();
        if self.chunk.marks.len() == CHUNK_SEGMENTS {
            self.hand_over()?;
        }
        Ok(())
    }

    fn range(&mut self, line: Line<'a>, tag: Tag<'a>) -> Result<Option<ByteRange>, Problem> {
        let Some(stated) = self.pending.range else {
            self.ends.interrupt();
            return Ok(None);
        };
        let range = self.ends.resolve(stated, line.text, tag, self.repairs)?;
        Ok(Some(range))
    }

    fn keep_sparse(&mut self) {
        let sparse = &mut self.clean.sparse;
        sparse.push_discontinuities(self.segments, self.pending.discontinuities);
        if let Some(date) = self.pending.date {
            sparse.push_date(self.segments, date);
        }
    }

    fn write_segment(&mut self, seconds: f64, range: Option<ByteRange>, uri: &str) {
        let text = &mut self.chunk.text;
        if text.is_empty() {
            text.push_str("#EXTM3U\n");
        }
        if let Some(map) = self.pending.map.take() {
            text.push_str("#EXT-X-MAP:");
            push_quoted(text, "URI", &map.uri);
            if let Some(range) = map.range {
                let range = format!("{}@{}", range.length, range.start);
                push_quoted(text, "BYTERANGE", &range);
            }
            text.push('\n');
            self.chunk.map_keys.push(map.key);
        }
        if self.pending.discontinuities > 0 {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        // Writing into a string cannot fail.
        let _ = writeln!(text, "#EXTINF:{seconds},");
        if let Some(range) = range {
            let _ = writeln!(text, "#EXT-X-BYTERANGE:{}@{}", range.length, range.start);
        }
        text.push_str(uri);
        text.push('\n');
    }

    fn hand_over(&mut self) -> Result<(), Problem> {
        (self.sink)(&self.chunk)?;
        self.chunk.text.clear();
        self.chunk.marks.clear();
        self.chunk.map_keys.clear();
        Ok(())
    }

    fn note_padding(&mut self, line: u32) {
        self.repairs.note(line, || PADDED.to_owned());
    }

    fn finish(mut self) -> Result<Clean, Problem> {
        if !self.chunk.marks.is_empty() {
            self.hand_over()?;
        }
        // While a segment is being made a live playlist may end in what is known
        // of it; the next load has these tags again, with the address.
        let is_cut = self.pending.seconds.is_some() || self.header.has_ended();
        if let Some(line) = self.pending.line.filter(|_| is_cut) {
            self.repairs.note(line, || {
                "tags without a segment end the playlist: left out".to_owned()
            });
        }
        self.clean.keys = self.keys.into_list();
        self.clean.date_ranges = self.date_ranges.into_list();
        self.clean.start_offset = self.header.start_offset();
        self.clean.header = self.header.written(self.longest_seconds, self.repairs);
        Ok(self.clean)
    }
}
