//! The text of playlists as it is in the wild: what breaks the rules is mended,
//! plays like what keeps them, and `info` says it; what leads astray or floods
//! is refused. Rows P, D7 and L10 of the table, threats T1, T3, T13, T16, T17.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::{bytes, dump, expected_of, stage};

const KIND: &str = "application/vnd.apple.mpegurl";
const STREAM: &str = "hls/flac.m3u8";

/// The text of the FLAC stream's media playlist.
fn list() -> String {
    String::from_utf8(bytes(STREAM)).expect("text")
}

/// Serves `text` beside the fixtures' segments; its address.
fn serve(origin: &Origin, text: impl AsRef<[u8]>) -> String {
    origin.serve("/hls/odd.m3u8", KIND, text.as_ref().to_vec());
    origin.url("/hls/odd.m3u8")
}

fn info(sandbox: &Sandbox, url: &str) -> Value {
    sandbox
        .kithara(["info", url, "--json"])
        .prints()
        .run()
        .json()
}

/// The lines that were repaired, as `info` tells them.
fn repaired(sandbox: &Sandbox, url: &str) -> Vec<u64> {
    let info = info(sandbox, url);
    assert_eq!(info["more_repairs"], 0, "{info}");
    let repairs = info["repairs"].as_array().expect("a list");
    repairs
        .iter()
        .map(|repair| {
            assert_eq!(
                repair["playlist"],
                url.split('?').next().unwrap_or_default()
            );
            repair["line"].as_u64().expect("a line")
        })
        .collect()
}

/// Each text plays like the fixture, and needs repairs in these lines.
fn play_alike(cases: &[(&str, Vec<u8>, &[u64])]) {
    for (odd, text, lines) in cases {
        let (origin, sandbox) = stage();
        let url = serve(&origin, text);
        let sound = dump(&sandbox, &url, &[]);
        println!("{odd}: {} frames", sound.frames());
        expected_of(STREAM).check(&sound);
        assert_eq!(repaired(&sandbox, &url), *lines, "{odd}");
    }
}

#[test]
fn p1_marks_line_ends_and_characters_are_tolerated_and_told() {
    let list = list();
    let latin = list.replace("#EXTINF:0.417959,", "#EXTINF:0.417959,caf\u{1}");
    let latin: Vec<u8> = latin
        .bytes()
        .map(|byte| if byte == 1 { 0xE9 } else { byte })
        .collect();
    play_alike(&[
        ("as it is", list.clone().into_bytes(), &[]),
        ("CRLF", list.replace('\n', "\r\n").into_bytes(), &[]),
        ("CR", list.replace('\n', "\r").into_bytes(), &[1]),
        ("a mark", format!("\u{FEFF}{list}").into_bytes(), &[1]),
        (
            "a comment first",
            format!("# by hand\n{list}").into_bytes(),
            &[2],
        ),
        ("Latin-1", latin, &[1]),
        ("no line end", list.trim_end().as_bytes().to_vec(), &[]),
        (
            "spaces",
            list.replace("flac-2", "  flac-2").into_bytes(),
            &[12],
        ),
    ]);
}

#[test]
fn p2_unknown_tags_attributes_and_comments_anywhere_are_ignored() {
    let list = list();
    let odd = list
        .replace(
            "#EXTINF",
            "\n#EXT-X-CUE:X=\"y\"\n#EXT-X-ASSET\n# a comment\n#EXTINF",
        )
        .replace("flac-3", "#\n\nflac-3")
        .replace("init.mp4\"", "init.mp4\",X-FOO=1,BAR=\"b,a=r\"");
    let behind = list.replace("#EXT-X-VERSION:7\n", "") + "#EXT-X-VERSION:7\n#EXT-X-LATER:1\n";
    play_alike(&[
        ("in between", odd.into_bytes(), &[]),
        ("behind the end", behind.into_bytes(), &[]),
    ]);
}

#[test]
fn p3_segments_longer_than_the_target_duration_play() {
    let list = list();
    let long = list.replace("0.522449", "2.5").replace("0.417959", "4.4");
    play_alike(&[
        ("longer", long.into_bytes(), &[3]),
        (
            "no target",
            list.replace("#EXT-X-TARGETDURATION:1\n", "").into_bytes(),
            &[1],
        ),
        (
            "a fraction",
            list.replace("DURATION:1\n", "DURATION:0.6\n").into_bytes(),
            &[3],
        ),
        (
            "none at all",
            list.replace("DURATION:1\n", "DURATION:0\n").into_bytes(),
            &[3],
        ),
        (
            "huge",
            list.replace("DURATION:1\n", "DURATION:1e300\n")
                .into_bytes(),
            &[3],
        ),
    ]);
}

