//! Flags that several commands share, and the words that stand for values of
//! theirs.

use std::env;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::values;
use crate::error::{Kind, Problem};
use crate::pipeline::{Algorithm, Edge, Quality, Sample, Start, Tag, Taste, Wish};
use crate::units::MediaTime;

/// Which part of a stream.
#[derive(Clone, Copy, Debug, Args)]
pub struct Part {
    /// Where to begin: 90, 1:30, or -30 for 30 seconds before the end
    #[arg(long, env = "KITHARA_START", value_name = "POS")]
    #[arg(allow_hyphen_values = true, value_parser = values::position)]
    pub start: Option<Start>,
    /// How much: 90, 1:30, 5m or 250ms
    #[arg(long, env = "KITHARA_LENGTH", value_name = "DUR", value_parser = values::length)]
    pub length: Option<MediaTime>,
}

/// Which variant and rendition.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Which variant: auto, best, worst, a number, or a limit like "<=256k"
    ///
    /// auto follows the throughput and is what play, stats and info do; best is what dump and
    /// cache do. The numbers are those "kithara info" lists.
    #[arg(
        short = 'Q',
        long = "quality",
        env = "KITHARA_QUALITY",
        value_name = "WHICH"
    )]
    #[arg(value_parser = values::quality)]
    pub quality: Option<Quality>,
    /// Which of them at all.
    #[command(flatten)]
    pub liking: Liking,
}

/// Which variants and renditions are liked.
#[derive(Clone, Debug, Args)]
pub struct Liking {
    /// Which language, best first: de, en-US, or a list of them
    ///
    /// Of the audio renditions of an HLS stream; en answers en-US, and en-US is answered by en.
    /// Without it, and where none of them is offered, the publisher's default plays.
    #[arg(long, env = "KITHARA_LANGUAGE", value_name = "TAGS")]
    #[arg(value_delimiter = ',', value_parser = values::language)]
    pub language: Vec<Tag>,
    /// Which codecs are allowed, best first: flac, aac, mp3, opus, mp4a.40.2
    ///
    /// Of the variants of an HLS stream. Where the playlist names no codec, it is tried. When none
    /// of them is offered, the exit code is 5.
    #[arg(long, env = "KITHARA_CODEC", value_name = "LIST")]
    #[arg(value_delimiter = ',', value_parser = values::codec)]
    pub codec: Vec<Wish>,
}

impl Choice {
    /// As [`Liking::taste`].
    pub fn taste(&self) -> Taste {
        self.liking.taste()
    }
}

impl Liking {
    /// What the user likes, on the command line and in the environment.
    pub fn taste(&self) -> Taste {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        // In the order of POSIX.1-2017, XBD section 8.2.
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        Taste {
            languages: self.language.clone(),
            codecs: self.codec.clone(),
            locale: locale.and_then(|locale| Tag::of_locale(&locale)),
        }
    }
}

/// How far to fetch ahead.
#[derive(Clone, Copy, Debug, Args)]
pub struct Ahead {
    /// How far to fetch ahead of the sound, on disk; without it 5 minutes
    #[arg(long, env = "KITHARA_BUFFER", value_name = "DUR", value_parser = values::length)]
    pub buffer: Option<MediaTime>,
}

/// Where to begin in a live stream.
#[derive(Clone, Copy, Debug, Args)]
pub struct Live {
    /// How far behind the end of a live stream to begin; without it what the stream asks for
    ///
    /// After a stall play and stats jump forward until they are that near again.
    #[arg(long, env = "KITHARA_LIVE_EDGE", value_name = "SECS", value_parser = values::length)]
    pub live_edge: Option<MediaTime>,
    /// Begin a live stream with the oldest segment there is
    #[arg(long, env = "KITHARA_LIVE_START", value_parser = FalseyValueParser::new())]
    pub live_start: bool,
}

impl Live {
    /// Both flags as one value.
    ///
    /// # Errors
    ///
    /// Both at once.
    pub fn edge(self) -> Result<Edge, Problem> {
        match (self.live_edge, self.live_start) {
            (None, false) => Ok(Edge::Usual),
            (Some(distance), false) => Ok(Edge::Behind(distance)),
            (None, true) => Ok(Edge::Oldest),
            (Some(_), true) => Err(Problem::new(
                Kind::Arguments,
                "cannot use --live-edge with --live-start",
                "they name two places to begin",
                "leave one of them out",
            )),
        }
    }
}

/// Output for programs.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Write JSON to standard output, for programs
    ///
    /// play, dump and cache write one object a line for each event, the summary last (on standard
    /// error when the samples go to standard output); the others write one object.
    #[arg(long, env = "KITHARA_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

/// A record of requests and decisions.
#[derive(Clone, Debug, Args)]
pub struct Trace {
    /// Write every request and every choice of variant as JSON lines into this file
    #[arg(long, env = "KITHARA_TRACE_OUT", value_name = "FILE")]
    pub trace_out: Option<PathBuf>,
}

/// Where `play` sends its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ao {
    /// The sound card
    Default,
    /// Nowhere, at the pace of the clock
    Null,
}

/// How `dump` writes samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SampleName {
    /// 16 bits
    S16,
    /// 24 bits
    S24,
    /// 32-bit floating point
    F32,
}

impl From<SampleName> for Sample {
    fn from(name: SampleName) -> Self {
        match name {
            SampleName::S16 => Self::S16,
            SampleName::S24 => Self::S24,
            SampleName::F32 => Self::F32,
        }
    }
}

/// Who decides about variants.
#[derive(Clone, Copy, Debug, Args)]
pub struct Deciding {
    /// Who chooses variants: kithara's own controller, or a plain one to compare it with
    ///
    /// throughput takes the highest that the last seconds would have carried, buffer the higher the
    /// more is ahead; neither gives a request up or fetches anything again.
    #[arg(
        long,
        env = "KITHARA_ALGORITHM",
        value_name = "NAME",
        default_value = "default"
    )]
    pub algorithm: AlgorithmName,
}

/// The controllers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmName {
    /// Kithara's own
    Default,
    /// By the rate alone
    Throughput,
    /// By the buffer alone
    Buffer,
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::Default => Self::Default,
            AlgorithmName::Throughput => Self::Throughput,
            AlgorithmName::Buffer => Self::Buffer,
        }
    }
}
