//! The flags: one definition, from which help, man page and completions are
//! made. Words become values here, once; what the values mean is decided in
//! the file of each command.

mod simulate;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use self::simulate::Simulate;
use super::global::Global;
use super::parts::{Ahead, Ao, Choice, Deciding, Json, Live, Part, SampleName, Trace};
use super::urls::{self, Address};
use super::values;
use crate::location::Location;
use crate::pipeline::Start;
use crate::units::{ChannelCount, MediaTime, SampleRate, Speed};

const EXAMPLES: &str = "\
Examples:
  kithara play https://example.org/master.m3u8
  kithara cache https://example.org/album.m3u8
  kithara play --offline https://example.org/album.m3u8
  kithara dump https://example.org/song.flac -o song.wav
  kithara stats --length 1m https://example.org/master.m3u8
  kithara info https://example.org/master.m3u8
  kithara devices
  kithara completions bash > ~/.local/share/bash-completion/completions/kithara
  kithara man | man -l -

Every flag can also be set in the environment: --cache-dir is KITHARA_CACHE_DIR.
Exit codes: 0 done, 1 a bug, 2 arguments, 3 network, 4 refused by the server, 5 media,
6 audio output, 7 disk, 8 stopped for safety, 9 not in the cache.";

/// Play, cache, dump and measure HLS streams and audio files
///
/// A URL goes in, sound (or a WAV file, or a filled cache, or a report) comes out. A URL is an
/// http:// or https:// address, a file:// address or a local path; what it holds is recognised by
/// content, never by name. A list of addresses (.m3u that is not HLS, .pls, .xspf) stands for its
/// entries. Standard output carries data only, everything else goes to standard error.
#[derive(Debug, Parser)]
#[command(name = "kithara", bin_name = "kithara", version, max_term_width = 100)]
#[command(after_help = "Examples and longer texts: kithara --help, kithara COMMAND --help")]
#[command(after_long_help = EXAMPLES)]
pub struct Line {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play streams, one after another
    #[command(
        after_long_help = "Example: kithara play --start 1:30 --volume 60 https://example.org/master.m3u8"
    )]
    Play(Play),
    /// Download streams so that they play offline, and look after what is stored
    ///
    /// "kithara cache URL..." is short for "kithara cache add URL...". A stored stream plays and
    /// dumps with --offline. A live stream is recorded, until --length is reached, it ends or
    /// Ctrl-C is pressed; what was recorded plays with --offline from its beginning.
    #[command(
        subcommand_negates_reqs = true,
        subcommand_value_name = "VERB",
        subcommand_help_heading = "Verbs",
        override_usage = "kithara cache [OPTIONS] <URL>...\n       kithara cache <VERB> ...",
        after_long_help = "Example: kithara cache -j 4 https://example.org/album.m3u8"
    )]
    Cache(Cache),
    /// Decode a stream into a WAV file, as fast as the machine can
    #[command(
        after_long_help = "Example: kithara dump -Q best --start 10 --length 30 https://example.org/song.flac -o part.wav"
    )]
    Dump(Dump),
    /// Run a stream in real time without sound and report what happened
    #[command(after_long_help = "Example: kithara stats --json https://example.org/master.m3u8")]
    Stats(Stats),
    /// Say what a stream is: variants, codecs, duration, which variant would play
    #[command(after_long_help = "Example: kithara info --probe https://example.org/master.m3u8")]
    Info(Info),
    /// Run the decisions of playback over a network trace, in virtual time
    ///
    /// The variant of each segment, what is given up and what is fetched again are decided by what
    /// decides in "kithara play"; the network is made of the trace, and the clock is no clock: the
    /// same files give the same bytes.
    #[command(
        after_long_help = "Example: kithara simulate --trace tunnel.txt https://example.org/master.m3u8"
    )]
    Simulate(Simulate),
    /// List the audio outputs
    #[command(after_long_help = "Example: kithara devices --json")]
    Devices(Devices),
    /// Print a completion script for a shell
    #[command(after_long_help = "Example: kithara completions zsh > ~/.zfunc/_kithara")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_long_help = "Example: kithara man | man -l -")]
    Man,
}

