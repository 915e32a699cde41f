//! Keys: asked for beside the init section, and looked up when a segment is
//! handed over. Nothing is handed over as clear while its key is missing.

use super::{Feed, Purpose};
use crate::error::Problem;
use crate::hls::key::{self, Address, Keeping, Lock, State};
use crate::hls::load::{Load, Note, say};
use crate::hls::media::Media;
use crate::location::Location;
use crate::media::Cipher;
use crate::stats::Stage;

impl Feed {
    /// Asks for the key of segment `index` and that of its init section, unless
    /// they were asked for before.
    pub(super) fn start_keys(&mut self, index: usize, rung: usize) {
        let media = self.media(rung);
        let Some(segment) = media.segment(index) else {
            return;
        };
        let of_map = segment.map.and_then(|map| media.maps[map].key);
        let keys = [segment.key, of_map].into_iter().flatten();
        // What is wrong with an address is told when the segment is demanded.
        let addresses = keys.filter_map(|key| address(media, key).ok());
        for address in addresses.collect::<Vec<_>>() {
            if let Address::At(location) = address
                && !self.keys.has(&location)
            {
                self.start_key(location, rung, false);
            }
        }
    }

    fn start_key(&mut self, location: Location, rung: usize, is_waited_for: bool) {
        let key = self.keys.ask(&location, is_waited_for);
        self.flights.insert(Load::Key { key }, None);
        self.stats.begin(Stage::Key);
        let (store, tell, events) = (self.store.clone(), self.tell.clone(), self.events.clone());
        let keeping = match self.wishes.purpose {
            Purpose::Cache { .. } => Keeping::Always,
            Purpose::Decode if self.media(rung).ended => Keeping::WhenPossible,
            Purpose::Decode => Keeping::Never,
        };
        let wanted = key::wanted(location, rung);
        self.tasks.spawn(async move {
            let loaded = key::load(&store, &wanted, keeping, &events).await;
            say(&tell, Note::Key(key, loaded)).await;
        });
    }

    /// A key came, or will not come.
    pub(super) fn key_came(
        &mut self,
        key: u64,
        loaded: Result<[u8; 16], Problem>,
    ) -> Result<(), Problem> {
        self.flights.remove(&Load::Key { key });
        self.stats.end(Stage::Key);
        match loaded {
            Err(problem) if self.wishes.purpose != Purpose::Decode => return Err(problem),
            loaded => self.keys.note(key, loaded),
        }
        Ok(())
    }

    /// What undoes the encryption of segment `index`, which is wanted now.
    pub(super) fn segment_lock(&mut self, index: usize, rung: usize) -> Result<Lock, Problem> {
        let media = self.media(rung);
        let segment = media
            .segment(index)
            .expect("the plan stays inside the playlist");
        let Some(key) = segment.key else {
            return Ok(Lock::Open(None));
        };
        let iv = key::segment_iv(&media.keys[key], segment.number);
        self.lock(rung, key, iv)
    }

    /// What undoes the encryption of an init section, which is wanted now.
    pub(super) fn init_lock(&mut self, map: usize, rung: usize) -> Result<Lock, Problem> {
        let media = self.media(rung);
        let Some(key) = media.maps[map].key else {
            return Ok(Lock::Open(None));
        };
        let iv = key::init_iv(&media.keys[key])?;
        self.lock(rung, key, iv)
    }

    fn lock(&mut self, rung: usize, key: usize, iv: [u8; 16]) -> Result<Lock, Problem> {
        let address = address(self.media(rung), key)?;
        let key_name = address.to_string();
        let open = |key| Ok(Lock::Open(Some(Cipher { key, iv, key_name })));
        let location = match address {
            Address::Inline(key) => return open(key),
            Address::At(location) => location,
        };
        match self.keys.wait_for(&location) {
            Some(State::Here(key)) => open(*key),
            Some(State::Coming { .. }) => Ok(Lock::Shut),
            Some(State::Lost { problem, .. }) => Err(problem.clone()),
            None => {
                self.start_key(location, rung, true);
                Ok(Lock::Shut)
            }
        }
    }
}

fn address(media: &Media, key: usize) -> Result<Address, Problem> {
    key::refuse_foreign(&media.keys[key])?;
    Address::of(&media.keys[key], media.base())
}
