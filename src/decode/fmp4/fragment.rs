//! Movie fragments (`moof`, ISO/IEC 14496-12 section 8.8): where in the file the
//! access units of our track lie, how long they are and when they are due.

use std::ops::Range;

use super::boxes::{Fields, broken, too_large};
use super::entry;
use super::init::Layout;
use crate::error::{Kind, Problem};
use crate::limits;

/// One access unit that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// When it is due, in ticks of the track.
    pub start: i64,
    /// How long it lasts, in ticks of the track.
    pub duration: u32,
    /// Its bytes.
    pub size: u32,
}

/// The access units announced and not yet given out, in one reused list.
#[derive(Debug)]
pub struct Table {
    samples: Vec<Sample>,
    next: usize,
    clock: u64,
}

impl Table {
    /// An empty table. `clock` is the decode time of the first access unit, in
    /// ticks, should the first fragment not say it.
    pub fn new(clock: u64) -> Self {
        Self {
            samples: Vec::new(),
            next: 0,
            clock,
        }
    }

    /// The next access unit.
    pub fn peek(&self) -> Option<Sample> {
        self.samples.get(self.next).copied()
    }

    /// The next access unit was given out.
    pub fn advance(&mut self) {
        self.next += 1;
    }

    /// How many access units fit without asking for memory.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.samples.capacity()
    }

    /// Adds the access units of one `moof` that lies at `place` in the file.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`], [`Kind::Limit`] or [`Kind::Encryption`].
    pub fn add(
        &mut self,
        moof: Fields<'_>,
        place: Range<u64>,
        layout: &Layout,
    ) -> Result<(), Problem> {
        if self.next == self.samples.len() {
            self.samples.clear();
            self.next = 0;
        }
        let mut budget = limits::FRAGMENT_SAMPLES;
        let mut data_end = place.start; // where the data of the track before this one ends
        let mut children = moof;
        while let Some(child) = children.next_box()? {
            if child.kind() == b"traf" {
                data_end = self.add_track(child, &place, data_end, layout, &mut budget)?;
            }
        }
        Ok(())
    }

    fn add_track(
        &mut self,
        traf: Fields<'_>,
        place: &Range<u64>,
        data_end: u64,
        layout: &Layout,
        budget: &mut u32,
    ) -> Result<u64, Problem> {
        let head = TrackHead::read(traf.require(b"tfhd")?, place, data_end, layout)?;
        let is_ours = head.track_id == layout.track_id;
        if is_ours {
            check_description(traf, &head, layout)?;
            if let Some(mut tfdt) = traf.find(b"tfdt")? {
                let (version, _) = tfdt.version_and_flags()?;
                self.clock = tfdt.u32_or_u64(version == 1)?;
            }
        }
        let mut end = head.base;
        let mut children = traf;
        while let Some(child) = children.next_box()? {
            if child.kind() == b"trun" {
                end = self.add_run(child, &head, end, is_ours, budget)?;
            }
        }
        Ok(end)
    }

    /// Adds one `trun` (section 8.8.8). Runs of other tracks are measured too:
    /// without a base, our data begins where theirs ends.
    fn add_run(
        &mut self,
        mut trun: Fields<'_>,
        head: &TrackHead,
        end_before: u64,
        is_ours: bool,
        budget: &mut u32,
    ) -> Result<u64, Problem> {
        let (version, flags) = trun.version_and_flags()?;
        let count = trun.u32()?;
        *budget = budget
            .checked_sub(count)
            .ok_or_else(|| too_large(*trun.kind()))?;
        let mut offset = end_before;
        if flags & 0x1 != 0 {
            let shift = i64::from(trun.i32()?);
            offset = head
                .base
                .checked_add_signed(shift)
                .ok_or_else(out_of_range)?;
        }
        if flags & 0x4 != 0 {
            trun.skip(4)?; // flags of the first sample
        }
        if flags & 0x200 == 0 && !(is_ours && head.size > 0) {
            return run_of_equals(head, offset, count, is_ours);
        }
        for _ in 0..count {
            let duration = present(&mut trun, flags & 0x100)?.unwrap_or(head.duration);
            let size = present(&mut trun, flags & 0x200)?.unwrap_or(head.size);
            present(&mut trun, flags & 0x400)?; // flags: all audio is a sync sample
            let shift = match present(&mut trun, flags & 0x800)? {
                Some(shift) if version == 0 => i64::from(shift),
                Some(shift) => i64::from(shift.cast_signed()),
                None => 0,
            };
            if is_ours {
                self.push(offset, shift, duration, size)?;
            }
            offset = offset.checked_add(size.into()).ok_or_else(out_of_range)?;
        }
        Ok(offset)
    }

    fn push(&mut self, offset: u64, shift: i64, duration: u32, size: u32) -> Result<(), Problem> {
        let fits = usize::try_from(size).is_ok_and(|size| size <= limits::ACCESS_UNIT_BYTES);
        let pending = u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
        if !fits || pending >= limits::FRAGMENT_SAMPLES {
            return Err(too_large(*b"trun"));
        }
        let due = i64::try_from(self.clock).ok();
        let start = due
            .and_then(|due| due.checked_add(shift))
            .ok_or_else(out_of_range)?;
        self.clock = self
            .clock
            .checked_add(duration.into())
            .ok_or_else(out_of_range)?;
        // An empty sample is a pause: time passes, nothing is decoded.
        if size > 0 {
            self.samples.push(Sample {
                offset,
                start,
                duration,
                size,
            });
        }
        Ok(())
    }
}

