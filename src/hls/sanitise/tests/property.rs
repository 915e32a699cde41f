//! Whatever comes in, the crate never refuses what the sanitiser lets through,
//! and what was put right once needs no second repair.

use proptest::prelude::*;

use super::*;

/// The whole strict text, as the crate could be given it at once.
fn strict(body: &[u8]) -> Option<(String, Repairs)> {
    let base = &Location::parse(BASE).expect("a URL");
    let mut repairs = Repairs::default();
    let mut segments = String::new();
    let mut sink = |chunk: &crate::hls::sanitise::media::Chunk| {
        let text = chunk.text.strip_prefix("#EXTM3U\n");
        segments.push_str(text.expect("each chunk is a playlist"));
        Ok(())
    };
    let origin = Origin { base, parent: None };
    let clean = sanitise(body, origin, &mut sink, &mut repairs).ok()?;
    Some(match clean {
        Clean::Multivariant { clean, .. } => (clean.text, repairs),
        Clean::Media(clean) => (clean.header + &segments, repairs),
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
        "#EXT-X-DEFINE:NAME=\"v\",VALUE=",
        "{$v}",
        "#EXTINF:4,{$v}",
        "#EXT-X-SESSION-DATA:",
        "#EXT-X-I-FRAME-STREAM-INF:",
        "#",
        "a",
        "",
    ]);
    (known, word()).prop_map(|(known, value)| format!("{known}{value}"))
}

/// A value that makes sense somewhere, or nowhere.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
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
    ]
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
        good in prop::sample::select(&good::ALL[..]),
    ) {
        let mut body = good.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        holds(&body)?;
        holds(&body[..cut.index(body.len())])?;
    }

    #[test]
    fn no_order_of_good_lines_and_no_change_of_their_words_makes_it_panic(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
        words in prop::collection::vec((any::<prop::sample::Index>(), word()), 0..6),
        ending in prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]),
    ) {
        let mut lines: Vec<String> = picks
            .iter()
            .map(|(list, line)| {
                let lines: Vec<_> = good::ALL[list.index(good::ALL.len())].lines().collect();
                lines[line.index(lines.len())].to_owned()
            })
            .collect();
        for (place, word) in words {
            if lines.is_empty() {
                break;
            }
            let place = place.index(lines.len());
            // The last value of the line becomes another one.
            let line = &mut lines[place];
            let cut = line.rfind([':', '=', ',', '@', '/']).map_or(0, |cut| cut + 1);
            line.truncate(cut);
            line.push_str(&word);
        }
        holds(format!("#EXTM3U{ending}{}", lines.join(ending)).as_bytes())?;
    }
}

#[test]
fn a_good_playlist_needs_no_repair() {
    for text in good::ALL {
        let parsed = parsed(text).expect(text);
        assert_eq!(parsed.repairs, Repairs::default(), "{text}");
    }
}
