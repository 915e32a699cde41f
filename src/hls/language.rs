//! Language tags (RFC 5646) and how a wish for one is answered: basic filtering
//! (RFC 4647 section 3.3.1) in both directions, with the three-letter codes that
//! broadcasters write taken for the two-letter ones.

/// A language tag in one spelling: lower case, hyphens, the shortest code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

/// How well a tag answers a wish, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It is the wish or lies within it: `en-US` for `en`.
    Within,
    /// It is wider than the wish: `en` for `en-US`.
    Wider,
}

/// Tags that name no language.
const NO_LANGUAGE: [&str; 5] = ["und", "mul", "mis", "zxx", "qaa"];
const SUBTAG_LETTERS: usize = 8;

impl Tag {
    /// Reads a tag such as `de`, `en-US`, `pt_BR` or `deu`. `None` for what is
    /// none, and for the codes that name no language, such as `und`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase().replace('_', "-");
        let is_subtag = |subtag: &str| {
            (1..=SUBTAG_LETTERS).contains(&subtag.len())
                && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let (first, rest) = text.split_once('-').unwrap_or((&text, ""));
        let is_tag = text.split('-').all(is_subtag) && !NO_LANGUAGE.contains(&first);
        is_tag.then(|| match rest {
            "" => Self(shortest(first).to_owned()),
            _ => Self(format!("{}-{rest}", shortest(first))),
        })
    }

    /// The language of a locale such as `de_DE.UTF-8@euro`; `C` has none.
    pub fn of_locale(locale: &str) -> Option<Self> {
        let name = locale.split(['.', '@']).next().unwrap_or_default();
        let is_none = ["C", "POSIX"].contains(&name);
        Self::read(name).filter(|_| !is_none)
    }

    /// How well `other` answers the wish for this.
    pub fn answered_by(&self, other: &Self) -> Option<Answer> {
        if within(&other.0, &self.0) {
            Some(Answer::Within)
        } else {
            within(&self.0, &other.0).then_some(Answer::Wider)
        }
    }

    /// Whether both are the same language, wherever it is spoken.
    pub fn is_akin(&self, other: &Self) -> bool {
        self.0.split('-').next() == other.0.split('-').next()
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `tag` is `range` or begins with all of its subtags.
fn within(tag: &str, range: &str) -> bool {
    tag.strip_prefix(range)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The ISO 639-1 code of a three-letter one, where there is one and it is of a
/// language that is often streamed.
fn shortest(code: &str) -> &str {
    let known = THREE_LETTERS.iter().find(|(three, _)| *three == code);
    known.map_or(code, |(_, two)| two)
}

/// ISO 639-2 (both kinds of codes) and ISO 639-1.
const THREE_LETTERS: [(&str, &str); 84] = [
    ("afr", "af"),
    ("alb", "sq"),
    ("ara", "ar"),
    ("arm", "hy"),
    ("aze", "az"),
    ("baq", "eu"),
    ("bel", "be"),
    ("ben", "bn"),
    ("bos", "bs"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("ces", "cs"),
    ("chi", "zh"),
    ("cym", "cy"),
    ("cze", "cs"),
    ("dan", "da"),
    ("deu", "de"),
    ("dut", "nl"),
    ("ell", "el"),
    ("eng", "en"),
    ("epo", "eo"),
    ("est", "et"),
    ("eus", "eu"),
    ("fas", "fa"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gla", "gd"),
    ("gle", "ga"),
    ("glg", "gl"),
    ("gre", "el"),
    ("heb", "he"),
    ("hin", "hi"),
    ("hrv", "hr"),
    ("hun", "hu"),
    ("hye", "hy"),
    ("ice", "is"),
    ("ind", "id"),
    ("isl", "is"),
    ("ita", "it"),
    ("jpn", "ja"),
    ("kat", "ka"),
    ("kaz", "kk"),
    ("kor", "ko"),
    ("lat", "la"),
    ("lav", "lv"),
    ("lit", "lt"),
    ("ltz", "lb"),
    ("mac", "mk"),
    ("may", "ms"),
    ("mkd", "mk"),
    ("mlt", "mt"),
    ("mon", "mn"),
    ("msa", "ms"),
    ("nld", "nl"),
    ("nno", "nn"),
    ("nob", "nb"),
    ("nor", "no"),
    ("per", "fa"),
    ("pol", "pl"),
    ("por", "pt"),
    ("roh", "rm"),
    ("ron", "ro"),
    ("rum", "ro"),
    ("rus", "ru"),
    ("slk", "sk"),
    ("slo", "sk"),
    ("slv", "sl"),
    ("spa", "es"),
    ("sqi", "sq"),
    ("srp", "sr"),
    ("swa", "sw"),
    ("swe", "sv"),
    ("tam", "ta"),
    ("tel", "te"),
    ("tha", "th"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("urd", "ur"),
    ("vie", "vi"),
    ("wel", "cy"),
    ("zho", "zh"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        Tag::read(text).unwrap_or_else(|| panic!("{text} is a tag"))
    }

    #[test]
    fn a_tag_has_one_spelling() {
        let cases = [
            ("de", Some("de")),
            (" DEU ", Some("de")),
            ("ger-AT", Some("de-at")),
            ("pt_BR", Some("pt-br")),
            ("zh-Hant-TW", Some("zh-hant-tw")),
            ("gsw", Some("gsw")),
            ("English", Some("english")),
            ("und", None),
            ("zxx", None),
            ("", None),
            ("-", None),
            ("en--us", None),
            ("français", None),
            ("the second one", None),
            ("abcdefghi", None),
        ];
        for (text, want) in cases {
            let tag = Tag::read(text);
            assert_eq!(tag.as_ref().map(Tag::as_str), want, "{text:?}");
        }
    }

    #[test]
    fn a_wish_is_answered_in_both_directions() {
        let cases = [
            ("en", "en", Some(Answer::Within)),
            ("en", "en-US", Some(Answer::Within)),
            ("eng", "en-GB", Some(Answer::Within)),
            ("en-US", "eng", Some(Answer::Wider)),
            ("en-US", "en-GB", None),
            ("en", "enm", None),
            ("e", "en", None),
            ("zh-Hant", "zh-hant-tw", Some(Answer::Within)),
            ("de", "fr", None),
        ];
        for (wish, other, want) in cases {
            let answer = tag(wish).answered_by(&tag(other));
            assert_eq!(answer, want, "{wish} by {other}");
        }
        assert!(tag("de-AT").is_akin(&tag("ger-DE")));
        assert!(!tag("de").is_akin(&tag("nl")));
    }

    #[test]
    fn a_locale_has_a_language_or_none() {
        let cases = [
            ("de_DE.UTF-8", Some("de-de")),
            ("en_US", Some("en-us")),
            ("ca_ES@valencia", Some("ca-es")),
            ("C.UTF-8", None),
            ("C", None),
            ("POSIX", None),
            ("", None),
        ];
        for (locale, want) in cases {
            let tag = Tag::of_locale(locale);
            assert_eq!(tag.as_ref().map(Tag::as_str), want, "{locale:?}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_leads_to_two_letters() {
        assert!(THREE_LETTERS.is_sorted_by(|one, other| one.0 < other.0));
        for (three, two) in THREE_LETTERS {
            assert_eq!((three.len(), two.len()), (3, 2), "{three}");
        }
    }
}
