//! Keys that the multivariant playlist announces (HLS.md M10), and keys whose
//! addresses expire.

use super::*;

const MAIN: &str = "/enc/main.m3u8";

/// A multivariant playlist over [`LIST`] with `tags`.
fn serve_main(origin: &Origin, tags: &str) -> String {
    let text =
        format!("#EXTM3U\n{tags}\n#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"fLaC\"\nlist.m3u8\n");
    let kind = "application/vnd.apple.mpegurl";
    origin.serve(MAIN, kind, text.into_bytes());
    origin.url(MAIN)
}

const ANNOUNCED: &str = "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key.bin\"";

#[test]
fn m10_an_announced_key_is_asked_for_with_the_media_playlist_and_once() {
    let (origin, sandbox) = stage();
    serve_plain(&origin);
    let url = serve_main(&origin, ANNOUNCED);
    let gates = [LIST, "/enc/key.bin"].map(|path| origin.on(path).drip());
    let run = sandbox
        .kithara(["dump", &url, "--raw", "-o", "-"])
        .prints()
        .spawn();
    for gate in &gates {
        gate.wait_until_reached(); // both are on their way, neither is here
    }
    assert_eq!(origin.log().len(), 3, "{:?}", origin.log());
    for gate in &gates {
        gate.open();
    }
    let row = expected_of(CLEAR);
    let pcm = run.finish().stdout;
    row.check(&Sound::raw(pcm, row.rate, row.channels, Sample::S16));
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
}

#[test]
fn m10_what_becomes_of_an_announced_key_matters_only_to_segments_that_name_it() {
    // Refused at first: the segments' own tag decides, and asks again.
    let (origin, sandbox) = stage();
    serve_plain(&origin);
    let url = serve_main(&origin, ANNOUNCED);
    origin.on("/enc/key.bin").status(404).times(1);
    plays_as_clear(&sandbox, &url);
    assert_eq!(count(&origin, "/enc/key.bin"), 2);
    // Nobody names it.
    let (origin, sandbox) = stage();
    serve_plain(&origin);
    let tag = ANNOUNCED.replace("key.bin", "gone.bin");
    plays_as_clear(&sandbox, &serve_main(&origin, &tag));
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
    // Others' keys are not asked for, and info asks for none.
    let (origin, sandbox) = stage();
    serve_list(
        &origin,
        &one_key("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\""),
    );
    let foreign = "#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"key.bin\",KEYFORMAT=\"com.x\"";
    let url = serve_main(&origin, &format!("{ANNOUNCED}\n{foreign}"));
    sandbox.kithara(["info", &url, "--lint"]).prints().run();
    assert_eq!(count(&origin, "/enc/key.bin"), 0);
    assert_eq!(origin.log().len(), 2);
}

#[test]
fn m10_an_announced_key_is_cached_and_plays_offline() {
    let (origin, sandbox) = stage();
    serve_plain(&origin);
    let url = serve_main(&origin, ANNOUNCED);
    sandbox.kithara(["cache", &url]).chatty().run();
    assert_eq!(count(&origin, "/enc/key.bin"), 1);
    plays_as_clear(&sandbox, &url);
    assert_eq!(count(&origin, "/enc/key.bin"), 1, "from the cache");
    origin.shut_down();
    expected_of(CLEAR).check(&dump(&sandbox, &url, &["--offline"]));
}

#[test]
fn a_key_whose_address_expired_is_had_where_the_list_says_it_is_now() {
    let (origin, sandbox) = stage();
    serve_segments(&origin, |index| {
        Some((if index < 3 { KEY } else { OTHER }, 42))
    });
    let text = |token: &str| {
        list("#EXT-X-MAP:URI=\"flac-init.mp4\"", |index| match index {
            0 => "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x2a".to_owned(),
            3 => format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{token}.bin?t={token}\",IV=0x2a"),
            _ => String::new(),
        })
    };
    serve_key(&origin, "/enc/new.bin", &OTHER);
    origin.on("/enc/old.bin").status(403);
    let kind = "application/vnd.apple.mpegurl";
    let lists = ["old", "new"].map(|token| text(token).into_bytes());
    origin.serve_in_turn(LIST, kind, lists.to_vec());
    plays_as_clear(&sandbox, &origin.url(LIST));
    let paths = ["/enc/old.bin", "/enc/new.bin", LIST];
    assert_eq!(paths.map(|path| count(&origin, path)), [1, 1, 2]);
}
