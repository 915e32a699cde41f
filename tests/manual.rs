//! The manual page, the README and `--help` agree. `KITHARA_WRITE_MANUAL=1
//! cargo test --test manual` writes the page anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every command and verb, as it is called.
const COMMANDS: [&str; 16] = [
    "",
    "play",
    "cache",
    "cache add",
    "cache ls",
    "cache rm",
    "cache gc",
    "cache verify",
    "cache path",
    "dump",
    "stats",
    "info",
    "simulate",
    "devices",
    "completions",
    "man",
];

fn kithara(words: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kithara"));
    let output = command.args(words.split_whitespace()).output();
    let output = output.expect("the program was built for this test");
    assert!(output.status.success(), "kithara {words}");
    assert!(output.stderr.is_empty(), "kithara {words}");
    String::from_utf8(output.stdout).expect("text")
}

fn in_the_repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(in_the_repository(name)).expect("the file is in the repository")
}

/// Every `--flag` in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\-", "-");
    let starts = text.match_indices("--").map(|(at, _)| at);
    let flag = |at: usize| {
        let name: String = text[at + 2..]
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let is_flag = !name.is_empty() && !text[..at].ends_with('-') && !name.starts_with('-');
        is_flag.then(|| format!("--{}", name.trim_end_matches('-')))
    };
    starts.filter_map(flag).collect()
}

fn flags_of_help() -> BTreeSet<String> {
    let help = COMMANDS.map(|words| kithara(&format!("{words} --help")));
    flags(&help.concat())
}

#[test]
fn the_committed_manual_page_is_the_one_the_program_prints() {
    let page = kithara("man");
    if std::env::var_os("KITHARA_WRITE_MANUAL").is_some() {
        fs::write(in_the_repository("man/kithara.1"), &page).expect("man/ is writable");
    }
    assert!(
        read("man/kithara.1") == page,
        "man/kithara.1 is old: KITHARA_WRITE_MANUAL=1 cargo test --test manual"
    );
}

#[test]
fn help_manual_and_readme_name_the_same_flags() {
    let help = flags_of_help();
    assert!(help.len() > 25, "{help:?}");
    assert_eq!(flags(&read("man/kithara.1")), help);
    let usage = read("README.md");
    let usage = usage.split("## Building").next().expect("a first part");
    assert_eq!(flags(usage), help);
}

#[test]
fn help_manual_and_readme_name_the_same_commands() {
    let (manual, readme) = (read("man/kithara.1"), read("README.md"));
    for words in COMMANDS.into_iter().filter(|words| !words.is_empty()) {
        assert!(
            manual.contains(&format!(".SS kithara {words}\n")),
            "{words}"
        );
        assert!(readme.contains(&format!("kithara {words}")), "{words}");
    }
}

#[test]
fn manual_and_readme_name_the_same_exit_codes() {
    let (manual, readme) = (read("man/kithara.1"), read("README.md"));
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        assert!(
            manual.contains(&format!(".TP\n.B {code}\n")),
            "manual: {code}"
        );
        assert!(readme.contains(&format!("| {code} |")), "README: {code}");
    }
    for code in ["129", "130", "143", "141"] {
        assert!(manual.contains(code) && readme.contains(code), "{code}");
    }
}

#[test]
fn every_command_has_an_example_and_a_short_help_that_is_shorter() {
    for words in COMMANDS {
        let (short, long) = (
            kithara(&format!("{words} -h")),
            kithara(&format!("{words} --help")),
        );
        assert!(short.len() < long.len(), "kithara {words}");
        assert!(long.contains("Example"), "kithara {words}");
    }
}

#[test]
fn without_a_word_the_help_goes_to_standard_error_and_the_code_is_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_kithara")).output();
    let output = output.expect("the program was built for this test");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let page = String::from_utf8(output.stderr).expect("text");
    assert!(page.contains("Usage: kithara"), "{page}");
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = kithara(&format!("completions {shell}"));
        assert!(script.contains("kithara"), "{shell}");
    }
}
