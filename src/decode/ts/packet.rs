//! Transport packets (ISO/IEC 13818-1 section 2.4.3): found in the bytes, found
//! again after damage, and put in order by their continuity counters.

use crate::decode::window::Window;
use crate::error::Problem;

/// Bytes of a packet.
pub const PACKET_BYTES: usize = 188;
/// The PID of packets that carry nothing.
pub const NULL_PID: u16 = 0x1FFF;
/// The first byte of a packet.
pub const SYNC: u8 = 0x47;

const HEADER_BYTES: usize = 4;
const PAYLOAD_BYTES: usize = PACKET_BYTES - HEADER_BYTES;
const STRIDES: [usize; 3] = [188, 192, 204]; // bare, behind a time stamp (M2TS), with error correction
const SURE_PACKETS: usize = 3; // in a row, until bytes are called packets
const SURE_BYTES: usize = STRIDES[2] * (SURE_PACKETS - 1) + 1;

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The stream it belongs to.
    pub pid: u16,
    /// Whether a section or a PES packet begins in it.
    pub starts: bool,
    /// Whether a conditional access system encrypted it.
    pub is_scrambled: bool,
    /// Whether its counter may jump.
    pub may_jump: bool,
    /// Counts the packets with payload of one PID, modulo 16.
    pub counter: u8,
    /// Empty when there is only an adaptation field.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. One that was damaged on its way, or contradicts itself,
    /// is a null packet: its successor will show that something is missing.
    fn read(bytes: &'a [u8]) -> Self {
        Self::sound(bytes).unwrap_or(Self {
            pid: NULL_PID,
            starts: false,
            is_scrambled: false,
            may_jump: false,
            counter: 0,
            payload: &[],
        })
    }

    fn sound(bytes: &'a [u8]) -> Option<Self> {
        let (&[_, second, third, fourth], rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let is_damaged = second & 0x80 != 0;
        let (field, payload) = match fourth >> 4 & 3 {
            1 => (&[][..], rest),
            2 => (rest, &[][..]),
            3 => rest.split_at_checked(usize::from(*rest.first()?) + 1)?,
            _ => return None,
        };
        let may_jump = field.len() > 1 && field[1] & 0x80 != 0;
        (!is_damaged).then_some(Self {
            pid: u16::from_be_bytes([second & 0x1F, third]),
            starts: second & 0x40 != 0,
            is_scrambled: fourth & 0xC0 != 0,
            may_jump,
            counter: fourth & 0x0F,
            payload,
        })
    }
}

/// The packets of a source, in order.
pub struct Packets {
    window: Window,
    /// Bytes from one packet to the next, beyond the packet.
    spacing: usize,
}

impl Packets {
    /// Finds the first packet; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The problem of the source.
    pub fn open(window: Window) -> Result<Option<Self>, Problem> {
        let mut packets = Self { window, spacing: 0 };
        Ok(packets.find()?.then_some(packets))
    }

    /// The next packet; `None` at the end. Bytes that are no packet, and a last
    /// one that is cut off, are passed over.
    ///
    /// # Errors
    ///
    /// The problem of the source.
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Problem> {
        self.window.fill(PACKET_BYTES + self.spacing + 1)?;
        if !self.is_at_packet() && !self.find()? {
            return Ok(None);
        }
        if !self.window.fill(PACKET_BYTES + self.spacing)? {
            self.spacing = 0; // the last one ends the source
        }
        let spaced = PACKET_BYTES + self.spacing;
        let bytes = self.window.take(spaced)?;
        Ok(bytes.map(|bytes| Packet::read(&bytes[..PACKET_BYTES])))
    }

    /// Whether a packet begins here and no byte of it is missing: the next one
    /// follows where it should.
    fn is_at_packet(&self) -> bool {
        let bytes = self.window.bytes();
        let next = bytes.get(PACKET_BYTES + self.spacing);
        bytes.first() == Some(&SYNC) && next.is_none_or(|&byte| byte == SYNC)
    }

