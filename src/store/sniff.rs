//! Telling what a resource is by its first bytes: a playlist, a web page, or
//! something else, which we hope is media. Suffixes and types decide nothing but
//! that a text without a header is a list of addresses.

use crate::event::RequestKind;
use crate::lists::Form;

/// What is no text at all is known much earlier.
const SNIFF_BYTES: usize = 512;

/// A playlist has a tag within its first bytes.
pub const TAGS_WITHIN: usize = 4096;

/// How many first bytes tell: more when they are comments so far.
pub fn sniff_bytes(head: &[u8]) -> usize {
    let start = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    match start.trim_ascii_start().first() {
        Some(b'#' | b'<') => TAGS_WITHIN,
        _ => SNIFF_BYTES,
    }
}

/// Whether `head` begins a playlist, of HLS or of addresses, whatever comments
/// come first.
pub fn is_playlist(head: &[u8]) -> bool {
    // The body of a file may follow.
    Form::of(&head[..head.len().min(TAGS_WITHIN)]).is_some()
}

/// Which kind of playlist `head` begins, for the report.
pub fn playlist_kind(head: &[u8]) -> RequestKind {
    let text = String::from_utf8_lossy(head);
    match text.contains("#EXT-X-STREAM-INF") || text.contains("#EXT-X-MEDIA:") {
        true => RequestKind::Multivariant,
        false => RequestKind::Media,
    }
}

/// What captive portals and broken servers send in place of anything.
pub fn is_web_page(head: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 4] = [b"<!doctype", b"<html", b"<head", b"<body"];
    let head = head.trim_ascii_start();
    let begins = |with: &&[u8]| {
        head.get(..with.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    BEGINNINGS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playlist_is_known_by_its_header() {
        let cases: [(&[u8], bool); 15] = [
            (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n", true),
            (b"\xEF\xBB\xBF#EXTM3U\r\n#EXT-X-VERSION:3\r\n", true),
            (b" \n#EXTM3U\r\r#EXTINF:6,\ra.ts", true),
            (b"# comment\n\n#EXTM3U\n# more\n#EXTINF:6,\na.ts", true),
            (b"#EXTM3U\n#EXTINF:-1,A station\nhttp://h/radio\n", true),
            (b"#EXTM3U\na.mp3\n# #EXT-X-\n", true),
            (b"#EXTM3U\n", true),
            (b"#EXT-X-TARGETDURATION:6\n#EXTM3U\n#EXTINF:6,\n", false),
            (b"a.mp3\n#EXTM3U\n#EXTINF:6,\n", false),
            (b"<html>#EXTM3U\n#EXT-X-", false),
            (b"<playlist version=\"1\"><trackList>", true),
            (b"\n[Playlist]\nFile1=a", true),
            (b"[playlists]\n", false),
            (b"fLaC#EXTM3U\n#EXT-X-", false),
            (b"", false),
        ];
        for (head, want) in cases {
            let text = String::from_utf8_lossy(head);
            assert_eq!(is_playlist(head), want, "{text}");
            let is_text = text
                .trim_start_matches(['\u{FEFF}', ' ', '\n'])
                .starts_with(['#', '<']);
            assert_eq!(sniff_bytes(head) == TAGS_WITHIN, is_text, "{text}");
        }
        let late = [[b'#'; TAGS_WITHIN].as_slice(), b"\n#EXTM3U\n"].concat();
        assert!(!is_playlist(&late), "only the head is looked at");
    }
}