/// Flags of `play`.
#[derive(Debug, Args)]
pub struct Play {
    /// Addresses or local paths; - reads them from standard input
    ///
    /// A list of addresses (.m3u, .pls, .xspf) is played entry by entry. On standard input one a
    /// line; blank lines and those that begin with # are left out. The end is the worst of them
    /// all.
    #[arg(value_name = "URL", required = true, value_parser = urls::parse)]
    pub urls: Vec<Address>,
    /// Begin again when everything was played, until q
    #[arg(long, env = "KITHARA_LOOP", value_parser = FalseyValueParser::new())]
    pub r#loop: bool,
    /// Which part.
    #[command(flatten)]
    pub part: Part,
    /// Which variant.
    #[command(flatten)]
    pub choice: Choice,
    /// How far ahead.
    #[command(flatten)]
    pub ahead: Ahead,
    /// Loudness in per cent
    #[arg(long, env = "KITHARA_VOLUME", value_name = "0-100")]
    #[arg(default_value = "100", value_parser = values::volume)]
    pub volume: u8,
    /// How many times its own pace; the pitch follows
    #[arg(long, env = "KITHARA_SPEED", value_name = "0.5-2")]
    #[arg(default_value = "1", value_parser = values::speed)]
    pub speed: Speed,
    /// Where the sound goes
    #[arg(long, env = "KITHARA_AO", value_name = "OUTPUT")]
    #[arg(default_value = "default")]
    pub ao: Ao,
    /// The audio output, by its name in "kithara devices"
    #[arg(long, env = "KITHARA_DEVICE", value_name = "NAME")]
    pub device: Option<String>,
    /// Where in a live stream.
    #[command(flatten)]
    pub live: Live,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
    /// A record.
    #[command(flatten)]
    pub trace: Trace,
}

/// Flags of `cache`, and its verbs.
#[derive(Debug, Args)]
pub struct Cache {
    /// What to do instead of downloading.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Downloading.
    #[command(flatten)]
    pub add: Add,
}

/// Flags of `cache URL` and `cache add URL`.
#[derive(Debug, Args)]
pub struct Add {
    /// Addresses; - reads them from standard input
    ///
    /// One a line; blank lines and those that begin with # are left out. The end is the worst of
    /// them all.
    #[arg(value_name = "URL", required = true, value_parser = urls::parse)]
    pub urls: Vec<Address>,
    /// Downloads at a time
    #[arg(short, long, env = "KITHARA_JOBS", value_name = "N")]
    #[arg(default_value = "8", value_parser = values::jobs)]
    pub jobs: usize,
    /// Which part.
    #[command(flatten)]
    pub part: Part,
    /// Which variant.
    #[command(flatten)]
    pub choice: Choice,
    /// Where in a live stream.
    #[command(flatten)]
    pub live: Live,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
}

/// What `cache` does beside downloading.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Download streams (the same as "kithara cache URL...")
    #[command(after_long_help = "Example: kithara cache add https://example.org/album.m3u8")]
    Add(Add),
    /// List the stored streams
    ///
    /// Size, state, length, last use and address, the stream used last first. "complete" plays
    /// without a network from its beginning to its end, "recorded" is what was recorded of a live
    /// stream, and of others a part is stored: in per cent.
    #[command(after_long_help = "Example: kithara cache ls --json")]
    Ls(Json),
    /// Remove stored streams
    ///
    /// One that is not stored is only told: what was asked for is the case.
    #[command(after_long_help = "Example: kithara cache rm https://example.org/album.m3u8")]
    Rm {
        /// Their addresses
        #[arg(value_name = "URL", required = true, value_parser = Location::parse)]
        urls: Vec<Location>,
    },
    /// Remove the least recently used streams until the limit is kept
    #[command(after_long_help = "Example: kithara cache gc --cache-size 500M")]
    Gc,
    /// Check every stored byte
    ///
    /// Reads everything and compares it with its checksums. Exit code 7 when something is damaged
    /// and stays so.
    #[command(after_long_help = "Example: kithara cache verify --repair")]
    Verify {
        /// Remove what is damaged; it is downloaded again when it is needed
        #[arg(long, env = "KITHARA_REPAIR", value_parser = FalseyValueParser::new())]
        repair: bool,
    },
    /// Write a stored stream as plain files that play anywhere
    ///
    /// Of an HLS stream a folder to play from its index.m3u8: segments, init sections, keys, and
    /// the playlists of every variant that is stored in full. Of a file that file. What is missing
    /// in the cache is not fetched: exit code 9.
    #[command(
        after_long_help = "Example: kithara cache export https://example.org/album.m3u8 album && ffplay album/index.m3u8"
    )]
    Export {
        /// Its address
        #[arg(value_name = "URL", value_parser = Location::parse)]
        url: Location,
        /// The folder to write; a new or an empty one
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Write into a folder that is not empty, over files of the same names
        #[arg(short, long, env = "KITHARA_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
    },
    /// Print the folder of the cache
    #[command(after_long_help = "Example: du -sh \"$(kithara cache path)\"")]
    Path,
}

