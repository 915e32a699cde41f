//! Attribute lists of playlist tags: `NAME=value,NAME="quoted"` (RFC 8216
//! section 4.2), read forgivingly and written strictly.

use crate::error::Problem;
use crate::hls::playlist;
use crate::limits;

/// The attributes of one tag, in order, values without quotes.
#[derive(Debug)]
pub struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Reads what follows the colon of a tag in line `line`.
    ///
    /// A quote that is never closed ends with the line; whatever has no `=` is
    /// skipped.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Limit`] above [`limits::TAG_ATTRIBUTES`].
    pub fn read(list: &'a str, line: u32) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let (pair, tail) = split_pair(rest);
            rest = tail;
            if pair.is_some() && pairs.len() == limits::TAG_ATTRIBUTES {
                let why = format!(
                    "the tag in line {line} has more than {} attributes",
                    limits::TAG_ATTRIBUTES
                );
                return Err(playlist::over_limit(why));
            }
            pairs.extend(pair);
        }
        Ok(Self(pairs))
    }

    /// Each name with its value, in the order they stand.
    pub fn pairs(&self) -> &[(&'a str, &'a str)] {
        &self.0
    }

    /// The value of the first attribute called `name`.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        let pair = self.0.iter().find(|(found, _)| *found == name);
        pair.map(|(_, value)| *value)
    }

    /// Whether the attribute `name` says `YES`.
    pub fn is_yes(&self, name: &str) -> bool {
        self.find(name) == Some("YES")
    }
}

/// Appends `,NAME="value"`, or without the comma right after the tag's colon.
/// Quotes inside `value` are left out, as the grammar has no escape for them.
pub fn push_quoted(out: &mut String, name: &str, value: &str) {
    push_name(out, name);
    out.push('"');
    out.push_str(value.replace('"', "").trim());
    out.push('"');
}

/// Appends `,NAME=value`, or without the comma right after the tag's colon.
pub fn push_bare(out: &mut String, name: &str, value: &str) {
    push_name(out, name);
    out.push_str(value);
}

fn push_name(out: &mut String, name: &str) {
    if !out.ends_with(':') {
        out.push(',');
    }
    out.push_str(name);
    out.push('=');
}

/// The first `NAME=value` of a list, and what is left of the list.
fn split_pair(list: &str) -> (Option<(&str, &str)>, &str) {
    let Some(end) = list.find(['=', ',']) else {
        return (None, "");
    };
    let (name, rest) = (list[..end].trim(), &list[end + 1..]);
    if list.as_bytes()[end] == b',' {
        return (None, rest);
    }
    let (value, rest) = match rest.trim_start().strip_prefix('"') {
        Some(quoted) => split_quoted(quoted),
        None => rest.split_once(',').unwrap_or((rest, "")),
    };
    (Some((name, value.trim())), rest)
}

/// Splits after the closing quote and the comma behind it.
fn split_quoted(quoted: &str) -> (&str, &str) {
    let (value, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
    (value, rest.split_once(',').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn attributes_are_read_as_they_come() {
        let cases: [(&str, &[(&str, &str)]); 8] = [
            (
                "A=1,B=\"x,y=z\",C=Q",
                &[("A", "1"), ("B", "x,y=z"), ("C", "Q")],
            ),
            (" A = 1 , B = \"x\" ", &[("A", "1"), ("B", "x")]),
            ("A=\"open,B=1", &[("A", "open,B=1")]),
            ("A=\"x\"junk,B=1", &[("A", "x"), ("B", "1")]),
            ("junk,A=1", &[("A", "1")]),
            ("A=,=,", &[("A", ""), ("", "")]),
            ("junk", &[]),
            ("NAME=\"Español – ♪\"", &[("NAME", "Español – ♪")]),
        ];
        for (list, want) in cases {
            let read = Attributes::read(list, 1).expect("few attributes");
            assert_eq!(read.0, want, "{list}");
        }
    }

    #[test]
    fn a_flood_of_attributes_is_refused() {
        let list = |count: usize| "A=1,".repeat(count);
        assert!(Attributes::read(&list(limits::TAG_ATTRIBUTES), 1).is_ok());
        let problem = Attributes::read(&list(limits::TAG_ATTRIBUTES + 1), 7).expect_err("too many");
        assert_eq!(problem.kind, Kind::Limit);
        assert_eq!(problem.why, "the tag in line 7 has more than 64 attributes");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = "#EXT-X-MEDIA:".to_owned();
        push_bare(&mut out, "TYPE", "AUDIO");
        push_quoted(&mut out, "NAME", "a \"b\", c \"");
        assert_eq!(out, "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a b, c\"");
    }
}
