//! The report of a run as text: at most 25 aligned lines with units.

use super::schema::{Level, Stage, Summary};
use crate::text;

const STAGES_IN_A_LINE: usize = 2;
const LABEL: usize = 12; // columns of the longest label and a blank

impl Summary {
    /// The report for people.
    pub fn table(&self) -> String {
        let mut rows = vec![
            (
                "stream",
                format!("{}, {}", text::short_url(&self.url), self.kind),
            ),
            (
                "startup",
                format!("{:.1} ms to first sound", self.startup.total_ms),
            ),
        ];
        let stages = self.startup.stages.chunks(STAGES_IN_A_LINE);
        rows.extend(stages.map(|pair| ("", pair.iter().map(stage).collect())));
        rows.extend([("playback", self.playback()), ("variants", self.variants())]);
        rows.extend(self.last_switch().map(|text| ("last switch", text)));
        rows.extend(self.live().map(|text| ("live", text)));
        rows.extend([
            ("network", self.network()),
            ("requests", self.requests()),
            ("ahead", level(self.buffer.ahead_ms.as_ref(), "on disk")),
            ("pcm", level(self.buffer.pcm_ms.as_ref(), "decoded")),
            ("cache", self.cache()),
            ("copies", self.copies()),
            ("decode", self.decode()),
            ("output", self.output()),
            ("process", self.process()),
        ]);
        let line = |(label, text): (&str, String)| format!("{label:LABEL$}{}\n", text.trim_end());
        rows.into_iter().map(line).collect()
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

    fn last_switch(&self) -> Option<String> {
        let last = self.abr.switches.last()?;
        Some(format!(
            "{} to {} at {:.1} s: {} (buffer {:.1} s, estimate {} kbit/s)",
            last.from,
            last.to,
            last.pos_ms as f64 / 1000.0,
            last.reason,
            last.buffer_ms as f64 / 1000.0,
            last.estimate_kbps,
        ))
    }

    fn network(&self) -> String {
        let network = &self.network;
        format!(
            "{} received, {} wasted, estimate {} kbit/s, {} connections, {} retries",
            bytes(network.bytes),
            bytes(network.wasted_bytes),
            network.estimate_kbps,
            network.connections,
            network.retries,
        )
    }

    fn requests(&self) -> String {
        let requests = &self.network.requests;
        format!(
            "{} multivariant, {} media, {} init, {} key, {} segment, {} file",
            requests.multivariant,
            requests.media,
            requests.init,
            requests.key,
            requests.segment,
            requests.file,
        )
    }

    /// Only of a stream without end.
    fn live(&self) -> Option<String> {
        let is_live = ["hls-live", "hls-event"].contains(&self.kind);
        let latency = match self.live.latency_ms {
            Some(millis) => format!("{:.1} s behind the broadcast", millis as f64 / 1000.0),
            None => "it states no dates".to_owned(),
        };
        is_live.then(|| {
            format!(
                "{latency}, {} reloads, {} ms lost",
                self.live.reloads, self.live.lost_ms
            )
        })
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

    fn copies(&self) -> String {
        format!(
            "{} copied for {} of media, {:.2} times",
            bytes(self.copies.user_space_bytes_copied),
            bytes(self.copies.wire_bytes),
            self.copies.amplification,
        )
    }

    fn decode(&self) -> String {
        format!(
            "{}, {} frames, {:.0} times real time, {} errors",
            self.decode.codec.unwrap_or("no codec"),
            self.decode.frames,
            self.decode.speed_x,
            self.decode.errors,
        )
    }

    fn output(&self) -> String {
        let output = &self.output;
        format!(
            "{}, {} Hz, {} channels",
            output.device, output.rate, output.channels
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

fn stage(stage: &Stage) -> String {
    format!(
        "{:<18} {:>8.1} to {:>8.1} ms    ",
        stage.name, stage.t0_ms, stage.t1_ms
    )
}

fn level(level: Option<&Level>, what: &str) -> String {
    level.map_or("nothing was played".to_owned(), |level| {
        format!(
            "{} to {} ms {what}, {} ms on average",
            level.min, level.max, level.mean
        )
    })
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
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn the_text_shows_the_figures_with_their_units() {
        let mut summary = example();
        summary.process.cpu_ms = 12;
        summary.process.peak_rss_bytes = 12_345_678;
        let want = "\
stream      https://h/a.m3u8, hls-vod
startup     41.0 ms to first sound
            connect                 2.0 to      5.0 ms    first_callback         30.0 to     41.0 ms
playback    10.0 s played, 1 rebuffers of 2500 ms (20.0 %), 1 underruns
variants    1 (1 decodable), 1 switches, 128 kbit/s played on average
last switch 0 to 1 at 4.0 s: 3.1 Mbit/s carries it (buffer 12.0 s, estimate 3140 kbit/s)
network     1.0 MB received, 1.0 kB wasted, estimate 3140 kbit/s, 2 connections, 3 retries
requests    1 multivariant, 2 media, 3 init, 4 key, 5 segment, 6 file
ahead       1000 to 3000 ms on disk, 2000 ms on average
pcm         100 to 500 ms decoded, 300 ms on average
cache       1.0 kB hit, 1.0 kB missed, 1.0 kB evicted, opened in 0.107 ms
copies      1.5 kB copied for 1.0 kB of media, 1.50 times
decode      aac, 441000 frames, 100 times real time, 9 errors
output      null, 48000 Hz, 2 channels
process     12.3 MB at most, 12 ms of processor, 10000 threads
";
        assert_eq!(summary.table(), want);
    }

    #[test]
    fn a_report_with_every_stage_has_at_most_25_lines() {
        let mut summary = example();
        summary.kind = "hls-live";
        let stages = crate::stats::Stage::ALL.map(|stage| Stage {
            name: stage.name(),
            t0_ms: 0.0,
            t1_ms: 99_999.9,
        });
        summary.startup.stages = stages.to_vec();
        let table = summary.table();
        assert!(table.lines().count() <= 25, "{}", table.lines().count());
        assert!(table.contains("segment_first_byte"));
        let live = "live        it states no dates, 0 reloads, 0 ms lost\n";
        assert!(table.contains(live), "{table}");
    }

    #[test]
    fn bytes_are_shown_in_decimal_units() {
        for (count, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1500, "1.5 kB"),
            (2_000_000, "2.0 MB"),
            (3_210_000_000, "3.21 GB"),
        ] {
            assert_eq!(bytes(count), want);
        }
    }
}
