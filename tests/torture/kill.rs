//! SIGKILL at every system call with which a `cache` run changes its cache.

use crate::scene::{Scene, changes, each, is_long, spread};
use crate::tracer;

/// Points a scene of the short form has.
const SHORT: usize = 13;

#[test]
fn a_run_killed_at_any_write_leaves_nothing_wrong_behind() {
    if !tracer::is_usable() {
        return;
    }
    let (rounds, length) = if is_long() {
        (7, 1_500_000)
    } else {
        (1, 150_000)
    };
    let mut scenes = vec![
        Scene::fmp4(rounds),
        Scene::ts_aes(rounds),
        Scene::mp3(length),
        Scene::ts_aes(rounds).resumed(),
    ];
    if is_long() {
        scenes.extend([Scene::mp3(length).resumed(), Scene::changed()]);
    }
    let mut total = 0;
    for scene in &scenes {
        let points = spread(changes(scene), SHORT);
        let counted = each(&points, |call| {
            let sandbox = scene.home();
            let (_, outcome) = tracer::strike(
                &sandbox,
                scene.cache_arguments(),
                call,
                "signal=KILL",
                false,
            );
            scene.is_true_offline(&sandbox);
            scene.heals(&sandbox);
            outcome.code == 137
        });
        println!(
            "kill sweep: {}: {counted} kills of {} points, 0 wrong samples",
            scene.name,
            points.len()
        );
        total += counted;
    }
    println!("kill sweep: {total} kills, 0 wrong samples");
    assert!(
        total >= if is_long() { 1_000 } else { 40 },
        "only {total} kills"
    );
}
