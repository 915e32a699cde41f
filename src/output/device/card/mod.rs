//! A sound card without a server: the only door to cpal (ALSA).

mod errors;
mod stream;

use std::sync::Arc;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig};
use crossbeam_channel::{Receiver, bounded};

use super::DeviceRow;
use super::feed::Feed;
use super::fit::{Range, fit};
use super::knock::Knock;
use crate::limits;
use crate::text;
use crate::units::Spec;
use errors::{Complaints, is_absence, why};
use stream::{FORMATS, Lent, build};

const PERIODS_PER_SECOND: u32 = 50; // at least 20 ms a block, rounded up to 2ⁿ: 1024 frames at 48 kHz

/// A card that is there and not yet playing.
pub(super) struct Card {
    device: cpal::Device,
    host: cpal::HostId,
    configs: Vec<cpal::SupportedStreamConfigRange>,
}

/// The card does not play: why, and what it was to play where that came back.
pub(super) struct Refusal {
    pub why: String,
    pub feed: Option<Box<Feed>>,
}

/// The card called `name` (as [`list`] names or describes it), or the default
/// one; `None` when there is no such card. Why it cannot be used, where it is there.
pub(super) fn find(name: Option<&str>) -> Result<Option<Card>, String> {
    // The library would print eight lines of its own where there is no card.
    let _quiet = alsa::Output::local_error_handler();
    let mut reason = None;
    for host in hosts() {
        let device = match name {
            Some(name) => named(&host, name),
            None => host.default_output_device(),
        };
        match device.map(|device| Card::look(device, host.id())) {
            Some(Ok(card)) => return Ok(Some(card)),
            Some(Err(error)) => reason = Some(error),
            None => {}
        }
    }
    match reason {
        Some(error) if name.is_some() || !is_absence(&error) => Err(why(&error)),
        _ => Ok(None),
    }
}

/// Every card, those that cannot be opened left out.
pub(super) fn list(rates: &[u32]) -> Vec<DeviceRow> {
    let _quiet = alsa::Output::local_error_handler();
    let default = find(None).ok().flatten();
    let default_id = default.as_ref().and_then(|card| card.device.id().ok());
    let rows = |host: cpal::Host| {
        let devices = host.output_devices().into_iter().flatten();
        let found = devices.filter_map(|device| Card::look(device, host.id()).ok());
        let rows = found.filter_map(|card| card.row(default_id.as_ref(), rates));
        rows.collect::<Vec<_>>()
    };
    let mut rows: Vec<DeviceRow> = hosts().flat_map(rows).collect();
    if let Some(card) = default
        && !rows.iter().any(|row| row.default)
    {
        // ALSA does not always list what its configuration calls "default".
        rows.extend(card.row(default_id.as_ref(), rates));
    }
    rows
}

/// The sound systems that answer.
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

impl Card {
    fn look(device: cpal::Device, host: cpal::HostId) -> Result<Self, cpal::Error> {
        let configs = device.supported_output_configs()?;
        let playable =
            |config: &cpal::SupportedStreamConfigRange| FORMATS.contains(&config.sample_format());
        Ok(Self {
            configs: configs.filter(playable).collect(),
            device,
            host,
        })
    }

    fn row(&self, default: Option<&cpal::DeviceId>, rates: &[u32]) -> Option<DeviceRow> {
        let ranges: Vec<Range> = self.configs.iter().map(range).collect();
        let plays = |rate: &u32| ranges.iter().any(|range| range.rates.contains(rate));
        let has = |count: &usize| ranges.iter().any(|range| range.channels == *count);
        let id = self.device.id().ok()?;
        Some(DeviceRow {
            name: text::safe(id.id()),
            description: self.name(),
            host: self.host.name(),
            default: default == Some(&id),
            rates: rates.iter().copied().filter(plays).collect(),
            channels: (1..=usize::from(limits::CHANNELS)).filter(has).collect(),
        })
    }

    /// What people call it.
    pub fn name(&self) -> String {
        text::safe(&self.device.to_string())
    }

    /// The layout nearest to `wanted` that the card takes.
    pub fn fit(&self, wanted: Spec) -> Option<Spec> {
        let ranges: Vec<Range> = self.configs.iter().map(range).collect();
        fit(&ranges, wanted)
    }

    /// Starts the card in the layout of `feed`, with the first combination of
    /// buffer size and sample format that it takes. What goes wrong later is told
    /// to `knock`.
    pub fn open(self, mut feed: Box<Feed>, knock: &Arc<Knock>) -> Result<Playing, Refusal> {
        let mut refusal = cpal::Error::from(ErrorKind::UnsupportedConfig);
        let remote = feed.remote().clone();
        let (way_home, home) = bounded(1);
        for (buffer_size, format) in self.attempts(feed.spec()) {
            let config = stream_config(feed.spec(), buffer_size);
            let lent = Lent::new(feed, way_home.clone());
            let complaints = Complaints::new(remote.clone(), Arc::clone(knock));
            let built = build(&self.device, config, format, lent, complaints);
            refusal = match built.and_then(|stream| stream.play().map(|()| stream)) {
                Ok(stream) => return Ok(Playing { stream, home }),
                Err(error) => error,
            };
            feed = match home.recv_timeout(stream::TIMEOUT) {
                Ok(feed) if refusal.kind() == ErrorKind::UnsupportedConfig => feed,
                other => {
                    let (why, feed) = (why(&refusal), other.ok());
                    return Err(Refusal { why, feed });
                }
            };
        }
        Err(Refusal {
            why: why(&refusal),
            feed: Some(feed),
        })
    }

    /// What to try, best first; the card's own buffer last.
    fn attempts(&self, spec: Spec) -> Vec<(BufferSize, SampleFormat)> {
        let period = spec.rate.hertz() / PERIODS_PER_SECOND;
        let period = period.next_power_of_two();
        let fixed = [period, period * 2, period * 4, period / 2].map(BufferSize::Fixed);
        let formats = |size| {
            let taken = FORMATS.iter().filter(|format| self.takes(**format, spec));
            taken.map(move |format| (size, *format))
        };
        let sizes = fixed.into_iter().chain([BufferSize::Default]);
        sizes.flat_map(formats).collect()
    }

    fn takes(&self, format: SampleFormat, spec: Spec) -> bool {
        self.configs.iter().any(|config| {
            config.sample_format() == format
                && usize::from(config.channels()) == spec.channels.count()
                && config.contains_rate(spec.rate.hertz())
        })
    }
}

/// A card that plays. Dropping it stops the sound.
pub(super) struct Playing {
    stream: cpal::Stream,
    home: Receiver<Box<Feed>>,
}

impl Playing {
    /// Waits while the library plays, until `knock` says that it is over.
    ///
    /// # Errors
    ///
    /// Why the card is lost, and what it was to play. May never return when the
    /// card was pulled: cpal joins its thread, which may hang in the driver.
    pub fn run(self, knock: &Knock) -> Result<(), Refusal> {
        loop {
            knock.wait(None, None);
            if knock.is_closing() {
                return Ok(());
            }
            if let Some(why) = knock.complaint() {
                drop(self.stream);
                let feed = self.home.recv_timeout(stream::TIMEOUT).ok();
                return Err(Refusal { why, feed });
            }
        }
    }
}

fn stream_config(spec: Spec, buffer_size: BufferSize) -> StreamConfig {
    StreamConfig {
        channels: u16::try_from(spec.channels.count()).expect("at most 8 channels"),
        sample_rate: spec.rate.hertz(),
        buffer_size,
    }
}
