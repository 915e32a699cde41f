//! What radio stations mix into their sound, since SHOUTcast: every so many
//! bytes a block of text with the title. It is taken out here, before anyone
//! sees the body, whatever chunks it comes in. Pure.
//!
//! ```text
//! icy-metaint bytes of sound │ n │ 16 × n bytes: StreamTitle='…';StreamUrl='…';␀␀ │ sound …
//! ```

use std::num::NonZeroU64;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;

use crate::units::BitRate;

const UNIT: usize = 16; // a block is n times as long, n in one byte

/// What the headers `icy-…` of an answer say about the station that sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Station {
    /// `icy-name`: text from outside.
    pub name: Option<String>,
    /// `icy-br`.
    pub bit_rate: Option<BitRate>,
    /// `icy-metaint`: bytes of sound between two blocks of text.
    pub interval: Option<NonZeroU64>,
}

impl Station {
    /// What `headers` say; `None` when the answer is not that of a station.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut names = headers.keys();
        if !names.any(|name| name.as_str().starts_with("icy-")) {
            return None;
        }
        let value = |name| headers.get(name).map(|value| words(value.as_bytes()));
        let number = |name| value(name).and_then(|text| text.trim().parse::<u64>().ok());
        Some(Self {
            name: value("icy-name").filter(|name| !name.trim().is_empty()),
            bit_rate: number("icy-br")
                .and_then(|kilo| kilo.checked_mul(1000))
                .map(BitRate),
            interval: number("icy-metaint").and_then(NonZeroU64::new),
        })
    }
}

/// Tells sound from text in a body.
#[derive(Debug)]
pub(super) struct Splitter {
    interval: u64,
    /// Bytes of sound until the next block.
    left: u64,
    /// Bytes of sound so far.
    given: u64,
    /// What came of the block that is being read, its length first.
    block: Option<Vec<u8>>,
    /// A block was what it should be.
    is_proved: bool,
    /// The first block was none: the server announces what it does not do.
    is_off: bool,
    titles: Vec<(u64, String)>,
}

impl Splitter {
    pub fn new(interval: NonZeroU64) -> Self {
        Self {
            interval: interval.get(),
            left: interval.get(),
            given: 0,
            block: None,
            is_proved: false,
            is_off: false,
            titles: Vec::new(),
        }
    }

    /// The sound in the next `bytes` of the body; may be empty.
    pub fn sound(&mut self, mut bytes: Bytes) -> Bytes {
        let length = bytes.len() as u64;
        if self.is_off || (self.block.is_none() && length < self.left) {
            self.left = self.left.saturating_sub(length);
            self.given += length;
            return bytes;
        }
        let mut sound = BytesMut::with_capacity(bytes.len());
        while !bytes.is_empty() {
            match &mut self.block {
                Some(block) => {
                    let missing = missing(block).min(bytes.len());
                    block.extend_from_slice(&bytes.split_to(missing));
                    self.close_block(&mut sound);
                }
                None => {
                    let count = match self.is_off {
                        true => bytes.len(),
                        false => least(self.left, bytes.len()),
                    };
                    sound.extend_from_slice(&bytes.split_to(count));
                    self.given += count as u64;
                    self.left = self.left.saturating_sub(count as u64);
                    self.block = (self.left == 0 && !self.is_off).then(Vec::new);
                }
            }
        }
        sound.freeze()
    }

    /// The titles met since this was last asked, each with the number of bytes
    /// of sound before it.
    pub fn take_titles(&mut self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.titles)
    }

    /// Reads the block when it is whole. What cannot be one is sound after all.
    fn close_block(&mut self, sound: &mut BytesMut) {
        let Some(block) = self.block.take_if(|block| missing(block) == 0) else {
            return;
        };
        self.left = self.interval;
        let Some((_, text)) = block.split_first().filter(|(_, text)| !text.is_empty()) else {
            return;
        };
        if is_text(text) {
            self.is_proved = true;
            self.titles
                .extend(title(text).map(|title| (self.given, title)));
        } else if !self.is_proved {
            self.is_off = true;
            self.given += block.len() as u64;
            sound.extend_from_slice(&block);
        }
    }
}

/// What a block lacks that begins with its length.
fn missing(block: &[u8]) -> usize {
    match block.first() {
        None => 1,
        Some(&units) => (1 + usize::from(units) * UNIT).saturating_sub(block.len()),
    }
}

fn least(count: u64, most: usize) -> usize {
    usize::try_from(count).map_or(most, |count| count.min(most))
}

/// Whether a block is a list of `key='value';`.
fn is_text(block: &[u8]) -> bool {
    let block = block.trim_ascii_start();
    let block = block.strip_suffix(b"\0").unwrap_or(block);
    block.iter().all(|&byte| byte == 0) || begins_field(block)
}

/// Whether a field begins here: letters and `='`.
fn begins_field(text: &[u8]) -> bool {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphanumeric());
    let count = letters.count();
    count > 0 && text[count..].starts_with(b"='")
}

/// The title in a block. Quotes in it are not escaped: it ends where another
/// field, or nothing, follows.
fn title(block: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"StreamTitle='";
    let is_key = |part: &[u8]| part.eq_ignore_ascii_case(KEY);
    let begin = block.windows(KEY.len()).position(is_key)? + KEY.len();
    let rest = &block[begin..];
    let end = rest
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    let rest = rest[..end].trim_ascii_end();
    let is_end = |at: &usize| {
        let behind = rest[*at..]
            .strip_prefix(b"';")
            .map(<[u8]>::trim_ascii_start);
        behind.is_some_and(|behind| behind.is_empty() || begins_field(behind))
    };
    let cut = rest.strip_suffix(b"'").unwrap_or(rest).len();
    let end = (0..rest.len()).find(is_end).unwrap_or(cut);
    Some(words(rest[..end].trim_ascii()))
}

