//! When a packet of a whole file is heard: Symphonia's ticks to media time,
//! and how many decoded frames to drop at either end. Pure.
//!
//! The decoders run with their own trimming off; every number is here once.

use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use crate::decode::unit::Unit;
use crate::units::{Frames, MediaTime, SampleRate};

/// The clock of one stream of a file.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Length of a tick, in seconds.
    pub base: TimeBase,
    /// Media time of tick 0.
    pub zero: MediaTime,
    /// How the stream marks frames that are not heard.
    pub trim: Trim,
    /// Where units really begin, when ticks are too coarse to tell.
    pub grid: Option<Grid>,
}

/// Frames that are decoded and not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Said by an edit list, or not at all.
    None,
    /// Everything before tick `first` (a tick is a frame), and what each
    /// packet says itself: Ogg, CAF.
    Packet {
        /// The first tick that is heard.
        first: i64,
    },
    /// Everything before tick 0, and the encoder's padding: `padding` frames
    /// from tick `end` on (LAME tag). What follows the padding, as in files
    /// joined together, is heard.
    Lame {
        /// The first tick of the padding.
        end: i64,
        /// Its length.
        padding: i64,
    },
}

/// Where the units of Matroska really begin and end: its clock counts
/// milliseconds, and mostly no lengths are stated.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Tick of the first unit.
    pub first: i64,
    /// Media time of the first unit, to the frame.
    pub start: MediaTime,
    /// Length of the units.
    pub length: Length,
    /// Frames a second.
    pub rate: SampleRate,
}

/// Decoded length of a codec's units, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// All have this one.
    Even(u32),
    /// The first bytes of each tell: Opus.
    Opus,
    /// At most this.
    UpTo(u32),
}

impl Length {
    /// Decoded length of the unit `data`.
    fn of(self, data: &[u8]) -> u32 {
        match self {
            Self::Even(frames) | Self::UpTo(frames) => frames,
            Self::Opus => opus_frames(data),
        }
    }

    /// Every unit begins a multiple of this after the first.
    fn step(self) -> Option<u32> {
        match self {
            Self::Even(frames) => Some(frames).filter(|frames| *frames > 0),
            Self::Opus => Some(OPUS_STEP),
            Self::UpTo(_) => None,
        }
    }
}

const OPUS_STEP: u32 = 120; // 2.5 ms at 48 kHz

/// Decoded frames of an Opus packet at 48 kHz. Source: RFC 6716 section 3.1.
fn opus_frames(data: &[u8]) -> u32 {
    let toc = data.first().copied().unwrap_or(0);
    let length = match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..16 => [480, 960][usize::from(config % 2)],
        config => OPUS_STEP << (config % 4),
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => data.get(1).map_or(1, |count| u32::from(count & 63)),
    };
    length * count
}

impl Clock {
    /// The unit that `packet` is.
    pub fn unit<'a>(&self, packet: &'a Packet) -> Unit<'a> {
        let (first, length) = (packet.pts.get(), self.block(packet));
        let (trim_start, trim_end) = self.trims(packet, length);
        let start = match self.grid {
            Some(grid) => grid.start(first, self.base),
            None => self.time(first),
        };
        let kept = length.saturating_sub(i64::try_from(trim_end.0).unwrap_or(i64::MAX));
        Unit {
            data: &packet.data,
            start,
            end: match self.grid {
                Some(grid) => grid.end(start, &packet.data),
                None => start + (self.time(first.saturating_add(kept)) - self.time(first)),
            },
            trim_start,
            trim_end,
        }
    }

    /// Media time of a tick.
    pub fn time(&self, tick: i64) -> MediaTime {
        let ticks = tick.saturating_mul(i64::from(self.base.numer.get()));
        self.zero + MediaTime::from_ticks(ticks, self.base.denom)
    }

    /// The last tick at or before a media time.
    pub fn tick(&self, time: MediaTime) -> i64 {
        let nanos = i128::from((time - self.zero).nanos());
        let tick = (nanos * i128::from(self.base.denom.get()))
            .div_euclid(1_000_000_000 * i128::from(self.base.numer.get()));
        i64::try_from(tick).unwrap_or(if tick < 0 { i64::MIN } else { i64::MAX })
    }

    /// Decoded length of a packet, in ticks.
    fn block(&self, packet: &Packet) -> i64 {
        let length = match self.trim {
            // `dur` of the MP3 reader is the whole frame (packet.rs: `trimmed_dur`).
            Trim::None | Trim::Lame { .. } => packet.dur,
            Trim::Packet { .. } => packet.block_dur(),
        };
        i64::try_from(length.get()).unwrap_or(i64::MAX)
    }

    fn trims(&self, packet: &Packet, length: i64) -> (Frames, Frames) {
        let start = packet.pts.get();
        let end = start.saturating_add(length);
        let before = |first: i64| frames(first.saturating_sub(start).min(length));
        match self.trim {
            Trim::None => {
                let unheard = |grid: Grid| grid.unheard(start, self.base, &packet.data);
                (self.grid.map_or(Frames(0), unheard), Frames(0))
            }
            Trim::Packet { first } => {
                let own = Frames(packet.trim_start.get());
                (own.max(before(first)), Frames(packet.trim_end.get()))
            }
            Trim::Lame {
                end: visible,
                padding,
            } => {
                let from = visible.max(start);
                let to = visible.saturating_add(padding).min(end);
                (before(0), frames(to.saturating_sub(from)))
            }
        }
    }
}