/// Flags of `dump`.
#[derive(Debug, Args)]
pub struct Dump {
    /// Address or local path
    #[arg(value_name = "URL", value_parser = Location::parse)]
    pub url: Location,
    /// The file to write; - is standard output
    ///
    /// Without it the last part of the address with .wav (or .pcm with --raw), in the current
    /// folder. An existing file is kept unless --force is given.
    #[arg(short, long, env = "KITHARA_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite an existing file; write samples to a terminal
    #[arg(short, long, env = "KITHARA_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,
    /// How samples are written
    ///
    /// Without it s16, or s24 when the source is lossless and wider than 16 bits.
    #[arg(long, env = "KITHARA_SAMPLE", value_name = "FORMAT")]
    pub sample: Option<SampleName>,
    /// Sample rate; without it that of the source
    #[arg(long, env = "KITHARA_RATE", value_name = "HZ", value_parser = values::sample_rate)]
    pub rate: Option<SampleRate>,
    /// Number of channels; without it that of the source
    #[arg(long, env = "KITHARA_CHANNELS", value_name = "N", value_parser = values::channels)]
    pub channels: Option<ChannelCount>,
    /// Samples only, without a WAV header
    #[arg(long, env = "KITHARA_RAW", value_parser = FalseyValueParser::new())]
    pub raw: bool,
    /// Write one JSON line for each segment into this file
    #[arg(long, env = "KITHARA_LEDGER", value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Which part.
    #[command(flatten)]
    pub part: Part,
    /// Which variant.
    #[command(flatten)]
    pub choice: Choice,
    /// Where in a live stream.
    #[command(flatten)]
    pub live: Live,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
    /// A record.
    #[command(flatten)]
    pub trace: Trace,
}

/// Flags of `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Address or local path
    #[arg(value_name = "URL", value_parser = Location::parse)]
    #[arg(required_unless_present = "replay", conflicts_with = "replay")]
    pub url: Option<Location>,
    /// Nothing is played: the controller decides again about a run that --trace-out recorded
    ///
    /// It is told and asked what it was told and asked then. Unchanged, it gives the same answers;
    /// with --algorithm another one shows where it would have decided otherwise.
    #[arg(long, env = "KITHARA_REPLAY", value_name = "FILE")]
    #[arg(conflicts_with_all = ["runs", "warm", "trace_out"])]
    pub replay: Option<PathBuf>,
    /// Who decides.
    #[command(flatten)]
    pub deciding: Deciding,
    /// Where to begin: 90, 1:30, or -30 for 30 seconds before the end
    #[arg(long, env = "KITHARA_START", value_name = "POS")]
    #[arg(allow_hyphen_values = true, value_parser = values::position)]
    pub start: Option<Start>,
    /// How much to run: 90, 1:30, 5m or 250ms
    #[arg(long, env = "KITHARA_LENGTH", value_name = "DUR")]
    #[arg(default_value = "30s", value_parser = values::length)]
    pub length: MediaTime,
    /// Run it this often, one after another, and report the medians
    ///
    /// Each run is a cold start: new connections, and an empty cache of its own that is removed
    /// afterwards; with --warm, --offline or --refresh the cache is used. A line for each run, then
    /// the medians of those that reached their end; with --json one object with every report. Ctrl-C
    /// ends the run and prints what there is.
    #[arg(short = 'n', long, env = "KITHARA_RUNS", value_name = "RUNS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: Option<u32>,
    /// With -n: use the cache, so that all but the first run find what it brought
    #[arg(long, env = "KITHARA_WARM", value_parser = FalseyValueParser::new())]
    pub warm: bool,
    /// Which variant.
    #[command(flatten)]
    pub choice: Choice,
    /// How far ahead.
    #[command(flatten)]
    pub ahead: Ahead,
    /// Where in a live stream.
    #[command(flatten)]
    pub live: Live,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
    /// A record.
    #[command(flatten)]
    pub trace: Trace,
}

/// Flags of `info`.
#[derive(Debug, Args)]
pub struct Info {
    /// Address or local path
    #[arg(value_name = "URL", value_parser = Location::parse)]
    pub url: Location,
    /// Fetch some media too, for codec, rate and channels
    #[arg(long, env = "KITHARA_PROBE", value_parser = FalseyValueParser::new())]
    pub probe: bool,
    /// End with code 5 if the playlist needed a repair
    #[arg(long, env = "KITHARA_LINT", value_parser = FalseyValueParser::new())]
    pub lint: bool,
    /// Which variant.
    #[command(flatten)]
    pub choice: Choice,
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
}

/// Flags of `devices`.
#[derive(Debug, Args)]
pub struct Devices {
    /// Output for programs.
    #[command(flatten)]
    pub json: Json,
}
