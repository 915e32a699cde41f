//! Encrypted streams: the rows K1 to K9 and S8 of HLS.md, and that no key ever
//! leaves the folder of its stream. Fixtures are encrypted here; `keys` has what
//! is about the keys themselves.

mod announced;
mod keys;

use std::fs;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sample, Sound, first_break, hex};
use crate::{bytes, dump, expected_of, stage};

pub const KEY: [u8; 16] = *b"hush-hush-hush-6";
const OTHER: [u8; 16] = *b"other-other-oth2";
const DURATIONS: [&str; 6] = [
    "0.522449", "0.522449", "0.522449", "0.522449", "0.417959", "0.492245",
];
const CLEAR: &str = "hls/flac.m3u8";
const LIST: &str = "/enc/list.m3u8";
const FRAMES: usize = 5 * 4608; // of each of the first four segments

/// `clear` in AES-128 CBC with PKCS#7 padding.
pub fn encrypt(clear: &[u8], key: [u8; 16], iv: u128) -> Vec<u8> {
    let encryptor = cbc::Encryptor::<Aes128>::new(&key.into(), &iv.to_be_bytes().into());
    let mut wire = clear.to_vec();
    wire.resize(clear.len() / 16 * 16 + 16, 0);
    encryptor
        .encrypt_padded::<Pkcs7>(&mut wire, clear.len())
        .expect("room for the padding");
    wire
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn segment(index: usize) -> Vec<u8> {
    bytes(&format!("hls/flac-{index}.m4s"))
}

/// Serves the six segments below `folder`, each encrypted as `how` says, and their
/// init section, which is clear.
pub fn serve_media(origin: &Origin, folder: &str, how: impl Fn(usize) -> Option<([u8; 16], u128)>) {
    for index in 0..DURATIONS.len() {
        let clear = segment(index);
        let wire = match how(index) {
            Some((key, iv)) => encrypt(&clear, key, iv),
            None => clear,
        };
        origin.serve(&format!("{folder}/flac-{index}.m4s"), "audio/mp4", wire);
    }
    let init = bytes("hls/flac-init.mp4");
    origin.serve(&format!("{folder}/flac-init.mp4"), "audio/mp4", init);
}

/// The segments below `/enc`, and two keys beside them.
fn serve_segments(origin: &Origin, how: impl Fn(usize) -> Option<([u8; 16], u128)>) {
    serve_media(origin, "/enc", how);
    serve_key(origin, "/enc/key.bin", &KEY);
    serve_key(origin, "/enc/other.bin", &OTHER);
}

fn serve_key(origin: &Origin, path: &str, key: &[u8]) {
    origin.serve(path, "application/octet-stream", key.to_vec());
}

/// The stream's list with `head` before and the tags of `before` in front of each segment.
fn list(head: &str, before: impl Fn(usize) -> String) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n{head}\n"
    );
    for (index, duration) in DURATIONS.iter().enumerate() {
        text += &format!("{}\n#EXTINF:{duration},\nflac-{index}.m4s\n", before(index));
    }
    text + "#EXT-X-ENDLIST\n"
}

/// A list whose segments are all under one KEY tag; the init section is clear.
fn one_key(tag: &str) -> String {
    list(&format!("#EXT-X-MAP:URI=\"flac-init.mp4\"\n{tag}"), |_| {
        String::new()
    })
}

fn serve_list(origin: &Origin, text: &str) -> String {
    let kind = "application/vnd.apple.mpegurl";
    origin.serve(LIST, kind, text.as_bytes().to_vec());
    origin.url(LIST)
}

/// A stream under one key with vector that its tag states.
fn serve_plain(origin: &Origin) -> String {
    serve_segments(origin, |_| Some((KEY, 42)));
    serve_list(
        origin,
        &one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a"),
    )
}

fn plays_as_clear(sandbox: &Sandbox, url: &str) {
    expected_of(CLEAR).check(&dump(sandbox, url, &[]));
}

