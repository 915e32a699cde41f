//! Playlists without end that never forget (FAULTS.md T17).

use super::{FRAMES, KIND, LIVE, RATE};
use crate::origin::Origin;
use crate::stage;
use crate::wav::{Sound, first_break};

const KEPT: usize = 10_000;

/// `count` segments with `head` above; `heard` says which are those of
/// hls/flac.m3u8, all others are named `far`.
fn list(head: &str, count: usize, heard: std::ops::Range<usize>, end: &str) -> Vec<u8> {
    let mut text =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{head}#EXT-X-MAP:URI=\"flac-init.mp4\"\n");
    for segment in 0..count {
        match segment
            .checked_sub(heard.start)
            .filter(|one| *one < heard.len())
        {
            None => text += &format!("#EXTINF:1,\nfar-{segment}.m4s\n"),
            Some(one) => {
                let seconds = FRAMES[one] as f64 / RATE as f64;
                text += &format!("#EXTINF:{seconds:.6},\nflac-{one}.m4s\n");
            }
        }
    }
    (text + end).into_bytes()
}

fn asked(origin: &Origin, name: &str) -> usize {
    let log = origin.log();
    log.iter().filter(|one| one.path.contains(name)).count()
}

#[test]
fn t17_of_a_live_list_that_grows_too_long_the_newest_segments_are_kept() {
    let (origin, sandbox) = stage();
    // The segments heard are the oldest that are kept.
    let page = |older: usize| list("", KEPT + older, older..older + 6, "");
    origin.serve_in_turn(LIVE, KIND, vec![page(7), page(7), page(7)]);
    let url = origin.url(LIVE);
    let words = ["dump", &url, "-o", "a.wav", "--live-start", "--length", "2"];
    let run = sandbox.kithara(words).warns(&[
        "cannot keep all of the live playlist",
        "more than 10000 segments",
        "going on with the newest ones",
    ]);
    let run = run.run();
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    let sound = Sound::open(&sandbox.path("a.wav"));
    assert_eq!(sound.frames(), 2 * RATE);
    assert_eq!(first_break(&sound, 0), None);
    assert_eq!(
        asked(&origin, "/far-0.m4s") + asked(&origin, "/far-6.m4s"),
        0
    );
}

#[test]
fn t17_all_of_an_event_can_be_heard_however_long_it_grows() {
    let (origin, sandbox) = stage();
    let event = "#EXT-X-PLAYLIST-TYPE:EVENT\n";
    let pages = vec![
        list(event, KEPT + 5, 0..6, ""),
        list(event, KEPT + 9, 0..6, ""),
    ];
    origin.serve_in_turn(LIVE, KIND, pages);
    let url = origin.url(LIVE);
    let words = ["dump", &url, "-o", "a.wav", "--live-start", "--length", "2"];
    sandbox.kithara(words).run();
    let sound = Sound::open(&sandbox.path("a.wav"));
    assert_eq!(sound.frames(), 2 * RATE);
    assert_eq!(first_break(&sound, 0), None);
}
