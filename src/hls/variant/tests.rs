//! Ladders as they are published, each as one line: the tier, then every rung as
//! `uri@kilobits`, with `!` when it cannot be decoded, `-` when it is spare, `x`
//! when the user's flags leave it out, and `+uri` for each alternative.

mod ladders;
mod property;
mod renditions;

use super::*;
use crate::hls::codecs::Wish;
use crate::hls::language::Tag;
use crate::hls::playlist::{Playlist, parse};
use crate::hls::quality::{Known, Quality};
use crate::units::BitRate;

const AAC: &str = "CODECS=\"mp4a.40.2\"";
const FILM: &str = "CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360";

fn playlist(text: &str) -> Multivariant {
    let base = Location::parse("https://h/a/list.m3u8").expect("a URL");
    let body = format!("#EXTM3U\n{text}");
    match parse(body.as_bytes(), &base).expect("a playlist").playlist {
        Playlist::Multivariant(playlist) => playlist,
        Playlist::Media(_) => panic!("a list of segments"),
    }
}

/// A variant: what it states, and its address.
fn variant(attributes: &str, uri: &str) -> String {
    format!("#EXT-X-STREAM-INF:{attributes}\n{uri}\n")
}

/// An audio rendition of `group`: its name is also its address, unless it has none.
fn rendition(group: &str, name: &str, attributes: &str) -> String {
    let uri = if attributes.contains("INSIDE") {
        String::new()
    } else {
        format!(",URI=\"{name}\"")
    };
    let attributes = attributes.replace(",INSIDE", "");
    format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\"{uri}{attributes}\n")
}

fn taste(languages: &str, codecs: &str) -> Taste {
    let words = |list: &'static str| list.split(',').filter(|word| !word.is_empty());
    let (languages, codecs) = (languages.to_owned().leak(), codecs.to_owned().leak());
    Taste {
        languages: words(languages)
            .map(|tag| Tag::read(tag).expect("a tag"))
            .collect(),
        codecs: words(codecs)
            .map(|name| Wish::read(name).expect("a codec"))
            .collect(),
        locale: None,
    }
}

fn ladder(text: &str) -> Ladder {
    Ladder::of(&playlist(text), &Taste::default()).expect("a ladder")
}

fn name(place: &Location) -> String {
    place
        .to_string()
        .trim_start_matches("https://h/a/")
        .to_owned()
}

fn shown(ladder: &Ladder) -> String {
    let rung = |rung: &Rung| {
        let mark = match rung.standing {
            Standing::Wanted => "",
            Standing::Spare(_) => "-",
            Standing::Excluded(_) => "x",
            Standing::Refused(_) => "!",
        };
        let copies: String = rung
            .alternatives
            .iter()
            .map(|place| format!("+{}", name(place)))
            .collect();
        let place = name(&rung.location);
        format!(" {mark}{place}@{}{copies}", rung.bandwidth.kilobits())
    };
    let rungs: String = ladder.rungs.iter().map(rung).collect();
    format!("{}:{rungs}", ladder.tier.name())
}

/// What is published, what the user likes, and what is made of it.
struct Case {
    name: &'static str,
    text: String,
    languages: &'static str,
    codecs: &'static str,
    want: &'static str,
}

fn case(name: &'static str, text: String, want: &'static str) -> Case {
    Case {
        name,
        text,
        languages: "",
        codecs: "",
        want,
    }
}

fn check(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let taste = taste(case.languages, case.codecs);
        let ladder = Ladder::of(&playlist(&case.text), &taste).expect(case.name);
        assert_eq!(shown(&ladder), case.want, "{}", case.name);
    }
}

/// A film in AAC whose sound is in `group`.
fn film(kilobits: u32, group: &str, uri: &str) -> String {
    let attributes = format!("BANDWIDTH={kilobits}000,{FILM},AUDIO=\"{group}\"");
    variant(&attributes, uri)
}

/// A variant without pictures.
fn sound(kilobits: u32, uri: &str) -> String {
    variant(&format!("BANDWIDTH={kilobits}000,{AAC}"), uri)
}

fn of_codec(kilobits: u32, codec: &str, uri: &str) -> String {
    variant(&format!("BANDWIDTH={kilobits}000,CODECS=\"{codec}\""), uri)
}

#[test]
fn of_places_the_one_that_answered_becomes_the_first() {
    let mut ladder = ladder(&(variant("BANDWIDTH=64000", "a") + &variant("BANDWIDTH=64000", "b")));
    assert_eq!(shown(&ladder), "audio_only: a@64+b");
    let other = ladder.rungs[0].alternatives[0].clone();
    ladder.rungs[0].prefer(&other);
    assert_eq!(shown(&ladder), "audio_only: b@64+a");
    ladder.rungs[0].prefer(&other);
    assert_eq!(shown(&ladder), "audio_only: b@64+a");
}

