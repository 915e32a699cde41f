//! Dates of a media playlist: `#EXT-X-PROGRAM-DATE-TIME` and every
//! `#EXT-X-DATERANGE`. The crate keeps one range for each segment and panics at
//! a negative length, so it sees neither tag.

use std::collections::HashMap;

use crate::error::Problem;
use crate::hls::attributes::Attributes;
use crate::hls::repair::Repairs;
use crate::hls::sanitise::tag::{Tag, seconds};
use crate::limits;
use crate::units::MediaTime;

/// Where broadcasters write what is heard; there is no standard for it.
const TITLES: [&str; 5] = ["X-TITLE", "X-SONG", "X-SONG-TITLE", "X-TRACK", "X-NAME"];
const ARTISTS: [&str; 3] = ["X-ARTIST", "X-ARTIST-NAME", "X-PERFORMER"];
const MILLIS_PER_DAY: i64 = 86_400_000;
const MILLIS_PER_MINUTE: i64 = 60_000;

/// A stretch of time that the publisher says something about
/// (`#EXT-X-DATERANGE`, RFC 8216 section 4.3.2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// Names it across reloads of the playlist.
    pub id: String,
    /// When it begins: milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// How long it is, or is planned to be; `None` when nothing is said.
    pub duration: Option<MediaTime>,
    /// The publisher's name for its kind.
    pub class: Option<String>,
    /// What is heard, out of the client attributes that broadcasters use:
    /// `artist - title`. Text from outside, not yet made safe.
    pub title: Option<String>,
    /// The segment it stands before, counted from 0 in this playlist; their
    /// number when it stands behind the last.
    pub before: usize,
}

/// The date ranges of a playlist while it is read.
#[derive(Debug, Default)]
pub struct DateRanges<'a> {
    list: Vec<DateRange>,
    places: HashMap<&'a str, usize>,
}

impl<'a> DateRanges<'a> {
    /// Takes in one `#EXT-X-DATERANGE` that stands before segment `before`. A
    /// second tag with the same ID adds to the first, as the text has it.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Limit`] for a flood of attributes.
    pub fn read(
        &mut self,
        tag: Tag<'a>,
        before: usize,
        repairs: &mut Repairs,
    ) -> Result<(), Problem> {
        let attributes = tag.noted_attributes(repairs)?;
        let start = attributes.find("START-DATE").map(millis);
        let id = attributes.find("ID").filter(|id| !id.is_empty());
        let known = id.and_then(|id| self.places.get(id).copied());
        let (Some(id), Some(start_ms)) = (id, start.flatten().or(self.start_of(known))) else {
            repairs.note(tag.line, || {
                "a date range without an ID and a START-DATE that can be read: left out".to_owned()
            });
            return Ok(());
        };
        let range = DateRange {
            id: id.to_owned(),
            start_ms,
            duration: length(tag, &attributes, start_ms, repairs),
            class: attributes.find("CLASS").map(str::to_owned),
            title: title(&attributes),
            before,
        };
        if let Some(place) = known {
            self.list[place].add(range);
        } else if self.list.len() == limits::DATE_RANGES {
            repairs.note(tag.line, || "one date range too many: left out".to_owned());
        } else {
            self.places.insert(id, self.list.len());
            self.list.push(range);
        }
        Ok(())
    }

    /// All of them, in the order of their first tags.
    pub fn into_list(self) -> Vec<DateRange> {
        self.list
    }

    fn start_of(&self, place: Option<usize>) -> Option<i64> {
        place.map(|place| self.list[place].start_ms)
    }
}

impl DateRange {
    fn add(&mut self, later: Self) {
        self.duration = self.duration.or(later.duration);
        self.class = self.class.take().or(later.class);
        self.title = self.title.take().or(later.title);
    }
}

