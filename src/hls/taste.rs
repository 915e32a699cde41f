//! What the user likes to hear, and how much a rendition or a codec is that.
//! Pure, and nothing about bandwidth.

use crate::hls::codecs;
use crate::hls::language::{Answer, Tag};
use crate::hls::multivariant::Rendition;

const STEREO: u64 = 2;

/// What the user likes to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taste {
    /// The languages asked for, best first.
    pub languages: Vec<Tag>,
    /// The codecs allowed, best first; empty allows all.
    pub codecs: Vec<codecs::Wish>,
    /// The language of the user's environment, for streams without a default.
    pub locale: Option<Tag>,
}

/// How much a rendition is liked; less is better. The fields stand in the order
/// of their weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Liking {
    /// Which wish for a language it answers: 0 is the first, exactly.
    language: usize,
    describes_video: bool,
    is_no_default: bool,
    is_foreign: bool,
    is_no_autoselect: bool,
    channels: u64,
}

impl Taste {
    /// How much `rendition` is liked (HLS.md M5): a language asked for, then
    /// DEFAULT, then AUTOSELECT in the language of the environment, then
    /// AUTOSELECT, then stereo. A description of the picture is heard only where
    /// no other rendition has the language.
    pub fn liking(&self, rendition: &Rendition) -> Liking {
        let tag = rendition.tag();
        let at_home = tag.as_ref().zip(self.locale.as_ref());
        let is_at_home = at_home.is_some_and(|(tag, locale)| tag.is_akin(locale));
        Liking {
            language: self.language_place(tag.as_ref()).unwrap_or(usize::MAX),
            describes_video: rendition.describes_video(),
            is_no_default: !rendition.is_default,
            is_foreign: !(rendition.is_autoselect && is_at_home),
            is_no_autoselect: !rendition.is_autoselect,
            channels: channels_place(rendition.channels),
        }
    }

    /// Which of the languages asked for `tag` answers, 0 being the first one
    /// exactly; `None` when it answers none.
    pub fn language_place(&self, tag: Option<&Tag>) -> Option<usize> {
        let answers = self.languages.iter().map(|wish| wish.answered_by(tag?));
        let places = answers.enumerate().filter_map(|(place, answer)| {
            let is_wider = answer? == Answer::Wider;
            Some(2 * place + usize::from(is_wider))
        });
        places.min()
    }

    /// Which of the codecs asked for `codecs`, a list of entries, answers; `None`
    /// when it answers none. What states no codec is allowed behind all others.
    pub fn codec_place(&self, codecs: Option<&str>) -> Option<usize> {
        if self.codecs.is_empty() {
            return Some(0);
        }
        match codecs {
            None => Some(self.codecs.len()),
            Some(list) => self.codecs.iter().position(|wish| wish.fits(list)),
        }
    }
}

/// Stereo before mono before more, as hls.js does: what the sound goes to is not
/// known when the choice is made, and a mixdown by the publisher is better than
/// ours. What is not stated is taken for stereo.
pub fn channels_place(channels: Option<u64>) -> u64 {
    match channels.unwrap_or(STEREO) {
        STEREO => 0,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taste(languages: &[&str], codecs: &[&str]) -> Taste {
        Taste {
            languages: languages.iter().filter_map(|tag| Tag::read(tag)).collect(),
            codecs: codecs
                .iter()
                .filter_map(|name| codecs::Wish::read(name))
                .collect(),
            locale: None,
        }
    }

    #[test]
    fn the_first_language_asked_for_weighs_most_and_exactly_more_than_about() {
        let taste = taste(&["en-US", "de"], &[]);
        let cases = [
            ("en-US", Some(0)),
            ("eng", Some(1)),
            ("deu", Some(2)),
            ("de-AT", Some(2)),
            ("en-GB", None),
            ("fr", None),
        ];
        for (tag, want) in cases {
            let place = taste.language_place(Tag::read(tag).as_ref());
            assert_eq!(place, want, "{tag}");
        }
        assert_eq!(taste.language_place(None), None);
    }

    #[test]
    fn the_codecs_asked_for_are_the_only_ones_but_an_unstated_one_is_tried() {
        let taste = taste(&[], &["flac", "aac"]);
        let cases = [
            (Some("fLaC"), Some(0)),
            (Some("mp4a.40.2"), Some(1)),
            (Some("mp4a.40.2,ec-3"), Some(1)),
            (None, Some(2)),
            (Some("opus"), None),
        ];
        for (codecs, want) in cases {
            assert_eq!(taste.codec_place(codecs), want, "{codecs:?}");
        }
        assert_eq!(Taste::default().codec_place(Some("opus")), Some(0));
    }

    #[test]
    fn stereo_comes_first_then_mono_then_ever_more() {
        let counts = [None, Some(2), Some(1), Some(6), Some(8)];
        let places = counts.map(channels_place);
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(places[0], places[1]);
    }
}
