//! What is needed to hide a change of variant: the head of the segment behind
//! it in the variant before, so that both can be heard for a moment. It is a
//! kindness: nothing waits for it, and without it the change is heard a little.

use super::about::SectionState;
use super::{Feed, head_of};
use crate::hls::load::Load;
use crate::hls::planner;
use crate::media::{Cipher, Init, Overlap};
use crate::store::{Body, Wanted};
use crate::units::MediaTime;

/// What became of one.
pub(super) enum Hidden {
    /// It was asked for.
    Coming,
    /// It is here, in full.
    Here(Body),
    /// It will not come.
    Lost,
}

impl Feed {
    /// Whether the head of the segment at `place` in `rung` is here, on its way
    /// or not to be had.
    pub(super) fn is_overlap_settled(&self, place: usize, rung: usize) -> bool {
        let Some(about) = self.about(place, rung) else {
            return true;
        };
        about.discontinuity
            || self.overlaps.contains_key(&(place, rung))
            || self.store.cached(&about.wanted).is_some()
    }

    /// Asks for the head of the segment at `place` in `rung`.
    pub(super) fn fetch_overlap(&mut self, place: usize, rung: usize) {
        let Some(about) = self.about(place, rung) else {
            return;
        };
        self.overlaps.insert((place, rung), Hidden::Coming);
        self.start_keys(&about);
        let wanted = self.overlap_of(about.wanted, rung, about.duration);
        self.start(Load::Overlap { index: place, rung }, wanted);
    }

    /// It came, or it did not.
    pub(super) fn note_overlap(&mut self, place: usize, rung: usize, body: Option<Body>) {
        let state = body.map_or(Hidden::Lost, Hidden::Here);
        self.overlaps.insert((place, rung), state);
    }

    /// What goes with the segment at `place` in `rung` when it is handed over
    /// behind another variant.
    pub(super) fn overlap(&mut self, place: usize, rung: usize) -> Option<Overlap> {
        let before = self.heard.filter(|before| *before != rung)?;
        let about = self.about(place, before)?;
        if about.discontinuity || self.handed.is_none_or(|handed| handed + 1 != place) {
            return None;
        }
        let body = match self.overlaps.get(&(place, before)) {
            Some(Hidden::Here(body)) => body.clone(),
            Some(Hidden::Coming | Hidden::Lost) => return None,
            None => self.store.cached(&about.wanted)?,
        };
        let cipher = self.key_at_hand(about.seal.as_ref())?;
        let init = match &about.init {
            None => None,
            Some(init) => {
                let cipher = self.key_at_hand(init.seal.as_ref())?;
                let section = self.sections.find(&init.wanted)?;
                let SectionState::Here(body) = &section.state else {
                    return None;
                };
                let id = section.id;
                let bytes = body.source(&self.stats).ok()?;
                Some(Init { id, bytes, cipher })
            }
        };
        let media = body.source(&self.stats).ok()?;
        Some(Overlap {
            init,
            media,
            cipher,
        })
    }

    /// How something is decrypted, when that is known by now.
    fn key_at_hand(&self, seal: Option<&super::about::Seal>) -> Option<Option<Cipher>> {
        let Some(super::about::Seal(seal)) = seal else {
            return Some(None);
        };
        let (address, iv) = seal.clone().ok()?;
        let key = self.keys.key(&address)?;
        let key_name = address.to_string();
        Some(Some(Cipher { key, iv, key_name }))
    }

    fn overlap_of(&self, wanted: Wanted, rung: usize, duration: MediaTime) -> Wanted {
        let rate = self.presentation.ladder.rungs[rung].rate();
        let bytes = planner::overlap_bytes(rate.0 as f64 / 1e3, duration.seconds());
        head_of(wanted, bytes)
    }
}
