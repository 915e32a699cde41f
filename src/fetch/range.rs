//! Byte ranges asked for and what an answer makes of them (RFC 9110, section
//! 14). Pure: an answer is either placed to the byte or refused; parts of two
//! different files are never mixed.

/// The bytes `start..end` of a resource, or all from `start` on. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    start: u64,
    end: Option<u64>,
}

impl ByteRange {
    /// Everything from byte `start` on.
    pub fn from(start: u64) -> Self {
        Self { start, end: None }
    }

    /// The bytes `start..end`; `None` when that is empty.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        let end = (start < end).then_some(end)?;
        Some(Self {
            start,
            end: Some(end),
        })
    }

    /// The first byte.
    pub fn start(self) -> u64 {
        self.start
    }

    /// One past the last byte; `None` is the end of the resource.
    pub fn end(self) -> Option<u64> {
        self.end
    }

    /// The value of the `Range` header.
    pub(super) fn header(self) -> String {
        match self.end {
            Some(end) => format!("bytes={}-{}", self.start, end - 1),
            None => format!("bytes={}-", self.start),
        }
    }

    /// The bytes this range has in a resource of `total` bytes.
    fn end_in(self, total: Option<u64>) -> Option<u64> {
        match (self.end, total) {
            (Some(end), Some(total)) => Some(end.min(total)),
            (end, total) => end.or(total),
        }
    }
}

/// What kind of answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The resource from its first byte, whatever was asked for (200).
    Fresh,
    /// The part that was asked for, checked (206).
    Part,
    /// The copy that was named is still good (304). No body.
    NotModified,
}

/// What was asked, as far as an answer must agree with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    pub range: Option<ByteRange>,
    /// The length of the resource, when an earlier answer told it.
    pub total: Option<u64>,
    /// The `If-Range` header: an entity tag or a date.
    pub validator: Option<&'a str>,
}

/// The head of an answer, as far as it says where its bytes belong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head<'a> {
    pub status: u16,
    pub content_range: Option<&'a str>,
    pub content_length: Option<u64>,
    pub etag: Option<&'a str>,
    pub last_modified: Option<&'a str>,
}

/// Where the body of an answer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub status: Status,
    /// Where its first byte lies in the resource.
    pub offset: u64,
    /// How many bytes it has, when known.
    pub length: Option<u64>,
    /// How many bytes the resource has, when known.
    pub total: Option<u64>,
}

/// Places the body of a 200, 203, 206 or 416 answer.
///
/// # Errors
///
/// What is wrong with it, in words; nothing of such a body may be used, and
/// the resource has to be asked for from its beginning.
pub(super) fn place(asked: Asked<'_>, head: Head<'_>) -> Result<Place, String> {
    match head.status {
        206 => part(asked, head),
        416 => past_the_end(asked, head),
        _ => Ok(Place {
            status: Status::Fresh,
            offset: 0,
            length: head.content_length,
            total: head.content_length,
        }),
    }
}

fn part(asked: Asked<'_>, head: Head<'_>) -> Result<Place, String> {
    let range = asked
        .range
        .ok_or("the server sent a part although all was asked for")?;
    let text = head
        .content_range
        .ok_or("the server sent a part without saying which")?;
    let span = Span::parse(text).ok_or("the server sent a part with a broken Content-Range")?;
    let end = range.end_in(span.total).unwrap_or(span.end);
    if (span.start, span.end) != (range.start, end) {
        return Err(format!(
            "the server sent bytes {}-{} when {} was asked for",
            span.start,
            span.end - 1,
            range.header().replace('=', " "),
        ));
    }
    if let (Some(known), Some(total)) = (asked.total, span.total)
        && known != total
    {
        return Err(format!(
            "the resource changed from {known} to {total} bytes"
        ));
    }
    let length = span.end - span.start;
    if head.content_length.is_some_and(|stated| stated != length) {
        return Err("the server sent a part whose Content-Length and Content-Range differ".into());
    }
    if is_other_version(asked.validator, head) {
        return Err("the resource changed while it was read".into());
    }
    Ok(Place {
        status: Status::Part,
        offset: span.start,
        length: Some(length),
        total: span.total,
    })
}

/// 416 is the honest answer to a resume from exactly the end.
fn past_the_end(asked: Asked<'_>, head: Head<'_>) -> Result<Place, String> {
    let total = head
        .content_range
        .and_then(|text| text.trim().strip_prefix("bytes */"))
        .and_then(number);
    match (asked.range, total) {
        (Some(range), Some(total)) if range.start == total => Ok(Place {
            status: Status::Part,
            offset: total,
            length: Some(0),
            total: Some(total),
        }),
        _ => Err("the server has no such range".into()),
    }
}

/// Whether the answer names another version than the one asked for. An answer
/// that names none is believed: it had to compare `If-Range` itself.
fn is_other_version(validator: Option<&str>, head: Head<'_>) -> bool {
    let Some(wanted) = validator else {
        return false;
    };
    let named = if wanted.ends_with('"') {
        head.etag
    } else {
        head.last_modified
    };
    named.is_some_and(|named| named != wanted)
}

/// A `Content-Range` of the form `bytes 0-499/1234` or `bytes 0-499/*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64, // one past the last
    total: Option<u64>,
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (span, total) = rest.trim().split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let start = number(first)?;
        let end = number(last)?.checked_add(1)?;
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        let is_sound = unit.eq_ignore_ascii_case("bytes")
            && start < end
            && total.is_none_or(|total| end <= total);
        is_sound.then_some(Self { start, end, total })
    }
}

