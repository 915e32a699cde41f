//! Multivariant playlists that break the rules, and what is made of them.

use super::*;

#[test]
fn multivariant_playlists_are_read_as_they_come() {
    let cases = [
        (
            "nothing",
            "#EXT-X-STREAM-INF:BANDWIDTH=64000\na\n",
            " a@64000",
            "",
        ),
        (
            "a session key that cannot be read, session data and steering",
            "#EXT-X-SESSION-KEY:x\n#EXT-X-SESSION-DATA:DATA-ID=\"x\"\n#EXT-X-CONTENT-STEERING:x\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "2 2",
        ),
        (
            "comment before the address",
            "#EXT-X-STREAM-INF:BANDWIDTH=1\n# low\na\n",
            " a@1",
            "3",
        ),
        (
            "no bandwidth",
            "#EXT-X-STREAM-INF:PROGRAM-ID=\"1\"\na\n",
            " a@0",
            "2 2",
        ),
        (
            "quotes and white space where there may be none",
            " #EXT-X-STREAM-INF:BANDWIDTH=\"1\", CODECS=mp4a.40.2\n a \n",
            " a@1",
            "2 3 2",
        ),
        (
            "average only",
            "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=5\na\n",
            " a@5",
            "2",
        ),
        (
            "bandwidth 1.5",
            "#EXT-X-STREAM-INF:BANDWIDTH=1.5\na\n",
            " a@1",
            "2",
        ),
        (
            "bandwidth below 0",
            "#EXT-X-STREAM-INF:BANDWIDTH=-1\na\n",
            " a@0",
            "2",
        ),
        (
            "no address",
            "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\na\n#EXT-X-STREAM-INF:BANDWIDTH=3\n",
            " a@2",
            "2 5",
        ),
        (
            "address too many",
            "#EXT-X-STREAM-INF:BANDWIDTH=1\na\nb\n",
            " a@1",
            "4",
        ),
        (
            "groups that are not there",
            "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"x\",SUBTITLES=\"y\",VIDEO=\"z\",CLOSED-CAPTIONS=\"w\"\na\n",
            " a@1",
            "2",
        ),
        (
            "HDCP, frame rate and size of tomorrow",
            "#EXT-X-STREAM-INF:BANDWIDTH=1,HDCP-LEVEL=TYPE-1,FRAME-RATE=x,RESOLUTION=big\na\n",
            " a@1",
            "",
        ),
        (
            "group behind its variant",
            "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"x\"\na\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"x\",NAME=\"n\"\n",
            " a@1/x [x n]",
            "",
        ),
        (
            "MEDIA without NAME",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"x\",LANGUAGE=\"en\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"x\"\na\n",
            " a@1/x [x en]",
            "2",
        ),
        (
            "MEDIA without GROUP-ID",
            "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"x\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "2",
        ),
        (
            "DEFAULT without AUTOSELECT, channels in words",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"x\",NAME=\"n\",DEFAULT=YES,AUTOSELECT=NO,FORCED=YES,CHANNELS=\"two\",INSTREAM-ID=\"CC9\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=x\na\n",
            " a@1/x [x n]",
            "2 2 3",
        ),
        (
            "other media",
            "#EXT-X-MEDIA:TYPE=SUBTITLES\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,URI=x\n#EXT-X-MEDIA:x\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "3 4",
        ),
        (
            "pictures",
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=x\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "",
        ),
    ];
    for (odd, text, want, lines) in cases {
        let parsed = parsed(format!("#EXTM3U\n{text}")).expect(odd);
        assert_eq!(shown(&parsed.playlist), want, "{odd}");
        assert_eq!(
            repaired_lines(&parsed),
            lines,
            "{odd}: {:?}",
            parsed.repairs
        );
    }
}

#[test]
fn session_keys_are_kept_in_their_order_and_tell_of_drm() {
    let key = |method: &str, rest: &str| format!("#EXT-X-SESSION-KEY:METHOD={method}{rest}\n");
    let identity = key("AES-128", ",URI=\"k\",IV=0x1");
    let widevine = key(
        "SAMPLE-AES-CTR",
        ",URI=\"data:x\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"",
    );
    let fairplay = key(
        "SAMPLE-AES",
        ",URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"",
    );
    let cases = [
        (String::new(), vec![], false),
        (identity.clone(), vec!["k"], false),
        (key("SAMPLE-AES", ",URI=\"k\""), vec!["k"], true),
        (
            widevine.clone() + &fairplay,
            vec!["data:x", "skd://x"],
            true,
        ),
        (widevine + &identity, vec!["data:x", "k"], false),
        (key("NONE", ""), vec![], false),
        (identity.repeat(3), vec!["k"], false),
    ];
    for (keys, uris, is_protected) in cases {
        let parsed = parsed(format!("#EXTM3U\n{keys}#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"));
        let Playlist::Multivariant(list) = parsed.expect("a playlist").playlist else {
            panic!("{keys}: a list of segments")
        };
        let found: Vec<&str> = list.session_keys.iter().map(|key| &*key.uri).collect();
        assert_eq!((found, list.is_protected()), (uris, is_protected), "{keys}");
    }
    let unsafe_key = key("AES-128", ",URI=\"file:///etc/passwd\"");
    let problem = parsed(format!(
        "#EXTM3U\n{unsafe_key}#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"
    ));
    assert_eq!(problem.expect_err("unsafe").kind, Kind::Unsafe);
}
