//! What must hold of every byte a stranger sends, one file for each room that
//! reads such bytes. `check` panics when it does not. The fuzz targets look for
//! bytes that break it; `tests/regressions.rs` of the main crate feeds those
//! that once did.

pub mod decrypt;
pub mod fmp4;
pub mod id3;
pub mod key;
pub mod mux;
pub mod packed;
pub mod playlist;
pub mod source;
pub mod ts;
pub mod units;
