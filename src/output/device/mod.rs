//! The sound card: the only door to cpal. Finding a card and starting it are two
//! steps, so that the first is done while the playlist is still on its way.

mod errors;
mod fit;
mod stream;

use std::sync::Arc;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig};
use crossbeam_channel::{Receiver, bounded};
use serde::Serialize;

use super::callback::{Callback, Remote};
use crate::error::Problem;
use crate::event::Events;
use crate::limits;
use crate::ring::{self, Producer};
use crate::stats::{Stage, Stats};
use crate::text;
use crate::units::Spec;
use errors::{Complaints, cannot_open, is_absence, why};
use fit::{Range, fit};
use stream::{FORMATS, Lent, build};

const PERIODS_PER_SECOND: u32 = 50; // at least 20 ms a block, rounded up to 2ⁿ: 1024 frames at 48 kHz
const LISTED_RATES: [u32; 10] = [
    8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
];

/// One row of `kithara devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// What `--device` takes.
    pub name: String,
    /// What people call it.
    pub description: String,
    /// The sound system it is reached through.
    pub host: &'static str,
    /// Whether it is the one that is used without `--device`.
    pub default: bool,
    /// Those of the usual sample rates that it plays, ascending.
    pub rates: Vec<u32>,
    /// The channel counts that it plays, ascending; only those we play.
    pub channels: Vec<usize>,
}

/// Every audio output of every sound system, those that cannot be opened left out.
///
/// # Errors
///
/// [`Kind::Audio`](crate::error::Kind::Audio) when there is none.
pub fn list() -> Result<Vec<DeviceRow>, Problem> {
    let _quiet = alsa::Output::local_error_handler();
    let default = find(None);
    let default_id = default
        .as_ref()
        .ok()
        .and_then(|found| found.device.id().ok());
    let rows = |host: cpal::Host| {
        let devices = host.output_devices().into_iter().flatten();
        let found = devices.filter_map(|device| Found::look(device, host.id(), None).ok());
        let rows = found.filter_map(|found| found.row(default_id.as_ref()));
        rows.collect::<Vec<_>>()
    };
    let mut rows: Vec<DeviceRow> = hosts().flat_map(rows).collect();
    match default {
        // ALSA does not always list what its configuration calls "default".
        Ok(found) if !rows.iter().any(|row| row.default) => {
            rows.extend(found.row(default_id.as_ref()));
        }
        // A machine without a card has an empty list.
        Ok(_) | Err(_) => {}
    }
    Ok(rows)
}

/// The sound systems that answer, servers before ALSA: it would take the card
/// from them.
fn hosts() -> impl Iterator<Item = cpal::Host> {
    // Not `cpal::default_host`: it panics where ALSA has no configuration file.
    let ids = cpal::available_hosts().into_iter();
    ids.filter_map(|id| cpal::host_from_id(id).ok())
}

fn range(config: &cpal::SupportedStreamConfigRange) -> Range {
    Range {
        channels: usize::from(config.channels()),
        rates: config.min_sample_rate()..=config.max_sample_rate(),
    }
}

/// The card called `name` (as [`list`] names or describes it), or the default
/// one. Asks the sound server or ALSA and may take a while: do it early, beside
/// the network.
///
/// # Errors
///
/// [`Kind::Audio`](crate::error::Kind::Audio) when there is no such card, or none at all.
pub fn find(name: Option<&str>) -> Result<Found, Problem> {
    // The library would print eight lines of its own where there is no card.
    let _quiet = alsa::Output::local_error_handler();
    let mut reason = None;
    for host in hosts() {
        let device = match name {
            Some(name) => named(&host, name),
            None => host.default_output_device(),
        };
        match device.map(|device| Found::look(device, host.id(), name)) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(error)) => reason = Some(error),
            None => {}
        }
    }
    Err(match (name, reason) {
        (None, Some(error)) if !is_absence(&error) => cannot_open(None, why(&error)),
        (None, _) => cannot_open(None, "no audio device was found".to_owned()),
        (Some(_), Some(error)) => cannot_open(name, why(&error)),
        (Some(_), None) => cannot_open(name, "no such device".to_owned()),
    })
}

