//! Recording: `cache` of a live stream. Segments are stored as they are listed;
//! here the list of those that are stored grows, in order, and what is lost
//! becomes a gap in it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::about::{About, Seal};
use super::broadcast::left_behind;
use super::{Feed, Purpose};
use crate::error::{Kind, Problem};
use crate::event::RequestKind;
use crate::hls::key::{Address, Lock};
use crate::hls::load::Load;
use crate::hls::media::{Media, SegmentRef};
use crate::hls::playlist::{self, Playlist};
use crate::hls::writing::{self, Line, Lines, Place};
use crate::location::Location;
use crate::store::{Tape, Wanted};
use crate::units::MediaTime;

/// What was recorded so far.
pub(super) struct Recording {
    /// Begun with the first segment.
    tape: Option<Tape>,
    lines: Lines,
    /// The place that is recorded next.
    next: usize,
    /// The playlist it is made of.
    list: Wanted,
    /// What was recorded, as `name` has it.
    names: HashSet<u64>,
}

impl Recording {
    /// Nothing recorded of the playlist at `list`; `next` is the first place.
    pub fn new(list: Location, next: usize) -> Self {
        Self {
            tape: None,
            lines: Lines::from(0),
            next,
            list: Wanted::whole(list, RequestKind::Media),
            names: HashSet::new(),
        }
    }
}

impl Feed {
    /// Whether segments are only stored, and the stream has no end yet.
    pub(super) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Whether what is missing ends the run: it is only stored, and the stream
    /// does not slide on.
    pub(super) fn is_strict(&self) -> bool {
        self.wishes.purpose != Purpose::Decode && !self.is_recording()
    }

    /// Adds to the recording what came since; `true` when it is over.
    pub(super) fn record(&mut self) -> Result<bool, Problem> {
        while let Some(place) = self.recording.as_ref().map(|recording| recording.next) {
            let list = self.list(self.reference);
            let is_long_enough = self.until.is_some_and(|until| self.frontier >= until);
            if is_long_enough || (list.media().ended && place >= list.end()) {
                return Ok(true);
            }
            let Some((line, next)) = self.next_line(place)? else {
                return Ok(false);
            };
            self.add(&line)?;
            let end = self.start_of(next).filter(|_| next > place + 1);
            let end = end.unwrap_or(self.frontier + line.duration);
            self.note_recorded(next, end);
        }
        Ok(false)
    }

    /// What is recorded for `place`, and the place after it; `None` while that
    /// is open.
    fn next_line(&mut self, place: usize) -> Result<Option<(Line, usize)>, Problem> {
        if let Some(next) = self.next_after_loss(place) {
            let end = self.start_of(next).unwrap_or(self.frontier);
            let length = (end - self.frontier).max(MediaTime::ZERO);
            self.count_loss(length, left_behind(next - place));
            return Ok(Some((gap(place, length), next)));
        }
        let Some(listed) = self.about(place, self.held.rung(place).unwrap_or(self.rung)) else {
            return Ok(None);
        };
        let duration = listed.duration;
        if listed.gap {
            return Ok(Some((gap(place, duration), place + 1)));
        }
        if let Some((problem, _)) = self.lost.get(&place) {
            self.count_loss(duration, problem.clone());
            return Ok(Some((gap(place, duration), place + 1)));
        }
        if !self.is_held(place) || !self.can_be_read(place, &listed)? {
            return Ok(None);
        }
        Ok(Some((line(&listed), place + 1)))
    }

    /// Whether its keys and its init section are stored as well. What they
    /// lack is asked for again, or the segment is lost.
    fn can_be_read(&mut self, place: usize, about: &About) -> Result<bool, Problem> {
        if self.is_paused(place) || self.lock(place, about.rung, about.seal.as_ref())? == Lock::Shut
        {
            return Ok(false);
        }
        if about.init.is_none() {
            return Ok(true);
        }
        let Some(init) = self.init(place, about)? else {
            return Ok(false);
        };
        Ok(!self.flights.contains_key(&Load::Init { id: init.id }))
    }

    fn add(&mut self, line: &Line) -> Result<(), Problem> {
        let Some(recording) = &mut self.recording else {
            return Ok(());
        };
        let text = recording.lines.segment(line);
        if let Some(tape) = &mut recording.tape {
            return tape.add(&text);
        }
        let old = self.store.recorded(&recording.list.location);
        let mut tape = self.store.tape(&recording.list)?;
        tape.add(&text)?;
        recording.tape = Some(tape);
        let old = old.map(|text| playlist::parse(&text.bytes, &text.base));
        if let Some(Ok(parsed)) = old
            && let Playlist::Media(media) = parsed.playlist
        {
            self.forget_recorded(&media);
        }
        Ok(())
    }

