//! What is kept, for whom, and what is not: the wishes of servers and the
//! privacy of the user.

use std::fs;

use crate::sandbox::Sandbox;
use crate::{bytes, dump, expected_of, not_cached, stage};

const FILE: &str = "/files/s16.flac";
const STREAM: &str = "/hls/flac.m3u8";

/// Every byte below the sandbox's cache folder and beside it.
fn holds(sandbox: &Sandbox, wire: &[u8]) -> bool {
    let part = &wire[wire.len() / 2..][..64];
    sandbox.cache_files().iter().any(|(path, _)| {
        let held = fs::read(path).expect("a cache file");
        held.windows(part.len()).any(|window| window == part)
    })
}

#[test]
fn what_a_server_forbids_keeping_is_played_and_not_kept() {
    for (path, file, fixture) in [
        (FILE, "files/s16.flac", "files/s16.flac"),
        ("/hls/flac-2.m4s", "hls/flac.m3u8", "hls/flac-2.m4s"),
    ] {
        let (origin, sandbox) = stage();
        origin.on(path).header("Cache-Control: max-age=0, No-Store");
        let url = origin.url(&format!("/{file}"));
        for _ in 0..2 {
            expected_of(file).check(&dump(&sandbox, &url, &[]));
            assert!(!holds(&sandbox, &bytes(fixture)), "{path}");
        }
        let asked = origin.requests(path);
        assert_eq!(asked.len(), 2, "{path}");
        assert!(asked.iter().all(|request| request.status == 200));
        sandbox
            .kithara(["cache", &url])
            .fails(7, &["the server forbids it"])
            .run();
        assert!(!holds(&sandbox, &bytes(fixture)), "{path}");
        origin.shut_down();
        not_cached(&sandbox, &url);
    }
}

#[test]
fn a_copy_goes_when_the_server_forbids_it_later() {
    let (origin, sandbox) = stage();
    let url = origin.url(FILE);
    sandbox.kithara(["cache", &url]).run();
    assert!(holds(&sandbox, &bytes("files/s16.flac")));
    origin
        .on(FILE)
        .change_etag()
        .header("Cache-Control: no-store");
    expected_of("files/s16.flac").check(&dump(&sandbox, &url, &["--refresh"]));
    assert!(!holds(&sandbox, &bytes("files/s16.flac")));
}

#[test]
fn a_private_answer_is_kept_unless_credentials_were_sent_for_it() {
    let private = "Cache-Control: private=\"x\", max-age=60";
    for (arguments, is_kept) in [(&[][..], true), (&["--bearer", "secret"], false)] {
        let (origin, sandbox) = stage();
        origin.on(FILE).header(private);
        expected_of("files/s16.flac").check(&dump(&sandbox, &origin.url(FILE), arguments));
        assert_eq!(
            holds(&sandbox, &bytes("files/s16.flac")),
            is_kept,
            "{arguments:?}"
        );
    }
}

#[test]
fn what_came_with_credentials_is_for_the_same_credentials() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    let with = |secret| {
        [
            "dump",
            &url,
            "-o",
            "x.wav",
            "-f",
            "--offline",
            "--bearer",
            secret,
        ]
    };
    sandbox.kithara(["cache", &url, "--bearer", "one"]).run();
    sandbox.kithara(with("one")).run();
    sandbox.kithara(with("two")).fails(9, &[]).run();
    not_cached(&sandbox, &url);
    for (path, _) in sandbox.cache_files() {
        let held = fs::read(path).expect("a cache file");
        assert!(
            !held
                .windows(6)
                .any(|window| window == b"bearer" || window == b"Bearer")
        );
    }
}
