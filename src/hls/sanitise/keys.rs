//! `#EXT-X-KEY` in order: which key is in force at which segment. The crate
//! forgets the order and refuses unknown methods, so it never sees these tags.

use crate::error::Problem;
use crate::hls::repair::{self, Repairs};
use crate::hls::sanitise::Tag;
use crate::limits;
use crate::location::Location;

const FORMATS: usize = 16; // key systems offered side by side; real playlists have up to four
const IDENTITY: &str = "identity";
const IV_DIGITS: usize = 32;

/// A key as the playlist states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// How segments are encrypted.
    pub method: Method,
    /// Where the key is, relative to the playlist; `data:` is allowed.
    pub uri: String,
    /// The initialisation vector; without one it is the segment's number.
    pub iv: Option<[u8; 16]>,
    /// The KEYFORMAT of a DRM system; `None` is `identity`: the key itself lies
    /// at the URI.
    pub format: Option<String>,
    /// The line of the tag, for messages.
    pub line: u32,
}

/// The METHOD of a key. `NONE` is no key at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Whole segments in AES-128 CBC with PKCS7 padding.
    Aes128,
    /// Anything else, by its name.
    Other(String),
}

impl Key {
    /// Whether both say the same, wherever they stand.
    fn is_same(&self, other: &Self) -> bool {
        let line = self.line;
        *self
            == Self {
                line,
                ..other.clone()
            }
    }

    fn preference(&self) -> u8 {
        match (&self.method, &self.format) {
            (Method::Aes128, None) => 0,
            (Method::Other(_), None) => 1,
            (Method::Aes128 | Method::Other(_), Some(_)) => 2,
        }
    }
}

/// The keys of a playlist while it is read.
#[derive(Debug, Default)]
pub struct Keys {
    list: Vec<Key>,
    /// One index for each KEYFORMAT in force.
    active: Vec<usize>,
}

impl Keys {
    /// Takes in one `#EXT-X-KEY` of a playlist at `base`.
    ///
    /// # Errors
    ///
    /// A method, a URI or an IV that cannot be read is
    /// [`crate::error::Kind::Malformed`]: never is an encrypted segment taken
    /// for a clear one.
    pub fn read(
        &mut self,
        tag: Tag<'_>,
        base: &Location,
        repairs: &mut Repairs,
    ) -> Result<(), Problem> {
        let Some(key) = read_key(tag, base, repairs)? else {
            self.active.clear();
            return Ok(());
        };
        let before = self
            .active
            .iter()
            .position(|&index| self.list[index].format == key.format);
        if let Some(place) = before {
            let index = self.active.remove(place);
            if self.list[index].is_same(&key) {
                self.active.push(index);
                return Ok(());
            }
        }
        if self.list.len() == limits::PLAYLIST_SEGMENTS {
            let cap = limits::PLAYLIST_SEGMENTS;
            return Err(repair::over_limit(format!("it has more than {cap} keys")));
        }
        if self.active.len() == FORMATS {
            repairs.note(tag.line, || "one key format too many: ignored".to_owned());
            return Ok(());
        }
        self.active.push(self.list.len());
        self.list.push(key);
        Ok(())
    }

    /// The key to use now, among those offered side by side: AES-128 with
    /// format `identity` before all others.
    pub fn in_force(&self) -> Option<u32> {
        let best = |index: &&usize| self.list[**index].preference();
        let index = self.active.iter().min_by_key(best)?;
        u32::try_from(*index).ok()
    }

    /// All keys, in the order of their tags.
    pub fn into_list(self) -> Vec<Key> {
        self.list
    }
}

fn read_key(tag: Tag<'_>, base: &Location, repairs: &mut Repairs) -> Result<Option<Key>, Problem> {
    let attributes = tag.noted_attributes(repairs)?;
    let stated = attributes.find("METHOD");
    let stated = stated.ok_or_else(|| tag.malformed("has no METHOD"))?;
    if stated.bytes().any(|byte| byte.is_ascii_lowercase()) {
        repairs.note(tag.line, || "METHOD is not in capitals".to_owned());
    }
    let method = match stated.to_ascii_uppercase().as_str() {
        "NONE" => return Ok(None),
        "AES-128" => Method::Aes128,
        _ => Method::Other(stated.to_owned()),
    };
    let format = attributes
        .find("KEYFORMAT")
        .filter(|format| !format.eq_ignore_ascii_case(IDENTITY));
    let uri = attributes.find("URI").unwrap_or_default();
    if format.is_none() {
        check_uri(tag, uri, base)?;
    }
    let iv = match attributes.find("IV") {
        Some(text) if format.is_none() => Some(read_iv(tag, text, repairs)?),
        Some(_) | None => None,
    };
    Ok(Some(Key {
        method,
        uri: uri.to_owned(),
        iv,
        format: format.map(str::to_owned),
        line: tag.line,
    }))
}

/// A `data:` URI opens nothing; keys of other formats are never fetched.
fn check_uri(tag: Tag<'_>, uri: &str, base: &Location) -> Result<(), Problem> {
    if uri.is_empty() {
        return Err(tag.malformed("has no URI"));
    }
    let is_data = uri
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if is_data {
        return Ok(());
    }
    base.admits(uri).map_err(|problem| tag.refused(problem))
}

/// A number of up to 128 bits in hexadecimal; a short one is filled up in front.
fn read_iv(tag: Tag<'_>, text: &str, repairs: &mut Repairs) -> Result<[u8; 16], Problem> {
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let number = digits
        .filter(|digits| digits.len() <= IV_DIGITS && !digits.starts_with('+'))
        .and_then(|digits| Some((digits.len(), u128::from_str_radix(digits, 16).ok()?)));
    let (length, number) =
        number.ok_or_else(|| tag.malformed("has an IV that is no 128-bit number"))?;
    if length < IV_DIGITS {
        repairs.note(tag.line, || {
            "the IV is short: filled up with zeros in front".to_owned()
        });
    }
    Ok(number.to_be_bytes())
}