/// What `tfhd` says for all runs of one track (section 8.8.7).
struct TrackHead {
    track_id: u32,
    description: u32,
    base: u64,
    duration: u32,
    size: u32,
}

impl TrackHead {
    fn read(
        mut tfhd: Fields<'_>,
        place: &Range<u64>,
        data_end: u64,
        layout: &Layout,
    ) -> Result<Self, Problem> {
        let (_, flags) = tfhd.version_and_flags()?;
        let track_id = tfhd.u32()?;
        let base = match flags {
            _ if flags & 0x1 != 0 => base_in_this_file(tfhd.u64()?, place),
            _ if flags & 0x2_0000 != 0 => place.start,
            _ => data_end,
        };
        let defaults = layout.defaults(track_id);
        Ok(Self {
            track_id,
            base,
            description: present(&mut tfhd, flags & 0x2)?.unwrap_or(defaults.description),
            duration: present(&mut tfhd, flags & 0x8)?.unwrap_or(defaults.duration),
            size: present(&mut tfhd, flags & 0x10)?.unwrap_or(defaults.size),
        })
    }
}

/// A base counts from the start of the file it was written for. Where that file
/// was cut into byte ranges the count is off; writers mean the `moof` itself, or
/// the payload of the `mdat` after it.
fn base_in_this_file(base: u64, place: &Range<u64>) -> u64 {
    const MDAT_HEADER: u64 = 16;
    let near = place.start..=place.end.saturating_add(MDAT_HEADER);
    if near.contains(&base) {
        base
    } else {
        place.start
    }
}

fn present(fields: &mut Fields<'_>, flag: u32) -> Result<Option<u32>, Problem> {
    if flag == 0 {
        return Ok(None);
    }
    fields.u32().map(Some)
}

/// The end of a run of `count` access units of one size that need no rows of
/// their own: those of another track. Without this, a few bytes that announce a
/// million would cost a million steps.
fn run_of_equals(head: &TrackHead, offset: u64, count: u32, is_ours: bool) -> Result<u64, Problem> {
    if is_ours && count > 0 {
        return Err(broken("its access units have no size"));
    }
    let bytes = u64::from(head.size) * u64::from(count); // below 2^64: both are below 2^32
    offset.checked_add(bytes).ok_or_else(out_of_range)
}

