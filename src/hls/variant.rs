//! What can be chosen of a stream, sound first: audio renditions before variants
//! without pictures before the cheapest variant with them. Pure, and the order
//! in the file never decides between qualities.

mod redundant;
mod rung;
mod standing;
mod tiers;
mod voice;
mod words;

use std::fmt;

use crate::error::{Kind, Problem};
use crate::hls::multivariant::Multivariant;
use crate::hls::taste::Taste;
use crate::hls::variant::standing::judged;
use crate::hls::variant::voice::Voice;
use crate::hls::variant::words::{explain, listed, missed, refusals};
use crate::location::Location;

pub use rung::{Rung, Standing};

/// The kinds of streams with sound, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A media playlist that was opened by itself.
    Single,
    /// Audio renditions with playlists of their own.
    Renditions,
    /// Variants without pictures.
    AudioOnly,
    /// Variants with pictures: their sound is picked out.
    Muxed,
}

impl Tier {
    /// The word of `info --json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Renditions => "renditions",
            Self::AudioOnly => "audio_only",
            Self::Muxed => "muxed",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "a single media playlist",
            Self::Renditions => "audio renditions",
            Self::AudioOnly => "variants without pictures",
            Self::Muxed => "variants with pictures",
        })
    }
}

/// The streams of the best tier that has one we can play, by ascending bandwidth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Everything of the tier that is listed; `rungs[n].id == n`. Never empty.
    pub rungs: Vec<Rung>,
    /// What they are.
    pub tier: Tier,
    /// Why they are that and nothing better, or are preferred over what.
    pub why: String,
    /// The languages of all audio renditions, once each.
    pub languages: Vec<String>,
    /// What the user wished and is not there: worth a warning.
    pub missed: Option<Problem>,
    /// Why what the user asked for cannot be played, of all tiers.
    pub refusals: Vec<String>,
}

impl Ladder {
    /// The ladder of a multivariant playlist for a user of this `taste`.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] when it lists nothing at all; as
    /// [`Location::join`] when an address leads where it may not.
    pub fn of(playlist: &Multivariant, taste: &Taste) -> Result<Self, Problem> {
        let voice = Voice::of(playlist, taste);
        let tiers = [
            (Tier::Renditions, tiers::renditions(playlist, &voice)?),
            (Tier::AudioOnly, tiers::audio_only(playlist, &voice)?),
            (Tier::Muxed, tiers::muxed(playlist, &voice)?),
        ];
        let tiers = tiers.map(|(tier, rungs)| (tier, judged(rungs, tier, taste)));
        let (tier, rungs) = best(&tiers)
            .ok_or_else(|| nothing_to_play("it lists no variant that has an address"))?;
        let mut rungs = rungs.clone();
        for (id, rung) in rungs.iter_mut().enumerate() {
            rung.id = id;
        }
        let languages = voice::languages(playlist);
        Ok(Self {
            why: explain(tier, playlist, &tiers[0].1),
            missed: missed(&rungs, &languages, taste),
            refusals: refusals(&tiers, taste),
            languages,
            rungs,
            tier,
        })
    }

    /// The ladder of a media playlist that was opened without a multivariant one.
    pub fn single(location: Location) -> Self {
        Self {
            rungs: vec![Rung::at(location)],
            tier: Tier::Single,
            why: "it is part of no other".to_owned(),
            languages: Vec::new(),
            missed: None,
            refusals: Vec::new(),
        }
    }

    /// The one that is `rung` of another copy of this ladder, whatever its
    /// address: of several that say the same the one at its place.
    pub fn same(&self, rung: &Rung) -> Option<&Rung> {
        let alike = || self.rungs.iter().filter(|other| other.is_like(rung));
        alike()
            .find(|other| other.id == rung.id)
            .or_else(|| alike().next())
    }

    /// The rungs that `auto`, `best` and `worst` may use, ascending.
    pub fn adaptive(&self) -> Vec<usize> {
        self.ids(|standing| *standing == Standing::Wanted)
    }

    /// The rungs that are played only when no adaptive one can be had, ascending.
    pub fn spares(&self) -> Vec<usize> {
        self.ids(|standing| matches!(standing, Standing::Spare(_)))
    }

    fn ids(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<usize> {
        let rungs = self.rungs.iter().filter(|rung| wanted(&rung.standing));
        rungs.map(|rung| rung.id).collect()
    }

    /// Settles on `chosen` after the playlists of `lost` could not be had: these
    /// are not asked for again while something else plays.
    pub fn settle(&mut self, chosen: usize, lost: &[usize]) {
        for id in lost {
            let why = "its playlist cannot be had".to_owned();
            self.rungs[*id].standing = Standing::Spare(why);
        }
        if !lost.is_empty() {
            self.rungs[chosen].standing = Standing::Wanted;
        }
    }

    /// Why there is nothing to choose: what is asked for cannot be played, or is
    /// not there.
    pub fn no_choice(&self) -> Problem {
        if !self.refusals.is_empty() {
            return nothing_to_play(listed(&self.refusals));
        }
        let codecs: Vec<String> = self
            .rungs
            .iter()
            .filter_map(|one| one.codecs.clone())
            .collect();
        Problem::new(
            Kind::Unsupported,
            "cannot play the stream",
            format!(
                "it has none of the codecs asked for but {}",
                listed(&codecs)
            ),
            "name one of them with --codec",
        )
    }
}

/// The first tier with a rung that is wanted, else with one that only the user's
/// flags leave out, else with one at all.
fn best(tiers: &[(Tier, Vec<Rung>)]) -> Option<(Tier, &Vec<Rung>)> {
    let with = |has: fn(&Rung) -> bool| tiers.iter().find(|(_, rungs)| rungs.iter().any(has));
    let (tier, rungs) = with(|rung| rung.standing == Standing::Wanted)
        .or_else(|| with(Rung::is_decodable))
        .or_else(|| with(|_| true))?;
    Some((*tier, rungs))
}

/// Nothing in the stream can be played.
pub fn nothing_to_play(why: impl Into<String>) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the stream",
        why,
        "see \"kithara info\" for what it offers",
    )
}

#[cfg(test)]
mod tests;
