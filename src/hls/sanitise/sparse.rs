//! What a media playlist states for few segments, in tables beside them: the
//! crate loses its place, and a field in each segment would cost more.

use crate::hls::repair::Repairs;
use crate::hls::sanitise::Tag;
use crate::units::{BitRate, MediaTime};

/// Dates, discontinuities and bit rates, by the segment they stand before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse {
    /// One entry for each `#EXT-X-DISCONTINUITY`.
    discontinuities: Vec<u32>,
    /// Milliseconds since 1970, UTC, of segments that state them.
    dates: Vec<(u32, i64)>,
    /// Each rate holds until the next.
    bit_rates: Vec<(u32, BitRate)>,
}

impl Sparse {
    /// `tags` discontinuities stand before segment `index`.
    pub fn push_discontinuities(&mut self, index: u32, tags: usize) {
        self.discontinuities
            .extend(std::iter::repeat_n(index, tags));
    }

    /// Segment `index` begins at `millis` since 1970, UTC.
    pub fn push_date(&mut self, index: u32, millis: i64) {
        self.dates.push((index, millis));
    }

    /// Takes in `#EXT-X-BITRATE`, in thousands of bits per second, which
    /// stands before segment `index` (draft-pantos-hls-rfc8216bis section 4.4.4.8).
    pub fn read_bit_rate(&mut self, tag: Tag<'_>, index: u32, repairs: &mut Repairs) {
        let Some(kilobits) = tag.value.parse::<u32>().ok() else {
            repairs.note(tag.line, || "the bit rate is no number: ignored".to_owned());
            return;
        };
        let rate = BitRate(u64::from(kilobits) * 1000);
        match self.bit_rates.last_mut() {
            Some((place, last)) if *place == index => *last = rate,
            Some((_, last)) if *last == rate => {}
            _ => self.bit_rates.push((index, rate)),
        }
    }

    /// Segment `index` becomes the first: forgets what is said before it and no
    /// longer holds. Returns how many discontinuities went. `start` is as in
    /// [`Sparse::date_at`].
    pub fn cut_before(&mut self, index: u32, start: impl Fn(u32) -> MediaTime) -> u64 {
        let is_dated = self.dates.first().is_some_and(|(place, _)| *place <= index);
        let date = self.date_at(index, start).filter(|_| is_dated);
        let rate = self.bit_rate_at(index);
        let gone = self.discontinuities.partition_point(|place| *place < index);
        self.discontinuities.drain(..gone);
        for place in &mut self.discontinuities {
            *place -= index;
        }
        self.dates = rebased(&self.dates, index, date);
        self.bit_rates = rebased(&self.bit_rates, index, rate);
        gone as u64
    }

    /// How many discontinuities stand before segment `index`.
    pub fn discontinuities_until(&self, index: u32) -> usize {
        self.discontinuities
            .partition_point(|place| *place <= index)
    }

    /// The bit rate in force at segment `index`.
    pub fn bit_rate_at(&self, index: u32) -> Option<BitRate> {
        let after = self.bit_rates.partition_point(|(place, _)| *place <= index);
        let (_, rate) = self.bit_rates.get(after.checked_sub(1)?)?;
        Some(*rate)
    }

    /// When segment `index` begins, in milliseconds since 1970, UTC: counted
    /// on from the last date stated before it, also across discontinuities, or
    /// back from the first one (RFC 8216 section 6.3.3). `start` tells where
    /// segments start in the playlist.
    pub fn date_at(&self, index: u32, start: impl Fn(u32) -> MediaTime) -> Option<i64> {
        let after = self.dates.partition_point(|(place, _)| *place <= index);
        let (place, millis) = self.dates.get(after.saturating_sub(1))?;
        let distance = start(index) - start(*place);
        Some(millis.saturating_add(distance.millis()))
    }
}

/// The rows from segment `index` on, counted from there, and what holds at it.
fn rebased<T: Copy>(rows: &[(u32, T)], index: u32, first: Option<T>) -> Vec<(u32, T)> {
    let after = rows.partition_point(|(place, _)| *place <= index);
    let rest = rows[after..]
        .iter()
        .map(|(place, row)| (*place - index, *row));
    first.map(|row| (0, row)).into_iter().chain(rest).collect()
}
