//! The rungs of each tier, as the playlist states them.

use crate::error::{Kind, Problem};
use crate::hls::codecs;
use crate::hls::multivariant::{Multivariant, Rendition, Variant};
use crate::hls::variant::redundant::{Candidate, merged};
use crate::hls::variant::voice::{Voice, users};
use crate::hls::variant::{Rung, Standing};
use crate::location::Location;

/// One rung for each audio group that variants use and that has the rendition
/// with a playlist of its own.
///
/// # Errors
///
/// As [`Location::join`], but an address that is none is left out.
pub fn renditions(playlist: &Multivariant, voice: &Voice<'_>) -> Result<Vec<Rung>, Problem> {
    let mut groups: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for group in playlist.renditions.iter().map(|one| one.group.as_str()) {
        if !groups.contains(&group) {
            groups.push(group);
            found.extend(of_group(playlist, voice, group)?);
        }
    }
    Ok(merged(found))
}

/// Variants without pictures, as far as their sound is the rendition's.
///
/// # Errors
///
/// As [`renditions`].
pub fn audio_only(playlist: &Multivariant, voice: &Voice<'_>) -> Result<Vec<Rung>, Problem> {
    variants(playlist, voice, false)
}

/// Variants with pictures, as far as their sound is the rendition's.
///
/// # Errors
///
/// As [`renditions`].
pub fn muxed(playlist: &Multivariant, voice: &Voice<'_>) -> Result<Vec<Rung>, Problem> {
    variants(playlist, voice, true)
}

/// The rendition of one group; and where that is also what a variant without
/// pictures plays itself, the other such variants of the group, which are then
/// other qualities of it.
fn of_group<'a>(
    playlist: &'a Multivariant,
    voice: &Voice<'_>,
    group: &str,
) -> Result<Vec<Candidate<'a>>, Problem> {
    let Some((rendition, uris)) = voice.alone(group) else {
        return Ok(Vec::new());
    };
    let users: Vec<&Variant> = users(playlist, group).collect();
    let is_itself = |user: &Variant| uris.contains(&user.uri.as_str()) && !user.has_picture();
    let mut places = Vec::new();
    for uri in &uris {
        places.extend(place(playlist, uri)?);
    }
    let (Some(user), false) = (informant(&users, is_itself), places.is_empty()) else {
        return Ok(Vec::new());
    };
    let rung = Rung {
        alternatives: places.split_off(1),
        ..spoken(user, places.remove(0), rendition)
    };
    let mut found = vec![Candidate {
        rung,
        variants: users.clone(),
    }];
    if is_itself(user) {
        let others = users.iter().filter(|user| !user.has_picture());
        for other in others.filter(|user| !is_itself(user)) {
            let rung = place(playlist, &other.uri)?.map(|place| spoken(other, place, rendition));
            found.extend(rung.map(|rung| Candidate {
                rung,
                variants: vec![other],
            }));
        }
    }
    Ok(found)
}

/// The variant that tells most about a rendition: one with a codec we decode,
/// one that plays the very same, one without pictures, one that names its sound,
/// and of these the one with the lowest bandwidth.
fn informant<'a>(
    users: &[&'a Variant],
    is_itself: impl Fn(&Variant) -> bool,
) -> Option<&'a Variant> {
    let best = users.iter().min_by_key(|user| {
        (
            codecs::refusal_beside(&user.codecs).is_some(),
            !is_itself(user),
            user.has_picture(),
            codecs::sound(&user.codecs).is_none(),
            user.bandwidth,
        )
    });
    best.copied()
}

/// A rendition at `place`, which is what `user` says of it.
fn spoken(user: &Variant, place: Location, rendition: &Rendition) -> Rung {
    let rung = Rung::of(user, place, codecs::sound(&user.codecs));
    named(
        refused(rung, codecs::refusal_beside(&user.codecs)),
        Some(rendition),
    )
}

/// The variants with or without pictures. Of those with a group only the ones
/// in whose own playlist the rendition lies, if any of these can be played.
fn variants(
    playlist: &Multivariant,
    voice: &Voice<'_>,
    pictures: bool,
) -> Result<Vec<Rung>, Problem> {
    let inside = |variant: &Variant| {
        let heard = voice.in_group(variant.audio.as_deref()?)?;
        heard.uri.is_none().then_some(heard)
    };
    let of_kind = || {
        let variants = playlist.variants.iter();
        variants.filter(|variant| variant.has_picture() == pictures)
    };
    let is_heard = |variant: &&Variant| variant.audio.is_none() || inside(variant).is_some();
    let is_played = |variant: &&Variant| codecs::refusal(&variant.codecs).is_none();
    let mut list: Vec<&Variant> = of_kind().filter(is_heard).collect();
    if !list.iter().any(is_played) {
        list = of_kind().collect();
    }
    let mut found = Vec::new();
    for variant in list {
        let Some(place) = place(playlist, &variant.uri)? else {
            continue;
        };
        let rung = Rung::of(variant, place, codecs::sound(&variant.codecs));
        let rung = refused(rung, codecs::refusal(&variant.codecs));
        found.push(Candidate {
            rung: named(rung, inside(variant)),
            variants: vec![variant],
        });
    }
    Ok(merged(found))
}

fn named(rung: Rung, rendition: Option<&Rendition>) -> Rung {
    Rung {
        name: rendition.map(|one| one.name.clone()),
        language: rendition.and_then(|one| one.language.clone()),
        channels: rendition.and_then(|one| one.channels),
        ..rung
    }
}

fn refused(rung: Rung, why: Option<String>) -> Rung {
    Rung {
        standing: why.map_or(Standing::Wanted, Standing::Refused),
        ..rung
    }
}

/// Where `uri` lies; `None` when it is no URL.
fn place(playlist: &Multivariant, uri: &str) -> Result<Option<Location>, Problem> {
    match playlist.location(uri) {
        Ok(location) => Ok(Some(location)),
        Err(problem) if problem.kind == Kind::Malformed => Ok(None),
        Err(problem) => Err(problem),
    }
}
