//! Whether and when to ask again. Pure: no clock and no dice of its own.
//! A budget per resource, shared by answers that never came and bodies that
//! broke off; bytes that arrived earn some of it back, so an endless stream on
//! a poor link goes on and a server that only ever fails does not.

use std::time::{Duration, SystemTime};

use crate::limits;

use super::failure::{Cause, Failure};

const REFUSED: u32 = 2; // retries: a server that restarts is back in 3 s, a wrong port never is
const UNRESOLVED: u32 = 1; // the resolver has retried by itself
const EARNED_BYTES: u64 = 256 << 10; // pays for one retry: 2 s of CD-quality FLAC, 16 s of radio

/// The retry budget of one resource.
#[derive(Clone, Debug)]
pub struct Attempts {
    allowed: u32,
    failed: u32,
    /// Retries left in the budget.
    left: u32,
    /// Failures since the last byte.
    in_a_row: u32,
    /// The next failure is the last.
    last: bool,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Wait so long, then ask again.
    Wait(Duration),
    /// Report the failure.
    GiveUp,
}

impl Attempts {
    /// A budget of `retries` requests after the first.
    pub(super) fn new(retries: u32) -> Self {
        Self {
            allowed: retries,
            failed: 0,
            left: retries,
            in_a_row: 0,
            last: false,
        }
    }

    /// Attempts that failed so far.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// Decides about `failure` and takes it off the budget.
    ///
    /// The wait is `unit` after the first failure in a row and doubles with
    /// each further one, 20 % more or less by `dice`, which may be any number; a
    /// server's own wish (Retry-After) is kept, up to
    /// [`limits::RETRY_AFTER`]. A body that broke off is resumed almost at once.
    pub(super) fn after(&mut self, failure: &Failure, unit: Duration, dice: u64) -> Verdict {
        self.failed = self.failed.saturating_add(1);
        self.earn(failure.received);
        let limit = match failure.cause {
            Cause::Final => 0,
            Cause::Refused => REFUSED,
            Cause::Unresolved => UNRESOLVED,
            Cause::Busy { .. } | Cause::Broken | Cause::Misplaced => u32::MAX,
        };
        if self.last || self.left == 0 || self.in_a_row >= limit {
            return Verdict::GiveUp;
        }
        self.left -= 1;
        let wait = self.wait(failure, unit, dice);
        self.in_a_row += u32::from(failure.received == 0);
        Verdict::Wait(wait)
    }

    fn earn(&mut self, received: u64) {
        if received > 0 {
            self.in_a_row = 0;
        }
        let earned = u32::try_from(received / EARNED_BYTES).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(self.allowed);
    }

    fn wait(&mut self, failure: &Failure, unit: Duration, dice: u64) -> Duration {
        let percent = u32::try_from(dice % 41).unwrap_or(0); // 0 to 40
        if failure.received > 0 || failure.cause == Cause::Misplaced {
            return unit / 5; // the server is there and talks
        }
        let backoff = unit.saturating_mul(1 << self.in_a_row.min(16));
        let wait = backoff.saturating_mul(80 + percent) / 100;
        let Cause::Busy { asked: Some(asked) } = failure.cause else {
            return wait.min(limits::RETRY_AFTER);
        };
        self.last = asked > limits::RETRY_AFTER;
        // Never earlier than asked for, so only upwards.
        let asked = asked.saturating_mul(100 + percent / 2) / 100;
        asked.max(wait).min(limits::RETRY_AFTER)
    }
}