fn named(host: &cpal::Host, name: &str) -> Option<cpal::Device> {
    let id = cpal::DeviceId::new(host.id(), name);
    let is_it = |device: &cpal::Device| {
        device.id().is_ok_and(|own| own == id) || device.to_string() == name
    };
    // First by cpal, which knows the short spellings of ALSA (`hw:0,0`).
    host.device_by_id(&id)
        .filter(DeviceTrait::supports_output)
        .or_else(|| host.output_devices().ok()?.find(is_it))
        .or_else(|| host.default_output_device().filter(is_it))
}

/// A card that is there and not yet playing.
pub struct Found {
    device: cpal::Device,
    host: cpal::HostId,
    configs: Vec<cpal::SupportedStreamConfigRange>,
    /// What the user called it.
    asked: Option<String>,
}

impl Found {
    fn look(
        device: cpal::Device,
        host: cpal::HostId,
        asked: Option<&str>,
    ) -> Result<Self, cpal::Error> {
        let configs = device.supported_output_configs()?;
        let playable =
            |config: &cpal::SupportedStreamConfigRange| FORMATS.contains(&config.sample_format());
        Ok(Self {
            configs: configs.filter(playable).collect(),
            device,
            host,
            asked: asked.map(str::to_owned),
        })
    }

    fn row(&self, default: Option<&cpal::DeviceId>) -> Option<DeviceRow> {
        let ranges: Vec<Range> = self.configs.iter().map(range).collect();
        let plays = |rate: &u32| ranges.iter().any(|range| range.rates.contains(rate));
        let has = |count: &usize| ranges.iter().any(|range| range.channels == *count);
        let id = self.device.id().ok()?;
        Some(DeviceRow {
            name: text::safe(id.id()),
            description: text::safe(&self.device.to_string()),
            host: self.host.name(),
            default: default == Some(&id),
            rates: LISTED_RATES.into_iter().filter(plays).collect(),
            channels: (1..=usize::from(limits::CHANNELS)).filter(has).collect(),
        })
    }

    /// Starts the card in the layout nearest to `wanted`, playing silence until
    /// the ring whose end is returned is filled. A card that fails later sends
    /// one [`Event::Done`](crate::event::Event::Done) of the audio thread.
    ///
    /// # Errors
    ///
    /// [`Kind::Audio`](crate::error::Kind::Audio) when the card refuses.
    pub fn start(
        self,
        wanted: Spec,
        stats: &Arc<Stats>,
        events: &Events,
    ) -> Result<(Device, Producer), Problem> {
        stats.begin(Stage::DeviceOpen);
        let spec = self.fit(wanted)?;
        let (producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::clone(stats));
        let (stream, home) = self.open(callback, &remote, events)?;
        stats.end(Stage::DeviceOpen);
        stats.begin(Stage::FirstCallback);
        let device = self.play(stream, remote, home)?;
        Ok((device, producer))
    }

    fn fit(&self, wanted: Spec) -> Result<Spec, Problem> {
        let ranges: Vec<Range> = self.configs.iter().map(range).collect();
        fit(&ranges, self.native_rate(), wanted)
            .ok_or_else(|| self.refused(&ErrorKind::UnsupportedConfig.into()))
    }

    fn play(
        self,
        stream: cpal::Stream,
        remote: Remote,
        home: Receiver<Callback>,
    ) -> Result<Device, Problem> {
        stream.play().map_err(|error| self.refused(&error))?;
        Ok(Device {
            stream,
            remote,
            home,
            name: text::safe(&self.device.to_string()),
            asked: self.asked,
        })
    }

    /// The rate a sound server mixes at. ALSA has none: cpal would open the card
    /// once more and choose what [`fit`] chooses.
    fn native_rate(&self) -> Option<u32> {
        if self.is_alsa() {
            return None;
        }
        let config = self.device.default_output_config().ok()?;
        Some(config.sample_rate())
    }

