//! Reads the command line; what it refuses becomes one line that says what is
//! accepted, instead of clap's paragraph.

use std::error::Error;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::args::Line;
use super::config;
use super::exit::{self, End};
use super::repeated;
use super::values::Wrong;
use crate::error::{Kind, Problem};
use crate::text;

const SEE_HELP: &str = "see \"kithara --help\"";

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Refusal {
    /// Help or version was asked for and printed.
    Answered(End),
    /// The words are wrong.
    Wrong(Problem),
}

/// The command line as values; what it leaves open, the configuration says.
///
/// `words` begin with the program's name.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Line, Refusal> {
    let words: Vec<OsString> = words.into_iter().collect();
    let (line, matches) = understood(definition(), &words)?;
    let settled = config::with_file(definition(), &line.global, &matches);
    match settled.map_err(Refusal::Wrong)? {
        None => Ok(line),
        Some(definition) => understood(definition, &words).map(|(line, _)| line),
    }
}

fn understood(from: Command, words: &[OsString]) -> Result<(Line, ArgMatches), Refusal> {
    let matches = from.try_get_matches_from(words);
    let matches = matches.map_err(|error| refuse(&error))?;
    lost_flag(&matches).map_or(Ok(()), |problem| Err(Refusal::Wrong(problem)))?;
    let mut line = Line::from_arg_matches(&matches).map_err(|error| refuse(&error))?;
    repeated::gather(&mut line.global.requests, words, &matches, definition);
    Ok((line, matches))
}

/// The definition of the flags. The twins in the environment are told once, at
/// the end of the help, and not with every flag.
pub fn definition() -> Command {
    fn tidy(command: Command) -> Command {
        let command = command.mut_args(|arg| arg.hide_env(true));
        command.mut_subcommands(tidy)
    }
    tidy(Line::command())
}

fn refuse(error: &clap::Error) -> Refusal {
    let page = || error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match exit::data(&page()) {
            Ok(()) => Refusal::Answered(End::DONE),
            Err(problem) => Refusal::Wrong(problem),
        },
        // Nothing was asked for: a page for people, and a failure for scripts.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            exit::say(page().trim_end());
            Refusal::Answered(End::of(Kind::Arguments))
        }
        _ => Refusal::Wrong(problem(error)),
    }
}

/// A flag of `cache URL` before a verb, where it would do nothing: `cache -j 4 ls`.
fn lost_flag(matches: &ArgMatches) -> Option<Problem> {
    let (name, given) = matches.subcommand()?;
    let verb = given.subcommand_name()?;
    let definition = definition();
    let own = definition.find_subcommand(name)?.get_arguments();
    let mut lost = own
        .filter(|arg| !arg.is_global_set())
        .filter(|arg| given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine));
    let flag = lost.next()?.get_long()?;
    Some(Problem::new(
        Kind::Arguments,
        format!("cannot use --{flag} before \"{verb}\""),
        "there it belongs to downloading",
        "write it after the verb, or see \"kithara cache --help\"",
    ))
}

/// The refusal as one line.
pub fn problem(error: &clap::Error) -> Problem {
    let source = error.source();
    if let Some(problem) = source.and_then(|inner| inner.downcast_ref::<Problem>()) {
        return problem.clone();
    }
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text::safe(text)),
        _ => None,
    };
    let (Some(flag), Some(value)) = (
        word(ContextKind::InvalidArg),
        word(ContextKind::InvalidValue),
    ) else {
        return Problem::new(
            Kind::Arguments,
            "cannot understand the command",
            first_paragraph(error),
            SEE_HELP,
        );
    };
    let what = format!("cannot use {value:?} for {}", flag_name(&flag));
    if let Some(wrong) = source.and_then(|inner| inner.downcast_ref::<Wrong>()) {
        return Problem::new(Kind::Arguments, what, wrong.why, wrong.todo);
    }
    let why = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) if !valid.is_empty() => {
            format!("it is not one of {}", valid.join(", "))
        }
        _ if value.is_empty() => "it needs a value".to_owned(),
        _ => first_paragraph(error),
    };
    Problem::new(Kind::Arguments, what, why, SEE_HELP)
}

/// `--start <POS>` without the placeholder.
fn flag_name(flag: &str) -> &str {
    match flag.split_once(' ') {
        Some((name, _)) if name.starts_with('-') => name,
        _ => flag,
    }
}

