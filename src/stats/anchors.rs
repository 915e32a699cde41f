//! Which moment of the stream a frame of the output is: since a seek, and since
//! the pace changed.

use std::collections::VecDeque;

use crate::units::{Frames, MediaTime, SampleRate, Speed};

/// More changes than this are not ahead of the playhead.
const MOST: usize = 64;

/// A frame of the output's count, the moment of the stream that it is, and how
/// fast it goes on from there.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    frame: u64,
    time: MediaTime,
    speed: Speed,
}

/// Those that count, in order.
#[derive(Debug, Default)]
pub struct Anchors(VecDeque<Anchor>);

impl Anchor {
    /// The moment of `frame`; of one that lies before, the anchor's own: until
    /// the device has jumped, the place that was sought is said.
    pub fn time_of(&self, frame: Frames, rate: SampleRate) -> MediaTime {
        let since = Frames(frame.0.saturating_sub(self.frame)).time(rate);
        match self.speed {
            Speed::NORMAL => self.time + since,
            speed => self.time + MediaTime::from_seconds(since.seconds() * speed.factor()),
        }
    }
}

impl Anchors {
    /// A seek: nothing that was known before counts, but the pace.
    pub fn replace(&mut self, frame: Frames, time: MediaTime) {
        let speed = self.0.back().map_or(Speed::NORMAL, |last| last.speed);
        self.0.clear();
        self.add(frame, time, speed);
    }

    /// Another one behind the others.
    pub fn add(&mut self, frame: Frames, time: MediaTime, speed: Speed) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let frame = frame.0;
        self.0.push_back(Anchor { frame, time, speed });
    }

    /// That of `frame`: the last one before it, else the first.
    pub fn of(&self, frame: Frames) -> Option<&Anchor> {
        let before = self.0.iter().rfind(|anchor| anchor.frame <= frame.0);
        before.or_else(|| self.0.front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_belongs_to_the_last_change_before_it() {
        let rate = SampleRate::new(8_000).expect("an allowed rate");
        let (seconds, speed) = (MediaTime::from_seconds, |factor| {
            Speed::new(factor).expect("a possible pace")
        });
        let mut anchors = Anchors::default();
        assert!(anchors.of(Frames(5)).is_none());
        anchors.add(Frames(8_000), seconds(10.0), speed(2.0));
        anchors.add(Frames(16_000), seconds(12.0), speed(0.5));
        let cases = [
            (0, 10.0),
            (8_000, 10.0),
            (12_000, 11.0),
            (16_000, 12.0),
            (24_000, 12.5),
        ];
        let time = |anchors: &Anchors, frame| {
            let anchor = anchors.of(Frames(frame)).expect("one");
            anchor.time_of(Frames(frame), rate)
        };
        for (frame, want) in cases {
            assert_eq!(time(&anchors, frame), seconds(want), "{frame}");
        }
        anchors.replace(Frames(20_000), seconds(60.0));
        assert_eq!(time(&anchors, 19_000), seconds(60.0));
        assert_eq!(time(&anchors, 28_000), seconds(60.5), "at the same pace");
    }
}
