//! What can be chosen of a stream, sound first: audio renditions before variants
//! without pictures before the cheapest variant with them. Pure, and the order
//! in the file never decides between qualities.

mod redundant;
mod tiers;
mod voice;

use std::fmt;

use crate::error::{Kind, Problem};
use crate::hls::language::Tag;
use crate::hls::multivariant::{Multivariant, Variant};
use crate::hls::taste::{Taste, channels_place};
use crate::hls::variant::voice::Voice;
use crate::location::Location;
use crate::text;
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
    /// Peak. For a rendition that is only stated together with pictures it is
    /// the sum with the cheapest of them, so an upper bound; 0 when nothing is
    /// stated.
    pub bandwidth: BitRate,
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
        let rung = Rung {
            id: 0,
            location,
            alternatives: Vec::new(),
            bandwidth: BitRate(0),
            average_bandwidth: None,
            codecs: None,
            name: None,
            language: None,
            channels: None,
            standing: Standing::Wanted,
        };
        Self {
            rungs: vec![rung],
            tier: Tier::Single,
            why: "it is part of no other".to_owned(),
            languages: Vec::new(),
            missed: None,
            refusals: Vec::new(),
        }
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

/// Sorts the rungs of a tier by bandwidth and tells which of them are wanted.
fn judged(mut rungs: Vec<Rung>, tier: Tier, taste: &Taste) -> Vec<Rung> {
    rungs.sort_by_key(|rung| (rung.bandwidth, rung.average_bandwidth));
    let place = |rung: &Rung| taste.codec_place(rung.codecs.as_deref());
    demote(&mut rungs, |rung| {
        let is_left_out = place(rung).is_none();
        is_left_out.then(|| Standing::Excluded("--codec leaves it out".to_owned()))
    });
    let first = wanted(&rungs).filter_map(place).min();
    demote(&mut rungs, |rung| {
        let is_later = place(rung) > first;
        is_later.then(|| Standing::Spare("--codec prefers another codec".to_owned()))
    });
    let channels = |rung: &Rung| channels_place(rung.channels);
    let fewest = wanted(&rungs).map(channels).min();
    demote(&mut rungs, |rung| {
        let is_odd = Some(channels(rung)) > fewest;
        is_odd.then(|| Standing::Spare("another number of channels is preferred".to_owned()))
    });
    let mut before: Option<BitRate> = None;
    demote(&mut rungs, |rung| {
        let last = before.replace(rung.bandwidth);
        let why = match last {
            // Their bandwidth says nothing about their sound.
            Some(_) if tier == Tier::Muxed => "another one has less of pictures",
            Some(last) if last == rung.bandwidth => "another one has the same bandwidth",
            _ => return None,
        };
        Some(Standing::Spare(why.to_owned()))
    });
    rungs
}

fn wanted(rungs: &[Rung]) -> impl Iterator<Item = &Rung> {
    rungs
        .iter()
        .filter(|rung| rung.standing == Standing::Wanted)
}

/// Gives each wanted rung the standing that `judge` has for it, if any.
fn demote(rungs: &mut [Rung], mut judge: impl FnMut(&Rung) -> Option<Standing>) {
    for rung in rungs {
        if rung.standing == Standing::Wanted
            && let Some(standing) = judge(rung)
        {
            rung.standing = standing;
        }
    }
}

/// Why `tier` was chosen, for people.
fn explain(tier: Tier, playlist: &Multivariant, renditions: &[Rung]) -> String {
    let variants = &playlist.variants;
    let pictures = variants.iter().filter(|one| one.has_picture()).count();
    let (of_pictures, bare) = (counted(pictures), variants.len() - pictures);
    let lost = renditions.iter().find_map(Rung::reason);
    let lost = lost.map(|why| format!("no audio rendition will do: {why}"));
    match (tier, lost) {
        (Tier::Renditions, _) if pictures == 0 => "they are what the variants play".to_owned(),
        (Tier::Renditions, _) => format!("preferred over {of_pictures} with pictures"),
        (Tier::AudioOnly, Some(lost)) => lost,
        (Tier::AudioOnly, None) if pictures == 0 => "there is nothing else".to_owned(),
        (Tier::AudioOnly, None) => format!("preferred over {of_pictures} with pictures"),
        (Tier::Muxed, Some(lost)) if bare == 0 => lost,
        (Tier::Muxed, _) if bare == 0 => "the sound cannot be had alone".to_owned(),
        (Tier::Muxed, _) => "none of those without pictures will do".to_owned(),
        (Tier::Single, _) => String::new(),
    }
}

fn counted(variants: usize) -> String {
    match variants {
        1 => "1 variant".to_owned(),
        many => format!("{many} variants"),
    }
}

/// Why a rung cannot be played that has a codec asked for, each reason once.
fn refusals(tiers: &[(Tier, Vec<Rung>)], taste: &Taste) -> Vec<String> {
    let is_asked_for = |rung: &&Rung| {
        let codecs = rung.codecs.as_deref();
        taste.codecs.is_empty() || (codecs.is_some() && taste.codec_place(codecs).is_some())
    };
    let mut reasons: Vec<String> = Vec::new();
    for rung in tiers
        .iter()
        .flat_map(|(_, rungs)| rungs)
        .filter(is_asked_for)
    {
        match &rung.standing {
            Standing::Refused(why) if !reasons.contains(why) => reasons.push(why.clone()),
            _ => {}
        }
    }
    reasons
}

/// The warning that the sound is in none of the languages asked for.
fn missed(rungs: &[Rung], languages: &[String], taste: &Taste) -> Option<Problem> {
    let is_answered = |rung: &Rung| {
        let tag = rung.language.as_deref().and_then(Tag::read);
        taste.language_place(tag.as_ref()).is_some()
    };
    if taste.languages.is_empty() || rungs.iter().any(is_answered) {
        return None;
    }
    let wished: Vec<&str> = taste.languages.iter().map(Tag::as_str).collect();
    Some(Problem::new(
        Kind::Unsupported,
        format!("cannot play the stream in \"{}\"", wished.join(",")),
        match languages {
            [] => "it names no language".to_owned(),
            there => format!("it offers {}", listed(there)),
        },
        "its default is played",
    ))
}

/// Words with commas, each once, safe to show.
fn listed(words: &[String]) -> String {
    let mut list: Vec<&str> = Vec::new();
    for word in words {
        if !list.contains(&word.as_str()) {
            list.push(word);
        }
    }
    text::safe(&list.join(", "))
}

/// A variant as a rung that nothing more is known of.
fn rung_of(variant: &Variant, location: Location, codecs: Option<String>) -> Rung {
    Rung {
        bandwidth: variant.bandwidth,
        average_bandwidth: variant.average_bandwidth,
        codecs,
        ..Ladder::single(location).rungs.remove(0)
    }
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
