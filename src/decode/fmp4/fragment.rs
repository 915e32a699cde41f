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

    /// Bytes of the access units that follow each other without a gap from the
    /// next one on and together have at most `most` bytes.
    pub fn run_bytes(&self, most: usize) -> usize {
        let samples = self.samples.get(self.next..).unwrap_or_default();
        let (mut bytes, mut end) = (0_usize, None);
        for sample in samples {
            let size = usize::try_from(sample.size).unwrap_or(usize::MAX);
            if end.is_some_and(|end| end != sample.offset) || size > most - bytes {
                break;
            }
            bytes += size;
            end = sample.offset.checked_add(sample.size.into());
        }
        bytes
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
mod tests;
