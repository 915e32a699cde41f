//! Switches between variants that encode one sound, at every boundary and in the
//! middle of segments, against a run without a switch.

use std::io::{self, Read, Seek, SeekFrom};

use super::*;
use crate::media::Overlap;

/// AAC fills bands with noise, another in each decoder.
const NOISE: f32 = 1e-3;
const SEGMENTS: usize = 5;
const LENGTH: u64 = 26_624; // frames of a segment of hls/aac64 and hls/aac128

/// A segment whose fetch is given up after so many bytes.
struct GivenUp(io::Take<Cursor<Vec<u8>>>);

impl Read for GivenUp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(Problem::given_up().into()),
            count => Ok(count),
        }
    }
}

impl Seek for GivenUp {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        assert_eq!(to, SeekFrom::Start(0), "only a look at the head goes back");
        let limit = self.0.limit() + self.0.get_ref().position();
        self.0.set_limit(limit);
        self.0.get_mut().seek(to)
    }
}

impl Source for GivenUp {
    fn length(&self) -> Option<u64> {
        None
    }

    fn is_seekable(&self) -> bool {
        false
    }
}

fn init(stream: &str) -> Init {
    Init {
        id: stream.bytes().map(u64::from).sum(),
        bytes: Box::new(bytes(&format!("{stream}-init.mp4"))),
        cipher: None,
    }
}

/// The first bytes of a segment, which end in the middle of a unit.
fn head(stream: &str, index: usize) -> Overlap {
    let mut media = bytes(&format!("{stream}-{index}.m4s")).into_inner();
    media.truncate(3_500);
    Overlap {
        init: Some(init(stream)),
        media: Box::new(Cursor::new(media)),
        cipher: None,
    }
}

/// How segment `number` is played.
#[derive(Clone, Copy)]
struct Step {
    number: u64,
    stream: &'static str,
    before: Option<&'static str>,
    /// Given up after this many bytes.
    bytes: Option<u64>,
}

fn pieces(steps: &[Step]) -> Pieces {
    let mut pieces = Pieces::default();
    for step in steps {
        let index = usize::try_from(step.number).expect("few");
        pieces.number = step.number;
        pieces.time = frames(step.number * LENGTH, CD);
        let name = format!("{}-{index}", step.stream);
        pieces = pieces.segment_with(&name, frames(LENGTH, CD), |segment| {
            segment.variant = step.stream.len();
            segment.init = Some(init(step.stream));
            segment.overlap = step.before.map(|stream| head(stream, index));
            if let Some(limit) = step.bytes {
                let media = bytes(&format!("{name}.m4s"));
                segment.media = Box::new(GivenUp(media.take(limit)));
            }
        });
    }
    pieces
}

fn whole(stream: &'static str) -> Vec<f32> {
    let steps: Vec<Step> = (0..SEGMENTS as u64)
        .map(|number| Step {
            number,
            stream,
            before: None,
            bytes: None,
        })
        .collect();
    let heard = pieces(&steps).heard();
    assert_eq!(heard.result, Ok(()));
    heard.samples
}

/// How far `samples` leave what lies between two renderings of the same sound.
fn astray(samples: &[f32], one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(samples.len(), one.len());
    let both = one.iter().zip(other);
    let outside = samples.iter().zip(both).map(|(sample, (one, other))| {
        let (low, high) = (one.min(*other), one.max(*other));
        (low - sample).max(sample - high)
    });
    outside.fold(0.0, f32::max)
}

const A: &str = "hls/aac64";
const B: &str = "hls/aac128";

/// Segments of `A` and `B`, as `is_other` says; the head of the old variant comes
/// with each switch.
fn switched(is_other: impl Fn(u64) -> bool) -> Vec<Step> {
    let stream = |number| if is_other(number) { B } else { A };
    let step = |number: u64| Step {
        number,
        stream: stream(number),
        before: (number > 0 && is_other(number) != is_other(number - 1))
            .then(|| stream(number - 1)),
        bytes: None,
    };
    (0..SEGMENTS as u64).map(step).collect()
}

#[test]
fn a_switch_at_any_boundary_is_not_heard() {
    let (one, other) = (whole(A), whole(B));
    for at in 1..SEGMENTS as u64 {
        for (case, steps) in [
            ("once", switched(|number| number >= at)),
            ("back", switched(|number| number < at)),
            ("each time", switched(|number| (number + at) % 2 == 0)),
        ] {
            let heard = pieces(&steps).heard();
            assert_eq!(heard.result, Ok(()), "{case} {at}");
            let off = astray(&heard.samples, &one, &other);
            assert!(off < NOISE, "{case} {at}: {off}");
            let noted: Vec<u64> = heard.noted().iter().map(|(_, frames)| *frames).collect();
            assert_eq!(noted[1..], [LENGTH; SEGMENTS - 1], "{case} {at}");
        }
    }
}

#[test]
fn a_segment_given_up_half_way_goes_on_in_another_variant() {
    let (one, other) = (whole(A), whole(B));
    // Before the first unit, inside units early and late, near the end.
    for limit in [0, 100, 700, 1_000, 2_600, 4_000, 5_000] {
        for number in 1..SEGMENTS as u64 - 1 {
            let mut steps = switched(|other| other > number);
            let index = usize::try_from(number).expect("few");
            steps[index].bytes = Some(limit);
            let again = Step {
                stream: B,
                before: Some(A),
                bytes: None,
                ..steps[index]
            };
            steps[index + 1].before = None;
            steps.insert(index + 1, again);
            let heard = pieces(&steps).heard();
            assert_eq!(heard.result, Ok(()), "{limit} of {number}");
            let off = astray(&heard.samples, &one, &other);
            assert!(off < NOISE, "{limit} of {number}: {off}");
            let ledger: u64 = heard.noted().iter().map(|(_, frames)| *frames).sum();
            assert_eq!(
                2 * ledger,
                heard.samples.len() as u64,
                "{limit} of {number}"
            );
        }
    }
}
