//! The report of a run as text: one screen of 80 columns. What it leaves out is
//! in the JSON form.

use super::over_time::sketch;
use super::schema::{Spread, Stage, Stall, Summary, Switch, Timing};
use crate::text;

const WIDTH: usize = 80;
const LABEL: usize = 12; // columns of the longest label and a blank
const STAGES: usize = 6; // the longest; two in a line
const SWITCHES: usize = 2; // the last

impl Summary {
    /// The report for people.
    pub fn table(&self) -> String {
        let url = text::short_url(&self.url);
        let mut rows = vec![("stream", format!("{url}, {}", self.kind))];
        rows.extend(self.startup().into_iter().map(|text| ("startup", text)));
        rows.push(("playback", self.playback()));
        rows.extend(self.underruns().map(|text| ("underruns", text)));
        rows.extend(self.seeks().map(|text| ("seeks", text)));
        rows.extend(self.longest_stall().map(|text| ("stall", text)));
        rows.push(("variants", self.variants()));
        let late = self.abr.switches.len().saturating_sub(SWITCHES);
        rows.extend(
            self.abr.switches[late..]
                .iter()
                .map(|one| ("switch", switch(one))),
        );
        rows.extend(self.live().map(|text| ("live", text)));
        rows.extend(self.requests().into_iter().map(|text| ("requests", text)));
        rows.extend([
            ("network", self.network()),
            ("link", self.link()),
            ("ahead", self.ahead()),
        ]);
        rows.extend(self.ahead_over_time().map(|text| ("ahead", text)));
        rows.extend([
            ("cache", self.cache()),
            ("decode", self.decode()),
            ("process", self.process()),
        ]);
        lines(&rows)
    }

    /// How long it took, and the stages that took longest, in their order.
    fn startup(&self) -> Vec<String> {
        let stages = &self.startup.stages;
        let took = |stage: &Stage| stage.t1_ms - stage.t0_ms;
        let mut times: Vec<f64> = stages.iter().map(took).collect();
        times.sort_by(|one, other| other.total_cmp(one));
        let least = times.get(STAGES - 1).copied().unwrap_or_default();
        let longest: Vec<_> = stages.iter().filter(|stage| took(stage) >= least).collect();
        let cell = |stage: &&Stage| {
            format!(
                "{:<18} {:>6.1} {:>6.1}  ",
                stage.name,
                stage.t0_ms,
                took(stage)
            )
        };
        let mut rows = vec![format!(
            "{:.1} ms to first sound; stages in ms: began at, took",
            self.startup.total_ms
        )];
        let pairs = longest[..longest.len().min(STAGES)].chunks(2);
        rows.extend(pairs.map(|pair| pair.iter().map(cell).collect()));
        rows
    }

    fn playback(&self) -> String {
        let rebuffer = &self.playback.rebuffer;
        format!(
            "{:.1} s played, {} rebuffers of {:.0} ms ({:.1} %), {} underruns",
            self.playback.played_ms as f64 / 1000.0,
            rebuffer.count,
            rebuffer.total_ms,
            rebuffer.ratio * 100.0,
            self.playback.underruns.len(),
        )
    }

