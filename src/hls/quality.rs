//! The quality the user asks for (`-Q`) becomes a rung of the ladder, and a
//! reason that `info` can show.

use std::str::FromStr;

use crate::error::{Kind, Problem};
use crate::hls::abr;
use crate::hls::variant::{Ladder, Standing, Tier, nothing_to_play};
use crate::text;
use crate::units::BitRate;

/// Which rung is wanted (`-Q`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// What the link carries, anew for each segment.
    Auto,
    /// The highest that can be decoded.
    Best,
    /// The lowest that can be decoded.
    Worst,
    /// This one, as `info` lists it.
    Number(usize),
    /// The highest whose peak is at most this.
    AtMost(BitRate),
}

/// The rung to begin with, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// An index into [`Ladder::rungs`].
    pub rung: usize,
    /// In a few words.
    pub reason: String,
}

/// What is known of the link before anything is heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// A rate to begin with by what the network carried before.
    pub prior: Option<BitRate>,
    /// The transfer of the multivariant playlist.
    pub opening: Option<abr::Sample>,
}

impl Ladder {
    /// Chooses the rung to begin with.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`] when nothing, or not the wanted one, can be
    /// decoded; [`Kind::Arguments`] for a number that is not listed.
    pub fn choose(&self, quality: &Quality, known: Known) -> Result<Choice, Problem> {
        match quality {
            Quality::Number(id) => self.choose_number(*id),
            Quality::Auto => self.choose_among(|rungs| self.auto(rungs, known)),
            Quality::Best => self.choose_among(|rungs| {
                let count = rungs.len();
                (count - 1, format!("highest of {count} that we can decode"))
            }),
            Quality::Worst => self.choose_among(|rungs| {
                let count = rungs.len();
                (0, format!("lowest of {count} that we can decode"))
            }),
            Quality::AtMost(rate) => self.choose_among(|rungs| self.at_most(rungs, *rate)),
        }
    }

    /// Chooses among the adaptive rungs by their place, if there is a choice.
    fn choose_among(
        &self,
        pick: impl FnOnce(&[usize]) -> (usize, String),
    ) -> Result<Choice, Problem> {
        let adaptive = self.adaptive();
        let decodable = self.rungs.iter().filter(|rung| rung.is_decodable());
        let (place, reason) = match adaptive.as_slice() {
            [] => return Err(self.no_choice()),
            [_] if self.rungs.len() == 1 => (0, "there is no other".to_owned()),
            [_] if decodable.count() == 1 => (0, "the only one we can decode".to_owned()),
            [_] if self.tier == Tier::Muxed => (0, "the cheapest, as all have pictures".to_owned()),
            [_] => (0, "the only one that is wanted".to_owned()),
            rungs => pick(rungs),
        };
        Ok(Choice {
            rung: adaptive[place],
            reason,
        })
    }

    fn auto(&self, adaptive: &[usize], known: Known) -> (usize, String) {
        let rates: Vec<BitRate> = adaptive.iter().map(|&id| self.rungs[id].rate()).collect();
        let mut controller = abr::Controller::new(&rates).remembering(known.prior);
        if let Some(sample) = known.opening {
            controller.opened(sample);
        }
        let start = controller.decide(&abr::Situation {
            limit: f64::INFINITY,
            ..abr::Situation::at_start()
        });
        let bound = match self.rungs[adaptive[start.rung]].with_pictures {
            true => "no more than ",
            false => "",
        };
        let why = match known.prior {
            Some(rate) => format!(", for this network {rate} at most"),
            None => String::new(),
        };
        let reason = format!("auto starts at {bound}{}{why}", rates[start.rung]);
        (start.rung, reason)
    }

    fn at_most(&self, adaptive: &[usize], rate: BitRate) -> (usize, String) {
        let fits = |&id: &usize| self.rungs[id].bandwidth <= rate;
        match adaptive.iter().rposition(fits) {
            Some(place) => (place, format!("highest of at most {rate}")),
            None => (0, format!("lowest, as none is at most {rate}")),
        }
    }

