//! The only place that spawns threads and makes the doors between them.
//!
//! ```text
//!           demand ◄─────────────────────────┐
//! net ─ pieces (2) ─► decode ─ ring (500 ms) ─► audio
//!  └────────── events (4096) ─► main ◄─────────┘
//! ```
//!
//! `main` listens, `net` fetches, `decode` makes frames, `audio` is the sound
//! card's callback or the null device. Each tells its end as [`Event::Done`].

pub mod describe;
pub mod description;
pub mod export;
pub mod housekeeping;
pub mod job;
mod look;
mod net;
mod outfolder;
mod recall;
mod replay;
mod sound;
pub mod stored;
mod survey;
mod watchdog;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::Notify;

use crate::bell::Bell;
use crate::bell::helm::Helm;
use crate::decode::{self, inbox};
use crate::error::{Kind, Problem};
use crate::event::{self, Event, Events, Thread};
use crate::hls::dial::{Dial, dial};
use crate::media::{Format, Sink};
use crate::output;
use crate::output::ledger::Ledger;
use crate::output::wav::{self, WavSink};
use crate::pipeline::net::Net;
use crate::pipeline::sound::Sound;
use crate::pipeline::watchdog::{Look, Watchdog};
use crate::stats::{Pick, Stats};
use crate::units::{MediaTime, Speed};

pub use crate::hls::replay::{Difference, Outcome};
pub use describe::{Described, describe};
pub use description::{Description, LiveRow, VariantRow};
pub use export::{Exported, cache_export};
pub use housekeeping::{Verified, cache_path, cache_remove, cache_trim, cache_verify};
pub use job::{
    Algorithm, Authorities, CacheChoice, CacheMode, Certificate, CmcdMode, Edge, Entry, Job,
    Network, OutputChoice, Proxies, Quality, Sample, Secrets, Start, Tag, Target, Task, Taste,
    Wish,
};
pub use replay::replay;
pub use sound::{DeviceRow, devices};
pub use stored::{CacheRow, Whole, cache_list};
pub use survey::survey;

/// Enough for TLS and the deepest decoder; only touched pages cost memory.
const STACK_BYTES: usize = 1 << 20;
/// How often threads that were told to end are looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A job under way.
pub struct Run {
    /// What happens. Ends with the [`Event::Done`] of each thread.
    pub events: Receiver<Event>,
    sender: Events,
    bell: Arc<Bell>,
    stop: Arc<Notify>,
    stats: Arc<Stats>,
    sound: Option<Arc<Sound>>,
    rescue: Option<wav::Rescue>,
    watchdog: Mutex<Watchdog>,
    url: String,
    dial: Dial,
    helm: Arc<Helm>,
    list: Listed,
    /// Threads that will tell their end.
    threads: Vec<(Thread, JoinHandle<()>)>,
}

/// The entries of a list of addresses, once it has been read.
#[derive(Clone, Debug, Default)]
pub struct Listed(Arc<OnceLock<Vec<Result<Entry, Problem>>>>);

impl Listed {
    /// The list turned out to be these.
    fn set(&self, entries: Vec<Result<Entry, Problem>>) {
        let _ = self.0.set(entries); // a run meets one list
    }
}

/// What is known about a run.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `hls-vod` or `file`; empty while it is not known.
    pub kind: &'static str,
    /// Address without secrets.
    pub url: String,
    /// What the sound goes to.
    pub device: String,
    /// Frames per second of the output; zero while it is not open.
    pub rate: u32,
    /// Channels of the output.
    pub channels: u16,
    /// What is decoded.
    pub codec: Option<Format>,
    /// The variant decoded now.
    pub variant: Option<usize>,
    /// What the listener asked for while playing.
    pub picked: Option<Pick>,
}

