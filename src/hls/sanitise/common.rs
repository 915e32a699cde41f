//! What a multivariant playlist says for all the media playlists it leads to
//! (RFC 8216 section 4.3.5): its variables and where to begin.

use crate::error::Problem;
use crate::hls::repair::Repairs;
use crate::hls::sanitise::define::Variables;
use crate::hls::sanitise::{Line, Tag};
use crate::location::Location;
use crate::units::MediaTime;

/// The farthest that playing may begin from either end, in seconds: a hundred
/// years, so that it can be counted with.
const FARTHEST: f64 = 100.0 * 365.25 * 86_400.0;

/// Where a playlist comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Its address, after redirects.
    pub base: &'a Location,
    /// What the multivariant playlist that led to it says; `None` when none did.
    pub parent: Option<&'a Common>,
}

/// What holds in every media playlist of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// The variables that `#EXT-X-DEFINE:IMPORT` takes from.
    pub variables: Variables,
    /// Where to begin, unless the media playlist says it.
    pub start_offset: Option<StartOffset>,
}

/// Where the publisher wants playing to begin (`#EXT-X-START`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartOffset {
    /// From the start of the playlist, or from its end when negative.
    pub offset: MediaTime,
    /// To the sample, not only to the segment.
    pub is_precise: bool,
}

impl Common {
    /// What the lines of a multivariant playlist say.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Limit`] for a flood of attributes.
    pub fn read<'a>(
        mut lines: impl Iterator<Item = Line<'a>>,
        variables: Variables,
        repairs: &mut Repairs,
    ) -> Result<Self, Problem> {
        let start = lines.find_map(|line| Tag::of(line).filter(|tag| tag.name == "EXT-X-START"));
        let start_offset = match start {
            Some(tag) => StartOffset::read(tag, repairs)?,
            None => None,
        };
        Ok(Self {
            variables,
            start_offset,
        })
    }
}

impl StartOffset {
    /// Reads `#EXT-X-START`. The crate keeps the offset in 24 bits, too few
    /// for the sample of a long playlist, so it never sees the tag.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Limit`] for a flood of attributes.
    pub fn read(tag: Tag<'_>, repairs: &mut Repairs) -> Result<Option<Self>, Problem> {
        let attributes = tag.noted_attributes(repairs)?;
        let offset = attributes.find("TIME-OFFSET").unwrap_or_default();
        let seconds = offset.parse::<f64>().ok();
        let Some(seconds) = seconds.filter(|seconds| seconds.abs() <= FARTHEST) else {
            repairs.note(tag.line, || {
                "the start offset is no number: left out".to_owned()
            });
            return Ok(None);
        };
        Ok(Some(Self {
            offset: MediaTime::from_seconds(seconds),
            is_precise: attributes.is_yes("PRECISE"),
        }))
    }
}
