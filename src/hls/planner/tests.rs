//! Plans over made-up worlds: what is asked for, in which order, and when nothing is.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::units::BitRate;

/// Segments of 6 s each; one letter says where the bytes of each are: here (`h`),
/// flying (`f`), later (`l`), silent (`s`) or missing; a digit is a rung that is here.
struct World {
    segments: Vec<u8>,
    demand: usize,
    is_whole: bool,
    stored: Option<usize>,
    lists: Vec<bool>,
    moment: Moment,
    flights: Vec<Flight>,
}

const LENGTH: f64 = 6.0;

impl World {
    fn of(segments: &str, demand: usize, ahead: f64) -> Self {
        let here = segments.bytes().skip(demand);
        let here = here.take_while(|one| one.is_ascii_digit() || matches!(one, b'h' | b's'));
        let position = demand as f64 * LENGTH;
        let flying = segments.bytes().enumerate().filter(|(_, one)| *one == b'f');
        let flights = flying.map(|(place, _)| flight(place, 0, 0.0, Report::default()));
        Self {
            segments: segments.bytes().collect(),
            demand,
            is_whole: true,
            stored: None,
            lists: vec![true; 5],
            moment: Moment {
                now: 0.0,
                position,
                playable: position + here.count() as f64 * LENGTH,
                heard: 0.0,
                ahead,
                in_flight: 2,
                end: segments.len() as f64 * LENGTH,
                edge: None,
                publication: f64::INFINITY,
                came: None,
            },
            flights: flights.collect(),
        }
    }
}

impl View for World {
    fn moment(&self) -> Moment {
        self.moment
    }

    fn places(&self) -> Range<usize> {
        self.demand..self.segments.len().max(self.demand)
    }

    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn start(&self, place: usize) -> f64 {
        place as f64 * LENGTH
    }

    fn state(&self, place: usize) -> State {
        match self.segments.get(place) {
            Some(b'h') => State::Here(0),
            Some(rung) if rung.is_ascii_digit() => State::Here(usize::from(rung - b'0')),
            Some(b'f') => State::Coming(0),
            Some(b'l') => State::Later,
            Some(b's') => State::Silent,
            _ => State::Missing,
        }
    }

    fn open(&self) -> usize {
        self.demand + 1
    }

    fn stored(&self, _: usize) -> Option<usize> {
        self.stored
    }

    fn usable(&self, _: usize, rung: usize) -> usize {
        rung
    }

    fn needed(&self, _: usize, rung: usize) -> Option<Asked> {
        (!self.lists[rung]).then_some(Asked::Playlist(rung))
    }

    fn has_overlap(&self, _: usize, _: usize) -> bool {
        true
    }

    fn flights(&self) -> Vec<Flight> {
        self.flights.clone()
    }
}

fn flight(place: usize, rung: usize, at: f64, report: Report) -> Flight {
    let asked = Asked::Segment { place, rung };
    Flight { asked, at, report }
}

fn fetch(place: usize, rung: usize) -> Command {
    Command::Fetch(Asked::Segment { place, rung })
}

/// A planner that has no choice and uses all requests it may.
fn eager() -> Planner {
    let limits = Limits {
        is_eager: true,
        part: 0.5,
    };
    Planner::new(Controller::new(&[BitRate(64_000)]), limits)
}

/// One that chooses among five rungs, over a link that carries `kilobits` per second.
fn choosing(kilobits: u64) -> Planner {
    let rates = [32, 64, 128, 256, 1000].map(|rate| BitRate(rate * 1000));
    let limits = Limits {
        is_eager: false,
        part: 0.5,
    };
    let mut planner = Planner::new(Controller::new(&rates), limits);
    planner.carried(Sample {
        bytes: kilobits * 125 * 10,
        first_byte: Some(Duration::from_millis(50)),
        transfer: Duration::from_secs(10),
    });
    planner
}

