//! The record beside an entry's bytes: what they are and which of them are
//! known. Append-only text; every line carries its own checksum, and lines
//! after the head fit only this head. Pure: text in, values out.
//!
//! ```text
//! kithara-record 1 generation=0018… url=https://… etag="abc" total=70000 5f3759df
//! block 0 65536 8c736521 0badf00d
//! block 65536 4464 190a55ad 00c0ffee
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use super::head::Head;
use super::key::{Identity, is_hex};

/// Blocks of this size, aligned to it, are checked as one.
pub(super) const BLOCK: u64 = 64 << 10;

const MAGIC: &str = "kithara-record 1"; // the number changes when an old reader would misread

/// A run of known bytes inside one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins.
    pub offset: u64,
    /// Bytes, 1 to [`BLOCK`].
    pub length: u32,
    /// CRC-32 of the bytes.
    pub crc: u32,
}

impl Piece {
    /// The piece of `range`; `None` when that is empty or not inside one block.
    pub fn new(range: Range<u64>, crc: u32) -> Option<Self> {
        let last = range.end.checked_sub(1)?;
        let length = u32::try_from(range.end.checked_sub(range.start)?).ok()?;
        (length > 0 && range.start / BLOCK == last / BLOCK).then_some(Self {
            offset: range.start,
            length,
            crc,
        })
    }

    /// The offsets it covers.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.length))
    }
}

/// One line after the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// These bytes are known. A later line over the same bytes replaces it.
    Block(Piece),
    /// These bytes are no longer known.
    Lost(Range<u64>),
    /// The length, learnt at the end of a body without one.
    Total(u64),
}

/// The first line: which bytes these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Who was asked for what.
    pub identity: Identity,
    /// What the server said.
    pub head: Head,
    /// Names the file of the bytes; every new version has a higher one.
    pub generation: u64,
}

impl Record {
    /// The head line, with its checksum and line end.
    pub fn first_line(&self) -> String {
        let text = self.text();
        format!("{text} {:08x}\n", checksum(0, &text))
    }

    /// Reads a head line without its line end; `None` when it is not whole.
    pub fn parse(line: &str) -> Option<Self> {
        let fields = checked(0, line)?.strip_prefix(MAGIC)?;
        let (mut head, mut generation) = (Head::default(), None);
        let (mut url, mut credentials) = (None, None);
        for field in fields.split_ascii_whitespace() {
            let (name, value) = field.split_once('=')?;
            let value = unescape(value)?;
            match name {
                "generation" => generation = Some(u64::from_str_radix(&value, 16).ok()?),
                "url" => url = Some(value),
                "credentials" => credentials = Some(value),
                "etag" => head.etag = Some(value),
                "modified" => head.last_modified = Some(value),
                "total" => head.total = Some(value.parse().ok()?),
                "type" => head.content_type = Some(value),
                "final" => head.final_url = Some(value),
                _ => return None,
            }
        }
        Some(Self {
            identity: Identity::recorded(url?, credentials),
            head,
            generation: generation?,
        })
    }

    /// What the checksums of the other lines begin with: a line that strayed
    /// here from another record does not fit.
    pub fn seed(&self) -> u32 {
        checksum(0, &self.text())
    }

    fn text(&self) -> String {
        let mut text = format!("{MAGIC} generation={:016x}", self.generation);
        let total = self.head.total.map(|total| total.to_string());
        let fields = [
            ("url", Some(self.identity.url())),
            ("credentials", self.identity.credentials()),
            ("etag", self.head.etag.as_deref()),
            ("modified", self.head.last_modified.as_deref()),
            ("total", total.as_deref()),
            ("type", self.head.content_type.as_deref()),
            ("final", self.head.final_url.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                text.push(' ');
                text.push_str(name);
                text.push('=');
                escape(value, &mut text);
            }
        }
        text
    }
}

impl Line {
    /// Appends the line with its checksum and line end to `lines`.
    pub fn write(&self, seed: u32, lines: &mut String) {
        let start = lines.len();
        let written = match self {
            Self::Block(Piece {
                offset,
                length,
                crc,
            }) => {
                write!(lines, "block {offset} {length} {crc:08x}")
            }
            Self::Lost(range) => write!(lines, "lost {} {}", range.start, range.end),
            Self::Total(total) => write!(lines, "total {total}"),
        };
        let crc = checksum(seed, lines.get(start..).unwrap_or_default());
        let sealed = written.and_then(|()| writeln!(lines, " {crc:08x}"));
        sealed.expect("writing to a string does not fail");
    }