#[test]
fn what_could_not_be_had_is_left_out_of_the_adaptive_ones() {
    let of = |rate: u32, uri: &str| variant(&format!("BANDWIDTH={rate}000"), uri);
    let mut ladder = ladder(&(of(64, "a") + &of(128, "b") + &of(256, "c") + &of(256, "d")));
    assert_eq!(shown(&ladder), "audio_only: a@64 b@128 c@256+d");
    ladder.settle(1, &[2]);
    assert_eq!(shown(&ladder), "audio_only: a@64 b@128 -c@256+d");
    assert_eq!((ladder.adaptive(), ladder.spares()), (vec![0, 1], vec![2]));
}

#[test]
fn why_these_and_no_others_is_explained() {
    let film = |uri: &str| variant(&format!("BANDWIDTH=900000,{FILM},AUDIO=\"g\""), uri);
    let lossy = variant(&format!("BANDWIDTH=64000,{AAC}"), "a");
    let surround = variant("BANDWIDTH=900000,CODECS=\"avc1.1,ec-3\",AUDIO=\"g\"", "v");
    let cases = [
        (
            rendition("g", "en", "") + &film("v1") + &film("v2"),
            "audio renditions: preferred over 2 variants with pictures",
        ),
        (
            rendition("g", "en", "") + &variant("BANDWIDTH=64000,AUDIO=\"g\"", "a"),
            "audio renditions: they are what the variants play",
        ),
        (
            film("v1").replace(",AUDIO=\"g\"", "") + &lossy,
            "variants without pictures: preferred over 1 variant with pictures",
        ),
        (
            lossy.clone(),
            "variants without pictures: there is nothing else",
        ),
        (
            rendition("g", "en", "") + &surround + &lossy,
            "variants without pictures: no audio rendition will do: the codec ec-3 (E-AC-3) is not supported",
        ),
        (
            film("v1").replace(",AUDIO=\"g\"", ""),
            "variants with pictures: the sound cannot be had alone",
        ),
        (
            film("v1").replace(",AUDIO=\"g\"", "") + &variant("BANDWIDTH=1,CODECS=\"ac-4\"", "a"),
            "variants with pictures: none of those without pictures will do",
        ),
    ];
    for (text, want) in cases {
        let ladder = ladder(&text);
        assert_eq!(format!("{}: {}", ladder.tier, ladder.why), want, "{text}");
    }
}

#[test]
fn a_language_that_is_not_there_is_a_warning_with_those_that_are() {
    let film = variant(&format!("BANDWIDTH=9,{FILM},AUDIO=\"g\""), "v");
    let two = rendition("g", "en", ",LANGUAGE=\"en\",DEFAULT=YES")
        + &rendition("g", "fr", ",LANGUAGE=\"fr\"");
    let cases = [
        (two.clone(), "de,it", Some("it offers en, fr")),
        (two.clone(), "de,fr", None),
        (two, "", None),
        (rendition("g", "x", ""), "de", Some("it names no language")),
    ];
    for (text, languages, want) in cases {
        let playlist = playlist(&(text + &film));
        let ladder = Ladder::of(&playlist, &taste(languages, "")).expect("a ladder");
        let why = ladder.missed.as_ref().map(|problem| problem.why.as_str());
        assert_eq!(why, want, "{languages:?}");
        assert_eq!(
            ladder.adaptive().len(),
            1,
            "{languages:?}: the default is played"
        );
    }
}

#[test]
fn what_cannot_be_chosen_is_named() {
    let three = variant(&format!("BANDWIDTH=64000,{AAC}"), "a")
        + &variant("BANDWIDTH=128000,CODECS=\"fLaC\"", "b")
        + &variant("BANDWIDTH=256000,CODECS=\"ec-3\"", "c");
    let surround = variant("BANDWIDTH=1,CODECS=\"avc1.1,ac-3\"", "a")
        + &variant("BANDWIDTH=2,CODECS=\"avc1.1,mp4a.40.42\"", "b")
        + &variant("BANDWIDTH=3,CODECS=\"avc1.1\"", "c");
    let cases = [
        (
            surround,
            "",
            "the codec ac-3 is not supported, the codec mp4a.40.42 (xHE-AAC) is not supported, there is no sound in it",
        ),
        (
            three.clone(),
            "ec-3",
            "the codec ec-3 (E-AC-3) is not supported",
        ),
        (
            three,
            "opus",
            "it has none of the codecs asked for but mp4a.40.2, fLaC, ec-3",
        ),
        (
            variant("BANDWIDTH=1,CODECS=\"avc1.1\"", "v"),
            "",
            "there is no sound in it",
        ),
    ];
    for (text, codecs, want) in cases {
        let ladder = Ladder::of(&playlist(&text), &taste("", codecs)).expect("a ladder");
        for quality in [Quality::Auto, Quality::Best, Quality::AtMost(BitRate(1))] {
            let problem = ladder.choose(&quality, Known::default()).expect_err(want);
            assert_eq!(problem.kind, Kind::Unsupported, "{text}");
            assert_eq!(problem.why, want, "{text}");
        }
    }
}
