//! Where decoded frames go.

pub mod callback;
pub mod null;
pub mod sink;
