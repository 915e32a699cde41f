//! Byte ranges of segments and maps: `length[@offset]`, with the offsets that
//! missing ones stand for (RFC 8216 section 4.3.2.2).

use crate::error::Problem;
use crate::hls::repair::Repairs;
use crate::hls::sanitise::Tag;

const RESOURCES: usize = 8; // remembered side by side; muxers interleave two

/// A part of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

/// A range as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    length: u64,
    /// `None`: where the range before it ended.
    start: Option<u64>,
}

/// Where the last ranges of resources ended, the newest last.
#[derive(Debug, Default)]
pub struct Ends<'a> {
    list: Vec<(&'a str, u64)>,
    /// The segment before was a range: the last of the list.
    has_previous: bool,
}

impl ByteRange {
    /// The byte after the last. The sanitiser lets only ranges in that have one.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

impl Stated {
    /// Reads `length[@offset]`.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] when it is no such thing.
    pub fn read(tag: Tag<'_>, text: &str) -> Result<Self, Problem> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (length, start) = match text.split_once('@') {
            None => (number(text), Some(None)),
            Some((length, start)) => (number(length), number(start).map(Some)),
        };
        let stated = length.zip(start);
        stated
            .map(|(length, start)| Self { length, start })
            .ok_or_else(|| tag.malformed("has no byte range that can be read"))
    }

    /// The range of a map: without an offset it begins with the resource.
    ///
    /// # Errors
    ///
    /// As [`Ends::resolve`].
    pub fn of_map(self, tag: Tag<'_>) -> Result<ByteRange, Problem> {
        self.at(self.start.unwrap_or(0), tag)
    }

    /// A range whose end can be counted, also by those who count in `i64`.
    fn at(self, start: u64, tag: Tag<'_>) -> Result<ByteRange, Problem> {
        let end = start.checked_add(self.length);
        match end.and_then(|end| i64::try_from(end).ok()) {
            Some(_) => Ok(ByteRange {
                start,
                length: self.length,
            }),
            None => Err(tag.malformed("has a byte range beyond any file")),
        }
    }
}

impl<'a> Ends<'a> {
    /// The range of the segment at `uri`, whose line `tag` is blamed for.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Malformed`] when it lies beyond any file.
    pub fn resolve(
        &mut self,
        stated: Stated,
        uri: &'a str,
        tag: Tag<'_>,
        repairs: &mut Repairs,
    ) -> Result<ByteRange, Problem> {
        let place = self.list.iter().rposition(|(found, _)| *found == uri);
        let start = match (stated.start, place) {
            (Some(start), _) => start,
            (None, Some(place)) => {
                if place + 1 < self.list.len() || !self.has_previous {
                    repairs.note(tag.line, || {
                        "the byte range has no offset and follows another resource: taken for the next of its own"
                            .to_owned()
                    });
                }
                self.list[place].1
            }
            (None, None) => {
                repairs.note(tag.line, || {
                    "the byte range has no offset and nothing to follow: taken for 0".to_owned()
                });
                0
            }
        };
        let range = stated.at(start, tag)?;
        if let Some(place) = place {
            self.list.remove(place);
        } else if self.list.len() == RESOURCES {
            self.list.remove(0);
        }
        self.list.push((uri, range.end()));
        self.has_previous = true;
        Ok(range)
    }

    /// The segment is a whole resource: a range behind it follows nothing.
    pub fn interrupt(&mut self) {
        self.has_previous = false;
    }
}
