//! Counters and the startup timeline: every thread adds, the report reads.
//! Plain atomics, no lock on any hot path; lists of rare things sit in a mutex.

mod anchors;
mod causes;
mod exchanges;
mod histogram;
mod seeks;
mod timeline;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Decision, Exchange, RequestKind};
use crate::media::Format;
use crate::units::{BitRate, Frames, MediaTime, SampleRate, Spec, Speed};

use anchors::Anchors;
pub use causes::{Cause, Underrun, Waste};
pub use exchanges::{Exchanges, Purpose};
pub use histogram::{Histogram, Spread};
pub use seeks::Seek;
use timeline::Timeline;
pub use timeline::{Stage, StageTimes};

const LIST_CAPACITY: usize = 10_000; // rare things; a run that has more has said enough

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A moment of media that one thread sets and others read.
#[derive(Debug, Default)]
pub struct Moment(AtomicI64);

impl Moment {
    /// Replaces the moment.
    pub fn set(&self, time: MediaTime) {
        self.0.store(time.nanos(), Ordering::Relaxed);
    }

    /// The moment last set.
    pub fn now(&self) -> MediaTime {
        MediaTime::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A variant as the report lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantRow {
    /// Peak bits per second.
    pub bandwidth: u64,
    /// Average bits per second, when stated.
    pub average_bandwidth: Option<u64>,
    /// The CODECS attribute.
    pub codecs: Option<String>,
    /// Whether we can play it.
    pub decodable: bool,
    /// The rates are those of the sound and pictures together.
    pub with_pictures: bool,
}

/// Which variant the listener asked for by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// What the link carries.
    Auto,
    /// This one, as `info` lists it.
    Variant(usize),
}

/// Lists of rare things, and what is known of the stream.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// `hls-vod` or `file`; empty while it is not known.
    pub kind: &'static str,
    /// What is decoded.
    pub format: Option<Format>,
    /// What the sink wants.
    pub output: Option<Spec>,
    /// The variant decoded now, as `info` lists it.
    pub variant: Option<usize>,
    /// What the listener asked for while playing.
    pub picked: Option<Pick>,
    /// How the stream is encrypted, as the media playlist read last says; empty
    /// while it is not known.
    pub encryption: String,
    /// Variants of the stream.
    pub variants: Vec<VariantRow>,
    /// Changes of variant.
    pub switches: Vec<Decision>,
    /// Underruns of the device.
    pub underruns: Vec<Underrun>,
    /// Places that were sought.
    pub seeks: Vec<Seek>,
    /// A moment of the stream and its date in milliseconds since 1970 (UTC), as
    /// a live playlist last said it.
    pub date: Option<(MediaTime, i64)>,
}

/// Everything that is counted in one run.
#[derive(Debug, Default)]
pub struct Stats {
    began: Option<Instant>,
    timeline: Timeline,
    requests: [Counter; RequestKind::ALL.len()],
    wasted: [Counter; Waste::ALL.len()],
    exchanges: Mutex<[Exchanges; Purpose::ALL.len()]>,
    connects: Mutex<Histogram>,
    lists: Mutex<Lists>,

    /// Body bytes received.
    pub network_bytes: Counter,
    /// Requests sent again.
    pub retries: Counter,
    /// Connections opened.
    pub connections: Counter,
    /// Bytes of segments that came over the network,
    pub carried_bytes: Counter,
    /// and for how many nanoseconds some of them were on their way.
    pub carried_ns: Counter,
    /// Estimated throughput, bits per second; the last value, not a sum.
    pub estimate: AtomicU64,

    /// Media bytes that a cache of an earlier run had.
    pub cache_hit_bytes: Counter,
    /// Media bytes that had to be fetched.
    pub cache_miss_bytes: Counter,
    /// Microseconds spent opening the cache and the stream in it.
    pub cache_open_us: Counter,
    /// Bytes evicted.
    pub evicted_bytes: Counter,

