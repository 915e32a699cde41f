//! Which of the streams of a playlist is played, and what is fetched for it. One
//! story for each row of the multivariant table (HLS.md M1 to M12, K9).

mod failover;

use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{expected_of, stage};

const MASTER: &str = "/list/master.m3u8";
const AAC: &str = "CODECS=\"mp4a.40.2\"";
const FILM: &str = "CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360";

/// A variant: what it states, and its address.
fn variant(attributes: &str, uri: &str) -> String {
    format!("#EXT-X-STREAM-INF:{attributes}\n{uri}\n")
}

/// An audio rendition.
fn rendition(group: &str, name: &str, attributes: &str) -> String {
    format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\"{attributes}\n")
}

/// An origin that serves `tags` as a multivariant playlist; `/hls/` beside it
/// has the fixtures, everything else is not there.
fn list(tags: &str) -> (Origin, Sandbox, String) {
    let (origin, sandbox) = stage();
    serve(&origin, tags);
    let url = origin.url(MASTER);
    (origin, sandbox, url)
}

fn serve(origin: &Origin, tags: &str) {
    let text = format!("#EXTM3U\n{tags}");
    origin.serve(MASTER, "application/vnd.apple.mpegurl", text.into_bytes());
}

/// The media playlists asked for since the last look, in order.
fn playlists(origin: &Origin) -> Vec<String> {
    let log = origin.log();
    origin.clear_log();
    let paths = log.into_iter().map(|request| request.path);
    paths
        .filter(|path| path.ends_with(".m3u8") && path != MASTER)
        .collect()
}

/// Dumps with nothing of an earlier run in the cache.
fn dump(sandbox: &Sandbox, url: &str, arguments: &[&str]) {
    let fixed = ["dump", url, "-o", "x.wav", "-f", "--no-cache"];
    sandbox.kithara(fixed.iter().chain(arguments)).run();
}

fn is_sound_of(sandbox: &Sandbox, fixture: &str) {
    expected_of(fixture).check(&Sound::open(&sandbox.path("x.wav")));
}

