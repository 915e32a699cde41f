//! `cache export`: what is stored, as plain files that sound the same.

use std::fs;

use super::flip;
use crate::encryption::{KEY, encrypt};
use crate::origin::Origin;
use crate::sandbox::Sandbox;
use crate::{bytes, dump, expected_of, stage};

const STREAM: &str = "/hls/flac.m3u8";
const KIND: &str = "application/vnd.apple.mpegurl";
const SECONDS: [&str; 6] = [
    "0.522449", "0.522449", "0.522449", "0.522449", "0.417959", "0.492245",
];

/// Stores and exports into `out`.
fn export(origin: &Origin, sandbox: &Sandbox, path: &str) {
    let url = origin.url(path);
    sandbox.kithara(["cache", &url]).run();
    sandbox.kithara(["cache", "export", &url, "out"]).run();
}

/// The names in a folder of the working folder.
fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(folder)).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// Expects the export in `out` to sound like `file` when nothing else is left.
fn sounds_like(origin: &Origin, sandbox: &Sandbox, file: &str) {
    origin.shut_down();
    fs::remove_dir_all(sandbox.cache_root()).expect("the cache goes");
    expected_of(file).check(&dump(sandbox, "out/index.m3u8", &[]));
}

#[test]
fn a_stored_stream_becomes_a_folder_that_plays_anywhere() {
    let (origin, sandbox) = stage();
    export(&origin, &sandbox, STREAM);
    let mut want: Vec<String> = (0..6)
        .map(|number| format!("segment-{number:05}.m4s"))
        .collect();
    want.insert(0, "init-0.mp4".to_owned());
    want.insert(0, "index.m3u8".to_owned());
    assert_eq!(names(&sandbox, "out"), want);
    for number in 0..6 {
        let written = fs::read(sandbox.path(&format!("out/segment-{number:05}.m4s")));
        assert_eq!(
            written.expect("a file"),
            bytes(&format!("hls/flac-{number}.m4s"))
        );
    }
    sounds_like(&origin, &sandbox, "hls/flac.m3u8");
}

#[test]
fn every_variant_that_is_stored_is_exported() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/master.m3u8");
    sandbox.kithara(["cache", &url, "-Q", "1"]).run();
    export(&origin, &sandbox, "/hls/master.m3u8");
    let index = fs::read_to_string(sandbox.path("out/index.m3u8")).expect("a playlist");
    let want = "#EXTM3U\n#EXT-X-VERSION:7\n\
        #EXT-X-STREAM-INF:BANDWIDTH=142000,AVERAGE-BANDWIDTH=130000,CODECS=\"mp4a.40.2\"\nvariant-0.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=420000,AVERAGE-BANDWIDTH=390000,CODECS=\"alac\"\nvariant-1.m3u8\n";
    assert_eq!(index, want);
    sounds_like(&origin, &sandbox, "hls/alac.m3u8");
    expected_of("hls/aac128.m3u8").check(&dump(&sandbox, "out/index.m3u8", &["-Q", "worst"]));
}

#[test]
fn renditions_keep_their_languages() {
    let (origin, sandbox) = stage();
    let voice = |name: &str, language: &str, more: &str, list: &str| {
        format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"{name}\",LANGUAGE=\"{language}\",AUTOSELECT=YES{more},URI=\"/hls/{list}.m3u8\"\n"
        )
    };
    let list = format!(
        "#EXTM3U\n{}{}#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.42c00d,fLaC\",AUDIO=\"g\"\npictures.m3u8\n",
        voice("English", "en", ",DEFAULT=YES", "flac"),
        voice("Deutsch", "de", "", "alac"),
    );
    origin.serve("/m.m3u8", KIND, list.into_bytes());
    let url = origin.url("/m.m3u8");
    sandbox.kithara(["cache", &url, "--language", "de"]).run();
    export(&origin, &sandbox, "/m.m3u8");
    origin.shut_down();
    for (language, file) in [("en", "hls/flac.m3u8"), ("de", "hls/alac.m3u8")] {
        let sound = dump(&sandbox, "out/index.m3u8", &["--language", language]);
        expected_of(file).check(&sound);
    }
}

#[test]
fn parts_of_a_file_become_files() {
    let (origin, sandbox) = stage();
    let mut all = bytes("hls/flac-init.mp4");
    let mut list = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"{}@0\"\n",
        all.len()
    );
    for (number, seconds) in SECONDS.iter().enumerate() {
        let segment = bytes(&format!("hls/flac-{number}.m4s"));
        list += &format!(
            "#EXTINF:{seconds},\n#EXT-X-BYTERANGE:{}@{}\nall.mp4\n",
            segment.len(),
            all.len()
        );
        all.extend(segment);
    }
    origin.serve(
        "/br/list.m3u8",
        KIND,
        (list + "#EXT-X-ENDLIST\n").into_bytes(),
    );
    origin.serve("/br/all.mp4", "audio/mp4", all);
    export(&origin, &sandbox, "/br/list.m3u8");
    assert_eq!(names(&sandbox, "out").len(), 8);
    sounds_like(&origin, &sandbox, "hls/flac.m3u8");
}