    fn choose_number(&self, id: usize) -> Result<Choice, Problem> {
        let rung = self.rungs.get(id).ok_or_else(|| {
            let count = self.rungs.len();
            Problem::new(
                Kind::Arguments,
                format!("cannot choose variant {id}"),
                format!("there are {count}, counted from 0"),
                "see \"kithara info\" for their numbers",
            )
        })?;
        match &rung.standing {
            Standing::Refused(why) => {
                Err(nothing_to_play(why.as_str()).during(format!("cannot play variant {id}")))
            }
            Standing::Wanted | Standing::Spare(_) | Standing::Excluded(_) => Ok(Choice {
                rung: id,
                reason: "as asked for".to_owned(),
            }),
        }
    }

    /// What to try when `chosen` cannot be had, in this order: the wanted rungs
    /// below it, those above it, the spare ones; nothing for a rung that was
    /// asked for by its number, and nothing above a limit.
    pub fn fallbacks(&self, chosen: &Choice, quality: &Quality) -> Vec<Choice> {
        let adaptive = self.adaptive();
        let (below, above): (Vec<usize>, Vec<usize>) =
            adaptive.into_iter().partition(|id| *id < chosen.rung);
        let all = below.into_iter().rev().chain(above).chain(self.spares());
        let is_allowed = |id: &usize| match quality {
            Quality::Auto | Quality::Best | Quality::Worst => true,
            Quality::AtMost(rate) => self.rungs[*id].bandwidth <= *rate,
            Quality::Number(_) => false,
        };
        all.filter(|id| *id != chosen.rung)
            .filter(is_allowed)
            .map(|rung| Choice {
                rung,
                reason: format!("instead of {}, which cannot be had", chosen.rung),
            })
            .collect()
    }
}

impl FromStr for Quality {
    type Err = Problem;

    /// `auto`, `best`, `worst`, a number, or `<=` and a rate such as `256k` or `1.5M`.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let quality = match text {
            "auto" => Some(Self::Auto),
            "best" => Some(Self::Best),
            "worst" => Some(Self::Worst),
            _ => match text.strip_prefix("<=") {
                Some(rate) => read_rate(rate.trim()).map(Self::AtMost),
                None => text.parse().ok().map(Self::Number),
            },
        };
        quality.ok_or_else(|| {
            Problem::new(
                Kind::Arguments,
                format!("cannot use quality \"{}\"", text::safe(text)),
                "it is none of auto, best, worst, a number and <=RATE",
                "try \"-Q best\" or \"-Q '<=256k'\"",
            )
        })
    }
}

