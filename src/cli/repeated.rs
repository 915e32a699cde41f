//! Flags that may be given again and again, all together: clap keeps only those
//! of one side of the command (`kithara -H A play -H B`), and takes a variable
//! of the environment for one value.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::requests::Requests;

/// Puts into `requests` what `words`, of which clap made `matches`, say in all
/// places. A variable of the environment holds one value a line; on the command
/// line a line feed stays what it is, a character that no value may hold.
pub fn gather(
    requests: &mut Requests,
    words: &[OsString],
    matches: &ArgMatches,
    definition: impl Fn() -> Command,
) {
    for (name, values) in requests.repeated() {
        match matches.value_source(name) {
            Some(ValueSource::EnvVariable) => {
                *values = values.iter().flat_map(|text| lines(text)).collect();
            }
            Some(ValueSource::CommandLine) => *values = everywhere(name, words, definition()),
            _ => {}
        }
    }
}

/// The lines of `text` that hold something.
pub fn lines(text: &str) -> Vec<String> {
    let held = text.lines().filter(|line| !line.trim().is_empty());
    held.map(str::to_owned).collect()
}

/// The values of one flag on every level of the command line, in order.
fn everywhere(name: &str, words: &[OsString], definition: Command) -> Vec<String> {
    let own = definition.mut_arg(name, |arg| arg.global(false));
    let matches = spread(own.clone(), name, &own).try_get_matches_from(words);
    let matches = matches.expect("the same words were understood before");
    let mut values = Vec::new();
    let mut level = Some(&matches);
    while let Some(here) = level {
        if here.value_source(name) == Some(ValueSource::CommandLine) {
            let more = here.get_many::<String>(name).into_iter().flatten();
            values.extend(more.cloned());
        }
        level = here.subcommand().map(|(_, below)| below);
    }
    values
}

/// The flag as one of each command's own, in place of one that is passed on.
fn spread(command: Command, name: &str, root: &Command) -> Command {
    let arg = root.get_arguments().find(|arg| arg.get_id() == name);
    let arg = arg.expect("it is asked for by its name").clone();
    command.mut_subcommands(|below| spread(below.arg(arg.clone()), name, root))
}
