//! Live streams: when their playlist is loaded again, and where playing begins
//! in it (RFC 8216 sections 6.3.3 and 6.3.4). Pure: the clock is the caller's.

use std::time::{Duration, Instant};

use crate::hls::media::{Media, PlaylistType, StartOffset};
use crate::limits;
use crate::media::Start;
use crate::units::MediaTime;

const TARGETS_FROM_EDGE: i64 = 3; // where playing begins unless HOLD-BACK says otherwise
const SHORTEST_WAIT: Duration = Duration::from_millis(500); // also for a target duration of nothing
const LONGEST_WAIT: Duration = Duration::from_secs(5); // between tries while reloading fails, however long segments are
const BURST_TARGETS: i64 = 10;
/// Target durations without a new segment, in halves: a stale playlist.
const STALE_HALF_TARGETS: u32 = 7;

/// Where to begin in a live stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// As far from the end as the publisher or the standard wants.
    #[default]
    Usual,
    /// This far from the end.
    Behind(MediaTime),
    /// At the oldest segment.
    Oldest,
}

/// The moment from which on `media` is played, counted from its own start: that
/// of a segment, or inside of one when the user named a position.
pub fn beginning(media: &Media, edge: Edge, start: Option<Start>) -> MediaTime {
    let (end, hold_back) = (media.duration(), hold_back(media));
    let behind = |distance: MediaTime| (end - distance).max(MediaTime::ZERO);
    let wanted = match (start, edge) {
        (Some(Start::At(time)), _) => return time.min(behind(media.target_duration)),
        (Some(Start::FromEnd(time)), _) => return behind(time),
        (None, Edge::Oldest) => MediaTime::ZERO,
        (None, Edge::Behind(distance)) => behind(distance),
        (None, Edge::Usual) => match media.start_offset {
            Some(start) => publisher_start(media, start).min(behind(hold_back)),
            None => behind(hold_back),
        },
    };
    segment_start(media, wanted)
}

/// Where the publisher wants playing to begin (EXT-X-START), counted from the
/// start of `media`: that of a segment unless it is to be precise.
pub fn publisher_start(media: &Media, start: StartOffset) -> MediaTime {
    let wanted = match start.offset < MediaTime::ZERO {
        true => media.duration() + start.offset,
        false => start.offset.min(media.duration()),
    };
    match start.is_precise {
        true => wanted.max(MediaTime::ZERO),
        false => segment_start(media, wanted.max(MediaTime::ZERO)),
    }
}

fn segment_start(media: &Media, time: MediaTime) -> MediaTime {
    let index = media.segment_at(time);
    let segment = index.and_then(|index| media.segment(index));
    segment.map_or(time, |segment| segment.start)
}

/// How far from the end a player stays.
pub fn hold_back(media: &Media) -> MediaTime {
    let usual = media
        .target_duration
        .nanos()
        .saturating_mul(TARGETS_FROM_EDGE);
    media.hold_back.unwrap_or(MediaTime::from_nanos(usual))
}

/// How many segments at the front of a list without end are too many: of an
/// event only those before `next`, the one played next, for all of it is to be had.
pub fn surplus(media: &Media, next: usize) -> usize {
    let surplus = match media.ended {
        true => 0,
        false => media.len().saturating_sub(limits::LIVE_SEGMENTS),
    };
    match media.playlist_type {
        Some(PlaylistType::Event) => surplus.min(next),
        Some(PlaylistType::Vod) | None => surplus,
    }
}

/// The longest stretch that can be missing between two loads of a list with
/// this target duration, the second `elapsed` after the first: broadcasts do
/// not run faster than the clock, but are listed in bursts.
pub fn longest_loss(target: MediaTime, elapsed: Duration) -> MediaTime {
    let burst = target.nanos().saturating_mul(BURST_TARGETS);
    MediaTime::from(elapsed) + MediaTime::from_nanos(burst)
}

/// When to load the playlist again.
#[derive(Clone, Debug)]
pub struct Reloads {
    target: Duration,
    /// When the load under way, or the last one, began.
    began: Instant,
    /// When the next one begins; `None` while one is under way.
    due: Option<Instant>,
    /// When something new was listed last.
    changed: Instant,
    /// When the last load that came began.
    loaded: Instant,
    /// When loads began to fail.
    failing: Option<Instant>,
    failures: u32,
}

