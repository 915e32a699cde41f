//! From one rendering of a sound to another of the same sound, frame by frame.
//! Both amplitudes add up to one, not both powers: what is the same in both
//! stays as it is. Pure.

use std::ops::Range;

/// How long it takes.
pub const MILLIS: u32 = 10;

/// The rendering that is left, and where the other takes over from it. Frames
/// have numbers, in which both agree.
#[derive(Debug, Default)]
pub struct Crossfade {
    /// Interleaved.
    old: Vec<f32>,
    /// The number of its first frame.
    begin: i64,
    /// Before it the old one is heard, behind it the new one.
    fade: Range<i64>,
}

impl Crossfade {
    /// What is heard before frame `until` is `old`, which begins with frame `begin`.
    pub fn cut(old: Vec<f32>, begin: i64, until: i64) -> Self {
        Self {
            old,
            begin,
            fade: until..until,
        }
    }

    /// Where the new rendering is heard alone.
    pub fn end(&self) -> i64 {
        self.fade.end
    }

    /// The frame behind the last of the old rendering.
    pub fn old_end(&self, channels: usize) -> i64 {
        let frames = i64::try_from(self.old.len() / channels).unwrap_or(i64::MAX);
        self.begin.saturating_add(frames)
    }

    /// Takes off up to so many of the old rendering's last frames.
    pub fn shorten(&mut self, frames: i64, channels: usize) {
        let frames = usize::try_from(frames).unwrap_or(0);
        let left = self.old.len().saturating_sub(frames * channels);
        self.old.truncate(left);
    }

    /// Frames that go on where the old rendering ends.
    pub fn extend(&mut self, frames: &[f32]) {
        self.old.extend_from_slice(frames);
    }

    /// Fades over `length` frames, from `wish` on if the old rendering lasts so
    /// long, and not before `first`, where the new one begins. Shorter when
    /// there is less of both; a cut at `first` when there is nothing.
    pub fn plan(&mut self, wish: i64, first: i64, length: i64, channels: usize) {
        let end = self.old_end(channels);
        let first = first.max(self.begin);
        let begin = wish.min(end - length).max(first);
        self.fade = begin..(begin + length).min(end).max(begin);
    }

    /// The old rendering's frames from number `from` to `to`, as far as there are any.
    pub fn part(&self, from: i64, to: i64, channels: usize) -> &[f32] {
        let end = self.old_end(channels);
        let index = |frame: i64| {
            let frame = frame.clamp(self.begin, end) - self.begin;
            usize::try_from(frame).unwrap_or(0) * channels
        };
        &self.old[index(from)..index(to.max(from))]
    }

    /// Makes of `new`, interleaved frames of the new rendering of which the
    /// first has number `first`, what is heard.
    pub fn apply(&self, first: i64, new: &mut [f32], channels: usize) {
        let length = (self.fade.end - self.fade.start) as f32;
        let frames = new.chunks_exact_mut(channels);
        for (number, frame) in (first..self.fade.end).zip(frames) {
            let old = self.part(number, number + 1, channels);
            let into = (number - self.fade.start) as f32 + 0.5;
            let share = (into / length.max(1.0)).max(0.0);
            for (new, old) in frame.iter_mut().zip(old) {
                *new = old + share * (*new - old);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faded(fade: &Crossfade, first: i64, count: usize) -> Vec<f32> {
        let mut new = vec![1.0; count];
        fade.apply(first, &mut new, 1);
        new
    }

    #[test]
    fn the_old_rendering_gives_way_to_the_new_one_in_equal_steps() {
        let mut fade = Crossfade::cut(vec![0.0; 10], 100, 110);
        fade.plan(102, 95, 4, 1);
        let want = [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0];
        assert_eq!(faded(&fade, 100, 8), want);
        // In any pieces.
        assert_eq!(faded(&fade, 103, 3), want[3..6]);
        assert_eq!(faded(&fade, 106, 9), [1.0; 9]);
    }

    #[test]
    fn what_is_the_same_in_both_stays_as_it_is() {
        let sound: Vec<f32> = (0..100).map(|at| (at as f32 * 0.7).sin()).collect();
        let mut fade = Crossfade::cut(sound.clone(), 0, 50);
        fade.plan(10, 0, 30, 2);
        let mut new = sound.clone();
        fade.apply(0, &mut new, 2);
        assert_eq!(new, sound);
    }

    #[test]
    fn the_fade_lies_where_both_are() {
        let cases = [
            ("as wished", (20, 0), 20..24),
            ("the old one ends before", (27, 0), 26..30),
            ("the new one begins late", (20, 28), 28..30),
            (
                "the new one begins behind the old one's end",
                (20, 33),
                33..33,
            ),
            ("wished before the old one begins", (2, 0), 10..14),
        ];
        for (case, (wish, first), want) in cases {
            let mut fade = Crossfade::cut(vec![0.0; 20], 10, 15);
            fade.plan(wish, first, 4, 1);
            assert_eq!(fade.fade, want, "{case}");
        }
    }

    #[test]
    fn without_a_plan_it_is_a_cut() {
        let fade = Crossfade::cut(vec![0.0; 4], 0, 3);
        assert_eq!(faded(&fade, 0, 6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let none = Crossfade::default();
        assert_eq!(faded(&none, 0, 3), [1.0; 3]);
    }
}
