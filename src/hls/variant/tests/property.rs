//! What holds for every ladder.

use proptest::prelude::*;

use super::*;

const CODECS: [&str; 7] = [
    "",
    "mp4a.40.2",
    "fLaC",
    "ec-3",
    "avc1.4d401e,mp4a.40.2",
    "avc1.4d401e,ec-3",
    "avc1.4d401e",
];
const GROUPS: [&str; 4] = ["", "g0", "g1", "g2"];
const QUALITIES: [Quality; 4] = [
    Quality::Auto,
    Quality::Best,
    Quality::Worst,
    Quality::AtMost(BitRate(700_000)),
];

/// Tags of variants, each with a bandwidth of its own, and of renditions.
fn stream() -> impl Strategy<Value = (Vec<String>, String)> {
    let one = (prop::sample::select(&CODECS), prop::sample::select(&GROUPS));
    let variants = prop::collection::vec(one, 1..8).prop_map(|list| {
        let tags = list
            .into_iter()
            .enumerate()
            .map(|(number, (codecs, group))| {
                let rate = (number + 1) * 137_000;
                let codecs = (!codecs.is_empty()).then(|| format!(",CODECS=\"{codecs}\""));
                let group = (!group.is_empty()).then(|| format!(",AUDIO=\"{group}\""));
                let more = codecs.unwrap_or_default() + &group.unwrap_or_default();
                variant(&format!("BANDWIDTH={rate}{more}"), &format!("v{number}"))
            });
        tags.collect()
    });
    let attributes = prop::sample::select(&[
        ",LANGUAGE=\"en\",DEFAULT=YES",
        ",LANGUAGE=\"de\",CHANNELS=\"6\"",
        ",LANGUAGE=\"en\",INSIDE",
        "",
    ]);
    let member = (prop::sample::select(&GROUPS[1..]), attributes);
    let renditions = prop::collection::vec(member, 0..5).prop_map(|list| {
        let tags = list.into_iter().enumerate();
        tags.map(|(number, (group, attributes))| {
            rendition(group, &format!("{group}-{number}"), attributes)
        })
        .collect()
    });
    (variants, renditions)
}

/// What each quality would play, in a few words.
fn choices(text: &str) -> Vec<Option<String>> {
    let ladder = ladder(text);
    let choice = |quality: &Quality| {
        let choice = ladder.choose(quality, Known::default()).ok()?;
        Some(name(&ladder.rungs[choice.rung].location))
    };
    QUALITIES.iter().map(choice).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_order_of_the_variants_decides_nothing(
        (variants, renditions) in stream(),
        turn in any::<prop::sample::Index>(),
    ) {
        let text = renditions.clone() + &variants.concat();
        let mut turned = variants.clone();
        turned.rotate_left(turn.index(variants.len()));
        prop_assert_eq!(&ladder(&(turned.concat() + &renditions)).rungs, &ladder(&text).rungs);
        turned.reverse();
        prop_assert_eq!(choices(&(renditions + &turned.concat())), choices(&text));
    }

    #[test]
    fn what_is_chosen_can_be_decoded_and_comes_without_pictures_if_it_can(
        (variants, renditions) in stream(),
    ) {
        let ladder = ladder(&(renditions + &variants.concat()));
        let ids: Vec<usize> = ladder.rungs.iter().map(|rung| rung.id).collect();
        prop_assert_eq!(ids, (0..ladder.rungs.len()).collect::<Vec<_>>());
        for quality in QUALITIES {
            let Ok(chosen) = ladder.choose(&quality, Known::default()) else {
                prop_assert!(ladder.rungs.iter().all(|rung| !rung.is_decodable()));
                continue;
            };
            for choice in ladder.fallbacks(&chosen, &quality).iter().chain([&chosen]) {
                prop_assert!(ladder.rungs[choice.rung].is_decodable());
            }
        }
    }

    #[test]
    fn a_variant_that_cannot_be_decoded_changes_no_choice(
        (variants, renditions) in stream(),
        codecs in prop::sample::select(&["ec-3", "avc1.4d401e,ac-3", "mp4a.40.42", "avc1.4d401e,dtsc"]),
        group in prop::sample::select(&GROUPS),
        kilobits in 1_u32..2_000,
    ) {
        let before = renditions + &variants.concat();
        let mut attributes = format!("BANDWIDTH={kilobits}000,CODECS=\"{codecs}\"");
        if !group.is_empty() {
            attributes += &format!(",AUDIO=\"{group}\"");
        }
        let after = before.clone() + &variant(&attributes, "odd");
        let (was, is) = (choices(&before), choices(&after));
        prop_assert_eq!(was, is, "{}", after);
    }
}