#[test]
fn p4_malformed_lengths_play_every_segment() {
    let list = list();
    let with = |length: &str| list.replace("#EXTINF:0.522449,", length).into_bytes();
    let all: &[u64] = &[7, 9, 11, 13];
    play_alike(&[
        ("-1", with("#EXTINF:-1,"), all),
        ("nan", with("#EXTINF:nan,"), all),
        ("inf", with("#EXTINF:inf,"), &[7, 9, 11, 13, 3]),
        ("1e300", with("#EXTINF:1e300,"), &[7, 9, 11, 13, 3]),
        ("empty", with("#EXTINF:"), all),
        ("a word", with("#EXTINF:half,"), all),
        ("no comma", with("#EXTINF:0.522449"), all),
        ("TAB", with("#EXTINF:0.522449\tx"), all),
        ("a space", with("#EXTINF: 0.522449,"), all),
        (
            "twice",
            with("#EXTINF:9,\n#EXTINF:0.522449,"),
            &[8, 11, 14, 17, 3],
        ),
        (
            "a title",
            with("#EXTINF:0.522449,{$x} \"#EXT-X-ENDLIST"),
            &[],
        ),
    ]);
}

#[test]
fn p5_variables_of_every_kind_are_put_in_place() {
    let list = list();
    let (origin, sandbox) = stage();
    let named = list
        .replace(
            "#EXT-X-MAP",
            "#EXT-X-DEFINE:NAME=\"f\",VALUE=\"flac\"\n#EXT-X-MAP",
        )
        .replace("flac-", "{$f}-");
    let url = serve(&origin, &named);
    expected_of(STREAM).check(&dump(&sandbox, &url, &[]));
    assert_eq!(repaired(&sandbox, &url), [0; 0]);

    let asked = list
        .replace("#EXT-X-MAP", "#EXT-X-DEFINE:QUERYPARAM=\"key\"\n#EXT-X-MAP")
        .replace("init.mp4\"", "init.mp4?key={$key}\"")
        .replace(".m4s", ".m4s?key={$key}");
    let url = serve(&origin, asked) + "?other=1&key=a%2Bb+c";
    expected_of(STREAM).check(&dump(&sandbox, &url, &[]));
    for path in ["/hls/flac-init.mp4", "/hls/flac-0.m4s", "/hls/flac-5.m4s"] {
        let queries: Vec<_> = origin
            .requests(path)
            .into_iter()
            .map(|one| one.query)
            .collect();
        assert_eq!(
            queries.last(),
            Some(&Some("key=a+b+c".to_owned())),
            "{path}: {queries:?}"
        );
    }

    let imported = named.replace("NAME=\"f\",VALUE=\"flac\"", "IMPORT=\"f\"");
    serve(&origin, imported);
    let master = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"f\",VALUE=\"flac\"\n\
                  #EXT-X-DEFINE:NAME=\"d\",VALUE=\"odd\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"fLaC\"\n{$d}.m3u8\n";
    origin.serve("/hls/top.m3u8", KIND, master.into());
    let top = origin.url("/hls/top.m3u8");
    expected_of(STREAM).check(&dump(&sandbox, &top, &[]));
    let chosen = info(&sandbox, &top);
    assert_eq!(chosen["repairs"], Value::Array(Vec::new()), "{chosen}");
}