    /// Media bytes handed to the decoder's side (init and segments, or file).
    pub wire_bytes: Counter,
    /// Bytes copied in user space between the HTTP library's chunk and the codec.
    pub copied_bytes: Counter,

    /// Frames decoded, before trimming, at the source's rate.
    pub frames_decoded: Counter,
    /// Nanoseconds of media those frames are.
    pub media_decoded_ns: Counter,
    /// Nanoseconds spent in the codec.
    pub decode_busy_ns: Counter,
    /// The decode thread is inside a system call that may take its time (a slow
    /// reader of our output, a slow disk): no fault of a codec.
    pub blocked: AtomicBool,
    /// Access units that could not be decoded.
    pub decode_errors: Counter,
    /// Media bits decoded by the nominal rate of their variant; over
    /// `media_decoded_ns` this is the average rate played.
    pub bits_played: Counter,

    /// Frames the device took, silence of underruns excluded, at the device rate.
    pub frames_played: Counter,
    /// Waits for data after sound had begun.
    pub rebuffers: Counter,
    /// How long they lasted, in nanoseconds.
    pub rebuffer_ns: Counter,

    /// The next frame of the output's count, with those that a seek left out.
    pub playhead: AtomicU64,
    anchors: Mutex<Anchors>,
    /// When the first frame of it was heard, in nanoseconds since the process began.
    pub landed: AtomicU64,

    /// Frames per second of the output; zero while it is not open.
    pub output_rate: AtomicU32,

    /// Times that the playlist of a live stream was loaded again.
    pub reloads: Counter,
    /// Nanoseconds of a live stream that could not be had.
    pub lost_ns: Counter,

    /// Where playback began.
    pub start: Moment,
    /// Everything before this moment is on disk.
    pub fetched_until: Moment,
    /// Everything before this moment is decoded.
    pub decoded_until: Moment,
    /// How long the stream is; zero while unknown.
    pub duration: Moment,
}

impl Stats {
    /// Counters at zero; `began` is when the process began.
    pub fn new(began: Instant) -> Self {
        Self {
            began: Some(began),
            ..Self::default()
        }
    }

    /// Time since the process began.
    pub fn elapsed(&self) -> Duration {
        self.since(Instant::now())
    }

    /// `at`, counted from when the process began.
    pub fn since(&self, at: Instant) -> Duration {
        self.began
            .map_or(Duration::ZERO, |began| at.saturating_duration_since(began))
    }

    /// Marks the beginning of a stage; only the first counts.
    pub fn begin(&self, stage: Stage) {
        self.timeline.begin(stage, self.elapsed());
    }

    /// Marks the end of a stage; only the first counts.
    pub fn end(&self, stage: Stage) {
        self.timeline.end(stage, self.elapsed());
    }

    /// Both marks of a stage at once, for what is known only afterwards.
    pub fn stage(&self, stage: Stage, began: Instant, ended: Instant) {
        let (began, ended) = (self.since(began), self.since(ended));
        self.timeline.both(stage, began, ended);
    }

    /// The stages that began and ended, in order.
    pub fn stages(&self) -> Vec<StageTimes> {
        self.timeline.stages()
    }

    /// Counts a request that is over.
    pub fn exchange(&self, exchange: &Exchange) {
        self.requests[exchange.kind as usize].add(1);
        locked(&self.exchanges)[Purpose::of(exchange.kind) as usize].note(exchange);
    }

    /// How the requests for one purpose went so far.
    pub fn exchanges(&self, purpose: Purpose) -> Exchanges {
        locked(&self.exchanges)[purpose as usize].clone()
    }

