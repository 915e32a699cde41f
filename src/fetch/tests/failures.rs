//! What is tried again, what is final, and what the user reads.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use url::Url;

use crate::error::Kind;
use crate::event::{Event, RequestKind};
use crate::fetch::{Request, Settings, Status};

use super::script::{Act, Script, answer};
use super::{bench, fail, file, ok, with};

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let origin = Script::play(vec![
        fail("500 Oops"),
        fail("503 Later"),
        Act::SendAndClose(Vec::new()),
        ok(b"at last"),
    ]);
    let bench = bench();
    let got = bench.get(&file(origin.url("/a"))).await;
    assert_eq!(got, Ok((Status::Fresh, 0, "at last".to_owned())));
    assert_eq!(bench.stats.retries.total(), 3);
    let why: Vec<_> = bench
        .events
        .try_iter()
        .filter_map(|event| match event {
            Event::Retry { attempt, problem } => Some((attempt, problem.why)),
            _ => None,
        })
        .collect();
    let want = [
        (1, "the server answered 500 Internal Server Error"),
        (2, "the server answered 503 Service Unavailable"),
        (3, "the connection broke off"),
    ];
    assert_eq!(why, want.map(|(number, why)| (number, why.to_owned())));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let cases = [
        ("404 Gone fishing", 404, "the server answered 404 Not Found"),
        ("403 No", 403, "the server answered 403 Forbidden"),
        ("410 No", 410, "the server answered 410 Gone"),
        ("299 Odd", 299, "the server answered 299"),
        ("304 Unasked", 304, "the server answered 304 Not Modified"),
        ("302 Nowhere", 302, "the server answered 302 Found"),
    ];
    for (status, code, why) in cases {
        let origin = Script::play(vec![fail(status)]);
        let bench = bench();
        let request = Request {
            segment: Some(3),
            ..Request::new(RequestKind::Segment, origin.url("/a?secret"))
        };
        let problem = bench.get(&request).await.expect_err(status);
        assert_eq!(problem.kind, Kind::HttpStatus(code));
        assert_eq!(problem.why, why);
        let want = format!("cannot fetch segment 3 {}", origin.url("/a"));
        assert_eq!(problem.what, want);
        assert_eq!(origin.seen().len(), 1, "{status}");
        assert_eq!(bench.exchanges()[0].failure.as_deref(), Some(why));
    }
}

