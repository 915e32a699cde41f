//! Encrypted streams: the rows K1 to K9 and S8 of HLS.md, and that no key ever
//! leaves the folder of its stream. Fixtures are encrypted here.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use sha2::{Digest, Sha256};

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::{Sample, Sound, first_break, hex};
use crate::{bytes, dump, expected_of, stage};

const KEY: [u8; 16] = *b"hush-hush-hush-6";
const OTHER: [u8; 16] = *b"other-other-oth2";
const DURATIONS: [&str; 6] = [
    "0.522449", "0.522449", "0.522449", "0.522449", "0.417959", "0.492245",
];
const CLEAR: &str = "hls/flac.m3u8";
const LIST: &str = "/enc/list.m3u8";
const FRAMES: usize = 5 * 4608; // of each of the first four segments

/// `clear` in AES-128 CBC with PKCS#7 padding.
fn encrypt(clear: &[u8], key: [u8; 16], iv: u128) -> Vec<u8> {
    let encryptor = cbc::Encryptor::<Aes128>::new(&key.into(), &iv.to_be_bytes().into());
    let mut wire = clear.to_vec();
    wire.resize(clear.len() / 16 * 16 + 16, 0);
    encryptor
        .encrypt_padded::<Pkcs7>(&mut wire, clear.len())
        .expect("room for the padding");
    wire
}

fn segment(index: usize) -> Vec<u8> {
    bytes(&format!("hls/flac-{index}.m4s"))
}

/// Serves the six segments below `/enc/`, each encrypted as `how` says.
fn serve_segments(origin: &Origin, how: impl Fn(usize) -> Option<([u8; 16], u128)>) {
    for index in 0..DURATIONS.len() {
        let clear = segment(index);
        let wire = match how(index) {
            Some((key, iv)) => encrypt(&clear, key, iv),
            None => clear,
        };
        origin.serve(&format!("/enc/flac-{index}.m4s"), "audio/mp4", wire);
    }
    origin.serve(
        "/enc/flac-init.mp4",
        "audio/mp4",
        bytes("hls/flac-init.mp4"),
    );
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
    let ranges: Vec<_> = log
        .iter()
        .filter_map(|request| request.header("range"))
        .collect();
    let ends = |index: usize| wires[..index].iter().map(Vec::len).sum::<usize>();
    let want: Vec<_> = (0..6)
        .map(|index| format!("bytes={}-{}", ends(index), ends(index + 1) - 1))
        .collect();
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
fn k5_a_key_that_is_refused_is_exit_4_and_never_plays_as_clear() {
    for status in [401, 403, 404, 410] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| None); // clear under a KEY tag: a trap
        let url = serve_list(
            &origin,
            &one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin?token=hush\""),
        );
        origin.on("/enc/key.bin").status(status);
        let words = ["the key ", "/enc/key.bin", &status.to_string()];
        fails_before_sound(&sandbox, &url, 4, &words);
        sandbox
            .kithara(["play", &url, "--ao", "null"])
            .fails(4, &words)
            .run();
        sandbox.kithara(["cache", &url]).chatty().code(4).run();
        assert!(count(&origin, "/enc/key.bin") <= 6, "a storm");
    }
}

#[test]
fn k5_a_key_that_cannot_be_reached_is_exit_3() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"http://{address}/key.bin\",IV=0x2a");
    let url = serve_list(&origin, &one_key(&tag));
    let run = sandbox
        .kithara(["dump", &url, "-o", "none.wav"])
        .code(3)
        .chatty()
        .run();
    let last = run.stderr.lines().last().expect("an error");
    assert!(
        last.contains("cannot fetch the key") && last.contains("refused"),
        "{last}"
    );
    assert!(!sandbox.path("none.wav").exists());
}

#[test]
fn k5_what_is_no_key_is_exit_5_and_said_by_its_look() {
    let page = b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec();
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("an empty body", Vec::new(), &["nothing came"]),
        ("15 bytes", vec![7; 15], &["15 bytes came"]),
        ("17 bytes", vec![7; 17], &["17 bytes came"]),
        ("a web page", page, &["a web page (HTML)"]),
        (
            "digits",
            hex(&KEY).into_bytes(),
            &["32 bytes came", "hexadecimal"],
        ),
        (
            "base64",
            b"aHVzaC1odXNoLWh1c2gtNg==".to_vec(),
            &["24 bytes came", "base64"],
        ),
        ("a film", vec![7; 200_000], &["longer than", "a key has 16"]),
    ];
    for (case, body, words) in cases {
        let (origin, sandbox) = stage();
        let url = serve_plain(&origin);
        serve_key(&origin, "/enc/key.bin", &body);
        fails_before_sound(
            &sandbox,
            &url,
            5,
            &[&["the key", "/enc/key.bin"], words].concat(),
        );
        assert_eq!(count(&origin, "/enc/key.bin"), 1, "{case}");
        // What was no key is not kept in place of one.
        serve_key(&origin, "/enc/key.bin", &KEY);
        plays_as_clear(&sandbox, &url);
    }
}

