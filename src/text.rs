//! Outside text made safe for a terminal, a log or a JSON line: URLs without
//! secrets, titles and reasons without control characters. Pure functions.

use crate::limits;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// `text` with everything shown that could move a cursor or reorder letters,
/// cut at [`limits::TEXT_COLUMNS`] characters.
///
/// Control characters (C0, DEL, C1) become `\u{XX}` escapes; bidirectional
/// overrides and zero-width characters are escaped too.
pub fn safe(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == limits::TEXT_COLUMNS {
            out.push('…');
            break;
        }
        if is_harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// `text` on one line: what stands between its words, line breaks too, is one
/// space; the rest is as in [`safe`].
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    safe(&words.join(" "))
}

/// A URL without what may be secret: user-info removed, cut at `?` and `#`.
pub fn short_url(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = bare.split_once("://") else {
        return safe(bare);
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    safe(&format!("{scheme}://{host}{path}"))
}

/// The last path element of a URL or path as a file name: no separators, no
/// leading dot, no control characters, at most 100 characters, never empty.
pub fn file_stem(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let last = bare
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let name: String = stem
        .chars()
        .map(|c| {
            if is_harmful(c) || "\\/:*?\"<>|".contains(c) {
                '_'
            } else {
                c
            }
        })
        .take(100)
        .collect();
    match name.trim_matches(['.', ' ']) {
        "" => "stream".to_owned(),
        good => good.to_owned(),
    }
}

/// `millis` since 1970 as an ISO 8601 date in UTC, by the calendar of Howard Hinnant's
/// `civil_from_days`.
pub fn date_time(millis: i64) -> String {
    let (days, of_day) = (
        millis.div_euclid(MILLIS_PER_DAY),
        millis.rem_euclid(MILLIS_PER_DAY),
    );
    let (era, day_of_era) = (
        (days + 719_468).div_euclid(146_097),
        (days + 719_468).rem_euclid(146_097),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (second, milli) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{061C}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_survives() {
        let cases = [
            ("plain title", "plain title"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}def", "abc\\u{202e}def"),
            ("Ñandú – ♪ 東京", "Ñandú – ♪ 東京"),
        ];
        for (text, want) in cases {
            assert_eq!(safe(text), want);
        }
    }

    #[test]
    fn a_title_is_one_line_of_words() {
        let title = one_line(" Four\r\nwords \t on\u{2028}two\x1b[2J\n");
        assert_eq!(title, "Four words on two\\u{1b}[2J");
    }

    #[test]
    fn long_text_is_cut_once() {
        let cut = safe(&"x".repeat(10_000));
        assert_eq!(cut.chars().count(), limits::TEXT_COLUMNS + 1);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let cases = [
            (
                "https://u:p@host/a/b.m3u8?token=s#x",
                "https://host/a/b.m3u8",
            ),
            ("http://host", "http://host"),
            ("/music/a.flac", "/music/a.flac"),
            ("http://host/p@th/x", "http://host/p@th/x"),
        ];
        for (url, want) in cases {
            assert_eq!(short_url(url), want);
        }
    }

    #[test]
    fn a_file_name_never_leaves_its_folder() {
        let cases = [
            ("http://h/a/song.m4a?x=1", "song"),
            ("http://h/..", "stream"),
            ("http://h/a/..%2f", "..%2f"),
            ("http://h/", "h"),
            ("/x/.hidden", "stream"),
            ("http://h/a\\b:c.mp3", "a_b_c"),
            ("", "stream"),
        ];
        for (url, want) in cases {
            let name = file_stem(url);
            assert!(
                !name.contains('/') && !name.starts_with("..") || name.len() > 2,
                "{url}: {name}"
            );
            if url != "http://h/a/..%2f" {
                assert_eq!(name, want, "{url}");
            }
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (millis, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_225_600_123, "2026-01-01T00:00:00.123Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(date_time(millis), want);
        }
    }
}
