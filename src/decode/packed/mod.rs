//! AAC frames one after another, without a container (ADTS): a pull demuxer for
//! whole files, radio streams and segments. Passes over tags and damage; counts
//! time in frames, for nothing else tells it.

mod adts;

use std::sync::Arc;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use crate::decode::unit::{Edit, Track, Unit};
use crate::decode::window::Window;
use crate::error::{Kind, Problem};
use crate::media::{Codec, Source};
use crate::stats::Stats;
use crate::units::{Frames, MediaTime, SampleRate};

use adts::{BLOCK_FRAMES, HEADER_BYTES, Header};

const TAG_HEADER_BYTES: usize = 10; // of ID3v2
const SURE_FRAMES: usize = 3; // that agree, until bytes are called ADTS
const JUNK_BYTES: u64 = 64 << 10; // at the end of a file, of an unknown tag

/// Takes the frames out of one source.
pub struct Demuxer {
    window: Window,
    track: Track,
    header: Header,
    clock: Clock,
    beginning: Beginning,
}

/// Where the first frame lies, and what was known there.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    position: u64,
    header: Header,
    clock: Clock,
}

/// The time of the next frame: frames at one rate since an origin, so that
/// rounding never adds up.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: MediaTime,
    rate: SampleRate,
    frames: Frames,
}

impl Demuxer {
    /// Starts on a file or segment, at its first frame. `start` is when that one is due.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAStream`] when there is no frame, or the problem of the source.
    pub fn open(
        source: Box<dyn Source>,
        stats: Arc<Stats>,
        start: MediaTime,
    ) -> Result<Self, Problem> {
        let mut window = Window::new(source, stats);
        skip_tags(&mut window)?;
        let header = find_frame(&mut window)?.ok_or_else(not_adts)?;
        let clock = Clock::new(start, header.rate);
        let beginning = Beginning {
            position: window.position(),
            header,
            clock,
        };
        Ok(Self {
            window,
            track: track(header.rate),
            header,
            clock,
            beginning,
        })
    }

    /// What the first frame says.
    pub fn track(&self) -> &Track {
        &self.track
    }

    /// The next frame, with its header; `None` at the end of the source.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`] when the source ends inside a frame or holds no more
    /// frames, or the problem of the source.
    pub fn next(&mut self) -> Result<Option<Unit<'_>>, Problem> {
        let Some(header) = self.next_header()? else {
            return Ok(None);
        };
        let (start, end) = self.clock.pass(&header);
        let data = self.window.take(header.length)?;
        Ok(Some(Unit {
            data: data.ok_or_else(truncated)?,
            start,
            end,
            trim_start: Frames(0),
            trim_end: Frames(0),
        }))
    }

    /// Goes to the frame that is heard at `time`, counted exactly: every header
    /// on the way is read. Returns when that frame is due.
    ///
    /// # Errors
    ///
    /// As [`Demuxer::next`].
    pub fn seek(&mut self, time: MediaTime) -> Result<MediaTime, Problem> {
        if time < self.clock.now() {
            self.window.seek(self.beginning.position)?;
            self.header = self.beginning.header;
            self.clock = self.beginning.clock;
        }
        while let Some(header) = self.next_header()? {
            let mut after = self.clock;
            let (start, end) = after.pass(&header);
            if end > time {
                return Ok(start);
            }
            if !self.window.skip(header.length as u64)? {
                return Err(truncated());
            }
            self.clock = after;
        }
        Ok(self.clock.now())
    }

    /// The header of the frame that comes next; the window stands before it.
    fn next_header(&mut self) -> Result<Option<Header>, Problem> {
        self.window.fill(HEADER_BYTES)?;
        let here = Header::read(self.window.bytes());
        match here.filter(|here| here.agrees(&self.header)) {
            Some(header) => Ok(Some(header)),
            None => self.resynchronise(),
        }
    }

    fn resynchronise(&mut self) -> Result<Option<Header>, Problem> {
        skip_tags(&mut self.window)?; // segments glued together keep theirs
        if is_end_tag(self.window.bytes()) {
            return Ok(None);
        }
        let lost_at = self.window.position();
        let found = find_frame(&mut self.window)?;
        let passed = self.window.position() - lost_at;
        let Some(header) = found else {
            return match passed {
                0..=JUNK_BYTES => Ok(None),
                _ => Err(lost()),
            };
        };
        if passed > 0 {
            self.window.stats().decode_errors.add(1);
        }
        self.clock.change_rate(header.rate);
        self.header = header;
        Ok(Some(header))
    }
}

