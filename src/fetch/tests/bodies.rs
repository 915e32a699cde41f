//! Bodies: whole, cut, short, silent, compressed, endless.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::Kind;
use crate::event::{Event, RequestKind};
use crate::fetch::{ByteRange, Cause, Request, Response, Status};

use super::script::{Act, Script, answer, raw};
use super::{Bench, bench, file, ok};

const PLAYLIST: &[u8] = b"#EXTM3U\n#EXTINF:4,\na.ts\n";

#[tokio::test]
async fn a_body_longer_than_stated_is_cut_and_its_connection_is_not_used_again() {
    let long = raw("200 OK", &["Content-Length: 4"], b"datanoise");
    let origin = Script::play(vec![Act::Send(long), ok(b"next")]);
    let bench = bench();
    for want in ["data", "next"] {
        let got = bench.get(&file(origin.url("/a"))).await;
        assert_eq!(got, Ok((Status::Fresh, 0, want.to_owned())));
    }
    let connections: Vec<_> = origin.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
    assert_eq!(bench.stats.network_bytes.total(), 8);
}

#[tokio::test]
async fn a_part_longer_than_its_range_is_cut() {
    let headers = ["Content-Range: bytes 2-4/10", "Transfer-Encoding: chunked"];
    let part = raw("206 Partial", &headers, b"8\r\ncdenoise\r\n0\r\n\r\n");
    let origin = Script::play(vec![Act::Send(part)]);
    let request = Request {
        range: ByteRange::new(2, 5),
        ..file(origin.url("/a"))
    };
    let got = bench().get(&request).await;
    assert_eq!(got, Ok((Status::Part, 2, "cde".to_owned())));
}

#[tokio::test]
async fn a_body_that_ends_early_is_never_an_end() {
    let chunked = "Transfer-Encoding: chunked";
    let part = "Content-Range: bytes 0-9/10";
    let cases: [(&str, &[&str], &[u8]); 4] = [
        ("200 OK", &["Content-Length: 10"], b"01234"),
        ("200 OK", &[chunked], b"5\r\n01234\r\n"),
        ("200 OK", &[chunked], b"a\r\n01234"),
        ("206 Partial", &[part, chunked], b"5\r\n01234\r\n0\r\n\r\n"),
    ];
    for (status, headers, body) in cases {
        let origin = Script::play(vec![Act::SendAndClose(raw(status, headers, body))]);
        let request = Request {
            range: status.starts_with("206").then(|| ByteRange::from_byte(0)),
            ..file(origin.url("/a"))
        };
        let bench = bench();
        let mut response = bench.open(&request).await.expect("a head");
        assert_eq!(drain(&mut response, 5).await, b"01234", "{headers:?}");
        let failure = response.chunk().await.expect_err("it broke off");
        assert_eq!((failure.cause, failure.received), (Cause::Broken, 5));
        assert_eq!(failure.problem.kind, Kind::NoData);
        drop(response);
        let exchanges = bench.exchanges();
        assert_eq!(exchanges.len(), 1, "{headers:?}");
        assert_eq!(exchanges[0].bytes, 5);
        assert_eq!(exchanges[0].failure, Some(failure.problem.why));
    }
}

#[tokio::test]
async fn a_broken_body_goes_on_from_the_exact_byte() {
    let first = raw("200 OK", &["Content-Length: 10", "ETag: \"v1\""], b"01234");
    let part = ["Content-Range: bytes 5-9/10", "ETag: \"v1\""];
    let rest = answer("206 Partial", &part, b"56789");
    let origin = Script::play(vec![Act::SendAndClose(first), Act::Send(rest)]);
    let bench = bench();
    assert_eq!(resume(&bench, &file(origin.url("/a"))).await, b"0123456789");
    let second = &origin.seen()[1].head;
    assert!(second.contains("range: bytes=5-\r\n"), "{second}");
    assert!(second.contains("if-range: \"v1\"\r\n"), "{second}");
    assert_eq!(bench.stats.retries.total(), 1);
}

/// Reads a body as the level above does: again from the first missing byte.
async fn resume(bench: &Bench, request: &Request) -> Vec<u8> {
    let mut attempts = bench.client.attempts();
    let mut request = request.clone();
    let mut all = Vec::new();
    loop {
        let opened = bench.client.open(&request, &mut attempts).await;
        let mut response = opened.expect("an answer");
        assert_eq!(response.head.offset, all.len() as u64);
        let failure = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => all.extend_from_slice(&bytes),
                Ok(None) => return all,
                Err(failure) => break failure,
            }
        };
        request.range = Some(ByteRange::from_byte(all.len() as u64));
        request.if_range = response.head.validator().map(str::to_owned);
        let paused = bench.client.pause(failure, &mut attempts).await;
        paused.expect("it may be tried again");
    }
}

async fn drain(response: &mut Response, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let chunk = response.chunk().await.expect("no failure yet");
        all.extend_from_slice(&chunk.expect("not the end"));
    }
    all
}

