//! The decode thread's way through the segments of an HLS stream, and through
//! what is missing of it.

use std::sync::Arc;

use crate::decode::decrypt::{self, Part};
use crate::decode::join::Join;
use crate::decode::lane::{Flow, Label};
use crate::decode::placement::Window;
use crate::decode::stream::{self, Stream, Tail};
use crate::decode::unit::Track;
use crate::decode::{Decoding, checksum};
use crate::error::{Kind, Problem};
use crate::event::Event;
use crate::media::{Anchor, Gap, Init, Segment, Title};
use crate::stats::Stage;
use crate::units::{BitRate, MediaTime};

impl Decoding<'_> {
    pub(super) fn segment(&mut self, mut segment: Segment) -> Result<Flow, Problem> {
        let (number, variant, url) = (segment.number, segment.variant, segment.url.clone());
        let name = format!("cannot play segment {number} ({url})");
        let named = |problem: Problem| match problem.kind {
            Kind::Malformed | Kind::Unsupported | Kind::Encryption | Kind::NotAStream => {
                problem.during(name)
            }
            _ => problem,
        };
        self.land(segment.from);
        self.lane.window = Window {
            from: segment.from,
            until: segment.until,
        };
        let run = segment.run;
        let (wire, ends_run, is_live) = (segment.wire.take(), segment.ends_run, segment.is_live);
        let end = segment.start + segment.duration;
        let severed = self.is_severed;
        let flow = match self.sound_of(segment).map_err(named) {
            Err(problem) if problem.kind == Kind::GivenUp => {
                self.is_severed = severed && self.begun.is_none();
                return self.break_off((number, variant, url));
            }
            Err(problem) if is_live && self.may_pass_over(&problem) => {
                return self.pass_over((number, variant, url), end, problem);
            }
            flow => flow?,
        };
        self.begun = None;
        self.note_zero(run);
        if ends_run {
            self.lane.drop_tail();
        }
        let sha256 = wire.map(checksum).transpose()?;
        let frames = self.lane.note(Label {
            number,
            variant,
            url,
            sha256,
        })?;
        self.events.send(Event::Segment {
            number,
            variant,
            frames,
        });
        Ok(flow)
    }

    /// Whether a live stream that was heard goes on behind a segment with this
    /// problem: what is wrong with one need not be wrong with the next.
    fn may_pass_over(&self, problem: &Problem) -> bool {
        let is_passing = matches!(
            problem.kind,
            Kind::NoData
                | Kind::Resolve
                | Kind::Connect
                | Kind::HttpStatus(_)
                | Kind::Changed
                | Kind::Malformed
                | Kind::NotAStream
        );
        is_passing && self.lane.placement.end().is_some()
    }

    /// Silence until `end`, where the segment that broke off ends by the playlist.
    fn pass_over(
        &mut self,
        (number, variant, url): (u64, usize, String),
        end: MediaTime,
        problem: Problem,
    ) -> Result<Flow, Problem> {
        self.begun = None;
        let heard = Label {
            number,
            variant,
            url: url.clone(),
            sha256: None,
        };
        self.lane.note(heard)?;
        let start = self.lane.placement.end().unwrap_or_default();
        let duration = (end - start).max(MediaTime::ZERO);
        self.stats
            .lost_ns
            .add(u64::try_from(duration.nanos()).unwrap_or(0));
        self.events.send(Event::Warning(Problem {
            todo: "going on behind it",
            ..problem.clone()
        }));
        let window = self.lane.window;
        self.gap(Gap {
            epoch: 0, // of no account: it is not handed over
            number,
            next: number + 1,
            variant,
            url,
            start,
            duration,
            discontinuity: false,
            from: window.from,
            until: window.until,
            loss: Some(problem),
        })
    }

    fn sound_of(&mut self, mut segment: Segment) -> Result<Flow, Problem> {
        let (ends_run, bit_rate) = (segment.ends_run, segment.bit_rate);
        let (duration, mut begin) = (segment.duration, None);
        let mut titles = Some(std::mem::take(&mut segment.titles));
        let goes_on = self.tail.is_some();
        self.stats.begin(Stage::Probe);
        let variant = segment.variant;
        let (mut stream, mut join) = self.enter(segment)?;
        let mut track = Some(stream.track().clone());
        let edit = stream.track().edit.start;
        self.stats.end(Stage::Probe);
        self.stats.begin(Stage::FirstPacket);
        let mut flow = Flow::On;
        while flow == Flow::On {
            if stream.turns()? && self.fit(stream.track())? {
                join = join.with_change();
            }
            let Some(unit) = stream.next_unit()? else {
                break;
            };
            let first = unit.start;
            begin.get_or_insert(first);
            if let Some(track) = track.take() {
                join = self.begin(variant, &track, join)?;
            }
            self.join_at(&mut join, first, edit)?;
            if self.is_long_past(unit.end - edit) {
                continue;
            }
            flow = self.unit(&unit, ends_run, bit_rate)?;
            if let Some(titles) = titles.take() {
                self.announce_titles(&titles, stream::presentation_zero(first, edit));
            }
            self.hear_titles(&mut stream, edit);
        }
        self.hear_titles(&mut stream, edit); // behind the last unit
        self.tail = stream.into_tail();
        let least = if ends_run { MediaTime::MAX } else { duration };
        self.check_cut(begin.unwrap_or_default(), least)?;
        // A short piece of a transport stream may be all pictures.
        if titles.is_some() && !(goes_on && self.tail.is_some()) {
            return Err(no_sound());
        }
        Ok(flow)
    }

    /// The demuxer of a segment, a decoder that fits it, and how it is joined.
    /// A segment whose own bytes have no time goes on by count.
    fn enter(&mut self, mut segment: Segment) -> Result<(Stream, Join), Problem> {
        let (start, has_base) = (segment.start, !self.lane.placement.needs_base());
        let severed = std::mem::take(&mut self.is_severed) || segment.discontinuity;
        let severed = severed && self.begun.is_none() && self.lane.placement.end().is_some();
        let is_other = self.heard != Some(segment.variant) || self.is_beyond;
        let is_landing = std::mem::take(&mut self.is_landing);
        let goes_on = has_base && !severed && !is_landing;
        let is_switch = goes_on && (is_other || self.begun.is_some());
        if let (true, Some(overlap)) = (is_switch, segment.overlap.take()) {
            self.overlap(overlap);
        }
        let init = segment.init.map(|init| self.init(init)).transpose()?;
        let init = init.as_deref();
        self.announce(segment.variant, segment.bit_rate);
        self.variant = Some(segment.variant);
        let join = if is_landing {
            self.landing(segment.run, start)
        } else if severed {
            Join::Splice
        } else if !has_base {
            self.beginning(init, segment.anchor, start)
        } else if is_switch {
            Join::Switch { begun: self.begun }
        } else {
            Join::Next
        };
        let media = decrypt::open(segment.media, segment.cipher, Part::Segment)?;
        let onward = self.go_on(join, media)?;
        let near = self.near(join, start, init);
        let begin = near.unwrap_or(start); // where its own bytes have no time
        let mut stream = Stream::open(init, onward.media, begin, near, onward.tail, &self.stats)?;
        if onward.is_joined {
            stream.go_on_at(begin);
        }
        if self.codec.is_none() {
            self.fit(stream.track())?; // while the first unit is on its way
        }
        Ok((stream, join))
    }

    /// The first unit of a segment is here, so that its decoder takes over.
    fn begin(&mut self, variant: usize, track: &Track, join: Join) -> Result<Join, Problem> {
        self.heard = Some(variant);
        if std::mem::take(&mut self.is_beyond) {
            self.codec = None;
        }
        Ok(match self.fit(track)? {
            true => join.with_change(),
            false => join,
        })
    }

    pub(super) fn init(&mut self, init: Init) -> Result<Arc<stream::Init>, Problem> {
        if let Some((id, parsed)) = &self.init
            && *id == init.id
        {
            return Ok(Arc::clone(parsed));
        }
        let bytes = decrypt::open(init.bytes, init.cipher, Part::Init)?;
        let parsed = Arc::new(stream::Init::read(bytes, &self.stats)?);
        self.init = Some((init.id, Arc::clone(&parsed)));
        Ok(parsed)
    }

    fn announce(&self, variant: usize, bandwidth: BitRate) {
        if self.variant != Some(variant) {
            self.stats.lists().variant = Some(variant);
            self.events.send(Event::Variant { variant, bandwidth });
        }
    }

    /// The run begins: without the stream's first segment the playlist's own
    /// sum has to do.
    fn beginning(
        &self,
        init: Option<&stream::Init>,
        anchor: Option<Anchor>,
        start: MediaTime,
    ) -> Join {
        let zero = anchor.and_then(|anchor| {
            let bytes = decrypt::open(anchor.bytes, anchor.cipher, Part::Segment).ok()?;
            stream::first_time(init, bytes, &self.stats).ok()
        });
        zero.map_or(Join::Begin { start }, |zero| Join::Known { zero })
    }

    /// The media time at which a segment is expected to begin.
    pub(super) fn near(
        &self,
        join: Join,
        start: MediaTime,
        init: Option<&stream::Init>,
    ) -> Option<MediaTime> {
        let before = self.codec.as_ref().map(|codec| &codec.track);
        let edit = init.and_then(stream::Init::track).or(before);
        let edit = edit.map_or(MediaTime::ZERO, |track| track.edit.start);
        Some(join.expected(start, &self.lane.placement)? + edit)
    }

    /// Silence in place of segments that are not there.
    pub(super) fn gap(&mut self, gap: Gap) -> Result<Flow, Problem> {
        self.land(gap.from);
        self.lane.window = Window {
            from: gap.from,
            until: gap.until,
        };
        self.is_severed |= gap.discontinuity;
        let heard = self.begun.take().map_or(MediaTime::ZERO, |begun| {
            self.lane.placement.end().unwrap_or(begun) - begun
        });
        let duration = (gap.duration - heard).max(MediaTime::ZERO);
        self.events.send(Event::Gap {
            number: gap.number,
            position: self.lane.placement.end().unwrap_or(gap.start),
            duration,
            is_lost: gap.loss.is_some(),
        });
        if let Some(Tail::Packed(_)) = self.tail.take() {
            self.stats.decode_errors.add(1);
        }
        self.loss = self.loss.take().or(gap.loss);
        // What was decoded before the gap does not overlap into what follows.
        if let Some(codec) = &mut self.codec {
            codec.decoder.reset();
        }
        let label = Label {
            number: gap.number,
            variant: gap.variant,
            url: gap.url,
            sha256: None,
        };
        self.lane.gap(label, gap.start, duration)
    }

    /// The stream is over: the silence of a last gap is made.
    pub(super) fn end(&mut self) -> Result<(), Problem> {
        match self.lane.settle()? {
            true => Ok(()),
            false => Err(self.loss.take().unwrap_or_else(only_gaps)),
        }
    }

    /// Titles of the playlist, counted from the media time `zero` on.
    fn announce_titles(&mut self, titles: &[Title], zero: MediaTime) {
        let begin = self.lane.placement.position(zero);
        for title in titles {
            self.titles.announce(begin + title.offset, &title.text);
        }
    }

    /// Titles out of the segment itself.
    fn hear_titles(&mut self, stream: &mut Stream, edit: MediaTime) {
        for (at, title) in stream.take_titles() {
            let at = self.lane.placement.position(at - edit);
            self.titles.announce(at, &title);
        }
        self.tell_titles();
    }

    pub(super) fn tell_titles(&mut self) {
        let window = self.lane.window;
        let now = self.lane.placement.next().unwrap_or_default();
        let now = window.until.map_or(now, |until| now.min(until));
        for (title, position) in self.titles.heard(now, window.from) {
            self.events.send(Event::Title { title, position });
        }
    }
}

fn no_sound() -> Problem {
    let why = "there is no sound in it";
    Problem::new(
        Kind::Malformed,
        "cannot play the segment",
        why,
        "try another variant with -Q",
    )
}

fn only_gaps() -> Problem {
    let why = "all of its segments are missing";
    Problem::new(
        Kind::Malformed,
        "cannot play the stream",
        why,
        "try another variant with -Q",
    )
}
