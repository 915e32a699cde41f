//! Why a rung was chosen, with the numbers that decided.

use std::fmt;

use crate::units::{BitRate, MediaTime};

/// The rung to fetch the next segment from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// An index into the rates the controller was made with.
    pub rung: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a rung was chosen, with the numbers that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no other.
    Only,
    /// The listener wants it.
    Asked,
    /// Nothing was played yet: begin low.
    Start,
    /// Nothing speaks for a change, or not enough.
    Stay(Numbers),
    /// The link carries more and enough is ahead.
    Up(Numbers),
    /// The link carries less and little is ahead.
    Down(Numbers),
}

impl Reason {
    /// In one word, for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Asked => "asked",
            Self::Start => "start",
            Self::Stay(_) => "stay",
            Self::Up(_) => "up",
            Self::Down(_) => "down",
        }
    }
}

/// What a decision was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Estimated throughput.
    pub estimate: BitRate,
    /// Media ahead.
    pub buffer: MediaTime,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("there is no other to choose"),
            Self::Asked => f.write_str("asked for by key"),
            Self::Start => f.write_str("auto starts low"),
            Self::Stay(numbers) => write!(f, "no reason to change: {numbers}"),
            Self::Up(numbers) => write!(f, "up: {numbers}"),
            Self::Down(numbers) => write!(f, "down: {numbers}"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = self.buffer.seconds();
        write!(f, "the link carries {}, {ahead:.1} s ahead", self.estimate)
    }
}
