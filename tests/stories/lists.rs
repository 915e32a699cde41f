//! Lists of addresses: their entries are played, cached, dumped, measured and
//! described in order, and lead nowhere a playlist may not lead.

use std::fs;

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::terminal::Terminal;
use crate::{bytes, dump, expected_of, fixture_path, stage};

const M3U: &str = "audio/x-mpegurl";
const FLAC: &str = "/files/s16.flac";
const WAV: &str = "/files/f32.wav";

/// The events of one name, as the field that matters.
fn told(lines: &[Value], event: &str, field: &str) -> Vec<Value> {
    let events = lines.iter().filter(|line| line["event"] == event);
    events.map(|line| line[field].clone()).collect()
}

/// The addresses of runs that ended, with the way they ended.
fn ends(origin: &Origin, lines: &[Value]) -> Vec<String> {
    let ends = lines.iter().filter(|line| line["event"] == "end");
    let told = ends.map(|line| {
        let url = line["url"].as_str().expect("an address");
        let path = url.strip_prefix(&origin.url("")).unwrap_or(url);
        format!("{} {path}", line["reason"].as_str().expect("a reason"))
    });
    told.collect()
}

#[test]
fn the_entries_of_every_form_are_played_in_order_with_their_titles() {
    let (origin, sandbox) = stage();
    origin.on("/old").redirect("/lists/radio");
    let pls =
        "[playlist]\nFile2=../files/f32.wav\nTitle2=Second\nFile1=/files/s16.flac\nTitle1=First\n";
    let m3u = "#EXTM3U\n#EXTINF:1,First\n/files/s16.flac\n#EXTINF:1,Second\n../files/f32.wav\n";
    let xspf = "<?xml version=\"1.0\"?><playlist version=\"1\"><trackList><track>\
        <location>/files/s16.flac</location><title>First</title></track><track>\
        <location>../files/f32.wav</location><title>Second</title></track></trackList></playlist>";
    for (text, kind) in [
        (pls, "audio/x-scpls"),
        (m3u, "text/plain"),
        (xspf, "application/xml"),
    ] {
        origin.serve("/lists/radio", kind, text.into());
        let old = origin.url("/old");
        let run = ["play", &old, "--ao", "null", "--length", "0.1", "--json"];
        let lines = sandbox.kithara(run).prints().run().json_lines();
        let want = [
            "list /old".to_owned(),
            format!("ended {FLAC}"),
            format!("ended {WAV}"),
        ];
        assert_eq!(ends(&origin, &lines), want, "{text}");
        assert_eq!(
            told(&lines, "title", "title"),
            ["First", "Second"],
            "{text}"
        );
        assert_eq!(told(&lines, "title", "pos_ms"), [0, 0], "{text}");
        let summaries = lines.iter().filter(|line| line["type"] == "summary");
        assert_eq!(summaries.count(), 2, "a list has no report of its own");
    }
    let asked = origin
        .log()
        .iter()
        .filter(|request| request.path == "/lists/radio")
        .count();
    assert_eq!(asked, 3, "each list is asked for once");
}

#[test]
fn a_text_without_a_header_is_a_list_when_it_is_called_one() {
    let (origin, sandbox) = stage();
    let text = format!("{}\n", origin.url(FLAC));
    for (path, kind) in [("/a.m3u", "text/plain"), ("/radio", M3U)] {
        origin.serve(path, kind, text.clone().into());
        expected_of("files/s16.flac").check(&dump(&sandbox, &origin.url(path), &[]));
    }
    fs::write(sandbox.path("here.m3u"), &text).expect("written");
    expected_of("files/s16.flac").check(&dump(&sandbox, "here.m3u", &[]));
    origin.serve("/a.txt", "text/plain", text.into());
    sandbox
        .kithara(["dump", &origin.url("/a.txt"), "-o", "none.wav"])
        .fails(5, &[])
        .run();
}

#[test]
fn a_list_of_hls_streams_is_no_hls_stream() {
    let (origin, sandbox) = stage();
    let list = "#EXTM3U\n#EXTINF:-1,A station\n/hls/flac.m3u8\n";
    origin.serve(
        "/stations.m3u8",
        "application/vnd.apple.mpegurl",
        list.into(),
    );
    expected_of("hls/flac.m3u8").check(&dump(&sandbox, &origin.url("/stations.m3u8"), &[]));
}

