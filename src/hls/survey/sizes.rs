//! How large the segments of a variant are: what is listed or stored, what the
//! server says when it is asked, and where nobody says it, as large as the
//! bandwidth makes them.

use std::ops::Range;

use tokio::task::JoinSet;

use super::{Found, Measured};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, RequestKind};
use crate::hls::media::ByteRange;
use crate::hls::timeline::Listed;
use crate::store::{Store, Wanted};
use crate::units::{BitRate, MediaTime};

/// Requests at once: what browsers allow themselves, and a little more.
const AT_ONCE: usize = 8;
/// Bytes of an initialisation section of which nothing is known.
const USUAL_INIT: u64 = 800;
/// Bits that a second has in a byte, for lengths in nanoseconds.
const NANO_BITS: u128 = 8_000_000_000;

/// Something whose size is wanted.
struct Item {
    /// Where it is; `None` for what is not there and has no bytes.
    wanted: Option<Wanted>,
    /// How large it is if nobody says.
    duration: MediaTime,
    rate: Option<BitRate>,
}

/// What a variant costs over `places`; a segment behind them counts to the last.
///
/// # Errors
///
/// [`Kind::NoData`] when nothing tells how large anything is.
pub(super) async fn measured(
    store: &Store,
    found: &Found,
    places: &Range<usize>,
    events: &Events,
) -> Result<Measured, Problem> {
    let Found { rung, list, length } = found;
    let items = items(list, rung.id, places)?;
    let init = init(list, rung.id, places.start)?;
    let wanted = std::iter::once(init.as_ref()).chain(items.iter().map(|one| one.wanted.as_ref()));
    let (mut known, refusal) = ask(store, wanted.map(Option::<&Wanted>::cloned).collect()).await;
    let init_bytes = known.remove(0);
    if let Some(why) = refusal {
        events.send(Event::Warning(guessed(rung.id, why)));
    }
    let average = match rung.rate() {
        BitRate(0) => mean(&items, &known).ok_or_else(|| nothing_known(rung.id))?,
        stated => stated,
    };
    let size = |(item, known): (&Item, &Option<u64>)| {
        known.unwrap_or_else(|| bytes(item.rate.unwrap_or(average), item.duration))
    };
    let mut sizes: Vec<u64> = items.iter().zip(&known).map(size).collect();
    let surplus: u64 = sizes.drain(places.len()..).fold(0, u64::saturating_add);
    if let Some(last) = sizes.last_mut() {
        *last = last.saturating_add(surplus);
    }
    Ok(Measured {
        average,
        peak: rung.bandwidth.max(average),
        playlist_bytes: *length,
        init_bytes: match init {
            Some(_) => init_bytes.unwrap_or(USUAL_INIT),
            None => 0,
        },
        sizes,
    })
}

/// The segments from the first of `places` on; of an ended list to its end.
fn items(list: &Listed, rung: usize, places: &Range<usize>) -> Result<Vec<Item>, Problem> {
    let end = match list.media().ended {
        true => list.end(),
        false => places.end,
    };
    let segments = (places.start..end).filter_map(|place| list.segment(place));
    segments
        .map(|segment| {
            let wanted = || part(list, segment.uri, segment.range, RequestKind::Segment, rung);
            Ok(Item {
                wanted: (!segment.gap).then(wanted).transpose()?,
                duration: segment.duration,
                rate: segment.bit_rate,
            })
        })
        .collect()
}

/// The initialisation section of the segment at `place`.
fn init(list: &Listed, rung: usize, place: usize) -> Result<Option<Wanted>, Problem> {
    let map = list.segment(place).and_then(|segment| segment.map);
    let map = map.and_then(|map| list.media().maps.get(map));
    map.map(|map| part(list, &map.uri, map.range, RequestKind::Init, rung))
        .transpose()
}

fn part(
    list: &Listed,
    uri: &str,
    range: Option<ByteRange>,
    kind: RequestKind,
    rung: usize,
) -> Result<Wanted, Problem> {
    Ok(Wanted {
        range: range.map(|range| range.start..range.end()),
        variant: Some(rung),
        ..Wanted::whole(list.location(uri)?, kind)
    })
}

/// The sizes that can be learned, in order; what is not wanted has none. The
/// first refusal ends the questions, and until one was answered they come one
/// by one: a server that does not answer them is asked once.
async fn ask(store: &Store, wanted: Vec<Option<Wanted>>) -> (Vec<Option<u64>>, Option<String>) {
    let mut sizes: Vec<Option<u64>> = wanted
        .iter()
        .map(|wanted| wanted.is_none().then_some(0))
        .collect();
    let mut waiting = wanted.into_iter().enumerate();
    let mut asked = JoinSet::new();
    let (mut at_once, mut refusal) = (1, None);
    loop {
        while asked.len() < at_once
            && let Some((place, wanted)) = waiting.next()
        {
            let Some(wanted) = wanted else { continue };
            let store = store.clone();
            asked.spawn(async move { (place, store.size(&wanted).await) });
        }
        // A task that panicked is reported by the panic.
        let Some(Ok((place, answer))) = asked.join_next().await else {
            return (sizes, refusal);
        };
        match answer {
            // A server that has no length for an answer without a body says 0.
            Ok(Some(size)) if size > 0 => {
                sizes[place] = Some(size);
                at_once = AT_ONCE;
            }
            Ok(_) if store.is_offline() => {
                refusal = Some("not all of them are in the cache".to_owned());
            }
            Ok(_) => return (sizes, Some("the server does not say them".to_owned())),
            Err(problem) => return (sizes, Some(problem.why)),
        }
    }
}

/// The rate of those whose size is known.
fn mean(items: &[Item], known: &[Option<u64>]) -> Option<BitRate> {
    let (mut bits, mut nanos) = (0_u128, 0_u128);
    for (item, size) in items.iter().zip(known) {
        if let Some(size) = size {
            bits += u128::from(*size) * 8;
            nanos += nanoseconds(item.duration);
        }
    }
    let rate = (bits * 1_000_000_000).checked_div(nanos)?;
    let rate = u64::try_from(rate).ok().filter(|rate| *rate > 0);
    rate.map(BitRate)
}

/// What `duration` has at `rate`.
fn bytes(rate: BitRate, duration: MediaTime) -> u64 {
    let bits = u128::from(rate.0).saturating_mul(nanoseconds(duration));
    u64::try_from(bits / NANO_BITS).unwrap_or(u64::MAX)
}

fn nanoseconds(duration: MediaTime) -> u128 {
    u128::try_from(duration.nanos()).unwrap_or(0)
}

fn guessed(rung: usize, why: String) -> Problem {
    Problem::new(
        Kind::NoData,
        format!("cannot learn the sizes of all segments of variant {rung}"),
        why,
        "going on with its bandwidth",
    )
}

fn nothing_known(rung: usize) -> Problem {
    Problem::new(
        Kind::NoData,
        "cannot simulate the stream",
        format!("nothing says how large the segments of variant {rung} are"),
        "name its multivariant playlist",
    )
}
