//! Seeks in a whole file: how to come near, and the proof that it was near enough.

use symphonia::core::units::Timestamp;

use super::Whole;
use crate::decode::file::constant::WINDOW_BYTES;
use crate::decode::file::demux::{Failure, Part};
use crate::decode::file::probe::Container;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Codec;
use crate::units::{Frames, MediaTime, SampleRate};

/// How far before its goal a seek tries again when the reader overshot it.
const STEPS_BACK: [f64; 4] = [0.0, 1.0, 6.0, 30.0];
/// The last page of Ogg has no time of its own; no page holds more than this.
const OGG_PAGE_SECONDS: f64 = 6.0;

impl Whole {
    /// Goes to a unit early enough before `to` (media time) that decoding from
    /// there and dropping frames gives what decoding from the start gives.
    /// Returns the start of that unit, or where the file ends.
    ///
    /// # Errors
    ///
    /// Those of [`Whole::next`].
    pub fn seek(&mut self, to: MediaTime) -> Result<MediaTime, Problem> {
        let goal = to - self.preroll();
        let is_there = match self.container {
            Container::Mpeg => self.jump_by_rate(goal)?,
            _ => self.jump_by_reader(goal)?,
        };
        if !is_there {
            self.walk(goal)?;
        }
        self.is_found = true;
        self.is_fresh = true;
        let ended = self.reached.unwrap_or(to);
        Ok(self.start().unwrap_or(ended))
    }

    /// Time that a decoder needs to come to the same state, whatever was before.
    fn preroll(&self) -> MediaTime {
        let frames = match self.stream.track.codec {
            Codec::Aac => 4 * 2048,    // overlap, and the delay line of SBR
            Codec::Mp3 => 32 * 1152,   // bit reservoir: 255 bytes are 20 frames at 8 kbit/s
            Codec::Vorbis => 2 * 8192, // two of the longest blocks
            // RFC 7845 asks for 80 ms, that is where the ear is content. Band
            // energies are predicted: half the error goes with each 20 ms.
            Codec::Opus => 48_000,
            Codec::Alac | Codec::Flac | Codec::Pcm | Codec::Other => 0,
        };
        let stated = self.stream.track.parameters.sample_rate;
        let slowest = SampleRate::new(*limits::SAMPLE_RATE.start());
        let rate = stated.and_then(SampleRate::new).or(slowest);
        rate.map_or(MediaTime::ZERO, |rate| Frames(frames).time(rate))
    }

    /// MPEG frames of constant bit rate: the place follows from the time, and
    /// is proved by the frames that are found there.
    fn jump_by_rate(&mut self, goal: MediaTime) -> Result<bool, Problem> {
        let delay = i64::from(self.stream.delay);
        // Behind the stated end lies another file, joined to this one.
        let is_inside = self.stream.track.duration.is_some_and(|end| goal < end);
        let Some(constant) = self.constant.filter(|_| is_inside) else {
            return Ok(false);
        };
        let tick = u64::try_from(self.stream.clock.tick(goal).saturating_add(delay)).unwrap_or(0);
        let number = tick / constant.frames();
        if number < 2 {
            return Ok(false);
        }
        let place = self.part.origin.saturating_add(constant.place(number));
        let window = self.bytes.read_at(place, WINDOW_BYTES)?;
        let Some(found) = constant.find(&window) else {
            return Ok(false);
        };
        let late = i64::try_from(number * constant.frames()).unwrap_or(i64::MAX);
        let origin = place + u64::try_from(found).expect("inside a window");
        self.reopen(
            Part {
                origin,
                ..self.part
            },
            late - delay,
        )?;
        self.packet = self.pull()?;
        Ok(self.packet.is_some())
    }

    fn jump_by_reader(&mut self, goal: MediaTime) -> Result<bool, Problem> {
        let is_stale = match self.container {
            // Its reader keeps packets over a seek, and stops at them.
            Container::Matroska => true,
            // Its reader mixes up indices when it seeks forward.
            Container::Caf => true,
            // A reader that gave the last packet may not find the way back.
            _ => self.packet.is_none(),
        };
        if !self.part.is_seekable || self.links > 0 || is_stale {
            match self.rewind(true) {
                // Tables at the end that are not there: read on from the start.
                Err(problem) if is_of_the_file(&problem) => return Ok(false),
                done => done?,
            }
        }
        self.reached = None; // from here on the reader is somewhere else
        for back in STEPS_BACK {
            let aim = self.before_end(goal) - MediaTime::from_seconds(back);
            let tick = self.stream.clock.tick(aim);
            if tick <= 0 {
                self.rewind(true)?;
                self.packet = self.pull()?;
                return Ok(true);
            }
            match self.demuxer.seek(self.stream.id, Timestamp::new(tick)) {
                Ok(_) => self.packet = self.pull()?,
                Err(Failure::Fatal(problem)) => return Err(problem),
                Err(_) => self.rewind(true)?,
            }
            if self.start().is_some_and(|start| start <= goal) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `goal`, moved to where readers still find a packet with a sure time.
    fn before_end(&self, goal: MediaTime) -> MediaTime {
        let track = self
            .demuxer
            .tracks()
            .iter()
            .find(|track| track.id == self.stream.id);
        let ticks = track.and_then(|track| i64::try_from(track.duration?.get()).ok());
        let Some(end) = ticks.map(|ticks| self.stream.clock.time(ticks.saturating_sub(1))) else {
            return goal;
        };
        match self.container {
            Container::Ogg => goal.min(end - MediaTime::from_seconds(OGG_PAGE_SECONDS)),
            _ => goal.min(end),
        }
    }

    /// Reads on, from here or from the start, to the packet that is heard
    /// after `goal`.
    fn walk(&mut self, goal: MediaTime) -> Result<(), Problem> {
        if self.reached.is_none_or(|reached| reached > goal) {
            self.rewind(self.part.is_seekable)?;
        }
        loop {
            self.packet = self.pull()?;
            let Some(packet) = &self.packet else {
                return Ok(());
            };
            let end = self.stream.clock.unit(packet).end;
            if end > goal {
                return Ok(());
            }
            self.reached = Some(end);
        }
    }

    fn start(&self) -> Option<MediaTime> {
        let packet = self.packet.as_ref()?;
        Some(self.stream.clock.unit(packet).start)
    }
}

/// Whether the file is to blame, and not the way to its bytes.
fn is_of_the_file(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        Kind::Malformed | Kind::Unsupported | Kind::Limit
    )
}
