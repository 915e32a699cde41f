//! The choice in words: why this tier, why nothing, what was missed.

use crate::error::{Kind, Problem};
use crate::hls::language::Tag;
use crate::hls::multivariant::Multivariant;
use crate::hls::taste::Taste;
use crate::hls::variant::{Rung, Standing, Tier};
use crate::text;

/// Why `tier` was chosen, for people.
pub fn explain(tier: Tier, playlist: &Multivariant, renditions: &[Rung]) -> String {
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
pub fn refusals(tiers: &[(Tier, Vec<Rung>)], taste: &Taste) -> Vec<String> {
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
pub fn missed(rungs: &[Rung], languages: &[String], taste: &Taste) -> Option<Problem> {
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
pub fn listed(words: &[String]) -> String {
    let mut list: Vec<&str> = Vec::new();
    for word in words {
        if !list.contains(&word.as_str()) {
            list.push(word);
        }
    }
    text::safe(&list.join(", "))
}
