//! The sound of this machine: a sound server where one runs, else a card. Finding
//! it and starting it are two steps, so that the first is done while the playlist
//! is still on its way; one that is lost is followed by the next.

mod card;
mod feed;
mod fit;
mod knock;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::callback::{Callback, Remote};
use crate::error::{Kind, Problem};
use crate::event::{Event, Events};
use crate::ring::{self, Producer};
use crate::stats::{Stage, Stats};
use crate::text;
use crate::units::Spec;
use card::{Card, Refusal};
use feed::Feed;
use knock::Knock;
use server::{Fault, Sink};

/// How long a device that was lost may take to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between looks for one.
const LOOK: Duration = Duration::from_millis(100);
const LISTED_RATES: [u32; 10] = [
    8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
];
const SEE_NAMES: &str = "run \"kithara devices\" to see the names";
const WAYS_OUT: &str =
    "run \"kithara dump\" to write a file or \"kithara devices\" to see the names";

/// One row of `kithara devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// What `--device` takes.
    pub name: String,
    /// What people call it.
    pub description: String,
    /// The sound system it is reached through.
    pub host: &'static str,
    /// Whether it is the one that is used without `--device`.
    pub default: bool,
    /// Those of the usual sample rates that it plays, ascending.
    pub rates: Vec<u32>,
    /// The channel counts that it plays, ascending; only those we play.
    pub channels: Vec<usize>,
}

/// Every audio output of every sound system, those that cannot be opened left out.
///
/// # Errors
///
/// [`Kind::Audio`] when the sound server does not answer.
pub fn list() -> Result<Vec<DeviceRow>, Problem> {
    let mut rows = match server::list(&LISTED_RATES) {
        Ok(rows) => rows,
        Err(Fault::Absent) => Vec::new(),
        Err(fault) => return Err(cannot_open(None, fault.why())),
    };
    let mut cards = card::list(&LISTED_RATES);
    if rows.iter().any(|row| row.default) {
        cards.iter_mut().for_each(|card| card.default = false);
    }
    rows.append(&mut cards);
    Ok(rows)
}

/// The output called `name` (as [`list`] names or describes it), or the default
/// one: of the sound server before ALSA, which would take the card from it. May
/// take a while: do it early, beside the network.
///
/// # Errors
///
/// [`Kind::Audio`] when there is no such output, or none at all.
pub fn find(name: Option<&str>) -> Result<Found, Problem> {
    let place = look(name)?;
    let asked = name.map(str::to_owned);
    Ok(Found { place, asked })
}

fn look(name: Option<&str>) -> Result<Place, Problem> {
    let refusal = match Sink::find(name) {
        Ok(Some(sink)) => return Ok(Place::Server(Box::new(sink))),
        Ok(None) | Err(Fault::Absent) => None,
        Err(fault) => Some(fault.why()),
    };
    match (card::find(name), refusal) {
        (Ok(Some(card)), _) => Ok(Place::Card(card)),
        (_, Some(why)) | (Err(why), None) => Err(cannot_open(name, why)),
        (Ok(None), None) => Err(cannot_open(name, absence(name))),
    }
}

fn absence(name: Option<&str>) -> String {
    let words = match name {
        Some(_) => "no such device",
        None => "no audio device was found",
    };
    words.to_owned()
}

fn cannot_open(name: Option<&str>, why: String) -> Problem {
    match name {
        Some(name) => {
            let what = format!("cannot open the sound card \"{}\"", text::safe(name));
            Problem::new(Kind::Audio, what, why, SEE_NAMES)
        }
        None => Problem::new(Kind::Audio, "cannot open the sound card", why, WAYS_OUT),
    }
}

/// An output that is there and not yet playing.
enum Place {
    Server(Box<Sink>),
    Card(Card),
}

/// An output that plays.
enum Voice {
    Server(Box<server::Stream>, Box<Feed>),
    Card(card::Playing),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::Server(sink) => sink.name(),
            Self::Card(card) => card.name(),
        }
    }

    fn fit(&self, wanted: Spec) -> Option<Spec> {
        match self {
            Self::Server(sink) => Some(sink.fit(wanted)),
            Self::Card(card) => card.fit(wanted),
        }
    }

    /// Whether it plays exactly `spec`. A server plays everything.
    fn takes(&self, spec: Spec) -> bool {
        match self {
            Self::Server(_) => true,
            Self::Card(card) => card.fit(spec) == Some(spec),
        }
    }

    fn open(self, feed: Box<Feed>, knock: &Arc<Knock>) -> Result<Voice, Refusal> {
        match self {
            Self::Card(card) => card.open(feed, knock).map(Voice::Card),
            Self::Server(sink) => match sink.open(feed.spec()) {
                Ok(stream) => Ok(Voice::Server(Box::new(stream), feed)),
                Err(fault) => Err(Refusal {
                    why: fault.why(),
                    feed: Some(feed),
                }),
            },
        }
    }
}

