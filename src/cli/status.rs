//! The status line as text: `▶ 01:23 / 04:56 | AAC 128k 44.1k 2ch (2/4) | ahead 300s`.
//! A pure function; where and when it is drawn is decided in `progress.rs`.

use crate::media::Format;
use crate::stats::Pick;
use crate::units::{BitRate, MediaTime, Speed};

/// What the status line shows; parts that are not known are left out.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Heard or written so far.
    pub position: MediaTime,
    /// Of the whole stream; zero while unknown.
    pub duration: MediaTime,
    /// The source.
    pub format: Option<Format>,
    /// Of the variant.
    pub bit_rate: Option<BitRate>,
    /// Index of the variant and how many there are.
    pub variant: Option<(usize, usize)>,
    /// What the listener asked for by key.
    pub picked: Option<Pick>,
    /// Everything before this moment is on disk.
    pub fetched_until: MediaTime,
    /// Estimated throughput; zero while unknown.
    pub throughput: BitRate,
    /// Loudness in per cent, when there is sound.
    pub volume: Option<u8>,
    /// The pace.
    pub speed: Speed,
    /// There would be sound.
    pub is_muted: bool,
    /// The sound is held.
    pub is_paused: bool,
    /// What is heard, safe for a terminal.
    pub title: Option<String>,
}

impl Status {
    /// One line that leaves the last of `columns` free, so that it never wraps.
    /// Up to a half of it belongs to the title.
    pub fn line(&self, columns: usize) -> String {
        let room = columns.saturating_sub(1);
        let title = self.title.as_deref().unwrap_or_default();
        let wanted = title.chars().map(width).sum::<usize>() + 3;
        let kept = match title {
            "" => 0,
            _ => wanted.min(room / 2),
        };
        let mut line = self.times();
        let parts = [
            (self.speed != Speed::NORMAL).then(|| self.speed.to_string()),
            self.sound(),
            self.ahead(),
            self.net(),
            self.stored(),
            self.loudness(),
        ];
        for part in parts.into_iter().flatten() {
            if line.chars().count() + 3 + part.chars().count() <= room - kept {
                line = format!("{line} | {part}");
            }
        }
        let line: String = line.chars().take(room).collect();
        with_title(line, title, room)
    }

    fn times(&self) -> String {
        let sign = if self.is_paused { '‖' } else { '▶' };
        match self.duration {
            MediaTime::ZERO => format!("{sign} {}", clock(self.position)),
            end => format!("{sign} {} / {}", clock(self.position), clock(end)),
        }
    }

    fn sound(&self) -> Option<String> {
        let format = self.format?;
        let mut text = format.codec.name().to_uppercase();
        if let Some(rate) = self.bit_rate {
            text += &format!(" {}k", rate.kilobits());
        }
        let kilohertz = f64::from(format.spec.rate.hertz()) / 1000.0;
        text += &format!(" {kilohertz}k {}ch", format.spec.channels.count());
        if let Some((index, count)) = self.variant.filter(|(_, count)| *count > 1) {
            let heard = index + 1;
            text += &match self.picked {
                None => format!(" ({heard}/{count})"),
                Some(Pick::Auto) => format!(" ({heard}/{count} auto)"),
                Some(Pick::Variant(pick)) if pick == index => format!(" ({heard}/{count} fixed)"),
                Some(Pick::Variant(pick)) => format!(" ({heard}→{}/{count})", pick + 1),
            };
        }
        Some(text)
    }

    fn ahead(&self) -> Option<String> {
        let seconds = (self.fetched_until - self.position).duration().as_secs();
        (self.fetched_until > MediaTime::ZERO).then(|| format!("ahead {seconds}s"))
    }

    fn net(&self) -> Option<String> {
        let megabits = self.throughput.0 as f64 / 1e6;
        (self.throughput.0 > 0).then(|| format!("net {megabits:.1}M"))
    }

    fn stored(&self) -> Option<String> {
        let share = self.fetched_until.seconds() / self.duration.seconds();
        (share.is_finite() && share > 0.0).then(|| format!("cache {:.0}%", share.min(1.0) * 100.0))
    }

    fn loudness(&self) -> Option<String> {
        match self.is_muted {
            true => Some("mute".to_owned()),
            false => self.volume.map(|percent| format!("vol {percent}")),
        }
    }
}

