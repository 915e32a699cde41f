//! The flags of `simulate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::parts::{Deciding, Json, Liking};
use crate::cli::values;
use crate::location::Location;
use crate::units::MediaTime;

/// Flags of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Address or local path of an HLS stream
    ///
    /// Its playlists are read, no media is: the sizes of segments are those that are listed or
    /// stored, or that the server says when it is asked (HEAD), else what the bandwidth makes of
    /// their length.
    #[arg(value_name = "URL", value_parser = Location::parse)]
    pub url: Option<Location>,
    /// The stream from a file: variants and the sizes of their segments, as JSON
    #[arg(long, env = "KITHARA_LADDER", value_name = "FILE")]
    pub ladder: Option<PathBuf>,
    /// The network: lines of seconds, kbit/s and round trip in milliseconds
    #[arg(long, env = "KITHARA_TRACE", value_name = "FILE")]
    pub trace: PathBuf,
    /// The most media ahead of the sound
    #[arg(long, env = "KITHARA_MAX_BUFFER", value_name = "DUR")]
    #[arg(default_value = "300", value_parser = values::length)]
    pub max_buffer: MediaTime,
    /// How much must be there before the first sound
    #[arg(long, env = "KITHARA_STARTUP", value_name = "DUR")]
    #[arg(default_value = "0.5", value_parser = values::length)]
    pub startup: MediaTime,
    /// How much must be there before the sound goes on after a stall
    #[arg(long, env = "KITHARA_RESUME", value_name = "DUR")]
    #[arg(default_value = "0.5", value_parser = values::length)]
    pub resume: MediaTime,
    /// How much of a segment can be played at once
    #[arg(long, env = "KITHARA_PART", value_name = "DUR", default_value = "0.5")]
    #[arg(value_parser = values::length)]
    pub part: MediaTime,
    /// Requests under way at once
    #[arg(long, env = "KITHARA_IN_FLIGHT", value_name = "COUNT")]
    #[arg(default_value = "2", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub in_flight: u8,
    /// Play it as a live stream, this many segments behind its edge
    #[arg(long, env = "KITHARA_LIVE", value_name = "SEGMENTS")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..))]
    pub live: Option<u8>,
    /// What is in the cache already: variant:first-last, and more after commas
    #[arg(long, env = "KITHARA_CACHED", value_name = "V:A-B")]
    #[arg(value_delimiter = ',', value_parser = values::cached)]
    pub cached: Vec<[usize; 3]>,
    /// What is remembered of this network, in kbit/s
    #[arg(long, env = "KITHARA_PRIOR", value_name = "KBPS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub prior: Option<u32>,
    /// Who decides.
    #[command(flatten)]
    pub deciding: Deciding,
    /// Write the ladder to a file, for --ladder
    #[arg(long, env = "KITHARA_DUMP_LADDER", value_name = "FILE")]
    pub dump_ladder: Option<PathBuf>,
    /// Write every request to a file, or with - to standard output
    #[arg(long, env = "KITHARA_LOG", value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Which variants of the stream at URL.
    #[command(flatten)]
    pub liking: Liking,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
}
