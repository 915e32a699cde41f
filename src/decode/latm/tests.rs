//! Frames bit by bit, and frames of another writer.

use super::*;
use proptest::prelude::*;
use rusty_aac::AudioSpecificConfig;
use rusty_aac::latm::{LatmReader, write_loas_frame};

const LC: &str = "0001001000010000"; // AAC-LC, 44.1 kHz, stereo
const PLAIN: &str = "0 1 000000 0000 000"; // version 0, one of everything
const TAIL: &str = "000 11111111 0 0"; // lengths are stated, no other data, no checksum

/// A LOAS frame of these bits.
fn framed(fields: &[&str], unit: &[u8]) -> Vec<u8> {
    let mut bits = fields.concat().replace(' ', "");
    (0..unit.len() / 255).for_each(|_| bits.push_str("11111111"));
    bits.push_str(&format!("{:08b}", unit.len() % 255));
    unit.iter()
        .for_each(|byte| bits.push_str(&format!("{byte:08b}")));
    let length = bits.len().div_ceil(8);
    let padded = format!("{bits:0<width$}", width = length * 8);
    let bytes = padded.as_bytes().chunks(8).map(|byte| {
        let text = str::from_utf8(byte).expect("digits");
        u8::from_str_radix(text, 2).expect("eight digits")
    });
    let [high, low] = u16::try_from(length).expect("short").to_be_bytes();
    [SYNC, 0xE0 | high, low].into_iter().chain(bytes).collect()
}

/// A LOAS frame of AAC-LC at 44.1 kHz.
pub fn loas(unit: &[u8], has_configuration: bool) -> Vec<u8> {
    match has_configuration {
        true => framed(&["0", PLAIN, LC, TAIL], unit),
        false => framed(&["1"], unit),
    }
}

fn unpacked(multiplex: &Multiplex, frame: &[u8]) -> Option<Vec<u8>> {
    let mut unit = vec![9; 3];
    multiplex.unpack(frame, &mut unit).map(|()| unit)
}

#[test]
fn a_header_tells_the_length_of_its_frame() {
    let cases: [(&[u8], Option<usize>); 5] = [
        (&[0x56, 0xE0, 0x10], Some(19)),
        (&[0x56, 0xFF, 0xFF, 0], Some(8194)),
        (&[0x56, 0xE0, 0x00], None),
        (&[0x56, 0xC0, 0x10], None),
        (&[0x56, 0xE0], None),
    ];
    for (bytes, want) in cases {
        let length = Header::read(bytes).map(|header| header.length);
        assert_eq!(length, want, "{bytes:X?}");
    }
}

#[test]
fn units_come_out_of_every_kind_of_frame() {
    let unit: Vec<u8> = (0..=255).chain(0..100).collect();
    let cases = [
        ("plain", vec!["0", PLAIN, LC, TAIL]),
        (
            "other data",
            vec!["0", PLAIN, LC, "000 11111111 1 1 00000001 0 00000010 0"],
        ),
        (
            "checksum",
            vec!["0", PLAIN, LC, "000 00000000 0 1 10101010"],
        ),
        (
            "version 1",
            vec![
                "0",
                "10 00 11111111 1 000000 0000 000 00 00010000",
                LC,
                TAIL,
            ],
        ),
        (
            "explicit SBR",
            vec!["0", PLAIN, "00101 0111 0010 0100 00010 000", TAIL],
        ),
    ];
    for (case, fields) in cases {
        let frame = framed(&fields, &unit);
        let multiplex = Multiplex::read(&frame).expect(case).expect(case);
        assert_eq!(unpacked(&multiplex, &frame).as_ref(), Some(&unit), "{case}");
        let next = framed(&["1"], &[1, 2, 3]);
        assert_eq!(unpacked(&multiplex, &next), Some(vec![1, 2, 3]), "{case}");
        assert_eq!(Multiplex::read(&next), Ok(None), "{case}");
        let known = LatmReader::new().parse(&frame).expect(case);
        assert_eq!(known.au, unit, "{case}: the other reader");
        assert_eq!(multiplex.rate.hertz(), known.stream.sample_rate, "{case}");
    }
}

#[test]
fn the_configuration_comes_out_as_mp4_holds_it() {
    let frame = framed(&["0", PLAIN, LC, TAIL], &[0; 10]);
    let multiplex = Multiplex::read(&frame)
        .expect("LATM")
        .expect("a configuration");
    assert_eq!(multiplex.specific, [0x12, 0x10]);
    assert_eq!(
        (multiplex.frames, multiplex.rate.hertz()),
        (Frames(1024), 44_100)
    );
    let other = framed(&["0", PLAIN, "0001000110010000", TAIL], &[0; 10]); // 48 kHz
    assert!(multiplex.holds_for(&frame) && !multiplex.holds_for(&other));
    assert_eq!(unpacked(&multiplex, &other), None);
}

#[test]
fn what_has_no_decoder_is_named() {
    let cases: [(&[&str], Kind, &str); 7] = [
        (
            &["0", "0 1 000001 0000 000", LC, TAIL],
            Kind::Unsupported,
            "several programs",
        ),
        (
            &["0", "0 1 000000 0001 000", LC, TAIL],
            Kind::Unsupported,
            "several programs",
        ),
        (
            &["0", "0 0 000000 0000 000", LC, TAIL],
            Kind::Unsupported,
            "several programs",
        ),
        (
            &["0", "1 1", LC, TAIL],
            Kind::Unsupported,
            "a version of the future",
        ),
        (
            &["0", PLAIN, LC, "001 000000000 0 0"],
            Kind::Unsupported,
            "fixed length",
        ),
        (
            &["0", PLAIN, "11111 001010 0100 0010 000", TAIL],
            Kind::Unsupported,
            "xHE-AAC",
        ),
        (&["0", PLAIN], Kind::Malformed, "is broken"),
    ];
    for (fields, kind, why) in cases {
        let unit: &[u8] = if kind == Kind::Malformed {
            &[]
        } else {
            &[0; 20]
        };
        let problem = Multiplex::read(&framed(fields, unit)).expect_err(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}, not {why:?}");
    }
}

#[test]
fn a_broken_frame_is_no_unit() {
    let whole = loas(&[7; 300], true);
    let multiplex = Multiplex::read(&whole)
        .expect("LATM")
        .expect("a configuration");
    for length in 0..whole.len() {
        assert_eq!(unpacked(&multiplex, &whole[..length]), None, "{length}");
        let head = Multiplex::read(&whole[..length]);
        assert!(head.is_err() || length > 8, "{length}: {head:?}");
    }
}

proptest! {
    #[test]
    fn frames_of_another_writer_are_read(
        unit in prop::collection::vec(any::<u8>(), 1..900),
        rate in prop::sample::select(vec![48_000_u32, 44_100, 24_000, 8_000]),
        channels in 1_u16..7,
    ) {
        let config = AudioSpecificConfig { object_type: 2, sample_rate: rate, channels };
        let frame = write_loas_frame(&config, &unit);
        let multiplex = Multiplex::read(&frame).expect("LATM").expect("a configuration");
        prop_assert_eq!(multiplex.rate.hertz(), rate);
        prop_assert_eq!(unpacked(&multiplex, &frame), Some(unit));
    }

    #[test]
    fn noise_is_no_harm(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let multiplex = Multiplex::read(&loas(&[1; 50], true)).expect("LATM").expect("one");
        let frame = [&[SYNC, 0xE0, 0][..], &noise].concat();
        let _ = (Multiplex::read(&frame), unpacked(&multiplex, &frame));
    }
}