impl Grid {
    /// Where the unit at `tick` begins: on the step nearest to it, unless that
    /// is further off than a tick can be.
    fn start(&self, tick: i64, base: TimeBase) -> MediaTime {
        let span = |ticks: i64| {
            MediaTime::from_ticks(
                ticks.saturating_mul(i64::from(base.numer.get())),
                base.denom,
            )
        };
        let since = span(tick.saturating_sub(self.first));
        let Some(step) = self.length.step().map(u64::from) else {
            return self.start + since;
        };
        let frames = since.frames(self.rate).0.saturating_add(step / 2);
        let snapped = Frames(frames / step * step).time(self.rate);
        let is_near = (snapped - since).nanos().abs() <= span(1).nanos();
        self.start + if is_near { snapped } else { since }
    }

    /// Frames of the unit at `tick` that lie before media time zero.
    fn unheard(&self, tick: i64, base: TimeBase, data: &[u8]) -> Frames {
        let before = (MediaTime::ZERO - self.start(tick, base)).frames(self.rate);
        before.min(Frames(u64::from(self.length.of(data))))
    }

    fn end(&self, start: MediaTime, data: &[u8]) -> MediaTime {
        start + Frames(u64::from(self.length.of(data))).time(self.rate)
    }
}

fn frames(ticks: i64) -> Frames {
    Frames(u64::try_from(ticks).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use symphonia::core::packet::PacketBuilder;
    use symphonia::core::units::{Duration, Timestamp};

    fn clock(trim: Trim) -> Clock {
        Clock {
            base: TimeBase::try_from_recip(48_000).expect("not zero"),
            zero: MediaTime::ZERO,
            trim,
            grid: None,
        }
    }

    fn packet(pts: i64, front: u64, length: u64, back: u64) -> Packet {
        PacketBuilder::new()
            .track_id(0)
            .pts(Timestamp::new(pts))
            .trim_start(Duration::new(front))
            .trim_end(Duration::new(back))
            .dur(Duration::new(length))
            .data(vec![1])
            .build()
    }

    #[test]
    fn frames_that_are_not_heard_are_counted_once() {
        let lame = Trim::Lame {
            end: 5000,
            padding: 700,
        };
        let ogg = |first| Trim::Packet { first };
        let cases = [
            ("no trimming", Trim::None, packet(-900, 0, 1152, 0), (0, 0)),
            (
                "delay over a unit",
                lame,
                packet(-1152, 0, 1152, 0),
                (1152, 0),
            ),
            (
                "delay within a unit",
                lame,
                packet(-100, 0, 1152, 0),
                (100, 0),
            ),
            ("no trimming inside", lame, packet(1052, 0, 1152, 0), (0, 0)),
            ("padding begins", lame, packet(4800, 0, 1152, 0), (0, 700)),
            ("padding goes on", lame, packet(5600, 0, 1152, 0), (0, 100)),
            (
                "joined to another file",
                lame,
                packet(5700, 0, 1152, 0),
                (0, 0),
            ),
            (
                "what the packet says",
                ogg(0),
                packet(-128, 128, 0, 0),
                (128, 0),
            ),
            ("Opus pre-skip", ogg(312), packet(0, 0, 960, 0), (312, 0)),
            (
                "the last page is short",
                ogg(312),
                packet(9600, 0, 500, 460),
                (0, 460),
            ),
        ];
        for (name, trim, packet, (front, back)) in cases {
            let unit = clock(trim).unit(&packet);
            assert_eq!(
                (unit.trim_start, unit.trim_end),
                (Frames(front), Frames(back)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_unit_ends_where_its_last_heard_frame_does() {
        let rate = SampleRate::new(48_000).expect("allowed");
        let packet = packet(9600, 0, 500, 460);
        let unit = clock(Trim::Packet { first: 312 }).unit(&packet);
        assert_eq!(
            (unit.start.frame(rate), unit.end.frame(rate)),
            (9600, 10_100)
        );
    }

    #[test]
    fn a_millisecond_clock_is_snapped_to_whole_units() {
        let rate = SampleRate::new(44_100).expect("allowed");
        let base = TimeBase::try_new(1, 1000).expect("not zero");
        let grid = |length| Grid {
            first: -23,
            start: MediaTime::ZERO,
            length,
            rate,
        };
        for index in 0..100_000_i64 {
            let exact = index * 1024 * 1000;
            let tick = exact / 44_100 - 23; // rounded down; some round up
            for tick in [tick, tick + 1] {
                let start = grid(Length::Even(1024)).start(tick, base);
                assert_eq!(start.frame(rate), index * 1024, "unit {index}");
            }
        }
        let between = grid(Length::Even(1024)).start(12 - 23, base);
        assert_eq!(
            between,
            MediaTime::from_seconds(0.012),
            "units are not even"
        );
        let unknown = grid(Length::UpTo(8192)).start(7 - 23, base);
        assert_eq!(unknown, MediaTime::from_seconds(0.007));
    }

    #[test]
    fn an_opus_packet_tells_its_length() {
        let cases: [(&[u8], u32); 7] = [
            (&[0x00], 480),        // SILK, 10 ms
            (&[0x19], 5760),       // SILK, two of 60 ms
            (&[0x68], 960),        // hybrid, 20 ms
            (&[0x80], 120),        // CELT, 2.5 ms
            (&[0xFC], 960),        // CELT, 20 ms
            (&[0xFB, 0x03], 2880), // CELT, three of 20 ms
            (&[], 480),
        ];
        for (data, want) in cases {
            assert_eq!(opus_frames(data), want, "{data:X?}");
        }
    }

    #[test]
    fn a_tick_survives_the_way_to_media_time_and_back() {
        let mut clock = clock(Trim::None);
        clock.zero = MediaTime::from_nanos(-6_500_000);
        for tick in [-1105, 0, 1, 47_999, 1_000_000_007] {
            assert_eq!(
                clock.tick(clock.time(tick) + MediaTime::from_nanos(1)),
                tick
            );
        }
    }
}