    /// Where the next packet begins in the source, or before.
    pub fn position(&self) -> u64 {
        self.window.position()
    }

    /// Goes back, or forward, to a packet's [`Packets::position`].
    ///
    /// # Errors
    ///
    /// The problem of the source.
    pub fn seek(&mut self, position: u64) -> Result<(), Problem> {
        self.window.seek(position)
    }

    /// Goes to the next packet that is followed by others; false when none comes.
    fn find(&mut self) -> Result<bool, Problem> {
        loop {
            self.window.fill(SURE_BYTES)?;
            let bytes = self.window.bytes();
            if bytes.len() < PACKET_BYTES {
                return Ok(false);
            }
            if let Some(stride) = chain(bytes) {
                self.spacing = stride - PACKET_BYTES;
                return Ok(true);
            }
            let after = bytes.iter().skip(1);
            let next = after.take_while(|&&byte| byte != SYNC).count() + 1;
            self.window.skip(next as u64)?;
        }
    }
}

/// Whether `head`, the first bytes of a segment, begin a transport stream, as
/// far as they go. Bytes of a packet that was cut off may come first.
pub fn looks_like_ts(head: &[u8]) -> bool {
    let places = head.iter().take(STRIDES[2]).enumerate();
    let mut syncs = places.filter(|&(_, &byte)| byte == SYNC);
    syncs.any(|(at, _)| {
        let rest = &head[at..];
        (at == 0 || rest.len() >= SURE_BYTES) && chain(rest).is_some()
    })
}

/// Whether `head`, the first bytes of a resource of whatever kind, are packets of
/// a transport stream; enough of them to be sure.
pub fn begins_ts(head: &[u8]) -> bool {
    const TIME_STAMP_BYTES: usize = STRIDES[1] - STRIDES[0];
    let mut places = [0, TIME_STAMP_BYTES].into_iter();
    places.any(|at| {
        let rest = head.get(at..).unwrap_or_default();
        rest.len() >= SURE_BYTES && chain(rest).is_some()
    })
}

/// The distance between packets when `bytes` begin with one and others follow,
/// as far as `bytes` go.
fn chain(bytes: &[u8]) -> Option<usize> {
    let is_sync = |at: usize| bytes.get(at).is_none_or(|&byte| byte == SYNC);
    let is_chain = |stride: usize| (0..SURE_PACKETS).all(|packet| is_sync(packet * stride));
    STRIDES.into_iter().find(|&stride| is_chain(stride))
}

/// How a packet follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As it should.
    Next,
    /// It is the same once more, or carries nothing.
    Again,
    /// Packets between them are missing.
    Gap,
}

/// What is remembered of the last packet of one PID.
#[derive(Clone, Debug)]
pub struct Continuity {
    last: Option<u8>,
    payload: [u8; PAYLOAD_BYTES],
    length: usize,
}