/// Text of an unknown charset: UTF-8 where it is, else Windows-1252, which is
/// Latin-1 with letters in place of control characters.
fn words(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(letter).collect(),
    }
}

fn letter(byte: u8) -> char {
    /// 0x80 to 0x9F; five of them are not assigned.
    const WINDOWS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    let assigned = byte.checked_sub(0x80).map(usize::from);
    let assigned = assigned.and_then(|index| WINDOWS.get(index));
    assigned.copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(bytes: u64) -> NonZeroU64 {
        NonZeroU64::new(bytes).expect("not zero")
    }

    /// A block as a station sends it.
    fn block(text: &[u8]) -> Vec<u8> {
        let units = text.len().div_ceil(UNIT);
        let mut block = vec![u8::try_from(units).expect("short")];
        block.extend(text);
        block.resize(1 + units * UNIT, 0);
        block
    }

    /// Sound and titles of a body in chunks of `step` bytes.
    fn split(every: u64, body: &[u8], step: usize) -> (Vec<u8>, Vec<(u64, String)>) {
        let mut splitter = Splitter::new(interval(every));
        let chunks = body.chunks(step).map(Bytes::copy_from_slice);
        let sound = chunks.flat_map(|chunk| splitter.sound(chunk)).collect();
        (sound, splitter.take_titles())
    }

    #[test]
    fn a_title_ends_where_another_field_or_nothing_follows() {
        let cases: [(&[u8], Option<&str>); 12] = [
            (b"StreamTitle='A - B';", Some("A - B")),
            (b"StreamTitle='A';StreamUrl='http://h/';", Some("A")),
            (b"StreamTitle='It's';StreamUrl='x';", Some("It's")),
            (b"StreamTitle='a'; b';", Some("a'; b")),
            (b"StreamTitle='';\0\0", Some("")),
            (b"StreamTitle='cut off", Some("cut off")),
            (b"StreamTitle='no semicolon'\0", Some("no semicolon")),
            (b"streamtitle='case';", Some("case")),
            (b"StreamUrl='u';StreamTitle='behind';", Some("behind")),
            (b"StreamUrl='u';", None),
            ("StreamTitle='Motörhead';".as_bytes(), Some("Motörhead")),
            (
                b"StreamTitle='Mot\xF6rhead \x96 \x80';",
                Some("Motörhead – €"),
            ),
        ];
        for (text, want) in cases {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(title(text).as_deref(), want, "{shown}");
        }
    }

    #[test]
    fn a_server_that_announces_blocks_and_sends_none_loses_no_byte() {
        let body: Vec<u8> = (1..=250).cycle().take(20_000).collect();
        for step in [1, 7, 4096, 20_000] {
            let (sound, titles) = split(1000, &body, step);
            assert_eq!((sound == body, titles), (true, vec![]), "{step} at once");
        }
    }

    #[test]
    fn a_block_that_is_garbage_after_good_ones_is_dropped() {
        let good = block(b"StreamTitle='a';");
        let body = [b"11".as_slice(), &good, b"22", &block(&[0xFF; 20]), b"33"].concat();
        let (sound, titles) = split(2, &body, 3);
        assert_eq!(sound, b"112233");
        assert_eq!(titles, [(2, "a".to_owned())]);
    }

    #[test]
    fn only_headers_of_a_station_make_one() {
        let headers = |pairs: &[(&'static str, &'static [u8])]| {
            let value = |value: &&'static [u8]| {
                reqwest::header::HeaderValue::from_bytes(value).expect("a value")
            };
            let pairs = pairs
                .iter()
                .map(|(name, text)| (reqwest::header::HeaderName::from_static(name), value(text)));
            Station::of(&pairs.collect())
        };
        assert_eq!(headers(&[("content-type", b"audio/mpeg")]), None);
        let station = headers(&[
            ("icy-name", b"Caf\xE9"),
            ("icy-br", b"128"),
            ("icy-metaint", b" 16000"),
        ]);
        let want = Station {
            name: Some("Café".to_owned()),
            bit_rate: Some(BitRate(128_000)),
            interval: NonZeroU64::new(16_000),
        };
        assert_eq!(station, Some(want));
        let absurd = headers(&[("icy-br", b"128,128"), ("icy-metaint", b"0")]);
        assert_eq!(absurd, Some(Station::default()));
    }

    proptest! {
        #[test]
        fn sound_comes_out_byte_for_byte_in_any_chunks(
            sound in prop::collection::vec(any::<u8>(), 0..3000),
            every in 1_usize..400,
            step in 1_usize..500,
            texts in prop::collection::vec("[a-z ';=é]{0,60}", 1..20),
        ) {
            let (mut body, mut titles) = (Vec::new(), Vec::new());
            let parts = sound.chunks(every).zip(texts.iter().cycle());
            for (index, (part, text)) in parts.enumerate() {
                body.extend(part);
                if part.len() == every {
                    body.extend(block(format!("StreamTitle='{text}x';").as_bytes()));
                    titles.push(((index + 1) * every) as u64);
                }
            }
            let (out, found) = split(every as u64, &body, step);
            prop_assert_eq!(out, sound);
            let places: Vec<u64> = found.iter().map(|(at, _)| *at).collect();
            prop_assert_eq!(places, titles);
        }

        #[test]
        fn no_body_makes_it_fail_or_grow(
            body in prop::collection::vec(any::<u8>(), 0..9000),
            every in 1_u64..5000,
            step in 1_usize..5000,
        ) {
            let (sound, _) = split(every, &body, step);
            prop_assert!(sound.len() <= body.len());
        }
    }
}
