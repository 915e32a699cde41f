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
    window_min: 14.0,
    window_share: 3.85,
    window_max: 182.0,
    pull: 0.699,
    pull_below: 1.98,
    long_weight: -0.0938,
    long_window: 54.7,
    discount: 1.2,
    unsteady: -0.377,
    patience: 6.0,
    last_up: 43.9,
    last_stay: 136.0,
    fill_up: 0.0,
    fill_stay: 0.0,
    reserve: 1.61,
    reserve_share: 0.106,
    saving: 1.0,
    bend: 5.13,
    stay: 0.223,
    full: 0.0896,
    end: 0.31,
    safety: 1.63,
    guard: 0.756,
    first_share: 0.435,
    first_highest: 0,
    belief: 0.4,
    switch_weight: 0.581,
    pessimism: 1.37,
    upgrade_above: 0.223,
    upgrade_share: 0.524,
    upgrade_gain: 0.299,
};

/// Up to [`SHORT`].
pub const BRIEF: Tuning = Tuning {
    window_min: 2.48,
    window_share: 0.0808,
    window_max: 18.8,
    pull: 0.15,
    pull_below: 6.58,
    long_weight: 0.403,
    long_window: 93.5,
    discount: 1.0,
    unsteady: -0.172,
    patience: 6.0,
    last_up: 162.0,
    last_stay: 36.4,
    fill_up: 0.0,
    fill_stay: 8.22,
    reserve: 1.68,
    reserve_share: 0.365,
    saving: 1.0,
    bend: 0.322,
    stay: 0.0992,
    full: 1.0,
    end: 0.172,
    safety: 0.863,
    guard: 0.934,
    first_share: 0.147,
    first_highest: 2,
    belief: 0.4,
    switch_weight: 0.183,
    pessimism: 0.915,
    upgrade_above: 0.678,
    upgrade_share: 0.202,
    upgrade_gain: 0.778,
};

/// Up to [`USUAL`].
pub const USUALLY: Tuning = Tuning {
    window_min: 9.36,
    window_share: 0.441,
    window_max: 8.15,
    pull: 1.0,
    pull_below: 7.12,
    long_weight: 0.545,
    long_window: 157.0,
    discount: 0.533,
    unsteady: -0.232,
    patience: 6.0,
    last_up: 105.0,
    last_stay: 4.76,
    fill_up: 28.5,
    fill_stay: 27.8,
    reserve: 3.34,
    reserve_share: 0.25,
    saving: 0.12,
    bend: 0.25,
    stay: 0.298,
    full: 1.0,
    end: 0.232,
    safety: 1.64,
    guard: 1.29,
    first_share: 0.124,
    first_highest: 1,
    belief: 0.4,
    switch_weight: 0.494,
    pessimism: 1.27,
    upgrade_above: 1.78,
    upgrade_share: 0.0679,
    upgrade_gain: 0.598,
};

/// The default look-ahead, on disk.
pub const DISK: Tuning = Tuning {
    window_min: 8.63,
    window_share: 0.329,
    window_max: 7.94,
    pull: 0.894,
    pull_below: 8.37,
    long_weight: 0.647,
    long_window: 111.0,
    discount: 0.446,
    unsteady: -0.666,
    patience: 6.0,
    last_up: 97.6,
    last_stay: 6.63,
    fill_up: 37.2,
    fill_stay: 26.2,
    reserve: 1.95,
    reserve_share: 0.267,
    saving: 0.0929,
    bend: 0.15,
    stay: 0.383,
    full: 0.561,
    end: 0.151,
    safety: 2.94,
    guard: 1.0,
    first_share: 0.105,
    first_highest: 1,
    belief: 0.4,
    switch_weight: 0.521,
    pessimism: 0.951,
    upgrade_above: 1.75,
    upgrade_share: 0.0675,
    upgrade_gain: 0.558,
};
