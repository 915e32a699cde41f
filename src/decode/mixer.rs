//! The last frames before the sink, all at its rate and channels: held back for
//! a moment, so that another rendering of the same sound can take over from
//! them, and numbered, so that none is lost or given twice.

use crate::decode::crossfade::{self, Crossfade};
use crate::decode::guess;
use crate::error::Problem;
use crate::units::Spec;

/// At the very beginning nothing is held back: the first sound must not wait.
const EAGER_MILLIS: u32 = 250;
/// What is remembered of the sound, to guess how it goes on.
const PAST_MILLIS: u32 = 45;
/// A guess is worth nothing for longer than this.
const GUESS_MILLIS: u32 = 130;

/// Where frames of several renderings become one row.
pub struct Mixer {
    channels: usize,
    /// Frames of a cross-fade.
    length: i64,
    eager: i64,
    past: i64,
    guess: i64,
    /// The last frames: some were given to the sink.
    held: Vec<f32>,
    /// Samples of them that were.
    written: usize,
    /// The number of the frame that comes behind them.
    next: i64,
    /// Frames of the old rendering from where it ends to be heard, and the
    /// number of the first.
    beyond: Vec<f32>,
    /// Of the old rendering's last frames these lack what would have followed.
    torn: i64,
    turn: Option<Crossfade>,
}

impl Mixer {
    /// Nothing came yet; the first frame has number 0.
    pub fn new(spec: Spec) -> Self {
        let frames = |millis: u32| i64::from(spec.rate.hertz() / 1000 * millis);
        let (channels, length) = (spec.channels.count(), frames(crossfade::MILLIS));
        Self {
            channels,
            length,
            eager: frames(EAGER_MILLIS),
            past: frames(PAST_MILLIS),
            guess: frames(GUESS_MILLIS),
            held: Vec::new(),
            written: 0,
            next: 0,
            beyond: Vec::new(),
            torn: 0,
            turn: None,
        }
    }

    /// Takes the next frames of what is heard, of which the first has number
    /// `first`, and gives what is certain to `write`.
    pub fn push(
        &mut self,
        first: i64,
        mut block: &[f32],
        write: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        if block.is_empty() {
            return Ok(());
        }
        self.bridge(first);
        let early = self.samples(self.next - first).min(block.len());
        block = &block[early..];
        let here = self.held.len();
        self.held.extend_from_slice(block);
        if let Some(turn) = &self.turn {
            turn.apply(self.next, &mut self.held[here..], self.channels);
        }
        self.next += self.frames(block.len());
        self.turn.take_if(|turn| turn.end() <= self.next);
        let kept = match self.next < self.eager {
            true => 0,
            false => self.samples(self.length),
        };
        self.release(kept, write)
    }

    /// Takes frames of the rendering that was heard, from beyond its end.
    pub fn keep(&mut self, block: &[f32]) {
        self.beyond.extend_from_slice(block);
    }

    /// Another rendering takes over: what is held and what lies beyond `end` of
    /// the old one. Until [`Mixer::plan`] says better, it does so at `end`. The
    /// last `torn` frames of the old one lack what would have followed.
    pub fn turn(&mut self, end: i64, torn: i64) {
        self.torn = if self.beyond.is_empty() { torn } else { 0 };
        let reached = self.next;
        let mut old = self.held.split_off(self.written);
        self.next -= self.frames(old.len());
        match &self.turn {
            // The rendering since then did not come to be heard: the older one goes on.
            Some(turn) => old.extend_from_slice(turn.part(reached, i64::MAX, self.channels)),
            None => old.append(&mut self.beyond),
        }
        self.beyond.clear();
        self.turn = Some(Crossfade::cut(old, self.next, end));
    }

    /// The new rendering begins with frame `first`, and is right from frame
    /// `wish` on. Where the old one ends before that, it is guessed how it would
    /// have gone on: a fade from a guess is heard less than a wrong unit, and
    /// far less than silence.
    pub fn plan(&mut self, wish: i64, first: i64) {
        let (channels, length) = (self.channels, self.length);
        let Some(turn) = &mut self.turn else { return };
        let end = turn.old_end(channels);
        if wish > end {
            turn.shorten(self.torn, channels);
            let whole = turn.old_end(channels);
            let past = [&self.held[..], turn.part(self.next, whole, channels)].concat();
            let missing = (wish + length - whole).min(self.guess);
            let missing = usize::try_from(missing).unwrap_or(0);
            turn.extend(&guess::onward(&past, channels, missing));
        }
        turn.plan(wish, first, length, channels);
    }

    /// The last frame with which a new rendering may begin, so that no frame is
    /// missing and there is enough left to fade.
    pub fn latest(&self) -> i64 {
        let faded = |turn: &Crossfade| turn.old_end(self.channels) - self.length;
        self.turn.as_ref().map_or(self.next, faded).max(self.next)
    }

    /// Nothing more comes: all frames before `end` are given.
    pub fn finish(
        &mut self,
        end: i64,
        write: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.bridge(end);
        self.release(0, write)
    }

    /// Fills what is missing before frame `first` with the old rendering, or
    /// with silence.
    fn bridge(&mut self, first: i64) {
        if first <= self.next {
            return;
        }
        let old = self.turn.as_ref();
        let old = old.map_or(&[][..], |turn| turn.part(self.next, first, self.channels));
        let end = self.held.len() + self.samples(first - self.next);
        self.held.extend_from_slice(old);
        self.held.resize(end, 0.0);
        self.next = first;
    }

    /// Gives all but `kept` samples.
    fn release(
        &mut self,
        kept: usize,
        write: &mut dyn FnMut(&[f32]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let ready = self.held.len().saturating_sub(kept);
        if ready <= self.written {
            return Ok(());
        }
        let written = write(&self.held[self.written..ready]);
        let old = ready.saturating_sub(self.samples(self.past));
        self.held.drain(..old);
        self.written = ready - old;
        written
    }

    /// The first frames of `block`, and the rest.
    pub fn split<'a>(&self, block: &'a [f32], frames: i64) -> (&'a [f32], &'a [f32]) {
        block.split_at(self.samples(frames).min(block.len()))
    }

    /// Frames that are held and were not given yet.
    pub fn waiting(&self) -> u64 {
        ((self.held.len() - self.written) / self.channels) as u64
    }

    /// Frames as samples; none for a negative count.
    fn samples(&self, frames: i64) -> usize {
        usize::try_from(frames)
            .unwrap_or(0)
            .saturating_mul(self.channels)
    }

    fn frames(&self, samples: usize) -> i64 {
        i64::try_from(samples / self.channels).unwrap_or(i64::MAX)
    }
}
