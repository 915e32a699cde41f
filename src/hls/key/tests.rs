//! Addresses, vectors and refusals of keys, and what is said when none came.

use super::*;
use crate::hls::playlist::{Playlist, parse};
use crate::limits;

const BASE: &str = "https://h/a/list.m3u8";

fn media(text: &str) -> Media {
    let base = Location::parse(BASE).expect("a URL");
    let body = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}#EXT-X-ENDLIST\n");
    match parse(body.as_bytes(), &base).expect("a playlist").playlist {
        Playlist::Media(media) => media,
        Playlist::Multivariant(_) => panic!("a list of variants"),
    }
}

/// The first key of a playlist with this tag.
fn key(attributes: &str) -> Key {
    let mut media = media(&format!("#EXT-X-KEY:{attributes}\n#EXTINF:4,\na\n"));
    media.keys.swap_remove(0)
}

fn address(uri: &str) -> Result<Address, Problem> {
    let key = key(&format!("METHOD=AES-128,URI=\"{uri}\""));
    Address::of(&key, &Location::parse(BASE).expect("a URL"))
}

#[test]
fn a_data_uri_is_the_key_itself() {
    let want = Address::Inline(*b"0123456789abcde\xFF");
    for uri in [
        "data:text/plain;base64,MDEyMzQ1Njc4OWFiY2Rl/w==",
        "data:;base64,MDEyMzQ1Njc4OWFiY2Rl_w",
        "DATA:;charset=x;BASE64,MDEyMzQ1Njc4OWFiY2Rl%2Fw%3D%3D",
        "data:application/octet-stream,0123456789abcde%fF",
        "data:,%30123456789abcde%FF",
    ] {
        assert_eq!(address(uri), Ok(want.clone()), "{uri}");
    }
}

#[test]
fn a_data_uri_with_anything_else_is_refused_and_never_shown() {
    let cases = [
        ("data:", "cannot be read"),
        ("data:;base64", "cannot be read"),
        ("data:;base64,SECRET*", "cannot be read"),
        ("data:;base64,SECR", "3 bytes came where a key has 16 bytes"),
        ("data:;base64,SECRE=====", "cannot be read"),
        ("data:,SECRET", "6 bytes came where a key has 16 bytes"),
        ("data:,SECRET%4", "cannot be read"),
        ("data:,SECRET%zz", "cannot be read"),
        ("data:,", "nothing came where a key has 16 bytes"),
    ];
    for (uri, want) in cases {
        let problem = address(uri).expect_err(uri);
        assert_eq!(problem.kind, Kind::Encryption, "{uri}");
        assert!(problem.why.contains(want), "{uri}: {problem}");
        assert!(!problem.to_string().contains("SECRE"), "{problem}");
        assert!(problem.what.ends_with("line 3"), "{problem}");
    }
}

#[test]
fn other_uris_are_relative_to_the_playlist() {
    for (uri, want) in [
        ("key.bin", "https://h/a/key.bin"),
        ("/k?x=1", "https://h/k?x=1"),
        ("https://other/k", "https://other/k"),
        ("//other/k", "https://other/k"),
    ] {
        let want = Location::parse(want).expect("a URL");
        assert_eq!(address(uri), Ok(Address::At(want)), "{uri}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let inline = address("data:,0123456789abcdef").expect("a key");
    assert_eq!(
        format!("{inline} {inline:?}"),
        "the key in the playlist the key in the playlist"
    );
    let far = address("key.bin?token=hush").expect("an address");
    assert_eq!(far.to_string(), "the key https://h/a/key.bin");
    let cipher = Cipher {
        key: *b"0123456789abcdef",
        iv: [0; 16],
        key_name: inline.to_string(),
    };
    assert_eq!(format!("{cipher:?}"), "Cipher");
}

#[test]
fn without_a_stated_vector_it_is_the_number_in_128_bits() {
    let implicit = key("METHOD=AES-128,URI=\"k\"");
    let mut want = [0; 16];
    want[8..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(segment_iv(&implicit, 0x0102_0304_0506_0708), want);
    let explicit = key("METHOD=AES-128,URI=\"k\",IV=0x2a");
    assert_eq!(segment_iv(&explicit, 7), 42_u128.to_be_bytes());
    assert_eq!(init_iv(&explicit), Ok(42_u128.to_be_bytes()));
    assert!(init_iv(&implicit).is_err());
}

#[test]
fn what_cannot_be_decrypted_is_refused_by_its_name() {
    let cases = [
        ("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", None, "aes-128"),
        ("#EXT-X-KEY:METHOD=NONE\n", None, "none"),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n",
            Some("its segments are encrypted (SAMPLE-AES)"),
            "sample-aes",
        ),
        (
            "#EXT-X-KEY:METHOD=AES-256,URI=\"k\"\n",
            Some("its segments are encrypted (AES-256)"),
            "aes-256",
        ),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n",
            Some(
                "its segments are encrypted (SAMPLE-AES by FairPlay, \"com.apple.streamingkeydelivery\")",
            ),
            "com.apple.streamingkeydelivery",
        ),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"k\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n",
            Some(
                "its segments are encrypted (SAMPLE-AES-CTR by Widevine, \"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\")",
            ),
            "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"com.example\"\n",
            Some("its segments are encrypted (AES-128 by \"com.example\")"),
            "com.example",
        ),
        (
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"identity\"\n",
            None,
            "aes-128",
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i\"\n",
            Some("the #EXT-X-KEY in line 3 encrypts an init section and states no IV"),
            "aes-128",
        ),
        (
            "#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n",
            None,
            "aes-128",
        ),
    ];
    for (tags, want, name) in cases {
        for clear in ["", "#EXTINF:4,\nclear\n"] {
            let media = media(&format!("{clear}{tags}#EXTINF:4,\na\n"));
            let refused = refuse_undecipherable(&media).err();
            let why = refused.as_ref().map(|problem| problem.why.as_str());
            let want = want.map(|want| {
                want.replace("line 3", if clear.is_empty() { "line 3" } else { "line 5" })
            });
            assert_eq!(why, want.as_deref(), "{clear}{tags}");
            assert!(refused.is_none_or(|problem| problem.kind == Kind::Encryption));
            assert_eq!(encryption(&media), name, "{clear}{tags}");
        }
    }
}

