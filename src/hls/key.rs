//! Keys (`#EXT-X-KEY`): loaded once for each address, held for all segments
//! and variants, and turned into the cipher of a segment. Nothing here shows a
//! key: not in a message, not in a log.

mod data;
mod preload;
mod ring;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::hls::media::{Key, Media, Method};
use crate::location::Location;
use crate::media::Cipher;
use crate::store::{Store, Text, Wanted};
use crate::text::safe;

pub use preload::{Preload, Preloads};
pub use ring::{Ring, State};

const KEY_BYTES: usize = 16;
/// Key systems whose names say nothing to people, and what they are called.
const SYSTEMS: [(&str, &str); 4] = [
    ("com.apple.streamingkeydelivery", "FairPlay"),
    ("com.microsoft.playready", "PlayReady"),
    ("urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95", "PlayReady"),
    ("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", "Widevine"),
];
const TELL: &str = "tell the publisher of the stream";

/// Why segments of `media` cannot be decrypted, if so, before any key or
/// segment is asked for.
///
/// # Errors
///
/// [`Kind::Encryption`] naming the method or the key system, or the IV that is
/// missing.
pub fn refuse_undecipherable(media: &Media) -> Result<(), Problem> {
    let mut before = None;
    for segment in media.segments() {
        if segment.key != before {
            before = segment.key;
            before.map_or(Ok(()), |key| refuse_foreign(&media.keys[key]))?;
        }
    }
    for key in media.maps.iter().filter_map(|map| map.key) {
        refuse_foreign(&media.keys[key])?;
        init_iv(&media.keys[key])?;
    }
    Ok(())
}

/// Refuses what only a key system can decrypt, or nobody knows how to.
///
/// # Errors
///
/// [`Kind::Encryption`] naming the method and the key system.
pub fn refuse_foreign(key: &Key) -> Result<(), Problem> {
    let method = match (&key.method, &key.format) {
        (Method::Aes128, None) => return Ok(()),
        (Method::Aes128, Some(_)) => "AES-128",
        (Method::Other(method), _) => method,
    };
    let how = match &key.format {
        None => safe(method),
        Some(format) => match system(format) {
            Some(name) => format!("{} by {name}, \"{format}\"", safe(method)),
            None => format!("{} by \"{}\"", safe(method), safe(format)),
        },
    };
    let why = format!("its segments are encrypted ({how})");
    let todo = "only AES-128 with a key of its own can be played";
    Err(Problem::new(
        Kind::Encryption,
        "cannot play the stream",
        why,
        todo,
    ))
}

fn system(format: &str) -> Option<&'static str> {
    let is_it = |(id, _): &&(&str, &str)| id.eq_ignore_ascii_case(format);
    SYSTEMS.iter().find(is_it).map(|(_, name)| *name)
}

/// How the segments of `media` are encrypted, for people: `none`, `aes-128`,
/// another method in lower case, or the KEYFORMAT of a key system.
pub fn encryption(media: &Media) -> String {
    let mut names = Vec::new();
    let mut before = None;
    for segment in media.segments().filter(|segment| segment.key.is_some()) {
        if segment.key != before {
            before = segment.key;
            names.extend(before.map(|key| short_name(&media.keys[key])));
        }
    }
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => "none".to_owned(),
        false => safe(&names.join(", ")),
    }
}

fn short_name(key: &Key) -> String {
    match (&key.format, &key.method) {
        (Some(format), _) => format.clone(),
        (None, Method::Aes128) => "aes-128".to_owned(),
        (None, Method::Other(method)) => method.to_lowercase(),
    }
}

/// The initialisation vector of segment `number`: the one the tag states, else
/// the number as 128 bits, big-endian (RFC 8216 section 5.2).
pub fn segment_iv(key: &Key, number: u64) -> [u8; 16] {
    key.iv.unwrap_or(u128::from(number).to_be_bytes())
}

/// The initialisation vector of an initialisation section, which has no number.
///
/// # Errors
///
/// [`Kind::Encryption`] when the tag states none (RFC 8216 section 4.3.2.5
/// requires it). Players guess, each another number: refused.
pub fn init_iv(key: &Key) -> Result<[u8; 16], Problem> {
    key.iv.ok_or_else(|| {
        let why = format!(
            "the #EXT-X-KEY in line {} encrypts an init section and states no IV",
            key.line
        );
        Problem::new(Kind::Encryption, "cannot play the stream", why, TELL)
    })
}

/// Where the bytes of a key are.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// In the playlist itself (`data:`).
    Inline([u8; KEY_BYTES]),
    /// To be fetched.
    At(Location),
}

