//! Any bytes as the payload of a transport stream that is sound by itself: its
//! checksums and packet headers would keep a fuzzer busy for days.

use std::collections::HashMap;

const PACKET_BYTES: usize = 188;
const PAYLOAD_BYTES: usize = PACKET_BYTES - 4;
const MAP: u16 = 0x1000;
const SOUND: u16 = 0x101;
const TITLES: u16 = 0x102;
const KINDS: [u8; 3] = [0x0F, 0x11, 0x03]; // ADTS, LATM, MPEG audio
const ADTS: [u8; 9] = [0xFF, 0xF1, 0x50, 0x80, 0x02, 0x1F, 0xFC, 0x21, 0x10]; // the front of a frame of 16 bytes

/// A stream of one program. The first of `bytes` says what its sound is; then
/// each packet has a byte that says what it is, one of its length, and as many
/// bytes of payload.
pub fn muxed(bytes: &[u8]) -> Vec<u8> {
    let mut mux = Mux::default();
    let Some((&kind, mut rest)) = bytes.split_first() else {
        return mux.bytes;
    };
    mux.tables(KINDS.get(usize::from(kind & 3)).copied().unwrap_or(kind));
    while let Some((&[control, length], behind)) = rest.split_first_chunk() {
        let pid = if control & 1 == 0 { SOUND } else { TITLES };
        let mut payload = Vec::new();
        if control & 2 != 0 {
            payload.extend(pes_header(control, mux.bytes.len()));
        }
        if control & 4 != 0 {
            payload.extend(ADTS);
        }
        if control & 8 != 0 {
            mux.lose(pid);
        }
        let room = PAYLOAD_BYTES - payload.len();
        let (data, behind) = behind.split_at(usize::from(length).min(room).min(behind.len()));
        payload.extend(data);
        mux.packet(pid, control & 2 != 0, &payload);
        rest = behind;
    }
    mux.bytes
}

/// Of an audio stream, with a stamp that follows its place, or none, or a jump.
fn pes_header(control: u8, place: usize) -> Vec<u8> {
    if control & 16 != 0 {
        return vec![0, 0, 1, 0xC0, 0, 0, 0x80, 0, 0];
    }
    let jump = if control & 32 != 0 { 0x1_F000_0000 } else { 0 };
    let stamp = (place as u64 * 16 + jump).to_be_bytes();
    let [.., first, second, third, fourth, fifth] = stamp;
    let top = 0x21 | first << 3 & 0x08 | second >> 5 & 0x06;
    let stamp = [
        top,
        second << 2 | third >> 6,
        third << 2 | fourth >> 6 | 1,
        fourth << 1 | fifth >> 7,
        fifth << 1 | 1,
    ];
    [&[0, 0, 1, 0xC0, 0, 0, 0x80, 0x80, 5][..], &stamp].concat()
}

#[derive(Default)]
struct Mux {
    bytes: Vec<u8>,
    counters: HashMap<u16, u8>,
}

impl Mux {
    /// The tables of a program with such sound, and titles beside it.
    fn tables(&mut self, kind: u8) {
        let pid = |pid: u16| (pid | 0xE000).to_be_bytes();
        let ([map, low], [sound, sound_low], [titles, titles_low]) =
            (pid(MAP), pid(SOUND), pid(TITLES));
        self.section(0, 0, &[0, 1, map, low]);
        let streams = [
            sound, sound_low, 0xF0, 0, // the clock is the sound's own
            kind, sound, sound_low, 0xF0, 0, // and no descriptors
            0x15, titles, titles_low, 0xF0, 0,
        ];
        self.section(MAP, 2, &streams);
    }

    fn section(&mut self, pid: u16, table: u8, content: &[u8]) {
        let length = u8::try_from(content.len() + 9).expect("short");
        let mut section = vec![table, 0xB0, length, 0, 1, 0xC1, 0, 0];
        section.extend(content);
        section.extend(checksum(&section).to_be_bytes());
        section.insert(0, 0); // it begins at once
        section.resize(PAYLOAD_BYTES, 0xFF);
        self.packet(pid, true, &section);
    }

    fn lose(&mut self, pid: u16) {
        *self.counters.entry(pid).or_default() += 1;
    }

    /// One packet; a short payload is stuffed by an adaptation field.
    fn packet(&mut self, pid: u16, starts: bool, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_default();
        *counter = (*counter + 1) % 16;
        let [high, low] = pid.to_be_bytes();
        let starts = if starts { 0x40 } else { 0 };
        let end = self.bytes.len() + PACKET_BYTES;
        let room = PAYLOAD_BYTES - payload.len();
        let control = if room > 0 { 0x30 } else { 0x10 };
        self.bytes
            .extend([0x47, high | starts, low, control | *counter]);
        if let Some(length) = room.checked_sub(1) {
            self.bytes.push(u8::try_from(length).expect("below 184"));
            if length > 0 {
                self.bytes.push(0); // no flags
            }
            self.bytes.resize(end - payload.len(), 0xFF);
        }
        self.bytes.extend(payload);
    }
}

/// ISO/IEC 13818-1 annex A.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kithara::decode::ts::Demuxer;

    use super::super::source::Drip;
    use super::*;

    #[test]
    fn frames_that_are_muxed_come_out_again() {
        let packet = [2 | 4, 7, 1, 2, 3, 4, 5, 6, 7];
        let bytes = muxed(&[&[0][..], &packet, &packet].concat());
        let opened = Demuxer::open(None, Drip::whole(&bytes), Arc::default(), None, None);
        let mut demuxer = opened.expect("a sound stream");
        for number in 0..2 {
            let unit = demuxer.next_unit().expect("a good frame");
            let data = unit.map(|unit| unit.data.to_vec());
            assert_eq!(data, Some([&ADTS[..], &packet[2..]].concat()), "{number}");
        }
        assert!(demuxer.next_unit().expect("the end").is_none());
    }
}