    /// Opens the first combination of buffer size and sample format that the card
    /// takes. The callback comes back through the receiver when the stream ends.
    fn open(
        &self,
        mut callback: Callback,
        remote: &Remote,
        events: &Events,
    ) -> Result<(cpal::Stream, Receiver<Callback>), Problem> {
        let mut refusal = cpal::Error::from(ErrorKind::UnsupportedConfig);
        let (way_home, home) = bounded(1);
        for (buffer_size, format) in self.attempts(callback.spec()) {
            let config = stream_config(callback.spec(), buffer_size);
            let lent = Lent::new(callback, way_home.clone());
            let complaints = Complaints::new(remote.clone(), events.clone());
            refusal = match build(&self.device, config, format, lent, complaints) {
                Ok(stream) => return Ok((stream, home)),
                Err(error) => error,
            };
            callback = match home.try_recv() {
                Ok(callback) if refusal.kind() == ErrorKind::UnsupportedConfig => callback,
                Ok(_) | Err(_) => break,
            };
        }
        Err(self.refused(&refusal))
    }

    /// What to try, best first. Never the default buffer of a sound server:
    /// PulseAudio asks for 2 s of sound at once then.
    fn attempts(&self, spec: Spec) -> Vec<(BufferSize, SampleFormat)> {
        let period = spec.rate.hertz() / PERIODS_PER_SECOND;
        let period = period.next_power_of_two();
        let fixed = [period, period * 2, period * 4, period / 2].map(BufferSize::Fixed);
        let own = self.is_alsa().then_some(BufferSize::Default);
        let formats = |size| {
            let taken = FORMATS.iter().filter(|format| self.takes(**format, spec));
            taken.map(move |format| (size, *format))
        };
        fixed.into_iter().chain(own).flat_map(formats).collect()
    }

    fn takes(&self, format: SampleFormat, spec: Spec) -> bool {
        self.configs.iter().any(|config| {
            config.sample_format() == format
                && usize::from(config.channels()) == spec.channels.count()
                && config.contains_rate(spec.rate.hertz())
        })
    }

    fn is_alsa(&self) -> bool {
        self.host.name() == "ALSA"
    }

    fn refused(&self, error: &cpal::Error) -> Problem {
        cannot_open(Some(&self.device.to_string()), why(error))
    }
}

/// A card that plays. Dropping it stops the sound.
pub struct Device {
    stream: cpal::Stream,
    remote: Remote,
    home: Receiver<Callback>,
    name: String,
    asked: Option<String>,
}

impl Device {
    /// Volume, stop and position.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What people call the card.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Closes the card; sound it still holds is cut off, see [`Remote::latency`].
    ///
    /// This may never return when the card was pulled (cpal joins its thread,
    /// which may hang in the driver). Call it on a thread nobody has to join.
    pub fn close(self) {
        self.remote.stop();
        drop(self.stream);
    }

    /// Goes on with the ring and its position on the same card, or else on the
    /// default one, after this one was lost. May hang like [`Device::close`].
    ///
    /// The PulseAudio client of cpal needs this after every suspension (SIGSTOP,
    /// Ctrl-Z): its thread ends when a system call is interrupted.
    ///
    /// # Errors
    ///
    /// [`Kind::Audio`](crate::error::Kind::Audio) when there is no other card or it has another layout.
    pub fn reopen(self, events: &Events) -> Result<Self, Problem> {
        drop(self.stream);
        let callback = self.home.recv_timeout(stream::TIMEOUT);
        let callback = callback.map_err(|_| {
            let why = "the lost device does not let go of its sound".to_owned();
            cannot_open(None, why)
        })?;
        let found = find(self.asked.as_deref()).or_else(|_| find(None))?;
        let spec = self.remote.spec();
        if found.fit(spec)? != spec {
            return Err(found.refused(&ErrorKind::UnsupportedConfig.into()));
        }
        let (stream, home) = found.open(callback, &self.remote, events)?;
        found.play(stream, self.remote, home)
    }
}

fn stream_config(spec: Spec, buffer_size: BufferSize) -> StreamConfig {
    StreamConfig {
        channels: u16::try_from(spec.channels.count()).expect("at most 8 channels"),
        sample_rate: spec.rate.hertz(),
        buffer_size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_be_moved_to_the_thread_that_closes_it() {
        fn is_send<T: Send>() {}
        is_send::<Device>();
    }
}
