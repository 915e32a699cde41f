//! Segments among odd lines: what belongs to which, and what is left out.

use super::*;

/// What is odd, text behind the target duration, what is read, repairs with
/// their lines.
fn check(cases: &[(&str, &str, &str, &str)]) {
    for (odd, text, want, lines) in cases {
        let parsed = parsed(format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}")).expect(odd);
        assert_eq!(
            shown(&parsed.playlist),
            format!("6/0:{want}"),
            "{odd}: {:?}",
            parsed.repairs
        );
        assert_eq!(
            repaired_lines(&parsed),
            *lines,
            "{odd}: {:?}",
            parsed.repairs
        );
    }
}

#[test]
fn lines_that_do_not_fit_together_are_taken_apart() {
    check(&[
        (
            "two lengths for one address",
            "#EXTINF:5,\n#EXTINF:4,\na\n",
            " a=4",
            "4",
        ),
        (
            "a length without an address in the middle",
            "#EXTINF:5,\n#EXT-X-DISCONTINUITY\n#EXTINF:4,\na\n#EXTINF:3,\nb\n",
            " a=4/ b=3",
            "5",
        ),
        (
            "an address without a length loses what is about it alone",
            "#EXT-X-BYTERANGE:5@0\n#EXT-X-GAP\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\na\n#EXTINF:4,\nb\n",
            " b=4",
            "6",
        ),
        (
            "comments and blank lines everywhere",
            "# 1\n\n#EXTINF:5,\n# 2\n#\n\n#EXT-X-GAP\n##\na\n# 3\n",
            " a=5~",
            "",
        ),
        (
            "tags and segments behind the end",
            "#EXTINF:5,\na\n#EXT-X-ENDLIST\n#EXT-X-UNKNOWN:1\n#EXTINF:4,\nb\n",
            " a=5 b=4 end",
            "",
        ),
        (
            "a second header in the middle",
            "#EXTINF:5,\na\n#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nb\n",
            " a=5 b=4",
            "",
        ),
        (
            "unknown tags and attributes",
            "#EXT-X-CUE-OUT:30\n#EXT-X-ASSET:X=\"y\n#EXT-X-KEY:METHOD=NONE,X-FOO=1\n#EXTINF:5,\na\n",
            " a=5",
            "",
        ),
        (
            "tags in small letters are comments",
            "#extinf:5,\n#EXTINF:4,\na\n",
            " a=4",
            "",
        ),
        (
            "NUL and bytes that are no text",
            "#EXTINF:5,\u{0}\na\u{0}b\n",
            " a\u{0}b=5",
            "",
        ),
        (
            "lengths with spaces",
            "#EXTINF: 5,\na\n#EXTINF:5 ,\nb\n#EXTINF:\t5,\nc\n",
            " a=5 b=5 c=5",
            "3 5 7",
        ),
        (
            "lengths without digits on one side",
            "#EXTINF:5.,\na\n#EXTINF:.5,\nb\n#EXTINF:+5,\nc\n#EXTINF:05.0,\nd\n",
            " a=5 b=0.5 c=5 d=5",
            "",
        ),
        (
            "a length in small parts of a second",
            "#EXTINF:0.0000000001,\na\n#EXTINF:1e-300,\nb\n",
            " a=0 b=0",
            "",
        ),
    ]);
}

#[test]
fn ranges_without_an_offset_follow_the_last_of_their_resource() {
    check(&[
        (
            "two resources interleaved",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:10@0\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:20@0\nb\n\
             #EXTINF:5,\n#EXT-X-BYTERANGE:11\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:21\nb\n",
            " a=5[0+10] b=5[0+20] a=5[10+11] b=5[20+21]",
            "11 14",
        ),
        (
            "a whole resource between",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:10@0\na\n#EXTINF:5,\nb\n#EXTINF:5,\n#EXT-X-BYTERANGE:11\na\n",
            " a=5[0+10] b=5 a=5[10+11]",
            "10",
        ),
        (
            "backwards",
            "#EXTINF:5,\n#EXT-X-BYTERANGE:10@50\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:10@0\na\n#EXTINF:5,\n#EXT-X-BYTERANGE:5\na\n",
            " a=5[50+10] a=5[0+10] a=5[10+5]",
            "",
        ),
        (
            "a map is no segment to follow",
            "#EXT-X-MAP:URI=\"a\",BYTERANGE=\"100@0\"\n#EXTINF:5,\n#EXT-X-BYTERANGE:10\na\n",
            " a=5[0+10]<a[0+100]>",
            "6",
        ),
        (
            "spaces",
            "#EXTINF:5,\n#EXT-X-BYTERANGE: 10 @ 5 \na\n",
            " a=5[5+10]",
            "4",
        ),
    ]);
}

#[test]
fn keys_are_read_in_any_spelling() {
    check(&[
        (
            "small letters",
            "#EXT-X-KEY:METHOD=aes-128,URI=\"k\"\n#EXTINF:5,\na\n#EXT-X-KEY:METHOD=none\n#EXTINF:5,\nb\n",
            " a=5(k) b=5",
            "3 6",
        ),
        (
            "quotes the wrong way round",
            "#EXT-X-KEY:METHOD=\"AES-128\",URI=k,KEYFORMAT=identity\n#EXTINF:5,\na\n",
            " a=5(k)",
            "3",
        ),
        (
            "spaces",
            "#EXT-X-KEY:METHOD=AES-128, URI=\"k\" , IV=0x00000000000000000000000000000001\n#EXTINF:5,\na\n",
            " a=5(k)",
            "3",
        ),
        (
            "two methods in one tag",
            "#EXT-X-KEY:METHOD=AES-128,METHOD=NONE,URI=\"k\"\n#EXTINF:5,\na\n",
            " a=5(k)",
            "3",
        ),
        (
            "none with what it does not need",
            "#EXT-X-KEY:METHOD=NONE,URI=\"\",IV=x\n#EXTINF:5,\na\n",
            " a=5",
            "",
        ),
    ]);
}