    /// Reads a line without its line end; `None` when it is garbled.
    pub fn parse(seed: u32, line: &[u8]) -> Option<Self> {
        let text = checked(seed, std::str::from_utf8(line).ok()?)?;
        let mut words = text.split(' ');
        let verb = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let line = match verb {
            "block" => {
                let (start, length) = (number()?, number()?);
                let crc = u32::from_str_radix(words.next()?, 16).ok()?;
                Self::Block(Piece::new(start..start.checked_add(length)?, crc)?)
            }
            "lost" => Self::Lost(number()?..number()?),
            "total" => Self::Total(number()?),
            _ => return None,
        };
        words.next().is_none().then_some(line)
    }
}

/// The text before the checksum at the end of `line`, if it fits.
fn checked(seed: u32, line: &str) -> Option<&str> {
    let (text, crc) = line.rsplit_once(' ')?;
    let is_written_so = crc.len() == 8 && is_hex(crc);
    let crc = u32::from_str_radix(crc, 16).ok()?;
    (is_written_so && crc == checksum(seed, text)).then_some(text)
}

fn checksum(seed: u32, text: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(text.as_bytes());
    hasher.finalize()
}

/// Appends `value` with everything but visible ASCII as `\xx`.
fn escape(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'\\' {
            text.push(char::from(byte));
        } else {
            text.push('\\');
            text.push_str(&super::key::hex(&[byte]));
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> Record {
        Record {
            identity: Identity::of_url("http://h/a b?x=%20\\é").with_credentials(&[1; 32], "me"),
            head: Head {
                etag: Some("\"a b\\\n\"".to_owned()),
                last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
                total: Some(70_000),
                content_type: Some(String::new()),
                final_url: Some("http://cdn/ü".to_owned()),
            },
            generation: 0x18_0000_0000_0001,
        }
    }

    fn first_line(record: &Record) -> String {
        record.first_line().trim_end().to_owned()
    }

    #[test]
    fn a_head_comes_back_as_it_was() {
        let bare = Record {
            head: Head::default(),
            ..record()
        };
        for record in [record(), bare] {
            let line = record.first_line();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Record::parse(line.trim_end()), Some(record));
        }
    }

    #[test]
    fn a_line_of_another_record_does_not_fit() {
        let other = Record {
            generation: 2,
            ..record()
        };
        let mut line = String::new();
        Line::Total(5).write(other.seed(), &mut line);
        let line = line.trim_end().as_bytes();
        assert_eq!(Line::parse(other.seed(), line), Some(Line::Total(5)));
        assert_eq!(Line::parse(record().seed(), line), None);
    }

    #[test]
    fn pieces_lie_inside_one_block() {
        let cases = [
            (0..1, true),
            (0..BLOCK, true),
            (BLOCK - 1..BLOCK, true),
            (BLOCK - 1..BLOCK + 1, false),
            (0..BLOCK + 1, false),
            (5..5, false),
            (0..0, false),
            (u64::MAX - 1..u64::MAX, true),
        ];
        for (range, want) in cases {
            assert_eq!(Piece::new(range.clone(), 0).is_some(), want, "{range:?}");
        }
    }

    proptest! {
        #[test]
        fn a_line_comes_back_as_it_was(seed: u32, start: u64, length in 1..=BLOCK, crc: u32) {
            let start = start.min(u64::MAX - BLOCK);
            let piece = Piece::new(start..start + length, crc);
            let lines = [Line::Total(start), Line::Lost(start..start + length)];
            for line in lines.into_iter().chain(piece.map(Line::Block)) {
                let mut text = String::new();
                line.write(seed, &mut text);
                prop_assert_eq!(Line::parse(seed, text.trim_end().as_bytes()), Some(line));
            }
        }

        #[test]
        fn a_changed_byte_makes_a_line_unreadable(at: prop::sample::Index, flip in 1u8..) {
            let mut line = first_line(&record()).into_bytes();
            let at = at.index(line.len());
            line[at] ^= flip;
            let read = std::str::from_utf8(&line).ok().and_then(Record::parse);
            prop_assert_eq!(read, None);
        }

        #[test]
        fn no_text_at_all_makes_a_reader_panic(text: String, bytes: Vec<u8>, seed: u32) {
            let sealed = format!("{MAGIC} {text}");
            let sealed = format!("{sealed} {:08x}", checksum(0, &sealed));
            let _ = (Record::parse(&text), Record::parse(&sealed), Line::parse(seed, &bytes));
        }
    }
}
