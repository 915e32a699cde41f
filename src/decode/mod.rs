//! The decode thread: takes pieces of a stream as they arrive, makes frames and
//! gives them to a sink. Runs demuxer, codec, placement, remap and resampler.
//! Commanded by the bell's stop and by what its inbox brings; waits only on the
//! bell (bytes, pieces) and inside the sink. Never opens a file or a socket.

pub mod adts;
pub mod codec;
mod crossfade;
pub mod decrypt;
pub mod file;
pub mod fmp4;
mod guess;
pub mod id3;
pub mod inbox;
mod join;
pub mod lane;
pub mod latm;
mod mixer;
pub mod mpeg;
mod onward;
pub mod outlet;
pub mod packed;
pub mod placement;
mod radio;
pub mod remap;
pub mod resample;
mod seek;
mod segments;
pub mod stream;
mod switch;
pub mod ticks;
pub mod titles;
pub mod ts;
pub mod unit;
mod voice;
mod warmup;
mod whole_file;
pub mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::bell::helm::Helm;
use crate::decode::codec::{Decoded, Decoder};
use crate::decode::inbox::Inbox;
use crate::decode::lane::{Flow, Lane, Times};
use crate::decode::outlet::Outlet;
use crate::decode::stream::Tail;
use crate::decode::titles::Titles;
use crate::decode::unit::{Track, Unit};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, State};
use crate::limits;
use crate::media::{Demand, Format, Piece, Sink, Source, Start};
use crate::stats::Stats;
use crate::units::{BitRate, MediaTime};

/// What part of a file is wanted; for HLS the net side says it with each segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Where to begin.
    pub start: Option<Start>,
    /// How much, in time of the source.
    pub length: Option<MediaTime>,
}

/// Decodes what `inbox` brings into `sink` until the end, a failure or a stop;
/// where `helm` says so it goes on elsewhere.
///
/// The sink is finished in every case, so that what was decoded is kept.
///
/// # Errors
///
/// The problem of the stream, of a codec, or of the sink, whichever came first.
pub fn run(
    inbox: &mut Inbox,
    sink: &mut dyn Sink,
    helm: &Helm,
    wanted: Wanted,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(), Problem> {
    let mut decoding = Decoding {
        lane: Lane::new(Outlet::new(sink, stats, events), stats),
        stats: Arc::clone(stats),
        events: events.clone(),
        helm,
        demand: Demand::default(),
        sought: None,
        is_landing: false,
        zeros: BTreeMap::new(),
        wanted,
        codec: None,
        variant: None,
        heard: None,
        is_beyond: false,
        begun: None,
        is_broken: false,
        init: None,
        tail: None,
        is_severed: false,
        loss: None,
        titles: Titles::default(),
        bad_in_a_row: 0,
    };
    let result = loop {
        let result = decoding.until_end(inbox);
        // Whatever ended it, the listener wants something else.
        match helm.take() {
            Some(seek) => decoding.seek(seek),
            None => break result,
        }
    };
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
    helm: &'a Helm,
    /// What is wanted next.
    demand: Demand,
    /// The place that was sought, until the first piece of it is here.
    sought: Option<MediaTime>,
    /// What comes next is not the continuation of what was heard.
    is_landing: bool,
    /// Presentation zero of each run that was heard, on its media timeline.
    zeros: BTreeMap<u64, MediaTime>,
    wanted: Wanted,
    codec: Option<Codec>,
    /// What was announced last.
    variant: Option<usize>,
    /// What the decoder was heard with last.
    heard: Option<usize>,
    /// The decoder has gone on over the end of what was heard.
    is_beyond: bool,
    /// Where the segment began that is being heard, or was given up half-way.
    begun: Option<MediaTime>,
    /// The last segment was given up half-way.
    is_broken: bool,
    init: Option<(u64, Arc<stream::Init>)>,
    /// What the segment before left unfinished.
    tail: Option<Tail>,
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
    /// It has decoded something.
    is_used: bool,
}

impl Decoding<'_> {
    /// Everything up to the end, and what was held on the way. The sink is
    /// finished unless the listener wants another place.
    fn until_end(&mut self, inbox: &mut Inbox) -> Result<(), Problem> {
        let decoded = self.all(inbox);
        if self.helm.is_turned() {
            return decoded;
        }
        let finished = self.lane.finish();
        decoded.and(finished)
    }

    fn all(&mut self, inbox: &mut Inbox) -> Result<(), Problem> {
        loop {
            match inbox.next(self.demand) {
                Piece::Segment(segment) => {
                    self.buffering();
                    let number = segment.number;
                    if self.segment(*segment)? == Flow::Over {
                        return Ok(());
                    }
                    self.want_behind(number);
                }
                Piece::Gap(gap) => {
                    self.want((gap.next, 0));
                    if self.gap(*gap)? == Flow::Over {
                        return Ok(());
                    }
                }
                Piece::File(mut source) => {
                    self.buffering();
                    let Some(link) = source.link.take() else {
                        return self.file(source);
                    };
                    let number = link.number;
                    if self.link(source, link)? == Flow::Over {
                        return Ok(());
                    }
                    self.want_behind(number);
                }
                Piece::End { .. } => return self.end(),
                Piece::Failed(problem) => return Err(problem),
            }
        }
    }

    /// What follows on the piece `number`, or what is left of it.
    fn want_behind(&mut self, number: u64) {
        let is_broken = std::mem::take(&mut self.is_broken);
        self.want(match is_broken {
            true => (number, self.demand.again.saturating_add(1)),
            false => (number + 1, 0),
        });
    }

    fn want(&mut self, (number, again): (u64, u32)) {
        self.demand.number = Some(number);
        self.demand.again = again;
    }

    fn buffering(&mut self) {
        if self.codec.is_none() {
            self.events.send(Event::State(State::Buffering));
        }
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
                    is_used: false,
                });
                Ok(is_changed)
            }
        }
    }

    fn unit(
        &mut self,
        unit: &Unit<'_>,
        may_be_last: bool,
        bit_rate: BitRate,
    ) -> Result<Flow, Problem> {
        if self.helm.is_turned() {
            return Err(Problem::sought());
        }
        self.lane.set_speed(self.helm.speed())?;
        let codec = self
            .codec
            .as_mut()
            .expect("fit() made a decoder before the first unit");
        let times = Times::of(unit, codec.track.edit);
        let begun = Instant::now();
        codec.is_used = true;
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
                let warms = match self.lane.is_turning() {
                    true => warmup::time(format.codec, &block, unit.data.len()),
                    false => MediaTime::ZERO,
                };
                self.lane.place(times, block, format, may_be_last, warms)
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

#[cfg(test)]
mod tests;
