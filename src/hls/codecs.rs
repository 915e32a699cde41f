//! The CODECS attribute (RFC 6381): which of its entries are sound, which of
//! those are decoded here, and what people call them. What is unknown is tried,
//! not refused.

use crate::text;

/// What one entry of CODECS means to an audio player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Sound that is decoded.
    Decoded,
    /// Sound that is not.
    Undecoded,
    /// A picture or a text.
    Silent,
    /// Never heard of.
    Unknown,
}

const PICTURES: [&str; 17] = [
    "avc1", "avc2", "avc3", "avc4", "hvc1", "hev1", "dvh1", "dvhe", "dvav", "dav1", "vp8", "vp08",
    "vp9", "vp09", "av01", "mp4v", "mjpg",
];
const TEXTS: [&str; 3] = ["wvtt", "stpp", "tx3g"];
const SOUND_DECODED: [&str; 4] = ["flac", "alac", "vorbis", "mp3"];
const SOUND_UNDECODED: [&str; 13] = [
    "ac-3", "ec-3", "ac-4", "dtsc", "dtsh", "dtsl", "dtse", "dtsx", "mha1", "mha2", "mhm1", "mhm2",
    "iamf",
];

/// What people call a codec, what they may type for it, and its entries: either
/// the whole entry or what stands before its first dot.
const NAMES: [(&str, &[&str], &[&str]); 14] = [
    (
        "AAC",
        &["aac"],
        &[
            "mp4a",
            "mp4a.40",
            "mp4a.40.1",
            "mp4a.40.2",
            "mp4a.40.02",
            "mp4a.40.3",
            "mp4a.40.4",
            "mp4a.40.5",
            "mp4a.40.05",
            "mp4a.40.29",
            "mp4a.66",
            "mp4a.67",
            "mp4a.68",
        ],
    ),
    (
        "HE-AAC",
        &["he-aac", "aac+"],
        &["mp4a.40.5", "mp4a.40.05", "mp4a.40.29"],
    ),
    (
        "MP3",
        &["mp3"],
        &[
            "mp3",
            "mp4a.40.32",
            "mp4a.40.33",
            "mp4a.40.34",
            "mp4a.69",
            "mp4a.6b",
        ],
    ),
    ("FLAC", &["flac"], &["flac"]),
    ("ALAC", &["alac"], &["alac"]),
    ("Opus", &["opus"], &["opus", "mp4a.ad"]),
    ("Vorbis", &["vorbis"], &["vorbis"]),
    ("AC-3", &["ac-3", "ac3"], &["ac-3", "mp4a.a5"]),
    ("E-AC-3", &["e-ac-3", "ec-3", "eac3"], &["ec-3", "mp4a.a6"]),
    ("AC-4", &["ac-4", "ac4"], &["ac-4"]),
    ("xHE-AAC", &["xhe-aac", "usac"], &["mp4a.40.42"]),
    (
        "DTS",
        &["dts"],
        &[
            "dtsc", "dtsh", "dtsl", "dtse", "dtsx", "mp4a.a9", "mp4a.aa", "mp4a.ab", "mp4a.ac",
        ],
    ),
    ("MPEG-H", &["mpeg-h"], &["mha1", "mha2", "mhm1", "mhm2"]),
    ("IAMF", &["iamf"], &["iamf"]),
];

/// A codec as the user names it: `flac`, `he-aac`, or an entry of CODECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish(String);

impl Wish {
    /// Reads a name or an entry; `None` for what is no sound we have heard of.
    pub fn read(text: &str) -> Option<Self> {
        let name = text.trim().to_ascii_lowercase();
        let is_name = NAMES.iter().any(|(_, typed, _)| typed.contains(&&*name));
        let is_sound = matches!(judge(&name), Entry::Decoded | Entry::Undecoded);
        (is_name || is_sound).then_some(Self(name))
    }

