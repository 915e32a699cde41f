//! Which variant to play, sound first: audio renditions before audio-only
//! variants before the cheapest variant with pictures. The order in the file
//! never decides between qualities.

use crate::error::{Kind, Problem};
use crate::hls::codecs;
use crate::hls::multivariant::{Multivariant, Rendition, Variant};
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
    /// Peak. For a rendition that is only stated together with pictures it is
    /// that sum, so an upper bound; 0 when nothing is stated.
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
    /// Why it cannot be played; `None` when it can, as far as the playlist says.
    pub refusal: Option<String>,
}

impl Rung {
    /// Whether the playlist says nothing against playing it.
    pub fn is_decodable(&self) -> bool {
        self.refusal.is_none()
    }

    /// What the controller reckons with: the average, else the peak.
    pub fn rate(&self) -> BitRate {
        self.average_bandwidth.unwrap_or(self.bandwidth)
    }
}

/// The kinds of streams with sound, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Audio renditions with playlists of their own.
    Renditions,
    /// Variants without pictures.
    AudioOnly,
    /// Variants with pictures: their sound is picked out.
    Muxed,
}

/// The streams of the best tier that has one we can play, by ascending bandwidth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Everything that is listed; `rungs[n].id == n`. Never empty.
    pub rungs: Vec<Rung>,
    /// What they are.
    pub tier: Tier,
}

impl Ladder {
    /// The ladder of a multivariant playlist. `languages` are the user's, best
    /// first; without a match DEFAULT decides, then AUTOSELECT.
    ///
    /// # Errors
    ///
    /// As [`Location::join`], for a variant whose address is no URL.
    pub fn of(playlist: &Multivariant, languages: &[String]) -> Result<Self, Problem> {
        let tiers = [
            (Tier::Renditions, renditions(playlist, languages)?),
            (
                Tier::AudioOnly,
                variants(playlist, |variant| !has_picture(variant))?,
            ),
            (Tier::Muxed, variants(playlist, has_picture)?),
        ];
        let playable = |(_, rungs): &&(Tier, Vec<Rung>)| rungs.iter().any(Rung::is_decodable);
        let (tier, rungs) = tiers
            .iter()
            .find(playable)
            .or_else(|| tiers.iter().find(|(_, rungs)| !rungs.is_empty()))
            .ok_or_else(|| nothing_to_play("it lists no variant"))?;
        let mut rungs = rungs.clone();
        rungs.sort_by_key(|rung| (rung.bandwidth, rung.average_bandwidth));
        for (id, rung) in rungs.iter_mut().enumerate() {
            rung.id = id;
        }
        Ok(Self { rungs, tier: *tier })
    }

    /// The ladder of a media playlist that was opened without a multivariant one.
    pub fn single(location: Location) -> Self {
        let rung = Rung {
            id: 0,
            location,
            bandwidth: BitRate(0),
            average_bandwidth: None,
            codecs: None,
            name: None,
            language: None,
            channels: None,
            refusal: None,
        };
        Self {
            rungs: vec![rung],
            tier: Tier::AudioOnly,
        }
    }

    /// The rungs that `auto`, `best` and `worst` may use, ascending: each
    /// bandwidth once, and of variants with pictures only the cheapest, as their
    /// bandwidth says nothing about their sound.
    pub fn adaptive(&self) -> Vec<usize> {
        let decodable = self.rungs.iter().filter(|rung| rung.is_decodable());
        let mut ids: Vec<usize> = decodable.map(|rung| rung.id).collect();
        ids.dedup_by_key(|id| self.rungs[*id].bandwidth);
        if self.tier == Tier::Muxed {
            ids.truncate(1);
        }
        ids
    }
}

fn has_picture(variant: &Variant) -> bool {
    variant.has_resolution || codecs::has_picture(&variant.codecs)
}

/// One rung for each audio group that variants use and that has playlists of
/// its own.
fn renditions(playlist: &Multivariant, languages: &[String]) -> Result<Vec<Rung>, Problem> {
    let mut groups: Vec<&str> = Vec::new();
    let mut rungs = Vec::new();
    for group in playlist.renditions.iter().map(|one| one.group.as_str()) {
        if groups.contains(&group) {
            continue;
        }
        groups.push(group);
        let Some((rendition, uri)) = preferred(playlist, group, languages) else {
            continue;
        };
        if let Some(variant) = cheapest_with(playlist, group) {
            rungs.push(Rung {
                name: Some(rendition.name.clone()),
                language: rendition.language.clone(),
                channels: rendition.channels,
                ..rung(playlist, uri, variant)?
            });
        }
    }
    Ok(rungs)
}

