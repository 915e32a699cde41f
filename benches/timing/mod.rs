//! How long work takes, for every bench that prints medians.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The time of one run of `work`.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}

/// The middle one of `times`.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
