//! Requests as servers want them: rows T1 to T7 of the table of HLS features.

mod cmcd;
mod credentials;
mod roads;
mod wire;

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::origin::{Origin, Request};
use crate::sandbox::Sandbox;
use crate::wav::Sound;
use crate::{bytes, dump, expected_of, stage};

const STREAM: &str = "/hls/flac.m3u8";
const MASTER: &str = "/hls/master.m3u8";
/// What is typed, and the header or query that shows it.
const SECRETS: [(&str, &str); 4] = [
    ("-H", "X-Token: hush-header"),
    ("--cookie", "sid=hush-cookie"),
    ("--bearer", "hush-bearer"),
    ("--query-param", "key=hush query"),
];

fn address(origin: &Origin) -> SocketAddr {
    let url = origin.url("");
    let host = url.trim_start_matches("http://");
    host.parse().expect("a loopback address")
}

/// The flags of all [`SECRETS`].
fn typed() -> Vec<&'static str> {
    SECRETS
        .iter()
        .flat_map(|(flag, value)| [*flag, *value])
        .collect()
}

/// How many of the secrets a request carries.
fn carried(request: &Request) -> usize {
    let headers = ["x-token", "cookie", "authorization"];
    let headers = headers.map(|name| request.header(name).unwrap_or_default());
    let query = request.query.as_deref().unwrap_or_default();
    let shows = |text: &&str| text.contains("hush");
    headers.iter().filter(|text| shows(text)).count() + usize::from(query.contains("hush"))
}

fn check_flac(sandbox: &Sandbox, name: &str) {
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path(name)));
}

#[test]
fn t1_relative_uris_belong_to_where_redirects_have_led() {
    for status in [301, 302, 303, 307, 308] {
        let (front, sandbox) = stage();
        let cdn = Origin::start();
        front
            .on("/live/now")
            .status(status)
            .redirect(&cdn.url(STREAM));
        let sound = dump(&sandbox, &front.url("/live/now"), &[]);
        expected_of("hls/flac.m3u8").check(&sound);
        assert_eq!(front.log().len(), 1, "{status}: {:?}", front.log());
        assert_eq!(
            cdn.log().len(),
            8,
            "{status}: playlist, init section, 6 segments"
        );
    }
}

#[test]
fn t1_a_redirect_without_a_place_or_without_an_end_is_no_stream() {
    let (origin, sandbox) = stage();
    origin.on("/nowhere").status(302);
    origin.on("/loop").redirect("/loop?again");
    origin.on("/fragment").redirect(&format!("{STREAM}#t=10"));
    let run = |path: &str| sandbox.kithara(["dump", &origin.url(path), "-o", "x.wav"]);
    run("/nowhere")
        .fails(4, &["the server answered 302 Found"])
        .run();
    run("/loop")
        .fails(8, &["still redirected after 10 redirects"])
        .run();
    assert_eq!(origin.requests("/loop").len(), 11);
    run("/fragment").run();
    check_flac(&sandbox, "x.wav");
}

#[test]
fn t2_playlists_may_come_compressed_and_media_never_do() {
    let (origin, sandbox) = stage();
    for path in [MASTER, STREAM] {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer
            .write_all(&bytes(path.trim_start_matches('/')))
            .expect("memory takes it");
        let packed = packer.finish().expect("memory takes it");
        origin.serve(path, "application/vnd.apple.mpegurl", packed);
        origin.on(path).header("Content-Encoding: gzip");
    }
    let sound = dump(&sandbox, &origin.url(MASTER), &["-Q", "2"]);
    expected_of("hls/flac.m3u8").check(&sound);
    for request in origin.log() {
        let wants = request.header("accept-encoding");
        // Of the first URL it is not known yet what it is.
        let want = if request.path == STREAM {
            "gzip"
        } else {
            "identity"
        };
        assert_eq!(wants, Some(want), "{}", request.path);
    }
    // Both playlists are kept as they were meant.
    origin.shut_down();
    sandbox
        .kithara([
            "dump",
            &origin.url(MASTER),
            "-Q",
            "2",
            "-o",
            "again.wav",
            "--offline",
        ])
        .run();
    check_flac(&sandbox, "again.wav");
    let origin = Origin::start();
    origin
        .on("/files/s16.flac")
        .header("Content-Encoding: gzip");
    sandbox
        .kithara(["dump", &origin.url("/files/s16.flac"), "-o", "no.wav"])
        .fails(5, &["gzip"])
        .run();
}

