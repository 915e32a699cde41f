//! From bytes to frames.

pub mod codec;
pub mod fmp4;
pub mod packed;
pub mod unit;
mod window;
