//! Which part of an MP4 file is meant to be heard: the edit list, or the
//! iTunSMPB comment of Apple's encoders. Pure functions over the bytes of a
//! `moov` box; nothing is read or decoded here.
//!
//! Only one of the two is used, never both: that would cut twice.

use std::num::NonZeroU32;

use crate::decode::file::atoms::{boxes, child, field, long, number, path};
use crate::decode::file::smpb::{self, Comment};
use crate::decode::unit::Edit;
use crate::units::MediaTime;

/// What `moov` says about the file. Source: ISO 14496-12 section 8.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movie {
    /// The media follows in fragments (`mvex`).
    pub is_fragmented: bool,
    /// The audio tracks, in file order.
    pub sounds: Vec<Sound>,
    /// The largest access unit that any track announces, in bytes.
    pub largest_unit: u32,
}

/// One audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The track's number in the file (`tkhd`).
    pub id: u32,
    /// The type of its first sample entry: `mp4a`, `alac`, `enca`.
    pub entry: [u8; 4],
    /// The visible part.
    pub edit: Edit,
    /// The visible length; `None` for fragments.
    pub duration: Option<MediaTime>,
}

impl Sound {
    /// Whether the samples are encrypted: common encryption or FairPlay.
    pub fn is_encrypted(&self) -> bool {
        matches!(&self.entry, b"enca" | b"drms")
    }
}

/// Reads the contents of a `moov` box (without its header). What is broken or
/// absent is left out: the demuxer says what is wrong with it.
pub fn movie(moov: &[u8]) -> Movie {
    let timescale = child(moov, b"mvhd").and_then(timescale);
    let comment = smpb::comment(moov);
    let tracks = || boxes(moov).filter(|(name, _)| name == b"trak");
    let is_fragmented = child(moov, b"mvex").is_some();
    let sound = |track| {
        sound(track, timescale, comment).map(|sound| Sound {
            duration: sound.duration.filter(|_| !is_fragmented),
            ..sound
        })
    };
    Movie {
        is_fragmented,
        sounds: tracks().filter_map(|(_, track)| sound(track)).collect(),
        largest_unit: tracks()
            .map(|(_, track)| largest_unit(track))
            .max()
            .unwrap_or(0),
    }
}

/// The media timeline of one track: ticks a second and total length in ticks.
#[derive(Clone, Copy, Debug)]
struct Timeline {
    timescale: NonZeroU32,
    ticks: u64,
}

impl Timeline {
    fn time(self, ticks: u64) -> MediaTime {
        time(ticks, self.timescale)
    }
}

fn sound(track: &[u8], movie_scale: Option<NonZeroU32>, comment: Option<Comment>) -> Option<Sound> {
    let media = child(track, b"mdia")?;
    if field(child(media, b"hdlr")?, 8)? != *b"soun" {
        return None;
    }
    let tables = path(media, &[b"minf", b"stbl"])?;
    let entry = field(child(tables, b"stsd")?, 12)?;
    let header = child(track, b"tkhd")?;
    let id = number(header, if header.first() == Some(&1) { 20 } else { 12 })?;
    let timeline = Timeline {
        timescale: child(media, b"mdhd").and_then(timescale)?,
        ticks: child(tables, b"stts").map_or(0, total_ticks),
    };
    let by_list = || edit_list(path(track, &[b"edts", b"elst"])?, movie_scale?, timeline);
    let by_comment = comment.and_then(|comment| comment.edit(timeline.timescale, timeline.ticks));
    let edit = by_comment.or_else(by_list).unwrap_or_default();
    let length = timeline.time(timeline.ticks);
    let end = edit.end.unwrap_or(length);
    Some(Sound {
        id,
        entry,
        edit,
        duration: Some((end - edit.start).max(MediaTime::ZERO)),
    })
}

