//! Transport packets (ISO/IEC 13818-1 section 2.4.3): found in the bytes, found
//! again after damage, and put in order by their continuity counters.

use crate::decode::window::Window;
use crate::error::Problem;

/// Bytes of a packet.
pub const PACKET_BYTES: usize = 188;
/// The PID of packets that carry nothing.
pub const NULL_PID: u16 = 0x1FFF;

const SYNC: u8 = 0x47;
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
        self.window.fill(PACKET_BYTES)?;
        if self.window.bytes().first() != Some(&SYNC) && !self.find()? {
            return Ok(None);
        }
        if !self.window.fill(PACKET_BYTES + self.spacing)? {
            self.spacing = 0; // the last one ends the source
        }
        let spaced = PACKET_BYTES + self.spacing;
        let bytes = self.window.take(spaced)?;
        Ok(bytes.map(|bytes| Packet::read(&bytes[..PACKET_BYTES])))
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
