//! `config.toml`: what flags are when neither the command line nor the
//! environment says so. Its words become defaults in the definition of the
//! flags, so that they are judged and read like those of the command line.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::global::Global;
use super::usage;
use crate::error::{Kind, Problem};
use crate::{limits, text};

const SEE: &str = "see the section CONFIGURATION of \"kithara man\"";
/// Flags that a file cannot set: they say which file, or end the program.
const NOT_HERE: [&str; 4] = ["config", "no-config", "help", "version"];

/// One name of the file that holds for the command.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    flag: String,
    values: Vec<String>,
}

/// The settings of the file that `global` names, or of the user's own, put into
/// `definition` as defaults for the command of `matches`; `None` when there are
/// none.
///
/// # Errors
///
/// [`Kind::LocalFile`] when the file cannot be read, [`Kind::Arguments`] for
/// what is wrong in it.
pub fn with_file(
    definition: Command,
    global: &Global,
    matches: &ArgMatches,
) -> Result<Option<Command>, Problem> {
    if global.no_config {
        return Ok(None);
    }
    let (path, is_named) = match (&global.config, own_file()) {
        (Some(path), _) => (path.clone(), true),
        (None, Some(path)) => (path, false),
        (None, None) => return Ok(None),
    };
    let Some(text) = read(&path, is_named)? else {
        return Ok(None);
    };
    let words = words(matches);
    let settings = settings(&definition, &words, &text).map_err(|(line, why)| {
        let name = text::safe(&path.to_string_lossy());
        let what = format!("cannot use line {line} of \"{name}\"");
        Problem::new(Kind::Arguments, what, why, SEE)
    })?;
    Ok(Some(apply(definition, &words, &settings)))
}

/// `$XDG_CONFIG_HOME/kithara/config.toml`; a folder that is no absolute path is
/// none (XDG base directory specification).
fn own_file() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let config = folder("XDG_CONFIG_HOME").filter(absolute);
    let config = config.or_else(|| Some(folder("HOME").filter(absolute)?.join(".config")))?;
    Some(config.join("kithara/config.toml"))
}

/// The text of the file; `None` when there is none and nobody named it.
fn read(path: &Path, is_named: bool) -> Result<Option<String>, Problem> {
    let what = format!("cannot read \"{}\"", text::safe(&path.to_string_lossy()));
    let todo = "check the file, or use --no-config";
    let mut text = String::new();
    let opened = File::open(path);
    let count = opened.and_then(|file| {
        file.take(limits::CONFIG_BYTES + 1)
            .read_to_string(&mut text)
    });
    match count {
        Ok(count) if count as u64 > limits::CONFIG_BYTES => {
            let why = format!("it is longer than {} bytes", limits::CONFIG_BYTES);
            Err(Problem::new(Kind::Limit, what, why, todo))
        }
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => Ok(None),
        Err(error) => Err(Problem::from_io(error, Kind::LocalFile, what, todo)),
    }
}

/// The command and its verb.
fn words(matches: &ArgMatches) -> Vec<String> {
    let mut words = Vec::new();
    let mut level = matches.subcommand();
    while let Some((name, below)) = level {
        words.push(name.to_owned());
        level = below.subcommand();
    }
    words
}

/// What `text` says for the command `words`, those of its own table last. All of
/// it is judged, also what is for other commands.
///
/// # Errors
///
/// The line that is wrong, and why.
fn settings(
    definition: &Command,
    words: &[String],
    text: &str,
) -> Result<Vec<Setting>, (usize, String)> {
    let at = |offset: usize| 1 + text[..offset.min(text.len())].matches('\n').count();
    let root = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (at(offset), text::one_line(error.message()))
    })?;
    let (mut general, mut own) = (Vec::new(), Vec::new());
    for (name, value) in root.get_ref() {
        let wrong = |(offset, why)| (at(offset), why);
        let command = definition.find_subcommand(name.get_ref().as_ref());
        match (value.get_ref(), command) {
            (DeValue::Table(table), Some(command)) => {
                let scope = [definition, command];
                for (name, value) in table {
                    let setting = setting(&scope, name, value).map_err(wrong)?;
                    if words.first().is_some_and(|word| word == command.get_name()) {
                        own.extend(setting);
                    }
                }
            }
            _ => {
                let scope: Vec<_> = [definition]
                    .into_iter()
                    .chain(definition.get_subcommands())
                    .collect();
                general.extend(setting(&scope, name, value).map_err(wrong)?);
            }
        }
    }
    general.extend(own);
    Ok(general)
}