/// The first edit that shows media. Source: ISO 14496-12 section 8.6.6.
///
/// The list counts in ticks of the movie, often milliseconds. An end within
/// one such tick of the end of the media is meant to be that end.
fn edit_list(list: &[u8], movie_scale: NonZeroU32, timeline: Timeline) -> Option<Edit> {
    let shown: Vec<(u64, i64)> = edits(list)?
        .filter(|(_, start)| *start >= 0)
        .take(2)
        .collect();
    let &(length, start) = shown.first()?;
    let start = timeline.time(u64::try_from(start).ok()?);
    let media_end = timeline.time(timeline.ticks);
    let end = start + time(length, movie_scale);
    let off = (end - media_end).nanos().unsigned_abs();
    let is_media_end = off <= 1_000_000_000 / u64::from(movie_scale.get());
    // More than one shown edit is a cut-up track: played whole from the first.
    let is_open = length == 0 || shown.len() > 1;
    let end = if is_media_end {
        media_end
    } else {
        end.min(media_end)
    };
    Some(Edit {
        start,
        end: (!is_open).then_some(end),
    })
}

/// Length (movie ticks) and media time (media ticks, -1 for silence) of each edit.
fn edits(list: &[u8]) -> Option<impl Iterator<Item = (u64, i64)>> {
    let is_wide = *list.first()? == 1;
    let entries = list.get(8..)?.chunks_exact(if is_wide { 20 } else { 12 });
    Some(entries.filter_map(move |entry| {
        if is_wide {
            Some((long(entry, 0)?, i64::from_be_bytes(field(entry, 8)?)))
        } else {
            let start = i32::from_be_bytes(field(entry, 4)?);
            Some((u64::from(number(entry, 0)?), i64::from(start)))
        }
    }))
}

/// Ticks a second of `mvhd` or `mdhd`, which lie at the same place.
fn timescale(header: &[u8]) -> Option<NonZeroU32> {
    NonZeroU32::new(number(
        header,
        if header.first() == Some(&1) { 20 } else { 12 },
    )?)
}

/// The sum of all sample durations (`stts`), in ticks.
fn total_ticks(table: &[u8]) -> u64 {
    let entries = table.get(8..).unwrap_or_default().chunks_exact(8);
    entries
        .filter_map(|entry| Some(u64::from(number(entry, 0)?) * u64::from(number(entry, 4)?)))
        .fold(0, u64::saturating_add)
}

/// The largest entry of the size table (`stsz`), in bytes.
fn largest_unit(track: &[u8]) -> u32 {
    let Some(table) = path(track, &[b"mdia", b"minf", b"stbl", b"stsz"]) else {
        return 0;
    };
    let sizes = table.get(12..).unwrap_or_default().chunks_exact(4);
    let largest = sizes.filter_map(|size| number(size, 0)).max();
    number(table, 4).max(largest).unwrap_or(0)
}

