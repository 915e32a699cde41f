//! Seeks: what is heard from the place that was sought on is what a run without
//! a seek has there, to the sample.

use super::*;

/// Segments of fixtures/hls/flac.m3u8 in two runs, the first heard twice.
const FLAC_RUNS: [(&str, u64, u64); 4] = [
    ("hls/flac-0", FLAC[0], 0),
    ("hls/flac-1", FLAC[1], 0),
    ("hls/flac-0", FLAC[0], 1),
    ("hls/flac-1", FLAC[1], 1),
];
/// Of fixtures/hls/aac64.m3u8.
const AAC: [(&str, u64, u64); 5] = [
    ("hls/aac64-0", 26_624, 0),
    ("hls/aac64-1", 26_624, 0),
    ("hls/aac64-2", 26_624, 0),
    ("hls/aac64-3", 26_624, 0),
    ("hls/aac64-4", 26_624, 0),
];
/// How far before the place that is sought segments are handed over, in frames.
const PRE_ROLL: u64 = 13_230;

/// A sink whose listener seeks after so many frames of a place were heard.
struct Restless<'a> {
    helm: &'a Helm,
    wishes: Vec<(usize, u64)>,
    /// Where each stretch of sound belongs, and its samples.
    heard: Vec<(MediaTime, Vec<f32>)>,
    channels: usize,
}

impl Sink for Restless<'_> {
    fn open(&mut self, source: Format) -> Result<Spec, Problem> {
        self.channels = source.spec.channels.count();
        Ok(source.spec)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        let (_, heard) = self.heard.last_mut().expect("there is one from the start");
        heard.extend_from_slice(samples);
        if let Some((count, to)) = self.wishes.first().copied()
            && heard.len() >= count * self.channels
        {
            self.wishes.remove(0);
            self.helm.seek(frames(to, CD));
        }
        Ok(())
    }

    fn segment(&mut self, _done: &Provenance) -> Result<(), Problem> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Problem> {
        Ok(())
    }

    fn go_to(&mut self, position: MediaTime) {
        self.heard.push((position, Vec::new()));
    }
}

/// The piece that answers `demand`.
fn piece(segments: &[(&str, u64, u64)], demand: Demand) -> Piece {
    let starts: Vec<u64> = segments
        .iter()
        .scan(0, |end, (_, length, _)| {
            Some(std::mem::replace(end, *end + length))
        })
        .collect();
    let from = demand.from.unwrap_or_default();
    let rate = SampleRate::new(CD).expect("an allowed rate");
    let sought = u64::try_from(from.frame(rate)).expect("not negative");
    let begin = starts.partition_point(|start| *start <= sought.saturating_sub(PRE_ROLL)) - 1;
    let number = demand.number.map_or(begin, |number| number as usize);
    let Some(&(name, length, run)) = segments.get(number) else {
        let epoch = demand.epoch;
        return Piece::End { epoch };
    };
    let pieces = Pieces {
        number: number as u64,
        time: frames(starts[number], CD),
        from,
        ..Pieces::default()
    };
    let is_break = number > 0 && segments[number - 1].2 != run;
    let mut pieces = pieces.segment_with(name, frames(length, CD), |segment| {
        segment.epoch = demand.epoch;
        segment.run = run;
        segment.discontinuity = is_break;
    });
    pieces.list.remove(0)
}

/// What is heard when the listener seeks so: after how many frames, and where to.
fn sought(segments: &[(&str, u64, u64)], wishes: &[(usize, u64)]) -> Vec<(MediaTime, Vec<f32>)> {
    let bell = Arc::new(Bell::default());
    let (doors, mut inbox) = inbox::door(&bell);
    let helm = Helm::new(&bell);
    let mut sink = Restless {
        helm: &helm,
        wishes: wishes.to_vec(),
        heard: vec![(MediaTime::ZERO, Vec::new())],
        channels: 0,
    };
    let (sender, _events) = event::channel();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut answered = None;
            while !is_over.load(Ordering::Relaxed) {
                let demand = doors.demand();
                if answered != Some(demand) {
                    answered = Some(demand);
                    doors.hand(piece(segments, demand));
                }
                std::thread::yield_now();
            }
        });
        let (wanted, stats) = (Wanted::default(), Arc::default());
        let result = run(&mut inbox, &mut sink, &helm, wanted, &stats, &sender);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(result, Ok(()));
    });
    sink.heard
}

/// Each stretch begins where it belongs in `whole`, and equals it.
fn assert_equal(heard: &[(MediaTime, Vec<f32>)], whole: &[f32], channels: usize, least: f32) {
    let rate = SampleRate::new(CD).expect("an allowed rate");
    for (position, samples) in heard {
        let first = position.frame(rate) as usize * channels;
        let want = &whole[first..];
        assert!(
            !samples.is_empty() && samples.len() <= want.len(),
            "{position}"
        );
        let differences = samples
            .iter()
            .zip(want)
            .map(|(one, other)| (one - other).abs());
        let worst = differences.fold(0.0, f32::max);
        assert!(worst <= least, "from {position} on: {worst}");
    }
}

#[test]
fn a_seek_is_exact_in_either_direction_and_across_a_discontinuity() {
    let whole = sought(&FLAC_RUNS, &[]).remove(0).1;
    assert_eq!(whole.len() % 2, 0);
    let wishes = [
        (5_000, 40_000),  // ahead
        (1_000, 12_345),  // and back
        (60_000, 90_001), // over the break, by the sums of the playlist
        (100, 91_111),    // in that run again
        (7, 1),           // and home
        (50, 92_159),     // the last frame
    ];
    let heard = sought(&FLAC_RUNS, &wishes);
    assert_eq!(heard.len(), wishes.len() + 1);
    assert_equal(&heard, &whole, 2, 0.0);
    assert_eq!(heard[6].1.len(), 2, "one frame");
}

#[test]
fn a_decoder_is_warm_where_the_sound_begins() {
    let whole = sought(&AAC, &[]).remove(0).1;
    let wishes = [(5_000, 60_000), (3_000, 20_000), (10, 100_003)];
    let heard = sought(&AAC, &wishes);
    assert_equal(&heard, &whole, 2, 1e-3); // noise is made anew
}

#[test]
fn a_seek_at_the_end_brings_the_sound_back() {
    let whole = sought(&FLAC_RUNS[..1], &[]).remove(0).1;
    let last = FLAC[0] as usize;
    let heard = sought(&FLAC_RUNS[..1], &[(last, 23_000)]);
    assert_equal(&heard, &whole, 2, 0.0);
    assert_eq!(heard[1].1.len(), 40 * 2);
}