impl Voice {
    /// Plays until it is closed, or lost: then what it was to play comes back.
    fn run(self, knock: &Knock, stats: &Stats) -> Result<(), Refusal> {
        match self {
            Self::Card(playing) => playing.run(knock),
            Self::Server(mut stream, mut feed) => {
                let lost = stream.run(&mut feed, knock, stats);
                lost.map_err(|fault| Refusal {
                    why: fault.why(),
                    feed: Some(feed),
                })
            }
        }
    }
}

/// An output that was found.
pub struct Found {
    place: Place,
    /// What the user called it.
    asked: Option<String>,
}

impl Found {
    /// Starts it in the layout nearest to `wanted`: what holds it, what has to be
    /// run for it to sound, and the end of its ring for the decoder.
    ///
    /// # Errors
    ///
    /// [`Kind::Audio`] when it refuses.
    pub fn start(
        self,
        wanted: Spec,
        stats: &Arc<Stats>,
    ) -> Result<(Device, Player, Producer), Problem> {
        stats.begin(Stage::DeviceOpen);
        let name = self.place.name();
        let refused = |why| cannot_open(Some(&name), why);
        let spec = self.place.fit(wanted);
        let spec = spec.ok_or_else(|| refused("it takes no format we can give".to_owned()))?;
        let (producer, consumer) = ring::of_length(spec);
        let (callback, remote) = Callback::new(consumer, Arc::clone(stats));
        let knock = Arc::new(Knock::new()?);
        let feed = Box::new(Feed::new(callback, remote.clone()));
        let voice = self.place.open(feed, &knock);
        let voice = voice.map_err(|refusal| refused(refusal.why))?;
        stats.end(Stage::DeviceOpen);
        stats.begin(Stage::FirstCallback);
        let player = Player {
            voice,
            knock: Arc::clone(&knock),
            asked: self.asked,
        };
        let device = Device {
            remote,
            knock,
            name,
        };
        Ok((device, player, producer))
    }
}

/// An output that plays, in the hands of whoever ends it.
pub struct Device {
    remote: Remote,
    knock: Arc<Knock>,
    name: String,
}

impl Device {
    /// Volume, stop and position.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// What people call the output.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The remote was used: an output that rests looks at it now.
    pub fn wake(&self) {
        self.knock.ring();
    }

    /// Ends [`Player::run`]; sound that is still held is cut off, see [`Remote::latency`].
    pub fn close(self) {
        self.remote.stop();
        self.knock.close();
    }
}

/// What runs on the thread "audio" while an output plays.
pub struct Player {
    voice: Voice,
    knock: Arc<Knock>,
    asked: Option<String>,
}

impl Player {
    /// Plays until [`Device::close`]. An output that is lost is followed by itself
    /// or the default one, at the frame where it broke off.
    ///
    /// May never return when a card was pulled: nobody should have to join it.
    ///
    /// # Errors
    ///
    /// [`Kind::Audio`] when none came within two seconds.
    pub fn run(self, stats: &Stats, events: &Events) -> Result<(), Problem> {
        let mut voice = self.voice;
        loop {
            let Err(lost) = voice.run(&self.knock, stats) else {
                return Ok(());
            };
            let feed = lost.feed.ok_or_else(|| {
                let why = "the lost device does not let go of its sound";
                Problem::new(Kind::Audio, "cannot go on playing", why, WAYS_OUT)
            })?;
            let next = reopen(feed, lost.why, self.asked.as_deref(), &self.knock, events)?;
            match next {
                Some(next) => voice = next,
                None => return Ok(()),
            }
        }
    }
}

/// Looks for an output again and again; `None` when it is closed meanwhile.
fn reopen(
    mut feed: Box<Feed>,
    lost: String,
    asked: Option<&str>,
    knock: &Arc<Knock>,
    events: &Events,
) -> Result<Option<Voice>, Problem> {
    let since = Instant::now();
    feed.rewind(since);
    loop {
        if knock.is_closing() || feed.remote().is_stopping() {
            return Ok(None);
        }
        let place = look(asked).or_else(|_| look(None)).ok();
        if let Some(place) = place.filter(|place| place.takes(feed.spec())) {
            let name = place.name();
            match place.open(feed, knock) {
                Ok(voice) => {
                    events.send(Event::Warning(gone_on(lost, &name)));
                    return Ok(Some(voice));
                }
                Err(refusal) => feed = refusal.feed.ok_or_else(|| gone(&lost))?,
            }
        }
        if since.elapsed() >= PATIENCE {
            return Err(gone(&lost));
        }
        knock.wait(None, Some(LOOK));
    }
}

fn gone_on(lost: String, name: &str) -> Problem {
    let what = "cannot play without a break";
    let why = format!("{lost}; sound goes on through \"{name}\"");
    Problem::new(Kind::Audio, what, why, "nothing is lost")
}

fn gone(lost: &str) -> Problem {
    let why = format!("{lost} and no other device was found within 2 s");
    Problem::new(Kind::Audio, "cannot go on playing", why, WAYS_OUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plays_may_be_moved_to_the_thread_that_runs_it() {
        fn is_send<T: Send>() {}
        is_send::<Player>();
    }
}
