//! The decode thread: takes pieces of a stream as they arrive, makes frames and
//! gives them to a sink. Runs demuxer, codec, placement, remap and resampler.
//! Commanded by the bell's stop and by what its inbox brings; waits only on the
//! bell (bytes, pieces) and inside the sink. Never opens a file or a socket.

pub mod adts;
pub mod codec;
pub mod decrypt;
pub mod file;
pub mod fmp4;
pub mod id3;
pub mod inbox;
mod join;
pub mod lane;
pub mod latm;
pub mod mpeg;
pub mod outlet;
pub mod packed;
pub mod placement;
pub mod remap;
pub mod resample;
pub mod stream;
pub mod ticks;
pub mod titles;
pub mod ts;
pub mod unit;
mod whole_file;
pub mod window;

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::decode::codec::{Decoded, Decoder};
use crate::decode::decrypt::Part;
use crate::decode::inbox::Inbox;
use crate::decode::join::Join;
use crate::decode::lane::{Flow, Label, Lane, Times};
use crate::decode::outlet::Outlet;
use crate::decode::placement::Window;
use crate::decode::stream::Stream;
use crate::decode::titles::Titles;
use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, State};
use crate::limits;
use crate::media::{Anchor, Demand, Format, Gap, Init, Piece, Segment, Sink, Source, Start, Title};
use crate::stats::{Stage, Stats};
use crate::units::{BitRate, MediaTime};

/// What part of a file is wanted; for HLS the net side says it with each segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Where to begin.
    pub start: Option<Start>,
    /// How much, in time of the source.
    pub length: Option<MediaTime>,
}

/// Decodes what `inbox` brings into `sink` until the end, a failure or a stop.
///
/// The sink is finished in every case, so that what was decoded is kept.
///
/// # Errors
///
/// The problem of the stream, of a codec, or of the sink, whichever came first.
pub fn run(
    inbox: &mut Inbox,
    sink: &mut dyn Sink,
    wanted: Wanted,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(), Problem> {
    let mut decoding = Decoding {
        lane: Lane::new(Outlet::new(sink, stats, events), stats),
        stats: Arc::clone(stats),
        events: events.clone(),
        wanted,
        codec: None,
        variant: None,
        init: None,
        is_severed: false,
        loss: None,
        titles: Titles::default(),
        bad_in_a_row: 0,
    };
    let decoded = decoding.all(inbox);
    let finished = decoding.lane.finish();
    let result = decoded.and(finished);
    if result.is_ok() {
        events.send(Event::State(State::Ended));
    }
    result
}

/// The state of one run.
struct Decoding<'a> {
    lane: Lane<'a>,
    stats: Arc<Stats>,
    events: Events,
    wanted: Wanted,
    codec: Option<Codec>,
    variant: Option<usize>,
    init: Option<(u64, Arc<fmp4::Init>)>,
    /// A discontinuity came with a gap: the next segment is on a new timeline.
    is_severed: bool,
    /// Why the first segment that is missing could not be had.
    loss: Option<Problem>,
    titles: Titles,
    bad_in_a_row: u32,
}

/// A decoder and the configuration it was built for.
struct Codec {
    decoder: Decoder,
    track: Track,
    /// Bits a sample that carry information.
    bits: u8,
}

