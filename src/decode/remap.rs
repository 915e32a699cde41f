//! Channels to channels: what each loudspeaker of a sink gets of a stream's
//! channels, in WAV order (FL FR FC LFE BL BR SL SR). Pure.

use crate::limits;
use crate::units::ChannelCount;

const MOST: usize = limits::CHANNELS as usize; // a small constant, not a number from outside
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2; // -3 dB, ITU-R BS.775

/// A mix from one channel count to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Remap {
    from: usize,
    to: usize,
    /// How much of each input (second index) goes to each output.
    gains: [[f32; MOST]; MOST],
}

impl Remap {
    /// The mix between two layouts; `None` when they are equal and samples
    /// pass untouched.
    ///
    /// Mono goes to the front pair, two and more channels to mono and stereo
    /// by ITU-R BS.775 (centre and surrounds at -3 dB, LFE dropped), scaled so
    /// that full-scale input cannot clip. Between larger layouts each speaker
    /// keeps its own channel, and one the sink lacks goes to its neighbours.
    pub fn new(from: ChannelCount, to: ChannelCount) -> Option<Self> {
        let (from, to) = (from.count(), to.count());
        if from == to {
            return None;
        }
        let mut gains = [[0.0; MOST]; MOST];
        for (input, speaker) in layout(from).iter().enumerate() {
            for &(target, gain) in routes(*speaker, from, to) {
                let output = layout(to).iter().position(|known| *known == target);
                gains[output.expect("routes lead to speakers of the sink")][input] = gain;
            }
        }
        normalise(&mut gains);
        Some(Self { from, to, gains })
    }

    /// Appends the mix of `input` (interleaved, whole frames) to `output`.
    pub fn apply(&self, input: &[f32], output: &mut Vec<f32>) {
        for frame in input.chunks_exact(self.from) {
            output.extend(self.gains[..self.to].iter().map(|gains| mix(frame, gains)));
        }
    }
}

fn mix(frame: &[f32], gains: &[f32; MOST]) -> f32 {
    frame
        .iter()
        .zip(gains)
        .map(|(sample, gain)| sample * gain)
        .sum()
}

/// Scales all outputs alike, so that the loudest cannot exceed full scale.
fn normalise(gains: &mut [[f32; MOST]; MOST]) {
    let loudest = gains
        .iter()
        .map(|gains| gains.iter().sum())
        .fold(1.0, f32::max);
    for gain in gains.iter_mut().flatten() {
        *gain /= loudest;
    }
}

/// Where a channel is meant to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    FrontLeft,
    FrontRight,
    Centre,
    Lfe,
    BackLeft,
    BackRight,
    BackCentre,
    SideLeft,
    SideRight,
}

use Speaker::{
    BackCentre, BackLeft, BackRight, Centre, FrontLeft, FrontRight, Lfe, SideLeft, SideRight,
};

/// The usual speakers of a channel count, in WAV order. One channel is the centre.
fn layout(channels: usize) -> &'static [Speaker] {
    match channels {
        1 => &[Centre],
        2 => &[FrontLeft, FrontRight],
        3 => &[FrontLeft, FrontRight, Centre],
        4 => &[FrontLeft, FrontRight, BackLeft, BackRight],
        5 => &[FrontLeft, FrontRight, Centre, BackLeft, BackRight],
        6 => &[FrontLeft, FrontRight, Centre, Lfe, BackLeft, BackRight],
        7 => &[
            FrontLeft, FrontRight, Centre, Lfe, BackCentre, SideLeft, SideRight,
        ],
        _ => &[
            FrontLeft, FrontRight, Centre, Lfe, BackLeft, BackRight, SideLeft, SideRight,
        ],
    }
}

/// Which of `to` speakers play what a stream of `from` channels has for `speaker`.
fn routes(speaker: Speaker, from: usize, to: usize) -> &'static [(Speaker, f32)] {
    match (speaker, from, to) {
        (_, 1, _) => &[(FrontLeft, 1.0), (FrontRight, 1.0)],
        (FrontLeft | FrontRight, _, 1) => &[(Centre, 0.5)],
        (Centre, _, 1) => &[(Centre, HALF_POWER)],
        (Lfe, _, 1) => &[],
        (_, _, 1) => &[(Centre, 0.5 * HALF_POWER)],
        _ => own_or_near(speaker, |speaker| layout(to).contains(&speaker)),
    }
}

