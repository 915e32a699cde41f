//! The tags of a media playlist that are about all of it, each said once and
//! before the first segment, whatever the order they came in.

use std::fmt::Write as _;

use crate::error::{Kind, Problem};
use crate::hls::repair::Repairs;
use crate::hls::sanitise::common::StartOffset;
use crate::hls::sanitise::{Tag, check_version};
use crate::limits;

const LONGEST_TARGETS: f64 = 10.0; // an EXTINF above ten target durations is a mistake
const SEQUENCE_MAX: u64 = u64::MAX >> 1; // room to count on from

/// What these tags say.
#[derive(Debug, Default)]
pub struct Header {
    /// The target duration and its line.
    target: Option<(u64, u32)>,
    sequence: u64,
    discontinuity_sequence: u64,
    kind: Option<&'static str>,
    start: Option<StartOffset>,
    ended: bool,
}

impl Header {
    /// Takes in a tag that is not about a segment; `is_late` when segments came
    /// before it.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] for a list of pictures, [`Kind::Limit`] for a flood
    /// of attributes.
    pub fn tag(
        &mut self,
        tag: Tag<'_>,
        is_late: bool,
        repairs: &mut Repairs,
    ) -> Result<(), Problem> {
        match tag.name {
            "EXT-X-TARGETDURATION" => self.target_duration(tag, repairs),
            "EXT-X-MEDIA-SEQUENCE" => self.sequence = sequence_number(tag, repairs),
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.discontinuity_sequence = sequence_number(tag, repairs);
                if is_late {
                    repairs.note(tag.line, || {
                        "the discontinuity sequence stands behind the first segment".to_owned()
                    });
                }
            }
            "EXT-X-PLAYLIST-TYPE" => self.playlist_type(tag, repairs),
            "EXT-X-START" => self.start = StartOffset::read(tag, repairs)?,
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-VERSION" => check_version(tag, repairs),
            "EXT-X-I-FRAMES-ONLY" => return Err(only_pictures(tag)),
            _ => {} // unknown tags are ignored (RFC 8216 section 6.3.1)
        }
        Ok(())
    }

    /// Where to begin, which the crate is not told.
    pub fn start_offset(&self) -> Option<StartOffset> {
        self.start
    }

    /// Whether nothing will be added.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The longest EXTINF that is believed, in seconds.
    pub fn longest_segment(&self) -> f64 {
        match self.target {
            Some((seconds, _)) => (seconds as f64 * LONGEST_TARGETS).min(limits::SEGMENT_SECONDS),
            None => limits::SEGMENT_SECONDS,
        }
    }

    /// The strict form; `longest_seconds` is the longest EXTINF there was, which
    /// the target duration must not be below.
    pub fn written(&self, longest_seconds: f64, repairs: &mut Repairs) -> String {
        // The rule is about EXTINF rounded to the nearest second (RFC 8216
        // section 4.3.3.1). Within a day, so the cast keeps the number.
        let longest = longest_seconds.round().max(1.0) as u64;
        let (stated, line) = self.target.unwrap_or((0, 1));
        let target = stated.max(longest);
        if stated != target {
            repairs.note(line, || {
                format!("the target duration is missing or too short: taken for {target}")
            });
        }
        let mut out = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            self.sequence, self.discontinuity_sequence
        );
        if let Some(kind) = self.kind {
            // Writing into a string cannot fail.
            let _ = writeln!(out, "#EXT-X-PLAYLIST-TYPE:{kind}");
        }
        if self.ended {
            out.push_str("#EXT-X-ENDLIST\n");
        }
        out
    }

    fn target_duration(&mut self, tag: Tag<'_>, repairs: &mut Repairs) {
        let stated = tag.value.parse::<f64>().ok();
        let Some(stated) = stated.filter(|seconds| !seconds.is_nan()) else {
            repairs.note(tag.line, || {
                "the target duration is no number: ignored".to_owned()
            });
            return;
        };
        let seconds = stated.ceil().clamp(1.0, limits::SEGMENT_SECONDS);
        if seconds != stated || !is_decimal(tag.value) {
            repairs.note(tag.line, || {
                format!("the target duration is no whole number of seconds: taken for {seconds}")
            });
        }
        // Within 1 and a day: the cast keeps the number.
        self.target = Some((seconds as u64, tag.line));
    }

    fn playlist_type(&mut self, tag: Tag<'_>, repairs: &mut Repairs) {
        self.kind = ["VOD", "EVENT"]
            .into_iter()
            .find(|kind| tag.value.eq_ignore_ascii_case(kind));
        if self.kind != Some(tag.value) {
            repairs.note(tag.line, || {
                let taken = self.kind.unwrap_or("none");
                format!("the playlist type is not VOD or EVENT: taken for {taken}")
            });
        }
    }
}

fn sequence_number(tag: Tag<'_>, repairs: &mut Repairs) -> u64 {
    let stated = tag.value.parse().ok().filter(|_| is_decimal(tag.value));
    let number = stated.unwrap_or(0).min(SEQUENCE_MAX);
    if stated != Some(number) {
        repairs.note(tag.line, || {
            format!("the sequence number is none that can be counted: taken for {number}")
        });
    }
    number
}

fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn only_pictures(tag: Tag<'_>) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the playlist",
        format!("line {} says it lists pictures (I-frames) only", tag.line),
        "choose another variant",
    )
}
