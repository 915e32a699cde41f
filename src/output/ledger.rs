//! The ledger of a dump: one JSON line for each segment that went into the
//! file, so that every frame can be traced to the bytes it came from.

use serde::Serialize;

use super::target::Target;
use crate::error::Problem;
use crate::media::Provenance;

/// A line of the ledger; the fields stand as CLI.md lists them.
#[derive(Debug, Serialize)]
struct Line<'a> {
    segment: u64,
    variant: usize,
    url: &'a str,
    first_frame: u64,
    frames: u64,
    trimmed: u64,
    sha256: Option<String>,
    silence: bool,
}

/// Writes the lines, each at once: they are there also after a crash.
#[derive(Debug)]
pub struct Ledger {
    target: Target,
    next_frame: u64,
    is_begun: bool,
}

impl Ledger {
    /// A ledger in `target`.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            next_frame: 0,
            is_begun: false,
        }
    }

    /// Drops what the file held before.
    pub(super) fn begin(&mut self) -> Result<(), Problem> {
        self.is_begun = true;
        self.target.clear()
    }

    /// Notes a segment. One without wire bytes was silence (GAP, or lost).
    pub(super) fn note(&mut self, done: &Provenance) -> Result<(), Problem> {
        let line = Line {
            segment: done.number,
            variant: done.variant,
            url: &done.url,
            first_frame: self.next_frame,
            frames: done.frames.0,
            trimmed: done.trimmed.0,
            sha256: done.sha256.map(|sum| hex(&sum)),
            silence: done.sha256.is_none(),
        };
        let mut text = serde_json::to_string(&line).expect("numbers and text are JSON");
        text.push('\n');
        self.next_frame = self.next_frame.saturating_add(done.frames.0);
        self.target.write(text.as_bytes(), &mut 0)
    }

    /// Removes a ledger that was never begun.
    pub(super) fn end(&mut self) {
        if !self.is_begun {
            self.target.discard();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Frames;

    fn segment(number: u64, frames: u64, sha256: Option<[u8; 32]>) -> Provenance {
        Provenance {
            number,
            variant: 1,
            url: "https://host/a.m4s".to_owned(),
            frames: Frames(frames),
            trimmed: Frames(7),
            sha256,
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_manual_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::new(Target::open(&path, false).expect("made"));
        ledger.begin().expect("begun");
        ledger
            .note(&segment(3, 1_000, Some([0xA5; 32])))
            .expect("written");
        ledger.note(&segment(4, 500, None)).expect("written");
        ledger.end();
        let want = format!(
            "{{\"segment\":3,\"variant\":1,\"url\":\"https://host/a.m4s\",\"first_frame\":0,\
             \"frames\":1000,\"trimmed\":7,\"sha256\":\"{}\",\"silence\":false}}\n\
             {{\"segment\":4,\"variant\":1,\"url\":\"https://host/a.m4s\",\"first_frame\":1000,\
             \"frames\":500,\"trimmed\":7,\"sha256\":null,\"silence\":true}}\n",
            "a5".repeat(32)
        );
        assert_eq!(std::fs::read_to_string(&path).expect("there"), want);
    }
}
