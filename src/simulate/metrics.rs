//! How good a session was: the measures of the papers, for audio.

use serde::Serialize;

use super::playback::Playback;

/// A switch costs its difference in utility for this many seconds.
const SWITCH: f64 = 4.0;
/// A second of silence costs the top level for this many seconds.
const SILENCE: f64 = 4.0;
/// Kilobits per second at which quality is 63 % of all there is.
const ENOUGH: f64 = 48.0;

/// Measures of one session.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Utility less what switches and silence cost, per second (log form of the MPC paper).
    pub qoe: f64,
    /// From 1 to 5; its shape only.
    pub mos: f64,
    /// Mean logarithm of the rate over the lowest.
    pub utility: f64,
    /// Mean rate of what was heard.
    pub mean_kbps: f64,
    /// Changes of the variant that were heard.
    pub switches: usize,
    /// The same per minute.
    pub switches_per_min: f64,
    /// Seconds of silence after the first sound.
    pub stall_s: f64,
    /// How often it fell silent.
    pub stalls: usize,
    /// Silence over silence and media.
    pub rebuffer_ratio: f64,
    /// Seconds before the first sound.
    pub startup_s: f64,
    /// Bytes that came.
    pub bytes: u64,
    /// Bytes that came and were not heard.
    pub wasted_bytes: u64,
    /// Requests that were given up.
    pub aborts: usize,
    /// Segments that came again and were heard.
    pub replaced: usize,
}

impl Metrics {
    /// From the level and length of each part that was heard, in order.
    pub fn heard(rates: &[f64], parts: &[(usize, f64)], playback: &Playback) -> Self {
        let utility: Vec<f64> = rates.iter().map(|rate| (rate / rates[0]).ln()).collect();
        let top = if rates.len() > 1 {
            utility[rates.len() - 1]
        } else {
            1.0
        };
        let total: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
        let sum = |value: &dyn Fn(usize) -> f64| -> f64 {
            parts
                .iter()
                .map(|(level, seconds)| value(*level) * seconds)
                .sum()
        };
        let gained = sum(&|level| utility[level]);
        let steps = parts
            .windows(2)
            .map(|pair| (utility[pair[0].0] - utility[pair[1].0]).abs());
        let switched: f64 = steps.sum();
        let switches = parts
            .windows(2)
            .filter(|pair| pair[0].0 != pair[1].0)
            .count();
        // Folded: the sum of nothing is a negative zero.
        let stalls = playback.stalls.iter().map(|(_, seconds)| seconds);
        let stall = stalls.fold(0.0, |all, one| all + one);
        let stalls = playback.stalls.len();
        let start = playback.started.unwrap_or(f64::INFINITY);
        let quality = sum(&|level| 1.0 - (-rates[level] / ENOUGH).exp()) / total;
        let disturbed =
            (-(stalls as f64) / 9.0 - stall / total / 0.1 - (start - 1.0).max(0.0) / 60.0).exp();
        Self {
            qoe: (gained - SWITCH * switched - SILENCE * top * (stall + start)) / total,
            mos: 1.0 + 4.0 * quality * disturbed,
            utility: gained / total,
            mean_kbps: sum(&|level| rates[level]) / total,
            switches,
            switches_per_min: switches as f64 * 60.0 / total,
            stall_s: stall,
            stalls,
            rebuffer_ratio: stall / (stall + total),
            startup_s: start,
            ..Self::default()
        }
    }
}
