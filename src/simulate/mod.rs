//! `kithara simulate`: the planner and the controller of real playback over a
//! network trace, in virtual time. The same files give the same bytes.

mod ladder;
mod log;
mod metrics;
mod outcome;
mod playback;
mod requests;
mod session;
mod trace;
mod view;

pub use self::ladder::{Ladder, Variant};
pub use self::log::{Heard, Log, Player, Request};
pub use self::metrics::Metrics;
pub use self::session::{Setting, run, run_with};
pub use self::trace::Trace;

#[cfg(test)]
pub mod testkit;
#[cfg(test)]
mod tests;
