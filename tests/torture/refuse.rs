//! The system refuses one call, or every call of its kind from then on: the
//! disk is full, broken or closed to us. `cache` says so and ends with 7; `dump`
//! and `play` go on, warned once, and the sound is right.

use crate::scene::{Scene, WRITES, each, is_long, spread};
use crate::stories::sandbox::{Outcome, Sandbox, is_error};
use crate::tracer::{self, Call};

/// Points each sweep of the short form has.
const SHORT: usize = 8;
/// Every way to look at a folder, a lock or what a file is.
const LOOKS: [&str; 9] = [
    "read",
    "fstat",
    "statx",
    "newfstatat",
    "getdents64",
    "flock",
    "fstatfs",
    "statfs",
    "fcntl",
];

/// What the system may answer, and whether it goes on to.
const HOW: [(&str, bool); 5] = [
    ("ENOSPC", true),
    ("EIO", false),
    ("EACCES", true),
    ("EINTR", false), // for ever it would mean: try again for ever
    ("EIO", true),
];

/// One call, how it is refused, and whether all later ones are too.
#[derive(Clone, Debug)]
struct Refusal {
    call: Call,
    errno: &'static str,
    stays: bool,
}

/// Each call with the errors it may have in turn, once and for ever; in the
/// short form with one of them.
fn refusals(calls: Vec<Call>) -> Vec<Refusal> {
    let count = if is_long() { HOW.len() } else { 1 };
    let all = |(index, call): (usize, Call)| {
        (index..index + count).map(move |number| {
            let (errno, stays) = HOW[number % HOW.len()];
            let call = call.clone();
            // Threads wake each other with these two.
            let stays = stays && !["read", "write"].contains(&call.name.as_str());
            Refusal { call, errno, stays }
        })
    };
    let calls = spread(calls, SHORT).into_iter().enumerate();
    calls.flat_map(all).collect()
}

fn strike(sandbox: &Sandbox, arguments: Vec<String>, refusal: &Refusal) -> (bool, Outcome) {
    let answer = format!("error={}", refusal.errno);
    tracer::strike(sandbox, arguments, &refusal.call, &answer, refusal.stays)
}

/// The one line of an error, or nothing.
fn assert_ends_well(outcome: &Outcome) {
    let lines: Vec<_> = outcome.stderr.lines().collect();
    match outcome.code {
        0 => assert!(lines.is_empty(), "success, and yet: {}", outcome.stderr),
        7 => assert!(
            lines.len() == 1 && is_error(lines[0]),
            "not one clear line: {}",
            outcome.stderr
        ),
        code => panic!("exit {code}: {}", outcome.stderr),
    }
}

/// Success, with one warning at most.
fn assert_goes_on(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let lines: Vec<_> = outcome.stderr.lines().collect();
    let is_warning = lines.iter().all(|line| line.starts_with("kithara: "));
    assert!(
        lines.len() <= 1 && is_warning,
        "not one warning: {}",
        outcome.stderr
    );
}

fn scenes() -> Vec<Scene> {
    let mut scenes = vec![Scene::fmp4(1), Scene::mp3(150_000).resumed()];
    if is_long() {
        scenes.extend([Scene::ts_aes(1), Scene::mp3(150_000), Scene::changed()]);
    }
    scenes
}

#[test]
fn cache_says_that_the_disk_refuses_and_leaves_nothing_that_looks_whole() {
    if !tracer::is_usable() {
        return;
    }
    let names = [&WRITES[..], &LOOKS, &["pread64"]].concat();
    for scene in scenes() {
        let (calls, _) = tracer::calls(&scene.home(), scene.cache_arguments(), &names);
        let points = refusals(calls);
        let counted = each(&points, |refusal| {
            let sandbox = scene.home();
            let (is_hit, outcome) = strike(&sandbox, scene.cache_arguments(), refusal);
            if !is_hit {
                return false;
            }
            assert_ends_well(&outcome);
            let is_whole = scene.is_true_offline(&sandbox);
            assert!(
                is_whole || outcome.code != 0,
                "success, and bytes are missing"
            );
            scene.heals(&sandbox);
            true
        });
        println!(
            "refusal sweep: cache: {}: {counted} refusals, 0 wrong samples",
            scene.name
        );
    }
}

#[test]
fn dump_goes_on_without_the_cache() {
    dump_goes_on(&[&WRITES[..], &LOOKS].concat());
}

#[test]
fn dump_goes_on_when_the_disk_gives_nothing_back() {
    dump_goes_on(&["pread64"]);
}

fn dump_goes_on(names: &[&str]) {
    if !tracer::is_usable() {
        return;
    }
    for scene in scenes() {
        for is_warm in [false, true] {
            let home = || {
                let sandbox = scene.home();
                if is_warm {
                    sandbox.kithara(scene.cache_arguments()).run();
                }
                sandbox
            };
            let (calls, _) = tracer::calls(&home(), scene.dump_arguments(), names);
            let points = refusals(calls);
            let counted = each(&points, |refusal| {
                let sandbox = home();
                let (is_hit, outcome) = strike(&sandbox, scene.dump_arguments(), refusal);
                if !is_hit {
                    return false;
                }
                assert_goes_on(&outcome);
                scene.is_true_online(&outcome);
                scene.is_true_offline(&sandbox);
                scene.heals(&sandbox);
                true
            });
            let warmth = if is_warm { "warm" } else { "cold" };
            println!(
                "refusal sweep: dump, {warmth}: {}: {counted} refusals, 0 wrong samples",
                scene.name
            );
        }
    }
}

#[test]
fn play_goes_on_without_the_cache() {
    if !tracer::is_usable() {
        return;
    }
    let scene = Scene::fmp4(1);
    let names = [&WRITES[..], &LOOKS].concat();
    let play = || {
        let words = ["play", &scene.url, "--ao", "null", "--length", "0.1"];
        words.map(str::to_owned).to_vec()
    };
    let (calls, _) = tracer::calls(&scene.home(), play(), &names);
    let points = refusals(calls);
    let counted = each(&points, |refusal| {
        let sandbox = scene.home();
        let (is_hit, outcome) = strike(&sandbox, play(), refusal);
        if !is_hit {
            return false;
        }
        assert_goes_on(&outcome);
        scene.heals(&sandbox);
        true
    });
    println!("refusal sweep: play: {counted} refusals");
}