impl Reloads {
    /// After the first load, which began at `began`, of a list with this target
    /// duration.
    pub fn new(target: MediaTime, began: Instant) -> Self {
        let target = target.duration();
        Self {
            target,
            began,
            due: Some(began + target.max(SHORTEST_WAIT)),
            changed: began,
            loaded: began,
            failing: None,
            failures: 0,
        }
    }

    /// When the next load begins; `None` while one is under way.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A load begins.
    pub fn begin(&mut self, now: Instant) {
        self.began = now;
        self.due = None;
    }

    /// A load begins as soon as possible: another variant's list is wanted.
    pub fn hurry(&mut self, now: Instant) {
        if self.due.is_some() {
            self.due = Some(now);
        }
    }

    /// The list came. Loaded again after a target duration if something was new
    /// in it, else after half of one, counted from when the load began.
    pub fn loaded(&mut self, target: MediaTime, is_changed: bool) {
        self.target = target.duration();
        self.loaded = self.began;
        (self.failing, self.failures) = (None, 0);
        let wait = if is_changed {
            self.changed = self.began;
            self.target
        } else {
            self.target / 2
        };
        self.due = Some(self.began + wait.max(SHORTEST_WAIT));
    }

    /// It did not come. Tried again soon, later and later, but within a target
    /// duration: the window slides on. `dice` may be any number.
    pub fn failed(&mut self, now: Instant, dice: u64) {
        self.failing.get_or_insert(self.began);
        let backoff = SHORTEST_WAIT.saturating_mul(1 << self.failures.min(8));
        let percent = 80 + u32::try_from(dice % 41).unwrap_or(0);
        self.failures += 1;
        let longest = self.target.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        self.due = Some(now + backoff.min(longest) * percent / 100);
    }

    /// How long loads have been failing, at `now`.
    pub fn failing_for(&self, now: Instant) -> Option<Duration> {
        let since = self.failing?;
        Some(now.saturating_duration_since(since))
    }

    /// Whether this is the first failure of an outage.
    pub fn is_first_failure(&self) -> bool {
        self.failures == 1
    }

    /// From the load that came last to the one that came now.
    pub fn between_loads(&self) -> Duration {
        self.began.saturating_duration_since(self.loaded)
    }

