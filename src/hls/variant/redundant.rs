//! The same stream listed more than once: at one address it is one rung, at
//! several ones the others are where to fall over to (RFC 8216 section 6.2.4).

use crate::hls::multivariant::Variant;
use crate::hls::variant::Rung;
use crate::location::Location;

/// A rung and the variants that play it.
pub struct Candidate<'a> {
    /// What would be listed.
    pub rung: Rung,
    /// Who plays it.
    pub variants: Vec<&'a Variant>,
}

/// Each stream once. The first place in the file is the first to be tried.
pub fn merged(candidates: Vec<Candidate<'_>>) -> Vec<Rung> {
    let mut kept: Vec<Candidate<'_>> = Vec::new();
    for candidate in candidates {
        let same = kept
            .iter_mut()
            .find(|other| candidate.is_at_the_place_of(other) || candidate.is_redundant_to(other));
        match same {
            Some(other) => other.take(candidate),
            None => kept.push(candidate),
        }
    }
    kept.into_iter().map(|candidate| candidate.rung).collect()
}

impl Candidate<'_> {
    fn is_at_the_place_of(&self, other: &Self) -> bool {
        let place = &self.rung.location;
        other.rung.locations().any(|known| known == place)
    }

    /// Two variants that differ in nothing but their address (and their group)
    /// make their sound redundant. The same address with two groups does not:
    /// these are two sounds for one picture.
    fn is_redundant_to(&self, other: &Self) -> bool {
        let is_equal = self.rung.is_decodable() == other.rung.is_decodable()
            && self.rung.channels == other.rung.channels;
        let mut pairs = self
            .variants
            .iter()
            .flat_map(|one| other.variants.iter().map(move |two| (one, two)));
        is_equal && pairs.any(|(one, two)| one.is_redundant_to(two))
    }
}

impl<'a> Candidate<'a> {
    /// Makes `again` a part of this. Where both are at one address, what is
    /// known of it is what the better of the two states: one that can be
    /// decoded, and the lower bandwidth, as the rest belongs to the pictures.
    fn take(&mut self, again: Candidate<'a>) {
        let worth = |rung: &Rung| (!rung.is_decodable(), rung.bandwidth);
        let mut places: Vec<Location> = self.rung.locations().cloned().collect();
        let new: Vec<Location> = again.rung.locations().cloned().collect();
        places.extend(new.into_iter().filter(|place| !self.has(place)));
        if worth(&again.rung) < worth(&self.rung) {
            self.rung = again.rung;
        }
        self.rung.location = places.remove(0);
        self.rung.alternatives = places;
        self.variants.extend(again.variants);
    }

    fn has(&self, place: &Location) -> bool {
        self.rung.locations().any(|known| known == place)
    }
}
