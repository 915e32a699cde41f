//! From the bytes of a playlist to numbered lines: character set, line ends,
//! the header and what stands before it.

use std::borrow::Cow;

use crate::error::Problem;
use crate::hls::repair::{self, Repairs};
use crate::limits;

/// One line, trimmed.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u32,
    /// Its text.
    pub text: &'a str,
    /// White space stands around the text, where the grammar allows none.
    pub is_padded: bool,
}

impl<'a> Line<'a> {
    /// The line `number`, which may still have its end.
    pub fn of(number: u32, raw: &'a str) -> Self {
        let raw = raw.trim_end_matches(['\n', '\r']);
        let text = raw.trim();
        Self {
            number,
            text,
            is_padded: text.len() != raw.len(),
        }
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

/// The text in UTF-8; bytes that are none are replaced.
///
/// # Errors
///
/// [`crate::error::Kind::Limit`] above [`limits::PLAYLIST_BYTES`].
pub fn decoded<'a>(body: &'a [u8], repairs: &mut Repairs) -> Result<Cow<'a, str>, Problem> {
    if body.len() as u64 > limits::PLAYLIST_BYTES {
        return Err(too_long());
    }
    if let Ok(text) = std::str::from_utf8(body) {
        return Ok(Cow::Borrowed(text));
    }
    repairs.note(1, || {
        "the text is not UTF-8: other bytes are replaced".to_owned()
    });
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        if text.len() as u64 > limits::PLAYLIST_BYTES {
            return Err(too_long());
        }
    }
    Ok(Cow::Owned(text))
}

/// With every carriage return that stands alone taken for the end of a line.
pub fn with_line_feeds<'a>(text: Cow<'a, str>, repairs: &mut Repairs) -> Cow<'a, str> {
    let stands_alone = |(at, _)| {
        text.as_bytes()
            .get(at + 1)
            .is_some_and(|&next| next != b'\n')
    };
    if !text.match_indices('\r').any(stands_alone) {
        return text;
    }
    repairs.note(1, || {
        "lines end in a carriage return without a line feed".to_owned()
    });
    let mut out = String::with_capacity(text.len());
    for (index, part) in text.split('\r').enumerate() {
        if index > 0 && !part.starts_with('\n') {
            out.push('\n');
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}

/// No line may be longer than [`limits::PLAYLIST_LINE_BYTES`].
///
/// # Errors
///
/// [`crate::error::Kind::Limit`].
pub fn check_lines(text: &str) -> Result<(), Problem> {
    let too_long = |line: &str| line.len() > limits::PLAYLIST_LINE_BYTES;
    match text.split('\n').position(too_long) {
        None => Ok(()),
        Some(index) => {
            let cap = limits::PLAYLIST_LINE_BYTES >> 10;
            let why = format!("line {} is longer than {cap} KiB", index + 1);
            Err(repair::over_limit(why))
        }
    }
}

/// Notes what is odd about the header in `line`, which `body` begins with, and
/// about what stands before it.
pub fn note_header(skipped: &str, body: &str, line: u32, repairs: &mut Repairs) {
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
pub fn lines(text: &str, before: u32) -> impl Iterator<Item = Line<'_>> {
    let numbered = (before + 1..).zip(text.split('\n'));
    numbered
        .map(|(number, raw)| Line::of(number, raw))
        .filter(|line| !line.text.is_empty())
}

fn too_long() -> Problem {
    let cap = limits::PLAYLIST_BYTES >> 20;
    repair::over_limit(format!("it is longer than {cap} MiB"))
}