#[test]
fn k5_a_wrong_key_is_exit_5_before_any_sound() {
    for (key, tag) in [
        (OTHER, "IV=0x2a"),
        (KEY, "IV=0x2b"),
        (KEY, "X=1"), // the number in place of the vector
    ] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        serve_key(&origin, "/enc/key.bin", &key);
        let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",{tag}");
        let url = serve_list(&origin, &one_key(&tag));
        let words = ["segment 0", "/enc/key.bin", "the key is wrong"];
        fails_before_sound(&sandbox, &url, 5, &words);
        let run = sandbox.kithara(["dump", &url, "--raw", "-o", "-"]);
        run.fails(5, &words).run(); // and nothing on stdout
        let run = sandbox.kithara(["play", &url, "--ao", "null"]);
        run.fails(5, &words).run();
    }
}

#[test]
fn k5_a_wrong_key_in_mid_list_ends_the_dump_after_what_came_before() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |index| {
        Some((if index < 3 { KEY } else { OTHER }, 42))
    });
    let tag = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a";
    let url = serve_list(&origin, &one_key(tag));
    let run = sandbox.kithara(["dump", &url, "-o", "part.wav"]);
    run.fails(5, &["segment 3", "the key is wrong"]).run();
    let part = Sound::open(&sandbox.path("part.wav"));
    assert_eq!((part.frames(), first_break(&part, 0)), (3 * FRAMES, None));
}

#[test]
fn k6_a_key_in_the_playlist_is_used_without_a_request() {
    for uri in [
        "data:application/octet-stream;base64,aHVzaC1odXNoLWh1c2gtNg==",
        "data:text/plain;charset=UTF-8;base64,aHVzaC1odXNoLWh1c2gtNg",
        "data:,hush-hush%2Dhush-6",
    ] {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\",IV=0x2a");
        plays_as_clear(&sandbox, &serve_list(&origin, &one_key(&tag)));
        assert_eq!(
            origin.log().len(),
            8,
            "a list, an init section, six segments"
        );
    }
}

#[test]
fn an_unquoted_key_address_is_read() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let tag = "#EXT-X-KEY:METHOD=AES-128,URI=key.bin,IV=0x2a";
    plays_as_clear(&sandbox, &serve_list(&origin, &one_key(tag)));
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
        serve_key(&origin, "/enc/key.bin", b"no longer right!");
        serve_key(&origin, "/enc/other.bin", b"no longer right!");
        let url = format!("{}?fresh", origin.url(LIST));
        let run = sandbox.kithara(["dump", &url, "-o", "none.wav", "--no-cache"]);
        run.fails(5, &["init section does not decrypt", "the key is wrong"])
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
fn the_key_is_found_relative_to_where_the_list_was_found() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |_| Some((KEY, 42)));
    let text = one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"keys/../../k.bin\",IV=0x2a")
        .replace("flac-", "/enc/flac-");
    origin.serve(
        "/far/deep/list.m3u8",
        "application/x-mpegurl",
        text.into_bytes(),
    );
    serve_key(&origin, "/far/k.bin", &KEY);
    origin.on("/radio").redirect("/far/deep/list.m3u8");
    plays_as_clear(&sandbox, &origin.url("/radio"));
    assert_eq!(count(&origin, "/far/k.bin"), 1);
}

#[test]
fn a_key_may_be_redirected() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    serve_key(&origin, "/vault/1", &KEY);
    origin.on("/enc/key.bin").redirect("/vault/1");
    plays_as_clear(&sandbox, &url);
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
fn the_key_the_init_section_and_the_first_segment_are_asked_for_together() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let gates = ["/enc/key.bin", "/enc/flac-init.mp4", "/enc/flac-0.m4s"]
        .map(|path| origin.on(path).drip());
    let run = sandbox
        .kithara(["stats", &url, "--length", "0.1", "--json"])
        .prints()
        .spawn();
    for gate in &gates {
        gate.wait_until_reached();
    }
    assert_eq!(origin.log().len(), 4, "{:?}", origin.log());
    for gate in &gates {
        gate.open();
    }
    let report = run.finish().json();
    assert_eq!(report["network"]["requests"]["key"], 1);
    let stages = report["startup"]["stages"].to_string();
    assert!(stages.contains("\"key\""), "{stages}");
}

