//! How a sound goes on, guessed from how it was: linear prediction (Burg's
//! method). A tone goes on as it is, noise with its colour, for some hundredths
//! of a second. Pure.

/// Frames that are looked at.
const PAST: usize = 2048;
const ORDER: usize = 64;
/// Noise laid under the sound: of a tone without any, rounding would be foretold.
const NOISE: f64 = 1e-4;

/// `frames` frames that go on from `past`, both interleaved.
pub fn onward(past: &[f32], channels: usize, frames: usize) -> Vec<f32> {
    let mut guessed = vec![0.0; frames * channels];
    for channel in 0..channels {
        let own = past.iter().skip(channel).step_by(channels);
        let own: Vec<f64> = own.map(|sample| f64::from(*sample)).collect();
        let own = &own[own.len().saturating_sub(PAST)..];
        let places = guessed.iter_mut().skip(channel).step_by(channels);
        for (place, sample) in places.zip(predicted(own, frames)) {
            *place = sample as f32;
        }
    }
    guessed
}

/// The next `count` samples, each the sum of those before it, weighted.
fn predicted(past: &[f64], count: usize) -> impl Iterator<Item = f64> {
    let loudest = past
        .iter()
        .fold(0.0, |most: f64, sample| most.max(sample.abs()));
    let weights = weights(past, loudest * NOISE);
    let mut row = past.to_vec();
    (0..count).map(move |_| {
        let before = row.iter().rev().zip(&weights);
        let sum: f64 = before.map(|(sample, weight)| sample * weight).sum();
        row.push(sum); // cut off before, a slow tone would stay at its peak
        sum.clamp(-loudest, loudest)
    })
}

/// What the sample before, the one before that, and so on tell of the next.
fn weights(past: &[f64], noise: f64) -> Vec<f64> {
    let order = ORDER.min(past.len() / 4);
    let noisy = past
        .iter()
        .zip(hiss())
        .map(|(sample, hiss)| sample + noise * hiss);
    let mut ahead: Vec<f64> = noisy.collect();
    let mut behind = ahead.clone();
    let mut weights: Vec<f64> = Vec::with_capacity(order);
    for step in 1..=order {
        let pairs = || ahead[step..].iter().zip(&behind[step - 1..past.len() - 1]);
        let power: f64 = pairs().map(|(a, b)| a * a + b * b).sum();
        if power < 1e-20 {
            break; // nothing is left to tell
        }
        let reflection = 2.0 * pairs().map(|(a, b)| a * b).sum::<f64>() / power;
        let mirrored: Vec<f64> = weights.iter().rev().copied().collect();
        for (weight, other) in weights.iter_mut().zip(mirrored) {
            *weight -= reflection * other;
        }
        weights.push(reflection);
        for at in (step..past.len()).rev() {
            let (a, b) = (ahead[at], behind[at - 1]);
            ahead[at] = a - reflection * b;
            behind[at] = b - reflection * a;
        }
    }
    weights
}

/// The same noise each time, between -1 and 1.
fn hiss() -> impl Iterator<Item = f64> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1_u32), next).map(|state| f64::from(state >> 8) / 8_388_608.0 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_on_as_it_was() {
        let tone = |at: usize| {
            [
                (at as f32 * 0.13).sin() * 0.5,
                (at as f32 * 0.05).cos() * 0.3,
            ]
        };
        let sound: Vec<f32> = (0..4_000).flat_map(tone).collect();
        let guessed = onward(&sound[..6_000], 2, 441);
        let off = guessed
            .iter()
            .zip(&sound[6_000..])
            .map(|(got, want)| (got - want).abs());
        let worst = off.fold(0.0, f32::max);
        assert!(worst < 0.02, "{worst}");
    }

    #[test]
    fn silence_stays_silent_and_nothing_grows_beyond_what_was() {
        assert_eq!(onward(&[0.0; 2_000], 2, 100), vec![0.0; 200]);
        assert_eq!(onward(&[], 2, 3), vec![0.0; 6]);
        let noise: Vec<f32> = hiss().map(|x| x as f32 / 2.0).take(5_000).collect();
        let guessed = onward(&noise, 1, 5_000);
        assert!(guessed.iter().all(|sample| sample.abs() <= 0.5));
    }
}