impl Decoding<'_> {
    fn all(&mut self, inbox: &mut Inbox) -> Result<(), Problem> {
        let mut demand = Demand::default();
        loop {
            match inbox.next(demand) {
                Piece::Segment(segment) => {
                    self.buffering();
                    demand.number = Some(segment.number + 1);
                    if self.segment(*segment)? == Flow::Over {
                        return Ok(());
                    }
                }
                Piece::Gap(gap) => {
                    demand.number = Some(gap.next);
                    if self.gap(*gap)? == Flow::Over {
                        return Ok(());
                    }
                }
                Piece::File(source) => {
                    self.buffering();
                    return self.file(source);
                }
                Piece::End => return self.end(),
                Piece::Failed(problem) => return Err(problem),
            }
        }
    }

    fn buffering(&mut self) {
        if self.codec.is_none() {
            self.events.send(Event::State(State::Buffering));
        }
    }

    fn segment(&mut self, segment: Segment) -> Result<Flow, Problem> {
        let name = format!("cannot play segment {} ({})", segment.number, segment.url);
        let named = |problem: Problem| match problem.kind {
            Kind::Malformed | Kind::Unsupported | Kind::Encryption | Kind::NotAStream => {
                problem.during(name.clone())
            }
            _ => problem,
        };
        let Segment {
            init,
            media,
            cipher,
            anchor,
            wire,
            number,
            variant,
            url,
            start,
            duration,
            bit_rate,
            ends_run,
            ..
        } = segment;
        self.lane.window = Window {
            from: segment.from,
            until: segment.until,
        };
        self.stats.begin(Stage::Probe);
        let media = decrypt::open(media, cipher, Part::Segment).map_err(named)?;
        let init = init.map(|init| self.init(init)).transpose();
        let init = init.map_err(named)?;
        self.announce(variant, bit_rate);
        let mut join = self.join(variant, segment.discontinuity, anchor, start, duration);
        let near = self.near(join, start, init.as_deref());
        let mut stream = self
            .enter(init.as_deref(), media, start, near)
            .map_err(named)?;
        if self.fit(stream.track()).map_err(named)? {
            join = join.with_another_codec(duration);
        }
        let edit = stream.track().edit.start;
        self.stats.end(Stage::Probe);
        self.stats.begin(Stage::FirstPacket);
        let (mut flow, mut titles) = (Flow::On, Some(segment.titles));
        while flow == Flow::On {
            let Some(unit) = stream.next_unit().map_err(named)? else {
                break;
            };
            let first = unit.start;
            self.join_at(&mut join, first, edit)?;
            flow = self.unit(&unit, ends_run, bit_rate).map_err(named)?;
            if let Some(titles) = titles.take() {
                self.announce_titles(&titles, stream::presentation_zero(first, edit));
            }
            for (at, title) in stream.take_titles() {
                let at = self.lane.placement.position(at - edit);
                self.titles.announce(at, &title);
            }
            self.tell_titles();
        }
        if titles.is_some() {
            return Err(named(no_sound()));
        }
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

    /// The demuxer of a segment that is expected `near` a media time. Where its
    /// own bytes have no time, it goes on by count.
    fn enter(
        &self,
        init: Option<&fmp4::Init>,
        media: Box<dyn Source>,
        start: MediaTime,
        near: Option<MediaTime>,
    ) -> Result<Stream, Problem> {
        Stream::open(init, media, near.unwrap_or(start), near, &self.stats)
    }

    /// The media time at which a segment is expected to begin.
    fn near(&self, join: Join, start: MediaTime, init: Option<&fmp4::Init>) -> Option<MediaTime> {
        let before = self.codec.as_ref().map(|codec| &codec.track);
        let edit = init.map(fmp4::Init::track).or(before);
        let edit = edit.map_or(MediaTime::ZERO, |track| track.edit.start);
        Some(join.expected(start, &self.lane.placement)? + edit)
    }

    fn init(&mut self, init: Init) -> Result<Arc<fmp4::Init>, Problem> {
        if let Some((id, parsed)) = &self.init
            && *id == init.id
        {
            return Ok(Arc::clone(parsed));
        }
        let bytes = decrypt::open(init.bytes, init.cipher, Part::Init)?;
        let parsed = Arc::new(fmp4::Init::read(bytes, Arc::clone(&self.stats))?);
        self.init = Some((init.id, Arc::clone(&parsed)));
        Ok(parsed)
    }

    /// Keeps the decoder while the configuration stays, so that its overlap
    /// carries over the join; builds a new one when it changed, and says so.
    fn fit(&mut self, track: &Track) -> Result<bool, Problem> {
        match &mut self.codec {
            Some(codec) if codec.track.same_codec(track) => {
                codec.track = track.clone();
                Ok(false)
            }
            before => {
                let is_changed = before.is_some();
                self.lane.drop_tail();
                let decoder = Decoder::new(track)?;
                let bits = decoder.bits();
                *before = Some(Codec {
                    decoder,
                    track: track.clone(),
                    bits,
                });
                Ok(is_changed)
            }
        }
    }

    fn announce(&self, variant: usize, bandwidth: BitRate) {
        if self.variant != Some(variant) {
            self.stats.lists().variant = Some(variant);
            self.events.send(Event::Variant { variant, bandwidth });
        }
    }

    /// How this segment's first unit is placed.
    fn join(
        &mut self,
        variant: usize,
        discontinuity: bool,
        anchor: Option<Anchor>,
        start: MediaTime,
        limit: MediaTime,
    ) -> Join {
        let before = self.variant.replace(variant);
        let switched = before.is_some_and(|before| before != variant);
        let severed = std::mem::take(&mut self.is_severed) || discontinuity;
        if severed && self.lane.placement.end().is_some() {
            return Join::Splice;
        }
        if self.lane.placement.needs_base() {
            let init = self.init.as_ref().map(|(_, init)| init);
            // Without the first segment the playlist's own sum has to do.
            let zero = anchor.and_then(|anchor| {
                let bytes = decrypt::open(anchor.bytes, anchor.cipher, Part::Segment).ok()?;
                stream::first_time(init.map(Arc::as_ref), bytes, &self.stats).ok()
            });
            return zero.map_or(Join::Begin { start }, |zero| Join::Known { zero });
        }
        if switched {
            return Join::Switch { limit };
        }
        Join::Next
    }

    /// Silence in place of a segment that is not there.
    fn gap(&mut self, gap: Gap) -> Result<Flow, Problem> {
        self.lane.window = Window {
            from: gap.from,
            until: gap.until,
        };
        self.events.send(Event::Gap {
            number: gap.number,
            position: self.lane.placement.end().unwrap_or(gap.start),
            duration: gap.duration,
            is_lost: gap.loss.is_some(),
        });
        self.is_severed |= gap.discontinuity;
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
        self.lane.gap(label, gap.start, gap.duration)
    }

    /// The stream is over: the silence of a last gap is made.
    fn end(&mut self) -> Result<(), Problem> {
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

    fn tell_titles(&mut self) {
        let now = self.lane.placement.next().unwrap_or_default();
        for (title, position) in self.titles.heard(now, self.lane.window.from) {
            self.events.send(Event::Title { title, position });
        }
    }

    fn unit(
        &mut self,
        unit: &Unit<'_>,
        may_be_last: bool,
        bit_rate: BitRate,
    ) -> Result<Flow, Problem> {
        let codec = self
            .codec
            .as_mut()
            .expect("fit() made a decoder before the first unit");
        let times = Times::of(unit, codec.track.edit);
        let begun = Instant::now();
        let decoded = codec.decoder.decode(unit);
        self.stats.decode_busy_ns.add(nanos(begun));
        match decoded {
            Decoded::Frames(block) => {
                let format = Format {
                    spec: block.spec,
                    codec: codec.track.codec,
                    bits: codec.bits,
                };
                self.bad_in_a_row = 0;
                let time = block.frames().time(block.spec.rate);
                let lasted = u64::try_from(time.nanos()).unwrap_or(0);
                self.stats.frames_decoded.add(block.frames().0);
                self.stats.media_decoded_ns.add(lasted);
                self.stats
                    .bits_played
                    .add((bit_rate.0 as f64 * time.seconds()) as u64);
                self.lane.place(times, block, format, may_be_last)
            }
            Decoded::Nothing => Ok(Flow::On),
            Decoded::Bad(reason) => self.bad_unit(times, reason),
        }
    }

    /// Silence in place of a broken unit; a run of them ends the stream.
    fn bad_unit(&mut self, times: Times, reason: String) -> Result<Flow, Problem> {
        self.stats.decode_errors.add(1);
        self.bad_in_a_row += 1;
        let what = "cannot decode the stream";
        let problem = Problem::new(Kind::Malformed, what, reason, "try another variant with -Q");
        if self.bad_in_a_row >= limits::BAD_UNITS_IN_A_ROW {
            return Err(problem);
        }
        tracing::warn!("{problem}");
        self.lane.conceal(times)
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

fn checksum(mut wire: Box<dyn Source>) -> Result<[u8; 32], Problem> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let broken = |error| {
        Problem::from_io(
            error,
            Kind::Cache,
            "cannot read the segment again",
            "try again",
        )
    };
    loop {
        match wire.read(&mut buffer).map_err(broken)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn nanos(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