#[test]
fn an_entry_that_cannot_be_used_is_told_and_left_out() {
    let (origin, sandbox) = stage();
    sandbox.copy("files/s16.flac", "a.flac");
    let list = "/none\nftp://h/a\nfile:///etc/passwd\n../../etc/passwd\n/files/s16.flac\n";
    origin.serve("/list.m3u", M3U, list.into());
    let url = origin.url("/list.m3u");
    let run = ["play", &url, "--ao", "null", "--length", "0.1"];
    let told = sandbox.kithara(run).code(8).chatty().run().stderr;
    let list = format!("of the list \"{url}\"");
    let (cannot, none) = ("kithara: cannot", origin.url("/none"));
    let missing = |path: &str| format!("{cannot} play \"{}\": ", origin.url(path));
    let want = [
        missing("/none"),
        format!("{cannot} use entry 2 {list}: it leads from the web to \"ftp:\", "),
        format!("{cannot} use entry 3 {list}: it leads from the web to \"file:\", "),
        missing("/etc/passwd"),
    ];
    assert!(told.contains(&none), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), want.len(), "{told}");
    for (line, want) in lines.iter().zip(want) {
        assert!(line.starts_with(&want), "{line}\nis not\n{want}");
    }
    assert_eq!(
        origin.log().last().map(|last| last.path.clone()).as_deref(),
        Some(FLAC)
    );
}

#[test]
fn a_local_list_leads_to_files_below_it_and_to_the_web() {
    let (origin, sandbox) = stage();
    fs::create_dir(sandbox.path("sub")).expect("a folder");
    sandbox.copy("files/s16.flac", "sub/what? 100%41.flac");
    sandbox.copy("files/s16.flac", "out.flac");
    std::os::unix::fs::symlink("../out.flac", sandbox.path("sub/link.flac")).expect("a link");
    let whole = sandbox.path("sub/what? 100%41.flac");
    let list = format!(
        "what? 100%41.flac\n{}\nlink.flac\n../out.flac\n{}\n",
        whole.display(),
        origin.url(WAV)
    );
    fs::write(sandbox.path("sub/list.m3u"), list).expect("written");
    let run = [
        "play",
        "sub/list.m3u",
        "--ao",
        "null",
        "--length",
        "0.1",
        "--json",
    ];
    let run = sandbox.kithara(run).code(8).chatty().prints().run();
    let ended = "ended sub/what? 100%41.flac";
    let want = ["list sub/list.m3u", ended, ended, &format!("ended {WAV}")];
    assert_eq!(ends(&origin, &run.json_lines()), want);
    assert_eq!(
        told(&run.json_lines(), "error", "code"),
        ["unsafe", "unsafe"]
    );
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
}

#[test]
fn lists_lead_to_lists_and_not_round_in_a_ring() {
    let (origin, sandbox) = stage();
    origin.serve(
        "/a.pls",
        "audio/x-scpls",
        b"[playlist]\nFile1=b.m3u\n".to_vec(),
    );
    origin.serve("/b.m3u", M3U, b"/files/s16.flac\n".to_vec());
    expected_of("files/s16.flac").check(&dump(&sandbox, &origin.url("/a.pls"), &[]));
    origin.serve("/b.m3u", M3U, b"a.pls\n".to_vec());
    sandbox
        .kithara(["play", &origin.url("/a.pls"), "--ao", "null"])
        .fails(8, &["lists lead to lists"])
        .run();
}

#[test]
fn what_was_typed_for_the_server_of_a_list_goes_to_no_other() {
    let (home, sandbox) = stage();
    let other = Origin::start();
    let list = format!("{}\n/files/s16.flac\n", other.url(FLAC));
    home.serve("/list.m3u", M3U, list.into());
    let url = home.url("/list.m3u");
    let secrets = [
        "-H",
        "X-Key: hush",
        "--bearer",
        "hush",
        "--query-param",
        "t=hush",
    ];
    let run = ["play", &url, "--ao", "null", "--length", "0.1"];
    sandbox.kithara(run.iter().chain(&secrets)).chatty().run();
    for request in other.log() {
        let sent = (request.header("x-key"), request.header("authorization"));
        assert_eq!((sent, request.query.as_deref()), ((None, None), None));
    }
    let known = home.log();
    assert_eq!((known.len() >= 2, other.log().is_empty()), (true, false));
    for request in known {
        assert_eq!(request.header("x-key"), Some("hush"), "{}", request.path);
        assert_eq!(request.query.as_deref(), Some("t=hush"), "{}", request.path);
    }
}

#[test]
fn play_reads_addresses_from_standard_input() {
    let (origin, sandbox) = stage();
    let list = format!(
        "# mine\n{}\n\nftp://h/a\n{}\n",
        origin.url(FLAC),
        origin.url(WAV)
    );
    fs::write(sandbox.path("list"), list).expect("written");
    let run = sandbox
        .kithara(["play", "-", "--ao", "null", "--length", "0.1"])
        .input(&sandbox.path("list"))
        .fails(2, &["line 4 of the list", "ftp"])
        .run();
    assert!(run.stdout.is_empty());
    let paths: Vec<_> = origin
        .log()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths.first().map(String::as_str), Some(FLAC));
    assert_eq!(paths.last().map(String::as_str), Some(WAV));
}

