//! Three processes on one cache and one stream, of which one is killed while it
//! holds the claim on what all of them want.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::{Scene, is_long};
use crate::stories::sandbox::Sandbox;

const PATH: &str = "/long.mp3";
const LENGTH: usize = 300_000;
const TAKE_OVER: Duration = Duration::from_secs(2); // the one time that is promised
const ROUND: u64 = 7_001; // bytes by which the cut moves

fn cuts() -> impl Iterator<Item = u64> {
    (0..if is_long() { 20 } else { 1 }).map(|round| 100_000 + round * ROUND)
}

#[test]
fn the_others_end_right_when_the_one_that_writes_is_killed() {
    for cut in cuts() {
        let (scene, sandbox) = (Scene::mp3(LENGTH), Sandbox::new());
        let gate = scene.origin.on(PATH).times(1).stall_at(cut);
        let first = sandbox.kithara(scene.cache_arguments());
        let first = first.any_end().chatty().spawn();
        gate.wait_until_reached();
        let others = [(); 2].map(|()| scene.dump(&sandbox, &[]).spawn());
        first.signal(Signal::KILL);
        for other in others {
            scene.is_true_online(&other.finish());
        }
        first.finish();
        gate.open();
        scene.is_true_offline(&sandbox);
        scene.heals(&sandbox);
    }
}

#[test]
fn one_of_the_others_asks_for_the_rest() {
    for cut in cuts() {
        assert_eq!(asked_after_the_kill(cut), 1, "cut at {cut}");
    }
}

/// How many requests two followers make for the rest of what a third was killed at.
fn asked_after_the_kill(cut: u64) -> usize {
    let (scene, sandbox) = (Scene::mp3(LENGTH), Sandbox::new());
    let gate = scene.origin.on(PATH).times(1).stall_at(cut);
    let first = scene.dump(&sandbox, &[]).any_end().chatty().spawn();
    gate.wait_until_reached();
    first.stdout_bytes(50_000); // sent is not yet stored: what it plays is
    scene.origin.clear_log();
    let others = [(); 2].map(|()| scene.dump(&sandbox, &[]).spawn());
    for other in &others {
        let early = other.stdout_bytes(50_000); // they play what is there
        assert!(scene.pcm.starts_with(&early), "wrong samples");
    }
    let asked = scene.origin.requests(PATH);
    assert!(asked.is_empty(), "a second download: {asked:#?}");
    let rest = scene.origin.on(PATH).drip();
    first.signal(Signal::KILL);
    let killed = Instant::now();
    rest.wait_until_reached();
    let after = killed.elapsed();
    assert!(after < TAKE_OVER, "taken over after {after:?}");
    rest.open();
    for other in others {
        scene.is_true_online(&other.finish());
    }
    first.finish();
    gate.open();
    scene.heals(&sandbox);
    scene.origin.requests(PATH).len()
}

#[test]
fn a_stream_that_three_want_at_once_is_fetched_once() {
    let (scene, sandbox) = (Scene::fmp4(1), Sandbox::new());
    scene.origin.clear_log();
    let all = [(); 3].map(|()| scene.dump(&sandbox, &[]).spawn());
    for one in all {
        scene.is_true_online(&one.finish());
    }
    let log = scene.origin.log().into_iter();
    let media: Vec<_> = log.filter(|it| !it.path.ends_with(".m3u8")).collect();
    assert_eq!(media.len(), 7, "an init section, six segments: {media:#?}");
    assert!(scene.is_true_offline(&sandbox), "not all of it is here");
    scene.heals(&sandbox);
}