impl Clock {
    fn new(origin: MediaTime, rate: SampleRate) -> Self {
        Self {
            origin,
            rate,
            frames: Frames(0),
        }
    }

    fn now(&self) -> MediaTime {
        self.origin + self.frames.time(self.rate)
    }

    /// Passes over one frame; returns when it starts and ends.
    fn pass(&mut self, header: &Header) -> (MediaTime, MediaTime) {
        let start = self.now();
        self.frames = self.frames + Frames(BLOCK_FRAMES * header.blocks);
        (start, self.now())
    }

    fn change_rate(&mut self, rate: SampleRate) {
        if rate != self.rate {
            *self = Self::new(self.now(), rate);
        }
    }
}

/// Whether `head`, the first bytes of a file or of a radio stream that was
/// joined in the middle of a frame, hold frames that agree.
pub fn looks_like_adts(head: &[u8]) -> bool {
    let syncs = head.iter().enumerate().filter(|&(_, &byte)| byte == 0xFF);
    let mut chains = syncs.map(|(at, _)| chain(&head[at..]));
    chains.any(|frames| frames >= SURE_FRAMES)
}

/// How many frames that agree follow each other at the front of `bytes`, up to
/// [`SURE_FRAMES`].
fn chain(bytes: &[u8]) -> usize {
    let Some(first) = Header::read(bytes) else {
        return 0;
    };
    let (mut at, mut frames) = (first.length, 1);
    while let Some(next) = bytes.get(at..).and_then(Header::read) {
        if frames == SURE_FRAMES || !next.agrees(&first) {
            break;
        }
        at += next.length;
        frames += 1;
    }
    frames
}

/// Passes over ID3v2 tags (id3.org, ID3v2.4 section 3.1), however large.
fn skip_tags(window: &mut Window) -> Result<(), Problem> {
    loop {
        window.fill(TAG_HEADER_BYTES)?;
        let Some(length) = id3_length(window.bytes()) else {
            return Ok(());
        };
        if !window.skip(length)? {
            return Err(truncated());
        }
    }
}

/// Length of the ID3v2 tag at the front of `bytes`, header and footer with it.
fn id3_length(bytes: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', _, _, flags, size @ ..] = bytes.first_chunk::<TAG_HEADER_BYTES>()?
    else {
        return None;
    };
    let mut length = 0;
    for byte in size {
        if byte & 0x80 != 0 {
            return None;
        }
        length = length << 7 | u64::from(byte);
    }
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    Some(TAG_HEADER_BYTES as u64 + length + footer)
}

/// Whether a tag that stands at the end of a file begins here: ID3v1, APE, Lyrics3.
fn is_end_tag(bytes: &[u8]) -> bool {
    let mut tags = [&b"TAG"[..], b"APETAGE", b"LYRICSB"].into_iter();
    tags.any(|tag| bytes.starts_with(tag))
}

/// Goes to the next frame that is followed by one that agrees; `None`, at the
/// end of the source, when there is none.
fn find_frame(window: &mut Window) -> Result<Option<Header>, Problem> {
    while window.fill(HEADER_BYTES)? {
        if let Some(header) = Header::read(window.bytes())
            && is_followed(window, &header)?
        {
            return Ok(Some(header));
        }
        let after = window.bytes().iter().skip(1);
        let next = after.take_while(|&&byte| byte != 0xFF).count() + 1;
        window.skip(next as u64)?;
    }
    window.skip(window.bytes().len() as u64)?;
    Ok(None)
}

fn is_followed(window: &mut Window, header: &Header) -> Result<bool, Problem> {
    window.fill(header.length + HEADER_BYTES)?;
    Ok(match window.bytes().get(header.length..) {
        None => false,
        Some(rest) => match Header::read(rest) {
            Some(next) => next.agrees(header),
            None => rest.is_empty() || rest.starts_with(b"ID3") || is_end_tag(rest),
        },
    })
}

