//! Where a run begins, as the user, the publisher or the standard wants. Pure.

use super::Wishes;
use crate::hls::live;
use crate::hls::timeline::Listed;
use crate::units::MediaTime;

/// How far before `--start` decoding begins, so that overlap, bit reservoirs
/// and band replication have settled: more than any codec here needs.
const PRE_ROLL: MediaTime = MediaTime::from_nanos(300_000_000);

/// Where a run begins in a stream that has an end: its first place, the moment
/// heard first, and the playlist.
pub(super) fn beginning(list: &Listed, wishes: &Wishes) -> (usize, MediaTime, Listed) {
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

/// The same for a live stream, whose time counts from what is heard first.
pub(super) fn live_beginning(list: &Listed, wishes: &Wishes) -> (usize, MediaTime, Listed) {
    let wanted = live::beginning(list.media(), wishes.edge, wishes.start);
    let place = list.place_at(list.start_time() + wanted);
    let place = place.unwrap_or_else(|| list.end());
    let begins = list.segment(place).map_or(list.end_time(), |one| one.start);
    let inside = list.start_time() + wanted - begins;
    let list = list.clone().with_zero_at(place);
    (place, inside.max(MediaTime::ZERO), list)
}
