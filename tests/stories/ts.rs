//! MPEG transport streams (HLS.md S1, S2, S3, S12, D6): the same sound as from
//! any other container, whatever lies around it, is missing or is cut where.

mod changes;
mod whole;

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sound, first_difference, snr_db, worst_shift};
use crate::{bytes, dump, stage};

const PACKET: usize = 188;
const SOUND: u16 = 0x100; // the PID of the fixtures with nothing else
const FLOATS: [&str; 2] = ["--sample", "f32"];

/// The packets of a fixture.
fn packets(fixture: &str) -> Vec<Vec<u8>> {
    let bytes = bytes(fixture);
    bytes.chunks(PACKET).map(<[u8]>::to_vec).collect()
}

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1F, packet[2]])
}

/// Serves the segments of `ts/aac.m3u8` below `folder` with one of them changed,
/// and gives the address of their playlist.
fn serve(
    origin: &Origin,
    folder: &str,
    changed: usize,
    change: impl FnOnce(&mut Vec<Vec<u8>>),
) -> String {
    let mut change = Some(change);
    for index in 0..7 {
        let name = format!("aac-{index}.ts");
        let mut segment = packets(&format!("ts/{name}"));
        if let Some(change) = change.take_if(|_| index == changed) {
            change(&mut segment);
        }
        origin.serve(&format!("/{folder}/{name}"), "video/mp2t", segment.concat());
    }
    let list = format!("/{folder}/list.m3u8");
    origin.serve(&list, "application/x-mpegurl", bytes("ts/aac.m3u8"));
    origin.url(&list)
}

#[test]
fn s1_aac_and_latm_sound_like_the_same_units_in_mp4() {
    let (origin, sandbox) = stage();
    let want = dump(&sandbox, &origin.url("/hls/aac64.m3u8"), &FLOATS);
    for name in ["aac", "latm"] {
        let got = dump(&sandbox, &origin.url(&format!("/ts/{name}.m3u8")), &FLOATS);
        assert_eq!(got.frames(), 131 * 1024, "{name}: every unit");
        let heard = got.slice(1024, want.frames());
        assert_eq!(first_difference(&want, &heard), None, "{name}");
    }
}

#[test]
fn s1_mp3_sounds_like_the_same_frames_in_a_file() {
    let (origin, sandbox) = stage();
    let want = dump(&sandbox, &origin.url("/files/lame.mp3"), &FLOATS);
    let got = dump(&sandbox, &origin.url("/ts/mp3.m3u8"), &FLOATS);
    assert_eq!(got.frames(), 116 * 1152, "every frame");
    let heard = got.slice(1105, want.frames());
    assert_eq!(first_difference(&want, &heard), None);
}

#[test]
fn s1_damage_costs_a_moment_and_no_time() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/ts/aac.m3u8"), &[]);
    let damages = ["lost", "many", "marked", "sync", "jump"];
    let damage = |name: &str, packets: &mut Vec<Vec<u8>>| match name {
        "lost" => drop(packets.remove(12)),
        "many" => drop(packets.drain(8..18)),
        "marked" => packets[12][1] |= 0x80,
        "sync" => drop(packets[12].drain(..100)),
        _ => packets[12][3] ^= 5, // the counter
    };
    for name in damages {
        let url = serve(&origin, name, 2, |packets| damage(name, packets));
        let got = dump(&sandbox, &url, &[]);
        assert_eq!(got.frames(), whole.frames(), "{name}: length");
        let before = |sound: &Sound| sound.slice(0, 40_000);
        assert_eq!(before(&got), before(&whole), "{name}: before it");
        // Segment 2 is over after a second and a half. The units have noise
        // substitution, which goes on from the noise before.
        let behind = |sound: &Sound| sound.slice(70_000, 64_000).floats();
        let snr = snr_db(&behind(&whole), &behind(&got));
        assert!(snr > 60.0, "{name}: {snr} dB behind it");
        let summary = ["dump", &url, "-o", "x.wav", "--force", "--json"];
        let summary = sandbox.kithara(summary).prints().run().summary();
        assert_eq!(summary["decode"]["errors"], 1, "{name}: {summary}");
    }
}

#[test]
fn s1_repeated_packets_are_heard_once() {
    let (origin, sandbox) = stage();
    let whole = dump(&sandbox, &origin.url("/ts/aac.m3u8"), &[]);
    let url = serve(&origin, "twice", 3, |packets| {
        *packets = packets
            .iter()
            .flat_map(|one| [one.clone(), one.clone()])
            .collect();
    });
    let got = dump(&sandbox, &url, &[]);
    assert_eq!(first_difference(&whole, &got), None);
}

#[test]
fn s1_sound_comes_before_its_segment_is_whole() {
    let (origin, sandbox) = stage();
    let gate = origin.on("/ts/aac-0.ts").stall_at(3_500);
    let url = origin.url("/ts/aac.m3u8");
    let run = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    let early = run.stdout_bytes(4 * 4096);
    gate.open();
    run.finish();
    assert!(dump(&sandbox, &url, &[]).pcm.starts_with(&early));
}

