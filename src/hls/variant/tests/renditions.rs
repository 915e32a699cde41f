//! Ladders with several languages and several places.

use super::*;

#[test]
fn languages_are_looked_for_in_every_quality() {
    let group = |name: &str, rest: &str| {
        rendition(name, &format!("{name}-en"), ",LANGUAGE=\"en\",DEFAULT=YES")
            + &rendition(
                name,
                &format!("{name}-de"),
                &format!(",LANGUAGE=\"de\"{rest}"),
            )
    };
    let two = group("lo", "") + &group("hi", "") + &film(800, "lo", "v") + &film(2000, "hi", "w");
    let inside = rendition("g", "de", ",LANGUAGE=\"de\"")
        + &rendition("g", "en", ",LANGUAGE=\"en\",DEFAULT=YES,INSIDE")
        + &film(800, "g", "v");
    let surround = rendition("g", "en", ",LANGUAGE=\"en\",DEFAULT=YES")
        + &rendition("s", "de", ",LANGUAGE=\"de\"")
        + &variant("BANDWIDTH=900000,CODECS=\"avc1.1,ec-3\",AUDIO=\"s\"", "w")
        + &film(800, "g", "v");
    check([
        case(
            "the default in all",
            two.clone(),
            "renditions: lo-en@800 hi-en@2000",
        ),
        Case {
            languages: "deu,en",
            ..case(
                "another in all",
                two.clone(),
                "renditions: lo-de@800 hi-de@2000",
            )
        },
        Case {
            languages: "de",
            ..case(
                "one that only one quality has",
                group("lo", "")
                    + &rendition("hi", "hi-en", ",LANGUAGE=\"en\",DEFAULT=YES")
                    + &film(800, "lo", "v")
                    + &film(2000, "hi", "w"),
                "renditions: lo-de@800",
            )
        },
        case(
            "the default lies inside of the variants: pictures rather than another language",
            inside.clone(),
            "muxed: v@800",
        ),
        Case {
            languages: "de",
            ..case("another one does not", inside, "renditions: de@800")
        },
        case(
            "the same language inside and alone",
            rendition("g", "tv", ",LANGUAGE=\"en\",DEFAULT=YES,INSIDE")
                + &rendition("g", "alone", ",LANGUAGE=\"eng\",AUTOSELECT=YES")
                + &rendition("g", "comment", ",LANGUAGE=\"en\"")
                + &film(800, "g", "v"),
            "renditions: alone@800",
        ),
        Case {
            languages: "de",
            ..case(
                "one that we cannot decode is as good as none",
                surround,
                "renditions: en@800",
            )
        },
        case(
            "qualities for names, and no language",
            rendition("lo", "low", "")
                + &rendition("hi", "high", "")
                + &film(800, "lo", "v")
                + &film(2000, "hi", "w"),
            "renditions: low@800 high@2000",
        ),
    ]);
}

#[test]
fn redundant_streams_are_one_rung_in_several_places() {
    let copy = |host: &str, group: &str| {
        let name = format!("{host}/en");
        rendition(group, &name, ",LANGUAGE=\"en\",DEFAULT=YES")
            .replace(&format!("NAME=\"{name}\""), "NAME=\"en\"")
    };
    check([
        case(
            "of variants without pictures",
            sound(64, "main/a")
                + &sound(128, "main/b")
                + &sound(64, "spare/a")
                + &sound(128, "spare/b"),
            "audio_only: main/a@64+spare/a main/b@128+spare/b",
        ),
        case(
            "with pathways",
            variant(&format!("BANDWIDTH=64000,{AAC},PATHWAY-ID=\"x\""), "x/a")
                + &variant(&format!("{AAC},PATHWAY-ID=\"y\",BANDWIDTH=64000"), "y/a"),
            "audio_only: x/a@64+y/a",
        ),
        case(
            "of films, where each copy has a group of its own",
            copy("x", "gx")
                + &copy("y", "gy")
                + &film(800, "gx", "x/v")
                + &film(2000, "gx", "x/w")
                + &film(800, "gy", "y/v")
                + &film(2000, "gy", "y/w"),
            "renditions: x/en@800+y/en",
        ),
        case(
            "of one rendition, in one group",
            copy("x", "g") + &copy("y", "g") + &film(800, "g", "v"),
            "renditions: x/en@800+y/en",
        ),
        case(
            "of films with their sound inside",
            film(800, "", "x/v").replace(",AUDIO=\"\"", "")
                + &film(800, "", "y/v").replace(",AUDIO=\"\"", ""),
            "muxed: x/v@800+y/v",
        ),
        case(
            "not what only has the same bandwidth",
            sound(64, "a") + &of_codec(64, "mp4a.40.5", "b"),
            "audio_only: a@64 -b@64",
        ),
        case(
            "nor two sounds for one picture",
            rendition("lo", "lo", "")
                + &rendition("hi", "hi", "")
                + &film(800, "lo", "v")
                + &film(800, "hi", "v"),
            "renditions: lo@800 -hi@800",
        ),
        case(
            "one address, listed twice",
            sound(64, "a") + &variant(&format!("BANDWIDTH=64000,{AAC},SUBTITLES=\"x\""), "a"),
            "audio_only: a@64",
        ),
    ]);
}

#[test]
fn the_rendition_follows_the_language_then_the_publisher_then_the_locale() {
    let described =
        ",LANGUAGE=\"es\",AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\"";
    let without_default = rendition("g", "fr", ",LANGUAGE=\"fr\"")
        + &rendition("g", "described", described)
        + &rendition("g", "us", ",LANGUAGE=\"en-US\",AUTOSELECT=YES")
        + &rendition("g", "pt", ",LANGUAGE=\"por\",AUTOSELECT=YES")
        + &film(800, "g", "v");
    let with_default =
        rendition("g", "de", ",LANGUAGE=\"de\",DEFAULT=YES,CHANNELS=\"6/JOC\"") + &without_default;
    let cases = [
        (&with_default, "", "", "de"),
        (&with_default, "", "fr_FR.UTF-8", "de"),
        (&with_default, "en", "", "us"),
        (&with_default, "en-US", "", "us"),
        (&with_default, "e", "", "de"),
        (&with_default, "it,FR", "", "fr"),
        (&with_default, "es", "", "described"),
        (&with_default, "pt-BR", "", "pt"),
        (&without_default, "", "", "us"),
        (&without_default, "", "pt_BR.UTF-8", "pt"),
        (&without_default, "", "en_GB.UTF-8", "us"),
        (&without_default, "", "fr_FR.UTF-8", "us"), // no AUTOSELECT
        (&without_default, "", "es_ES.UTF-8", "us"),
        (&without_default, "", "C.UTF-8", "us"),
    ];
    for (text, languages, locale, want) in cases {
        let taste = Taste {
            locale: Tag::of_locale(locale),
            ..taste(languages, "")
        };
        let ladder = Ladder::of(&playlist(text), &taste).expect("a ladder");
        let name = ladder.rungs[0].name.as_deref();
        assert_eq!(name, Some(want), "{languages:?} {locale:?}");
    }
    assert_eq!(playlist(&with_default).renditions[0].channels, Some(6));
}
