//! What is read of an encrypted source, however it is read.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use proptest::prelude::*;

use super::*;
use crate::decode::window::tests::Drip;

const KEY: [u8; 16] = *b"sixteen bytes it";
const IV: [u8; 16] = [7; 16];

fn cipher(key: [u8; 16], iv: [u8; 16]) -> Cipher {
    let key_name = "the key http://h/k".to_owned();
    Cipher { key, iv, key_name }
}

fn encrypted(clear: &[u8]) -> Vec<u8> {
    let encryptor = cbc::Encryptor::<Aes128>::new(&KEY.into(), &IV.into());
    let mut bytes = clear.to_vec();
    bytes.resize(clear.len() / BLOCK * BLOCK + BLOCK, 0);
    encryptor
        .encrypt_padded::<Pkcs7>(&mut bytes, clear.len())
        .expect("there is room for the padding");
    bytes
}

fn counting(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// `wire` in pieces of `step` bytes.
fn decrypting(wire: Vec<u8>, step: usize) -> Decrypting {
    let mut drip = Drip::new(wire, step);
    drip.seekable = true;
    Decrypting::new(Box::new(drip), &cipher(KEY, IV), Part::Segment)
}

fn all(mut source: impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    match source.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Problem::inside(&error).expect("a problem of ours").clone()),
    }
}

fn refused(result: Result<Vec<u8>, Problem>) -> Option<Kind> {
    result.err().map(|problem| problem.kind)
}

#[test]
fn every_length_comes_back_without_its_padding() {
    for length in (0..70).chain([4095, 4096, 4097, 100_000]) {
        let clear = counting(length);
        assert_eq!(
            all(decrypting(encrypted(&clear), 4096)),
            Ok(clear),
            "{length}"
        );
    }
}

#[test]
fn what_the_command_line_tool_encrypts_is_read() {
    // printf 'All that glitters is not gold.' | openssl enc -aes-128-cbc
    //   -K 000102030405060708090a0b0c0d0e0f -iv 0000000000000000000000000000002a
    let wire: [u8; 32] = [
        0xbb, 0x77, 0xb2, 0x57, 0x7b, 0x40, 0x6b, 0x37, 0xa3, 0x7e, 0xed, 0x4b, 0xbd, 0xad, 0x64,
        0xb8, 0x1b, 0x12, 0x07, 0x43, 0xb7, 0x2d, 0x1a, 0x26, 0x54, 0x67, 0x8a, 0x08, 0x5e, 0xd3,
        0x6f, 0xbf,
    ];
    let key = std::array::from_fn(|index| index as u8);
    let drip = Drip::new(wire.to_vec(), 5);
    let clear = Decrypting::new(
        Box::new(drip),
        &cipher(key, 42_u128.to_be_bytes()),
        Part::Segment,
    );
    assert_eq!(all(clear), Ok(b"All that glitters is not gold.".to_vec()));
}

proptest! {
    #[test]
    fn any_way_of_reading_gives_the_same_bytes(
        length in 0_usize..5000,
        step in 1_usize..300,
        moves in proptest::collection::vec((any::<bool>(), 0_u64..5200, 0_usize..200), 0..30),
    ) {
        let clear = counting(length);
        let mut source = decrypting(encrypted(&clear), step);
        let mut at = 0;
        for (is_seek, target, size) in moves {
            if is_seek {
                prop_assert_eq!(source.seek(SeekFrom::Start(target)).expect("a drip seeks"), target);
                at = usize::try_from(target).expect("small");
            }
            let mut buffer = vec![0; size];
            let count = source.read(&mut buffer).expect("whole blocks");
            let rest = clear.get(at..).unwrap_or_default();
            prop_assert!(count <= rest.len() && (count > 0 || rest.is_empty() || size == 0));
            prop_assert_eq!(&buffer[..count], &rest[..count]);
            at += count;
            prop_assert_eq!(source.stream_position().expect("a place"), at as u64);
        }
    }

    #[test]
    fn a_partial_block_is_always_noticed_and_no_damage_panics(
        length in 0_usize..400,
        place in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        bit in 0_u8..8,
    ) {
        let mut wire = encrypted(&counting(length));
        let at = place.index(wire.len());
        wire[at] ^= 1 << bit;
        wire.truncate(wire.len().saturating_sub(cut));
        let is_partial = !wire.len().is_multiple_of(BLOCK);
        let read = all(decrypting(wire, 7));
        prop_assert!(!is_partial || read.is_err());
    }
}

