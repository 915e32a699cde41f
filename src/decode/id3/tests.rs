use super::*;
use proptest::prelude::*;

fn safe_size(length: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| u8::try_from(length >> shift & 0x7F).expect("seven bits"))
}

fn plain_size(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("small").to_be_bytes()
}

fn tag(version: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let header = [b'I', b'D', b'3', version, 0, flags];
    [&header[..], &safe_size(body.len()), body].concat()
}

/// A frame of 2.3 or 2.4 with the second byte of its flags.
fn frame(version: u8, name: &[u8; 4], flags: u8, content: &[u8]) -> Vec<u8> {
    let size = match version {
        4 => safe_size(content.len()),
        _ => plain_size(content.len()),
    };
    [&name[..], &size, &[0, flags], content].concat()
}

fn private(ticks: u64) -> Vec<u8> {
    [TIMESTAMP_OWNER, &ticks.to_be_bytes()].concat()
}

fn title(tag: &[u8]) -> Option<String> {
    read(tag).title
}

#[test]
fn the_length_of_a_tag_counts_seven_bits_a_byte_and_the_footer() {
    let cases: [(&[u8], Option<u64>); 7] = [
        (b"ID3\x04\0\0\0\0\x02\x01", Some(267)),
        (b"ID3\x04\0\x10\0\0\x02\x01", Some(277)),
        (b"ID3\x03\0\0\x7F\x7F\x7F\x7F", Some(268_435_465)),
        (b"ID3\x03\0\0\x80\0\0\0", None),
        (b"ID3\xFF\0\0\0\0\0\0", None),
        (b"ID3\x03\0\0\0\0", None),
        (b"TAG\x03\0\0\0\0\0\0", None),
    ];
    for (head, want) in cases {
        assert_eq!(length(head), want, "{head:?}");
    }
}

#[test]
fn the_timestamp_keeps_its_low_33_bits() {
    for (ticks, want) in [(0, 0), (900_000, 900_000), (u64::MAX, TIMESTAMP_MASK)] {
        let bytes = tag(4, 0, &frame(4, b"PRIV", 0, &private(ticks)));
        assert_eq!(read(&bytes).timestamp, Some(want), "{ticks}");
    }
    let other = frame(4, b"PRIV", 0, b"com.example\0\0\0\0\0\0\0\0\x01");
    assert_eq!(read(&tag(4, 0, &other)), Tag::default());
    let short = frame(4, b"PRIV", 0, &private(1)[..50]);
    assert_eq!(read(&tag(4, 0, &short)), Tag::default());
}

#[test]
fn artist_and_title_are_joined_in_either_order() {
    let (song, artist) = (&b"\x03Na\xC3\xAFve"[..], &b"\x03The Band\0"[..]);
    for version in [3, 4] {
        let frames = [
            frame(version, b"TIT2", 0, song),
            frame(version, b"TPE1", 0, artist),
        ];
        let joined = Some("The Band - Naïve".to_owned());
        let swapped = [frames[1].clone(), frames[0].clone()].concat();
        assert_eq!(
            title(&tag(version, 0, &frames.concat())),
            joined,
            "2.{version}"
        );
        assert_eq!(title(&tag(version, 0, &swapped)), joined, "2.{version}");
    }
    let alone = frame(4, b"TPE1", 0, artist);
    assert_eq!(title(&tag(4, 0, &alone)), Some("The Band".to_owned()));
    let empty = [
        frame(4, b"TIT2", 0, b"\x03"),
        frame(4, b"TPE1", 0, b"\x00 \0"),
    ];
    assert_eq!(title(&tag(4, 0, &empty.concat())), None);
}

#[test]
fn a_tag_of_version_2_2_has_short_frames() {
    let body = b"TT2\0\0\x05\0SongTP1\0\0\x04\0Duo\0\0\0";
    assert_eq!(title(&tag(2, 0, body)), Some("Duo - Song".to_owned()));
    assert_eq!(title(&tag(2, 0x40, body)), None, "compressed");
}

#[test]
fn every_text_encoding_is_read() {
    let cases: [(&[u8], Option<&str>); 11] = [
        (b"\x00caf\xE9", Some("café")),
        (b"\x00caf\xC3\xA9", Some("café")),
        (b"\x01\xFF\xFEh\0\xE9\0", Some("hé")),
        (b"\x01\xFE\xFF\0h\0\xE9\0\0", Some("hé")),
        (b"\x01h\0i\0", Some("hi")),
        (b"\x02\0h\xD8\x3D\xDE\x00", Some("h😀")),
        (b"\x02\0h\xD8\x3D", Some("h\u{FFFD}")),
        (b"\x03one\0two\0", Some("one / two")),
        (b"\x01\xFF\xFEa\0\0\0\xFF\xFEb\0", Some("a / b")),
        (b"\x03bad\xFF", Some("bad\u{FFFD}")),
        (b"\x09what", None),
    ];
    for (content, want) in cases {
        let bytes = tag(3, 0, &frame(3, b"TIT2", 0, content));
        assert_eq!(title(&bytes).as_deref(), want, "{content:X?}");
    }
}