/// Media time of a count of ticks.
pub fn time(ticks: u64, timescale: NonZeroU32) -> MediaTime {
    MediaTime::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX), timescale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Frames, SampleRate};
    use proptest::prelude::*;

    fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let size = u32::try_from(content.len() + 8).expect("small");
        [&size.to_be_bytes(), &name[..], &content].concat()
    }

    fn full(name: &[u8; 4], words: &[u32]) -> Vec<u8> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        boxed(name, &[&[0; 4], &bytes])
    }

    /// Edits as (movie ticks, media ticks); the track has 44,100 ticks a second.
    fn track(edits: &[(u32, u32)], units: u32, last: u32) -> Vec<u8> {
        let count = u32::try_from(edits.len()).expect("few");
        let list = edits
            .iter()
            .flat_map(|(length, start)| [*length, *start, 0x1_0000]);
        let list: Vec<u32> = std::iter::once(count).chain(list).collect();
        let entry = boxed(b"mp4a", &[&[0; 28]]);
        let tables = [
            boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &entry]),
            full(b"stts", &[2, units, 1024, 1, last]),
            full(b"stsz", &[0, 3, 300, 700, 500]),
        ];
        let media = [
            full(b"mdhd", &[0, 0, 44_100, 0]),
            boxed(b"hdlr", &[&[0; 8], b"soun", &[0; 12]]),
            boxed(b"minf", &[&boxed(b"stbl", &[&tables.concat()])]),
        ];
        let edits = boxed(b"edts", &[&full(b"elst", &list)]);
        boxed(
            b"trak",
            &[
                &full(b"tkhd", &[0, 0, 7, 0]),
                &edits,
                &boxed(b"mdia", &[&media.concat()]),
            ],
        )
    }

    fn comment(text: &str) -> Vec<u8> {
        let item = boxed(
            b"----",
            &[
                &boxed(b"mean", &[&[0; 4], b"com.apple.iTunes"]),
                &boxed(b"name", &[&[0; 4], b"iTunSMPB"]),
                &boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()]),
            ],
        );
        boxed(
            b"udta",
            &[&boxed(b"meta", &[&[0; 4], &boxed(b"ilst", &[&item])])],
        )
    }

    fn visible(moov: &[u8]) -> (Frames, Option<Frames>) {
        let rate = SampleRate::new(44_100).expect("allowed");
        let movie = movie(moov);
        let edit = movie.sounds.first().expect("one track").edit;
        (
            edit.start.frames(rate),
            edit.end.map(|end| end.frames(rate)),
        )
    }

    #[test]
    fn the_edit_list_says_what_is_heard() {
        const EMPTY: u32 = u32::MAX; // media time -1
        let cases = [
            ("no list", &[][..], (0, None)),
            ("priming and padding", &[(1000, 1024)], (1024, Some(45_124))),
            (
                "an empty edit first",
                &[(500, EMPTY), (1000, 1024)],
                (1024, Some(45_124)),
            ),
            ("no length", &[(0, 2112)], (2112, None)),
            ("two shown edits", &[(100, 0), (100, 9000)], (0, None)),
            (
                "an end rounded to milliseconds",
                &[(2323, 1024)],
                (1024, Some(103_492)),
            ),
        ];
        for (name, edits, (start, end)) in cases {
            let moov = [full(b"mvhd", &[0, 0, 1000, 0]), track(edits, 100, 1092)].concat();
            assert_eq!(visible(&moov), (Frames(start), end.map(Frames)), "{name}");
        }
    }

    #[test]
    fn a_consistent_comment_wins_over_the_list_and_a_wrong_one_is_ignored() {
        // 101 units of 1024 ticks: 103,424 = 2,112 + 101,000 + 312.
        let list = (1024, Some(45_124));
        let cases = [
            (
                " 00000000 00000840 00000138 0000000000018A88 00000000",
                (2112, Some(103_112)),
            ),
            (" 00000000 00000840 00000138 0000000000000000", list),
            (" 00000000 00000840 00000138 00000000000F0000", list),
            (
                " 00000000 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF 0000000000018A88",
                list,
            ),
            ("nonsense", list),
        ];
        for (text, (start, end)) in cases {
            let moov = [
                full(b"mvhd", &[0, 0, 1000, 0]),
                track(&[(1000, 1024)], 100, 1024),
                comment(text),
            ];
            assert_eq!(
                visible(&moov.concat()),
                (Frames(start), end.map(Frames)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_movie_lists_its_audio_tracks_and_their_sizes() {
        let moov = [
            full(b"mvhd", &[0, 0, 1000, 0]),
            track(&[(1000, 1024)], 100, 1024),
        ]
        .concat();
        let found = movie(&moov);
        assert!(!found.is_fragmented);
        assert_eq!(found.largest_unit, 700);
        let sound = found.sounds.first().expect("one track");
        assert_eq!((sound.id, &sound.entry), (7, b"mp4a"));
        assert_eq!(sound.duration, Some(MediaTime::from_seconds(1.0)));
        let fragmented = movie(&[moov, boxed(b"mvex", &[])].concat());
        assert!(fragmented.is_fragmented);
        assert_eq!(fragmented.sounds[0].duration, None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_fail(seed in proptest::collection::vec(any::<(usize, u8)>(), 0..9)) {
            let mut moov = [full(b"mvhd", &[0, 0, 1000, 0]), track(&[(1000, 1024)], 100, 1024), comment(" 0 840 138 18A88")].concat();
            for (at, byte) in seed {
                let at = at % moov.len();
                moov[at] = byte;
            }
            let found = movie(&moov);
            prop_assert!(found.sounds.len() <= 1);
        }
    }
}
