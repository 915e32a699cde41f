//! The numbers that decisions weigh with: one set for each kind of buffer,
//! found by search over network traces and checked on others
//! (docs/decisions.md).

use super::Situation;

/// A longer buffer needs no larger reserve. Seconds.
pub const LONGEST: f64 = 300.0;
/// Up to this many seconds a buffer is short.
const SHORT: f64 = 45.0;
/// Up to this many seconds it is one that other players have.
const USUAL: f64 = 120.0;

/// One set of numbers. Times in seconds, shares from 0 to 1 unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// The least transfer time that throughput is averaged over.
    pub window_min: f64,
    /// That time as a share of the buffer.
    pub window_share: f64,
    /// The most of it.
    pub window_max: f64,
    /// How much the last second alone counts when the buffer is empty.
    pub pull: f64,
    /// The buffer from which on it counts for nothing.
    pub pull_below: f64,
    /// How much the last minutes count.
    pub long_weight: f64,
    /// How many seconds of transfer these are.
    pub long_window: f64,
    /// The share of the estimate to reckon with.
    pub discount: f64,
    /// How much less of it where rates differ; negative for more.
    pub unsteady: f64,
    /// Media to be fetched in one rung before a higher one.
    pub patience: f64,
    /// Media that a rung above the link must last when gone up to.
    pub last_up: f64,
    /// Media that it must last when kept, or when the buffer is full.
    pub last_stay: f64,
    /// Media in which a rung below the link may yet fill the reserve.
    pub fill_up: f64,
    /// The same when kept.
    pub fill_stay: f64,
    /// The reserve that is always wanted.
    pub reserve: f64,
    /// What is wanted besides, as a share of the limit.
    pub reserve_share: f64,
    /// Seconds of it to be saved in each second heard.
    pub saving: f64,
    /// How the reserve falls with the rung: 0 not at all, 1 in a straight line.
    pub bend: f64,
    /// The share of the reserve that is enough to stay.
    pub stay: f64,
    /// The share of the limit from which on the buffer is full and is spent.
    pub full: f64,
    /// The share of what remains that is reserve enough.
    pub end: f64,
    /// A fetch must fit into the buffer this many times,
    pub safety: f64,
    /// with this much left.
    pub guard: f64,
    /// The first rung's share of what the playlists' transfers promise.
    pub first_share: f64,
    /// The highest rung to begin with.
    pub first_highest: usize,
    /// Seconds for which the estimate counts beside what a transfer shows itself.
    pub belief: f64,
    /// How much the switches count when a transfer might be given up.
    pub switch_weight: f64,
    /// How much longer its rest is expected to take than it seems.
    pub pessimism: f64,
    /// Reserves of the top rung above which segments are fetched again.
    pub upgrade_above: f64,
    /// The share of what is above them that one fetch may take.
    pub upgrade_share: f64,
    /// Utility times seconds that it must gain.
    pub upgrade_gain: f64,
}

impl Tuning {
    /// The set for a situation.
    pub fn of(now: &Situation) -> &'static Self {
        match now.limit {
            _ if now.is_live => &LIVE,
            limit if limit <= SHORT => &BRIEF,
            limit if limit <= USUAL => &USUALLY,
            _ => &DISK,
        }
    }
}

/// Of a live stream.
pub const LIVE: Tuning = Tuning {
    window_min: 10.1,
    window_share: 3.69,
    window_max: 282.0,
    pull: 0.819,
    pull_below: 4.81,
    long_weight: 0.0203,
    long_window: 55.4,
    discount: 1.38,
    unsteady: -0.256,
    patience: 6.77,
    last_up: 40.4,
    last_stay: 147.0,
    fill_up: 0.0,
    fill_stay: 11.5,
    reserve: 5.94,
    reserve_share: 0.13,
    saving: 1.49,
    bend: 5.37,
    stay: 0.178,
    full: 0.104,
    end: 0.283,
    safety: 1.5,
    guard: 0.472,
    first_share: 0.311,
    first_highest: 0,
    belief: 2.74,
    switch_weight: 0.735,
    pessimism: 2.76,
    upgrade_above: 0.109,
    upgrade_share: 0.414,
    upgrade_gain: 0.162,
};

/// Of a short buffer.
pub const BRIEF: Tuning = Tuning {
    window_min: 4.47,
    window_share: 0.178,
    window_max: 20.6,
    pull: 0.165,
    pull_below: 24.0,
    long_weight: 0.0925,
    long_window: 43.2,
    discount: 1.02,
    unsteady: 0.108,
    patience: 1.54,
    last_up: 400.0,
    last_stay: 15.7,
    fill_up: 6.26,
    fill_stay: 0.0,
    reserve: 8.97,
    reserve_share: 0.219,
    saving: 0.455,
    bend: 0.0765,
    stay: 0.511,
    full: 1.0,
    end: 0.651,
    safety: 1.11,
    guard: 0.654,
    first_share: 0.121,
    first_highest: 3,
    belief: 0.364,
    switch_weight: 0.0489,
    pessimism: 2.28,
    upgrade_above: 0.729,
    upgrade_share: 0.245,
    upgrade_gain: 0.437,
};

/// Of one that other players have.
pub const USUALLY: Tuning = Tuning {
    window_min: 5.42,
    window_share: 0.106,
    window_max: 2.0,
    pull: 0.746,
    pull_below: 3.29,
    long_weight: 0.476,
    long_window: 77.8,
    discount: 0.695,
    unsteady: -0.234,
    patience: 5.78,
    last_up: 48.3,
    last_stay: 2.93,
    fill_up: 43.3,
    fill_stay: 42.7,
    reserve: 0.961,
    reserve_share: 0.297,
    saving: 0.482,
    bend: 0.0,
    stay: 0.12,
    full: 1.0,
    end: 0.105,
    safety: 1.55,
    guard: 12.7,
    first_share: 0.0714,
    first_highest: 3,
    belief: 0.397,
    switch_weight: 0.238,
    pessimism: 0.999,
    upgrade_above: 0.268,
    upgrade_share: 0.135,
    upgrade_gain: 0.727,
};

/// The default look-ahead, on disk.
pub const DISK: Tuning = Tuning {
    window_min: 4.55,
    window_share: 0.309,
    window_max: 6.52,
    pull: 0.794,
    pull_below: 7.96,
    long_weight: 0.734,
    long_window: 111.0,
    discount: 0.506,
    unsteady: -0.755,
    patience: 24.0,
    last_up: 102.0,
    last_stay: 5.08,
    fill_up: 36.4,
    fill_stay: 28.7,
    reserve: 2.52,
    reserve_share: 0.243,
    saving: 0.0675,
    bend: 0.142,
    stay: 0.253,
    full: 0.525,
    end: 0.128,
    safety: 3.13,
    guard: 0.974,
    first_share: 0.0751,
    first_highest: 1,
    belief: 0.4,
    switch_weight: 0.577,
    pessimism: 0.939,
    upgrade_above: 1.5,
    upgrade_share: 0.073,
    upgrade_gain: 0.64,
};
