//! The text of a playlist becomes values: [`parse`] is the one way in.
//! First the sanitiser repairs the text, then `hls_m3u8` types it.

use crate::error::{Kind, Problem};
use crate::hls::media::{Media, Segments};
use crate::hls::multivariant::Multivariant;
use crate::hls::repair::Repairs;
pub use crate::hls::sanitise::common::Common;
use crate::hls::sanitise::common::Origin;
use crate::hls::sanitise::{self, Clean};
use crate::location::Location;

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