#[test]
fn a_cached_list_plays_without_a_network() {
    let (origin, sandbox) = stage();
    let list = "#EXTM3U\n/files/s16.flac\n/files/f32.wav\n";
    origin.serve("/list.m3u", M3U, list.into());
    let url = origin.url("/list.m3u");
    sandbox.kithara(["cache", &url]).run();
    let asked = origin.log().len();
    let run = [
        "play",
        &url,
        "--offline",
        "--ao",
        "null",
        "--length",
        "0.1",
        "--json",
    ];
    let lines = sandbox.kithara(run).prints().run().json_lines();
    let want = [
        "list /list.m3u".to_owned(),
        format!("ended {FLAC}"),
        format!("ended {WAV}"),
    ];
    assert_eq!(ends(&origin, &lines), want);
    assert_eq!(origin.log().len(), asked);
    origin.serve("/list.m3u", M3U, b"#EXTM3U\n/files/f32.wav\n".to_vec());
    let run = ["play", &url, "--ao", "null", "--length", "0.1", "--json"];
    let lines = sandbox.kithara(run).prints().run().json_lines();
    let want = ["list /list.m3u".to_owned(), format!("ended {WAV}")];
    assert_eq!(ends(&origin, &lines), want, "the server is asked first");
    let alone = sandbox
        .kithara(["cache", "ls", "--json"])
        .prints()
        .run()
        .json();
    assert_eq!(
        alone["streams"].as_array().map(Vec::len),
        Some(3),
        "{alone}"
    );
}

#[test]
fn each_entry_is_measured_and_described() {
    let (origin, sandbox) = stage();
    origin.serve(
        "/list.m3u",
        M3U,
        b"/files/s16.flac\n/hls/aac.m3u8\n".to_vec(),
    );
    let url = origin.url("/list.m3u");
    let stats = ["stats", &url, "--length", "0.1", "--json"];
    let lines = sandbox.kithara(stats).prints().run().json_lines();
    let kinds = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| line["kind"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&lines), ["file", "hls-vod"]);
    let lines = sandbox
        .kithara(["info", &url, "--json"])
        .prints()
        .run()
        .json_lines();
    assert_eq!(kinds(&lines), ["file", "hls-vod"]);
    assert_eq!(lines[0]["url"], json!(origin.url(FLAC)));
    sandbox
        .kithara(["stats", &url, "-n", "2", "--length", "0.1"])
        .fails(2, &["cannot repeat", "a list of streams"])
        .run();
}

#[test]
fn there_is_room_for_one_in_a_file() {
    let (origin, sandbox) = stage();
    origin.serve(
        "/list.m3u",
        M3U,
        b"/files/s16.flac\n/files/f32.wav\n".to_vec(),
    );
    sandbox
        .kithara(["dump", &origin.url("/list.m3u"), "-o", "a.wav"])
        .fails(2, &["names 2 streams"])
        .run();
    assert!(!sandbox.path("a.wav").exists());
}

#[test]
fn a_broken_list_is_refused_as_a_whole() {
    let (origin, sandbox) = stage();
    let cases = [
        ("<playlist><trackList></playlist>", 5, "not open"),
        ("#EXTM3U\n#EXTINF:1,a\n", 5, "names no stream"),
        ("[playlist]\n", 5, "names no stream"),
    ];
    for (text, code, why) in cases {
        origin.serve("/list", "text/plain", text.into());
        sandbox
            .kithara(["play", &origin.url("/list"), "--ao", "null"])
            .fails(code, &[why])
            .run();
    }
}

#[test]
fn a_loop_goes_on_until_q_and_not_over_what_does_not_play() {
    let (origin, sandbox) = stage();
    let none = origin.url("/none");
    let run = ["play", "--loop", "--ao", "null", &none, &none];
    sandbox.kithara(run).code(4).chatty().run();
    assert_eq!(origin.log().len(), 2);
    let whole = fixture_path("files/f32.wav");
    fs::copy(whole, sandbox.path("a.wav")).expect("copied");
    fs::write(sandbox.path("list.m3u"), "a.wav\n").expect("written");
    let run = [
        "play", "--loop", "--ao", "null", "--length", "1", "list.m3u",
    ];
    let Some(terminal) = Terminal::with_kithara(&sandbox, &run) else {
        return;
    };
    // Each round reads the list again, so what is in it by now is heard.
    terminal.shows(&["PCM"]);
    fs::write(sandbox.path("b.flac"), bytes("files/s16.flac")).expect("written");
    fs::write(sandbox.path("new"), "b.flac\n").expect("written");
    fs::rename(sandbox.path("new"), sandbox.path("list.m3u")).expect("renamed");
    terminal.shows(&["FLAC"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.code(), 0);
}
