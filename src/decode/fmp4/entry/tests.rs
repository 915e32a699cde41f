//! Sample entries of every codec and of none.

use super::super::testkit::{self, boxed};
use super::*;

fn pick_one(entry: &[u8]) -> Result<Entry, Problem> {
    pick(Fields::new(*b"stsd", &[&[0; 8], entry].concat()))
}

#[test]
fn the_configuration_of_aac_is_found_in_every_kind_of_entry() {
    let config = [0x12, 0x10];
    let esds = testkit::esds(0x40, &config);
    let wave = boxed(
        b"wave",
        &[
            boxed(b"frma", b"mp4a"),
            boxed(b"mp4a", &[0; 4]),
            esds.clone(),
        ]
        .concat(),
    );
    let cases = [
        ("iso", testkit::sample_entry(b"mp4a", 0, &esds)),
        ("quicktime 1", testkit::sample_entry(b"mp4a", 1, &wave)),
        ("quicktime 2", testkit::sample_entry(b"mp4a", 2, &wave)),
        (
            "quicktime 1, bare",
            testkit::sample_entry(b"mp4a", 1, &esds),
        ),
    ];
    for (case, bytes) in cases {
        let entry = pick_one(&bytes).expect(case);
        assert_eq!(entry.codec, Codec::Aac, "{case}");
        assert_eq!(
            entry.parameters.extra_data.as_deref(),
            Some(&config[..]),
            "{case}"
        );
        assert_eq!(entry.parameters.sample_rate, Some(44_100), "{case}");
    }
}

#[test]
fn an_object_type_names_the_codec() {
    let cases = [
        (0x40, Ok(Codec::Aac)),
        (0x67, Ok(Codec::Aac)),
        (0x69, Ok(Codec::Mp3)),
        (0x6B, Ok(Codec::Mp3)),
        (
            0xA5,
            Err(
                "its audio is \"mp4a\" with object type 0xa5 (AC-3, Dolby Digital), which has no decoder here",
            ),
        ),
        (
            0xDD,
            Err("its audio is \"mp4a\" with object type 0xdd, which has no decoder here"),
        ),
    ];
    for (object_type, want) in cases {
        let esds = testkit::esds(object_type, &[0x12, 0x10]);
        let got = pick_one(&testkit::sample_entry(b"mp4a", 0, &esds));
        let got = got.map(|entry| entry.codec).map_err(|problem| problem.why);
        assert_eq!(got, want.map_err(str::to_owned), "0x{object_type:x}");
    }
}

#[test]
fn an_entry_that_cannot_be_played_says_why() {
    let cases = [
        (b"enca", Kind::Encryption, "common encryption"),
        (
            b"ec-3",
            Kind::Unsupported,
            "its audio is \"ec-3\" (E-AC-3, Dolby Digital Plus)",
        ),
        (
            b"ac-3",
            Kind::Unsupported,
            "its audio is \"ac-3\" (AC-3, Dolby Digital)",
        ),
        (b"mp4a", Kind::Malformed, "the box \"mp4a\" has no \"esds\""),
        (b"fLaC", Kind::Malformed, "the box \"fLaC\" has no \"dfLa\""),
    ];
    for (kind, family, why) in cases {
        let problem = pick_one(&testkit::sample_entry(kind, 0, &[])).expect_err("refused");
        assert_eq!(problem.kind, family, "{problem}");
        assert!(problem.why.contains(why), "{problem}");
    }
}

#[test]
fn a_clear_entry_beside_an_encrypted_one_is_picked() {
    let esds = testkit::esds(0x40, &[0x12, 0x10]);
    let both = [
        testkit::sample_entry(b"enca", 0, &[]),
        testkit::sample_entry(b"mp4a", 0, &esds),
    ];
    let entry = pick_one(&both.concat()).expect("the clear one");
    assert_eq!((entry.index, entry.has_encrypted), (2, true));
}

#[test]
fn lossless_entries_carry_what_their_decoders_want() {
    let mut info = [0_u8; 34];
    info[10..14].copy_from_slice(&(96_000_u32 << 12 | 1 << 9 | 23 << 4).to_be_bytes());
    let dfla = boxed(b"dfLa", &[&[0; 4], &[0x80, 0, 0, 34][..], &info].concat());
    let entry = pick_one(&testkit::sample_entry(b"fLaC", 0, &dfla)).expect("FLAC");
    assert_eq!(entry.parameters.sample_rate, Some(96_000));
    assert_eq!(entry.parameters.bits_per_sample, Some(24));
    assert_eq!(entry.parameters.extra_data.as_deref(), Some(&info[..]));

    let cookie = testkit::alac_cookie(4096, 24, 2, 88_200);
    let alac = boxed(b"alac", &[&[0; 4], &cookie[..]].concat());
    let entry = pick_one(&testkit::sample_entry(b"alac", 0, &alac)).expect("ALAC");
    assert_eq!(entry.parameters.sample_rate, Some(88_200));
    assert_eq!(entry.parameters.bits_per_sample, Some(24));
    assert_eq!(entry.parameters.extra_data.as_deref(), Some(&cookie[..]));
}

#[test]
fn an_opus_entry_becomes_an_opus_head() {
    let dops = [0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0xFF, 0x00, 0];
    let entry = testkit::sample_entry(b"Opus", 0, &boxed(b"dOps", &dops));
    let entry = pick_one(&entry).expect("Opus");
    assert_eq!(entry.pre_skip, Frames(312));
    let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\x00\xff\0";
    assert_eq!(entry.parameters.extra_data.as_deref(), Some(&head[..]));
}
