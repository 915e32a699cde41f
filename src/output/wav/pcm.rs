//! Floats to the bytes of a WAV file, little-endian. Integers that a lossless
//! decoder divided by 2ⁿ come back exactly.

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Signed 16-bit integers.
    S16,
    /// Signed 24-bit integers, packed in three bytes.
    S24,
    /// 32-bit floats, written as they are.
    F32,
}

impl Sample {
    /// What keeps a source of `bits` bits a sample whole, as far as a float
    /// between decoder and file can: 16 bits, 24, or the float itself.
    pub fn for_bits(bits: u8) -> Self {
        match bits {
            0..=16 => Self::S16,
            17..=24 => Self::S24,
            _ => Self::F32,
        }
    }

    /// Bytes of one sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S24 => 3,
            Self::F32 => 4,
        }
    }

    /// Writes `samples` to the front of `out`, which has room for all of them.
    ///
    /// Integers are the nearest to `sample × 2ⁿ⁻¹`, ties to even, within the
    /// range of the format; a sample that is no number becomes silence.
    pub fn encode(self, samples: &[f32], out: &mut [u8]) {
        match self {
            Self::S16 => {
                for (to, &from) in out.as_chunks_mut().0.iter_mut().zip(samples) {
                    *to = s16(from).to_le_bytes();
                }
            }
            Self::S24 => {
                for (to, &from) in out.as_chunks_mut().0.iter_mut().zip(samples) {
                    let [a, b, c, _] = s24(from).to_le_bytes();
                    *to = [a, b, c];
                }
            }
            Self::F32 => {
                for (to, &from) in out.as_chunks_mut().0.iter_mut().zip(samples) {
                    *to = f32(from).to_le_bytes();
                }
            }
        }
    }
}

// Adding 1.5 × 2^(mantissa bits) leaves the rounded integer in the low bits of
// the sum: `round` and `as i32` are calls and branches, this is four vector
// instructions.
const F32_ROUNDER: f32 = 12_582_912.0; // 1.5 × 2²³
const F64_ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 × 2⁵²

fn s16(sample: f32) -> i16 {
    let scaled = (finite(sample) * 32_768.0).clamp(-32_768.0, 32_767.0);
    (scaled + F32_ROUNDER).to_bits() as i16
}

fn s24(sample: f32) -> i32 {
    let scaled = (f64::from(finite(sample)) * 8_388_608.0).clamp(-8_388_608.0, 8_388_607.0);
    (scaled + F64_ROUNDER).to_bits() as i32
}

fn f32(sample: f32) -> f32 {
    finite(sample)
}

fn finite(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(sample: Sample, samples: &[f32]) -> Vec<u8> {
        let mut out = vec![0xAA; samples.len() * sample.bytes()];
        sample.encode(samples, &mut out);
        out
    }

    #[test]
    fn every_16_bit_integer_comes_back_exactly() {
        for want in i16::MIN..=i16::MAX {
            assert_eq!(s16(f32::from(want) / 32_768.0), want);
        }
    }

    #[test]
    fn every_24_bit_integer_comes_back_exactly() {
        for want in (-8_388_608..=8_388_607).step_by(101).chain([8_388_607]) {
            let sample = want as f32 / 8_388_608.0;
            assert_eq!((s24(sample) << 8) >> 8, want);
        }
    }

    #[test]
    fn what_is_out_of_range_is_clamped_and_what_is_no_number_is_silence() {
        let cases = [
            (1.0, i16::MAX, 8_388_607),
            (-1.0, i16::MIN, -8_388_608),
            (1e30, i16::MAX, 8_388_607),
            (f32::NEG_INFINITY, i16::MIN, -8_388_608),
            (f32::NAN, 0, 0),
            (-0.0, 0, 0),
            (1e-30, 0, 0),
        ];
        for (sample, narrow, wide) in cases {
            assert_eq!(s16(sample), narrow, "{sample}");
            assert_eq!((s24(sample) << 8) >> 8, wide, "{sample}");
        }
    }

    #[test]
    fn bytes_are_little_endian_and_packed() {
        let samples = [0.5, -1.0 / 32_768.0];
        assert_eq!(encoded(Sample::S16, &samples), [0x00, 0x40, 0xFF, 0xFF]);
        let wide = [0x00, 0x00, 0x40, 0x00, 0xFF, 0xFF];
        assert_eq!(encoded(Sample::S24, &samples), wide);
        let float = [samples[0].to_le_bytes(), samples[1].to_le_bytes()].concat();
        assert_eq!(encoded(Sample::F32, &samples), float);
        assert_eq!(encoded(Sample::F32, &[f32::NAN]), [0; 4]);
    }

    proptest! {
        #[test]
        fn integers_are_the_nearest(sample in -1.0f32..1.0) {
            let exact = f64::from(sample) * 32_768.0;
            let want = exact.round_ties_even().clamp(-32_768.0, 32_767.0);
            prop_assert_eq!(f64::from(s16(sample)), want);
        }
    }
}