/// Expects exit `code` with `words` and no sample in an output.
fn fails_before_sound(sandbox: &Sandbox, url: &str, code: i32, words: &[&str]) {
    let arguments = ["dump", url, "-o", "none.wav"];
    sandbox.kithara(arguments).fails(code, words).run();
    assert!(!sandbox.path("none.wav").exists(), "PCM of {words:?}");
}

/// How often each path was asked for.
fn count(origin: &Origin, path: &str) -> usize {
    origin.requests(path).len()
}

#[test]
fn k1_an_explicit_vector_of_any_length_is_used() {
    for (text, iv) in [
        ("0x2a", 0x2a),
        (
            "0X000102030405060708090A0B0C0D0E0F",
            0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f,
        ),
        ("0xffffffffffffffffffffffffffffffff", u128::MAX),
    ] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, iv)));
        let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV={text}");
        plays_as_clear(&sandbox, &serve_list(&origin, &one_key(&tag)));
        assert_eq!(count(&origin, "/enc/key.bin"), 1, "one request for one key");
    }
}

#[test]
fn k1_other_containers_are_decrypted_too() {
    let (origin, sandbox) = stage();
    serve_key(&origin, "/enc/key.bin", &KEY);
    let wire = encrypt(&bytes("files/adts.aac"), KEY, 0);
    origin.serve("/enc/sound.aac", "audio/aac", wire);
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n\
        #EXTINF:3.1,\nsound.aac\n#EXT-X-ENDLIST\n";
    let url = serve_list(&origin, text);
    let sound = dump(&sandbox, &url, &[]);
    let clear = dump(&sandbox, &origin.url("/files/adts.aac"), &[]);
    assert!(sound.frames() > 130_000);
    assert_eq!(sound.slice(0, 130_000).pcm, clear.slice(0, 130_000).pcm);
}

#[test]
fn k1_transport_streams_sound_like_the_clear_ones() {
    for (name, segments) in [("aac", 7), ("muxed", 6), ("mp3", 7)] {
        let (origin, sandbox) = stage();
        serve_key(&origin, "/enc/key.bin", &KEY);
        for index in 0..segments {
            // The vector that the list implies is the segment's number.
            let clear = bytes(&format!("ts/{name}-{index}.ts"));
            let wire = encrypt(&clear, KEY, index);
            origin.serve(&format!("/enc/{name}-{index}.ts"), "video/mp2t", wire);
        }
        let list = String::from_utf8(bytes(&format!("ts/{name}.m3u8"))).expect("a list");
        let tag = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXTINF";
        let url = serve_list(&origin, &list.replacen("#EXTINF", tag, 1));
        let got = dump(&sandbox, &url, &[]);
        let clear = dump(&sandbox, &origin.url(&format!("/ts/{name}.m3u8")), &[]);
        assert!(got.frames() > 130_000, "{name}");
        assert_eq!(got, clear, "{name}");
        assert_eq!(count(&origin, "/enc/key.bin"), 1, "{name}");
        serve_key(&origin, "/enc/key.bin", &OTHER);
        let other = Sandbox::new();
        fails_before_sound(&other, &url, 5, &["decrypt"]);
    }
}

#[test]
fn k1_a_segment_that_lost_its_end_is_exit_5_after_what_came_before() {
    for (case, cut) in [("a partial block", 5), ("no padding", 16)] {
        let (origin, sandbox) = stage();
        let url = serve_plain(&origin);
        let mut wire = encrypt(&segment(2), KEY, 42);
        wire.truncate(wire.len() - cut);
        origin.serve("/enc/flac-2.m4s", "audio/mp4", wire);
        let run = sandbox.kithara(["dump", &url, "-o", "part.wav"]);
        run.fails(
            5,
            &[
                "segment 2",
                "key.bin",
                "the key is wrong or the segment is damaged",
            ],
        )
        .run();
        let part = Sound::open(&sandbox.path("part.wav"));
        assert!(part.frames() >= 2 * FRAMES, "{case}");
        assert_eq!(first_break(&part, 0), None, "{case}");
    }
}

