//! The log of `-v` and `--log-file`. Set up only when asked for: a run without
//! it pays for nothing but a few untaken branches.

use std::fs::File;
use std::io;
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::global::Global;
use crate::error::{Kind, Problem};

/// Starts the log the flags ask for, if they do.
///
/// # Errors
///
/// [`Kind::Output`] when the file cannot be created.
pub fn start(global: &Global) -> Result<(), Problem> {
    let level = match (global.verbose, &global.log_file) {
        (0, None) => return Ok(()),
        (0 | 1, _) => Level::INFO,
        (2.., _) => Level::DEBUG,
    };
    // Our own words only: those of the HTTP library hold addresses with their secrets.
    let ours = tracing_subscriber::registry().with(Targets::new().with_target("kithara", level));
    match &global.log_file {
        None => ours
            .with(fmt::layer().with_ansi(false).with_writer(io::stderr))
            .init(),
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                let what = format!("cannot create the log {:?}", path.display().to_string());
                Problem::from_io(
                    error,
                    Kind::Output,
                    what,
                    "check the folder and its permissions",
                )
            })?;
            ours.with(fmt::layer().with_ansi(false).with_writer(Mutex::new(file)))
                .init();
        }
    }
    Ok(())
}
