//! The clock of transport streams, which packed audio borrows: 90,000 ticks a
//! second in 33 bits, so that it wraps every 26.5 hours (ISO/IEC 13818-1).

use std::num::NonZeroU32;

use crate::units::MediaTime;

/// Ticks a second.
pub const TICKS_PER_SECOND: NonZeroU32 = NonZeroU32::new(90_000).expect("not zero");
const WRAP: i64 = 1 << 33;

/// The moment that `ticks` mean: of all that are whole wraps apart, the one
/// nearest to `near`. Without it they are taken as they stand.
pub fn unfold(ticks: u64, near: Option<MediaTime>) -> MediaTime {
    let ticks = i64::try_from(ticks).unwrap_or(0).rem_euclid(WRAP);
    let near = near.map_or(ticks, |near| near.ticks(TICKS_PER_SECOND));
    let wraps = near
        .saturating_sub(ticks)
        .saturating_add(WRAP / 2)
        .div_euclid(WRAP);
    MediaTime::from_ticks(
        ticks.saturating_add(wraps.saturating_mul(WRAP)),
        TICKS_PER_SECOND,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_clock_is_unfolded_to_where_it_is_expected() {
        let last = (1 << 33) - 1;
        let cases = [
            (900_000, None, 900_000),
            (last, None, last),
            (0, Some(last), 1 << 33),
            (last, Some(1 << 33), last),
            (5, Some(7 << 33), 5 + (7 << 33)),
            (5, Some((7 << 33) - (1 << 31)), 5 + (7 << 33)),
            (last, Some(0), -1),
            (1 << 32, Some(0), 1 << 32),
        ];
        for (ticks, near, want) in cases {
            let near = near.map(|near| MediaTime::from_ticks(near, TICKS_PER_SECOND));
            let time = unfold(u64::try_from(ticks).expect("positive"), near);
            assert_eq!(time.ticks(TICKS_PER_SECOND), want, "{ticks} near {near:?}");
        }
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        for near in [MediaTime::MAX, MediaTime::from_nanos(i64::MIN)] {
            let off = (unfold(0, Some(near)) - near).seconds().abs();
            assert!(off < 50_000.0, "{near:?}: {off} s");
        }
    }
}
