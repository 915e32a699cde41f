//! A small strict reader of XML, as far as lists need it: elements and their
//! text. Attributes are passed over, prefixes cut off; a document type is
//! refused, so that there are no entities but the five of the standard.

use std::borrow::Cow;

/// How deep elements may nest; XSPF needs five.
const DEPTH: usize = 32;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// An element begins; its local name.
    Opened(&'a str),
    /// The innermost element ends.
    Closed,
    /// Text in the innermost element.
    Text(Cow<'a, str>),
}

/// A reader of one document.
pub struct Xml<'a> {
    rest: &'a str,
    /// Names, with prefixes, of the elements that are open.
    open: Vec<&'a str>,
    /// `<a/>` was read: its end is still to be told.
    is_empty: bool,
    has_root: bool,
}

impl<'a> Xml<'a> {
    /// At the beginning of `text`.
    pub fn of(text: &'a str) -> Self {
        Self {
            rest: text,
            open: Vec::new(),
            is_empty: false,
            has_root: false,
        }
    }

    /// The next piece; `None` behind the root.
    ///
    /// # Errors
    ///
    /// Why it is no XML, or none that is read here.
    pub fn next(&mut self) -> Result<Option<Piece<'a>>, String> {
        if std::mem::take(&mut self.is_empty) {
            self.open.pop();
            return Ok(Some(Piece::Closed));
        }
        loop {
            let (text, tag) = match self.rest.find('<') {
                Some(at) => self.rest.split_at(at),
                None => (self.rest, ""),
            };
            self.rest = tag;
            match (text.trim().is_empty(), self.open.is_empty()) {
                (false, true) => return Err("text stands outside of its root".to_owned()),
                (false, false) => return plain(text).map(|text| Some(Piece::Text(text))),
                (true, _) => {}
            }
            if tag.is_empty() {
                return match (self.has_root, self.open.last()) {
                    (true, None) => Ok(None),
                    _ => Err("it breaks off".to_owned()),
                };
            }
            if let Some(piece) = self.markup()? {
                return Ok(Some(piece));
            }
        }
    }

    /// What begins with `<`; none for what says nothing.
    fn markup(&mut self) -> Result<Option<Piece<'a>>, String> {
        if let Some(rest) = self.rest.strip_prefix("<!--") {
            self.until(rest, "-->")?;
        } else if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
            let text = self.until(rest, "]]>")?;
            if self.open.is_empty() {
                return Err("text stands outside of its root".to_owned());
            }
            return Ok(Some(Piece::Text(Cow::Borrowed(text))));
        } else if let Some(rest) = self.rest.strip_prefix("<?") {
            self.until(rest, "?>")?;
        } else if self.rest.starts_with("<!") {
            return Err("it has a document type, which is not read".to_owned());
        } else if let Some(rest) = self.rest.strip_prefix("</") {
            let name = self.until(rest, ">")?.trim_end();
            return match self.open.pop() {
                Some(open) if open == name => Ok(Some(Piece::Closed)),
                _ => Err("an element ends that is not open".to_owned()),
            };
        } else {
            return self.element().map(Some);
        }
        Ok(None)
    }

    fn element(&mut self) -> Result<Piece<'a>, String> {
        let tag = &self.rest[1..];
        let end = tag_end(tag).ok_or("it breaks off in an element")?;
        let (inside, rest) = (&tag[..end], &tag[end + 1..]);
        self.is_empty = inside.ends_with('/');
        let name = inside.trim_end_matches('/');
        let name = name.split_ascii_whitespace().next().unwrap_or_default();
        if name.is_empty() || inside.starts_with(|letter: char| letter.is_ascii_whitespace()) {
            return Err("an element has no name".to_owned());
        }
        if self.open.is_empty() && self.has_root {
            return Err("it has two roots".to_owned());
        }
        if self.open.len() == DEPTH {
            return Err(format!("its elements nest deeper than {DEPTH}"));
        }
        self.has_root = true;
        self.open.push(name);
        self.rest = rest;
        let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
        Ok(Piece::Opened(local))
    }

    /// What stands in `rest` before `end`; reading goes on behind it.
    fn until(&mut self, rest: &'a str, end: &str) -> Result<&'a str, String> {
        let (inside, rest) = rest.split_once(end).ok_or("it breaks off")?;
        self.rest = rest;
        Ok(inside)
    }
}

/// Where the `>` of a tag is: one in quotes is part of a value.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.find(|letter| {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        quote.is_none() && letter == '>'
    })
}

/// `text` with its references resolved.
fn plain(text: &str) -> Result<Cow<'_, str>, String> {
    let Some((first, mut rest)) = text.split_once('&') else {
        return Ok(Cow::Borrowed(text));
    };
    let mut plain = first.to_owned();
    loop {
        let (name, behind) = rest.split_once(';').ok_or("a reference does not end")?;
        plain.push(referred(name).ok_or("a reference names nothing")?);
        match behind.split_once('&') {
            None => {
                plain.push_str(behind);
                return Ok(Cow::Owned(plain));
            }
            Some((text, next)) => {
                plain.push_str(text);
                rest = next;
            }
        }
    }
}

fn referred(name: &str) -> Option<char> {
    let code = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let code = match code.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => code.parse(),
    };
    char::from_u32(code.ok()?).filter(|letter| *letter != '\0')
}