    /// How many of each cause.
    fn underruns(&self) -> Option<String> {
        let count = |cause: &&str| {
            let list = self.playback.underruns.iter();
            list.filter(|underrun| underrun.cause == *cause).count()
        };
        let causes = ["network", "disk", "decode", "scheduler"];
        let named: Vec<_> = causes
            .iter()
            .map(|cause| (cause, count(cause)))
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| format!("{count} {cause}"))
            .collect();
        (!named.is_empty()).then(|| named.join(", "))
    }

    /// How many, and how long the longest took.
    fn seeks(&self) -> Option<String> {
        let seeks = &self.playback.seeks;
        let longest = seeks.iter().map(|seek| seek.latency_ms);
        let longest = longest.reduce(f64::max)?;
        let cached = seeks.iter().filter(|seek| seek.cached).count();
        let count = seeks.len();
        Some(format!(
            "{count}, {cached} in the cache, {longest:.0} ms at most"
        ))
    }

    fn longest_stall(&self) -> Option<String> {
        let list = self.playback.rebuffer.stalls.iter();
        list.max_by(|one, other| one.duration_ms.total_cmp(&other.duration_ms))
            .map(stall)
    }

    fn variants(&self) -> String {
        let variants = &self.abr.variants;
        let decodable = variants.iter().filter(|variant| variant.decodable).count();
        format!(
            "{} ({decodable} decodable), {} switches, {} kbit/s played on average",
            variants.len(),
            self.abr.switches.len(),
            self.abr.average_kbps_played,
        )
    }

    /// Only of a stream without end.
    fn live(&self) -> Option<String> {
        let is_live = ["hls-live", "hls-event"].contains(&self.kind);
        let latency = match self.live.latency_over_time_ms {
            Some(over) => {
                let seconds = [over.min, over.median, over.max].map(|ms| ms as f64 / 1000.0);
                let [min, median, max] = seconds;
                format!("{min:.1} to {max:.1} s behind (median {median:.1})")
            }
            None => "it states no dates".to_owned(),
        };
        is_live.then(|| {
            format!(
                "{latency}, {} reloads, {} ms lost",
                self.live.reloads, self.live.lost_ms
            )
        })
    }

    fn requests(&self) -> Vec<String> {
        if self.network.timing.is_empty() {
            return vec!["none".to_owned()];
        }
        let mut rows = vec![
            format!("{:>46}{:>22}", "to first byte, ms", "after it, kbit/s"),
            format!(
                "{:>14}{:>9}{:>7}{:>7}{:>7}{:>8}{:>8}{:>8}",
                "n", "bytes", "p10", "p50", "p90", "p10", "p50", "p90"
            ),
        ];
        rows.extend(self.network.timing.iter().map(timing));
        rows
    }

    fn network(&self) -> String {
        let network = &self.network;
        let why: Vec<_> = network.wasted.iter().map(|wasted| wasted.cause).collect();
        let why = match why.is_empty() {
            true => String::new(),
            false => format!(" ({})", why.join(", ")),
        };
        format!(
            "{} received, {} wasted{why}, {} failed or given up",
            bytes(network.bytes),
            bytes(network.wasted_bytes),
            network.timing.iter().map(|one| one.failed).sum::<u64>(),
        )
    }

    fn link(&self) -> String {
        let network = &self.network;
        let took = network.connect_ms.map_or(String::new(), |spread| {
            format!(" in {:.1} ms (median)", spread.median)
        });
        format!(
            "estimate {} kbit/s, {} connections{took}, {} retries",
            network.estimate_kbps, network.connections, network.retries
        )
    }

    fn ahead(&self) -> String {
        let (Some(ahead), Some(pcm)) = (&self.buffer.ahead_ms, &self.buffer.pcm_ms) else {
            return "nothing was played".to_owned();
        };
        let [least, mean, most] = [ahead.min, ahead.mean, ahead.max].map(|ms| ms as f64 / 1000.0);
        format!(
            "{least:.1} to {most:.1} s, {mean:.1} s on average; decoded {} to {} ms",
            pcm.min, pcm.max
        )
    }

    /// A line of how full the buffer was.
    fn ahead_over_time(&self) -> Option<String> {
        let points = &self.buffer.over_time.ahead_ms;
        (points.len() > 1).then(|| sketch(points, WIDTH - LABEL))
    }

    fn cache(&self) -> String {
        format!(
            "{} hit, {} missed, {} evicted, opened in {:.3} ms",
            bytes(self.cache.hit_bytes),
            bytes(self.cache.miss_bytes),
            bytes(self.cache.evicted_bytes),
            self.cache.open_us as f64 / 1000.0,
        )
    }

    fn decode(&self) -> String {
        let output = &self.output;
        format!(
            "{}, {:.0} times real time, {} errors; {}, {} Hz, {} channels",
            self.decode.codec.unwrap_or("no codec"),
            self.decode.speed_x,
            self.decode.errors,
            output.device,
            output.rate,
            output.channels,
        )
    }

    fn process(&self) -> String {
        let process = &self.process;
        format!(
            "{} at most, {:.0} ms of processor, {} threads",
            bytes(process.peak_rss_bytes),
            process.cpu_ms,
            process.threads,
        )
    }
}

/// A label stands in front of the first of its rows. The address alone may be
/// longer than a line.
fn lines(rows: &[(&str, String)]) -> String {
    let mut last = "";
    let mut out = String::new();
    for (label, text) in rows {
        let shown = if *label == last { "" } else { label };
        last = label;
        let line = format!("{shown:LABEL$}{}", text.trim_end());
        out += &match *label {
            "stream" => line,
            _ => clipped(&line),
        };
        out.push('\n');
    }
    out
}

fn clipped(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        None => line.to_owned(),
        Some(_) => line.chars().take(WIDTH - 1).chain(['…']).collect(),
    }
}

fn stall(stall: &Stall) -> String {
    let mut text = format!(
        "{:.0} ms at {:.1} s: {}",
        stall.duration_ms,
        stall.pos_ms as f64 / 1000.0,
        stall.cause
    );
    if let Some(request) = &stall.waited_for {
        text += &match request.segment {
            Some(segment) => format!(", segment {segment}"),
            None => format!(", {}", request.kind),
        };
        text += &match (&request.failure, request.first_byte_ms) {
            (Some(why), _) => format!(" ({why})"),
            (None, Some(first)) => {
                let last = request.total_ms;
                format!(" (first byte {first:.0}, last {last:.0} ms)")
            }
            (None, None) => String::new(),
        };
    }
    text
}

fn switch(switch: &Switch) -> String {
    format!(
        "{:.1} s, {} to {}, {}",
        switch.pos_ms as f64 / 1000.0,
        switch.from,
        switch.to,
        switch.reason
    )
}

fn timing(timing: &Timing) -> String {
    let cells = |spread: Option<Spread>, width: usize, decimals: usize| match spread {
        None => format!("{:>width$}", "-").repeat(3),
        Some(spread) => [spread.p10, spread.median, spread.p90]
            .map(|value| format!("{value:>width$.decimals$}"))
            .concat(),
    };
    format!(
        "{:<9}{:>5}{:>9}{}{}",
        timing.kind,
        timing.count,
        bytes(timing.bytes),
        cells(timing.first_byte_ms, 7, 1),
        cells(timing.kbps, 8, 0),
    )
}

/// `1.2 MB`; decimal units, as networks and disks are sold.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests;
