//! How a number was spread, in constant memory: counts in buckets whose width
//! is a 32nd of what they hold. A percentile is off by at most a 64th (1.6 %).

const SUB_BITS: u32 = 5; // 32 buckets an octave
const MOST: u64 = (1 << 40) - 1; // 12 days in microseconds; more is counted as this
const BUCKETS: usize = bucket(MOST) + 1;

/// How often a number had which value. Below 64 values are exact, above within
/// 1.6 %; least and greatest are always exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u32>, // of nothing until the first value comes
    total: u64,
    least: u64,
    greatest: u64,
}

/// Percentiles of a histogram, in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many values there were.
    pub count: u64,
    /// The least.
    pub least: u64,
    /// A tenth of them are not greater.
    pub p10: u64,
    /// Half of them are not greater.
    pub median: u64,
    /// Nine tenths of them are not greater.
    pub p90: u64,
    /// The greatest.
    pub greatest: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
            self.least = value;
        }
        let count = &mut self.counts[bucket(value)];
        *count = count.saturating_add(1);
        self.total += 1;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    /// The percentiles; none without a value.
    pub fn spread(&self) -> Option<Spread> {
        (self.total > 0).then(|| Spread {
            count: self.total,
            least: self.least,
            p10: self.percentile(10),
            median: self.percentile(50),
            p90: self.percentile(90),
            greatest: self.greatest,
        })
    }

    /// The value of the nearest rank: `percent` of all values are not greater.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.total.saturating_mul(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        let value = found.map_or(self.greatest, middle);
        value.clamp(self.least, self.greatest)
    }
}

/// Where a value is counted: by its leading six bits and how many follow them.
const fn bucket(value: u64) -> usize {
    let value = if value < MOST { value } else { MOST };
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(SUB_BITS + 1);
    // Small by MOST, so the cast loses nothing.
    ((shift as usize) << SUB_BITS) + (value >> shift) as usize
}

/// The middle of the values that are counted in `bucket`.
fn middle(bucket: usize) -> u64 {
    let shift = (bucket >> SUB_BITS).saturating_sub(1);
    let leading = bucket - (shift << SUB_BITS);
    ((leading as u64) << shift) + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn small_numbers_have_exact_percentiles_by_the_nearest_rank() {
        let cases: [(&[u64], [u64; 5]); 4] = [
            (&[7], [7, 7, 7, 7, 7]),
            (&[3, 1], [1, 1, 1, 3, 3]),
            (&[50, 10, 40, 20, 30], [10, 10, 30, 50, 50]),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 1, 5, 9, 10]),
        ];
        for (values, want) in cases {
            let spread = of(values.iter().copied()).spread().expect("values");
            let got = [
                spread.least,
                spread.p10,
                spread.median,
                spread.p90,
                spread.greatest,
            ];
            assert_eq!(got, want, "{values:?}");
            assert_eq!(spread.count, values.len() as u64);
        }
        assert_eq!(Histogram::default().spread(), None);
    }

    #[test]
    fn a_million_values_take_no_more_room_than_one() {
        let histogram = of(0..1_000_000);
        assert_eq!(histogram.counts.len(), BUCKETS);
        assert_eq!(BUCKETS, 1_152);
        let spread = histogram.spread().expect("values");
        assert_eq!((spread.count, spread.greatest), (1_000_000, 999_999));
        assert!(spread.median.abs_diff(499_999) <= 499_999 / 64);
    }

    #[test]
    fn what_is_beyond_the_last_bucket_is_counted_there() {
        let spread = of([u64::MAX, u64::MAX]).spread().expect("values");
        assert_eq!((spread.least, spread.median), (u64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn every_percentile_is_within_a_64th_of_the_true_one(
            mut values in prop::collection::vec(0..MOST, 1..200),
        ) {
            let histogram = of(values.iter().copied());
            values.sort_unstable();
            for percent in [10, 50, 90] {
                let rank = (values.len() * percent).div_ceil(100).max(1);
                let exact = values[rank - 1];
                let got = histogram.percentile(percent as u64);
                prop_assert!(got.abs_diff(exact) <= exact / 64, "{got} for {exact}");
            }
        }

        #[test]
        fn buckets_follow_each_other_without_a_hole(value in 0..MOST) {
            let (this, next) = (bucket(value), bucket(value + 1));
            prop_assert!(next == this || next == this + 1);
            prop_assert_eq!(bucket(middle(this)), this);
        }
    }
}
