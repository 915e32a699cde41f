//! Fragmented MP4 and CMAF: a pull demuxer. A source that may still be arriving
//! goes in, access units come out, each as soon as its bytes are there. Goes
//! forward only; knows neither playlists nor seeking nor edit lists' meaning.

mod boxes;
mod entry;
mod fragment;
mod init;
#[cfg(test)]
mod testkit;

use std::sync::Arc;

use crate::decode::unit::Unit;
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::limits;
use crate::media::Source;
use crate::stats::Stats;
use crate::units::{Frames, MediaTime};

use boxes::{Fields, HEADER_BYTES, Header, LONG_HEADER_BYTES, broken, too_large};
use fragment::{Sample, Table};

pub use init::Init;

const NEVER: u64 = u64::MAX; // where a box that reaches to the end of the file ends

/// Takes the access units of one track out of one segment, or one file.
pub struct Demuxer {
    window: Window,
    init: Init,
    table: Table,
    current: [u8; 4],
    box_end: u64,
}

impl Demuxer {
    /// Starts on a segment of the stream `init` describes. `start` is when its
    /// first access unit is due, should the segment not say it.
    pub fn new(init: &Init, source: Box<dyn Source>, stats: Arc<Stats>, start: MediaTime) -> Self {
        Self::over(Window::new(source, stats), init.clone(), start)
    }

    /// Starts on a segment or file that begins with its own `moov`.
    ///
    /// # Errors
    ///
    /// As [`Init::read`].
    pub fn self_initialising(
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        start: MediaTime,
    ) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        let init = Init::find(&mut window)?;
        Ok(Self::over(window, init, start))
    }

    fn over(window: Window, init: Init, start: MediaTime) -> Self {
        let clock = start.ticks(init.layout().timescale);
        Self {
            box_end: window.position(),
            table: Table::new(u64::try_from(clock).unwrap_or(0)),
            current: *b"moov",
            window,
            init,
        }
    }

    /// The initialisation section in force.
    pub fn init(&self) -> &Init {
        &self.init
    }

    /// The next access unit; `None` at the end of the source.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when the source ends inside an access unit or a box,
    /// or when data lies behind us, [`Kind::Encryption`], [`Kind::Unsupported`],
    /// [`Kind::Limit`], or the problem of the source.
    pub fn next(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        loop {
            match self.table.peek() {
                Some(sample) if sample.offset < self.box_end => return self.unit(sample).map(Some),
                _ if self.next_box()? => {}
                _ => return Ok(None),
            }
        }
    }

    fn unit(&mut self, sample: Sample) -> Result<Unit<'_>, Problem> {
        let end = sample.offset.saturating_add(sample.size.into());
        let gap = sample.offset.checked_sub(self.window.position());
        let Some(gap) = gap.filter(|_| end <= self.box_end) else {
            return Err(broken("its data does not lie where \"moof\" says"));
        };
        // Checked against limits::ACCESS_UNIT_BYTES when it was announced.
        let size = usize::try_from(sample.size).unwrap_or(limits::ACCESS_UNIT_BYTES);
        self.table.advance();
        let timescale = self.init.layout().timescale;
        let is_there = self.window.skip(gap)?;
        let data = match is_there {
            true => self.window.take(size)?,
            false => None,
        };
        let time = |ticks| MediaTime::from_ticks(ticks, timescale);
        Ok(Unit {
            data: data.ok_or_else(truncated)?,
            start: time(sample.start),
            end: time(sample.start.saturating_add(sample.duration.into())),
            trim_start: Frames(0),
            trim_end: Frames(0),
        })
    }

    /// Goes to the next top-level box; false at the end of the source.
    fn next_box(&mut self) -> Result<bool, Problem> {
        if !self.leave_box()? {
            return Ok(false);
        }
        let start = self.window.position();
        let Some(header) = read_header(&mut self.window)? else {
            return self.finish();
        };
        self.current = header.kind;
        self.box_end = match header.payload {
            Some(payload) => self.window.position().saturating_add(payload),
            None => NEVER,
        };
        match &header.kind {
            b"moof" => {
                let payload = take_payload(&mut self.window, header, limits::BOX_BYTES)?;
                let moof = Fields::new(header.kind, payload);
                let place = start..self.box_end;
                self.table.add(moof, place, self.init.layout())?;
            }
            b"moov" => self.change_init(header)?,
            _ => {}
        }
        Ok(true)
    }

    /// Passes over what is left of the current box; false when the source ends with it.
    fn leave_box(&mut self) -> Result<bool, Problem> {
        if self.box_end == NEVER {
            return self.finish();
        }
        let left = self.box_end.saturating_sub(self.window.position());
        match self.window.skip(left)? {
            true => Ok(true),
            // What is missing of the media data belongs to other tracks.
            false if self.current == *b"mdat" => self.finish(),
            false => Err(truncated()),
        }
    }

    fn finish(&mut self) -> Result<bool, Problem> {
        match self.table.peek() {
            Some(_) => Err(truncated()),
            None => Ok(false),
        }
    }

    /// Takes over a `moov` inside the segment. One that needs another decoder
    /// can only stand at the beginning of a segment, for [`Demuxer::self_initialising`].
    fn change_init(&mut self, header: Header) -> Result<(), Problem> {
        let init = Init::read_movie(&mut self.window, header)?;
        let fits = init.is_same_stream(&self.init)
            && init.layout().timescale == self.init.layout().timescale;
        if !fits {
            return Err(fragment::changed_codec());
        }
        self.init = init;
        Ok(())
    }
}

