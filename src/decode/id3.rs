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
        while let Some((name, content)) = frames.next() {
            facts.note(name, content.as_deref().unwrap_or_default());
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

/// The frames of a tag, one after another.
struct Frames<'a> {
    version: u8,
    is_unsynchronised: bool,
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Name and content of the next frame; no content where it cannot be read.
    fn next(&mut self) -> Option<(&'a [u8], Option<Cow<'a, [u8]>>)> {
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
        Some((name, content))
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn safe_size(length: usize) -> [u8; 4] {
        [21, 14, 7, 0].map(|shift| u8::try_from(length >> shift & 0x7F).expect("seven bits"))
    }

    fn plain_size(length: usize) -> [u8; 4] {
        u32::try_from(length).expect("small").to_be_bytes()
    }

    fn tag(version: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        let header = [b'I', b'D', b'3', version, 0, flags];
        [&header[..], &safe_size(body.len()), body].concat()
    }

    /// A frame of 2.3 or 2.4 with the second byte of its flags.
    fn frame(version: u8, name: &[u8; 4], flags: u8, content: &[u8]) -> Vec<u8> {
        let size = match version {
            4 => safe_size(content.len()),
            _ => plain_size(content.len()),
        };
        [&name[..], &size, &[0, flags], content].concat()
    }

    fn private(ticks: u64) -> Vec<u8> {
        [TIMESTAMP_OWNER, &ticks.to_be_bytes()].concat()
    }

    fn title(tag: &[u8]) -> Option<String> {
        read(tag).title
    }

    #[test]
    fn the_length_of_a_tag_counts_seven_bits_a_byte_and_the_footer() {
        let cases: [(&[u8], Option<u64>); 7] = [
            (b"ID3\x04\0\0\0\0\x02\x01", Some(267)),
            (b"ID3\x04\0\x10\0\0\x02\x01", Some(277)),
            (b"ID3\x03\0\0\x7F\x7F\x7F\x7F", Some(268_435_465)),
            (b"ID3\x03\0\0\x80\0\0\0", None),
            (b"ID3\xFF\0\0\0\0\0\0", None),
            (b"ID3\x03\0\0\0\0", None),
            (b"TAG\x03\0\0\0\0\0\0", None),
        ];
        for (head, want) in cases {
            assert_eq!(length(head), want, "{head:?}");
        }
    }

    #[test]
    fn the_timestamp_keeps_its_low_33_bits() {
        for (ticks, want) in [(0, 0), (900_000, 900_000), (u64::MAX, TIMESTAMP_MASK)] {
            let bytes = tag(4, 0, &frame(4, b"PRIV", 0, &private(ticks)));
            assert_eq!(read(&bytes).timestamp, Some(want), "{ticks}");
        }
        let other = frame(4, b"PRIV", 0, b"com.example\0\0\0\0\0\0\0\0\x01");
        assert_eq!(read(&tag(4, 0, &other)), Tag::default());
        let short = frame(4, b"PRIV", 0, &private(1)[..50]);
        assert_eq!(read(&tag(4, 0, &short)), Tag::default());
    }

    #[test]
    fn artist_and_title_are_joined_in_either_order() {
        let (song, artist) = (&b"\x03Na\xC3\xAFve"[..], &b"\x03The Band\0"[..]);
        for version in [3, 4] {
            let frames = [
                frame(version, b"TIT2", 0, song),
                frame(version, b"TPE1", 0, artist),
            ];
            let joined = Some("The Band - Naïve".to_owned());
            let swapped = [frames[1].clone(), frames[0].clone()].concat();
            assert_eq!(
                title(&tag(version, 0, &frames.concat())),
                joined,
                "2.{version}"
            );
            assert_eq!(title(&tag(version, 0, &swapped)), joined, "2.{version}");
        }
        let alone = frame(4, b"TPE1", 0, artist);
        assert_eq!(title(&tag(4, 0, &alone)), Some("The Band".to_owned()));
        let empty = [
            frame(4, b"TIT2", 0, b"\x03"),
            frame(4, b"TPE1", 0, b"\x00 \0"),
        ];
        assert_eq!(title(&tag(4, 0, &empty.concat())), None);
    }

    #[test]
    fn a_tag_of_version_2_2_has_short_frames() {
        let body = b"TT2\0\0\x05\0SongTP1\0\0\x04\0Duo\0\0\0";
        assert_eq!(title(&tag(2, 0, body)), Some("Duo - Song".to_owned()));
        assert_eq!(title(&tag(2, 0x40, body)), None, "compressed");
    }

    #[test]
    fn every_text_encoding_is_read() {
        let cases: [(&[u8], Option<&str>); 11] = [
            (b"\x00caf\xE9", Some("café")),
            (b"\x00caf\xC3\xA9", Some("café")),
            (b"\x01\xFF\xFEh\0\xE9\0", Some("hé")),
            (b"\x01\xFE\xFF\0h\0\xE9\0\0", Some("hé")),
            (b"\x01h\0i\0", Some("hi")),
            (b"\x02\0h\xD8\x3D\xDE\x00", Some("h😀")),
            (b"\x02\0h\xD8\x3D", Some("h\u{FFFD}")),
            (b"\x03one\0two\0", Some("one / two")),
            (b"\x01\xFF\xFEa\0\0\0\xFF\xFEb\0", Some("a / b")),
            (b"\x03bad\xFF", Some("bad\u{FFFD}")),
            (b"\x09what", None),
        ];
        for (content, want) in cases {
            let bytes = tag(3, 0, &frame(3, b"TIT2", 0, content));
            assert_eq!(title(&bytes).as_deref(), want, "{content:X?}");
        }
    }

    #[test]
    fn a_radio_title_serves_where_there_is_no_other() {
        let radio = frame(4, b"TXXX", 0, b"\x03StreamTitle\0Duo - Song");
        let other = frame(4, b"TXXX", 0, b"\x03adId\x00123");
        let both = [other, radio.clone()].concat();
        assert_eq!(title(&tag(4, 0, &both)), Some("Duo - Song".to_owned()));
        let proper = [radio, frame(4, b"TIT2", 0, b"\x03Proper")].concat();
        assert_eq!(title(&tag(4, 0, &proper)), Some("Proper".to_owned()));
    }

    #[test]
    fn unsynchronisation_is_undone_as_each_version_does_it() {
        let broken_up = b"\x01\xFF\x00\xFEa\0"; // of 6 bytes, 5 are meant
        let whole = frame(3, b"TIT2", 0, &broken_up[..5]);
        let whole = [&whole[..10], &broken_up[..]].concat();
        assert_eq!(title(&tag(3, 0x80, &whole)).as_deref(), Some("a"), "2.3");
        let by_frame = frame(4, b"TIT2", 0x02, broken_up);
        assert_eq!(
            title(&tag(4, 0, &by_frame)).as_deref(),
            Some("a"),
            "2.4, a frame"
        );
        let by_tag = frame(4, b"TIT2", 0, broken_up);
        assert_eq!(
            title(&tag(4, 0x80, &by_tag)).as_deref(),
            Some("a"),
            "2.4, the tag"
        );
    }

    #[test]
    fn extended_headers_groups_and_length_fields_are_passed_over() {
        let song = |version, flags, before: &[u8]| {
            frame(version, b"TIT2", flags, &[before, b"\x03Song"].concat())
        };
        let cases = [
            (
                "2.3 extended",
                tag(
                    3,
                    0x40,
                    &[&plain_size(6)[..], &[0; 6], &song(3, 0, b"")].concat(),
                ),
            ),
            (
                "2.4 extended",
                tag(
                    4,
                    0x40,
                    &[&safe_size(6)[..], &[1, 0], &song(4, 0, b"")].concat(),
                ),
            ),
            ("2.3 group", tag(3, 0, &song(3, 0x20, b"\x07"))),
            (
                "2.4 group and length",
                tag(4, 0, &song(4, 0x41, b"\x07\0\0\0\x05")),
            ),
        ];
        for (case, bytes) in cases {
            assert_eq!(title(&bytes).as_deref(), Some("Song"), "{case}");
        }
        for (case, bytes) in [
            ("2.3 compressed", tag(3, 0, &song(3, 0x80, b""))),
            ("2.4 encrypted", tag(4, 0, &song(4, 0x04, b""))),
        ] {
            assert_eq!(title(&bytes), None, "{case}");
        }
    }

    #[test]
    fn a_frame_of_2_4_with_a_plain_length_is_read_all_the_same() {
        let long = [&b"\x03"[..], &[b'x'; 299]].concat();
        let artist = frame(4, b"TPE1", 0, b"\x03Duo");
        let wrong = [
            &b"TIT2"[..],
            &plain_size(long.len()),
            &[0, 0],
            &long,
            &artist,
        ]
        .concat();
        let right = [frame(4, b"TIT2", 0, &long), artist].concat();
        let want = Some(format!("Duo - {}", "x".repeat(299)));
        assert_eq!(title(&tag(4, 0, &wrong)), want, "eight bits");
        assert_eq!(title(&tag(4, 0, &right)), want, "seven bits");
    }

    #[test]
    fn a_long_text_is_cut_and_a_cut_tag_gives_what_is_whole() {
        let long = [&b"\x03"[..], &[b'x'; 5000]].concat();
        let cut = title(&tag(3, 0, &frame(3, b"TIT2", 0, &long)));
        assert_eq!(cut.map(|text| text.len()), Some(TEXT_CHARS));
        let frames = [
            frame(4, b"PRIV", 0, &private(5)),
            frame(4, b"TIT2", 0, b"\x03Song"),
        ];
        let whole = tag(4, 0, &frames.concat());
        let facts = read(&whole[..whole.len() - 1]);
        assert_eq!((facts.timestamp, facts.title), (Some(5), None));
    }

    fn any_tag() -> impl Strategy<Value = Vec<u8>> {
        let body = proptest::collection::vec(any::<u8>(), 0..200);
        let names = prop_oneof![Just(b"TIT2"), Just(b"TPE1"), Just(b"TXXX"), Just(b"PRIV")];
        let pieces = (names, any::<u32>(), any::<u8>(), body.clone());
        (
            2_u8..=4,
            any::<u8>(),
            proptest::collection::vec(pieces, 0..4),
            body,
        )
            .prop_map(|(version, flags, pieces, end)| {
                let pieces = pieces.into_iter().map(|(name, size, flags, content)| {
                    [
                        &name[..],
                        &(size & 0x1FF).to_be_bytes(),
                        &[0, flags],
                        &content,
                    ]
                    .concat()
                });
                let body = pieces.chain([end]).collect::<Vec<_>>().concat();
                tag(version, flags, &body)
            })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
            prop_assert!(length(&bytes).is_none_or(|length| length >= 10));
        }

        #[test]
        fn no_tag_makes_it_fail_or_say_too_much(bytes in any_tag(), cut in any::<proptest::sample::Index>()) {
            let facts = read(&bytes[..cut.index(bytes.len())]);
            prop_assert!(facts.timestamp.is_none_or(|ticks| ticks <= TIMESTAMP_MASK));
            let chars = facts.title.map_or(0, |title| title.chars().count());
            prop_assert!(chars <= 4 * TEXT_CHARS);
        }
    }
}
