//! The decode thread's way through a whole file: opened, sought to where the run
//! begins, and decoded to its end.

use crate::decode::file::File;
use crate::decode::join::Join;
use crate::decode::lane::{Flow, Label};
use crate::decode::placement::Window;
use crate::decode::unit::Track;
use crate::decode::{Decoding, checksum};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::media::{Start, WholeFile};
use crate::stats::Stage;
use crate::units::{BitRate, MediaTime};

impl Decoding<'_> {
    pub(super) fn file(&mut self, whole: WholeFile) -> Result<(), Problem> {
        let WholeFile {
            from,
            url,
            media,
            wire,
            ..
        } = whole;
        let bytes = media.length();
        let named = |problem: Problem| match problem.kind {
            Kind::Malformed | Kind::Unsupported | Kind::Encryption | Kind::NotAStream => {
                problem.during(format!("cannot play \"{url}\""))
            }
            _ => problem,
        };
        self.stats.begin(Stage::Probe);
        let mut file = File::open(media, &self.stats).map_err(named)?;
        self.stats.end(Stage::Probe);
        self.stats.begin(Stage::FirstPacket);
        self.fit(file.track())?;
        let track = file.track().clone();
        self.stats.duration.set(track.duration.unwrap_or_default());
        self.aim(&mut file, &track, from)?;
        self.fit(file.track())?; // another stream of the file may begin on the way
        let bit_rate = match (bytes, track.duration) {
            (Some(bytes), Some(duration)) => BitRate::of(bytes, duration.duration()),
            _ => BitRate(0),
        };
        let mut join = Join::Known {
            zero: MediaTime::ZERO,
        };
        let mut flow = Flow::On;
        let may_be_last = file.shortens_its_last_unit();
        while flow == Flow::On {
            if file.turns().map_err(named)? {
                self.fit(file.track())?;
            }
            let Some(unit) = file.next_unit().map_err(named)? else {
                break;
            };
            self.join_at(&mut join, unit.start, track.edit.start)?;
            flow = self.unit(&unit, may_be_last, bit_rate).map_err(named)?;
        }
        self.lane.drop_tail();
        let sha256 = wire.map(checksum).transpose()?;
        let frames = self.lane.note(Label {
            number: 0,
            variant: 0,
            url,
            sha256,
        })?;
        self.events.send(Event::Segment {
            number: 0,
            variant: 0,
            frames,
        });
        Ok(())
    }

    /// Seeks `file` to what was `sought`, or to where the run begins, and opens
    /// the window there.
    fn aim(
        &mut self,
        file: &mut File,
        track: &Track,
        sought: Option<MediaTime>,
    ) -> Result<(), Problem> {
        let from = match (sought, self.wanted.start) {
            (Some(sought), _) => sought,
            (None, None) => MediaTime::ZERO,
            (None, Some(start)) => start.resolve(track.duration).ok_or_else(no_length)?,
        };
        self.land(from);
        self.is_landing = false; // a file knows its times
        if track
            .duration
            .is_some_and(|duration| from >= duration && from > MediaTime::ZERO)
        {
            self.events.send(Event::Warning(Start::past_the_end(from)));
            // One unit is decoded all the same: the output gets its layout.
            self.lane.window = Window {
                from,
                until: Some(MediaTime::ZERO),
            };
            return Ok(());
        }
        let length = self.wanted.length.map(|length| from + length);
        let visible = track.edit.end.map(|end| end - track.edit.start);
        let until = [length, visible].into_iter().flatten().min();
        self.lane.window = Window { from, until };
        if sought.is_none() {
            self.stats.start.set(from);
        }
        if from > MediaTime::ZERO {
            file.seek(from + track.edit.start)?;
        }
        Ok(())
    }
}

fn no_length() -> Problem {
    let why = "the stream does not say how long it is";
    Problem::new(
        Kind::Arguments,
        "cannot start from the end",
        why,
        "give --start from the beginning",
    )
}
