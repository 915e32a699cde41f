//! A list that grows for ever is cut at its front. Pure.

use super::{Entry, Media, NONE, compact};
use crate::units::MediaTime;

impl Media {
    /// The same without its first `count` segments and what only they use; the
    /// others keep their numbers, dates and rates. One segment stays at least.
    pub fn without_first(mut self, count: usize) -> Self {
        let count = count.min(self.len().saturating_sub(1));
        let Some(last) = count.checked_sub(1) else {
            return self;
        };
        let (start, uris) = (
            self.segments.entries[count].start,
            self.segments.entries[last].uri_end,
        );
        let start_of = |place: u32| self.segments.entries[place as usize].start;
        let gone = self.sparse.cut_before(compact(count), start_of);
        self.discontinuity_sequence = self.discontinuity_sequence.saturating_add(gone);
        self.media_sequence = self.media_sequence.saturating_add(count as u64);
        self.segments.entries.drain(..count);
        self.segments.uris.drain(..uris as usize);
        self.segments.total = self.segments.total - start;
        let (maps, keys) = self.forget_unused();
        for entry in &mut self.segments.entries {
            entry.rebase(start, uris, maps, keys);
        }
        self.segments.entries.shrink_to_fit();
        self.segments.uris.shrink_to_fit();
        self
    }

    /// Forgets the first init sections and keys, which no segment uses any more;
    /// how many of each.
    fn forget_unused(&mut self) -> (u32, u32) {
        let entries = || self.segments.entries.iter();
        let map = entries().map(|entry| entry.map).min().unwrap_or(NONE);
        let maps = self.maps.len().min(map as usize);
        self.maps.drain(..maps);
        let of_maps = self.maps.iter().filter_map(|map| map.key);
        let of_segments = self.segments.entries.iter().map(|entry| entry.key as usize);
        let keys = of_maps.chain(of_segments).min().unwrap_or(0);
        let keys = self.keys.len().min(keys);
        self.keys.drain(..keys);
        for map in &mut self.maps {
            map.key = map.key.map(|key| key - keys);
        }
        (compact(maps), compact(keys))
    }
}

impl Entry {
    /// Counts from where the list begins now.
    fn rebase(&mut self, start: MediaTime, uris: u32, maps: u32, keys: u32) {
        self.start = self.start - start;
        self.uri_end -= uris;
        if self.map != NONE {
            self.map -= maps;
        }
        if self.key != NONE {
            self.key -= keys;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::playlist::{Playlist, parse};
    use crate::location::Location;

    /// Every kind of tag that holds for later segments.
    const LIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k0\"\n#EXT-X-MAP:URI=\"m0\"\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXT-X-BITRATE:64\n#EXTINF:4,\ns0\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXT-X-MAP:URI=\"m1\"\n#EXTINF:3,\ns1\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n#EXTINF:2,\ns2\n\
        #EXT-X-BITRATE:96\n#EXTINF:4,\ns3\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-GAP\n#EXTINF:1,\ns4\n";

    fn list() -> Media {
        let base = Location::parse("https://h/list.m3u8").expect("a URL");
        match parse(LIST.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Media(media) => media,
            Playlist::Multivariant(_) => panic!("a list of variants"),
        }
    }

    /// Everything a segment says, with the names of its map and key.
    fn facts(media: &Media, index: usize) -> Option<String> {
        let one = media.segment(index)?;
        let map = one.map.map(|map| &media.maps[map]);
        let names = map.map(|map| (&map.uri, map.key.map(|key| &media.keys[key].uri)));
        let key = one.key.map(|key| &media.keys[key].uri);
        let (start, map, key_index) = (media.duration() - one.start, None, None);
        let rest = super::super::SegmentRef {
            start,
            map,
            key: key_index,
            ..one
        };
        Some(format!("{names:?} {key:?} {rest:?}"))
    }

    #[test]
    fn what_stays_says_what_it_said() {
        let whole = list();
        for count in 0..7 {
            let cut = list().without_first(count);
            let gone = count.min(4);
            assert_eq!(cut.len(), 5 - gone, "{count}");
            for index in gone..5 {
                let (was, is) = (facts(&whole, index), facts(&cut, index - gone));
                assert!(was.is_some(), "{index}");
                assert_eq!(is, was, "{index} without {count}");
            }
        }
        let cut = list().without_first(2);
        assert_eq!((cut.maps.len(), cut.keys.len()), (1, 2));
        assert_eq!(cut.duration(), MediaTime::from_seconds(7.0));
    }
}
