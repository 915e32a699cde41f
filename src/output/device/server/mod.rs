//! A sound server: PulseAudio, or PipeWire by its pulse socket. cpal has a client
//! for it, too; docs/decisions.md says why this one is ours.

mod stream;
mod wire;

use std::ffi::{CStr, CString};

use pulseaudio::protocol::{Command, DEFAULT_SINK, GetSinkInfo, SinkInfo, SinkInfoList};

use super::DeviceRow;
use crate::limits;
use crate::text;
use crate::units::{SampleRate, Spec};
use wire::Wire;

pub(super) use stream::Stream;
pub(super) use wire::Fault;

/// What `kithara devices` calls it.
const HOST: &str = "PulseAudio";

/// An output of the server, with the connection it was found over.
pub(super) struct Sink {
    wire: Wire,
    info: SinkInfo,
    /// The user named it; otherwise the server chooses.
    is_asked: bool,
}

impl Sink {
    /// The output called `name` (as the server names or describes it), or the
    /// default one; `None` when the server has no such output.
    pub fn find(name: Option<&str>) -> Result<Option<Self>, Fault> {
        let mut wire = Wire::connect()?;
        let info = match name {
            None => default(&mut wire)?,
            Some(name) => {
                let sinks: SinkInfoList = wire.ask(&Command::GetSinkInfoList)?;
                let is_it = |sink: &SinkInfo| {
                    sink.name.to_bytes() == name.as_bytes() || description(sink) == name
                };
                sinks.into_iter().find(is_it)
            }
        };
        let is_asked = name.is_some();
        Ok(info.map(|info| Self {
            wire,
            info,
            is_asked,
        }))
    }

    /// What people call it.
    pub fn name(&self) -> String {
        text::safe(&description(&self.info))
    }

    /// Our resampler is better than the server's usual one, hence the rate the
    /// output has; the server knows the loudspeakers, hence the channels of the source.
    pub fn fit(&self, wanted: Spec) -> Spec {
        let own = SampleRate::new(self.info.sample_spec.sample_rate);
        Spec {
            rate: own.unwrap_or(wanted.rate),
            channels: wanted.channels,
        }
    }

    /// Begins to play; the server asks for sound at once.
    pub fn open(self, spec: Spec) -> Result<Stream, Fault> {
        let name = self.is_asked.then_some(self.info.name);
        Stream::open(self.wire, spec, name)
    }
}

/// Every output of the server.
pub(super) fn list(rates: &[u32]) -> Result<Vec<DeviceRow>, Fault> {
    let mut wire = Wire::connect()?;
    let default = default(&mut wire)?.map(|sink| sink.index);
    let sinks: SinkInfoList = wire.ask(&Command::GetSinkInfoList)?;
    let row = |sink: SinkInfo| DeviceRow {
        name: text::safe(&sink.name.to_string_lossy()),
        description: text::safe(&description(&sink)),
        host: HOST,
        default: Some(sink.index) == default,
        rates: rates.to_vec(),
        channels: (1..=usize::from(limits::CHANNELS)).collect(),
    };
    Ok(sinks.into_iter().map(row).collect())
}

fn default(wire: &mut Wire) -> Result<Option<SinkInfo>, Fault> {
    let command = Command::GetSinkInfo(GetSinkInfo {
        index: None,
        name: Some(CString::from(DEFAULT_SINK)),
    });
    match wire.ask(&command) {
        Ok(sink) => Ok(Some(sink)),
        Err(Fault::Refused(_)) => Ok(None), // it has none
        Err(fault) => Err(fault),
    }
}

fn description(sink: &SinkInfo) -> String {
    let name: &CStr = sink.description.as_deref().unwrap_or(&sink.name);
    name.to_string_lossy().into_owned()
}
