//! Sections (ISO/IEC 13818-1 section 2.4.4): tables put together from the
//! packets of one PID, and given out only when their checksum holds.

use crate::decode::ts::packet::{Continuity, Order, Packet};

const HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
const STUFFING: u8 = 0xFF;

/// The sections of one PID.
#[derive(Clone, Debug)]
pub struct Sections {
    continuity: Continuity,
    /// Whole sections, and a part of one; never much more than the largest is.
    bytes: Vec<u8>,
    given: usize,
}

impl Sections {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self {
            continuity: Continuity::new(),
            bytes: Vec::new(),
            given: 0,
        }
    }

    /// Takes the next packet of the PID. What it completes is to be asked for
    /// with [`Sections::next`] before the next packet.
    pub fn push(&mut self, packet: &Packet<'_>) {
        self.bytes.drain(..self.given);
        self.given = 0;
        match self.continuity.judge(packet) {
            Order::Next => {}
            Order::Again => return,
            Order::Gap => self.bytes.clear(),
        }
        if packet.is_scrambled {
            self.bytes.clear();
        } else if packet.starts {
            self.push_start(packet.payload);
        } else if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(packet.payload);
        }
    }

    /// A payload whose first byte tells where the first new section begins.
    fn push_start(&mut self, payload: &[u8]) {
        let (pointer, rest) = payload.split_first().unwrap_or((&0, &[]));
        let Some((before, after)) = rest.split_at_checked(usize::from(*pointer)) else {
            return self.bytes.clear();
        };
        if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(before);
            match length(&self.bytes) {
                Some(length) if length <= self.bytes.len() => self.bytes.truncate(length),
                _ => self.bytes.clear(),
            }
        }
        self.bytes.extend_from_slice(after);
    }

    /// The next whole section, header and checksum with it.
    pub fn next(&mut self) -> Option<&[u8]> {
        loop {
            let rest = &self.bytes[self.given..];
            if rest.first() == Some(&STUFFING) {
                self.bytes.truncate(self.given);
                return None;
            }
            let length = length(rest).filter(|&length| length <= rest.len())?;
            let from = self.given;
            self.given += length;
            if checksum(&self.bytes[from..self.given]) == 0 {
                return Some(&self.bytes[from..self.given]);
            }
        }
    }
}

/// Bytes of the section that `bytes` begin with.
fn length(bytes: &[u8]) -> Option<usize> {
    let &[_, high, low] = bytes.first_chunk::<HEADER_BYTES>()?;
    Some(HEADER_BYTES + usize::from(u16::from_be_bytes([high & 0x0F, low])))
}

/// What stands between a section's header and its checksum, when it is of
/// `table` and in force.
pub fn content(section: &[u8], table: u8) -> Option<&[u8]> {
    let end = section.len().checked_sub(CHECKSUM_BYTES)?;
    let content = section.get(HEADER_BYTES..end)?;
    let is_in_force = content.get(2)? & 1 == 1;
    (section.first() == Some(&table) && is_in_force).then_some(content)
}

/// CRC-32 as in annex A; zero over a section with its own checksum.
pub fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            let carry = if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
            sum << 1 ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ts::testkit::section;

    /// What comes out of these payloads; a start is marked, a counter skipped for each gap.
    fn read(payloads: &[(bool, u8, Vec<u8>)]) -> Vec<Vec<u8>> {
        let mut sections = Sections::new();
        let mut found = Vec::new();
        for (starts, counter, payload) in payloads {
            sections.push(&Packet {
                pid: 0,
                starts: *starts,
                is_scrambled: false,
                may_jump: false,
                counter: *counter,
                payload,
            });
            while let Some(section) = sections.next() {
                found.push(section.to_vec());
            }
        }
        found
    }

    fn with_pointer(pointer: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[pointer][..], &parts.concat()].concat()
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0x0376_E6E7);
        assert_eq!(checksum(&section(2, 0, &[1, 2, 3])), 0);
    }

    #[test]
    fn sections_are_put_together_and_checked() {
        let (a, b) = (section(2, 0, &[1; 300]), section(2, 1, &[2; 20]));
        let mut broken = b.clone();
        broken[9] ^= 1;
        let start = with_pointer(0, &[&a[..183]]);
        let rest = with_pointer(129, &[&a[183..], &b, &[0xFF; 9]]);
        let rest_bytes = a[183..].to_vec();
        assert_eq!(rest_bytes.len(), 129);
        let cases = [
            (
                "one packet",
                vec![(true, 0, with_pointer(0, &[&b, &[0xFF; 50]]))],
                vec![&b],
            ),
            (
                "two in a packet",
                vec![(true, 0, with_pointer(0, &[&b, &b, &[0xFF]]))],
                vec![&b, &b],
            ),
            (
                "over packets",
                vec![(true, 0, start.clone()), (true, 1, rest.clone())],
                vec![&a, &b],
            ),
            (
                "a packet twice",
                vec![
                    (true, 0, start.clone()),
                    (true, 0, start.clone()),
                    (false, 1, rest_bytes.clone()),
                ],
                vec![&a],
            ),
            (
                "the middle missing",
                vec![(true, 0, start.clone()), (true, 2, rest.clone())],
                vec![&b],
            ),
            (
                "joined late",
                vec![(false, 4, rest_bytes), (true, 5, with_pointer(0, &[&b]))],
                vec![&b],
            ),
            (
                "a broken one",
                vec![(true, 0, with_pointer(0, &[&broken, &b]))],
                vec![&b],
            ),
            (
                "a rest that is too short",
                vec![(true, 0, start), (true, 1, with_pointer(9, &[&[0; 9], &b]))],
                vec![&b],
            ),
            (
                "a pointer to nowhere",
                vec![(true, 0, with_pointer(200, &[&b]))],
                vec![],
            ),
        ];
        for (case, payloads, want) in cases {
            assert_eq!(read(&payloads).iter().collect::<Vec<_>>(), want, "{case}");
        }
    }

    #[test]
    fn only_a_table_in_force_has_content() {
        let now = section(2, 0, &[7, 8]);
        assert_eq!(content(&now, 2), Some(&[0, 1, 0xC1, 0, 0, 7, 8][..]));
        assert_eq!(content(&now, 0), None);
        let mut next = now;
        next[5] &= 0xFE;
        assert_eq!(content(&next, 2), None);
        assert_eq!(content(&[2, 0xB0], 2), None);
    }
}