/// Starts `job`.
///
/// # Errors
///
/// What can be known before anything runs: an output that cannot be written.
pub fn start(job: Job, stats: Arc<Stats>) -> Result<Run, Problem> {
    let (sender, events) = event::channel();
    let bell = Arc::new(Bell::default());
    let stop = Arc::new(Notify::new());
    let (dial, turns) = dial();
    let helm = Arc::new(Helm::new(&bell));
    let mut run = Run {
        events,
        sender: sender.clone(),
        bell: Arc::clone(&bell),
        stop: Arc::clone(&stop),
        stats: Arc::clone(&stats),
        sound: None,
        rescue: None,
        watchdog: Mutex::new(Watchdog::new(Instant::now())),
        url: job.location.to_string(),
        dial,
        helm: Arc::clone(&helm),
        list: Listed::default(),
        threads: Vec::new(),
    };
    let sink = run.open_sink(&job)?;
    let (doors, mut inbox) = inbox::door(&bell);
    let wanted = decode::Wanted {
        start: job.start,
        length: job.length,
    };
    let net = Net {
        job,
        doors,
        turns,
        bell,
        stop,
        list: run.list.clone(),
        stats,
        events: sender,
    };
    let thread = spawn("net", Thread::Net, &run.sender, move || net.run())?;
    run.threads.push((Thread::Net, thread));
    if let Some(mut sink) = sink {
        let (stats, events) = (Arc::clone(&run.stats), run.sender.clone());
        let thread = spawn("decode", Thread::Decode, &run.sender, move || {
            decode::run(&mut inbox, sink.as_mut(), &helm, wanted, &stats, &events)
        })?;
        run.threads.push((Thread::Decode, thread));
    }
    Ok(run)
}

/// Runs `work` on a thread of its own, which tells its end; a panic is a bug.
fn spawn(
    name: &str,
    thread: Thread,
    events: &Events,
    work: impl FnOnce() -> Result<(), Problem> + Send + 'static,
) -> Result<JoinHandle<()>, Problem> {
    let events = events.clone();
    spawn_short(name, move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        events.send_last(Event::Done(
            thread,
            result.unwrap_or_else(|_| Err(panicked())),
        ));
    })
}

/// Runs `work` on a thread that tells nobody.
///
/// # Errors
///
/// When the system gives no thread.
pub fn spawn_short(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Problem> {
    let builder = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES);
    builder.spawn(work).map_err(|error| {
        Problem::from_io(
            error,
            Kind::Bug,
            "cannot start a thread",
            "close other programs",
        )
    })
}

fn panicked() -> Problem {
    Problem::new(
        Kind::Bug,
        "cannot go on",
        "a thread of kithara panicked",
        "please report it",
    )
}

impl Run {
    /// The sink of the job; `None` when it only stores.
    fn open_sink(&mut self, job: &Job) -> Result<Option<Box<dyn Sink>>, Problem> {
        match &job.task {
            Task::Cache { .. } => Ok(None),
            Task::Dump {
                target,
                force,
                sample,
                rate,
                channels,
                raw,
                ledger,
            } => {
                let path = match target {
                    Target::File(path) => path.as_path(),
                    Target::Stdout => Path::new("-"),
                };
                let ledger = ledger
                    .as_deref()
                    .map(|path| output::target::Target::open(path, *force))
                    .transpose()?;
                let ledger = ledger.map(Ledger::new);
                let target = output::target::Target::open_binary(path, *force)?;
                let (sample, rate, channels, raw) = (*sample, *rate, *channels, *raw);
                let sink = WavSink::new(
                    target,
                    wav::Options {
                        sample,
                        rate,
                        channels,
                        raw,
                    },
                    ledger,
                );
                self.rescue = Some(sink.rescue());
                Ok(Some(Box::new(sink)))
            }
            Task::Play {
                output,
                volume,
                speed,
            } => {
                self.helm.set_speed(*speed);
                let (sound, sink, thread) = sound::open(
                    output.clone(),
                    *volume,
                    &self.bell,
                    &self.stats,
                    &self.sender,
                )?;
                self.sound = Some(sound);
                self.threads.push((Thread::Audio, thread));
                Ok(Some(Box::new(sink)))
            }
        }
    }

    /// What is heard or written now.
    pub fn position(&self) -> MediaTime {
        self.stats.position()
    }

