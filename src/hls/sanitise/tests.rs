//! Ugly playlists, one kind of ugliness a row, and the promise that the crate
//! never refuses what the sanitiser lets through.

use proptest::prelude::*;

use super::*;
use crate::hls::playlist::{Parsed, Playlist, parse};

const BASE: &str = "https://h/a/list.m3u8";

fn parsed(text: impl AsRef<[u8]>) -> Result<Parsed, Problem> {
    parse(text.as_ref(), &Location::parse(BASE).expect("a URL"))
}

/// A media playlist as one line: target, first number, then each segment as
/// `uri` with what is special about it.
fn shown(playlist: &Playlist) -> String {
    let media = match playlist {
        Playlist::Media(media) => media,
        Playlist::Multivariant(list) => {
            let variant = |one: &crate::hls::multivariant::Variant| {
                let group = one.audio.as_ref().map(|group| format!("/{group}"));
                format!(
                    " {}@{}{}",
                    one.uri,
                    one.bandwidth.0,
                    group.unwrap_or_default()
                )
            };
            let rendition = |one: &crate::hls::multivariant::Rendition| {
                format!(" [{} {}]", one.group, one.name)
            };
            let renditions = list.renditions.iter().map(rendition);
            return list
                .variants
                .iter()
                .map(variant)
                .chain(renditions)
                .collect();
        }
    };
    let mut out = format!(
        "{}/{}:",
        media.target_duration.seconds(),
        media.media_sequence
    );
    for segment in media.segments() {
        out += &format!(" {}={}", segment.uri, segment.duration.seconds());
        if let Some(range) = segment.range {
            out += &format!("[{}+{}]", range.start, range.length);
        }
        if let Some(map) = segment.map {
            let map = &media.maps[map];
            out += &format!("<{}", map.uri);
            out += &map.range.map_or(String::new(), |range| {
                format!("[{}+{}]", range.start, range.length)
            });
            out += ">";
        }
        out += &segment
            .key
            .map_or(String::new(), |key| format!("({})", media.keys[key].uri));
        out += if segment.discontinuity { "/" } else { "" };
        out += if segment.gap { "~" } else { "" };
    }
    out + if media.ended { " end" } else { "" }
}

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
            "#EXT-X-TARGETDURATION:6\r#EXTINF:5.5,\ra\r",
            "6/0: a=5.5",
            "",
        ),
        (
            "blanks",
            "\n  #EXT-X-TARGETDURATION: 6 \n\n#EXTINF: 5.5,\n\n  a b \n",
            "6/0: a b=5.5",
            "",
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
            "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:x\n#EXT-X-MAP:URI=\"m\"\n#EXTINF:5,\n",
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
            "#EXT-X-TARGETDURATION:6\n#EXT-X-DATERANGE:ID=\"x\",DURATION=-1,PLANNED-DURATION=inf\n#EXT-X-DATERANGE:CLASS=1\n#EXTINF:5,\na\n",
            "6/0: a=5",
            "",
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

fn repaired_lines(parsed: &Parsed) -> String {
    let lines: Vec<String> = parsed
        .repairs
        .list
        .iter()
        .map(|one| one.line.to_string())
        .collect();
    lines.join(" ")
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
            "",
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
            "",
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

#[test]
fn what_stands_around_the_header_is_repaired() {
    let rest = "#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n";
    let cases = [
        ("\u{FEFF}#EXTM3U\n", "1"),
        ("\n \n#EXTM3U\n", "3"),
        ("# by hand\n#EXTM3U\n", "2"),
        ("\u{FEFF}\r\n#EXTM3U\r\n", "1 2"),
        ("#EXTM3U url-tvg=\"x\"\n", "1"),
    ];
    for (head, lines) in cases {
        let parsed = parsed(format!("{head}{rest}")).expect(head);
        assert_eq!(shown(&parsed.playlist), "6/0: a=5", "{head:?}");
        assert_eq!(repaired_lines(&parsed), lines, "{head:?}");
    }
    let latin = b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5,\xe9\na\n";
    let parsed = parsed(latin).expect("Latin-1");
    assert_eq!(shown(&parsed.playlist), "6/0: a=5");
    assert_eq!(repaired_lines(&parsed), "1");
}

#[test]
fn what_is_no_playlist_or_beyond_repair_is_named() {
    let cases = [
        (
            "",
            Kind::NotAStream,
            "it is not a playlist but looks like nothing: it is empty",
        ),
        (
            " \n",
            Kind::NotAStream,
            "it is not a playlist but looks like nothing: it is empty",
        ),
        (
            "<!DOCTYPE html><p>",
            Kind::NotAStream,
            "it is not a playlist but looks like a web page",
        ),
        (
            "<?xml?><MPD>",
            Kind::NotAStream,
            "it is not a playlist but looks like a DASH manifest",
        ),
        (
            "{\"error\":1}",
            Kind::NotAStream,
            "it is not a playlist but looks like JSON",
        ),
        (
            "[playlist]\nFile1=x",
            Kind::NotAStream,
            "it is not a playlist but looks like a .pls list of stations",
        ),
        (
            "ID3\0\0",
            Kind::NotAStream,
            "it is not a playlist but looks like binary data",
        ),
        (
            "http://h/a.mp3",
            Kind::NotAStream,
            "it is not a playlist but looks like text without #EXTM3U",
        ),
        (
            "#EXTM3U\na.mp3\n",
            Kind::NotAStream,
            "it is not a playlist but looks like a plain list of files or stations, not HLS",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
            Kind::Malformed,
            "it lists no variant",
        ),
        (
            "#EXTM3U\n#EXTINF:5,\na\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb",
            Kind::Malformed,
            "#EXT-X-STREAM-INF in line 4 stands in a list of segments: it is neither kind",
        ),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb\n#EXTINF:5,\na",
            Kind::Malformed,
            "#EXTINF in line 4 stands in a list of variants: it is neither kind",
        ),
        (
            "#EXTM3U\n#EXT-X-KEY:URI=\"k\"",
            Kind::Malformed,
            "#EXT-X-KEY in line 2 has no METHOD",
        ),
        (
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128",
            Kind::Malformed,
            "#EXT-X-KEY in line 2 has no URI",
        ),
        (
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=k,IV=1234",
            Kind::Malformed,
            "#EXT-X-KEY in line 2 has an IV that is no 128-bit number",
        ),
        (
            "#EXTM3U\n#EXT-X-MAP:BYTERANGE=1@1",
            Kind::Malformed,
            "#EXT-X-MAP in line 2 has no URI",
        ),
        (
            "#EXTM3U\n#EXT-X-BYTERANGE:1-2",
            Kind::Malformed,
            "#EXT-X-BYTERANGE in line 2 has no byte range that can be read",
        ),
        (
            "#EXTM3U\n#EXTINF:5,\n#EXT-X-BYTERANGE:18446744073709551615@18446744073709551615\na",
            Kind::Malformed,
            "#EXTINF in line 4 has a byte range beyond any file",
        ),
        (
            "#EXTM3U\n#EXT-X-MAP:URI=m,BYTERANGE=9223372036854775807@1",
            Kind::Malformed,
            "#EXT-X-MAP in line 2 has a byte range beyond any file",
        ),
        (
            "#EXTM3U\n#EXT-X-I-FRAMES-ONLY",
            Kind::Unsupported,
            "line 2 says it lists pictures (I-frames) only",
        ),
    ];
    for (text, kind, why) in cases {
        let problem = parsed(text).expect_err(text);
        assert_eq!((problem.kind, problem.why.as_str()), (kind, why), "{text}");
        assert_eq!(problem.what, format!("cannot read the playlist \"{BASE}\""));
    }
}

#[test]
fn an_address_that_leads_astray_is_refused_with_its_line() {
    let cases = [
        (
            "#EXTINF:5,\nfile:///etc/passwd",
            "cannot follow line 3 (#EXTINF)",
        ),
        (
            "#EXT-X-MAP:URI=\"file:///etc/passwd\"",
            "cannot follow line 2 (#EXT-X-MAP)",
        ),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"ftp://h/k\"",
            "cannot follow line 2 (#EXT-X-KEY)",
        ),
        (
            "#EXT-X-MEDIA:TYPE=VIDEO,URI=\"data:,x\"",
            "cannot follow line 2 (#EXT-X-MEDIA)",
        ),
        (
            "#EXT-X-STREAM-INF:BANDWIDTH=1\n\\\\host\\a",
            "cannot follow line 3 (#EXT-X-STREAM-INF)",
        ),
    ];
    for (text, what) in cases {
        let problem = parsed(format!("#EXTM3U\n{text}\n")).expect_err(text);
        assert_eq!(
            (problem.kind, problem.what.as_str()),
            (Kind::Unsafe, what),
            "{text}"
        );
    }
}

