//! One rendition for the whole ladder: groups are qualities of the same sound
//! (RFC 8216 section 4.3.4.1.1), so a language is chosen once and looked for in
//! each group, and a change of quality never changes what is said.

use crate::hls::codecs;
use crate::hls::multivariant::{Multivariant, Rendition, Variant};
use crate::hls::taste::Taste;

/// The rendition that is heard, as each group has it.
pub struct Voice<'a> {
    playlist: &'a Multivariant,
    taste: &'a Taste,
    /// The one that is liked most; `None` in a playlist without renditions.
    chosen: Option<&'a Rendition>,
}

impl<'a> Voice<'a> {
    /// The rendition that this user likes most, of those that variants use:
    /// rather one with a codec that is allowed and decoded, however.
    pub fn of(playlist: &'a Multivariant, taste: &'a Taste) -> Self {
        let best = |is_good: &dyn Fn(&Rendition, &Variant) -> bool| {
            let renditions = playlist.renditions.iter();
            renditions
                .filter(|one| users(playlist, &one.group).any(|user| is_good(one, user)))
                .min_by_key(|one| taste.liking(one))
        };
        let is_decoded = |one: &Rendition, user: &Variant| match one.uri {
            Some(_) => codecs::refusal_beside(&user.codecs).is_none(),
            None => codecs::refusal(&user.codecs).is_none(),
        };
        let is_allowed = |one: &Rendition, user: &Variant| {
            let sound = codecs::sound(&user.codecs);
            is_decoded(one, user) && taste.codec_place(sound.as_deref()).is_some()
        };
        let chosen = best(&is_allowed)
            .or_else(|| best(&is_decoded))
            .or_else(|| best(&|_, _| true));
        Self {
            playlist,
            taste,
            chosen,
        }
    }

    /// The rendition of `group` that is heard, if it has one that says the same.
    pub fn in_group(&self, group: &str) -> Option<&'a Rendition> {
        let chosen = self.chosen?;
        let same = self.members(group).filter_map(|one| {
            let likeness = likeness(chosen, one)?;
            Some(((likeness, self.taste.liking(one)), one))
        });
        let same = same.min_by_key(|(key, _)| *key).map(|(_, one)| one);
        // Some publishers name the quality and no language.
        let only = || {
            let mut members = self.members(group);
            let first = members.next()?;
            let is_only = members.next().is_none() && first.tag().is_none();
            (is_only && chosen.tag().is_none()).then_some(first)
        };
        same.or_else(only)
    }

    /// The rendition of `group` that is heard, when it has playlists of its own,
    /// and where they lie: copies after the first.
    pub fn alone(&self, group: &str) -> Option<(&'a Rendition, Vec<&'a str>)> {
        let heard = self.in_group(group)?;
        let heard = match heard.uri {
            Some(_) => heard,
            None => self.instead(heard)?,
        };
        let copies = self.members(group).filter(|one| is_copy(one, heard));
        let uris = copies.filter_map(|one| one.uri.as_deref()).collect();
        Some((heard, uris))
    }

    /// In place of a rendition that lies inside of the variants: one of the same
    /// language and kind that the publisher lets be chosen and that needs no
    /// pictures.
    fn instead(&self, inside: &Rendition) -> Option<&'a Rendition> {
        let tag = inside.tag()?;
        let equal = self.members(&inside.group).filter(|one| {
            one.uri.is_some()
                && one.is_autoselect
                && one.tag().as_ref() == Some(&tag)
                && one.characteristics == inside.characteristics
        });
        equal.min_by_key(|one| self.taste.liking(one))
    }

    fn members(&self, group: &str) -> impl Iterator<Item = &'a Rendition> {
        let renditions = self.playlist.renditions.iter();
        renditions.filter(move |one| one.group == group)
    }
}

/// The variants that use `group`.
pub fn users<'a>(playlist: &'a Multivariant, group: &str) -> impl Iterator<Item = &'a Variant> {
    let variants = playlist.variants.iter();
    variants.filter(move |one| one.audio.as_deref() == Some(group))
}

/// The languages of all renditions, as their publisher writes them.
pub fn languages(playlist: &Multivariant) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let stated = playlist.renditions.iter().filter(|one| one.tag().is_some());
    for language in stated.filter_map(|one| one.language.as_ref()) {
        if !list.contains(language) {
            list.push(language.clone());
        }
    }
    list
}

/// Whether `other` says what `chosen` says, 0 being most likely.
fn likeness(chosen: &Rendition, other: &Rendition) -> Option<u8> {
    let (tag, other_tag) = (chosen.tag(), other.tag());
    let is_same_language = tag.is_some() && tag == other_tag;
    let may_be_same_language = is_same_language || tag.is_none() || other_tag.is_none();
    let is_same_kind = chosen.describes_video() == other.describes_video();
    if chosen.name == other.name && may_be_same_language && is_same_kind {
        return Some(0);
    }
    let is_equal = chosen.characteristics == other.characteristics;
    (is_same_language && is_equal).then_some(1)
}

/// Whether both are the same but for where they lie.
fn is_copy(one: &Rendition, other: &Rendition) -> bool {
    let uri = other.uri.clone();
    Rendition { uri, ..one.clone() } == *other
}
