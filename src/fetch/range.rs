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
    pub fn from_byte(start: u64) -> Self {
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
pub(super) fn number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 100 bytes of a resource of 1000, in version "a".
    fn asked() -> Asked<'static> {
        Asked {
            range: ByteRange::new(100, 200),
            total: Some(1000),
            validator: Some("\"a\""),
        }
    }

    fn onward(start: u64) -> Asked<'static> {
        Asked {
            range: Some(ByteRange::from_byte(start)),
            ..Asked::default()
        }
    }

    fn answer(status: u16, content_range: &str) -> Head<'_> {
        Head {
            status,
            content_range: Some(content_range),
            ..Head::default()
        }
    }

    #[test]
    fn a_range_is_written_with_its_last_byte_and_is_never_empty() {
        let header = |range: Option<ByteRange>| range.map(ByteRange::header);
        let closed = header(ByteRange::new(0, 500));
        assert_eq!(closed.as_deref(), Some("bytes=0-499"));
        assert_eq!(ByteRange::from_byte(7).header(), "bytes=7-");
        assert_eq!(ByteRange::new(5, 5), None);
        assert_eq!(ByteRange::new(6, 5), None);
    }

    #[test]
    fn a_part_is_taken_only_where_it_was_asked_for() {
        let cases = [
            ("bytes 100-199/1000", true),
            ("Bytes  100-199/1000", true),
            ("bytes 100-199/*", true),
            ("bytes 0-99/1000", false),    // from the start
            ("bytes 99-199/1000", false),  // one early
            ("bytes 100-198/1000", false), // short
            ("bytes 100-200/1000", false), // long
            ("bytes 100-199/1001", false), // another total
            ("bytes 100-199/150", false),  // beyond its own total
            ("bytes 199-100/1000", false),
            ("items 100-199/1000", false),
            ("bytes */1000", false),
            ("bytes 100-199", false),
            ("bytes +100-199/1000", false),
            ("bytes 100-18446744073709551615/*", false),
            ("", false),
        ];
        for (text, want) in cases {
            let got = place(asked(), answer(206, text));
            assert_eq!(got.is_ok(), want, "{text:?}: {got:?}");
        }
    }

    #[test]
    fn an_open_range_must_reach_the_end_and_a_closed_one_may() {
        let beyond = Asked {
            range: ByteRange::new(100, 5000),
            ..Asked::default()
        };
        let cases = [
            (onward(100), "bytes 100-999/1000", Some(900)),
            (onward(100), "bytes 100-199/*", Some(100)),
            (onward(100), "bytes 100-998/1000", None),
            (beyond, "bytes 100-999/1000", Some(900)),
            (beyond, "bytes 100-998/1000", None),
        ];
        for (asked, text, want) in cases {
            let placed = place(asked, answer(206, text)).ok();
            assert_eq!(placed.and_then(|place| place.length), want, "{text}");
        }
    }

    #[test]
    fn a_part_of_another_version_or_length_is_refused() {
        let dated = Asked {
            validator: Some("Tue, 01 Jan 2030 00:00:00 GMT"),
            ..asked()
        };
        let later = Some("Wed, 02 Jan 2030 00:00:00 GMT");
        let cases = [
            (asked(), None, None, None, true),
            (asked(), Some(100), Some("\"a\""), later, true),
            (asked(), None, Some("\"b\""), None, false),
            (asked(), Some(99), None, None, false),
            (dated, None, Some("\"b\""), dated.validator, true),
            (dated, None, None, later, false),
        ];
        for (asked, content_length, etag, last_modified, want) in cases {
            let head = Head {
                content_length,
                etag,
                last_modified,
                ..answer(206, "bytes 100-199/1000")
            };
            assert_eq!(place(asked, head).is_ok(), want, "{asked:?} {head:?}");
        }
    }

    #[test]
    fn a_part_that_nobody_asked_for_or_that_names_no_place_is_refused() {
        let unasked = place(Asked::default(), answer(206, "bytes 0-9/10"));
        assert!(unasked.is_err(), "{unasked:?}");
        let unnamed = Head {
            content_range: None,
            ..answer(206, "")
        };
        assert!(place(asked(), unnamed).is_err());
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
        assert_eq!(place(asked(), head), Ok(want));
    }

    #[test]
    fn a_resume_from_the_very_end_is_an_empty_part() {
        let placed = place(onward(1000), answer(416, "bytes */1000")).expect("an empty part");
        assert_eq!((placed.offset, placed.length), (1000, Some(0)));
        for (start, text) in [(999, "bytes */1000"), (1001, "bytes */1000"), (1000, "")] {
            let placed = place(onward(start), answer(416, text));
            assert!(placed.is_err(), "{start} {text:?}");
        }
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
            if let Ok(place) = place(asked, answer(206, &text)) {
                prop_assert_eq!(place.offset, start);
                prop_assert!(place.length.is_some_and(|got| got <= length));
            }
        }

        #[test]
        fn what_a_server_writes_is_read_back(start in 0..u64::MAX / 2, length in 1..1_000_000_u64) {
            let end = start + length;
            let text = format!("bytes {start}-{}/{end}", end - 1);
            let want = Place {
                status: Status::Part,
                offset: start,
                length: Some(length),
                total: Some(end),
            };
            prop_assert_eq!(place(onward(start), answer(206, &text)), Ok(want));
        }
    }
}
