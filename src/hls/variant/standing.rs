//! Which rungs of a tier are wanted, and why not the others.

use crate::hls::taste::{Taste, channels_place};
use crate::hls::variant::{Rung, Standing, Tier};
use crate::units::BitRate;

/// Sorts the rungs of a tier by bandwidth and tells which of them are wanted.
pub fn judged(mut rungs: Vec<Rung>, tier: Tier, taste: &Taste) -> Vec<Rung> {
    rungs.sort_by_key(|rung| (rung.bandwidth, rung.average_bandwidth));
    let place = |rung: &Rung| taste.codec_place(rung.codecs.as_deref());
    demote(&mut rungs, |rung| {
        let is_left_out = place(rung).is_none();
        is_left_out.then(|| Standing::Excluded("--codec leaves it out".to_owned()))
    });
    let first = wanted(&rungs).filter_map(place).min();
    demote(&mut rungs, |rung| {
        let is_later = place(rung) > first;
        is_later.then(|| Standing::Spare("--codec prefers another codec".to_owned()))
    });
    let channels = |rung: &Rung| channels_place(rung.channels);
    let fewest = wanted(&rungs).map(channels).min();
    demote(&mut rungs, |rung| {
        let is_odd = Some(channels(rung)) > fewest;
        is_odd.then(|| Standing::Spare("another number of channels is preferred".to_owned()))
    });
    let mut before: Option<BitRate> = None;
    demote(&mut rungs, |rung| {
        let last = before.replace(rung.bandwidth);
        let why = match last {
            // Their bandwidth says nothing about their sound.
            Some(_) if tier == Tier::Muxed => "another one has less of pictures",
            Some(last) if last == rung.bandwidth => "another one has the same bandwidth",
            _ => return None,
        };
        Some(Standing::Spare(why.to_owned()))
    });
    rungs
}

fn wanted(rungs: &[Rung]) -> impl Iterator<Item = &Rung> {
    rungs
        .iter()
        .filter(|rung| rung.standing == Standing::Wanted)
}

/// Gives each wanted rung the standing that `judge` has for it, if any.
fn demote(rungs: &mut [Rung], mut judge: impl FnMut(&Rung) -> Option<Standing>) {
    for rung in rungs {
        if rung.standing == Standing::Wanted
            && let Some(standing) = judge(rung)
        {
            rung.standing = standing;
        }
    }
}
