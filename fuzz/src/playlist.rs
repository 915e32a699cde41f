//! The one way into playlists: what it lets through keeps within its bounds,
//! and the crate behind the sanitiser refuses none of it.

use kithara::error::{Kind, Problem};
use kithara::hls::key;
use kithara::hls::media::{ByteRange, Key, Media};
use kithara::hls::multivariant::Multivariant;
use kithara::hls::playlist::{self, Common, Parsed, Playlist};
use kithara::hls::repair::Repairs;
use kithara::hls::sanitise::common::Origin;
use kithara::hls::sanitise::{self, Clean};
use kithara::limits;
use kithara::location::Location;
use kithara::units::MediaTime;

const BASES: [&str; 3] = [
    "https://user:word@example.com/live/a.m3u8?token=1&v=2",
    "http://[::1]:8080/",
    "/media/list/a.m3u8",
];
const REPAIRS: usize = 100; // kept of each playlist

/// Whatever it is. A zero byte ends a multivariant playlist that leads to the
/// one behind it.
pub fn check(bytes: &[u8]) {
    let parts: Vec<_> = bytes.splitn(2, |&byte| byte == 0).collect();
    for base in BASES {
        let base = &Location::parse(base).expect("an address");
        check_at(bytes, base, None);
        if let [first, second] = parts[..]
            && let Ok(parent) = playlist::parse(first, base)
        {
            check_at(second, base, Some(&parent.common));
        }
    }
}

fn check_at(body: &[u8], base: &Location, parent: Option<&Common>) {
    let strict = strict(body, Origin { base, parent });
    match playlist::parse_under(body, base, parent) {
        Ok(parsed) => check_parsed(&parsed, base),
        Err(problem) => assert!(
            strict.is_err() || problem.kind != Kind::Malformed,
            "the crate refuses what the sanitiser lets through: {problem}"
        ),
    }
    if let Ok((strict, _)) = strict {
        let again = self::strict(strict.as_bytes(), Origin { base, parent });
        let (again, repairs) = again.expect("strict text is sanitised again");
        assert_eq!(repairs, Repairs::default(), "{strict:?}");
        assert_eq!(again, strict);
    }
}

/// The whole text that the crate could be given at once, and its repairs.
fn strict(body: &[u8], origin: Origin<'_>) -> Result<(String, Repairs), Problem> {
    let mut repairs = Repairs::default();
    let mut segments = String::new();
    let mut sink = |chunk: &sanitise::media::Chunk| {
        let text = chunk.text.strip_prefix("#EXTM3U\n");
        segments.push_str(text.expect("each chunk is a playlist"));
        Ok(())
    };
    let text = match sanitise::sanitise(body, origin, &mut sink, &mut repairs)? {
        Clean::Multivariant { clean, .. } => clean.text,
        Clean::Media(clean) => clean.header + &segments,
    };
    Ok((text, repairs))
}

fn check_parsed(parsed: &Parsed, base: &Location) {
    let Repairs { list, more } = &parsed.repairs;
    assert!(list.len() == REPAIRS || (list.len() < REPAIRS && *more == 0));
    match &parsed.playlist {
        Playlist::Media(media) => check_media(media, base),
        Playlist::Multivariant(multivariant) => check_multivariant(multivariant, base),
    }
}

fn check_media(media: &Media, base: &Location) {
    let zero_to_a_day = MediaTime::ZERO..=MediaTime::from_seconds(limits::SEGMENT_SECONDS);
    assert!(zero_to_a_day.contains(&media.target_duration));
    for time in [media.hold_back, media.part_target].into_iter().flatten() {
        assert!(time >= MediaTime::ZERO, "{time:?}");
    }
    assert!(media.len() <= limits::PLAYLIST_SEGMENTS);
    assert!(media.date_ranges.len() <= limits::DATE_RANGES);
    let mut start = MediaTime::ZERO;
    for (index, segment) in media.segments().enumerate() {
        assert_eq!(segment.start, start);
        assert!(zero_to_a_day.contains(&segment.duration), "{segment:?}");
        start = start + segment.duration;
        segment.range.into_iter().for_each(check_range);
        check_uri(segment.uri, base);
        assert!(segment.map.is_none_or(|map| map < media.maps.len()));
        assert!(segment.key.is_none_or(|key| key < media.keys.len()));
        if segment.duration > MediaTime::ZERO {
            let found = media.segment_at(segment.start).expect("it plays then");
            let first = media.segment(found).expect("it is listed");
            assert!(found <= index && first.start == segment.start);
        }
    }
    assert_eq!(media.duration(), start);
    assert_eq!(media.segment_at(start).filter(|_| media.is_empty()), None);
    for map in &media.maps {
        map.range.into_iter().for_each(check_range);
        check_uri(&map.uri, base);
        assert!(map.key.is_none_or(|key| key < media.keys.len()));
    }
    for range in &media.date_ranges {
        assert!(range.before <= media.len());
        assert!(
            range
                .duration
                .is_none_or(|length| length >= MediaTime::ZERO)
        );
    }
    check_keys(&media.keys, base);
    let _ = key::refuse_undecipherable(media);
    key::encryption(media);
}

fn check_multivariant(list: &Multivariant, base: &Location) {
    assert!(list.variants.len() + list.renditions.len() <= limits::PLAYLIST_VARIANTS);
    for variant in &list.variants {
        check_uri(&variant.uri, base);
        variant.has_picture();
    }
    for rendition in &list.renditions {
        let uri = rendition.uri.iter();
        uri.for_each(|uri| check_uri(uri, base));
        rendition.tag();
    }
    check_keys(&list.session_keys, base);
    list.is_protected();
}

/// Ranges are counted in `i64` by some, and have an end.
fn check_range(range: ByteRange) {
    let end = range.start.checked_add(range.length);
    assert!(
        end.is_some_and(|end| i64::try_from(end).is_ok()),
        "{range:?}"
    );
}

fn check_keys(keys: &[Key], base: &Location) {
    for key in keys.iter().filter(|key| key.format.is_none()) {
        check_uri(&key.uri, base);
    }
}

/// Nothing that would be fetched leads where it may not.
fn check_uri(uri: &str, base: &Location) {
    let is_data = uri
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if let (false, Err(problem)) = (is_data, base.join(uri)) {
        assert_ne!(problem.kind, Kind::Unsafe, "{uri:?}: {problem}");
    }
}
