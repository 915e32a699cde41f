//! The only door to `hls_m3u8`: real playlists break the rules in ways that the
//! crate refuses or panics at, so the text is rewritten into the strict form
//! first. What is put right is noted; what cannot be is a problem.

pub mod dates;
pub mod define;
pub mod header;
pub mod keys;
pub mod low_latency;
pub mod media;
pub mod multivariant;
pub mod sparse;

use std::borrow::Cow;

use crate::error::{Kind, Problem};
use crate::hls::attributes::Attributes;
use crate::hls::playlist::{self, Repairs};
use crate::limits;
use crate::location::Location;
use crate::units::MediaTime;

const MULTIVARIANT_TAGS: [&str; 6] = [
    "EXT-X-STREAM-INF",
    "EXT-X-MEDIA",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
    "EXT-X-CONTENT-STEERING",
];
const MEDIA_TAGS: [&str; 13] = [
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-ENDLIST",
    "EXT-X-BYTERANGE",
    "EXT-X-DISCONTINUITY",
    "EXT-X-KEY",
    "EXT-X-MAP",
    "EXT-X-PROGRAM-DATE-TIME",
    "EXT-X-GAP",
    "EXT-X-I-FRAMES-ONLY",
];
const VERSION_KNOWN: u32 = 13; // draft-pantos-hls-rfc8216bis

/// A playlist in the strict form `hls_m3u8` takes.
#[derive(Debug)]
pub enum Clean {
    /// A multivariant playlist, and what the crate would lose of it.
    Multivariant(multivariant::Clean),
    /// A media playlist, and what the crate would lose of it.
    Media(Box<media::Clean>),
}

/// One line that is not empty, trimmed.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u32,
    /// Its text.
    pub text: &'a str,
}

/// A line that begins with `#EXT`, taken apart at its colon.
#[derive(Clone, Copy, Debug)]
pub struct Tag<'a> {
    /// The line it stands in.
    pub line: u32,
    /// Without the `#`.
    pub name: &'a str,
    /// What follows the colon, trimmed.
    pub value: &'a str,
}

impl<'a> Tag<'a> {
    fn of(line: Line<'a>) -> Option<Self> {
        let tag = line.text.strip_prefix('#')?;
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        name.starts_with("EXT").then_some(Self {
            line: line.number,
            name: name.trim_end(),
            value: value.trim(),
        })
    }

    fn attributes(self) -> Result<Attributes<'a>, Problem> {
        Attributes::read(self.value, self.line)
    }

    /// A problem of `kind` that this tag is the cause of.
    fn refused(self, problem: Problem) -> Problem {
        problem.during(format!("cannot follow line {} (#{})", self.line, self.name))
    }

    fn malformed(self, why: &str) -> Problem {
        playlist::malformed(format!("#{} in line {} {why}", self.name, self.line))
    }
}

/// Rewrites the text of a playlist found at `base`. Repairs go to `repairs`.
///
/// # Errors
///
/// As [`playlist::parse`].
pub fn sanitise(body: &[u8], base: &Location, repairs: &mut Repairs) -> Result<Clean, Problem> {
    if body.len() as u64 > limits::PLAYLIST_BYTES {
        let cap = limits::PLAYLIST_BYTES >> 20;
        return Err(playlist::over_limit(format!("it is longer than {cap} MiB")));
    }
    let text = decoded(body, repairs);
    check_lines(&text)?;
    let body = find_header(&text).ok_or_else(|| not_a_playlist(&text))?;
    let skipped = &text[..text.len() - body.len()];
    let header = u32::try_from(skipped.matches('\n').count()).unwrap_or(u32::MAX);
    note_header(skipped, body, header + 1, repairs);
    let body = if body.contains("#EXT-X-DEFINE") {
        let body = define::substituted(body, header, base)?;
        check_lines(&body)?;
        Cow::Owned(body)
    } else {
        Cow::Borrowed(body)
    };
    let lines = || lines(&body, header).skip(1);
    let first = lines().filter_map(Tag::of).find_map(|tag| {
        let multivariant = MULTIVARIANT_TAGS.contains(&tag.name);
        (multivariant || MEDIA_TAGS.contains(&tag.name)).then_some(multivariant)
    });
    match first {
        Some(true) => multivariant::clean(lines(), base, repairs).map(Clean::Multivariant),
        Some(false) => {
            media::clean(lines(), base, repairs).map(|clean| Clean::Media(Box::new(clean)))
        }
        None => Err(looks_like("a plain list of files or stations, not HLS")),
    }
}

/// The text from its `#EXTM3U` on; nothing but blank lines and comments may
/// stand before it.
pub fn find_header(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        if rest.starts_with("#EXTM3U") {
            return Some(rest);
        }
        let (comment, tail) = rest.split_once(['\n', '\r'])?;
        if !comment.starts_with('#') {
            return None;
        }
        rest = tail;
    }
}

