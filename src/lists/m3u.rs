//! M3U: an address a line; lines that begin with `#` are comments, of which
//! `#EXTINF:seconds,title` names the next address.

use super::Row;

/// Whether `head` begins with `#EXTM3U`, whatever other comments come first.
pub fn is_headed(head: &[u8]) -> bool {
    let mut lines = head
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii_start);
    let first = lines
        .find(|line| line.starts_with(b"#EXT") || !(line.is_empty() || line.starts_with(b"#")));
    first.is_some_and(|line| line.starts_with(b"#EXTM3U"))
}

/// Whether `head` can be lines of addresses: it has letters, and no control
/// character beside those that end lines.
pub fn is_text(head: &[u8]) -> bool {
    let is_letter = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    head.iter().all(is_letter) && !head.trim_ascii().is_empty()
}

/// The rows of `text`.
pub fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut title = None;
    for line in text.split(['\n', '\r']).map(str::trim) {
        if let Some(told) = line.strip_prefix("#EXTINF:") {
            title = titled(told);
        } else if !line.is_empty() && !line.starts_with('#') {
            rows.push(Row {
                address: line.to_owned(),
                title: title.take(),
            });
        }
    }
    rows
}

/// What stands behind the comma: the first one outside of quotes, for attributes
/// (`-1 logo="a,b",Title`) may stand before it.
fn titled(told: &str) -> Option<String> {
    let mut is_quoted = false;
    let comma = told.find(|letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    });
    let comma = comma.or_else(|| told.find(','))?;
    Some(told[comma + 1..].to_owned())
}