#[tokio::test]
async fn a_closed_port_is_tried_three_times() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = Url::parse(&format!("http://{address}/live.m3u8")).expect("a URL");
    let bench = bench();
    let request = Request::new(RequestKind::Multivariant, url);
    let problem = bench.get(&request).await.expect_err("nobody listens");
    assert_eq!(problem.kind, Kind::Connect);
    let want = format!(
        "cannot fetch the playlist http://{address}/live.m3u8: connection refused, \
         check that the server runs"
    );
    assert_eq!(problem.to_string(), want);
    assert_eq!(bench.exchanges().len(), 3);
    assert_eq!(bench.stats.connections.total(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    let url = Url::parse("http://nowhere.invalid/a").expect("a URL");
    let bench = bench();
    let problem = bench.get(&file(url)).await.expect_err("no such host");
    assert_eq!(problem.kind, Kind::Resolve);
    assert_eq!(problem.why, "no address for the host \"nowhere.invalid\"");
    assert_eq!(bench.stats.retries.total(), 1);
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_not_asked_twice() {
    let odd = [
        "220 smtp ready\r\n\r\n",
        "HTTP/1.1 200 \u{1b}[2J\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ];
    for text in odd {
        let origin = Script::play(vec![Act::SendAndClose(text.into())]);
        let problem = bench().get(&file(origin.url("/"))).await.expect_err(text);
        assert_eq!(problem.kind, Kind::NoData, "{text:?}");
        assert_eq!(problem.why, "the answer is not HTTP");
        assert_eq!(origin.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let origin = Script::play(vec![Act::SendAndHold(Vec::new())]);
    let bench = with(Settings {
        retries: 0,
        ..Settings::default()
    });
    let request = file(origin.url("/a"));
    // Connected in real time, then the clock runs as fast as nothing happens.
    let problem = {
        let mut got = std::pin::pin!(bench.get(&request));
        while origin.seen().is_empty() {
            let step = Duration::from_millis(1);
            assert!(tokio::time::timeout(step, &mut got).await.is_err());
        }
        tokio::time::pause();
        got.await.expect_err("silence")
    };
    assert_eq!(problem.kind, Kind::NoData);
    assert_eq!(problem.why, "no data for 10 s");
}

#[tokio::test]
async fn a_wish_to_wait_is_kept_and_told() {
    let later = answer("503 Later", &["Retry-After: 0"], b"");
    let origin = Script::play(vec![Act::Send(later), ok(b"x")]);
    let bench = bench();
    let got = bench.get(&file(origin.url("/a"))).await;
    assert_eq!(got, Ok((Status::Fresh, 0, "x".to_owned())));
    let why = bench.events.try_iter().find_map(|event| match event {
        Event::Retry { problem, .. } => Some(problem.why),
        _ => None,
    });
    let want = "the server answered 503 Service Unavailable and asks to wait 0 s";
    assert_eq!(why.as_deref(), Some(want));
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused_and_plain_text_is_no_tls() {
    let cases = [
        (
            stranger(),
            "its certificate is not signed by an authority that is trusted",
        ),
        (plain_text(), "the server does not speak TLS on this port"),
    ];
    for (url, why) in cases {
        let bench = bench();
        let problem = bench.get(&file(url)).await.expect_err(why);
        assert_eq!((problem.kind, problem.why.as_str()), (Kind::Tls, why));
        assert_eq!(bench.stats.retries.total(), 0);
        assert_eq!(bench.stats.connections.total(), 0);
    }
}

#[tokio::test]
async fn an_address_that_may_not_be_fetched_is_not_connected() {
    let long = format!("http://127.0.0.1:9/{}", "x".repeat(8192));
    for (text, kind) in [("ftp://127.0.0.1:9/a", Kind::Unsafe), (&long, Kind::Limit)] {
        let bench = bench();
        let url = Url::parse(text).expect("a URL");
        let problem = bench.get(&file(url)).await.expect_err(text);
        assert_eq!(problem.kind, kind);
        assert!(bench.exchanges().is_empty());
    }
}

#[test]
fn a_user_agent_that_cannot_be_sent_is_named() {
    let settings = Settings {
        user_agent: "a\nb".to_owned(),
        ..Settings::default()
    };
    let (events, _receiver) = crate::event::channel();
    let problem = crate::fetch::Client::new(settings, Arc::default(), events).expect_err("bad");
    assert_eq!(problem.kind, Kind::Arguments);
    assert_eq!(problem.why, "\"a\\u{a}b\" cannot be sent");
}

/// An HTTPS server whose certificate is signed by an authority nobody knows.
fn stranger() -> Url {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    let config = Arc::new(config);
    listen(move |mut stream| {
        let mut session = ServerConnection::new(Arc::clone(&config)).expect("a good config");
        // The client hangs up in the middle, as it should.
        let _ = session.complete_io(&mut stream);
    })
}

/// A server that answers a TLS greeting with words.
fn plain_text() -> Url {
    listen(|mut stream| {
        use std::io::{Read, Write};
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    })
}

fn listen(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.expect("a client"));
        }
    });
    Url::parse(&format!("https://{address}/")).expect("a URL")
}

// Made for this test; valid from 2020 to 2120, for localhost, trusted by nobody.
const CERTIFICATE: &[u8] = b"\
-----BEGIN CERTIFICATE-----
MIIBfzCCASagAwIBAgIBATAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAd0ZXN0IGNh
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQMvMVKQu0Hj1uK8Vte
k1Our3wD7uwoAMEoWP06Y+kIY10oKE4/9LTBo//XVc5WhyW0pAgSIEVQyxT2maJh
dlXxo2kwZzAJBgNVHRMEAjAAMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAd
BgNVHQ4EFgQUiXPwk5Y/3ukbvnLpcLZjqxdkX/gwHwYDVR0jBBgwFoAU5K85uIGm
vXbKg5YYRQP7mO7ULscwCgYIKoZIzj0EAwIDRwAwRAIgbW8lQ/5qgTIplWkpnK1+
Fopcr9gcaMwmmia5DIHuqZsCICmYKspAiBBSYzkFOJA2MuPHyEyZM4QPzrUcFM5a
1RPX
-----END CERTIFICATE-----
";
const KEY: &[u8] = b"\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsPKVgBzVFaxSJ4Dj
3Z2TCn0DZK1OzkyMfiKLy8ZYF/yhRANCAAQMvMVKQu0Hj1uK8Vtek1Our3wD7uwo
AMEoWP06Y+kIY10oKE4/9LTBo//XVc5WhyW0pAgSIEVQyxT2maJhdlXx
-----END PRIVATE KEY-----
";
