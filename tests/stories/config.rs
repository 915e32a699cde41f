//! `config.toml`: what flags are when nothing else says so.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::Sandbox;
use crate::stage;
use crate::wav::Sound;

/// The user's own file, with this in it.
fn own(sandbox: &Sandbox, text: &str) -> PathBuf {
    let path = sandbox.path("../config/kithara/config.toml");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("written");
    path
}

/// How many frames of a second at 44,100 Hz a dump with these words has.
fn frames(sandbox: &Sandbox, words: &[&str], length: Option<&str>) -> usize {
    let fixed = ["dump", "a.flac", "-f", "-o", "a.wav"];
    let run = sandbox.kithara(fixed.iter().chain(words));
    let run = match length {
        Some(length) => run.env("KITHARA_LENGTH", length),
        None => run,
    };
    run.run();
    Sound::open(&sandbox.path("a.wav")).frames()
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let (_, sandbox) = stage();
    sandbox.copy("files/s16.flac", "a.flac");
    let whole = frames(&sandbox, &[], None);
    own(&sandbox, "length = \"100ms\"\n[play]\nlength = 0.5\n");
    assert_eq!(frames(&sandbox, &[], None), 4410);
    assert_eq!(frames(&sandbox, &[], Some("0.2")), 8820);
    assert_eq!(frames(&sandbox, &["--length", "0.3"], Some("0.2")), 13230);
    assert_eq!(frames(&sandbox, &["--no-config"], None), whole);
    fs::write(
        sandbox.path("other.toml"),
        "[dump]\nlength = 0.4\n[play]\nlength = 1\n",
    )
    .expect("written");
    assert_eq!(frames(&sandbox, &["--config", "other.toml"], None), 17640);
}

#[test]
fn what_is_sent_and_switched_on_can_stand_in_the_file() {
    let (origin, sandbox) = stage();
    own(
        &sandbox,
        "header = [\"X-A: 1\", \"X-B: 2\"]\nuser-agent = \"me\"\nno-cache = true\nquiet = false\n[info]\njson = true\n",
    );
    let url = origin.url("/files/s16.flac");
    let info = sandbox.kithara(["info", &url]).prints().run().json();
    assert_eq!(info["codec"], "flac");
    sandbox
        .kithara(["dump", &url, "-o", "b.wav", "-H", "X-C: 3"])
        .run();
    assert_eq!(sandbox.cache_bytes(), 0, "no-cache");
    let log = origin.log();
    let sent = |at: usize| ["x-a", "x-b", "x-c", "user-agent"].map(|name| log[at].header(name));
    assert_eq!(sent(0), [Some("1"), Some("2"), None, Some("me")]);
    assert_eq!(sent(log.len() - 1), [None, None, Some("3"), Some("me")]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let (_, sandbox) = stage();
    sandbox.copy("files/s16.flac", "a.flac");
    let cases = [
        ("\nvolum = 1\n", "line 2", "there is no flag --volum here"),
        (
            "[play]\nlength = \"soon\"\n",
            "line 2",
            "it is not a duration",
        ),
        ("quiet = 1\n", "line 1", "it is true or false"),
        ("quality = \"x\n", "line 1", ""),
    ];
    for (text, line, why) in cases {
        own(&sandbox, text);
        let run = ["dump", "a.flac", "-o", "none.wav"];
        let told = sandbox
            .kithara(run)
            .fails(2, &[line, "config.toml\"", why])
            .run();
        assert!(!sandbox.path("none.wav").exists(), "{}", told.stderr);
        sandbox.kithara(["--help"]).prints().run();
        sandbox.kithara(run).env("KITHARA_NO_CONFIG", "1").run();
        fs::remove_file(sandbox.path("none.wav")).expect("it was written");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let (_, sandbox) = stage();
    sandbox
        .kithara(["devices", "--config", "none.toml"])
        .fails(7, &["none.toml", "--no-config"])
        .run();
    fs::write(sandbox.path("long.toml"), "#".repeat((1 << 20) + 1)).expect("written");
    sandbox
        .kithara(["devices", "--config", "long.toml"])
        .fails(8, &["longer than 1048576 bytes"])
        .run();
}
