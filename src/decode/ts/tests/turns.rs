//! Sound that is coded in another way from somewhere on, and tables that came
//! before the segment.

use super::*;
use crate::decode::latm::tests::loas;

const OTHER: u16 = 0x300;

/// As [`frame`], of 22.05 kHz.
fn slow(number: usize) -> Vec<u8> {
    let mut bytes = frame(number);
    bytes[2] = 0x5C;
    bytes
}

fn mp3(number: usize) -> Vec<u8> {
    let number = u8::try_from(number).expect("small");
    [&[0xFF, 0xFB, 0x90, 0x44][..], &[number; 413]].concat()
}

/// What each unit is, when it begins and which decoder it is for; and the errors.
fn hear_turns(bytes: &[u8], step: usize) -> (Vec<(u8, i64, u32)>, u64) {
    let mut demuxer = open(bytes, step).expect("a transport stream");
    let zero = MediaTime::from_ticks(i64::try_from(START).expect("small"), TICKS_PER_SECOND);
    let (mut heard, mut decoder) = (Vec::new(), 0);
    loop {
        decoder += u32::from(demuxer.turns().expect("sound"));
        let Some(unit) = demuxer.next_unit().expect("sound") else {
            break;
        };
        let start = (unit.start - zero).frame(rate());
        heard.push((*unit.data.last().expect("not empty"), start, decoder));
    }
    (heard, demuxer.streams.stats.decode_errors.total())
}

#[test]
fn a_new_map_changes_the_codec_and_no_frame_is_lost() {
    for pid in [SOUND, OTHER] {
        let mut mux = Mux::adts(START, 0..6, 3);
        mux.tables(1, &[(0x03, pid, &[])]);
        let mut start = 6 * 1024;
        for number in 6..10 {
            mux.pes(pid, Some(START + start * 90_000 / 44_100), &mp3(number));
            start += 1152;
        }
        mux.tables(2, &[(0x0F, SOUND, &[])]);
        mux.pes(
            SOUND,
            Some(START + start * 90_000 / 44_100),
            &frames(10..12),
        );
        for step in [1, 200, 4096] {
            let (heard, errors) = hear_turns(&mux.bytes, step);
            let begin = |number: i64| match number {
                0..6 => number * 1024,
                6..10 => 6 * 1024 + (number - 6) * 1152,
                _ => 6 * 1024 + 4 * 1152 + (number - 10) * 1024,
            };
            let decoder = |number| u32::from(number >= 6) + u32::from(number >= 10);
            let want: Vec<_> = (0..12)
                .map(|number| (number, begin(number.into()), decoder(number)))
                .collect();
            assert_eq!((heard, errors), (want, 0), "PID {pid} in steps of {step}");
        }
    }
}

#[test]
fn a_header_that_changes_is_no_damage() {
    for each in [1, 2] {
        let mut mux = Mux::adts(START, 0..6, 3);
        let data: Vec<Vec<u8>> = (6..10).map(slow).collect();
        for (index, data) in data.chunks(each).enumerate() {
            let stamp = stamp(START, 6 + 2 * each * index);
            mux.pes(SOUND, Some(stamp), &data.concat());
        }
        let (heard, errors) = hear_turns(&mux.bytes, 4096);
        let place = |number: i64| if number < 6 { number } else { 2 * number - 6 };
        let want: Vec<_> = (0..10)
            .map(|number| (number, place(number.into()) * 1024, u32::from(number >= 6)))
            .collect();
        assert_eq!((heard, errors), (want, 0), "{each} in a PES packet");
    }
}

#[test]
fn one_damaged_header_is_no_change() {
    let mut mux = Mux::adts(START, 0..6, 3);
    mux.pes(SOUND, Some(stamp(START, 6)), &slow(6)); // a flipped bit
    mux.sound(stamp(START, 7), 7..12, 1);
    let (heard, errors) = hear_turns(&mux.bytes, 4096);
    let want: Vec<_> = (0..12)
        .filter(|number| *number != 6)
        .map(|number| (number, i64::from(number) * 1024, 0))
        .collect();
    assert_eq!((heard, errors), (want, 1));
}

