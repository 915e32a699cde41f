//! A whole transport stream, from a recorder or a tuner. Its clock begins
//! anywhere and may be set anew; here time runs from zero and without jumps.

use std::sync::Arc;

use crate::decode::ts;
use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;
use crate::units::MediaTime;

/// The bit reservoir of MP3 reaches back less than this, the overlap of AAC far less.
const PRE_ROLL: MediaTime = MediaTime::from_nanos(1_000_000_000);
/// Rounding of stamps goes back no further than this.
const BACK: MediaTime = MediaTime::from_nanos(30_000_000);

/// The sound of a transport stream, at some place in it.
pub struct Transport {
    demuxer: ts::Demuxer,
    /// What the stream's clock shows at time zero; before the first unit, nothing.
    zero: Option<MediaTime>,
    /// When the next unit is due.
    due: MediaTime,
}

impl Transport {
    /// Starts at the first frame.
    ///
    /// # Errors
    ///
    /// As [`ts::Demuxer::open`].
    pub fn open(source: Box<dyn Source>, stats: Arc<Stats>) -> Result<Self, Problem> {
        let opened = ts::Demuxer::open(None, source, stats, None, None);
        let demuxer = opened.map_err(|problem| Problem {
            todo: match problem.kind {
                Kind::Unsupported => "convert its sound to AAC or MP3",
                _ => "fetch or make the file again",
            },
            ..problem
        });
        Ok(Self {
            demuxer: demuxer?,
            zero: None,
            due: MediaTime::ZERO,
        })
    }

    /// As [`ts::Demuxer::track`].
    pub fn track(&self) -> &Track {
        self.demuxer.track()
    }

    /// As [`ts::Demuxer::turns`].
    pub fn turns(&mut self) -> Result<bool, Problem> {
        self.demuxer.turns()
    }

    /// The next unit; `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`ts::Demuxer::next_unit`].
    pub fn next_unit(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        let Some(unit) = self.demuxer.next_unit()? else {
            return Ok(None);
        };
        let known = self
            .zero
            .filter(|zero| is_near(unit.start - *zero, self.due));
        let zero = known.unwrap_or(unit.start - self.due);
        self.zero = Some(zero);
        self.due = unit.end - zero;
        Ok(Some(Unit {
            start: unit.start - zero,
            end: self.due,
            ..unit
        }))
    }

    /// Passes over units until no more than a second lies before `to`, without
    /// decoding them; forward only. Returns where it stands.
    ///
    /// # Errors
    ///
    /// As [`Transport::next_unit`].
    pub fn skip_to(&mut self, to: MediaTime) -> Result<MediaTime, Problem> {
        while self.due + PRE_ROLL < to && self.next_unit()?.is_some() {}
        Ok(self.due)
    }
}

/// Whether a clock that shows `time` where `due` was expected is the same one: a
/// hole is believed, going back is not.
fn is_near(time: MediaTime, due: MediaTime) -> bool {
    let wander = time - due;
    wander <= limits::HOLE.into() && MediaTime::ZERO - wander <= BACK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ts::testkit::{Mux, stamp};
    use crate::units::SampleRate;

    const RATE: u32 = 44_100;

    fn open(bytes: Vec<u8>) -> Transport {
        let source = Box::new(std::io::Cursor::new(bytes));
        Transport::open(source, Arc::default()).expect("a transport stream")
    }

    fn frame(time: MediaTime) -> i64 {
        time.frame(SampleRate::new(RATE).expect("an allowed rate"))
    }

    /// Number and start in frames of every unit.
    fn hear(transport: &mut Transport) -> Vec<(u8, i64)> {
        let mut heard = Vec::new();
        while let Some(unit) = transport.next_unit().expect("sound") {
            heard.push((*unit.data.last().expect("not empty"), frame(unit.start)));
        }
        heard
    }

    #[test]
    fn time_runs_from_zero_whatever_the_clock_shows() {
        let first = 5_000_000_000;
        let cases = [
            ("goes on", stamp(first, 6), 6),
            ("is set back", 900, 6),
            ("is set ahead", stamp(first, 6) + 90_000 * 60, 6),
            ("is set to another day", stamp(first, 6) + 7_000_000_000, 6),
            ("has a hole", stamp(first, 20), 20),
        ];
        for (case, second, want) in cases {
            let mut mux = Mux::adts(first, 0..6, 3);
            mux.sound(second % (1 << 33), 6..12, 3);
            let heard = hear(&mut open(mux.bytes));
            let place = |number: u8| match i64::from(number) {
                early @ 0..6 => early,
                late => late - 6 + want,
            };
            let want: Vec<_> = (0..12)
                .map(|number| (number, place(number) * 1024))
                .collect();
            assert_eq!(heard, want, "{case}");
        }
    }

    #[test]
    fn a_skip_leaves_what_a_decoder_needs_before_the_place() {
        let mut transport = open(Mux::adts(77, 0..150, 5).bytes);
        let stands = transport.skip_to(MediaTime::from_seconds(2.0));
        assert_eq!(stands.map(frame), Ok(44 * 1024));
        assert_eq!(hear(&mut transport).first(), Some(&(44, 44 * 1024)));
        let end = transport.skip_to(MediaTime::from_seconds(100.0));
        assert_eq!(end.map(frame), Ok(150 * 1024));
    }
}
