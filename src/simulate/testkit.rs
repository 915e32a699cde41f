//! What sessions in tests are made of.

use super::{Ladder, Player, Setting, Variant};
use crate::hls::abr::Algorithm;

/// Kilobits per second of the rungs.
pub const RATES: [u64; 5] = [32, 64, 128, 256, 1000];
/// How many segments of 4 s.
pub const SEGMENTS: usize = 100;

/// A ladder in which a segment has as many bytes as `size` says for its rung's
/// kilobits per second and its place.
pub fn ladder(size: impl Fn(u64, u64) -> u64) -> Ladder {
    let variant = |(id, kilobits): (usize, &u64)| Variant {
        id,
        average_bandwidth: kilobits * 1000,
        bandwidth: kilobits * 1100,
        playlist_bytes: 2000,
        init_bytes: 800,
        sizes: (0..SEGMENTS as u64)
            .map(|place| size(*kilobits, place))
            .collect(),
    };
    Ladder {
        schema: "kithara.abr-ladder/1".to_owned(),
        name: "made up".to_owned(),
        master_bytes: 600,
        segment_s: vec![4.0; SEGMENTS],
        variants: RATES.iter().enumerate().map(variant).collect(),
    }
}

/// The player of the traces' table with this buffer and so many requests at once.
pub fn setting(max_buffer_s: f64, in_flight: usize) -> Setting {
    Setting {
        player: Player {
            part_s: 0.5,
            startup_s: 0.5,
            resume_s: 0.5,
            max_buffer_s,
            in_flight,
        },
        live: None,
        cached: Vec::new(),
        prior: None,
        algorithm: Algorithm::Default,
    }
}