fn track(rate: SampleRate) -> Track {
    let mut parameters = AudioCodecParameters::new();
    parameters
        .for_codec(CODEC_ID_AAC)
        .with_sample_rate(rate.hertz());
    Track {
        codec: Codec::Aac,
        parameters,
        edit: Edit::default(),
        duration: None,
    }
}

fn truncated() -> Problem {
    broken(Kind::Malformed, "it ends inside a frame")
}

fn lost() -> Problem {
    broken(Kind::Malformed, "its frames break off before its end")
}

fn not_adts() -> Problem {
    broken(Kind::NotAStream, "it holds no AAC frame")
}

fn broken(kind: Kind, why: &str) -> Problem {
    Problem::new(
        kind,
        "cannot read the AAC stream",
        why,
        "try another variant or source",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::window::tests::Drip;
    use proptest::prelude::*;

    const PAYLOAD: usize = 93;

    /// A frame of stereo at 44.1 kHz whose bytes all tell its number.
    fn frame(number: u8) -> Vec<u8> {
        let number = number & 0x7F; // never looks like a header
        [
            &[0xFF, 0xF1, 0x50, 0x80, 0x0C, 0x9F, 0xFC][..],
            &[number; PAYLOAD],
        ]
        .concat()
    }

    fn frames(numbers: std::ops::Range<u8>) -> Vec<u8> {
        numbers.flat_map(frame).collect()
    }

    fn tag(length: u8) -> Vec<u8> {
        [
            &b"ID3\x04\0\0\0\0\0"[..],
            &[length],
            &vec![0xFF; length.into()],
        ]
        .concat()
    }

    fn open(bytes: Vec<u8>, step: usize) -> Result<Demuxer, Problem> {
        let mut drip = Drip::new(bytes, step);
        drip.seekable = true;
        Demuxer::open(Box::new(drip), Arc::default(), MediaTime::ZERO)
    }

    fn numbers(demuxer: &mut Demuxer) -> Result<Vec<u8>, Problem> {
        let mut numbers = Vec::new();
        while let Some(unit) = demuxer.next()? {
            numbers.push(*unit.data.last().expect("not empty"));
        }
        Ok(numbers)
    }

    fn read(bytes: Vec<u8>, step: usize) -> Result<Vec<u8>, Problem> {
        numbers(&mut open(bytes, step)?)
    }

    #[test]
    fn frames_come_out_whole_with_their_times() {
        let mut demuxer = open(frames(0..3), 11).expect("ADTS");
        let rate = SampleRate::new(44_100).expect("an allowed rate");
        for number in 0..3_u8 {
            let unit = demuxer.next().expect("sound").expect("a frame");
            assert_eq!(unit.data, frame(number));
            let start = i64::from(number) * 1024;
            assert_eq!(unit.start.frame(rate), start);
            assert_eq!(unit.end.frame(rate), start + 1024);
        }
        assert!(demuxer.next().expect("sound").is_none());
        assert_eq!(demuxer.track().codec, Codec::Aac);
    }

    #[test]
    fn tags_and_damage_are_passed_over() {
        let join = |parts: &[&[u8]]| parts.concat();
        let damaged = {
            let mut bytes = frames(0..6);
            bytes[210..330].fill(0x55); // most of frame 2, and the header of frame 3
            bytes
        };
        let cases = [
            ("bare", frames(0..4), vec![0, 1, 2, 3]),
            (
                "stacked tags",
                join(&[&tag(20), &tag(0), &frames(0..4)]),
                vec![0, 1, 2, 3],
            ),
            (
                "tag between",
                join(&[&frames(0..2), &tag(30), &frames(2..4)]),
                vec![0, 1, 2, 3],
            ),
            (
                "ID3v1",
                join(&[&frames(0..4), b"TAG", &[0x20; 125]]),
                vec![0, 1, 2, 3],
            ),
            (
                "APE",
                join(&[&frames(0..4), b"APETAGEX", &[0xFF; 200]]),
                vec![0, 1, 2, 3],
            ),
            (
                "joined in the middle",
                frames(0..4)[30..].to_vec(),
                vec![1, 2, 3],
            ),
            (
                "junk at the end",
                join(&[&frames(0..4), &[0x20; 50]]),
                vec![0, 1, 2, 3],
            ),
            ("damage", damaged, vec![0, 1, 0x55, 4, 5]),
        ];
        for (case, bytes, want) in cases {
            for step in [1, 13, 4096] {
                assert_eq!(
                    read(bytes.clone(), step).as_ref(),
                    Ok(&want),
                    "{case}, {step}"
                );
            }
        }
    }

    #[test]
    fn what_is_broken_is_no_end() {
        let whole = frames(0..4);
        let cases = [
            ("cut inside a frame", whole[..350].to_vec(), Kind::Malformed),
            ("cut inside a tag", tag(20)[..20].to_vec(), Kind::Malformed),
            (
                "lost for good",
                [&whole[..], &[0x20; 70_000]].concat(),
                Kind::Malformed,
            ),
            (
                "no frame",
                b"<!DOCTYPE html><html></html>".to_vec(),
                Kind::NotAStream,
            ),
            ("nothing", Vec::new(), Kind::NotAStream),
        ];
        for (case, bytes, kind) in cases {
            let problem = read(bytes, 64).expect_err(case);
            assert_eq!(problem.kind, kind, "{case}: {problem}");
        }
    }

    #[test]
    fn a_seek_lands_on_the_frame_that_is_heard() {
        let mut demuxer = open(frames(0..100), 4096).expect("ADTS");
        let rate = SampleRate::new(44_100).expect("an allowed rate");
        for (to, want) in [
            (50 * 1024 + 5, 50),
            (3 * 1024, 3),
            (3 * 1024 - 1, 2),
            (99 * 1024, 99),
        ] {
            let landed = demuxer.seek(Frames(to).time(rate)).expect("sound");
            assert_eq!(landed, Frames(want * 1024).time(rate), "{to}");
            let unit = demuxer.next().expect("sound").expect("a frame");
            assert_eq!(unit.start, landed, "{to}");
            assert_eq!(unit.data.last(), u8::try_from(want).ok().as_ref(), "{to}");
        }
        let past = demuxer.seek(Frames(1 << 30).time(rate)).expect("sound");
        assert_eq!(past, Frames(100 * 1024).time(rate));
        assert!(demuxer.next().expect("sound").is_none());
    }

    #[test]
    fn a_stream_that_changes_its_rate_goes_on_in_time() {
        let slow = |number| {
            let mut bytes = frame(number);
            bytes[2] = 0x5C; // 22.05 kHz
            bytes
        };
        let bytes = [frames(0..2), slow(2), slow(3)].concat();
        let mut demuxer = open(bytes, 64).expect("ADTS");
        let mut ends = Vec::new();
        while let Some(unit) = demuxer.next().expect("sound") {
            ends.push(
                unit.end
                    .frame(SampleRate::new(44_100).expect("an allowed rate")),
            );
        }
        assert_eq!(ends, [1024, 2048, 4096, 6144]);
    }

    #[test]
    fn adts_is_told_by_frames_that_agree() {
        let cases: [(&str, Vec<u8>, bool); 6] = [
            ("frames", frames(0..4), true),
            ("joined in the middle", frames(0..5)[30..].to_vec(), true),
            ("behind a tag", [tag(60), frames(0..3)].concat(), true),
            ("one frame", frame(0), false),
            ("MP3", [0xFF, 0xFB, 0x90, 0x00].repeat(100), false),
            ("nothing", Vec::new(), false),
        ];
        for (case, head, want) in cases {
            assert_eq!(looks_like_adts(&head), want, "{case}");
        }
    }

    proptest! {
        #[test]
        fn garbled_frames_neither_panic_nor_run_on(
            edits in prop::collection::vec((0_usize..900, any::<u8>()), 1..20),
            step in 1_usize..300,
        ) {
            let mut bytes = [tag(20), frames(0..8), b"TAG".to_vec()].concat();
            for (at, value) in edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            prop_assert!(read(bytes, step).map_or(0, |numbers| numbers.len()) <= 130);
        }
    }
}
