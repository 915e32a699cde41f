//! Which rate and channels a device is opened with. Pure numbers, no device.

use std::ops::RangeInclusive;

use crate::limits;
use crate::units::{ChannelCount, SampleRate, Spec};

const USUAL_RATES: [u32; 2] = [48_000, 44_100]; // the native rate of most hardware first

/// One combination a device takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Samples per frame.
    pub channels: usize,
    /// Frames per second.
    pub rates: RangeInclusive<u32>,
}

/// The layout nearest to `wanted` among `ranges`: its channels, else stereo, else
/// the next count; its rate, else a usual one, else the nearest. `None` when the
/// device takes nothing we play.
pub(super) fn fit(ranges: &[Range], wanted: Spec) -> Option<Spec> {
    let channels = fit_channels(ranges, wanted.channels.count())?;
    let rates: Vec<_> = ranges
        .iter()
        .filter(|range| range.channels == channels)
        .map(|range| &range.rates)
        .collect();
    Some(Spec {
        rate: fit_rate(&rates, wanted.rate.hertz())?,
        channels: ChannelCount::new(channels)?,
    })
}

fn fit_channels(ranges: &[Range], wanted: usize) -> Option<usize> {
    let playable = 1..=usize::from(limits::CHANNELS);
    let offered = || {
        let counts = ranges.iter().map(|range| range.channels);
        counts.filter(|count| playable.contains(count))
    };
    [wanted, 2]
        .into_iter()
        .find(|&count| offered().any(|offer| offer == count))
        .or_else(|| offered().min_by_key(|&offer| offer.abs_diff(wanted)))
}

fn fit_rate(rates: &[&RangeInclusive<u32>], wanted: u32) -> Option<SampleRate> {
    let usual = [wanted].into_iter().chain(USUAL_RATES);
    let nearest = rates
        .iter()
        .filter(|range| !range.is_empty())
        .map(|range| wanted.clamp(*range.start(), *range.end()))
        .min_by_key(|&rate| rate.abs_diff(wanted));
    usual
        .filter(|rate| rates.iter().any(|range| range.contains(rate)))
        .chain(nearest)
        .find_map(SampleRate::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(hertz: u32, channels: usize) -> Spec {
        Spec {
            rate: SampleRate::new(hertz).expect("an allowed rate"),
            channels: ChannelCount::new(channels).expect("an allowed count"),
        }
    }

    fn range(channels: usize, rates: RangeInclusive<u32>) -> Range {
        Range { channels, rates }
    }

    #[test]
    fn the_layout_of_the_source_wins_where_the_device_takes_it() {
        let open: Vec<_> = (1..32).map(|count| range(count, 1..=384_000)).collect();
        let card = [range(2, 44_100..=44_100), range(2, 48_000..=48_000)];
        let old_card = [range(2, 44_100..=44_100)];
        let surround = [range(6, 48_000..=48_000), range(8, 48_000..=96_000)];
        let odd = [range(2, 12_345..=12_345), range(64, 48_000..=48_000)];
        let cases = [
            (&open[..], spec(96_000, 6), Some(spec(96_000, 6))),
            (&open, spec(768_000, 1), Some(spec(48_000, 1))),
            (&card, spec(44_100, 2), Some(spec(44_100, 2))),
            (&card, spec(96_000, 1), Some(spec(48_000, 2))),
            (&card, spec(96_000, 6), Some(spec(48_000, 2))),
            (&old_card, spec(48_000, 2), Some(spec(44_100, 2))),
            (&surround, spec(44_100, 2), Some(spec(48_000, 6))),
            (&surround, spec(88_200, 8), Some(spec(88_200, 8))),
            (&odd, spec(44_100, 2), Some(spec(12_345, 2))),
            (&odd[1..], spec(44_100, 2), None),
            (&[], spec(44_100, 2), None),
        ];
        for (ranges, wanted, want) in cases {
            assert_eq!(fit(ranges, wanted), want, "{ranges:?} {wanted:?}");
        }
    }

    #[test]
    fn absurd_ranges_are_no_layout() {
        let ranges = [
            range(0, 48_000..=48_000),
            range(2, RangeInclusive::new(9, 1)),
            range(2, 1..=5),
        ];
        assert_eq!(fit(&ranges, spec(44_100, 2)), None);
    }
}
