//! One stream of sound that can be chosen, and whether it is to be played.

use crate::hls::multivariant::Variant;
use crate::location::Location;
use crate::units::BitRate;

/// One stream of sound that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its number for `-Q N` and `info`: 0 is the lowest bandwidth of all that
    /// are listed, whether they can be decoded or not.
    pub id: usize,
    /// Its media playlist.
    pub location: Location,
    /// Media playlists of the same stream in other places, to fall over to.
    pub alternatives: Vec<Location>,
    /// Peak; 0 when nothing is stated.
    pub bandwidth: BitRate,
    /// The bandwidth is that of the sound and the cheapest pictures that are
    /// stated with it: an upper bound. What the pictures take is not guessed.
    pub with_pictures: bool,
    /// Average, when stated.
    pub average_bandwidth: Option<BitRate>,
    /// The entries of CODECS that are sound.
    pub codecs: Option<String>,
    /// NAME of the rendition.
    pub name: Option<String>,
    /// LANGUAGE of the rendition.
    pub language: Option<String>,
    /// CHANNELS of the rendition.
    pub channels: Option<u64>,
    /// Whether it is to be played.
    pub standing: Standing,
}

/// Whether a rung is to be played, as far as the playlist and the user's taste
/// tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// `auto`, `best` and `worst` choose among these.
    Wanted,
    /// Only by its number, or when none of the wanted ones can be had; and why.
    Spare(String),
    /// Only by its number: the user's flags leave it out; and why.
    Excluded(String),
    /// We cannot play it; and why.
    Refused(String),
}

impl Rung {
    /// A media playlist of which nothing else is known.
    pub fn at(location: Location) -> Self {
        Self {
            id: 0,
            location,
            alternatives: Vec::new(),
            bandwidth: BitRate(0),
            with_pictures: false,
            average_bandwidth: None,
            codecs: None,
            name: None,
            language: None,
            channels: None,
            standing: Standing::Wanted,
        }
    }

    /// The sound of `variant`, with these of its CODECS, at `location`.
    pub fn of(variant: &Variant, location: Location, codecs: Option<String>) -> Self {
        Self {
            bandwidth: variant.bandwidth,
            with_pictures: variant.has_picture(),
            average_bandwidth: variant.average_bandwidth,
            codecs,
            ..Self::at(location)
        }
    }

    /// Whether the playlist says nothing against decoding it.
    pub fn is_decodable(&self) -> bool {
        !matches!(self.standing, Standing::Refused(_))
    }

    /// Why it is not among the wanted ones.
    pub fn reason(&self) -> Option<&str> {
        match &self.standing {
            Standing::Wanted => None,
            Standing::Spare(why) | Standing::Excluded(why) | Standing::Refused(why) => Some(why),
        }
    }

    /// What the controller reckons with: the average, else the peak.
    pub fn rate(&self) -> BitRate {
        self.average_bandwidth.unwrap_or(self.bandwidth)
    }

    /// Whether it says the same about itself as `other`; where they are does
    /// not count.
    pub fn is_like(&self, other: &Self) -> bool {
        let here = Self {
            id: self.id,
            location: self.location.clone(),
            alternatives: self.alternatives.clone(),
            standing: self.standing.clone(),
            ..other.clone()
        };
        *self == here
    }

    /// Makes one of its places the first.
    pub fn prefer(&mut self, place: &Location) {
        if let Some(other) = self.alternatives.iter_mut().find(|other| *other == place) {
            std::mem::swap(&mut self.location, other);
        }
    }

    /// Looks for its media playlist at the next place from now on.
    pub fn turn(&mut self) {
        if !self.alternatives.is_empty() {
            let next = self.alternatives.remove(0);
            self.alternatives
                .push(std::mem::replace(&mut self.location, next));
        }
    }

    /// Where its media playlist is looked for, the first place first.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        std::iter::once(&self.location).chain(&self.alternatives)
    }
}