#[test]
fn what_a_player_of_whole_segments_never_opens_may_lead_anywhere() {
    check(&[(
        "low latency and interstitials",
        "#EXT-X-PART:DURATION=1,URI=\"file:///etc/passwd\"\n\
         #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"data:,x\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"ftp://h/x\"\n\
         #EXT-X-DATERANGE:ID=\"x\",START-DATE=\"2026-01-01T00:00:00Z\",X-ASSET-URI=\"file:///x\"\n\
         #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n\
         #EXT-X-KEY:METHOD=NONE\n#EXTINF:5,\na\n",
        " a=5",
        "",
    )]);
}

/// What is listed while a segment is being made is listed again with it.
#[test]
fn a_dangling_tail_is_whole_in_the_next_load() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:5,\na\n";
    let tail = "#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"m\"\n\
                #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n\
                #EXT-X-DATERANGE:ID=\"x\",START-DATE=\"2026-01-01T00:00:00Z\"\n\
                #EXT-X-BYTERANGE:5@1\n#EXT-X-GAP\n#EXT-X-PART:DURATION=1,URI=\"p\"\n";
    for (text, want) in [
        (format!("{head}{tail}"), "6/0: a=5"),
        (
            format!("{head}{tail}#EXTINF:4,\nb\n"),
            "6/0: a=5 b=4[1+5]<m>(k)/~",
        ),
    ] {
        let parsed = parsed(&text).expect("a live playlist");
        assert_eq!(shown(&parsed.playlist), want);
        assert_eq!(parsed.repairs, Repairs::default(), "{text}");
        let Playlist::Media(media) = parsed.playlist else {
            panic!("a list of variants");
        };
        assert_eq!(media.date_ranges.len(), 1, "a range needs no segment");
        let date = media.segment(1).and_then(|segment| segment.date_time);
        assert_eq!(date, (media.len() == 2).then_some(1_767_225_600_000));
    }
}

#[test]
fn a_start_is_exact_however_it_is_written() {
    let cases = [
        ("TIME-OFFSET=0", Some((0, false)), ""),
        (
            "TIME-OFFSET=36000.123456789,PRECISE=YES",
            Some((36_000_123_456_789, true)),
            "",
        ),
        (
            "TIME-OFFSET=-12.5,PRECISE=NO",
            Some((-12_500_000_000, false)),
            "",
        ),
        (
            "PRECISE=yes,TIME-OFFSET=+1",
            Some((1_000_000_000, true)),
            "",
        ),
        ("TIME-OFFSET=\"5\"", Some((5_000_000_000, false)), "2"),
        ("TIME-OFFSET=1e300", None, "2"),
        ("TIME-OFFSET=-inf", None, "2"),
        ("TIME-OFFSET=nan", None, "2"),
        ("PRECISE=YES", None, "2"),
    ];
    for (attributes, want, lines) in cases {
        let text =
            format!("#EXTM3U\n#EXT-X-START:{attributes}\n#EXTINF:5,\na\n#EXT-X-TARGETDURATION:6\n");
        let parsed = parsed(text).expect(attributes);
        assert_eq!(repaired_lines(&parsed), lines, "{attributes}");
        let Playlist::Media(media) = parsed.playlist else {
            panic!("a list of variants");
        };
        let start = media.start_offset;
        let got = start.map(|start| (start.offset.nanos(), start.is_precise));
        assert_eq!(got, want, "{attributes}");
    }
}

#[test]
fn what_the_list_of_variants_says_holds_below_it() {
    let list = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"x\",VALUE=\"v\"\n\
                #EXT-X-START:TIME-OFFSET=-3\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$x}.m3u8\n";
    let list = parsed(list).expect("a list of variants");
    assert_eq!(shown(&list.playlist), " v.m3u8@1");
    let base = Location::parse(BASE).expect("a URL");
    let below = |text: &str| {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}#EXTINF:5,\n{{$x}}\n");
        parse_under(text.as_bytes(), &base, Some(&list.common)).map(|parsed| parsed.playlist)
    };
    let imported = below("#EXT-X-DEFINE:IMPORT=\"x\"\n").expect("an import");
    assert_eq!(shown(&imported), "6/0: v=5");
    let start = |playlist: Playlist| match playlist {
        Playlist::Media(media) => media.start_offset.map(|start| start.offset.seconds()),
        Playlist::Multivariant(_) => None,
    };
    assert_eq!(start(imported), Some(-3.0));
    let own = "#EXT-X-DEFINE:IMPORT=\"x\"\n#EXT-X-START:TIME-OFFSET=2\n";
    assert_eq!(start(below(own).expect("an import")), Some(2.0));
    let problem = below("#EXT-X-DEFINE:IMPORT=\"y\"\n").expect_err("it is not defined");
    assert_eq!(problem.kind, Kind::Malformed);
}