fn info(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Value {
    let fixed = ["info", url, "--json"];
    let run = sandbox.kithara(fixed.iter().chain(arguments));
    run.prints().run().json()
}

/// A film whose sound is in two qualities and lies alone.
fn film() -> String {
    rendition("lo", "en", ",URI=\"../hls/aac64.m3u8\"")
        + &rendition("hi", "en", ",URI=\"../hls/aac128.m3u8\"")
        + &variant(&format!("BANDWIDTH=900000,{FILM},AUDIO=\"lo\""), "v1.m3u8")
        + &variant(&format!("BANDWIDTH=2000000,{FILM},AUDIO=\"hi\""), "v2.m3u8")
        + "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"i.m3u8\"\n"
}

#[test]
fn m1_a_ceiling_is_on_the_peak_and_auto_reckons_with_the_average() {
    let (origin, sandbox, url) = list(
        &(variant(
            &format!("BANDWIDTH=300000,AVERAGE-BANDWIDTH=120000,{AAC}"),
            "../hls/aac128.m3u8",
        ) + &variant(
            &format!("BANDWIDTH=150000,AVERAGE-BANDWIDTH=66000,{AAC}"),
            "../hls/aac64.m3u8",
        )),
    );
    for (quality, want) in [
        ("<=299k", "aac64"),
        ("<=300k", "aac128"),
        ("auto", "aac128"),
    ] {
        let chosen = info(&sandbox, &url, &["-Q", quality, "--refresh"]);
        let want = format!("/hls/{want}.m3u8");
        assert_eq!(playlists(&origin), [want], "{quality}: {chosen}");
    }
}

#[test]
fn m2_what_cannot_be_decoded_is_dropped_before_anything_of_it_is_fetched() {
    let (origin, sandbox, url) = list(
        &(variant("BANDWIDTH=900000,CODECS=\"ec-3\"", "e.m3u8")
            + &variant(&format!("BANDWIDTH=64000,{AAC}"), "../hls/aac64.m3u8")
            + &variant("BANDWIDTH=900001,CODECS=\"mp4a.40.42\"", "x.m3u8")),
    );
    dump(&sandbox, &url, &["-Q", "best"]);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    assert_eq!(playlists(&origin), ["/hls/aac64.m3u8"]);
}

#[test]
fn m2_a_stream_without_anything_for_us_is_exit_5_by_name_after_one_request() {
    let cases: [(&str, &[&str]); 5] = [
        ("ac-3", &["ac-3"]),
        ("avc1.4d401e,ec-3", &["ec-3", "E-AC-3"]),
        ("mp4a.40.42", &["xHE-AAC"]),
        ("dtsc", &["DTS"]),
        ("avc1.4d401e", &["no sound"]),
    ];
    for (codecs, words) in cases {
        let (origin, sandbox, url) = list(&variant(
            &format!("BANDWIDTH=64000,CODECS=\"{codecs}\""),
            "../hls/aac64.m3u8",
        ));
        for command in [
            &["play", "--ao", "null"][..],
            &["dump", "-o", "x.wav"],
            &["cache"],
            &["stats"],
        ] {
            let arguments = command.iter().copied().chain([url.as_str()]);
            let run = sandbox.kithara(arguments).fails(5, words);
            let run = match command {
                ["stats"] => run.prints().run(), // what was measured until then
                _ => run.run(),
            };
            assert!(run.elapsed.as_millis() < 1_000, "{:?}", run.elapsed);
            assert_eq!(playlists(&origin), [""; 0], "{codecs}");
        }
        let described = info(&sandbox, &url, &[]);
        assert_eq!(described["decodable"], false, "{described}");
        let reason = described["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words[0]), "{described}");
    }
}

#[test]
fn m2_what_states_no_codec_is_tried() {
    let (origin, sandbox, url) = list(&variant("BANDWIDTH=64000", "../hls/flac.m3u8"));
    dump(&sandbox, &url, &[]);
    is_sound_of(&sandbox, "hls/flac.m3u8");
    assert_eq!(playlists(&origin), ["/hls/flac.m3u8"]);
}

#[test]
fn m3_no_byte_of_video_is_fetched_when_the_sound_can_be_had_alone() {
    let bottom = variant(&format!("BANDWIDTH=64000,{AAC}"), "../hls/aac64.m3u8");
    let pictures = variant(&format!("BANDWIDTH=900000,{FILM}"), "v1.m3u8");
    let muxed = variant(&format!("BANDWIDTH=2000000,{FILM}"), "../hls/aac128.m3u8")
        + &variant(&format!("BANDWIDTH=900000,{FILM}"), "../hls/aac64.m3u8");
    let cases = [
        (film(), "/hls/aac128.m3u8", "renditions"),
        (pictures + &bottom, "/hls/aac64.m3u8", "audio_only"),
        (muxed, "/hls/aac64.m3u8", "muxed"),
    ];
    for (tags, want, tier) in cases {
        let (origin, sandbox, url) = list(&tags);
        dump(&sandbox, &url, &["-Q", "best"]);
        is_sound_of(&sandbox, want.trim_start_matches('/'));
        let log = origin.log();
        let others = log.iter().filter(|one| {
            one.path != MASTER && !one.path.starts_with(want.trim_end_matches(".m3u8"))
        });
        assert_eq!(others.count(), 0, "{tier}: {log:?}");
        assert_eq!(info(&sandbox, &url, &[])["tier"], tier);
    }
}

#[test]
fn m4_a_rendition_without_an_address_is_inside_of_its_variants() {
    let (origin, sandbox, url) = list(
        &(rendition("g", "en", ",LANGUAGE=\"en\",DEFAULT=YES")
            + &rendition("g", "de", ",LANGUAGE=\"de\",URI=\"../hls/flac.m3u8\"")
            + &variant(&format!("BANDWIDTH=2000000,{FILM},AUDIO=\"g\""), "v2.m3u8")
            + &variant(
                &format!("BANDWIDTH=900000,{FILM},AUDIO=\"g\""),
                "../hls/aac64.m3u8",
            )),
    );
    for (arguments, want) in [
        (&[][..], "hls/aac64.m3u8"),
        (&["--language", "de"], "hls/flac.m3u8"),
    ] {
        dump(&sandbox, &url, arguments);
        is_sound_of(&sandbox, want);
        assert_eq!(playlists(&origin), [format!("/{want}")], "{arguments:?}");
    }
}

/// A stream in three languages, each another fixture; no default.
fn languages() -> String {
    rendition(
        "g",
        "English",
        ",LANGUAGE=\"en\",AUTOSELECT=YES,URI=\"../hls/aac64.m3u8\"",
    ) + &rendition(
        "g",
        "Deutsch",
        ",LANGUAGE=\"deu\",AUTOSELECT=YES,URI=\"../hls/aac128.m3u8\"",
    ) + &rendition(
        "g",
        "Français",
        ",LANGUAGE=\"fr-CA\",URI=\"../hls/flac.m3u8\"",
    ) + &variant(&format!("BANDWIDTH=900000,{FILM},AUDIO=\"g\""), "v.m3u8")
}

#[test]
fn m5_the_language_follows_the_user_then_the_publisher_then_the_locale() {
    let with_default = languages().replace("LANGUAGE=\"fr-CA\"", "LANGUAGE=\"fr-CA\",DEFAULT=YES");
    let tags = languages();
    // The playlist, an environment variable, an argument, what plays.
    let cases = [
        (&tags, "LANG=C", "", "aac64"),
        (&tags, "LANG=C", "de", "aac128"),
        (&tags, "LANG=C", "it,fr", "flac"),
        (&tags, "LANG=C", "en-GB", "aac64"),
        (&tags, "KITHARA_LANGUAGE=ger", "", "aac128"),
        (&tags, "LANG=de_DE.UTF-8", "", "aac128"),
        (&tags, "LC_MESSAGES=de_DE.UTF-8", "", "aac128"), // before LANG
        (&tags, "LC_ALL=fr_CA.UTF-8", "", "aac64"),       // it has no AUTOSELECT
        (&with_default, "LANG=de_DE", "", "flac"),
        (&with_default, "LANG=C", "de", "aac128"),
    ];
    let (origin, sandbox, url) = list("");
    for (tags, environment, language, want) in cases {
        serve(&origin, tags);
        let (name, value) = environment.split_once('=').expect("NAME=VALUE");
        let fixed = ["info", &url, "--json", "--no-cache"];
        let asked = ["--language", language];
        let arguments = fixed
            .iter()
            .chain(asked.iter().filter(|_| !language.is_empty()));
        sandbox.kithara(arguments).env(name, value).prints().run();
        let want = format!("/hls/{want}.m3u8");
        assert_eq!(playlists(&origin), [want], "{environment} {language:?}");
    }
}

#[test]
fn m5_a_language_that_is_not_there_is_said_once_and_the_default_plays() {
    let (origin, sandbox, url) = list(&languages());
    let run = sandbox
        .kithara(["dump", &url, "-o", "x.wav", "--language", "it,es"])
        .warns(&["\"it,es\"", "en, deu, fr-CA"])
        .run();
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    assert_eq!(playlists(&origin), ["/hls/aac64.m3u8"]);
    sandbox
        .kithara(["dump", &url, "-o", "y.wav", "--language", "not a tag"])
        .fails(2, &["\"not a tag\"", "--language", "en-US"])
        .run();
}

#[test]
fn m5_stereo_is_preferred_and_descriptions_of_the_picture_are_not() {
    let described =
        ",LANGUAGE=\"en\",AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\"";
    let tags = rendition("g", "told", &format!("{described},URI=\"told.m3u8\""))
        + &rendition(
            "g",
            "en",
            ",LANGUAGE=\"en\",CHANNELS=\"2\",URI=\"../hls/aac64.m3u8\"",
        )
        + &rendition(
            "s",
            "en",
            ",LANGUAGE=\"en\",CHANNELS=\"6\",URI=\"../hls/flac.m3u8\"",
        )
        + &variant(&format!("BANDWIDTH=900000,{FILM},AUDIO=\"g\""), "v.m3u8")
        + &variant(&format!("BANDWIDTH=1900000,{FILM},AUDIO=\"s\""), "v.m3u8");
    let (origin, sandbox, url) = list(&tags);
    dump(&sandbox, &url, &["-Q", "best"]);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    assert_eq!(playlists(&origin), ["/hls/aac64.m3u8"]);
    dump(&sandbox, &url, &["-Q", "1"]);
    is_sound_of(&sandbox, "hls/flac.m3u8");
}

#[test]
fn m6_qualities_in_several_groups_are_one_ladder_of_sound() {
    let (origin, sandbox, url) = list(&film());
    for (quality, want) in [
        ("worst", "aac64"),
        ("best", "aac128"),
        ("0", "aac64"),
        ("1", "aac128"),
    ] {
        dump(&sandbox, &url, &["-Q", quality]);
        is_sound_of(&sandbox, &format!("hls/{want}.m3u8"));
        assert_eq!(
            playlists(&origin),
            [format!("/hls/{want}.m3u8")],
            "{quality}"
        );
    }
    // The same two, but the same sound: one quality, whatever the pictures cost.
    serve(&origin, &film().replace("aac128", "aac64"));
    let described = info(&sandbox, &url, &["--refresh"]);
    let variants = described["variants"].as_array().expect("a list");
    assert_eq!(variants.len(), 1, "{described}");
    assert_eq!(variants[0]["bandwidth"], 900_000, "{described}");
}

#[test]
fn m7_lists_of_i_frames_are_no_variants() {
    let (origin, sandbox, url) = list(&film());
    let described = info(&sandbox, &url, &["-Q", "worst"]);
    assert_eq!(described["variants"].as_array().map(Vec::len), Some(2));
    dump(&sandbox, &url, &["-Q", "worst"]);
    assert_eq!(origin.requests("/list/i.m3u8").len(), 0);
}

#[test]
fn m10_session_keys_are_read_and_stand_in_nobodys_way() {
    let tags = "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key.bin\"\n\
        #EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"\n";
    let (_origin, sandbox, url) = list(
        &(tags.to_owned()
            + &variant(&format!("BANDWIDTH=142000,{AAC}"), "../hls/aac128.m3u8")
            + &variant(&format!("BANDWIDTH=72000,{AAC}"), "../hls/aac64.m3u8")),
    );
    dump(&sandbox, &url, &["-Q", "worst"]);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    let described = info(&sandbox, &url, &["--lint"]);
    assert_eq!(described["repairs"].as_array().map(Vec::len), Some(0));
}

#[test]
fn m11_what_is_said_beside_bandwidth_and_codecs_disturbs_nothing() {
    let more = "SCORE=2.5,STABLE-VARIANT-ID=\"a\",NAME=\"low\",PROGRAM-ID=1,ALLOWED-CPC=\"x\",HDCP-LEVEL=NONE";
    let tags = "#EXT-X-SESSION-DATA:DATA-ID=\"x\",VALUE=\"y\"\n\
        #EXT-X-CONTENT-STEERING:SERVER-URI=\"steer\",PATHWAY-ID=\"p\"\n"
        .to_owned()
        + &rendition(
            "g",
            "en",
            ",STABLE-RENDITION-ID=\"r\",ASSOC-LANGUAGE=\"fr\",BIT-DEPTH=16,SAMPLE-RATE=44100,URI=\"../hls/aac64.m3u8\"",
        )
        + &variant(
            &format!("BANDWIDTH=900000,{FILM},FRAME-RATE=25.000,VIDEO-RANGE=PQ,AUDIO=\"g\",{more}"),
            "v.m3u8",
        );
    let (origin, sandbox, url) = list(&tags);
    dump(&sandbox, &url, &[]);
    is_sound_of(&sandbox, "hls/aac64.m3u8");
    assert_eq!(playlists(&origin), ["/hls/aac64.m3u8"]);
}

#[test]
fn m12_one_media_playlist_is_loaded_before_the_sound() {
    let (origin, sandbox, url) = list(&(languages() + &film()));
    sandbox.kithara(["play", "--ao", "null", &url]).run();
    let log = origin.log();
    let before: Vec<_> = log
        .iter()
        .map(|request| request.path.as_str())
        .take_while(|path| !path.ends_with(".m4s"))
        .filter(|path| path.ends_with(".m3u8"))
        .collect();
    assert_eq!(before.len(), 2, "{log:?}");
    assert_eq!(before[0], MASTER);
}

#[test]
fn the_codecs_asked_for_are_the_only_ones_and_the_first_is_preferred() {
    let (origin, sandbox, _) = list("");
    let url = origin.url("/hls/master.m3u8");
    let cases = [
        ("flac", "best", "flac"),
        ("flac", "worst", "flac"),
        ("aac", "best", "aac128"),
        ("opus,aac,flac", "best", "aac128"),
        ("mp4a.40.2", "worst", "aac64"),
        ("ALAC", "auto", "alac"),
        ("flac", "0", "aac64"), // a number is the last word
    ];
    for (codecs, quality, want) in cases {
        dump(&sandbox, &url, &["--codec", codecs, "-Q", quality]);
        is_sound_of(&sandbox, &format!("hls/{want}.m3u8"));
    }
    sandbox
        .kithara(["dump", &url, "-o", "y.wav"])
        .env("KITHARA_CODEC", "opus,mp3")
        .fails(5, &["mp4a.40.2, fLaC, alac", "--codec"])
        .run();
    sandbox
        .kithara(["play", &url, "--codec", "ec-3", "--ao", "null"])
        .fails(5, &["mp4a.40.2"])
        .run();
    sandbox
        .kithara(["play", &url, "--codec", "h264"])
        .fails(2, &["h264", "--codec", "flac"])
        .run();
}

#[test]
fn a_radio_is_heard_in_its_best_quality_whatever_the_order() {
    let variants = [("142000", "aac128"), ("72000", "aac64"), ("420000", "flac")];
    for turn in 0..3 {
        let mut turned = variants;
        turned.rotate_left(turn);
        let tags = turned.map(|(rate, name)| {
            variant(&format!("BANDWIDTH={rate}"), &format!("../hls/{name}.m3u8"))
        });
        let (origin, sandbox, url) = list(&tags.concat());
        for (quality, want) in [("best", "flac"), ("worst", "aac64"), ("<=200k", "aac128")] {
            dump(&sandbox, &url, &["-Q", quality]);
            is_sound_of(&sandbox, &format!("hls/{want}.m3u8"));
            assert_eq!(playlists(&origin), [format!("/hls/{want}.m3u8")]);
        }
    }
}

#[test]
fn info_tells_what_there_is_what_would_play_and_why() {
    let tags = film().replace(
        "NAME=\"en\"",
        "NAME=\"English\",LANGUAGE=\"en\",CHANNELS=\"2\"",
    ) + &rendition(
        "lo",
        "Deutsch",
        ",LANGUAGE=\"de\",CHANNELS=\"2\",URI=\"../hls/flac.m3u8\"",
    ) + &rendition(
        "ec3",
        "English",
        ",LANGUAGE=\"en\",CHANNELS=\"6\",URI=\"e.m3u8\"",
    ) + &variant(
        "BANDWIDTH=3000000,CODECS=\"avc1.4d401e,ec-3\",AUDIO=\"ec3\"",
        "v2.m3u8",
    );
    let (origin, sandbox, url) = list(&tags);
    let text = sandbox.kithara(["info", &url]).prints().run().text();
    let want = "\
hls-vod, 0:03, encryption none
audio renditions: preferred over 3 variants with pictures
languages: en, de
id  peak          average  codecs     container  channels  language  name
0   ≤ 900 kbit/s  -        mp4a.40.2  fmp4       2         en        English
1   ≤ 2.0 Mbit/s  -        mp4a.40.2  -          2         en        English
2   ≤ 3.0 Mbit/s  -        ec-3       -          6         en        English  not playable: the codec ec-3 (E-AC-3) is not supported
would play 0: auto starts at no more than 900 kbit/s
";
    let (first, rest) = text.split_once('\n').expect("lines");
    assert_eq!(first, url);
    assert_eq!(rest, want);
    assert_eq!(playlists(&origin), ["/hls/aac64.m3u8"]);
    let described = info(&sandbox, &url, &["--language", "de", "-Q", "best"]);
    assert_eq!(described["tier"], "renditions");
    assert_eq!(described["languages"], serde_json::json!(["en", "de"]));
    let rows = described["variants"].as_array().expect("a list");
    assert_eq!(rows[0]["language"], "de", "{described}");
    assert_eq!(described["chosen"]["reason"], "there is no other");
    assert_eq!(playlists(&origin), ["/hls/flac.m3u8"]);
    origin.shut_down();
    let again = info(
        &sandbox,
        &url,
        &["--language", "de", "-Q", "best", "--offline"],
    );
    assert_eq!(again["chosen"], described["chosen"]);
    assert_eq!(again["variants"], described["variants"]);
}
