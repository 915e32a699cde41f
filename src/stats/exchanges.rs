//! How requests went, by what they were for: the time to the first byte and the
//! rate of the body behind it.

use crate::event::{Exchange, RequestKind};

use super::histogram::Histogram;

/// Below this a body comes with its head, and its rate says nothing.
const RATED_BYTES: u64 = 16 << 10;

/// What requests are for, as reports tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A playlist of either kind.
    Playlist,
    /// An initialisation section.
    Init,
    /// A key.
    Key,
    /// A media segment.
    Segment,
    /// A whole file, or a part of one.
    File,
}

impl Purpose {
    /// Every purpose, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Playlist,
        Self::Init,
        Self::Key,
        Self::Segment,
        Self::File,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playlist => "playlist",
            Self::Init => "init",
            Self::Key => "key",
            Self::Segment => "segment",
            Self::File => "file",
        }
    }

    /// What a request of `kind` is for.
    pub fn of(kind: RequestKind) -> Self {
        match kind {
            RequestKind::Multivariant | RequestKind::Media => Self::Playlist,
            RequestKind::Init => Self::Init,
            RequestKind::Key => Self::Key,
            RequestKind::Segment => Self::Segment,
            RequestKind::File => Self::File,
        }
    }
}

/// The requests of one purpose. Those that failed are counted apart and have no
/// part in the times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanges {
    /// Answered to their end.
    pub done: u64,
    /// Failed, or given up.
    pub failed: u64,
    /// Body bytes of all of them.
    pub bytes: u64,
    /// Microseconds from the request to the head of its answer; where a
    /// connection had to be made, that time is in it.
    pub first_byte: Histogram,
    /// Kilobits per second between the first byte and the last, of bodies from
    /// 16 KiB on.
    pub rate: Histogram,
}

impl Exchanges {
    /// Counts a request that is over.
    pub fn note(&mut self, exchange: &Exchange) {
        self.bytes = self.bytes.saturating_add(exchange.bytes);
        let answered = exchange.answered.filter(|_| exchange.failure.is_none());
        let Some(answered) = answered else {
            self.failed += 1;
            return;
        };
        self.done += 1;
        let waited = answered.saturating_duration_since(exchange.sent);
        self.first_byte
            .add(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        let took = exchange.ended.saturating_duration_since(answered);
        if exchange.bytes >= RATED_BYTES && !took.is_zero() {
            let bits = u128::from(exchange.bytes) * 8;
            let kilobits = bits * 1_000_000 / took.as_nanos();
            self.rate.add(u64::try_from(kilobits).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn exchange(bytes: u64, answered: Option<u64>, ended: u64, failure: bool) -> Exchange {
        let sent = Instant::now();
        let at = |millis| sent + Duration::from_millis(millis);
        Exchange {
            kind: RequestKind::Segment,
            url: String::new(),
            sent,
            answered: answered.map(at),
            ended: at(ended),
            status: answered.map(|_| 200),
            offset: 0,
            bytes,
            variant: None,
            segment: None,
            failure: failure.then(|| "abandoned".to_owned()),
        }
    }

    #[test]
    fn times_are_of_answers_and_rates_of_bodies_that_are_long_enough() {
        let mut exchanges = Exchanges::default();
        for one in [
            exchange(100_000, Some(20), 120, false), // 8 Mbit/s
            exchange(1_000, Some(40), 41, false),    // too short for a rate
            exchange(100_000, Some(60), 60, false),  // in no time: no rate
            exchange(5_000, Some(80), 99, true),
            exchange(0, None, 5_000, true),
        ] {
            exchanges.note(&one);
        }
        assert_eq!((exchanges.done, exchanges.failed), (3, 2));
        assert_eq!(exchanges.bytes, 206_000);
        let waited = exchanges.first_byte.spread().expect("three answers");
        assert_eq!((waited.count, waited.least), (3, 20_000));
        assert!(waited.median.abs_diff(40_000) <= 40_000 / 64);
        assert_eq!(waited.greatest, 60_000);
        let rate = exchanges.rate.spread().expect("one rate");
        assert_eq!((rate.count, rate.median), (1, 8_000));
    }

    #[test]
    fn both_kinds_of_playlist_are_told_as_one() {
        let purposes = RequestKind::ALL.map(|kind| Purpose::of(kind).name());
        let want = ["playlist", "playlist", "init", "key", "segment", "file"];
        assert_eq!(purposes, want);
    }
}
