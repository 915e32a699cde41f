//! The text of the file: a random salt, then a line for each network, the one
//! used last first, with its hashed name and the rates of its last sessions in
//! kilobits per second, the newest last. No times, no addresses. Pure.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Name;
use crate::units::BitRate;

const HEAD: &str = "kithara-networks 1 ";
/// Networks that are remembered; the one unused for longest goes first.
const NETWORKS: usize = 64;
/// Sessions of each.
const SESSIONS: usize = 16;
/// Bytes of a hashed name.
const NAME_BYTES: usize = 16;
/// More than a table can have: 64 lines of 32 + 16 x 11 letters.
pub const MOST_BYTES: u64 = 16 << 10;

/// What is remembered of all networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    salt: [u8; 16],
    networks: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    /// Salted, hashed and cut, as digits.
    name: String,
    /// In kilobits per second.
    rates: Vec<u32>,
}

impl Table {
    /// An empty one; `salt` is random.
    pub fn new(salt: [u8; 16]) -> Self {
        Self {
            salt,
            networks: Vec::new(),
        }
    }

    /// Reads it; `None` when any of it is not what [`Table::text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let salt = lines.next()?.strip_prefix(HEAD)?;
        let networks: Option<Vec<_>> = lines.map(Network::parse).collect();
        let networks = networks.filter(|all| all.len() <= NETWORKS)?;
        let salt = bytes(salt)?;
        Some(Self { salt, networks })
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}{}\n", digits(&self.salt));
        for network in &self.networks {
            text += &network.name;
            for rate in &network.rates {
                // A string grows.
                let _ = write!(text, " {rate}");
            }
            text.push('\n');
        }
        text
    }

    /// What three of four past sessions on the network reached; of few
    /// sessions the lowest.
    pub fn prior(&self, name: &Name) -> Option<BitRate> {
        let name = self.hashed(name);
        let network = self.networks.iter().find(|one| one.name == name)?;
        let mut rates = network.rates.clone();
        rates.sort_unstable();
        let rate = rates.get(rates.len().saturating_sub(1) / 4)?;
        Some(BitRate(u64::from(*rate) * 1000))
    }

    /// Adds the mean rate of a session.
    pub fn learn(&mut self, name: &Name, rate: BitRate) {
        let name = self.hashed(name);
        let known = self.networks.iter().position(|one| one.name == name);
        let mut network = match known {
            Some(place) => self.networks.remove(place),
            None => Network {
                name,
                rates: Vec::new(),
            },
        };
        let kilobits = u32::try_from(rate.0 / 1000).unwrap_or(u32::MAX);
        network.rates.push(kilobits.max(1));
        let surplus = network.rates.len().saturating_sub(SESSIONS);
        network.rates.drain(..surplus);
        self.networks.insert(0, network);
        self.networks.truncate(NETWORKS);
    }

    fn hashed(&self, name: &Name) -> String {
        let hash = Sha256::new().chain_update(self.salt);
        digits(&hash.chain_update(name.bytes()).finalize()[..NAME_BYTES])
    }
}

impl Network {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?;
        bytes(name)?;
        let rates: Option<Vec<u32>> = words.map(|word| word.parse().ok()).collect();
        let rates = rates.filter(|rates| (1..=SESSIONS).contains(&rates.len()))?;
        let is_sound = rates.iter().all(|rate| *rate > 0);
        let name = name.to_owned();
        is_sound.then_some(Self { name, rates })
    }
}

fn digits(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // A string grows.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn bytes(digits: &str) -> Option<[u8; 16]> {
    let is_sound = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(digits, 16).ok()?;
    (is_sound && digits.len() == 32).then(|| number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(number: usize) -> Name {
        Name::test(&format!("net {number}"))
    }

    fn kilobits(rate: u64) -> BitRate {
        BitRate(rate * 1000)
    }

    #[test]
    fn most_sessions_reach_what_is_expected() {
        let cases: [(&[u64], Option<u64>); 8] = [
            (&[], None),
            (&[500], Some(500)),
            (&[500, 300], Some(300)),
            (&[900, 800, 700, 600], Some(600)),
            (&[900, 100, 800, 700, 600], Some(600)),
            (&[9, 8, 7, 6, 5, 4, 3, 2, 1], Some(3)),
            (&[0], Some(1)),
            (&[u64::MAX / 2000], Some(u64::from(u32::MAX))),
        ];
        for (rates, want) in cases {
            let mut table = Table::new([7; 16]);
            for rate in rates {
                table.learn(&name(1), kilobits(*rate));
            }
            assert_eq!(table.prior(&name(1)), want.map(kilobits), "{rates:?}");
            assert_eq!(table.prior(&name(2)), None, "{rates:?}");
        }
    }

    #[test]
    fn old_sessions_and_networks_that_are_not_used_go() {
        let mut table = Table::new([7; 16]);
        for rate in 1..=40 {
            table.learn(&name(0), kilobits(rate));
        }
        assert_eq!(table.prior(&name(0)), Some(kilobits(28)), "of 25 to 40");
        for number in 1..=63 {
            table.learn(&name(number), kilobits(5));
        }
        table.learn(&name(0), kilobits(50));
        table.learn(&name(64), kilobits(5));
        let known = |number| table.prior(&name(number)).is_some();
        assert_eq!([0, 1, 2, 64].map(known), [true, false, true, true]);
        assert!(table.text().len() as u64 <= MOST_BYTES);
    }

    #[test]
    fn the_longest_table_is_read() {
        let mut table = Table::new([255; 16]);
        for number in 0..NETWORKS * SESSIONS {
            table.learn(&name(number % NETWORKS), BitRate(u64::MAX));
        }
        assert!(
            table.text().len() as u64 <= MOST_BYTES,
            "{}",
            table.text().len()
        );
        assert_eq!(Table::parse(&table.text()), Some(table));
    }

    #[test]
    fn another_salt_makes_other_names() {
        let text = |salt| {
            let mut table = Table::new([salt; 16]);
            table.learn(&name(0), kilobits(5));
            table.text().lines().last().map(str::to_owned)
        };
        assert_ne!(text(1), text(2));
        assert!(!text(1).unwrap_or_default().contains("net"));
    }

    #[test]
    fn a_table_of_which_anything_is_wrong_is_none() {
        let mut table = Table::new([7; 16]);
        table.learn(&name(0), kilobits(5));
        let text = table.text();
        let last = text.lines().last().expect("a network").to_owned();
        let broken = [
            text.replace("networks 1", "networks 2"),
            text.replacen('0', "", 1),
            text.replacen("07", "+7", 1),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}{last} -1\n"),
            format!("{text}{last} 4294967296\n"),
            format!("{text}{last} 0\n"),
            format!("{text}{}\n", &last[..32]),
            format!("{text}{last}{}\n", " 1".repeat(SESSIONS)),
            format!("{text}{}", format!("{last}\n").repeat(NETWORKS)),
        ];
        for text in broken {
            assert_eq!(Table::parse(&text), None, "{text:.120}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(
            sessions in prop::collection::vec((0..80_usize, any::<u64>()), 0..200),
            salt: [u8; 16],
        ) {
            let mut table = Table::new(salt);
            for (network, rate) in sessions {
                table.learn(&name(network), BitRate(rate));
            }
            prop_assert_eq!(Table::parse(&table.text()), Some(table));
        }

        #[test]
        fn no_text_breaks_it(text in "(kithara-networks 1 [0-9a-f]{32}\n)?([0-9a-f]{32}( [0-9]{1,11}){0,3}\n){0,3}\\PC*") {
            let _ = Table::parse(&text);
        }
    }
}
