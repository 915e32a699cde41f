//! Transport streams made by hand, for the tests of this room.

use std::collections::HashMap;

use super::packet::PACKET_BYTES;
use super::section::checksum;

pub const SOUND: u16 = 0x101;
pub const PICTURES: u16 = 0x100;
pub const TITLES: u16 = 0x102;
const MAP: u16 = 0x1000;
const PAYLOAD: usize = 93;

/// An ADTS frame of stereo at 44.1 kHz whose payload all tells its number.
pub fn frame(number: usize) -> Vec<u8> {
    let header = [0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC];
    let number = u8::try_from(number % 200).expect("below 200"); // never looks like a header
    [&header[..], &[number; PAYLOAD]].concat()
}

/// Frames one after another.
pub fn frames(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(frame).collect()
}

/// The stamp of a frame that begins `count` frames of 1024 at 44.1 kHz behind `from`.
pub fn stamp(from: u64, count: usize) -> u64 {
    (from + count as u64 * 1024 * 90_000 / 44_100) % (1 << 33)
}

/// Puts packets one behind the other.
#[derive(Default)]
pub struct Mux {
    pub bytes: Vec<u8>,
    counters: HashMap<u16, u8>,
}

impl Mux {
    /// A stream that begins with the tables of one program.
    pub fn with(streams: &[(u8, u16, &[u8])]) -> Self {
        let mut mux = Self::default();
        mux.tables(0, streams);
        mux
    }

    /// ADTS frames, `each` of them in a PES packet, the first one at `start`.
    pub fn adts(start: u64, numbers: std::ops::Range<usize>, each: usize) -> Self {
        let mut mux = Self::with(&[(0x0F, SOUND, &[])]);
        mux.sound(start, numbers, each);
        mux
    }

    /// More of those.
    pub fn sound(&mut self, start: u64, numbers: std::ops::Range<usize>, each: usize) {
        let first = numbers.start;
        for begin in numbers.clone().step_by(each) {
            let end = (begin + each).min(numbers.end);
            let stamp = stamp(start, begin - first);
            self.pes(SOUND, Some(stamp), &frames(begin..end));
        }
    }

    /// The tables of a program with these stream types, PIDs and descriptors.
    pub fn tables(&mut self, version: u8, streams: &[(u8, u16, &[u8])]) {
        let [high, low] = (MAP | 0xE000).to_be_bytes();
        self.section(0, &section(0, version, &[0, 1, high, low]));
        let mut map = vec![0xE1, 0x01, 0xF0, 0];
        for (kind, pid, descriptors) in streams {
            let [high, low] = (pid | 0xE000).to_be_bytes();
            let length = u8::try_from(descriptors.len()).expect("short");
            map.extend([*kind, high, low, 0xF0, length]);
            map.extend(*descriptors);
        }
        self.section(MAP, &section(2, version, &map));
    }

    /// A section in packets of its own.
    pub fn section(&mut self, pid: u16, section: &[u8]) {
        let mut payload = vec![0];
        payload.extend(section);
        let padded = payload.len().div_ceil(184) * 184;
        payload.resize(padded, 0xFF);
        for (index, chunk) in payload.chunks(184).enumerate() {
            self.packet(pid, index == 0, chunk);
        }
    }

    /// A PES packet of private or audio data.
    pub fn pes(&mut self, pid: u16, stamp: Option<u64>, data: &[u8]) {
        for (index, chunk) in pes(stamp, data).chunks(184).enumerate() {
            self.packet(pid, index == 0, chunk);
        }
    }

    /// One packet; a short payload is stuffed by an adaptation field.
    pub fn packet(&mut self, pid: u16, starts: bool, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_insert(15);
        *counter = (*counter + 1) & 15;
        let [high, low] = pid.to_be_bytes();
        let room = 184 - payload.len();
        let control = if room > 0 { 0x30 } else { 0x10 };
        let before = self.bytes.len();
        let starts = if starts { 0x40 } else { 0 };
        self.bytes
            .extend([0x47, high | starts, low, control | *counter]);
        if let Some(length) = room.checked_sub(1) {
            self.bytes.push(u8::try_from(length).expect("below 184"));
            self.bytes.extend([0].iter().take(length));
            let filled = before + PACKET_BYTES - payload.len();
            self.bytes.resize(filled, 0xFF);
        }
        self.bytes.extend(payload);
    }

    /// The packets, to be taken out, doubled or damaged.
    pub fn packets(&self) -> Vec<Vec<u8>> {
        self.bytes
            .chunks(PACKET_BYTES)
            .map(<[u8]>::to_vec)
            .collect()
    }
}

/// A section with its checksum.
pub fn section(table: u8, version: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 9).expect("short");
    let [high, low] = (length | 0xB000).to_be_bytes();
    let mut bytes = vec![table, high, low, 0, 1, 0xC1 | version << 1, 0, 0];
    bytes.extend(content);
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// A PES packet of an audio stream.
pub fn pes(stamp: Option<u64>, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, 0xC0, 0, 0, 0x80];
    match stamp {
        None => bytes.extend([0, 0]),
        Some(stamp) => {
            let byte = |shift: u32| u8::try_from(stamp >> shift & 0xFF).expect("a byte");
            bytes.extend([0x80, 5]);
            bytes.extend([
                0x21 | byte(29) & 0x0E,
                byte(22),
                byte(14) | 1,
                byte(7),
                byte(0) << 1 | 1,
            ]);
        }
    }
    bytes.extend(data);
    bytes
}
