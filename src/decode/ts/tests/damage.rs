//! Segments with parts missing, doubled or overwritten.

use super::*;

#[test]
fn damage_costs_the_frames_it_hits_and_no_time() {
    let all = |gone: &[u8]| {
        (0..40)
            .filter(|number| !gone.contains(number))
            .collect::<Vec<u8>>()
    };
    // Packets: PAT, PMT, then PES packets of 4 frames in 3 packets each; a frame of 100 bytes.
    let clean = Mux::adts(START, 0..40, 4).packets();
    let edit = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut packets = clean.clone();
        change(&mut packets);
        packets.concat()
    };
    let cases: [(&str, Vec<u8>, Vec<u8>, u64); 11] = [
        ("nothing", edit(&|_| {}), all(&[]), 0),
        (
            "doubled packets",
            edit(&|packets| packets.insert(6, packets[6].clone())),
            all(&[]),
            0,
        ),
        (
            "every packet twice",
            edit(&|packets| {
                *packets = packets
                    .iter()
                    .flat_map(|one| [one.clone(), one.clone()])
                    .collect();
            }),
            all(&[]),
            0,
        ),
        (
            "a middle packet lost",
            edit(&|packets| drop(packets.remove(6))),
            all(&[5, 6, 7]),
            1,
        ),
        (
            "a first packet lost",
            edit(&|packets| drop(packets.remove(5))),
            all(&[4, 5]),
            1,
        ),
        (
            "a last packet lost",
            edit(&|packets| drop(packets.remove(7))),
            all(&[7]),
            1,
        ),
        (
            "a PES packet lost",
            edit(&|packets| drop(packets.drain(5..8))),
            all(&[4, 5, 6, 7]),
            1,
        ),
        (
            "many packets lost",
            edit(&|packets| drop(packets.drain(6..23))),
            all(&(5..=27).collect::<Vec<_>>()),
            1,
        ),
        (
            "damaged on its way",
            edit(&|packets| packets[6][1] |= 0x80),
            all(&[5, 6, 7]),
            1,
        ),
        (
            "a header overwritten",
            edit(&|packets| packets[5][118] = 0),
            all(&[5]),
            1,
        ),
        (
            "100 bytes lost",
            edit(&|packets| drop(packets[6].drain(50..150))),
            all(&[5, 6, 7]),
            1,
        ),
    ];
    for (case, bytes, want, errors) in cases {
        let (heard, counted) = listen(&bytes);
        assert_eq!(numbers(&heard), want, "{case}");
        assert!(is_in_time(&heard), "{case}: {heard:?}");
        assert_eq!(counted, errors, "{case}");
    }
}

#[test]
fn a_segment_may_be_cut_off_anywhere() {
    let whole = Mux::adts(START, 0..12, 3).bytes;
    for length in (0..whole.len()).step_by(31) {
        match open(&whole[..length], 4096).and_then(|mut demuxer| hear(&mut demuxer)) {
            Ok((heard, errors)) => {
                let count = u8::try_from(heard.len()).expect("few");
                assert_eq!(numbers(&heard), (0..count).collect::<Vec<_>>(), "{length}");
                assert_eq!(errors, 0, "{length}");
            }
            Err(problem) => assert!(length < 4 * 188, "{length}: {problem}"),
        }
    }
}
