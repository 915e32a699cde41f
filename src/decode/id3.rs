//! ID3v2 tags as HLS uses them: when the first frame of a packed audio segment
//! is due, and what is heard (id3.org: ID3v2.2, 2.3, 2.4). Bytes in, facts out;
//! what is broken, compressed or encrypted is passed over.

use std::borrow::Cow;

use crate::limits;

/// Bytes that tell the length of a tag.
pub const HEADER_BYTES: usize = 10;
const TIMESTAMP_OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
const TIMESTAMP_MASK: u64 = 0x1_FFFF_FFFF; // 33 bits, as in a transport stream
const TEXT_CHARS: usize = 1024; // nobody reads more on one line

/// What a tag says that matters to a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// When the first frame behind the tag is due, in ticks of 90 kHz that wrap
    /// at 33 bits (RFC 8216 section 3.4).
    pub timestamp: Option<u64>,
    /// What is heard, "Artist - Title" where both are known; not yet made safe.
    pub title: Option<String>,
}

/// The length of the tag that `bytes` begin with, header and footer included;
/// `None` when there is no tag or less than [`HEADER_BYTES`] are here.
///
/// Source: id3v2.4.0-structure, sections 3.1 and 3.4.
pub fn length(bytes: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', major, minor, flags, size @ ..] =
        bytes.first_chunk::<HEADER_BYTES>()?
    else {
        return None;
    };
    let is_tag = major < 0xFF && minor < 0xFF;
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    let body = u64::from(syncsafe(size)?);
    is_tag.then_some(HEADER_BYTES as u64 + body + footer)
}

/// Reads a tag from its header on. Of a long one the first
/// [`limits::TAG_BYTES`] are looked at, and they need not all be here.
pub fn read(tag: &[u8]) -> Tag {
    let mut facts = Facts::default();
    if let Some(body) = Body::of(tag) {
        let mut frames = Frames {
            version: body.version,
            is_unsynchronised: body.has_unsynchronised_frames,
            rest: &body.bytes,
        };
        while let Some(frame) = frames.next() {
            facts.note(frame.name, frame.content.as_deref().unwrap_or_default());
        }
    }
    facts.tag()
}

/// What stands behind the header and the extended header.
struct Body<'a> {
    version: u8,
    /// Version 2.4 undoes unsynchronisation frame by frame.
    has_unsynchronised_frames: bool,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Body<'a> {
    fn of(tag: &'a [u8]) -> Option<Self> {
        let &[b'I', b'D', b'3', version @ 2..=4, _, flags, size @ ..] =
            tag.first_chunk::<HEADER_BYTES>()?
        else {
            return None;
        };
        let size = usize::try_from(syncsafe(size)?).ok()?;
        let bytes = &tag[HEADER_BYTES..];
        let bytes = &bytes[..size.min(bytes.len()).min(limits::TAG_BYTES)];
        let is_unsynchronised = flags & 0x80 != 0;
        let mut bytes = match is_unsynchronised && version < 4 {
            true => Cow::Owned(resynchronised(bytes)),
            false => Cow::Borrowed(bytes),
        };
        if flags & 0x40 != 0 {
            bytes = match version {
                2 => return None, // compressed, with a method that was never defined
                _ => behind_extended_header(&bytes, version)?.to_vec().into(),
            };
        }
        Some(Self {
            version,
            has_unsynchronised_frames: is_unsynchronised && version == 4,
            bytes,
        })
    }
}

/// 2.3 counts the extended header without its size field, 2.4 with it.
fn behind_extended_header(bytes: &[u8], version: u8) -> Option<&[u8]> {
    let size = *bytes.first_chunk::<4>()?;
    let length = match version {
        4 => syncsafe(size)?,
        _ => u32::from_be_bytes(size).checked_add(4)?,
    };
    bytes.get(usize::try_from(length).ok()?..)
}

struct Frame<'a> {
    name: &'a [u8],
    /// `None` where it cannot be read.
    content: Option<Cow<'a, [u8]>>,
}

/// The frames of a tag, one after another.
struct Frames<'a> {
    version: u8,
    is_unsynchronised: bool,
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    fn next(&mut self) -> Option<Frame<'a>> {
        let is_short = self.version == 2;
        let (header, rest) = self.rest.split_at_checked(if is_short { 6 } else { 10 })?;
        let (name, numbers) = header.split_at(if is_short { 3 } else { 4 });
        if !is_name(name) {
            return None; // padding
        }
        let length = match *numbers {
            [a, b, c] => u32::from_be_bytes([0, a, b, c]),
            [a, b, c, d, ..] if self.version == 3 => u32::from_be_bytes([a, b, c, d]),
            [a, b, c, d, ..] => length_of_2_4([a, b, c, d], rest),
            _ => return None,
        };
        let flags = numbers.get(5).copied().unwrap_or(0);
        let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        let content = match self.version {
            2 => Some(Cow::Borrowed(content)),
            3 => content_of_2_3(content, flags),
            _ => content_of_2_4(content, flags, self.is_unsynchronised),
        };
        Some(Frame { name, content })
    }
}