#[test]
fn t4_each_kind_of_failure_is_tried_again_as_often_as_it_can_help() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
    let cases = [
        (404, None, 1, "the server answered 404 Not Found"),
        (403, None, 1, "the server answered 403 Forbidden"),
        (
            500,
            None,
            2,
            "the server answered 500 Internal Server Error",
        ),
        (503, Some("0"), 2, "and asks to wait 0 s"),
        (
            429,
            Some(date.as_str()),
            2,
            "the server answered 429 Too Many Requests and asks to wait",
        ),
        (
            429,
            Some("soon"),
            2,
            "the server answered 429 Too Many Requests",
        ),
    ];
    for (status, after, requests, why) in cases {
        for path in [STREAM, "/hls/flac-init.mp4", "/hls/flac-2.m4s"] {
            let (origin, sandbox) = stage();
            let refusal = origin.on(path).status(status);
            if let Some(after) = after {
                refusal.retry_after(after);
            }
            let run = sandbox.kithara(["dump", &origin.url(STREAM), "-o", "x.wav", "--retry", "1"]);
            let run = run.code(4).chatty().run();
            assert!(run.stderr.contains(why), "{status} {path}: {}", run.stderr);
            // A segment that was lost ahead of its time is asked for again when it is needed.
            let is_segment = path.ends_with("-2.m4s");
            let count = origin.requests(path).len();
            assert!(
                count == requests || is_segment && count > requests,
                "{status} {path}: {count}"
            );
        }
    }
}

#[test]
fn t5_the_whole_in_place_of_a_part_is_not_taken_for_the_part() {
    let (origin, sandbox) = stage();
    let path = "/hls/flac-2.m4s";
    origin.on(path).truncate_at(9_000).times(1);
    origin.on(path).ignore_range();
    sandbox
        .kithara([
            "dump",
            &origin.url(STREAM),
            "-o",
            "x.wav",
            "-H",
            "X-Token: hush-header",
        ])
        .chatty()
        .run();
    check_flac(&sandbox, "x.wav");
    let seen: Vec<_> = origin
        .requests(path)
        .iter()
        .map(|r| (r.status, carried(r)))
        .collect();
    assert_eq!(seen, [(200, 1), (200, 1)]);
}

#[test]
fn t6_queries_are_sent_as_they_are_and_go_nowhere_by_themselves() {
    let (origin, sandbox) = stage();
    let text = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    let text = text.replace("flac-1.m4s", "flac-1.m4s?x=%2f+y&z&&=%20~");
    origin.serve(
        "/hls/q.m3u8",
        "application/vnd.apple.mpegurl",
        text.into_bytes(),
    );
    let url = origin.url("/hls/q.m3u8?token=a%2Fb");
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &url, &[]));
    let query = |path: &str| origin.requests(path)[0].query.clone();
    assert_eq!(query("/hls/q.m3u8").as_deref(), Some("token=a%2Fb"));
    assert_eq!(
        query("/hls/flac-1.m4s").as_deref(),
        Some("x=%2f+y&z&&=%20~")
    );
    assert_eq!(query("/hls/flac-2.m4s"), None);
    origin.clear_log();
    dump(
        &sandbox,
        &url,
        &["--query-param", "k=1/2", "--query-param", "n="],
    );
    assert_eq!(
        query("/hls/q.m3u8").as_deref(),
        Some("token=a%2Fb&k=1%2F2&n=")
    );
    assert_eq!(
        query("/hls/flac-1.m4s").as_deref(),
        Some("x=%2f+y&z&&=%20~&k=1%2F2&n=")
    );
    assert_eq!(query("/hls/flac-2.m4s").as_deref(), Some("k=1%2F2&n="));
}