    /// Whether one of the entries of `list` is this codec.
    pub fn fits(&self, list: &str) -> bool {
        let named = NAMES.iter().find(|(_, typed, _)| typed.contains(&&*self.0));
        list.split(',').any(|entry| match named {
            Some((_, _, entries)) => is_among(entry, entries),
            None => is_among(entry, &[&self.0]),
        })
    }

    /// As the user typed it, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an entry, or what stands before its first dot, is one of `entries`.
fn is_among(entry: &str, entries: &[&str]) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    let family = entry.split('.').next().unwrap_or_default();
    // A family of many codecs says nothing.
    entries.contains(&&*entry) || (family != "mp4a" && entries.contains(&family))
}

/// An entry with what people call it: `ec-3 (E-AC-3)`.
fn named(entry: &str) -> String {
    let entry = text::safe(entry);
    let known = NAMES
        .iter()
        .find(|(_, _, entries)| is_among(&entry, entries));
    match known {
        Some((name, _, _)) if !entry.eq_ignore_ascii_case(name) => format!("{entry} ({name})"),
        _ => entry,
    }
}

/// Judges one entry, such as `mp4a.40.2`; letter case does not matter.
pub fn judge(codec: &str) -> Entry {
    let codec = codec.trim().to_ascii_lowercase();
    let family = codec.split('.').next().unwrap_or_default();
    if family == "mp4a" {
        return judge_mp4a(&codec);
    }
    if family == "opus" {
        return judge_opus();
    }
    let families: [(&[&str], Entry); 4] = [
        (&SOUND_DECODED, Entry::Decoded),
        (&SOUND_UNDECODED, Entry::Undecoded),
        (&PICTURES, Entry::Silent),
        (&TEXTS, Entry::Silent),
    ];
    let known = families.iter().find(|(names, _)| names.contains(&family));
    known.map_or(Entry::Unknown, |(_, entry)| *entry)
}

/// `mp4a.` with the object type of ISO 14496-1, for 40 with the audio object
/// type of ISO 14496-3.
fn judge_mp4a(codec: &str) -> Entry {
    match codec {
        // AAC-LC, HE-AAC, HE-AAC v2, MPEG-2 AAC-LC; MPEG layers I to III.
        "mp4a" | "mp4a.40" | "mp4a.40.2" | "mp4a.40.02" | "mp4a.40.5" | "mp4a.40.05"
        | "mp4a.40.29" | "mp4a.67" => Entry::Decoded,
        "mp4a.40.32" | "mp4a.40.33" | "mp4a.40.34" | "mp4a.69" | "mp4a.6b" => Entry::Decoded,
        "mp4a.ad" => judge_opus(),
        _ => Entry::Undecoded,
    }
}

fn judge_opus() -> Entry {
    if cfg!(feature = "opus") {
        Entry::Decoded
    } else {
        Entry::Undecoded
    }
}

/// Whether one of the entries is a picture.
pub fn has_picture(codecs: &[String]) -> bool {
    let family = |codec: &String| {
        codec
            .to_ascii_lowercase()
            .split('.')
            .next()
            .map(str::to_owned)
    };
    codecs
        .iter()
        .filter_map(family)
        .any(|family| PICTURES.contains(&family.as_str()))
}

/// The entries that are sound or may be, as one list.
pub fn sound(codecs: &[String]) -> Option<String> {
    let entries = codecs.iter().filter(|codec| judge(codec) != Entry::Silent);
    let list: Vec<&str> = entries.map(String::as_str).collect();
    (!list.is_empty()).then(|| list.join(","))
}

/// Why an audio rendition of a variant with these CODECS cannot be played. Some
/// publishers name only the picture there: that says nothing.
pub fn refusal_beside(codecs: &[String]) -> Option<String> {
    sound(codecs).and_then(|_| refusal(codecs))
}