#[test]
fn floods_end_at_their_caps() {
    let segments = |count: usize| format!("#EXTM3U\n{}", "#EXTINF:1,\na\n".repeat(count));
    let variants = |count: usize| {
        format!(
            "#EXTM3U\n{}",
            "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(count)
        )
    };
    let line = |length: usize| format!("#EXTM3U\n#EXTINF:1,{}\na\n", "x".repeat(length - 10));
    let keys = "#EXT-X-KEY:METHOD=AES-128,URI=a\n#EXT-X-KEY:METHOD=AES-128,URI=b\n";
    let cases = [
        ("segments", segments(limits::PLAYLIST_SEGMENTS), None),
        (
            "segments",
            segments(limits::PLAYLIST_SEGMENTS + 1),
            Some("it has more than 200000 segments"),
        ),
        ("variants", variants(limits::PLAYLIST_VARIANTS), None),
        (
            "variants",
            variants(limits::PLAYLIST_VARIANTS + 1),
            Some("it has more than 512 variants and renditions"),
        ),
        ("line", line(limits::PLAYLIST_LINE_BYTES), None),
        (
            "line",
            line(limits::PLAYLIST_LINE_BYTES + 1),
            Some("line 2 is longer than 64 KiB"),
        ),
        (
            "keys",
            format!("#EXTM3U\n{}", keys.repeat(100_001)),
            Some("it has more than 200000 keys"),
        ),
        (
            "attributes",
            format!("#EXTM3U\n#EXT-X-KEY:{}", "A=1,".repeat(10_000)),
            Some("the tag in line 2 has more than 64 attributes"),
        ),
        (
            "bytes",
            "#".repeat((16 << 20) + 1),
            Some("it is longer than 16 MiB"),
        ),
    ];
    for (flood, text, want) in cases {
        let why = parsed(text)
            .err()
            .filter(|problem| problem.kind == Kind::Limit);
        assert_eq!(
            why.as_ref().map(|problem| problem.why.as_str()),
            want,
            "{flood}"
        );
    }
}