#[test]
fn a_changed_frame_may_lie_across_segments() {
    let mut mux = Mux::adts(START, 0..6, 3);
    mux.pes(SOUND, Some(stamp(START, 6)), &[slow(6), slow(7)].concat());
    let packets = mux.packets();
    for cut in 3..packets.len() {
        let (first, second) = packets.split_at(cut);
        let mut demuxer = open(&first.concat(), 4096).expect("a segment");
        let (mut heard, _) = hear(&mut demuxer).expect("sound");
        let mut demuxer = resume(&second.concat(), 4096, demuxer.into_tail()).expect("a segment");
        let (rest, errors) = hear(&mut demuxer).expect("sound");
        heard.extend(rest);
        assert_eq!(numbers(&heard), (0..8).collect::<Vec<_>>(), "{cut}");
        assert_eq!(errors, 0, "{cut}");
        assert_eq!(
            demuxer.track().parameters.sample_rate,
            Some(22_050),
            "{cut}"
        );
    }
}

#[test]
fn a_configuration_of_latm_holds_for_the_frames_behind_it() {
    let fast = |number: u8| loas(&[number; 90], number.is_multiple_of(2));
    let slow = |number: u8| {
        let mut bytes = fast(number);
        if number.is_multiple_of(2) {
            (bytes[5], bytes[6]) = (0x13, bytes[6] | 0x80); // the rate has the index 7, not 4
        }
        bytes
    };
    let configuration = crate::decode::latm::Multiplex::read(&slow(8));
    let rate = configuration.ok().flatten().map(|it| it.rate.hertz());
    assert_eq!(rate, Some(22_050), "the bits of the test are right");
    let mut mux = Mux::with(&[(0x11, SOUND, &[])]);
    for number in 0..12 {
        let data = if number < 6 {
            fast(number)
        } else {
            slow(number)
        };
        let before = usize::from(number) + usize::from(number.saturating_sub(6));
        mux.pes(SOUND, Some(stamp(START, before)), &data);
    }
    let (heard, errors) = hear_turns(&mux.bytes, 4096);
    let place = |number: i64| number + (number - 6).max(0);
    let want: Vec<_> = (0..12)
        .map(|number| (number, place(number.into()) * 1024, u32::from(number >= 6)))
        .collect();
    assert_eq!((heard, errors), (want, 0));
}

#[test]
fn tables_may_come_before_the_segment() {
    let packets = Mux::adts(START, 0..9, 3).packets();
    let (tables, bare) = packets.split_at(2);
    let source = |packets: &[Vec<u8>]| Box::new(Drip::new(packets.concat(), 100));
    let init = Init::read(source(tables), Arc::default()).expect("tables");
    for _ in 0..2 {
        let opened = Demuxer::open(Some(&init), source(bare), Arc::default(), None, None);
        let (heard, errors) = hear(&mut opened.expect("a segment")).expect("sound");
        assert_eq!(numbers(&heard), (0..9).collect::<Vec<_>>());
        assert!(is_in_time(&heard) && errors == 0, "{heard:?}");
    }
    // A segment with tables of its own knows better.
    let mut moved = Mux::with(&[(0x0F, OTHER, &[])]);
    moved.pes(OTHER, Some(START), &frames(0..3));
    let source = Box::new(Drip::new(moved.bytes, 4096));
    let opened = Demuxer::open(Some(&init), source, Arc::default(), None, None);
    let (heard, _) = hear(&mut opened.expect("a segment")).expect("sound");
    assert_eq!(numbers(&heard), [0, 1, 2]);
}

#[test]
fn a_section_without_tables_is_refused() {
    let dolby = Mux::with(&[(0x81, SOUND, &[])]).bytes;
    let cases = [
        (dolby, Kind::Unsupported),
        (Mux::adts(0, 0..9, 3).bytes[376..].to_vec(), Kind::Malformed),
        (vec![0x55; 4000], Kind::NotAStream),
    ];
    for (bytes, kind) in cases {
        let read = Init::read(Box::new(Drip::new(bytes, 4096)), Arc::default());
        assert_eq!(read.map(drop).map_err(|problem| problem.kind), Err(kind));
    }
}