/// The rendition of `group` to play, if it has a playlist of its own.
fn preferred<'a>(
    playlist: &'a Multivariant,
    group: &str,
    languages: &[String],
) -> Option<(&'a Rendition, &'a str)> {
    let members = playlist.renditions.iter().filter(|one| one.group == group);
    let rendition = members.min_by_key(|one| {
        let wanted = languages.iter().position(|tag| speaks(one, tag));
        (
            wanted.unwrap_or(usize::MAX),
            !one.is_default,
            one.describes_video,
            !one.is_autoselect,
        )
    })?;
    Some((rendition, rendition.uri.as_deref()?))
}

/// `en` is spoken by `en` and by `en-US` (RFC 4647 basic filtering).
fn speaks(rendition: &Rendition, tag: &str) -> bool {
    let language = rendition.language.as_deref().unwrap_or_default();
    let Some((head, rest)) = language.split_at_checked(tag.len()) else {
        return false;
    };
    head.eq_ignore_ascii_case(tag) && (rest.is_empty() || rest.starts_with('-'))
}

/// The variant that tells most about the sound of `group`: one without
/// pictures, else the one with the least of them.
fn cheapest_with<'a>(playlist: &'a Multivariant, group: &str) -> Option<&'a Variant> {
    let users = playlist
        .variants
        .iter()
        .filter(|one| one.audio.as_deref() == Some(group));
    users.min_by_key(|one| (has_picture(one), one.bandwidth))
}

fn variants(
    playlist: &Multivariant,
    wanted: impl Fn(&Variant) -> bool,
) -> Result<Vec<Rung>, Problem> {
    let wanted = playlist.variants.iter().filter(|variant| wanted(variant));
    wanted
        .map(|variant| rung(playlist, &variant.uri, variant))
        .collect()
}

