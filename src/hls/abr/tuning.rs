//! The numbers that decisions weigh with: one set for each kind of buffer,
//! found by search over network traces and checked on others
//! (docs/decisions.md).

use super::Situation;

/// Up to this many seconds a buffer is short.
const SHORT: f64 = 45.0;
/// Up to this many seconds it is one that other players have.
const USUAL: f64 = 120.0;

/// One set of numbers. Times in seconds, shares from 0 to 1 unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Seconds of transfer that the rate of the next seconds is taken from.
    pub window: f64,
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
    /// Media to be fetched in one rung before a higher one.
    pub patience: f64,
    /// How deep an outage is where none was seen, in seconds of media lacking.
    pub outage_depth: f64,
    /// What a second of silence costs against what the reserve does.
    pub outage_cost: f64,
    /// Media that is planned for.
    pub horizon: f64,
    /// Deviation of the logarithm of what the link will carry.
    pub deviation: f64,
    /// How much counts what media ahead at the end of the plan is worth.
    pub price: f64,
    /// How much switches count in the plan.
    pub switches: f64,
    /// Seconds of transfer of the rate later on.
    pub far_window: f64,
    /// How much that counts.
    pub far_weight: f64,
    /// Seconds of media after which it holds.
    pub turn: f64,
    /// How it follows the variation that was seen.
    pub deviation_bend: f64,
    /// How much of what time costs when fetching again.
    pub upgrade_price: f64,
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
    /// The share of what is above them that one fetch may take.
    pub upgrade_share: f64,
    /// Utility times seconds that it must gain.
    pub upgrade_gain: f64,
    /// How many times what one may take a whole run may take.
    pub upgrade_run: f64,
    /// How many times the lowest rung's fetch must still fit when one goes on.
    pub regret: f64,
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
    window: 5.47,
    pull: 1.88,
    pull_below: 6.48,
    long_weight: 0.201,
    long_window: 65.8,
    discount: 1.34,
    patience: 10.0,
    outage_depth: 16.0,
    outage_cost: 2.4,
    horizon: 60.0,
    deviation: 0.183,
    price: 1.9,
    switches: 1.11,
    far_window: 717.0,
    far_weight: 0.344,
    turn: 30.0,
    deviation_bend: 0.00167,
    upgrade_price: 1.53,
    first_share: 0.0328,
    first_highest: 0,
    belief: 0.908,
    switch_weight: 0.261,
    pessimism: 2.01,
    upgrade_share: 0.0859,
    upgrade_gain: 1.02,
    upgrade_run: 1.22,
    regret: 1.92,
};

/// Of a short buffer.
pub const BRIEF: Tuning = Tuning {
    window: 4.6,
    pull: 3.38,
    pull_below: 1.28,
    long_weight: 0.247,
    long_window: 59.9,
    discount: 1.17,
    patience: 9.66,
    outage_depth: 12.0,
    outage_cost: 1.76,
    horizon: 82.7,
    deviation: 0.188,
    price: 1.6,
    switches: 2.21,
    far_window: 505.0,
    far_weight: 0.324,
    turn: 22.3,
    deviation_bend: 0.0,
    upgrade_price: 1.85,
    first_share: 0.103,
    first_highest: 2,
    belief: 0.198,
    switch_weight: 0.272,
    pessimism: 1.16,
    upgrade_share: 0.137,
    upgrade_gain: 0.842,
    upgrade_run: 1.18,
    regret: 1.44,
};

/// Of one that other players have.
pub const USUALLY: Tuning = Tuning {
    window: 5.4,
    pull: 0.618,
    pull_below: 14.1,
    long_weight: 0.357,
    long_window: 61.4,
    discount: 1.1,
    patience: 9.56,
    outage_depth: 16.0,
    outage_cost: 1.35,
    horizon: 84.1,
    deviation: 0.2,
    price: 1.01,
    switches: 1.23,
    far_window: 535.0,
    far_weight: 0.223,
    turn: 21.2,
    deviation_bend: 0.15,
    upgrade_price: 1.83,
    first_share: 0.102,
    first_highest: 2,
    belief: 0.654,
    switch_weight: 0.439,
    pessimism: 0.997,
    upgrade_share: 0.139,
    upgrade_gain: 0.197,
    upgrade_run: 1.39,
    regret: 12.1,
};

/// The default look-ahead, on disk.
pub const DISK: Tuning = Tuning {
    window: 10.6,
    pull: 0.587,
    pull_below: 24.5,
    long_weight: 0.619,
    long_window: 96.9,
    discount: 1.0,
    patience: 15.0,
    outage_depth: 17.9,
    outage_cost: 1.2,
    horizon: 290.0,
    deviation: 0.35,
    price: 1.48,
    switches: 1.59,
    far_window: 278.0,
    far_weight: 0.72,
    turn: 5.72,
    deviation_bend: 0.261,
    upgrade_price: 2.0,
    first_share: 0.0423,
    first_highest: 2,
    belief: 0.337,
    switch_weight: 0.0832,
    pessimism: 1.32,
    upgrade_share: 0.1,
    upgrade_gain: 1.01,
    upgrade_run: 1.61,
    regret: 4.34,
};