#[test]
fn a_flood_of_repairs_is_counted_not_kept() {
    let parsed = parsed(format!("#EXTM3U\n{}", "#EXTINF:-1\na\n".repeat(5000))).expect("segments");
    assert_eq!(
        (parsed.repairs.list.len(), parsed.repairs.more),
        (100, 4901)
    );
    assert_eq!(shown(&parsed.playlist).matches("a=0").count(), 5000);
}

/// The whole strict text, as the crate could be given it at once.
fn strict(body: &[u8]) -> Option<(String, Repairs)> {
    let base = Location::parse(BASE).expect("a URL");
    let mut repairs = Repairs::default();
    let clean = sanitise(body, &base, &mut repairs).ok()?;
    Some(match clean {
        Clean::Multivariant(text) => (text, repairs),
        Clean::Media(clean) => (clean.header + &clean.body, repairs),
    })
}

/// The crate took it, or we refused it ourselves.
fn holds(body: &[u8]) -> Result<(), TestCaseError> {
    let refused = parsed(body)
        .err()
        .filter(|problem| problem.kind == Kind::Malformed);
    if let Some((text, _)) = strict(body) {
        prop_assert!(refused.is_none(), "the crate refuses {text:?}: {refused:?}");
        let (again, repairs) = strict(text.as_bytes()).expect("strict text is sanitised again");
        prop_assert_eq!(repairs, Repairs::default(), "{:?}", text);
        prop_assert_eq!(again, text);
    }
    Ok(())
}

