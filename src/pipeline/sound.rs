//! The audio side of a run, the thread "audio": a device that is looked for beside
//! the first request, or the null device. Both run the same callback.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::error::Problem;
use crate::event::{Events, Thread};
use crate::output::Output;
use crate::output::callback::Remote;
use crate::output::device;
use crate::output::sink::{Opener, RingSink, ring_sink};
use crate::pipeline::{self, OutputChoice};
use crate::stats::Stats;
use crate::units::Spec;

pub use crate::output::device::DeviceRow;

/// A fade-out is 10 ms; a device period on top of it is waited for.
const FADE: Duration = Duration::from_millis(60);
/// What a card may hold; more is a broken answer of its driver.
const LONGEST_LATENCY: Duration = Duration::from_millis(200);

/// What main holds of the output.
pub struct Sound {
    output: Mutex<Option<Output>>,
    remote: OnceLock<Remote>,
    /// As the listener wants it, also before the output is open.
    volume: AtomicU8,
    paused: AtomicBool,
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
) -> Result<(Arc<Sound>, RingSink, JoinHandle<()>), Problem> {
    let (sink, opener) = ring_sink(Arc::clone(bell), Arc::clone(stats), events.clone());
    let sound = Arc::new(Sound {
        output: Mutex::new(None),
        remote: OnceLock::new(),
        volume: AtomicU8::new(volume),
        paused: AtomicBool::new(false),
    });
    let (ours, stats, told) = (Arc::clone(&sound), Arc::clone(stats), events.clone());
    let thread = match output {
        OutputChoice::Null => pipeline::spawn("audio", Thread::Audio, events, move || {
            run_null(&ours, opener, &stats);
            Ok(())
        })?,
        OutputChoice::Default { device } => {
            pipeline::spawn("audio", Thread::Audio, events, move || {
                run_device(device.as_deref(), &ours, opener, &stats, &told)
            })?
        }
    };
    Ok((sound, sink, thread))
}

/// The thread "audio" without a card: waits for the layout, then only on the clock.
fn run_null(sound: &Sound, opener: Opener, stats: &Arc<Stats>) {
    let Some(spec) = opener.wanted() else { return };
    let (output, null, producer) = Output::null(spec, stats);
    sound.take_over(output, stats);
    opener.answer(Ok(producer));
    null.run();
}

/// The thread "audio" of a device: finds it while the network is busy, starts it
/// when the layout is known, and plays.
fn run_device(
    name: Option<&str>,
    sound: &Sound,
    opener: Opener,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(), Problem> {
    let found = device::find(name);
    let Some(wanted) = opener.wanted() else {
        return Ok(());
    };
    match found.and_then(|found| found.start(wanted, stats)) {
        Ok((device, player, producer)) => {
            sound.take_over(Output::Device(device), stats);
            opener.answer(Ok(producer));
            player.run(stats, events)
        }
        Err(problem) => {
            opener.answer(Err(problem));
            Ok(())
        }
    }
}

impl Sound {
    fn take_over(&self, output: Output, stats: &Stats) {
        let remote = output.remote().clone();
        stats
            .output_rate
            .store(remote.spec().rate.hertz(), Ordering::Relaxed);
        *self.output() = Some(output);
        // Set once: an output is opened once in a run; what was wished before
        // it was there is done now.
        let _ = self.remote.set(remote);
        self.set_volume(self.volume.load(Ordering::Relaxed));
        self.pause(self.paused.load(Ordering::Relaxed));
    }

    /// Holds the sound, or lets it go on.
    pub fn pause(&self, is_paused: bool) {
        self.paused.store(is_paused, Ordering::Relaxed);
        if let Some(remote) = self.remote.get() {
            remote.pause(is_paused);
        }
        if let Some(output) = self.output().as_ref() {
            output.wake();
        }
    }

    /// Loudness in percent.
    pub fn set_volume(&self, percent: u8) {
        self.volume.store(percent, Ordering::Relaxed);
        if let Some(remote) = self.remote.get() {
            remote.set_volume(percent);
        }
    }

    /// Layout of the open output.
    pub fn spec(&self) -> Option<Spec> {
        self.remote.get().map(Remote::spec)
    }

    /// What people call it; empty while it is not open.
    pub fn name(&self) -> String {
        self.output()
            .as_ref()
            .map(|output| output.name().to_owned())
            .unwrap_or_default()
    }

    /// Fades out; returns when it is silent and the output has played what it
    /// holds, or after the longest time that takes.
    pub fn fade_out(&self) {
        let Some(remote) = self.remote.get() else {
            return;
        };
        remote.stop();
        let until = Instant::now() + FADE;
        while !remote.is_silent() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(remote.latency().min(LONGEST_LATENCY));
    }

    /// Tells the thread "audio" to end.
    pub fn close(&self) {
        if let Some(output) = self.output().take() {
            output.close();
        }
    }

    fn output(&self) -> MutexGuard<'_, Option<Output>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
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
