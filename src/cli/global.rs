//! The flags that every command takes: cache, network, messages.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::requests::Requests;
use super::values;
use crate::error::{Kind, Problem};
use crate::pipeline::{CacheChoice, CacheMode, Network};

/// Flags that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The folder of the cache; without it $XDG_CACHE_HOME/kithara
    #[arg(long, global = true, help_heading = "Cache", env = "KITHARA_CACHE_DIR")]
    #[arg(value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// How large the cache may grow: 500M, 2G
    ///
    /// Without it 2G, or a tenth of the free space if that is less.
    #[arg(
        long,
        global = true,
        help_heading = "Cache",
        env = "KITHARA_CACHE_SIZE"
    )]
    #[arg(value_name = "SIZE", value_parser = values::size)]
    pub cache_size: Option<u64>,
    /// Keep nothing: use a private folder and remove it at the end
    #[arg(long, global = true, help_heading = "Cache", env = "KITHARA_NO_CACHE")]
    #[arg(value_parser = FalseyValueParser::new())]
    pub no_cache: bool,
    /// Never use the network
    #[arg(long, global = true, help_heading = "Cache", env = "KITHARA_OFFLINE")]
    #[arg(value_parser = FalseyValueParser::new())]
    pub offline: bool,
    /// Ask the server whether what is stored still holds
    #[arg(long, global = true, help_heading = "Cache", env = "KITHARA_REFRESH")]
    #[arg(value_parser = FalseyValueParser::new())]
    pub refresh: bool,
    /// What is sent, and how it travels.
    #[command(flatten)]
    pub requests: Requests,
    /// How long a connection may take
    #[arg(
        long,
        global = true,
        help_heading = "Network",
        env = "KITHARA_CONNECT_TIMEOUT"
    )]
    #[arg(value_name = "DUR", default_value = "5s", value_parser = values::duration)]
    pub connect_timeout: Duration,
    /// How long a server may send nothing
    #[arg(
        long,
        global = true,
        help_heading = "Network",
        env = "KITHARA_STALL_TIMEOUT"
    )]
    #[arg(value_name = "DUR", default_value = "10s", value_parser = values::duration)]
    pub stall_timeout: Duration,
    /// How often a failed request is sent again
    #[arg(long, global = true, help_heading = "Network", env = "KITHARA_RETRY")]
    #[arg(value_name = "N", default_value = "4", value_parser = values::retries)]
    pub retry: u32,
    /// When to show progress on standard error
    ///
    /// auto: on a terminal. always: also into a file or pipe, as one line a second.
    #[arg(
        long,
        global = true,
        help_heading = "Messages",
        env = "KITHARA_PROGRESS"
    )]
    #[arg(value_name = "WHEN", default_value = "auto")]
    pub progress: When,
    /// Only errors: no progress, no warnings
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Messages",
        env = "KITHARA_QUIET"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// Log what is done (-v) and how (-vv) to standard error
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Messages",
        env = "KITHARA_VERBOSE"
    )]
    #[arg(action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Write the log into this file
    #[arg(
        long,
        global = true,
        help_heading = "Messages",
        env = "KITHARA_LOG_FILE"
    )]
    #[arg(value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// What flags are without being given; without it $XDG_CONFIG_HOME/kithara/config.toml
    ///
    /// TOML with the long names of the flags: volume = 60, buffer = "2m", no-cache = true. Names in
    /// a table like [play] are for that command. The command line goes before the environment,
    /// which goes before the file.
    #[arg(
        long,
        global = true,
        help_heading = "Configuration",
        env = "KITHARA_CONFIG"
    )]
    #[arg(value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read no such file
    #[arg(
        long,
        global = true,
        help_heading = "Configuration",
        env = "KITHARA_NO_CONFIG"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub no_config: bool,
}

impl Global {
    /// How the cache is used.
    ///
    /// # Errors
    ///
    /// Two flags that exclude each other. Checked here: clap would also count
    /// a flag that the environment sets to `0`.
    pub fn cache(&self) -> Result<CacheChoice, Problem> {
        let mode = match (self.no_cache, self.offline, self.refresh) {
            (false, false, false) => CacheMode::Use,
            (true, false, false) => CacheMode::None,
            (false, true, false) => CacheMode::Offline,
            (false, false, true) => CacheMode::Refresh,
            _ => {
                return Err(Problem::new(
                    Kind::Arguments,
                    "cannot use the cache that way",
                    "--no-cache, --offline and --refresh exclude each other",
                    "give only one of them",
                ));
            }
        };
        Ok(CacheChoice {
            dir: self.cache_dir.clone(),
            size: self.cache_size,
            mode,
        })
    }

    /// How the network is used. Asks for a password on the terminal if one is
    /// needed, so it is called once.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for words that cannot be sent, [`Kind::LocalFile`]
    /// for files that cannot be read.
    pub fn network(&self) -> Result<Network, Problem> {
        Ok(Network {
            connect_timeout: self.connect_timeout,
            stall_timeout: self.stall_timeout,
            retries: self.retry,
            user_agent: self.requests.user_agent.clone(),
            secrets: self.requests.secrets()?,
            cmcd: self.requests.cmcd.mode(),
            proxies: self.requests.proxies()?,
            authorities: self.requests.authorities()?,
        })
    }
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// Also into a file or pipe, as one line a second
    Always,
    /// Not at all
    Never,
}