#[test]
fn p5_a_variable_without_a_value_is_refused_with_its_line_and_name() {
    let list = list();
    let (origin, sandbox) = stage();
    let define = |tag: &str| list.replace("#EXT-X-MAP", &format!("{tag}\n#EXT-X-MAP"));
    let cases = [
        (list.replace("flac-2", "{$gone}-2"), ["line 12", "\"gone\""]),
        (
            define("#EXT-X-DEFINE:QUERYPARAM=\"key\""),
            ["line 6", "\"key\""],
        ),
        (define("#EXT-X-DEFINE:IMPORT=\"f\""), ["line 6", "\"f\""]),
        (define("#EXT-X-DEFINE:NAME=\"f\""), ["line 6", "\"f\""]),
    ];
    for (text, words) in cases {
        // Without any DEFINE a brace is a brace, and the address is not there.
        let text = text.replace("#EXT-X-VERSION:7", "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"");
        let url = serve(&origin, text);
        let arguments = ["dump", &url, "-o", "x.wav"];
        sandbox.kithara(arguments).fails(5, &words).run();
    }
    let master = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"other\",VALUE=\"x\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=400000\nodd.m3u8\n";
    origin.serve("/hls/top.m3u8", KIND, master.into());
    serve(&origin, define("#EXT-X-DEFINE:IMPORT=\"f\""));
    sandbox
        .kithara(["info", &origin.url("/hls/top.m3u8")])
        .fails(5, &["line 6", "\"f\""])
        .run();
    assert_eq!(
        origin.requests("/hls/flac-0.m4s").len(),
        0,
        "nothing is fetched"
    );
}

#[test]
fn p6_a_newer_version_is_told_and_played() {
    let list = list();
    let version = |number: &str| list.replace("VERSION:7", number).into_bytes();
    play_alike(&[
        ("8", version("VERSION:8"), &[]),
        ("13", version("VERSION:13"), &[]),
        ("99", version("VERSION:99"), &[2]),
        ("none", version("VERSION:"), &[2]),
    ]);
}

#[test]
fn p7_bit_rates_of_segments_are_no_obstacle() {
    let list = list();
    let rates = list.replace("#EXTINF", "#EXT-X-BITRATE:371\n#EXTINF");
    let odd = list.replace("#EXTINF:0.4", "#EXT-X-BITRATE:fast\n#EXTINF:0.4");
    play_alike(&[
        ("stated", rates.into_bytes(), &[]),
        ("no number", odd.into_bytes(), &[15, 18]),
    ]);
}

#[test]
fn d7_where_to_begin_is_told() {
    let (origin, sandbox) = stage();
    let cases = [
        ("TIME-OFFSET=1.5,PRECISE=YES", Some(1500), "begins at 0:01"),
        ("TIME-OFFSET=-2", Some(-2000), "begins 0:02 before the end"),
        ("TIME-OFFSET=soon", None, "hls-vod"),
    ];
    for (attributes, want, words) in cases {
        let tag = format!("#EXT-X-START:{attributes}\n#EXT-X-MAP");
        let url = serve(&origin, list().replace("#EXT-X-MAP", &tag));
        let found = info(&sandbox, &url);
        assert_eq!(found["start_offset_ms"].as_i64(), want, "{attributes}");
        let text = sandbox.kithara(["info", &url]).prints().run().text();
        assert!(text.contains(words), "{attributes}: {text}");
    }
    let master = "#EXTM3U\n#EXT-X-START:TIME-OFFSET=0.25\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=400000\nflac.m3u8\n";
    origin.serve("/hls/top.m3u8", KIND, master.into());
    let found = info(&sandbox, &origin.url("/hls/top.m3u8"));
    assert_eq!(found["start_offset_ms"], 250, "said above, it holds below");
}

#[test]
fn l10_low_latency_playlists_are_read_in_whole_segments() {
    let list = list();
    let parts = list
        .replace(
            "#EXT-X-MAP",
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,HOLD-BACK=3.0,CAN-SKIP-UNTIL=6.0\n\
             #EXT-X-PART-INF:PART-TARGET=0.33334\n#EXT-X-MAP",
        )
        .replace(
            "#EXTINF",
            "#EXT-X-PART:DURATION=0.3,URI=\"missing.mp4\",INDEPENDENT=YES\n\
             #EXT-X-PART:DURATION=0.3,URI=\"missing.mp4\",BYTERANGE=\"20@5\"\n#EXTINF",
        );
    let hints = "#EXT-X-PART:DURATION=0.3,URI=\"missing.mp4\"\n\
                 #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"missing.mp4\"\n\
                 #EXT-X-RENDITION-REPORT:URI=\"../a/b.m3u8\",LAST-MSN=6,LAST-PART=1\n";
    let ended = parts.replace("#EXT-X-ENDLIST", &format!("{hints}#EXT-X-ENDLIST"));
    play_alike(&[("ended", ended.into_bytes(), &[])]);

    let tail = "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n\
                #EXT-X-KEY:METHOD=NONE\n#EXT-X-GAP\n";
    let live = parts
        .replace(
            "#EXT-X-PLAYLIST-TYPE:VOD\n",
            "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n",
        )
        .replace("#EXT-X-ENDLIST\n", &format!("{hints}{tail}"));
    let (origin, sandbox) = stage();
    let url = serve(&origin, live);
    assert_eq!(repaired(&sandbox, &url), [0; 0], "nothing of it is wrong");
    assert_eq!(origin.requests("/hls/missing.mp4").len(), 0);
}

#[test]
fn info_says_what_was_mended_in_which_playlist_and_lint_ends_with_5() {
    let (origin, sandbox) = stage();
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000.5,CODECS=\"fLaC\"\nodd.m3u8\n";
    origin.serve("/hls/top.m3u8", KIND, master.into());
    serve(&origin, list().replace("0.417959,", "0.417959"));
    let top = origin.url("/hls/top.m3u8?token=hush");
    let text = sandbox.kithara(["info", &top]).prints().run().text();
    let told: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("repaired"))
        .collect();
    let place = |path| format!("repaired in {}:", origin.url(path));
    assert_eq!(
        told,
        [
            place("/hls/top.m3u8").as_str(),
            "  line 2: BANDWIDTH is missing or no whole number: taken for 400000",
            place("/hls/odd.m3u8").as_str(),
            "  line 15: the duration is not followed by a comma",
        ]
    );
    let lint = |url: &str| sandbox.kithara(["info", "--lint", url]).prints();
    lint(&top).fails(5, &["2 repairs"]).run();
    lint(&origin.url("/hls/flac.m3u8")).run();
    lint(&origin.url("/hls/master.m3u8")).run();
    lint(&origin.url("/files/s16.flac")).run();

    let many = list()
        .replace("#EXTINF", &"#EXTINF:1,\n".repeat(50))
        .replace("#EXT-X-ENDLIST", "");
    let many = serve(
        &origin,
        many.replace(":0.", "#EXTINF:0.") + "#EXT-X-ENDLIST\n",
    );
    let found = info(&sandbox, &many);
    let listed = found["repairs"].as_array().map(Vec::len);
    assert_eq!(
        (listed, found["more_repairs"].as_u64()),
        (Some(100), Some(200)),
        "{found}"
    );
    lint(&many).fails(5, &["300 repairs"]).run();
}