    /// How long nothing new has been listed, at `now`.
    pub fn unchanged_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.changed)
    }

    /// Whether nothing new has been listed for too long, at `now`.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.unchanged_for(now) * 2 > self.target * STALE_HALF_TARGETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::playlist::{Playlist, parse};
    use crate::location::Location;

    fn seconds(seconds: f64) -> MediaTime {
        MediaTime::from_seconds(seconds)
    }

    /// Ten segments of 4 s, and `tags`.
    fn window(tags: &str) -> Media {
        list(tags, 10, "")
    }

    fn list(head: &str, count: usize, end: &str) -> Media {
        let segments = "#EXTINF:4,\ns\n".repeat(count);
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{head}{segments}{end}");
        let base = Location::parse("https://h/list.m3u8").expect("a URL");
        match parse(text.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("a list of variants"),
        }
    }

    #[test]
    fn playing_begins_where_the_user_else_the_publisher_else_the_standard_says() {
        let behind = |time| Edge::Behind(seconds(time));
        let at = |time| Some(Start::At(seconds(time)));
        let from_end = Some(Start::FromEnd(seconds(10.0)));
        let hold_back = "#EXT-X-SERVER-CONTROL:HOLD-BACK=21\n";
        let late = "#EXT-X-START:TIME-OFFSET=-2\n";
        let early = "#EXT-X-START:TIME-OFFSET=-30\n";
        let first = "#EXT-X-START:TIME-OFFSET=0\n";
        let cases = [
            ("three targets", "", Edge::Usual, None, 28.0),
            (
                "the publisher's distance",
                hold_back,
                Edge::Usual,
                None,
                16.0,
            ),
            ("never too near", late, Edge::Usual, None, 28.0),
            ("earlier", early, Edge::Usual, None, 8.0),
            ("from its start", first, Edge::Usual, None, 0.0),
            ("the user's distance", early, behind(9.0), None, 28.0),
            ("more than there is", "", behind(99.0), None, 0.0),
            ("the oldest", hold_back, Edge::Oldest, None, 0.0),
            ("a position", "", Edge::Usual, at(5.5), 5.5),
            ("a position behind the end", "", Edge::Usual, at(99.0), 36.0),
            ("a position from the end", "", Edge::Usual, from_end, 30.0),
        ];
        for (name, tags, edge, start, want) in cases {
            let got = beginning(&window(tags), edge, start);
            assert_eq!(got, seconds(want), "{name}");
        }
    }

    #[test]
    fn t17_of_a_list_without_end_the_newest_segments_are_kept_of_an_event_the_unheard() {
        let event = "#EXT-X-PLAYLIST-TYPE:EVENT\n";
        let cases = [
            ("", "", 10_000, 0, 0),
            ("", "", 10_007, 0, 7),
            ("", "", 10_007, 10_006, 7),
            (event, "", 10_007, 0, 0),
            (event, "", 10_007, 5, 5),
            (event, "", 10_007, 500, 7),
            ("", "#EXT-X-ENDLIST\n", 10_007, 500, 0),
        ];
        for (head, end, count, next, want) in cases {
            let media = list(head, count, end);
            assert_eq!(surplus(&media, next), want, "{head}{end}{count} at {next}");
        }
    }

    #[test]
    fn a_list_is_loaded_again_after_a_target_or_half_of_one() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let mut reloads = Reloads::new(seconds(4.0), begun);
        assert_eq!(reloads.due(), Some(after(4000)));
        reloads.begin(after(4000));
        assert_eq!(reloads.due(), None);
        reloads.loaded(seconds(4.0), false);
        assert_eq!(reloads.due(), Some(after(6000)), "nothing new");
        reloads.begin(after(6100));
        reloads.loaded(seconds(6.0), true);
        assert_eq!(reloads.due(), Some(after(12_100)), "from its beginning");
        reloads.hurry(after(7000));
        assert_eq!(reloads.due(), Some(after(7000)));
        reloads.loaded(MediaTime::ZERO, true);
        assert_eq!(reloads.due(), Some(after(6600)), "never a storm");
    }

    #[test]
    fn failures_are_tried_again_later_and_later_and_for_ever() {
        let begun = Instant::now();
        let mut reloads = Reloads::new(seconds(4.0), begun);
        let mut now = begun + Duration::from_secs(4);
        let mut waits = Vec::new();
        for _ in 0..12 {
            reloads.begin(now);
            reloads.failed(now, 20);
            let due = reloads.due().expect("always another try");
            waits.push((due - now).as_millis());
            now = due;
        }
        assert_eq!(waits[..6], [500, 1000, 2000, 4000, 4000, 4000]);
        assert!(waits[6..].iter().all(|wait| *wait == 4000), "{waits:?}");
        let failing = reloads.failing_for(now).expect("an outage");
        assert_eq!(failing, now - (begun + Duration::from_secs(4)));
        reloads.begin(now);
        reloads.loaded(seconds(4.0), true);
        assert_eq!(reloads.failing_for(now), None);
    }

    #[test]
    fn no_more_is_missing_than_the_clock_allows() {
        let begun = Instant::now();
        let mut reloads = Reloads::new(seconds(4.0), begun);
        reloads.begin(begun + Duration::from_secs(5));
        reloads.failed(begun + Duration::from_secs(6), 20);
        reloads.begin(begun + Duration::from_secs(65));
        assert_eq!(reloads.between_loads(), Duration::from_secs(65));
        let longest = longest_loss(seconds(4.0), reloads.between_loads());
        assert_eq!(longest, seconds(105.0));
        reloads.loaded(seconds(4.0), true);
        reloads.begin(begun + Duration::from_secs(70));
        assert_eq!(reloads.between_loads(), Duration::from_secs(5));
    }

    #[test]
    fn a_list_without_news_is_stale_after_three_and_a_half_targets() {
        let begun = Instant::now();
        let mut reloads = Reloads::new(seconds(4.0), begun);
        assert!(!reloads.is_stale(begun + Duration::from_secs(14)));
        assert!(reloads.is_stale(begun + Duration::from_millis(14_001)));
        reloads.begin(begun + Duration::from_secs(15));
        reloads.loaded(seconds(4.0), true);
        assert!(!reloads.is_stale(begun + Duration::from_secs(20)));
    }
}
