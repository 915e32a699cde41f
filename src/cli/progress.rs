//! Standard error while a run goes on: one line that is drawn over itself, or a
//! bar while caching, and warnings between. Only a terminal sees a carriage
//! return or an escape, and `TERM=dumb` no escape.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;

use super::exit;
use super::global::When;
use super::status::Status;

const BAR: &str = "{wide_bar} {percent}% {bytes} of {total_bytes} {bytes_per_sec} {eta}";
/// Of what has no end that is known, such as a recording.
const COUNT: &str = "{spinner} {bytes} {bytes_per_sec} {elapsed}";
const REDRAWS: u8 = 5; // a second
const LINE_EVERY: Duration = Duration::from_secs(1); // into a file or pipe
const REMEMBERED: usize = 1000; // warnings that are not said twice

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Not at all.
    Silent,
    /// As a line of its own, now and then.
    Lines,
    /// Drawn over itself, without escapes.
    Dumb,
    /// Drawn over itself.
    Terminal,
}

/// How much of a stream is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes in all, estimated until the end.
    pub total: Option<u64>,
    /// Segments on disk.
    pub segments: u64,
    /// Segments in all.
    pub of: u64,
}

/// What is on the screen.
#[derive(Debug)]
pub struct Screen {
    style: Style,
    warns: bool,
    drawn: usize,
    last: Option<Instant>,
    bar: Option<ProgressBar>,
    /// The bar has an end.
    has_total: bool,
    said: Vec<String>,
}

impl Screen {
    /// A screen by the user's wish and what standard error is.
    pub fn new(when: When, quiet: bool) -> Self {
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let style = match (when, io::stderr().is_terminal()) {
            (When::Never, _) | (When::Auto, false) => Style::Silent,
            (When::Always, false) => Style::Lines,
            (When::Auto | When::Always, true) if is_dumb => Style::Dumb,
            (When::Auto | When::Always, true) => Style::Terminal,
        };
        Self {
            style: if quiet { Style::Silent } else { style },
            warns: !quiet,
            drawn: 0,
            last: None,
            bar: None,
            has_total: false,
            said: Vec::new(),
        }
    }

    /// Whether anything of progress is seen at all.
    pub fn is_shown(&self) -> bool {
        self.style != Style::Silent
    }

    /// Shows where a run is.
    pub fn status(&mut self, status: &Status) {
        if self.is_due() {
            self.draw(&status.line(columns()));
        }
    }

    /// Shows how far a download is.
    pub fn stored(&mut self, stored: Stored) {
        if self.style == Style::Terminal {
            self.bar(stored);
        } else if self.is_due() {
            let line: String = stored
                .line()
                .chars()
                .take(columns().saturating_sub(1))
                .collect();
            self.draw(&line);
        }
    }

    /// Says that something is wrong, above the status line, once.
    pub fn warn(&mut self, line: String) {
        if !self.warns || self.said.contains(&line) {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| exit::say(&line)),
            None => {
                self.clear();
                exit::say(&line);
            }
        }
        if self.said.len() < REMEMBERED {
            self.said.push(line);
        }
    }

    /// Says something that was asked for, above the status line.
    pub fn say(&mut self, text: &str) {
        self.clear();
        exit::say(text);
    }

    /// Leaves nothing behind on a terminal.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.drawn > 0 {
            self.draw("");
            write("\r");
        }
        self.drawn = 0;
        self.last = None;
    }

    fn is_due(&mut self) -> bool {
        let every = match self.style {
            Style::Silent => return false,
            Style::Lines => LINE_EVERY,
            Style::Dumb | Style::Terminal => Duration::from_secs(1) / u32::from(REDRAWS),
        };
        let is_due = self.last.is_none_or(|last| last.elapsed() >= every);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }

    fn draw(&mut self, line: &str) {
        let width = line.chars().count();
        match self.style {
            Style::Silent => {}
            Style::Lines => write(&format!("{line}\n")),
            Style::Dumb => write(&format!(
                "\r{line}{}",
                " ".repeat(self.drawn.saturating_sub(width))
            )),
            Style::Terminal => write(&format!("\r{line}\x1b[K")),
        }
        self.drawn = if self.style == Style::Lines { 0 } else { width };
    }

    fn bar(&mut self, stored: Stored) {
        let has_total = stored.total.is_some();
        let is_other = self.bar.is_none() || self.has_total != has_total;
        self.has_total = has_total;
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
            ProgressBar::with_draw_target(stored.total, target)
        });
        if is_other {
            let template = if has_total { BAR } else { COUNT };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.expect("the template is well formed"));
        }
        bar.set_length(stored.total.unwrap_or(stored.bytes));
        bar.set_position(stored.bytes);
    }
}

impl Stored {
    fn line(self) -> String {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let mut line = format!("stored {:.1} MB", megabytes(self.bytes));
        if let Some(total) = self.total {
            line += &format!(" of {:.1} MB", megabytes(total));
        }
        if self.of > 0 {
            line += &format!(", segment {} of {}", self.segments, self.of);
        }
        line
    }
}

fn columns() -> usize {
    const USUAL: usize = 80; // a file, a pipe, or a terminal that does not say
    let size = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if size == 0 { USUAL } else { size }
}

fn write(text: &str) {
    // A terminal that hung up: the signal that says so ends the run.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_says_bytes_and_segments() {
        let stored = Stored {
            bytes: 12_300_000,
            total: Some(40_000_000),
            segments: 31,
            of: 100,
        };
        assert_eq!(
            stored.line(),
            "stored 12.3 MB of 40.0 MB, segment 31 of 100"
        );
        let file = Stored {
            total: None,
            of: 0,
            ..stored
        };
        assert_eq!(file.line(), "stored 12.3 MB");
    }

    #[test]
    fn quiet_and_never_draw_nothing() {
        for mut screen in [
            Screen::new(When::Always, true),
            Screen::new(When::Never, false),
        ] {
            assert_eq!(screen.style, Style::Silent);
            assert!(!screen.is_due());
        }
    }

    #[test]
    fn a_warning_is_remembered_and_said_once() {
        let mut screen = Screen::new(When::Never, false);
        screen.warn("kithara: test of a warning".to_owned());
        screen.warn("kithara: test of a warning".to_owned());
        assert_eq!(screen.said.len(), 1);
    }
}