fn own_or_near(speaker: Speaker, has: impl Fn(Speaker) -> bool) -> &'static [(Speaker, f32)] {
    match speaker {
        FrontLeft => &[(FrontLeft, 1.0)],
        FrontRight => &[(FrontRight, 1.0)],
        Centre if has(Centre) => &[(Centre, 1.0)],
        Centre => &[(FrontLeft, HALF_POWER), (FrontRight, HALF_POWER)],
        Lfe if has(Lfe) => &[(Lfe, 1.0)],
        Lfe => &[],
        BackLeft if has(BackLeft) => &[(BackLeft, 1.0)],
        BackLeft if has(SideLeft) => &[(SideLeft, 1.0)],
        SideLeft if has(SideLeft) => &[(SideLeft, 1.0)],
        SideLeft if has(BackLeft) => &[(BackLeft, 1.0)],
        BackLeft | SideLeft => &[(FrontLeft, HALF_POWER)],
        BackRight if has(BackRight) => &[(BackRight, 1.0)],
        BackRight if has(SideRight) => &[(SideRight, 1.0)],
        SideRight if has(SideRight) => &[(SideRight, 1.0)],
        SideRight if has(BackRight) => &[(BackRight, 1.0)],
        BackRight | SideRight => &[(FrontRight, HALF_POWER)],
        BackCentre if has(BackCentre) => &[(BackCentre, 1.0)],
        BackCentre if has(BackLeft) => &[(BackLeft, HALF_POWER), (BackRight, HALF_POWER)],
        BackCentre => &[(FrontLeft, 0.5), (FrontRight, 0.5)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(count: usize) -> ChannelCount {
        ChannelCount::new(count).expect("allowed")
    }

    fn mixed(input: &[f32], from: usize, to: usize) -> Vec<f32> {
        let remap = Remap::new(channels(from), channels(to)).expect("different layouts");
        let mut output = Vec::new();
        remap.apply(input, &mut output);
        output
    }

    #[test]
    fn equal_layouts_pass_untouched() {
        for count in 1..=8 {
            assert_eq!(Remap::new(channels(count), channels(count)), None);
        }
    }

    #[test]
    fn every_speaker_gets_what_is_meant_for_it() {
        let surround = 1.0 + 2.0 * HALF_POWER; // 5.1 to stereo: front, centre, one surround
        let wide = 1.0 + 3.0 * HALF_POWER; // 7.1: two surrounds a side
        let cases: [(&str, &[f32], usize, &[f32]); 12] = [
            ("mono to stereo", &[0.5], 2, &[0.5, 0.5]),
            ("mono to 5.1", &[0.5], 6, &[0.5, 0.5, 0.0, 0.0, 0.0, 0.0]),
            ("stereo to mono", &[1.0, 0.5], 1, &[0.75]),
            (
                "stereo to 5.1",
                &[0.1, 0.2],
                6,
                &[0.1, 0.2, 0.0, 0.0, 0.0, 0.0],
            ),
            (
                "5.1 front to stereo",
                &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                2,
                &[1.0 / surround, 0.0],
            ),
            (
                "5.1 centre to stereo",
                &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
                2,
                &[HALF_POWER / surround, HALF_POWER / surround],
            ),
            (
                "5.1 LFE to stereo",
                &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
                2,
                &[0.0, 0.0],
            ),
            (
                "5.1 right surround to stereo",
                &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
                2,
                &[0.0, HALF_POWER / surround],
            ),
            (
                "full 5.1 to stereo",
                &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0],
                2,
                &[1.0, 1.0],
            ),
            (
                "7.1 left side to stereo",
                &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                2,
                &[HALF_POWER / wide, 0.0],
            ),
            (
                "5.1 to 7.1",
                &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
                8,
                &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.0, 0.0],
            ),
            (
                "quad to 5.1",
                &[0.1, 0.2, 0.3, 0.4],
                6,
                &[0.1, 0.2, 0.0, 0.0, 0.3, 0.4],
            ),
        ];
        for (name, input, to, want) in cases {
            let got = mixed(input, input.len(), to);
            assert_eq!(got.len(), want.len(), "{name}");
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-6, "{name}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn full_scale_never_clips_between_any_two_layouts() {
        for (from, to) in (1..=8).flat_map(|from| (1..=8).map(move |to| (from, to))) {
            if from == to {
                continue;
            }
            let output = mixed(&vec![1.0; from * 3], from, to);
            assert_eq!(output.len(), to * 3, "{from} to {to}");
            let peak = output.iter().copied().fold(0.0, f32::max);
            assert!(peak > 0.5 && peak < 1.000_001, "{from} to {to}: {peak}");
        }
    }
}
