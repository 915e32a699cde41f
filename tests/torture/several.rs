//! Three processes on one cache and one stream, of which one is killed while it
//! holds the claim on what all of them want.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::{Scene, is_long};
use crate::stories::sandbox::Sandbox;

const TAKE_OVER: Duration = Duration::from_secs(2); // what the manual promises

#[test]
fn the_others_go_on_where_a_killed_one_stopped() {
    for round in 0..if is_long() { 20 } else { 1 } {
        let scene = Scene::mp3(300_000);
        let sandbox = Sandbox::new();
        let path = "/long.mp3";
        let half = 100_000 + round * 7_001;
        let gate = scene.origin.on(path).times(1).stall_at(half);
        let first = sandbox
            .kithara(scene.cache_arguments())
            .any_end()
            .chatty()
            .spawn();
        gate.wait_until_reached();
        scene.origin.clear_log();
        let others = [(); 2].map(|()| scene.dump(&sandbox, &[]).spawn());
        // Both play what the first one has, and ask for nothing.
        let early: Vec<_> = others
            .iter()
            .map(|other| other.stdout_bytes(50_000))
            .collect();
        assert!(
            early.iter().all(|pcm| scene.pcm.starts_with(pcm)),
            "wrong samples"
        );
        assert!(scene.origin.requests(path).is_empty(), "a second download");
        let rest = scene.origin.on(path).drip();
        first.signal(Signal::KILL);
        let killed = Instant::now();
        rest.wait_until_reached();
        assert!(
            killed.elapsed() < TAKE_OVER,
            "taken over after {:?}",
            killed.elapsed()
        );
        rest.open();
        first.finish();
        for other in others {
            scene.is_true_online(&other.finish());
        }
        let requests = scene.origin.requests(path);
        let sent: u64 = requests.iter().map(|request| request.sent).sum();
        assert_eq!(
            requests.len(),
            1,
            "one of them fetches the rest: {requests:#?}"
        );
        assert!(
            sent < 300_000 - half + (16 << 10),
            "{sent} bytes for the rest"
        );
        gate.open();
        scene.is_true_offline(&sandbox);
        scene.heals(&sandbox);
    }
}

#[test]
fn a_stream_that_three_want_at_once_is_fetched_once() {
    let scene = Scene::fmp4(1);
    let sandbox = Sandbox::new();
    scene.origin.clear_log();
    let all = [(); 3].map(|()| scene.dump(&sandbox, &[]).spawn());
    for one in all {
        scene.is_true_online(&one.finish());
    }
    let log = scene.origin.log();
    let media: Vec<_> = log
        .iter()
        .filter(|request| !request.path.ends_with(".m3u8"))
        .collect();
    assert_eq!(
        media.len(),
        7,
        "an init section and six segments: {media:#?}"
    );
    assert!(scene.is_true_offline(&sandbox), "not all of it is here");
    scene.heals(&sandbox);
}
