//! What is sent, where redirects lead, where an answer is placed.

use crate::error::Kind;
use crate::event::RequestKind;
use crate::fetch::{ByteRange, Head, Request, Status};
use crate::stats::Stage;

use super::script::{Act, Script, answer, raw};
use super::{bench, file, lines, ok, redirect, sorted};

#[tokio::test]
async fn two_requests_share_one_connection() {
    let origin = Script::play(vec![ok(b"first"), ok(b"second")]);
    let bench = bench();
    for want in ["first", "second"] {
        let got = bench.get(&file(origin.url("/a"))).await;
        assert_eq!(got, Ok((Status::Fresh, 0, want.to_owned())));
    }
    let connections: Vec<_> = origin.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0]);
    assert_eq!(bench.stats.connections.total(), 1);
    assert_eq!(bench.stats.network_bytes.total(), 11);
    assert_eq!(bench.stats.requests(RequestKind::File), 2);
}

#[tokio::test]
async fn a_literal_address_has_a_connect_stage_and_no_other() {
    let origin = Script::play(vec![ok(b"x")]);
    let bench = bench();
    bench.get(&file(origin.url("/a"))).await.expect("an answer");
    let stages: Vec<_> = bench
        .stats
        .stages()
        .iter()
        .map(|times| times.stage)
        .collect();
    assert_eq!(stages, [Stage::Connect]);
}

#[tokio::test]
async fn a_name_is_resolved_before_it_is_connected() {
    let origin = Script::play(vec![ok(b"x")]);
    let mut url = origin.url("/a");
    url.set_host(Some("localhost")).expect("a host");
    let bench = bench();
    bench.get(&file(url)).await.expect("an answer");
    let stages = bench.stats.stages();
    let names: Vec<_> = stages.iter().map(|times| times.stage).collect();
    assert_eq!(names, [Stage::Resolve, Stage::Connect]);
    assert_eq!(stages[0].ended, stages[1].began);
}

#[tokio::test]
async fn what_is_sent_is_what_is_needed_and_nothing_else() {
    let origin = Script::play(vec![ok(b"x")]);
    let bench = bench();
    let media = Request {
        range: ByteRange::new(5, 10),
        if_range: Some("\"v1\"".to_owned()),
        ..file(origin.url("/a?token=1"))
    };
    let playlist = Request {
        if_none_match: Some("W/\"v2\"".to_owned()),
        ..Request::new(RequestKind::Media, origin.url("/b"))
    };
    for request in [&media, &playlist] {
        bench.get(request).await.expect("an answer");
    }
    let heads: Vec<_> = origin.seen().iter().map(|seen| lines(&seen.head)).collect();
    let host = format!("host: {}", origin.url("").authority());
    let agent = format!("user-agent: kithara/{}", env!("CARGO_PKG_VERSION"));
    let media = [
        "get /a?token=1 http/1.1",
        "accept-encoding: identity",
        "accept: */*",
        "if-range: \"v1\"",
        "range: bytes=5-9",
        &host,
        &agent,
    ];
    let playlist = [
        "get /b http/1.1",
        "accept-encoding: gzip",
        "accept: */*",
        "if-none-match: w/\"v2\"",
        &host,
        &agent,
    ];
    assert_eq!(heads, [sorted(&media), sorted(&playlist)]);
}

#[tokio::test]
async fn a_length_is_asked_for_without_the_body() {
    let cases: [(&[&str], Option<u64>); 4] = [
        (&["Content-Length: 12345"], Some(12_345)),
        (&["Content-Length: 0"], Some(0)),
        (&["Content-Length: +5"], None),
        (&["Transfer-Encoding: chunked"], None),
    ];
    for (headers, want) in cases {
        let said = Act::Send(raw("200 OK", headers, b""));
        let origin = Script::play(vec![redirect("/b"), said, ok(b"next")]);
        let bench = bench();
        let request = Request::new(RequestKind::Segment, origin.url("/a"));
        // A number that is none is no answer at all.
        let length = bench.client.length(&request).await;
        assert_eq!(length.ok().flatten(), want, "{headers:?}");
        bench.get(&file(origin.url("/c"))).await.expect("an answer");
        let seen = origin.seen();
        let lines: Vec<_> = seen.iter().map(|seen| seen.head.lines().next()).collect();
        assert_eq!(lines[0], Some("HEAD /a HTTP/1.1"), "{headers:?}");
        assert_eq!(lines[1], Some("HEAD /b HTTP/1.1"), "{headers:?}");
        assert_eq!(bench.stats.requests(RequestKind::Segment), 2, "{headers:?}");
        let statuses: Vec<_> = bench
            .exchanges()
            .iter()
            .map(|one| one.failure.clone())
            .collect();
        assert_eq!(statuses[0], None, "{headers:?}");
    }
}