/// Reads a `Retry-After` header: seconds, or a date that is compared with `now`.
///
/// Source: RFC 9110 section 10.2.3.
pub(super) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for the type is a very long wait, not no wait.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::error::{Kind, Problem};

    const SECOND: Duration = Duration::from_secs(1);
    const MIDDLE: u64 = 20; // neither more nor less

    fn failure(cause: Cause, received: u64) -> Failure {
        let problem = Problem::new(Kind::NoData, "cannot fetch x", "it broke", "try again");
        Failure {
            problem,
            cause,
            received,
        }
    }

    /// The waits in milliseconds until it is given up, at most ten.
    fn waits(retries: u32, failures: &[Failure], dice: u64) -> Vec<u128> {
        let mut attempts = Attempts::new(retries);
        let mut waits = Vec::new();
        for failure in failures.iter().cycle().take(10) {
            match attempts.after(failure, SECOND, dice) {
                Verdict::Wait(wait) => waits.push(wait.as_millis()),
                Verdict::GiveUp => break,
            }
        }
        waits
    }

    #[test]
    fn each_kind_of_failure_has_its_number_of_retries() {
        let busy = Cause::Busy { asked: None };
        let cases: [(&str, Cause, u32, &[u128]); 8] = [
            ("404", Cause::Final, 5, &[]),
            ("refused", Cause::Refused, 5, &[1000, 2000]),
            ("no name", Cause::Unresolved, 5, &[1000]),
            ("500", busy, 5, &[1000, 2000, 4000, 8000, 16_000]),
            ("reset", Cause::Broken, 5, &[1000, 2000, 4000, 8000, 16_000]),
            ("wrong part", Cause::Misplaced, 2, &[200, 200]),
            ("no retries", busy, 0, &[]),
            (
                "long",
                busy,
                7,
                &[1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
            ),
        ];
        for (name, cause, retries, want) in cases {
            assert_eq!(waits(retries, &[failure(cause, 0)], MIDDLE), want, "{name}");
        }
    }

    #[test]
    fn a_wait_is_a_fifth_more_or_less_and_never_less_than_asked_for() {
        let plain = failure(Cause::Busy { asked: None }, 0);
        let asked = Cause::Busy {
            asked: Some(2 * SECOND),
        };
        let asked = failure(asked, 0);
        for dice in [0, 1, 17, 39, 40, 41, u64::MAX] {
            let wait = waits(1, std::slice::from_ref(&plain), dice)[0];
            assert!((800..=1200).contains(&wait), "{dice}: {wait}");
            let wait = waits(1, std::slice::from_ref(&asked), dice)[0];
            assert!((2000..=2400).contains(&wait), "{dice}: {wait}");
        }
    }

    #[test]
    fn a_server_that_asks_for_too_much_gets_the_longest_wait_and_one_last_try() {
        let asked = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            failure(Cause::Busy { asked }, 0)
        };
        assert_eq!(waits(5, &[asked(1_000_000_000)], MIDDLE), [30_000]);
        let plain = failure(Cause::Broken, 0);
        assert_eq!(waits(5, &[asked(31), plain], MIDDLE), [30_000]);
        assert_eq!(waits(2, &[asked(30)], MIDDLE), [30_000, 30_000]);
        assert_eq!(waits(2, &[asked(0)], MIDDLE), [1000, 2000], "no storm");
    }

    #[test]
    fn a_body_that_broke_off_is_resumed_at_once_but_not_for_ever() {
        let drip = failure(Cause::Broken, 1);
        assert_eq!(waits(5, &[drip], MIDDLE), [200; 5]);
        let rich = failure(Cause::Broken, EARNED_BYTES);
        assert_eq!(waits(5, &[rich], MIDDLE), [200; 10]);
        let dry = failure(Cause::Broken, 0);
        let some = failure(Cause::Broken, 50_000);
        let mixed = [some, dry.clone(), dry];
        assert_eq!(waits(5, &mixed, MIDDLE), [200, 1000, 2000, 200, 1000]);
    }

    #[test]
    fn a_server_that_went_away_in_mid_body_may_be_refused_twice() {
        let refused = failure(Cause::Refused, 0);
        let story = [
            failure(Cause::Broken, 10),
            refused.clone(),
            refused.clone(),
            refused,
        ];
        assert_eq!(waits(5, &story, MIDDLE), [200, 1000, 2000]);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = httpdate::parse_http_date("Tue, 01 Jan 2030 00:00:00 GMT").expect("a date");
        let cases = [
            ("2", Some(2 * SECOND)),
            (" 0 ", Some(Duration::ZERO)),
            ("Tue, 01 Jan 2030 00:00:07 GMT", Some(7 * SECOND)),
            ("Mon, 31 Dec 2029 23:59:59 GMT", Some(Duration::ZERO)),
            ("99999999999999999999999", Some(Duration::MAX)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(retry_after(text, now), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn without_new_bytes_every_story_ends_within_the_budget(
            story in prop::collection::vec(0..5_u8, 20),
            retries in 0..10_u32,
            dice: u64,
        ) {
            let cause = |kind| match kind {
                0 => Cause::Refused,
                1 => Cause::Unresolved,
                2 => Cause::Busy { asked: Some(Duration::from_secs(dice)) },
                3 => Cause::Broken,
                _ => Cause::Misplaced,
            };
            let mut attempts = Attempts::new(retries);
            let wait = |kind| match attempts.after(&failure(cause(kind), 0), SECOND, dice) {
                Verdict::Wait(wait) => Some(wait),
                Verdict::GiveUp => None,
            };
            let waits: Vec<_> = story.into_iter().map_while(wait).collect();
            prop_assert!(waits.len() <= retries as usize);
            prop_assert!(waits.iter().all(|wait| *wait <= limits::RETRY_AFTER));
        }
    }
}