/// A decimal number; unlike `parse`, no sign.
fn number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ASKED: Asked<'_> = Asked {
        range: Some(ByteRange {
            start: 100,
            end: Some(200),
        }),
        total: Some(1000),
        validator: Some("\"a\""),
    };

    fn answer(content_range: &str) -> Head<'_> {
        Head {
            status: 206,
            content_range: Some(content_range),
            ..Head::default()
        }
    }

    #[test]
    fn a_range_is_written_with_its_last_byte_and_is_never_empty() {
        let header = |range: Option<ByteRange>| range.map(ByteRange::header);
        assert_eq!(
            header(ByteRange::new(0, 500)).as_deref(),
            Some("bytes=0-499")
        );
        assert_eq!(ByteRange::from(7).header(), "bytes=7-");
        assert_eq!(ByteRange::new(5, 5), None);
        assert_eq!(ByteRange::new(6, 5), None);
    }

    #[test]
    fn a_part_is_taken_only_where_it_was_asked_for() {
        let cases = [
            ("bytes 100-199/1000", Some((100, 100))),
            ("Bytes  100-199/1000", Some((100, 100))),
            ("bytes 100-199/*", Some((100, 100))),
            ("bytes 0-99/1000", None),    // from the start
            ("bytes 99-199/1000", None),  // one early
            ("bytes 100-198/1000", None), // short
            ("bytes 100-200/1000", None), // long
            ("bytes 100-199/1001", None), // another total
            ("bytes 100-199/150", None),  // beyond its own total
            ("bytes 199-100/1000", None),
            ("items 100-199/1000", None),
            ("bytes */1000", None),
            ("bytes 100-199", None),
            ("bytes +100-199/1000", None),
            ("bytes 100-18446744073709551615/*", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = place(ASKED, answer(text)).ok();
            let got = got.map(|place| (place.offset, place.length.unwrap_or(0)));
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn an_open_range_must_reach_the_end() {
        let asked = Asked {
            range: Some(ByteRange::from(100)),
            ..Asked::default()
        };
        let cases = [
            ("bytes 100-999/1000", true),
            ("bytes 100-199/*", true),
            ("bytes 100-998/1000", false),
        ];
        for (text, want) in cases {
            assert_eq!(place(asked, answer(text)).is_ok(), want, "{text}");
        }
    }

    #[test]
    fn a_closed_range_may_end_with_the_resource() {
        let asked = Asked {
            range: ByteRange::new(100, 5000),
            ..Asked::default()
        };
        let placed = place(asked, answer("bytes 100-999/1000")).expect("a good part");
        assert_eq!((placed.length, placed.total), (Some(900), Some(1000)));
    }

    #[test]
    fn a_part_of_another_version_or_length_is_refused() {
        let good = Head {
            content_length: Some(100),
            etag: Some("\"a\""),
            ..answer("bytes 100-199/1000")
        };
        let cases = [
            (good, true),
            (Head { etag: None, ..good }, true),
            (
                Head {
                    etag: Some("\"b\""),
                    ..good
                },
                false,
            ),
            (
                Head {
                    content_length: Some(99),
                    ..good
                },
                false,
            ),
            (
                Head {
                    content_range: None,
                    ..good
                },
                false,
            ),
        ];
        for (head, want) in cases {
            assert_eq!(place(ASKED, head).is_ok(), want, "{head:?}");
        }
        assert!(place(Asked::default(), good).is_err(), "all was asked for");
        let dated = Asked {
            validator: Some("Tue, 01 Jan 2030 00:00:00 GMT"),
            ..ASKED
        };
        let moved = Head {
            last_modified: Some("Wed, 02 Jan 2030 00:00:00 GMT"),
            ..good
        };
        assert!(place(dated, good).is_ok());
        assert!(place(dated, moved).is_err());
    }

    #[test]
    fn the_whole_resource_for_a_part_is_placed_at_its_beginning() {
        let head = Head {
            status: 200,
            content_length: Some(1000),
            ..Head::default()
        };
        let want = Place {
            status: Status::Fresh,
            offset: 0,
            length: Some(1000),
            total: Some(1000),
        };
        assert_eq!(place(ASKED, head), Ok(want));
    }

    #[test]
    fn a_resume_from_the_very_end_is_an_empty_part() {
        let asked = |start| Asked {
            range: Some(ByteRange::from(start)),
            ..Asked::default()
        };
        let head = Head {
            status: 416,
            ..answer("bytes */1000")
        };
        let placed = place(asked(1000), head).expect("an empty part");
        assert_eq!((placed.offset, placed.length), (1000, Some(0)));
        for start in [999, 1001] {
            assert!(place(asked(start), head).is_err(), "{start}");
        }
        let silent = Head {
            content_range: None,
            ..head
        };
        assert!(place(asked(1000), silent).is_err());
    }

    proptest! {
        #[test]
        fn no_content_range_places_bytes_that_were_not_asked_for(
            text in "bytes [0-9]{1,20}-[0-9]{1,20}/([0-9]{1,20}|\\*)",
            start: u64,
            length in 1..u64::MAX,
        ) {
            let range = ByteRange::new(start, start.saturating_add(length));
            let asked = Asked { range, ..Asked::default() };
            if let Ok(place) = place(asked, answer(&text)) {
                prop_assert_eq!(place.offset, start);
                prop_assert!(place.length.is_some_and(|got| got <= length));
            }
        }

        #[test]
        fn what_a_server_writes_is_read_back(start in 0..u64::MAX / 2, length in 1..1_000_000_u64) {
            let end = start + length;
            let text = format!("bytes {start}-{}/{end}", end - 1);
            let asked = Asked { range: Some(ByteRange::from(start)), ..Asked::default() };
            let want = Place { status: Status::Part, offset: start, length: Some(length), total: Some(end) };
            prop_assert_eq!(place(asked, answer(&text)), Ok(want));
        }
    }
}
