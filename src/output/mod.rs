//! Where decoded frames go.

pub mod callback;
pub mod device;
mod fit;
pub mod null;
pub mod sink;