#[test]
fn k2_an_implied_vector_is_the_sequence_number_in_128_bits() {
    for first in [0, 1, 7_794, (1 << 32) - 2, (1 << 40) + 5] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |index| Some((KEY, first + index as u128)));
        let head = format!(
            "#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"flac-init.mp4\"\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\""
        );
        plays_as_clear(
            &sandbox,
            &serve_list(&origin, &list(&head, |_| String::new())),
        );
    }
}

#[test]
fn k2_byte_ranges_of_ciphertext_are_fetched_and_count_as_segments() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| None);
    let wires: Vec<_> = (0..6)
        .map(|index| encrypt(&segment(index), KEY, 10 + index as u128))
        .collect();
    origin.serve("/enc/all.bin", "audio/mp4", wires.concat());
    let mut text = list(
        "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-MAP:URI=\"flac-init.mp4\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"",
        |index| match index {
            0 => format!("#EXT-X-BYTERANGE:{}@0", wires[0].len()),
            _ => format!("#EXT-X-BYTERANGE:{}", wires[index].len()),
        },
    );
    for index in 0..6 {
        text = text.replace(&format!("flac-{index}.m4s"), "all.bin");
    }
    plays_as_clear(&sandbox, &serve_list(&origin, &text));
    let log = origin.requests("/enc/all.bin");
    let mut ranges: Vec<_> = log
        .iter()
        .filter_map(|request| request.header("range"))
        .collect();
    ranges.sort_unstable(); // two are in flight
    let ends = |index: usize| wires[..index].iter().map(Vec::len).sum::<usize>();
    let mut want: Vec<_> = (0..6)
        .map(|index| format!("bytes={}-{}", ends(index), ends(index + 1) - 1))
        .collect();
    want.sort_unstable();
    assert_eq!(ranges, want);
}

#[test]
fn k3_keys_rotate_and_none_ends_encryption_in_mid_list() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |index| match index {
        0 | 1 => Some((KEY, index as u128)),
        3 | 4 => Some((OTHER, index as u128)),
        5 => Some((KEY, 99)),
        _ => None,
    });
    let text = list("#EXT-X-MAP:URI=\"flac-init.mp4\"", |index| {
        let tag = match index {
            0 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"",
            2 => "#EXT-X-KEY:METHOD=NONE",
            3 => "#EXT-X-KEY:METHOD=AES-128,URI=\"other.bin\"",
            5 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x63",
            _ => "",
        };
        tag.to_owned()
    });
    plays_as_clear(&sandbox, &serve_list(&origin, &text));
    assert_eq!(
        (
            count(&origin, "/enc/key.bin"),
            count(&origin, "/enc/other.bin")
        ),
        (1, 1)
    );
}

#[test]
fn k3_a_key_for_each_segment_is_fetched_once_for_each() {
    let (origin, sandbox) = stage();
    let key = |index: usize| -> [u8; 16] { std::array::from_fn(|at| (index * 16 + at) as u8) };
    serve_segments(&origin, |index| Some((key(index), index as u128)));
    for index in 0..6 {
        serve_key(&origin, &format!("/enc/{index}.key"), &key(index));
    }
    let text = list("#EXT-X-MAP:URI=\"flac-init.mp4\"", |index| {
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{index}.key\"")
    });
    plays_as_clear(&sandbox, &serve_list(&origin, &text));
    for index in 0..6 {
        assert_eq!(count(&origin, &format!("/enc/{index}.key")), 1, "{index}");
    }
}

#[test]
fn k4_identity_is_chosen_among_key_formats_in_any_order() {
    let formats = [
        "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"",
        "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a,KEYFORMAT=\"identity\",KEYFORMATVERSIONS=\"1/2\"",
        "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,AAAA\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"",
    ];
    for turn in 0..3 {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let mut tags = formats;
        tags.rotate_left(turn);
        plays_as_clear(&sandbox, &serve_list(&origin, &one_key(&tags.join("\n"))));
    }
}

