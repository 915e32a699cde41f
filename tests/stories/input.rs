//! What may be typed as a URL and what a server may do with it, all of it fine.

use crate::wav::Sound;
use crate::{bytes, dump, expected_of, stage};

#[test]
fn content_decides_and_not_the_suffix_or_the_type() {
    let (origin, sandbox) = stage();
    let cases = [
        ("files/lame.mp3", "/page.html", "text/html"),
        (
            "files/s16.flac",
            "/list.m3u8",
            "application/vnd.apple.mpegurl",
        ),
        ("files/moov-first.m4a", "/song.ogg", "audio/ogg"),
        ("files/vorbis.ogg", "/song.mp3", "audio/mpeg"),
        ("files/s16.wav", "/song", "application/octet-stream"),
        ("files/s16.aiff", "/song.wav", "audio/wav"),
        ("files/adts.aac", "/song.m4a", "audio/mp4"),
        ("hls/flac.m3u8", "/hls/song.mp3", "audio/mpeg"),
        ("hls/aac.m3u8", "/hls/plain", "text/plain"),
    ];
    for (fixture, path, kind) in cases {
        origin.serve(path, kind, bytes(fixture));
        let row = if fixture == "hls/aac.m3u8" {
            "hls/aac128.m3u8"
        } else {
            fixture
        };
        expected_of(row).check(&dump(&sandbox, &origin.url(path), &[]));
    }
}

#[test]
fn a_local_file_with_a_wrong_or_no_suffix_is_recognised() {
    let (_, sandbox) = stage();
    for (fixture, name) in [
        ("files/s16.flac", "x.mp3"),
        ("files/lame.mp3", "a b %41 ü"),
        ("files/alac.m4a", "x.m3u8"),
        ("files/vorbis.ogg", "plain"),
    ] {
        sandbox.copy(fixture, name);
        expected_of(fixture).check(&dump(&sandbox, name, &[]));
    }
}

#[test]
fn a_file_url_is_a_local_path() {
    let (_, sandbox) = stage();
    let path = sandbox.copy("files/s16.flac", "a b.flac");
    let url = format!(
        "file://{}",
        path.to_str().expect("UTF-8").replace(' ', "%20")
    );
    expected_of("files/s16.flac").check(&dump(&sandbox, &url, &[]));
}

#[test]
fn a_query_is_sent_as_typed_and_never_shown() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/s16.flac?token=hush&a=%20b");
    dump(&sandbox, &url, &[]);
    assert_eq!(origin.log()[0].query.as_deref(), Some("token=hush&a=%20b"));
}

#[test]
fn a_redirect_is_followed_and_is_the_base_of_what_follows() {
    let (origin, sandbox) = stage();
    origin.on("/radio").redirect("/hls/aac.m3u8");
    expected_of("hls/aac128.m3u8").check(&dump(&sandbox, &origin.url("/radio"), &[]));
    origin
        .on("/song")
        .redirect(&origin.url("/files/moov-last.m4a"));
    expected_of("files/moov-last.m4a").check(&dump(&sandbox, &origin.url("/song"), &[]));
}

#[test]
fn a_body_of_unknown_length_is_read_to_its_end() {
    for file in [
        "files/s16.flac",
        "files/lame.mp3",
        "files/s16.wav",
        "files/moov-first.m4a",
        "files/moov-last.m4a",
        "files/vorbis.ogg",
    ] {
        for chunked in [true, false] {
            let (origin, sandbox) = stage();
            let path = format!("/{file}");
            let verbs = origin.on(&path).ignore_range();
            if chunked {
                verbs.chunked()
            } else {
                verbs.no_length()
            };
            expected_of(file).check(&dump(&sandbox, &origin.url(&path), &[]));
        }
    }
}

#[test]
fn a_segment_of_unknown_length_is_read_to_its_end() {
    let (origin, sandbox) = stage();
    origin.on("/hls/flac-1.m4s").chunked();
    origin.on("/hls/flac-3.m4s").no_length();
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]));
}