/// Why a stream with these CODECS cannot be played; `None` when it can, or when
/// only trying will tell.
pub fn refusal(codecs: &[String]) -> Option<String> {
    let has = |wanted| codecs.iter().any(|codec| judge(codec) == wanted);
    if codecs.is_empty() || has(Entry::Decoded) || has(Entry::Unknown) {
        return None;
    }
    let undecoded = codecs
        .iter()
        .filter(|codec| judge(codec) == Entry::Undecoded);
    let names: Vec<String> = undecoded.map(|codec| named(codec)).collect();
    Some(match names.as_slice() {
        [] => "there is no sound in it".to_owned(),
        [name] => format!("the codec {name} is not supported"),
        names => format!("the codecs {} are not supported", names.join(" and ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_judged_by_what_we_decode() {
        let cases = [
            ("mp4a.40.2", Entry::Decoded),
            ("MP4A.40.5", Entry::Decoded),
            ("mp4a.40.29", Entry::Decoded),
            ("mp4a.40.34", Entry::Decoded),
            ("mp4a.6B", Entry::Decoded),
            ("mp4a.69", Entry::Decoded),
            ("fLaC", Entry::Decoded),
            ("alac", Entry::Decoded),
            ("vorbis", Entry::Decoded),
            ("mp4a.40.42", Entry::Undecoded),
            ("mp4a.a6", Entry::Undecoded),
            ("ac-3", Entry::Undecoded),
            ("ec-3", Entry::Undecoded),
            ("avc1.4d401e", Entry::Silent),
            ("wvtt", Entry::Silent),
            ("new1.2", Entry::Unknown),
            ("", Entry::Unknown),
        ];
        for (codec, want) in cases {
            assert_eq!(judge(codec), want, "{codec}");
        }
        assert_eq!(judge("opus") == Entry::Decoded, cfg!(feature = "opus"));
    }

    #[test]
    fn a_list_is_refused_only_when_nothing_in_it_can_be_heard() {
        let cases = [
            ("", None),
            ("mp4a.40.2,avc1.4d401e", None),
            ("ec-3,mp4a.40.2", None),
            ("xyz", None),
            ("ac-3", Some("the codec ac-3 is not supported")),
            (
                "ec-3,avc1.4d401e",
                Some("the codec ec-3 (E-AC-3) is not supported"),
            ),
            (
                "mp4a.40.42",
                Some("the codec mp4a.40.42 (xHE-AAC) is not supported"),
            ),
            (
                "avc1.4d401e,ac-3,dtsc",
                Some("the codecs ac-3 and dtsc (DTS) are not supported"),
            ),
            ("avc1.4d401e", Some("there is no sound in it")),
        ];
        for (list, want) in cases {
            let codecs: Vec<String> = list
                .split(',')
                .filter(|codec| !codec.is_empty())
                .map(str::to_owned)
                .collect();
            assert_eq!(refusal(&codecs).as_deref(), want, "{list}");
        }
    }

    #[test]
    fn a_codec_is_asked_for_by_its_name_or_its_entry() {
        let cases = [
            ("aac", "mp4a.40.2", true),
            ("aac", "mp4a.40.29", true),
            ("AAC", "MP4A.40.5", true),
            ("aac", "mp4a.40.34", false),
            ("aac", "mp4a.40.42", false),
            ("he-aac", "mp4a.40.5", true),
            ("he-aac", "mp4a.40.2", false),
            ("mp3", "mp4a.6B", true),
            ("flac", "fLaC", true),
            ("mp4a.40.2", "mp4a.40.2", true),
            ("mp4a.40.2", "mp4a.40.5", false),
            ("flac", "mp4a.40.2,fLaC", true),
            ("eac3", "ec-3", true),
            ("dts", "dtse", true),
        ];
        for (wish, list, want) in cases {
            let wish = Wish::read(wish).unwrap_or_else(|| panic!("{wish} is a codec"));
            assert_eq!(wish.fits(list), want, "{wish:?} in {list}");
        }
        for text in ["", "avc1", "h264", "loud", "wvtt"] {
            assert_eq!(Wish::read(text), None, "{text:?}");
        }
    }
}
