//! Where decoded frames go: through the ring to a sound card or the null
//! device, or into a WAV file. Spawns nothing; the pipeline does.

pub mod callback;
pub mod device;
pub mod ledger;
pub mod null;
pub mod sink;
pub mod target;
pub mod wav;

use std::sync::Arc;

use crate::ring::{self, Producer};
use crate::stats::{Stage, Stats};
use crate::units::Spec;
use callback::{Callback, Remote};
use device::Device;
use null::Null;

/// What sounds, in the hands of whoever ends the run.
pub enum Output {
    /// A sound server or card, whose [`device::Player::run`] another thread is in.
    Device(Device),
    /// The null device, whose [`Null::run`] another thread is in.
    Null(Remote),
}

impl Output {
    /// The null device in the layout of the source: the handle, what runs on the
    /// thread "audio", and the end of its ring for the decoder.
    pub fn null(wanted: Spec, stats: &Arc<Stats>) -> (Self, Null, Producer) {
        stats.begin(Stage::DeviceOpen);
        let (producer, consumer) = ring::of_length(wanted);
        let (callback, remote) = Callback::new(consumer, Arc::clone(stats));
        stats.end(Stage::DeviceOpen);
        stats.begin(Stage::FirstCallback);
        (Self::Null(remote), Null::new(callback), producer)
    }

    /// Volume, stop and position.
    pub fn remote(&self) -> &Remote {
        match self {
            Self::Device(device) => device.remote(),
            Self::Null(remote) => remote,
        }
    }

    /// For the report: what people call the card, or `null`.
    pub fn name(&self) -> &str {
        match self {
            Self::Device(device) => device.name(),
            Self::Null(_) => "null",
        }
    }

    /// The remote was used: a device that rests looks at it now.
    pub fn wake(&self) {
        match self {
            Self::Device(device) => device.wake(),
            Self::Null(_) => {} // it never rests
        }
    }

    /// Ends it, see [`Device::close`].
    pub fn close(self) {
        match self {
            Self::Device(device) => device.close(),
            Self::Null(remote) => remote.stop(),
        }
    }
}
