//! The roads to a server: proxies, authorities and certificates (row T7).

use std::fs;
use std::net::TcpListener;

use super::wire::{Wire, pem};
use super::{STREAM, address, carried, check_flac};
use crate::stage;

#[test]
fn t7_an_http_proxy_carries_everything_and_keeps_its_own_login() {
    let (origin, sandbox) = stage();
    let login = "Basic cHJveHk6aHVzaA=="; // proxy:hush
    let proxy = Wire::http_proxy(address(&origin), Some(login));
    let at = format!("http://proxy:hush@{}", proxy.address);
    let url = format!("http://music.test{STREAM}");
    let run = [
        "dump",
        &url,
        "-o",
        "x.wav",
        "-x",
        &at,
        "-H",
        "X-Token: hush-header",
    ];
    sandbox.kithara(run).run();
    check_flac(&sandbox, "x.wav");
    assert_eq!(proxy.seen().len(), 8, "{:?}", proxy.seen());
    assert_eq!(proxy.seen()[0], format!("GET {url} {login}"));
    for request in origin.log() {
        assert_eq!(request.header("x-token"), Some("hush-header"));
        assert_eq!(request.header("proxy-authorization"), None);
    }
    let refused = format!("wrong:hush@{}", proxy.address);
    let run = sandbox.kithara(["info", &url, "--refresh", "-x", &refused]);
    let words = format!("the proxy {} refused", proxy.address);
    run.fails(3, &[&words]).run();
}

#[test]
fn t7_a_proxy_of_the_environment_is_used_shown_and_can_be_left_out() {
    let (origin, sandbox) = stage();
    let proxy = Wire::http_proxy(address(&origin), None);
    let at = format!("http://me:hush@{}", proxy.address);
    let url = origin.url(STREAM);
    let info = |words: &[&str]| {
        let words = [&["info", &url, "--json", "--refresh"], words].concat();
        sandbox.kithara(words).env("http_proxy", &at)
    };
    let shown = info(&[]).prints().run().json();
    assert_eq!(shown["proxy"], proxy.address.to_string());
    assert_eq!(proxy.seen().len(), 1);
    for none in ["none", ""] {
        let shown = info(&["--proxy", none]).prints().run().json();
        assert_eq!(shown["proxy"], serde_json::Value::Null);
    }
    info(&[]).env("no_proxy", "127.0.0.1").prints().run();
    assert_eq!(proxy.seen().len(), 1, "{:?}", proxy.seen());
    assert_eq!(origin.log().len(), 4);
}

#[test]
fn t7_socks_proxies_are_asked_for_a_name_or_an_address() {
    let (origin, sandbox) = stage();
    let cases = [
        ("socks5h", "music.test", "", "music.test -"),
        (
            "socks5h",
            "music.test",
            "me:hu%23sh@",
            "music.test me:hu#sh",
        ),
        ("socks5", "localhost", "", "127.0.0.1 -"),
    ];
    for (scheme, host, login, want) in cases {
        let proxy = Wire::socks(address(&origin), None);
        let at = format!("{scheme}://{login}{}", proxy.address);
        let url = format!("http://{host}:8000{STREAM}");
        sandbox
            .kithara(["dump", &url, "-o", "x.wav", "-f", "--no-cache", "-x", &at])
            .run();
        check_flac(&sandbox, "x.wav");
        let seen = proxy.seen();
        assert!(
            !seen.is_empty() && seen.iter().all(|line| line == want),
            "{seen:?}"
        );
    }
}

#[test]
fn t7_a_proxy_that_does_not_know_us_says_so() {
    let (origin, sandbox) = stage();
    let proxy = Wire::socks(address(&origin), Some("me:right"));
    for (login, why) in [("me:hush@", "credentials not accepted"), ("", "refused")] {
        let at = format!("socks5h://{login}{}", proxy.address);
        let run = sandbox.kithara(["info", &origin.url(STREAM), "-x", &at, "--retry", "0"]);
        let words = format!("the proxy {} refused", proxy.address);
        let run = run.fails(3, &[&words, why]).run();
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    assert!(origin.log().is_empty());
}

#[test]
fn t7_a_proxy_that_is_not_there_is_named_without_its_login() {
    let (origin, sandbox) = stage();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = listener.local_addr().expect("bound");
    drop(listener);
    for scheme in ["http", "socks5h"] {
        let at = format!("{scheme}://me:hush@{gone}");
        let run = sandbox.kithara(["info", &origin.url(STREAM), "-x", &at, "--retry", "0"]);
        let run = run.fails(3, &["proxy", &gone.to_string()]).run();
        assert!(!run.stderr.contains("hush"), "{}", run.stderr);
    }
    assert!(origin.log().is_empty());
}

#[test]
fn t7_a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let (origin, sandbox) = stage();
    let (good, bad) = ("server.pem", "impostor.pem");
    let authority = pem("authority.pem").display().to_string();
    for (name, flags, code) in [
        (good, &["--cacert", authority.as_str()][..], 0),
        (good, &[], 3),
        (bad, &["--cacert", authority.as_str()], 3),
    ] {
        let front = Wire::tls(address(&origin), name, false);
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{}{STREAM}", front.address.port());
            let run = [
                "dump",
                &url,
                "-o",
                "x.wav",
                "-f",
                "-H",
                "X-Token: hush-header",
            ];
            let run = sandbox.kithara([&run[..], flags].concat());
            match code {
                0 => {
                    run.run();
                    check_flac(&sandbox, "x.wav");
                }
                code => {
                    run.fails(code, &["not signed by an authority that is trusted"])
                        .run();
                    assert!(
                        front.seen().is_empty(),
                        "no request before the certificate is good"
                    );
                }
            }
        }
    }
    assert!(origin.log().iter().all(|request| carried(request) == 1));
}

