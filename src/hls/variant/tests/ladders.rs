//! Ladders of radios, films and codecs.

use super::*;

#[test]
fn radios_are_ladders_of_variants_without_pictures() {
    check([
        case(
            "in no order, one with a codec of others",
            sound(256, "b")
                + &of_codec(900, "ec-3", "d")
                + &of_codec(500, "fLaC", "c")
                + &sound(64, "a"),
            "audio_only: a@64 b@256 c@500 !d@900",
        ),
        case(
            "nothing stated but the bandwidth",
            variant("BANDWIDTH=128000", "b") + &variant("BANDWIDTH=64000", "a"),
            "audio_only: a@64 b@128",
        ),
        case(
            "nothing stated at all: no qualities, so no ladder, but numbers to choose by",
            variant("PROGRAM-ID=1", "a") + &variant("PROGRAM-ID=1", "b"),
            "audio_only: a@0 -b@0",
        ),
        case(
            "a rendition that lies inside of each variant",
            rendition("g", "radio", ",DEFAULT=YES,INSIDE")
                + &variant(&format!("BANDWIDTH=128000,{AAC},AUDIO=\"g\""), "b")
                + &variant(&format!("BANDWIDTH=64000,{AAC},AUDIO=\"g\""), "a"),
            "audio_only: a@64 b@128",
        ),
        case(
            "each quality with a group whose rendition is the variant itself",
            rendition("lo", "a", "")
                + &rendition("hi", "b", "")
                + &variant(&format!("BANDWIDTH=128000,{AAC},AUDIO=\"hi\""), "b")
                + &variant(&format!("BANDWIDTH=64000,{AAC},AUDIO=\"lo\""), "a"),
            "renditions: a@64 b@128",
        ),
        case(
            "one group for all qualities, whose rendition is one of the variants",
            rendition("g", "b", "")
                + &variant(&format!("BANDWIDTH=256000,{AAC},AUDIO=\"g\""), "c")
                + &variant(&format!("BANDWIDTH=128000,{AAC},AUDIO=\"g\""), "b")
                + &variant(&format!("BANDWIDTH=64000,{AAC},AUDIO=\"g\""), "a"),
            "renditions: a@64 b@128 c@256",
        ),
        case(
            "two codecs at one bandwidth",
            of_codec(128, "opus", "b") + &sound(64, "a") + &of_codec(128, "mp4a.40.5", "c"),
            "audio_only: a@64 b@128 -c@128",
        ),
        case(
            "a variant of each language, its rendition inside",
            rendition("en", "english", ",LANGUAGE=\"en\",DEFAULT=YES,INSIDE")
                + &rendition("de", "deutsch", ",LANGUAGE=\"de\",INSIDE")
                + &variant(&format!("BANDWIDTH=64000,{AAC},AUDIO=\"de\""), "d")
                + &variant(&format!("BANDWIDTH=128000,{AAC},AUDIO=\"en\""), "e"),
            "audio_only: e@128",
        ),
    ]);
}

#[test]
fn films_are_heard_without_their_pictures() {
    check([
        case(
            "the classic: a variant without pictures at the bottom",
            film(2000, "", "v2").replace(",AUDIO=\"\"", "")
                + &film(800, "", "v1").replace(",AUDIO=\"\"", "")
                + &sound(64, "a"),
            "audio_only: a@64",
        ),
        case(
            "the same, where the bottom states nothing",
            variant("BANDWIDTH=800000,RESOLUTION=640x360", "v") + &variant("BANDWIDTH=64000", "a"),
            "audio_only: a@64",
        ),
        case(
            "pictures told by other attributes",
            variant("BANDWIDTH=800000,FRAME-RATE=25", "v")
                + &variant("BANDWIDTH=700000,VIDEO-RANGE=SDR", "w")
                + &variant("BANDWIDTH=64000,RESOLUTION=0x0", "a"),
            "audio_only: a@64",
        ),
        case(
            "one group for all pictures",
            rendition("g", "en", ",DEFAULT=YES")
                + &film(2000, "g", "v2")
                + &film(800, "g", "v1")
                + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,URI=\"i\"\n",
            "renditions: en@800",
        ),
        case(
            "renditions of two qualities before everything else",
            rendition("hi", "hi", "")
                + &rendition("lo", "lo", "")
                + &film(2000, "hi", "v2")
                + &film(800, "lo", "v1")
                + &variant(&format!("BANDWIDTH=70000,{AAC},AUDIO=\"lo\""), "a"),
            "renditions: lo@70 hi@2000",
        ),
        case(
            "every picture with every quality of the sound",
            rendition("hi", "hi", "")
                + &rendition("lo", "lo", "")
                + &film(2200, "hi", "v2")
                + &film(1000, "hi", "v1")
                + &film(2064, "lo", "v2")
                + &film(864, "lo", "v1"),
            "renditions: lo@864 hi@1000",
        ),
        case(
            "a group for each picture, but always the same sound",
            rendition("g1", "en", "")
                + &rendition("g2", "en", "")
                + &film(800, "g1", "v1")
                + &film(2000, "g2", "v2"),
            "renditions: en@800",
        ),
        case(
            "only the picture is named",
            rendition("g", "en", "")
                + &variant("BANDWIDTH=800000,CODECS=\"avc1.4d401e\",AUDIO=\"g\"", "v"),
            "renditions: en@800",
        ),
        case(
            "sound inside of the variants",
            rendition("g", "en", ",DEFAULT=YES,INSIDE")
                + &film(900, "g", "b")
                + &film(300, "g", "a")
                + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n",
            "muxed: a@300 -b@900",
        ),
        case(
            "nothing to hear is still listed",
            of_codec(900, "avc1.4d401e", "v"),
            "muxed: !v@900",
        ),
        case(
            "a group that is not there",
            film(900, "gone", "v") + &sound(64, "a"),
            "audio_only: a@64",
        ),
        case(
            "a group that nobody uses",
            rendition("g", "x", "") + &sound(64, "a"),
            "audio_only: a@64",
        ),
        case(
            "an address that is none",
            sound(64, "http://[") + &sound(128, "b"),
            "audio_only: b@128",
        ),
    ]);
}

