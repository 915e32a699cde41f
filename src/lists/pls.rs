//! PLS: `FileN=address` and `TitleN=name` in a section `[playlist]`, in any
//! order; the numbers order the entries.

use std::collections::BTreeMap;

use super::Row;

const HEADER: &str = "[playlist]";

/// Whether the first line of `head` that says anything is `[playlist]`.
pub fn is_headed(head: &[u8]) -> bool {
    let mut lines = head
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !(line.is_empty() || line.starts_with(b";")));
    first.is_some_and(|line| line.eq_ignore_ascii_case(HEADER.as_bytes()))
}

/// The rows of `text`; of a number that comes twice, the last address.
pub fn rows(text: &str) -> Vec<Row> {
    let mut rows = BTreeMap::<u32, Row>::new();
    let mut is_ours = false;
    for line in text.split(['\n', '\r']).map(str::trim) {
        if line.starts_with('[') {
            is_ours = line.eq_ignore_ascii_case(HEADER);
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_ours) else {
            continue;
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let number = |word| {
            name.strip_prefix(word)
                .and_then(|digits: &str| digits.parse().ok())
        };
        if let Some(number) = number("file") {
            rows.entry(number).or_default().address = value.to_owned();
        } else if let Some(number) = number("title") {
            rows.entry(number).or_default().title = Some(value.to_owned());
        }
    }
    rows.into_values()
        .filter(|row| !row.address.is_empty())
        .collect()
}
