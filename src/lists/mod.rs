//! Lists of addresses, that are no streams themselves: `.m3u` without HLS tags,
//! `.pls` and `.xspf`. Told by content, and a bare `.m3u` by its name or type;
//! read into addresses in the order of the list. Pure: nothing is opened here.

mod address;
mod m3u;
mod pls;
mod xml;
mod xspf;

use crate::error::{Kind, Problem};
use crate::limits;
use crate::location::Location;
use crate::text;

/// One line of a list: a stream, or another list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub location: Location,
    /// What the list calls it, made safe.
    pub title: Option<String>,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An address a line, and comments.
    M3u,
    /// `FileN=` and `TitleN=` in `[playlist]`.
    Pls,
    /// XML: <https://xspf.org/spec>.
    Xspf,
}

/// An entry as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    address: String,
    title: Option<String>,
}

impl Form {
    /// The form of a text that begins with `head`, if it names itself. An M3U
    /// that does may still be HLS: see [`is_hls`].
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = without_mark(head);
        if m3u::is_headed(head) {
            Some(Self::M3u)
        } else if pls::is_headed(head) {
            Some(Self::Pls)
        } else {
            xspf::is_headed(head).then_some(Self::Xspf)
        }
    }
}

/// Whether the M3U in `bytes` is a playlist of HLS: any tag of RFC 8216 but the
/// two that it has from plain lists.
pub fn is_hls(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.any(|line| line.trim_ascii_start().starts_with(b"#EXT-X-"))
}

/// Whether something is called an M3U and begins like a text: a list without a
/// header. `path` is that of its address, `content_type` what the server says.
pub fn is_bare(path: &str, content_type: Option<&str>, head: &[u8]) -> bool {
    const TYPES: [&str; 4] = [
        "audio/x-mpegurl",
        "audio/mpegurl",
        "application/x-mpegurl",
        "application/vnd.apple.mpegurl",
    ];
    let kind = content_type.and_then(|kind| kind.split(';').next());
    let is_typed = kind.is_some_and(|kind| TYPES.contains(&kind.trim().to_lowercase().as_str()));
    let suffix = path.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let is_named = ["m3u", "m3u8"]
        .iter()
        .any(|name| suffix.eq_ignore_ascii_case(name));
    (is_typed || is_named) && m3u::is_text(without_mark(head))
}

/// The entries of the list in `bytes`, which is at `base`, in their order. One
/// that cannot be used is a problem in its place.
///
/// # Errors
///
/// [`Kind::Malformed`] when it is broken as a whole, [`Kind::NotAStream`] when
/// it has no entries, [`Kind::Limit`] above [`limits::LIST_BYTES`].
pub fn read(bytes: &[u8], base: &Location) -> Result<Vec<Result<Entry, Problem>>, Problem> {
    let what = || format!("cannot use the list \"{base}\"");
    if bytes.len() > limits::LIST_BYTES {
        let why = format!("it is longer than {} bytes", limits::LIST_BYTES);
        return Err(Problem::new(Kind::Limit, what(), why, "split it"));
    }
    let form = Form::of(bytes).unwrap_or(Form::M3u);
    let text = decoded(without_mark(bytes));
    let rows = match form {
        Form::M3u => m3u::rows(&text),
        Form::Pls => pls::rows(&text),
        Form::Xspf => xspf::rows(&text)
            .map_err(|why| Problem::new(Kind::Malformed, what(), why, "tell who made the list"))?,
    };
    if rows.is_empty() {
        let why = "it names no stream";
        return Err(Problem::new(
            Kind::NotAStream,
            what(),
            why,
            "check the address",
        ));
    }
    let mut entries: Vec<_> = (1..)
        .zip(rows.iter().take(limits::LIST_ENTRIES))
        .map(|(number, row)| entry(number, row, form, base))
        .collect();
    if rows.len() > limits::LIST_ENTRIES {
        let why = format!("only the first {} entries are used", limits::LIST_ENTRIES);
        let whole = format!("cannot use all of the list \"{base}\"");
        entries.push(Err(Problem::new(Kind::Limit, whole, why, "split it")));
    }
    Ok(entries)
}

fn entry(number: usize, row: &Row, form: Form, base: &Location) -> Result<Entry, Problem> {
    let location = address::resolved(&row.address, form == Form::Xspf, base);
    let location = location.map_err(|problem| Problem {
        what: format!("cannot use entry {number} of the list \"{base}\""),
        ..problem
    })?;
    let title = row.title.as_deref().map(text::one_line);
    let title = title.filter(|title| !title.is_empty());
    Ok(Entry { location, title })
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// UTF-8; what is none is an old list, and was written in Latin-1.
fn decoded(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests;
