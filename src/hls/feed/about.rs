//! What the feed knows of a segment, owned: a live segment may have left its
//! playlist before it is handed over.

use std::collections::VecDeque;

use super::Feed;
use crate::error::Problem;
use crate::event::RequestKind;
use crate::hls::key::{self, Address};
use crate::hls::media::{ByteRange, Media};
use crate::hls::timeline::Listed;
use crate::store::{Body, Wanted};
use crate::units::{BitRate, MediaTime};

/// Init sections remembered while a live stream goes on; each is used by many
/// segments, and one that is used again is only asked for again.
const SECTIONS: usize = 64;

/// A segment as it was listed.
#[derive(Clone, Debug)]
pub(in crate::hls) struct About {
    /// Its variant.
    pub rung: usize,
    /// Where its bytes are.
    pub wanted: Wanted,
    /// Its init section.
    pub init: Option<InitAbout>,
    /// How it is encrypted.
    pub seal: Option<Seal>,
    /// Where it starts in the run.
    pub start: MediaTime,
    /// Its length as stated.
    pub duration: MediaTime,
    /// Encoding parameters or timestamps may jump before it.
    pub discontinuity: bool,
    /// Its discontinuity sequence number.
    pub run: u64,
    /// The last of its run.
    pub ends_run: bool,
    /// Nothing to fetch.
    pub gap: bool,
    /// The date of its start, in milliseconds since 1970.
    pub date: Option<i64>,
    /// Its stated rate.
    pub bit_rate: Option<BitRate>,
}

/// An init section as it was listed.
#[derive(Clone, Debug)]
pub(in crate::hls) struct InitAbout {
    /// Where its bytes are.
    pub wanted: Wanted,
    /// How it is encrypted.
    pub seal: Option<Seal>,
}

/// Where a key is, and the vector that goes with it; or what is wrong with them.
#[derive(Clone, Debug)]
pub(in crate::hls) struct Seal(pub Result<(Address, [u8; 16]), Problem>);

impl About {
    /// The segment at `place` of `list`, which is that of variant `rung`.
    pub fn of(list: &Listed, place: usize, rung: usize) -> Option<Self> {
        let media = list.media();
        let segment = list.segment(place)?;
        let wanted = |uri: &str, range, kind, number: Option<u64>| {
            Some(Wanted {
                // The parser checked every address already.
                location: list.location(uri).ok()?,
                range: bytes(range),
                kind,
                variant: Some(rung),
                segment: number,
                heard: number.map(|_| segment.start..segment.start + segment.duration),
                is_ahead: false,
                moved_to: None,
            })
        };
        let init = segment.map.and_then(|map| media.maps.get(map));
        let init = init.and_then(|map| {
            Some(InitAbout {
                wanted: wanted(&map.uri, map.range, RequestKind::Init, None)?,
                seal: map
                    .key
                    .map(|key| seal(media, key, key::init_iv(&media.keys[key]))),
            })
        });
        Some(Self {
            rung,
            wanted: wanted(
                segment.uri,
                segment.range,
                RequestKind::Segment,
                Some(place as u64),
            )?,
            init,
            seal: segment.key.map(|key| {
                let iv = key::segment_iv(&media.keys[key], segment.number);
                seal(media, key, Ok(iv))
            }),
            start: segment.start,
            duration: segment.duration,
            discontinuity: segment.discontinuity,
            run: segment.discontinuities,
            ends_run: list.ends_run(place),
            gap: segment.gap,
            date: segment.date_time,
            bit_rate: segment.bit_rate,
        })
    }
}

fn bytes(range: Option<ByteRange>) -> Option<std::ops::Range<u64>> {
    range.map(|range| range.start..range.end())
}

fn seal(media: &Media, key: usize, iv: Result<[u8; 16], Problem>) -> Seal {
    let key = &media.keys[key];
    let address = key::refuse_foreign(key).and_then(|()| Address::of(key, media.base()));
    Seal(address.and_then(|address| Ok((address, iv?))))
}

/// The init sections of a run, each with a name.
#[derive(Default)]
pub(super) struct Sections {
    list: VecDeque<Section>,
    next: u64,
}

/// An init section that was asked for.
pub(super) struct Section {
    /// Its name.
    pub id: u64,
    /// Where its bytes are.
    pub wanted: Wanted,
    /// What became of it.
    pub state: SectionState,
}

/// What became of an init section.
pub(super) enum SectionState {
    /// It was asked for.
    Coming,
    /// It can be read.
    Here(Body),
    /// It will not come.
    Lost(Problem),
}

impl Sections {
    /// The one at `wanted`, if it was asked for.
    pub fn find(&self, wanted: &Wanted) -> Option<&Section> {
        let is_it = |one: &&Section| {
            one.wanted.location == wanted.location && one.wanted.range == wanted.range
        };
        self.list.iter().rev().find(is_it)
    }

    /// Notes that `wanted` is asked for; its name.
    pub fn ask(&mut self, wanted: Wanted) -> u64 {
        if self.list.len() == SECTIONS {
            self.list.pop_front();
        }
        let id = self.next;
        self.next += 1;
        let state = SectionState::Coming;
        self.list.push_back(Section { id, wanted, state });
        id
    }

    /// Forgets the one at `wanted`, so that it is asked for again.
    pub fn forget(&mut self, wanted: &Wanted) {
        self.list.retain(|one| {
            one.wanted.location != wanted.location || one.wanted.range != wanted.range
        });
    }

    /// The one named `id`, unless it is forgotten.
    pub fn named(&mut self, id: u64) -> Option<&mut Section> {
        self.list.iter_mut().find(|section| section.id == id)
    }
}

impl Feed {
    /// What is known of the segment at `place` in `rung`: as it is listed now,
    /// else as it was listed when it was asked for.
    pub(super) fn about(&self, place: usize, rung: usize) -> Option<About> {
        let listed = self.presentation.list(rung);
        let listed = listed.and_then(|list| About::of(list, place, rung));
        listed.or_else(|| {
            let kept = self.known.get(&place)?;
            (kept.rung == rung).then(|| kept.clone())
        })
    }
}
