//! What past transfers say about the link: bytes over time, and the wait for
//! the first byte apart from it. Fixed memory, no clock.

use super::mixed;

/// Transfers that are remembered: minutes of them.
const REMEMBERED: usize = 256;
/// Weight of the newest wait for a first byte.
const NEWEST_WAIT: f64 = 0.3;
/// Round trips before the session's first answer: TCP, TLS 1.3 and the request.
const FIRST_ROUND_TRIPS: f64 = 3.0;
/// A transfer that ends faster (in seconds) measured a socket's buffer.
const SHORTEST: f64 = 1e-4;
/// The wait for a first byte before one came, in seconds.
const UNKNOWN_WAIT: f64 = 0.1;
/// Seconds of transfer in which half of what rates were is forgotten.
const HALF_LIFE: f64 = 60.0;
/// Seconds behind that are no outage.
const SHALLOW: f64 = 1.0;
/// Seconds in which half of what was seen is forgotten.
const LONG_MEMORY: f64 = 600.0;
/// The share of the usual rate whose lack counts.
const SOME: f64 = 0.7;
/// How many times what the lowest rung takes its lack counts.
const LOWEST: f64 = 1.3;
/// How much the usual rate counts beside the lowest rung's. The lowest alone
/// would miss a short outage within a long transfer.
const USUAL_SHARE: f64 = 0.25;
/// Seconds between two outages, as usual: sessions on mobile networks have one
/// in one to two minutes.
const OUTAGE_EVERY: f64 = 100.0;
/// How many outages that are usual weigh as much as those that were seen.
const OUTAGES_USUAL: f64 = 4.0;
/// Deviation of rates over their mean, as usual.
const USUAL_VARIATION: f64 = 0.4;
/// How much the usual one weighs against what was seen.
const USUAL_WEIGHT: f64 = 0.1;

/// Kilobits and seconds of one transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Transfer {
    kilobits: f64,
    seconds: f64,
}

/// The times in which the link carried hardly more than the lowest rung takes,
/// by how far a player of that rate would have fallen behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Outages {
    /// How far it is behind now, and was at most since it last was not.
    behind: f64,
    deepest: f64,
    /// How many there were, and how deep together.
    count: f64,
    depth: f64,
    /// How long was watched.
    seconds: f64,
}

impl Outages {
    fn pass(&mut self, seconds: f64, lacking: f64) {
        self.seconds += seconds;
        self.behind = (self.behind + lacking).max(0.0);
        self.deepest = self.deepest.max(self.behind);
        if self.behind == 0.0 {
            if self.deepest > SHALLOW {
                self.count += 1.0;
                self.depth += self.deepest;
            }
            self.deepest = 0.0;
        }
    }

    /// How deep the next one is expected to be, and how many there are a
    /// second, where `depth` is usual.
    fn expected(&self, depth: f64) -> (f64, f64) {
        let is_open = self.deepest > SHALLOW;
        let count = OUTAGES_USUAL + self.count + f64::from(u8::from(is_open));
        let open = if is_open { self.deepest } else { 0.0 };
        let mean = (OUTAGES_USUAL * depth + self.depth + open) / count;
        let seconds = OUTAGES_USUAL * OUTAGE_EVERY + self.seconds;
        (mean, count / seconds)
    }
}

/// The memory of past transfers.
#[derive(Clone, Debug)]
pub struct Link {
    transfers: [Transfer; REMEMBERED],
    count: usize,
    /// Playlists and init sections, summed up.
    opening: Transfer,
    wait: Option<f64>,
    /// What it usually adds to a transfer: nothing where requests overlap.
    pause: Option<f64>,
    /// All media, forgotten slowly.
    all: Transfer,
    outages: Outages,
    /// Decaying sums of rates, their squares and their weights.
    mean: f64,
    square: f64,
    weight: f64,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            transfers: [Transfer::default(); REMEMBERED],
            count: 0,
            opening: Transfer::default(),
            wait: None,
            pause: None,
            all: Transfer::default(),
            outages: Outages::default(),
            mean: 0.0,
            square: 0.0,
            weight: 0.0,
        }
    }
}