fn check_description(traf: Fields<'_>, head: &TrackHead, layout: &Layout) -> Result<(), Problem> {
    let has_keys = traf.find(b"senc")?.is_some() || traf.find(b"saiz")?.is_some();
    // Zero: neither tfhd nor trex names an entry, so there is only one.
    let is_other = head.description != 0 && head.description != layout.description;
    match (has_keys, is_other) {
        (true, _) => Err(entry::encrypted()),
        (false, true) if layout.has_encrypted => Err(entry::encrypted()),
        (false, true) => Err(changed_codec()),
        (false, false) => Ok(()),
    }
}

/// The problem with a stream that changes its codec where no decoder can follow.
pub fn changed_codec() -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot play the MP4 stream",
        "its codec changes in the middle of a segment",
        "try another variant",
    )
}

fn out_of_range() -> Problem {
    broken("a time or an offset in \"moof\" is out of range")
}

#[cfg(test)]
mod tests {
    use super::super::init::Defaults;
    use super::super::testkit::{SOUND, boxed, full};
    use super::*;
    use std::num::NonZeroU32;

    fn layout() -> Layout {
        Layout {
            track_id: SOUND,
            timescale: NonZeroU32::new(44_100).expect("not zero"),
            description: 1,
            has_encrypted: false,
            defaults: vec![Defaults {
                track_id: SOUND,
                description: 1,
                duration: 1024,
                size: 5,
            }],
        }
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn table(trafs: &[Vec<Vec<u8>>]) -> Result<Vec<Sample>, Problem> {
        let trafs: Vec<u8> = trafs
            .iter()
            .flat_map(|traf| boxed(b"traf", &traf.concat()))
            .collect();
        let mut table = Table::new(7);
        table.add(Fields::new(*b"moof", &trafs), 1000..1200, &layout())?;
        Ok(table.samples)
    }

    fn rows(samples: &[Sample]) -> Vec<(u64, i64, u32, u32)> {
        let row = |sample: &Sample| (sample.offset, sample.start, sample.duration, sample.size);
        samples.iter().map(row).collect()
    }

    #[test]
    fn every_field_of_a_run_is_honoured() {
        let head = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
        let time = full(b"tfdt", 1, 0, &(1_u64 << 33).to_be_bytes());
        let at = 1_i64 << 33;
        let cases = [
            (
                "only defaults",
                full(b"trun", 0, 0x1, &words(&[2, 208])),
                vec![(1208, at, 1024, 5), (1213, at + 1024, 1024, 5)],
            ),
            (
                "all fields",
                full(b"trun", 0, 0xF05, &words(&[1, 300, 9, 960, 77, 9, 10])),
                vec![(1300, at + 10, 960, 77)],
            ),
            (
                "negative composition offset",
                full(b"trun", 1, 0xA01, &words(&[1, 208, 77, u32::MAX])),
                vec![(1208, at - 1, 1024, 77)],
            ),
            (
                "an empty sample passes time",
                full(b"trun", 0, 0x201, &words(&[2, 208, 0, 9])),
                vec![(1208, at + 1024, 1024, 9)],
            ),
        ];
        for (case, run, want) in cases {
            let samples = table(&[vec![head.clone(), time.clone(), run]]).expect(case);
            assert_eq!(rows(&samples), want, "{case}");
        }
    }

    #[test]
    fn data_begins_where_the_head_says() {
        let sizes = |offset: &[u32]| {
            let flags = if offset.is_empty() { 0x200 } else { 0x201 };
            full(b"trun", 0, flags, &words(&[&[1], offset, &[10]].concat()))
        };
        let base = |base: u64| {
            full(
                b"tfhd",
                0,
                0x1,
                &[words(&[SOUND]), base.to_be_bytes().to_vec()].concat(),
            )
        };
        let plain = |id| full(b"tfhd", 0, 0, &words(&[id]));
        let own = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
        let cases = [
            (
                "moof is the base",
                vec![vec![own, sizes(&[208])]],
                vec![1208],
            ),
            (
                "absolute base at the moof",
                vec![vec![base(1000), sizes(&[208])]],
                vec![1208],
            ),
            (
                "absolute base at the data",
                vec![vec![base(1208), sizes(&[])]],
                vec![1208],
            ),
            (
                "absolute base of the uncut file",
                vec![vec![base(90_000), sizes(&[208])]],
                vec![1208],
            ),
            (
                "after the track before",
                vec![
                    vec![plain(99), sizes(&[208])],
                    vec![plain(SOUND), sizes(&[])],
                ],
                vec![1218],
            ),
            (
                "runs follow each other",
                vec![vec![plain(SOUND), sizes(&[208]), sizes(&[]), sizes(&[400])]],
                vec![1208, 1218, 1400],
            ),
        ];
        for (case, trafs, want) in cases {
            let samples = table(&trafs).expect(case);
            let offsets: Vec<u64> = samples.iter().map(|sample| sample.offset).collect();
            assert_eq!(offsets, want, "{case}");
        }
    }

    #[test]
    fn without_tfdt_time_goes_on_from_the_fragment_before() {
        let head = full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
        let run = full(b"trun", 0, 0x1, &words(&[2, 208]));
        let traf = boxed(b"traf", &[head, run].concat());
        let mut table = Table::new(500);
        for _ in 0..2 {
            table
                .add(Fields::new(*b"moof", &traf), 1000..1200, &layout())
                .expect("sound");
        }
        let starts: Vec<i64> = table.samples.iter().map(|sample| sample.start).collect();
        assert_eq!(starts, [500, 1524, 2548, 3572]);
    }

    #[test]
    fn hostile_fragments_are_refused_with_their_reason() {
        let head = || full(b"tfhd", 0, 0x2_0000, &words(&[SOUND]));
        let late = full(b"tfdt", 1, 0, &u64::MAX.to_be_bytes());
        let cases = [
            (
                vec![full(b"trun", 0, 0x1, &words(&[1, 208]))],
                Kind::Malformed,
                "has no \"tfhd\"",
            ),
            (
                vec![head(), full(b"trun", 0, 0x200, &words(&[2, 1]))],
                Kind::Malformed,
                "cut off",
            ),
            (
                vec![head(), full(b"trun", 0, 0, &words(&[u32::MAX]))],
                Kind::Limit,
                "larger than",
            ),
            (
                vec![head(), full(b"trun", 0, 0x200, &words(&[1, u32::MAX]))],
                Kind::Limit,
                "larger than",
            ),
            (
                vec![head(), full(b"trun", 0, 0x1, &words(&[1, 0x8000_0000]))],
                Kind::Malformed,
                "out of range",
            ),
            (
                vec![head(), late, full(b"trun", 0, 0x1, &words(&[1, 208]))],
                Kind::Malformed,
                "out of range",
            ),
            (
                vec![
                    full(b"tfhd", 0, 0x10, &words(&[SOUND, 0])),
                    full(b"trun", 0, 0, &words(&[9])),
                ],
                Kind::Malformed,
                "have no size",
            ),
            (
                vec![head(), full(b"senc", 0, 0, &words(&[0]))],
                Kind::Encryption,
                "encrypted",
            ),
            (
                vec![full(b"tfhd", 0, 0x2, &words(&[SOUND, 2]))],
                Kind::Unsupported,
                "codec changes",
            ),
        ];
        for (traf, kind, why) in cases {
            let problem = table(&[traf]).expect_err(why);
            assert_eq!(problem.kind, kind, "{problem}");
            assert!(problem.why.contains(why), "{problem}");
        }
    }

    #[test]
    fn many_runs_share_one_budget() {
        let head = full(b"tfhd", 0, 0x2_0000, &words(&[99]));
        let run = full(b"trun", 0, 0, &words(&[limits::FRAGMENT_SAMPLES / 2 + 1]));
        let problem = table(&[vec![head, run.clone(), run]]).expect_err("too many");
        assert_eq!(problem.kind, Kind::Limit);
    }
}
