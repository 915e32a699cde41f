//! A stream whose addresses expired is found again where it was found first:
//! signed addresses hold for minutes, streams go on for hours.

use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::listing::{self, Loaded};
use crate::hls::media::{Media, SegmentRef};
use crate::hls::playlist::{Common, Playlist};
use crate::hls::taste::Taste;
use crate::hls::variant::{Ladder, Rung};
use crate::location::Location;
use crate::store::{Store, Text, Wanted};

const CUT_ALIKE_MS: i64 = 50; // durations of one segment in two copies of its list

/// Where a stream was found first, and for whom.
#[derive(Clone, Debug)]
pub struct Root {
    /// The address that the user named.
    pub location: Location,
    /// What decides which of its variants are listed.
    pub taste: Taste,
}

/// A media playlist with addresses that hold.
pub struct Renewed {
    /// The playlist.
    pub loaded: Loaded,
    /// Where all variants are now, and what holds in their playlists; `None`
    /// when only the media playlist was loaded again.
    pub variants: Option<(Ladder, Common)>,
}

/// Whether `problem` is what servers say about an address that holds no more.
pub fn is_expired(problem: &Problem) -> bool {
    matches!(problem.kind, Kind::HttpStatus(401 | 403 | 410))
}

/// Finds the media playlist of `rung` again: the same variant of what is at the
/// root now. Every request is made once.
///
/// # Errors
///
/// What the store or the parser says; [`Kind::Changed`] when there is no such
/// variant any more.
pub async fn find_again(store: &Store, root: &Root, rung: &Rung) -> Result<Renewed, Problem> {
    let wanted = Wanted::whole(root.location.clone(), RequestKind::Multivariant);
    let text = store.reload(&wanted, None).await?.ok_or_else(gone)?;
    let parsed = listing::parse(&text, None)?;
    let (ladder, loaded) = match parsed.playlist {
        Playlist::Media(media) => {
            let Text {
                base,
                etag,
                length,
                first_byte,
                ..
            } = text;
            let loaded = Loaded {
                media,
                length,
                first_byte,
                repairs: parsed.repairs,
                etag,
                location: base.clone(),
            };
            (Ladder::single(base), loaded)
        }
        Playlist::Multivariant(list) => {
            let ladder = Ladder::of(&list, &root.taste)?;
            let place = ladder.same(rung).ok_or_else(gone)?.location.clone();
            let common = Some(&parsed.common);
            let loaded = listing::reload(store, place, rung.id, common, None).await?;
            (ladder, loaded.ok_or_else(gone)?)
        }
    };
    Ok(Renewed {
        loaded,
        variants: Some((ladder, parsed.common)),
    })
}

/// Where what `wanted` asks for, which `old` lists, is by the copy `new` of the
/// same list: a segment by its number, anything else by its place among its like.
pub fn moved(old: &Media, new: &Media, wanted: &Wanted) -> Option<Location> {
    let uri = match wanted.kind {
        RequestKind::Segment => {
            let ours = old.segment(usize::try_from(wanted.segment?).ok()?)?;
            let index = ours.number.checked_sub(new.first_number())?;
            let theirs = new.segment(usize::try_from(index).ok()?)?;
            is_alike(&ours, &theirs).then_some(theirs.uri)?
        }
        RequestKind::Init => {
            let is_it = |uri: &str| old.location(uri).ok().as_ref() == Some(&wanted.location);
            let range = |range: crate::hls::media::ByteRange| range.start..range.end();
            let place = old
                .maps
                .iter()
                .position(|map| map.range.map(range) == wanted.range && is_it(&map.uri))?;
            let theirs = new.maps.get(place)?;
            (theirs.range.map(range) == wanted.range).then_some(&*theirs.uri)?
        }
        RequestKind::Key => {
            let is_it = |uri: &str| old.location(uri).ok().as_ref() == Some(&wanted.location);
            let place = old.keys.iter().position(|key| is_it(&key.uri))?;
            &new.keys.get(place)?.uri
        }
        RequestKind::Multivariant | RequestKind::Media | RequestKind::File => return None,
    };
    new.location(uri).ok()
}

fn is_alike(ours: &SegmentRef<'_>, theirs: &SegmentRef<'_>) -> bool {
    let apart = (ours.duration - theirs.duration).millis().abs();
    ours.range == theirs.range && apart <= CUT_ALIKE_MS
}

fn gone() -> Problem {
    let why = "its variant is not listed any more";
    Problem::new(
        Kind::Changed,
        "cannot find the stream again",
        why,
        "start again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::playlist::parse;

    fn list(text: &str) -> Media {
        let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}#EXT-X-ENDLIST\n");
        match parse(text.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("a list of variants"),
        }
    }

    fn wanted(kind: RequestKind, uri: &str, segment: Option<u64>) -> Wanted {
        let location = Location::parse(&format!("https://h/a/{uri}")).expect("a URL");
        Wanted {
            segment,
            ..Wanted::whole(location, kind)
        }
    }

    #[test]
    fn what_moved_is_found_by_number_and_place_and_never_mistaken() {
        let text = |token: &str| {
            format!(
                "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI=\"k?{token}\"\n\
                 #EXT-X-MAP:URI=\"m?{token}\"\n#EXTINF:4,\ns0?{token}\n#EXTINF:4,\ns1?{token}\n\
                 #EXTINF:2,\ns2?{token}\n"
            )
        };
        let (old, new) = (list(&text("old")), list(&text("new")));
        let later = list(&text("later").replace("SEQUENCE:7", "SEQUENCE:8"));
        let (segment, init, key) = (RequestKind::Segment, RequestKind::Init, RequestKind::Key);
        let cases = [
            (&new, wanted(segment, "s1?old", Some(1)), Some("s1?new")),
            (&new, wanted(segment, "s9?old", Some(9)), None),
            // By its number it is another one, of another length.
            (&later, wanted(segment, "s1?old", Some(1)), Some("s0?later")),
            (&later, wanted(segment, "s0?old", Some(0)), None),
            (&later, wanted(segment, "s2?old", Some(2)), None),
            (&new, wanted(init, "m?old", None), Some("m?new")),
            (&new, wanted(init, "m?other", None), None),
            (&new, wanted(key, "k?old", None), Some("k?new")),
        ];
        for (list, wanted, want) in cases {
            let want = want.map(|uri| old.location(uri).expect("a URL"));
            assert_eq!(moved(&old, list, &wanted), want, "{wanted:?}");
        }
    }
}
