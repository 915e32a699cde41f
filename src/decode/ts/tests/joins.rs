//! Segments that go on from others, and those that cannot be played at all.

use super::*;

#[test]
fn what_one_segment_leaves_unfinished_the_next_one_finishes() {
    let packets = Mux::adts(START, 0..40, 8).packets();
    for cut in 3..packets.len() {
        let (first, second) = packets.split_at(cut);
        let mut demuxer = open(&first.concat(), 4096).expect("a segment");
        let (mut heard, _) = hear(&mut demuxer).expect("sound");
        // The second has no tables of its own.
        let tail = demuxer.into_tail();
        let mut demuxer = resume(&second.concat(), 4096, tail).expect("a segment");
        let (rest, errors) = hear(&mut demuxer).expect("sound");
        heard.extend(rest);
        assert_eq!(numbers(&heard), (0..40).collect::<Vec<_>>(), "{cut}");
        assert!(is_in_time(&heard) && errors == 0, "{cut}: {heard:?}");
    }
}

#[test]
fn a_segment_that_counts_packets_anew_follows_without_a_loss() {
    let mut demuxer = open(&Mux::adts(START, 0..7, 3).bytes, 4096).expect("a segment");
    let (mut heard, _) = hear(&mut demuxer).expect("sound");
    let next = Mux::adts(stamp(START, 7), 7..20, 3).bytes;
    let mut demuxer = resume(&next, 4096, demuxer.into_tail()).expect("a segment");
    let (rest, errors) = hear(&mut demuxer).expect("sound");
    heard.extend(rest);
    assert_eq!(numbers(&heard), (0..20).collect::<Vec<_>>());
    assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
}

#[test]
fn a_segment_of_pictures_only_is_borne_inside_a_run() {
    let streams: [(u8, u16, &[u8]); 2] = [(0x1B, PICTURES, &[]), (0x0F, SOUND, &[])];
    let mut pictures = Mux::with(&streams);
    pictures.pes(PICTURES, Some(0), &[0; 3000]);
    let problem = open(&pictures.bytes, 4096).err().expect("no sound");
    assert_eq!(problem.kind, Kind::Malformed, "{problem}");
    let mut both = Mux::with(&streams);
    both.sound(START, 0..3, 3);
    let mut demuxer = open(&both.bytes, 4096).expect("sound");
    hear(&mut demuxer).expect("sound");
    let mut demuxer = resume(&pictures.bytes, 4096, demuxer.into_tail()).expect("borne");
    assert!(demuxer.next_unit().expect("pictures").is_none());
}

#[test]
fn what_cannot_be_played_is_named() {
    let opus: &[u8] = b"\x05\x04Opus\x7F\x02\x80\x02";
    let tables = |streams: &[(u8, u16, &[u8])]| {
        let mut mux = Mux::with(streams);
        mux.pes(SOUND, Some(0), &[0; 1000]);
        mux.bytes
    };
    let mut scrambled = Mux::adts(START, 0..6, 3).packets();
    scrambled
        .iter_mut()
        .skip(2)
        .for_each(|packet| packet[3] |= 0xC0);
    let cases: [(Vec<u8>, Kind, &str); 12] = [
        (
            tables(&[(0x1B, PICTURES, &[])]),
            Kind::Unsupported,
            "only H.264 pictures",
        ),
        (tables(&[]), Kind::Unsupported, "there is no sound in it"),
        (
            tables(&[(0x81, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is AC-3",
        ),
        (
            tables(&[(0x87, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is E-AC-3",
        ),
        (
            tables(&[(0x06, SOUND, &[0x6A, 1, 0])]),
            Kind::Unsupported,
            "its sound is AC-3",
        ),
        (
            tables(&[(0x06, SOUND, opus)]),
            Kind::Unsupported,
            "its sound is Opus",
        ),
        (
            tables(&[(0x8A, SOUND, &[])]),
            Kind::Unsupported,
            "its sound is DTS",
        ),
        (
            tables(&[(0xCF, SOUND, &[])]),
            Kind::Encryption,
            "AAC encrypted by SAMPLE-AES",
        ),
        (
            tables(&[(0x0F, SOUND, &[])]),
            Kind::Malformed,
            "there is no frame of AAC in it",
        ),
        (scrambled.concat(), Kind::Encryption, "scrambled"),
        (
            Mux::adts(START, 0..6, 3).bytes[376..].to_vec(),
            Kind::Malformed,
            "no program map",
        ),
        (vec![0x55; 4000], Kind::NotAStream, "no transport packets"),
    ];
    for (bytes, kind, why) in cases {
        let problem = open(&bytes, 4096).err().expect(why);
        assert_eq!(problem.kind, kind, "{problem}");
        assert!(problem.why.contains(why), "{problem}, not {why:?}");
    }
}
