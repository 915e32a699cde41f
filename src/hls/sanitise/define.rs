//! `#EXT-X-DEFINE`: variables of a playlist, put in place before anything else
//! is read (draft-pantos-hls-rfc8216bis sections 4.3 and 4.4.2.3).

use std::collections::BTreeMap;

use crate::error::{Kind, Problem};
use crate::hls::repair::{self, Repairs};
use crate::hls::sanitise::common::Origin;
use crate::hls::sanitise::{Line, Tag};
use crate::limits;
use crate::location::{self, Location};
use crate::text;

const VARIABLES: usize = 256; // in one playlist; real ones have a handful

/// What the variables of a playlist stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// `text` with every `{$name}` replaced by its value, line by line, so that
/// line numbers stay; and its variables. `before` lines stand before it.
///
/// # Errors
///
/// [`Kind::Malformed`] for a variable without a value or with two, as the draft
/// demands; [`Kind::Unsupported`] for IMPORT without a parent; [`Kind::Limit`]
/// when the values blow the text or a line up beyond its cap.
pub fn substituted(
    text: &str,
    before: u32,
    origin: Origin<'_>,
    repairs: &mut Repairs,
) -> Result<(String, Variables), Problem> {
    let mut variables = Variables::default();
    let mut out = String::with_capacity(text.len());
    for (number, line) in (before + 1..).zip(text.split_inclusive('\n')) {
        let trimmed = Line::of(number, line);
        match Tag::of(trimmed) {
            Some(tag) if tag.name == "EXT-X-DEFINE" => {
                variables.define(tag, origin, repairs)?;
                out.push('\n');
            }
            // Its title is no place for a variable, and may hold anything.
            Some(tag) if tag.name == "EXTINF" => out.push_str(line),
            None if trimmed.text.starts_with('#') => out.push('\n'),
            Some(_) | None => variables.replace(line, number, &mut out)?,
        }
        if out.len() as u64 > limits::PLAYLIST_BYTES {
            return Err(repair::over_limit("its variables make it too long"));
        }
    }
    Ok((out, variables))
}

impl Variables {
    fn define(
        &mut self,
        tag: Tag<'_>,
        origin: Origin<'_>,
        repairs: &mut Repairs,
    ) -> Result<(), Problem> {
        // A value may use the variables before it.
        let mut line = String::new();
        self.replace(tag.value, tag.line, &mut line)?;
        let tag = Tag {
            value: &line,
            ..tag
        };
        let attributes = tag.noted_attributes(repairs)?;
        let find = |name| attributes.find(name).filter(|name| is_name(name));
        let (name, value) = if let Some(name) = find("NAME") {
            (name, attributes.find("VALUE").map(str::to_owned))
        } else if let Some(name) = find("QUERYPARAM") {
            (name, query_value(origin.base, name))
        } else if let Some(name) = find("IMPORT") {
            let parent = origin.parent.ok_or_else(|| without_parent(tag, name))?;
            (name, parent.variables.0.get(name).cloned())
        } else {
            return Err(tag.malformed("names no variable"));
        };
        let is_usable = |value: &String| !value.contains(|c: char| c.is_control() || c == '"');
        let value = value.filter(is_usable).ok_or_else(|| {
            let name = text::safe(name);
            tag.malformed(&format!(
                "has no value for the variable \"{name}\" that can be used"
            ))
        })?;
        self.insert(tag, name, value)
    }

    fn insert(&mut self, tag: Tag<'_>, name: &str, value: String) -> Result<(), Problem> {
        if self.0.len() == VARIABLES {
            let why = format!("it has more than {VARIABLES} variables");
            return Err(repair::over_limit(why));
        }
        match self.0.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => {
                let name = text::safe(name);
                Err(tag.malformed(&format!("gives the variable \"{name}\" a second value")))
            }
        }
    }

    /// Appends `line` to `out` with its variables replaced.
    fn replace(&self, line: &str, number: u32, out: &mut String) -> Result<(), Problem> {
        let begin = out.len();
        let mut rest = line;
        while let Some((text, tail)) = rest.split_once("{$") {
            out.push_str(text);
            let Some((name, tail)) = tail.split_once('}').filter(|(name, _)| is_name(name)) else {
                out.push_str("{$");
                rest = tail;
                continue;
            };
            let value = self.0.get(name).ok_or_else(|| {
                let name = text::safe(name);
                let why = format!("line {number} uses the variable \"{name}\", which has no value");
                repair::malformed(why)
            })?;
            out.push_str(value);
            if out.len() - begin > limits::PLAYLIST_LINE_BYTES {
                let cap = limits::PLAYLIST_LINE_BYTES >> 10;
                let why = format!("its variables make line {number} longer than {cap} KiB");
                return Err(repair::over_limit(why));
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(())
    }
}

/// The value of the first query parameter `name`. A plus sign is a plus sign:
/// tokens in base 64 have them, and forms are not sent here.
fn query_value(base: &Location, name: &str) -> Option<String> {
    let Location::Http(url) = base else {
        return None;
    };
    let mut pairs = url.query()?.split('&');
    pairs.find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        let is_it = location::percent_decoded(found)? == name;
        is_it.then(|| location::percent_decoded(value)).flatten()
    })
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}