#[test]
fn k7_k8_k9_what_is_not_aes_128_is_refused_by_name_before_any_segment() {
    let cases = [
        ("k7", "METHOD=AES-256,URI=\"key.bin\"", "AES-256", "aes-256"),
        (
            "k7",
            "METHOD=AES-256-CTR,URI=\"key.bin\"",
            "AES-256-CTR",
            "aes-256-ctr",
        ),
        (
            "k8",
            "METHOD=SAMPLE-AES,URI=\"key.bin\",IV=0x2a",
            "SAMPLE-AES",
            "sample-aes",
        ),
        (
            "k9",
            "METHOD=SAMPLE-AES,URI=\"skd://asset\",KEYFORMAT=\"com.apple.streamingkeydelivery\"",
            "FairPlay",
            "com.apple.streamingkeydelivery",
        ),
        (
            "k9",
            "METHOD=SAMPLE-AES-CTR,URI=\"data:;base64,AAAA\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"",
            "Widevine",
            "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
        ),
        (
            "k9",
            "METHOD=SAMPLE-AES,URI=\"data:;base64,AAAA\",KEYFORMAT=\"com.microsoft.playready\"",
            "PlayReady",
            "com.microsoft.playready",
        ),
    ];
    for (row, attributes, name, encryption) in cases {
        for after in [0, 3] {
            let (origin, sandbox) = stage();
            serve_segments(&origin, |_| None);
            let text = list("#EXT-X-MAP:URI=\"flac-init.mp4\"", |index| {
                match index == after {
                    true => format!("#EXT-X-KEY:{attributes}"),
                    false => String::new(),
                }
            });
            let url = serve_list(&origin, &text);
            fails_before_sound(&sandbox, &url, 5, &["encrypted", name]);
            sandbox
                .kithara(["cache", &url])
                .fails(5, &["encrypted", name])
                .run();
            let info = sandbox
                .kithara(["info", &url, "--json"])
                .prints()
                .run()
                .json();
            assert_eq!(info["encryption"], encryption, "{row}");
            let log = origin.log();
            assert!(
                log.iter().all(|request| request.path == LIST),
                "{row}: {log:?}"
            );
        }
    }
}

#[test]
fn k9_a_clear_variant_is_played_instead_of_a_protected_one() {
    for protected in [100_000, 900_000] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| None);
        serve_list(
            &origin,
            &one_key(
                "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"",
            ),
        );
        let master = format!(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH={protected},CODECS=\"fLaC\"\nlist.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"fLaC\"\n/hls/flac.m3u8\n"
        );
        let kind = "application/vnd.apple.mpegurl";
        origin.serve("/enc/master.m3u8", kind, master.into_bytes());
        let url = origin.url("/enc/master.m3u8");
        sandbox
            .kithara(["dump", &url, "-o", "x.wav"])
            .chatty()
            .run();
        expected_of(CLEAR).check(&Sound::open(&sandbox.path("x.wav")));
        let log = origin.log();
        let is_media = |path: &str| path.starts_with("/enc/") && !path.ends_with(".m3u8");
        assert!(
            !log.iter().any(|request| is_media(&request.path)),
            "{log:?}"
        );
    }
}

#[test]
fn keys_rotate_while_a_live_stream_goes_on() {
    let (origin, sandbox) = stage();
    let first = 7_794;
    serve_segments(&origin, |index| {
        let key = if index < 3 { KEY } else { OTHER };
        Some((key, first + index as u128))
    });
    let head = format!("#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"flac-init.mp4\"");
    let ended = list(&head, |index| match index {
        0 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"".to_owned(),
        3 => "#EXT-X-KEY:METHOD=AES-128,URI=\"other.bin\"".to_owned(),
        _ => String::new(),
    });
    let ended = ended.replace("#EXT-X-PLAYLIST-TYPE:VOD\n", "");
    // As the server cuts it while segment 4 is being made: its tail dangles.
    let growing = ended
        .split("#EXTINF:0.417959")
        .next()
        .expect("five segments");
    let url = serve_list(&origin, growing);
    let gate = origin.on("/enc/flac-2.m4s").drip();
    let run = sandbox
        .kithara(["dump", &url, "-o", "x.wav"])
        .chatty()
        .spawn();
    gate.wait_until_reached();
    serve_list(&origin, &ended);
    gate.open();
    run.finish();
    expected_of(CLEAR).check(&Sound::open(&sandbox.path("x.wav")));
    assert_eq!(
        (
            count(&origin, "/enc/key.bin"),
            count(&origin, "/enc/other.bin")
        ),
        (1, 1)
    );
}