#[test]
fn the_next_missing_segment_is_fetched_within_the_limits() {
    let never = Command::Wait(f64::INFINITY);
    let look = Command::Wait(LOST);
    let cases = [
        // where the bytes are; demand; ahead; wanted
        ("....", 0, 60.0, fetch(0, 0)),
        ("f...", 0, 60.0, fetch(1, 0)),
        ("ff..", 0, 60.0, look),
        ("hhf.", 1, 60.0, fetch(3, 0)),
        ("hh..", 0, 12.0, Command::Wait(6.0)),
        ("hh..", 1, 12.0, fetch(2, 0)),
        ("h.hh", 0, 60.0, fetch(1, 0)),
        ("hs.h", 0, 60.0, fetch(2, 0)),
        ("hl.h", 0, 60.0, fetch(2, 0)),
        ("hlhh", 0, 60.0, never),
        (".hhh", 1, 60.0, Command::Done),
        ("hhhf", 0, 60.0, look),
        ("....", 2, 0.0, fetch(2, 0)),
        ("..f.", 2, 0.0, look),
        ("hhhh", 4, 60.0, Command::Done),
        ("hhhh", 9, 60.0, Command::Done),
        ("", 0, 60.0, Command::Done),
    ];
    for (segments, demand, ahead, want) in cases {
        let plan = eager().next(&World::of(segments, demand, ahead));
        assert_eq!(plan.command, want, "{segments:?} from {demand}, {ahead} s");
    }
}

#[test]
fn a_live_stream_waits_for_the_next_publication() {
    let mut world = World::of("hh", 0, 60.0);
    world.is_whole = false;
    world.moment.edge = Some(12.0);
    world.moment.publication = 3.5;
    assert_eq!(eager().next(&world).command, Command::Wait(3.5));
}

#[test]
fn segments_of_no_stated_length_do_not_lift_the_look_ahead() {
    let mut world = World::of(&"h".repeat(70), 0, 60.0);
    world.segments.push(b'.');
    world.moment.playable = 0.0;
    assert_eq!(eager().next(&world).command, Command::Wait(f64::INFINITY));
}

/// The segment that is asked for next, and its rung.
fn next_of(planner: &Planner, world: &World) -> (usize, usize) {
    match planner.next(world).command {
        Command::Fetch(Asked::Segment { place, rung }) => (place, rung),
        other => panic!("a segment, not {other:?}"),
    }
}

#[test]
fn what_is_needed_before_a_segment_is_asked_for_first_and_once() {
    let mut planner = choosing(3_000);
    planner.follow(&planner.next(&World::of("444.......", 0, 300.0)));
    let mut world = World::of("4444......", 0, 300.0);
    let (place, rung) = next_of(&planner, &world);
    world.lists[rung] = false;
    let list = Asked::Playlist(rung);
    let plan = planner.next(&world);
    assert_eq!(plan.command, Command::Fetch(list));
    planner.follow(&plan);
    let at = 0.0;
    let report = Report::default();
    world.flights.push(Flight {
        asked: list,
        at,
        report,
    });
    assert!(matches!(planner.next(&world).command, Command::Wait(_)));
    // It came.
    world.flights.clear();
    world.lists[rung] = true;
    assert_eq!(planner.next(&world).command, fetch(place, rung));
}

#[test]
fn a_playlist_that_does_not_come_is_not_waited_for() {
    let mut planner = choosing(3_000);
    let plan = planner.next(&World::of("...........", 0, 300.0));
    planner.follow(&Plan {
        command: fetch(9, 0),
        ..plan
    });
    let mut world = World::of("0000000000.", 9, 300.0);
    world.moment.playable = 200.0;
    world.moment.end = 6_000.0;
    let (_, rung) = next_of(&planner, &world);
    assert_ne!(rung, 0, "there is time for more");
    world.lists[rung] = false;
    let plan = planner.next(&world);
    let Command::Fetch(asked @ Asked::Playlist(_)) = plan.command else {
        panic!("a playlist, not {:?}", plan.command);
    };
    planner.follow(&plan);
    let (at, report) = (0.0, Report::default());
    world.flights.push(Flight { asked, at, report });
    world.moment.now = 0.9;
    assert!(matches!(planner.next(&world).command, Command::Wait(_)));
    world.moment.now = 1.1;
    assert_eq!(planner.next(&world).command, fetch(10, 0));
}

