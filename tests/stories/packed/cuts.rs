//! Packed audio that is cut inside of a frame: heard whole when the next segment
//! goes on with it, and told when it does not.

use super::{Frames, List, assert_same, timestamp, untagged};
use crate::wav::{Sound, snr_db};
use crate::{dump, stage};

/// Without the frame of information, which takes no time.
fn silent_about_itself(mut frames: Frames) -> Frames {
    frames.units.remove(0);
    frames
}

#[test]
fn s4_a_frame_that_is_cut_between_segments_is_heard() {
    let (origin, sandbox) = stage();
    let cases = [
        ("adts", Frames::of_adts("files/adts.aac", 44_100.0), false),
        ("tagged", Frames::of_adts("files/adts.aac", 44_100.0), true),
        ("he", Frames::of_adts("he/v1.aac", 22_050.0), true),
        ("mp3", Frames::of_mp3(), false),
        ("tagged-mp3", silent_about_itself(Frames::of_mp3()), true),
    ];
    for (name, frames, is_tagged) in cases {
        let whole = frames.serve(&origin, &format!("{name}-whole"), 12, untagged);
        let want = dump(&sandbox, &whole, &[]);
        let stream = frames.units.concat();
        let begins = frames.units.iter().scan(0, |end, unit| {
            *end += unit.len();
            Some(*end - unit.len())
        });
        let begins: Vec<usize> = begins.collect();
        // When the first frame is due that begins behind this byte.
        let due = |byte: usize| frames.seconds * begins.partition_point(|at| *at < byte) as f64;
        let (size, mut list) = (4001, List::default());
        for (number, part) in stream.chunks(size).enumerate() {
            let (begin, end) = (number * size, number * size + part.len());
            let tag = match is_tagged {
                true => timestamp(0, due(begin)),
                false => Vec::new(),
            };
            let file = format!("{number}.bin");
            let body = [&tag, part].concat();
            origin.serve(&format!("/{name}/{file}"), "audio/mpeg", body);
            list.segment(&file, due(end) - due(begin));
        }
        let url = list.serve(&origin, &format!("/{name}/list.m3u8"));
        let summary = ["dump", &url, "-o", "x.wav", "--force", "--json"];
        let summary = sandbox.kithara(summary).prints().run().summary();
        assert_eq!(summary["decode"]["errors"], 0, "{name}: {summary}");
        assert_same(&want, &dump(&sandbox, &url, &[]), name);
    }
}

#[test]
fn s4_a_frame_that_is_cut_for_good_is_silence_and_more_is_an_error() {
    let (origin, sandbox) = stage();
    let frames = Frames::of_adts("files/adts.aac", 44_100.0);
    let whole = dump(&sandbox, &frames.serve(&origin, "whole", 40, untagged), &[]);
    let cut = |name: &str, count: usize, heard: usize| {
        let url = frames.serve(&origin, name, count, untagged);
        let kept = frames.units[..=heard].concat();
        let kept = kept[..kept.len() - 10].to_vec();
        origin.serve(&format!("/{name}/0.bin"), "audio/aac", kept);
        url
    };
    let url = cut("frame", 40, 39);
    let summary = ["dump", &url, "-o", "x.wav", "--force", "--json"];
    let summary = sandbox.kithara(summary).prints().run().summary();
    assert_eq!(summary["decode"]["errors"], 1, "{summary}");
    let got = dump(&sandbox, &url, &[]);
    assert_eq!(got.frames(), whole.frames());
    let before = 39 * 1024;
    assert_eq!(got.slice(0, before), whole.slice(0, before));
    let gone = got.slice(before, 1024).floats();
    assert!(gone.iter().all(|sample| *sample == 0.0), "silence");
    let behind = |sound: &Sound| sound.slice(60_000, 60_000).floats();
    let snr = snr_db(&behind(&whole), &behind(&got));
    assert!(snr > 60.0, "{snr} dB behind it");
    let url = cut("half", 60, 25);
    let run = sandbox.kithara(["dump", &url, "-o", "half.wav"]);
    let words = ["cannot play segment 0", "it ends inside a frame"];
    run.fails(5, &words).run();
}
