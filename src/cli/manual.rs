//! The manual page and the completion scripts, made from the definition of the
//! flags, so that they cannot disagree with `--help`.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::usage::definition;

/// What the definition of the flags does not know: codes, files, formats.
const WRITTEN: &str = include_str!("../../man/sections.roff");

const USAGE: &str = "kithara [OPTIONS] <COMMAND> ...";
/// How every rendered piece begins; once is enough.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// The completion script for `shell`.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "kithara", &mut script);
    text(script)
}

/// The manual page, in roff.
pub fn page() -> String {
    let mut root = definition().disable_help_subcommand(true);
    root.build();
    let mut page = head(&root);
    page += ".SH COMMANDS\n";
    for command in root.get_subcommands() {
        page += &section(command);
        for verb in command.get_subcommands() {
            page += &section(verb);
        }
    }
    page + &common(&root) + WRITTEN
}

/// Title, name, synopsis and description.
fn head(root: &Command) -> String {
    let man = Man::new(root.clone().override_usage(USAGE));
    let mut page = Vec::new();
    let rendered = man
        .render_name_section(&mut page)
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page));
    rendered.expect("a Vec takes every write");
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH KITHARA 1 \"\" \"kithara {version}\" \"User Commands\"\n");
    format!("{APOSTROPHE}{title}{}", text(page).replace(APOSTROPHE, ""))
}

/// One command: how it is called, what it does, its own flags.
fn section(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let own = command.clone().mut_args(|arg| {
        let is_common = arg.is_global_set() || arg.get_id() == "help";
        arg.hide(is_common)
    });
    let man = Man::new(own.clone());
    let mut synopsis = Vec::new();
    let rendered = man.render_synopsis_section(&mut synopsis);
    let mut page = format!(".SS {name}\n{}", bare(synopsis));
    let mut description = Vec::new();
    let rendered = rendered.and_then(|()| man.render_description_section(&mut description));
    page += &format!(".PP\n{}", bare(description));
    let mut options = Vec::new();
    let rendered = rendered.and_then(|()| man.render_options_section(&mut options));
    rendered.expect("a Vec takes every write");
    page + &bare(options)
}

/// The flags of every command, under one heading.
fn common(root: &Command) -> String {
    let mut options = Vec::new();
    let rendered = Man::new(root.clone()).render_options_section(&mut options);
    rendered.expect("a Vec takes every write");
    let body = bare(options);
    format!(
        ".SH OPTIONS OF EVERY COMMAND\n{}",
        body.replace(".SH ", ".SS ")
    )
}

/// A rendered section without the preamble and its own heading.
fn bare(section: Vec<u8>) -> String {
    let section = text(section);
    let lines = section.lines().skip_while(|line| !line.starts_with(".SH"));
    lines.skip(1).map(|line| format!("{line}\n")).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("help texts are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_its_sections_in_the_usual_order() {
        let page = page();
        let headings: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .collect();
        let want = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "COMMANDS",
            "\"OPTIONS OF EVERY COMMAND\"",
            "KEYS",
            "\"EXIT STATUS\"",
            "LISTS",
            "CONFIGURATION",
            "ENVIRONMENT",
            "CREDENTIALS",
            "FILES",
            "\"JSON OUTPUT\"",
            "SIMULATIONS",
            "LIMITS",
            "EXAMPLES",
        ];
        let plain = |heading: &str| heading.replace('"', "");
        assert_eq!(
            headings.iter().map(|h| plain(h)).collect::<Vec<_>>(),
            want.map(plain)
        );
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_a_flag() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::Elvish,
            Shell::PowerShell,
        ] {
            assert!(completions(shell).contains("connect-timeout"), "{shell}");
        }
    }
}