#[test]
fn a_stored_segment_is_used_when_it_is_good_enough_or_time_is_short() {
    let cases = [
        // rung in the cache; seconds ahead; wanted
        (0, 2.0, Command::Use { place: 1, rung: 0 }),
        (4, 60.0, Command::Use { place: 1, rung: 4 }),
        (0, 60.0, fetch(1, 4)),
    ];
    for (rung, playable, want) in cases {
        let mut planner = choosing(3_000);
        let plan = planner.next(&World::of("..", 0, 300.0));
        planner.follow(&Plan {
            command: fetch(0, 4),
            ..plan
        });
        let mut world = World::of("4.", 0, 300.0);
        world.stored = Some(rung);
        world.moment.playable = playable;
        assert_eq!(planner.next(&world).command, want, "{rung}, {playable} s");
    }
}

#[test]
fn a_transfer_that_will_come_too_late_is_given_up_for_a_lower_rung() {
    let mut planner = choosing(1_000);
    let mut world = World::of("4.........", 0, 300.0);
    let plan = planner.next(&world);
    planner.follow(&Plan {
        command: fetch(1, 4),
        ..plan
    });
    world.segments[1] = b'f';
    world.moment.playable = 6.0;
    world.moment.now = 4.0;
    world.moment.position = 4.0;
    let report = Report {
        bytes: Some(750_000),
        got: 5_000,
        first: Some(0.1),
        last: Some(3.9),
    };
    world.flights = vec![flight(1, 4, 0.0, report)];
    let plan = planner.next(&world);
    let asked = Asked::Segment { place: 1, rung: 4 };
    assert_eq!(plan.command, Command::Abort(asked));
    planner.follow(&plan);
    world.segments[1] = b'.';
    world.flights.clear();
    let Command::Fetch(Asked::Segment { place: 1, rung }) = planner.next(&world).command else {
        panic!("the same segment again");
    };
    assert!(rung < 4, "{rung}");
}

#[test]
fn the_first_bytes_of_a_segment_do_not_hasten_the_next_request() {
    let cases = [
        // seconds since the first byte; bytes of 24 000; whether the next is asked for
        (0.001, 2_000, false),
        (0.15, 6_000, false),
        (0.15, 12_000, true),
        (4.0, 22_000, false),
        (4.0, 23_000, true),
    ];
    for (since, got, is_asked) in cases {
        let mut planner = choosing(30);
        let plan = planner.next(&World::of("0....", 0, 300.0));
        planner.follow(&Plan {
            command: fetch(1, 0),
            ..plan
        });
        let mut world = World::of("0f...", 0, 300.0);
        world.moment.now = 10.0;
        let first = Some(10.0 - since);
        let (bytes, last) = (Some(24_000), Some(10.0));
        let report = Report {
            bytes,
            got,
            first,
            last,
        };
        world.flights = vec![flight(1, 0, 9.9 - since, report)];
        let asks = matches!(planner.next(&world).command, Command::Fetch(_));
        assert_eq!(asks, is_asked, "{got} bytes in {since} s");
    }
}

#[test]
fn a_request_that_is_overtaken_and_silent_is_sent_again_before_sound_ends() {
    let again = Command::Repeat(Asked::Segment { place: 1, rung: 0 });
    let cases = [
        // seconds of silence; when what came was sent and ended; media ahead; repeated
        (2.5, Some((1.0, 1.5)), 6.0, true),
        (1.5, Some((1.0, 1.5)), 6.0, false),
        (2.5, Some((1.0, 1.5)), 12.0, false),
        (2.5, Some((0.0, 1.5)), 6.0, false),
        (2.5, Some((1.0, 1.1)), 6.0, false),
        (2.5, None, 6.0, false),
    ];
    for (silent, came, ahead, is_repeated) in cases {
        let last = 1.2;
        let mut world = World::of("hfh...", 1, 300.0);
        world.moment.now = last + silent;
        world.moment.position = 6.0;
        world.moment.playable = 6.0 + ahead;
        world.moment.came = came.map(|(sent, ended)| Came { sent, ended });
        let report = Report {
            bytes: Some(24_000),
            got: 3_000,
            first: Some(0.6),
            last: Some(last),
        };
        world.flights = vec![flight(1, 0, 0.5, report)];
        let command = eager().next(&world).command;
        assert_eq!(
            command == again,
            is_repeated,
            "{silent} s, {came:?}, {ahead} s"
        );
    }
}

