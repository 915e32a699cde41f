//! Why sound was not there, and why bytes were of no use.

use crate::units::MediaTime;

/// Sound was asked for and was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Underrun {
    /// Where in the stream.
    pub position: MediaTime,
    /// Frames of silence played instead, at the device rate.
    pub frames: u64,
    /// What was missing.
    pub cause: Cause,
}

/// Which part was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Bytes had not arrived.
    Network,
    /// The disk answered late.
    Disk,
    /// Bytes were there, frames were not.
    Decode,
    /// Frames were there, the callback came late.
    Scheduler,
}

impl Cause {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Decode => "decode",
            Self::Scheduler => "scheduler",
        }
    }
}

/// Why bytes that came were of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waste {
    /// They had come before: after a break the server began again.
    Repeated,
    /// More came than was asked for: the server knows no ranges.
    Unasked,
    /// Their request was given up for another variant.
    GivenUp,
    /// They came again in better quality, too late to be heard.
    Unheard,
    /// They were heard only under a change of variant.
    Overlap,
}

impl Waste {
    /// Every cause, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Repeated,
        Self::Unasked,
        Self::GivenUp,
        Self::Unheard,
        Self::Overlap,
    ];

    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Unasked => "unasked",
            Self::GivenUp => "given_up",
            Self::Unheard => "unheard",
            Self::Overlap => "overlap",
        }
    }
}
