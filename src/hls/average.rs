//! A mean over recent values, weighted by how long each was the case.

/// An exponentially weighted mean that forgets half in `half_life` of weight
/// and does not lean towards its start (as Shaka's `Ewma`).
#[derive(Clone, Debug)]
pub struct Average {
    half_life: f64,
    sum: f64,
    weight: f64,
}

impl Average {
    /// Nothing was added yet; `half_life` is in the unit of the weights.
    pub fn new(half_life: f64) -> Self {
        Self {
            half_life,
            sum: 0.0,
            weight: 0.0,
        }
    }

    /// Adds `value`, which counts for `weight`.
    pub fn add(&mut self, value: f64, weight: f64) {
        let kept = 0.5_f64.powf(weight / self.half_life);
        self.sum = self.sum * kept + value * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
    }

    /// The mean; `None` before the first value.
    pub fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_forgotten_in_a_half_life() {
        let mut average = Average::new(3.0);
        assert_eq!(average.value(), None);
        average.add(100.0, 0.001);
        assert_eq!(average.value().map(f64::round), Some(100.0));
        average.add(100.0, 300.0);
        average.add(0.0, 3.0);
        assert_eq!(average.value().map(f64::round), Some(50.0));
    }

    #[test]
    fn many_short_values_count_as_one_long_one() {
        let (mut many, mut one) = (Average::new(9.0), Average::new(9.0));
        for average in [&mut many, &mut one] {
            average.add(10.0, 5.0);
        }
        (0..100).for_each(|_| many.add(70.0, 0.04));
        one.add(70.0, 4.0);
        let near = |average: &Average| average.value().map(|value| (value * 1e6).round());
        assert_eq!(near(&many), near(&one));
    }
}
