//! The house rules of ARCHITECTURE.md, read off the source: who may use whom,
//! which room is the door of which crate, and what no room may do.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by level. A room may use those of lower levels, itself and nothing else.
const LEVELS: [&[&str]; 7] = [
    &["units", "limits", "text", "error", "media", "location"],
    &["bell", "event", "stats", "ring"],
    &["fetch", "cache", "decode", "lists", "output", "network"],
    &["store"],
    &["progressive", "hls"],
    &["pipeline", "simulate"],
    &["cli"],
];

/// Rooms that see less than all levels below them: the room and what it may use besides levels 0 and 1.
const NARROW: [(&str, &[&str]); 1] = [("cli", &["pipeline", "simulate"])];

/// What is allowed against the table: (path in src/, room used, why).
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "stats/mod.rs",
        "event",
        "the lists hold the decisions that events carry, and requests have one set of kinds",
    ),
    (
        "stats/exchanges.rs",
        "event",
        "what is counted of a request is what its event carries",
    ),
];

/// The one door of each outside crate, as path prefixes in src/.
const DOORS: [(&str, &[&str]); 12] = [
    ("reqwest", &["fetch/"]),
    ("hyper", &["fetch/"]),
    ("symphonia", &["decode/"]),
    ("rusty_aac", &["decode/"]),
    ("rubato", &["decode/"]),
    ("cpal", &["output/device/card/"]),
    ("alsa", &["output/device/card/"]),
    ("pulseaudio", &["output/device/server/"]),
    ("hls_m3u8", &["hls/"]),
    ("rtrb", &["ring/"]),
    ("clap", &["cli/", "main.rs"]),
    ("toml", &["cli/config.rs"]),
];

/// Words and the only places where they may stand.
const WORDS: [(&str, &[&str]); 7] = [
    ("thread::spawn", &["pipeline/"]),
    ("thread::Builder", &["pipeline/"]),
    ("process::exit", &["cli/exit.rs", "main.rs"]),
    (".unwrap()", &[]),
    ("macro_rules!", &[]),
    ("todo!", &[]),
    ("unsafe ", &[]),
];

const LONG_FILE_LINES: usize = 400;

/// A source file without its comments, strings and tests.
struct File {
    /// Path in src/.
    path: String,
    /// The room: the first folder or the file's own name.
    room: String,
    /// Code lines with their numbers, from 1.
    lines: Vec<(usize, String)>,
    /// Lines of the whole file.
    length: usize,
}

#[test]
fn every_room_stands_on_a_level() {
    for file in files() {
        let known = level(&file.room).is_some() || ["lib", "main"].contains(&file.room.as_str());
        assert!(
            known,
            "src/{}: room {:?} has no level in tests/levels.rs",
            file.path, file.room
        );
    }
}