#[test]
fn a_server_without_ranges_serves_every_file() {
    for file in [
        "files/moov-last.m4a",
        "files/s16.flac",
        "files/vorbis.ogg",
        "files/s16.aiff",
    ] {
        let (origin, sandbox) = stage();
        let path = format!("/{file}");
        origin.on(&path).ignore_range();
        expected_of(file).check(&dump(&sandbox, &origin.url(&path), &[]));
    }
}

#[test]
fn a_moov_at_the_end_is_fetched_by_range_and_nothing_is_fetched_twice() {
    let (origin, sandbox) = stage();
    let url = origin.url("/files/moov-last.m4a");
    expected_of("files/moov-last.m4a").check(&dump(&sandbox, &url, &[]));
    let size = bytes("files/moov-last.m4a").len() as u64;
    let sent: u64 = origin.log().iter().map(|request| request.sent).sum();
    assert!(sent <= size + 65_536, "{sent} bytes sent for {size}");
}

#[test]
fn segments_are_found_relative_to_their_playlist_and_percent_decoded() {
    let (origin, sandbox) = stage();
    let list = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    origin.serve(
        "/deep/list.m3u8",
        "application/vnd.apple.mpegurl",
        list.replace("flac-", "../a%20b/flac-").into_bytes(),
    );
    for name in [
        "flac-init.mp4",
        "flac-0.m4s",
        "flac-1.m4s",
        "flac-2.m4s",
        "flac-3.m4s",
        "flac-4.m4s",
        "flac-5.m4s",
    ] {
        origin.serve(
            &format!("/a b/{name}"),
            "audio/mp4",
            bytes(&format!("hls/{name}")),
        );
    }
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url("/deep/list.m3u8"), &[]));
}

#[test]
fn a_playlist_with_a_mark_carriage_returns_and_unknown_tags_is_read() {
    let (origin, sandbox) = stage();
    let list = String::from_utf8(bytes("hls/flac.m3u8")).expect("text");
    let odd = format!(
        "\u{feff}{}",
        list.replace(
            "#EXT-X-MAP",
            "#EXT-X-UNKNOWN:A=1\n# a comment\n\n#EXT-X-MAP"
        )
        .replace('\n', "\r\n")
    );
    origin.serve("/hls/odd.m3u8", "application/x-mpegurl", odd.into_bytes());
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url("/hls/odd.m3u8"), &[]));
}

#[test]
fn only_audio_is_taken_from_a_multivariant_playlist() {
    let (origin, sandbox) = stage();
    let list = "#EXTM3U\n#EXT-X-VERSION:7\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,CODECS=\"avc1.64001f\",URI=\"frames.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=5000000,CODECS=\"avc1.64001f\",RESOLUTION=1280x720\nvideo.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=300000,CODECS=\"fLaC\"\nflac.m3u8\n";
    origin.serve(
        "/hls/tv.m3u8",
        "application/vnd.apple.mpegurl",
        list.as_bytes().to_vec(),
    );
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url("/hls/tv.m3u8"), &[]));
    assert!(
        origin.requests("/hls/video.m3u8").is_empty()
            && origin.requests("/hls/frames.m3u8").is_empty()
    );
}

#[test]
fn requests_of_one_origin_share_connections() {
    let (origin, sandbox) = stage();
    dump(&sandbox, &origin.url("/hls/flac.m3u8"), &[]);
    assert!(
        origin.connections() <= 4,
        "{} connections for {} requests",
        origin.connections(),
        origin.log().len()
    );
}

#[test]
fn a_slow_origin_changes_nothing_in_the_sound() {
    let (origin, sandbox) = stage();
    for number in 0..6 {
        origin.on(&format!("/hls/flac-{number}.m4s")).latency(30);
    }
    sandbox
        .kithara(["dump", &origin.url("/hls/flac.m3u8"), "-o", "x.wav"])
        .run();
    expected_of("hls/flac.m3u8").check(&Sound::open(&sandbox.path("x.wav")));
}
