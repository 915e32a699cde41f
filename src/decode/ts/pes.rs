//! PES packets (ISO/IEC 13818-1 section 2.4.3.6): the elementary stream in the
//! payloads of one PID, and the time stamps in their headers. The stated length
//! of a PES packet is not needed: the next one ends it.

use crate::decode::ts::packet::Packet;

const FIXED_BYTES: usize = 9;
const STAMP_BYTES: usize = 5;

/// A piece of the elementary stream, as it lies in one transport packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Set when a PES packet begins with this piece.
    pub begins: Option<Begin>,
    /// May be empty.
    pub bytes: &'a [u8],
}

/// What the header of a PES packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// When the first frame that begins in it is due: ticks of 90 kHz, 33 bits.
    pub stamp: Option<u64>,
}

/// Takes PES packets apart.
#[derive(Debug)]
pub struct Unpacker {
    state: State,
    /// What came of a header that goes over several transport packets.
    header: Vec<u8>,
    has_scrambled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Until a PES packet begins.
    Waiting,
    Header,
    Inside,
}

impl Unpacker {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self {
            state: State::Waiting,
            header: Vec::new(),
            has_scrambled: false,
        }
    }

    /// Takes the next transport packet, which follows the one before it.
    pub fn push<'a>(&mut self, packet: &Packet<'a>) -> Option<Part<'a>> {
        if packet.is_scrambled {
            self.has_scrambled = true;
            self.state = State::Waiting;
            return None;
        }
        if packet.starts {
            self.header.clear();
            self.state = State::Header;
        }
        match self.state {
            State::Waiting => None,
            State::Header => self.push_header(packet.payload),
            State::Inside => Some(Part {
                begins: None,
                bytes: packet.payload,
            }),
        }
    }

    fn push_header<'a>(&mut self, payload: &'a [u8]) -> Option<Part<'a>> {
        let before = self.header.len();
        self.header.extend_from_slice(payload);
        match Header::read(&self.header) {
            Header::Short => None,
            Header::Foreign => {
                self.state = State::Waiting;
                None
            }
            Header::Scrambled => {
                self.has_scrambled = true;
                self.state = State::Waiting;
                None
            }
            Header::Whole { length, stamp } => {
                self.state = State::Inside;
                let bytes = payload.get(length.saturating_sub(before)..);
                Some(Part {
                    begins: Some(Begin { stamp }),
                    bytes: bytes.unwrap_or_default(),
                })
            }
        }
    }

    /// Packets are missing: a header that was under way is of no use.
    pub fn lose(&mut self) {
        if self.state == State::Header {
            self.state = State::Waiting;
        }
    }

    /// Whether packets came that only a conditional access system can read.
    pub fn has_scrambled(&self) -> bool {
        self.has_scrambled
    }
}

/// What can be said about the first bytes of a PES packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// More bytes are needed.
    Short,
    /// It is no PES packet, or one without an elementary stream (padding).
    Foreign,
    /// Its content is encrypted.
    Scrambled,
    Whole {
        length: usize,
        stamp: Option<u64>,
    },
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let Some(&[zero, zeros, one, stream_id, _, _, flags, fields, rest]) =
            bytes.first_chunk::<FIXED_BYTES>()
        else {
            return Self::Short;
        };
        let has_fields = !matches!(stream_id, 0xBC | 0xBE | 0xBF | 0xF0..=0xF2 | 0xF8 | 0xFF);
        if [zero, zeros, one] != [0, 0, 1] || !has_fields || flags >> 6 != 2 {
            return Self::Foreign;
        }
        let length = FIXED_BYTES + usize::from(rest);
        let Some(optional) = bytes.get(FIXED_BYTES..length) else {
            return Self::Short;
        };
        if flags >> 4 & 3 != 0 {
            return Self::Scrambled;
        }
        let stamp = optional.first_chunk::<STAMP_BYTES>();
        Self::Whole {
            length,
            stamp: stamp.filter(|_| fields & 0x80 != 0).and_then(read_stamp),
        }
    }
}

/// A time stamp between its marker bits; `None` when those are wrong.
fn read_stamp(&[first, second, third, fourth, fifth]: &[u8; STAMP_BYTES]) -> Option<u64> {
    let is_marked = first & third & fifth & 1 == 1 && first >> 5 == 1;
    let top = u64::from(first >> 1 & 7) << 30;
    let middle = u64::from(second) << 22 | u64::from(third >> 1) << 15;
    let low = u64::from(fourth) << 7 | u64::from(fifth >> 1);
    is_marked.then_some(top | middle | low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ts::testkit::pes;

    fn packet(starts: bool, payload: &[u8]) -> Packet<'_> {
        Packet {
            pid: 1,
            starts,
            is_scrambled: false,
            may_jump: false,
            counter: 0,
            payload,
        }
    }

    #[test]
    fn a_stamp_survives_its_marker_bits() {
        for stamp in [
            0,
            1,
            126_000,
            1 << 15,
            1 << 30,
            (1 << 33) - 1,
            0x1_5555_AAAA,
        ] {
            let bytes = pes(Some(stamp), &[7]);
            let part = Unpacker::new().push(&packet(true, &bytes));
            let want = Part {
                begins: Some(Begin { stamp: Some(stamp) }),
                bytes: &[7],
            };
            assert_eq!(part, Some(want), "{stamp}");
            let mut unmarked = bytes.clone();
            unmarked[11] &= 0xFE;
            let part = Unpacker::new().push(&packet(true, &unmarked));
            let stamp = part
                .and_then(|part| part.begins)
                .and_then(|begin| begin.stamp);
            assert_eq!(stamp, None, "without a marker");
        }
    }

    #[test]
    fn a_header_may_go_over_packets() {
        let bytes = pes(Some(90_000), &[1, 2, 3]);
        for cut in 1..bytes.len() {
            let mut unpacker = Unpacker::new();
            let (first, second) = bytes.split_at(cut);
            let mut data = Vec::new();
            let mut begun = 0;
            for (starts, payload) in [(true, first), (false, second)] {
                if let Some(part) = unpacker.push(&packet(starts, payload)) {
                    data.extend(part.bytes);
                    begun += usize::from(part.begins.is_some());
                }
            }
            assert_eq!((data, begun), (vec![1, 2, 3], 1), "{cut}");
        }
    }

    #[test]
    fn what_is_no_elementary_stream_is_passed_over() {
        let edited = |at: usize, value: u8| {
            let mut bytes = pes(Some(0), &[1; 20]);
            bytes[at] = value;
            bytes
        };
        let cases = [
            ("no start code", edited(2, 0), false),
            ("padding", edited(3, 0xBE), false),
            ("a private stream without fields", edited(3, 0xBF), false),
            ("MPEG-1", edited(6, 0x21), false),
            ("scrambled", edited(6, 0xA0), true),
        ];
        for (case, bytes, is_scrambled) in cases {
            let mut unpacker = Unpacker::new();
            assert_eq!(unpacker.push(&packet(true, &bytes)), None, "{case}");
            assert_eq!(unpacker.push(&packet(false, &[1; 20])), None, "{case}");
            assert_eq!(unpacker.has_scrambled(), is_scrambled, "{case}");
        }
        assert_eq!(
            Unpacker::new().push(&packet(false, &[1; 20])),
            None,
            "joined late"
        );
    }
}
