//! `#EXT-X-DEFINE`: variables of a playlist, put in place before anything else
//! is read (draft-pantos-hls-rfc8216bis section 4.3).

use crate::error::{Kind, Problem};
use crate::hls::playlist;
use crate::hls::sanitise::{Line, Tag};
use crate::limits;
use crate::location::Location;

const VARIABLES: usize = 256; // in one playlist; real ones have a handful

/// `text` with every `{$name}` replaced by its value, line by line, so that
/// line numbers stay. `before` lines stand before it.
///
/// # Errors
///
/// [`Kind::Malformed`] for a variable without a value, as the draft demands;
/// [`Kind::Unsupported`] for IMPORT; [`Kind::Limit`] when the values blow the
/// text up beyond [`limits::PLAYLIST_BYTES`].
pub fn substituted(text: &str, before: u32, base: &Location) -> Result<String, Problem> {
    let mut variables = Variables(Vec::new());
    let mut out = String::with_capacity(text.len());
    for (number, line) in (before + 1..).zip(text.split_inclusive('\n')) {
        let trimmed = Line {
            number,
            text: line.trim(),
        };
        let tag = Tag::of(trimmed);
        if let Some(tag) = tag.filter(|tag| tag.name == "EXT-X-DEFINE") {
            variables.define(tag, base)?;
            out.push('\n');
        } else if tag.is_none() && trimmed.text.starts_with('#') {
            out.push('\n');
        } else {
            variables.replace(line, number, &mut out)?;
        }
    }
    Ok(out)
}

struct Variables(Vec<(String, String)>);

impl Variables {
    fn define(&mut self, tag: Tag<'_>, base: &Location) -> Result<(), Problem> {
        let attributes = tag.attributes()?;
        let (name, value) = if let Some(name) = attributes.find("NAME") {
            let value = attributes.find("VALUE").map(str::to_owned);
            (name, value)
        } else if let Some(name) = attributes.find("QUERYPARAM") {
            (name, query_value(base, name))
        } else {
            return Err(unsupported(tag));
        };
        let value = value
            .filter(|value| !value.contains(|c: char| c.is_control() || c == '"'))
            .ok_or_else(|| tag.malformed("has no value that can be used"))?;
        if self.0.len() == VARIABLES {
            return Err(playlist::over_limit(format!(
                "it has more than {VARIABLES} variables"
            )));
        }
        self.0.push((name.to_owned(), value));
        Ok(())
    }

    fn replace(&self, line: &str, number: u32, out: &mut String) -> Result<(), Problem> {
        let mut rest = line;
        while let Some((text, tail)) = rest.split_once("{$") {
            out.push_str(text);
            let Some((name, tail)) = tail.split_once('}').filter(|(name, _)| is_name(name)) else {
                out.push_str("{$");
                rest = tail;
                continue;
            };
            let variable = self.0.iter().find(|(defined, _)| defined == name);
            let (_, value) = variable.ok_or_else(|| {
                playlist::malformed(format!("line {number} uses a variable without a value"))
            })?;
            out.push_str(value);
            if out.len() as u64 > limits::PLAYLIST_BYTES {
                return Err(playlist::over_limit("its variables make it too long"));
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(())
    }
}

fn query_value(base: &Location, name: &str) -> Option<String> {
    match base {
        Location::Http(url) => {
            let mut pairs = url.query_pairs();
            pairs
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.into_owned())
        }
        Location::File(_) => None,
    }
}

fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}

fn unsupported(tag: Tag<'_>) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot read the playlist",
        format!("line {} takes a variable from another playlist", tag.line),
        "ask its publisher for a list without variables",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> Result<String, Kind> {
        let base = Location::parse("https://h/list?token=a%20b&bad=%0A").expect("a URL");
        substituted(text, 0, &base).map_err(|problem| problem.kind)
    }

    #[test]
    fn a_variable_stands_for_its_value_from_its_line_on() {
        let define = "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"v\"\n";
        let cases = [
            ("{$x}/a{$x}\n", Ok("\nv/av\n")),
            ("#EXT-X-MAP:URI=\"{$x}\"", Ok("\n#EXT-X-MAP:URI=\"v\"")),
            ("{$}{$ x}{x}{$x", Ok("\n{$}{$ x}{x}{$x")),
            ("# {$y}\nb", Ok("\n\nb")),
            ("{$y}", Err(Kind::Malformed)),
            (
                "#EXT-X-DEFINE:QUERYPARAM=\"token\"\n{$token}",
                Ok("\n\na b"),
            ),
            ("#EXT-X-DEFINE:QUERYPARAM=\"none\"\n", Err(Kind::Malformed)),
            ("#EXT-X-DEFINE:QUERYPARAM=\"bad\"\n", Err(Kind::Malformed)),
            ("#EXT-X-DEFINE:NAME=\"y\"\n", Err(Kind::Malformed)),
            ("#EXT-X-DEFINE:IMPORT=\"y\"\n", Err(Kind::Unsupported)),
        ];
        for (text, want) in cases {
            let got = replaced(&format!("{define}{text}"));
            assert_eq!(got.as_deref(), want.as_ref().map(|text| *text), "{text}");
        }
        assert_eq!(replaced("{$x}\n"), Err(Kind::Malformed));
        assert_eq!(replaced(&define.repeat(VARIABLES + 1)), Err(Kind::Limit));
    }

    #[test]
    fn variables_cannot_blow_a_playlist_up() {
        let value = "v".repeat(60_000);
        let text = format!(
            "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"{value}\"\n{}",
            "{$x}\n".repeat(1000)
        );
        assert_eq!(replaced(&text), Err(Kind::Limit));
    }
}