/// One line of the file, judged by every flag of its name below `scope`; none
/// for a switch that is off.
fn setting(
    scope: &[&Command],
    name: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Option<Setting>, (usize, String)> {
    let flag = name.get_ref().as_ref();
    let here = |why: String| (name.span().start, why);
    let known: Vec<&Arg> = scope
        .iter()
        .flat_map(|command| with_verbs(command))
        .filter(|arg| arg.get_long() == Some(flag) && !NOT_HERE.contains(&flag))
        .collect();
    let Some(first) = known.first() else {
        return Err(here(format!(
            "there is no flag --{} here",
            text::safe(flag)
        )));
    };
    let values = values(first, value.get_ref()).map_err(|why| (value.span().start, why))?;
    for (arg, value) in known
        .iter()
        .flat_map(|arg| values.iter().map(move |value| (arg, value)))
    {
        judge(arg, flag, value).map_err(&here)?;
    }
    let flag = flag.to_owned();
    Ok((!values.is_empty()).then_some(Setting { flag, values }))
}

/// The flags of a command and of its verbs.
fn with_verbs(command: &Command) -> Vec<&Arg> {
    let is_root = command.get_name() == "kithara";
    let verbs = command.get_subcommands().filter(|_| !is_root);
    let verbs = verbs.flat_map(Command::get_arguments);
    command.get_arguments().chain(verbs).collect()
}

/// The words a value stands for on the command line.
fn values(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, DeValue::Boolean(true)) => Ok(vec!["true".to_owned()]),
        (ArgAction::SetTrue, DeValue::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err("it is true or false".to_owned()),
        (ArgAction::Append, DeValue::Array(array)) => several(array),
        (_, value) => Ok(vec![word(value)?]),
    }
}

fn several(array: &DeArray<'_>) -> Result<Vec<String>, String> {
    array.iter().map(|value| word(value.get_ref())).collect()
}

fn word(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        _ => Err("it is neither a text nor a number".to_owned()),
    }
}

/// Whether `value` is one for the flag; why not otherwise.
fn judge(arg: &Arg, flag: &str, value: &str) -> Result<(), String> {
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    // The same flag, alone: what it needs beside it is not known here.
    let alone = arg
        .clone()
        .action(ArgAction::Set)
        .allow_hyphen_values(true)
        .global(false)
        .requires(Resettable::Reset)
        .conflicts_with(Resettable::Reset);
    let read = Command::new("kithara").no_binary_name(true).arg(alone);
    match read.try_get_matches_from([format!("--{flag}={value}")]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let problem = usage::problem(&error);
            Err(format!("{}: {}", problem.what, problem.why))
        }
    }
}

/// The definition with the settings as defaults of the command `words`.
fn apply(mut command: Command, words: &[String], settings: &[Setting]) -> Command {
    for setting in settings {
        // The definition of the flags lives as long as the program.
        let values = setting.values.iter().cloned().map(String::leak);
        let values: Vec<&'static str> = values.map(|text| &*text).collect();
        command = command.mut_args(|arg| match arg.get_long() == Some(&setting.flag) {
            true => arg.default_values(values.clone()),
            false => arg,
        });
    }
    match words {
        [] => command,
        [first, below @ ..] => {
            command.mut_subcommand(first, |command| apply(command, below, settings))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str, text: &str) -> Result<Vec<String>, (usize, String)> {
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let settings = settings(&usage::definition(), &words, text)?;
        let told = settings
            .iter()
            .map(|one| format!("{} {:?}", one.flag, one.values));
        Ok(told.collect())
    }

    #[test]
    fn general_names_come_first_and_those_of_the_command_last() {
        let text = "# mine\nvolume = 60\nquality = \"worst\"\nquiet = false\nno-cache = true\n\
            header = [\"A: 1\", \"B: 2\"]\nstart = \"-30\"\n[play]\nvolume = \"70\"\n\
            cache-dir = \"/x\"\n[cache]\njobs = 2\n";
        let general = [
            "header [\"A: 1\", \"B: 2\"]",
            "no-cache [\"true\"]",
            "quality [\"worst\"]",
            "start [\"-30\"]",
            "volume [\"60\"]",
        ];
        let play = [&general[..], &["cache-dir [\"/x\"]", "volume [\"70\"]"]].concat();
        let cases = [
            ("play", play),
            ("info", general.to_vec()),
            ("cache add", [&general[..], &["jobs [\"2\"]"]].concat()),
        ];
        for (words, want) in cases {
            let mut told = told(words, text).expect("it is right");
            told.sort_by_key(|line| !general.contains(&line.as_str())); // stable: within a table
            assert_eq!(told, want, "{words}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("\nvolum = 60", 2, "there is no flag --volum here"),
            ("[plays]\nvolume = 1", 1, "there is no flag --plays here"),
            ("[info]\n\nvolume = 1", 3, "there is no flag --volume here"),
            ("config = \"x\"", 1, "there is no flag --config here"),
            ("\n\nvolume = 101", 3, "cannot use \"101\" for --volume: "),
            ("length = \"soon\"", 1, "it is not a duration"),
            ("length = 1979-05-27", 1, "neither a text nor a number"),
            ("quiet = \"yes\"", 1, "it is true or false"),
            ("volume = [1]", 1, "neither a text nor a number"),
            ("a = 1\n= 2\n", 2, ""),
            ("volume = 1\nvolume = 2", 2, "duplicate key"),
        ];
        for (text, line, why) in cases {
            let (at, told) = told("play", text).expect_err(text);
            assert_eq!(at, line, "{text}: {told}");
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(volume|start|\\[play\\]|quiet|[=\\[\\]\"#\n.{},]| |-?[0-9]|true|\\PC){0,30}") {
            if let Ok(settings) = settings(&usage::definition(), &["play".to_owned()], &text) {
                let _ = apply(usage::definition(), &["play".to_owned()], &settings);
            }
        }
    }
}