impl Address {
    /// What the URI of `key` means in a playlist at `base`.
    ///
    /// # Errors
    ///
    /// [`Kind::Encryption`] when the URI holds something else than a key, and
    /// those of [`Location::join`].
    pub fn of(key: &Key, base: &Location) -> Result<Self, Problem> {
        let Some(data) = data::bytes_of(&key.uri) else {
            return base.join(&key.uri).map(Self::At);
        };
        let what = format!("cannot use the key in line {}", key.line);
        let bytes = data.ok_or_else(|| {
            let why = "its data: URI cannot be read";
            Problem::new(Kind::Encryption, what.clone(), why, TELL)
        })?;
        sixteen(&bytes)
            .map(Self::Inline)
            .ok_or_else(|| Problem::new(Kind::Encryption, what, not_a_key(&bytes), TELL))
    }
}

impl fmt::Display for Address {
    /// The name of the key in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("the key in the playlist"),
            Self::At(location) => write!(f, "the key {location}"),
        }
    }
}

impl fmt::Debug for Address {
    /// Never shows the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a segment can be decrypted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Its key is on its way.
    Shut,
    /// It is clear, or this undoes its encryption.
    Open(Option<Cipher>),
}

/// Whether a key is kept with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// No: the stream is live, it will not be played again.
    Never,
    /// Unless the server forbids it or the disk refuses.
    WhenPossible,
    /// That is what the run is for.
    Always,
}

/// Loads the key at `wanted`, which `preload` may have brought. When it is to be kept in any case and the server
/// forbids it, that is a warning.
///
/// # Errors
///
/// The server's refusal after retries; [`Kind::Encryption`] when what came is
/// no key, saying what it looks like; [`Kind::Cache`] when it is to be kept in
/// any case and the disk refuses.
pub async fn load(
    store: &Store,
    wanted: &Wanted,
    preload: Option<Preload>,
    keeping: Keeping,
    events: &Events,
) -> Result<[u8; KEY_BYTES], Problem> {
    let preloaded = match preload {
        Some(preload) => preload.text().await,
        None => None,
    };
    let text = match preloaded {
        Some(text) => text,
        None => fetch(store, wanted).await?,
    };
    let Some(key) = sixteen(&text.bytes) else {
        let what = format!("cannot use the key {}", wanted.location);
        let (why, todo) = (not_a_key(&text.bytes), todo(&text.bytes));
        return Err(Problem::new(Kind::Encryption, what, why, todo));
    };
    if keeping != Keeping::Never {
        keep(store, &text, keeping)?;
    }
    if keeping == Keeping::Always && text.no_store {
        events.send(Event::Warning(forbidden(wanted)));
    }
    Ok(key)
}

/// What is at the address of a key.
async fn fetch(store: &Store, wanted: &Wanted) -> Result<Text, Problem> {
    store.key(wanted).await.map_err(|problem| match problem {
        Problem {
            kind: Kind::Limit,
            why,
            ..
        } => {
            let what = format!("cannot use the key {}", wanted.location);
            let why = format!("{why}, and a key has {KEY_BYTES}");
            Problem::new(Kind::Encryption, what, why, TELL)
        }
        problem => problem,
    })
}

fn keep(store: &Store, text: &Text, keeping: Keeping) -> Result<(), Problem> {
    match store.keep(text) {
        Err(problem) if keeping == Keeping::Always => Err(problem),
        Err(problem) => {
            tracing::warn!("{problem}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// What a key is asked for with, in a playlist of variant `rung`.
pub fn wanted(location: Location, rung: usize) -> Wanted {
    Wanted {
        variant: Some(rung),
        ..Wanted::whole(location, RequestKind::Key)
    }
}

fn forbidden(wanted: &Wanted) -> Problem {
    let what = format!("cannot keep the key {}", wanted.location);
    let why = "the server forbids it (Cache-Control: no-store)";
    Problem::new(Kind::Cache, what, why, "the stream will not play offline")
}

fn sixteen(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    bytes.try_into().ok()
}

/// What came in place of a key, without showing any of it.
fn not_a_key(bytes: &[u8]) -> String {
    let count = match bytes.len() {
        0 => "nothing came".to_owned(),
        1 => "1 byte came".to_owned(),
        count => format!("{count} bytes came"),
    };
    let looks = match bytes.trim_ascii() {
        text if is_web_page(text) => ", a web page (HTML),",
        text if text.len() == 2 * KEY_BYTES && text.iter().all(u8::is_ascii_hexdigit) => {
            ", a key in hexadecimal digits,"
        }
        text if text.len() == 24
            && data::base64(text).is_some_and(|key| key.len() == KEY_BYTES) =>
        {
            ", a key in base64,"
        }
        [b'{' | b'[', ..] => ", it looks like JSON,",
        _ => "",
    };
    format!("{count}{looks} where a key has {KEY_BYTES} bytes")
}

fn todo(bytes: &[u8]) -> &'static str {
    match is_web_page(bytes.trim_ascii()) {
        true => "log in or ask for a fresh link",
        false => TELL,
    }
}

fn is_web_page(text: &[u8]) -> bool {
    text.first() == Some(&b'<')
}
