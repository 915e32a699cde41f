//! Media playlists in the strict form: one pass over the lines. Tags that the
//! crate loses the position of (GAP, KEY) are kept beside the text.

use std::fmt::Write as _;

use crate::error::{Kind, Problem};
use crate::hls::attributes::push_quoted;
use crate::hls::media::ByteRange;
use crate::hls::playlist::{self, Repairs};
use crate::hls::sanitise::keys::{Key, Keys};
use crate::hls::sanitise::{Line, Tag, check_version, start_tag};
use crate::limits;
use crate::location::Location;

const CHUNK_SEGMENTS: usize = 1000; // the crate keeps 456 bytes a segment
const LONGEST_TARGETS: f64 = 10.0; // an EXTINF above ten target durations is a mistake
const SEQUENCE_MAX: u64 = u64::MAX >> 1; // room to count on from

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
        head: Head::default(),
        pending: Pending::default(),
        keys: Keys::default(),
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
    head: Head,
    pending: Pending,
    keys: Keys,
    /// Where the range of the segment before ended, and in which resource.
    previous_range: Option<(&'a str, u64)>,
    longest_seconds: f64,
    clean: Clean,
}

/// What the tags say about the whole playlist.
#[derive(Debug, Default)]
struct Head {
    target_seconds: Option<u64>,
    sequence: u64,
    discontinuity_sequence: u64,
    kind: Option<&'static str>,
    start: Option<String>,
    ended: bool,
    target_line: u32,
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
    discontinuity: bool,
    gap: bool,
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
            "EXT-X-DISCONTINUITY" => self.pending.discontinuity = true,
            "EXT-X-GAP" => self.pending.gap = true,
            "EXT-X-STREAM-INF" => {
                return Err(tag.malformed("stands in a list of segments: it is neither kind"));
            }
            _ => return self.header_tag(tag),
        }
        self.pending.line.get_or_insert(tag.line);
        Ok(())
    }

    fn header_tag(&mut self, tag: Tag<'a>) -> Result<(), Problem> {
        match tag.name {
            "EXT-X-TARGETDURATION" => self.target_duration(tag),
            "EXT-X-MEDIA-SEQUENCE" => self.head.sequence = self.sequence_number(tag),
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.head.discontinuity_sequence = self.sequence_number(tag);
            }
            "EXT-X-PLAYLIST-TYPE" => self.playlist_type(tag),
            "EXT-X-START" => self.head.start = start_tag(tag, self.repairs)?,
            "EXT-X-ENDLIST" => self.head.ended = true,
            "EXT-X-VERSION" => check_version(tag, self.repairs),
            "EXT-X-I-FRAMES-ONLY" => return Err(only_pictures(tag)),
            _ => {} // unknown tags are ignored (RFC 8216 section 6.3.1)
        }
        Ok(())
    }

    fn extinf(&mut self, tag: Tag<'a>) {
        let cap = match self.head.target_seconds {
            Some(target) => (target as f64 * LONGEST_TARGETS).min(limits::SEGMENT_SECONDS),
            None => limits::SEGMENT_SECONDS,
        };
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

    fn target_duration(&mut self, tag: Tag<'a>) {
        if self.head.target_seconds.is_some() {
            return;
        }
        let stated = tag
            .value
            .parse::<f64>()
            .ok()
            .filter(|seconds| !seconds.is_nan());
        let Some(stated) = stated else {
            self.repairs.note(tag.line, || {
                "the target duration is no number: ignored".to_owned()
            });
            return;
        };
        let seconds = stated.ceil().clamp(1.0, limits::SEGMENT_SECONDS);
        if seconds != stated || !is_decimal(tag.value) {
            self.repairs.note(tag.line, || {
                format!("the target duration is no whole number of seconds: taken for {seconds}")
            });
        }
        self.head.target_line = tag.line;
        // Within 1 and a day: no cast of a stranger's number.
        self.head.target_seconds = Some(seconds as u64);
    }

    fn sequence_number(&mut self, tag: Tag<'a>) -> u64 {
        let stated = tag.value.parse().ok().filter(|_| is_decimal(tag.value));
        let number = stated.unwrap_or(0).min(SEQUENCE_MAX);
        if stated != Some(number) {
            self.repairs.note(tag.line, || {
                format!("the sequence number is none that can be counted: taken for {number}")
            });
        }
        if tag.name == "EXT-X-DISCONTINUITY-SEQUENCE" && !self.clean.marks.is_empty() {
            self.repairs.note(tag.line, || {
                "the discontinuity sequence stands behind the first segment".to_owned()
            });
        }
        number
    }

    fn playlist_type(&mut self, tag: Tag<'a>) {
        self.head.kind = ["VOD", "EVENT"]
            .into_iter()
            .find(|kind| tag.value.eq_ignore_ascii_case(kind));
        if self.head.kind != Some(tag.value) {
            self.repairs.note(tag.line, || {
                let taken = self.head.kind.unwrap_or("none");
                format!("the playlist type is not VOD or EVENT: taken for {taken}")
            });
        }
    }

    fn segment(&mut self, line: Line<'a>) -> Result<(), Problem> {
        let Some(seconds) = self.pending.seconds else {
            self.repairs.note(line.number, || {
                "an address without EXTINF is left out".to_owned()
            });
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

    fn write_segment(&mut self, seconds: f64, range: Option<ByteRange>, uri: &str) {
        let body = &mut self.clean.body;
        if let Some(map) = self.pending.map.take() {
            body.push_str("#EXT-X-MAP:");
            push_quoted(body, "URI", &map.uri);
            if let Some(range) = map.range {
                push_quoted(body, "BYTERANGE", &written_range(range));
            }
            body.push('\n');
            self.clean.map_keys.push(map.key);
        }
        if self.pending.discontinuity {
            body.push_str("#EXT-X-DISCONTINUITY\n");
        }
        // Writing into a string cannot fail.
        let _ = writeln!(body, "#EXTINF:{seconds},");
        if let Some(range) = range {
            let _ = writeln!(body, "#EXT-X-BYTERANGE:{}", written_range(range));
        }
        body.push_str(uri);
        body.push('\n');
    }

    fn finish(mut self) -> Clean {
        if let Some(line) = self.pending.line {
            self.repairs.note(line, || {
                "tags without a segment end the playlist: left out".to_owned()
            });
        }
        if self.clean.cuts.last() != Some(&self.clean.body.len()) {
            self.clean.cuts.push(self.clean.body.len());
        }
        self.clean.keys = std::mem::take(&mut self.keys).into_list();
        self.clean.header = self.header();
        self.clean
    }

    fn header(&mut self) -> String {
        // The rule is about EXTINF rounded to the nearest second (RFC 8216
        // section 4.3.3.1); within a day, so the cast keeps the number.
        let longest = self.longest_seconds.round().max(1.0) as u64;
        let target = self.head.target_seconds.unwrap_or(0).max(longest);
        if self.head.target_seconds != Some(target) {
            self.repairs.note(self.head.target_line.max(1), || {
                format!("the target duration is missing or too short: taken for {target}")
            });
        }
        let head = &self.head;
        let mut out = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            head.sequence, head.discontinuity_sequence
        );
        if let Some(kind) = head.kind {
            let _ = writeln!(out, "#EXT-X-PLAYLIST-TYPE:{kind}");
        }
        out.push_str(head.start.as_deref().unwrap_or_default());
        if head.ended {
            out.push_str("#EXT-X-ENDLIST\n");
        }
        out
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

fn written_range(range: ByteRange) -> String {
    format!("{}@{}", range.length, range.start)
}

fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn only_pictures(tag: Tag<'_>) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the playlist",
        format!("line {} says it lists pictures (I-frames) only", tag.line),
        "choose another variant",
    )
}