/// DURATION, else what END-DATE says, else what is planned.
fn length(
    tag: Tag<'_>,
    attributes: &Attributes<'_>,
    start_ms: i64,
    repairs: &mut Repairs,
) -> Option<MediaTime> {
    let mut stated = |name| {
        let text = attributes.find(name)?;
        let length = seconds(text);
        if length.is_none() {
            repairs.note(tag.line, || {
                format!("{name} is no length of time: left out")
            });
        }
        length
    };
    let (exact, planned) = (stated("DURATION"), stated("PLANNED-DURATION"));
    let end = attributes.find("END-DATE").and_then(millis);
    let until_end = end
        .and_then(|end| end.checked_sub(start_ms)?.checked_mul(1_000_000))
        .filter(|nanos| *nanos >= 0)
        .map(MediaTime::from_nanos);
    exact.or(until_end).or(planned)
}

fn title(attributes: &Attributes<'_>) -> Option<String> {
    let first = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| attributes.find(name));
        values.find(|value| !value.is_empty())
    };
    match (first(&ARTISTS), first(&TITLES)) {
        (Some(artist), Some(title)) => Some(format!("{artist} - {title}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

/// Milliseconds since 1970, UTC, of an ISO 8601 date and time such as
/// `2026-02-19T14:54:23.031+08:00`; a date without a zone is taken for UTC,
/// so that a playlist means the same on every machine.
pub fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let year = number(parts.next()?, 4)?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let of_day = time_of_day(clock)?;
    let days = days_since_1970(year, month, day);
    is_date.then_some(days * MILLIS_PER_DAY + of_day - zone_minutes(zone)? * MILLIS_PER_MINUTE)
}

/// Milliseconds of `hh:mm[:ss[.fraction]]`; a leap second is allowed.
fn time_of_day(clock: &str) -> Option<i64> {
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |text| number(text, 2))?;
    let thousandths = format!("{:0<3}", fraction.get(..fraction.len().min(3))?);
    let is_time = hour <= 24 && minute < 60 && second <= 60;
    let minutes = hour * 60 + minute;
    is_time.then_some(minutes * MILLIS_PER_MINUTE + second * 1000 + number(&thousandths, 3)?)
}

/// Minutes east of Greenwich of `Z`, `+hh`, `+hhmm`, `+hh:mm` or nothing.
fn zone_minutes(zone: &str) -> Option<i64> {
    let digits: String = zone.get(1..).unwrap_or_default().replace(':', "");
    let minutes = match digits.len() {
        0 => 0,
        2 => number(&digits, 2)? * 60,
        4 => number(digits.get(..2)?, 2)? * 60 + number(digits.get(2..)?, 2)?,
        _ => return None,
    };
    match zone.get(..1) {
        Some("-") => Some(-minutes),
        Some("+") if !digits.is_empty() => Some(minutes),
        Some("+") => None,
        _ => digits.is_empty().then_some(0),
    }
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 in the Gregorian calendar: years begin in March, so
/// that the leap day is their last (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_millisecond() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:00.001Z", Some(1)),
            ("2010-02-19T14:54:23.031+08:00", Some(1_266_562_463_031)),
            ("2010-02-19T06:54:23.031Z", Some(1_266_562_463_031)),
            ("2010-02-19T06:54:23.031", Some(1_266_562_463_031)),
            ("2010-02-19 14:54:23.0319999+0800", Some(1_266_562_463_031)),
            ("2010-02-18T23:54:23,031-07", Some(1_266_562_463_031)),
            ("2024-02-29T23:59:60Z", Some(1_709_251_200_000)),
            ("2000-03-01T00:00Z", Some(951_868_800_000)),
            ("1969-12-31T23:59:59.9Z", Some(-100)),
            ("2010-02-19", None),
            ("2010-13-19T00:00:00Z", None),
            ("2010-02-19T25:00:00Z", None),
            ("2010-02-19T06:54:23.x", None),
            ("2010-02-19T06:54:23+8", None),
            ("2010-02-19T06:54:23+", None),
            ("20100-02-19T06:54:23Z", None),
            ("2010-02-19T06:54:23.03é", None),
            ("T", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(millis(text), want, "{text}");
        }
    }
}
