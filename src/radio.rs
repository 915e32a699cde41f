//! A radio station over HTTP: sound that has no end, from one connection after
//! the other. Each is handed to the decoder as a stream of its own; when one
//! breaks off, the station is asked again, for as long as the run goes on.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::cues::Cues;
use crate::decode::inbox::Doors;
use crate::error::{Kind, Problem};
use crate::event::{Event, Events, State};
use crate::fetch::Station;
use crate::limits;
use crate::location::Location;
use crate::media::{Demand, Link, Piece, WholeFile};
use crate::stats::Stats;
use crate::store::{Broadcast, Spool, SpoolWriter, Store, Wanted};
use crate::units::BitRate;

const FIRST_PAUSE: Duration = Duration::from_millis(200); // a server that talks is there
const PAUSE: Duration = Duration::from_secs(1); // doubles
const LONGEST_PAUSE: Duration = limits::RETRY_AFTER;
const STEADY_BYTES: u64 = 16 << 10; // a second of sound: the connection was a good one

/// What is to be heard.
pub struct Job {
    /// The station.
    pub wanted: Wanted,
    /// How many bytes of it may be kept, when the user says so.
    pub cache_size: Option<u64>,
}

/// One connection and what it brought.
#[derive(Clone)]
struct Heard {
    number: u64,
    /// Where its bytes lie in the spool.
    begin: u64,
    /// Known when it is over.
    end: Option<u64>,
    cues: Arc<Cues>,
    bit_rate: BitRate,
}

/// Receives the station and gives the decode thread what it brings, until that
/// is gone.
///
/// # Errors
///
/// When nothing takes the bytes. A station that does not come is asked for ever.
pub async fn run(
    store: &Store,
    job: Job,
    broadcast: Broadcast,
    doors: Doors,
    stats: &Arc<Stats>,
    events: &Events,
) -> Result<(), Problem> {
    let Location::Http(url) = job.wanted.location.clone() else {
        return Err(no_station(&job.wanted));
    };
    let most = job.cache_size.unwrap_or(limits::RADIO_BYTES);
    let writer = SpoolWriter::new(store.clone(), url, most);
    let spool = Arc::clone(writer.spool());
    let (links, heard) = watch::channel(VecDeque::new());
    let name = job.wanted.location.to_string();
    let receiver = Receiver {
        store,
        wanted: job.wanted,
        writer,
        links,
        next: 0,
        stats,
        events,
    };
    tokio::select! {
        result = receiver.run(broadcast) => result,
        () = answer(&spool, &name, heard, doors, stats) => Ok(()),
    }
}

/// Hands over what the decode thread wants, until it is gone.
async fn answer(
    spool: &Arc<Spool>,
    name: &str,
    mut links: watch::Receiver<VecDeque<Heard>>,
    mut doors: Doors,
    stats: &Stats,
) {
    let mut answered = None;
    loop {
        let demand = doors.demand();
        let key = (demand.epoch, demand.number, demand.again);
        let read = spool.read();
        let found = wanted(&links.borrow_and_update(), demand, read);
        if let Some((link, begin)) = found.filter(|_| answered != Some(key)) {
            answered = Some(key);
            doors.hand(Piece::File(WholeFile {
                epoch: demand.epoch,
                // Going elsewhere in a station is going on where it is.
                from: demand.from.map(|_| stats.position()),
                url: name.to_owned(),
                media: Box::new(spool.reader(link.number, begin)),
                wire: None,
                link: Some(Link {
                    number: link.number,
                    offset: begin - link.begin,
                    cues: link.cues,
                    bit_rate: link.bit_rate,
                }),
            }));
        }
        tokio::select! {
            is_gone = doors.changed() => if is_gone { return },
            // The other end lives as long as this one.
            _ = links.changed() => {}
        }
    }
}

/// The connection that answers `demand`, and from where in the spool; what was
/// `read` of one that is handed over again is not given twice.
fn wanted(links: &VecDeque<Heard>, demand: Demand, read: u64) -> Option<(Heard, u64)> {
    let is_over = |link: &Heard| link.end.is_some_and(|end| read >= end);
    let link = match (demand.number, demand.from) {
        (Some(number), _) => links.iter().find(|link| {
            let is_read = link.number == number && demand.again > 0 && is_over(link);
            link.number >= number && !is_read
        }),
        (None, Some(_)) => links.iter().find(|link| !is_over(link)),
        (None, None) => links.front(),
    }?;
    let is_again = demand.number.is_none_or(|number| number == link.number)
        && (demand.again > 0 || demand.from.is_some());
    let begin = match is_again {
        true => read.max(link.begin),
        false => link.begin,
    };
    Some((link.clone(), begin))
}

/// The one who listens to the station.
struct Receiver<'a> {
    store: &'a Store,
    wanted: Wanted,
    writer: SpoolWriter,
    links: watch::Sender<VecDeque<Heard>>,
    /// The number of the next connection.
    next: u64,
    stats: &'a Stats,
    events: &'a Events,
}