#[test]
fn behind_a_request_that_does_not_come_the_next_is_asked_for() {
    let cases = [
        // seconds of silence; seconds of media ahead; requests at once; what is done
        (1.9, 0.0, 2, Command::Wait(10.0)),
        (2.0, 0.0, 2, fetch(1, 0)),
        (2.0, 0.0, 1, Command::Wait(10.2)),
        (2.0, 12.0, 2, Command::Wait(10.2)),
    ];
    for (silent, ahead, in_flight, want) in cases {
        let mut world = World::of("f...", 0, 300.0);
        world.moment.now = 10.0;
        world.moment.playable = ahead;
        world.moment.in_flight = in_flight;
        world.flights = vec![flight(0, 0, 10.0 - silent, Report::default())];
        let mut planner = choosing(30);
        planner.follow(&Plan {
            command: fetch(0, 0),
            ..planner.next(&world)
        });
        let command = planner.next(&world).command;
        let is_it = match (command, want) {
            (Command::Wait(until), Command::Wait(least)) => until >= least && until < least + 0.3,
            (command, want) => command == want,
        };
        assert!(is_it, "{silent} s, {ahead} s, {in_flight}: {command:?}");
    }
}

#[test]
fn what_cannot_become_better_in_time_is_left_as_it_is() {
    let plan = choosing(30).next(&World::of("00", 0, 60.0));
    assert_eq!(plan.command, Command::Done);
}

#[test]
fn the_same_view_gives_the_same_plan() {
    let world = World::of("0000..", 0, 300.0);
    let planner = choosing(300);
    assert_eq!(planner.next(&world), planner.next(&world));
}

proptest! {
    #[test]
    fn every_segment_is_fetched_once_and_in_order(
        held in proptest::collection::vec(any::<bool>(), 0..60),
        demand in 0_usize..60,
    ) {
        let letters = held.iter().map(|&held| if held { 'h' } else { '.' });
        let mut world = World::of(&letters.collect::<String>(), demand, 1e6);
        let mut planner = eager();
        let mut fetched = Vec::new();
        loop {
            let plan = planner.next(&world);
            planner.follow(&plan);
            match plan.command {
                Command::Fetch(Asked::Segment { place, .. }) => {
                    world.segments[place] = b'h';
                    fetched.push(place);
                }
                Command::Done => break,
                other => prop_assert!(false, "nothing is in flight: {:?}", other),
            }
        }
        let missing: Vec<usize> = (demand..held.len()).filter(|&place| !held[place]).collect();
        prop_assert_eq!(fetched, missing);
    }
}

/// A planner of two rungs on a fast link that has asked for ten segments in rung 0.
fn pinned_to(rung: usize, world: &mut World) -> Planner {
    let mut planner = choosing(10_000);
    for place in 0..10 {
        planner.asked(place, 0, place as f64 * LENGTH);
    }
    world.moment.heard = world.moment.position;
    planner.pin(Some(rung));
    planner
}

#[test]
fn what_the_listener_wants_is_fetched_again_the_nearest_first_in_either_direction() {
    let cases = [
        ("0000000000", 1, 2),
        ("1111111111", 0, 2),
        ("1100110011", 1, 2),
    ];
    for (segments, rung, place) in cases {
        let mut world = World::of(segments, 1, 300.0);
        let planner = pinned_to(rung, &mut world);
        let got = planner.next(&world).command;
        assert_eq!(got, fetch(place, rung), "{segments}");
    }
    let mut world = World::of("1111111111", 1, 300.0);
    let planner = pinned_to(1, &mut world);
    assert_eq!(planner.next(&world).command, Command::Done);
}

#[test]
fn a_wish_is_kept_until_it_is_given_back() {
    let mut world = World::of("0000------", 0, 300.0);
    let mut planner = pinned_to(0, &mut world);
    assert_eq!(planner.next(&world).command, fetch(4, 0));
    planner.pin(Some(1));
    world.segments = b"1111------".to_vec();
    assert_eq!(planner.next(&world).command, fetch(4, 1));
    planner.pin(None);
    assert_eq!(planner.controller().pinned(), None);
}
