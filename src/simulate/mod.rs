//! The planner and the controller of real playback over a network trace, in
//! virtual time.

mod ladder;
mod log;
mod metrics;
mod playback;
mod session;
mod trace;

pub use self::ladder::{Ladder, Variant};
pub use self::log::{Heard, Log, Player, Request};
pub use self::metrics::Metrics;
pub use self::playback::Playback;
pub use self::session::{Setting, run, run_with};
pub use self::trace::Trace;

#[cfg(test)]
mod tests;