/// Seven bits a byte; but a well-known program wrote eight, which shows when
/// only that way another frame, padding or the end follows.
fn length_of_2_4(size: [u8; 4], rest: &[u8]) -> u32 {
    let plain = u32::from_be_bytes(size);
    let ends_well = |length: u32| {
        let behind = usize::try_from(length).ok().and_then(|at| rest.get(at..));
        behind.is_some_and(|behind| match behind.first_chunk::<4>() {
            Some(next) => is_name(next) || next == &[0; 4],
            None => true,
        })
    };
    match syncsafe(size) {
        Some(length) if ends_well(length) || !ends_well(plain) => length,
        _ => plain,
    }
}

fn content_of_2_3(content: &[u8], flags: u8) -> Option<Cow<'_, [u8]>> {
    let is_hidden = flags & 0xC0 != 0; // compressed or encrypted
    let group = usize::from(flags & 0x20 != 0);
    let content = content.get(group..).filter(|_| !is_hidden);
    content.map(Cow::Borrowed)
}

fn content_of_2_4(content: &[u8], flags: u8, is_unsynchronised: bool) -> Option<Cow<'_, [u8]>> {
    let is_hidden = flags & 0x0C != 0; // compressed or encrypted
    let group = usize::from(flags & 0x40 != 0);
    let length = if flags & 0x01 != 0 { 4 } else { 0 };
    let content = content.get(group + length..).filter(|_| !is_hidden)?;
    Some(match is_unsynchronised || flags & 0x02 != 0 {
        true => Cow::Owned(resynchronised(content)),
        false => Cow::Borrowed(content),
    })
}

/// What frames said so far.
#[derive(Default)]
struct Facts {
    timestamp: Option<u64>,
    title: Option<String>,
    artist: Option<String>,
    stream_title: Option<String>,
}

impl Facts {
    /// The first frame that says something counts.
    fn note(&mut self, name: &[u8], content: &[u8]) {
        let (place, found) = match name {
            b"PRIV" => {
                self.timestamp = self.timestamp.or_else(|| timestamp(content));
                return;
            }
            b"TIT2" | b"TT2" => (&mut self.title, text(content)),
            b"TPE1" | b"TP1" => (&mut self.artist, text(content)),
            b"TXXX" | b"TXX" => (&mut self.stream_title, stream_title(content)),
            _ => return,
        };
        if place.is_none() {
            *place = found;
        }
    }

    fn tag(self) -> Tag {
        let title = match (self.artist, self.title) {
            (Some(artist), Some(title)) => Some(format!("{artist} - {title}")),
            (artist, title) => title.or(self.stream_title).or(artist),
        };
        Tag {
            timestamp: self.timestamp,
            title,
        }
    }
}

fn timestamp(private: &[u8]) -> Option<u64> {
    let ticks = private.strip_prefix(TIMESTAMP_OWNER)?.first_chunk()?;
    Some(u64::from_be_bytes(*ticks) & TIMESTAMP_MASK)
}

/// The text of a frame whose description says that it is a radio's title, as
/// encoders name it that were fed by a SHOUTcast server.
fn stream_title(content: &[u8]) -> Option<String> {
    let mut texts = texts(content)?;
    let is_title = texts.first()?.eq_ignore_ascii_case("StreamTitle");
    (is_title && texts.len() > 1).then(|| texts.swap_remove(1))
}

/// The texts of a frame in one line; `None` when there is nothing to read.
fn text(content: &[u8]) -> Option<String> {
    let mut texts = texts(content)?;
    texts.retain(|text| !text.is_empty());
    (!texts.is_empty()).then(|| texts.join(" / "))
}

/// The texts of a frame; its first byte says how they are written.
fn texts(content: &[u8]) -> Option<Vec<String>> {
    let (encoding, bytes) = content.split_first()?;
    let whole = match encoding {
        0 => narrow(bytes),
        1 => match bytes {
            [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
            [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
            // The mark may not be left out; programs that do so are of one system.
            _ => wide(bytes, u16::from_le_bytes),
        },
        2 => wide(bytes, u16::from_be_bytes),
        3 => String::from_utf8_lossy(bytes).into_owned(),
        _ => return None,
    };
    let short: String = whole.chars().take(TEXT_CHARS).collect();
    let marked = short
        .split('\0')
        .map(|text| text.trim_start_matches('\u{FEFF}'));
    Some(marked.map(|text| text.trim().to_owned()).collect())
}

/// ISO 8859-1, unless it reads as UTF-8: radios often declare the wrong one,
/// and words of the right one never look like the other.
fn narrow(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn wide(bytes: &[u8], letter: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks();
    let letters = pairs.iter().map(|pair| letter(*pair));
    let decoded = char::decode_utf16(letters);
    decoded
        .map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Undoes unsynchronisation: a zero behind 0xFF was put there.
fn resynchronised(bytes: &[u8]) -> Vec<u8> {
    let mut last = 0;
    let is_real = |&byte: &u8| std::mem::replace(&mut last, byte) != 0xFF || byte != 0;
    bytes.iter().copied().filter(is_real).collect()
}

/// A number of four times seven bits; `None` when a byte has its highest bit set.
fn syncsafe(size: [u8; 4]) -> Option<u32> {
    let is_safe = size.iter().all(|byte| byte & 0x80 == 0);
    let number = size.iter().fold(0, |sum, byte| sum << 7 | u32::from(*byte));
    is_safe.then_some(number)
}

fn is_name(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    name.iter().all(is_letter)
}

#[cfg(test)]
mod tests;
