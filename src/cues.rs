//! Titles of a stream without end, by the byte of sound they stand before: noted
//! by the net thread as they come, taken by the decode thread as it gets there.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::limits;

/// The titles of one connection that the decoder has not come to.
#[derive(Debug, Default)]
pub struct Cues {
    coming: Mutex<VecDeque<(u64, String)>>,
}

impl Cues {
    /// A title that holds from byte `offset` on; they come in order. Of a flood
    /// the oldest go.
    pub fn push(&self, offset: u64, title: String) {
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        if coming.len() == limits::TITLES_AHEAD {
            coming.pop_front();
        }
        coming.push_back((offset, title));
    }

    /// The titles that stand before byte `end`, each given once.
    pub fn until(&self, end: u64) -> Vec<String> {
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        let count = coming.partition_point(|(offset, _)| *offset < end);
        coming.drain(..count).map(|(_, title)| title).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_given_once_when_the_byte_behind_it_was_taken() {
        let cues = Cues::default();
        for (offset, title) in [(0, "a"), (10, "b"), (10, "c"), (20, "d")] {
            cues.push(offset, title.to_owned());
        }
        let cases = [
            (0, &[][..]),
            (1, &["a"]),
            (10, &[]),
            (11, &["b", "c"]),
            (99, &["d"]),
            (99, &[]),
        ];
        for (end, want) in cases {
            assert_eq!(cues.until(end), want, "before {end}");
        }
    }

    #[test]
    fn a_flood_is_cut_and_its_end_is_kept() {
        let cues = Cues::default();
        (0..5000).for_each(|at| cues.push(at, at.to_string()));
        let kept = cues.until(u64::MAX);
        assert_eq!(kept.len(), limits::TITLES_AHEAD);
        assert_eq!(kept.last().map(String::as_str), Some("4999"));
    }
}
