//! Attribute lists of playlist tags: `NAME=value,NAME="quoted"` (RFC 8216
//! section 4.2), read forgivingly and written strictly.

use std::borrow::Cow;

use crate::error::Problem;
use crate::hls::repair;
use crate::limits;

/// Values that are quoted strings, whatever the tag (client attributes aside).
const QUOTED: [&str; 26] = [
    "URI",
    "BYTERANGE",
    "KEYFORMAT",
    "KEYFORMATVERSIONS",
    "ID",
    "CLASS",
    "START-DATE",
    "END-DATE",
    "NAME",
    "VALUE",
    "IMPORT",
    "QUERYPARAM",
    "GROUP-ID",
    "LANGUAGE",
    "ASSOC-LANGUAGE",
    "CHARACTERISTICS",
    "CHANNELS",
    "CODECS",
    "AUDIO",
    "VIDEO",
    "SUBTITLES",
    "DATA-ID",
    "STABLE-VARIANT-ID",
    "STABLE-RENDITION-ID",
    "PATHWAY-ID",
    "SERVER-URI",
];
/// Values that are words or numbers, whatever the tag.
const BARE: [&str; 24] = [
    "METHOD",
    "IV",
    "TYPE",
    "DEFAULT",
    "AUTOSELECT",
    "FORCED",
    "BANDWIDTH",
    "AVERAGE-BANDWIDTH",
    "RESOLUTION",
    "FRAME-RATE",
    "HDCP-LEVEL",
    "PROGRAM-ID",
    "TIME-OFFSET",
    "PRECISE",
    "DURATION",
    "PLANNED-DURATION",
    "END-ON-NEXT",
    "HOLD-BACK",
    "PART-HOLD-BACK",
    "CAN-SKIP-UNTIL",
    "CAN-BLOCK-RELOAD",
    "PART-TARGET",
    "SKIPPED-SEGMENTS",
    "INDEPENDENT",
];

/// The attributes of one tag, in order.
#[derive(Debug)]
pub struct Attributes<'a> {
    list: Vec<Attribute<'a>>,
    is_odd: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attribute<'a> {
    name: &'a str,
    /// Without quotes.
    value: &'a str,
    is_quoted: bool,
}

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
        let mut list_read = Vec::new();
        let mut rest = Rest {
            list,
            is_odd: false,
        };
        while !rest.list.is_empty() {
            let attribute = rest.take();
            if attribute.is_some() && list_read.len() == limits::TAG_ATTRIBUTES {
                let why = format!(
                    "the tag in line {line} has more than {} attributes",
                    limits::TAG_ATTRIBUTES
                );
                return Err(repair::over_limit(why));
            }
            list_read.extend(attribute);
        }
        Ok(Self {
            list: list_read,
            is_odd: rest.is_odd,
        })
    }

    /// Each name with its value, in the order they stand.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.list.iter().map(|one| (one.name, one.value))
    }

    /// The value of the first attribute called `name`.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        let attribute = self.list.iter().find(|one| one.name == name);
        attribute.map(|one| one.value)
    }

    /// What breaks the grammar, if something does. Text from outside.
    pub fn flaw(&self) -> Option<String> {
        if self.is_odd {
            return Some("the attributes are not NAME=value with commas between".to_owned());
        }
        self.list.iter().enumerate().find_map(|(index, one)| {
            let name = one.name;
            if !one.is_quoted && QUOTED.contains(&name) {
                Some(format!("{name} stands without its quotes"))
            } else if one.is_quoted && BARE.contains(&name) {
                Some(format!("{name} stands in quotes"))
            } else if self.list[..index].iter().any(|other| other.name == name) {
                Some(format!("{name} stands twice: the first counts"))
            } else {
                None
            }
        })
    }

    /// Whether the attribute `name` says `YES`, in capitals or not.
    pub fn is_yes(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("YES"))
    }
}

/// What of `value` can stand in quotes: those inside it are left out, as the
/// grammar has no escape for them. An address is judged as this leaves it.
pub fn quotable(value: &str) -> Cow<'_, str> {
    match value.contains('"') {
        true => value.replace('"', "").trim().to_owned().into(),
        false => value.trim().into(),
    }
}

/// Appends `,NAME="value"`, or without the comma right after the tag's colon,
/// as far as the value is [`quotable`].
pub fn push_quoted(out: &mut String, name: &str, value: &str) {
    push_name(out, name);
    out.push('"');
    out.push_str(&quotable(value));
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

/// What is left of a list.
struct Rest<'a> {
    list: &'a str,
    /// Something was not as the grammar has it.
    is_odd: bool,
}

impl<'a> Rest<'a> {
    /// Takes the first `NAME=value` off the list, or what stands in its place.
    fn take(&mut self) -> Option<Attribute<'a>> {
        let list = self.list;
        let Some(end) = list
            .find(['=', ','])
            .filter(|end| list.as_bytes()[*end] == b'=')
        else {
            let tail = list.split_once(',').map_or("", |(_, tail)| tail);
            (self.list, self.is_odd) = (tail, true);
            return None;
        };
        let (name, stated) = (list[..end].trim(), &list[end + 1..]);
        let (value, tail, is_quoted) = match stated.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, behind) = quoted.split_once('"').unwrap_or((quoted, "open"));
                let tail = behind.split_once(',').map_or("", |(_, tail)| tail);
                self.is_odd |= !(behind.is_empty() || behind.starts_with(','));
                (value, tail, true)
            }
            None => {
                let (value, tail) = stated.split_once(',').unwrap_or((stated, ""));
                self.is_odd |= value.ends_with(char::is_whitespace);
                (value, tail, false)
            }
        };
        self.is_odd |=
            name.len() != end || name.is_empty() || stated.starts_with(char::is_whitespace);
        self.list = tail;
        Some(Attribute {
            name,
            value: value.trim(),
            is_quoted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn attributes_are_read_as_they_come() {
        let cases = [
            (
                "A=1,B=\"x,y=z\",C=Q",
                vec![("A", "1"), ("B", "x,y=z"), ("C", "Q")],
                None,
            ),
            (" A = 1 , B = \"x\" ", vec![("A", "1"), ("B", "x")], ODD),
            ("A=1, B=2", vec![("A", "1"), ("B", "2")], ODD),
            ("A=\"open,B=1", vec![("A", "open,B=1")], ODD),
            ("A=\"x\"junk,B=1", vec![("A", "x"), ("B", "1")], ODD),
            ("junk,A=1", vec![("A", "1")], ODD),
            ("A=,=,", vec![("A", ""), ("", "")], ODD),
            ("junk", vec![], ODD),
            ("", vec![], None),
            ("NAME=\"Español – ♪\"", vec![("NAME", "Español – ♪")], None),
            (
                "URI=k",
                vec![("URI", "k")],
                Some("URI stands without its quotes"),
            ),
            (
                "METHOD=\"NONE\"",
                vec![("METHOD", "NONE")],
                Some("METHOD stands in quotes"),
            ),
            (
                "X=1,X=2",
                vec![("X", "1"), ("X", "2")],
                Some("X stands twice: the first counts"),
            ),
            ("X-URI=\"1\",x=2", vec![("X-URI", "1"), ("x", "2")], None),
        ];
        for (list, want, flaw) in cases {
            let read = Attributes::read(list, 1).expect("few attributes");
            let pairs: Vec<_> = read.list.iter().map(|one| (one.name, one.value)).collect();
            assert_eq!(pairs, want, "{list}");
            assert_eq!(read.flaw().as_deref(), flaw, "{list}");
        }
    }

    const ODD: Option<&str> = Some("the attributes are not NAME=value with commas between");

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