#[test]
fn nothing_is_heard_before_the_key_is_here_and_all_of_it_afterwards() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    let gate = origin.on("/enc/key.bin").drip();
    let last = origin.on("/enc/flac-1.m4s").drip();
    let run = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    last.wait_until_reached(); // the first segment is whole
    gate.wait_until_reached();
    assert!(run.stdout_bytes(0).is_empty());
    gate.open();
    last.open();
    let row = expected_of(CLEAR);
    row.check(&Sound::raw(
        run.finish().stdout,
        row.rate,
        row.channels,
        Sample::S16,
    ));
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
fn a_cached_encrypted_stream_plays_offline_with_its_key() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    sandbox.kithara(["cache", &url]).chatty().run();
    origin.shut_down();
    let sound = dump(&sandbox, &url, &["--offline"]);
    expected_of(CLEAR).check(&sound);
    let holds_key = |path: &std::path::Path| {
        let held = fs::read(path).expect("a cache file");
        held.windows(16).any(|window| window == KEY)
    };
    let holders: Vec<_> = sandbox
        .cache_files()
        .into_iter()
        .filter(|(path, _)| holds_key(path))
        .collect();
    assert_eq!(holders.len(), 1, "the key is in one file: {holders:?}");
    let mode = holders[0]
        .0
        .metadata()
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_played_stream_needs_its_key_no_more_and_refresh_asks_for_it() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    plays_as_clear(&sandbox, &url);
    plays_as_clear(&sandbox, &url);
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
    expected_of(CLEAR).check(&dump(&sandbox, &url, &["--refresh"]));
    assert_eq!(count(&origin, "/enc/key.bin"), 2);
}

#[test]
fn the_ledger_sums_what_came_over_the_wire() {
    let (origin, sandbox) = stage();
    let url = serve_plain(&origin);
    dump(&sandbox, &url, &["--ledger", "ledger.jsonl"]);
    let text = fs::read_to_string(sandbox.path("ledger.jsonl")).expect("a ledger");
    let sum = hex(&Sha256::digest(encrypt(&segment(4), KEY, 42)));
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

#[test]
fn a_key_is_never_shown() {
    let base64 = "aHVzaC1odXNoLWh1c2gtNg";
    let secrets = [
        String::from_utf8(KEY.to_vec()).expect("text"),
        hex(&KEY),
        hex(&KEY).to_uppercase(),
        base64.to_owned(),
        format!("{KEY:?}"),
        "token".to_owned(),
    ];
    let tags = [
        "URI=\"key.bin?token=1\",IV=0x2a".to_owned(),
        format!("URI=\"data:;base64,{base64}\",IV=0x2a"),
        format!("URI=\"data:;base64,{base64}\",IV=0x2b"), // wrong
        format!("URI=\"data:;base64,{base64}AA\",IV=0x2a"), // too long
        format!("URI=\"data:;base64,{base64}*\",IV=0x2a"), // unreadable
        format!("URI=data:;base64,{base64},IV=2a"),       // malformed
    ];
    for tag in tags {
        let (origin, sandbox) = stage();
        serve_segments(&origin, |_| Some((KEY, 42)));
        let url = serve_list(
            &origin,
            &one_key(&format!("#EXT-X-KEY:METHOD=AES-128,{tag}")),
        );
        for command in [
            &["dump", "-o", "x.wav", "-f", "-vv"][..],
            &["play", "--ao", "null", "--length", "0.1", "--json", "-vv"],
            &["stats", "--json", "--trace-out", "trace.json", "-vv"],
            &["info", "--json", "-vv"],
            &["info", "-vv"],
        ] {
            let run = sandbox.kithara(command.iter().copied().chain([url.as_str()]));
            let run = run.any_code().chatty().prints().run();
            let trace = fs::read_to_string(sandbox.path("trace.json")).unwrap_or_default();
            for text in [run.text(), run.stderr, trace] {
                for secret in &secrets {
                    assert!(!text.contains(secret.as_str()), "{secret} in {text}");
                }
            }
        }
    }
}