/// Apple's example of a film with three kinds of sound.
fn advanced() -> String {
    let mut text = rendition("aac", "a2", ",LANGUAGE=\"en\",DEFAULT=YES,CHANNELS=\"2\"")
        + &rendition("ac3", "a6", ",LANGUAGE=\"en\",DEFAULT=YES,CHANNELS=\"6\"")
        + &rendition("ec3", "e6", ",LANGUAGE=\"en\",DEFAULT=YES,CHANNELS=\"6\"");
    for (group, codec, more) in [
        ("ec3", "ec-3", 320),
        ("ac3", "ac-3", 384),
        ("aac", "mp4a.40.2", 128),
    ] {
        for picture in [600, 5000] {
            let rate = picture + more;
            let attributes = format!(
                "BANDWIDTH={rate}000,CODECS=\"avc1.640020,{codec}\",RESOLUTION=960x540,AUDIO=\"{group}\""
            );
            text += &variant(&attributes, &format!("v{picture}"));
        }
    }
    text
}

#[test]
fn codecs_and_channels_that_are_not_for_us_are_left_to_others() {
    let group = |name: &str, channels: u32| {
        let attributes = format!(",LANGUAGE=\"en\",CHANNELS=\"{channels}\"");
        rendition(name, name, &attributes)
    };
    check([
        case(
            "Apple's film",
            advanced(),
            "renditions: a2@728 !e6@920 !a6@984",
        ),
        case(
            "lossless beside the rest",
            rendition("aac", "aac", "")
                + &rendition("flac", "flac", "")
                + &rendition("ec3", "ec3", "")
                + &variant("BANDWIDTH=900000,CODECS=\"avc1.1,ec-3\",AUDIO=\"ec3\"", "v")
                + &variant(
                    "BANDWIDTH=1800000,CODECS=\"avc1.1,fLaC\",AUDIO=\"flac\"",
                    "v",
                )
                + &film(700, "aac", "v"),
            "renditions: aac@700 !ec3@900 flac@1800",
        ),
        case(
            "renditions we cannot decode give way to a variant without pictures",
            rendition("g", "g", "")
                + &variant("BANDWIDTH=9000,CODECS=\"avc1.1,ac-3\",AUDIO=\"g\"", "v")
                + &sound(64, "a"),
            "audio_only: a@64",
        ),
        case(
            "and that to the sound of a film",
            rendition("g", "g", "")
                + &variant("BANDWIDTH=9000,CODECS=\"avc1.1,ac-3\",AUDIO=\"g\"", "w")
                + &of_codec(96, "mp4a.40.42", "x")
                + &film(900, "", "v").replace(",AUDIO=\"\"", ""),
            "muxed: v@900",
        ),
        case(
            "stereo rather than more, also where more is first and cheaper",
            group("six", 6) + &group("two", 2) + &film(800, "six", "v") + &film(900, "two", "w"),
            "renditions: -six@800 two@900",
        ),
        case(
            "more where there is no stereo",
            group("eight", 8)
                + &group("six", 6)
                + &film(800, "eight", "v")
                + &film(900, "six", "w"),
            "renditions: -eight@800 six@900",
        ),
        Case {
            codecs: "flac,aac",
            ..case(
                "the codec asked for first",
                sound(64, "a") + &of_codec(900, "fLaC", "c") + &of_codec(96, "opus", "b"),
                "audio_only: -a@64 xb@96 c@900",
            )
        },
        Case {
            codecs: "alac,aac",
            ..case(
                "the next one, and what states none behind it",
                sound(64, "a") + &variant("BANDWIDTH=96000", "b"),
                "audio_only: a@64 -b@96",
            )
        },
        Case {
            codecs: "flac",
            ..case(
                "a codec asked for that only a later tier has",
                rendition("g", "en", "") + &film(800, "g", "v") + &of_codec(900, "fLaC", "c"),
                "audio_only: c@900",
            )
        },
    ]);
}