/// What clap says before it shows the usage, on one line.
fn first_paragraph(error: &clap::Error) -> String {
    let page = error.render().to_string();
    let end = page
        .find("\n\nUsage")
        .or_else(|| page.find("\n\nFor more"))
        .unwrap_or(page.len());
    let words: Vec<_> = page[..end].split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args;

    fn line(words: &[&str]) -> Result<Line, String> {
        let words = std::iter::once("kithara")
            .chain(words.iter().copied())
            .map(OsString::from);
        read(words).map_err(|refusal| match refusal {
            Refusal::Answered(end) => format!("{end:?}"),
            Refusal::Wrong(problem) => problem.to_string(),
        })
    }

    #[test]
    fn the_definition_of_the_flags_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_wrong_value_is_one_line_that_says_what_is_accepted() {
        let cases: [(&[&str], &str); 9] = [
            (
                &["play", "--length", "soon", "x"],
                "cannot use \"soon\" for --length: it is not a duration, write it like 90, 90s, 1:30, 5m or 250ms",
            ),
            (
                &["play", "--ao", "jack", "x"],
                "cannot use \"jack\" for --ao: it is not one of default, null, see \"kithara --help\"",
            ),
            (
                &["dump", "x", "--rate=1"],
                "cannot use \"1\" for --rate: it is not a sample rate, use a number of hertz from 8000 to 768000",
            ),
            (
                &["play", "x", "--volume"],
                "cannot use \"\" for --volume: it needs a value, see \"kithara --help\"",
            ),
            (
                &["play"],
                "cannot understand the command: the following required arguments were not provided: <URL>..., see \"kithara --help\"",
            ),
            (
                &["dump", "x", "--forse"],
                "cannot understand the command: unexpected argument '--forse' found tip: a similar argument exists: '--force', see \"kithara --help\"",
            ),
            (
                &["plau", "x"],
                "cannot understand the command: unrecognized subcommand 'plau' tip: a similar subcommand exists: 'play', see \"kithara --help\"",
            ),
            (
                &["play", "ftp://h/x?token=1"],
                "cannot open \"ftp://h/x\": \"ftp\" is not among http, https and file, give an http or https URL, or a file",
            ),
            (
                &["cache", "-j", "4", "ls"],
                "cannot use --jobs before \"ls\": there it belongs to downloading, write it after the verb, or see \"kithara cache --help\"",
            ),
        ];
        for (words, want) in cases {
            assert_eq!(line(words).expect_err("refused"), want, "{words:?}");
        }
    }

    #[test]
    fn cache_takes_addresses_or_a_verb() {
        let cases: [(&[&str], &str); 7] = [
            (&["cache", "http://h/a"], "urls"),
            (&["cache", "-j2", "http://h/a", "http://h/b"], "urls"),
            (&["cache", "http://h/a", "ls"], "urls"),
            (&["cache", "ls"], "Ls"),
            (
                &["cache", "--offline", "--cache-dir", "/x", "ls", "--json"],
                "Ls",
            ),
            (&["--quiet", "cache", "verify", "--repair"], "Verify"),
            (&["cache", "add", "http://h/a"], "Add"),
        ];
        for (words, want) in cases {
            let line = line(words).unwrap_or_else(|refusal| panic!("{words:?}: {refusal}"));
            let args::Command::Cache(cache) = line.command else {
                panic!("{words:?} is no cache command");
            };
            let got = cache
                .verb
                .map_or("urls".to_owned(), |verb| format!("{verb:?}"));
            assert!(got.starts_with(want), "{words:?}: {got}");
        }
    }

    #[test]
    fn flags_for_all_commands_are_taken_before_and_after_the_command() {
        for words in [
            ["--offline", "info", "x"],
            ["info", "--offline", "x"],
            ["info", "x", "--offline"],
        ] {
            assert!(line(&words).expect("accepted").global.offline, "{words:?}");
        }
    }

    #[test]
    fn what_may_be_repeated_is_kept_on_both_sides_of_the_command() {
        let cases: [(&[&str], &[&str]); 4] = [
            (
                &["-H", "A: 1", "info", "x", "-H", "B: 2"],
                &["A: 1", "B: 2"],
            ),
            (
                &["info", "-H", "A: 1", "-H", "B: 2", "x"],
                &["A: 1", "B: 2"],
            ),
            (
                &[
                    "-H", "A: 1", "cache", "-H", "B: 2", "add", "-H", "C: 3", "x",
                ],
                &["A: 1", "B: 2", "C: 3"],
            ),
            (&["info", "x"], &[]),
        ];
        for (words, want) in cases {
            let line = line(words).expect("accepted");
            assert_eq!(line.global.requests.header, want, "{words:?}");
        }
    }

    #[test]
    fn exclusive_ways_to_use_the_cache_are_refused() {
        let global = line(&["play", "--offline", "--refresh", "x"])
            .expect("clap takes it")
            .global;
        assert_eq!(global.cache().expect_err("refused").kind, Kind::Arguments);
    }

    #[test]
    fn every_flag_has_its_twin_in_the_environment() {
        let mut root = definition();
        root.build();
        let mut rooms: Vec<&clap::Command> = vec![&root];
        while let Some(command) = rooms.pop() {
            rooms.extend(command.get_subcommands());
            for arg in command.get_arguments() {
                let Some(long) = arg
                    .get_long()
                    .filter(|long| !["help", "version"].contains(long))
                else {
                    continue;
                };
                let want = format!("KITHARA_{}", long.to_uppercase().replace('-', "_"));
                let got = arg
                    .get_env()
                    .map(|name| name.to_string_lossy().into_owned());
                assert_eq!(got, Some(want), "{} --{long}", command.get_name());
            }
        }
    }

    #[test]
    fn a_position_may_begin_with_a_minus() {
        let line = line(&["play", "--start", "-1:30", "x"]).expect("accepted");
        assert!(format!("{:?}", line.command).contains("FromEnd"));
    }
}
