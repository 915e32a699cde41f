//! The audio side of a run: a sound card opened beside the first request, or the
//! null device on a thread of the same name. Both run the same callback.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::error::Problem;
use crate::event::{Events, Thread};
use crate::output::callback::{Callback, Remote};
use crate::output::device::{self, Device};
use crate::output::null::Null;
use crate::output::sink::{Opener, RingSink, ring_sink};
use crate::pipeline::{self, OutputChoice};
use crate::ring;
use crate::stats::{Stage, Stats};
use crate::units::Spec;

pub use crate::output::device::DeviceRow;

/// A fade-out is 10 ms; a device period on top of it is waited for.
const FADE: Duration = Duration::from_millis(60);

/// What main holds of the output.
pub struct Sound {
    name: Mutex<String>,
    remote: OnceLock<Remote>,
    device: Mutex<Option<Device>>,
    volume: Mutex<u8>,
    is_card: bool,
}

/// Opens `output` on a thread of its own; the sink waits for it.
///
/// # Errors
///
/// A thread that cannot be started. A card that cannot be opened is told by the
/// sink, because sound may never be needed.
pub fn open(
    output: OutputChoice,
    volume: u8,
    bell: &Arc<Bell>,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(Arc<Sound>, RingSink), Problem> {
    let (sink, opener) = ring_sink(Arc::clone(bell), Arc::clone(stats));
    let sound = Arc::new(Sound {
        name: Mutex::new("null".to_owned()),
        remote: OnceLock::new(),
        device: Mutex::new(None),
        volume: Mutex::new(volume),
        is_card: output != OutputChoice::Null,
    });
    let (ours, stats, told) = (Arc::clone(&sound), Arc::clone(stats), events.clone());
    match output {
        OutputChoice::Null => pipeline::spawn("audio", Thread::Audio, events, move || {
            run_null(&ours, opener, &stats);
            Ok(())
        })?,
        OutputChoice::Default { device } => {
            pipeline::spawn_short("device", move || open_card(device.as_deref(), &ours, opener, &stats, &told))?;
        }
    }
    Ok((sound, sink))
}

/// The thread "audio" without a card: waits for the layout, then only on the clock.
fn run_null(sound: &Sound, opener: Opener, stats: &Arc<Stats>) {
    let Some(spec) = opener.wanted() else { return };
    stats.begin(Stage::DeviceOpen);
    let (producer, consumer) = ring::of_length(spec);
    let (callback, remote) = Callback::new(consumer, Arc::clone(stats));
    sound.take_over(remote, stats);
    stats.end(Stage::DeviceOpen);
    stats.begin(Stage::FirstCallback);
    opener.answer(Ok(producer));
    Null::new(callback).run();
}

/// Finds the card while the network is busy, and starts it when the layout is known.
fn open_card(name: Option<&str>, sound: &Sound, opener: Opener, stats: &Arc<Stats>, events: &Events) {
    let found = device::find(name);
    let Some(wanted) = opener.wanted() else { return };
    let started = found.and_then(|found| found.start(wanted, stats, events));
    opener.answer(started.map(|(device, producer)| {
        sound.take_over(device.remote().clone(), stats);
        *sound.name.lock().unwrap_or_else(PoisonError::into_inner) = device.name().to_owned();
        *sound.device.lock().unwrap_or_else(PoisonError::into_inner) = Some(device);
        producer
    }));
}

impl Sound {
    fn take_over(&self, remote: Remote, stats: &Stats) {
        remote.set_volume(*self.volume.lock().unwrap_or_else(PoisonError::into_inner));
        stats.output_rate.store(remote.spec().rate.hertz(), Ordering::Relaxed);
        // Set once: an output is opened once in a run.
        let _ = self.remote.set(remote);
    }

    /// Layout of the open output.
    pub fn spec(&self) -> Option<Spec> {
        self.remote.get().map(Remote::spec)
    }

    /// What people call it.
    pub fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How loud, 0 to 100; also before it is open.
    pub fn set_volume(&self, percent: u8) {
        *self.volume.lock().unwrap_or_else(PoisonError::into_inner) = percent;
        if let Some(remote) = self.remote.get() {
            remote.set_volume(percent);
        }
    }

    /// Fades out; returns when it is silent, or after the longest time that takes.
    pub fn fade_out(&self) {
        let Some(remote) = self.remote.get() else { return };
        remote.stop();
        let until = Instant::now() + FADE;
        while self.is_card && !remote.is_silent() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Closes the card on a thread nobody waits for: a pulled one may hang.
    pub fn close(&self) {
        let device = self.device.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(device) = device {
            // Without a thread for it the card closes with the process.
            let _ = pipeline::spawn_short("device", move || device.close());
        }
    }
}

/// The audio outputs of this machine.
///
/// # Errors
///
/// [`crate::error::Kind::Audio`] when there is none.
pub fn devices() -> Result<Vec<DeviceRow>, Problem> {
    device::list()
}
