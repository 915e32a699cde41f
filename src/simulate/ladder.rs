//! A ladder of variants with the sizes of all segments: `kithara.abr-ladder/1`.

use serde::{Deserialize, Serialize};

use crate::error::{Kind, Problem};
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

    /// Why it cannot be played.
    fn fault(&self) -> Option<String> {
        let segments = self.segment_s.len();
        let is_length = |seconds: &f64| seconds.is_finite() && *seconds > 0.0;
        let rates = self
            .variants
            .iter()
            .map(|variant| variant.average_bandwidth);
        let sizes =
            |variant: &Variant| variant.sizes.len() == segments && variant.average_bandwidth > 0;
        let why = if self.schema != SCHEMA {
            format!("its schema is no {SCHEMA}")
        } else if segments == 0 || !self.segment_s.iter().all(is_length) {
            "it has no segments, or some without a length".to_owned()
        } else if !(1..=limits::SIMULATED_VARIANTS).contains(&self.variants.len()) {
            format!(
                "it has none or more than {} variants",
                limits::SIMULATED_VARIANTS
            )
        } else if !rates.is_sorted() {
            "its variants do not ascend by average bandwidth".to_owned()
        } else if !self.variants.iter().all(sizes) {
            "a variant has no bandwidth, or not one size for each segment".to_owned()
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
