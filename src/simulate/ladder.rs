//! A ladder of variants with the sizes of all segments: `kithara.abr-ladder/1`.

use serde::{Deserialize, Serialize};

use crate::error::{Kind, Problem};
use crate::hls::survey::Survey;
use crate::limits;
use crate::units::BitRate;

/// The name of the format.
pub const SCHEMA: &str = "kithara.abr-ladder/1";

/// A stream as the simulated transport knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// The name of the format.
    pub schema: String,
    /// How the stream is called.
    pub name: String,
    /// Bytes of the multivariant playlist.
    pub master_bytes: u64,
    /// Length of each segment in seconds.
    pub segment_s: Vec<f64>,
    /// Ascending by average bandwidth.
    pub variants: Vec<Variant>,
}

/// One variant of a [`Ladder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its place in the ladder.
    pub id: usize,
    /// Average bits per second.
    pub average_bandwidth: u64,
    /// Peak bits per second.
    pub bandwidth: u64,
    /// Bytes of its media playlist.
    pub playlist_bytes: u64,
    /// Bytes of its init section; 0 without one.
    pub init_bytes: u64,
    /// Bytes of each segment.
    pub sizes: Vec<u64>,
}

impl Ladder {
    /// Reads a ladder.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] when `text` is none, or one that cannot be played.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let ladder: Self =
            serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        match ladder.fault() {
            Some(why) => Err(refused(why)),
            None => Ok(ladder),
        }
    }

    /// The ladder of a stream that was looked at, which is called `name`.
    ///
    /// # Errors
    ///
    /// [`Kind::Limit`] when it is more than can be simulated.
    pub fn of(survey: Survey, name: String) -> Result<Self, Problem> {
        let variants = survey.variants.into_iter().enumerate();
        let ladder = Self {
            schema: SCHEMA.to_owned(),
            name,
            master_bytes: survey.master_bytes,
            segment_s: survey.durations.iter().map(|one| one.seconds()).collect(),
            variants: variants
                .map(|(id, variant)| Variant {
                    id,
                    average_bandwidth: variant.average.0,
                    bandwidth: variant.peak.0,
                    playlist_bytes: variant.playlist_bytes,
                    init_bytes: variant.init_bytes,
                    sizes: variant.sizes,
                })
                .collect(),
        };
        match ladder.fault() {
            Some(why) => Err(Problem::new(
                Kind::Limit,
                "cannot simulate the stream",
                why,
                "use another one",
            )),
            None => Ok(ladder),
        }
    }

    /// Why it cannot be played.
    fn fault(&self) -> Option<String> {
        let segments = self.segment_s.len();
        // What is not a number is not in the range either.
        let is_length = |seconds: &f64| *seconds > 0.0 && *seconds <= limits::SEGMENT_SECONDS;
        let rates = self
            .variants
            .iter()
            .map(|variant| variant.average_bandwidth);
        let sizes =
            |variant: &Variant| variant.sizes.len() == segments && variant.average_bandwidth > 0;
        let is_huge = |bytes: &u64| *bytes > limits::SIMULATED_BYTES;
        let parts = |variant: &Variant| {
            let others = [variant.playlist_bytes, variant.init_bytes];
            variant.sizes.iter().chain(&others).any(is_huge)
        };
        let why = if self.schema != SCHEMA {
            format!("its schema is no {SCHEMA}")
        } else if segments == 0 || !self.segment_s.iter().all(is_length) {
            "it has no segments, or some without a length or too long".to_owned()
        } else if !(1..=limits::SIMULATED_VARIANTS).contains(&self.variants.len()) {
            format!(
                "it has none or more than {} variants",
                limits::SIMULATED_VARIANTS
            )
        } else if !rates.is_sorted() {
            "its variants do not ascend by average bandwidth".to_owned()
        } else if !self.variants.iter().all(sizes) {
            "a variant has no bandwidth, or not one size for each segment".to_owned()
        } else if is_huge(&self.master_bytes) || self.variants.iter().any(parts) {
            format!(
                "something in it has more than {} bytes",
                limits::SIMULATED_BYTES
            )
        } else {
            return None;
        };
        Some(why)
    }

    /// Where each segment begins, and the last ends.
    pub fn starts(&self) -> Vec<f64> {
        let mut starts = vec![0.0];
        for seconds in &self.segment_s {
            starts.push(starts[starts.len() - 1] + seconds);
        }
        starts
    }

    /// Average rate of each variant.
    pub fn bit_rates(&self) -> Vec<BitRate> {
        self.variants
            .iter()
            .map(|variant| BitRate(variant.average_bandwidth))
            .collect()
    }

    /// Average kilobits per second of each variant.
    pub fn rates(&self) -> Vec<f64> {
        self.variants
            .iter()
            .map(|variant| variant.average_bandwidth as f64 / 1000.0)
            .collect()
    }
}

fn refused(why: String) -> Problem {
    Problem::new(
        Kind::Arguments,
        "cannot use the ladder",
        why,
        "see the manual for the format",
    )
}