#[test]
fn t7_https_goes_through_proxies_too() {
    let (origin, sandbox) = stage();
    let front = Wire::tls(address(&origin), "server.pem", false);
    let authority = pem("authority.pem").display().to_string();
    let url = format!("https://music.test{STREAM}");
    let http = Wire::http_proxy(front.address, None);
    let socks = Wire::socks(front.address, None);
    for at in [
        format!("http://{}", http.address),
        format!("socks5h://{}", socks.address),
    ] {
        let run = [
            "dump",
            &url,
            "-o",
            "x.wav",
            "-f",
            "--no-cache",
            "-x",
            &at,
            "--cacert",
            &authority,
        ];
        sandbox
            .kithara([&run[..], &["-H", "X-Token: hush-header"]].concat())
            .run();
        check_flac(&sandbox, "x.wav");
    }
    assert!(
        http.seen()
            .iter()
            .all(|line| line == "CONNECT music.test:443 -"),
        "{:?}",
        http.seen()
    );
    assert!(
        socks.seen().iter().all(|line| line == "music.test -"),
        "{:?}",
        socks.seen()
    );
}

#[test]
fn t7_a_client_certificate_is_shown_to_the_server_of_the_url_and_to_no_other() {
    let (origin, sandbox) = stage();
    let authority = pem("authority.pem").display().to_string();
    let certificate = pem("client.pem").display().to_string();
    let home = Wire::tls(address(&origin), "server.pem", true);
    let url = format!("https://{}{STREAM}", home.address);
    let run = |url: &str, flags: &[&str]| {
        let run = [
            "dump",
            url,
            "-o",
            "x.wav",
            "-f",
            "--no-cache",
            "--cacert",
            &authority,
        ];
        sandbox.kithara([&run[..], flags].concat())
    };
    run(&url, &[])
        .fails(3, &["the server asks for a client certificate", "--cert"])
        .run();
    run(&url, &["-E", &certificate]).run();
    check_flac(&sandbox, "x.wav");
    assert!(
        home.seen().iter().all(|line| line.starts_with('1')),
        "{:?}",
        home.seen()
    );
    // Another server that asks for one gets none, whatever leads there.
    let away = Wire::tls(address(&origin), "server.pem", true);
    let target = format!("https://{}{STREAM}", away.address);
    origin.on("/away").redirect(&target);
    let url = format!("https://{}/away", home.address);
    run(&url, &["-E", &certificate])
        .fails(3, &["asks for a client certificate"])
        .run();
    assert!(away.seen().is_empty(), "{:?}", away.seen());
}

#[test]
fn t7_files_of_certificates_that_cannot_be_used_are_named() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    fs::write(sandbox.path("empty.pem"), "").expect("a file");
    let [authority, client, locked] =
        ["authority.pem", "client.pem", "locked.pem"].map(|name| pem(name).display().to_string());
    let mixed = fs::read_to_string(&authority).expect("a file")
        + fs::read_to_string(&client)
            .expect("a file")
            .split_once("-----END CERTIFICATE-----\n")
            .expect("a key")
            .1;
    fs::write(sandbox.path("mixed.pem"), mixed).expect("a file");
    let cases = [
        ("--cacert", "nowhere.pem", 7, "no such file or directory"),
        ("--cacert", "empty.pem", 2, "there is none"),
        ("--cert", "nowhere.pem", 7, "no such file or directory"),
        ("--cert", "empty.pem", 2, "there is none"),
        ("--cert", &authority, 2, "its key is missing"),
        ("--cert", "mixed.pem", 2, "the key does not belong to it"),
        ("--cert", &locked, 2, "its key is protected by a password"),
    ];
    for (flag, file, code, why) in cases {
        sandbox
            .kithara(["info", &url, flag, file])
            .fails(code, &[why])
            .run();
    }
    assert!(origin.log().is_empty());
}
