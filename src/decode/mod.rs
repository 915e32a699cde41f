//! From bytes to frames.

pub mod unit;