#[test]
fn s8_an_encrypted_init_section_is_decrypted() {
    let map = "#EXT-X-MAP:URI=\"flac-init.mp4\"";
    let cases = [
        // Both under one tag.
        (
            KEY,
            42,
            format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a\n{map}"),
        ),
        // Each under its own.
        (
            OTHER,
            7,
            format!(
                "#EXT-X-KEY:METHOD=AES-128,URI=\"other.bin\",IV=0x7\n{map}\n\
                 #EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a"
            ),
        ),
    ];
    for (key, iv, head) in cases {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let wire = encrypt(&bytes("hls/flac-init.mp4"), key, iv);
        origin.serve("/enc/flac-init.mp4", "audio/mp4", wire);
        plays_as_clear(
            &sandbox,
            &serve_list(&origin, &list(&head, |_| String::new())),
        );
        let path = if key == KEY {
            "/enc/key.bin"
        } else {
            "/enc/other.bin"
        };
        serve_key(&origin, path, b"no longer right!");
        let run = sandbox.kithara(["dump", &origin.url(LIST), "-o", "none.wav", "--no-cache"]);
        run.fails(
            5,
            &["segment 0", path, "does not decrypt", "the key is wrong"],
        )
        .run();
    }
}

#[test]
fn s8_an_encrypted_init_section_without_a_vector_is_refused_by_name() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |index| Some((KEY, index as u128)));
    let head = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXT-X-MAP:URI=\"flac-init.mp4\"";
    let url = serve_list(&origin, &list(head, |_| String::new()));
    fails_before_sound(&sandbox, &url, 5, &["init section", "no IV", "line 5"]);
    assert_eq!(origin.log().len(), 1, "only the list is fetched");
}

#[test]
fn a_start_in_the_middle_of_an_encrypted_stream_is_exact() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let whole = dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    let part = dump(
        &sandbox,
        &url,
        &["--start", "1.3", "--length", "1", "--no-cache"],
    );
    assert_eq!(part.pcm, whole.slice(57_330, 44_100).pcm);
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
}

#[test]
fn the_first_samples_come_before_an_encrypted_segment_has_arrived() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let gate = origin.on("/enc/flac-0.m4s").drip();
    let run = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    gate.release(segment(0).len() as u64 * 3 / 5);
    let early = run.stdout_bytes(4608 * 2);
    gate.open();
    let row = expected_of(CLEAR);
    let sound = Sound::raw(run.finish().stdout, row.rate, row.channels, Sample::S16);
    assert!(sound.pcm.starts_with(&early));
    row.check(&sound);
}

#[test]
fn the_ledger_sums_what_came_over_the_wire() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    dump(&sandbox, &url, &["--ledger", "ledger.jsonl"]);
    let text = fs::read_to_string(sandbox.path("ledger.jsonl")).expect("a ledger");
    let sum = hex(&encrypt(&segment(4), KEY, 42));
    assert!(text.contains(&sum), "{text}");
}

#[test]
fn info_says_how_a_stream_is_encrypted() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let info = sandbox
        .kithara(["info", &url, "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(info["encryption"], "aes-128");
    assert_eq!(
        count(&origin, "/enc/key.bin"),
        0,
        "no key is needed to look"
    );
    let clear = origin.url("/hls/flac.m3u8");
    let info = sandbox
        .kithara(["info", &clear, "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(info["encryption"], "none");
}
