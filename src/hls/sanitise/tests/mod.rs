//! Ugly playlists, one kind of ugliness a row.

mod good;
mod media;
mod multivariant;
mod property;
mod refused;
mod segments;

use super::*;
use crate::hls::playlist::{Parsed, Playlist, parse, parse_under};
use crate::limits;
use crate::location::Location;

const BASE: &str = "https://h/a/list.m3u8";

fn parsed(text: impl AsRef<[u8]>) -> Result<Parsed, Problem> {
    parse(text.as_ref(), &Location::parse(BASE).expect("a URL"))
}

/// A media playlist as one line: target, first number, then each segment as
/// `uri` with what is special about it.
fn shown(playlist: &Playlist) -> String {
    let media = match playlist {
        Playlist::Media(media) => media,
        Playlist::Multivariant(list) => {
            let variant = |one: &crate::hls::multivariant::Variant| {
                let group = one.audio.as_ref().map(|group| format!("/{group}"));
                format!(
                    " {}@{}{}",
                    one.uri,
                    one.bandwidth.0,
                    group.unwrap_or_default()
                )
            };
            let rendition = |one: &crate::hls::multivariant::Rendition| {
                format!(" [{} {}]", one.group, one.name)
            };
            let renditions = list.renditions.iter().map(rendition);
            return list
                .variants
                .iter()
                .map(variant)
                .chain(renditions)
                .collect();
        }
    };
    let mut out = format!(
        "{}/{}:",
        media.target_duration.seconds(),
        media.media_sequence
    );
    for segment in media.segments() {
        out += &format!(" {}={}", segment.uri, segment.duration.seconds());
        if let Some(range) = segment.range {
            out += &format!("[{}+{}]", range.start, range.length);
        }
        if let Some(map) = segment.map {
            let map = &media.maps[map];
            out += &format!("<{}", map.uri);
            out += &map.range.map_or(String::new(), |range| {
                format!("[{}+{}]", range.start, range.length)
            });
            out += ">";
        }
        out += &segment
            .key
            .map_or(String::new(), |key| format!("({})", media.keys[key].uri));
        out += if segment.discontinuity { "/" } else { "" };
        out += if segment.gap { "~" } else { "" };
    }
    out + if media.ended { " end" } else { "" }
}

fn repaired_lines(parsed: &Parsed) -> String {
    let lines: Vec<String> = parsed
        .repairs
        .list
        .iter()
        .map(|one| one.line.to_string())
        .collect();
    lines.join(" ")
}

#[test]
fn what_stands_around_the_header_is_repaired() {
    let rest = "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n";
    let cases = [
        ("\u{FEFF}#EXTM3U\n", "1"),
        ("\n \n#EXTM3U\n", "3"),
        ("# by hand\n#EXTM3U\n", "2"),
        ("\u{FEFF}\r\n#EXTM3U\r\n", "1 2"),
        ("#EXTM3U url-tvg=\"x\"\n", "1"),
    ];
    for (head, lines) in cases {
        let parsed = parsed(format!("{head}{rest}")).expect(head);
        assert_eq!(shown(&parsed.playlist), "6/0: a=5", "{head:?}");
        assert_eq!(repaired_lines(&parsed), lines, "{head:?}");
    }
    let latin = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5,\xe9\na\n";
    let parsed = parsed(latin).expect("Latin-1");
    assert_eq!(shown(&parsed.playlist), "6/0: a=5");
    assert_eq!(repaired_lines(&parsed), "1");
}
