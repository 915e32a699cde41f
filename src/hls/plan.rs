//! What to fetch next, as a function of what is the case. There is no queue
//! that could lose an entry: the plan is made anew at each event.

use crate::units::MediaTime;

const SHORTEST_NANOS: i64 = 1_000_000_000; // an unknown length is stated as 0 and must not lift the look-ahead

/// Where the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not here, and not asked for.
    Missing,
    /// Asked for.
    InFlight,
    /// Here in full.
    Held,
}

/// What the plan depends on. Segments are counted by their index in the playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The segment that is wanted first: where playing goes on.
    pub demand: usize,
    /// One behind the last segment that is wanted or known.
    pub end: usize,
    /// How much media may be fetched ahead of the start of `demand`.
    pub ahead: MediaTime,
    /// Media requests under way, also those that no longer serve the demand.
    pub in_flight: usize,
    /// Media requests allowed at once.
    pub most_in_flight: usize,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask for this segment.
    Fetch(usize),
    /// Nothing to start until something changes.
    Wait,
    /// Every segment up to the end is held.
    Done,
}

/// Decides the next step. `segment` tells of a segment between `demand` and
/// `end` where its bytes are and how long it is.
///
/// The segment in demand is never kept waiting by the look-ahead; all others
/// start only if what lies between is shorter than `ahead`, each segment taken
/// for a second at least. After [`Step::Fetch`] the segment is in flight and
/// the plan can be made again.
pub fn plan(now: &Situation, segment: impl Fn(usize) -> (Progress, MediaTime)) -> Step {
    let mut between = MediaTime::ZERO;
    let mut all_held = true;
    for index in now.demand..now.end {
        if index > now.demand && between >= now.ahead {
            return Step::Wait;
        }
        let (progress, duration) = segment(index);
        match progress {
            Progress::Missing if now.in_flight < now.most_in_flight => return Step::Fetch(index),
            Progress::Missing => return Step::Wait,
            Progress::InFlight => all_held = false,
            Progress::Held => {}
        }
        between = between + duration.max(MediaTime::from_nanos(SHORTEST_NANOS));
    }
    if all_held { Step::Done } else { Step::Wait }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Segments of 6 s each; one letter says where the bytes are.
    fn planned(segments: &str, demand: usize, ahead: f64, in_flight: usize) -> Step {
        let now = Situation {
            demand,
            end: segments.len(),
            ahead: MediaTime::from_seconds(ahead),
            in_flight,
            most_in_flight: 2,
        };
        plan(&now, |index| {
            let progress = match segments.as_bytes()[index] {
                b'h' => Progress::Held,
                b'f' => Progress::InFlight,
                _ => Progress::Missing,
            };
            (progress, MediaTime::from_seconds(6.0))
        })
    }

    #[test]
    fn the_next_missing_segment_is_fetched_within_the_limits() {
        let cases = [
            // held, in flight or missing; demand; ahead; in flight; wanted
            ("....", 0, 60.0, 0, Step::Fetch(0)),
            ("f...", 0, 60.0, 1, Step::Fetch(1)),
            ("ff..", 0, 60.0, 2, Step::Wait),
            ("hhf.", 1, 60.0, 1, Step::Fetch(3)),
            ("hh..", 0, 12.0, 0, Step::Wait),
            ("hh..", 1, 12.0, 0, Step::Fetch(2)),
            ("h.hh", 0, 60.0, 0, Step::Fetch(1)),
            (".hhh", 1, 60.0, 0, Step::Done),
            ("hhhf", 0, 60.0, 1, Step::Wait),
            ("....", 2, 0.0, 0, Step::Fetch(2)),
            ("..f.", 2, 0.0, 1, Step::Wait),
            ("hhhh", 4, 60.0, 0, Step::Done),
            ("hhhh", 9, 60.0, 0, Step::Done),
            ("", 0, 60.0, 0, Step::Done),
        ];
        for (segments, demand, ahead, in_flight, want) in cases {
            let step = planned(segments, demand, ahead, in_flight);
            assert_eq!(
                step, want,
                "{segments:?} from {demand}, {ahead} s, {in_flight}"
            );
        }
    }

    #[test]
    fn a_seek_is_only_another_demand() {
        let segments = "hhff......";
        assert_eq!(planned(segments, 7, 60.0, 1), Step::Fetch(7));
        assert_eq!(planned(segments, 7, 60.0, 2), Step::Wait);
        assert_eq!(planned(segments, 1, 60.0, 1), Step::Fetch(4));
    }

    proptest! {
        #[test]
        fn every_segment_is_fetched_once_and_in_order(
            held in proptest::collection::vec(any::<bool>(), 0..60),
            demand in 0_usize..60,
        ) {
            let mut segments: Vec<u8> = held.iter().map(|&held| if held { b'h' } else { b'.' }).collect();
            let mut fetched = Vec::new();
            loop {
                let text = String::from_utf8(segments.clone()).expect("letters");
                match planned(&text, demand, 1e6, 0) {
                    Step::Fetch(index) => {
                        segments[index] = b'h';
                        fetched.push(index);
                    }
                    Step::Wait => prop_assert!(false, "nothing is in flight"),
                    Step::Done => break,
                }
            }
            let missing: Vec<usize> = (demand..held.len()).filter(|&index| !held[index]).collect();
            prop_assert_eq!(fetched, missing);
        }
    }
}