#[test]
fn what_came_in_place_of_a_key_is_described_and_not_shown() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "nothing came where"),
        (b"x", "1 byte came where"),
        (&[7; 15], "15 bytes came where"),
        (&[7; 17], "17 bytes came where"),
        (
            b"<!DOCTYPE html>",
            "15 bytes came, a web page (HTML), where",
        ),
        (
            b"00112233445566778899aabbccddeeff\n",
            "33 bytes came, a key in hexadecimal digits, where",
        ),
        (
            b"MDEyMzQ1Njc4OWFiY2RlZg==",
            "24 bytes came, a key in base64, where",
        ),
        (
            b"{\"error\":\"hush\"}  ",
            "18 bytes came, it looks like JSON, where",
        ),
        (b"hush hush", "9 bytes came where"),
    ];
    for (bytes, want) in cases {
        let said = not_a_key(bytes);
        assert_eq!(said, format!("{want} a key has 16 bytes"));
    }
}

fn location(path: &str) -> Location {
    Location::parse(&format!("http://h/{path}")).expect("a URL")
}

fn refusal(kind: Kind) -> Problem {
    Problem::new(kind, "cannot", "why", "todo")
}

#[test]
fn a_key_is_asked_for_once_and_one_that_was_lost_on_the_way_once_more() {
    let cases = [
        ("a refusal", Kind::HttpStatus(404), false, false),
        ("an outage far ahead", Kind::NoData, false, true),
        ("an outage while a segment waits", Kind::NoData, true, false),
        ("no key", Kind::Encryption, false, false),
    ];
    for (case, kind, is_waited_for, is_asked_again) in cases {
        let mut ring = Ring::default();
        let id = ring.ask(&location("k"), false);
        assert!(
            ring.has(&location("k")) && !ring.has(&location("other")),
            "{case}"
        );
        if is_waited_for {
            assert!(
                matches!(ring.wait_for(&location("k")), Some(State::Coming { .. })),
                "{case}"
            );
        }
        ring.note(id, Err(refusal(kind)));
        assert_eq!(
            ring.wait_for(&location("k")).is_none(),
            is_asked_again,
            "{case}"
        );
    }
}

#[test]
fn no_more_keys_are_held_than_the_limit() {
    let mut ring = Ring::default();
    let names: Vec<_> = (0..limits::KEYS + 1)
        .map(|number| location(&number.to_string()))
        .collect();
    for (number, name) in names.iter().enumerate() {
        let id = ring.ask(name, false);
        ring.note(id, Ok([u8::try_from(number).expect("few"); 16]));
    }
    assert!(
        ring.wait_for(&names[0]).is_none(),
        "the oldest is forgotten"
    );
    for (number, name) in names.iter().enumerate().skip(1) {
        let state = ring.wait_for(name);
        assert!(matches!(state, Some(State::Here(key)) if usize::from(key[0]) == number));
    }
    ring.note(0, Ok([1; 16]));
}
