//! `cache ls`, `cache rm` and lists of addresses.

use std::fs;

use super::{not_cached, offline};
use crate::stage;

const FLAC: &str = "/files/s16.flac";
const STREAM: &str = "/hls/flac.m3u8";

#[test]
fn ls_tells_how_much_of_each_stream_is_there_and_how_long_it_is() {
    let (origin, sandbox) = stage();
    let master = origin.url("/hls/master.m3u8");
    sandbox.kithara(["cache", &origin.url(FLAC)]).run();
    sandbox.kithara(["cache", &master, "-Q", "1"]).run();
    sandbox
        .kithara(["cache", &origin.url(STREAM), "--length", "1"])
        .run();
    sandbox
        .kithara(["cache", &origin.url("/none")])
        .fails(4, &["404"])
        .run();
    origin.shut_down();
    let table = sandbox.kithara(["cache", "ls"]).prints().run().text();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    let facts: Vec<_> = rows.iter().map(|row| (row[1], row[2], row[3])).collect();
    let want = [
        ("50 %", "0:03", "now"),
        ("complete", "0:03", "now"),
        ("complete", "0:02", "now"),
    ];
    assert_eq!(facts, want, "{table}");
    let json = sandbox
        .kithara(["cache", "ls", "--json"])
        .prints()
        .run()
        .json();
    let streams = json["streams"].as_array().expect("a list");
    let facts: Vec<_> = streams
        .iter()
        .map(|one| {
            (
                one["kind"].as_str(),
                one["complete"].as_bool(),
                one["percent"].as_u64(),
                one["segments_stored"].as_u64(),
                one["duration_ms"].as_u64(),
            )
        })
        .collect();
    let want = [
        (Some("hls"), Some(false), Some(50), Some(3), Some(3000)),
        (Some("hls"), Some(true), Some(100), Some(6), Some(3042)),
        (Some("file"), Some(true), Some(100), None, Some(2000)),
    ];
    assert_eq!(facts, want, "{json}");
}

#[test]
fn looking_is_no_use_of_a_stream() {
    let (origin, sandbox) = stage();
    sandbox.kithara(["cache", &origin.url(FLAC)]).run();
    let used = |sandbox: &crate::sandbox::Sandbox| {
        let files = sandbox.cache_files();
        let lease = files.iter().find(|(path, _)| path.ends_with("lease"));
        let lease = &lease.expect("a lease").0;
        fs::metadata(lease)
            .and_then(|facts| facts.modified())
            .expect("a time")
    };
    let before = used(&sandbox);
    sandbox.kithara(["cache", "ls"]).prints().run();
    sandbox.kithara(["cache", "verify"]).prints().run();
    assert_eq!(used(&sandbox), before);
}

#[test]
fn rm_takes_several_and_what_is_not_there_is_only_told() {
    let (origin, sandbox) = stage();
    let (flac, stream) = (origin.url(FLAC), origin.url(STREAM));
    for url in [&flac, &stream] {
        sandbox.kithara(["cache", url]).run();
    }
    sandbox
        .kithara(["cache", "rm", &flac, "http://127.0.0.1:9/none", &stream])
        .warns(&["it is not in the cache: http://127.0.0.1:9/none"])
        .run();
    sandbox.kithara(["cache", "rm", &flac, "-q"]).run();
    for url in [&flac, &stream] {
        not_cached(&sandbox, url);
    }
    assert_eq!(sandbox.kithara(["cache", "ls"]).prints().run().text(), "");
}

#[test]
fn a_list_on_standard_input_is_cached_line_by_line() {
    let (origin, sandbox) = stage();
    let list = format!(
        "# mine\n\n{}\nftp://h/x\n  {}\r\n",
        origin.url(FLAC),
        origin.url(STREAM)
    );
    fs::write(sandbox.path("list"), list).expect("a list");
    let aiff = origin.url("/files/s16.aiff");
    sandbox
        .kithara(["cache", &aiff, "-"])
        .input(&sandbox.path("list"))
        .fails(2, &["line 4", "\"ftp\""])
        .run();
    origin.shut_down();
    offline(&sandbox, &aiff, "files/s16.aiff");
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
    offline(&sandbox, &origin.url(STREAM), "hls/flac.m3u8");
}

#[test]
fn of_several_the_worst_end_counts_and_each_failure_is_a_line() {
    let (origin, sandbox) = stage();
    fs::write(sandbox.path("page.html"), "<!doctype html><p>hello").expect("a page");
    origin.serve("/page", "text/html", b"<!doctype html><p>hello".to_vec());
    let (none, page) = (origin.url("/none"), origin.url("/page"));
    let run = sandbox
        .kithara(["cache", &none, &page, &origin.url(FLAC)])
        .code(5)
        .chatty()
        .run();
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    assert!(
        lines[0].contains("/none") && lines[1].contains("/page"),
        "{}",
        run.stderr
    );
    origin.shut_down();
    offline(&sandbox, &origin.url(FLAC), "files/s16.flac");
}
