//! What of an HLS stream is stored: its playlists, read again without a network,
//! and which of the resources they list are there.

use std::collections::HashSet;

use crate::cache::Stream;
use crate::error::Problem;
use crate::hls::feed::about::{About, InitAbout, Seal};
use crate::hls::key::{self, Address};
use crate::hls::listing;
use crate::hls::multivariant::Multivariant;
use crate::hls::playlist::{Common, Playlist, parse_under};
use crate::hls::timeline::Listed;
use crate::location::Location;
use crate::store::{self, Text, Wanted};

/// The playlists of an HLS stream that are stored.
pub struct Stock {
    /// The multivariant playlist, if it has one.
    pub multivariant: Option<Multivariant>,
    /// Its media playlists.
    pub lists: Vec<List>,
}

/// A media playlist that is stored.
pub struct List {
    /// Where it was found.
    pub location: Location,
    /// The playlist, counted from 0.
    pub listed: Listed,
    /// It was recorded of a live stream.
    pub is_recording: bool,
}

/// The first segment of a list.
pub struct First {
    /// Where its bytes are.
    pub wanted: Wanted,
    /// It has an init section.
    pub has_init: bool,
    /// Its key and vector, when it is encrypted.
    pub seal: Option<(Address, [u8; 16])>,
}

/// How much of a media playlist is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Segments that are there, gaps included.
    pub stored: usize,
    /// Segments in all.
    pub of: usize,
    /// What is called by name when it is asked for: the first resource that is
    /// missing.
    pub missing: Option<String>,
}

impl Stock {
    /// Reads the playlists of the stream at `url`; `None` when no playlist is
    /// stored there.
    ///
    /// # Errors
    ///
    /// What the parser says of the playlist at `url` itself.
    pub fn read(stream: &Stream, url: &Location) -> Result<Option<Self>, Problem> {
        let Some((text, is_recording)) = text(stream, url) else {
            return Ok(None);
        };
        let parsed = parse_under(&text.bytes, &text.base, None)?;
        let multivariant = match parsed.playlist {
            Playlist::Multivariant(multivariant) => multivariant,
            Playlist::Media(media) => {
                let list = List {
                    location: url.clone(),
                    listed: listing::first(media),
                    is_recording,
                };
                return Ok(Some(Self {
                    multivariant: None,
                    lists: vec![list],
                }));
            }
        };
        let mut lists: Vec<List> = Vec::new();
        for uri in uris(&multivariant) {
            let Ok(location) = multivariant.location(uri) else {
                continue;
            };
            if lists.iter().all(|list| list.location != location) {
                lists.extend(List::read(stream, location, &parsed.common));
            }
        }
        Ok(Some(Self {
            multivariant: Some(multivariant),
            lists,
        }))
    }
}

impl List {
    /// One that cannot be read counts as missing.
    fn read(stream: &Stream, location: Location, common: &Common) -> Option<Self> {
        let (text, is_recording) = text(stream, &location)?;
        let parsed = parse_under(&text.bytes, &text.base, Some(common)).ok()?;
        let Playlist::Media(media) = parsed.playlist else {
            return None;
        };
        Some(Self {
            location,
            listed: listing::first(media),
            is_recording,
        })
    }

    /// Its segments, in order.
    pub(in crate::hls) fn segments(&self) -> impl Iterator<Item = About> + '_ {
        let places = self.listed.places();
        places.filter_map(|place| About::of(&self.listed, place, 0))
    }

    /// The first segment that has bytes: it tells how they are packed.
    pub fn first(&self) -> Option<First> {
        let first = self.segments().find(|about| !about.gap)?;
        Some(First {
            has_init: first.init.is_some(),
            wanted: first.wanted,
            seal: first.seal.and_then(|seal| seal.0.ok()),
        })
    }

    /// Looks for every resource of it in `stream`.
    pub fn count(&self, stream: &Stream) -> Count {
        let mut count = Count {
            of: self.listed.media().len(),
            ..Count::default()
        };
        let mut seen = HashSet::new();
        for about in self.segments() {
            let mut needs = needs(&about);
            needs.retain(|need| !seen.contains(&(need.location.clone(), need.range.clone())));
            let is_there =
                |need: &Wanted| store::held(stream, need).is_some_and(|held| held.is_whole());
            match needs.iter().find(|need| !is_there(need)) {
                None => count.stored += 1,
                Some(need) => {
                    count.missing.get_or_insert_with(|| need.name());
                    continue;
                }
            }
            let shared = needs.into_iter().filter(|need| need.segment.is_none());
            seen.extend(shared.map(|need| (need.location, need.range)));
        }
        count
    }
}

/// What a segment needs besides its own bytes, and these last.
fn needs(about: &About) -> Vec<Wanted> {
    if about.gap {
        return Vec::new();
    }
    let key = |seal: Option<&Seal>| match seal?.0.as_ref().ok()? {
        (Address::At(location), _) => Some(key::wanted(location.clone(), 0)),
        (Address::Inline(_), _) => None,
    };
    let init: Option<&InitAbout> = about.init.as_ref();
    let of_init = init.and_then(|init| key(init.seal.as_ref()));
    let section = init.map(|init| init.wanted.clone());
    let all = [
        of_init,
        section,
        key(about.seal.as_ref()),
        Some(about.wanted.clone()),
    ];
    all.into_iter().flatten().collect()
}

/// The playlist at `location`; the recorded one, if there is one.
fn text(stream: &Stream, location: &Location) -> Option<(Text, bool)> {
    let recorded = store::recording(stream, location).map(|text| (text, true));
    recorded.or_else(|| Some((store::playlist(stream, location)?, false)))
}

/// The media playlists that hold sound, as the text names them.
fn uris(multivariant: &Multivariant) -> impl Iterator<Item = &str> {
    let variants = multivariant
        .variants
        .iter()
        .map(|variant| variant.uri.as_str());
    let renditions = multivariant.renditions.iter();
    variants.chain(renditions.filter_map(|rendition| rendition.uri.as_deref()))
}
