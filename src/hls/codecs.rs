//! The CODECS attribute (RFC 6381): which of its entries are sound, and which
//! of those are decoded here. What is unknown is tried, not refused.

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
const SOUND_UNDECODED: [&str; 11] = [
    "ac-3", "ec-3", "ac-4", "dtsc", "dtsh", "dtsl", "dtse", "dtsx", "mhm1", "mha1", "iamf",
];

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

/// Why a stream with these CODECS cannot be played; `None` when it can, or when
/// only trying will tell.
pub fn refusal(codecs: &[String]) -> Option<String> {
    let has = |wanted| codecs.iter().any(|codec| judge(codec) == wanted);
    if codecs.is_empty() || has(Entry::Decoded) || has(Entry::Unknown) {
        return None;
    }
    let undecoded = codecs.iter().find(|codec| judge(codec) == Entry::Undecoded);
    Some(match undecoded {
        Some(codec) => format!("the codec {} is not supported", text::safe(codec)),
        None => "there is no sound in it".to_owned(),
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
            ("ec-3,avc1.4d401e", Some("the codec ec-3 is not supported")),
            ("mp4a.40.42", Some("the codec mp4a.40.42 is not supported")),
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
}