impl Receiver<'_> {
    async fn run(mut self, mut broadcast: Broadcast) -> Result<(), Problem> {
        let mut failed = 0;
        loop {
            let before = self.writer.spool().end();
            let end = self.receive(&mut broadcast).await?;
            drop(broadcast);
            if self.writer.spool().end() - before >= STEADY_BYTES {
                failed = 0;
            }
            self.events.send(Event::State(State::Reconnecting));
            broadcast = self.ask_again(end, &mut failed).await;
        }
    }

    /// Takes what one connection brings, and says why it ended.
    async fn receive(&mut self, broadcast: &mut Broadcast) -> Result<Problem, Problem> {
        let mut cues = None;
        let end = loop {
            let bytes = match broadcast.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break closed(&self.wanted),
                Err(failure) => break failure.problem,
            };
            let noted = cues.get_or_insert_with(|| self.begin(broadcast.station()));
            for (offset, title) in broadcast.take_titles() {
                noted.push(offset, title);
            }
            let count = bytes.len() as u64;
            self.stats.cache_miss_bytes.add(count);
            self.stats.wire_bytes.add(count);
            self.writer.write(&bytes).await?;
        };
        if cues.is_some() {
            self.writer.end_link();
            let until = self.writer.spool().end();
            self.links.send_modify(|links| {
                if let Some(last) = links.back_mut() {
                    last.end = Some(until);
                }
            });
        }
        Ok(end)
    }

    /// The first bytes of a connection are here.
    fn begin(&mut self, station: Option<&Station>) -> Arc<Cues> {
        let (number, begin) = (self.next, self.writer.spool().end());
        self.next += 1;
        self.writer.begin_link(number);
        let cues = Arc::default();
        let heard = Heard {
            number,
            begin,
            end: None,
            cues: Arc::clone(&cues),
            bit_rate: station.and_then(|it| it.bit_rate).unwrap_or_default(),
        };
        if number > 0 {
            self.events.send(Event::State(State::Playing));
        }
        let read = self.writer.spool().read();
        self.links.send_modify(|links| {
            // The one before may still be demanded.
            let is_gone = |link: &Heard| link.end.is_some_and(|end| end < read);
            while links.len() > 1 && links.front().is_some_and(is_gone) {
                links.pop_front();
            }
            links.push_back(heard);
        });
        cues
    }

    /// Asks the station until it answers, for ever.
    async fn ask_again(&mut self, mut problem: Problem, failed: &mut u32) -> Broadcast {
        loop {
            let dice = RandomState::new().build_hasher().finish();
            tokio::time::sleep(pause(*failed, dice)).await;
            *failed = failed.saturating_add(1);
            self.stats.retries.add(1);
            self.events.send(Event::Retry {
                attempt: *failed,
                problem,
            });
            match self.store.tune(&self.wanted).await {
                Ok(broadcast) => return broadcast,
                Err(refusal) => problem = refusal,
            }
        }
    }
}

/// How long is waited before the station is asked again, after it `failed` so
/// many times in a row: a fifth more or less by `dice`.
fn pause(failed: u32, dice: u64) -> Duration {
    let Some(doubled) = failed.checked_sub(1) else {
        return FIRST_PAUSE;
    };
    let percent = u32::try_from(dice % 41).unwrap_or(0); // 0 to 40
    let wait = PAUSE
        .saturating_mul(1 << doubled.min(16))
        .min(LONGEST_PAUSE);
    wait.saturating_mul(80 + percent) / 100
}

fn closed(wanted: &Wanted) -> Problem {
    Problem::new(
        Kind::NoData,
        format!("cannot go on with {}", wanted.location),
        "the server closed the stream",
        "try again later",
    )
}

fn no_station(wanted: &Wanted) -> Problem {
    Problem::new(
        Kind::Unsupported,
        format!("cannot play {}", wanted.location),
        "a local file is no radio station",
        "check the name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MediaTime;

    fn links(ends: &[Option<u64>]) -> VecDeque<Heard> {
        let heard = |(number, end): (u64, &Option<u64>)| Heard {
            number,
            begin: number * 100,
            end: *end,
            cues: Arc::default(),
            bit_rate: BitRate(0),
        };
        (0..).zip(ends).map(heard).collect()
    }

    #[test]
    fn a_demand_is_answered_with_the_connection_it_means() {
        let links = links(&[Some(100), Some(200), None]);
        let demand = |number, again, from| Demand {
            number,
            again,
            from,
            ..Demand::default()
        };
        let here = Some(MediaTime::ZERO);
        let cases = [
            ("the first", demand(None, 0, None), 0, Some((0, 0))),
            ("the next", demand(Some(1), 0, None), 100, Some((1, 100))),
            ("not there yet", demand(Some(3), 0, None), 250, None),
            ("again", demand(Some(1), 1, None), 150, Some((1, 150))),
            (
                "again, at its end",
                demand(Some(1), 1, None),
                200,
                Some((2, 200)),
            ),
            (
                "again, the last",
                demand(Some(2), 5, None),
                260,
                Some((2, 260)),
            ),
            ("elsewhere", demand(None, 0, here), 150, Some((1, 150))),
            (
                "elsewhere, later",
                demand(None, 0, here),
                270,
                Some((2, 270)),
            ),
        ];
        for (name, demand, read, want) in cases {
            let found = wanted(&links, demand, read);
            let found = found.map(|(link, begin)| (link.number, begin));
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let waits: Vec<_> = (0..9).map(|failed| pause(failed, 20).as_millis()).collect();
        let want = [200, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
        assert_eq!(waits, want);
        for dice in [0, 40, 41, u64::MAX] {
            let wait = pause(1, dice).as_millis();
            assert!((800..=1200).contains(&wait), "{dice}: {wait}");
        }
        assert_eq!(pause(u32::MAX, 20), LONGEST_PAUSE);
    }
}
