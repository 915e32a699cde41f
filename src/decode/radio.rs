//! The decode thread's way through a stream without end: what each connection
//! brings is opened anew and goes on where the one before ended.

use crate::decode::Decoding;
use crate::decode::file::File;
use crate::decode::join::Join;
use crate::decode::lane::{Flow, Label};
use crate::decode::placement::Window;
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::media::{Link, Source, WholeFile};
use crate::stats::Stage;
use crate::units::MediaTime;

impl Decoding<'_> {
    /// What one connection brought, to where it broke off. Damage in it is passed
    /// over once something was heard: then what follows is wanted again.
    pub(super) fn link(&mut self, whole: WholeFile, link: Link) -> Result<Flow, Problem> {
        let WholeFile {
            from, url, media, ..
        } = whole;
        let flow = match self.sound_of_link(media, from, &link) {
            Err(problem) if self.passes_over(&problem) => {
                tracing::warn!("{problem}");
                self.stats.decode_errors.add(1);
                self.is_broken = true;
                self.bad_in_a_row = 0;
                Flow::On
            }
            Err(problem) => return Err(named(problem, &url)),
            Ok(flow) => flow,
        };
        self.lane.drop_tail();
        let (number, variant) = (link.number, 0);
        let frames = self.lane.note(Label {
            number,
            variant,
            url,
            sha256: None,
        })?;
        self.events.send(Event::Segment {
            number,
            variant,
            frames,
        });
        Ok(flow)
    }

    fn passes_over(&self, problem: &Problem) -> bool {
        let is_of_the_bytes = matches!(
            problem.kind,
            Kind::Malformed | Kind::NotAStream | Kind::Unsupported | Kind::Limit
        );
        is_of_the_bytes && self.lane.placement.end().is_some()
    }

    fn sound_of_link(
        &mut self,
        media: Box<dyn Source>,
        sought: Option<MediaTime>,
        link: &Link,
    ) -> Result<Flow, Problem> {
        self.stats.begin(Stage::Probe);
        let mut file = File::join(media, &self.stats)?;
        self.stats.end(Stage::Probe);
        self.stats.begin(Stage::FirstPacket);
        let mut join = self.tune(sought)?;
        self.fit(file.track())?;
        let mut flow = Flow::On;
        let mut is_new = true;
        while flow == Flow::On {
            if file.turns()? {
                self.fit(file.track())?;
                is_new = true;
            }
            let comment = std::mem::take(&mut is_new).then(|| file.title()).flatten();
            let edit = file.track().edit.start;
            let Some(unit) = file.next_unit()? else {
                break;
            };
            let start = unit.start;
            self.join_at(&mut join, start, edit)?;
            flow = self.unit(&unit, false, link.bit_rate)?;
            let at = self.lane.placement.position(start - edit);
            let at = at.max(self.lane.window.from);
            let taken = file.taken().map(|taken| taken.saturating_add(link.offset));
            let titles = link.cues.until(taken.unwrap_or(u64::MAX));
            for title in comment.into_iter().chain(titles) {
                self.titles.announce(at, &title);
            }
            self.tell_titles();
        }
        Ok(flow)
    }

    /// How what a connection brings is joined to what was heard. A run begins
    /// where `--start` says: so much of the station is not heard.
    fn tune(&mut self, sought: Option<MediaTime>) -> Result<Join, Problem> {
        if let Some(from) = sought {
            self.land(from);
            self.is_landing = false;
            self.lane.window.from = from;
            let zero = MediaTime::ZERO - from;
            return Ok(Join::Known { zero });
        }
        if self.lane.placement.end().is_some() {
            return Ok(Join::Splice);
        }
        let from = match self.wanted.start {
            None => MediaTime::ZERO,
            Some(start) => start.resolve(None).ok_or_else(no_end)?,
        };
        let until = self.wanted.length.map(|length| from + length);
        self.lane.window = Window { from, until };
        self.stats.start.set(from);
        Ok(Join::Begin {
            start: MediaTime::ZERO,
        })
    }
}

fn named(problem: Problem, url: &str) -> Problem {
    match problem.kind {
        Kind::Malformed | Kind::Unsupported | Kind::NotAStream => {
            problem.during(format!("cannot play \"{url}\""))
        }
        _ => problem,
    }
}

fn no_end() -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot start from the end",
        "the stream has none",
        "leave out --start",
    )
}