/// Lines that mean something, and pieces to make nonsense of them.
fn line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "#EXTM3U",
        "#EXT-X-VERSION:",
        "#EXT-X-TARGETDURATION:",
        "#EXTINF:",
        "#EXTINF:5,",
        "#EXT-X-BYTERANGE:",
        "#EXT-X-BYTERANGE:5@",
        "#EXT-X-MAP:URI=\"",
        "#EXT-X-MAP:BYTERANGE=\"",
        "#EXT-X-KEY:METHOD=AES-128,URI=",
        "#EXT-X-KEY:METHOD=",
        "#EXT-X-MEDIA-SEQUENCE:",
        "#EXT-X-DISCONTINUITY-SEQUENCE:",
        "#EXT-X-DISCONTINUITY",
        "#EXT-X-PLAYLIST-TYPE:",
        "#EXT-X-START:TIME-OFFSET=",
        "#EXT-X-ENDLIST",
        "#EXT-X-GAP",
        "#EXT-X-PROGRAM-DATE-TIME:",
        "#EXT-X-DATERANGE:DURATION=",
        "#EXT-X-STREAM-INF:BANDWIDTH=",
        "#EXT-X-STREAM-INF:CODECS=\"",
        "#EXT-X-STREAM-INF:AUDIO=\"g\",RESOLUTION=",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=g,CHANNELS=",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-SESSION-DATA:",
        "#EXT-X-I-FRAME-STREAM-INF:",
        "#",
        "a",
        "",
    ]);
    let value = prop_oneof![
        "[0-9]{0,22}",
        "[-+]?[0-9.]{1,5}",
        prop::sample::select(vec![
            "nan",
            "inf",
            "-0",
            "1e300",
            "1e-300",
            "YES",
            "NONE",
            "g\"",
            "\"x\",y=z",
            "a b",
            "http://[",
            "https://x/y",
            "VOD",
            "vod",
            ",",
            "@",
            "0x1",
            "5x5",
            "+5",
            "\u{85}",
            "\u{2028}",
            "\0",
            "é",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    (known, value).prop_map(|(known, value)| format!("{known}{value}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        holds(&body)?;
        holds(&[b"#EXTM3U\n#EXTINF:1,\n".as_slice(), &body].concat())?;
    }

    #[test]
    fn no_lines_make_the_crate_refuse_the_strict_text(lines in prop::collection::vec(line(), 0..12)) {
        holds(format!("#EXTM3U\n{}", lines.join("\n")).as_bytes())?;
    }

    #[test]
    fn no_change_of_a_good_playlist_makes_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        is_media in any::<bool>(),
    ) {
        let good = if is_media { GOOD_MEDIA } else { GOOD_MULTIVARIANT };
        let mut body = good.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        holds(&body)?;
        holds(&body[..cut.index(body.len())])?;
    }
}

const GOOD_MEDIA: &str = "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x00000000000000000000000000000001
#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"765@0\"
#EXTINF:6.013968,title
#EXT-X-BYTERANGE:97048@765
all.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:5.990748,
#EXT-X-BYTERANGE:97135
all.m4s
#EXT-X-ENDLIST
";

const GOOD_MULTIVARIANT: &str = "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"en.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=72691,AVERAGE-BANDWIDTH=66083,CODECS=\"mp4a.40.2\",AUDIO=\"g\"
v64.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,AUDIO=\"g\"
v900.m3u8
";
