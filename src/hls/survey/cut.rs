//! Whether variants are cut alike, and into what. Pure.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Kind, Problem};
use crate::hls::media::Media;
use crate::hls::timeline::Listed;
use crate::units::MediaTime;

/// Two playlists cut the same sound alike when they are closer than this.
const ALIGNED_MS: i64 = 500;
/// Media that has no stated length still takes some.
const SHORTEST: MediaTime = MediaTime::from_nanos(1_000_000);

/// Puts `media`, another variant, in its place beside the `first` one: by its
/// dates or numbers while the stream is live, else by counting.
///
/// # Errors
///
/// [`Kind::Unsupported`] when nothing ties them.
pub fn beside(first: &Listed, media: Arc<Media>) -> Result<Listed, Problem> {
    if first.media().ended && media.ended {
        return Ok(Listed::new(media, 0));
    }
    first.align(media).ok_or_else(cut_differently)
}

/// The segments that all variants have: of a live stream the windows need not
/// be the same. At the end one variant may have one more, the rest of a
/// longer sound.
///
/// # Errors
///
/// [`Kind::Unsupported`] when they are cut differently, [`Kind::Malformed`]
/// when there are none.
pub fn common_places(lists: &[&Listed]) -> Result<Range<usize>, Problem> {
    let start = lists.iter().map(|list| list.places().start).max();
    let end = lists.iter().map(|list| list.end()).min();
    let places = start.unwrap_or(0)..end.unwrap_or(0);
    if places.is_empty() {
        return match lists.len() {
            1 => Err(empty()),
            _ => Err(cut_differently()),
        };
    }
    let is_aligned = |list: &&Listed| {
        let surplus = list.end() - places.end;
        let starts = places.clone().map(|place| start_of(list, place));
        let first = places.clone().map(|place| start_of(lists[0], place));
        let is_near = |(one, other): (i64, i64)| (one - other).abs() < ALIGNED_MS;
        (surplus <= 1 || !list.media().ended) && starts.zip(first).all(is_near)
    };
    match lists.iter().all(is_aligned) {
        true => Ok(places),
        false => Err(cut_differently()),
    }
}

/// How long the segments at `places` are.
pub fn durations(list: &Listed, places: &Range<usize>) -> Vec<MediaTime> {
    let segments = places.clone().filter_map(|place| list.segment(place));
    segments
        .map(|segment| segment.duration.max(SHORTEST))
        .collect()
}

fn start_of(list: &Listed, place: usize) -> i64 {
    list.segment(place)
        .map_or(i64::MIN / 2, |segment| segment.start.millis())
}

fn empty() -> Problem {
    Problem::new(
        Kind::Malformed,
        "cannot simulate the stream",
        "its media playlist has no segments",
        "try again later",
    )
}

fn cut_differently() -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot simulate the stream",
        "the segments of its variants are cut differently",
        "choose among them with --codec, or name a media playlist",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::listing;
    use crate::hls::playlist::{Playlist, parse};
    use crate::location::Location;

    /// Segments of these lengths; without `end` live, from this number on.
    fn media(number: u64, lengths: &[f64], end: bool) -> Media {
        let mut text =
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:{number}\n");
        for (place, length) in lengths.iter().enumerate() {
            text += &format!("#EXTINF:{length},\n{place}.aac\n");
        }
        if end {
            text += "#EXT-X-ENDLIST\n";
        }
        let base = Location::parse("http://host/list.m3u8").expect("an address");
        match parse(text.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("no media playlist"),
        }
    }

    fn places(lists: Vec<Media>) -> Result<Range<usize>, Kind> {
        let mut lists = lists.into_iter();
        let first = listing::first(lists.next().expect("one"));
        let others = lists.map(|media| beside(&first, Arc::new(media)));
        let mut all = vec![first.clone()];
        all.extend(
            others
                .collect::<Result<Vec<_>, _>>()
                .map_err(|one| one.kind)?,
        );
        common_places(&all.iter().collect::<Vec<_>>()).map_err(|problem| problem.kind)
    }

    #[test]
    fn variants_are_one_ladder_only_where_they_are_cut_alike() {
        let (six, short) = ([6.0; 5], [6.0; 4]);
        let longer = [6.0, 6.0, 6.0, 6.0, 6.0, 0.2];
        let much_longer = [6.0; 7];
        let near = [6.1, 5.9, 6.0, 6.2, 5.8];
        let other = [4.0, 4.0, 4.0, 4.0, 14.0];
        let cases: [(&[f64], bool, Result<Range<usize>, Kind>); 7] = [
            (&six, true, Ok(0..5)),
            (&near, true, Ok(0..5)),
            (&longer, true, Ok(0..5)),
            (&short, true, Ok(0..4)),
            (&much_longer, true, Err(Kind::Unsupported)),
            (&other, true, Err(Kind::Unsupported)),
            (&six, false, Err(Kind::Unsupported)),
        ];
        for (lengths, end, want) in cases {
            let lists = vec![media(0, &six, true), media(7, lengths, end)];
            assert_eq!(places(lists), want, "{lengths:?} {end}");
        }
    }

    #[test]
    fn live_windows_have_in_common_what_both_list() {
        let six = [6.0; 5];
        let cases = [
            (100, Ok(100..105)),
            (101, Ok(101..105)),
            (98, Ok(100..103)),
            (105, Err(Kind::Unsupported)),
            (0, Err(Kind::Unsupported)),
        ];
        for (number, want) in cases {
            let lists = vec![media(100, &six, false), media(number, &six, false)];
            assert_eq!(places(lists), want, "{number}");
        }
    }

    #[test]
    fn every_segment_of_a_simulation_takes_some_time() {
        let list = listing::first(media(0, &[6.0, 0.0, 1.5], true));
        let lengths = durations(&list, &(0..3));
        let millis: Vec<_> = lengths.iter().map(|length| length.millis()).collect();
        assert_eq!(millis, [6000, 1, 1500]);
        assert_eq!(places(vec![media(0, &[], false)]), Err(Kind::Malformed));
    }
}