/// Bits per second, with `k` or `M` behind.
fn read_rate(text: &str) -> Option<BitRate> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => text
            .strip_suffix('M')
            .map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    let number: f64 = digits.parse().ok()?;
    let bits = number * factor;
    // Finite and positive: the cast saturates at most.
    (bits.is_finite() && bits > 0.0).then_some(BitRate(bits as u64))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hls::variant::Rung;
    use crate::location::Location;

    /// Rungs of these peak and average kilobits; an average of 0 is a codec
    /// that cannot be decoded.
    fn ladder(tier: Tier, rates: &[(u64, u64)]) -> Ladder {
        let single = Ladder::single(Location::File("x".into()));
        let rung = |(id, &(peak, average)): (usize, &(u64, u64))| Rung {
            id,
            bandwidth: BitRate(peak * 1000),
            average_bandwidth: Some(BitRate(average * 1000)),
            standing: match (average, tier) {
                (0, _) => Standing::Refused("the codec ec-3 is not supported".to_owned()),
                (_, Tier::Muxed) if id > 0 => Standing::Spare("more pictures".to_owned()),
                _ => Standing::Wanted,
            },
            ..single.rungs[0].clone()
        };
        let rungs = rates.iter().enumerate().map(rung).collect();
        Ladder {
            rungs,
            tier,
            ..single
        }
    }

    fn four() -> Ladder {
        let rates = [(72, 66), (142, 129), (283, 257), (1176, 1069), (1500, 0)];
        ladder(Tier::AudioOnly, &rates)
    }

    #[test]
    fn a_quality_is_chosen_with_a_reason() {
        let ladder = four();
        let cases = [
            ("auto", 1, "auto starts at 129 kbit/s"),
            ("best", 3, "highest of 4 that we can decode"),
            ("worst", 0, "lowest of 4 that we can decode"),
            ("2", 2, "as asked for"),
            ("<=283k", 2, "highest of at most 283 kbit/s"),
            ("<=256k", 1, "highest of at most 256 kbit/s"),
            ("<=1.2M", 3, "highest of at most 1.2 Mbit/s"),
            ("<=1k", 0, "lowest, as none is at most 1 kbit/s"),
        ];
        for (quality, rung, reason) in cases {
            let quality: Quality = quality.parse().expect(quality);
            let choice = ladder.choose(&quality, Known::default()).expect("a choice");
            assert_eq!(
                (choice.rung, choice.reason.as_str()),
                (rung, reason),
                "{quality:?}"
            );
        }
    }

    #[test]
    fn auto_begins_low_unless_the_first_playlist_promises_more() {
        let ladder = four();
        let cases = [
            // bytes and milliseconds of the multivariant playlist; the rung
            (600, 100, 0),
            (600, 2_000, 0),
            (20_000, 100, 0),
            (50_000, 100, 1),
            (1_000_000, 100, 2),
        ];
        for (bytes, millis, rung) in cases {
            let opening = abr::Sample {
                bytes,
                first_byte: None,
                transfer: Duration::from_millis(millis),
            };
            let known = Known {
                prior: None,
                opening: Some(opening),
            };
            let choice = ladder.choose(&Quality::Auto, known).expect("a choice");
            assert_eq!(choice.rung, rung, "{bytes} bytes in {millis} ms");
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_said() {
        let ladder = four();
        let problem = ladder
            .choose(&Quality::Number(4), Known::default())
            .expect_err("E-AC-3");
        assert_eq!(problem.kind, Kind::Unsupported);
        assert_eq!(problem.why, "the codec ec-3 is not supported");
        let problem = ladder
            .choose(&Quality::Number(5), Known::default())
            .expect_err("not there");
        assert_eq!(problem.kind, Kind::Arguments);
        assert_eq!(problem.why, "there are 5, counted from 0");
        for text in ["", "-1", "<=", "<=0", "<=x", "<=infk", "high", "1.5"] {
            let problem = text.parse::<Quality>().expect_err(text);
            assert_eq!(problem.kind, Kind::Arguments, "{text}");
        }
    }

    #[test]
    fn of_variants_with_pictures_the_cheapest_is_heard_unless_one_is_named() {
        let ladder = ladder(Tier::Muxed, &[(300, 300), (900, 900)]);
        for (quality, want) in [
            (Quality::Best, 0),
            (Quality::Auto, 0),
            (Quality::AtMost(BitRate(1)), 0),
            (Quality::Number(1), 1),
        ] {
            assert_eq!(
                ladder
                    .choose(&quality, Known::default())
                    .expect("a choice")
                    .rung,
                want,
                "{quality:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_had_is_replaced_from_below_first() {
        let (ladder, muxed) = (four(), ladder(Tier::Muxed, &[(300, 300), (900, 900)]));
        let cases: [(&Ladder, usize, Quality, &[usize]); 7] = [
            (&ladder, 3, Quality::Best, &[2, 1, 0]),
            (&ladder, 1, Quality::Auto, &[0, 2, 3]),
            (&ladder, 0, Quality::Worst, &[1, 2, 3]),
            (&ladder, 1, Quality::AtMost(BitRate(200_000)), &[0]),
            (&ladder, 1, Quality::Number(1), &[]),
            (&muxed, 0, Quality::Best, &[1]),
            (&muxed, 1, Quality::Number(1), &[]),
        ];
        for (ladder, rung, quality, want) in cases {
            let chosen = Choice {
                rung,
                reason: String::new(),
            };
            let fallbacks = ladder.fallbacks(&chosen, &quality);
            let ids: Vec<usize> = fallbacks.iter().map(|choice| choice.rung).collect();
            assert_eq!(ids, want, "{rung} of {quality:?}");
        }
    }
}
