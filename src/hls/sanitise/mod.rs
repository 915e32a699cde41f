//! The only door to `hls_m3u8`: real playlists break the rules in ways that the
//! crate refuses or panics at, so the text is rewritten into the strict form
//! first. What is put right is noted; what cannot be is a problem.

pub mod common;
pub mod dates;
pub mod define;
pub mod header;
pub mod keys;
pub mod lines;
pub mod low_latency;
pub mod media;
pub mod multivariant;
pub mod ranges;
pub mod sparse;
pub mod tag;

use crate::error::{Kind, Problem};
use crate::hls::repair::Repairs;
use crate::hls::sanitise::common::{Common, Origin};
use crate::hls::sanitise::define::Variables;
pub use crate::hls::sanitise::lines::Line;
pub use crate::hls::sanitise::tag::{Tag, check_version};

const MULTIVARIANT_TAGS: [&str; 6] = [
    "EXT-X-STREAM-INF",
    "EXT-X-MEDIA",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
    "EXT-X-CONTENT-STEERING",
];
const MEDIA_TAGS: [&str; 13] = [
    "EXTINF",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-ENDLIST",
    "EXT-X-BYTERANGE",
    "EXT-X-DISCONTINUITY",
    "EXT-X-KEY",
    "EXT-X-MAP",
    "EXT-X-PROGRAM-DATE-TIME",
    "EXT-X-GAP",
    "EXT-X-I-FRAMES-ONLY",
];

/// A playlist in the strict form `hls_m3u8` takes.
#[derive(Debug)]
pub enum Clean {
    /// A multivariant playlist.
    Multivariant {
        /// Its text, and what the crate would lose of it.
        clean: multivariant::Clean,
        /// What holds in the media playlists it leads to as well.
        common: Common,
    },
    /// A media playlist, whose segments went into the sink.
    Media(Box<media::Clean>),
}

/// Rewrites the text of a playlist. The segments of a media playlist go into
/// `sink`, about a thousand at a time: a whole one in the strict form would
/// cost as much memory as the text. Repairs go to `repairs`.
///
/// # Errors
///
/// As [`crate::hls::playlist::parse`], and what `sink` says.
pub fn sanitise(
    body: &[u8],
    origin: Origin<'_>,
    sink: &mut dyn FnMut(&media::Chunk) -> Result<(), Problem>,
    repairs: &mut Repairs,
) -> Result<Clean, Problem> {
    let text = lines::with_line_feeds(lines::decoded(body, repairs)?, repairs);
    lines::check_lines(&text)?;
    let body = lines::find_header(&text).ok_or_else(|| not_a_playlist(&text))?;
    let skipped = &text[..text.len() - body.len()];
    let header = u32::try_from(skipped.matches('\n').count()).unwrap_or(u32::MAX);
    lines::note_header(skipped, body, header + 1, repairs);
    if !body.contains("#EXT-X-DEFINE") {
        let lines = || lines::lines(body, header);
        return by_kind(lines, Variables::default(), origin, sink, repairs);
    }
    let (body, variables) = define::substituted(body, header, origin, repairs)?;
    drop(text); // as long as what was made of it
    by_kind(
        || lines::lines(&body, header),
        variables,
        origin,
        sink,
        repairs,
    )
}

/// Rewrites a playlist of either kind, whose `lines` begin with the header.
fn by_kind<'a, L: Iterator<Item = Line<'a>>>(
    lines: impl Fn() -> L,
    variables: Variables,
    origin: Origin<'a>,
    sink: &'a mut dyn FnMut(&media::Chunk) -> Result<(), Problem>,
    repairs: &'a mut Repairs,
) -> Result<Clean, Problem> {
    let lines = || lines().skip(1);
    let first = lines().filter_map(Tag::of).find_map(|tag| {
        let multivariant = MULTIVARIANT_TAGS.contains(&tag.name);
        (multivariant || MEDIA_TAGS.contains(&tag.name)).then_some(multivariant)
    });
    match first {
        Some(true) => {
            let common = Common::read(lines(), variables, repairs)?;
            let clean = multivariant::clean(lines(), origin.base, repairs)?;
            Ok(Clean::Multivariant { clean, common })
        }
        Some(false) => {
            let clean = media::clean(lines(), origin.base, sink, repairs)?;
            Ok(Clean::Media(Box::new(clean)))
        }
        None => Err(looks_like("a plain list of files or stations, not HLS")),
    }
}

fn not_a_playlist(text: &str) -> Problem {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    let head: String = start.chars().take(512).collect();
    let head = head.to_ascii_lowercase();
    let kinds = [
        (head.is_empty(), "nothing: it is empty"),
        (
            head.contains('\u{FFFD}') || head.contains('\0'),
            "binary data",
        ),
        (
            head.starts_with("<!doctype html") || head.contains("<html"),
            "a web page (HTML)",
        ),
        (head.contains("<mpd"), "a DASH manifest"),
        (head.starts_with('<'), "XML"),
        (head.starts_with("[playlist]"), "a .pls list of stations"),
        (head.starts_with(['{', '[']), "JSON"),
        (true, "text without #EXTM3U"),
    ];
    let kind = kinds.iter().find(|(is_it, _)| *is_it);
    looks_like(kind.map_or("something else", |(_, name)| name))
}

fn looks_like(name: &str) -> Problem {
    Problem::new(
        Kind::NotAStream,
        "cannot read the playlist",
        format!("it is not a playlist but looks like {name}"),
        "check the address, or open it in a browser",
    )
}

#[cfg(test)]
mod tests;