fn without_parent(tag: Tag<'_>, name: &str) -> Problem {
    let (line, name) = (tag.line, text::safe(name));
    Problem::new(
        Kind::Unsupported,
        "cannot read the playlist",
        format!(
            "line {line} takes the variable \"{name}\" from the list of variants that leads to it"
        ),
        "give the address of that list",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::sanitise::common::Common;

    fn replaced(text: &str, parent: Option<&Common>) -> Result<(String, Variables), Problem> {
        let address = "https://h/list?none&empty=&token=a%20b+c%3D&bad=%0A&token=second";
        let base = Location::parse(address).expect("a URL");
        let base = &base;
        substituted(text, 0, Origin { base, parent }, &mut Repairs::default())
    }

    fn text_of(text: &str) -> Result<String, String> {
        replaced(text, None)
            .map(|(text, _)| text)
            .map_err(|problem| problem.why)
    }

    #[test]
    fn a_variable_stands_for_its_value_from_its_line_on() {
        let define = "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"v\"\n";
        let cases = [
            ("{$x}/a{$x}\n", Ok("\nv/av\n")),
            ("#EXT-X-MAP:URI=\"{$x}\"", Ok("\n#EXT-X-MAP:URI=\"v\"")),
            ("#EXT-X-KEY:IV=0x{$x}", Ok("\n#EXT-X-KEY:IV=0xv")),
            ("#EXTINF:5,{$y}\n{$x}", Ok("\n#EXTINF:5,{$y}\nv")),
            ("{$}{$ x}{x}{$x", Ok("\n{$}{$ x}{x}{$x")),
            ("# {$y}\nb", Ok("\n\nb")),
            (
                "#EXT-X-DEFINE:NAME=\"y\",VALUE=\"{$x}{$x}\"\n{$y}",
                Ok("\n\nvv"),
            ),
            (
                "#EXT-X-DEFINE:QUERYPARAM=\"token\"\n{$token}",
                Ok("\n\na b+c="),
            ),
            ("#EXT-X-DEFINE:NAME=\"e\",VALUE=\"\"\na{$e}b", Ok("\n\nab")),
            (
                "#EXT-X-DEFINE:QUERYPARAM=\"empty\"\na{$empty}b",
                Ok("\n\nab"),
            ),
            (
                "{$y}",
                Err("line 2 uses the variable \"y\", which has no value"),
            ),
            (
                "#EXT-X-DEFINE:QUERYPARAM=\"none\"\n",
                Err(
                    "#EXT-X-DEFINE in line 2 has no value for the variable \"none\" that can be used",
                ),
            ),
            (
                "#EXT-X-DEFINE:QUERYPARAM=\"bad\"\n",
                Err(
                    "#EXT-X-DEFINE in line 2 has no value for the variable \"bad\" that can be used",
                ),
            ),
            (
                "#EXT-X-DEFINE:NAME=\"y\"\n",
                Err("#EXT-X-DEFINE in line 2 has no value for the variable \"y\" that can be used"),
            ),
            (
                "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"w\"\n",
                Err("#EXT-X-DEFINE in line 2 gives the variable \"x\" a second value"),
            ),
            (
                "#EXT-X-DEFINE:NAME=\"a b\",VALUE=\"w\"\n",
                Err("#EXT-X-DEFINE in line 2 names no variable"),
            ),
            (
                "#EXT-X-DEFINE:IMPORT=\"y\"\n",
                Err("line 2 takes the variable \"y\" from the list of variants that leads to it"),
            ),
        ];
        for (text, want) in cases {
            let got = text_of(&format!("{define}{text}"));
            let got = got.as_ref().map(String::as_str).map_err(String::as_str);
            assert_eq!(got, want, "{text}");
        }
        let early = text_of("{$x}\n#EXT-X-DEFINE:NAME=\"x\",VALUE=\"v\"\n");
        assert_eq!(
            early.expect_err("used before it is defined"),
            "line 1 uses the variable \"x\", which has no value"
        );
    }

    #[test]
    fn a_variable_is_imported_from_the_list_of_variants() {
        let list = "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"v\"\n";
        let (_, variables) = replaced(list, None).expect("variables");
        let parent = Common {
            variables,
            start_offset: None,
        };
        let import = |name: &str| {
            let text = format!("#EXT-X-DEFINE:IMPORT=\"{name}\"\n{{${name}}}");
            replaced(&text, Some(&parent)).map(|(text, _)| text)
        };
        assert_eq!(import("x").as_deref(), Ok("\nv"));
        let problem = import("y").expect_err("not defined there");
        assert_eq!(
            (problem.kind, problem.why.as_str()),
            (
                Kind::Malformed,
                "#EXT-X-DEFINE in line 1 has no value for the variable \"y\" that can be used"
            )
        );
        let (_, own) = replaced("a\n", Some(&parent)).expect("no variables");
        assert_eq!(own, Variables::default(), "nothing is imported unasked");
    }

    #[test]
    fn variables_cannot_blow_a_playlist_up() {
        let define =
            |name: &str, value: &str| format!("#EXT-X-DEFINE:NAME=\"{name}\",VALUE=\"{value}\"\n");
        let long = define("x", &"v".repeat(60_000));
        let doubling: String = (1..40)
            .map(|n| define(&format!("x{n}"), &format!("{{$x{0}}}{{$x{0}}}", n - 1)))
            .collect();
        let many: String = (0..=VARIABLES)
            .map(|n| define(&n.to_string(), ""))
            .collect();
        let cases = [
            (
                long.clone() + &"{$x}\n".repeat(1000),
                "its variables make it too long",
            ),
            (
                long + "{$x}{$x}\n",
                "its variables make line 2 longer than 64 KiB",
            ),
            (
                define("x0", "v") + &doubling,
                "its variables make line 17 longer than 64 KiB",
            ),
            (many, "it has more than 256 variables"),
        ];
        for (text, want) in cases {
            let problem = replaced(&text, None).expect_err(want);
            assert_eq!((problem.kind, problem.why.as_str()), (Kind::Limit, want));
        }
    }
}
