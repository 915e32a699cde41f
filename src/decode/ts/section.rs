//! Sections (ISO/IEC 13818-1 section 2.4.4): tables put together from the
//! packets of one PID, and given out only when their checksum holds.

use crate::decode::ts::packet::{Continuity, Order, Packet};

const HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
const STUFFING: u8 = 0xFF;

/// The sections of one PID.
#[derive(Debug)]
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