/// T1: schemes in every tag whose address would be opened, absolute or in disguise.
#[test]
fn t1_no_playlist_of_the_web_leads_elsewhere() {
    let (origin, sandbox) = stage();
    let schemes = [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "data:text/plain,x",
        "ftp://h/x",
        "concat:a|b",
        "\\\\host\\share",
        "/\\host/share",
        "javascript:x",
        "crypto:file:///etc/passwd",
    ];
    for address in schemes {
        let media = |tag: String| list().replace("#EXT-X-MAP", &format!("{tag}\n#EXT-X-MAP"));
        let variants =
            |tag: String| format!("#EXTM3U\n{tag}\n#EXT-X-STREAM-INF:BANDWIDTH=1\nflac.m3u8\n");
        let cases = [
            (list().replace("flac-3.m4s", address), "line 14 (#EXTINF)"),
            (
                list().replace("flac-init.mp4", address),
                "line 6 (#EXT-X-MAP)",
            ),
            (
                media(format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{address}\"")),
                "line 6 (#EXT-X-KEY)",
            ),
            (
                variants(format!(
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"n\",URI=\"{address}\""
                )),
                "line 2 (#EXT-X-MEDIA)",
            ),
            (
                variants(format!("#EXT-X-STREAM-INF:BANDWIDTH=2\n{address}")),
                "line 3 (#EXT-X-STREAM-INF)",
            ),
            (
                media(format!("#EXT-X-DEFINE:NAME=\"x\",VALUE=\"{address}\""))
                    .replace("flac-3.m4s", "{$x}"),
                "line 15 (#EXTINF)",
            ),
        ];
        for (text, words) in cases {
            if address.starts_with("data:") && words.contains("KEY") {
                continue; // opens nothing
            }
            let url = serve(&origin, text);
            sandbox
                .kithara(["dump", &url, "-o", "x.wav"])
                .fails(8, &[words])
                .run();
        }
    }
    assert!(!sandbox.path("x.wav").exists());
}

