//! The text of a playlist becomes values: [`parse`] is the one way in.
//! First the sanitiser repairs the text, then `hls_m3u8` types it.

use std::panic::{self, AssertUnwindSafe};

use crate::error::{Kind, Problem};
use crate::hls::media::{Media, Segments};
use crate::hls::multivariant::Multivariant;
pub use crate::hls::sanitise::common::Common;
use crate::hls::sanitise::common::Origin;
use crate::hls::sanitise::{self, Clean};
use crate::location::Location;
use crate::text;

const REPAIRS_KEPT: usize = 100; // enough to see what is wrong; a flood must not cost memory

/// A playlist of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Playlist {
    /// Lists variants of one stream.
    Multivariant(Multivariant),
    /// Lists the segments of one variant.
    Media(Media),
}

/// What came out of [`parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The playlist.
    pub playlist: Playlist,
    /// What had to be repaired before it could be read.
    pub repairs: Repairs,
    /// What holds in the media playlists it leads to as well.
    pub common: Common,
}

/// One thing in a playlist that breaks the rules and was put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The line it is about, from 1.
    pub line: u32,
    /// What was wrong and what it is taken for.
    pub what: String,
}

/// The repairs of one playlist: the first hundred, and how many more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// The first ones, in the order they were found.
    pub list: Vec<Repair>,
    /// How many are not in the list.
    pub more: usize,
}

impl Repairs {
    /// Notes a repair; `what` is built only if it is kept.
    pub fn note(&mut self, line: u32, what: impl FnOnce() -> String) {
        if self.list.len() == REPAIRS_KEPT {
            self.more += 1;
        } else {
            let what = what();
            self.list.push(Repair { line, what });
        }
    }
}

/// Reads the playlist that was found at `base` (after redirects), to which the
/// user led.
///
/// # Errors
///
/// As [`parse_under`].
pub fn parse(body: &[u8], base: &Location) -> Result<Parsed, Problem> {
    parse_under(body, base, None)
}

/// Reads the playlist that was found at `base` (after redirects), to which a
/// multivariant playlist led that says `parent`.
///
/// `body` is the decoded body. Every address in it that `base` may not lead to
/// is refused here, before anything is opened.
///
/// # Errors
///
/// [`Kind::NotAStream`] when it is no playlist, [`Kind::Malformed`] when it is
/// beyond repair, [`Kind::Limit`] above a cap of [`crate::limits`],
/// [`Kind::Unsafe`] when it leads where it may not, [`Kind::Unsupported`] when
/// it lists no sound.
pub fn parse_under(
    body: &[u8],
    base: &Location,
    parent: Option<&Common>,
) -> Result<Parsed, Problem> {
    let origin = Origin { base, parent };
    typed(body, origin).map_err(|problem| match problem.kind {
        Kind::Unsafe => problem, // already names the tag and its line
        _ => problem.during(format!("cannot read the playlist \"{base}\"")),
    })
}

fn typed(body: &[u8], origin: Origin<'_>) -> Result<Parsed, Problem> {
    let mut repairs = Repairs::default();
    let mut segments = Segments::default();
    let mut sink = |chunk: &_| segments.append(chunk);
    let clean = sanitise::sanitise(body, origin, &mut sink, &mut repairs)?;
    let (playlist, common) = match clean {
        Clean::Media(clean) => {
            let mut media = Media::of(*clean, segments, origin.base)?;
            let inherited = origin.parent.and_then(|parent| parent.start_offset);
            media.start_offset = media.start_offset.or(inherited);
            (Playlist::Media(media), Common::default())
        }
        Clean::Multivariant { clean, common } => {
            let multivariant = Multivariant::of(clean, origin.base)?;
            (Playlist::Multivariant(multivariant), common)
        }
    };
    Ok(Parsed {
        playlist,
        repairs,
        common,
    })
}

/// Runs the typing of `hls_m3u8`. The sanitiser is there so that it never
/// refuses or panics; should it, that is the playlist's fault and no crash.
///
/// # Errors
///
/// [`Kind::Malformed`] with the crate's reason.
pub fn guarded<T>(typing: impl FnOnce() -> Result<T, hls_m3u8::Error>) -> Result<T, Problem> {
    match panic::catch_unwind(AssertUnwindSafe(typing)) {
        Ok(Ok(typed)) => Ok(typed),
        Ok(Err(error)) => Err(malformed(text::safe(&error.to_string()))),
        Err(_) => Err(malformed("the parser gave up")),
    }
}

/// The playlist is beyond repair.
pub fn malformed(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Malformed,
        "cannot read the playlist",
        why,
        "tell its publisher",
    )
}

/// The playlist is above a cap of [`crate::limits`].
pub fn over_limit(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Limit,
        "cannot read the playlist",
        why,
        "do not trust this playlist",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_parser_is_a_problem() {
        let problem = guarded(|| -> Result<(), hls_m3u8::Error> { panic!("on purpose") });
        assert_eq!(problem, Err(malformed("the parser gave up")));
    }
}
