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
            "session and steering",
            "#EXT-X-SESSION-KEY:x\n#EXT-X-SESSION-DATA:DATA-ID=\"x\"\n#EXT-X-CONTENT-STEERING:x\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "",
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
            "2",
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
            "2 2",
        ),
        (
            "other media",
            "#EXT-X-MEDIA:TYPE=SUBTITLES\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,URI=x\n#EXT-X-MEDIA:x\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n",
            " a@1",
            "",
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
