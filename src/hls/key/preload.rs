//! Keys that the multivariant playlist announces (`#EXT-X-SESSION-KEY`), asked
//! for while the media playlist is on its way. What becomes of one matters only
//! to a segment that names the same address; a failure is that segment's to meet.

use tokio::task::JoinHandle;

use super::{Address, fetch, refuse_foreign, sixteen};
use crate::event::RequestKind;
use crate::hls::multivariant::Multivariant;
use crate::location::Location;
use crate::stats::Stage;
use crate::store::{Store, Text, Wanted};

/// Keys asked for ahead; real streams announce one, or one for each variant.
const MOST: usize = 8;

/// The keys asked for so far that nobody has taken.
#[derive(Default)]
pub struct Preloads(Vec<(Location, Preload)>);

/// A key that was asked for before a segment named it.
pub struct Preload(JoinHandle<Option<Text>>);

impl Preloads {
    /// Asks for the keys of `playlist` that we can use, on the runtime this is
    /// called from.
    pub fn begin(store: &Store, playlist: &Multivariant) -> Self {
        let mut preloads = Self::default();
        for location in addresses(playlist) {
            store.stats().begin(Stage::Key);
            let wanted = Wanted::whole(location.clone(), RequestKind::Key);
            let store = store.clone();
            let task = tokio::spawn(async move { fetch(&store, &wanted).await.ok() });
            preloads.0.push((location, Preload(task)));
        }
        preloads
    }

    /// The one at `location`, to be waited for.
    pub fn take(&mut self, location: &Location) -> Option<Preload> {
        let place = self.0.iter().position(|(this, _)| this == location)?;
        Some(self.0.swap_remove(place).1)
    }
}

impl Preload {
    /// What came, if it is a key.
    pub async fn text(self) -> Option<Text> {
        let text = self.0.await.ok().flatten()?;
        sixteen(&text.bytes).map(|_| text)
    }
}

/// Where the keys are that can be used, each once.
fn addresses(playlist: &Multivariant) -> Vec<Location> {
    let mut found = Vec::new();
    for key in &playlist.session_keys {
        if refuse_foreign(key).is_ok()
            && let Ok(Address::At(location)) = Address::of(key, playlist.base())
            && !found.contains(&location)
            && found.len() < MOST
        {
            found.push(location);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::playlist::{Playlist, parse};

    fn asked(tags: &str) -> Vec<String> {
        let text = format!("#EXTM3U\n{tags}#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n");
        let base = Location::parse("https://h/a/main.m3u8").expect("a URL");
        match parse(text.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Multivariant(list) => {
                let found = addresses(&list);
                found.iter().map(ToString::to_string).collect()
            }
            Playlist::Media(_) => panic!("a list of segments"),
        }
    }

    #[test]
    fn only_keys_that_can_be_used_are_asked_for_ahead_and_each_once() {
        let tag = |rest: &str| format!("#EXT-X-SESSION-KEY:METHOD={rest}\n");
        let cases = [
            (tag("AES-128,URI=\"k\""), vec!["https://h/a/k"]),
            (
                tag("AES-128,URI=\"k\",KEYFORMAT=\"identity\""),
                vec!["https://h/a/k"],
            ),
            (
                tag("AES-128,URI=\"k\"") + &tag("AES-128,URI=\"../a/k\""),
                vec!["https://h/a/k"],
            ),
            (
                tag("AES-128,URI=\"data:;base64,aHVzaC1odXNoLWh1c2gtNg\""),
                vec![],
            ),
            (tag("SAMPLE-AES,URI=\"k\""), vec![]),
            (tag("AES-128,URI=\"k\",KEYFORMAT=\"com.widevine\""), vec![]),
        ];
        for (tags, want) in cases {
            assert_eq!(asked(&tags), want, "{tags}");
        }
        let flood: String = (0..50)
            .map(|n| tag(&format!("AES-128,URI=\"k{n}\"")))
            .collect();
        assert_eq!(asked(&flood).len(), MOST);
    }
}