#[test]
fn s2_sound_beside_pictures_is_the_same_sound() {
    let (origin, sandbox) = stage();
    let want = dump(&sandbox, &origin.url("/ts/aac.m3u8"), &[]);
    let got = dump(&sandbox, &origin.url("/ts/muxed.m3u8"), &[]);
    assert_eq!(first_difference(&want, &got), None);
}

#[test]
fn s2_pictures_alone_are_refused_in_one_line() {
    let (origin, sandbox) = stage();
    let cases = [
        ("video", "there is no sound in it, only MPEG-2 pictures"),
        ("ac3", "its sound is AC-3, which has no decoder here"),
    ];
    for (name, why) in cases {
        let url = origin.url(&format!("/ts/{name}.m3u8"));
        let run = sandbox.kithara(["dump", &url, "-o", "x.wav"]);
        let words = ["cannot play segment 0", why];
        run.fails(5, &words).run();
    }
}

#[test]
fn s3_a_clock_that_wraps_is_not_heard() {
    let (origin, sandbox) = stage();
    let want = dump(&sandbox, &origin.url("/ts/aac.m3u8"), &[]);
    let url = origin.url("/ts/wrap.m3u8");
    let got = dump(&sandbox, &url, &[]);
    assert_eq!(first_difference(&want, &got), None);
    // Behind the wrap; the place is told by the clock of the first segment.
    let part = dump(&sandbox, &url, &["--start", "2", "--length", "0.5"]);
    assert_eq!(part.frames(), 22_050);
    let (shift, at) = worst_shift(&part, 88_200 - 1024);
    assert!(shift < 0.5, "{shift} samples off at {at}");
}

#[test]
fn s12_he_aac_is_heard_at_its_full_rate() {
    let (origin, sandbox) = stage();
    for (name, frames) in [("v1", 139_264), ("v2", 141_312)] {
        let want = dump(&sandbox, &origin.url(&format!("/he/{name}.aac")), &[]);
        let got = dump(&sandbox, &origin.url(&format!("/ts/he-{name}.m3u8")), &[]);
        assert_eq!((got.rate, got.frames()), (44_100, frames), "{name}");
        assert_eq!(first_difference(&want, &got), None, "{name}");
    }
}

/// CRC-32 of ISO/IEC 13818-1 annex A.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
        }
    }
    sum.to_be_bytes()
}

/// Adds a stream of timed ID3 to the map in a packet that holds nothing else.
fn with_titles(packet: &mut [u8]) {
    let section = &mut packet[5..];
    let end = 3 + usize::from(section[2]) - 4;
    section[end..end + 5].copy_from_slice(&[0x15, 0xE1, 0x02, 0xF0, 0]);
    section[2] += 5;
    let sum = checksum(&section[..end + 5]);
    section[end + 5..end + 9].copy_from_slice(&sum);
}

/// A packet of that stream with a title that holds from `stamp` on.
fn title(text: &str, stamp: u64, counter: u8) -> Vec<u8> {
    let length = |extra: usize| u8::try_from(text.len() + extra).expect("a short title");
    let byte = |shift: u32| u8::try_from(stamp >> shift & 0xFF).expect("a byte");
    let frame = [&b"TIT2\0\0\0"[..], &[length(1), 0, 0, 3], text.as_bytes()].concat();
    let tag = [&b"ID3\x04\0\0\0\0\0"[..], &[length(11)], &frame].concat();
    let clock = [
        0x21 | byte(29) & 0x0E,
        byte(22),
        byte(14) | 1,
        byte(7),
        byte(0) << 1 | 1,
    ];
    let payload = [&[0, 0, 1, 0xBD, 0, 0, 0x84, 0x80, 5][..], &clock, &tag].concat();
    let stuffing = PACKET - 4 - payload.len();
    let field = [
        &[u8::try_from(stuffing - 1).expect("short"), 0][..],
        &[0xFF; 182],
    ]
    .concat();
    [
        &[0x47, 0x41, 0x02, 0x30 | counter][..],
        &field[..stuffing],
        &payload,
    ]
    .concat()
}

#[test]
fn d6_titles_in_a_stream_of_their_own_come_at_their_sample() {
    let (origin, sandbox) = stage();
    let url = serve(&origin, "titles", 1, |packets| {
        let map = packets.iter_mut().find(|packet| pid(packet) == 0x1000);
        with_titles(map.expect("a map"));
        let sound = packets.iter().position(|packet| pid(packet) == SOUND);
        let sound = sound.expect("sound");
        let zero = 126_000;
        packets.insert(sound, title("One", zero + 72_000, 0));
        packets.push(title("Two", zero + 81_000, 1));
    });
    let told = titles(&sandbox, &url);
    let want = [(800, "One".to_owned()), (900, "Two".to_owned())];
    assert_eq!(told, want);
}

/// Position in milliseconds and text of each title that a dump told.
fn titles(sandbox: &Sandbox, url: &str) -> Vec<(i64, String)> {
    let run = sandbox.kithara(["dump", url, "--json", "-o", "titles.wav"]);
    let lines = run.prints().run().json_lines();
    let told = lines.iter().filter(|line| line["event"] == "title");
    let row = |line: &Value| Some((line["pos_ms"].as_i64()?, line["title"].as_str()?.to_owned()));
    told.map(|line| row(line).expect("a position and a text"))
        .collect()
}
