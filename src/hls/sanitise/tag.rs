//! One tag of a playlist, and the values that several tags have.

use crate::error::Problem;
use crate::hls::attributes::Attributes;
use crate::hls::repair::{self, Repairs};
use crate::hls::sanitise::lines::Line;
use crate::limits;
use crate::text;
use crate::units::MediaTime;

/// What is noted of a line that is padded.
pub const PADDED: &str = "white space where there may be none: ignored";
const VERSION_KNOWN: u32 = 13; // draft-pantos-hls-rfc8216bis

/// A line that begins with `#EXT`, taken apart at its colon.
#[derive(Clone, Copy, Debug)]
pub struct Tag<'a> {
    /// The line it stands in.
    pub line: u32,
    /// Without the `#`.
    pub name: &'a str,
    /// What follows the colon, trimmed.
    pub value: &'a str,
    /// White space stands around the line or the colon.
    pub is_padded: bool,
}

impl<'a> Tag<'a> {
    pub(super) fn of(line: Line<'a>) -> Option<Self> {
        let tag = line.text.strip_prefix('#')?;
        if !tag.starts_with("EXT") {
            return None;
        }
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        let (trimmed_name, trimmed) = (name.trim_end(), value.trim_start());
        let is_spaced = trimmed_name.len() != name.len() || trimmed.len() != value.len();
        Some(Self {
            line: line.number,
            name: trimmed_name,
            value: trimmed,
            is_padded: line.is_padded || is_spaced,
        })
    }

    pub(super) fn attributes(self) -> Result<Attributes<'a>, Problem> {
        Attributes::read(self.value, self.line)
    }

    /// The same; what breaks the grammar of attribute lists is noted.
    pub(super) fn noted_attributes(self, repairs: &mut Repairs) -> Result<Attributes<'a>, Problem> {
        let attributes = self.attributes()?;
        if let Some(flaw) = attributes.flaw() {
            repairs.note(self.line, || text::safe(&flaw));
        }
        Ok(attributes)
    }

    /// A problem of `kind` that this tag is the cause of.
    pub(super) fn refused(self, problem: Problem) -> Problem {
        problem.during(format!("cannot follow line {} (#{})", self.line, self.name))
    }

    pub(super) fn malformed(self, why: &str) -> Problem {
        repair::malformed(format!("#{} in line {} {why}", self.name, self.line))
    }
}

/// Notes what is odd about `#EXT-X-VERSION`; the crate never sees it, as it
/// refuses every number above 7.
pub fn check_version(tag: Tag<'_>, repairs: &mut Repairs) {
    match tag.value.parse::<u32>() {
        Ok(version) if version <= VERSION_KNOWN => {}
        Ok(version) => repairs.note(tag.line, || {
            format!("version {version} is newer than {VERSION_KNOWN}: read as far as it is known")
        }),
        Err(_) => repairs.note(tag.line, || "the version is no number".to_owned()),
    }
}

/// A length in decimal seconds, from 0 to a day.
pub fn seconds(text: &str) -> Option<MediaTime> {
    let seconds = text.parse::<f64>().ok()?;
    (0.0..=limits::SEGMENT_SECONDS)
        .contains(&seconds)
        .then(|| MediaTime::from_seconds(seconds))
}