#[test]
fn imports_go_down_the_levels_only() {
    let mut wrong = Vec::new();
    for file in files() {
        for (number, line) in &file.lines {
            let strangers = used_rooms(line)
                .into_iter()
                .filter(|room| !may_use(&file, room));
            wrong.extend(
                strangers.map(|room| format!("src/{}:{number}: uses crate::{room}", file.path)),
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "against the levels:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn each_outside_crate_has_one_door() {
    report("outside its door", |file, line| {
        DOORS
            .into_iter()
            .find(|(name, doors)| names_crate(line, name) && !stands_in(file, doors))
            .map(|(name, _)| name)
    });
}

#[test]
fn what_only_some_places_may_do_is_done_there() {
    report("in a place where it may not stand", |file, line| {
        WORDS
            .into_iter()
            .find(|(word, places)| line.contains(word) && !stands_in(file, places))
            .map(|(word, _)| word)
    });
}

#[test]
fn long_files_are_named() {
    for file in files()
        .into_iter()
        .filter(|file| file.length > LONG_FILE_LINES)
    {
        println!(
            "warning: src/{} has {} lines, more than {LONG_FILE_LINES}",
            file.path, file.length
        );
    }
}

#[test]
fn the_library_lists_its_modules_in_the_order_of_their_levels() {
    let files = files();
    let library = files
        .iter()
        .find(|file| file.path == "lib.rs")
        .expect("src/lib.rs");
    let modules = library
        .lines
        .iter()
        .filter_map(|(_, line)| line.strip_prefix("pub mod "));
    let levels: Vec<_> = modules
        .map(|name| level(name.trim_end_matches(';')))
        .collect();
    assert!(levels.is_sorted(), "{levels:?}");
}

/// Fails with every line for which `judge` names an offender.
fn report(what: &str, judge: impl Fn(&File, &str) -> Option<&'static str>) {
    let mut wrong = Vec::new();
    for file in files() {
        let offenders = file
            .lines
            .iter()
            .filter_map(|(number, line)| Some((number, judge(&file, line)?)));
        wrong.extend(
            offenders.map(|(number, name)| format!("src/{}:{number}: {name:?}", file.path)),
        );
    }
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

fn may_use(file: &File, room: &str) -> bool {
    let (Some(own), Some(other)) = (level(&file.room), level(room)) else {
        // main.rs and lib.rs stand above the house; an unknown room is another test's matter.
        return level(&file.room).is_none();
    };
    let excepted = EXCEPTIONS
        .iter()
        .any(|(path, used, _)| *path == file.path && *used == room);
    let narrow = NARROW.iter().find(|(name, _)| *name == file.room);
    let visible = narrow.is_none_or(|(_, rooms)| other <= 1 || rooms.contains(&room));
    // Words (level 0) may use each other: they are one vocabulary.
    let down = other < own || own == 0 && other == 0;
    file.room == room || excepted || (down && visible)
}

fn stands_in(file: &File, places: &[&str]) -> bool {
    places.iter().any(|place| file.path.starts_with(place))
}

/// The rooms named after `crate::` (or the crate's own name) in a line; of a group, each of its members.
fn used_rooms(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for root in ["crate::", "kithara::"] {
        for (at, _) in line.match_indices(root) {
            let rest = &line[at + root.len()..];
            let group = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            match group {
                Some((members, _)) => rooms.extend(members.split(',').map(first_name)),
                None => rooms.push(first_name(rest)),
            }
        }
    }
    rooms.retain(|room| room.starts_with(|c: char| c.is_ascii_lowercase()));
    rooms
}

fn first_name(path: &str) -> String {
    path.trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

/// Whether the line has `name::` (or `name_more::`, as in symphonia's families) as a path's root.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let fresh = before.is_none_or(|c| !c.is_ascii_alphanumeric() && !"_:.\"".contains(c));
        let word = line[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        fresh && word.is_some_and(|end| line[at + end..].starts_with("::"))
    })
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    paths.iter().map(|path| read(&root, path)).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src/ can be listed") {
        let path = entry.expect("an entry").path();
        match path.extension() {
            _ if path.ends_with("tests") || path.ends_with("tests.rs") => {} // tests may do more
            _ if path.is_dir() => walk(&path, paths),
            Some(suffix) if suffix == "rs" => paths.push(path),
            _ => {}
        }
    }
}

fn read(root: &Path, path: &Path) -> File {
    let text = fs::read_to_string(path).expect("a source file");
    let path = path
        .strip_prefix(root)
        .expect("below src/")
        .to_str()
        .expect("UTF-8")
        .to_owned();
    let room = path
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs")
        .to_owned();
    let mut lines = Vec::new();
    let mut statement = String::new();
    for (index, line) in text.lines().enumerate() {
        // Tests stand at the end of a file; what follows is theirs.
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let code = without_comment_and_strings(line);
        // A `use` over several lines is judged as one.
        if !statement.is_empty()
            || code.trim_start().starts_with("use ")
            || code.starts_with("pub use ")
        {
            statement.push_str(code.trim());
            if !code.contains(';') {
                continue;
            }
            lines.push((index + 1, std::mem::take(&mut statement)));
        } else if !code.trim().is_empty() {
            lines.push((index + 1, code));
        }
    }
    File {
        path,
        room,
        lines,
        length: text.lines().count(),
    }
}

fn without_comment_and_strings(line: &str) -> String {
    let mut code = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '\\' if quoted => escaped = !escaped,
            '"' if !escaped && !line[..at].ends_with('\'') => quoted = !quoted,
            _ if quoted => escaped = false,
            '/' if line[at..].starts_with("//") => break,
            _ => code.push(letter),
        }
    }
    code
}

#[test]
fn the_reader_itself_sees_what_it_should() {
    assert_eq!(
        used_rooms("use crate::{error::Problem, units::Frames};"),
        ["error", "units"]
    );
    assert_eq!(used_rooms("let x = crate::hls::plan(1);"), ["hls"]);
    assert!(names_crate("use symphonia_core::x;", "symphonia"));
    assert!(names_crate("    let host = cpal::default_host();", "cpal"));
    assert!(!names_crate("use crate::clap::X;", "clap"));
    assert!(!names_crate("// reqwest", "reqwest"));
    assert_eq!(
        without_comment_and_strings("a(\"unsafe // x\"); // unsafe"),
        "a(); "
    );
    let file = |room: &str| File {
        path: format!("{room}/mod.rs"),
        room: room.to_owned(),
        lines: Vec::new(),
        length: 0,
    };
    let cases = [
        ("cli", "pipeline", true),
        ("cli", "stats", true),
        ("cli", "hls", false),
        ("fetch", "cache", false),
        ("hls", "store", true),
        ("hls", "progressive", false),
        ("store", "hls", false),
        ("media", "units", true),
        ("event", "stats", false),
        ("stats", "event", true),
        ("hls", "hls", true),
    ];
    for (room, used, want) in cases {
        assert_eq!(may_use(&file(room), used), want, "{room} uses {used}");
    }
}
