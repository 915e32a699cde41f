//! Media playlists that break the rules, and what is made of them.

use super::*;

#[test]
fn media_playlists_are_read_as_they_come() {
    let cases = [
        // what is odd, text behind #EXTM3U, what is read, repairs with their lines
        (
            "nothing",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5.5,\na\n#EXT-X-ENDLIST",
            "6/0: a=5.5 end",
            "",
        ),
        (
            "CRLF",
            "#EXT-X-TARGETDURATION:6\r\n#EXTINF:5.5,\r\na\r\n",
            "6/0: a=5.5",
            "",
        ),
        (
            "CR alone",
            "#EXT-X-TARGETDURATION:6\r#EXTINF:5.5\ra\r",
            "6/0: a=5.5",
            "1 3",
        ),
        (
            "blanks",
            "\n  #EXT-X-TARGETDURATION: 6 \n\n#EXTINF: 5.5,\n\n  a b \n",
            "6/0: a b=5.5",
            "3 5 7",
        ),
        (
            "version of today",
            "#EXT-X-VERSION:12\n#EXT-X-TARGETDURATION:6\n",
            "6/0:",
            "",
        ),
        (
            "version of tomorrow",
            "#EXT-X-VERSION:99\n#EXT-X-TARGETDURATION:6\n",
            "6/0:",
            "2",
        ),
        (
            "no version",
            "#EXT-X-VERSION:x\n#EXT-X-TARGETDURATION:6\n",
            "6/0:",
            "2",
        ),
        ("target 9.5", "#EXT-X-TARGETDURATION:9.5\n", "10/0:", "2"),
        ("target 0", "#EXT-X-TARGETDURATION:0\n", "1/0:", "2"),
        ("target nan", "#EXT-X-TARGETDURATION:nan\n", "1/0:", "2 1"),
        (
            "target huge",
            "#EXT-X-TARGETDURATION:1e300\n",
            "86400/0:",
            "2",
        ),
        (
            "target missing",
            "#EXTINF:5.5,\na\n#EXTINF:7.5,\nb\n",
            "8/0: a=5.5 b=7.5",
            "1",
        ),
        (
            "target too short",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:6.5,\na\n",
            "7/0: a=6.5",
            "2",
        ),
        (
            "target within rounding",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:6.49,\na\n",
            "6/0: a=6.49",
            "",
        ),
        (
            "target late",
            "#EXTINF:60,\na\n#EXT-X-TARGETDURATION:60\n",
            "60/0: a=60",
            "",
        ),
        (
            "EXTINF -1",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:-1,\na\n",
            "6/0: a=0",
            "3",
        ),
        (
            "EXTINF -0",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:-0,\na\n",
            "6/0: a=0",
            "",
        ),
        (
            "EXTINF nan",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:nan,\na\n",
            "6/0: a=0",
            "3",
        ),
        (
            "EXTINF empty",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:\na\n",
            "6/0: a=0",
            "3",
        ),
        (
            "EXTINF words",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:six,\na\n",
            "6/0: a=0",
            "3",
        ),
        (
            "EXTINF inf",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:inf,\na\n",
            "60/0: a=60",
            "3 2",
        ),
        (
            "EXTINF 1e300",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:1e300,\na\n",
            "60/0: a=60",
            "3 2",
        ),
        (
            "EXTINF no comma",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5\na\n",
            "6/0: a=5",
            "3",
        ),
        (
            "EXTINF TAB",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5\tx\na\n",
            "6/0: a=5",
            "3",
        ),
        (
            "EXTINF attributes",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5 tvg-id=\"x,y\",T\na\n",
            "6/0: a=5",
            "3",
        ),
        (
            "EXTINF with title",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5,a, \"b\"\na\n",
            "6/0: a=5",
            "",
        ),
        (
            "EXTINF exponent",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5e-1,\na\n",
            "6/0: a=0.5",
            "",
        ),
        (
            "EXTINF missing",
            "#EXT-X-TARGETDURATION:6\na\n#EXTINF:5,\nb\n",
            "6/0: b=5",
            "3",
        ),
        (
            "sequence",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:2680\n#EXTINF:5,\na\n",
            "6/2680: a=5",
            "",
        ),
        (
            "sequence below 0",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:-5\n",
            "6/0:",
            "3",
        ),
        (
            "sequence near the end of numbers",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:5,\na\n#EXTINF:5,\nb\n",
            "6/9223372036854775807: a=5 b=5",
            "3",
        ),
        (
            "late discontinuity sequence",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-DISCONTINUITY\n#EXTINF:5,\na\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n",
            "6/0: a=5/",
            "6",
        ),
        (
            "type in small letters",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:vod\n",
            "6/0:",
            "3",
        ),
        (
            "type unknown",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:LIVE\n",
            "6/0:",
            "3",
        ),
        (
            "start",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES\n",
            "6/0:",
            "",
        ),
        (
            "start nan",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-START:TIME-OFFSET=nan\n",
            "6/0:",
            "3",
        ),
        (
            "tail of a live playlist",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"m\"\n#EXT-X-GAP\n#EXT-X-PART:DURATION=1,URI=\"p\"\n",
            "6/0: a=5",
            "",
        ),
        (
            "tail of a finished playlist",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n#EXT-X-DISCONTINUITY\n#EXT-X-ENDLIST\n",
            "6/0: a=5 end",
            "5",
        ),
        (
            "tail cut off in a segment",
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n#EXT-X-DISCONTINUITY\n#EXTINF:5,\n",
            "6/0: a=5",
            "5",
        ),
        (
            "low latency",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-PART:DURATION=1,URI=\"p1\"\n#EXTINF:5,\na\n#EXT-X-PART:DURATION=1,URI=\"p2\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p3\"\n",
            "6/0: a=5",
            "",
        ),
        (
            "dates of all kinds",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-DATERANGE:ID=\"x\",DURATION=-1,PLANNED-DURATION=inf\n#EXT-X-DATERANGE:ID=\"y\",START-DATE=\"2026-01-01T00:00:00Z\",DURATION=-1,PLANNED-DURATION=inf\n#EXT-X-PROGRAM-DATE-TIME:soon\n#EXTINF:5,\na\n",
            "6/0: a=5",
            "3 4 4 5",
        ),
        (
            "gaps, bit rates, comments",
            "#EXT-X-TARGETDURATION:6\n#EXT-X-BITRATE:128\n#EXT-X-GAP\n#EXTINF:5,\n# hello\na\n#EXTINF:5,\nb\n",
            "6/0: a=5~ b=5",
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
fn ranges_maps_and_keys_are_where_they_belong() {
    let cases = [
        (
            "implicit offsets",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:10@100\na\n#EXT-X-BYTERANGE:20\n#EXTINF:5,\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:30\na\n",
            "a=5[100+10] a=5[110+20] a=5[130+30]",
            "",
        ),
        (
            "no offset in another file",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:10@100\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:20\nb\n",
            "a=5[100+10] b=5[0+20]",
            "8",
        ),
        (
            "an empty range is a gap",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:0@0\na\n",
            "a=5[0+0]~",
            "",
        ),
        (
            "a map holds until the next",
            "#EXT-X-MAP:URI=\"m\",BYTERANGE=\"7@3\"\n#EXTINF:5,\na\n#EXTINF:5,\nb\n#EXT-X-MAP:BYTERANGE=9,URI=n\n#EXTINF:5,\nc\n",
            "a=5<m[3+7]> b=5<m[3+7]> c=5<n[0+9]>",
            "8",
        ),
        (
            "a key holds until NONE",
            "#EXTINF:5,\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:5,\nb\n#EXTINF:5,\nc\n#EXT-X-KEY:METHOD=NONE,URI=\"\"\n#EXTINF:5,\nd\n",
            "a=5 b=5(k) c=5(k) d=5",
            "",
        ),
        (
            "the key itself before any DRM, in any order",
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXT-X-KEY:METHOD=AES-128,URI=k1,KEYFORMAT=\"identity\"\n#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:,x\",KEYFORMAT=\"urn:uuid:1\"\n#EXTINF:5,\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n#EXTINF:5,\nb\n",
            "a=5(k1) b=5(k2)",
            "4",
        ),
        (
            "a key stated for each segment, short IV, key in the text",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"data:,0123456789abcdef\",IV=0x1\n#EXTINF:5,\na\n",
            "a=5(data:,0123456789abcdef)",
            "3",
        ),
    ];
    for (case, text, want, lines) in cases {
        let parsed = parsed(format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}")).expect(case);
        assert_eq!(shown(&parsed.playlist), format!("6/0: {want}"), "{case}");
        assert_eq!(
            repaired_lines(&parsed),
            lines,
            "{case}: {:?}",
            parsed.repairs
        );
    }
}

#[test]
fn a_key_keeps_its_iv_and_a_map_its_key() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0XABCDEF0123456789ABCDEF0123456789\n\
        #EXT-X-MAP:URI=\"m\"\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:5,\na\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:5,\nb\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:5,\nc\n";
    let Playlist::Media(media) = parsed(text).expect("a playlist").playlist else {
        panic!("a list of variants");
    };
    assert_eq!(
        media.keys[0].iv.map(u128::from_be_bytes),
        Some(0xABCD_EF01_2345_6789_ABCD_EF01_2345_6789)
    );
    assert_eq!(media.maps[0].key, Some(0));
    let keys: Vec<_> = media.segments().map(|segment| segment.key).collect();
    assert_eq!(keys, [None, Some(1), Some(1)]);
}