    /// Counts a connection that took `time`: name, TCP and TLS together.
    pub fn connection(&self, time: Duration) {
        self.connections.add(1);
        locked(&self.connects).add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Microseconds that connections took.
    pub fn connects(&self) -> Option<Spread> {
        locked(&self.connects).spread()
    }

    /// Counts body bytes that were received and thrown away.
    pub fn waste(&self, cause: Waste, bytes: u64) {
        self.wasted[cause as usize].add(bytes);
    }

    /// Bytes thrown away for one cause so far.
    pub fn wasted(&self, cause: Waste) -> u64 {
        self.wasted[cause as usize].total()
    }

    /// Requests of one kind so far.
    pub fn requests(&self, kind: RequestKind) -> u64 {
        self.requests[kind as usize].total()
    }

    /// The estimated throughput.
    pub fn estimate(&self) -> BitRate {
        BitRate(self.estimate.load(Ordering::Relaxed))
    }

    /// What is heard now; for a dump, what was decoded.
    pub fn position(&self) -> MediaTime {
        let rate = SampleRate::new(self.output_rate.load(Ordering::Relaxed));
        let frame = Frames(self.playhead.load(Ordering::Relaxed));
        rate.map_or_else(
            || self.decoded_until.now(),
            |rate| self.time_of(frame, rate),
        )
    }

    /// The moment of the stream at which the frame of the output's count is heard.
    pub fn time_of(&self, frame: Frames, rate: SampleRate) -> MediaTime {
        match locked(&self.anchors).of(frame) {
            Some(anchor) => anchor.time_of(frame, rate),
            None => self.start.now() + frame.time(rate),
        }
    }

    /// What was not heard by `frame` of the output's count is not heard any
    /// more; from there on it is `position` of the stream.
    pub fn go_to(&self, frame: Frames, position: MediaTime) {
        self.start.set(position);
        locked(&self.anchors).replace(frame, position);
    }

    /// From `frame` of the output's count on, which is `position` of the stream,
    /// it is played at `speed`.
    pub fn pace(&self, frame: Frames, position: MediaTime, speed: Speed) {
        locked(&self.anchors).add(frame, position, speed);
    }

    /// The lists, locked.
    pub fn lists(&self) -> MutexGuard<'_, Lists> {
        locked(&self.lists)
    }

    /// Notes a change of variant.
    pub fn switch(&self, decision: Decision) {
        push_bounded(&mut self.lists().switches, decision);
    }

    /// Notes an underrun.
    pub fn underrun(&self, underrun: Underrun) {
        push_bounded(&mut self.lists().underruns, underrun);
    }
}

/// What a panic under the lock left is still a count.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push_bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() < LIST_CAPACITY {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_mark_of_a_stage_counts_and_open_ones_are_not_listed() {
        let began = Instant::now();
        let stats = Stats::new(began);
        let at = |ms| began + Duration::from_millis(ms);
        stats.stage(Stage::Connect, at(2), at(5));
        stats.stage(Stage::Connect, at(7), at(9));
        stats.begin(Stage::Tls);
        let want = StageTimes {
            stage: Stage::Connect,
            began: Duration::from_millis(2),
            ended: Duration::from_millis(5),
        };
        assert_eq!(stats.stages(), vec![want]);
    }

    #[test]
    fn requests_are_counted_by_kind() {
        let stats = Stats::default();
        for kind in [
            RequestKind::Segment,
            RequestKind::Segment,
            RequestKind::Init,
        ] {
            let now = Instant::now();
            stats.exchange(&Exchange {
                kind,
                url: String::new(),
                sent: now,
                answered: Some(now),
                ended: now,
                status: Some(200),
                offset: 0,
                bytes: 10,
                variant: None,
                segment: None,
                failure: None,
            });
        }
        let counts = RequestKind::ALL.map(|kind| stats.requests(kind));
        assert_eq!(counts, [0, 0, 1, 0, 2, 0]);
        let done = Purpose::ALL.map(|purpose| stats.exchanges(purpose).done);
        assert_eq!(done, [0, 1, 0, 2, 0]);
        assert_eq!(stats.exchanges(Purpose::Segment).bytes, 20);
    }
}
