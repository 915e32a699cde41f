//! ID3 tags: what they say is short, and only their own bytes say it.

use kithara::decode::id3::{self, HEADER_BYTES};

const TIMESTAMP_BITS: u32 = 33;
const TITLE_CHARS: usize = 4 * 1024; // "artist - title", each of several texts

/// Whatever `bytes` are, they say little, and the same whatever follows the tag.
pub fn check(bytes: &[u8]) {
    let tag = id3::read(bytes);
    assert!(
        tag.timestamp
            .is_none_or(|ticks| ticks >> TIMESTAMP_BITS == 0)
    );
    if let Some(title) = &tag.title {
        assert!(title.chars().count() <= TITLE_CHARS, "{title:?}");
        assert!(!title.contains('\0'), "{title:?}");
    }
    let Some(length) = id3::length(bytes) else {
        return;
    };
    let length = usize::try_from(length).expect("28 bits and two headers");
    assert!(length >= HEADER_BYTES);
    if let Some(alone) = bytes.get(..length) {
        assert_eq!(id3::read(alone), tag, "what follows a tag changes it");
    }
    assert_eq!(
        id3::length(&bytes[..HEADER_BYTES]).map(|it| it as usize),
        Some(length)
    );
}
