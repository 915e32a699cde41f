//! The low-latency tags that matter to a player of whole segments
//! (draft-pantos-hls-rfc8216bis section 4.4). Parts and hints are only noticed.

use crate::error::Problem;
use crate::hls::repair::Repairs;
use crate::hls::sanitise::tag::{Tag, seconds};
use crate::units::MediaTime;

/// What these tags say about the whole playlist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LowLatency {
    /// HOLD-BACK: how far from the end playing should begin.
    pub hold_back: Option<MediaTime>,
    /// SKIPPED-SEGMENTS: how many segments are not listed before the first.
    pub skipped: u64,
    /// Segments are also offered in parts.
    pub has_parts: bool,
    /// PART-TARGET: the longest a part may be.
    pub part_target: Option<MediaTime>,
}

impl LowLatency {
    /// Takes in a tag if it is one of these; `is_late` when segments came before it.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Limit`] for a flood of attributes.
    pub fn tag(
        &mut self,
        tag: Tag<'_>,
        is_late: bool,
        repairs: &mut Repairs,
    ) -> Result<(), Problem> {
        match tag.name {
            "EXT-X-SERVER-CONTROL" => self.hold_back = length(tag, "HOLD-BACK", repairs)?,
            "EXT-X-PART-INF" => self.part_target = length(tag, "PART-TARGET", repairs)?,
            // Never opened, so it does not matter where they lead.
            "EXT-X-PART" | "EXT-X-PRELOAD-HINT" => self.has_parts = true,
            "EXT-X-SKIP" => self.skip(tag, is_late, repairs)?,
            _ => {}
        }
        Ok(())
    }

    fn skip(&mut self, tag: Tag<'_>, is_late: bool, repairs: &mut Repairs) -> Result<(), Problem> {
        let attributes = tag.noted_attributes(repairs)?;
        let count = attributes.find("SKIPPED-SEGMENTS");
        match count.and_then(|count| count.parse::<u32>().ok()) {
            Some(count) if !is_late => self.skipped = count.into(),
            _ => repairs.note(tag.line, || {
                "the skipped segments are no number before the first segment: ignored".to_owned()
            }),
        }
        Ok(())
    }
}

/// The attribute `name`, in seconds, if it is there and can be read.
fn length(tag: Tag<'_>, name: &str, repairs: &mut Repairs) -> Result<Option<MediaTime>, Problem> {
    let attributes = tag.noted_attributes(repairs)?;
    let Some(text) = attributes.find(name) else {
        return Ok(None);
    };
    let length = seconds(text);
    if length.is_none() {
        repairs.note(tag.line, || {
            format!("{name} is no length of time: left out")
        });
    }
    Ok(length)
}