/// Whether `head`, the first bytes of a file, begin a fragmented MP4 rather than
/// a plain one or something else.
pub fn looks_like_fmp4(head: &[u8]) -> bool {
    let mut rest = head;
    let mut is_branded = false;
    while let Ok(Some(header)) = Header::read(rest) {
        let payload = rest.get(header.length..).unwrap_or_default();
        let length = header.payload.and_then(|bytes| usize::try_from(bytes).ok());
        let whole = length.and_then(|length| payload.split_at_checked(length));
        match &header.kind {
            b"styp" | b"moof" | b"sidx" | b"emsg" | b"prft" => return true,
            b"moov" => {
                let movie = Fields::new(header.kind, whole.map_or(payload, |(whole, _)| whole));
                return match movie.find(b"mvex") {
                    Ok(found) => found.is_some(),
                    Err(_) => is_branded, // `head` ends before the answer
                };
            }
            b"ftyp" => is_branded = has_fragment_brand(payload),
            b"free" | b"skip" | b"uuid" => {}
            _ => return false,
        }
        match whole {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    false
}

fn has_fragment_brand(payload: &[u8]) -> bool {
    let brands = payload.chunks_exact(4).take(32);
    let mut words = brands.map(|brand| matches!(brand, b"iso5" | b"iso6" | b"cmfc" | b"dash"));
    words.any(|is_one| is_one)
}

/// Reads the header of the next top-level box; `None` at the end.
fn read_header(window: &mut Window) -> Result<Option<Header>, Problem> {
    let is_first = window.position() == 0;
    if !window.fill(HEADER_BYTES)? {
        return match window.bytes() {
            [] => Ok(None),
            _ => Err(truncated()),
        };
    }
    if Header::read(window.bytes())?.is_none() {
        window.fill(LONG_HEADER_BYTES)?;
    }
    let header = Header::read(window.bytes())?.ok_or_else(truncated)?;
    if is_first && !may_begin(&header.kind) {
        return Err(not_mp4());
    }
    window.skip(header.length as u64)?;
    Ok(Some(header))
}

/// The boxes a file or a segment begins with.
fn may_begin(kind: &[u8; 4]) -> bool {
    let known = [
        b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"emsg", b"prft", b"free", b"skip",
        b"wide", b"uuid", b"mdat",
    ];
    known.contains(&kind)
}

/// The whole payload of the box whose header was just read.
fn take_payload(window: &mut Window, header: Header, cap: u64) -> Result<&[u8], Problem> {
    let Some(payload) = header.payload else {
        return Err(boxes::malformed(header.kind, "has no end"));
    };
    let size = usize::try_from(payload).ok().filter(|_| payload <= cap);
    let size = size.ok_or_else(|| too_large(header.kind))?;
    let taken = window.take(size)?;
    taken.ok_or_else(|| boxes::malformed(header.kind, "is cut off"))
}

fn truncated() -> Problem {
    broken("the segment is truncated")
}

fn not_mp4() -> Problem {
    Problem::new(
        Kind::NotAStream,
        "cannot read the MP4 stream",
        "the bytes do not begin like MP4",
        "check the address in the playlist",
    )
}

#[cfg(test)]
mod tests {
    use super::testkit::{Movie, Segment, boxed};
    use super::*;
    use crate::decode::window::tests::Drip;
    use proptest::prelude::*;

    /// Data and times of a unit, to be compared.
    #[derive(Clone, Debug, PartialEq)]
    struct Row(Vec<u8>, i64, i64);

    fn demuxer(drip: Drip) -> Demuxer {
        let init = Drip::new(Movie::default().bytes(), 4096);
        let init = Init::read(Box::new(init), Arc::default()).expect("a sound section");
        Demuxer::new(&init, Box::new(drip), Arc::default(), MediaTime::ZERO)
    }

    fn rows(demuxer: &mut Demuxer) -> Result<Vec<Row>, Problem> {
        let mut rows = Vec::new();
        let rate = crate::units::SampleRate::new(44_100).expect("an allowed rate");
        while let Some(unit) = demuxer.next()? {
            rows.push(Row(
                unit.data.to_vec(),
                unit.start.frame(rate),
                unit.end.frame(rate),
            ));
        }
        Ok(rows)
    }

    fn read(bytes: &[u8], step: usize) -> Result<Vec<Row>, Problem> {
        rows(&mut demuxer(Drip::new(bytes.to_vec(), step)))
    }

    fn expected(first: i64, sizes: &[usize]) -> Vec<Row> {
        let row = |(index, &size): (usize, &usize)| {
            let start = first + 1024 * i64::try_from(index).expect("small");
            Row(testkit::unit(index, size), start, start + 1024)
        };
        sizes.iter().enumerate().map(row).collect()
    }

    #[test]
    fn every_shape_of_segment_gives_its_units() {
        let plain = Segment {
            time: Some(500),
            sizes: vec![3, 700, 0x1_0000],
            ..Segment::default()
        };
        let want = expected(500, &plain.sizes);
        let extra: Vec<u8> = [b"styp", b"sidx", b"emsg", b"free", b"prft", b"uuid"]
            .iter()
            .flat_map(|kind| boxed(kind, &[7; 40]))
            .collect();
        let shapes = [
            ("plain", plain.bytes()),
            (
                "64-bit size",
                Segment {
                    long_mdat: true,
                    ..plain.clone()
                }
                .bytes(),
            ),
            (
                "open end",
                Segment {
                    open_mdat: true,
                    ..plain.clone()
                }
                .bytes(),
            ),
            (
                "among other boxes",
                [extra.clone(), plain.bytes(), extra].concat(),
            ),
            (
                "with its own moov",
                [Movie::default().bytes(), plain.bytes()].concat(),
            ),
            (
                "between video",
                Segment {
                    video: 300_000,
                    ..plain.clone()
                }
                .bytes(),
            ),
        ];
        for (shape, bytes) in shapes {
            for step in [5, 1460, 1 << 20] {
                assert_eq!(
                    read(&bytes, step).as_ref(),
                    Ok(&want),
                    "{shape}, {step} bytes a read"
                );
            }
        }
    }

    #[test]
    fn fragments_follow_each_other() {
        let first = Segment {
            time: Some(0),
            sizes: vec![10, 20],
            ..Segment::default()
        };
        let second = Segment {
            time: None,
            sizes: vec![30],
            ..Segment::default()
        };
        let got = read(&[first.bytes(), second.bytes()].concat(), 100).expect("sound");
        let want = [expected(0, &[10, 20]), expected(2048, &[30])].concat();
        assert_eq!(got, want);
    }

    #[test]
    fn a_segment_without_a_time_starts_where_the_caller_says() {
        let segment = Segment {
            time: None,
            sizes: vec![10],
            ..Segment::default()
        };
        let source = Drip::new([Movie::default().bytes(), segment.bytes()].concat(), 64);
        let start = MediaTime::from_ticks(9 * 1024, 44_100.try_into().expect("not zero"));
        let stats = Arc::default();
        let mut demuxer =
            Demuxer::self_initialising(Box::new(source), stats, start).expect("sound");
        assert_eq!(rows(&mut demuxer), Ok(expected(9 * 1024, &[10])));
    }

    #[test]
    fn a_unit_is_given_before_the_byte_after_it_has_come() {
        let segment = Segment {
            sizes: vec![100, 200, 300],
            ..Segment::default()
        };
        let bytes = segment.bytes();
        let still_missing = 500; // all but the first unit
        let mut drip = Drip::new(bytes[..bytes.len() - still_missing].to_vec(), 1 << 20);
        drip.failure = Some(Problem::stopped());
        let mut demuxer = demuxer(drip);
        let first = demuxer.next().expect("it is there").expect("a unit");
        assert_eq!(first.data, testkit::unit(0, 100));
        assert_eq!(demuxer.next().map(|_| ()), Err(Problem::stopped()));
    }

    #[test]
    fn a_cut_segment_is_truncated_wherever_it_is_cut() {
        let bytes = Segment {
            sizes: vec![100, 200],
            ..Segment::default()
        }
        .bytes();
        for length in 1..bytes.len() {
            let problem = read(&bytes[..length], 64).expect_err("cut");
            assert_eq!(problem.kind, Kind::Malformed, "{length}: {problem}");
        }
        assert_eq!(read(&bytes, 64).map(|rows| rows.len()), Ok(2));
    }

    #[test]
    fn what_is_cut_off_the_data_of_others_is_not_missed() {
        let bytes = Segment {
            sizes: vec![100],
            video: 400,
            ..Segment::default()
        }
        .bytes();
        assert_eq!(
            read(&bytes[..bytes.len() - 50], 64),
            Ok(expected(0, &[100]))
        );
    }

    #[test]
    fn broken_segments_are_refused_with_their_reason() {
        let good = Segment {
            sizes: vec![50],
            ..Segment::default()
        };
        let behind = Segment {
            data_offset: Some(8),
            ..good.clone()
        };
        let outside = Segment {
            short_mdat: true,
            ..good.clone()
        };
        let other = Movie {
            entry: testkit::sample_entry(b"mp4a", 0, &testkit::esds(0x40, &[0x11, 0x90])),
            ..Movie::default()
        };
        let locked = Segment {
            encrypted: true,
            ..good.clone()
        };
        let cases = [
            (behind.bytes(), Kind::Malformed, "where \"moof\" says"),
            (outside.bytes(), Kind::Malformed, "where \"moof\" says"),
            (
                b"<!DOCTYPE html>".to_vec(),
                Kind::NotAStream,
                "begin like MP4",
            ),
            (
                [other.bytes(), good.bytes()].concat(),
                Kind::Unsupported,
                "codec changes",
            ),
            (locked.bytes(), Kind::Encryption, "encrypted"),
            (
                boxed(b"moof", &[0; 4])[..4].to_vec(),
                Kind::Malformed,
                "truncated",
            ),
            (b"\0\0\0\0moof".to_vec(), Kind::Malformed, "has no end"),
            (b"\x7f\0\0\0moof".to_vec(), Kind::Limit, "larger than"),
        ];
        for (bytes, kind, why) in cases {
            let problem = read(&bytes, 64).expect_err(why);
            assert_eq!(problem.kind, kind, "{problem}");
            assert!(problem.why.contains(why), "{problem}");
        }
    }

    #[test]
    fn fragmented_files_are_told_from_plain_ones() {
        let init = Movie::default().bytes();
        let plain = Movie {
            plain: true,
            ..Movie::default()
        }
        .bytes();
        let cases: [(&str, &[u8], bool); 8] = [
            ("init section", &init, true),
            ("init section, cut inside moov", &init[..80], true),
            ("segment", &Segment::default().bytes(), true),
            ("plain file", &plain, false),
            (
                "plain file, moov last",
                b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x01\0mdat",
                false,
            ),
            ("flac", b"fLaC\0\0\0\x22", false),
            ("text", b"#EXTM3U\n#EXT-X", false),
            ("nothing", b"", false),
        ];
        for (case, head, want) in cases {
            assert_eq!(looks_like_fmp4(head), want, "{case}");
        }
    }

    #[test]
    fn hardly_a_byte_is_copied_twice_and_the_buffers_stay() {
        let segment = Segment {
            time: Some(0),
            sizes: vec![700; 400],
            ..Segment::default()
        };
        let bytes = [segment.bytes(), segment.bytes()].concat();
        let stats = Arc::new(Stats::default());
        let init = Init::read(
            Box::new(Drip::new(Movie::default().bytes(), 4096)),
            Arc::default(),
        );
        let source = Box::new(Drip::new(bytes.clone(), 1 << 20));
        let init = init.expect("a sound section");
        let mut demuxer = Demuxer::new(&init, source, Arc::clone(&stats), MediaTime::ZERO);
        demuxer.next().expect("sound").expect("a unit");
        let room = demuxer.table.capacity();
        while demuxer.next().expect("sound").is_some() {}
        assert_eq!(demuxer.table.capacity(), room);
        let copied = stats.copied_bytes.total();
        assert!(
            copied * 100 <= bytes.len() as u64 * 102,
            "{copied} of {}",
            bytes.len()
        );
    }

    proptest! {
        #[test]
        fn any_read_size_gives_the_same_units(
            sizes in prop::collection::vec(1_usize..3000, 0..40),
            video in 0_usize..5000,
            step in 1_usize..5000,
        ) {
            let segment = Segment { sizes: sizes.clone(), video, ..Segment::default() };
            prop_assert_eq!(read(&segment.bytes(), step), Ok(expected(0, &sizes)));
        }

        #[test]
        fn garbled_segments_neither_panic_nor_run_on(
            edits in prop::collection::vec((0_usize..400, any::<u8>()), 1..8),
            with_init in any::<bool>(),
        ) {
            let segment = Segment { sizes: vec![20, 30], video: 40, ..Segment::default() };
            let mut bytes = match with_init {
                true => [Movie::default().bytes(), segment.bytes()].concat(),
                false => segment.bytes(),
            };
            for (at, value) in edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            let _ = read(&bytes, 64);
            let drip = Box::new(Drip::new(bytes, 64));
            let _ = Demuxer::self_initialising(drip, Arc::default(), MediaTime::ZERO)
                .and_then(|mut demuxer| rows(&mut demuxer));
        }
    }
}
