//! The report of `stats -n`: several runs and their medians.

use serde::Serialize;

use super::Summary;

/// Several runs of one stream.
#[derive(Clone, Debug, Serialize)]
pub struct Runs {
    /// Always 1.
    pub schema: u32,
    /// Always `runs`.
    #[serde(rename = "type")]
    pub kind_of_line: &'static str,
    /// Each run, in order.
    pub runs: Vec<Run>,
    /// The medians of the runs that reached their end, of all when none did.
    pub median: Option<Figures>,
}

/// One run of several.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// How it ended: `ended`, `quit`, `signal` or `failed`.
    pub end: &'static str,
    /// Its report.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The figures of a run that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// From the start of the run to its first sound.
    pub startup_ms: f64,
    /// Sound the device took.
    pub played_ms: f64,
    /// Waits for data.
    pub rebuffers: f64,
    /// How long they lasted.
    pub rebuffer_ms: f64,
    /// Changes of variant.
    pub switches: f64,
    /// Bit rate of what was decoded.
    pub average_kbps_played: f64,
    /// Median of the segments, or of the file.
    pub first_byte_ms: Option<f64>,
    /// Median of the segments, or of the file.
    pub kbps: Option<f64>,
    /// Body bytes received.
    pub bytes: f64,
    /// Of these thrown away.
    pub wasted_bytes: f64,
    /// Median distance from the broadcast.
    pub latency_ms: Option<f64>,
}

impl Figures {
    /// Those of one run.
    pub fn of(summary: &Summary) -> Self {
        let media = summary.network.timing.iter();
        let media = media
            .filter(|one| ["segment", "file"].contains(&one.kind))
            .max_by_key(|one| one.bytes);
        let rebuffer = &summary.playback.rebuffer;
        Self {
            startup_ms: summary.startup.total_ms,
            played_ms: summary.playback.played_ms as f64,
            rebuffers: rebuffer.count as f64,
            rebuffer_ms: rebuffer.total_ms,
            switches: summary.abr.switches.len() as f64,
            average_kbps_played: summary.abr.average_kbps_played as f64,
            first_byte_ms: media.and_then(|one| Some(one.first_byte_ms?.median)),
            kbps: media.and_then(|one| Some(one.kbps?.median)),
            bytes: summary.network.bytes as f64,
            wasted_bytes: summary.network.wasted_bytes as f64,
            latency_ms: summary
                .live
                .latency_over_time_ms
                .map(|over| over.median as f64),
        }
    }

    /// Each figure's median over `runs`; none without a run.
    pub fn median(runs: &[Self]) -> Option<Self> {
        let each = |of: fn(&Self) -> f64| median(runs.iter().map(of).collect());
        let some = |of: fn(&Self) -> Option<f64>| median(runs.iter().filter_map(of).collect());
        Some(Self {
            startup_ms: each(|run| run.startup_ms)?,
            played_ms: each(|run| run.played_ms)?,
            rebuffers: each(|run| run.rebuffers)?,
            rebuffer_ms: each(|run| run.rebuffer_ms)?,
            switches: each(|run| run.switches)?,
            average_kbps_played: each(|run| run.average_kbps_played)?,
            first_byte_ms: some(|run| run.first_byte_ms),
            kbps: some(|run| run.kbps),
            bytes: each(|run| run.bytes)?,
            wasted_bytes: each(|run| run.wasted_bytes)?,
            latency_ms: some(|run| run.latency_ms),
        })
    }
}

/// The middle value, or the mean of the two that are.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some((values[middle - 1] + upper) / 2.0),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::tests::example;

    #[test]
    fn the_figures_of_a_run_are_those_of_its_report() {
        let mut summary = example();
        summary.network.timing.retain(|one| one.kind != "file");
        let want = Figures {
            startup_ms: 41.0,
            played_ms: 10_000.0,
            rebuffers: 1.0,
            rebuffer_ms: 2_500.0,
            switches: 1.0,
            average_kbps_played: 128.0,
            first_byte_ms: Some(20.224),
            kbps: Some(8_000.0),
            bytes: 1_000_001.0,
            wasted_bytes: 1_002.0,
            latency_ms: Some(10_112.0),
        };
        assert_eq!(Figures::of(&summary), want);
    }

    #[test]
    fn medians_are_taken_of_each_figure_by_itself() {
        let one = Figures::of(&example());
        let runs = [(30.0, None), (10.0, Some(5.0)), (20.0, Some(7.0))];
        let runs = runs.map(|(startup_ms, kbps)| Figures {
            startup_ms,
            kbps,
            ..one
        });
        let median = Figures::median(&runs).expect("three runs");
        assert_eq!((median.startup_ms, median.kbps), (20.0, Some(6.0)));
        assert_eq!(median.bytes, one.bytes);
        assert_eq!(Figures::median(&[]), None);
    }
}