#[test]
fn the_length_is_known_when_the_end_was_seen_and_not_before() {
    let clear = counting(1000);
    let mut source = decrypting(encrypted(&clear), 4096);
    assert_eq!((source.length(), source.is_seekable()), (None, false));
    assert!(source.seek(SeekFrom::End(0)).is_err());
    assert_eq!(all(&mut source).as_ref(), Ok(&clear));
    assert_eq!((source.length(), source.is_seekable()), (Some(1000), true));
    assert_eq!(
        source.seek(SeekFrom::End(-3)).expect("the end is known"),
        997
    );
    assert_eq!(all(&mut source).as_deref(), Ok(&clear[997..]));
}

#[test]
fn bytes_are_clear_before_the_rest_has_come() {
    let clear = counting(10_000);
    let mut drip = Drip::new(encrypted(&clear)[..5000].to_vec(), 5000);
    drip.failure = Some(Problem::stopped());
    let mut source = Decrypting::new(Box::new(drip), &cipher(KEY, IV), Part::Segment);
    let mut buffer = vec![0; 8192];
    assert_eq!(source.read(&mut buffer).expect("what came"), 4992);
    assert_eq!(buffer[..4992], clear[..4992]);
    for _ in 0..2 {
        let error = source.read(&mut buffer).expect_err("no more comes");
        assert_eq!(Problem::inside(&error), Some(&Problem::stopped()));
    }
}

#[test]
fn wrong_padding_and_a_partial_block_are_one_and_the_same_complaint() {
    let wire = encrypted(&counting(1000));
    let mut unpadded = wire.clone();
    unpadded.truncate(wire.len() - BLOCK);
    let mut cut = wire.clone();
    cut.truncate(wire.len() - 1);
    let mut other_key = decrypting(wire, 4096);
    other_key.aes = Aes128::new(&[1; 16].into());
    let want = complaint("the key http://h/k", Part::Segment);
    for (case, mut source) in [
        ("no padding", decrypting(unpadded, 4096)),
        ("a partial block", decrypting(cut, 4096)),
        ("another key", other_key),
    ] {
        for _ in 0..2 {
            assert_eq!(all(&mut source), Err(want.clone()), "{case}");
        }
    }
    assert_eq!(
        (want.kind, want.why.as_str()),
        (
            Kind::Encryption,
            "it does not decrypt with the key http://h/k: the key is wrong or the segment is damaged"
        )
    );
}

#[test]
fn a_source_that_does_not_begin_as_media_do_is_not_opened() {
    let mut media = b"\0\0\0\x10stypmsdh\0\0\0\0".to_vec();
    media.extend(counting(50_000));
    let wire = encrypted(&media);
    let open = |key, iv| {
        let drip = Drip {
            seekable: true,
            ..Drip::new(wire.clone(), 10)
        };
        let opened = open(Box::new(drip), Some(cipher(key, iv)), Part::Segment);
        opened.and_then(all)
    };
    assert_eq!(open(KEY, IV), Ok(media.clone()));
    assert_eq!(refused(open([1; 16], IV)), Some(Kind::Encryption));
    assert_eq!(refused(open(KEY, [8; 16])), Some(Kind::Encryption));
}

#[test]
fn a_clear_source_is_left_as_it_is() {
    let drip = Drip::new(counting(10), 10);
    let opened = super::open(Box::new(drip), None, Part::Init).and_then(all);
    assert_eq!(opened, Ok(counting(10)));
}

#[test]
fn a_thousand_keys_in_a_row_are_all_found_wrong() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/files/adts.aac");
    let wire = encrypted(&std::fs::read(path).expect("a fixture"));
    for number in 0_u128..1000 {
        let drip = Drip {
            seekable: true,
            ..Drip::new(wire[..9600].to_vec(), 4096)
        };
        let opened = open(
            Box::new(drip),
            Some(cipher(number.to_le_bytes(), IV)),
            Part::Segment,
        );
        assert!(opened.is_err(), "{number}");
    }
}
