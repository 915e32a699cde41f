//! Keys and initialisation vectors of playlists: what a tag states, and keys
//! that stand in their own address.

use std::fmt::Write as _;

use kithara::error::Kind;
use kithara::hls::key::{self, Address};
use kithara::hls::media::{Key, Media, Method};
use kithara::hls::playlist::{self, Playlist};
use kithara::location::Location;

const BASE: &str = "https://example.com/live/a.m3u8?token=1";
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` as the attributes of a key, and as keys and vectors themselves.
pub fn check(bytes: &[u8]) {
    check_attributes(bytes);
    check_data(bytes);
    if let Some(vector) = bytes.first_chunk() {
        let digits = bytes
            .get(16)
            .map_or(32, |&count| 1 + usize::from(count) % 32);
        check_vector(*vector, digits);
    }
}

fn check_attributes(bytes: &[u8]) {
    let body = [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-KEY:",
        bytes,
        b"\n#EXTINF:5,\na.ts\n#EXT-X-ENDLIST\n",
    ];
    let Some(media) = media(&body.concat()) else {
        return;
    };
    let base = base();
    for key in &media.keys {
        // Keys of other systems are never fetched, wherever they are said to be.
        if key.format.is_none() {
            check_address(key, &base);
        }
        assert_eq!(key::init_iv(key).ok(), key.iv);
        let is_foreign = key.method != Method::Aes128 || key.format.is_some();
        assert_eq!(key::refuse_foreign(key).is_err(), is_foreign);
    }
    for segment in media.segments() {
        assert!(segment.key.is_none_or(|key| key < media.keys.len()));
    }
}

fn check_address(key: &Key, base: &Location) {
    match Address::of(key, base) {
        Ok(address @ Address::Inline(_)) => {
            assert_eq!(
                format!("{address} {address:?}"),
                "the key in the playlist the key in the playlist"
            );
        }
        Ok(Address::At(location)) => assert_eq!(base.join(&key.uri), Ok(location)),
        Err(problem) => {
            let kinds = [Kind::Encryption, Kind::Malformed, Kind::Limit];
            assert!(kinds.contains(&problem.kind), "{problem}");
        }
    }
}

/// The same bytes in each notation of a `data:` address.
fn check_data(bytes: &[u8]) {
    let percent = bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02x}").expect("text takes it");
        text
    });
    let base64 = base64(bytes);
    let url_base64 = base64.replace('+', "-").replace('/', "_");
    let short = base64.trim_end_matches('=');
    for uri in [
        format!("data:,{percent}"),
        format!("DATA:text/plain;base64,{base64}"),
        format!("data:;base64,{url_base64}"),
        format!("data:;base64,{short}"),
    ] {
        let key = Key {
            method: Method::Aes128,
            uri,
            iv: None,
            format: None,
            line: 1,
        };
        match (Address::of(&key, &base()), <[u8; 16]>::try_from(bytes)) {
            (Ok(address), Ok(sixteen)) => assert!(address == Address::Inline(sixteen)),
            (Err(problem), Err(_)) => assert_eq!(problem.kind, Kind::Encryption, "{problem}"),
            (address, sixteen) => panic!("{address:?} of {sixteen:?}"),
        }
    }
}

/// A vector of so many digits is that number, whatever the segment's own is.
fn check_vector(vector: [u8; 16], digits: usize) {
    let number = u128::from_be_bytes(vector) >> (128 - 4 * digits);
    let body = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:7\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x{number:0digits$X}\n#EXTINF:5,\na.ts\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:5,\nb.ts\n"
    );
    let media = media(body.as_bytes()).expect("a good playlist");
    let vectors = media.segments().map(|segment| {
        let key = &media.keys[segment.key.expect("each has a key")];
        u128::from_be_bytes(key::segment_iv(key, segment.number))
    });
    assert_eq!(vectors.collect::<Vec<_>>(), [number, 8]);
}

fn media(body: &[u8]) -> Option<Media> {
    match playlist::parse(body, &base()).ok()?.playlist {
        Playlist::Media(media) => Some(media),
        Playlist::Multivariant(_) => None,
    }
}

fn base() -> Location {
    Location::parse(BASE).expect("a URL")
}

fn base64(bytes: &[u8]) -> String {
    let digit = |word: u32, place: usize| DIGITS[(word >> (18 - 6 * place)) as usize & 63];
    let chunks = bytes.chunks(3).flat_map(|chunk| {
        let byte = |place| chunk.get(place).copied().unwrap_or(0);
        let word = u32::from_be_bytes([0, byte(0), byte(1), byte(2)]);
        (0..4).map(move |place| match place <= chunk.len() {
            true => char::from(digit(word, place)),
            false => '=',
        })
    });
    chunks.collect()
}
