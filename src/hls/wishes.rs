//! What the user wants of an HLS stream, and where that begins in its playlist.
//! Pure.

use std::time::Duration;

use crate::hls::abr::Algorithm;
use crate::hls::live::{self, Edge};
use crate::hls::quality::Quality;
use crate::hls::timeline::Listed;
use crate::media::Start;
use crate::units::{BitRate, MediaTime};

/// How far before `--start` decoding begins, so that overlap, bit reservoirs
/// and band replication have settled: more than any codec here needs.
pub const PRE_ROLL: MediaTime = MediaTime::from_nanos(300_000_000);

/// What is to be done with the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are handed to the decode thread as it demands them.
    Decode,
    /// They are only stored, this many at a time.
    Cache {
        /// Requests in flight.
        jobs: usize,
    },
}

/// What the user wants of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Which variant.
    pub quality: Quality,
    /// A rate for `auto` to begin with, by what the network carried before.
    pub prior: Option<BitRate>,
    /// Where to begin.
    pub start: Option<Start>,
    /// Where to begin in a live stream, unless `start` says it.
    pub edge: Edge,
    /// How much.
    pub length: Option<MediaTime>,
    /// How far to fetch ahead of what is heard; the default when `None`.
    pub ahead: Option<MediaTime>,
    /// Whether segments are read once more for their checksum.
    pub ledger: bool,
    /// Whether a beginning in the middle is exact to the sample, at the price
    /// of one small request for the head of the first segment.
    pub is_exact: bool,
    /// Whether what is missing of a live stream becomes silence of its length,
    /// so that the clock of a recording stays right; a listener has waited for
    /// it already, and it is passed over.
    pub keeps_time: bool,
    /// Whether the publisher's wish where to begin (EXT-X-START) is followed.
    pub is_publisher_heard: bool,
    /// How long the playlist of a live stream may fail to load; for ever when `None`.
    pub patience: Option<Duration>,
    /// Who chooses variants.
    pub algorithm: Algorithm,
    /// Whether what the controller is told and asked is told as events.
    pub is_traced: bool,
    /// What for.
    pub purpose: Purpose,
}

impl Wishes {
    /// Where a run begins in `list`: its first place, the moment heard first,
    /// and the playlist as the run counts it.
    pub fn beginning(&self, list: &Listed) -> (usize, MediaTime, Listed) {
        match list.media().ended {
            true => finite_beginning(list, self),
            false => live_beginning(list, self),
        }
    }

    /// Just enough to hear the first frame.
    pub fn to_probe(quality: Quality) -> Self {
        Self {
            quality,
            prior: None,
            start: None,
            edge: Edge::Usual,
            length: None,
            ahead: Some(MediaTime::ZERO),
            ledger: false,
            is_exact: false,
            keeps_time: false,
            is_publisher_heard: false,
            patience: None,
            algorithm: Algorithm::Default,
            is_traced: false,
            purpose: Purpose::Decode,
        }
    }
}

/// In a stream that has an end.
fn finite_beginning(list: &Listed, wishes: &Wishes) -> (usize, MediaTime, Listed) {
    let duration = list.end_time();
    let publisher = list
        .media()
        .start_offset
        .filter(|_| wishes.is_publisher_heard);
    let from = match (wishes.start, publisher) {
        (Some(start), _) => start.resolve(Some(duration)).unwrap_or_default(),
        (None, Some(start)) => live::publisher_start(list.media(), start),
        (None, None) => MediaTime::ZERO,
    };
    let begin = (from - PRE_ROLL).max(MediaTime::ZERO);
    (list.places_in(begin, None).start, from, list.clone())
}

/// In a live stream, whose time counts from what is heard first.
fn live_beginning(list: &Listed, wishes: &Wishes) -> (usize, MediaTime, Listed) {
    let wanted = live::beginning(list.media(), wishes.edge, wishes.start);
    let place = list.place_at(list.start_time() + wanted);
    let place = place.unwrap_or_else(|| list.end());
    let begins = list.segment(place).map_or(list.end_time(), |one| one.start);
    let inside = list.start_time() + wanted - begins;
    let list = list.clone().with_zero_at(place);
    (place, inside.max(MediaTime::ZERO), list)
}