#[test]
fn keys_lie_beside_the_playlist_and_vectors_stay_right() {
    let (origin, sandbox) = stage();
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"/hls/flac-init.mp4\"\n".to_owned();
    for (number, seconds) in SECONDS.iter().enumerate() {
        let clear = bytes(&format!("hls/flac-{number}.m4s"));
        list += match number {
            1 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key?token=hush\"\n",
            4 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key?token=hush\",IV=0x2A\n",
            5 => "#EXT-X-KEY:METHOD=NONE\n",
            _ => "",
        };
        let wire = match number {
            0 | 5 => clear,
            4 => encrypt(&clear, KEY, 42),
            _ => encrypt(&clear, KEY, 7 + number as u128),
        };
        origin.serve(&format!("/enc/{number}.m4s"), "audio/mp4", wire);
        list += &format!("#EXTINF:{seconds},\n{number}.m4s\n");
    }
    origin.serve(
        "/enc/list.m3u8",
        KIND,
        (list + "#EXT-X-ENDLIST\n").into_bytes(),
    );
    origin.serve("/enc/key", "application/octet-stream", KEY.to_vec());
    export(&origin, &sandbox, "/enc/list.m3u8");
    let index = fs::read_to_string(sandbox.path("out/index.m3u8")).expect("a playlist");
    let keys: Vec<_> = index
        .lines()
        .filter(|line| line.contains("EXT-X-KEY"))
        .collect();
    let want = [
        "#EXT-X-KEY:METHOD=AES-128,URI=\"key-0.ts\"",
        "#EXT-X-KEY:METHOD=AES-128,URI=\"key-0.ts\",IV=0x0000000000000000000000000000002a",
        "#EXT-X-KEY:METHOD=NONE",
    ];
    assert_eq!(keys, want);
    assert!(index.contains("#EXT-X-MEDIA-SEQUENCE:7\n"), "{index}");
    assert_eq!(fs::read(sandbox.path("out/key-0.ts")).expect("a key"), KEY);
    sounds_like(&origin, &sandbox, "hls/flac.m3u8");
}

#[test]
fn a_file_is_exported_as_that_file() {
    let (origin, sandbox) = stage();
    for (path, name) in [
        ("files/s16.flac", "s16.flac"),
        ("files/lame.mp3", "lame.mp3"),
        ("files/moov-last.m4a", "moov-last.m4a"),
        ("files/s16.wav", "s16.wav"),
    ] {
        let url = origin.url(&format!("/{path}?id=7"));
        sandbox.kithara(["cache", &url]).run();
        sandbox.kithara(["cache", "export", &url, name]).run();
        assert_eq!(names(&sandbox, name), [name]);
        let written = fs::read(sandbox.path(&format!("{name}/{name}"))).expect("a file");
        assert_eq!(written, bytes(path), "{path}");
    }
}

#[test]
fn what_is_missing_is_named_and_nothing_is_left() {
    let (origin, sandbox) = stage();
    let url = origin.url(STREAM);
    sandbox
        .kithara(["cache", "export", &url, "out"])
        .fails(9, &["flac.m3u8"])
        .run();
    sandbox.kithara(["cache", &url, "--length", "1"]).run();
    sandbox
        .kithara(["cache", "export", &url, "out"])
        .fails(9, &["segment 3", "flac-3.m4s"])
        .run();
    sandbox.kithara(["cache", &url]).run();
    flip(&sandbox, "hls/flac-2.m4s");
    sandbox
        .kithara(["cache", "export", &url, "out"])
        .fails(9, &["segment 2"])
        .run();
    let flac = origin.url("/files/s16.flac");
    origin.on("/files/s16.flac").truncate_at(40_000);
    sandbox
        .kithara(["cache", &flac, "--retry", "0"])
        .any_code()
        .chatty()
        .run();
    sandbox
        .kithara(["cache", "export", &flac, "out"])
        .fails(9, &["s16.flac"])
        .run();
    assert_eq!(names(&sandbox, "."), [] as [String; 0]);
}

#[test]
fn a_folder_in_use_is_only_written_with_force() {
    let (origin, sandbox) = stage();
    fs::create_dir(sandbox.path("out")).expect("a folder");
    fs::write(sandbox.path("out/mine"), "mine").expect("a file");
    let url = origin.url(STREAM);
    sandbox.kithara(["cache", &url]).run();
    sandbox
        .kithara(["cache", "export", &url, "out"])
        .fails(2, &["out", "not empty"])
        .run();
    assert_eq!(names(&sandbox, "out"), ["mine"]);
    sandbox
        .kithara(["cache", "export", &url, "out", "-f"])
        .run();
    assert_eq!(names(&sandbox, "out").len(), 9);
    sounds_like(&origin, &sandbox, "hls/flac.m3u8");
}
