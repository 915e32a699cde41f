//! `simulate URL`: the ladder out of a real stream.

use serde_json::Value;

use super::{near, write};
use crate::origin::{Origin, Request};
use crate::sandbox::{Run, Sandbox};
use crate::{bytes, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const MASTER: &str = "/hls/aac.m3u8";

/// A simulation of what is at `path`, which writes its ladder.
fn simulate(origin: &Origin, sandbox: &Sandbox, path: &str, more: &[&str]) -> Run {
    write(sandbox, "trace.txt", "0 500 60\n100 0\n");
    let url = origin.url(path);
    let fixed = [
        "simulate",
        &url,
        "--trace",
        "trace.txt",
        "--dump-ladder",
        "ladder.json",
    ];
    sandbox.kithara(fixed.iter().chain(more)).prints()
}

fn ladder(sandbox: &Sandbox) -> Value {
    let text = std::fs::read(sandbox.path("ladder.json")).expect("the ladder was written");
    serde_json::from_slice(&text).expect("one object")
}

/// Method and path of everything that is no playlist.
fn media(origin: &Origin) -> Vec<String> {
    let is_media = |request: &Request| !request.path.ends_with(".m3u8");
    let log = origin.log().into_iter().filter(is_media);
    log.map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

fn sizes(variant: &Value) -> Vec<u64> {
    let list = variant["sizes"].as_array().expect("a list").iter();
    list.map(|size| size.as_u64().expect("a size")).collect()
}

fn rates(ladder: &Value) -> Vec<u64> {
    let variants = ladder["variants"].as_array().expect("a list").iter();
    let rate = |variant: &Value| variant["average_bandwidth"].as_u64();
    variants
        .map(|variant| rate(variant).expect("a rate"))
        .collect()
}

fn length(fixture: &str) -> u64 {
    bytes(fixture).len() as u64
}

#[test]
fn the_ladder_of_a_stream_is_what_its_files_are_and_gives_the_same_session() {
    let (origin, sandbox) = stage();
    let first = simulate(&origin, &sandbox, MASTER, &["--log", "-"])
        .run()
        .text();
    let ladder = ladder(&sandbox);
    assert_eq!(ladder["name"], origin.url(MASTER));
    assert_eq!(ladder["master_bytes"], length("hls/aac.m3u8"));
    let names = ["aac64", "aac128"];
    let rates = [(66_000, 72_000), (130_000, 142_000)];
    for (place, (name, (average, peak))) in names.iter().zip(rates).enumerate() {
        let variant = &ladder["variants"][place];
        let file = |what: &str| length(&format!("hls/{name}{what}"));
        assert_eq!(variant["average_bandwidth"], average, "{name}");
        assert_eq!(variant["bandwidth"], peak, "{name}");
        assert_eq!(variant["playlist_bytes"], file(".m3u8"), "{name}");
        assert_eq!(variant["init_bytes"], file("-init.mp4"), "{name}");
        let want: Vec<_> = (0..6)
            .map(|number| file(&format!("-{number}.m4s")))
            .collect();
        assert_eq!(sizes(variant), want, "{name}");
    }
    near(&ladder["segment_s"][0], 0.603719);
    let asked = media(&origin);
    assert_eq!(asked.len(), 2 * 7);
    assert!(
        asked.iter().all(|line| line.starts_with("HEAD ")),
        "{asked:?}"
    );
    let again = [
        "simulate",
        "--ladder",
        "ladder.json",
        "--trace",
        "trace.txt",
        "--log",
        "-",
    ];
    assert_eq!(sandbox.kithara(again).prints().run().text(), first);
}

#[test]
fn sizes_that_are_listed_are_not_asked_for() {
    let (origin, sandbox) = stage();
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"all.m4s\",BYTERANGE=\"700@0\"\n\
        #EXTINF:4,\n#EXT-X-BYTERANGE:1000@700\nall.m4s\n#EXTINF:4,\n#EXT-X-BYTERANGE:3000\nall.m4s\n\
        #EXTINF:2,\n#EXT-X-GAP\ngap.m4s\n#EXT-X-ENDLIST\n";
    origin.serve("/one.m3u8", KIND, list.into());
    simulate(&origin, &sandbox, "/one.m3u8", &[]).run();
    let ladder = ladder(&sandbox);
    assert_eq!(media(&origin), [""; 0]);
    assert_eq!(ladder["master_bytes"], 0);
    let variant = &ladder["variants"][0];
    assert_eq!(sizes(variant), [1000, 3000, 0]);
    assert_eq!(variant["init_bytes"], 700);
    // Nothing says its rate: 4000 bytes in 10 s.
    assert_eq!(variant["average_bandwidth"], 3200);
    assert_eq!(variant["playlist_bytes"], list.len());
}

#[test]
fn a_server_that_does_not_answer_is_asked_once_a_variant_and_the_bandwidth_counts() {
    let cases: [(&str, fn(&Origin, &str)); 6] = [
        ("403 Forbidden", |origin, path| {
            drop(origin.on(path).status(403))
        }),
        ("404 Not Found", |origin, path| {
            drop(origin.on(path).status(404))
        }),
        ("405 Method Not Allowed", |origin, path| {
            drop(origin.on(path).status(405))
        }),
        ("501 Not Implemented", |origin, path| {
            drop(origin.on(path).status(501))
        }),
        ("does not say them", |origin, path| {
            drop(origin.on(path).chunked())
        }),
        ("does not say them", |origin, path| {
            origin.serve(path, "audio/mp4", Vec::new())
        }),
    ];
    for (words, refuse) in cases {
        let (origin, sandbox) = stage();
        for name in ["aac64", "aac128"] {
            refuse(&origin, &format!("/hls/{name}-init.mp4"));
        }
        let run = simulate(&origin, &sandbox, MASTER, &[]);
        run.warns(&["variant 0", words, "going on with its bandwidth"])
            .run();
        let asked = media(&origin);
        assert_eq!(asked.len(), 2, "{words}: {asked:?}");
        let ladder = ladder(&sandbox);
        // 66 kbit/s for 0.603719 s.
        assert_eq!(sizes(&ladder["variants"][0])[0], 4980, "{words}");
        assert_eq!(ladder["variants"][0]["init_bytes"], 800, "{words}");
    }
}

#[test]
fn what_was_learned_before_a_refusal_holds() {
    let (origin, sandbox) = stage();
    origin.on("/hls/aac64-5.m4s").status(404);
    let run = simulate(&origin, &sandbox, MASTER, &[]);
    run.warns(&["variant 0", "404 Not Found"]).run();
    let ladder = ladder(&sandbox);
    assert_eq!(
        ladder["variants"][0]["init_bytes"],
        length("hls/aac64-init.mp4")
    );
    // 66 kbit/s for 0.02322 s.
    assert_eq!(sizes(&ladder["variants"][0])[5], 191);
    assert_eq!(sizes(&ladder["variants"][1])[5], length("hls/aac128-5.m4s"));
}

#[test]
fn variants_without_a_playlist_are_left_out_and_said() {
    let (origin, sandbox) = stage();
    origin.on("/hls/aac128.m3u8").status(404);
    let run = simulate(&origin, &sandbox, MASTER, &[]);
    run.warns(&["aac128.m3u8", "404", "going on without this variant"])
        .run();
    assert_eq!(rates(&ladder(&sandbox)), [66_000]);
    origin.on("/hls/aac64.m3u8").status(404);
    let run = simulate(&origin, &sandbox, MASTER, &[]);
    run.fails(4, &["aac64.m3u8", "404"]).run();
}

#[test]
fn variants_that_are_cut_differently_are_no_ladder_but_some_of_them_may_be() {
    let (origin, sandbox) = stage();
    let all = "/hls/master.m3u8";
    let run = simulate(&origin, &sandbox, all, &[]);
    run.fails(5, &["cut differently", "--codec"]).run();
    assert_eq!(media(&origin), [""; 0]);
    simulate(&origin, &sandbox, all, &["--codec", "aac"]).run();
    assert_eq!(rates(&ladder(&sandbox)), [66_000, 130_000]);
    simulate(&origin, &sandbox, all, &["--codec", "flac"]).run();
    assert_eq!(rates(&ladder(&sandbox)), [370_000]);
}

#[test]
fn of_a_live_stream_the_window_is_taken_and_said() {
    let (origin, sandbox) = stage();
    let list = |first: usize| {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
             #EXT-X-MAP:URI=\"aac64-init.mp4\"\n"
        );
        for number in first..first + 4 {
            text += &format!("#EXTINF:0.6,\naac64-{}.m4s\n", number % 6);
        }
        text
    };
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=70000,CODECS=\"mp4a.40.2\"\na.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=90000,CODECS=\"mp4a.40.2\"\nb.m3u8\n";
    origin.serve("/hls/live.m3u8", KIND, master.into());
    origin.serve("/hls/a.m3u8", KIND, list(12).into());
    origin.serve("/hls/b.m3u8", KIND, list(13).into());
    let run = simulate(&origin, &sandbox, "/hls/live.m3u8", &[]);
    run.warns(&["it is live and lists 3 segments now"]).run();
    let ladder = ladder(&sandbox);
    let want = [1, 2, 3].map(|number| length(&format!("hls/aac64-{number}.m4s")));
    for variant in 0..2 {
        assert_eq!(sizes(&ladder["variants"][variant]), want, "{variant}");
    }
}

#[test]
fn what_is_stored_is_not_asked_for_and_enough_offline() {
    let (origin, sandbox) = stage();
    let url = origin.url(MASTER);
    sandbox.kithara(["cache", &url, "-Q", "1"]).prints().run();
    origin.shut_down();
    let offline = simulate(&origin, &sandbox, MASTER, &["--offline"]);
    offline.warns(&["aac64.m3u8", "not in the cache"]).run();
    let ladder = ladder(&sandbox);
    assert_eq!(ladder["variants"].as_array().map(Vec::len), Some(1));
    let want: Vec<_> = (0..6)
        .map(|number| length(&format!("hls/aac128-{number}.m4s")))
        .collect();
    assert_eq!(sizes(&ladder["variants"][0]), want);
}

#[test]
fn a_question_for_a_size_is_a_request_like_any_other() {
    let (origin, sandbox) = stage();
    let elsewhere = Origin::start();
    origin
        .on("/hls/aac64-1.m4s")
        .redirect(&elsewhere.url("/hls/aac64-1.m4s"));
    origin.on("/hls/aac64-2.m4s").redirect("file:///etc/passwd");
    let more = ["--bearer", "hush", "--codec", "aac", "-H", "X-Own: yes"];
    let run = simulate(&origin, &sandbox, "/hls/aac64.m3u8", &more);
    run.warns(&["cannot learn the sizes", "file"]).run();
    for request in origin.log() {
        let (own, login) = (request.header("x-own"), request.header("authorization"));
        assert_eq!(
            (own, login),
            (Some("yes"), Some("Bearer hush")),
            "{request:?}"
        );
    }
    for request in elsewhere.log() {
        let (own, login) = (request.header("x-own"), request.header("authorization"));
        assert_eq!((own, login), (None, None), "{request:?}");
    }
}

#[test]
fn a_local_playlist_is_measured_where_it_lies() {
    let sandbox = Sandbox::new();
    for name in ["aac64-init.mp4", "aac64-0.m4s", "aac64-1.m4s"] {
        sandbox.copy(&format!("hls/{name}"), name);
    }
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"aac64-init.mp4\"\n\
        #EXTINF:0.6,\naac64-0.m4s\n#EXTINF:0.6,\naac64-1.m4s\n#EXT-X-ENDLIST\n";
    write(&sandbox, "list.m3u8", list);
    write(&sandbox, "trace.txt", "0 500 60\n100 0\n");
    let arguments = [
        "simulate",
        "list.m3u8",
        "--trace",
        "trace.txt",
        "--dump-ladder",
        "ladder.json",
    ];
    sandbox.kithara(arguments).prints().run();
    let want = ["hls/aac64-0.m4s", "hls/aac64-1.m4s"].map(length);
    assert_eq!(sizes(&ladder(&sandbox)["variants"][0]), want);
}

#[test]
fn what_is_no_stream_is_refused_in_a_line() {
    let (origin, sandbox) = stage();
    let file = simulate(&origin, &sandbox, "/files/s16.flac", &[]);
    file.fails(5, &["it is no HLS playlist"]).run();
    let endless = "#EXTINF:1,\nx.aac\n".repeat(20_001);
    let endless = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{endless}#EXT-X-ENDLIST\n");
    origin.serve("/long.m3u8", KIND, endless.into());
    origin.clear_log();
    let long = simulate(&origin, &sandbox, "/long.m3u8", &[]);
    long.fails(8, &["20001 segments, more than 20000"]).run();
    assert_eq!(media(&origin), [""; 0]);
}