fn rung(playlist: &Multivariant, uri: &str, variant: &Variant) -> Result<Rung, Problem> {
    Ok(Rung {
        id: 0,
        location: playlist.location(uri)?,
        bandwidth: variant.bandwidth,
        average_bandwidth: variant.average_bandwidth,
        codecs: codecs::sound(&variant.codecs),
        name: None,
        language: None,
        channels: None,
        refusal: codecs::refusal(&variant.codecs),
    })
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
mod tests {
    use super::*;
    use crate::hls::playlist::{Playlist, parse};

    fn playlist(text: &str) -> Multivariant {
        let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
        let body = format!("#EXTM3U\n{text}");
        match parse(body.as_bytes(), &base).expect("a playlist").playlist {
            Playlist::Multivariant(playlist) => playlist,
            Playlist::Media(_) => panic!("a list of segments"),
        }
    }

    fn ladder(text: &str) -> Ladder {
        Ladder::of(&playlist(text), &[]).expect("a ladder")
    }

    /// Every rung as `name@kilobits`, with `!` when it cannot be decoded.
    fn shown(ladder: &Ladder) -> String {
        let rung = |rung: &Rung| {
            let url = rung.location.to_string();
            let mark = if rung.is_decodable() { "" } else { "!" };
            let name = url.trim_start_matches("https://h/a/");
            format!("{mark}{name}@{}", rung.bandwidth.kilobits())
        };
        let rungs: Vec<String> = ladder.rungs.iter().map(rung).collect();
        format!("{:?}: {}", ladder.tier, rungs.join(" "))
    }

    const AAC: &str = "CODECS=\"mp4a.40.2\"";
    const FILM: &str = "CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360";

    #[test]
    fn the_ladder_is_of_sound_in_the_best_form_there_is() {
        let stream = |rest: &str, uri: &str| format!("#EXT-X-STREAM-INF:{rest}\n{uri}\n");
        let media = |rest: &str| format!("#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"x\",{rest}\n");
        let cases = [
            (
                "audio only, in no order, one with a codec of others",
                stream(&format!("BANDWIDTH=256000,{AAC}"), "b")
                    + &stream("BANDWIDTH=900000,CODECS=\"ec-3\"", "d")
                    + &stream("BANDWIDTH=500000,CODECS=\"fLaC\"", "c")
                    + &stream(&format!("BANDWIDTH=64000,{AAC}"), "a"),
                "AudioOnly: a@64 b@256 c@500 !d@900",
            ),
            (
                "renditions of two qualities before everything else",
                media("GROUP-ID=\"hi\",URI=\"hi\"")
                    + &media("GROUP-ID=\"lo\",URI=\"lo\"")
                    + &stream(&format!("BANDWIDTH=2000000,{FILM},AUDIO=\"hi\""), "v2")
                    + &stream(&format!("BANDWIDTH=800000,{FILM},AUDIO=\"lo\""), "v1")
                    + &stream(&format!("BANDWIDTH=70000,{AAC},AUDIO=\"lo\""), "a"),
                "Renditions: lo@70 hi@2000",
            ),
            (
                "renditions we cannot decode give way to a variant without pictures",
                media("GROUP-ID=\"g\",URI=\"g\"")
                    + &stream("BANDWIDTH=9000,CODECS=\"avc1.1,ac-3\",AUDIO=\"g\"", "v")
                    + &stream(&format!("BANDWIDTH=64000,{AAC}"), "a"),
                "AudioOnly: a@64",
            ),
            (
                "sound inside of the variants",
                media("GROUP-ID=\"g\",DEFAULT=YES")
                    + &stream(&format!("BANDWIDTH=900000,{FILM},AUDIO=\"g\""), "b")
                    + &stream(&format!("BANDWIDTH=300000,{FILM},AUDIO=\"g\""), "a")
                    + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n",
                "Muxed: a@300 b@900",
            ),
            (
                "nothing to hear is still listed",
                stream("BANDWIDTH=900000,CODECS=\"avc1.4d401e\"", "v"),
                "Muxed: !v@900",
            ),
            (
                "nothing stated",
                stream("BANDWIDTH=2", "b") + &stream("BANDWIDTH=1", "a"),
                "AudioOnly: a@0 b@0",
            ),
        ];
        for (case, text, want) in cases {
            assert_eq!(shown(&ladder(&text)), want, "{case}");
        }
    }

    const FOUR: &str = "\
#EXT-X-STREAM-INF:BANDWIDTH=283750,AVERAGE-BANDWIDTH=257955,CODECS=\"mp4a.40.2\"
v256
#EXT-X-STREAM-INF:BANDWIDTH=72691,AVERAGE-BANDWIDTH=66083,CODECS=\"mp4a.40.2\"
v64
#EXT-X-STREAM-INF:BANDWIDTH=1500000,CODECS=\"ec-3\"
vec3
#EXT-X-STREAM-INF:BANDWIDTH=142916,AVERAGE-BANDWIDTH=129924,CODECS=\"mp4a.40.2\"
v128
#EXT-X-STREAM-INF:BANDWIDTH=1176646,AVERAGE-BANDWIDTH=1069679,CODECS=\"fLaC\"
vflac
";

    #[test]
    fn of_redundant_variants_the_first_is_the_first_choice() {
        let stream = |uri: &str| format!("#EXT-X-STREAM-INF:BANDWIDTH=64000,{AAC}\n{uri}\n");
        let ladder = ladder(&(stream("main") + &stream("spare")));
        assert_eq!(shown(&ladder), "AudioOnly: main@64 spare@64");
        assert_eq!(ladder.adaptive(), [0]);
    }

    #[test]
    fn the_rendition_follows_the_language_then_the_publisher() {
        let rendition = |name: &str, language: &str, more: &str| {
            format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"{name}\",\
                 LANGUAGE=\"{language}\",URI=\"{name}\"{more}\n"
            )
        };
        let described = ",AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\"";
        let text = rendition("fr", "fr", "")
            + &rendition("described", "es", described)
            + &rendition("us", "en-US", ",AUTOSELECT=YES")
            + &rendition("de", "de", ",DEFAULT=YES,CHANNELS=\"6/JOC\"")
            + &format!("#EXT-X-STREAM-INF:BANDWIDTH=1,{FILM},AUDIO=\"g\"\nv\n");
        let playlist = playlist(&text);
        let cases: [(&[&str], &str); 5] = [
            (&[], "de"),
            (&["en"], "us"),
            (&["e"], "de"),
            (&["it", "FR"], "fr"),
            (&["es"], "described"),
        ];
        for (languages, want) in cases {
            let tags: Vec<String> = languages.iter().map(|&tag| tag.to_owned()).collect();
            let ladder = Ladder::of(&playlist, &tags).expect("a ladder");
            assert_eq!(ladder.rungs[0].name.as_deref(), Some(want), "{languages:?}");
        }
        assert_eq!(playlist.renditions[3].channels, Some(6));
    }

    #[test]
    fn the_order_in_the_file_decides_nothing() {
        let want = ladder(FOUR);
        let lines: Vec<&str> = FOUR.lines().collect();
        for rotation in 0..5 {
            let mut pairs: Vec<&[&str]> = lines.chunks(2).collect();
            pairs.rotate_left(rotation);
            let text = pairs.concat().join("\n");
            assert_eq!(ladder(&text), want, "rotated by {rotation}");
        }
    }
}
