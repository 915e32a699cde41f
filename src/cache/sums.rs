//! The numbers that all processes on one cache share, in a file that is locked
//! for each change.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What all processes share, as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    /// Bytes on disk, and those that processes may write without asking again.
    pub total: u64,
    /// Bytes removed since the cache was made.
    pub given: u64,
}

impl Sums {
    /// Reads them; `None` when they are garbled.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        let mut text = [0; 42];
        let length = file.read_at(&mut text, 0)?;
        let text = std::str::from_utf8(text.get(..length).unwrap_or_default());
        let numbers = text
            .ok()
            .and_then(|text| text.strip_suffix('\n')?.split_once(' '));
        let sums = numbers.and_then(|(total, given)| {
            Some(Self {
                total: total.parse().ok()?,
                given: given.parse().ok()?,
            })
        });
        Ok(sums)
    }

    /// The line.
    pub fn text(self) -> String {
        format!("{:020} {:020}\n", self.total, self.given)
    }

    /// The sums when a count that began at `before` has `found` so many bytes.
    /// What was taken meanwhile is added. What was given back meanwhile may have
    /// been counted or not: the total is rather too high until the next count.
    pub fn corrected(self, before: Self, found: u64) -> Self {
        let given = self.given.wrapping_sub(before.given);
        let total = (self.total.saturating_add(given)).saturating_add(found);
        Self {
            total: total.saturating_sub(before.total),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_never_makes_the_total_too_low() {
        let sums = |total, given| Sums { total, given };
        let before = sums(1000, 70);
        let cases = [
            // now, found and free, wanted
            ("nothing happened", sums(1000, 70), 900, 900),
            ("100 were taken", sums(1100, 70), 900, 1000),
            ("100 were given and counted", sums(900, 170), 900, 900),
            ("100 were given and not counted", sums(900, 170), 800, 800),
            ("a total that was too low", sums(1000, 70), 5000, 5000),
            ("one that was far too low", sums(0, 1070), 5000, 5000),
        ];
        for (name, now, found, want) in cases {
            let corrected = now.corrected(before, found);
            assert_eq!(corrected, sums(want, now.given), "{name}");
        }
    }
}
