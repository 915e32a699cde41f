//! Addresses on the command line, and `-`: a list of them on standard input,
//! one a line.

use std::io::{BufRead, Read};

use crate::error::{Kind, Problem};
use crate::limits;
use crate::location::Location;

/// An address, or where more of them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Lines of standard input.
    Input,
    /// This one.
    At(Location),
}

/// Reads a word of the command line.
///
/// # Errors
///
/// Those of [`Location::parse`].
pub fn parse(word: &str) -> Result<Address, Problem> {
    match word {
        "-" => Ok(Address::Input),
        word => Location::parse(word).map(Address::At),
    }
}

/// Every address in turn, those of `input` where `-` stands. A line that is none
/// is a problem in its place; blank lines and those that begin with `#` are
/// left out.
///
/// # Errors
///
/// [`Kind::LocalFile`] when `input` cannot be read.
pub fn list(
    words: &[Address],
    input: &mut dyn BufRead,
) -> Result<Vec<Result<Location, Problem>>, Problem> {
    let mut list = Vec::new();
    for word in words {
        match word {
            Address::At(location) => list.push(Ok(location.clone())),
            Address::Input => lines(input, &mut list)?,
        }
    }
    Ok(list)
}

fn lines(
    input: &mut dyn BufRead,
    list: &mut Vec<Result<Location, Problem>>,
) -> Result<(), Problem> {
    let mut input = input.take(limits::PLAYLIST_BYTES);
    let mut line = Vec::new();
    for number in 1_usize.. {
        line.clear();
        let count = input.read_until(b'\n', &mut line).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        let text = line.trim_ascii();
        let text = match number {
            1 => text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text),
            _ => text,
        };
        if !text.is_empty() && !text.starts_with(b"#") {
            list.push(address(text, number));
        }
    }
    Ok(())
}

fn address(text: &[u8], number: usize) -> Result<Location, Problem> {
    let refuse = |why: &str| {
        let what = format!("cannot use line {number} of the list");
        Problem::new(Kind::Arguments, what, why, "mend the line")
    };
    let text = str::from_utf8(text).map_err(|_| refuse("it is not UTF-8"))?;
    Location::parse(text).map_err(|problem| refuse(&problem.why))
}

fn unreadable(error: std::io::Error) -> Problem {
    let what = "cannot read the list on standard input";
    Problem::from_io(error, Kind::LocalFile, what, "check where it comes from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_input_stand_where_the_dash_does() {
        let words = ["http://h/a", "-", "b.flac"].map(|word| parse(word).expect("an address"));
        let text = b"\xEF\xBB\xBF# mine\r\n\r\n  http://h/1 \r\nftp://h/2\nx\xFF\nhttp://h/3";
        let list = list(&words, &mut &text[..]).expect("it is read");
        let told: Vec<_> = list
            .iter()
            .map(|entry| match entry {
                Ok(location) => location.to_string(),
                Err(problem) => {
                    assert_eq!(problem.kind, Kind::Arguments);
                    format!("{}: {}", problem.what, problem.why)
                }
            })
            .collect();
        let want = [
            "http://h/a",
            "http://h/1",
            "cannot use line 4 of the list: \"ftp\" is not among http, https and file",
            "cannot use line 5 of the list: it is not UTF-8",
            "http://h/3",
            "b.flac",
        ];
        assert_eq!(told, want);
    }
}