/// `line` and as much of `title` as there is room for, if that is not too little.
fn with_title(mut line: String, title: &str, room: usize) -> String {
    const TOO_LITTLE: usize = 8; // columns; nobody knows a title by less
    let left = room.saturating_sub(line.chars().count() + 3);
    let whole: usize = title.chars().map(width).sum();
    if whole == 0 || left < whole.min(TOO_LITTLE) {
        return line;
    }
    line += " | ";
    if whole <= left {
        return line + title;
    }
    let mut used = 1; // the sign that something is missing
    for letter in title.chars() {
        used += width(letter);
        if used > left {
            break;
        }
        line.push(letter);
    }
    line + "…"
}

/// Columns of a letter at most: those of East Asia, and pictures, take two.
fn width(letter: char) -> usize {
    if letter < '\u{1100}' || ('\u{2000}'..'\u{2300}').contains(&letter) {
        1
    } else {
        2
    }
}

/// `01:23`, or `1:02:03` from an hour on: the width stays while minutes pass.
fn clock(time: MediaTime) -> String {
    // Of a live stream, before what was heard first.
    if time < MediaTime::ZERO {
        return format!("-{}", clock(MediaTime::ZERO - time));
    }
    let text = time.to_string();
    match text.len() {
        4 => format!("0{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;
    use crate::units::{ChannelCount, SampleRate, Spec};

    fn status() -> Status {
        let spec = Spec {
            rate: SampleRate::new(44_100).expect("an allowed rate"),
            channels: ChannelCount::new(2).expect("an allowed count"),
        };
        Status {
            position: MediaTime::from_seconds(83.9),
            duration: MediaTime::from_seconds(296.0),
            format: Some(Format {
                spec,
                codec: Codec::Aac,
                bits: 16,
            }),
            bit_rate: Some(BitRate(128_000)),
            variant: Some((1, 4)),
            picked: None,
            fetched_until: MediaTime::from_seconds(184.0),
            throughput: BitRate(3_140_000),
            volume: Some(70),
            speed: Speed::NORMAL,
            is_muted: false,
            is_paused: false,
            title: None,
        }
    }

    #[test]
    fn the_line_shows_what_the_manual_says() {
        assert_eq!(
            status().line(120),
            "▶ 01:23 / 04:56 | AAC 128k 44.1k 2ch (2/4) | ahead 100s | net 3.1M | cache 62% | vol 70"
        );
    }

    #[test]
    fn a_variant_that_was_asked_for_is_shown_before_it_is_heard() {
        let cases = [
            (Pick::Auto, "2ch (2/4 auto)"),
            (Pick::Variant(1), "2ch (2/4 fixed)"),
            (Pick::Variant(3), "2ch (2→4/4)"),
        ];
        for (pick, want) in cases {
            let picked = Some(pick);
            let line = Status { picked, ..status() }.line(120);
            assert!(line.contains(want), "{line}");
        }
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_parts_and_never_a_second_line() {
        for columns in 0..120 {
            let line = status().line(columns);
            assert!(
                line.chars().count() <= columns.saturating_sub(1),
                "{columns}: {line}"
            );
        }
        assert_eq!(status().line(30), "▶ 01:23 / 04:56 | ahead 100s");
    }

    #[test]
    fn a_title_stands_at_the_end_and_has_up_to_half_of_the_line() {
        let cases = [
            (
                "Artist - Title",
                120,
                " | cache 62% | vol 70 | Artist - Title",
            ),
            (
                "Artist - Title",
                100,
                " | net 3.1M | cache 62% | Artist - Title",
            ),
            (
                "Artist - Title",
                95,
                " | net 3.1M | vol 70 | Artist - Title",
            ),
            ("Artist - Title", 40, "▶ 01:23 / 04:56 | Artist - Title"),
            ("Artist - Title", 30, "▶ 01:23 / 04:56 | Artist - T…"),
            ("Artist - Title", 20, "▶ 01:23 / 04:56"),
            (
                "東京事変 - 群青日和",
                35,
                "▶ 01:23 / 04:56 | 東京事変 - 群青…",
            ),
        ];
        for (title, columns, end) in cases {
            let title = Some(title.to_owned());
            let line = Status { title, ..status() }.line(columns);
            assert!(line.ends_with(end), "{columns}: {line}");
            let width: usize = line.chars().map(width).sum();
            assert!(width < columns + usize::from(line.contains('▶')), "{line}");
        }
    }

    #[test]
    fn what_is_unknown_is_not_shown() {
        assert_eq!(Status::default().line(80), "▶ 00:00");
        let hour = Status {
            position: MediaTime::from_seconds(3723.0),
            ..Status::default()
        };
        assert_eq!(hour.line(80), "▶ 1:02:03");
        let before = Status {
            position: MediaTime::from_seconds(-83.9),
            ..Status::default()
        };
        assert_eq!(before.line(80), "▶ -01:23");
    }
}