/// T3: by name and by link, in every tag.
#[test]
fn t3_a_local_playlist_stays_in_its_folder() {
    let (_, sandbox) = stage();
    for name in ["s", "sub"] {
        fs::create_dir(sandbox.path(name)).expect("a folder");
    }
    for name in [
        "flac-init.mp4",
        "flac-0.m4s",
        "flac-1.m4s",
        "flac-2.m4s",
        "flac-3.m4s",
        "flac-4.m4s",
        "flac-5.m4s",
    ] {
        sandbox.copy(&format!("hls/{name}"), &format!("s/{name}"));
        sandbox.copy(&format!("hls/{name}"), name);
    }
    let play = |text: String| {
        fs::write(sandbox.path("s/list.m3u8"), text).expect("a file");
        sandbox.kithara(["dump", "s/list.m3u8", "-f", "-o", "x.wav"])
    };
    symlink("flac-3.m4s", sandbox.path("s/inside")).expect("a link");
    symlink("../flac-3.m4s", sandbox.path("s/outside")).expect("a link");
    symlink("..", sandbox.path("s/up")).expect("a link");
    play(list().replace("flac-3.m4s", "inside")).run();
    let absolute = sandbox.path("flac-3.m4s").to_string_lossy().into_owned();
    for (address, words) in [
        ("../flac-3.m4s", "line 14 (#EXTINF)"),
        ("%2e%2e/flac-3.m4s", "line 14 (#EXTINF)"),
        (absolute.as_str(), "line 14 (#EXTINF)"),
        ("outside", "s/outside"),
        ("up/flac-3.m4s", "s/up/flac-3.m4s"),
    ] {
        play(list().replace("flac-3.m4s", address))
            .fails(8, &[words])
            .run();
    }
    for (address, words) in [
        ("../flac-init.mp4", "#EXT-X-MAP"),
        ("up/flac-init.mp4", "s/up/flac-init.mp4"),
    ] {
        play(list().replace("flac-init.mp4", address))
            .fails(8, &[words])
            .run();
    }
    fs::write(sandbox.path("list.m3u8"), list()).expect("a file");
    let variants = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nup/list.m3u8\n".to_owned();
    play(variants).fails(8, &["s/up/list.m3u8"]).run();
    // What the user names may be a link; its folder is where the link lies.
    symlink("../list.m3u8", sandbox.path("s/alias.m3u8")).expect("a link");
    sandbox
        .kithara(["dump", "s/alias.m3u8", "-f", "-o", "x.wav"])
        .run();
}

/// T13, T16, T17: the limit holds whichever way the flood comes.
#[test]
fn t17_a_flood_is_refused_by_the_name_of_its_limit() {
    let (origin, sandbox) = stage();
    let media = |body: String| format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{body}#EXT-X-ENDLIST\n");
    let line = format!("#EXTINF:1,{}\na\n", "x".repeat(64 << 10));
    let attributes = format!("#EXT-X-KEY:{}METHOD=NONE\n", "A=1,".repeat(64));
    let variants = "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(513);
    let cases = [
        (
            media("#EXTINF:1,\na\n".repeat(200_001)),
            "more than 200000 segments",
        ),
        (media(line), "line 3 is longer than 64 KiB"),
        (media(attributes), "more than 64 attributes"),
        (format!("#EXTM3U\n{variants}"), "more than 512 variants"),
    ];
    for (text, words) in cases {
        let url = serve(&origin, text);
        sandbox.kithara(["info", &url]).fails(8, &[words]).run();
    }
}

#[test]
fn t13_an_endless_playlist_is_left_at_its_limit() {
    let (origin, sandbox) = stage();
    let endless = list() + &"#EXTINF:1,\na\n".repeat(4 << 20);
    let url = serve(&origin, &endless);
    origin.on("/hls/odd.m3u8").no_length();
    sandbox
        .kithara(["info", &url])
        .fails(8, &["longer than 16777216 bytes"])
        .run();
    let sent: u64 = origin.log().iter().map(|request| request.sent).sum();
    // What the sockets of both sides hold counts as sent.
    assert!(sent < 40 << 20, "{sent} of {} bytes", endless.len());
}

#[test]
fn t16_a_compressed_playlist_counts_by_what_it_becomes() {
    let (origin, sandbox) = stage();
    let kind = format!("{KIND}\r\nContent-Encoding: gzip");
    let packed = |text: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text).expect("a vector grows");
        packer.finish().expect("a vector grows")
    };
    origin.serve("/hls/small.m3u8", &kind, packed(list().as_bytes()));
    expected_of(STREAM).check(&dump(&sandbox, &origin.url("/hls/small.m3u8"), &[]));
    let bomb = packed((list() + &"\n".repeat(64 << 20)).as_bytes());
    assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
    origin.serve("/hls/bomb.m3u8", &kind, bomb);
    sandbox
        .kithara(["info", &origin.url("/hls/bomb.m3u8")])
        .fails(8, &["longer than 16777216 bytes"])
        .run();
}

/// The largest playlist there may be fits in 64 MiB of memory, threads and all.
#[test]
fn t17_the_longest_playlist_is_read_in_little_memory() {
    let (_, sandbox) = stage();
    let segment = |number| format!("#EXTINF:5.990748,\nsegments/of/some/length/{number:06}.m4s\n");
    let segments: String = (0..200_000).map(segment).collect();
    let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{segments}#EXT-X-ENDLIST\n");
    fs::write(sandbox.path("long.m3u8"), text).expect("a file");
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -d 65536; exec \"$0\" info --json long.m3u8"])
        .arg(env!("CARGO_BIN_EXE_kithara"))
        .current_dir(sandbox.path("."))
        .env_clear()
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_str(&text).expect("one object");
    assert_eq!(found["duration_ms"], 1_198_149_600, "{found}");
}