#[tokio::test]
async fn the_head_of_an_answer_is_kept() {
    let headers = [
        "ETag: \"v1\"",
        "Last-Modified: Tue, 01 Jan 2030 00:00:00 GMT",
        "Content-Type: audio/mp4",
        "Cache-Control: private, No-Store",
        "Content-Range: bytes 2-4/10",
    ];
    let origin = Script::play(vec![Act::Send(answer("206 Partial", &headers, b"cde"))]);
    let request = Request {
        range: ByteRange::new(2, 5),
        ..file(origin.url("/a"))
    };
    let response = bench().open(&request).await.expect("an answer");
    let want = Head {
        status: Status::Part,
        final_url: origin.url("/a"),
        offset: 2,
        total: Some(10),
        etag: Some("\"v1\"".to_owned()),
        last_modified: Some("Tue, 01 Jan 2030 00:00:00 GMT".to_owned()),
        content_type: Some("audio/mp4".to_owned()),
        no_store: true,
        accepts_ranges: false,
        station: None,
    };
    assert_eq!(response.head, want);
}

#[tokio::test]
async fn the_whole_for_a_part_is_fresh_and_says_so() {
    let origin = Script::play(vec![ok(b"0123456789")]);
    let request = Request {
        range: Some(ByteRange::from_byte(5)),
        ..file(origin.url("/a"))
    };
    let got = bench().get(&request).await;
    assert_eq!(got, Ok((Status::Fresh, 0, "0123456789".to_owned())));
}

#[tokio::test]
async fn a_wrong_part_is_thrown_away_and_the_whole_is_asked_for() {
    let wrong: [&[&str]; 5] = [
        &["Content-Range: bytes 0-4/10"],
        &["Content-Range: bytes 5-8/10"],
        &["Content-Range: bytes 5-9/11"],
        &["Content-Range: bytes 5-9/10", "ETag: \"v2\""],
        &[],
    ];
    for headers in wrong {
        let bad = Act::Send(answer("206 Partial", headers, b"wrong"));
        let origin = Script::play(vec![bad, ok(b"0123456789")]);
        let request = Request {
            range: Some(ByteRange::from_byte(5)),
            if_range: Some("\"v1\"".to_owned()),
            total: Some(10),
            ..file(origin.url("/a"))
        };
        let bench = bench();
        let got = bench.get(&request).await;
        assert_eq!(
            got,
            Ok((Status::Fresh, 0, "0123456789".to_owned())),
            "{headers:?}"
        );
        let seen = origin.seen();
        assert!(
            !lines(&seen[1].head)
                .iter()
                .any(|line| line.contains("range"))
        );
        assert_eq!(bench.stats.network_bytes.total(), 10);
    }
}

#[tokio::test]
async fn a_resume_from_the_very_end_finds_nothing_more() {
    let past = answer("416 No", &["Content-Range: bytes */10"], b"");
    let origin = Script::play(vec![Act::Send(past)]);
    let request = Request {
        range: Some(ByteRange::from_byte(10)),
        ..file(origin.url("/a"))
    };
    let got = bench().get(&request).await;
    assert_eq!(got, Ok((Status::Part, 10, String::new())));
}

#[tokio::test]
async fn a_good_copy_is_not_sent_again() {
    let origin = Script::play(vec![Act::Send(raw("304 Not Modified", &[], b""))]);
    let request = Request {
        if_none_match: Some("\"v1\"".to_owned()),
        ..Request::new(RequestKind::Media, origin.url("/a"))
    };
    let got = bench().get(&request).await;
    assert_eq!(got, Ok((Status::NotModified, 0, String::new())));
}

#[tokio::test]
async fn redirects_are_followed_to_the_end_and_no_further() {
    let origin = Script::play(vec![redirect("/b/c?x=1"), redirect("d"), ok(b"here")]);
    let bench = bench();
    let response = bench.open(&file(origin.url("/a"))).await.expect("found");
    assert_eq!(response.head.final_url, origin.url("/b/d"));
    drop(response);
    let statuses: Vec<_> = bench.exchanges().iter().map(|e| e.status).collect();
    assert_eq!(statuses, [Some(302), Some(302), Some(200)]);

    let looped = Script::play(vec![redirect("/a?more")]);
    let problem = bench
        .get(&file(looped.url("/a")))
        .await
        .expect_err("a loop");
    assert_eq!(problem.kind, Kind::Unsafe);
    assert_eq!(looped.seen().len(), 11);

    let local = Script::play(vec![redirect("file:///etc/passwd")]);
    let problem = bench.get(&file(local.url("/a"))).await.expect_err("unsafe");
    let want = format!(
        "cannot fetch {}: only http and https are fetched, not \"file\", check the link",
        local.url("/a")
    );
    assert_eq!((problem.kind, problem.to_string()), (Kind::Unsafe, want));
}
