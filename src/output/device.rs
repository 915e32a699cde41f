//! The sound card: the only door to cpal. Finding a card and starting it are two
//! steps, so that the first is done while the playlist is still on its way.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;

use super::callback::{Callback, Remote};
use super::fit::{Range, fit};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, Thread};
use crate::limits;
use crate::ring::{self, Producer};
use crate::stats::{Stage, Stats};
use crate::text;
use crate::units::{Frames, Spec};

const PERIODS_PER_SECOND: u32 = 50; // at least 20 ms a block, rounded up to 2ⁿ: 1024 frames at 48 kHz
const OPEN_TIMEOUT: Duration = Duration::from_secs(2); // a sound server that does not answer
const ERRORS_IN_A_ROW: u32 = 100; // with no block between: a pulled card can report for ever
const SCRATCH_FRAMES: usize = 1024; // converted at a time, for devices that take no floats
const BELOW_FULL_SCALE: f32 = 1.0 - f32::EPSILON / 2.0; // 1.0 itself has no 24-bit integer
/// The sample formats we can give, best first.
const FORMATS: [SampleFormat; 6] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::U16,
    SampleFormat::U8,
];
const LISTED_RATES: [u32; 10] = [
    8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
];
const SEE_NAMES: &str = "run \"kithara devices\" to see the names";
const WAYS_OUT: &str =
    "run \"kithara dump\" to write a file or \"kithara devices\" to see the names";

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
/// [`Kind::Audio`] when there is none.
pub fn list() -> Result<Vec<DeviceRow>, Problem> {
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
        Err(problem) if rows.is_empty() => return Err(problem),
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
/// [`Kind::Audio`] when there is no such card, or none at all.
pub fn find(name: Option<&str>) -> Result<Found, Problem> {
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
    host.device_by_id(&cpal::DeviceId::new(host.id(), name))
        .filter(DeviceTrait::supports_output)
        .or_else(|| {
            let mut devices = host.output_devices().ok()?;
            devices.find(|device| device.to_string() == name)
        })
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
    /// one [`Event::Done`] of [`Thread::Audio`].
    ///
    /// # Errors
    ///
    /// [`Kind::Audio`] when the card refuses.
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
            let lent = Lent {
                callback: Some(callback),
                way_home: way_home.clone(),
            };
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
    /// [`Kind::Audio`] when there is no other card or it has another layout.
    pub fn reopen(self, events: &Events) -> Result<Self, Problem> {
        drop(self.stream);
        let callback = self.home.recv_timeout(OPEN_TIMEOUT);
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

/// A callback on loan to a stream of cpal: it comes home when the stream drops
/// its closure, so that another stream can go on with it.
struct Lent {
    callback: Option<Callback>,
    way_home: Sender<Callback>,
}

impl Lent {
    fn callback(&mut self) -> &mut Callback {
        self.callback.as_mut().expect("it is here until the drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(callback) = self.callback.take() {
            // Nobody waits for it at the end of a run.
            let _ = self.way_home.try_send(callback);
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

/// Opens a stream that runs the callback of `lent` and tells `complaints` about its errors.
fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    lent: Lent,
    complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::I32 => build_converted::<i32>(device, config, lent, complaints),
        SampleFormat::I24 => build_converted::<cpal::I24>(device, config, lent, complaints),
        SampleFormat::I16 => build_converted::<i16>(device, config, lent, complaints),
        SampleFormat::U16 => build_converted::<u16>(device, config, lent, complaints),
        SampleFormat::U8 => build_converted::<u8>(device, config, lent, complaints),
        _ => build_float(device, config, lent, complaints),
    }
}

fn build_float(
    device: &cpal::Device,
    config: StreamConfig,
    mut lent: Lent,
    mut complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    device.build_output_stream(
        config,
        move |out: &mut [f32], info: &OutputCallbackInfo| {
            let callback = lent.callback();
            callback.set_latency(latency(info, callback.spec(), out.len()));
            callback.run(out);
        },
        move |error| complaints.hear(&error),
        Some(OPEN_TIMEOUT),
    )
}

fn build_converted<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut lent: Lent,
    mut complaints: Complaints,
) -> Result<cpal::Stream, cpal::Error> {
    let mut scratch = vec![0.0; SCRATCH_FRAMES * lent.callback().spec().channels.count()];
    device.build_output_stream(
        config,
        move |out: &mut [T], info: &OutputCallbackInfo| {
            let callback = lent.callback();
            callback.set_latency(latency(info, callback.spec(), out.len()));
            for part in out.chunks_mut(scratch.len()) {
                let sound = &mut scratch[..part.len()];
                callback.run(sound);
                convert(sound, part);
            }
        },
        move |error| complaints.hear(&error),
        Some(OPEN_TIMEOUT),
    )
}

fn convert<T: FromSample<f32>>(sound: &[f32], out: &mut [T]) {
    for (to, from) in out.iter_mut().zip(sound) {
        *to = T::from_sample_(from.min(BELOW_FULL_SCALE));
    }
}

/// From now until the last of `samples` was heard.
fn latency(info: &OutputCallbackInfo, spec: Spec, samples: usize) -> Duration {
    let times = info.timestamp();
    let first = times.playback.saturating_duration_since(times.callback);
    let block = Frames((samples / spec.channels.count()) as u64);
    first + block.time(spec.rate).duration()
}

/// Listens to the errors of a stream, reports the one that ends it and is deaf
/// from then on.
struct Complaints {
    remote: Remote,
    events: Events,
    /// Blocks played when the last error came.
    blocks: u64,
    /// Errors since then.
    errors: u32,
    is_deaf: bool,
}

impl Complaints {
    fn new(remote: Remote, events: Events) -> Self {
        Self {
            remote,
            events,
            blocks: 0,
            errors: 0,
            is_deaf: false,
        }
    }

    fn hear(&mut self, error: &cpal::Error) {
        if self.is_deaf || !self.is_fatal(error.kind()) {
            return;
        }
        self.is_deaf = true;
        // A card that is being closed may say so as an error.
        if !self.remote.is_stopping() {
            let problem = Problem::new(Kind::Audio, "cannot go on playing", why(error), WAYS_OUT);
            let done = Event::Done(Thread::Audio, Err(problem));
            self.events.send_last(done);
        }
    }

    /// Late blocks and the like are no end, unless nothing but errors comes.
    fn is_fatal(&mut self, kind: ErrorKind) -> bool {
        let blocks = self.remote.blocks();
        if blocks != self.blocks {
            self.blocks = blocks;
            self.errors = 0;
        }
        self.errors += 1;
        match kind {
            ErrorKind::DeviceNotAvailable
            | ErrorKind::HostUnavailable
            | ErrorKind::PermissionDenied
            | ErrorKind::StreamInvalidated => true,
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => false,
            _ => self.errors >= ERRORS_IN_A_ROW,
        }
    }
}

fn is_absence(error: &cpal::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable
    )
}

/// The cause in plain words.
fn why(error: &cpal::Error) -> String {
    let words = match error.kind() {
        ErrorKind::DeviceBusy => "another program is using it",
        ErrorKind::DeviceNotAvailable => "the device is not there",
        ErrorKind::HostUnavailable => "the sound server is not there",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::StreamInvalidated => "the sound server closed the stream",
        ErrorKind::UnsupportedConfig => "it takes no format we can give",
        _ => return text::safe(&error.to_string().to_lowercase()),
    };
    words.to_owned()
}

fn cannot_open(name: Option<&str>, why: String) -> Problem {
    match name {
        Some(name) => {
            let what = format!("cannot open the sound card \"{}\"", text::safe(name));
            Problem::new(Kind::Audio, what, why, SEE_NAMES)
        }
        None => Problem::new(Kind::Audio, "cannot open the sound card", why, WAYS_OUT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;
    use crate::units::{ChannelCount, SampleRate};

    fn complaints() -> (Complaints, Callback, crossbeam_channel::Receiver<Event>) {
        let spec = Spec {
            rate: SampleRate::new(48_000).expect("an allowed rate"),
            channels: ChannelCount::new(2).expect("an allowed count"),
        };
        let (_producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::default());
        let (events, heard) = event::channel();
        (Complaints::new(remote, events), callback, heard)
    }

    fn reported(heard: &crossbeam_channel::Receiver<Event>) -> usize {
        heard.try_iter().count()
    }

    #[test]
    fn a_lost_card_is_reported_once() {
        let (mut complaints, _callback, heard) = complaints();
        for _ in 0..3 {
            complaints.hear(&ErrorKind::DeviceNotAvailable.into());
        }
        assert_eq!(reported(&heard), 1);
    }

    #[test]
    fn errors_between_which_sound_flows_are_no_end() {
        let (mut complaints, mut callback, heard) = complaints();
        for _ in 0..1_000 {
            callback.run(&mut [0.0; 8]);
            complaints.hear(&ErrorKind::Xrun.into());
        }
        assert_eq!(reported(&heard), 0);
        for _ in 0..1_000 {
            complaints.hear(&ErrorKind::BackendError.into());
        }
        assert_eq!(reported(&heard), 1);
    }

    #[test]
    fn what_a_card_says_while_it_is_closed_is_not_reported() {
        let (mut complaints, _callback, heard) = complaints();
        complaints.remote.stop();
        complaints.hear(&ErrorKind::StreamInvalidated.into());
        assert_eq!(reported(&heard), 0);
    }

    #[test]
    fn full_scale_has_a_value_in_every_integer_format() {
        let sound = [1.0, -1.0, 0.0, 12_345.0 / 32_768.0];
        let mut s16 = [0i16; 4];
        convert(&sound, &mut s16);
        assert_eq!(s16, [32_767, -32_768, 0, 12_345]);
        let mut s24 = [cpal::I24::new(0).expect("in range"); 4];
        convert(&sound, &mut s24);
        assert_eq!(
            s24.map(|s| s.inner()),
            [8_388_607, -8_388_608, 0, 12_345 << 8]
        );
        let mut u8 = [0u8; 4];
        convert(&sound, &mut u8);
        assert_eq!(u8, [255, 0, 128, 176]);
    }

    #[test]
    fn a_device_may_be_moved_to_the_thread_that_closes_it() {
        fn is_send<T: Send>() {}
        is_send::<Device>();
    }
}
