//! What is refused, by which name: no playlists, broken, hostile and flooding ones.

use super::*;

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
            "it is not a playlist but looks like a web page (HTML)",
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
            "#EXT-X-MAP:URI=fi\"le:///etc/passwd", // quotes are left out of what is read
            "cannot follow line 2 (#EXT-X-MAP)",
        ),
        (
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"n\",URI=da\"ta:,x",
            "cannot follow line 2 (#EXT-X-MEDIA)",
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
    let key_flood = |count: usize| {
        let key = |number| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{number}\"\n");
        let keys: String = (0..count).map(key).collect();
        format!("#EXTM3U\n{keys}")
    };
    let attributes = |count: usize| {
        format!(
            "#EXTM3U\n#EXT-X-KEY:METHOD=NONE{}",
            ",A=1".repeat(count - 1)
        )
    };
    let variables = |count: usize| {
        let define = |number| format!("#EXT-X-DEFINE:NAME=\"{number}\",VALUE=\"\"\n");
        let defines: String = (0..count).map(define).collect();
        format!("#EXTM3U\n{defines}#EXTINF:1,\na\n")
    };
    let bytes = |count: usize| {
        let head = "#EXTM3U\n#EXTINF:1,\na\n";
        let filler = "#\n".repeat(8 << 20);
        format!("{head}{}", &filler[..count - head.len()])
    };
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
        ("keys", key_flood(limits::PLAYLIST_SEGMENTS), None),
        (
            "keys",
            key_flood(limits::PLAYLIST_SEGMENTS + 1),
            Some("it has more than 200000 keys"),
        ),
        ("attributes", attributes(limits::TAG_ATTRIBUTES), None),
        (
            "attributes",
            attributes(limits::TAG_ATTRIBUTES + 1),
            Some("the tag in line 2 has more than 64 attributes"),
        ),
        ("variables", variables(256), None),
        (
            "variables",
            variables(257),
            Some("it has more than 256 variables"),
        ),
        ("bytes", bytes(16 << 20), None),
        (
            "bytes",
            bytes((16 << 20) + 1),
            Some("it is longer than 16 MiB"),
        ),
        (
            "bytes after repair",
            bytes((16 << 20) - 1).replace("#EXTINF:1,", "#EXTINF:1,\u{1}"),
            Some("it is longer than 16 MiB"),
        ),
    ];
    for (flood, text, want) in cases {
        // The mark stands for a byte that is no UTF-8 and grows when it is replaced.
        let text: Vec<u8> = text
            .bytes()
            .map(|byte| if byte == 1 { 0xFF } else { byte })
            .collect();
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

#[test]
fn date_ranges_above_their_cap_are_left_out() {
    let range =
        |number| format!("#EXT-X-DATERANGE:ID=\"{number}\",START-DATE=\"2026-01-01T00:00:00Z\"\n");
    for (count, left_out) in [(limits::DATE_RANGES, 0), (limits::DATE_RANGES + 1, 1)] {
        let ranges: String = (0..count).map(range).collect();
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{ranges}");
        let parsed = parsed(text).expect("a playlist");
        assert_eq!(parsed.repairs.list.len(), left_out, "{count}");
        let Playlist::Media(media) = parsed.playlist else {
            panic!("a list of variants");
        };
        assert_eq!(media.date_ranges.len(), limits::DATE_RANGES);
    }
}