impl Continuity {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self {
            last: None,
            payload: [0; PAYLOAD_BYTES],
            length: 0,
        }
    }

    /// Judges the next packet of the PID.
    pub fn judge(&mut self, packet: &Packet<'_>) -> Order {
        if packet.payload.is_empty() {
            if packet.may_jump {
                self.last = Some(packet.counter);
            }
            return Order::Again;
        }
        let order = match self.last {
            None => Order::Next,
            Some(_) if packet.may_jump => Order::Next,
            Some(last) if (last + 1) & 0x0F == packet.counter => Order::Next,
            Some(last) if last == packet.counter && self.is_same(packet) => Order::Again,
            Some(_) => Order::Gap,
        };
        self.remember(packet);
        order
    }

    fn is_same(&self, packet: &Packet<'_>) -> bool {
        self.payload[..self.length] == *packet.payload
    }

    fn remember(&mut self, packet: &Packet<'_>) {
        self.last = Some(packet.counter);
        self.length = packet.payload.len().min(PAYLOAD_BYTES);
        self.payload[..self.length].copy_from_slice(&packet.payload[..self.length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of PID 0x101 with this fourth byte and what follows it.
    fn packet(fourth: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = [&[SYNC, 0x41, 0x01, fourth], rest].concat();
        bytes.resize(PACKET_BYTES, 0xAA);
        bytes
    }

    #[test]
    fn the_payload_lies_behind_the_adaptation_field() {
        let cases: [(&str, Vec<u8>, Option<usize>); 7] = [
            ("payload only", packet(0x15, &[]), Some(184)),
            ("a field of 10 bytes", packet(0x35, &[9]), Some(174)),
            ("an empty field", packet(0x35, &[0]), Some(183)),
            ("a field without payload", packet(0x25, &[183]), Some(0)),
            (
                "a field that fills the packet",
                packet(0x35, &[183]),
                Some(0),
            ),
            ("a field that is too long", packet(0x35, &[184]), None),
            ("neither", packet(0x05, &[]), None),
        ];
        for (case, bytes, want) in cases {
            let read = Packet::read(&bytes);
            let payload = (read.pid == 0x101).then_some(read.payload.len());
            assert_eq!(payload, want, "{case}");
        }
    }

    #[test]
    fn flags_are_told_apart() {
        let mut bytes = packet(0xF7, &[1, 0x80]);
        let read = Packet::read(&bytes);
        assert!(read.starts && read.is_scrambled && read.may_jump);
        assert_eq!((read.pid, read.counter), (0x101, 7));
        bytes[1] |= 0x80;
        assert_eq!(Packet::read(&bytes).pid, NULL_PID, "damaged on its way");
    }

    #[test]
    fn packets_are_put_in_order_by_their_counter() {
        let cases: [(&str, u8, u8, bool, Order); 8] = [
            ("the next", 0x14, 1, false, Order::Next),
            ("round the corner", 0x10, 1, false, Order::Gap),
            ("the same", 0x13, 0, false, Order::Again),
            ("fifteen lost", 0x13, 1, false, Order::Gap),
            ("one lost", 0x15, 1, false, Order::Gap),
            ("no payload", 0x23, 0, false, Order::Again),
            ("no payload, another count", 0x29, 0, false, Order::Again),
            ("announced", 0x39, 1, true, Order::Next),
        ];
        for (case, fourth, content, may_jump, want) in cases {
            let mut continuity = Continuity::new();
            let first = packet(0x13, &[0; 184]);
            assert_eq!(continuity.judge(&Packet::read(&first)), Order::Next);
            let rest = match fourth >> 4 {
                1 => vec![content; 184],
                2 => vec![183, 0],
                _ => [&[1, 0x80][..], &[content; 182]].concat(),
            };
            let second = packet(fourth, &rest);
            let read = Packet::read(&second);
            assert_eq!(read.may_jump, may_jump, "{case}");
            assert_eq!(continuity.judge(&read), want, "{case}");
        }
    }

    #[test]
    fn a_transport_stream_is_told_by_its_chain_of_sync_bytes() {
        let stream = |stride: usize, before: usize| {
            let mut bytes = vec![0; before];
            for _ in 0..4 {
                bytes.push(SYNC);
                bytes.resize(bytes.len() + stride - 1, 0);
            }
            bytes
        };
        let cases: [(&str, Vec<u8>, bool); 8] = [
            ("bare", stream(188, 0), true),
            ("behind time stamps", stream(192, 4), true),
            ("with error correction", stream(204, 0), true),
            ("joined in a packet", stream(188, 100), true),
            ("the first byte is all there is", vec![SYNC], true),
            ("one sync byte", [&[SYNC][..], &[0; 611]].concat(), false),
            (
                "two",
                [&[SYNC][..], &[0; 187], &[SYNC], &[0; 400]].concat(),
                false,
            ),
            ("nothing", Vec::new(), false),
        ];
        for (case, head, want) in cases {
            assert_eq!(looks_like_ts(&head), want, "{case}");
        }
    }
}
