//! Titles between the decoder, which is ahead of the sound, and whoever reads
//! them: each is told and shown when the sound has reached it. Pure.

use std::collections::VecDeque;

use crate::event::Event;
use crate::units::MediaTime;

/// The title that is heard and those that come.
#[derive(Debug, Default)]
pub struct Titles {
    coming: VecDeque<(MediaTime, String)>,
    heard: Option<String>,
    /// What the list that led here calls it.
    listed: Option<String>,
}

impl Titles {
    /// Of a stream that a list may have a title for.
    pub fn of_list(title: Option<String>) -> Self {
        Self {
            listed: title,
            ..Self::default()
        }
    }

    /// The sound begins: a stream that has not named itself has the list's title
    /// until it does.
    pub fn begin(&mut self) {
        let is_named = self.heard.is_some() || !self.coming.is_empty();
        if let Some(title) = self.listed.take().filter(|_| !is_named) {
            self.announce(&title, MediaTime::ZERO);
        }
    }

    /// A title that is heard from `position` of the sound on; they come in order.
    pub fn announce(&mut self, title: &str, position: MediaTime) {
        self.coming.push_back((position, title.to_owned()));
    }

    /// The next title that has been reached when the sound is at `now`, to be told.
    pub fn reached(&mut self, now: MediaTime) -> Option<Event> {
        self.coming.front().filter(|(at, _)| *at <= now)?;
        let (position, title) = self.coming.pop_front()?;
        self.heard = Some(title.clone());
        Some(Event::Title { title, position })
    }

    /// The title that is heard.
    pub fn heard(&self) -> Option<&str> {
        self.heard.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_heard_when_the_sound_is_there_and_not_when_it_is_decoded() {
        let mut titles = Titles::default();
        for (title, seconds) in [("a", 0.0), ("b", 2.0), ("c", 2.5)] {
            titles.announce(title, MediaTime::from_seconds(seconds));
        }
        let cases = [
            (0.0, &["a"][..], "a"),
            (1.9, &[], "a"),
            (3.0, &["b", "c"], "c"),
            (9.0, &[], "c"),
        ];
        for (now, want, heard) in cases {
            let reached = || titles.reached(MediaTime::from_seconds(now));
            let told: Vec<String> = std::iter::from_fn(reached)
                .map(|event| match event {
                    Event::Title { title, .. } => title,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(told, want, "at {now}");
            assert_eq!(titles.heard(), Some(heard), "at {now}");
        }
    }

    #[test]
    fn the_title_of_a_list_is_that_of_a_stream_without_one() {
        let heard = |own: Option<&str>| {
            let mut titles = Titles::of_list(Some("listed".to_owned()));
            if let Some(own) = own {
                titles.announce(own, MediaTime::ZERO);
            }
            titles.begin();
            while titles.reached(MediaTime::ZERO).is_some() {}
            titles.heard().map(str::to_owned)
        };
        assert_eq!(heard(None).as_deref(), Some("listed"));
        assert_eq!(heard(Some("own")).as_deref(), Some("own"));
    }
}
