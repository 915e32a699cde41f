//! How long ago something was, as people say it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::text::date_time;

const DATE_LETTERS: usize = 10; // of an ISO 8601 date without its time

/// `then`, seen from `now`: `now`, `5 min ago`, `3 h ago`, `2 d ago`, and from
/// two weeks on the date.
pub fn ago(then: SystemTime, now: SystemTime) -> String {
    // A clock that was set back since: just now.
    let seconds = now.duration_since(then).unwrap_or_default().as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..1_209_600 => format!("{} d ago", seconds / 86_400),
        _ => {
            let since = then.duration_since(UNIX_EPOCH).unwrap_or_default();
            let date = date_time(i64::try_from(since.as_millis()).unwrap_or(0));
            date.chars().take(DATE_LETTERS).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_age_has_one_unit_and_then_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        for (seconds, want) in [
            (0, "now"),
            (59, "now"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (7300, "2 h ago"),
            (86_400, "1 d ago"),
            (13 * 86_400, "13 d ago"),
            (14 * 86_400, "2025-12-18"),
        ] {
            assert_eq!(ago(now - Duration::from_secs(seconds), now), want);
        }
        assert_eq!(ago(now + Duration::from_secs(9), now), "now");
    }
}