#[test]
fn a_radio_title_serves_where_there_is_no_other() {
    let radio = frame(4, b"TXXX", 0, b"\x03StreamTitle\0Duo - Song");
    let other = frame(4, b"TXXX", 0, b"\x03adId\x00123");
    let both = [other, radio.clone()].concat();
    assert_eq!(title(&tag(4, 0, &both)), Some("Duo - Song".to_owned()));
    let proper = [radio, frame(4, b"TIT2", 0, b"\x03Proper")].concat();
    assert_eq!(title(&tag(4, 0, &proper)), Some("Proper".to_owned()));
}

#[test]
fn unsynchronisation_is_undone_as_each_version_does_it() {
    let broken_up = b"\x01\xFF\x00\xFEa\0"; // of 6 bytes, 5 are meant
    let whole = frame(3, b"TIT2", 0, &broken_up[..5]);
    let whole = [&whole[..10], &broken_up[..]].concat();
    assert_eq!(title(&tag(3, 0x80, &whole)).as_deref(), Some("a"), "2.3");
    let by_frame = frame(4, b"TIT2", 0x02, broken_up);
    assert_eq!(
        title(&tag(4, 0, &by_frame)).as_deref(),
        Some("a"),
        "2.4, a frame"
    );
    let by_tag = frame(4, b"TIT2", 0, broken_up);
    assert_eq!(
        title(&tag(4, 0x80, &by_tag)).as_deref(),
        Some("a"),
        "2.4, the tag"
    );
}

#[test]
fn extended_headers_groups_and_length_fields_are_passed_over() {
    let song = |version, flags, before: &[u8]| {
        frame(version, b"TIT2", flags, &[before, b"\x03Song"].concat())
    };
    let cases = [
        (
            "2.3 extended",
            tag(
                3,
                0x40,
                &[&plain_size(6)[..], &[0; 6], &song(3, 0, b"")].concat(),
            ),
        ),
        (
            "2.4 extended",
            tag(
                4,
                0x40,
                &[&safe_size(6)[..], &[1, 0], &song(4, 0, b"")].concat(),
            ),
        ),
        ("2.3 group", tag(3, 0, &song(3, 0x20, b"\x07"))),
        (
            "2.4 group and length",
            tag(4, 0, &song(4, 0x41, b"\x07\0\0\0\x05")),
        ),
    ];
    for (case, bytes) in cases {
        assert_eq!(title(&bytes).as_deref(), Some("Song"), "{case}");
    }
    for (case, bytes) in [
        ("2.3 compressed", tag(3, 0, &song(3, 0x80, b""))),
        ("2.4 encrypted", tag(4, 0, &song(4, 0x04, b""))),
    ] {
        assert_eq!(title(&bytes), None, "{case}");
    }
}

#[test]
fn a_frame_of_2_4_with_a_plain_length_is_read_all_the_same() {
    let long = [&b"\x03"[..], &[b'x'; 299]].concat();
    let artist = frame(4, b"TPE1", 0, b"\x03Duo");
    let wrong = [
        &b"TIT2"[..],
        &plain_size(long.len()),
        &[0, 0],
        &long,
        &artist,
    ]
    .concat();
    let right = [frame(4, b"TIT2", 0, &long), artist].concat();
    let want = Some(format!("Duo - {}", "x".repeat(299)));
    assert_eq!(title(&tag(4, 0, &wrong)), want, "eight bits");
    assert_eq!(title(&tag(4, 0, &right)), want, "seven bits");
}

#[test]
fn a_long_text_is_cut_and_a_cut_tag_gives_what_is_whole() {
    let long = [&b"\x03"[..], &[b'x'; 5000]].concat();
    let cut = title(&tag(3, 0, &frame(3, b"TIT2", 0, &long)));
    assert_eq!(cut.map(|text| text.len()), Some(TEXT_CHARS));
    let frames = [
        frame(4, b"PRIV", 0, &private(5)),
        frame(4, b"TIT2", 0, b"\x03Song"),
    ];
    let whole = tag(4, 0, &frames.concat());
    let facts = read(&whole[..whole.len() - 1]);
    assert_eq!((facts.timestamp, facts.title), (Some(5), None));
}

fn any_tag() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    let names = prop_oneof![Just(b"TIT2"), Just(b"TPE1"), Just(b"TXXX"), Just(b"PRIV")];
    let pieces = (names, any::<u32>(), any::<u8>(), body.clone());
    (
        2_u8..=4,
        any::<u8>(),
        proptest::collection::vec(pieces, 0..4),
        body,
    )
        .prop_map(|(version, flags, pieces, end)| {
            let pieces = pieces.into_iter().map(|(name, size, flags, content)| {
                [
                    &name[..],
                    &(size & 0x1FF).to_be_bytes(),
                    &[0, flags],
                    &content,
                ]
                .concat()
            });
            let body = pieces.chain([end]).collect::<Vec<_>>().concat();
            tag(version, flags, &body)
        })
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
        prop_assert!(length(&bytes).is_none_or(|length| length >= 10));
    }

    #[test]
    fn no_tag_makes_it_fail_or_say_too_much(bytes in any_tag(), cut in any::<proptest::sample::Index>()) {
        let facts = read(&bytes[..cut.index(bytes.len())]);
        prop_assert!(facts.timestamp.is_none_or(|ticks| ticks <= TIMESTAMP_MASK));
        let chars = facts.title.map_or(0, |title| title.chars().count());
        prop_assert!(chars <= 4 * TEXT_CHARS);
    }
}