    /// The entries, when it turned out to be a list of addresses: nothing else
    /// comes of the run then.
    pub fn list(&self) -> Option<&[Result<Entry, Problem>]> {
        self.list.0.get().map(Vec::as_slice)
    }

    /// What is known by now.
    pub fn facts(&self) -> Facts {
        let lists = self.stats.lists();
        let output = self.sound.as_ref().and_then(|sound| sound.spec());
        let spec = output.or(lists.output);
        Facts {
            kind: lists.kind,
            url: self.url.clone(),
            device: self
                .sound
                .as_ref()
                .map_or_else(|| "file".to_owned(), |sound| sound.name()),
            rate: spec.map_or(0, |spec| spec.rate.hertz()),
            channels: spec.map_or(0, |spec| u16::try_from(spec.channels.count()).unwrap_or(0)),
            codec: lists.format,
            variant: lists.variant,
            picked: lists.picked,
        }
    }

    /// Asked once a second: a decoder that hangs, as the problem that ends the run.
    pub fn hung(&self) -> Option<Problem> {
        if !self.is_running(Thread::Decode) {
            return None;
        }
        let look = Look {
            is_waiting: self.bell.is_waited_for() || self.stats.blocked.load(Ordering::Relaxed),
            progress: self.stats.frames_decoded.total() + self.stats.copied_bytes.total(),
        };
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        watchdog.look(look, Instant::now()).map(watchdog::hung)
    }

    /// The listener wants the next variant, or behind the last one that which
    /// the link carries. Nothing happens where there is only one.
    pub fn next_variant(&self) {
        self.dial.turn();
    }

    /// Goes on at `to`, or as near to it as there is sound; [`MediaTime::MAX`] is
    /// the edge of a live stream.
    pub fn seek(&self, to: MediaTime) {
        self.helm.seek(to);
    }

    /// Fades out and holds, or goes on where it held.
    pub fn pause(&self, is_paused: bool) {
        if let Some(sound) = &self.sound {
            sound.pause(is_paused);
        }
    }

    /// Plays at another pace, from what is decoded next on.
    pub fn set_speed(&self, speed: Speed) {
        self.helm.set_speed(speed);
    }

    /// Loudness in percent.
    pub fn set_volume(&self, percent: u8) {
        if let Some(sound) = &self.sound {
            sound.set_volume(percent);
        }
    }

    /// Tells every thread to end.
    pub fn stop(&self) {
        if let Some(sound) = &self.sound {
            sound.fade_out();
        }
        self.bell.stop();
        self.stop.notify_one();
    }

    /// The orderly end: every thread is told, and waited for within `deadline`.
    ///
    /// # Errors
    ///
    /// What kept the output from being whole, when that is only known now.
    pub fn finish(self, deadline: Duration) -> Result<(), Problem> {
        let until = Instant::now() + deadline;
        self.stop();
        if let Some(sound) = &self.sound {
            sound.close();
        }
        let failure = self.drain(until);
        if self.is_running(Thread::Decode)
            && let Some(rescue) = &self.rescue
        {
            // The codec does not come back: the file is finished without it.
            rescue.finish()?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Waits for the threads, taking what they still have to say; the first
    /// thing that kept the output from being whole.
    fn drain(&self, until: Instant) -> Option<Problem> {
        let mut failure = None;
        loop {
            // Before the look: what a thread said before it ended is not missed.
            let is_over = self.threads.iter().all(|(_, thread)| thread.is_finished());
            let patience = if is_over { Duration::ZERO } else { LOOK };
            match self.events.recv_timeout(patience) {
                Ok(Event::Done(_, Err(problem))) if problem.kind == Kind::Output => {
                    failure.get_or_insert(problem);
                }
                Ok(_) => {}
                Err(_) if is_over || Instant::now() >= until => return failure,
                Err(_) => {}
            }
        }
    }

    fn is_running(&self, thread: Thread) -> bool {
        let is_it =
            |(name, handle): &(Thread, JoinHandle<()>)| *name == thread && !handle.is_finished();
        self.threads.iter().any(is_it)
    }
}
