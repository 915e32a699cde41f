//! The ladder out of a real stream: the playlists of the variants that `auto`
//! may use, and how large their segments are. No media is fetched: sizes are
//! listed, stored or asked for (HEAD), else reckoned from the bandwidth.

mod cut;
mod sizes;

use std::sync::Arc;
use std::time::Instant;

use crate::error::{Kind, Problem};
use crate::event::{Event, Events};
use crate::hls::listing::{self, load, refuse_unplayable, warn};
use crate::hls::presentation::Presentation;
use crate::hls::quality::{Known, Quality};
use crate::hls::renewal::Root;
use crate::hls::timeline::Listed;
use crate::hls::variant::Rung;
use crate::limits;
use crate::stats::Stats;
use crate::store::{Store, Text};
use crate::units::{BitRate, MediaTime};

/// What a simulation needs to know of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Bytes of the multivariant playlist; 0 without one.
    pub master_bytes: u64,
    /// How long each segment is.
    pub durations: Vec<MediaTime>,
    /// Ascending by average rate; the controller counts in this list.
    pub variants: Vec<Measured>,
}

/// One variant of a [`Survey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What the controller reckons with: the stated average, else the stated
    /// peak, else that of the sizes.
    pub average: BitRate,
    /// The stated peak, else the average.
    pub peak: BitRate,
    /// Bytes of its media playlist as they came.
    pub playlist_bytes: u64,
    /// Bytes of its first initialisation section; 0 without one.
    pub init_bytes: u64,
    /// Bytes of each segment.
    pub sizes: Vec<u64>,
}

/// A variant whose playlist was read.
struct Found {
    rung: Rung,
    list: Listed,
    /// Bytes of the playlist.
    length: u64,
}

impl Survey {
    /// Looks at the stream of the playlist in `text`, which was asked for from
    /// `root`. What cannot be had of it is said as a warning while something is
    /// left.
    ///
    /// # Errors
    ///
    /// What keeps all its playlists from being read; [`Kind::Unsupported`] when
    /// its variants are cut differently, [`Kind::Limit`] when it is too long.
    pub async fn of(
        store: &Store,
        text: Text,
        root: Root,
        stats: &Stats,
        events: &Events,
    ) -> Result<Self, Problem> {
        let length = text.length;
        let mut read = Presentation::read(store, text, root, Instant::now(), stats)?;
        warn(events, read.ladder.missed.clone());
        let single = read.lists.pop().flatten();
        let (master_bytes, mut found) = match single.filter(|_| read.multivariant.is_none()) {
            Some(list) => {
                refuse_unplayable(list.media())?;
                let rung = read.ladder.rungs.remove(0);
                (0, vec![Found { rung, list, length }])
            }
            None => (length, all_found(store, &read, events).await?),
        };
        // Stable: what has one rate stays in the order of the peaks.
        found.sort_by_key(|one| one.rung.rate());
        let lists: Vec<&Listed> = found.iter().map(|one| &one.list).collect();
        let places = cut::common_places(&lists)?;
        if places.len() > limits::SIMULATED_SEGMENTS {
            return Err(too_long(places.len()));
        }
        if !found[0].list.media().ended {
            events.send(Event::Warning(only_the_window(places.len())));
        }
        let durations = cut::durations(&found[0].list, &places);
        let mut variants = Vec::new();
        for one in &found {
            variants.push(sizes::measured(store, one, &places, events).await?);
        }
        Ok(Self {
            master_bytes,
            durations,
            variants,
        })
    }
}

/// The variants of which the playlist can be had; what is wrong with the others
/// is a warning as soon as there is one.
async fn all_found(
    store: &Store,
    read: &Presentation,
    events: &Events,
) -> Result<Vec<Found>, Problem> {
    let mut rungs = read.ladder.adaptive();
    if rungs.is_empty() {
        rungs.push(read.ladder.choose(&Quality::Auto, Known::default())?.rung);
    }
    let (mut found, mut lost) = (Vec::<Found>::new(), Vec::new());
    for id in rungs {
        let rung = read.ladder.rungs[id].clone();
        let loaded = match load(store, &rung, read.common.as_deref(), events).await {
            Ok(loaded) => loaded,
            Err(problem) => {
                lost.push(problem);
                continue;
            }
        };
        let length = loaded.length;
        let list = match found.first() {
            Some(first) => cut::beside(&first.list, Arc::new(loaded.media))?,
            None => listing::first(loaded.media),
        };
        found.push(Found { rung, list, length });
    }
    if found.is_empty() {
        return Err(lost.swap_remove(0));
    }
    for problem in lost {
        events.send(Event::Warning(Problem {
            todo: "going on without this variant",
            ..problem
        }));
    }
    Ok(found)
}

fn too_long(count: usize) -> Problem {
    let most = limits::SIMULATED_SEGMENTS;
    Problem::new(
        Kind::Limit,
        "cannot simulate the stream",
        format!("it has {count} segments, more than {most}"),
        "use a shorter one",
    )
}

fn only_the_window(count: usize) -> Problem {
    Problem::new(
        Kind::Unsupported,
        "cannot simulate the whole stream",
        format!("it is live and lists {count} segments now"),
        "going on with these",
    )
}