fn decoded<'a>(body: &'a [u8], repairs: &mut Repairs) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(body);
    if matches!(text, Cow::Owned(_)) {
        repairs.note(1, || {
            "the text is not UTF-8: other bytes are replaced".to_owned()
        });
    }
    text
}

fn check_lines(text: &str) -> Result<(), Problem> {
    let too_long = |line: &str| line.len() > limits::PLAYLIST_LINE_BYTES;
    match text.split('\n').position(too_long) {
        None => Ok(()),
        Some(index) => {
            let cap = limits::PLAYLIST_LINE_BYTES >> 10;
            let why = format!("line {} is longer than {cap} KiB", index + 1);
            Err(playlist::over_limit(why))
        }
    }
}

fn note_header(skipped: &str, body: &str, line: u32, repairs: &mut Repairs) {
    if skipped.contains('\u{FEFF}') {
        repairs.note(1, || "a byte-order mark stands before #EXTM3U".to_owned());
    }
    if skipped.chars().any(|c| c != '\u{FEFF}') {
        repairs.note(line, || "#EXTM3U is not the first line".to_owned());
    }
    let first = body.split(['\n', '\r']).next().unwrap_or_default();
    if first.trim_end() != "#EXTM3U" {
        repairs.note(line, || "text after #EXTM3U is ignored".to_owned());
    }
}

/// The lines of `text` that are not empty; the first has number `before + 1`.
fn lines(text: &str, before: u32) -> impl Iterator<Item = Line<'_>> {
    let numbered = (before + 1..).zip(text.split('\n'));
    numbered
        .flat_map(|(number, line)| line.split('\r').map(move |text| (number, text.trim())))
        .filter(|(_, text)| !text.is_empty())
        .map(|(number, text)| Line { number, text })
}

/// Notes what is odd about `#EXT-X-VERSION`; the crate never sees it, as it
/// refuses every number above 7.
fn check_version(tag: Tag<'_>, repairs: &mut Repairs) {
    match tag.value.parse::<u32>() {
        Ok(version) if version <= VERSION_KNOWN => {}
        Ok(version) => repairs.note(tag.line, || {
            format!("version {version} is newer than {VERSION_KNOWN}: read as far as it is known")
        }),
        Err(_) => repairs.note(tag.line, || "the version is no number".to_owned()),
    }
}

/// `#EXT-X-START` in the strict form, if it can be read.
fn start_tag(tag: Tag<'_>, repairs: &mut Repairs) -> Result<Option<String>, Problem> {
    let attributes = tag.attributes()?;
    let offset = attributes.find("TIME-OFFSET").unwrap_or_default();
    let seconds = offset
        .parse()
        .ok()
        .filter(|seconds: &f32| seconds.is_finite());
    let precise = if attributes.is_yes("PRECISE") {
        ",PRECISE=YES"
    } else {
        ""
    };
    if seconds.is_none() {
        repairs.note(tag.line, || {
            "the start offset is no number: left out".to_owned()
        });
    }
    Ok(seconds.map(|seconds| format!("#EXT-X-START:TIME-OFFSET={seconds}{precise}\n")))
}

/// A length in decimal seconds, from 0 to a day.
fn seconds(text: &str) -> Option<MediaTime> {
    let seconds = text.parse::<f64>().ok()?;
    (0.0..=limits::SEGMENT_SECONDS)
        .contains(&seconds)
        .then(|| MediaTime::from_seconds(seconds))
}

fn not_a_playlist(text: &str) -> Problem {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    let head: String = start.chars().take(512).collect();
    let head = head.to_ascii_lowercase();
    let kinds = [
        (head.is_empty(), "nothing: it is empty"),
        (
            head.contains('\u{FFFD}') || head.contains('\0'),
            "binary data",
        ),
        (
            head.starts_with("<!doctype html") || head.contains("<html"),
            "a web page (HTML)",
        ),
        (head.contains("<mpd"), "a DASH manifest"),
        (head.starts_with('<'), "XML"),
        (head.starts_with("[playlist]"), "a .pls list of stations"),
        (head.starts_with(['{', '[']), "JSON"),
        (true, "text without #EXTM3U"),
    ];
    let kind = kinds.iter().find(|(is_it, _)| *is_it);
    looks_like(kind.map_or("something else", |(_, name)| name))
}

fn looks_like(name: &str) -> Problem {
    Problem::new(
        Kind::NotAStream,
        "cannot read the playlist",
        format!("it is not a playlist but looks like {name}"),
        "check the address, or open it in a browser",
    )
}

#[cfg(test)]
mod tests;