    /// The segments of an earlier recording go with it, but for those that are
    /// in this one too.
    fn forget_recorded(&self, media: &Media) {
        let kept: HashSet<_> = self
            .known
            .values()
            .map(|about| name(&about.wanted))
            .collect();
        for segment in media.segments() {
            let Ok(location) = media.location(segment.uri) else {
                continue;
            };
            let wanted = wanted(location, &segment);
            if !kept.contains(&name(&wanted)) {
                self.store.forget(&wanted);
            }
        }
    }

    fn note_recorded(&mut self, next: usize, end: MediaTime) {
        let names: Vec<_> = self
            .known
            .range(..next)
            .map(|(_, about)| name(&about.wanted))
            .collect();
        if let Some(recording) = &mut self.recording {
            recording.next = next;
            recording.names.extend(names);
        }
        self.stored = self.stored.max(next);
        self.note_handed(next - 1, end);
        self.forget_before(next);
        self.report();
    }

    /// About how many bytes `--length` will take.
    pub(super) fn recorded_total(&self) -> Option<u64> {
        let wanted = (self.until? - self.from).millis();
        let done = (self.frontier - self.from).millis().max(1).min(wanted);
        let times = u128::try_from(wanted).ok()?;
        let bytes = u128::from(self.stored_bytes) * times / u128::try_from(done).ok()?;
        u64::try_from(bytes).ok()
    }

    /// What was recorded before the stream had an end is in it, now that all
    /// of it is stored.
    pub(super) fn drop_recording(&self) {
        if self.wishes.start.is_none() && self.wishes.length.is_none() {
            let rung = &self.presentation.ladder.rungs[self.reference];
            self.store.drop_recording(&rung.location);
        }
    }

    /// A stream that begins anew under the names of what was recorded would
    /// replace that, byte for byte.
    pub(super) fn refuse_reused_names(&self, media: &Media) -> Result<(), Problem> {
        let Some(recording) = &self.recording else {
            return Ok(());
        };
        let is_reused = media.segments().any(|segment| {
            let location = media.location(segment.uri);
            location
                .is_ok_and(|location| recording.names.contains(&name(&wanted(location, &segment))))
        });
        match is_reused {
            false => Ok(()),
            true => Err(Problem::new(
                Kind::Changed,
                "cannot record any more",
                "the live stream begins anew under the names of what was recorded",
                "export what there is and begin another recording",
            )),
        }
    }
}

fn wanted(location: Location, segment: &SegmentRef<'_>) -> Wanted {
    Wanted {
        range: segment.range.map(|range| range.start..range.end()),
        ..Wanted::whole(location, RequestKind::Segment)
    }
}

/// A resource in eight bytes: a recording goes on for days.
fn name(wanted: &Wanted) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&wanted.location, &wanted.range).hash(&mut hasher);
    hasher.finish()
}

/// A segment as it is listed in the recording: where it came from.
fn line(about: &About) -> Line {
    Line {
        place: place(&about.wanted),
        init: about
            .init
            .as_ref()
            .map(|init| (place(&init.wanted), lock(init.seal.as_ref()))),
        lock: lock(about.seal.as_ref()),
        duration: about.duration,
        discontinuity: about.discontinuity,
        gap: false,
        date: about.date,
    }
}

fn gap(place: usize, duration: MediaTime) -> Line {
    Line {
        place: Place {
            uri: format!("gap-{place}"),
            range: None,
        },
        init: None,
        lock: None,
        duration,
        discontinuity: false,
        gap: true,
        date: None,
    }
}

fn place(wanted: &Wanted) -> Place {
    Place {
        uri: uri(&wanted.location),
        range: wanted.range.clone(),
    }
}

fn lock(seal: Option<&Seal>) -> Option<writing::Lock> {
    let (address, iv) = seal?.0.as_ref().ok()?;
    let uri = match address {
        Address::At(location) => uri(location),
        Address::Inline(key) => key_in_place(key),
    };
    Some(writing::Lock { uri, iv: *iv })
}

/// With its query: the recording stays where the key and the segments are.
fn uri(location: &Location) -> String {
    match location {
        Location::Http(url) => url.as_str().to_owned(),
        Location::File(path) => path.to_string_lossy().into_owned(),
    }
}

/// As a `data:` URI (RFC 2397).
fn key_in_place(key: &[u8; 16]) -> String {
    let bytes = key.iter().map(|byte| format!("%{byte:02X}"));
    format!(
        "data:application/octet-stream,{}",
        bytes.collect::<String>()
    )
}