#[tokio::test]
async fn bytes_that_were_here_already_are_no_progress() {
    let whole = raw("200 OK", &["Content-Length: 10"], b"0123456");
    let origin = Script::play(vec![Act::SendAndClose(whole)]);
    let request = Request {
        range: Some(ByteRange::from_byte(5)),
        ..file(origin.url("/a"))
    };
    let mut response = bench().open(&request).await.expect("a head");
    drain(&mut response, 7).await;
    let failure = response.chunk().await.expect_err("it broke off");
    assert_eq!(failure.received, 2);
}

#[tokio::test]
async fn a_body_that_falls_silent_is_not_waited_for() {
    let part = raw("200 OK", &["Content-Length: 10"], b"01234");
    let origin = Script::play(vec![Act::SendAndHold(part)]);
    let mut response = bench().open(&file(origin.url("/a"))).await.expect("a head");
    drain(&mut response, 5).await;
    tokio::time::pause(); // nothing more will come, so the clock jumps
    let failure = response.chunk().await.expect_err("silence");
    assert_eq!(failure.problem.why, "no data for 10 s");
    assert_eq!(failure.cause, Cause::Broken);
}

#[tokio::test]
async fn an_abandoned_body_is_told_once() {
    let part = raw("200 OK", &["Content-Length: 10"], b"01234");
    let origin = Script::play(vec![Act::SendAndHold(part)]);
    let bench = bench();
    let mut response = bench.open(&file(origin.url("/a"))).await.expect("a head");
    drain(&mut response, 5).await;
    drop(response);
    let exchanges = bench.exchanges();
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0].failure.as_deref(), Some("abandoned"));
    assert_eq!((exchanges[0].status, exchanges[0].bytes), (Some(200), 5));
}

#[tokio::test]
async fn a_playlist_that_breaks_off_is_read_from_the_start() {
    let broken = raw("200 OK", &["Content-Length: 25"], &PLAYLIST[..10]);
    let origin = Script::play(vec![Act::SendAndClose(broken), ok(PLAYLIST)]);
    let bench = bench();
    let request = Request::new(RequestKind::Media, origin.url("/a"));
    let document = bench.client.fetch(&request, 100).await.expect("a playlist");
    assert_eq!(document.bytes, PLAYLIST);
    assert_eq!(document.head.final_url, origin.url("/a"));
    assert!(!origin.seen()[1].head.contains("range"));
}

#[tokio::test]
async fn a_playlist_that_always_breaks_off_is_given_up() {
    let body = vec![b'#'; 1 << 20]; // enough to earn retries, if it counted
    let broken = raw("200 OK", &["Content-Length: 9999999"], &body);
    let origin = Script::play(vec![Act::SendAndClose(broken)]);
    let bench = bench();
    let request = Request::new(RequestKind::Media, origin.url("/a"));
    let problem = bench.client.fetch(&request, 16 << 20).await;
    assert_eq!(problem.expect_err("broken").kind, Kind::NoData);
    assert_eq!(origin.seen().len(), 6);
    let retries = |event: &Event| matches!(event, Event::Retry { .. });
    assert_eq!(bench.events.try_iter().filter(retries).count(), 5);
}

#[tokio::test]
async fn a_playlist_may_be_compressed_up_to_the_cap() {
    let gzip = ["Content-Encoding: gzip"];
    let origin = Script::play(vec![
        Act::Send(answer("200 OK", &gzip, &pack(PLAYLIST))),
        Act::Send(answer("200 OK", &gzip, &pack(&[b'#'; 100_000]))),
        Act::Send(answer("200 OK", &gzip, b"not gzip")),
    ]);
    let request = Request::new(RequestKind::Media, origin.url("/a"));
    let bench = bench();
    let fetched = bench.client.fetch(&request, 1000).await;
    assert_eq!(fetched.expect("a playlist").bytes, PLAYLIST);
    for kind in [Kind::Limit, Kind::Malformed] {
        let problem = bench.client.fetch(&request, 1000).await;
        assert_eq!(problem.expect_err("refused").kind, kind);
    }
    assert_eq!(origin.seen().len(), 3);
}

#[tokio::test]
async fn compressed_media_is_refused() {
    let packed = answer("200 OK", &["Content-Encoding: gzip"], &pack(b"x"));
    let origin = Script::play(vec![Act::Send(packed)]);
    let problem = bench()
        .get(&Request::new(RequestKind::Segment, origin.url("/a")))
        .await;
    let problem = problem.expect_err("its offsets would be wrong");
    assert_eq!(problem.kind, Kind::Unsupported);
    assert_eq!(problem.why, "the server compressed it (gzip)");
}

#[tokio::test]
async fn an_endless_playlist_is_left_at_the_cap() {
    let endless = raw("200 OK", &[], &[b'#'; 5000]);
    let stated = raw("200 OK", &["Content-Length: 9999999999999999"], b"");
    for bytes in [endless, stated] {
        let origin = Script::play(vec![Act::SendAndHold(bytes)]);
        let request = Request::new(RequestKind::Key, origin.url("/a"));
        let bench = bench();
        let problem = bench.client.fetch(&request, 1000).await.expect_err("a cap");
        assert_eq!(problem.kind, Kind::Limit);
        assert_eq!(problem.why, "it is longer than 1000 bytes");
        assert_eq!(bench.stats.retries.total(), 0);
    }
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