impl Link {
    /// A playlist or an init section came.
    pub fn opened(&mut self, kilobits: f64, wait: Option<f64>, seconds: f64) {
        let is_first = self.opening.kilobits == 0.0;
        self.opening.kilobits += kilobits;
        self.opening.seconds += seconds;
        let trips = if is_first { FIRST_ROUND_TRIPS } else { 1.0 };
        if let Some(wait) = wait {
            self.waited(wait / trips);
        }
    }

    /// A transfer of media, whole or given up, took this long from its first
    /// byte on. The lowest rung takes `lowest` kilobits per second.
    pub fn carried(&mut self, kilobits: f64, seconds: f64, lowest: f64) {
        let seconds = seconds.max(SHORTEST);
        let passed = seconds + self.wait();
        let kept = 0.5_f64.powf(passed / LONG_MEMORY);
        self.all.kilobits = self.all.kilobits * kept + kilobits;
        self.all.seconds = self.all.seconds * kept + passed;
        let usual = SOME * self.all.kilobits / self.all.seconds;
        let some = mixed((LOWEST * lowest).min(usual), usual, USUAL_SHARE);
        self.outages
            .pass(passed, passed - kilobits / some.max(1e-3));
        self.transfers[self.count % REMEMBERED] = Transfer { kilobits, seconds };
        self.count += 1;
        let kept = 0.5_f64.powf(seconds / HALF_LIFE);
        let rate = kilobits / seconds;
        self.mean = self.mean * kept + rate * (1.0 - kept);
        self.square = self.square * kept + rate * rate * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
    }

    /// A first byte came after `seconds`.
    pub fn waited(&mut self, seconds: f64) {
        self.wait = Some(match self.wait {
            Some(wait) => wait * (1.0 - NEWEST_WAIT) + seconds * NEWEST_WAIT,
            None => seconds,
        });
    }

    /// A transfer was held up for `seconds` by its wait for the first byte.
    pub fn paused(&mut self, seconds: f64) {
        let pause = self.pause();
        self.pause = Some(pause * (1.0 - NEWEST_WAIT) + seconds * NEWEST_WAIT);
    }

    /// By how much waits hold a transfer up.
    pub fn pause(&self) -> f64 {
        self.pause.unwrap_or(self.wait())
    }

    /// What a first byte takes.
    pub fn wait(&self) -> f64 {
        self.wait.unwrap_or(UNKNOWN_WAIT)
    }

    /// Whether media was transferred.
    pub fn is_measured(&self) -> bool {
        self.count > 0
    }

    /// Kilobits per second of the playlists' transfers, if there were any.
    pub fn opening_rate(&self) -> Option<f64> {
        let Transfer { kilobits, seconds } = self.opening;
        (kilobits > 0.0).then(|| kilobits / seconds.max(1e-3))
    }

    /// How deep the next outage is expected to be, and how many there are a
    /// second, where `depth` seconds are usual.
    pub fn outages(&self, depth: f64) -> (f64, f64) {
        self.outages.expected(depth)
    }

    /// How much rates differ: their deviation over their mean.
    pub fn variation(&self) -> f64 {
        if self.weight <= 0.0 || self.mean <= 0.0 {
            return USUAL_VARIATION;
        }
        let mean = self.mean / self.weight;
        let square = self.square / self.weight;
        let own = (square / (mean * mean) - 1.0).max(0.0).sqrt();
        (own * self.weight + USUAL_VARIATION * USUAL_WEIGHT) / (self.weight + USUAL_WEIGHT)
    }

    /// Kilobits per second over the last `window` seconds of transfer. Bytes
    /// over time, so that an outage counts with its whole length.
    pub fn rate(&self, window: f64) -> f64 {
        let (mut kilobits, mut seconds) = (0.0, 0.0);
        for back in 1..=self.count.min(REMEMBERED) {
            let transfer = self.transfers[(self.count - back) % REMEMBERED];
            kilobits += transfer.kilobits;
            seconds += transfer.seconds;
            if seconds >= window {
                break;
            }
        }
        kilobits / seconds.max(1e-6)
    }
}
