//! Tables that stand in EXT-X-MAP alone, and sound that is coded in another way
//! from the middle of a segment on.

use super::{PACKET, SOUND, packets, pid};
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_difference};
use crate::{dump, stage};

const KIND: &str = "application/x-mpegurl";
const TABLES: [u16; 3] = [0, 17, 0x1000]; // PAT, SDT, PMT

fn is_table(packet: &[u8]) -> bool {
    TABLES.contains(&pid(packet))
}

/// Serves a VOD list of `lines` below `folder` and gives its address.
fn serve_list(origin: &Origin, folder: &str, lines: &str) -> String {
    let head = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n";
    let path = format!("/{folder}/list.m3u8");
    let text = format!("{head}{lines}#EXT-X-ENDLIST\n");
    origin.serve(&path, KIND, text.into_bytes());
    origin.url(&path)
}

#[test]
fn s1_tables_may_stand_in_the_map_alone() {
    let (origin, sandbox) = stage();
    for name in ["aac", "mp3", "muxed"] {
        let folder = format!("map-{name}");
        let first = packets(&format!("ts/{name}-0.ts"));
        let tables: Vec<_> = first.iter().filter(|one| is_table(one)).take(3).collect();
        let tables: Vec<u8> = tables.into_iter().flatten().copied().collect();
        assert_eq!(tables.len(), 3 * PACKET, "{name}");
        origin.serve(&format!("/{folder}/tables.ts"), "video/mp2t", tables);
        let mut lines = "#EXT-X-MAP:URI=\"tables.ts\"\n".to_owned();
        for index in 0..6 {
            let mut bare = packets(&format!("ts/{name}-{index}.ts"));
            bare.retain(|packet| !is_table(packet));
            let file = format!("{index}.ts");
            origin.serve(&format!("/{folder}/{file}"), "video/mp2t", bare.concat());
            lines += &format!("#EXTINF:0.5,\n{file}\n");
        }
        let whole = dump(&sandbox, &origin.url(&format!("/ts/{name}.m3u8")), &[]);
        let got = dump(&sandbox, &serve_list(&origin, &folder, &lines), &[]);
        assert!(got.frames() > 125 * 1024, "{name}: {}", got.frames());
        let want = whole.slice(0, got.frames());
        assert_eq!(first_difference(&want, &got), None, "{name}");
    }
}

#[test]
fn s1_packets_that_no_table_explains_are_refused() {
    let (origin, sandbox) = stage();
    let mut bare = packets("ts/aac-0.ts");
    bare.retain(|packet| !is_table(packet));
    origin.serve("/bare/0.ts", "video/mp2t", bare.concat());
    let url = serve_list(&origin, "bare", "#EXTINF:0.5,\n0.ts\n");
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav"]);
    run.fails(5, &["there is no program map"]).run();
}

#[test]
fn s1_a_map_whose_sound_has_no_decoder_is_refused_by_name() {
    let (origin, sandbox) = stage();
    let mut tables = packets("ts/ac3-0.ts");
    tables.retain(|packet| is_table(packet));
    origin.serve("/map/tables.ts", "video/mp2t", tables.concat());
    let lines = "#EXT-X-MAP:URI=\"tables.ts\"\n#EXTINF:0.5,\n/ts/aac-0.ts\n";
    let url = serve_list(&origin, "map", lines);
    let run = sandbox.kithara(["dump", &url, "-o", "x.wav"]);
    run.fails(5, &["its sound is AC-3"]).run();
}

/// Segments as one, the packets of the sound counted on.
fn merged(names: &[&str]) -> Vec<u8> {
    let files = names.iter().map(|name| packets(&format!("ts/{name}.ts")));
    let mut all: Vec<_> = files.flatten().collect();
    let sound = all.iter_mut().filter(|packet| pid(packet) == SOUND);
    for (packet, count) in sound.zip((0..16_u8).cycle()) {
        packet[3] = packet[3] & 0xF0 | count;
    }
    all.concat()
}

/// The sound of segments with a discontinuity between them, and in one.
fn apart_and_merged(origin: &Origin, sandbox: &Sandbox, names: &[&str]) -> (Sound, Sound) {
    let folder = names.concat();
    let lines: Vec<_> = names
        .iter()
        .map(|name| format!("#EXTINF:0.5,\n/ts/{name}.ts\n"))
        .collect();
    let lines = lines.join("#EXT-X-DISCONTINUITY\n");
    let apart = serve_list(origin, &format!("apart-{folder}"), &lines);
    origin.serve(&format!("/one-{folder}/0.ts"), "video/mp2t", merged(names));
    let lines = format!("#EXTINF:{}.5,\n0.ts\n", names.len() / 2);
    let one = serve_list(origin, &format!("one-{folder}"), &lines);
    let rate = ["--rate", "44100"];
    let want = dump(sandbox, &apart, &rate);
    let summary = ["dump", &one, "-o", "one.wav", "--force", "--json"];
    let summary = sandbox.kithara(summary).prints().run().summary();
    assert_eq!(summary["decode"]["errors"], 0, "{names:?}: {summary}");
    (want, dump(sandbox, &one, &rate))
}

#[test]
fn d1_sound_may_be_coded_in_another_way_from_the_middle_of_a_segment_on() {
    let (origin, sandbox) = stage();
    let cases: [(&[&str], usize); 4] = [
        (&["aac-0", "mp3-0"], 22 * 1024 + 20 * 1152),
        (&["mp3-0", "aac-0"], 22 * 1024 + 20 * 1152),
        (&["aac-0", "he-v1-0"], 0),
        (&["aac-0", "mp3-0", "aac-1", "he-v2-0"], 0),
    ];
    for (names, frames) in cases {
        let (want, got) = apart_and_merged(&origin, &sandbox, names);
        assert_eq!(want.frames(), got.frames(), "{names:?}");
        assert_eq!(first_difference(&want, &got), None, "{names:?}");
        if frames > 0 {
            assert_eq!(got.frames(), frames, "{names:?}");
        }
    }
}
