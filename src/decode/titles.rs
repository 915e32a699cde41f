//! Which title is heard where: announced with media or playlist times, told
//! once, in order, with its position in the sound. Pure.

use crate::limits;
use crate::text;
use crate::units::MediaTime;

/// The titles of one run.
#[derive(Clone, Debug, Default)]
pub struct Titles {
    /// By presentation time.
    announced: Vec<(MediaTime, String)>,
    /// Those before it come a second time.
    since: Option<MediaTime>,
    told: Option<String>,
}

impl Titles {
    /// A title that is heard from the presentation time `at` on.
    pub fn announce(&mut self, at: MediaTime, title: &str) {
        let is_new = self.since.is_none_or(|since| at >= since);
        if is_new && self.announced.len() < limits::TITLES_AHEAD {
            let place = self.announced.partition_point(|(other, _)| *other <= at);
            self.announced.insert(place, (at, text::one_line(title)));
        }
    }

    /// The sound has come to presentation time `now`, and titles before it may be
    /// announced again.
    pub fn forget_before(&mut self, now: MediaTime) {
        self.since = Some(now);
    }

    /// Titles that are heard by presentation time `now` and were not told yet,
    /// with their positions from `from` on, where the sound begins. Of those
    /// before it only the last counts, and it counts from there.
    pub fn heard(&mut self, now: MediaTime, from: MediaTime) -> Vec<(String, MediaTime)> {
        if now <= from || self.announced.is_empty() {
            return Vec::new();
        }
        let count = self.announced.partition_point(|(at, _)| *at < now);
        let before = self.announced.partition_point(|(at, _)| *at <= from);
        let titles = self.announced.drain(..count).skip(before.max(1) - 1);
        let mut heard = Vec::new();
        for (at, title) in titles {
            if self.told.as_ref() != Some(&title) {
                self.told = Some(title.clone());
                heard.push((title, (at - from).max(MediaTime::ZERO)));
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> MediaTime {
        MediaTime::from_seconds(seconds)
    }

    fn titles(announced: &[(f64, &str)]) -> Titles {
        let mut titles = Titles::default();
        for (at, title) in announced {
            titles.announce(seconds(*at), title);
        }
        titles
    }

    fn heard(titles: &mut Titles, now: f64, from: f64) -> Vec<(String, f64)> {
        let heard = titles.heard(seconds(now), seconds(from)).into_iter();
        heard.map(|(title, at)| (title, at.seconds())).collect()
    }

    fn told(title: &str, at: f64) -> (String, f64) {
        (title.to_owned(), at)
    }

    #[test]
    fn a_title_is_told_when_its_place_is_decoded_and_not_before() {
        let mut titles = titles(&[(5.0, "b"), (1.0, "a")]);
        assert_eq!(heard(&mut titles, 1.0, 0.0), []);
        assert_eq!(heard(&mut titles, 4.0, 0.0), [told("a", 1.0)]);
        assert_eq!(heard(&mut titles, 9.0, 0.0), [told("b", 5.0)]);
    }

    #[test]
    fn the_same_title_twice_in_a_row_is_told_once() {
        let mut titles = titles(&[(0.0, "a"), (2.0, "a"), (4.0, "b"), (6.0, "a")]);
        let want = [told("a", 0.0), told("b", 4.0), told("a", 6.0)];
        assert_eq!(heard(&mut titles, 9.0, 0.0), want);
    }

    #[test]
    fn of_the_titles_before_the_start_the_last_one_counts_from_there() {
        let mut titles = titles(&[(1.0, "a"), (8.0, "b"), (12.0, "c")]);
        assert_eq!(heard(&mut titles, 10.0, 10.0), []);
        let want = [told("b", 0.0), told("c", 2.0)];
        assert_eq!(heard(&mut titles, 13.0, 10.0), want);
    }

    #[test]
    fn a_title_cannot_move_the_cursor_and_a_flood_of_them_is_cut() {
        let mut titles = titles(&[(0.0, "\x1b[2Jx")]);
        (0..5000).for_each(|_| titles.announce(seconds(1.0), "y"));
        assert_eq!(titles.announced.len(), limits::TITLES_AHEAD);
        assert_eq!(
            heard(&mut titles, 2.0, 0.0),
            [told("\\u{1b}[2Jx", 0.0), told("y", 1.0)]
        );
    }
}
