//! A network trace as a link: capacity and round trip by piecewise constant
//! steps that repeat, with exact integrals.

use crate::error::{Kind, Problem};

/// A link that carries what a trace says, again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// When each step begins, and the last ends.
    times: Vec<f64>,
    /// Bits per second of each step.
    rates: Vec<f64>,
    /// Seconds of round trip of each step.
    trips: Vec<f64>,
    /// Bits carried before each step.
    carried: Vec<f64>,
}

impl Trace {
    /// Reads `seconds kbps [rtt_ms]` lines; those that begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when it is no trace, [`Kind::NoData`] when it carries nothing.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            rows.push(row(line).ok_or_else(|| {
                refused(&format!(
                    "line {} is no \"seconds kbps [rtt_ms]\"",
                    number + 1
                ))
            })?);
        }
        let is_ordered = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
        match rows.first() {
            Some((start, ..)) if *start == 0.0 && rows.len() >= 2 && is_ordered => {
                Self::from_rows(&rows)
            }
            _ => Err(refused(
                "its times do not ascend from 0, or it has less than two lines",
            )),
        }
    }

    fn from_rows(rows: &[(f64, f64, f64)]) -> Result<Self, Problem> {
        let mut carried = vec![0.0];
        for pair in rows.windows(2) {
            let before = carried[carried.len() - 1];
            carried.push(before + (pair[1].0 - pair[0].0) * pair[0].1 * 1000.0);
        }
        let steps = &rows[..rows.len() - 1];
        let trace = Self {
            times: rows.iter().map(|row| row.0).collect(),
            rates: steps.iter().map(|row| row.1 * 1000.0).collect(),
            trips: steps.iter().map(|row| row.2 / 1000.0).collect(),
            carried,
        };
        if trace.all() <= 0.0 {
            return Err(Problem::new(
                Kind::NoData,
                "cannot use the trace",
                "it carries nothing",
                "use another one",
            ));
        }
        Ok(trace)
    }

    fn length(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    fn all(&self) -> f64 {
        self.carried[self.carried.len() - 1]
    }

    fn step(&self, time: f64) -> usize {
        let after = self.times.partition_point(|start| *start <= time);
        after.saturating_sub(1).min(self.rates.len() - 1)
    }

    /// The round trip of a request at `time`.
    pub fn trip(&self, time: f64) -> f64 {
        self.trips[self.step(time.rem_euclid(self.length()))]
    }

    /// Bits carried until `time`.
    pub fn bits(&self, time: f64) -> f64 {
        let rounds = (time / self.length()).floor();
        let rest = time - rounds * self.length();
        let step = self.step(rest);
        rounds * self.all() + self.carried[step] + (rest - self.times[step]) * self.rates[step]
    }

    /// The earliest moment by which `bits` were carried.
    pub fn when(&self, bits: f64) -> f64 {
        let mut rounds = (bits / self.all()).floor();
        let mut rest = bits - rounds * self.all();
        if rest <= 0.0 && rounds > 0.0 {
            rounds -= 1.0;
            rest = self.all();
        }
        let step = self
            .carried
            .partition_point(|before| *before < rest)
            .saturating_sub(1);
        let step = step.min(self.rates.len() - 1);
        let rate = self.rates[step];
        let inside = if rate > 0.0 {
            (rest - self.carried[step]) / rate
        } else {
            0.0
        };
        rounds * self.length() + self.times[step] + inside
    }
}

fn row(line: &str) -> Option<(f64, f64, f64)> {
    let mut words = line.split_whitespace();
    let mut number = || words.next().map(str::parse::<f64>);
    let (seconds, kbps) = (number()?.ok()?, number()?.ok()?);
    let trip = number().unwrap_or(Ok(50.0)).ok()?;
    let is_sane = |value: &f64| value.is_finite() && *value >= 0.0;
    [seconds, kbps, trip]
        .iter()
        .all(is_sane)
        .then_some((seconds, kbps, trip))
}

fn refused(why: &str) -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot read the trace",
        why.to_owned(),
        "see the manual for the format",
    )
}
